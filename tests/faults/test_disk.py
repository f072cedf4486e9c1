"""A disk that is full, or that may not be written: said clearly, nothing lost, and done when there is room again."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from processor import inbox, library, setaside
from processor.config import Settings
from processor.errors import WorkspaceError
from processor.pipeline import RunLog, publish, run_all
from processor.workspace import Workspace
from tests.faults.doubles import (
    InlineEngine,
    arrived,
    check_sound,
    contents,
    drops_in,
    files_below,
    kinds,
    leftovers,
    names,
    run,
    sha256,
    tone,
)


@contextmanager
def mounted(target: Path, *arguments: str) -> Iterator[None]:
    """Something mounted at `target`, where that is allowed."""
    command = shutil.which("mount")
    if command is None or subprocess.run([command, *arguments, target], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", target], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """A folder in which nobody, not even root, may write."""
    with mounted(folder, "--bind", str(folder)):
        if subprocess.run(["mount", "-o", "remount,bind,ro", folder], capture_output=True).returncode:
            pytest.skip("nothing can be mounted read-only here")
        yield


def run_and_publish(workspace: Workspace, settings: Settings) -> dict[str, str]:
    events: dict[str, str] = {}
    run_all(
        workspace,
        settings,
        drops_in(workspace),
        InlineEngine(),
        RunLog(workspace, "run"),
        lambda event: events.update({event.name: event.event}),
    )
    return events


def filled(workspace: Workspace) -> dict[str | None, int]:
    """Four drops, of which two are the same; what has to come of them."""
    hashes = [
        sha256(tone(workspace.inbox / name, hz, 2.0))
        for name, hz in (("a.wav", 300), ("b.wav", 400), ("album/c.wav", 500))
    ]
    shutil.copy(workspace.inbox / "a.wav", workspace.inbox / "the same.wav")
    return {hashes[0]: 2, hashes[1]: 1, hashes[2]: 1}


def still_there(workspace: Workspace) -> set[str]:
    sounds = [drop.path for drop in drops_in(workspace)]
    sounds += [path for track in library.tracks(workspace) if (path := track.source)]
    return {sha256(path) for path in sounds}


# A disk that is full.


@pytest.mark.parametrize("room", [0, 10, 30, 60, 110, 160, 400, 700, 1000])
def test_a_full_disk(tmp_path: Path, settings: Settings, room: int) -> None:
    """With so many KB left, at first: from nothing at all to just not enough for the pages."""
    with mounted(tmp_path, "-t", "tmpfs", "-o", "size=8m", "tmpfs"):
        workspace = Workspace(tmp_path / "home")
        workspace.create()
        expected = filled(workspace)
        with (tmp_path / "filler").open("wb") as filler:
            filler.write(bytes(shutil.disk_usage(tmp_path).free - room * 1024))
        with pytest.raises(WorkspaceError, match="No space left on device"):
            run_and_publish(workspace, settings)
        assert still_there(workspace) == expected.keys()
        assert leftovers(workspace) == []
        assert max(contents(workspace).values(), default=1) == 1
        (tmp_path / "filler").unlink()
        inbox.sweep(workspace)
        run_and_publish(workspace, settings)
        assert arrived(workspace) == expected
        check_sound(workspace)


class Refusal:
    """Lets so many calls through, then refuses each as a full disk does."""

    def __init__(self, call: Callable[..., Any], after: int, number: int = errno.ENOSPC) -> None:
        self._call, self.left, self._number = call, after, number

    def __call__(self, *args: Any, **named: Any) -> Any:
        self.left -= 1
        if self.left < 0:
            raise OSError(self._number, os.strerror(self._number))
        return self._call(*args, **named)


@pytest.mark.parametrize("name", ["fsync", "mkdir", "rename", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_each_call_that_writes_may_be_the_one_that_fails(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    for after in range(100):
        workspace = Workspace(tmp_path / str(after))
        workspace.create()
        expected = filled(workspace)
        with monkeypatch.context() as patch:
            refusal = Refusal(getattr(os, name), after, number)
            patch.setattr(os, name, refusal)
            with suppress(WorkspaceError):  # nothing else may come out of it
                run(workspace, settings)
            if refusal.left >= 0:
                break
        assert still_there(workspace) == expected.keys()
        assert leftovers(workspace) == []
        run(workspace, settings)
        assert arrived(workspace) == expected
        check_sound(workspace, published=False)
    assert after >= 3


def test_each_write_of_publishing_may_be_the_one_that_fails(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(workspace)
    run(workspace, settings)
    for after in range(100):
        shutil.rmtree(workspace.site)
        workspace.catalogue.unlink(missing_ok=True)
        with monkeypatch.context() as patch:
            refusal = Refusal(os.replace, after)
            patch.setattr(os, "replace", refusal)
            if after < 4:
                with pytest.raises(WorkspaceError, match="No space left on device"):
                    publish(workspace, rebuild=True)
            else:
                break
        assert leftovers(workspace) == []
        publish(workspace)
        check_sound(workspace)


# A disk that may not be written.


def test_a_library_that_is_read_only(workspace: Workspace, settings: Settings) -> None:
    expected = filled(workspace)
    with read_only(workspace.library):
        with pytest.raises(WorkspaceError, match="library cannot be written: Read-only file system"):
            run_and_publish(workspace, settings)
        assert len(drops_in(workspace)) == 4
    run_and_publish(workspace, settings)
    assert arrived(workspace) == expected
    check_sound(workspace)


def test_a_site_that_is_read_only_stops_no_storing(workspace: Workspace, settings: Settings) -> None:
    expected = filled(workspace)
    with (
        read_only(workspace.site),
        pytest.raises(WorkspaceError, match=r"site/media cannot be written: Read-only file system"),
    ):
        run_and_publish(workspace, settings)
    assert arrived(workspace) == expected
    publish(workspace)
    check_sound(workspace)


def check_read_only_inbox(workspace: Workspace, settings: Settings, expected: dict[str | None, int]) -> None:
    for _ in range(2):
        events = {event.name: event for event in run(workspace, settings)}
        assert events.pop("words.txt").event == "left"
        assert {event.event for event in events.values()} <= {"stored", "duplicate"}
        assert {event.reason for event in events.values()} == {
            "it is stored, but cannot be taken out of the inbox: Read-only file system"
        }
        assert arrived(workspace) == expected
        assert contents(workspace) == dict.fromkeys(expected, 1)
        assert leftovers(workspace) == []


def test_an_inbox_that_is_read_only(workspace: Workspace, settings: Settings) -> None:
    expected = filled(workspace)
    (workspace.inbox / "words.txt").write_text("words")
    with read_only(workspace.inbox):
        check_read_only_inbox(workspace, settings, expected)
    assert set(run_and_publish(workspace, settings).values()) <= {"stored", "duplicate", "failed"}
    assert arrived(workspace) == expected
    check_sound(workspace)


def test_an_inbox_that_refuses_every_change(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same where nothing can be mounted."""
    expected = filled(workspace)
    (workspace.inbox / "words.txt").write_text("words")

    def refusing(call: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(path: Any, *rest: Any, **named: Any) -> Any:
            if "dir_fd" not in named and Path(path).is_relative_to(workspace.inbox):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
            return call(path, *rest, **named)

        return refuse

    for name in ("unlink", "rename", "replace"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))
    monkeypatch.setattr(setaside, "write_atomically", refusing(setaside.write_atomically))
    check_read_only_inbox(workspace, settings, expected)
    monkeypatch.undo()
    run(workspace, settings)
    check_sound(workspace, published=False)


