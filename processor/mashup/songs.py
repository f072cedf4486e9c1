"""The two songs of a mashup: what is known of each, and the sounds that it is played from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processor import library, record
from processor.analysis import result_types
from processor.analysis.beats import DRUMS, LEAST_DRUMS
from processor.errors import LinerNotesError
from processor.files import printable
from processor.library import Track
from processor.record import Results
from processor.sidecars import MADE_AGAIN, Sidecars, check_whole

VOCALS, INSTRUMENTAL = "vocals", "instrumental"
# What separators and people call the stems of a voice. What a lead sings and what others sing behind it are two voices
# of one song: as vocals both are sung, in an instrumental that a person supplies the second one counts as a voice.
LEAD, BACKING = ("vocals", "lead_vocals"), "backing_vocals"
VOICES = (*LEAD, BACKING)
# The ways out, where there are no stems.
GET_STEMS = (
    "Get a separator (`linernotes models get htdemucs`) and separate the song (`linernotes run --deep`), or supply the "
    "stems (`linernotes mashup VOCALS INSTRUMENTAL --from-stems`)."
)
# Kinds of sound, as `supplied_kind` tells them.
VOICE_ALONE, NO_VOICE, FULL_MIX = "vocals", "instrumental", "mix"
# A voice alone has no deep bass, and `material` is not sure of a mix. Of 11 vocals (3 stems of artists, 8 separated) 10
# have their sub so far under their mids, by 26 to 50 dB, and of those that are taken for a mix none is surer than 0.71.
# Of 14 pop songs and instrumentals all are surer mixes, with less than 20 dB. Chorales and a piano would pass as well.
BARE_SUB_DB, SURELY_MIX = 20.0, 0.75
SURE = 0.6


class NoStems(LinerNotesError):
    """A song has not the stems that a mashup is played from."""


@dataclass(frozen=True)
class Song:
    """One song, in the part that it plays.

    Attributes:
        name: id of the track in the library, else the file's name.
        title: what to call it.
        sha256: of the file that it was taken from.
        results: what the analysers found in the song; in the stem, where only that was given.
        layers: name → file of each sound that is played: {"vocals": …} of the one, {"drums": …, "bass": …, "other": …}
            or {"instrumental": …} of the other. All are of one length and sample rate and begin together.
        tempo_bpm: a person's word for its tempo; None for what was heard.
        beat_file: what its beats are heard in to the millisecond, the drums or the whole mix; None: in the layers.
        beats_are_drums: whether that file has the drums alone.
        is_whole_song: whether `results` are those of the whole song, and not of what is played alone.
    """

    name: str
    title: str
    sha256: str
    results: Results
    layers: Mapping[str, Path]
    tempo_bpm: float | None = None
    beat_file: Path | None = None
    beats_are_drums: bool = False
    is_whole_song: bool = False


def from_track(track: Track, part: str, *, is_stem: bool = False) -> Song:
    """One part of a track of the library.

    Args:
        track: the track.
        part: "vocals" or "instrumental".
        is_stem: whether the track is the stem itself, which is then played as it is.

    Raises:
        NoStems: it was not separated, it has no such part, or a stem's file is gone.
        RecordError: its record cannot be read.
    """
    _check_part(part)
    found, said = record.read(track.folder, result_types()), library.read_person(track)
    title = library.title_of(found.name, found.results.get("metadata"), said)
    tempo_bpm = _said_tempo(said)
    if is_stem:
        if track.source is None:
            raise NoStems(f"{title} has no sound file in the library any more; drop it again.")
        layers = {part: track.source}
        return Song(track.id, title, found.sha256, found.results, layers, tempo_bpm)
    layers = _layers(track, title, found.results, part)
    drums = _drums(track, found.results)
    return Song(
        name=track.id,
        title=title,
        sha256=found.sha256,
        results=found.results,
        layers=layers,
        tempo_bpm=tempo_bpm,
        beat_file=drums or track.source,
        beats_are_drums=drums is not None,
        is_whole_song=True,
    )


def from_stem(
    path: Path | Mapping[str, Path],
    results: Results,
    sha256: str,
    part: str,
    tempo_bpm: float | None = None,
    title: str | None = None,
) -> Song:
    """A stem that a person supplied, played as it is.

    Args:
        path: its file; of an instrumental also several that sound together: name ("drums", "bass", "other",
            "backing_vocals" …) → file.
        results: what the analysers found in it.
        sha256: of its bytes; of the first one of several.
        part: "vocals" or "instrumental".
        tempo_bpm: a person's word for its tempo.
        title: what to call it; its tag or its name if left out.

    Raises:
        NoStems: a file is gone, or there is none.
    """
    _check_part(part)
    files = dict(path) if isinstance(path, Mapping) else {part: path}
    if not files:
        raise NoStems("There is no file to play. Give one, or several that sound together.")
    for file in files.values():
        if not file.is_file():
            raise NoStems(f"{printable(file.name)} is not there. Give the path of a sound file.")
    first = next(iter(files.values()))
    called = title or library.title_of(first.name, results.get("metadata"), {})
    drums = files.get(DRUMS)
    return Song(
        name=printable(first.name),
        title=printable(called),
        sha256=sha256,
        results=results,
        layers=files,
        tempo_bpm=tempo_bpm,
        beat_file=drums,
        beats_are_drums=drums is not None,
    )


def _check_part(part: str) -> None:
    if part not in (VOCALS, INSTRUMENTAL):
        raise ValueError(f"{part!r} is neither {VOCALS!r} nor {INSTRUMENTAL!r}")


def _said_tempo(said: Mapping[str, Any]) -> float | None:
    """A person's word for the tempo of a track."""
    word = said.get("beats.tempo_bpm")
    is_number = isinstance(word, (int, float)) and not isinstance(word, bool)
    return float(word) if word is not None and is_number and word > 0 else None


