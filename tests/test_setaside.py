"""What could not be processed: kept whole, under a name of its own, with a reason that can be read."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from processor import setaside
from processor.inbox import Drop, drops_from
from processor.workspace import Workspace
from tests.faults.doubles import drops_in, files_below, names, tone


def the_drop(workspace: Workspace) -> Drop:
    (drop,) = drops_in(workspace)
    return drop


def dropped(workspace: Workspace, name: str, content: str) -> Drop:
    path = workspace.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return the_drop(workspace)


def test_a_drop_is_moved_beside_its_reason(workspace: Workspace) -> None:
    drop = dropped(workspace, "album/song.wav", "words")
    assert setaside.set_aside(workspace, drop, "It is a text.") == "song.wav"
    assert files_below(workspace.inbox) == ["failed/song.wav", "failed/song.wav.error.txt"]
    text = (workspace.failed / "song.wav.error.txt").read_text()
    assert text.startswith(
        "album/song.wav could not be processed.\n\nIt is a text.\n\nTo try again, move the file back"
    )
    assert [(one.name, one.reason) for one in setaside.failures(workspace)] == [("song.wav", "It is a text.")]


def test_files_of_one_name_do_not_replace_each_other(workspace: Workspace) -> None:
    taken = [
        setaside.set_aside(workspace, dropped(workspace, f"{number}/song.wav", f"{number}"), f"Reason {number}.")
        for number in range(3)
    ]
    assert taken == ["song.wav", "song (2).wav", "song (3).wav"]
    assert [(workspace.failed / str(name)).read_text() for name in taken] == ["0", "1", "2"]
    assert {one.name: one.reason for one in setaside.failures(workspace)} == {
        "song.wav": "Reason 0.",
        "song (2).wav": "Reason 1.",
        "song (3).wav": "Reason 2.",
    }


def test_a_broken_link_of_that_name_is_not_replaced(workspace: Workspace) -> None:
    (workspace.failed / "song.wav").symlink_to("nowhere")
    assert setaside.set_aside(workspace, dropped(workspace, "song.wav", "x"), "Why.") == "song (2).wav"
    assert (workspace.failed / "song.wav").is_symlink()


def test_the_reason_is_there_before_the_file(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    drop = dropped(workspace, "song.wav", "x")

    def crash(*_: object) -> None:
        raise KeyError

    with monkeypatch.context() as patch:
        patch.setattr(setaside, "_move", crash)
        with pytest.raises(KeyError):
            setaside.set_aside(workspace, drop, "First.")
    assert names(workspace.failed) == ["song.wav.error.txt"]
    assert setaside.failures(workspace) == []
    assert setaside.set_aside(workspace, drop, "Second.") == "song.wav"
    assert [one.reason for one in setaside.failures(workspace)] == ["Second."]


def test_a_text_whose_file_was_taken_back_is_removed(workspace: Workspace) -> None:
    setaside.set_aside(workspace, dropped(workspace, "back.wav", "x"), "Why.")
    setaside.set_aside(workspace, dropped(workspace, "stays.wav", "x"), "Why.")
    (workspace.failed / "back.wav").unlink()
    assert [one.name for one in setaside.failures(workspace)] == ["stays.wav"]
    setaside.remove_orphan_texts(workspace)
    assert names(workspace.failed) == ["stays.wav", "stays.wav.error.txt"]


def test_a_persons_own_text_is_not_taken_for_an_orphan(workspace: Workspace) -> None:
    (workspace.failed / "notes.error.txt").write_text("my own notes")
    (workspace.failed / "folder.error.txt").mkdir()
    (workspace.failed / "link.error.txt").symlink_to("nowhere")
    os.mkfifo(workspace.failed / "pipe.error.txt")
    (workspace.failed / "pipe").touch()
    before = names(workspace.failed)
    setaside.remove_orphan_texts(workspace)
    assert names(workspace.failed) == before
    assert setaside.failures(workspace) == []


def test_a_drop_that_is_named_like_a_reason_is_neither_replaced_nor_removed(workspace: Workspace) -> None:
    setaside.set_aside(workspace, dropped(workspace, "song.wav.error.txt", "precious"), "Why.")
    setaside.set_aside(workspace, dropped(workspace, "song.wav", "sound"), "Why.")
    setaside.remove_orphan_texts(workspace)
    contents = {path.read_text() for path in workspace.failed.iterdir()}
    assert {"precious", "sound"} <= contents
    assert len(setaside.failures(workspace)) == 2


@pytest.mark.parametrize(
    "name",
    [
        "a\nb.wav",
        "<script>alert(1)<script>.wav",
        "-rf",
        "x.wav.",
        "x.wav ",
        "\u202egnp.wav",
        "e" * 250,
        "e" * 246 + ".wav",
        "x." + "s" * 248,
        "\U0001f3b5" * 62 + ".wa",
        "..wav",
        "...",
        os.fsdecode(b"\xff\xfe.wav"),
        os.fsdecode(b"\xff" * 250),
    ],
)
def test_any_name_can_be_set_aside(workspace: Workspace, name: str) -> None:
    for number in (1, 2):
        (workspace.inbox / "folder").mkdir(exist_ok=True)
        path = workspace.inbox / "folder" / name
        path.write_text(str(number))
        status = path.stat()
        drop = Drop(path, "shown", status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        shown = setaside.set_aside(workspace, drop, f"Reason {number}.")
        assert shown is not None
        assert "\n" not in shown
        shown.encode()
    assert names(workspace.inbox / "folder") == []
    assert len(names(workspace.failed)) == 4
    assert sorted(one.reason for one in setaside.failures(workspace)) == ["Reason 1.", "Reason 2."]
    assert {path.read_text() for path in workspace.failed.iterdir() if not path.name.endswith(".txt")} == {"1", "2"}


def test_of_a_file_from_elsewhere_the_copy_is_set_aside(workspace: Workspace, tmp_path: Path) -> None:
    original = tone(tmp_path / "My Song.wav")
    copy = tone(workspace.work / "my-song.wav")
    (drop,) = drops_from([original]).drops
    assert setaside.set_aside(workspace, drop, "Why.", copy) == "My Song.wav"
    assert original.exists()
    assert not copy.exists()
    assert (workspace.failed / "My Song.wav").read_bytes() == original.read_bytes()


def test_without_a_copy_there_is_nothing_to_set_aside(workspace: Workspace, tmp_path: Path) -> None:
    (drop,) = drops_from([tone(tmp_path / "a.wav")]).drops
    assert setaside.set_aside(workspace, drop, "Too large.") is None
    assert names(workspace.failed) == []


def test_a_drop_on_another_file_system_is_copied_whole_before_it_goes(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = dropped(workspace, "usb/song.wav", "x" * 5000)

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "rename", refuse)
    assert setaside.set_aside(workspace, drop, "Why.") == "song.wav"
    assert (workspace.failed / "song.wav").read_text() == "x" * 5000
    assert names(workspace.failed) == ["song.wav", "song.wav.error.txt"]
    assert not drop.path.exists()


def test_a_failed_folder_that_is_gone_is_made_again(workspace: Workspace) -> None:
    workspace.failed.rmdir()
    assert setaside.failures(workspace) == []
    setaside.remove_orphan_texts(workspace)
    setaside.set_aside(workspace, dropped(workspace, "song.wav", "x"), "Why.")
    assert len(setaside.failures(workspace)) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no reason was kept"), ("one\n\ntwo\x1b[31m\n\nthree", "two\ufffd[31m"), ("one\n\ntwo", "two")],
)
def test_a_reason_is_shown_without_what_could_hurt(workspace: Workspace, text: str, reason: str) -> None:
    (workspace.failed / "a.wav").touch()
    (workspace.failed / "a.wav.error.txt").write_text(text)
    assert [one.reason for one in setaside.failures(workspace)] == [reason]
