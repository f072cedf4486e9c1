"""A mashup of synthesised stems, from the inbox to a track that can be played: nothing is doubled for it but time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from processor import library, mashing, record
from processor.analysis import result_types
from processor.engine import Engine
from processor.errors import LinerNotesError, WorkspaceBusy
from processor.files import hash_file
from processor.mashup import kept
from processor.mashup.plan_files import to_toml
from processor.mashup.songs import Song
from processor.workspace import Workspace
from tests import signals
from tests.signals import Samples
from tests.workspaces import InlineEngine, Result, command

RATE = 22_050
BPM, SECONDS = 120.0, 24.0
LINES = ((2.0, 5.5), (6.0, 9.5), (10.0, 13.5), (14.0, 17.5))


def band() -> Samples:
    """A kick on each beat, a click between them, and a chord that changes with each bar."""
    times = np.arange(round(SECONDS * RATE)) / RATE
    beat = times % (60 / BPM)
    kick = np.sin(2 * np.pi * 55 * beat) * np.exp(-beat * 18)
    off = (times + 30 / BPM) % (60 / BPM)
    click = np.random.default_rng(3).standard_normal(times.size) * np.exp(-off * 90)
    roots = np.array([220.0, 174.61, 261.63, 196.0])[(times // (240 / BPM)).astype(int) % 4]
    phase = 2 * np.pi * np.cumsum(roots) / RATE
    chord = sum(np.sin(phase * ratio) for ratio in (1.0, 1.189207, 1.498307))
    return signals.spread((0.5 * kick + 0.1 * click + 0.07 * chord).astype(np.float32))


def voice() -> Samples:
    """Four lines of a sung note with overtones and vibrato, each syllable on a beat, with breaths between the lines."""
    times = np.arange(round(SECONDS * RATE)) / RATE
    notes = np.array([440.0, 523.25, 392.0, 440.0])[(times // (60 / BPM)).astype(int) % 4]
    phase = 2 * np.pi * np.cumsum(notes * (1 + 0.006 * np.sin(2 * np.pi * 5.5 * times))) / RATE
    sung = sum(np.sin(phase * number) / number for number in range(1, 9))
    syllable = times % (60 / BPM)
    envelope = np.minimum(1, syllable / 0.02) * np.exp(-syllable * 1.5)
    heard = np.zeros(times.size)
    for start, end in LINES:
        heard += np.clip(np.minimum((times - start) / 0.02, (end - times) / 0.05), 0, 1)
    return signals.spread((0.3 * sung * envelope * heard).astype(np.float32))


def drop(home: Path, name: str = "Two of us") -> Workspace:
    folder = home / "inbox/mashup" / name
    folder.mkdir(parents=True)
    signals.write_wav(folder / "vocals.wav", voice(), RATE, subtype="PCM_16")
    signals.write_wav(folder / "instrumental.wav", band(), RATE, subtype="PCM_16")
    return Workspace(home)


def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    monkeypatch.setattr(mashing, "Engine", InlineEngine)
    return command("run", "--home", home, "--json")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, list[dict[str, str]]]:
    """A workspace with a mashup that a real worker made, and what was said of it."""
    workspace = drop(tmp_path_factory.mktemp("mashing") / "home")
    assert mashing.Engine is Engine
    result = command("run", "--home", workspace.home, "--json")
    assert result.code == 0, result.err
    return workspace, [json.loads(line) for line in result.out.splitlines()]


def test_two_files_become_three_tracks_and_a_mashup(made: tuple[Workspace, list[dict[str, str]]]) -> None:
    workspace, told = made
    assert [event["event"] for event in told] == ["stored", "stored", "mashup"]
    [stored] = kept.stored(workspace)
    assert told[-1]["name"] == "Two of us"
    assert told[-1]["track"] == stored.made_from.mix
    assert [track.id.rpartition("-")[0] for track in library.tracks(workspace)] == [
        "instrumental",
        "two-of-us",
        "vocals",
    ]
    assert not any(path.is_file() for path in workspace.inbox.rglob("*"))
    assert list(workspace.work.iterdir()) == []
    assert {path.name for path in stored.stems} >= {"vocals.flac", "instrumental.flac"}
    assert stored.cue is not None


def test_it_sounds_as_it_was_planned(made: tuple[Workspace, list[dict[str, str]]]) -> None:
    [stored] = kept.stored(made[0])
    plan, measured = stored.plan, stored.measured
    assert (plan.vocals.title, plan.instrumental.title) == ("Two of us: vocals", "Two of us: instrumental")
    assert plan.tempo_bpm == pytest.approx(BPM, abs=0.5)
    assert measured.integrated_lufs == pytest.approx(plan.target_lufs, abs=0.5)
    assert measured.true_peak_dbtp is not None
    assert measured.true_peak_dbtp <= plan.ceiling_dbtp + 0.1
    assert stored.mix is not None
    info = soundfile.info(stored.mix)
    assert (info.channels, info.subtype) == (2, "PCM_24")
    assert info.frames / info.samplerate == pytest.approx(measured.duration_s, abs=0.01)


def test_the_mix_is_a_track_like_any_other(made: tuple[Workspace, list[dict[str, str]]]) -> None:
    workspace, _ = made
    [stored] = kept.stored(workspace)
    mix = library.resolve(workspace, stored.made_from.mix or "")
    assert mix.source is not None
    assert stored.mix is not None
    assert mix.source.samefile(stored.mix)
    found = record.read(mix.folder, result_types())
    assert found.sha256 == hash_file(mix.source)
    assert found.results["loudness"].integrated_lufs == pytest.approx(stored.measured.integrated_lufs, abs=0.1)
    assert (workspace.site / "tracks" / f"{mix.id}.html").is_file()


def test_the_same_songs_give_the_same_samples(
    made: tuple[Workspace, list[dict[str, str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [first] = kept.stored(made[0])
    workspace = drop(tmp_path / "home")
    run(workspace.home, monkeypatch)
    [second] = kept.stored(workspace)
    assert second.id == first.id
    assert second.plan_text == first.plan_text
    assert first.mix is not None
    assert second.mix is not None
    assert hash_file(second.mix) == hash_file(first.mix)


def test_nothing_is_made_twice(made: tuple[Workspace, list[dict[str, str]]]) -> None:
    workspace, _ = made
    before = [one.signature for one in kept.stored(workspace)]
    result = command("run", "--home", workspace.home, "--json")
    assert (result.code, result.out) == (0, "")
    assert [one.signature for one in kept.stored(workspace)] == before


# What a worker says


def test_a_mashup_that_another_process_makes_is_left_to_it(workspace: Workspace, tmp_path: Path) -> None:
    from processor import made as folders
    from processor.config import Settings

    songs = tuple(Song(name, name, "0" * 64, {}, {"vocals": tmp_path / "x.wav"}) for name in ("a-1", "b-2"))
    order = mashing.Order(songs)  # type: ignore[arg-type]
    tokens: list[str] = []
    staging = folders.staging

    def noted(workspace: Workspace, token: str, kind: str) -> object:
        tokens.append(token)
        return staging(workspace, token, kind)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folders, "staging", noted)
        patch.setattr(mashing, "Engine", InlineEngine)
        with pytest.raises(LinerNotesError):
            mashing.make_and_keep(workspace, Settings(), order, lambda stage, share: None)
        with (
            staging(workspace, tokens[0], "mashup"),
            pytest.raises(WorkspaceBusy),
        ):
            mashing.make_and_keep(workspace, Settings(), order, lambda stage, share: None)
    assert list(workspace.work.iterdir()) == []


def test_how_far_it_is_is_written_where_nobody_has_to_listen(tmp_path: Path) -> None:
    report = mashing._Report(tmp_path / "progress")
    report("rendering", 0.123)
    assert (tmp_path / "progress").read_text() == "rendering\t0.12"
    mashing._Report(tmp_path / "nowhere" / "deep" / "progress")("rendering", 0.5)
    (tmp_path / "file").write_text("")
    mashing._Report(tmp_path / "file" / "progress")("rendering", 0.5)  # it cannot be written, and nobody minds
    mashing._Report(None)("rendering", 0.5)


def test_an_edited_plan_is_rendered_by_the_next_run(
    made: tuple[Workspace, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Last, for it changes what the others look at."""
    from dataclasses import replace

    workspace, _ = made
    [stored] = kept.stored(workspace)
    (stored.folder / "plan.toml").write_text(to_toml(replace(stored.plan, target_lufs=-18.0)), encoding="utf-8")
    result = run(workspace.home, monkeypatch)
    assert [json.loads(line)["event"] for line in result.out.splitlines()] == ["mashup"]
    [again] = kept.stored(workspace)
    assert again.measured.integrated_lufs == pytest.approx(-18.0, abs=0.5)
    assert again.id != stored.id
