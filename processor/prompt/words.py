"""A whole track in words that generators obey: tempo, key, mood, tone, space, dynamics; and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from processor.analysis.beats import Beats
from processor.analysis.key import KEYS, Key
from processor.analysis.loudness import Loudness
from processor.analysis.material import Material
from processor.analysis.production import Production
from processor.analysis.pumping import Pumping
from processor.analysis.spectrum import Spectrum
from processor.analysis.stereo import Stereo
from processor.analysis.transients import Transients
from processor.prompt.facts import Evidence, Phrase
from processor.prompt.swaps import vocabulary
from processor.record import Results

# What readings need to be said as such; below, a key is only called minor or major, and a tempo "around".
SURE_KEY, SURE_TEMPO, SURE_METRE = 0.35, 0.5, 0.5
PACES = ((66.0, "very slow"), (88.0, "slow"), (108.0, "mid-tempo"), (128.0, "upbeat"), (158.0, "fast"))
FASTEST = "very fast"
# Fewer onsets a beat than this, or a calm track, and a quick beat is only counted, not played.
FEW_ONSETS, QUICK_BPM = 0.6, 108.0
STRICT, LOOSE, FREE = 0.99, 0.9, 0.6
METRES = {3: "waltz time (3/4)", 5: "5/4 time", 6: "6/8 time", 7: "7/8 time"}

# Air, and high mids, against the mids in dB; of 21 pieces six are bright and five are dark by these.
BRIGHT_DB, DARK_DB, DULL_DB = -9.0, -16.0, -7.0
# One source without a key, with this share of its power under 250 Hz, is drums: voices have half of it.
DRUMS_LOW = 60.0
# A tracker that follows no beat to speak of: hardly one is where the tempo says, and it is not sure of it.
NO_BEAT, SURE_ENOUGH = 0.3, 0.6

# From calm to intense: pace, attacks a second, share of loud moments and peak to loudness ratio, each from 0 to 1.
_CALM_TO_INTENSE = {"tempo": (60.0, 160.0), "onsets": (0.5, 6.0), "density": (30.0, 95.0), "plr": (20.0, 9.0)}
CALM, INTENSE = 0.42, 0.62


def tempo(results: Results) -> Iterator[Phrase]:
    """Beats a minute, how fast that feels, and the metre where it is not the usual one."""
    beats: Beats | None = results.get("beats")
    if beats is None:
        return
    if beats.tempo_bpm is None or _is_free(beats):
        yield Phrase("free time without a steady beat", "tempo", (Evidence("beats.stability", beats.stability),))
        return
    bpm = beats.tempo_bpm
    told = Evidence("beats.tempo_bpm", bpm)
    around = "around " if beats.confidence is not None and beats.confidence < SURE_TEMPO else ""
    yield Phrase(f"{around}{round(bpm)} BPM", "tempo", (told, Evidence("beats.confidence", beats.confidence)))
    busy, felt = _onsets_a_beat(results), intensity(results)
    is_few = busy is not None and busy < FEW_ONSETS
    if bpm >= QUICK_BPM and (is_few or (felt is not None and felt[0] < CALM)):
        proof = (told, Evidence("transients.onset_rate", _onset_rate(results)))
        yield Phrase("unhurried", "pace", proof)
    else:
        yield Phrase(next((word for below, word in PACES if bpm < below), FASTEST), "pace", (told,))
    if beats.metre in METRES and (beats.downbeat_confidence or 0.0) >= SURE_METRE:
        yield Phrase(METRES[beats.metre], "metre", (Evidence("beats.metre", beats.metre),))


def _is_free(beats: Beats) -> bool:
    """Whether the tempo says nothing, because hardly any beat keeps to it."""
    return (beats.stability or 0.0) < NO_BEAT and (beats.confidence or 0.0) < SURE_ENOUGH


def timing(results: Results) -> Iterator[Phrase]:
    """How strictly the beat is kept."""
    beats: Beats | None = results.get("beats")
    if beats is None or beats.stability is None or beats.tempo_bpm is None or _is_free(beats):
        return
    proof = (Evidence("beats.stability", beats.stability),)
    if beats.stability >= STRICT:
        yield Phrase("tight steady timing", "timing", proof)
    elif beats.stability < FREE:
        yield Phrase("freely moving rubato tempo", "timing", proof)
    elif beats.stability < LOOSE:
        yield Phrase("slightly loose human timing", "timing", proof)


def key(results: Results) -> Iterator[Phrase]:
    """The key as words; only its mode where the tonic is doubtful."""
    found: Key | None = results.get("key")
    name = key_name(results)
    if found is None or name is None:
        return
    proof = (Evidence("key.name", name), Evidence("key.confidence", found.confidence))
    if found.confidence is None or found.confidence >= SURE_KEY:
        yield Phrase(key_words(name), "key", proof)
    elif found.runner_up is not None and found.runner_up.split()[-1] == _mode(name):
        yield Phrase(f"{_mode(name)} key", "key", (*proof, Evidence("key.runner_up", found.runner_up)))


def key_name(results: Results) -> str | None:
    """The key as `processor.analysis.key.KEYS` spells it; None where there is none."""
    found: Key | None = results.get("key")
    return found.name if found is not None and found.name in KEYS else None


def _mode(name: str) -> str:
    return name.split()[-1]


def key_words(name: str) -> str:
    """A key without signs: "Bb minor" → "B-flat minor"."""
    tonic, _, mode = name.partition(" ")
    return f"{tonic[0]}{ {'b': '-flat', '#': '-sharp'}.get(tonic[1:], '') } {mode}"


def mood(results: Results) -> Iterator[Phrase]:
    """Two words for the mood, from how intense it is and from the mode (after Russell's circle of affect, 1980)."""
    found = intensity(results)
    if found is None:
        return
    named = key_name(results)
    proof = found[1] if named is None else (*found[1], Evidence("key.name", named))
    for word in vocabulary().moods[mood_of(results)]:
        yield Phrase(word, "mood", proof)


def mood_of(results: Results) -> str:
    """Which of the moods of `data/words.toml` it is: "calm-minor"."""
    found = intensity(results)
    name = key_name(results)
    mode = "none" if name is None else _mode(name)
    share = (CALM + INTENSE) / 2 if found is None else found[0]
    return f"{'calm' if share < CALM else 'intense' if share >= INTENSE else 'medium'}-{mode}"


def intensity(results: Results) -> tuple[float, tuple[Evidence, ...]] | None:
    """How intense a track is, from 0 to 1, and what says so; None where less than two measures do."""
    beats: Beats | None = results.get("beats")
    production: Production | None = results.get("production")
    loudness: Loudness | None = results.get("loudness")
    bpm = None if beats is None else beats.tempo_bpm
    few = (_onsets_a_beat(results) or 1.0) < FEW_ONSETS
    said = {
        "tempo": ("beats.tempo_bpm", bpm),
        "onsets": ("transients.onset_rate", _onset_rate(results)),
        "density": ("production.density", None if production is None else production.density),
        "plr": ("loudness.plr_db", None if loudness is None else loudness.plr_db),
    }
    shares = []
    for name, (_, value) in said.items():
        if value is not None:
            low, high = _CALM_TO_INTENSE[name]
            felt = value / 2 if name == "tempo" and few else value
            shares.append(float(np.clip((felt - low) / (high - low), 0.0, 1.0)))
    proof = tuple(Evidence(field, value) for field, value in said.values() if value is not None)
    return (float(np.mean(shares)), proof) if len(shares) > 1 else None


def _onset_rate(results: Results) -> float | None:
    transients: Transients | None = results.get("transients")
    return None if transients is None else transients.onset_rate


def _onsets_a_beat(results: Results) -> float | None:
    beats: Beats | None = results.get("beats")
    rate = _onset_rate(results)
    if rate is None or beats is None or beats.tempo_bpm is None:
        return None
    return 60 * rate / beats.tempo_bpm


def scoring(results: Results) -> Iterator[Phrase]:
    """How many play, where that is one alone."""
    material: Material | None = results.get("material")
    spectrum: Spectrum | None = results.get("spectrum")
    if material is None or material.kind != "solo":
        return
    proof = (Evidence("material.kind", material.kind), Evidence("material.confidence", material.confidence))
    bass, sub = (None, None) if spectrum is None else (spectrum.bass_share, spectrum.sub_share)
    if bass is not None and bass + (sub or 0.0) >= DRUMS_LOW and key_name(results) is None:
        drums = (*proof, Evidence("key.name", None), Evidence("spectrum.bass_share", bass))
        yield Phrase("unaccompanied drums and percussion", "scoring", drums)
    else:
        yield Phrase("solo performance by one voice or instrument", "scoring", proof)


def tone(results: Results) -> Iterator[Phrase]:
    """Where the weight of the sound lies."""
    spectrum: Spectrum | None = results.get("spectrum")
    if spectrum is None:
        return
    sub, bass, middle = spectrum.sub_share or 0.0, spectrum.bass_share or 0.0, spectrum.low_mids_share or 0.0
    low = (Evidence("spectrum.sub_share", sub), Evidence("spectrum.bass_share", bass))
    if sub >= 30.0:
        yield Phrase("deep sub-bass", "tone", low)
    elif sub + bass >= 55.0:
        yield Phrase("heavy low end", "tone", low)
    elif sub + bass <= 18.0:
        yield Phrase("light low end", "tone", low)
    if middle >= 35.0:
        yield Phrase("warm rich midrange", "tone", (Evidence("spectrum.low_mids_share", middle),))
    yield from _treble(spectrum)


def _treble(spectrum: Spectrum) -> Iterator[Phrase]:
    """How much there is above 6 kHz against the middle; shares of the energy would only tell of the bass."""
    air, high, middle = spectrum.air_db, spectrum.high_mids_db, spectrum.mids_db
    if air is None or high is None or middle is None:
        return
    proof = (Evidence("spectrum.air_db", air), Evidence("spectrum.mids_db", middle))
    if air - middle >= BRIGHT_DB:
        yield Phrase("bright crisp top end", "tone", proof)
    elif air - middle <= DARK_DB and high - middle <= DULL_DB:
        yield Phrase("dark soft top end", "tone", (*proof, Evidence("spectrum.high_mids_db", high)))


def space(results: Results) -> Iterator[Phrase]:
    """How wide and how reverberant it is."""
    production: Production | None = results.get("production")
    stereo: Stereo | None = results.get("stereo")
    if stereo is not None and stereo.is_mono:
        yield Phrase("mono recording", "space", (Evidence("stereo.is_mono", True),))
    elif production is not None and production.width is not None and not 5.0 < production.width < 25.0:
        words = "wide stereo image" if production.width >= 25.0 else "narrow stereo image"
        yield Phrase(words, "space", (Evidence("production.width", production.width),))
    if production is None or production.decay_s is None or production.decays < 5:
        return
    proof = (Evidence("production.decay_s", production.decay_s), Evidence("production.decays", production.decays))
    if production.decay_s >= 1.5:
        yield Phrase("long hall reverb", "reverb", proof)
    elif production.decay_s >= 0.8:
        yield Phrase("roomy ambience", "reverb", proof)
    elif production.decay_s <= 0.5:
        yield Phrase("dry close sound", "reverb", proof)


def attack(results: Results) -> Iterator[Phrase]:
    """How sounds begin, and how many of them there are."""
    transients: Transients | None = results.get("transients")
    if transients is None:
        return
    strength, punch = transients.attack_strength_db, transients.punch_db
    beats: Beats | None = results.get("beats")
    has_beat = beats is not None and beats.tempo_bpm is not None and not _is_free(beats)
    if punch is not None and punch >= 12.0 and has_beat:
        yield Phrase("punchy hard-hitting attacks", "attack", (Evidence("transients.punch_db", punch),))
    elif strength is not None and strength <= 4.0:
        yield Phrase("soft legato attacks", "attack", (Evidence("transients.attack_strength_db", strength),))
    busy = _onsets_a_beat(results)
    proof = (Evidence("transients.onset_rate", transients.onset_rate),)
    if busy is not None and busy >= 2.6:
        yield Phrase("busy intricate rhythm", "rhythm", proof)
    elif busy is not None and busy < FEW_ONSETS:
        yield Phrase("spacious rhythm with few notes", "rhythm", proof)


def dynamics(results: Results) -> Iterator[Phrase]:
    """How much the loudness moves, and how hard the mix is pressed."""
    loudness: Loudness | None = results.get("loudness")
    production: Production | None = results.get("production")
    if loudness is not None and loudness.range_lu is not None:
        proof = (Evidence("loudness.range_lu", loudness.range_lu), Evidence("loudness.plr_db", loudness.plr_db))
        if loudness.range_lu >= 8.0:
            yield Phrase("wide dynamic range from quiet to loud", "dynamics", proof)
        elif loudness.range_lu <= 3.5 and loudness.plr_db is not None and loudness.plr_db <= 12.0:
            yield Phrase("loud compressed master", "dynamics", proof)
        elif loudness.plr_db is not None and loudness.plr_db >= 16.0:
            yield Phrase("open uncompressed mix", "dynamics", proof)
    if production is not None and production.density is not None:
        density = (Evidence("production.density", production.density),)
        if production.density >= 90.0:
            yield Phrase("continuous full texture", "texture", density)
        elif production.density <= 40.0:
            yield Phrase("sparse arrangement", "texture", density)


def colour(results: Results) -> Iterator[Phrase]:
    """What processing can be heard."""
    production: Production | None = results.get("production")
    pumping: Pumping | None = results.get("pumping")
    if production is not None and production.saturation_db is not None and production.saturation_db >= 2.0:
        words = "heavy distortion" if production.saturation_db >= 6.0 else "warm saturation"
        yield Phrase(words, "colour", (Evidence("production.saturation_db", production.saturation_db),))
    if pumping is not None and (pumping.depth_db or 0.0) >= 2.0 and (pumping.confidence or 0.0) >= 0.5:
        proof = (Evidence("pumping.depth_db", pumping.depth_db), Evidence("pumping.confidence", pumping.confidence))
        yield Phrase("side-chained pumping on the beat", "colour", proof)