def test_an_inbox_on_another_disk_than_the_library(workspace: Workspace, settings: Settings, tmp_path: Path) -> None:
    workspace.failed.rmdir()
    with mounted(workspace.inbox, "-t", "tmpfs", "-o", "size=8m", "tmpfs"):
        expected = filled(workspace)
        (workspace.inbox / "words.txt").write_text("words")
        (tmp_path / "elsewhere.txt").write_text("words")
        assert kinds(run(workspace, settings))["words.txt"] == "failed"
        run(workspace, settings, drops=inbox.drops_from([tmp_path / "elsewhere.txt"]).drops)
        assert names(workspace.failed) == [
            "elsewhere.txt",
            "elsewhere.txt.error.txt",
            "words.txt",
            "words.txt.error.txt",
        ]
        assert arrived(workspace) == expected
        check_sound(workspace, published=False)


def test_a_folder_of_the_inbox_on_a_disk_of_its_own(workspace: Workspace, settings: Settings) -> None:
    usb = workspace.inbox / "usb"
    usb.mkdir()
    with mounted(usb, "-t", "tmpfs", "-o", "size=1m", "tmpfs"):
        (usb / "words.txt").write_text("words")
        good = sha256(tone(usb / "a.wav"))
        assert kinds(run(workspace, settings)) == {"usb/a.wav": "stored", "usb/words.txt": "failed"}
        assert files_below(usb) == []
    assert contents(workspace) == {good: 1}
    assert (workspace.failed / "words.txt").read_text() == "words"


def test_a_failed_folder_without_room_leaves_the_file_where_it_is(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.inbox / "a.txt").write_text("words")
    tone(workspace.inbox / "b.wav")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(setaside, "write_atomically", full)
    events = {event.name: event for event in run(workspace, settings)}
    assert (events["a.txt"].event, events["b.wav"].event) == ("left", "stored")
    assert "cannot be moved to failed/ either: No space left on device" in str(events["a.txt"].reason)
    assert [drop.name for drop in drops_in(workspace)] == ["a.txt"]
    assert names(workspace.failed) == []
