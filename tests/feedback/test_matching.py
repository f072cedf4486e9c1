"""The matching equaliser: its filters are what they are said to be, it finds what was done, and it proves itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.signal
import soundfile

from processor.analysis.bands import bands, third_octaves_hz
from processor.analysis.loudness import loudness
from processor.analysis.spectrum import spectrum
from processor.audio import decode
from processor.errors import LinerNotesError
from processor.feedback import equaliser as rendering
from processor.feedback import matching
from processor.feedback.compare import compare
from processor.feedback.equaliser import (
    BELL,
    HIGH_SHELF,
    LOW_SHELF,
    Band,
    audition,
    coefficients,
    equalised,
    response_at,
    response_db,
)
from processor.feedback.matching import fit, suggest
from processor.record import plain, result_from
from tests import signals
from tests.signals import RATE, Samples, audio, noise, silence, song

CENTRES = third_octaves_hz(RATE)
BELL_300, SHELF_6K = Band(BELL, 300.0, 4.0, 1.0), Band(HIGH_SHELF, 6000.0, -5.0, 0.7)
SMILE = (Band(LOW_SHELF, 100.0, 3.0, 0.7), Band(BELL, 700.0, -3.0, 0.8), Band(HIGH_SHELF, 7000.0, 4.0, 0.7))


def behind(samples: Samples, *chain: Band, rate: int = RATE) -> Samples:
    blocks = list(equalised(audio(samples, rate), chain).blocks())
    return np.concatenate([samples[:, :0], *blocks], axis=1)


def tone(samples: Samples, rate: int = RATE) -> dict[str, Any]:
    sound = audio(samples, rate)
    return {"spectrum": spectrum(sound, bands(sound))}


def matched(mix: Samples, *references: Samples) -> tuple[matching.Equaliser, Any]:
    found = compare(tone(mix), [tone(one) for one in references])
    return suggest(audio(mix), found), found


# Filters


@pytest.mark.parametrize("kind", [LOW_SHELF, BELL, HIGH_SHELF])
@pytest.mark.parametrize(("hz", "gain_db", "q"), [(120.0, 5.0, 0.7), (1000.0, -6.0, 2.0), (9000.0, 3.0, 0.5)])
@pytest.mark.parametrize("rate", [44_100, 96_000])
def test_the_filters_do_what_their_coefficients_say(kind: str, hz: float, gain_db: float, q: float, rate: int) -> None:
    band = Band(kind, hz, gain_db, q)
    impulse = np.zeros((1, 1 << 15), np.float32)
    impulse[0, 0] = 1
    found = 20 * np.log10(np.abs(np.fft.rfft(behind(impulse, band, rate=rate)[0].astype(np.float64))))
    angles = np.linspace(0, np.pi, found.size)
    above, below = (np.abs(np.polyval(np.array(row)[::-1], np.exp(-1j * angles))) for row in coefficients(band, rate))
    expected = 20 * np.log10(above / below)
    assert found[20:] == pytest.approx(expected[20:], abs=0.02)
    ends = {LOW_SHELF: (gain_db, 0.0), BELL: (0.0, 0.0), HIGH_SHELF: (0.0, gain_db)}[kind]
    assert (expected[0], expected[-1]) == pytest.approx(ends, abs=1e-6)
    middle = float(np.interp(hz, angles * rate / 2 / np.pi, expected))
    assert middle == pytest.approx(gain_db if kind == BELL else gain_db / 2, abs=0.05)


def test_the_response_is_what_third_octaves_of_noise_show() -> None:
    white = noise(20.0, channels=2)
    measured = tone(behind(white, *SMILE))["spectrum"].third_octaves_db - tone(white)["spectrum"].third_octaves_db
    expected = response_db(SMILE, CENTRES, RATE)
    inside = (CENTRES > 60) & (CENTRES < 18_000)
    assert measured[inside] == pytest.approx(expected[inside], abs=0.1)
    assert np.abs(expected).max() > 2.5


def test_the_state_lasts_from_block_to_block(tmp_path: Path) -> None:
    long = noise(11.0, channels=2)
    whole = behind(long, *SMILE)
    expected = long.astype(np.float64)
    for band in SMILE:
        expected = scipy.signal.lfilter(*coefficients(band, RATE), expected)
    assert np.abs(whole - expected).max() < 2e-4  # single precision
    stream = equalised(signals.streamed(tmp_path / "long.wav", long), SMILE)
    assert np.array_equal(np.concatenate(list(stream.blocks()), axis=1), whole)
    assert np.array_equal(np.concatenate(list(stream.blocks()), axis=1), whole)  # and read again


@pytest.mark.parametrize(("channels", "rate"), [(1, 4_000), (8, 48_000), (2, 384_000)])
def test_any_sound_can_be_equalised(channels: int, rate: int) -> None:
    for frames in (0, 1, 1000):
        found = behind(np.ones((channels, frames), np.float32) * 0.1, Band(BELL, 300.0, 4.0, 1.0), rate=rate)
        assert found.shape == (channels, frames)
        assert np.isfinite(found).all()


def test_a_band_is_told_as_one_dials_it_in() -> None:
    assert Band(BELL, 2500.0, -3.5, 1.0).text == "bell, 2.5 kHz, −3.5 dB, Q 1.0"


# The fit


@pytest.mark.parametrize(
    "done",
    [
        (BELL_300,),
        (Band(BELL, 2500.0, -5.0, 1.5),),
        (Band(LOW_SHELF, 120.0, 4.0, 0.7),),
        (SHELF_6K,),
        SMILE,
        (Band(BELL, 80.0, -4.0, 1.4), Band(BELL, 400.0, 3.0, 1.0), Band(BELL, 1600.0, -3.0, 1.0)),
    ],
)
def test_a_known_curve_is_found(done: tuple[Band, ...]) -> None:
    difference = response_db(done, CENTRES, RATE)
    left = difference + response_db(fit(difference - np.median(difference), CENTRES, RATE), CENTRES, RATE)
    assert np.abs(left - np.median(left)).max() < 0.6
    assert left.std() < 0.25


@pytest.mark.parametrize("one", [BELL_300, SHELF_6K])
def test_one_band_is_answered_by_its_mirror_image(one: Band) -> None:
    [found] = fit(response_db([one], CENTRES, RATE), CENTRES, RATE)
    assert found.kind == one.kind
    assert found.frequency_hz == pytest.approx(one.frequency_hz, rel=0.05)
    assert found.gain_db == pytest.approx(-one.gain_db, abs=0.2)
    assert found.q == pytest.approx(one.q, abs=0.11)


def test_it_stays_within_six_decibels_and_six_bands() -> None:
    random = np.random.default_rng(1)
    for size in (2.0, 15.0):
        difference = size * np.repeat(random.standard_normal(11), 3)[: CENTRES.size]
        found = fit(difference - np.median(difference), CENTRES, RATE)
        assert 1 <= len(found) <= 6
        grid = np.exp(-2j * np.pi * np.linspace(10, RATE / 2, 5000) / RATE)[:, None]
        assert np.abs(response_at(found, grid, RATE)).max() <= 6.001
        assert all(0 < abs(band.gain_db) <= 6 for band in found)
        assert all(0.5 <= band.q <= 2.0 for band in found)
        assert [band.frequency_hz for band in found] == sorted(band.frequency_hz for band in found)
        assert sum(band.kind == LOW_SHELF for band in found) <= 1
        assert sum(band.kind == HIGH_SHELF for band in found) <= 1


def test_a_single_note_hardly_counts() -> None:
    """Neighbours are evened out, and bells are broad: a song's notes are no tone."""
    note, hill = np.zeros(CENTRES.size), np.zeros(CENTRES.size)
    note[12], hill[10:15] = 3.0, 3.0
    most = [np.abs(response_db(fit(one, CENTRES, RATE), CENTRES, RATE)).max() for one in (note, hill)]
    assert most[0] < 1.6
    assert most[1] > 2.6


