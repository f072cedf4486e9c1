"""Previews sound as their files do, pictures show their records, and no file can stop a publish."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor import engine, library, record
from processor.analysis import result_types
from processor.analysis.spectrogram import Spectrogram
from processor.audio import decode
from processor.config import Limits, Settings, Site, Workers
from processor.errors import NoSound, WorkspaceError
from processor.library import Track
from processor.site import media, previews
from processor.site.media import CHROMA, PREVIEW, SPECTROGRAM, make_media, media_of, pictures, pictures_of, signatures
from processor.site.previews import encode, preview_rate_hz
from processor.workspace import Workspace
from tests import signals, workspaces
from tests.libraries import make_track
from tests.signals import Samples, db, noise, sine, song

ON = Settings(site=Site(previews=True))
OFF = Settings(site=Site(previews=False))


@pytest.fixture(autouse=True)
def inline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Encode in this process: that workers do the same has a test of its own."""
    monkeypatch.setattr(engine, "Engine", workspaces.InlineEngine)


@pytest.fixture
def there(tmp_path: Path) -> Workspace:
    """A workspace with three short tracks and nothing in `site/media/`."""
    return without_media(workspaces.with_tracks(tmp_path))


def without_media(workspace: Workspace) -> Workspace:
    """The same workspace, as if nothing had ever been made of its sounds and records."""
    shutil.rmtree(workspace.site / media.FOLDER, ignore_errors=True)
    media.forget(workspace)
    return workspace


def make(workspace: Workspace, settings: Settings = ON) -> int:
    return make_media(workspace, library.tracks(workspace), None, settings)


def names(workspace: Workspace) -> list[str]:
    return sorted(path.name for path in (workspace.site / media.FOLDER).iterdir())


def wanted(workspace: Workspace, *kinds: str) -> list[str]:
    return sorted(f"{track.id}{kind}" for track in library.tracks(workspace) for kind in kinds)


def preview(workspace: Workspace, track: Track) -> Path:
    return workspace.site / media.FOLDER / f"{track.id}{PREVIEW}"


def rms_db(samples: Samples) -> float:
    return db(float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))))


def encoded(tmp_path: Path, samples: Samples, rate: int, **layout: str) -> Samples:
    """What is heard of the preview of a file with these samples."""
    source = signals.write_wav(tmp_path / "source.wav", samples, rate)
    encode(source, tmp_path / "preview.mp3", Limits())
    found = decode(tmp_path / "preview.mp3")
    assert not found.source.partial
    assert found.sample_rate == preview_rate_hz(rate)
    return found.samples


# One preview


@pytest.mark.parametrize("rate", [32_000, 44_100, 48_000])
def test_a_preview_is_as_long_and_as_loud_as_its_file(tmp_path: Path, rate: int) -> None:
    samples = song(6.0, rate=rate)
    found = encoded(tmp_path, samples, rate)
    assert found.shape == samples.shape
    for was, now in zip(samples, found, strict=True):
        assert rms_db(now) == pytest.approx(rms_db(was), abs=0.05)


