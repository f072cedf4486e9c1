"""On a terminal: a bar while files are processed, a summary after it, and a daemon with one line for its status."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processor import library
from tests import workspaces
from tests.workspaces import eventually, junk, sound

COLUMNS = 60
SETTINGS = {"LINERNOTES_INBOX_SETTLE_S": "0", "LINERNOTES_INBOX_RESCAN_S": "1", "LINERNOTES_WORKERS_COUNT": "1"}


@contextmanager
def on_a_terminal(*words: str | Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A command whose output goes to a terminal, and the other end of that."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "processor.cli", *map(str, words)],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **SETTINGS, "COLUMNS": str(COLUMNS), "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def shown(end: int) -> str:
    """All that comes until the command closes its terminal."""
    parts = []
    while True:
        try:
            part = os.read(end, 65536)
        except OSError:  # what Linux says when the other end is closed
            part = b""
        if not part:
            return b"".join(parts).decode().replace("\r\n", "\n")
        parts.append(part)


def test_a_run_shows_a_bar_and_then_each_file_once(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    sound(workspace.inbox / "good.wav")
    junk(workspace.inbox / "bad.txt")
    with on_a_terminal("run", "--home", workspace.home) as (process, end):
        text = shown(end)
        assert process.wait() == 3
    assert "Processing" in text
    assert "2/2" in text
    assert text.count("stored    good.wav → good-") == 1
    assert text.count("failed    bad.txt (") == 1
    assert "\n1 stored, 1 set aside\n" in text
    assert text.endswith(f"The site: {workspace.site / 'index.html'}\n")


def test_a_long_list_is_cut_but_what_was_set_aside_is_told(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    for number in range(25):
        junk(workspace.inbox / f"bad-{number}.txt")
        (workspace.inbox / f"link-{number}").symlink_to("nowhere")
    with on_a_terminal("run", "--home", workspace.home) as (process, end):
        text = shown(end)
        assert process.wait() == 1
    assert len(re.findall(r"^failed    bad-\d+\.txt", text, re.MULTILINE)) == 25
    assert len(re.findall(r"^ignored   link-\d+", text, re.MULTILINE)) == 20
    assert "\n… and 5 more\n" in text


def test_the_daemon_s_status_stays_on_one_line(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    sound(workspace.inbox / "good.wav")
    with on_a_terminal("watch", "--home", workspace.home) as (process, end):
        eventually(lambda: library.tracks(workspace) and not list(workspace.inbox.glob("*.wav")))
        process.send_signal(signal.SIGINT)
        text = shown(end)
        assert process.wait() == 0
    lines = text.split("\r\x1b[K")
    assert all("watching" in line and len(line.strip()) < COLUMNS for line in lines[1:-1])
    assert lines[0] == ""
    assert lines[-1].endswith("\nStopped.\n")
    assert text.count("\n") == 2