def test_what_is_not_worth_a_knob_is_left_alone() -> None:
    assert fit(np.zeros(CENTRES.size), CENTRES, RATE) == ()
    assert fit(response_db([Band(BELL, 500.0, 0.3, 0.7)], CENTRES, RATE), CENTRES, RATE) == ()


def test_level_is_not_taken_for_tone() -> None:
    """Turning all but one spot up would do as well; turning that spot down is what one does."""
    done = [Band(BELL, hz, gain, 1.0) for hz, gain in ((80.0, -4.0), (400.0, 3.0), (1600.0, -3.0), (5000.0, 3.0))]
    difference = response_db(done, CENTRES, RATE)
    found = fit(difference - np.median(difference), CENTRES, RATE)
    assert abs(float(np.median(response_db(found, CENTRES, RATE)))) < 0.7


def test_gaps_do_not_count() -> None:
    difference = response_db([BELL_300], CENTRES, RATE)
    holes = difference.copy()
    holes[CENTRES > 5000] = np.nan
    assert fit(holes, CENTRES, RATE)[0].frequency_hz == pytest.approx(300, rel=0.05)


def test_a_low_sample_rate_has_no_room_for_the_treble() -> None:
    centres = third_octaves_hz(4_000)
    found = fit(8 * np.sin(np.arange(centres.size)), centres, 4_000)
    assert all(band.frequency_hz <= 1600 for band in found)


# The proof


def test_the_difference_falls_and_that_is_measured() -> None:
    mix = behind(song(), *SMILE)
    found, comparison = matched(mix, song())
    assert found.reason is None
    assert found.rms_before_db == comparison.tone_rms_db
    assert found.rms_after_db is not None
    assert found.rms_before_db is not None
    assert found.rms_after_db < 0.25 * found.rms_before_db
    # Measured by somebody else: the comparison of what was rendered.
    again = compare(tone(behind(mix, *found.bands)), [tone(song())])
    assert again.tone_rms_db == pytest.approx(found.rms_after_db, abs=0.01)
    assert np.nanmax(np.abs(again.tone_db - found.after_db)) < 0.05
    assert found.told.startswith("brings the difference of tone from ")
    assert result_from(type(found), plain(found), {}).bands == found.bands


