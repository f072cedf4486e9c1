"""`linernotes watch` as a person starts it: a process of its own, and files that arrive in every way there is."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from processor import library
from processor.daemon import LOG_NAME
from processor.library import Track
from processor.record import read
from processor.workspace import Workspace
from tests import workspaces
from tests.workspaces import command, eventually, junk, sound

SETTINGS = {"inbox_settle_s": "0.2", "inbox_patience_s": "2", "inbox_rescan_s": "1", "workers_count": "1"}
BURST = 60
fresh = itertools.count()  # no two sounds are alike unless a test says so


@dataclass
class Watch:
    """A running daemon and what it said."""

    workspace: Workspace
    pid: int
    end: Callable[[], int | None]  # its exit code, once it has one
    said: list[str] = field(default_factory=list)

    def tracks(self, prefix: str = "") -> list[Track]:
        return [track for track in library.tracks(self.workspace) if track.id.startswith(prefix)]

    def waits_for(self, prefix: str, count: int = 1, seconds: float = 30.0) -> list[Track]:
        """So many tracks whose names begin so, each with its page, and nothing left in the inbox."""

        def is_there() -> bool:
            pages = list((self.workspace.site / "tracks").glob(f"{prefix}*.html"))
            return len(self.tracks(prefix)) >= count and len(pages) >= count and not self.dropped(prefix)

        eventually(is_there, seconds)
        found = self.tracks(prefix)
        assert len(found) == count
        return found

    def dropped(self, prefix: str) -> list[Path]:
        found = [path for path in self.workspace.inbox.rglob("*") if path.is_file()]
        return [path for path in found if path.name.startswith(prefix) and self.workspace.failed not in path.parents]


@contextmanager
def watching(workspace: Workspace, **settings: str) -> Iterator[Watch]:
    """A daemon that is ended in any case; one that is still there must end well."""
    process = workspaces.start("watch", "--home", workspace.home, **{**SETTINGS, **settings})
    one = Watch(workspace, process.pid, process.poll)
    assert process.stderr is not None
    reader = threading.Thread(target=lambda: one.said.extend(iter(process.stderr.readline, "")))
    reader.start()
    try:
        eventually(lambda: one.said or process.poll() is not None)
        yield one
        is_well = process.poll() in (None, 0)
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)
        reader.join(20)
        assert process.stdout is not None
        assert process.stdout.read() == ""
        process.stdout.close()
        process.stderr.close()
    if is_well:  # a worker whose parent is killed may complain
        assert one.said[-1] == "Stopped.\n"
        assert not any("Traceback" in line for line in one.said)


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    """One for all tests that only drop something, each under a name of its own."""
    with watching(workspaces.empty(tmp_path_factory.mktemp("watch"))) as one:
        yield one


def test_a_file_that_is_copied(watch: Watch, tmp_path: Path) -> None:
    shutil.copy(sound(tmp_path / "copied.wav", next(fresh)), watch.workspace.inbox)
    (track,) = watch.waits_for("copied")
    assert track.source is not None
    assert track.source.read_bytes() == (tmp_path / "copied.wav").read_bytes()
    eventually(lambda: track.id in (watch.workspace.site / "index.html").read_text(encoding="utf-8"))


def test_a_file_that_is_moved_in(watch: Watch) -> None:
    sound(watch.workspace.home / "moved.wav", next(fresh)).rename(watch.workspace.inbox / "moved.wav")
    watch.waits_for("moved")


def test_a_file_that_is_linked_hard(watch: Watch) -> None:
    mine = sound(watch.workspace.home / "linked.wav", next(fresh))
    content = mine.read_bytes()
    (watch.workspace.inbox / "linked.wav").hardlink_to(mine)
    watch.waits_for("linked")
    assert mine.read_bytes() == content


def test_an_old_file_that_is_moved_in(watch: Watch) -> None:
    """Its time of change is long past, but it has only just come."""
    old = sound(watch.workspace.home / "old.wav", next(fresh))
    os.utime(old, (1e9, 1e9))
    old.rename(watch.workspace.inbox / "old.wav")
    watch.waits_for("old")


def test_a_file_of_the_future(watch: Watch) -> None:
    future = sound(watch.workspace.home / "future.wav", next(fresh))
    os.utime(future, (4e9, 4e9))
    future.rename(watch.workspace.inbox / "future.wav")
    watch.waits_for("future")


def test_files_in_folders(watch: Watch, tmp_path: Path) -> None:
    for name in ["folder-a.wav", "Side 2/folder-b.wav"]:
        sound(tmp_path / "Album" / name, next(fresh))
    shutil.copytree(tmp_path / "Album", watch.workspace.inbox / "Album")
    watch.waits_for("folder", 2)
    answer = "SELECT collection FROM tracks WHERE track LIKE 'folder%' ORDER BY name"
    told = command("query", answer, "--json", "--home", watch.workspace.home).out.splitlines()
    assert [json.loads(line)["collection"] for line in told] == ["Album", "Album/Side 2"]


def test_a_folder_that_is_moved_in(watch: Watch) -> None:
    for seed in range(20, 23):
        sound(watch.workspace.home / "Moved" / "Deep" / f"deep-{seed}.wav", next(fresh))
    (watch.workspace.home / "Moved").rename(watch.workspace.inbox / "Moved")
    watch.waits_for("deep", 3)


def test_a_burst_of_small_files(watch: Watch) -> None:
    for seed in range(BURST):
        sound(watch.workspace.inbox / f"burst-{seed}.wav", next(fresh), seconds=0.1)
    tracks = watch.waits_for("burst", BURST, 60)
    assert [len(library.arrivals(track)) for track in tracks] == [1] * BURST
    assert list(watch.workspace.failed.glob("burst*")) == []


def test_a_copy_that_is_slow(watch: Watch, tmp_path: Path) -> None:
    """It pauses for longer than a whole file has to stand still, but its header promises more."""
    content = sound(tmp_path / "slow.wav", next(fresh), seconds=2).read_bytes()
    length = len(content) // 4 + 1
    with (watch.workspace.inbox / "slow.wav").open("wb", buffering=0) as file:
        for start in range(0, len(content), length):
            assert watch.tracks("slow") == []
            file.write(content[start : start + length])
            time.sleep(0.6)
    (track,) = watch.waits_for("slow")
    facts = read(track.folder, {"source": _source_type()}).results["source"]
    assert (facts.duration_s, facts.partial) == (2.0, False)


def _source_type() -> type:
    from processor.analysis import result_types

    return result_types()["source"]


def test_a_copy_that_never_ends_is_taken_for_what_it_is(watch: Watch, tmp_path: Path) -> None:
    content = sound(tmp_path / "cut.wav", next(fresh), seconds=2).read_bytes()
    start = time.monotonic()
    (watch.workspace.inbox / "cut.wav").write_bytes(content[: len(content) // 2])
    (track,) = watch.waits_for("cut")
    assert time.monotonic() - start > 2  # the patience
    assert read(track.folder, {"source": _source_type()}).results["source"].partial


def test_a_download_that_is_renamed_when_it_is_done(watch: Watch, tmp_path: Path) -> None:
    part = watch.workspace.inbox / "download.wav.part"
    shutil.copy(sound(tmp_path / "a.wav", next(fresh)), part)
    eventually(lambda: any("still arriving" in line for line in watch.said))
    time.sleep(0.5)
    assert part.is_file()
    part.rename(watch.workspace.inbox / "download.wav")
    watch.waits_for("download")


def test_files_that_vanish_are_no_trouble(watch: Watch) -> None:
    for seed in range(30):
        path = sound(watch.workspace.inbox / f"ghost-{seed}.wav", next(fresh))
        time.sleep(0.01 * (seed % 3))
        path.unlink()
    sound(watch.workspace.inbox / "ghost-last.wav", next(fresh))
    watch.waits_for("ghost-last")
    assert list(watch.workspace.failed.glob("ghost*")) == []
    assert watch.tracks("ghost") == watch.tracks("ghost-last")


def test_what_is_no_sound_is_set_aside_and_told(watch: Watch) -> None:
    junk(watch.workspace.inbox / "junk.txt")
    eventually(lambda: (watch.workspace.failed / "junk.txt").is_file())
    eventually(lambda: "junk.txt" in (watch.workspace.site / "attention.html").read_text(encoding="utf-8"))
    assert (watch.workspace.failed / "junk.txt.error.txt").is_file()


def test_the_same_bytes_again_are_another_drop(watch: Watch) -> None:
    seed = next(fresh)
    for _ in range(2):
        sound(watch.workspace.inbox / "again.wav", seed)
        (track,) = watch.waits_for("again")
    eventually(lambda: len(library.arrivals(track)) == 2)


def test_other_commands_work_beside_it(watch: Watch, tmp_path: Path) -> None:
    home = watch.workspace.home
    ours = [sound(tmp_path / f"beside-{seed}.wav", next(fresh)) for seed in range(3)]
    for seed in range(5):
        sound(watch.workspace.inbox / f"busy-{seed}.wav", next(fresh))
    assert command("run", *ours, "--home", home).code == 0
    (track, *_) = watch.waits_for("beside", 3)
    assert command("set", track.id, "rating=5", "--home", home).code == 0
    assert command("rebuild", "--home", home).code == 0
    assert command("refresh", "--home", home).code == 0
    watch.waits_for("busy", 5)
    answer = f"SELECT count(*) AS n, max(rating) AS best FROM tracks WHERE track LIKE 'b%s%' OR track = '{track.id}'"
    assert json.loads(command("query", answer, "--json", "--home", home).out)["best"] == 5
    doctor = [json.loads(line) for line in command("doctor", "--json", "--home", home).out.splitlines()]
    assert [one for one in doctor if one["state"] == "problem" and one["subject"] != "disk"] == []
    assert any(one["text"].startswith(f"Process {watch.pid} on ") for one in doctor)


def test_a_run_of_the_same_inbox_beside_it(watch: Watch) -> None:
    """Each file is taken by one of the two, and only once."""
    for seed in range(10):
        sound(watch.workspace.inbox / f"shared-{seed}.wav", next(fresh))
    assert command("run", "--home", watch.workspace.home, environment={"LINERNOTES_INBOX_SETTLE_S": "0.2"}).code == 0
    tracks = watch.waits_for("shared", 10)
    assert [len(library.arrivals(track)) for track in tracks] == [1] * 10


def test_a_second_one_refuses_and_names_the_first(watch: Watch) -> None:
    result = command("watch", "--home", watch.workspace.home)
    assert (result.code, result.out, result.err.count("\n")) == (1, "", 1)
    assert f"Process {watch.pid} on " in result.err
    assert "is watching" in result.err
    assert psutil.pid_exists(watch.pid)


@pytest.mark.parametrize("way", ["deleted", "deleted and made again"])
def test_an_inbox_that_is_deleted(watch: Watch, way: str) -> None:
    shutil.rmtree(watch.workspace.inbox)
    if way == "deleted":
        eventually(watch.workspace.inbox.is_dir)
    else:
        watch.workspace.inbox.mkdir(exist_ok=True)
    number = next(fresh)
    sound(watch.workspace.inbox / f"anew-{number}.wav", number)
    watch.waits_for(f"anew-{number}")


def test_what_it_did_is_in_its_log_and_on_its_status_line(watch: Watch) -> None:
    sound(watch.workspace.inbox / "logged.wav", next(fresh))
    (track,) = watch.waits_for("logged")
    log = (watch.workspace.state / LOG_NAME).read_text(encoding="utf-8")
    assert f"INFO stored logged.wav as {track.id}\n" in log
    eventually(lambda: " · idle · " in watch.said[-1])
    assert watch.said[-1].partition(" ")[2].startswith(f"watching {watch.workspace.inbox} · idle · ")
    answer = "SELECT event FROM runs WHERE name = 'logged.wav'"
    runs = command("query", answer, "--json", "--home", watch.workspace.home)
    assert [json.loads(line) for line in runs.out.splitlines()] == [{"event": "stored"}]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("is_busy", [False, True], ids=["idle", "busy"])
def test_it_ends_when_it_is_asked_to(tmp_path: Path, number: int, is_busy: bool) -> None:
    workspace = workspaces.empty(tmp_path)
    for seed in range(4 if is_busy else 0):
        sound(workspace.inbox / f"{seed}.wav", seed, seconds=30)
    with watching(workspace) as one:
        eventually(lambda: library.tracks(workspace) if is_busy else one.said)
        family = psutil.Process(one.pid).children(recursive=True)
        os.killpg(one.pid, number)  # as a terminal does
        eventually(lambda: one.end() is not None)
        assert one.end() == 0
        assert psutil.wait_procs(family, timeout=5)[1] == []
    assert not (workspace.state / "watch.json").exists()
    assert list(workspace.work.iterdir()) == []
    assert (workspace.state / LOG_NAME).read_text(encoding="utf-8").endswith("INFO stopped\n")
    if is_busy:
        left = len(list(workspace.inbox.glob("*.wav")))
        assert len(library.tracks(workspace)) == 4 - left


def test_it_goes_on_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    process = workspaces.start("watch", "--home", workspace.home, **SETTINGS)
    assert process.stderr is not None
    try:
        process.stderr.readline()
        process.stderr.close()
        sound(workspace.inbox / "unheard.wav", next(fresh))
        eventually(lambda: library.tracks(workspace) and not list(workspace.inbox.glob("*.wav")))
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_what_was_dropped_while_it_was_down(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    with watching(workspace) as one:
        sound(workspace.inbox / "first.wav", 1)
        one.waits_for("first")
    sound(workspace.inbox / "second.wav", 2)
    sound(workspace.inbox / "Album" / "second.wav", 3)
    with watching(workspace) as one:
        one.waits_for("second", 2)
    assert len(library.tracks(workspace)) == 3


def test_one_that_was_killed_blocks_nobody(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    for seed in range(3):
        sound(workspace.inbox / f"take-{seed}.wav", seed, seconds=60)
    with watching(workspace) as one:
        eventually(lambda: list(workspace.work.glob("*/track/*")))
        family = psutil.Process(one.pid).children(recursive=True)
        os.kill(one.pid, signal.SIGKILL)
        eventually(lambda: one.end() is not None)
        assert psutil.wait_procs(family, timeout=10)[1] == []
    assert (workspace.state / "watch.json").exists()
    assert "none is watching" in command("doctor", "--home", workspace.home).out
    with watching(workspace) as one:
        tracks = one.waits_for("take", 3)
    assert [len(library.arrivals(track)) for track in tracks] == [1] * 3
    assert list(workspace.work.iterdir()) == []
