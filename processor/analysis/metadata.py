"""What the file says of itself: title, artist and the like, read with limits because tags are hostile input."""

from __future__ import annotations

from dataclasses import dataclass

from processor.audio import Audio
from processor.decoders import read_tags
from processor.files import printable
from processor.graph import analyser
from processor.quantities import quantity

MAX_CHARACTERS = 500
_SOURCE = "tags of the file (ID3, Vorbis comments, MP4, RIFF INFO …)"


@dataclass(frozen=True)
class Metadata:
    """Tags of a file, each at most 500 characters, control characters replaced; None where there is none."""

    title: str | None = quantity("", label="Title", source=_SOURCE, help="Title of the piece.")
    artist: str | None = quantity("", label="Artist", source=_SOURCE, help="Who plays it.")
    album: str | None = quantity("", label="Album", source=_SOURCE, help="Album that it belongs to.")
    album_artist: str | None = quantity("", label="Album artist", source=_SOURCE, help="Whose album it is.")
    composer: str | None = quantity("", label="Composer", source=_SOURCE, help="Who wrote it.")
    genre: str | None = quantity("", label="Genre", source=_SOURCE, help="Genre as tagged.")
    release_date: str | None = quantity("", label="Date", source=_SOURCE, help="Date or year as tagged.")
    track_number: str | None = quantity(
        "", label="Track", source=_SOURCE, help="Track number, with the total where tagged."
    )
    tagged_tempo: str | None = quantity(
        "",
        label="Tempo as tagged",
        source=_SOURCE,
        help="Beats a minute that somebody wrote into the file; not measured here.",
    )
    tagged_key: str | None = quantity(
        "", label="Key as tagged", source=_SOURCE, help="Key that somebody wrote into the file; not measured here."
    )
    isrc: str | None = quantity("", label="ISRC", source=_SOURCE, help="International code of the recording.")
    comment: str | None = quantity("", label="Comment", source=_SOURCE, help="Free text.")
    encoder: str | None = quantity("", label="Encoder", source=_SOURCE, help="Program that wrote the file.")


# Names under which FFmpeg presents the tags of all containers, first match wins.
_NAMES: dict[str, tuple[str, ...]] = {
    "title": ("title",),
    "artist": ("artist", "author"),
    "album": ("album",),
    "album_artist": ("album_artist", "albumartist", "album artist"),
    "composer": ("composer",),
    "genre": ("genre",),
    "release_date": ("date", "year", "creation_time"),
    "track_number": ("track", "tracknumber"),
    "tagged_tempo": ("tbpm", "bpm", "tmpo"),
    "tagged_key": ("tkey", "initialkey", "initial_key", "key"),
    "isrc": ("isrc", "tsrc"),
    "comment": ("comment", "description"),
    "encoder": ("encoder", "encoded_by", "tsse", "software"),
}


@analyser(version=1)
def metadata(audio: Audio) -> Metadata:
    """Read the tags of the file that the sound came from."""
    tags = read_tags(audio.path) if audio.path.is_file() else {}
    return Metadata(**{field: _first(tags, names) for field, names in _NAMES.items()})


def _first(tags: dict[str, str], names: tuple[str, ...]) -> str | None:
    for name in names:
        text = printable(tags.get(name, "").replace("\r", " ").replace("\n", " ").replace("\t", " ")).strip(" \ufffd")
        if text:
            return text[:MAX_CHARACTERS]
    return None