def test_an_equal_mix_gets_no_equaliser() -> None:
    found, _ = matched(song(), song())
    assert (found.bands, found.rms_after_db) == ((), None)
    assert found.reason == found.told == "The tone is as near to the reference as a few broad bands could bring it."


def test_what_does_not_help_is_not_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "fit", lambda *_: (BELL_300,))  # the wrong way round
    found, _ = matched(behind(song(), BELL_300), song())
    assert found.bands == ()
    assert found.reason == "Bands were tried on the mix, and did not lower the difference."


def test_silence_gets_no_equaliser() -> None:
    found, _ = matched(silence(4.0, channels=2), song())
    assert (found.bands, found.rms_before_db) == ((), None)
    assert found.reason == "The tonal curves have too little in common to be compared."


def test_several_references_are_met_at_the_edge_of_their_corridor() -> None:
    shelves = [behind(song(), replace(SHELF_6K, gain_db=gain)) for gain in (-2.0, 0.0, 2.0)]
    inside, _ = matched(behind(song(), replace(SHELF_6K, gain_db=1.5)), *shelves)
    assert inside.bands == ()
    assert inside.reason is not None
    assert "corridor" in inside.reason
    outside, _ = matched(behind(song(), replace(SHELF_6K, gain_db=6.0)), *shelves)
    assert outside.response_db[-2] == pytest.approx(-4, abs=0.5)


# The audition


def rendered(folder: Path, samples: Samples, target_lufs: float, *chain: Band) -> tuple[Any, Any]:
    made = audition(audio(samples), chain, target_lufs, folder / "audition.flac")
    return made, decode(folder / made.file)


def test_it_is_as_loud_as_the_reference(tmp_path: Path) -> None:
    made, heard = rendered(tmp_path, song() * np.float32(0.3), -24.0, *SMILE)
    measured = loudness(heard)
    assert made.gain_db == made.wanted_gain_db
    assert measured.integrated_lufs == pytest.approx(-24, abs=0.02)
    assert made.loudness_lufs == pytest.approx(-24, abs=1e-6)
    assert measured.true_peak_dbtp == pytest.approx(made.true_peak_dbtp, abs=0.02)
    assert made.note == "As loud as the reference."
    assert soundfile.info(tmp_path / made.file).subtype == "PCM_24"
    assert soundfile.info(tmp_path / made.file).format == "FLAC"
    expected = behind(song() * np.float32(0.3), *SMILE) * np.float32(signals.amplitude(made.gain_db))
    assert np.abs(heard.samples - expected).max() < 2e-7


def test_it_is_turned_down_before_its_peaks_go_too_far(tmp_path: Path) -> None:
    made, heard = rendered(tmp_path, song(), -6.0, BELL_300)
    measured = loudness(heard)
    assert measured.true_peak_dbtp == pytest.approx(-1, abs=0.02)
    assert made.true_peak_dbtp == pytest.approx(-1, abs=1e-6)
    missing = made.wanted_gain_db - made.gain_db
    assert missing > 3
    assert measured.integrated_lufs == pytest.approx(-6 - missing, abs=0.02)
    assert made.note == (
        f"{missing:.1f} dB quieter than the reference: turned up further, its peaks would pass −1 dBTP, "
        "and nothing here limits them."
    )


def test_a_stream_gives_the_same_file(tmp_path: Path) -> None:
    samples = noise(11.0, channels=2)
    audition(audio(samples), [BELL_300], -24.0, tmp_path / "a.flac")
    audition(signals.streamed(tmp_path / "long.wav", samples), [BELL_300], -24.0, tmp_path / "b.flac")
    assert (tmp_path / "a.flac").read_bytes() == (tmp_path / "b.flac").read_bytes()


def test_a_silent_mix_has_no_audition(tmp_path: Path) -> None:
    with pytest.raises(LinerNotesError, match="silent"):
        audition(audio(silence(3.0)), [BELL_300], -14.0, tmp_path / "out.flac")
    assert list(tmp_path.iterdir()) == []


def test_flac_holds_eight_channels(tmp_path: Path) -> None:
    audition(audio(noise(2.0, channels=8)), [BELL_300], -30.0, tmp_path / "out.flac")
    assert soundfile.info(tmp_path / "out.flac").channels == 8
    with pytest.raises(LinerNotesError, match="9 channels"):
        audition(audio(noise(1.0, channels=9)), [BELL_300], -30.0, tmp_path / "nine.flac")


def test_a_broken_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out.flac"
    out.write_bytes(b"the old one")
    calls: list[int] = []

    def broken(*_: object) -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return real(*_)

    real = rendering._processed
    monkeypatch.setattr(rendering, "_processed", broken)
    with pytest.raises(OSError, match="No space left"):
        audition(audio(song()), [BELL_300], -20.0, out)
    assert [path.name for path in tmp_path.iterdir()] == ["out.flac"]
    assert out.read_bytes() == b"the old one"
