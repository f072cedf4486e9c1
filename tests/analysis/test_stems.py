"""Stems: the files beside the record, and what is said of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from processor import record
from processor.analysis.stems import FLAC, FLOOR_DB, WAV, Stems, is_there, stems, write
from processor.audio import Audio
from processor.graph import Equipment, collect, run
from processor.models.separation import Separator, Sound
from processor.sidecars import Sidecars
from tests import signals
from tests.models.test_separation import Shares
from tests.signals import audio, noise, silence, sine, song

RATE = 44_100


@dataclass(frozen=True)
class Sides(Shares):
    """A separator that knows which instrument is on which side; its third stem is always empty."""

    sources: tuple[str, ...] = ("vocals", "drums", "other")
    segment_frames: int = 40_000

    def separate(self, mix: Sound) -> Sound:
        made = np.zeros((3, *mix.shape), np.float32)
        made[0, 0], made[1, 1] = mix
        return made


@dataclass(frozen=True)
class Broken(Shares):
    """A separator that fails at its third segment."""

    def separate(self, mix: Sound) -> Sound:
        if len(self.heard) == 2:
            raise RuntimeError("out of memory")
        return super().separate(mix)


def take_apart(sound: Audio, folder: Path, separator: Separator | None = None) -> tuple[Stems, Sidecars]:
    sidecars = Sidecars(folder)
    return stems(sound, separator or Shares(segment_frames=40_000), sidecars, lambda share: None), sidecars


def left_and_right(left: Sound, right: Sound) -> Audio:
    return audio(signals.stereo(left, right), RATE)


# The files


def test_stems_are_flac_of_24_bits_beside_the_record(tmp_path: Path) -> None:
    sound = audio(0.5 * song(5.0, rate=RATE), RATE)
    found, sidecars = take_apart(sound, tmp_path)
    assert found.files == ("stems/vocals.flac", "stems/drums.flac", "stems/other.flac")
    assert (found.model, found.names, found.sample_rate) == ("shares", ("vocals", "drums", "other"), RATE)
    for name, share, digest in zip(found.files, (0.5, 0.375, 0.125), found.file_sha256, strict=True):
        about = soundfile.info(tmp_path / name)
        assert (about.format, about.subtype) == ("FLAC", "PCM_24")
        assert (about.samplerate, about.frames, about.channels) == (RATE, sound.frames, 2)
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == digest
        assert np.abs(sidecars.read(name) - share * sound.samples).max() <= 1.5 / (1 << 23)


def test_the_same_sound_gives_the_same_files(tmp_path: Path) -> None:
    sound = audio(song(3.0, rate=RATE), RATE)
    first, _ = take_apart(sound, tmp_path / "a")
    again, _ = take_apart(sound, tmp_path / "b")
    assert first.file_sha256 == again.file_sha256


def test_a_failure_leaves_the_stems_that_were_there(tmp_path: Path) -> None:
    sound = audio(song(3.0, rate=RATE), RATE)
    before, _ = take_apart(sound, tmp_path)
    with pytest.raises(RuntimeError, match="out of memory"):
        take_apart(sound, tmp_path, Broken())
    folder = tmp_path / "stems"
    assert sorted(path.name for path in folder.iterdir()) == ["drums.flac", "other.flac", "vocals.flac"]
    hashes = tuple(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in before.files)
    assert hashes == before.file_sha256


def test_what_is_beyond_full_scale_is_counted_in_flac_and_kept_in_wav(tmp_path: Path) -> None:
    sound = audio(4 * sine(441, 1.0, rate=RATE, channels=2), RATE)
    paths = [tmp_path / name for name in ("a", "b", "c")]
    flac = write(sound, Shares(segment_frames=40_000), paths)
    over = sum(int((np.abs(share * sound.samples) > 1).sum()) for share in (0.5, 0.375, 0.125))
    assert flac.clipped_stem_samples == over > 0
    assert np.abs(soundfile.read(paths[0])[0]).max() == pytest.approx(1.0)
    wav = write(sound, Shares(segment_frames=40_000), paths, coding=WAV)
    assert wav.clipped_stem_samples == 0
    assert soundfile.info(paths[0]).subtype == "FLOAT"
    assert np.allclose(soundfile.read(paths[0], dtype="float32")[0].T, 0.5 * sound.samples, atol=1e-6)
    assert (FLAC.suffix, WAV.suffix) == (".flac", ".wav")


def test_the_share_that_is_done_is_told(tmp_path: Path) -> None:
    shares: list[float] = []
    stems(audio(song(3.0, rate=RATE), RATE), Shares(segment_frames=40_000), Sidecars(tmp_path), shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, abs=1e-3)


# What is said of them


def test_levels_are_those_of_each_tenth_of_a_second(tmp_path: Path) -> None:
    left = signals.joined(sine(1000, 2.0, -6.0, rate=RATE), silence(3.05, rate=RATE))
    right = sine(2000, 5.05, -20.0, rate=RATE)
    found, _ = take_apart(left_and_right(left, right), tmp_path, Sides())
    assert found.hop_s == 0.1
    assert found.levels_db.shape == (3, 51)
    # A sine has 3 dB less than its peak; one of two channels is silent: 3 dB less again.
    assert np.allclose(found.levels_db[0, :20], -6 - 6.02, atol=0.02)
    assert np.allclose(found.levels_db[0, 20:], FLOOR_DB)
    assert np.allclose(found.levels_db[1], -20 - 6.02, atol=0.02)
    assert np.allclose(found.levels_db[2], FLOOR_DB)


@pytest.mark.parametrize("rate", [4000, 11_025, 48_000, 192_000])
def test_there_is_a_level_for_every_tenth_that_has_begun(rate: int, tmp_path: Path) -> None:
    sound = audio(noise(10.37, rate=rate), rate)
    found, _ = take_apart(sound, tmp_path)
    assert found.levels_db.shape == (3, 104)
    assert np.ptp(found.levels_db[0, 2:-2]) < 3


def test_energy_and_time_are_shared_out(tmp_path: Path) -> None:
    left = signals.joined(noise(1.0, -20, rate=RATE), silence(3.0, rate=RATE))
    right = noise(4.0, -20, rate=RATE, seed=1)
    found, _ = take_apart(left_and_right(left, right), tmp_path, Sides())
    assert found.energy_share == pytest.approx((0.2, 0.8, 0.0), abs=0.01)
    assert sum(found.energy_share) == pytest.approx(1.0)
    assert found.active_share == pytest.approx((0.25, 1.0, 0.0), abs=0.03)
    assert found.present == (True, True, False)
    quieter, louder, nothing = found.level_lufs
    assert quieter == pytest.approx(louder, abs=1.0)  # gated: silence does not count
    assert nothing is None


@pytest.mark.parametrize(("lost", "expected_db"), [(0.0, -150.0), (0.01, -40.0), (0.1, -20.0), (-0.1, -20.0)])
def test_what_the_sum_of_stems_lacks_is_told(lost: float, expected_db: float, tmp_path: Path) -> None:
    separator = Shares(shares=(0.5 - lost, 0.25, 0.25), segment_frames=40_000)
    found, _ = take_apart(audio(song(3.0, rate=RATE), RATE), tmp_path, separator)
    assert found.sum_error_db == pytest.approx(expected_db, abs=0.1 if lost else 30)


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_silence_has_stems_with_nothing_in_them(channels: int, tmp_path: Path) -> None:
    found, sidecars = take_apart(audio(silence(2.0, channels=channels)), tmp_path)
    assert found.present == (False, False, False)
    assert found.level_lufs == (None, None, None)
    assert found.energy_share == found.active_share == (0.0, 0.0, 0.0)
    assert found.sum_error_db is None
    assert np.all(found.levels_db == FLOOR_DB)
    assert sidecars.read("stems/vocals.flac").shape == (min(channels, 2), 96_000)


def test_one_sample_has_stems_of_one_sample(tmp_path: Path) -> None:
    found, sidecars = take_apart(audio(np.full((1, 1), 0.5, np.float32), 192_000), tmp_path)
    assert sidecars.read("stems/drums.flac").shape == (1, 1)
    assert found.levels_db.shape == (3, 1)


def test_no_sample_has_no_stems(tmp_path: Path) -> None:
    found, _ = take_apart(audio(np.zeros((2, 0), np.float32), RATE), tmp_path)
    assert (found.files, found.file_sha256, found.sum_error_db) == ((), (), None)
    assert list(tmp_path.iterdir()) == []


def test_a_stream_gives_what_its_samples_give(tmp_path: Path) -> None:
    samples = noise(35.0, rate=8000, channels=2)
    stream = signals.streamed(tmp_path / "long.wav", samples, 8000)
    found, _ = take_apart(stream, tmp_path / "a")
    expected, _ = take_apart(audio(samples, 8000), tmp_path / "b")
    assert found.level_lufs == pytest.approx(expected.level_lufs, abs=0.01)
    assert np.allclose(found.levels_db, expected.levels_db, atol=0.1)
    assert soundfile.info(tmp_path / "a" / "stems" / "vocals.flac").frames == samples.shape[1]


@pytest.mark.parametrize("gain", [1e-9, 1e6], ids=["next to silence", "far over full scale"])
def test_numbers_stay_numbers_at_any_level(gain: float, tmp_path: Path) -> None:
    found, _ = take_apart(audio(np.float32(gain) * song(3.0, rate=RATE), RATE), tmp_path)
    assert np.isfinite(found.levels_db).all()
    assert sum(found.energy_share) == pytest.approx(1.0)
    assert found.present == ((gain > 1,) * 3)


# Whether a stem is really there: levels of true and of absent stems of real pieces, as HTDemucs gives them


@pytest.mark.parametrize(
    ("stem_db", "expected"),
    [(-9.0, True), (-22.0, True), (-39.0, False), (-60.0, False)],
    ids=["a voice", "brushes", "leaks", "a voice where there is none"],
)
def test_an_instrument_is_told_from_what_leaks(stem_db: float, expected: bool) -> None:
    mix = np.full(600, -15.0)
    assert is_there(mix + stem_db, mix) is expected


def test_one_entry_in_a_long_piece_is_enough() -> None:
    mix, stem = np.full(1200, -15.0), np.full(1200, -80.0)
    stem[100:160] = -25.0  # six seconds of two minutes
    assert is_there(stem, mix)
    stem[120:] = -80.0  # two
    assert not is_there(stem, mix)


def test_nothing_is_there_in_silence() -> None:
    assert not is_there(np.full(10, -70.0), np.full(10, -70.0))
    assert not is_there(np.zeros(0), np.zeros(0))


# In the frame


def test_it_runs_as_an_analyser_with_a_model_and_can_be_recorded(tmp_path: Path) -> None:
    from processor.analysis import stems as module

    analysers = collect([module])
    sound = audio(song(3.0, rate=RATE), RATE)
    assert run(analysers, sound).results == {}  # no separator: nothing is made
    equipment = Equipment(
        models={"separator": "shares"},
        load=lambda job: Shares(segment_frames=40_000),
        sidecars=Sidecars(tmp_path),
    )
    outcome = run(analysers, sound, equipment=equipment)
    assert outcome.failures == {}
    written = record.Record("track", "0" * 64, "song.wav", outcome.results, outcome.keys, outcome.failures)
    assert len(record.to_bytes(written)) < 64_000
    record.write(written, tmp_path)
    found = record.read(tmp_path, {"stems": Stems}).results["stems"]
    assert found.names == ("vocals", "drums", "other")
    assert np.allclose(found.levels_db, outcome.results["stems"].levels_db, atol=1e-5)
