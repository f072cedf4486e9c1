"""Sound beside a record: what is written comes back, whole or not at all, and never from or to anywhere else."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from processor import files, sidecars
from processor.errors import SidecarMissing, WorkspaceError
from processor.sidecars import Sidecars, is_plain, refused
from tests.signals import Samples, noise

NAME = "stems/vocals.flac"
STEP = 2.0**-23  # of 24 bits


@pytest.fixture
def beside(tmp_path: Path) -> Sidecars:
    return Sidecars(tmp_path / "track")


def cut(samples: Samples, frames: int) -> Iterator[Samples]:
    return (samples[:, start : start + frames] for start in range(0, samples.shape[1], frames))


@pytest.mark.parametrize("channels", [1, 2, 6])
def test_what_is_written_in_blocks_comes_back_in_others(beside: Sidecars, channels: int) -> None:
    samples = noise(0.5, rate=8000, channels=channels)
    written = beside.write(NAME, 8000, cut(samples, 777))
    assert (written.name, written.frames, written.clipped) == (NAME, 4000, 0)
    assert written.sha256 == files.hash_file(beside.folder / NAME)
    blocks = list(beside.blocks(NAME, 1024))
    assert [block.shape for block in blocks] == [(channels, 1024)] * 3 + [(channels, 928)]
    assert {block.dtype for block in blocks} == {np.dtype(np.float32)}
    assert np.abs(beside.read(NAME) - samples).max() <= STEP
    info = soundfile.info(beside.folder / NAME)
    assert (info.format, info.subtype, info.samplerate) == ("FLAC", "PCM_24", 8000)


def test_what_is_over_full_scale_is_counted_and_stands_at_full_scale(beside: Sidecars) -> None:
    samples = np.array([[0.5, 1.5, -2.0, 1.0, -1.0]], np.float32)
    assert beside.write(NAME, 8000, [samples]).clipped == 2
    assert beside.read(NAME)[0] == pytest.approx([0.5, 1, -1, 1, -1], abs=2 * STEP)


def test_no_sound_at_all(beside: Sidecars) -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        beside.write(NAME, 8000, [])
    with pytest.raises(ValueError, match="at least one sample"):
        beside.write(NAME, 8000, [np.zeros((2, 0), np.float32)])
    assert list(beside.folder.rglob("*.*")) == []


def test_a_second_one_takes_the_place_of_the_first_only_when_it_is_whole(beside: Sidecars) -> None:
    beside.write(NAME, 8000, [noise(0.1, rate=8000)])
    before = (beside.folder / NAME).read_bytes()

    def broken() -> Iterator[Samples]:
        yield noise(0.1, rate=8000, seed=1)
        raise RuntimeError("the model broke down")

    with pytest.raises(RuntimeError, match="broke down"):
        beside.write(NAME, 8000, broken())
    assert (beside.folder / NAME).read_bytes() == before
    assert [path.name for path in (beside.folder / "stems").iterdir()] == ["vocals.flac"]
    beside.write(NAME, 8000, [noise(0.1, rate=8000, seed=1)])
    assert (beside.folder / NAME).read_bytes() != before


@pytest.mark.parametrize("trouble", ["gone", "damaged", "no sound", "cut off"])
def test_what_cannot_be_read_says_how_it_comes_back(beside: Sidecars, trouble: str) -> None:
    beside.write(NAME, 8000, [noise(0.5, rate=8000)])
    path = beside.folder / NAME
    content = path.read_bytes()
    if trouble == "gone":
        path.unlink()
    else:
        torn = {"damaged": b"fLaC" + b"\0" * 500, "no sound": b"words", "cut off": content[: len(content) // 2]}
        path.write_bytes(torn[trouble])
    with pytest.raises(SidecarMissing, match="A deep pass makes it again"):
        beside.read(NAME)
    assert beside.has(NAME) == (trouble != "gone")


@pytest.mark.parametrize("name", ["../up.flac", "stems/../../up.flac", "/etc/passwd", "", ".", "..", "a\\b", "a\0b"])
def test_a_name_that_leads_elsewhere_is_none(beside: Sidecars, name: str, tmp_path: Path) -> None:
    if name not in ("", "."):
        (tmp_path / "up.flac").write_text("secret")
    assert not is_plain(name) or name == "."
    assert not beside.has(name)
    with pytest.raises(SidecarMissing):
        beside.read(name)
    with pytest.raises((ValueError, OSError)):
        beside.write(name, 8000, [noise(0.1, rate=8000)])
    assert sorted(path.name for path in tmp_path.iterdir()) in (["up.flac"], [], ["track"])


def test_apart_until_it_is_settled(tmp_path: Path) -> None:
    track, apart = tmp_path / "track", tmp_path / "apart"
    Sidecars(track).write(NAME, 8000, [noise(0.1, rate=8000)])
    Sidecars(track).write("stems/drums.flac", 8000, [noise(0.1, rate=8000, seed=1)])
    before = {path.name: path.read_bytes() for path in (track / "stems").iterdir()}
    beside = Sidecars(apart, track)
    assert beside.has(NAME)
    beside.write(NAME, 8000, [noise(0.1, rate=8000, seed=2)])
    (apart / "stems" / "half.flac").write_text("what one that failed had written by then")
    assert np.abs(beside.read(NAME) - noise(0.1, rate=8000, seed=2)).max() <= STEP, "the new one"
    assert beside.has("stems/drums.flac"), "what is not new is read from its place"
    assert {path.name: path.read_bytes() for path in (track / "stems").iterdir()} == before
    names = [NAME, "stems/drums.flac", "../up.flac"]
    beside.settle(names)
    after = {path.name: path.read_bytes() for path in (track / "stems").iterdir()}
    assert after.keys() == before.keys()
    assert after["drums.flac"] == before["drums.flac"]
    assert after["vocals.flac"] != before["vocals.flac"]
    beside.settle(names)
    assert np.abs(beside.read(NAME) - noise(0.1, rate=8000, seed=2)).max() <= STEP


def test_settling_does_not_bring_back_a_track_that_is_gone(tmp_path: Path) -> None:
    beside = Sidecars(tmp_path / "apart", tmp_path / "gone" / "track")
    beside.write(NAME, 8000, [noise(0.1, rate=8000)])
    with pytest.raises(OSError, match="No such file"):
        beside.settle([NAME])
    assert not (tmp_path / "gone").exists()


def test_a_disk_that_is_full_is_told_as_such(beside: Sidecars, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Full:
        def __init__(self, *_: object, **__: object) -> None:
            raise soundfile.LibsndfileError(2, "")

    with monkeypatch.context() as patch:
        patch.setattr(sidecars.soundfile, "SoundFile", Full)
        with pytest.raises(WorkspaceError, match=r"takes no more\. Nothing is lost\. Make room"):
            beside.write(NAME, 8000, [noise(0.1, rate=8000)])
    assert list(beside.folder.rglob("*.*")) == []


def test_an_end_that_was_never_written_is_noticed(
    beside: Sidecars, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As where the last block comes out of a buffer when the file is closed, and there is no room for it any more."""

    class Forgetful(soundfile.SoundFile):
        def close(self) -> None:
            writes = self.mode == "w"
            super().close()
            if writes and Path(self.name).is_file():
                content = Path(self.name).read_bytes()
                Path(self.name).write_bytes(content[: -len(content) // 3])

    samples = noise(0.5, rate=8000)
    path = tmp_path / "whole.flac"
    soundfile.write(path, samples.T, 8000, subtype="PCM_24")
    sidecars.check_whole(path, 4000)
    with pytest.raises(OSError, match="No space left"):
        sidecars.check_whole(path, 4001)
    monkeypatch.setattr(sidecars.soundfile, "SoundFile", Forgetful)
    with pytest.raises(WorkspaceError, match="No space left on device"):
        beside.write(NAME, 8000, [samples])
    assert list(beside.folder.rglob("*.*")) == []


def test_only_what_a_full_disk_says_counts_as_one() -> None:
    assert "No space left" in str(refused(OSError(errno.ENOSPC, "No space left on device")))
    assert refused(OSError(errno.ENOENT, "No such file")) is None
    assert refused(soundfile.LibsndfileError(2, "Error opening 'gone.flac': ")) is None
    assert refused(soundfile.LibsndfileError(1, "")) is None
    assert refused(ValueError("No space left on device")) is None
