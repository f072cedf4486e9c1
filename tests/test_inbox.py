"""The inbox: what is seen, when it is complete, how it is claimed, and that nothing else is ever touched."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from filelock import FileLock

from processor import inbox
from processor.config import Inbox
from processor.errors import WorkspaceError
from processor.inbox import Claim, Drop, Settling
from processor.workspace import Workspace
from tests.faults.doubles import cut_tone, drops_in, files_below, leftovers, names, sha256, tone

HOUR_AGO = time.time() - 3600


def seen(workspace: Workspace) -> list[str]:
    return [drop.name for drop in drops_in(workspace)]


def the_drop(workspace: Workspace) -> Drop:
    (drop,) = drops_in(workspace)
    return drop


# What is seen.


def test_regular_files_are_drops_named_by_their_path_below_the_inbox(workspace: Workspace) -> None:
    for name in ("b.wav", "a.wav", "Album/Side A/1.wav", "words.txt", "x.part"):
        (workspace.inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace.inbox / name).write_bytes(b"12345")
    found = drops_in(workspace)
    assert [drop.name for drop in found] == ["Album/Side A/1.wav", "a.wav", "b.wav", "words.txt", "x.part"]
    assert {drop.size for drop in found} == {5}
    assert all(drop.is_ours and drop.path == workspace.inbox / drop.name for drop in found)


def test_what_a_person_never_means_is_not_seen(workspace: Workspace) -> None:
    for name in (".DS_Store", ".hidden/a.wav", "Thumbs.db", "desktop.ini", "Icon\r", "a/.b.wav", "failed/a.wav"):
        (workspace.inbox / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace.inbox / name).write_bytes(b"x")
    found = inbox.scan(workspace)
    assert (found.drops, found.ignored) == ([], [])


def test_only_the_inboxs_own_failed_folder_is_left_out(workspace: Workspace) -> None:
    tone(workspace.inbox / "album" / "failed" / "a.wav")
    assert seen(workspace) == ["album/failed/a.wav"]


def test_links_fifos_and_sockets_are_listed_and_never_followed(workspace: Workspace, tmp_path: Path) -> None:
    outside = tone(tmp_path / "outside" / "a.wav").parent
    (workspace.inbox / "link.wav").symlink_to(outside / "a.wav")
    (workspace.inbox / "folder").symlink_to(outside)
    (workspace.inbox / "broken").symlink_to("nowhere")
    (workspace.inbox / "loop").symlink_to("loop")
    os.mkfifo(workspace.inbox / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(workspace.inbox / "socket"))
    found = inbox.scan(workspace)
    assert found.drops == []
    assert {one.name: one.reason for one in found.ignored} == {
        "broken": "a link: never opened, never moved",
        "folder": "a link: never opened, never moved",
        "link.wav": "a link: never opened, never moved",
        "loop": "a link: never opened, never moved",
        "pipe.wav": "a FIFO: never opened, never moved",
        "socket": "a socket: never opened, never moved",
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices")
def test_devices_are_listed(workspace: Workspace) -> None:
    os.mknod(workspace.inbox / "zero.wav", 0o666 | 0o020000, os.makedev(1, 5))
    assert [(one.name, one.reason) for one in inbox.scan(workspace).ignored] == [
        ("zero.wav", "a device: never opened, never moved")
    ]


def test_folders_nested_without_end_are_listed_once(workspace: Workspace) -> None:
    deep = workspace.inbox
    for _ in range(inbox.MAX_DEPTH + 5):
        deep = deep / "a"
    tone(deep / "too deep.wav")
    found = inbox.scan(workspace)
    assert found.drops == []
    assert [one.reason for one in found.ignored] == ["folders are nested too deep"]


def test_a_folder_that_cannot_be_read_is_listed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (workspace.inbox / "closed").mkdir()
    tone(workspace.inbox / "open.wav")
    original = os.scandir

    def refusing(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = inbox.scan(workspace)
    assert [drop.name for drop in found.drops] == ["open.wav"]
    assert [(one.name, one.reason) for one in found.ignored] == [
        ("closed", "the folder cannot be read: Permission denied")
    ]


def test_an_inbox_that_cannot_be_read_is_not_taken_for_empty(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    assert [one.name for one in inbox.scan(workspace).ignored] == ["inbox"]


def test_an_inbox_that_is_gone_is_empty(workspace: Workspace) -> None:
    workspace.failed.rmdir()
    workspace.inbox.rmdir()
    found = inbox.scan(workspace)
    assert (found.drops, found.ignored) == ([], [])


def test_a_file_or_folder_that_vanishes_while_the_inbox_is_listed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tone(workspace.inbox / "a.wav")
    tone(workspace.inbox / "folder" / "b.wav")
    tone(workspace.inbox / "z.wav")

    class Vanishing:
        def __init__(self, entry: os.DirEntry[str]) -> None:
            self.name, self.path, self._entry = entry.name, entry.path, entry

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            if self.name == "a.wav":
                Path(self.path).unlink()
            found = self._entry.stat(follow_symlinks=follow_symlinks)
            if self.name == "folder":
                (Path(self.path) / "b.wav").unlink()
                Path(self.path).rmdir()
            return found

    original = os.scandir

    class Listing:
        def __init__(self, path: Path) -> None:
            self._path = path

        def __enter__(self) -> list[Vanishing]:
            with original(self._path) as entries:
                return [Vanishing(entry) for entry in entries]

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "scandir", Listing)
    assert seen(workspace) == ["z.wav"]


# Files from elsewhere.


def test_files_from_elsewhere_are_no_drops_of_ours(tmp_path: Path) -> None:
    tone(tmp_path / "music" / "a.wav")
    tone(tmp_path / "music" / "b" / "c.wav")
    (tmp_path / "music" / "words.txt").write_text("words")
    (tmp_path / "music" / "link.wav").symlink_to("a.wav")
    (tmp_path / "linked.wav").symlink_to(tmp_path / "music" / "a.wav")
    os.mkfifo(tmp_path / "pipe")
    named = ["music", "music/a.wav", "linked.wav", "gone.wav", "pipe", "music/words.txt"]
    found = inbox.drops_from([tmp_path / name for name in named])
    assert [drop.name for drop in found.drops] == ["music/a.wav", "music/b/c.wav", "a.wav", "linked.wav", "words.txt"]
    assert not any(drop.is_ours for drop in found.drops)
    assert [one.name for one in found.ignored] == ["music/words.txt", "music/link.wav"]
    assert {Path(one.name).name: one.reason for one in found.missing} == {
        "gone.wav": "No such file or directory",
        "pipe": "a FIFO: never opened",
    }


def test_a_large_folder_from_elsewhere_is_listed_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3000):
        (tmp_path / f"{number}.txt").touch()
    monkeypatch.setattr(inbox, "_is_sound", lambda path: path.name < "5")
    found = inbox.drops_from([tmp_path])
    assert len(found.drops) + len(found.ignored) == 3000


def test_a_file_that_lies_in_the_inbox_leaves_it_though_it_was_named(workspace: Workspace, tmp_path: Path) -> None:
    tone(workspace.inbox / "Album" / "a.wav")
    tone(workspace.failed / "b.wav")
    outside = tone(tmp_path / "elsewhere" / "c.wav")
    (workspace.inbox / "link.wav").symlink_to(outside)
    named = [workspace.inbox / "Album" / "a.wav", workspace.failed / "b.wav", workspace.inbox / "link.wav", outside]
    found = inbox.drops_from(named, workspace).drops
    assert [(drop.name, drop.is_ours) for drop in found] == [
        ("Album/a.wav", True),
        ("b.wav", False),
        ("link.wav", False),
        ("c.wav", False),
    ]
    in_folder = inbox.drops_from([workspace.inbox], workspace).drops
    assert [(drop.name, drop.is_ours) for drop in in_folder] == [("Album/a.wav", True)]


# When it is complete.


class Clock:
    """Time that only moves when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.time() + 1000
        monkeypatch.setattr(inbox.time, "time", lambda: self.now)
        monkeypatch.setattr(inbox.time, "monotonic", lambda: self.now)

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def drop_at(clock: Clock, path: Path, *, mtime: float = 0.0, ctime: float = 0.0, size: int | None = None) -> Drop:
    """A drop whose times of change are so many seconds from now."""
    found = path.stat().st_size if size is None else size
    return Drop(path, path.name, found, int((clock.now + mtime) * 1e9), int((clock.now + ctime) * 1e9))


