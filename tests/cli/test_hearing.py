"""`run --deep`, `--fast-only`, `analyse --deep`, `watch --deep-at`: what is heard, what is said, how they end.

The analysers are the real ones; the model that takes mixes apart is one that only halves them.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from processor import engine, library
from processor.analysis import result_types
from processor.cli.hearing import _Show
from processor.config import Models
from processor.models import loading
from processor.models.table import Model, all_models
from processor.record import read
from processor.site.deep import Running
from processor.workspace import Workspace
from tests import workspaces
from tests.models.test_separation import Shares
from tests.workspaces import command, sound

Ears = Callable[..., None]
DEEP = {"LINERNOTES_MODELS_DEEP": "true"}


@pytest.fixture
def ears(monkeypatch: pytest.MonkeyPatch) -> Ears:
    """One model is here, or those that are wanted."""
    engine._bench.cache_clear()

    def use(models: dict[str, str], trouble: str | None = None) -> None:
        def load(settings: Models, model: Model) -> Any:
            if trouble:
                raise RuntimeError(trouble)
            return Shares(segment_frames=40_000)

        engine._bench.cache_clear()
        monkeypatch.setattr(loading, "chosen", lambda settings: dict(models))
        monkeypatch.setattr(loading, "identities", lambda settings, models: dict(models))
        monkeypatch.setattr(loading, "missing", lambda settings: [])
        monkeypatch.setattr(loading, "load", load)

    use({"separator": "htdemucs"})
    return use


def separated(workspace: Workspace) -> list[str]:
    """Names of the tracks that have stems."""
    found = []
    for track in library.tracks(workspace):
        if "stems" in read(track.folder, result_types()).results:
            assert len(list((track.folder / "stems").glob("*.flac"))) > 1
            found.append(track.id.rpartition("-")[0])
    return found


def kinds(out: str) -> list[str]:
    return [json.loads(line)["event"] for line in out.splitlines()]


def test_a_library_is_heard_once(tmp_path: Path, ears: Ears) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    sound(workspace.inbox / "new.wav", 9)
    result = command("run", "--deep", "--home", workspace.home)
    assert result.code == 0
    assert separated(workspace) == ["alpha-beat", "alpha-song", "brucke", "new"]
    lines = result.out.splitlines()
    assert lines[0].startswith("stored    new.wav → new-")
    assert sum(line.startswith("deepened  ") and "(stems " in line for line in lines) == 4
    assert lines[-1] == "4 steps of deep analysis done."
    with duckdb.connect(str(workspace.catalogue), read_only=True) as connection:
        asked = connection.execute("SELECT count(*), count(DISTINCT track) FROM stems").fetchone()
        heard = connection.execute("SELECT count(*) FROM runs WHERE event = 'deepened' AND seconds['stems'] > 0")
        assert asked == (4, 4)
        assert heard.fetchone() == (4,)
    again = command("run", "--deep", "--home", workspace.home)
    assert (again.code, again.out.splitlines()[-1]) == (0, "Models have heard all there is.")


def test_only_what_is_named_is_heard(tmp_path: Path, ears: Ears) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    result = command("run", "--deep", "--json", "--home", workspace.home, sound(tmp_path / "mine.wav", 8))
    assert result.code == 0
    assert separated(workspace) == ["mine"]
    assert kinds(result.out)[:2] == ["stored", "deepened"]
    assert json.loads(result.out.splitlines()[1])["seconds"].keys() >= {"stems", "decode", "load"}
    known = command("run", "--deep", "--json", "--home", workspace.home, sound(tmp_path / "known.wav", 0))
    assert kinds(known.out)[:2] == ["duplicate", "deepened"]
    assert separated(workspace) == ["alpha-beat", "mine"]


def test_deep_may_be_the_default_and_be_left_out(tmp_path: Path, ears: Ears) -> None:
    workspace = workspaces.empty(tmp_path)
    sound(workspace.inbox / "a.wav")
    home = ("--home", workspace.home)
    assert command("run", "--fast-only", *home, environment=DEEP).code == 0
    assert separated(workspace) == []
    assert command("run", *home).code == 0
    assert separated(workspace) == []
    assert command("run", *home, environment=DEEP).code == 0
    assert separated(workspace) == ["a"]


def test_without_a_model_the_rest_is_done_and_the_way_out_is_told(tmp_path: Path, ears: Ears) -> None:
    ears({})
    workspace = workspaces.empty(tmp_path)
    sound(workspace.inbox / "a.wav")
    first = command("run", "--deep", "--home", workspace.home)
    assert (first.code, len(library.tracks(workspace))) == (3, 1)
    assert first.err == "No model is here that could hear. Get some: linernotes models get yamnet htdemucs\n"
    assert command("run", "--deep", "--home", workspace.home).code == 1
    quiet = command("run", "--home", workspace.home, environment=DEEP)
    assert (quiet.code, quiet.err) == (0, "")


def test_a_model_that_is_on_and_not_here_is_told(tmp_path: Path, ears: Ears, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "missing", lambda settings: [all_models()["yamnet"]])
    workspace = workspaces.empty(tmp_path)
    sound(workspace.inbox / "a.wav")
    result = command("run", "--deep", "--home", workspace.home)
    assert (result.code, result.err) == (0, "yamnet is on, but not here; get it: linernotes models get yamnet\n")
    assert separated(workspace) == ["a"]


def test_what_fails_is_told_and_is_code_3_beside_what_was_done(
    tmp_path: Path, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    (workspaces.track(workspace, "brucke").source or tmp_path).unlink()
    result = command("run", "--deep", "--home", workspace.home)
    assert result.code == 3
    assert "its source file is gone from the library" in result.out
    assert result.out.splitlines()[-1] == "2 steps of deep analysis done, 1 failed."
    monkeypatch.setattr(Shares, "separate", lambda self, mix: 1 / 0)
    shutil.rmtree(workspaces.track(workspace, "brucke").folder)
    for path in workspace.library.rglob("stems"):
        shutil.rmtree(path)
    failing = command("run", "--deep", "--home", workspace.home)
    assert failing.code == 1
    assert failing.out.count("stems: ZeroDivisionError: division by zero") == 2


def test_a_record_that_cannot_be_read_is_left_out(tmp_path: Path, ears: Ears) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    (workspaces.track(workspace, "brucke").folder / "record.json").write_text("{")
    result = command("run", "--deep", "--home", workspace.home)
    assert result.code == 3
    assert result.err.startswith("left out  ")
    assert separated_by_folder(workspace) == ["alpha-beat", "alpha-song"]


def separated_by_folder(workspace: Workspace) -> list[str]:
    return sorted(path.parent.name.rpartition("-")[0] for path in workspace.library.rglob("stems"))


def test_an_interruption_leaves_nothing_behind_and_the_next_run_goes_on(
    tmp_path: Path, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    separate, calls = Shares.separate, []

    def interrupt(self: Shares, mix: Any) -> Any:
        calls.append(mix)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return separate(self, mix)

    with monkeypatch.context() as patch:
        patch.setattr(Shares, "separate", interrupt)
        result = command("run", "--deep", "--home", workspace.home)
    assert result.code == 130
    assert len(separated(workspace)) == 1
    assert list(workspace.work.iterdir()) == []
    assert not (workspace.state / "deep.json").exists()
    assert command("run", "--deep", "--home", workspace.home).code == 0
    assert len(separated(workspace)) == 3


def test_set_and_refresh_leave_stems_alone(tmp_path: Path, ears: Ears) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    command("run", "--deep", "--home", workspace.home)
    before = {path: path.read_bytes() for path in workspace.library.rglob("stems/*.flac")}
    ears({})
    assert command("refresh", "--home", workspace.home).out == "Everything is up to date.\n"
    assert command("set", "--home", workspace.home, "brucke", "beats.tempo_bpm=100").code == 0
    assert len(separated(workspace)) == 3
    assert {path: path.read_bytes() for path in workspace.library.rglob("stems/*.flac")} == before


def test_analyse_deep_says_it_all_and_keeps_nothing(
    tmp_path: Path, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    files = [sound(tmp_path / name, seed) for seed, name in enumerate(["a.wav", "b.wav"])]
    before = sorted(tmp_path.iterdir())
    result = command("analyse", "--deep", "--json", *files)
    assert result.code == 0
    facts = [json.loads(line) for line in result.out.splitlines()]
    assert [Path(fact["file"]).name for fact in facts] == ["a.wav", "b.wav"]
    assert all(fact["stems"]["files"] and fact["loudness"] for fact in facts)
    assert "failures" not in facts[0]
    assert sorted(tmp_path.iterdir()) == before
    assert list((tmp_path / "temporary").iterdir()) == []
    fast = json.loads(command("analyse", "--json", files[0]).out)
    assert "stems" not in fast
    text = command("analyse", files[0]).out
    assert "  stems" not in text
    assert "stems.model" in command("analyse", "--deep", files[0]).out


def test_analyse_deep_without_a_model_says_what_is_missing(tmp_path: Path, ears: Ears) -> None:
    ears({})
    result = command("analyse", "--deep", "--json", sound(tmp_path / "a.wav"))
    assert (result.code, "loudness" in json.loads(result.out)) == (0, True)
    assert "linernotes models get" in result.err


@pytest.mark.parametrize("word", ["25:00", "noon", "1", "01:00+02:00", ""])
def test_a_time_of_day_that_is_none_is_told(tmp_path: Path, word: str) -> None:
    result = command("watch", "--deep-at", word, "--home", tmp_path)
    assert result.code == 2
    assert "01:00" in result.err


def test_the_line_shows_where_it_is_and_is_silent_where_nobody_sees_it(capsys: pytest.CaptureFixture[str]) -> None:
    running = Running("song-12345678", "song.wav", "stems", "htdemucs", 3, 5, 0.43, 240.0, "2026-11-20T06:30:00+00:00")
    _Show(False)(running)
    assert capsys.readouterr().err == ""
    show = _Show(True)
    show(running)
    show(None)
    said = capsys.readouterr().err.replace("\x1b[K", "")  # which click leaves out where it writes to no terminal
    assert said == "\rstems 3/5 song.wav 43 %, about 4 min left\r"
