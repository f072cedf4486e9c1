"""The deep pass: one model after the other, what is left to do, and how a record comes to what models found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from processor import deep, engine, files, library
from processor.backlog import Backlog, advice, need, roster
from processor.config import Analysers, Settings
from processor.deep import Pass, deepen
from processor.engine import Job
from processor.errors import WorkspaceBusy, WorkspaceError
from processor.graph import Outcome
from processor.library import Track
from processor.models import loading
from processor.models.table import all_models
from processor.pipeline import Event, refresh, stale_tracks
from processor.record import RECORD_NAME, Failure, Record, read, write
from processor.sidecars import MADE_AGAIN, Sidecars
from processor.site.deep import Running, read_running
from processor.workspace import Workspace
from tests import hearing, workspaces
from tests.faults.doubles import InlineEngine, leftovers, run, tone
from tests.hearing import STEMS, ears, noted, order

Ears = Callable[..., dict[str, Any]]
__all__ = ["ears"]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "Engine", workspaces.InlineEngine)


def stored(workspace: Workspace, settings: Settings, *names: str) -> list[Track]:
    """Tracks that have gone through the fast pass."""
    for number, name in enumerate(names):
        tone(workspace.inbox / f"{name}.wav", 300 + 10 * number)
    assert {event.event for event in run(workspace, settings)} <= {"stored"}
    return library.tracks(workspace)


def heard(workspace: Workspace, settings: Settings, tracks: Sequence[Track] | None = None) -> list[Event]:
    """A whole pass."""
    backlog = Backlog(workspace, settings, tracks)
    with Pass(workspace, settings, backlog, InlineEngine()) as work:  # type: ignore[arg-type]
        return list(deepen(work, lambda running: None))


def record_of(track: Track) -> Record:
    return read(track.folder, hearing.types())


def values(track: Track) -> dict[str, float]:
    results = record_of(track).results
    return {name: results[name].value for name in ("pitch", "melody", "tags") if name in results}


def test_without_models_there_is_nothing_deep_and_nothing_to_do(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    ears(models={})
    (track,) = stored(workspace, settings, "a")
    assert set(record_of(track).results) == {"source", "level", "tags"}
    assert record_of(track).failures == {}
    assert heard(workspace, settings) == []
    assert stale_tracks(workspace, settings) == ([], [])
    assert advice(settings) == ["No model is here that could hear. Get some: linernotes models get yamnet htdemucs"]


def test_each_model_hears_all_tracks_before_the_next_is_loaded(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    tracks = stored(workspace, settings, "a", "b", "c")
    (hearing.place() / "log").unlink()
    events = heard(workspace, settings)
    said = [line for line in noted() if line not in ("melody", "tags")]
    assert said[0] == "load htdemucs"
    assert sorted(said[1:4]) == ["stems a", "stems b", "stems c"]
    assert said[4] == "load swift_f0"
    assert sorted(said[5:]) == [f"pitch {name} of a stem" for name in "abc"]
    assert [event.event for event in events] == ["deepened"] * 3 + ["deepened", "refreshed"] * 3
    assert {event.track for event in events} == {track.id for track in tracks}
    assert {"load", "decode", "stems"} <= events[0].seconds.keys()
    for track in tracks:
        assert values(track) == {"pitch": 1, "melody": pytest.approx(1.25, abs=0.01), "tags": 3}
        assert sorted(path.name for path in (track.folder / "stems").iterdir()) == ["other.flac", "vocals.flac"]
    assert heard(workspace, settings) == []
    assert stale_tracks(workspace, settings) == ([], [])
    assert leftovers(workspace) == []


def test_the_hashes_are_those_of_the_files(workspace: Workspace, settings: Settings, ears: Ears) -> None:
    (track,) = stored(workspace, settings, "a")
    heard(workspace, settings)
    parts = record_of(track).results["stems"]
    assert parts.files == STEMS
    assert parts.file_sha256 == tuple(files.hash_file(track.folder / name) for name in STEMS)


def test_named_tracks_are_heard_and_no_others(workspace: Workspace, settings: Settings, ears: Ears) -> None:
    one, other = stored(workspace, settings, "a", "b")
    assert {event.track for event in heard(workspace, settings, [other])} == {other.id}
    assert "stems" not in record_of(one).results


def test_models_of_which_some_are_here_do_what_they_can(workspace: Workspace, settings: Settings, ears: Ears) -> None:
    ears(models={"pitch_tracker": "swift_f0"})
    (track,) = stored(workspace, settings, "a")
    heard(workspace, settings)
    assert values(track) == {"pitch": 0, "tags": 2}
    ears()
    events = heard(workspace, settings)
    assert [event.event for event in events] == ["deepened", "deepened", "refreshed"]
    assert values(track) == {"pitch": 1, "melody": pytest.approx(1.25, abs=0.01), "tags": 3}


def test_one_that_waits_for_another_model_is_heard_in_the_same_pass(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    ears(choir=1)
    stored(workspace, settings, "a", "b")
    (hearing.place() / "log").unlink()
    heard(workspace, settings)
    said = [line for line in noted() if line not in ("melody", "tags")]
    assert [line.split()[0] for line in said] == ["load", "stems", "stems", "load", "pitch", "pitch", "choir", "choir"]
    for track in library.tracks(workspace):
        assert read(track.folder, {"choir": hearing.Heard}).results["choir"].value == 11
    assert heard(workspace, settings) == []


def test_it_goes_on_where_it_was(workspace: Workspace, settings: Settings, ears: Ears) -> None:
    stored(workspace, settings, "a", "b")
    with (
        suppress(KeyboardInterrupt),
        Pass(workspace, settings, Backlog(workspace, settings), InlineEngine()) as work,  # type: ignore[arg-type]
    ):
        for number, _ in enumerate(deepen(work, lambda running: None)):
            if number == 2:
                raise KeyboardInterrupt
    assert leftovers(workspace) == []
    before = noted()
    heard(workspace, settings)
    after = [line for line in noted()[len(before) :] if not line.startswith("load")]
    assert not [line for line in after if line.startswith("stems")], "both were done"
    assert sum(line.startswith("pitch") for line in before + after) == 2


def test_between_the_last_model_and_the_refresh_nothing_is_lost(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    (track,) = stored(workspace, settings, "a")
    work = Pass(workspace, settings, Backlog(workspace, settings), InlineEngine())  # type: ignore[arg-type]
    with work:
        assert [work.work()[0].event for _ in range(2)] == ["deepened"] * 2  # type: ignore[index]
    assert values(track) == {"pitch": 1, "tags": 0}
    assert [event.event for event in heard(workspace, settings)] == ["refreshed"]
    assert values(track)["tags"] == 3


# What makes a result stale


def test_another_model_or_other_weights_hear_again(workspace: Workspace, settings: Settings, ears: Ears) -> None:
    (track,) = stored(workspace, settings, "a")
    heard(workspace, settings)
    old = dict(record_of(track).keys)
    for change in ({"weights": "2"}, {"models": {**hearing.MODELS, "separator": "htdemucs_ft"}}):
        ears(**change)
        assert [event.event for event in heard(workspace, settings)][:2] == ["deepened", "deepened"]
        assert record_of(track).keys["stems"] != old["stems"]
        assert heard(workspace, settings) == []
    assert record_of(track).results["stems"].model == "htdemucs_ft"


def test_a_new_version_of_one_that_hears_runs_it_and_what_listens_to_it(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    stored(workspace, settings, "a")
    heard(workspace, settings)
    ears(pitch=2)
    (hearing.place() / "log").unlink()
    heard(workspace, settings)
    assert noted() == ["load swift_f0", "pitch a of a stem", "melody", "tags"] or noted() == [
        "load swift_f0",
        "pitch a of a stem",
        "tags",
        "melody",
    ]


def test_sound_that_is_gone_is_made_again_and_nothing_else(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    (track,) = stored(workspace, settings, "a")
    heard(workspace, settings)
    before = (track.folder / RECORD_NAME).read_bytes()
    (track.folder / STEMS[1]).unlink()
    (hearing.place() / "log").unlink()
    assert [event.event for event in heard(workspace, settings)] == ["deepened"]
    assert [line for line in noted() if not line.startswith("load")] == ["stems a"]
    assert (track.folder / STEMS[1]).is_file()
    assert (track.folder / RECORD_NAME).read_bytes() == before


def test_sound_that_is_damaged_is_made_again(workspace: Workspace, settings: Settings, ears: Ears) -> None:
    (track,) = stored(workspace, settings, "a")
    heard(workspace, settings)
    (track.folder / STEMS[1]).write_bytes(b"xx")
    assert [event.event for event in heard(workspace, settings)] == ["deepened"]
    assert Sidecars(track.folder).opens(STEMS[1])
    assert heard(workspace, settings) == []


def test_sound_that_a_listener_could_not_read_is_made_again(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    (track,) = stored(workspace, settings, "a")
    heard(workspace, settings)
    tree = json.loads((track.folder / RECORD_NAME).read_bytes())
    reason = f"SidecarMissing: {STEMS[0]} is cut off. {MADE_AGAIN}"
    tree["failures"]["tags"] = {"kind": "failed", "reason": reason}
    (track.folder / RECORD_NAME).write_text(json.dumps(tree))
    (hearing.place() / "log").unlink()
    heard(workspace, settings)
    assert "stems a" in noted()


def test_sound_that_a_new_result_does_not_name_any_more_goes(
    workspace: Workspace, settings: Settings, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    (track,) = stored(workspace, settings, "a")
    monkeypatch.setattr(hearing, "STEMS", ("stems/vocals.flac", "stems/guitar.flac"))
    heard(workspace, settings)
    mine = track.folder / "stems" / "mine.txt"
    mine.write_text("a person's own")
    monkeypatch.setattr(hearing, "STEMS", STEMS)
    ears(weights="2")
    heard(workspace, settings)
    found = sorted(path.name for path in (track.folder / "stems").iterdir())
    assert found == ["mine.txt", "other.flac", "vocals.flac"]


def test_a_record_that_names_files_elsewhere_removes_none_of_them(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    (track,) = stored(workspace, settings, "a")
    heard(workspace, settings)
    victim = workspace.home / "victim.flac"
    victim.write_text("precious")
    found = record_of(track)
    parts = replace(found.results["stems"], files=("../../../../../victim.flac", str(victim)))
    write(replace(found, results={**found.results, "stems": parts}), track.folder)
    assert heard(workspace, settings)[0].event == "deepened"
    assert victim.read_text() == "precious"


def test_one_that_is_switched_off_is_not_heard(workspace: Workspace, settings: Settings, ears: Ears) -> None:
    (track,) = stored(workspace, settings, "a")
    deaf = replace(settings, analysers=Analysers(off=("stems",)))
    heard(workspace, deaf)
    assert values(track) == {"pitch": 0, "tags": 2}
    assert not (track.folder / "stems").exists()


# What refresh and a person's word do meanwhile


def test_without_models_refresh_leaves_what_they_found(workspace: Workspace, settings: Settings, ears: Ears) -> None:
    (track,) = stored(workspace, settings, "a")
    heard(workspace, settings)
    before = record_of(track)
    ears(models={}, tags=2, stems=2, level=2)
    ((stale,), _) = stale_tracks(workspace, settings)
    assert sorted(stale.names) == ["level", "tags"]
    list(refresh(workspace, settings, [stale], InlineEngine()))  # type: ignore[arg-type]
    after = record_of(track)
    assert set(after.results) == set(before.results)
    assert after.keys["stems"] == before.keys["stems"]
    assert after.results["pitch"] == before.results["pitch"]
    assert stale_tracks(workspace, settings) == ([], [])


def test_a_persons_word_reaches_what_listens_to_models_and_no_model(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    (track,) = stored(workspace, settings, "a")
    heard(workspace, settings)
    library.write_person(track, {"melody.value": 9.0})
    assert [need(track, settings, roster(settings)).steps] == [()]
    (hearing.place() / "log").unlink()
    stale, _ = stale_tracks(workspace, settings, track)
    list(refresh(workspace, settings, stale, InlineEngine()))  # type: ignore[arg-type]
    assert noted() == ["melody"]
    assert values(track)["melody"] == 9
    assert heard(workspace, settings) == []


def test_what_failed_in_a_model_is_not_retried_by_refresh_and_stays_told(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    (track,) = stored(workspace, settings, "a")
    order("stems-a", "fail")
    heard(workspace, settings)
    assert stale_tracks(workspace, settings) == ([], [])
    ears(level=2)
    list(refresh(workspace, settings, stale_tracks(workspace, settings)[0], InlineEngine()))  # type: ignore[arg-type]
    assert record_of(track).failures["stems"] == Failure("failed", "RuntimeError: no luck")


def test_a_refresh_that_was_begun_before_a_model_ended_keeps_what_it_found(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    (track,) = stored(workspace, settings, "a")
    ears(level=2)
    stale, _ = stale_tracks(workspace, settings)

    def slow(job: Job) -> Outcome:
        outcome = engine.analyse(job)
        heard(workspace, settings)  # another process, meanwhile
        return outcome

    list(refresh(workspace, settings, stale, InlineEngine(slow)))  # type: ignore[arg-type]
    assert {"stems", "pitch"} <= record_of(track).results.keys()
    assert record_of(track).keys["level"] == stale[0].keys["level"]
    heard(workspace, settings)
    assert values(track)["tags"] == 3
    assert stale_tracks(workspace, settings) == ([], [])


def test_a_word_that_came_while_a_model_heard_is_kept(
    workspace: Workspace, settings: Settings, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    (track,) = stored(workspace, settings, "a")
    heard(workspace, settings)
    ears(pitch=2)

    def slow(job: Job) -> Outcome:
        library.write_person(track, {"melody.value": 9.0})
        stale, _ = stale_tracks(workspace, settings, track)
        list(refresh(workspace, settings, stale, InlineEngine()))  # type: ignore[arg-type]
        assert values(track)["melody"] == 9
        return engine.analyse(job)

    monkeypatch.setattr(engine, "Engine", lambda settings: workspaces.InlineEngine(settings, slow))
    heard(workspace, settings)
    assert values(track)["melody"] == 9
    assert heard(workspace, settings) == []


# Failures


def test_a_failure_costs_the_others_nothing_and_is_tried_once_a_pass(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    one, other = stored(workspace, settings, "a", "b")
    order("stems-a", "fail")
    events = heard(workspace, settings)
    failed = [event for event in events if event.event == "failed"]
    assert [(event.name, event.track, event.reason) for event in failed] == [
        ("a.wav", one.id, "stems: RuntimeError: no luck")
    ]
    assert noted().count("stems a") == 1
    assert record_of(one).failures["stems"].kind == "failed"
    assert record_of(one).failures["melody"].kind == "skipped"
    assert values(one) == {"pitch": 0, "tags": 2}
    assert values(other)["tags"] == 3


def test_what_listens_to_one_that_recovers_listens_again(workspace: Workspace, settings: Settings, ears: Ears) -> None:
    """Its key is the same as that of its failure; all the same nobody may go on with what was said without it."""
    (track,) = stored(workspace, settings, "a")
    order("stems-a", "fail")
    heard(workspace, settings)
    order("stems-a", None)
    (hearing.place() / "log").unlink()
    heard(workspace, settings)
    assert "pitch a of a stem" in noted()
    assert values(track) == {"pitch": 1, "melody": pytest.approx(1.25, abs=0.01), "tags": 3}
    assert record_of(track).failures == {}
    assert "" not in record_of(track).keys.values()
    assert heard(workspace, settings) == []


def test_too_little_memory_is_the_analysers_failure_with_the_way_out(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    def guarded(job: Job) -> Outcome:
        answer = engine._guarded(engine.analyse, job)
        if isinstance(answer, Outcome):
            return answer
        raise answer

    (track,) = stored(workspace, settings, "a")
    order("pitch-a", "memory")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "Engine", lambda settings: workspaces.InlineEngine(settings, guarded))
        events = heard(workspace, settings)
    assert "models.worker_memory_bytes" in record_of(track).failures["pitch"].reason
    assert [event.event for event in events] == ["deepened", "failed", "refreshed"]
    assert record_of(track).failures["melody"].kind == "skipped"
    order("pitch-a", None)
    heard(workspace, settings)
    assert record_of(track).failures == {}


def test_a_model_that_cannot_be_loaded_is_told_once_and_marks_no_track(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    tracks = stored(workspace, settings, "a", "b", "c")
    order("load-htdemucs", "its file is damaged")
    events = heard(workspace, settings)
    failed = [(event.name, event.track, event.reason) for event in events if event.event == "failed"]
    assert failed == [("htdemucs", None, "htdemucs cannot be loaded: its file is damaged")]
    assert noted().count("load htdemucs") == 1
    assert all(values(track) == {"pitch": 0, "tags": 2} for track in tracks)
    assert all("stems" not in record_of(track).failures for track in tracks)
    order("load-htdemucs", None)
    heard(workspace, settings)
    assert all(values(track)["tags"] == 3 for track in tracks)


def test_more_than_a_record_can_hold_is_the_analysers_failure(
    workspace: Workspace, settings: Settings, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = stored(workspace, settings, "a", "b")
    monkeypatch.setattr(hearing.Fake, "__getattribute__", lambda self, name: "x" * 70_000)
    heard(workspace, settings)
    for track in (one, other):
        assert "at most 65536 are allowed" in record_of(track).failures["stems"].reason
        assert not (track.folder / "stems").exists()
        assert values(track) == {"pitch": 0, "tags": 2}


def test_a_source_that_is_gone_or_damaged_is_told_and_its_record_stays(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    gone, damaged, good = stored(workspace, settings, "a", "b", "c")
    assert gone.source is not None
    assert damaged.source is not None
    gone.source.unlink()
    damaged.source.write_text("words")
    before = {track.id: (track.folder / RECORD_NAME).read_bytes() for track in (gone, damaged)}
    events = heard(workspace, settings)
    failed = {event.track: event.reason or "" for event in events if event.event == "failed"}
    assert failed.keys() == {gone.id, damaged.id}
    assert failed[gone.id] == "its source file is gone from the library"
    assert failed[damaged.id].endswith("Its record stays as it was.")
    assert {track.id: (track.folder / RECORD_NAME).read_bytes() for track in (gone, damaged)} == before
    assert values(good)["tags"] == 3


def test_a_track_that_is_taken_away_meanwhile_does_not_come_back(
    workspace: Workspace, settings: Settings, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = stored(workspace, settings, "a", "b")

    def slow(job: Job) -> Outcome:
        outcome = engine.analyse(job)
        if job.path.stem == "a":
            shutil.rmtree(one.folder)
        return outcome

    monkeypatch.setattr(engine, "Engine", lambda settings: workspaces.InlineEngine(settings, slow))
    events = heard(workspace, settings)
    assert [event.track for event in events if event.event == "failed"] == [one.id]
    assert library.tracks(workspace) == [other]
    assert not one.folder.exists()
    assert values(other)["tags"] == 3
    assert leftovers(workspace) == []


def test_a_record_that_cannot_be_read_is_told_and_the_others_are_heard(
    workspace: Workspace, settings: Settings, ears: Ears
) -> None:
    broken, good = stored(workspace, settings, "a", "b")
    (broken.folder / RECORD_NAME).write_text("{")
    backlog = Backlog(workspace, settings)
    with Pass(workspace, settings, backlog, InlineEngine()) as work:  # type: ignore[arg-type]
        assert {event.track for event in deepen(work, lambda running: None)} == {good.id}
    assert list(backlog.problems) == [broken.id]


def test_two_passes_at_once_are_one_too_many(workspace: Workspace, settings: Settings, ears: Ears) -> None:
    stored(workspace, settings, "a")
    with (
        Pass(workspace, settings, Backlog(workspace, settings), InlineEngine()),  # type: ignore[arg-type]
        pytest.raises(WorkspaceBusy, match=r"deep\.html"),
    ):
        heard(workspace, settings)
    assert heard(workspace, settings)


def test_models_that_are_on_and_not_here_are_told_with_the_way_out(
    settings: Settings, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "missing", lambda settings: [all_models()["ast"]])
    assert advice(settings) == ["ast is on, but not here; get it: linernotes models get ast"]


# What is told meanwhile


def test_it_says_what_it_does_and_how_far_it_is(
    workspace: Workspace, settings: Settings, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(workspace, settings, "a", "b")
    shown: list[Running | None] = []
    seen: list[Running | None] = []

    def slow(job: Job) -> Outcome:
        assert job.hearing is not None
        assert job.hearing.report is not None
        outcome = engine.analyse(job)
        if "stems" in (job.hearing.only or ()):
            assert job.hearing.report.read_text() == "0.2500"
        shown.append(work.running())
        seen.append(read_running(workspace))
        return outcome

    monkeypatch.setattr(engine, "Engine", lambda settings: workspaces.InlineEngine(settings, slow))
    with Pass(workspace, settings, Backlog(workspace, settings), InlineEngine()) as work:  # type: ignore[arg-type]
        list(deepen(work, lambda running: None))
    told = [(one.analyser, one.number, one.total, one.share) for one in shown if one is not None]
    assert told[:2] == [("stems", 1, 2, 0.25), ("stems", 2, 2, 0.25)]
    assert [one[:3] for one in told[2:]] == [("pitch", 1, 2), ("pitch", 2, 2)]
    assert shown[0] is not None
    assert shown[0].text().startswith("stems 1/2 a.wav 25 %, about ")
    assert shown[0].text().endswith(" left")
    assert seen[0] is not None, "other processes see it, too"
    assert (seen[0].model, seen[0].track) == ("htdemucs", shown[0].track)
    assert read_running(workspace) is None
    assert not (workspace.state / "deep.json").exists()


def test_what_a_killed_pass_left_is_not_running(workspace: Workspace) -> None:
    running = Running("a-12345678", "a.wav", "stems", "htdemucs", 1, 2, 0.5, None, "2026-11-20T06:30:00+00:00")
    deep.note_running(workspace, running)
    assert read_running(workspace) is None
    with deep._alone(workspace):
        deep.note_running(workspace, running)
        assert read_running(workspace) == running
        (workspace.state / "deep.json").write_text(json.dumps({"track": 1}))
        assert read_running(workspace) is None
    assert running.text() == "stems 1/2 a.wav 50 %"


def test_only_records_that_changed_are_read_again(
    workspace: Workspace, settings: Settings, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = stored(workspace, settings, "a", "b")
    backlog, looks = Backlog(workspace, settings), []
    original = backlog._look
    monkeypatch.setattr(backlog, "_look", lambda track: (looks.append(track.id), original(track))[1])
    for _ in range(3):
        assert [step.job for step in backlog.steps()] == ["separator"] * 2
    assert len(looks) == 2
    library.write_person(one, {"note": "listen"})
    backlog.steps()
    assert looks[2:] == [one.id]


def test_a_disk_that_is_full_ends_the_pass_and_nothing_is_lost(
    workspace: Workspace, settings: Settings, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    (track,) = stored(workspace, settings, "a")
    before = (track.folder / RECORD_NAME).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for where in ("processor.sidecars.replacing", "processor.deep.write"):
        with monkeypatch.context() as patch:
            patch.setattr(where, full)
            with pytest.raises(WorkspaceError, match=r"No space left on device.*Make room"):
                heard(workspace, settings)
        assert (track.folder / RECORD_NAME).read_bytes() == before
        assert leftovers(workspace) == []
    heard(workspace, settings)
    assert values(track)["tags"] == 3
