"""Comparisons: made of what a folder of `inbox/compare/` brought, and true to its tracks' records."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from filelock import FileLock

from processor import comparing, inbox, library, pipeline, record
from processor.bundles import comparisons, hold_back
from processor.comparing import make_comparisons
from processor.config import Settings
from processor.errors import WorkspaceError
from processor.feedback.comparisons import Stored, stored
from processor.files import slug
from processor.library import Arrival
from processor.workspace import Workspace
from tests import signals
from tests.libraries import make_track
from tests.signals import song
from tests.workspaces import InlineEngine, sound

RATE = 16_000


@pytest.fixture(autouse=True)
def _here() -> Iterator[None]:
    with mock.patch("processor.comparing.Engine", InlineEngine):
        yield


def process(workspace: Workspace, settings: Settings) -> None:
    drops = hold_back(workspace, inbox.scan(workspace).drops)[0]
    assert drops
    for event in pipeline.process(workspace, settings, drops, InlineEngine(settings)):  # type: ignore[arg-type]
        assert event.event in ("stored", "duplicate")


def piece(path: Path, shelf_db: float = 0.0, seconds: float = 6.0) -> Path:
    """A short piece whose treble is turned up or down."""
    from processor.feedback.equaliser import Band, equalised

    samples = song(seconds, rate=RATE)
    turned = equalised(signals.audio(samples, RATE), [Band("high shelf", 2000.0, shelf_db, 0.7)])
    path.parent.mkdir(parents=True, exist_ok=True)
    return signals.write_wav(path, next(turned.blocks()) * 0.4, RATE)


def one_of(workspace: Workspace) -> Stored:
    [found] = stored(workspace)
    return found


def test_a_comparison_is_made_once_and_holds_all(workspace: Workspace, settings: Settings) -> None:
    piece(workspace.inbox / "compare/My Song/mix.wav", 6.0)
    piece(workspace.inbox / "compare/My Song/reference.wav")
    process(workspace, settings)
    told: list[tuple[int, int]] = []
    [made] = make_comparisons(workspace, settings, lambda done, total: told.append((done, total)))
    assert told == [(1, 1)]
    found = one_of(workspace)
    assert found.folder == made.folder
    assert found.folder.parent.parent.parent.parent == workspace.library
    assert found.folder.name == f"my-song-{found.record.sha256[:8]}.comparison"
    assert (found.record.kind, found.record.name) == ("comparison", "My Song")
    mix, reference = (library.resolve(workspace, name) for name in ("mix", "reference"))
    assert (found.made_from.mix, found.made_from.references) == (mix.id, (reference.id,))
    assert found.comparison.bands_db[4] is not None
    assert found.comparison.bands_db[4] > 3
    equaliser, audition = found.equaliser, found.audition
    assert equaliser is not None
    assert audition is not None
    assert equaliser.rms_after_db is not None
    assert equaliser.rms_before_db is not None
    assert equaliser.rms_after_db < 0.5 * equaliser.rms_before_db
    assert sorted(path.name for path in found.folder.iterdir()) == ["my-song-audition.flac", "record.json"]
    # The library still has two tracks, and nothing is left over.
    assert len(library.tracks(workspace)) == 2
    assert list(workspace.work.iterdir()) == []
    before = found.signature
    assert make_comparisons(workspace, settings) == []
    assert one_of(workspace).signature == before


def test_one_recording_is_laid_in_step(workspace: Workspace, settings: Settings) -> None:
    random = np.random.default_rng(1)
    notes = [signals.sine(110 * 2 ** (random.integers(0, 48) / 12), 0.25, -12, rate=RATE) for _ in range(80)]
    samples = signals.spread(signals.joined(*(signals.faded(note) for note in notes)))
    folder = workspace.inbox / "compare/one"
    folder.mkdir(parents=True)
    signals.write_wav(folder / "mix.wav", samples, RATE)
    late = signals.joined(signals.silence(1.5, rate=RATE, channels=2), samples * np.float32(0.5))
    signals.write_wav(folder / "reference.wav", late, RATE)
    sound(folder / "stranger.wav", 5, 2.0)
    process(workspace, settings)
    make_comparisons(workspace, settings)
    made_from = one_of(workspace).made_from
    assert made_from.offsets_s == (pytest.approx(1.5, abs=0.1), 0.0)
    assert made_from.speeds == (pytest.approx(1.0, abs=1e-3), 1.0)


def test_it_follows_the_records(workspace: Workspace, settings: Settings) -> None:
    mix = make_track(workspace, "a.wav", path="compare/one/mix.wav")
    make_track(workspace, "r.wav", path="compare/one/reference.wav")
    [first] = make_comparisons(workspace, settings)
    assert first.record.failures["equaliser"].reason  # its sound is none
    assert make_comparisons(workspace, settings) == []
    found = record.read(mix.folder, comparing.result_types())
    keys = {**found.keys, "loudness": "changed"}
    record.write(record.Record(found.kind, found.sha256, found.name, found.results, keys), mix.folder)
    [second] = make_comparisons(workspace, settings)
    assert second.folder == first.folder
    assert second.record.keys["comparison"] != first.record.keys["comparison"]
    assert len(stored(workspace)) == 1


def test_another_reference_takes_the_old_one_s_place(workspace: Workspace, settings: Settings) -> None:
    make_track(workspace, "a.wav", path="compare/one/mix.wav")
    make_track(workspace, "r.wav", path="compare/one/reference.wav")
    make_track(workspace, "x.wav", path="compare/other/mix.wav")
    make_track(workspace, "y.wav", path="compare/other/reference.wav")
    assert len(make_comparisons(workspace, settings)) == 2
    make_track(workspace, "s.wav", path="compare/one/second.wav")
    assert len(make_comparisons(workspace, settings)) == 1
    found = {one.record.name: len(one.made_from.references) for one in stored(workspace)}
    assert found == {"one": 2, "other": 1}


def test_an_audition_that_was_taken_away_is_made_again(workspace: Workspace, settings: Settings) -> None:
    piece(workspace.inbox / "compare/one/mix.wav", -6.0)
    piece(workspace.inbox / "compare/one/reference.wav")
    process(workspace, settings)
    make_comparisons(workspace, settings)
    path = one_of(workspace).folder / "one-audition.flac"
    path.unlink()
    assert one_of(workspace).audition is None
    assert len(make_comparisons(workspace, settings)) == 1
    assert path.is_file()


def test_a_mix_whose_sound_is_gone_is_still_compared(workspace: Workspace, settings: Settings) -> None:
    mix = make_track(workspace, "a.wav", path="compare/one/mix.wav")
    make_track(workspace, "r.wav", path="compare/one/reference.wav")
    assert mix.source is not None
    mix.source.unlink()
    [made] = make_comparisons(workspace, settings)
    assert made.record.failures["equaliser"].kind == "skipped"
    assert made.equaliser is None
    assert made.comparison.measures


def test_two_with_one_name_on_disk_stay_apart(workspace: Workspace, settings: Settings) -> None:
    """Their slugs are the same, and so are their sounds."""
    for name in ("A b", "a-b"):
        make_track(workspace, f"{name}.mix.wav", path=f"compare/{name}/mix.wav")
    mix = make_track(workspace, "m.wav", path="compare/A B/mix.wav")
    reference = make_track(workspace, "r.wav", path="compare/A B/reference.wav")
    for track, part in ((mix, "mix"), (reference, "reference")):
        library.note_arrival(track, Arrival("2026-11-21T00:00:00+00:00", f"compare/a_b/{part}.wav", 1, 2, 3))
    assert slug("A B") == slug("a_b")
    assert len(make_comparisons(workspace, settings)) == 2
    assert sorted(one.record.name for one in stored(workspace)) == ["A B", "a_b"]
    assert make_comparisons(workspace, settings) == []


def test_a_broken_record_or_a_foreign_folder_stops_nobody(workspace: Workspace, settings: Settings) -> None:
    broken = make_track(workspace, "a.wav", path="compare/one/mix.wav")
    make_track(workspace, "r.wav", path="compare/one/reference.wav")
    make_track(workspace, "b.wav", path="compare/two/mix.wav")
    make_track(workspace, "s.wav", path="compare/two/reference.wav")
    (broken.folder / "record.json").write_text("{")
    day = broken.folder.parent
    (day / "x-12345678.comparison").mkdir()
    (day / "UPPER-12345678.comparison").mkdir()
    shutil.copytree(broken.folder, day / "y-12345678.comparison")
    [made] = make_comparisons(workspace, settings)
    assert made.record.name == "two"
    assert [one.record.name for one in stored(workspace)] == ["two"]


def test_another_process_is_not_disturbed(workspace: Workspace, settings: Settings) -> None:
    make_track(workspace, "a.wav", path="compare/one/mix.wav")
    make_track(workspace, "r.wav", path="compare/one/reference.wav")
    [plan] = [comparing._plan(bundle, []) for bundle in comparisons(workspace)]
    assert plan is not None
    with FileLock(workspace.work / f"comparison-{plan.sha256[:16]}-one.lock"):
        assert make_comparisons(workspace, settings) == []
    assert len(make_comparisons(workspace, settings)) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_library_that_cannot_be_written_is_told(workspace: Workspace, settings: Settings) -> None:
    make_track(workspace, "a.wav", path="compare/one/mix.wav")
    make_track(workspace, "r.wav", path="compare/one/reference.wav")
    workspace.work.chmod(0o500)
    try:
        with pytest.raises(WorkspaceError):
            make_comparisons(workspace, settings)
    finally:
        workspace.work.chmod(0o700)


def test_a_full_disk_is_told_and_leaves_nothing(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    piece(workspace.inbox / "compare/one/mix.wav", -6.0)
    piece(workspace.inbox / "compare/one/reference.wav")
    process(workspace, settings)
    monkeypatch.setattr(comparing, "audition", full)
    with pytest.raises(WorkspaceError, match="No space left"):
        make_comparisons(workspace, settings)
    assert stored(workspace) == []
    assert list(workspace.work.iterdir()) == []
