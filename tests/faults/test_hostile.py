"""An inbox full of what should not be there: the good beside it is stored, the bad is set aside with a reason."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

from processor import inbox, library, setaside
from processor.analysis import result_types
from processor.config import Settings
from processor.pipeline import publish
from processor.record import read
from processor.workspace import Workspace
from tests.faults.doubles import arrived, check_sound, contents, drops_in, kinds, names, run, sha256, tone
from tests.soundfiles import bad_files

HOSTILE_NAMES = [
    "two\nlines.wav",
    "<script>alert(1)<script>.wav",
    "'; DROP TABLE tracks; --.wav",
    '"quoted".wav',
    "{{ 7 * 7 }}.wav",
    "a..\\..\\up.wav",
    "~..wav",
    "-rf.wav",
    "--help",
    "e" * 246 + ".wav",
    "\U0001f3b5" * 61 + ".wav",
    "\u202egpj.wav",
    "\x1b[31mred.wav",
    "trailing dot.wav.",
    "trailing space.wav ",
    " leading space.wav",
    "CON.wav",
    "100%.wav",
    "a&b=c?d#e.wav",
    "record.json",
    "arrays.npz",
    "person.json",
    "drops.jsonl",
    "report.md",
    "index.html",
    "no suffix",
    "song.wav.error.txt",
    "many.dots.in.it.wav",
    os.fsdecode(b"\xff\xfe\x80.wav"),
    os.fsdecode(b"caf\xe9.wav"),
]


def test_the_zoo(workspace: Workspace, settings: Settings, tmp_path: Path) -> None:
    zoo = bad_files(workspace.inbox / "zoo")
    good = [
        workspace.inbox / "zoo" / "beside.wav",
        tone(workspace.inbox / "good.wav"),
        tone(workspace.inbox / "z.wav", 999),
    ]
    expected = {sha256(path): 1 for path in good}
    bad = {name: path.read_bytes() for name, path in zoo.items()}
    events = run(workspace, settings)
    assert {name for name, event in kinds(events).items() if event == "stored"} == {
        "zoo/beside.wav",
        "good.wav",
        "z.wav",
    }
    assert {name for name, event in kinds(events).items() if event == "failed"} == {f"zoo/{name}" for name in zoo}
    assert contents(workspace) == expected
    reasons = {one.name: one.reason for one in setaside.failures(workspace)}
    assert reasons.keys() == bad.keys()
    for name, content in bad.items():
        assert (workspace.failed / name).read_bytes() == content
        text = (workspace.failed / f"{name}{setaside.ERROR_SUFFIX}").read_text()
        assert text.startswith(f"zoo/{name} could not be processed.\n\n{reasons[name]}\n\nTo try again")
        assert 10 < len(reasons[name]) < 600
        assert "unexpected" not in reasons[name].lower(), reasons[name]
    publish(workspace)
    check_sound(workspace)
    page = (workspace.site / "attention.html").read_text()
    assert all(name in page for name in bad)


@pytest.mark.parametrize("content", ["good", "bad"])
def test_names_that_mean_something_to_somebody(workspace: Workspace, settings: Settings, content: str) -> None:
    expected = {}
    for number, name in enumerate(HOSTILE_NAMES):
        path = workspace.inbox / name
        tone(path, 200 + 10 * number)
        if content == "bad":
            path.write_text(f"words {number}")
        expected[sha256(path)] = 1
    events = run(workspace, settings)
    assert len(events) == len(HOSTILE_NAMES)
    assert {event.event for event in events} == {"stored" if content == "good" else "failed"}
    for event in events:
        assert event.name.isprintable() or " " in event.name
        event.name.encode()
    if content == "good":
        assert contents(workspace) == expected
        assert set(arrived(workspace).values()) == {1}
        for track in library.tracks(workspace):
            assert library.arrivals(track)[0].path == read(track.folder, result_types()).name
    else:
        kept = [path for path in workspace.failed.iterdir() if not path.name.endswith(setaside.ERROR_SUFFIX)]
        assert {sha256(path) for path in kept} == expected.keys()
        assert len(setaside.failures(workspace)) == len(HOSTILE_NAMES)
    publish(workspace)
    check_sound(workspace)
    assert "<script>alert" not in "".join(page.read_text() for page in workspace.site.rglob("*.html"))


def test_what_is_no_file_is_listed_and_stays(workspace: Workspace, settings: Settings, tmp_path: Path) -> None:
    secret = tone(tmp_path / "secret" / "secret.wav")
    (workspace.inbox / "link.wav").symlink_to(secret)
    (workspace.inbox / "folder").symlink_to(secret.parent)
    (workspace.inbox / "broken.wav").symlink_to("nowhere")
    (workspace.inbox / "up").symlink_to("..")
    os.mkfifo(workspace.inbox / "fifo.wav")
    tone(workspace.inbox / "good.wav")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(workspace.inbox / "socket.wav"))
    before = {name: (workspace.inbox / name).lstat() for name in names(workspace.inbox) if name != "good.wav"}
    assert kinds(run(workspace, settings)) == {"good.wav": "stored"}
    inbox.remove_empty_folders(workspace, older_than_s=-1)
    publish(workspace)
    assert names(workspace.inbox) == sorted(before)
    for name, status in before.items():
        if name != "failed":
            now = (workspace.inbox / name).lstat()
            assert (now.st_ino, now.st_mtime_ns) == (status.st_ino, status.st_mtime_ns)
    assert secret.exists()
    page = (workspace.site / "attention.html").read_text()
    assert all(name in page for name in before if name != "failed")
    assert len(inbox.scan(workspace).ignored) == 6


def test_a_name_in_failed_and_its_text_survive_being_dropped_again(workspace: Workspace, settings: Settings) -> None:
    """A person moves both back, as one does: the text is no sound, and no text of ours is mistaken for it."""
    (workspace.inbox / "a.wav").write_text("words")
    run(workspace, settings)
    for name in names(workspace.failed):
        shutil.move(workspace.failed / name, workspace.inbox / name)
    run(workspace, settings)
    publish(workspace)
    assert (workspace.failed / "a.wav").read_text() == "words"
    assert len(setaside.failures(workspace)) == 2
    assert drops_in(workspace) == []
