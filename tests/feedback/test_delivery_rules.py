"""Advice on delivery: what a platform or a distributor would not take, and what it would."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from processor.feedback.areas import delivery
from processor.feedback.rules import all_rules
from tests import signals
from tests.feedback.level_mixes import ids, measured, mix_of, only
from tests.signals import song

PEAK = "loudness.true_peak_dbtp"
EVERY = [one for one in all_rules() if one.name.startswith("delivery.")]


@pytest.mark.parametrize(("peak", "fires"), [(-0.81, False), (-0.79, True), (-0.01, True), (0.01, False)])
def test_peaks_over_the_ceiling_are_a_note(peak: float, fires: bool) -> None:
    found = only(delivery.true_peak, mix_of({PEAK: peak}))
    assert (found and found.severity) == ("note" if fires else None)
    if found:
        assert found.weight == pytest.approx(peak + 1)
        assert found.processing[0].threshold_db == -1


def coded(aac: float | None, vorbis: float | None, peak: float = -1.0) -> dict[str, Any]:
    return {
        PEAK: peak,
        "loudness.sample_peak_dbfs": peak - 0.3,
        "loudness.integrated_lufs": -14.0,
        "coding.aac_dbtp": aac,
        "coding.vorbis_dbtp": vorbis,
    }


@pytest.mark.parametrize(
    ("aac", "vorbis", "severity"),
    [(-0.1, -0.5, None), (0.2, 0.1, "note"), (-0.5, 1.2, "warning"), (None, None, None)],
)
def test_peaks_that_coding_lifts_over_full_scale(aac: float, vorbis: float, severity: str | None) -> None:
    found = only(delivery.coded_peak, mix_of(coded(aac, vorbis)))
    assert (found and found.severity) == severity
    if found:
        worst, name = max((aac, "AAC"), (vorbis, "VORBIS"))
        assert name in found.title
        assert found.processing[0].threshold_db == pytest.approx(-1 - worst)


def test_what_is_over_full_scale_before_coding_is_said_elsewhere() -> None:
    assert only(delivery.coded_peak, mix_of(coded(2.0, 2.0, peak=0.5))) is None


@pytest.mark.parametrize(
    ("rate", "severity"), [(44100, None), (44099, "warning"), (32000, "warning"), (22050, "fault")]
)
def test_low_rates(rate: int, severity: str | None) -> None:
    found = only(delivery.low_rate, mix_of({"source.sample_rate_hz": rate}))
    assert (found and found.severity) == severity


@pytest.mark.parametrize(
    ("rate", "fires"), [(32000, False), (44100, False), (96000, False), (50000, True), (384000, True)]
)
def test_odd_rates(rate: int, fires: bool) -> None:
    assert (only(delivery.odd_rate, mix_of({"source.sample_rate_hz": rate})) is not None) is fires


@pytest.mark.parametrize(
    ("codec", "bits", "fires"),
    [
        ("MPEG Layer III", None, True),
        ("Vorbis", None, True),
        ("Opus", None, True),
        ("PCM_24", 24, False),
        ("float32", None, False),
        ("FLAC", 16, False),
    ],
)
def test_a_lossy_file_is_a_note(codec: str, bits: int | None, fires: bool) -> None:
    found = only(delivery.lossy_file, mix_of({"source.codec": codec, "source.bit_depth": bits}))
    assert (found and (found.severity, found.weight)) == (("note", 0.0) if fires else None)


@pytest.mark.parametrize(
    ("count", "name"), [(1, "delivery.channels.too_little"), (2, None), (6, "delivery.channels.too_much")]
)
def test_channels(count: int, name: str | None) -> None:
    found = only(delivery.channels, mix_of({"source.channels": count}))
    assert (found and found.id) == name


@pytest.mark.parametrize(
    ("tags", "title"),
    [
        ({}, None),
        ({"title": "Song"}, "No artist and no ISRC in the tags"),
        ({"title": "Song", "artist": "Band"}, "No ISRC in the tags"),
        ({"title": "Song", "artist": "Band", "isrc": "DEA123456789"}, None),
        ({"isrc": "DEA123456789"}, None),
    ],
)
def test_tags_count_once_somebody_began_to_tag(tags: dict[str, str], title: str | None) -> None:
    found = only(delivery.tags, mix_of({f"metadata.{name}": value for name, value in tags.items()}))
    assert (found and (found.severity, found.title)) == (title and ("note", title))


@pytest.mark.parametrize(("seconds", "weight"), [(1.9, None), (2.3, 0.2), (5.0, 2.0)])
def test_silence_at_the_start(seconds: float, weight: float | None) -> None:
    found = only(delivery.silent_head, mix_of({"levels.leading_silence_s": seconds}))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert found.times_s == ((0.0, seconds),)
        assert f"{seconds - 0.5:.1f} s" in found.action


@pytest.mark.parametrize(("seconds", "weight"), [(4.9, None), (5.5, 0.2), (10.0, 2.0)])
def test_silence_at_the_end(seconds: float, weight: float | None) -> None:
    found = only(delivery.silent_tail, mix_of({"levels.trailing_silence_s": seconds, "source.duration_s": 60.0}))
    assert (found and found.weight) == (weight and pytest.approx(weight))
    if found:
        assert found.times_s == ((60 - seconds, 60.0),)
        assert f"{seconds - 3:.1f} s" in found.action


def test_a_song_with_silence_around_it() -> None:
    samples = signals.joined(signals.silence(5.0, channels=2), song(12.0), signals.silence(10.0, channels=2))
    found = ids(measured(samples, bit_depth=24))
    assert "delivery.silence_end.too_much" in found[:3]
    assert "delivery.silence_start.too_much" in found[:3]
    assert "delivery.silence_end.too_much" not in ids(measured(song(12.0), bit_depth=24))


@pytest.mark.parametrize(("seconds", "fires"), [(29.9, True), (30.0, False), (0.0, False)])
def test_too_short_to_count_as_a_play(seconds: float, fires: bool) -> None:
    assert (only(delivery.too_short, mix_of({"source.duration_s": seconds})) is not None) is fires
    assert only(delivery.too_short, mix_of({"source.duration_s": seconds}, platform="club")) is None


READY: dict[str, Any] = {
    PEAK: -1.0,
    "source.bit_depth": 24,
    "source.sample_rate_hz": 48000,
    "source.channels": 2,
    "spectrum.looks_lossy": False,
    "levels.clipped_samples": 0,
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (PEAK, -0.7),
        ("source.bit_depth", 8),
        ("source.bit_depth", None),
        ("source.sample_rate_hz", 22050),
        ("source.channels", 1),
        ("spectrum.looks_lossy", True),
        ("levels.clipped_samples", 9),
    ],
)
def test_ready_is_what_has_all_of_it(field: str, value: object) -> None:
    found = only(delivery.ready, mix_of(READY))
    assert found
    assert found.severity == "strength"
    assert only(delivery.ready, mix_of(READY | {field: value})) is None


@pytest.mark.parametrize("rate", [44100, 48000, 88200, 96000, 176400, 192000])
def test_rates_that_are_taken(rate: int) -> None:
    assert only(delivery.odd_rate, mix_of({"source.sample_rate_hz": rate})) is None
    assert only(delivery.ready, mix_of(READY | {"source.sample_rate_hz": rate, "source.bit_depth": 16}))


def test_who_is_judged() -> None:
    of = {one.name.partition(".")[2]: set(one.of) for one in EVERY}
    for name in ("true_peak", "coded_peak", "low_rate", "silent_head", "silent_tail"):
        assert of[name] == {"mix", "solo", "speech", "noise", "unknown"}, name
    for name in ("odd_rate", "lossy_file", "channels", "tags"):
        assert of[name] == {"mix", "solo"}, name
    assert of["ready"] == of["too_short"] == {"mix"}


def test_a_quiet_master_is_ready() -> None:
    assert only(delivery.ready, measured(0.5 * song(12.0), bit_depth=24))
    assert only(delivery.ready, measured(np.float32(1.1) * song(12.0), bit_depth=24)) is None


@pytest.mark.parametrize("rule", EVERY, ids=lambda one: one.name)
def test_nothing_is_said_of_what_was_not_measured(rule: Any) -> None:
    assert only(rule.function, mix_of({})) is None
