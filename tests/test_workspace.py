"""The folders of a workspace and the locks around them."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from filelock import FileLock

from processor.config import CONFIG_NAME
from processor.errors import WorkspaceBusy, WorkspaceError
from processor.workspace import Workspace, cannot_write, choose_home, existing
from tests.faults.doubles import names


def test_create_makes_every_folder_and_keeps_what_is_there(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "new" / "home")
    assert not workspace.exists()
    workspace.create()
    (workspace.home / CONFIG_NAME).write_text("# mine\n")
    (workspace.inbox / "song.wav").write_bytes(b"x")
    workspace.create()
    assert workspace.exists()
    assert names(workspace.home) == ["inbox", "library", CONFIG_NAME, "site"]
    assert (workspace.home / CONFIG_NAME).read_text() == "# mine\n"
    assert (workspace.inbox / "song.wav").read_bytes() == b"x"


def test_a_home_that_cannot_be_made_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="Choose another with --home"):
        Workspace(tmp_path / "file" / "home").create()


def test_existing_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="linernotes init"):
        existing(tmp_path)
    Workspace(tmp_path).create()
    assert existing(tmp_path) == Workspace(tmp_path)


def test_choose_home_prefers_the_option_then_the_variable_then_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    assert choose_home("given", {"LINERNOTES_HOME": "other"}) == tmp_path / "given"
    assert choose_home(None, {"LINERNOTES_HOME": "~/music"}) == tmp_path / "person" / "music"
    assert choose_home(None, {}) == tmp_path


def test_the_write_lock_shuts_others_out_until_it_is_let_go(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("processor.workspace.WRITE_PATIENCE_S", 0.05)
    with workspace.write_lock(), pytest.raises(WorkspaceBusy, match="try again later"), workspace.write_lock():
        pass
    with pytest.raises(KeyError), workspace.write_lock():
        raise KeyError
    with workspace.write_lock():
        pass


def test_what_goes_wrong_under_the_write_lock_is_not_mistaken_for_the_lock(workspace: Workspace) -> None:
    with pytest.raises(TimeoutError, match="mine"), workspace.write_lock():
        raise TimeoutError("mine")


def _hold(home: Path, pipe: Connection) -> None:
    with Workspace(home).watch_lock():
        pipe.send(os.getpid())
        pipe.recv()


def test_a_second_daemon_refuses_and_names_the_first(workspace: Workspace) -> None:
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    first = context.Process(target=_hold, args=(workspace.home, theirs), daemon=True)
    first.start()
    pid = ours.recv()
    assert f"Process {pid} on" in str(workspace.daemon())
    with pytest.raises(WorkspaceBusy, match=f"Process {pid} on .* is watching .* already"), workspace.watch_lock():
        pass
    first.kill()
    first.join()
    assert workspace.daemon() is None, "a daemon that was killed watches nothing"
    with workspace.watch_lock():
        assert json.loads((workspace.state / "watch.json").read_text())["pid"] == os.getpid()
        assert f"Process {os.getpid()} on" in str(workspace.daemon())
    assert workspace.daemon() is None
    assert "watch.json" not in names(workspace.state)


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"pid": 1, "host"'])
def test_a_torn_note_of_the_daemon_does_no_harm(workspace: Workspace, note: str) -> None:
    with FileLock(workspace.state / "watch.lock"):
        (workspace.state / "watch.json").write_text(note)
        assert workspace.daemon() == "Another process"


def test_there_is_no_daemon_where_there_is_no_workspace(tmp_path: Path) -> None:
    assert Workspace(tmp_path / "none").daemon() is None
    assert names(tmp_path) == []


@pytest.mark.parametrize("lock", ["write_lock", "watch_lock"])
@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EACCES])
def test_a_lock_that_cannot_be_written_is_an_error_of_the_workspace(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, lock: str, number: int
) -> None:
    def refuse(*args: object, **named: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with pytest.raises(WorkspaceError, match=os.strerror(number)), getattr(workspace, lock)():
        pass


def test_the_way_out_depends_on_what_is_missing() -> None:
    full = cannot_write(Path("library"), OSError(errno.ENOSPC, "No space left on device"))
    closed = cannot_write(Path("library"), OSError(errno.EROFS, "Read-only file system"))
    assert "Make room, then run again" in str(full)
    assert "Make it writable, then run again" in str(closed)
    assert "Nothing is lost" in str(full)
    assert "library cannot be written" in str(closed)
