"""Mashups that are asked for: by two songs in a folder of the inbox, by a dropped plan, by an edited one."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from processor import inbox, library, mashing, pairing, pipeline, record, wanted
from processor.analysis import result_types
from processor.bundles import hold_back
from processor.config import Settings
from processor.errors import LinerNotesError, WorkspaceError
from processor.graph import Outcome
from processor.library import Arrival
from processor.mashup import kept
from processor.mashup.match import Pair
from processor.mashup.measured import Measured
from processor.mashup.plan import Fit, Plan, PlanError
from processor.mashup.plan_files import to_toml
from processor.mashup.songs import NoStems
from processor.wanted import make_mashups, to_separate
from processor.workspace import Workspace
from tests import signals
from tests.libraries import invented, make_track
from tests.mashup.heard import a_plan
from tests.workspaces import InlineEngine, sound

RATE = 16_000


@dataclass
class Kitchen:
    """Makes mashups of nothing, and notes what was asked for."""

    made: list[mashing.Songs]
    plans: list[Plan]
    trouble: Exception | None = None

    def propose(self, songs: mashing.Songs, wishes: Any, limits: Any, progress: Any) -> list[Plan]:
        progress("listening", 1.0)
        first = a_plan(name=wishes.name or "Nameless", vocals=self._source(songs[0], a_plan().vocals))
        return [first, replace(first, segments=first.segments[:1])]

    def _source(self, song: Any, source: Any) -> Any:
        return replace(source, name=song.name, sha256=song.sha256)

    def produce(self, plan: Plan, songs: mashing.Songs, limits: Any, progress: Any) -> Any:
        if self.trouble is not None:
            raise self.trouble
        progress("rendering", 0.5)
        self.made.append(songs)
        self.plans.append(plan)
        return SimpleNamespace(plan=plan, measured=invented(Measured), rendered=None)

    def write(self, rendered: Any, plan: Plan, out: Path, as_wav: bool) -> None:
        text = to_toml(plan)
        (out / "plan.toml").write_text(text, encoding="utf-8")
        (out / "stems").mkdir()
        (out / "stems/vocals.flac").write_bytes(b"voice")
        level = -20 - int(kept.text_hash(text)[:4], 16) / 10_000
        signals.write_wav(
            out / "mix.flac", signals.sine(440, 0.5, level, rate=RATE, channels=2), RATE, subtype="PCM_24"
        )


@pytest.fixture
def kitchen(monkeypatch: pytest.MonkeyPatch) -> Kitchen:
    one = Kitchen([], [])
    monkeypatch.setattr(mashing, "Engine", InlineEngine)
    for name in ("propose", "produce", "write"):
        monkeypatch.setattr(mashing, name, getattr(one, name))
    monkeypatch.setattr(mashing, "analyse", lambda job: Outcome({"loudness": invented(result_types()["loudness"])}))
    return one


def two_songs(workspace: Workspace, folder: str = "Night Bus") -> tuple[library.Track, library.Track]:
    """A voice and an instrumental in the library, as they were dropped."""
    tracks = []
    for name in ("vocals", "instrumental"):
        track = make_track(workspace, f"{folder} {name}.wav", path=f"mashup/{folder}/{name}.wav")
        assert track.source is not None
        sound(track.source, len(tracks))
        tracks.append(track)
    pipeline.publish(workspace)
    return tracks[0], tracks[1]


def drop_plan(workspace: Workspace, plan: Plan | str, folder: str = "Night Bus") -> Path:
    path = workspace.inbox / "mashup" / folder / "plan.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(plan if isinstance(plan, str) else to_toml(plan), encoding="utf-8")
    return path


def troubles(workspace: Workspace) -> dict[str, str]:
    return {name: one.reason for name, one in kept.troubles(workspace).items()}


# What is made


def test_a_folder_becomes_a_mashup_and_a_track_once(workspace: Workspace, settings: Settings, kitchen: Kitchen) -> None:
    vocals, instrumental = two_songs(workspace)
    stages: list[str] = []
    [made] = make_mashups(workspace, settings, lambda stage, share: stages.append(stage))
    assert "rendering" in stages or "analysing" in stages
    [(sings, plays)] = kitchen.made
    assert (sings.name, dict(sings.layers)) == (vocals.id, {"vocals": vocals.source})
    assert (plays.name, dict(plays.layers)) == (instrumental.id, {"instrumental": instrumental.source})
    [stored] = kept.stored(workspace)
    assert stored.folder == made.folder
    assert stored.name == "Night Bus"
    assert stored.record.sha256 == kept.text_hash(stored.plan_text)
    assert stored.origin.folder == "Night Bus"
    assert stored.origin.supplied == (f"vocals {vocals.id}", f"instrumental {instrumental.id}")
    assert [path.name for path in stored.alternatives] == ["plan-2.toml"]
    # The mix is a track, and its bytes are on the disk once.
    mix = library.resolve(workspace, stored.made_from.mix or "")
    assert kept.is_mix(mix)
    assert library.arrivals(mix)[0].path == f"mashups/{stored.id}/mix.flac"
    assert mix.source is not None
    assert stored.mix is not None
    assert mix.source.samefile(stored.mix)
    found = record.read(mix.folder, result_types())
    assert (found.kind, found.name) == ("track", "Night Bus.flac")
    assert library.has_source(mix, found.sha256)
    # Nothing is made twice, and nothing is left over.
    assert make_mashups(workspace, settings) == []
    assert len(kept.stored(workspace)) == 1
    assert len(library.tracks(workspace)) == 3
    assert list(workspace.work.iterdir()) == []
    assert any('"mashup"' in path.read_text() for path in workspace.runs.iterdir())
    pipeline.publish(workspace)
    from processor.catalogue import query

    assert query(workspace, "SELECT id, track, vocals FROM mashups")[1] == [(stored.id, mix.id, vocals.id)]


def test_supplied_stems_of_the_instrumental_are_played(
    workspace: Workspace, settings: Settings, kitchen: Kitchen
) -> None:
    two_songs(workspace)
    for number, name in enumerate(("drums", "bass", "other")):
        track = make_track(workspace, f"{name}.wav", path=f"mashup/Night Bus/{name}.wav")
        assert track.source is not None
        sound(track.source, 5 + number)
    [made] = make_mashups(workspace, settings)
    assert list(kitchen.made[0][1].layers) == ["drums", "bass", "other"]
    assert len(made.origin.supplied) == 4


@pytest.mark.parametrize("stems", [(), ("drums", "bass", "other")])
def test_supplied_backing_vocals_are_a_layer_of_the_instrumental(
    workspace: Workspace, settings: Settings, kitchen: Kitchen, stems: tuple[str, ...]
) -> None:
    two_songs(workspace)
    for number, name in enumerate((*stems, "backing_vocals")):
        track = make_track(workspace, f"{name}.wav", path=f"mashup/Night Bus/{name}.wav")
        assert track.source is not None
        sound(track.source, 5 + number)
    [made] = make_mashups(workspace, settings)
    sings, plays = kitchen.made[0]
    assert list(sings.layers) == ["vocals"]
    assert list(plays.layers) == [*(stems or ["instrumental"]), "backing_vocals"]
    assert (plays.beat_file == plays.layers.get("drums"), plays.beats_are_drums) == (True, bool(stems))
    again = pairing.again(workspace, (made.made_from.vocals, made.made_from.instrumental), made.origin.supplied)
    assert dict(again[1].layers) == dict(plays.layers)


@pytest.mark.parametrize("names", [("drums", "bass"), ("drums", "bass", "other")])
def test_stems_that_are_not_all_of_it_are_not_played(
    workspace: Workspace, settings: Settings, kitchen: Kitchen, names: tuple[str, ...]
) -> None:
    """One is missing; or one is longer than the others."""
    two_songs(workspace)
    for number, name in enumerate(names):
        length = {"source__duration_s": 9.0} if name == "other" else {}
        track = make_track(workspace, f"{name}.wav", path=f"mashup/Night Bus/{name}.wav", **length)
        assert track.source is not None
        sound(track.source, 5 + number)
    make_mashups(workspace, settings)
    assert list(kitchen.made[0][1].layers) == ["instrumental"]
    assert "it is played whole" in kitchen.plans[0].reasons[0]


def test_a_dropped_plan_is_rendered_and_taken_out(workspace: Workspace, settings: Settings, kitchen: Kitchen) -> None:
    two_songs(workspace)
    path = drop_plan(workspace, a_plan(name="By hand"))
    assert hold_back(workspace, inbox.scan(workspace).drops)[0] == []
    [made] = make_mashups(workspace, settings)
    assert made.plan.name == "By hand"
    assert made.plan.chosen_by == "person"
    assert not path.exists()
    assert make_mashups(workspace, settings) == []
    # Another plan for the same songs takes its place; the track that the first one was stays.
    drop_plan(workspace, a_plan(name="By hand", vocal_shift_semitones=3.0))
    [again] = make_mashups(workspace, settings)
    assert [one.id for one in kept.stored(workspace)] == [again.id]
    assert again.id != made.id
    assert len([track for track in library.tracks(workspace) if kept.is_mix(track)]) == 2


def test_a_plan_that_is_none_is_set_aside_and_the_rules_plan(
    workspace: Workspace, settings: Settings, kitchen: Kitchen
) -> None:
    two_songs(workspace)
    path = drop_plan(workspace, "tempo_bpm = 'fast'")
    assert make_mashups(workspace, settings) == []
    assert "no plan" in troubles(workspace)["mashup/Night Bus"]
    assert not path.exists()
    assert (workspace.failed / "plan.toml").is_file()
    [made] = make_mashups(workspace, settings)
    assert made.plan.chosen_by == "rules"
    assert troubles(workspace) == {}


def test_a_plan_edited_in_the_library_is_rendered_anew(
    workspace: Workspace, settings: Settings, kitchen: Kitchen
) -> None:
    two_songs(workspace)
    [first] = make_mashups(workspace, settings)
    path = first.folder / "plan.toml"
    path.write_text(to_toml(replace(first.plan, vocal_shift_semitones=-2.0)), encoding="utf-8")
    [second] = make_mashups(workspace, settings)
    assert second.plan.vocal_shift_semitones == -2.0
    assert second.plan.chosen_by == "person"
    assert not first.folder.exists()
    assert [one.id for one in kept.stored(workspace)] == [second.id]
    assert kitchen.made[1][0].layers == kitchen.made[0][0].layers
    assert make_mashups(workspace, settings) == []
    (second.folder / "plan.toml").write_text("nonsense", encoding="utf-8")
    assert make_mashups(workspace, settings) == []
    [(name, reason)] = troubles(workspace).items()
    assert name == f"{second.folder.name}/plan.toml"
    assert reason
    pipeline.publish(workspace)
    assert name in (workspace.site / "attention.html").read_text(encoding="utf-8")
    assert second.folder.exists()


def test_the_same_plan_is_the_same_mashup(workspace: Workspace, settings: Settings, kitchen: Kitchen) -> None:
    vocals, instrumental = two_songs(workspace)
    songs = pairing.again(
        workspace, (vocals.id, instrumental.id), (f"vocals {vocals.id}", f"instrumental {instrumental.id}")
    )
    order = mashing.Order(songs, plan=a_plan(name="Twice"))
    first = mashing.make_and_keep(workspace, settings, order, lambda stage, share: None)
    second = mashing.make_and_keep(workspace, settings, order, lambda stage, share: None)
    assert first.folder == second.folder
    assert len(kept.stored(workspace)) == 1
    (first.folder / "mix.flac").unlink()
    third = mashing.make_and_keep(workspace, settings, order, lambda stage, share: None)
    assert third.mix is not None
    assert len(kept.stored(workspace)) == 1
    assert len([track for track in library.tracks(workspace) if kept.is_mix(track)]) == 1


def test_a_person_or_a_model_may_choose(workspace: Workspace, settings: Settings, kitchen: Kitchen) -> None:
    vocals, instrumental = two_songs(workspace)
    songs = pairing.again(
        workspace, (vocals.id, instrumental.id), (f"vocals {vocals.id}", f"instrumental {instrumental.id}")
    )
    order = mashing.Order(songs, choose=lambda found: replace(found[1], chosen_by="somebody"))
    made = mashing.make_and_keep(workspace, settings, order, lambda stage, share: None)
    assert made.plan.chosen_by == "somebody"
    assert len(made.plan.segments) == 1
    [other] = made.alternatives
    assert other.name == "plan-2.toml"


def test_one_at_a_time(workspace: Workspace, settings: Settings, kitchen: Kitchen) -> None:
    two_songs(workspace)
    two_songs(workspace, "Low Tide")
    assert len(make_mashups(workspace, settings, most=1)) == 1
    assert len(make_mashups(workspace, settings, most=1)) == 1
    assert make_mashups(workspace, settings, most=1) == []


def test_new_songs_take_the_old_one_s_place(workspace: Workspace, settings: Settings, kitchen: Kitchen) -> None:
    two_songs(workspace)
    [first] = make_mashups(workspace, settings)
    later = make_track(workspace, "other.wav", path="mashup/Night Bus/vocals.flac", day="2026/11/21")
    [second] = make_mashups(workspace, settings)
    assert second.made_from.vocals == later.id
    assert [one.id for one in kept.stored(workspace)] == [second.id]
    assert not first.folder.exists()


# What cannot be made


def test_what_cannot_be_made_is_told_and_not_tried_again(
    workspace: Workspace, settings: Settings, kitchen: Kitchen
) -> None:
    vocals, _ = two_songs(workspace)
    kitchen.trouble = PlanError("Nobody sings.")
    assert make_mashups(workspace, settings) == []
    assert troubles(workspace) == {"mashup/Night Bus": "Nobody sings."}
    assert [one.reason for one in pipeline.left_alone(workspace)] == ["Nobody sings."]
    kitchen.trouble = None
    assert make_mashups(workspace, settings) == []
    found = record.read(vocals.folder, result_types())
    record.write(replace(found, keys={**found.keys, "vocals": "new"}), vocals.folder)
    assert len(make_mashups(workspace, settings)) == 1
    assert troubles(workspace) == {}
    assert list(workspace.work.iterdir()) == []


def test_whole_songs_wait_for_stems(
    workspace: Workspace, settings: Settings, kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wanted, "roster", lambda settings: SimpleNamespace(jobs=[]))
    for name in ("a song", "b song"):
        bare = make_track(workspace, f"{name}.wav", path=f"mashup/two/{name}.wav")
        found = record.read(bare.folder, result_types())
        results = {key: value for key, value in found.results.items() if key != "stems"}
        record.write(replace(found, results=results), bare.folder)
    pipeline.publish(workspace)
    assert make_mashups(workspace, settings) == []
    reason = troubles(workspace)["mashup/two"]
    assert "linernotes models get htdemucs" in reason
    assert "vocals.* and instrumental.*" in reason
    assert to_separate(workspace, settings) == []  # there is no separator here


def test_with_a_separator_they_are_taken_apart_first(
    workspace: Workspace, settings: Settings, kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wanted, "roster", lambda settings: SimpleNamespace(jobs=["separator"]))
    tracks = []
    for name in ("a song", "b song"):
        tracks.append(make_track(workspace, f"{name}.wav", path=f"mashup/two/{name}.wav"))
        found = record.read(tracks[-1].folder, result_types())
        results = {key: value for key, value in found.results.items() if key != "stems"}
        record.write(replace(found, results=results), tracks[-1].folder)
    pipeline.publish(workspace)
    assert to_separate(workspace, settings) == tracks
    make_mashups(workspace, settings)
    assert "vocals.*" not in troubles(workspace)["mashup/two"]
    failed = record.Failure("failed", "no luck")
    found = record.read(tracks[0].folder, result_types())
    record.write(replace(found, failures={"stems": failed}), tracks[0].folder)
    assert to_separate(workspace, settings) == tracks[1:]


def test_other_models_are_not_asked() -> None:
    found = wanted.for_separation(Settings()).models
    assert found.htdemucs == "auto"
    assert (found.yamnet, found.whisper_base, found.swift_f0) == ("off", "off", "off")


def test_one_recording_twice_is_no_mashup(workspace: Workspace, settings: Settings, kitchen: Kitchen) -> None:
    track = make_track(workspace, "a.wav", path="mashup/one/vocals.wav")
    library.note_arrival(track, Arrival("2026-11-21T00:00:00+00:00", "mashup/one/instrumental.wav", 1, 2, 3))
    pipeline.publish(workspace)
    assert make_mashups(workspace, settings) == []
    assert "one and the same recording" in troubles(workspace)["mashup/one"]


def test_a_source_that_is_gone_is_told(workspace: Workspace, settings: Settings, kitchen: Kitchen) -> None:
    vocals, _ = two_songs(workspace)
    [made] = make_mashups(workspace, settings)
    shutil.rmtree(vocals.folder)
    (made.folder / "plan.toml").write_text(to_toml(replace(made.plan, tempo_bpm=101.0)), encoding="utf-8")
    assert make_mashups(workspace, settings) == []
    assert "gone from the library" in next(iter(troubles(workspace).values()))


def test_a_full_disk_is_told_and_leaves_nothing(
    workspace: Workspace, settings: Settings, kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    two_songs(workspace)
    monkeypatch.setattr(mashing, "write", full)
    with pytest.raises(WorkspaceError, match="No space left"):
        make_mashups(workspace, settings)
    monkeypatch.setattr(mashing, "write", kitchen.write)
    monkeypatch.setattr(mashing, "show_as", full)
    with pytest.raises(WorkspaceError, match="No space left"):
        make_mashups(workspace, settings)
    assert kept.stored(workspace) == []
    assert len(library.tracks(workspace)) == 2
    assert list(workspace.work.iterdir()) == []


# A crash


@pytest.mark.parametrize("where", ["library.place", "kept.place", "_remove_superseded", "_log", "inbox.leave"])
def test_killed_anywhere_it_is_finished_the_next_time(
    workspace: Workspace, settings: Settings, kitchen: Kitchen, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    two_songs(workspace)
    path = drop_plan(workspace, a_plan(name="By hand"))
    with monkeypatch.context() as patch:
        module, _, name = where.rpartition(".")
        holder = {"library": library, "kept": kept, "inbox": inbox, "": mashing}[module]
        patch.setattr(holder, name, die)
        with pytest.raises(Killed):
            make_mashups(workspace, settings)
    assert path.exists()
    inbox.sweep(workspace)
    make_mashups(workspace, settings)
    assert make_mashups(workspace, settings) == []
    [one] = kept.stored(workspace)
    assert one.name == "By hand"
    assert not path.exists()
    assert len([track for track in library.tracks(workspace) if kept.is_mix(track)]) == 1


# Who sings


def prepare(monkeypatch: pytest.MonkeyPatch, scores: dict[tuple[str, str], float | str]) -> None:
    """Every track has stems; pairs score as given, by the first letters of their tracks."""

    def score(listed: Any) -> list[Pair]:
        found = []
        for (vocals, instrumental), value in scores.items():
            names = [name for start in (vocals, instrumental) for name, _ in listed if name.startswith(start)]
            fit = Fit(value if isinstance(value, float) else 0.0, None, None, None, None, None)
            rejected = value if isinstance(value, str) else None
            found.append(Pair(names[0], names[1], fit, 1.0, 1.0, 0, None, None, (), rejected))
        return found

    def song(track: library.Track, part: str, *, is_stem: bool = False) -> Any:
        return SimpleNamespace(
            name=track.id, title=track.id, sha256="0" * 64, results={}, layers={part: Path("stems/x.flac")}, part=part
        )

    monkeypatch.setattr(pairing, "score_all", score)
    monkeypatch.setattr(pairing, "from_track", song)


@pytest.mark.parametrize(
    ("scores", "sings", "told"),
    [
        ({("a", "b"): 0.4, ("b", "a"): 0.7}, "b", "better match of the two orders (0.70, the other way round 0.40)"),
        ({("a", "b"): 0.7, ("b", "a"): "nobody sings in b."}, "a", "it cannot be done: nobody sings in b."),
        ({("a", "b"): "x", ("b", "a"): "y"}, "a", "by the order of the names"),
    ],
)
def test_of_two_songs_the_better_order_is_made(
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    scores: dict[tuple[str, str], float | str],
    sings: str,
    told: str,
) -> None:
    prepare(monkeypatch, scores)
    tracks = [make_track(workspace, f"{name}.wav", path=f"mashup/one/{name} song.wav") for name in "ab"]
    dropped = pairing.Pairing("one", songs=tuple(tracks))
    found = pairing.played(dropped, None, can_separate=True)
    assert found.songs[0].name.startswith(sings)
    assert found.songs[1].name != found.songs[0].name
    assert told in found.reasons[0]
    # A plan says who sings.
    by_plan = a_plan(vocals=replace(a_plan().vocals, sha256=library.content_hash(tracks[1]) or ""))
    found = pairing.played(dropped, by_plan, can_separate=True)
    assert found.songs[0].name.startswith("b")
    assert found.reasons == ()


def test_a_name_decides_who_sings(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(monkeypatch, {})
    voice = make_track(workspace, "z.wav")
    song = make_track(workspace, "a.wav")
    for dropped in (
        pairing.Pairing("one", vocals=voice, songs=(song,)),
        pairing.Pairing("one", instrumental=song, songs=(voice,)),
        pairing.Pairing("one", vocals=voice, instrumental=song, songs=(make_track(workspace, "b.wav"),)),
    ):
        found = pairing.played(dropped, None, can_separate=False)
        assert [one.name for one in found.songs] == [voice.id, song.id]


def test_vocals_that_are_a_whole_song_are_told(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(monkeypatch, {})
    monkeypatch.setattr(pairing, "supplied_kind", lambda results: ("mix", "it sounds like a mix"))
    voice, band = make_track(workspace, "v.wav"), make_track(workspace, "i.wav")
    dropped = pairing.Pairing("one", vocals=voice, instrumental=band)
    [told] = pairing.played(dropped, None, can_separate=True).reasons
    assert "whole song" in told
    monkeypatch.setattr(pairing, "_has_stems", lambda track, results: False)
    [told] = pairing.played(dropped, None, can_separate=False).reasons
    assert "played as it is" in told
    assert list(pairing.to_separate(dropped)) == [voice, band]


def test_without_stems_nobody_can_be_chosen(workspace: Workspace) -> None:
    tracks = []
    for name in "ab":
        track = make_track(workspace, f"{name}.wav")
        found = record.read(track.folder, result_types())
        results = {key: value for key, value in found.results.items() if key != "stems"}
        record.write(replace(found, results=results), track.folder)
        tracks.append(track)
    with pytest.raises(NoStems):
        pairing.played(pairing.Pairing("one", songs=tuple(tracks)), None, can_separate=True)
    with pytest.raises(LinerNotesError, match="same recording"):
        pairing.played(pairing.Pairing("one", songs=(tracks[0],)), None, can_separate=True)
