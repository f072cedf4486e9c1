"""Checks: each limit of the built-in ones, what is skipped and why."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from processor.analysis import result_types
from processor.config import Settings
from processor.feedback.check import STATUSES, value_text
from processor.feedback.checks import COMPUTED, Check, builtin_checks, definitions, summary
from processor.feedback.platforms import Platform, all_platforms
from processor.feedback.tone import CENTRES_HZ, Corridor, Profile
from processor.quantities import columns
from tests.libraries import invented

FLAT = (0.0,) * len(CENTRES_HZ)
PROFILE = Profile(
    name="flat",
    title="Flat",
    confidence="inferred",
    source="this test",
    tracks=0,
    ranges={"levels.dr": Corridor(7.0, 9.0, 12.0)},
    centres_hz=CENTRES_HZ,
    tone_low_db=tuple(level - 3 for level in FLAT),
    tone_middle_db=FLAT,
    tone_high_db=tuple(level + 3 for level in FLAT),
)
PLATFORMS = all_platforms(Settings())
SPOTIFY, RADIO, CLUB = PLATFORMS["spotify"], PLATFORMS["ebu-r128"], PLATFORMS["club"]

# What a track has that passes everything on Spotify.
GOOD: dict[str, Any] = {
    "source.partial": False,
    "source.repaired_samples": 0,
    "source.sample_rate_hz": 48_000,
    "source.bit_depth": 24,
    "source.channels": 2,
    "source.duration_s": 200.0,
    "spectrum.looks_lossy": False,
    "spectrum.lossy_cutoff_hz": None,
    "levels.is_silent": False,
    "levels.clipped_samples": 0,
    "levels.dc_offset": 0.0,
    "levels.dr": 9,
    "levels.leading_silence_s": 0.1,
    "levels.trailing_silence_s": 1.0,
    "loudness.integrated_lufs": -14.0,
    "loudness.range_lu": 6.0,
    "loudness.psr_median_db": 11.0,
    "loudness.true_peak_dbtp": -1.2,
    "coding.vorbis_dbtp": -0.5,
    "coding.aac_dbtp": -0.7,
    "coding.opus_dbtp": 9.0,
    "integrity.hum_db": None,
    "integrity.dropouts": 0,
    "stereo.mono_loss_db": 0.5,
    "stereo.bass_mono_loss_db": 0.1,
    "stereo.negative_s": 0.0,
    "stereo.balance_db": 0.1,
}


def third_octaves(**bands: tuple[float, float, float]) -> dict[str, Any]:
    """A flat spectrum with (from Hz, to Hz, dB) added; one more third-octave at the end, which is never judged."""
    centres = np.array([*CENTRES_HZ, 10**4.3])
    levels = np.zeros(centres.size)
    for low_hz, high_hz, db in bands.values():
        levels[(centres >= low_hz) & (centres < high_hz)] += db
    return {"spectrum.centres_hz": centres, "spectrum.third_octaves_db": levels}


def results(**changes: Any) -> dict[str, Any]:
    """Results that pass everything, and what is changed in them: `loudness__integrated_lufs=-9.0`."""
    found = {name: invented(kind) for name, kind in result_types().items()}
    given = GOOD | third_octaves() | {key.replace("__", "."): value for key, value in changes.items()}
    for field, value in given.items():
        analyser, _, name = field.partition(".")
        found[analyser] = replace(found[analyser], **{name: value})
    found["material"] = SimpleNamespace(kind="mix")
    return found


def one(id: str, platform: Platform = SPOTIFY, **changes: Any) -> Check:
    [found] = [check for check in builtin_checks(results(**changes), PROFILE, platform) if check.id == id]
    return found


# The set


def test_a_good_track_passes_everything() -> None:
    found = builtin_checks(results(), PROFILE, SPOTIFY)
    assert {check.status for check in found} == {"pass"}
    assert 15 <= len(found) <= 30
    assert summary(found).status == "pass"


def test_definitions_are_sound() -> None:
    declared = {f"{name}.{column.name}" for name, kind in result_types().items() for column in columns(kind)}
    for definition in definitions():
        assert definition.field in declared, definition.id
        assert definition.fail or definition.warn, definition.id
        assert set(definition.of) <= {"silence", "noise", "speech", "solo", "mix"}
        assert set(definition.only_for + definition.not_for) <= set(PLATFORMS)
        assert definition.computed in ("", *COMPUTED)
        assert definition.title
        assert definition.why.endswith(".")
        assert definition.source


@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=lambda platform: platform.name)
def test_an_id_is_there_once(platform: Platform) -> None:
    ids = [check.id for check in builtin_checks(results(), PROFILE, platform)]
    assert len(ids) == len(set(ids))
    assert set(ids) == {definition.id for definition in definitions()}


# Each limit, on either side


@pytest.mark.parametrize(
    ("id", "field", "value", "status"),
    [
        ("file.complete", "source__partial", True, "fail"),
        ("file.repaired", "source__repaired_samples", 1, "fail"),
        ("file.not_silent", "levels__is_silent", True, "fail"),
        ("file.sample_rate", "source__sample_rate_hz", 44_099, "fail"),
        ("file.sample_rate", "source__sample_rate_hz", 44_100, "pass"),
        ("file.bit_depth", "source__bit_depth", 15, "fail"),
        ("file.bit_depth", "source__bit_depth", 16, "pass"),
        ("file.channels", "source__channels", 1, "pass"),
        ("file.channels", "source__channels", 3, "warn"),
        ("file.lossless", "spectrum__looks_lossy", True, "warn"),
        ("loudness.on_target", "loudness__integrated_lufs", -16.1, "warn"),
        ("loudness.on_target", "loudness__integrated_lufs", -16.0, "pass"),
        ("loudness.on_target", "loudness__integrated_lufs", -12.0, "pass"),
        ("loudness.on_target", "loudness__integrated_lufs", -11.9, "warn"),
        ("loudness.on_target", "loudness__integrated_lufs", -4.0, "warn"),
        ("loudness.range", "loudness__range_lu", 20.0, "pass"),
        ("loudness.range", "loudness__range_lu", 20.1, "warn"),
        ("dynamics.peaks", "loudness__psr_median_db", 8.0, "pass"),
        ("dynamics.peaks", "loudness__psr_median_db", 7.9, "warn"),
        ("dynamics.peaks", "loudness__psr_median_db", 5.0, "warn"),
        ("dynamics.peaks", "loudness__psr_median_db", 4.9, "fail"),
        ("dynamics.profile", "levels__dr", 6, "pass"),
        ("dynamics.profile", "levels__dr", 5, "warn"),
        ("peak.true", "loudness__true_peak_dbtp", -1.0, "pass"),
        ("peak.true", "loudness__true_peak_dbtp", -0.99, "warn"),
        ("peak.true", "loudness__true_peak_dbtp", 1.0, "warn"),
        ("peak.true", "loudness__true_peak_dbtp", 1.01, "fail"),
        ("peak.coded", "coding__vorbis_dbtp", 0.0, "pass"),
        ("peak.coded", "coding__vorbis_dbtp", 0.01, "warn"),
        ("peak.coded", "coding__aac_dbtp", 2.0, "warn"),
        ("peak.coded", "coding__aac_dbtp", 2.01, "fail"),
        ("noise.dc", "levels__dc_offset", 0.005, "pass"),
        ("noise.dc", "levels__dc_offset", -0.0051, "warn"),
        ("noise.dc", "levels__dc_offset", -0.02, "warn"),
        ("noise.dc", "levels__dc_offset", 0.0201, "fail"),
        ("noise.hum", "integrity__hum_db", -50.0, "pass"),
        ("noise.hum", "integrity__hum_db", -49.9, "warn"),
        ("noise.hum", "integrity__hum_db", -30.0, "warn"),
        ("noise.hum", "integrity__hum_db", -29.9, "fail"),
        ("noise.dropouts", "integrity__dropouts", 1, "warn"),
        ("noise.dropouts", "integrity__dropouts", 10, "warn"),
        ("noise.dropouts", "integrity__dropouts", 11, "fail"),
        ("stereo.mono", "stereo__mono_loss_db", 3.0, "pass"),
        ("stereo.mono", "stereo__mono_loss_db", 3.1, "warn"),
        ("stereo.mono", "stereo__mono_loss_db", 6.1, "fail"),
        ("stereo.low_end", "stereo__bass_mono_loss_db", 2.0, "pass"),
        ("stereo.low_end", "stereo__bass_mono_loss_db", 4.0, "warn"),
        ("stereo.low_end", "stereo__bass_mono_loss_db", 4.1, "fail"),
        ("stereo.phase", "stereo__negative_s", 5.0, "pass"),
        ("stereo.phase", "stereo__negative_s", 30.0, "warn"),
        ("stereo.phase", "stereo__negative_s", 30.1, "fail"),
        ("stereo.balance", "stereo__balance_db", 1.5, "pass"),
        ("stereo.balance", "stereo__balance_db", -1.51, "warn"),
        ("stereo.balance", "stereo__balance_db", 6.0, "warn"),
        ("stereo.balance", "stereo__balance_db", -6.01, "fail"),
        ("ends.start", "levels__leading_silence_s", 2.0, "pass"),
        ("ends.start", "levels__leading_silence_s", 10.0, "warn"),
        ("ends.start", "levels__leading_silence_s", 10.01, "fail"),
        ("ends.end", "levels__trailing_silence_s", 5.0, "pass"),
        ("ends.end", "levels__trailing_silence_s", 30.0, "warn"),
        ("ends.end", "levels__trailing_silence_s", 30.01, "fail"),
    ],
)
def test_limits(id: str, field: str, value: Any, status: str) -> None:
    found = {check.id: check for check in builtin_checks(results(**{field: value}), PROFILE, SPOTIFY)}
    assert found.pop(id).status == status
    assert {check.status for check in found.values()} == {"pass"}


@pytest.mark.parametrize(
    ("clipped", "status", "found"), [(1, "warn", "1"), (1000, "warn", "1000"), (1001, "fail", "1001")]
)
def test_clipped_samples_count_by_the_minute(clipped: int, status: str, found: str) -> None:
    check = one("peak.clipped", levels__clipped_samples=3 * clipped, source__duration_s=180.0)
    assert (check.status, check.found) == (status, f"{found} a minute")


@pytest.mark.parametrize(("db", "status"), [(5.3, "pass"), (5.5, "warn"), (11.3, "warn"), (11.5, "fail")])
def test_a_band_that_stands_out(db: float, status: str) -> None:
    """The corridor of a band is 0.8 × 3 dB wide on either side."""
    given = {key.replace(".", "__"): value for key, value in third_octaves(mud=(250, 500, db)).items()}
    check = one("tone.excess", **given)
    assert check.status == status
    assert check.found == f"{db - 2.4:.1f} dB (low mids)"
    assert one("tone.lack", **given).found == "0.0 dB"


@pytest.mark.parametrize(("db", "status"), [(-8.3, "pass"), (-8.5, "warn"), (-40.0, "warn")])
def test_a_band_that_is_missing(db: float, status: str) -> None:
    given = {key.replace(".", "__"): value for key, value in third_octaves(air=(6000, 20_000, db)).items()}
    check = one("tone.lack", **given)
    assert check.status == status
    assert check.found == f"−{-db - 2.4:.1f} dB (air)"
    assert one("tone.excess", **given).status == "pass"


@pytest.mark.parametrize(
    ("lufs", "status"),
    [(-23.0, "pass"), (-23.5, "pass"), (-22.4, "warn"), (-24.0, "warn"), (-21.9, "fail"), (-24.1, "fail")],
)
def test_a_broadcaster_is_strict_about_loudness(lufs: float, status: str) -> None:
    assert one("loudness.on_target", RADIO, loudness__integrated_lufs=lufs).status == status


@pytest.mark.parametrize(("dbtp", "status"), [(-1.0, "pass"), (-0.99, "fail")])
def test_a_broadcaster_is_strict_about_peaks(dbtp: float, status: str) -> None:
    assert one("peak.true", RADIO, loudness__true_peak_dbtp=dbtp).status == status


def test_only_the_codings_of_the_platform_count() -> None:
    assert one("peak.coded").found == "−0.50 dBTP (Vorbis)"
    check = one("peak.coded", PLATFORMS["youtube"])
    assert (check.status, check.found) == ("fail", "9.00 dBTP (Opus)")


def test_a_loud_commercial_master_passes_with_warnings() -> None:
    found = builtin_checks(
        results(
            loudness__integrated_lufs=-7.5,
            loudness__true_peak_dbtp=0.4,
            loudness__psr_median_db=7.0,
            levels__clipped_samples=150,
            coding__vorbis_dbtp=1.4,
        ),
        PROFILE,
        SPOTIFY,
    )
    counts = summary(found)
    assert (counts.failed, counts.warnings, counts.status) == (0, 5, "warn")


# What a person reads


def test_a_failure_says_what_was_expected_and_what_is_there() -> None:
    check = one("peak.true", loudness__true_peak_dbtp=1.234)
    assert check.expected == "≤ −1.00 dBTP; fails unless ≤ 1.00 dBTP"
    assert check.found == "1.23 dBTP"
    assert check.field == "loudness.true_peak_dbtp"
    assert check.mark == "✗"
    assert check.facts() == {
        "id": "peak.true",
        "status": "fail",
        "expected": check.expected,
        "found": check.found,
        "why": check.why,
    }


def test_words_of_other_limits() -> None:
    assert one("loudness.on_target").expected == "−16.0 to −12.0 LUFS"
    assert one("file.channels").expected == "1 or 2"
    assert one("file.sample_rate").expected == "≥ 44100 Hz"
    assert one("file.complete", source__partial=True).found == "partial: yes"
    assert one("file.complete").expected == "partial: no"
    assert one("dynamics.profile").expected == "≥ 6 DR"


def test_why_names_platform_and_profile() -> None:
    assert one("loudness.on_target").why.startswith("Spotify turns louder music down")
    assert "of Flat" in one("tone.excess").why
    assert not any("{" in check.why for check in builtin_checks(results(), PROFILE, SPOTIFY))


def test_what_is_shown_never_contradicts_the_status() -> None:
    check = one("loudness.on_target", loudness__integrated_lufs=-12.04)
    assert (check.found, check.status) == ("−12.0 LUFS", "pass")
    assert one("loudness.on_target", loudness__integrated_lufs=-11.96).status == "pass"
    assert one("loudness.on_target", loudness__integrated_lufs=-11.94).found == "−11.9 LUFS"


@pytest.mark.parametrize(
    ("value", "digits", "unit", "text"),
    [
        (-13.84, 1, "LUFS", "−13.8 LUFS"),
        (True, 0, "", "yes"),
        (False, 1, "", "no"),
        ("FLAC", 1, "", "FLAC"),
        (3, 0, "", "3"),
    ],
)
def test_value_text(value: Any, digits: int, unit: str, text: str) -> None:
    assert value_text(value, digits, unit) == text


# What is skipped


@pytest.mark.parametrize("kind", ["silence", "noise", "speech", "solo"])
def test_other_sounds_are_not_judged_as_a_mix(kind: str) -> None:
    found = results() | {"material": SimpleNamespace(kind=kind)}
    skipped = {check.id: check.why for check in builtin_checks(found, PROFILE, SPOTIFY) if check.status == "skip"}
    assert {"dynamics.peaks", "tone.excess", "tone.lack", "stereo.balance"} <= set(skipped)
    word = "a single voice or instrument" if kind == "solo" else kind
    assert skipped["tone.excess"] == f"It does not judge {word}."
    assert "file.complete" not in skipped
    assert ("peak.true" in skipped) == (kind == "silence")


def test_what_was_never_classified_counts_as_a_mix() -> None:
    found = results() | {"material": SimpleNamespace(kind=None)}
    assert {check.status for check in builtin_checks(found, PROFILE, SPOTIFY)} == {"pass"}


def test_what_is_missing_is_skipped() -> None:
    found = builtin_checks({}, PROFILE, SPOTIFY)
    assert {check.status for check in found} == {"skip"}
    assert all(check.why for check in found)
    check = one("stereo.mono", stereo__mono_loss_db=None)
    assert (check.status, check.found, check.why) == ("skip", "", "It cannot be told of this file.")
    assert check.expected == "≤ 3.0 dB; fails unless ≤ 6.0 dB"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_skipped(value: float) -> None:
    assert one("peak.true", loudness__true_peak_dbtp=value).status == "skip"


def test_a_platform_without_a_target_has_no_limit() -> None:
    check = one("loudness.on_target", CLUB, loudness__integrated_lufs=-6.0)
    assert (check.status, check.expected) == ("skip", "")
    assert check.why == "Beatport, club and the profile Flat set no limit to it."
    assert check.found == "−6.0 LUFS"


def test_a_profile_without_a_corridor_has_no_limit() -> None:
    bare = replace(PROFILE, ranges={})
    [check] = [c for c in builtin_checks(results(levels__dr=1), bare, SPOTIFY) if c.id == "dynamics.profile"]
    assert check.status == "skip"


@pytest.mark.parametrize(("id", "seconds"), [("loudness.range", 60.0), ("noise.hum", 13.0)])
def test_a_short_file_is_not_judged_by_what_takes_time(id: str, seconds: float) -> None:
    assert one(id, source__duration_s=seconds).status == "pass"
    check = one(id, source__duration_s=seconds - 0.1)
    assert (check.status, check.why) == ("skip", f"The file is too short to tell: {seconds:g} s are needed.")


def test_hum_that_was_not_found_passes() -> None:
    assert (one("noise.hum").status, one("noise.hum").found) == ("pass", "none found")


def test_a_spectrum_without_tone_is_skipped() -> None:
    given = third_octaves()["spectrum.third_octaves_db"] * np.nan
    assert one("tone.excess", spectrum__third_octaves_db=given).status == "skip"


# Counting


@pytest.mark.parametrize(
    ("statuses", "text", "status"),
    [
        (["pass"] * 12 + ["warn"] * 2 + ["fail"], "12 passed, 2 warnings, 1 failed", "fail"),
        (["pass", "warn", "skip"], "1 passed, 1 warning, 0 failed, 1 skipped", "warn"),
        (["skip"], "0 passed, 0 warnings, 0 failed, 1 skipped", "pass"),
        ([], "0 passed, 0 warnings, 0 failed", "pass"),
    ],
)
def test_summary(statuses: list[str], text: str, status: str) -> None:
    counts = summary(replace(one("peak.true"), status=each) for each in statuses)
    assert (counts.text, counts.status) == (text, status)


def test_statuses() -> None:
    assert STATUSES == ("pass", "warn", "fail", "skip")
