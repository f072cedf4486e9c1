"""The faults are what they say, and the score is fair."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from processor.feedback.advice import AREAS, BANDS
from tests.advice import dsp, pieces, report, scores, variants
from tests.advice.__main__ import main
from tests.advice.dsp import Sound, levels, rms_db
from tests.advice.kinds import KINDS
from tests.advice.measure import Case, Said, desk, results_of, told, variant
from tests.signals import RATE, noise, song, write_wav

SONG = Sound(song(12.0), RATE)
# What no rule that is tested here reads.
OFF = ("coding", "fingerprint", "waveform", "spectrogram", "chords", "key")


def spectrum_db(sound: Sound, hz: float) -> float:
    """Level of the power around a frequency, both channels."""
    centres, power = signal.welch(sound.samples, sound.rate, nperseg=8192)
    near = (centres > hz / 1.06) & (centres < hz * 1.06)
    return float(10 * np.log10(power[:, near].mean()))


def white(seconds: float = 6.0) -> Sound:
    return Sound(noise(seconds, -20.0, channels=2), RATE)


def change_db(make: object, strength: float, hz: float, sound: Sound | None = None) -> float:
    sound = sound or white()
    made = make(sound, strength)  # type: ignore[operator]
    return spectrum_db(made, hz) - spectrum_db(sound, hz)


def correlation(left: NDArray[np.floating], right: NDArray[np.floating]) -> float:
    return float(np.vdot(left, right) / np.sqrt(np.vdot(left, left) * np.vdot(right, right)))


# Level and dynamics


def test_staging_is_gain_up_to_the_loudness_or_the_ceiling() -> None:
    quiet, spiky = SONG.with_samples(SONG.samples * 0.01), SONG.with_samples(variants.stray_hit(SONG, 12).samples)
    for sound in (quiet, spiky):
        lufs, peak = levels(dsp.staged(sound))
        assert max(lufs + 14, peak + 1.2) == pytest.approx(0, abs=0.05)
    assert np.ptp(np.abs(dsp.staged(quiet).samples) / np.maximum(np.abs(quiet.samples), 1e-9)) < 1e4


def test_loud_and_quiet_end_where_they_should() -> None:
    loud = variants.at_loudness(SONG, -10)
    assert levels(loud)[0] == pytest.approx(-10, abs=0.3)
    assert dsp.peak_db(loud.samples) <= -1.1
    assert levels(variants.turned_down(SONG, -25))[0] == pytest.approx(-25, abs=0.05)


def test_a_limiter_and_a_compressor_bring_peak_and_level_together() -> None:
    def crest(sound: Sound) -> float:
        return dsp.peak_db(sound.samples) - rms_db(sound.samples)

    assert crest(SONG) - 9 < crest(variants.pressed(SONG, 8)) < crest(SONG) - 3
    spread = [np.ptp(np.percentile(dsp.local_db(one.samples, RATE), [10, 95])) for one in (SONG, *_squashed())]
    assert spread[0] - 2 > spread[1] > spread[2] + 0.5


def _squashed() -> list[Sound]:
    return [variants.squashed(SONG, under) for under in (0, 16)]


def test_attacks_are_raised_and_lowered() -> None:
    raised, lowered = variants.spiked(SONG, 8), variants.softened(SONG, 8)
    assert dsp.peak_db(raised.samples) > dsp.peak_db(SONG.samples) + 3
    assert dsp.peak_db(lowered.samples) < dsp.peak_db(SONG.samples) - 2
    steady = Sound(song(12.0)[:, : RATE * 4], RATE)  # chords alone: nothing to shape
    assert rms_db(variants.spiked(steady, 8).samples) == pytest.approx(rms_db(steady.samples), abs=1)


def test_pumping_follows_the_kick() -> None:
    made = variants.pumping(SONG, 8)
    gain = 20 * np.log10(np.abs(made.samples[0]) / np.maximum(np.abs(SONG.samples[0]), 1e-9) + 1e-9)
    beat = round(0.5 * RATE)
    late = gain[8 * RATE : 11 * RATE].reshape(-1, beat)
    assert np.median(late[:, : RATE // 50]) < np.median(late[:, -RATE // 20 :]) - 3
    assert np.min(np.median(late, axis=0)) > -8.5


def test_a_jump_a_stray_peak_and_a_quiet_beginning() -> None:
    middle = SONG.samples.shape[1] // 2
    jump = variants.jump(SONG, 8).samples
    inside, outside = slice(middle + 2000, middle + RATE - 2000), slice(0, middle - 2000)
    assert rms_db(jump[:, inside]) - rms_db(SONG.samples[:, inside]) == pytest.approx(8, abs=0.1)
    np.testing.assert_allclose(jump[:, outside], SONG.samples[:, outside], atol=1e-6)
    hit = variants.stray_hit(SONG, 6).samples
    assert dsp.peak_db(hit) - dsp.peak_db(SONG.samples) == pytest.approx(6, abs=2)
    longer = Sound(song(14.0), RATE)
    quiet, start, rest = variants.quiet_start(longer, 20).samples, slice(0, 11 * RATE), slice(13 * RATE, None)
    assert rms_db(quiet[:, start]) == pytest.approx(rms_db(longer.samples[:, start]) - 20, abs=0.1)
    np.testing.assert_allclose(quiet[:, rest], longer.samples[:, rest], atol=1e-6)


# Clipping


def test_clipping_cuts_where_it_says() -> None:
    made, before = variants.clipped(SONG, 6), variants.clipped_before(SONG, 6)
    assert np.abs(made.samples).max() == 1.0
    assert np.count_nonzero(np.abs(made.samples) == 1.0) > 500
    assert dsp.peak_db(before.samples) == pytest.approx(-5, abs=0.01)
    assert np.count_nonzero(np.abs(before.samples) > dsp.factor(-5.001)) > 500


def test_over_full_scale_is_kept_in_a_float_file(tmp_path: Path) -> None:
    made = variants.over_full_scale(SONG, 2.0)
    assert levels(made)[1] == pytest.approx(2, abs=0.05)
    assert results_of(made, tmp_path)["loudness"].true_peak_dbtp == pytest.approx(2, abs=0.05)


def test_peaks_between_samples_are_not_in_the_samples() -> None:
    made = variants.between_samples(dsp.staged(SONG), 2.0)
    assert dsp.peak_db(made.samples) <= -0.9
    assert levels(made)[1] == pytest.approx(2, abs=0.6)


# Tone


@pytest.mark.parametrize(
    ("make", "strength", "at_hz", "away_hz"),
    [
        (variants.bell_at(300, 1.0), 6, 300, 6000),
        (variants.bell_at(3000, 1.0), 6, 3000, 150),
        (variants.bell_at(1000, 0.7), -8, 1000, 40),
        (variants.bell_at(1500, 3), 12, 1500, 60),
        (variants.shelf_at(130, high=False), 8, 40, 4000),
        (variants.shelf_at(5000, high=True), -9, 16_000, 300),
        (variants.shelf_at(7000, high=True), 7, 18_000, 300),
    ],
)
def test_an_equaliser_does_what_is_dialled(make: object, strength: float, at_hz: float, away_hz: float) -> None:
    assert change_db(make, strength, at_hz) == pytest.approx(strength, abs=1.0)
    assert change_db(make, strength, away_hz) == pytest.approx(0, abs=0.6)


def test_a_tilt_leans_from_end_to_end() -> None:
    low, high = (change_db(variants.tilted, 12, hz) for hz in (60, 14_000))
    assert high - low == pytest.approx(12, abs=0.6)
    middle = change_db(variants.tilted, 12, 1000)
    assert low + 4 < middle < high - 4


def test_filters_leave_nothing_beyond_their_corner() -> None:
    assert change_db(variants.high_passed, 150, 40) < -40
    assert change_db(variants.high_passed, 150, 600) == pytest.approx(0, abs=0.5)
    assert change_db(variants.low_passed, 5000, 12_000) < -50
    assert change_db(variants.low_passed, 5000, 2000) == pytest.approx(0, abs=0.5)


def test_rumble_and_what_lies_below_hearing() -> None:
    low = dsp.passed(SONG, "bandpass", (40.0, 130.0), 2)
    added = variants.rumbling(SONG, 0).samples - SONG.samples
    assert rms_db(added) == pytest.approx(rms_db(low.samples), abs=0.1)
    assert spectrum_db(Sound(added, RATE), 24) > spectrum_db(Sound(added, RATE), 60) + 40
    slow = variants.infrasonic(SONG, -10).samples - SONG.samples
    assert rms_db(slow) == pytest.approx(rms_db(SONG.samples) - 10, abs=0.1)


# Stereo


@pytest.mark.parametrize("degrees", [105.0, 180.0])
def test_phase_is_turned_below_200_hz_alone(degrees: float) -> None:
    made = variants.low_end_turned(SONG, degrees)
    assert made is not None
    low, high = dsp.passed(made, "lowpass", 120.0), dsp.passed(made, "highpass", 800.0)
    was = dsp.passed(SONG, "highpass", 800.0)
    assert correlation(*low.samples) == pytest.approx(np.cos(np.deg2rad(degrees)), abs=0.06)
    assert correlation(*high.samples) == pytest.approx(correlation(*was.samples), abs=0.02)


def test_a_flipped_side_cancels() -> None:
    made = variants.flipped(SONG, 180)
    assert made is not None
    assert correlation(*made.samples) == pytest.approx(-correlation(*SONG.samples), abs=0.01)


@pytest.mark.parametrize(("make", "over_db"), [(variants.narrowed, -31.0), (variants.widened, 1.0)])
def test_sides_get_their_level(make: object, over_db: float) -> None:
    made = make(SONG, over_db)  # type: ignore[operator]
    left, right = made.samples
    assert rms_db(left - right) - rms_db(left + right) == pytest.approx(over_db, abs=0.1)


def test_a_mono_piece_has_no_sides_to_break() -> None:
    mono, doubled = Sound(song(12.0, channels=1), RATE), Sound(np.repeat(song(12.0, channels=1), 2, axis=0), RATE)
    for make in (variants.flipped, variants.low_end_turned, variants.late, variants.lopsided, variants.dead_channel):
        assert make(mono, 3.0) is None
    for make in (variants.widened, variants.narrowed):
        assert make(mono, -30.0) is None
        assert make(doubled, -30.0) is None


def test_one_side_is_quieter_late_or_dead() -> None:
    leaning, late, dead = variants.lopsided(SONG, 4), variants.late(SONG, 3), variants.dead_channel(SONG, -200)
    assert leaning is not None
    assert late is not None
    assert dead is not None
    before, after = (abs(rms_db(one.samples[0]) - rms_db(one.samples[1])) for one in (SONG, leaning))
    assert after == pytest.approx(before + 4, abs=0.01)
    np.testing.assert_array_equal(late.samples[1, 144:], SONG.samples[1, :-144])
    assert not dead.samples[1].any()
    assert dead.samples[0].any()


# Integrity and files


def test_what_is_added_has_its_level() -> None:
    level = rms_db(SONG.samples)
    shifted = variants.dc(SONG, 1.0).samples - SONG.samples
    np.testing.assert_allclose(shifted, 0.01, atol=1e-6)
    longer = variants.silence_after(SONG, variants.LEAD_OUT_S)
    hum = Sound(variants.hum_of(50)(SONG, -40).samples - longer.samples, RATE)
    assert rms_db(hum.samples) == pytest.approx(level - 40, abs=0.1)
    assert spectrum_db(hum, 50) > spectrum_db(hum, 150) > spectrum_db(hum, 75) + 20
    hiss = variants.hiss(SONG, -45)
    assert hiss.samples.shape[1] == SONG.samples.shape[1] + 10 * RATE
    assert rms_db(hiss.samples[:, -3 * RATE :]) == pytest.approx(level - 45, abs=0.1)


def test_clicks_and_gaps_are_counted() -> None:
    changed = np.flatnonzero((variants.clicks(SONG, 6).samples - SONG.samples)[0])
    assert changed.size == 6
    gaps = variants.dropouts(SONG, 4).samples
    assert np.count_nonzero(~gaps.any(axis=0)) >= 4 * round(0.015 * RATE)


def test_cuts_are_where_it_sounds() -> None:
    level = rms_db(SONG.samples)
    for made in (variants.end_cut(SONG, 0.0).samples[:, -2400:], variants.start_cut(SONG, 0.0).samples[:, :1600]):
        assert rms_db(made) == pytest.approx(level, abs=6)


def test_silence_stands_before_or_after() -> None:
    after, before = variants.silence_after(SONG, 6).samples, variants.silence_before(SONG, 2.5).samples
    assert not after[:, -6 * RATE :].any()
    np.testing.assert_array_equal(after[:, : -6 * RATE], SONG.samples)
    np.testing.assert_array_equal(before[:, round(2.5 * RATE) :], SONG.samples)


def test_files_of_few_bits_of_mp3_and_of_a_low_rate() -> None:
    assert np.unique(variants.of_bits(SONG, 8).samples * 128 % 1).tolist() == [0.0]
    coded = variants.through_mp3(white(), 96)
    assert abs(coded.samples.shape[1] - white().samples.shape[1]) < 3000
    assert spectrum_db(coded, 19_000) < spectrum_db(white(), 19_000) - 25
    assert spectrum_db(coded, 3000) == pytest.approx(spectrum_db(white(), 3000), abs=2)
    slow = variants.at_rate(SONG, 24_000)
    assert slow.rate == 24_000
    assert slow.samples.shape[1] == SONG.samples.shape[1] // 2


def test_what_changes_nothing_is_no_variant() -> None:
    assert variants.difference_db(SONG, SONG) < -100
    assert variants.difference_db(SONG.with_samples(SONG.samples * 0.5), SONG) == 0
    assert -60 < variants.difference_db(variants.bell_at(3000, 1.0)(SONG, 3), SONG) < 0
    kind = next(kind for kind in KINDS if kind.name == "few bits")
    rough = variants.of_bits(SONG, 8)
    assert variant(kind, rough, 0) is None  # thirteen bits hold eight


# The table


def test_at_least_thirty_kinds_with_answers_that_can_be_given() -> None:
    assert len(KINDS) >= 30
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    for kind in KINDS:
        assert kind.right
        assert all(pattern.split(".")[0] in AREAS for pattern in kind.right)
        assert len(set(kind.strengths)) == 3
        assert list(kind.strengths) in (sorted(kind.strengths), sorted(kind.strengths, reverse=True))
    toned = [pattern for kind in KINDS for pattern in kind.right if pattern.startswith("tone.")]
    for pattern in toned:
        words = pattern.replace("*", "").split(".")
        assert words[-1] in ("too_much", "too_little")
        assert any(word in (*BANDS, "brightness") for word in words)


# Scores


def said(*ids: str, weight: float = 1.0) -> tuple[Said, ...]:
    return tuple(Said(id, "warning", weight, id.rpartition(".")[0]) for id in ids)


def case(kind: str, told: Sequence[Said], strength: int = 2, piece: str = "a_song") -> Case:
    return Case(piece, "a", "mix", kind, strength, "mix", tuple(told), ())


MUDDY, HARSH = "tone.low_mids.too_much", "tone.high_mids.too_much"


def test_a_fault_counts_if_it_is_named_among_three_and_new() -> None:
    kind = next(kind for kind in KINDS if kind.name == "muddy")
    clean = case("", said(HARSH))
    named = scores.verdict(case("muddy", said(HARSH, "loudness.too_much", MUDDY)), clean, kind)
    assert (named.rank, named.is_found, named.leans) == (3, True, False)
    late = scores.verdict(case("muddy", said(HARSH, "loudness.too_much", "stereo.balance", MUDDY)), clean, kind)
    assert (late.rank, late.is_named, late.is_new, late.is_found) == (4, False, True, False)
    assert late.crowd == (HARSH, "loudness.too_much", "stereo.balance")
    other = scores.verdict(case("muddy", said("tone.low_mids.too_little", HARSH)), clean, kind)
    assert (other.rank, other.is_found) == (None, False)


def test_a_piece_that_leans_that_way_must_be_told_more() -> None:
    kind = next(kind for kind in KINDS if kind.name == "muddy")
    clean = case("", said(HARSH, MUDDY))
    for told_, is_new in (
        (said(HARSH, MUDDY), False),
        (said(MUDDY, HARSH), True),
        (said(HARSH, MUDDY, weight=1.5), True),
    ):
        found = scores.verdict(case("muddy", told_), clean, kind)
        assert (found.leans, found.is_named, found.is_new) == (True, True, is_new)


def test_a_piece_that_leans_away_is_told_apart_and_one_that_is_told_the_opposite_left_out() -> None:
    kind = next(kind for kind in KINDS if kind.name == "muddy")
    assert kind.band == ("low_mids", 1)
    broken = case("muddy", said(MUDDY))
    for level, is_away in ((-2.9, False), (-3.1, True), (3.1, False)):
        start = replace(case("", ()), bands_db={"low_mids": level})
        assert scores.verdict(broken, start, kind).leans_away is is_away
    for weight, count in ((0.9, 1), (1.1, 0)):
        start = case("", said("tone.low_mids.too_little", weight=weight))
        assert len(scores.verdicts([start, broken])) == count


def test_what_is_true_of_all_recordings_is_not_counted() -> None:
    lossy = said(scores.COME_SO)
    start, broken = case("", lossy), case("muddy", (*lossy, *said("stereo.balance", HARSH, MUDDY)))
    [found] = scores.verdicts([start, broken])
    assert found.rank == 3
    assert not [one for one in scores.fired([start, broken], by_rule=False) if one.name == scores.COME_SO]
    assert scores.verdicts([start, case("from an MP3", lossy)]) == []
    assert len(scores.verdicts([case("", ()), case("from an MP3", lossy)])) == 1


def test_rules_are_counted_by_what_they_answered() -> None:
    cases = [
        case("", said(HARSH)),
        case("muddy", said(MUDDY, HARSH, "stereo.balance", "musical.tuning")),
        case("harsh", said(HARSH)),
        case("boomy", said("translation.small_speakers.mids.too_little")),
    ]
    found = {one.name: one for one in scores.fired(cases, by_rule=False)}
    assert (found[MUDDY].made, found[MUDDY].precision) == (1, 1.0)
    assert (found[HARSH].total, found[HARSH].native, found[HARSH].made) == (3, 2, 1)
    assert (found["stereo.balance"].wrong, found["stereo.balance"].wrong_kinds) == (1, (("muddy", 1),))
    assert found["stereo.balance"].precision_of_new == 0.0
    assert found["translation.small_speakers.mids.too_little"].follows == 1
    assert "musical.tuning" not in found  # the fourth is not counted


def test_recall_counts_each_kind_alike() -> None:
    cases = [case("", ()), *(case("muddy", said(MUDDY), strength) for strength in (0, 1, 2)), case("harsh", ())]
    found = scores.verdicts(cases)
    assert scores.recall(found) == 0.5
    assert scores.recall(found, 0) == 1.0
    rows = {row.kind: row for row in scores.rows(found)}
    assert rows["muddy"].found == (1.0, 1.0, 1.0)
    assert rows["harsh"].found == (None, None, 0.0)
    assert rows["harsh"].all_found == 0.0


def test_rates_are_of_whole_files_and_by_group() -> None:
    files = [case("as it is", said(HARSH)), case("as it is", (), piece="b_song"), case("muddy", said(MUDDY))]
    assert scores.rates(files, "mix") == {"tone.high_mids": 0.5}
    assert scores.rates(files, "speech") == {}


# The command


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    write_wav(tmp_path / "one_song.wav", song(12.5, rate=24_000), 24_000)
    write_wav(tmp_path / "one_song--drums.wav", song(6.0, rate=24_000), 24_000)
    (tmp_path / "two_broken.wav").write_bytes(b"RIFF but no more")
    stem = "one_song--drums.wav"
    entries = [
        {"id": "one_song", "file": "one_song.wav", "duration_s": 12.5, "truth": {"stems": {"d": stem}}},
        {"id": "two_broken", "file": "two_broken.wav", "duration_s": 40},
        {"id": "three_talk", "file": "three.wav", "duration_s": 40, "truth": {"tags": ["speech"]}},
        {"id": "four_solo", "file": "four.wav", "duration_s": 40, "truth": {"tags": ["trumpet", "solo"]}},
        {"id": "full_four", "file": "four.wav", "duration_s": 12},
    ]  # fmt: skip
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def test_pieces_are_grouped_and_picked_by_what_the_manifest_says(manifest: Path) -> None:
    listed = pieces.read(manifest)
    groups = {one.id: one.group for one in listed}
    assert groups == {
        "one_song": "mix",
        "one_song--drums": "stem",
        "two_broken": "mix",
        "three_talk": "speech",
        "four_solo": "alone",
        "full_four": "mix",
    }
    assert [one.id for one in pieces.chosen(listed, 9, 30)] == ["two_broken"]
    assert [one.id for one in pieces.chosen(listed, 2, 12)] == ["full_four", "one_song"]
    assert sorted(pieces.halves(listed).values()) == ["A", "A", "B", "B"]


def test_the_command_says_what_it_found(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, page = manifest.with_name("out.json"), manifest.with_name("out.md")
    words = [
        str(manifest),
        "--only",
        "one side flipped",
        "--workers",
        "1",
        "--seconds",
        "12",
        "--off",
        ",".join(OFF),
        "--no-rates",
    ]
    assert main([*words, "--json", str(out), "--markdown", str(page)]) == 0
    shown = capsys.readouterr().out
    assert "1 kinds of faults, 3 variants of 1 pieces" in shown
    assert page.read_text(encoding="utf-8") == shown
    written = json.loads(out.read_text(encoding="utf-8"))
    assert written["summary"]["recall, strong"] == 1.0
    assert set(written["failures"]) == {"full_four", "two_broken"}
    assert [one["kind"] for one in written["cases"]] == ["", *["one side flipped"] * 3]


@pytest.mark.parametrize("words", [["nowhere.json"], ["MANIFEST", "--only", "nothing"]])
def test_wrong_usage_is_2(manifest: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(manifest) if word == "MANIFEST" else word for word in words]) == 2
    assert capsys.readouterr().err


def test_no_list_of_recordings_is_wrong_usage(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"a": 1}', encoding="utf-8")
    assert main([str(tmp_path / "manifest.json")]) == 2


def test_an_empty_report_is_a_report() -> None:
    assert "None." in report.text(report.Report([], {}, {}))


# From one end to the other: made music whose fault must be named


def even_mix(seconds: float = 16.0) -> Sound:
    """A made song with hats and a pad, its spectrum brought to the middle of the general profile, faded in and out."""
    n = round(seconds * RATE)
    random, time = np.random.default_rng(7), np.arange(n) / RATE
    hats = random.standard_normal((2, n)) * np.exp(-(time % 0.25) * 60)
    pad = random.standard_normal((2, n)) * 0.05
    samples = song(seconds, seed=3)[:, ::-1].astype(np.float64) + 0.1 * hats + pad
    samples = samples[:, ::-1]
    profile = desk().profiles["general"]
    for _ in range(3):
        hz, power = signal.welch(samples, RATE, nperseg=16_384)
        mean = power.mean(axis=0)
        bands = [
            10 * np.log10(mean[(hz > centre / 1.122) & (hz < centre * 1.122)].sum()) for centre in profile.centres_hz
        ]
        gain = np.array(profile.tone_middle_db) - np.array(bands)
        at = np.maximum(np.fft.rfftfreq(n, 1 / RATE), 1.0)
        curve = np.interp(np.log(at), np.log(profile.centres_hz), gain - gain.mean())
        samples = np.fft.irfft(np.fft.rfft(samples, axis=1) * 10 ** (curve / 20), n, axis=1)
    samples[:, :1000] *= np.linspace(0, 1, 1000)
    samples[:, -RATE:] *= np.linspace(1, 0, RATE) ** 2
    return dsp.staged(Sound(samples.astype(np.float32), RATE))


@pytest.fixture(scope="module")
def clean_case(tmp_path_factory: pytest.TempPathFactory) -> tuple[Sound, Case]:
    start = even_mix()
    return start, case("", told(results_of(start, tmp_path_factory.mktemp("clean"), OFF))[0])


NAMED = (
    "too quiet",
    "clipped",
    "clipped, then turned down",
    "over full scale",
    "muddy",
    "boomy",
    "harsh",
    "scooped",
    "no low end",
    "low end out of phase",
    "one side flipped",
    "mono",
    "lopsided",
    "one side dead",
    "DC",
    "clicks",
    "silence at the end",
    "few bits",
    "low sample rate",
)


@pytest.mark.parametrize("name", NAMED)
def test_a_strong_fault_is_named(name: str, clean_case: tuple[Sound, Case], tmp_path: Path) -> None:
    start, clean = clean_case
    kind = next(kind for kind in KINDS if kind.name == name)
    made = variant(kind, start, 2)
    assert made is not None
    found = scores.verdict(case(name, told(results_of(made, tmp_path, OFF))[0]), clean, kind)
    assert found.is_found, (found.case.said, clean.said)