SETTLE = Inbox(settle_s=2.0, patience_s=30.0)


def test_a_file_that_stood_still_long_ago_is_ready_at_once(clock: Clock, tmp_path: Path) -> None:
    drop = drop_at(clock, tone(tmp_path / "a.wav"), mtime=-100, ctime=-100)
    assert Settling(SETTLE).split([drop]) == ([drop], [])


@pytest.mark.parametrize(("mtime", "ctime"), [(0.0, 0.0), (-1e6, 0.0), (0.0, -1e6), (1e6, -1e6), (1e6, 1e6)])
def test_a_file_whose_times_prove_nothing_is_ready_once_it_was_seen_to_stand_still(
    clock: Clock, tmp_path: Path, mtime: float, ctime: float
) -> None:
    drop, settling = drop_at(clock, tone(tmp_path / "a.wav"), mtime=mtime, ctime=ctime), Settling(SETTLE)
    for _ in range(4):
        assert settling.split([drop]) == ([], [drop])
        clock.pass_by(0.5)
    assert settling.split([drop]) == ([drop], [])


def test_a_file_that_grows_slowly_is_not_taken(clock: Clock, tmp_path: Path) -> None:
    path, settling = tone(tmp_path / "a.wav"), Settling(SETTLE)
    for size in range(100):
        drop = drop_at(clock, path, mtime=-1e6, ctime=1e6, size=size)  # whatever its times say
        assert settling.split([drop]) == ([], [drop])
        clock.pass_by(1.9)
    clock.pass_by(0.2)
    assert settling.split([drop]) == ([drop], [])


