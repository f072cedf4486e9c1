"""A mix beside references: each kind of difference is found in signals that have it, and in no others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from processor.analysis.bands import BAND_NAMES, bands
from processor.analysis.beats import Beats
from processor.analysis.levels import levels
from processor.analysis.loudness import loudness
from processor.analysis.sections import Sections
from processor.analysis.spectrum import spectrum
from processor.analysis.stereo import stereo
from processor.feedback.compare import Comparison, compare, sides_of, third_text, verdict
from processor.feedback.compare_measures import MEASURES, declaration, value_of
from processor.feedback.compare_tone import edges_of, heard_db, tone_match
from processor.feedback.equaliser import Band, equalised
from processor.record import plain, result_from
from tests import signals
from tests.libraries import invented
from tests.signals import RATE, Samples, audio, noise, silence, song


def measured(samples: Samples, rate: int = RATE) -> dict[str, Any]:
    """What the analysers that need nothing else say of a sound."""
    sound = audio(samples, rate)
    power = bands(sound)
    return {
        "spectrum": spectrum(sound, power),
        "stereo": stereo(power),
        "loudness": loudness(sound),
        "levels": levels(sound),
    }


def behind(samples: Samples, *chain: Band, rate: int = RATE) -> Samples:
    return np.concatenate(list(equalised(audio(samples, rate), chain).blocks()), axis=1)


@pytest.fixture(scope="module")
def plain_song() -> dict[str, Any]:
    return measured(song())


def side(found: Comparison, field: str) -> Any:
    return next(row for row in sides_of(found) if row.field == field)


def told(found: Comparison) -> dict[str, str]:
    return dict(zip(found.difference_fields, found.differences, strict=True))


# The whole


def test_a_sound_does_not_differ_from_itself(plain_song: dict[str, Any]) -> None:
    found = compare(plain_song, [plain_song])
    assert (found.differences, found.difference_steps, found.gain_db) == ((), (), 0.0)
    assert found.tone_rms_db == 0
    assert found.bands_db == (0.0,) * 6
    assert {step for step in found.steps if step is not None} == {0.0}
    assert verdict(found) == "There is no difference from the reference that one would notice."


def test_a_louder_copy_differs_in_loudness_alone(plain_song: dict[str, Any]) -> None:
    found = compare(measured(song() * np.float32(signals.amplitude(-6.0))), [plain_song])
    assert found.difference_fields == ("loudness.integrated_lufs",)
    assert found.gain_db == pytest.approx(-6, abs=0.01)
    assert found.gains_db == (pytest.approx(-6, abs=0.01),)
    assert found.difference_steps == (pytest.approx(6, abs=0.01),)
    assert found.differences[0].startswith("Quieter: Integrated loudness −")
    assert found.tone_rms_db == pytest.approx(0, abs=1e-3)
    assert verdict(found) == "1 difference from the reference that one would notice, the largest first."


def test_less_than_a_step_is_not_told(plain_song: dict[str, Any]) -> None:
    for db, count in ((0.97, 0), (1.03, 1)):
        assert len(compare(measured(song() * np.float32(signals.amplitude(db))), [plain_song]).differences) == count


def test_a_reference_is_needed(plain_song: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least one reference"):
        compare(plain_song, [])


def test_silence_has_nothing_to_compare(plain_song: dict[str, Any]) -> None:
    nothing = measured(silence(6.0, channels=2))
    for mix, reference in ((nothing, plain_song), (plain_song, nothing), ({}, plain_song), (plain_song, {})):
        found = compare(mix, [reference])
        assert (found.differences, found.gain_db, found.tone_rms_db) == ((), None, None)
        assert found.bands_db == (None,) * 6
        assert found.centres_hz.size == 0
    assert verdict(compare({}, [plain_song])).startswith("There is nothing to compare")


def test_the_largest_difference_comes_first(plain_song: dict[str, Any]) -> None:
    mix = behind(song() * np.float32(signals.amplitude(-1.5)), Band("bell", 300.0, 5.0, 0.7))
    found = compare(measured(mix), [plain_song])
    assert found.difference_fields[0] == "tone.low_mids"
    assert list(found.difference_steps) == sorted(found.difference_steps, reverse=True)
    assert min(found.difference_steps) >= 1
    assert len(found.difference_steps) >= 2


def test_it_can_be_recorded_and_read_again(plain_song: dict[str, Any]) -> None:
    found = compare(measured(behind(song(), Band("bell", 300.0, 5.0, 0.7))), [plain_song])
    again = result_from(Comparison, plain(found), {})
    assert plain(again) == plain(found)
    assert verdict(again) == verdict(found)


# Tone


@pytest.mark.parametrize(
    ("band", "hz"), [("bass", 130.0), ("low_mids", 350.0), ("mids", 1000.0), ("high_mids", 3500.0), ("air", 9500.0)]
)
@pytest.mark.parametrize(("gain_db", "word"), [(5.0, "More"), (-5.0, "Less")])
def test_what_was_done_to_a_band_is_found_there(
    plain_song: dict[str, Any], band: str, hz: float, gain_db: float, word: str
) -> None:
    found = compare(measured(behind(song(), Band("bell", hz, gain_db, 0.9))), [plain_song])
    number = BAND_NAMES.index(band)
    assert told(found)[f"tone.{band}"].startswith(f"{word} {band.replace('_', ' ')}: ")
    values = [0.0 if value is None else value for value in found.bands_db]
    assert int(np.argmax(np.abs(values))) == number
    assert np.sign(values[number]) == np.sign(gain_db)
    assert found.tone_rms_db is not None
    assert found.tone_rms_db > 1


def test_most_of_the_spectrum_lies_at_zero(plain_song: dict[str, Any]) -> None:
    """So that a boost of the treble is no cut of all else."""
    found = compare(measured(behind(song(), Band("high shelf", 5000.0, 6.0, 0.7))), [plain_song])
    low = found.tone_db[found.centres_hz < 1500]
    assert np.nanmax(np.abs(low)) < 0.3
    assert np.nanmedian(found.tone_db) == pytest.approx(0, abs=1e-9)
    assert found.tone_db[found.centres_hz > 12_000][0] == pytest.approx(6, abs=0.6)


def test_one_spot_is_told_where_the_band_is_fine() -> None:
    """A step of 3 dB for a single third-octave, of 1.5 dB for the mean of a band."""
    flat = measured(noise(8.0, channels=2))
    for gain_db, is_told in ((2.8, False), (4.3, True)):
        found = compare(measured(behind(noise(8.0, channels=2), Band("bell", 1000.0, gain_db, 5.0))), [flat])
        assert ("tone.mids" in found.difference_fields) == is_told
    assert told(found)["tone.mids"].startswith("One spot stands out in the mids: 1 kHz (+")


def test_third_octaves_are_called_what_people_call_them() -> None:
    centres = 1000 * 10 ** (np.arange(-15, 13) / 10)
    names = [third_text(float(hz)) for hz in centres]
    assert names[:3] == ["31.5 Hz", "40 Hz", "50 Hz"]
    assert names[10] == "315 Hz"
    assert names[-4:] == ["8 kHz", "10 kHz", "12.5 kHz", "16 kHz"]


def test_what_one_of_them_lacks_is_not_compared(plain_song: dict[str, Any]) -> None:
    dark = replace(plain_song["spectrum"], lossy_cutoff_hz=9000.0)
    found = compare(plain_song, [plain_song | {"spectrum": dark}])
    assert np.isnan(found.tone_db[found.centres_hz > 8000]).all()
    assert np.isfinite(found.tone_db[(found.centres_hz > 100) & (found.centres_hz < 7000)]).all()
    quiet = plain_song["spectrum"].third_octaves_db.copy()
    quiet[20] = np.nanmax(quiet) - 61
    assert np.isnan(heard_db(replace(plain_song["spectrum"], third_octaves_db=quiet))[20])
    quiet[20] += 2
    assert np.isfinite(heard_db(replace(plain_song["spectrum"], third_octaves_db=quiet))[20])


def test_only_from_31_hz_to_16_khz(plain_song: dict[str, Any]) -> None:
    loud = measured(noise(4.0, channels=2))
    heard = loud["spectrum"].centres_hz[np.isfinite(heard_db(loud["spectrum"]))]
    assert (round(heard[0], 1), round(heard[-1])) == (31.6, 15849)


def test_sample_rates_may_differ() -> None:
    fast, slow = noise(4.0, channels=2, rate=48_000), noise(4.0, channels=2, rate=16_000)
    for mix, reference in (
        (measured(fast), measured(slow, 16_000)),
        (measured(slow, 16_000), measured(fast)),
    ):
        found = compare(mix, [reference])
        assert found.centres_hz.size == mix["spectrum"].centres_hz.size
        heard = found.centres_hz[np.isfinite(found.tone_db)]
        assert heard[-1] == pytest.approx(6310, abs=1)  # the last one under 8 kHz is cut short
        assert found.tone_rms_db == pytest.approx(0, abs=0.6)


def test_ten_third_octaves_make_a_curve(plain_song: dict[str, Any]) -> None:
    for count, is_curve in ((9, False), (10, True)):
        levels = np.full(plain_song["spectrum"].centres_hz.size, np.nan)
        levels[5 : 5 + count] = -30.0
        sparse = {"spectrum": replace(plain_song["spectrum"], third_octaves_db=levels)}
        assert (tone_match(sparse, [plain_song]) is not None) == is_curve
        assert (tone_match(plain_song, [sparse]) is not None) == is_curve


def test_a_tone_has_no_tonal_balance(plain_song: dict[str, Any]) -> None:
    assert tone_match(measured(signals.faded(signals.sine(1000, 4.0, channels=2), 9600)), [plain_song]) is None


# Dynamics, stereo, rhythm


def test_a_squashed_mix_is_less_dynamic_and_that_is_told_once(plain_song: dict[str, Any]) -> None:
    found = compare(measured(np.tanh(6 * song()) / np.float32(1.1)), [plain_song])
    peaks = {"levels.dr", "loudness.plr_db", "loudness.psr_median_db", "levels.crest_factor_db"}
    [field] = peaks & set(found.difference_fields)
    assert told(found)[field].startswith("Less dynamic: ")
    assert sum((side(found, one).steps or 0) >= 1 for one in peaks) > 1
    assert side(found, field).steps == max(side(found, one).steps or 0 for one in peaks)


def test_a_mono_mix_is_narrower(plain_song: dict[str, Any]) -> None:
    found = compare(measured(signals.spread(song().mean(axis=0))), [plain_song])
    assert told(found)["stereo.width"].startswith("Narrower: Width 0.0 % against ")
    assert side(found, "stereo.side_shares.mids").difference < -10
    assert side(found, "stereo.side_shares.mids").label == "Share of the side, mids"
    mids = [
        field for field in found.difference_fields if field in ("stereo.side_shares.mids", "stereo.mids_correlation")
    ]
    assert len(mids) == 1


def test_one_channel_has_no_picture_to_compare(plain_song: dict[str, Any]) -> None:
    found = compare(measured(song()[:1]), [plain_song])
    assert not any(field.startswith("stereo") for field in found.measures)
    assert "loudness.plr_db" in found.measures


@pytest.mark.parametrize(
    ("mix_bpm", "reference_bpm", "counted", "words"),
    [
        (120.0, 120.0, 120.0, None),
        (125.9, 120.0, 120.0, None),
        (126.1, 120.0, 120.0, "Faster: Tempo 126.10 BPM against 120.00 BPM"),
        (87.0, 174.0, 87.0, None),
        (140.0, 35.5, 142.0, None),
        (100.0, 129.0, 129.0, "Slower: Tempo 100.00 BPM against 129.00 BPM"),
    ],
)
def test_tempo_is_counted_in_the_octave_of_the_mix(
    mix_bpm: float, reference_bpm: float, counted: float, words: str | None
) -> None:
    mix, reference = ({"beats": replace(invented(Beats), tempo_bpm=bpm)} for bpm in (mix_bpm, reference_bpm))
    found = compare(mix, [reference])
    assert found.middle_values == (pytest.approx(counted),)
    assert found.differences == (() if words is None else (words,))


@pytest.mark.parametrize(("is_short", "steps"), [(False, 3.0), (True, None)])
def test_a_loudness_range_from_under_a_minute_only_informs(is_short: bool, steps: float | None) -> None:
    loud = measured(song())["loudness"]
    mix = {"loudness": replace(loud, range_lu=4.0, range_is_short=False)}
    reference = {"loudness": replace(loud, range_lu=10.0, range_is_short=is_short)}
    assert side(compare(mix, [reference]), "loudness.range_lu").steps == steps


def test_every_measure_is_declared_and_has_words() -> None:
    assert len({measure.field for measure in MEASURES}) == len(MEASURES)
    for measure in MEASURES:
        assert declaration(measure.field).label
        assert bool(measure.more) == bool(measure.less) == (measure.step is not None)


def test_every_measure_is_read_from_a_record(plain_song: dict[str, Any]) -> None:
    assert value_of(plain_song, "stereo.side_shares.air") == plain_song["stereo"].side_shares[5]
    assert value_of(plain_song, "levels.dr") == plain_song["levels"].dr
    assert value_of({}, "levels.dr") is None
    gone = replace(plain_song["stereo"], side_shares=(None,) * 6)
    assert value_of({"stereo": gone}, "stereo.side_shares.air") is None


# Several references


def test_a_few_references_make_a_corridor_of_their_extremes(plain_song: dict[str, Any]) -> None:
    every = [measured(song() * np.float32(signals.amplitude(db))) for db in (-8.0, -4.0, -3.0)]
    found = compare(measured(song() * np.float32(signals.amplitude(-5.0))), every)
    row = side(found, "loudness.integrated_lufs")
    own = row.mix + 5
    assert (row.low, row.middle, row.high) == pytest.approx((own - 8, own - 4, own - 3), abs=0.01)
    assert (row.steps, row.difference) == (0.0, pytest.approx(-1, abs=0.01))
    assert found.reference_count == 3
    assert found.gain_db == pytest.approx(-1, abs=0.01)
    assert found.gains_db == pytest.approx((3, -1, -2), abs=0.01)
    outside = side(compare(plain_song, every), "loudness.integrated_lufs")
    assert outside.steps == pytest.approx(3, abs=0.01)
    assert "3 references" in verdict(found)


def test_from_five_on_a_stranger_does_not_move_the_corridor() -> None:
    few, many = np.array([[0.0, 1, 2, 30]]).T, np.array([[0.0, 1, 2, 3, 30]]).T
    assert edges_of(few)[:, 0].tolist() == [0, 1.5, 30]
    assert edges_of(many)[:, 0] == pytest.approx([0.4, 2, 19.2])
    gaps = np.array([[np.nan, 1.0], [np.nan, np.nan]])
    assert np.isnan(edges_of(gaps)[:, 0]).all()
    assert edges_of(gaps)[:, 1].tolist() == [1, 1, 1]


def test_tone_in_the_corridor_is_no_difference(plain_song: dict[str, Any]) -> None:
    shelf = [measured(behind(song(), Band("high shelf", 4000.0, gain, 0.7))) for gain in (-6.0, 0.0, 6.0)]
    inside = compare(measured(behind(song(), Band("high shelf", 4000.0, 4.0, 0.7))), shelf)
    assert not [field for field in inside.difference_fields if field.startswith("tone")]
    assert inside.bands_db[5] == pytest.approx(4, abs=0.6)
    outside = compare(measured(behind(song(), Band("high shelf", 4000.0, 9.0, 0.7))), shelf)
    assert "tone.air" in outside.difference_fields
    top = int(np.flatnonzero(np.isfinite(inside.tone_db))[-1])
    corridor = np.array([inside.low_db[top], inside.middle_db[top], inside.high_db[top]]) - inside.middle_db[top]
    assert corridor == pytest.approx([-6, 0, 6], abs=0.6)


def test_a_reference_that_cannot_be_compared_is_left_out(plain_song: dict[str, Any]) -> None:
    found = compare(plain_song, [plain_song, measured(silence(4.0, channels=2))])
    assert found.gains_db == (0.0, None)
    assert found.gain_db == 0
    assert found.tone_rms_db == 0


# Form


def test_sections_stand_side_by_side_with_their_loudness() -> None:
    quiet_loud = signals.tones([(-30.0, 20.0), (-10.0, 20.0)])
    sections = replace(
        invented(Sections),
        intervals_s=np.array([[0.0, 20.0], [20.0, 40.0]]),
        labels=("A", "B"),
        roles=("section", "chorus"),
    )
    mix = {"loudness": loudness(audio(quiet_loud)), "sections": sections}
    found = compare(mix, [{"loudness": mix["loudness"]}])
    assert found.mix_section_names == ("A", "B chorus")
    assert found.mix_sections_s.tolist() == [[0, 20], [20, 40]]
    # A window of 3 s belongs where its middle is: of 19 in the quiet part, one has a second of the loud one.
    quiet = 10 * np.log10((18 * 0.01 + (2 * 0.01 + 1) / 3) / 19)
    assert found.mix_section_lu == (pytest.approx(quiet, abs=0.3), pytest.approx(0, abs=0.3))
    assert (found.reference_section_names, found.reference_section_lu) == ((), ())
    assert found.reference_sections_s.shape == (0, 2)