def _layers(track: Track, title: str, results: Results, part: str) -> dict[str, Path]:
    """The stems that a part of a track is played from.

    Raises:
        NoStems: there are none, or not these.
    """
    stems = results.get("stems")
    if stems is None or not stems.files:
        raise NoStems(f"{title} was not taken apart into stems. {GET_STEMS}")
    files = dict(zip(stems.names, stems.files, strict=False))
    there = [name for name, present in zip(stems.names, stems.present, strict=False) if present and name in files]
    if not any(name in files for name in LEAD):
        raise NoStems(f"The stems of {title} ({', '.join(files)}) have no voice apart from the rest. {GET_STEMS}")
    if part == VOCALS:
        wanted = {VOCALS if name in LEAD else name: files[name] for name in there if name in VOICES}
    else:
        wanted = {name: files[name] for name in there if name not in VOICES}
    if not wanted:
        lacks = "nobody sings in it" if part == VOCALS else "there is nothing but a voice in it"
        raise NoStems(f"{title} has no {part} to play: as far as its stems tell, {lacks}.")
    sidecars = Sidecars(track.folder)
    return {name: _whole_file(sidecars, file, title) for name, file in wanted.items()}


def _whole_file(sidecars: Sidecars, name: str, title: str) -> Path:
    """A stem's path.

    Raises:
        NoStems: it is not there, or not whole.
    """
    import soundfile

    if not sidecars.opens(name):
        raise NoStems(f"{printable(name)} of {title} is gone or damaged. {MADE_AGAIN} (`linernotes run --deep`)")
    path = sidecars.folder / name
    try:
        check_whole(path, soundfile.info(path).frames)
    except OSError as error:
        raise NoStems(f"{printable(name)} of {title} is cut off. {MADE_AGAIN} (`linernotes run --deep`)") from error
    return path


def _drums(track: Track, results: Results) -> Path | None:
    """The stem of the drums, where they are loud enough to be drums and not what is left of others."""
    stems = results["stems"]
    sidecars = Sidecars(track.folder)
    for name, file, share in zip(stems.names, stems.files, stems.energy_share, strict=False):
        if name == DRUMS and share >= LEAST_DRUMS and sidecars.opens(file):
            return sidecars.folder / str(file)
    return None


# What somebody supplied


def supplied_kind(results: Results) -> tuple[str | None, str]:
    """Whether a file looks like a voice alone, an instrumental, or a full mix; good for a warning, and no more.

    Returns:
        "vocals", "instrumental", "mix", or None where nothing tells; and the reason in words.
    """
    is_voice, voice_words = _has_voice(results)
    is_bare, bare_words = _is_bare(results)
    words = f"{voice_words}, and {bare_words}"
    if is_voice is False:
        return NO_VOICE, words
    if is_bare:
        return VOICE_ALONE, words
    if is_voice and is_bare is False:
        return FULL_MIX, words
    return None, words


def _has_voice(results: Results) -> tuple[bool | None, str]:
    """Whether somebody sings in it, as far as models heard it."""
    vocals = results.get("vocals")
    if vocals is None or vocals.present is None or (vocals.confidence or 0.0) < SURE:
        return None, "no model is sure of a voice"
    return bool(vocals.present), "models hear a voice" if vocals.present else "models hear no voice"


def _is_bare(results: Results) -> tuple[bool | None, str]:
    """Whether it is one sound alone without a deep bass."""
    material, spectrum = results.get("material"), results.get("spectrum")
    kind, sureness = getattr(material, "kind", None), getattr(material, "confidence", None)
    sub, mids = getattr(spectrum, "sub_db", None), getattr(spectrum, "mids_db", None)
    if kind is None or sub is None or mids is None:
        return None, "its spectrum is not known"
    is_sure_mix = kind == "mix" and (sureness or 0.0) >= SURELY_MIX
    words = f"it sounds like {kind}, with its sub {mids - sub:.0f} dB under its mids"
    if mids - sub >= BARE_SUB_DB and kind in ("solo", "speech", "mix") and not is_sure_mix:
        return True, words
    return (False if is_sure_mix else None), words