def test_a_file_that_was_away_for_a_moment_begins_anew(clock: Clock, tmp_path: Path) -> None:
    drop, settling = drop_at(clock, tone(tmp_path / "a.wav")), Settling(SETTLE)
    settling.split([drop])
    settling.split([])
    clock.pass_by(1.9)
    drop = replace(drop, mtime_ns=int(clock.now * 1e9), ctime_ns=int(clock.now * 1e9))
    assert settling.split([drop]) == ([], [drop])


@pytest.mark.parametrize("name", ["a.wav.part", "a.wav.crdownload", "a.TMP", "a.wav.!qB", "a.partial", "a.download"])
def test_a_file_that_is_named_unfinished_is_never_ready(clock: Clock, tmp_path: Path, name: str) -> None:
    drop = drop_at(clock, tone(tmp_path / name), mtime=-1e6, ctime=-1e6)
    assert Settling(SETTLE).split([drop]) == ([], [drop])


@pytest.mark.parametrize("make", [cut_tone, lambda path: path.write_text("words") and path])
def test_a_file_that_looks_unfinished_is_given_more_time(
    clock: Clock, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    drop, settling = drop_at(clock, make(tmp_path / "a.wav")), Settling(SETTLE)
    assert settling.split([drop]) == ([], [drop])
    clock.pass_by(29)
    assert settling.split([drop]) == ([], [drop])
    clock.pass_by(1.1)
    assert settling.split([drop]) == ([drop], [])


def test_a_file_that_is_gone_when_it_is_looked_into_waits(clock: Clock, tmp_path: Path) -> None:
    drop = drop_at(clock, tmp_path / "gone.wav", mtime=-10, ctime=-10, size=4)
    assert Settling(SETTLE).split([drop]) == ([], [drop])


@pytest.mark.parametrize(
    ("mtime", "ctime", "age"), [(-100, -50, 100), (-50, -100, 100), (1e6, -50, 50), (-50, 1e6, 50)]
)
def test_the_age_of_a_drop_is_that_of_its_older_time(
    clock: Clock, tmp_path: Path, mtime: float, ctime: float, age: float
) -> None:
    assert drop_at(clock, tmp_path / "a", mtime=mtime, ctime=ctime, size=1).age_s == pytest.approx(age, abs=0.01)


# Claims.


def test_a_claim_is_a_private_copy_that_goes_when_it_is_let_go(workspace: Workspace) -> None:
    path = tone(workspace.inbox / "Album" / "My Song.WAV")
    with inbox.claim(workspace, the_drop(workspace)) as claim:
        assert claim is not None
        assert claim.source.name == "my-song.wav"
        assert claim.source.read_bytes() == path.read_bytes()
        assert claim.sha256 == sha256(path)
        assert names(claim.folder) == ["my-song.wav"]
    assert names(workspace.work) == []
    assert path.exists()


def test_a_claim_is_let_go_when_something_goes_wrong(workspace: Workspace) -> None:
    tone(workspace.inbox / "a.wav")
    with pytest.raises(KeyError), inbox.claim(workspace, the_drop(workspace)):
        raise KeyError
    assert names(workspace.work) == []


def test_a_drop_that_is_claimed_is_not_claimed_again(workspace: Workspace) -> None:
    tone(workspace.inbox / "a.wav")
    drop = the_drop(workspace)
    with inbox.claim(workspace, drop) as first:
        with inbox.claim(workspace, drop) as second:
            assert second is None
        assert first is not None
        assert first.source.exists()
    with inbox.claim(workspace, drop) as third:
        assert third is not None


def test_two_drops_of_one_name_in_two_folders_are_claimed_apart(workspace: Workspace) -> None:
    tone(workspace.inbox / "a" / "x.wav", 300)
    tone(workspace.inbox / "b" / "x.wav", 400)
    one, two = drops_in(workspace)
    with inbox.claim(workspace, one) as first, inbox.claim(workspace, two) as second:
        assert first is not None
        assert second is not None
        assert first.folder != second.folder
        assert first.sha256 != second.sha256


def test_a_drop_that_vanished_is_no_claim(workspace: Workspace) -> None:
    tone(workspace.inbox / "a.wav")
    drop = the_drop(workspace)
    drop.path.unlink()
    with inbox.claim(workspace, drop) as claim:
        assert claim is None
    assert names(workspace.work) == []


@pytest.mark.parametrize("replacement", ["link", "fifo", "folder"])
def test_what_took_the_place_of_a_drop_is_not_opened(workspace: Workspace, tmp_path: Path, replacement: str) -> None:
    tone(workspace.inbox / "a.wav")
    drop = the_drop(workspace)
    drop.path.unlink()
    if replacement == "link":
        drop.path.symlink_to(tone(tmp_path / "secret.wav"))
    elif replacement == "fifo":
        os.mkfifo(drop.path)  # opening it would wait for ever
    else:
        drop.path.mkdir()
    assert not drop.is_unchanged()
    if replacement == "fifo":
        with inbox.claim(workspace, drop) as claim:
            assert claim is not None
            assert claim.source.stat().st_size == 0
    else:
        with pytest.raises(OSError, match=r"symbolic links|directory"), inbox.claim(workspace, drop):
            pass
    assert leftovers(workspace) == []


def test_a_link_that_a_person_names_is_followed(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "link.wav").symlink_to(tone(tmp_path / "a.wav"))
    (drop,) = inbox.drops_from([tmp_path / "link.wav"]).drops
    assert drop.is_unchanged()
    with inbox.claim(workspace, drop) as claim:
        assert claim is not None
        assert claim.sha256 == sha256(tmp_path / "a.wav")


def test_a_claim_clears_what_a_crash_left_of_an_earlier_one(workspace: Workspace) -> None:
    tone(workspace.inbox / "a.wav")
    drop = the_drop(workspace)
    with inbox.claim(workspace, drop) as claim:
        assert claim is not None
        home = claim.folder.parent
    (home / "track").mkdir(parents=True)
    (home / "track" / "record.json").write_text("{")
    with inbox.claim(workspace, drop) as claim:
        assert claim is not None
        assert names(claim.folder) == ["a.wav"]


def test_a_claim_that_cannot_be_written_is_an_error_of_the_workspace(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tone(workspace.inbox / "a.wav")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(WorkspaceError, match="library cannot be written"), inbox.claim(workspace, the_drop(workspace)):
        pass


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, WorkspaceError),
        (errno.EDQUOT, WorkspaceError),
        (errno.EROFS, WorkspaceError),
        (errno.EIO, OSError),
        (errno.EACCES, OSError),
    ],
)
def test_a_copy_that_fails_is_the_workspaces_fault_where_there_is_no_room_and_the_drops_where_not(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    tone(workspace.inbox / "a.wav")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(error, match=os.strerror(number)), inbox.claim(workspace, the_drop(workspace)):
        pass
    assert leftovers(workspace) == []


# Sweeping.


def _claim_and_wait(workspace: Workspace, drop: Drop, pipe: Connection) -> None:
    with inbox.claim(workspace, drop) as claim:
        pipe.send(claim)
        pipe.recv()


def test_sweep_removes_what_the_dead_left_and_nothing_of_the_living(workspace: Workspace) -> None:
    context, pipes, processes = multiprocessing.get_context("spawn"), [], []
    for number, name in enumerate(("dead.wav", "living.wav")):
        tone(workspace.inbox / name, 300 + 100 * number)
    for drop in drops_in(workspace):
        ours, theirs = context.Pipe()
        process = context.Process(target=_claim_and_wait, args=(workspace, drop, theirs), daemon=True)
        process.start()
        pipes.append(ours)
        processes.append(process)
    dead, living = (pipe.recv() for pipe in pipes)
    assert isinstance(living, Claim)
    processes[0].kill()
    processes[0].join()
    assert dead.source.exists()
    inbox.sweep(workspace)
    assert not dead.folder.exists()
    assert living.source.exists()
    assert files_below(workspace.work) == [
        f"{living.folder.parent.name}.lock",
        f"{living.folder.parent.name}/track/living.wav",
    ]
    pipes[1].send("enough")
    processes[1].join()
    assert names(workspace.work) == []
    assert seen(workspace) == ["dead.wav", "living.wav"]


def test_sweep_removes_temporary_files_of_processes_that_are_gone(workspace: Workspace) -> None:
    (workspace.site / "tracks").mkdir()
    places = [
        workspace.home,
        workspace.failed,
        workspace.library,
        workspace.state,
        workspace.site,
        workspace.site / "tracks",
    ]
    dead, ours, living = 2**22 + 1, os.getpid(), os.getppid()
    for place in places:
        for pid in (dead, ours, living):
            (place / f".x.html.{pid}.tmp").write_text("half")
        for kept in (".x.tmp", "x.1.tmp", f".x.{dead}.tmpl"):
            (place / kept).write_text("not ours")
    inbox.sweep(workspace)
    for place in places:
        assert [name for name in names(place) if "x" in name and name.startswith((".x", "x"))] == sorted(
            [".x.tmp", "x.1.tmp", f".x.{dead}.tmpl", f".x.html.{living}.tmp"]
        )


def test_sweep_needs_no_folders(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.library.mkdir()
    inbox.sweep(workspace)


# Leaving.


def test_a_drop_leaves_the_inbox(workspace: Workspace) -> None:
    tone(workspace.inbox / "a.wav")
    assert inbox.leave(the_drop(workspace)) is None
    assert seen(workspace) == []


@pytest.mark.parametrize("change", ["content", "time", "replaced", "link"])
def test_a_drop_that_changed_stays(workspace: Workspace, tmp_path: Path, change: str) -> None:
    path = tone(workspace.inbox / "a.wav")
    drop = the_drop(workspace)
    if change == "content":
        path.write_bytes(path.read_bytes() + b"more")
    elif change == "time":
        os.utime(path, (HOUR_AGO, HOUR_AGO))
    else:
        other = tone(tmp_path / "other.wav", 999)
        path.unlink()
        path.symlink_to(other) if change == "link" else other.rename(path)
    assert "stays in the inbox" in str(inbox.leave(drop))
    assert os.path.lexists(path)


def test_a_drop_that_is_gone_or_not_ours_needs_no_leaving(workspace: Workspace, tmp_path: Path) -> None:
    tone(workspace.inbox / "a.wav")
    drop = the_drop(workspace)
    drop.path.unlink()
    assert inbox.leave(drop) is None
    (elsewhere,) = inbox.drops_from([tone(tmp_path / "b.wav")]).drops
    assert inbox.leave(elsewhere) is None
    assert elsewhere.path.exists()


def test_a_drop_that_cannot_be_removed_says_so(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    tone(workspace.inbox / "a.wav")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert inbox.leave(the_drop(workspace)) == "it is stored, but cannot be taken out of the inbox: Permission denied"


# Empty folders.


def test_only_empty_folders_that_were_left_alone_are_removed(workspace: Workspace, tmp_path: Path) -> None:
    tone(workspace.inbox / "full" / "a.wav")
    for name in ("old/inner", "young", ".sync", "a/.b"):
        (workspace.inbox / name).mkdir(parents=True)
    (workspace.inbox / "link").symlink_to(tmp_path)
    for name in ("old/inner", "old", ".sync", "a/.b", "a"):
        os.utime(workspace.inbox / name, (HOUR_AGO, HOUR_AGO))
    inbox.remove_empty_folders(workspace, older_than_s=60)
    assert names(workspace.inbox) == [".sync", "a", "failed", "full", "link", "old", "young"]
    assert not (workspace.inbox / "old" / "inner").exists()
    os.utime(workspace.inbox / "old", (HOUR_AGO, HOUR_AGO))
    inbox.remove_empty_folders(workspace, older_than_s=60)
    assert names(workspace.inbox) == [".sync", "a", "failed", "full", "link", "young"]
    assert names(workspace.inbox / "a") == [".b"]
    assert tmp_path.exists()


def test_a_lock_that_a_killed_process_left_is_taken_over(workspace: Workspace) -> None:
    tone(workspace.inbox / "a.wav")
    drop = the_drop(workspace)
    token = hashlib.sha256(os.fsencode(drop.path.absolute())).hexdigest()[:16]
    (workspace.work / f"{token}.lock").touch()
    with inbox.claim(workspace, drop) as claim:
        assert claim is not None
    with FileLock(workspace.work / f"{token}.lock", timeout=0), inbox.claim(workspace, drop) as claim:
        assert claim is None
