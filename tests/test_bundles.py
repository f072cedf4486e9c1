"""Folders of `inbox/compare/`: taken whole or left alone, and made into comparisons that stay true."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from filelock import FileLock

from processor import bundles, inbox, library, pipeline, record
from processor.bundles import bundle_of, comparisons, hold_back, make_comparisons
from processor.config import Settings
from processor.errors import WorkspaceError
from processor.feedback.comparisons import Stored, stored
from processor.files import slug
from processor.library import Arrival
from processor.workspace import Workspace
from tests import signals
from tests.libraries import make_track
from tests.signals import song
from tests.workspaces import InlineEngine, junk, sound

RATE = 16_000


@pytest.fixture(autouse=True)
def _here() -> Iterator[None]:
    with mock.patch("processor.bundles.Engine", InlineEngine):
        yield


def drop(workspace: Workspace, name: str, seed: int = 0) -> Path:
    return sound(workspace.inbox / name, seed)


def held(workspace: Workspace, **how: Any) -> tuple[list[str], list[tuple[str, str]]]:
    ready, told = hold_back(workspace, inbox.scan(workspace).drops, **how)
    return [one.name for one in ready], [(one.name, one.reason) for one in told]


def later() -> float:
    return time.time() + 605


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


# Names


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("compare/one/mix.wav", ("one", True)),
        ("compare/one/MIX.flac", ("one", True)),
        ("Compare/One/reference.wav", ("One", False)),
        ("compare/one/mix 2.wav", ("one", False)),
        ("compare/mix.wav", None),
        ("compare/one/deeper/mix.wav", None),
        ("album/one/mix.wav", None),
        ("mix.wav", None),
    ],
)
def test_what_belongs_to_a_comparison(path: str, place: tuple[str, bool] | None) -> None:
    assert bundle_of(path) == place


# Holding back


def test_a_complete_folder_is_let_go_whole(workspace: Workspace) -> None:
    names = ["compare/one/extra.wav", "compare/one/mix.wav", "compare/one/reference.wav", "song.wav"]
    for seed, name in enumerate(names):
        drop(workspace, name, seed)
    assert held(workspace, now=later()) == (names, [])


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("mix.wav", "it still needs a sound file to compare the mix with"),
        ("reference.wav", "it still needs a sound file called mix (mix.wav, mix.flac …)"),
    ],
)
def test_an_incomplete_folder_is_held_back_and_told_after_ten_minutes(
    workspace: Workspace, name: str, missing: str
) -> None:
    drop(workspace, f"compare/one/{name}")
    drop(workspace, "song.wav", 1)
    assert held(workspace) == (["song.wav"], [])
    assert held(workspace, now=time.time() + 595) == (["song.wav"], [])
    told = [("compare/one", f"this comparison is not complete: {missing}")]
    assert held(workspace, now=later()) == (["song.wav"], told)


def test_only_sounds_make_a_folder_complete(workspace: Workspace) -> None:
    (workspace.inbox / "compare/one").mkdir(parents=True)
    junk(workspace.inbox / "compare/one/notes.txt")
    ready, [(name, reason)] = held(workspace, now=later())
    assert (ready, name) == ([], "compare/one")
    assert "has no sound file yet" in reason
    drop(workspace, "compare/one/mix.wav")
    assert held(workspace, now=later())[0] == []
    drop(workspace, "compare/one/reference.wav", 1)
    assert len(held(workspace, now=later())[0]) == 3


def test_a_file_that_is_still_arriving_holds_its_folder(workspace: Workspace) -> None:
    for seed, name in enumerate(("mix.wav", "reference.wav", "second.wav")):
        drop(workspace, f"compare/one/{name}", seed)
    drop(workspace, "song.wav", 9)
    drops = inbox.scan(workspace).drops
    ready, told = hold_back(workspace, [d for d in drops if "second" not in d.name], drops[2:3], now=later())
    assert drops[2].name == "compare/one/second.wav"
    assert ([one.name for one in ready], told) == (["song.wav"], [])


def test_folders_do_not_complete_each_other(workspace: Workspace) -> None:
    drop(workspace, "compare/one/mix.wav")
    drop(workspace, "compare/two/reference.wav", 1)
    ready, told = held(workspace, now=later())
    assert ready == []
    assert [name for name, _ in told] == ["compare/one", "compare/two"]


def test_a_file_may_follow_those_that_are_in_the_library(workspace: Workspace) -> None:
    make_track(workspace, "mix.wav", path="compare/one/mix.wav")
    drop(workspace, "compare/one/reference.wav")
    drop(workspace, "compare/two/reference.wav", 1)
    assert held(workspace)[0] == ["compare/one/reference.wav"]


@pytest.mark.parametrize(
    ("part", "missing"), [("mix.wav", "a sound file to compare"), ("reference.wav", "a sound file called mix")]
)
def test_a_comparison_whose_rest_is_nowhere_is_told(workspace: Workspace, part: str, missing: str) -> None:
    """As after a reference that could not be read."""
    make_track(workspace, "part.wav", path=f"compare/night bus/{part}")
    make_track(workspace, "whole.wav", path="compare/other/mix.wav")
    make_track(workspace, "whole too.wav", path="compare/other/loud.wav")
    assert bundles.left_without(workspace, []) == []  # there is no catalogue yet
    pipeline.publish(workspace)
    [told] = bundles.left_without(workspace, inbox.scan(workspace).drops)
    assert told.name == "compare/night bus"
    assert missing in told.reason
    assert "night bus" in (workspace.site / "attention.html").read_text()
    drop(workspace, "compare/night bus/loud.wav")
    assert bundles.left_without(workspace, inbox.scan(workspace).drops) == []


def test_files_from_elsewhere_are_not_held_back(workspace: Workspace, tmp_path: Path) -> None:
    sound(tmp_path / "compare/one/mix.wav")
    drops = inbox.drops_from([tmp_path / "compare"], workspace).drops
    assert [one.name for one in drops] == ["compare/one/mix.wav"]
    assert hold_back(workspace, drops, now=later()) == (drops, [])


# What belongs together


def test_comparisons_are_known_by_the_paths_of_arrival(workspace: Workspace) -> None:
    mix = make_track(workspace, "a.wav", path="compare/one/mix.wav")
    make_track(workspace, "zebra.wav", path="compare/one/zebra.wav")
    make_track(workspace, "apple.wav", path="compare/one/apple.wav")
    make_track(workspace, "lonely.wav", path="compare/two/mix.wav")
    make_track(workspace, "orphan.wav", path="compare/three/reference.wav")
    make_track(workspace, "other.wav")
    [found] = comparisons(workspace)
    assert (found.name, found.mix) == ("one", mix)
    assert [track.id.rpartition("-")[0] for track in found.references] == ["apple", "zebra"]


def test_the_latest_mix_counts_and_a_track_may_be_in_several(workspace: Workspace) -> None:
    old = make_track(workspace, "a.wav", path="compare/one/mix.wav", day="2026/11/18")
    new = make_track(workspace, "b.wav", path="compare/one/mix.flac", day="2026/11/20")
    reference = make_track(workspace, "r.wav", path="compare/one/reference.wav")
    library.note_arrival(reference, Arrival("2026-11-21T00:00:00+00:00", "compare/two/reference.wav", 1, 2, 3))
    library.note_arrival(old, Arrival("2026-11-21T00:00:00+00:00", "compare/two/mix.wav", 1, 2, 3))
    assert [(one.name, one.mix, one.references) for one in comparisons(workspace)] == [
        ("one", new, (reference,)),
        ("two", old, (reference,)),
    ]


# What is made


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
    found = record.read(mix.folder, bundles.result_types())
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
    [plan] = [bundles._plan(bundle, []) for bundle in comparisons(workspace)]
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
    monkeypatch.setattr(bundles, "audition", full)
    with pytest.raises(WorkspaceError, match="No space left"):
        make_comparisons(workspace, settings)
    assert stored(workspace) == []
    assert list(workspace.work.iterdir()) == []