@pytest.mark.parametrize("rate", [32_000, 44_100, 48_000])
def test_every_sample_stays_where_it_is(tmp_path: Path, rate: int) -> None:
    """The delay of encoder and decoder is taken out: a click is heard where it was."""
    samples = signals.silence(3.0, rate=rate, channels=2)
    samples[:, rate : rate + 20] = 0.5
    found = encoded(tmp_path, samples, rate)
    assert int(np.abs(found[0]).argmax()) == pytest.approx(rate + 10, abs=20)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(4_000, 48_000), (8_000, 48_000), (11_025, 44_100), (22_050, 44_100), (88_200, 44_100), (192_000, 48_000)],
)
def test_other_rates_become_one_that_mp3_has(tmp_path: Path, rate: int, expected: int) -> None:
    assert preview_rate_hz(rate) == expected
    samples = sine(440, 2.0, -6.0, rate=rate, channels=2)
    found = encoded(tmp_path, samples, rate)
    assert found.shape[1] == pytest.approx(2 * expected, abs=expected // 500)
    assert rms_db(found) == pytest.approx(-9.01, abs=0.1)


def test_mono_stays_mono(tmp_path: Path) -> None:
    found = encoded(tmp_path, sine(440, 2.0, -6.0, rate=44_100), 44_100)
    assert found.shape == (1, 2 * 44_100)
    assert rms_db(found) == pytest.approx(-9.01, abs=0.05)


def test_six_channels_are_folded(tmp_path: Path) -> None:
    samples = np.zeros((6, 2 * 44_100), np.float32)
    samples[2] = sine(440, 2.0, -6.0, rate=44_100)[0]
    found = encoded(tmp_path, samples, 44_100)
    assert found.shape[0] == 2
    assert [rms_db(row) for row in found] == pytest.approx([-12.02, -12.02], abs=0.1)


def test_what_lies_over_full_scale_is_passed_on(tmp_path: Path) -> None:
    found = encoded(tmp_path, sine(440, 2.0, 6.0, rate=44_100, channels=2), 44_100)
    assert rms_db(found) == pytest.approx(3.0, abs=0.1)


def test_what_is_no_level_at_all_is_bounded(tmp_path: Path) -> None:
    found = encoded(tmp_path, 1e5 * sine(440, 1.0, rate=44_100, channels=2), 44_100)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 2 * previews.MAX_LEVEL


@pytest.mark.parametrize("frames", [1, 100, 1152])
def test_a_very_short_sound_can_be_played(tmp_path: Path, frames: int) -> None:
    encode(signals.write_wav(tmp_path / "a.wav", noise(1.0)[:, :frames]), tmp_path / "a.mp3", Limits())
    assert decode(tmp_path / "a.mp3").frames > 0


def test_a_stream_sounds_the_same(tmp_path: Path) -> None:
    source = signals.write_wav(tmp_path / "a.wav", song(3.0, rate=44_100), 44_100)
    encode(source, tmp_path / "whole.mp3", Limits())
    encode(source, tmp_path / "stream.mp3", Limits(decoded_bytes=0))
    whole, stream = (decode(tmp_path / name).samples for name in ("whole.mp3", "stream.mp3"))
    assert np.abs(whole - stream).max() < 1e-6


# All previews


def test_every_track_gets_what_a_page_needs(there: Workspace) -> None:
    assert make(there) == 9
    assert names(there) == wanted(there, PREVIEW, SPECTROGRAM, CHROMA)
    for track in library.tracks(there):
        found = media_of(there.site, track)
        assert found is not None
        assert (there.site / "tracks" / found.href).resolve() == preview(there, track).resolve()
        assert (found.mime, found.is_source) == ("audio/mpeg", False)
        shown = pictures_of(there.site, track)
        assert shown.spectrogram
        assert shown.chroma
        assert all((there.site / "tracks" / href).is_file() for href in (shown.spectrogram, shown.chroma))


def test_what_is_there_is_left_alone(there: Workspace) -> None:
    make(there)
    before = {path: path.stat().st_mtime_ns for path in (there.site / media.FOLDER).iterdir()}
    assert make(there) == 0
    assert {path: path.stat().st_mtime_ns for path in (there.site / media.FOLDER).iterdir()} == before


def test_what_somebody_deleted_comes_back(there: Workspace) -> None:
    make(there)
    preview(there, library.tracks(there)[0]).unlink()
    assert make(there) == 1
    (there.site / media.FOLDER / f"{library.tracks(there)[1].id}{CHROMA}").unlink()
    assert make(there) == 2
    assert names(there) == wanted(there, PREVIEW, SPECTROGRAM, CHROMA)


def test_pictures_come_without_previews_and_the_newest_previews_first(there: Workspace) -> None:
    tracks = library.tracks(there)
    assert media.make_pictures(there, tracks) == 6
    assert names(there) == wanted(there, SPECTROGRAM, CHROMA)
    assert media.make_previews(there, tracks, None, ON, 1) == 1
    assert [preview(there, track).is_file() for track in tracks] == [False, False, True]
    assert media.make_previews(there, tracks, None, ON, 5) == 2
    assert media.make_pictures(there, tracks[:2]) == 0
    assert len(names(there)) == 6


def test_progress_is_told(there: Workspace) -> None:
    told: list[tuple[int, int]] = []
    make_media(there, library.tracks(there), lambda done, total: told.append((done, total)), ON)
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_media_of_a_track_that_is_gone_go_and_a_strangers_file_stays(there: Workspace) -> None:
    make(there)
    stranger = there.site / media.FOLDER / "cover.jpg"
    stranger.write_bytes(b"mine")
    gone = library.tracks(there)[0]
    shutil.rmtree(gone.folder)
    make(there)
    assert names(there) == sorted([*wanted(there, PREVIEW, SPECTROGRAM, CHROMA), "cover.jpg"])


def test_without_the_setting_there_are_pictures_only(there: Workspace) -> None:
    make(there)
    assert (make(there, OFF), make(there, OFF)) == (3, 0)
    assert names(there) == wanted(there, SPECTROGRAM, CHROMA)
    assert make(there) == 3


def test_the_settings_of_the_workspace_count(there: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINERNOTES_SITE_PREVIEWS", "false")
    make_media(there, library.tracks(there))
    assert names(there) == wanted(there, SPECTROGRAM, CHROMA)


def test_a_page_can_tell_when_its_media_came(there: Workspace) -> None:
    tracks = library.tracks(there)
    assert signatures(there.site) == {}
    make(there, OFF)
    before = signatures(there.site)
    assert set(before) == {track.id for track in tracks}
    make(there)
    after = signatures(there.site)
    assert all(before[track.id] != after[track.id] for track in tracks)
    make(there)
    assert signatures(there.site) == after


def test_half_a_file_is_never_there(there: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(source: Path, target: Path, limits: Limits) -> None:
        target.write_bytes(b"half")
        assert not preview(there, library.resolve(there, source.parent.name)).exists()
        raise NoSound("an example")

    monkeypatch.setattr(media, "encode", fall)
    make(there)
    assert names(there) == wanted(there, SPECTROGRAM, CHROMA)


def test_what_a_killed_run_left_is_removed(there: Workspace) -> None:
    left = there.site / media.FOLDER / f".x.mp3.{2**22 + 1}.tmp"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"half")
    make(there, OFF)
    assert not left.exists()


# MP3 that is MP3 already


@pytest.fixture
def mp3(tmp_path: Path) -> Iterator[Any]:
    """Put an MP3 file into a new workspace, whole or in part."""

    def put(share: float = 1.0) -> tuple[Workspace, Track]:
        workspace = workspaces.empty(tmp_path)
        samples = song(4.0, rate=44_100)
        path = signals.write_encoded(tmp_path / "song.mp3", samples, 44_100, container="mp3", codec="libmp3lame")
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        workspaces.process(workspace, [path])
        (track,) = library.tracks(workspace)
        return without_media(workspace), track

    return put


def test_an_mp3_is_shown_as_it_is(mp3: Any) -> None:
    workspace, track = mp3()
    make(workspace)
    assert preview(workspace, track).read_bytes() == track.source.read_bytes()
    assert media_of(workspace.site, track).is_source


def test_an_mp3_is_copied_where_it_cannot_be_linked(mp3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "no links here")

    workspace, track = mp3()
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    make(workspace)
    assert preview(workspace, track).read_bytes() == track.source.read_bytes()
    assert preview(workspace, track).stat().st_ino != track.source.stat().st_ino


def test_an_mp3_of_variable_rate_is_encoded(tmp_path: Path) -> None:
    """Browsers do not find places in it: they would play up to 15 s beside a click."""
    import av

    path, samples = tmp_path / "song.mp3", song(4.0, rate=44_100)
    with av.open(str(path), "w", format="mp3") as file:
        stream: Any = file.add_stream("libmp3lame", rate=44_100, layout="stereo")
        stream.codec_context.qscale = True
        stream.codec_context.global_quality = 2 * 118
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = 44_100, 0
        file.mux([*stream.encode(frame), *stream.encode(None)])
    assert b"Xing" in path.read_bytes()[:300]
    workspace = workspaces.empty(tmp_path)
    workspaces.process(workspace, [path])
    (track,) = library.tracks(workspace)
    make(without_media(workspace))
    assert b"Info" in preview(workspace, track).read_bytes()[:300]
    assert decode(preview(workspace, track)).frames == decode(path).frames


def test_a_damaged_mp3_is_encoded_as_far_as_it_goes(mp3: Any) -> None:
    workspace, track = mp3(share=0.6)
    source = record.read(track.folder, result_types()).results["source"]
    assert source.partial
    make(workspace)
    found = decode(preview(workspace, track))
    assert not found.source.partial
    assert found.source.duration_s == pytest.approx(source.duration_s, abs=0.01)


# What goes wrong


def test_junk_is_not_worth_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path)
    make_track(workspace, "One.wav")

    def refuse(*_: object) -> None:
        raise AssertionError("a worker was asked for")

    monkeypatch.setattr(engine, "Engine", refuse)
    assert make(workspace) == 0
    assert names(workspace) == []


def test_what_cannot_be_encoded_is_tried_once(there: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def fall(source: Path, *_: object) -> None:
        tried.append(source.name)
        raise NoSound("an example")

    monkeypatch.setattr(media, "encode", fall)
    make(there)
    make(there)
    assert len(tried) == 3
    make(there, replace(ON, limits=Limits(duration_s=100)))
    assert len(tried) == 6
    media.forget(there)
    make(there)
    assert len(tried) == 9


def test_a_full_disk_is_no_fault_of_the_file(there: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(media, "encode", fall)
        with pytest.raises(WorkspaceError, match="No space left"):
            make(there)
    assert make(there) == 3


def test_a_lost_source_has_no_preview(there: Workspace) -> None:
    lost = library.tracks(there)[0]
    assert lost.source is not None
    lost.source.unlink()
    make(there)
    assert not preview(there, lost).exists()
    assert len(names(there)) == 8


def test_a_record_that_cannot_be_read_has_no_pictures(there: Workspace) -> None:
    make(there)
    broken = library.tracks(there)[0]
    (broken.folder / record.RECORD_NAME).write_text("{")
    make(there)
    assert pictures_of(there.site, broken).spectrogram is None
    assert media_of(there.site, broken) is not None


def test_a_state_that_is_no_state_is_begun_anew(there: Workspace) -> None:
    for name in (media.PICTURES_NAME, media.REFUSED_NAME):
        (there.state / name).write_text("[1]")
    assert make(there) == 9


def test_a_worker_encodes_within_its_limits(there: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert engine.Engine is not workspaces.InlineEngine
    assert make(there, replace(ON, workers=Workers(count=1))) == 9
    assert names(there) == wanted(there, PREVIEW, SPECTROGRAM, CHROMA)


# Pictures


def test_a_picture_follows_its_record(there: Workspace) -> None:
    make(there)
    track = library.tracks(there)[0]
    path = there.site / media.FOLDER / f"{track.id}{SPECTROGRAM}"
    before = path.read_bytes()
    found = record.read(track.folder, result_types())
    darker = replace(found.results["spectrogram"], levels_db=found.results["spectrogram"].levels_db / 2)
    record.write(replace(found, results={**found.results, "spectrogram": darker}), track.folder)
    assert make(there) == 2
    assert path.read_bytes() != before


def test_low_is_below_and_early_is_left() -> None:
    levels = np.full((3, 2), -60.0)
    levels[2, 0] = 0.0
    shown = pictures(Spectrogram(0.0, levels, np.array([100.0, 200.0]), np.zeros((0, 12))))
    assert list(shown) == [SPECTROGRAM]
    assert shown[SPECTROGRAM] == media.write_png(np.array([[0, 0, 0], [0, 0, 255]], np.uint8), media.palette())


@pytest.mark.parametrize("values", [np.zeros(5), np.zeros((1, 2)), np.zeros((0, 31)), np.array([[1.0, 2.0]])])
def test_what_is_no_picture_has_none(values: np.ndarray[Any, Any]) -> None:
    assert pictures(Spectrogram(None, values, np.zeros(1), values)) == {}
    assert pictures(None) == {}
