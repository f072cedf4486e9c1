"""A crash at any moment leaves the old file or the new one, and no name can leave its folder or forge a line."""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processor import files
from processor.files import (
    append_line,
    copy_hashed,
    hash_file,
    printable,
    remove_leftovers,
    remove_tree,
    replacing,
    safe_suffix,
    slug,
    templates_folder,
    write_atomically,
)


class Crash(BaseException):
    """What a kill looks like to the code: nothing catches it."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestReplacing:
    def test_a_new_file_and_its_folders_are_made(self, tmp_path: Path) -> None:
        write_atomically(tmp_path / "a" / "b" / "x.json", "ü")
        assert (tmp_path / "a" / "b" / "x.json").read_bytes() == "ü".encode()
        write_atomically(tmp_path / "a" / "b" / "x.json", b"\xff")
        assert (tmp_path / "a" / "b" / "x.json").read_bytes() == b"\xff"
        assert names(tmp_path / "a" / "b") == ["x.json"]

    @pytest.mark.parametrize("durable", [True, False])
    def test_a_crash_while_writing_leaves_the_old_content(self, durable: bool, tmp_path: Path) -> None:
        path = tmp_path / "x.json"
        path.write_text("old")

        def crash() -> None:
            with replacing(path, durable=durable) as temporary:
                temporary.write_text("half of the ne")
                assert path.read_text() == "old"
                raise Crash

        with pytest.raises(Crash):
            crash()
        assert path.read_text() == "old"
        assert names(tmp_path) == ["x.json"]

    @pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
    def test_an_error_of_the_system_leaves_the_old_content(
        self, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        path = tmp_path / "x.json"
        path.write_text("old")
        with monkeypatch.context() as patch:
            patch.setattr(call, fail)
            with pytest.raises(OSError, match="No space left"):
                write_atomically(path, "new")
        assert path.read_text() == "old"
        assert names(tmp_path) == ["x.json"]

    def test_the_new_content_is_on_disk_before_it_takes_the_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        steps: list[str] = []
        fsync, replace = os.fsync, Path.replace

        def noted_fsync(descriptor: int) -> None:
            is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
            steps.append("sync folder" if is_folder else "sync file")
            fsync(descriptor)

        def noted_replace(self: Path, target: Path) -> Path:
            steps.append("rename")
            return replace(self, target)

        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(Path, "replace", noted_replace)
        write_atomically(tmp_path / "x", "new")
        assert steps == ["sync file", "rename", "sync folder"]
        steps.clear()
        write_atomically(tmp_path / "x", "newer", durable=False)
        assert steps == ["rename"]

    def test_a_long_name_still_fits(self, tmp_path: Path) -> None:
        path = tmp_path / ("x" * 250 + ".json")
        write_atomically(path, "new")
        assert path.read_text() == "new"

    def test_leftovers_of_the_dead_are_removed(self, tmp_path: Path) -> None:
        ended = subprocess.Popen(["true"])
        ended.wait()
        keep = (".x.1.tmp", "x.tmp", ".hidden", ".x.tmp", "x")
        for name in (f".x.{ended.pid}.tmp", f".x.{os.getpid()}.tmp", ".x.99999999999999999999.tmp", *keep):
            (tmp_path / name).write_text("")
        remove_leftovers(tmp_path)
        assert names(tmp_path) == sorted(keep)  # process 1 is always running
        remove_leftovers(tmp_path / "not there")


class TestAppendLine:
    def test_lines_follow_each_other(self, tmp_path: Path) -> None:
        path = tmp_path / "runs" / "x.jsonl"
        append_line(path, '{"a": 1}')
        append_line(path, '{"ü": 2}')
        assert path.read_text(encoding="utf-8") == '{"a": 1}\n{"ü": 2}\n'

    def test_a_torn_line_stands_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "x.jsonl"
        path.write_text('{"a": 1}\n{"b": ')
        append_line(path, '{"c": 3}')
        assert path.read_text().splitlines() == ['{"a": 1}', '{"b": ', '{"c": 3}']

    def test_it_is_on_disk_before_it_counts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        sizes: list[int] = []
        monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
        append_line(tmp_path / "x", "12345")
        assert sizes == [6]


class TestCopying:
    def test_the_copy_is_the_same_and_its_hash_is_right(self, tmp_path: Path) -> None:
        content = bytes(range(256)) * 5000  # more than one chunk
        digest = copy_hashed(io.BytesIO(content), tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == content
        assert digest == hashlib.sha256(content).hexdigest() == hash_file(tmp_path / "copy")

    def test_a_copy_that_breaks_off_is_removed(self, tmp_path: Path) -> None:
        class Torn(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell() > 0:
                    raise OSError(5, "Input/output error")
                return super().read(10)

        with pytest.raises(OSError, match="Input/output"):
            copy_hashed(Torn(bytes(100)), tmp_path / "copy")
        assert names(tmp_path) == []

    def test_an_empty_file(self, tmp_path: Path) -> None:
        assert copy_hashed(io.BytesIO(), tmp_path / "copy") == hashlib.sha256().hexdigest()

    def test_a_folder_is_removed_once_or_twice(self, tmp_path: Path) -> None:
        (tmp_path / "a" / "b").mkdir(parents=True)
        remove_tree(tmp_path / "a")
        remove_tree(tmp_path / "a")
        assert names(tmp_path) == []


class TestNames:
    @given(st.text())
    def test_a_slug_is_a_plain_folder_name(self, name: str) -> None:
        made = slug(name)
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?", made)
        assert slug(made) == made

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("Böse Überraschung (v2).final", "bose-uberraschung-v2-final"),
            ("../../etc/passwd", "etc-passwd"),
            ("日本語", "untitled"),
            ("", "untitled"),
            ("--", "untitled"),
            ("\ud800x", "x"),
            ("a" * 59 + " b", "a" * 59),
        ],
    )
    def test_slugs(self, name: str, expected: str) -> None:
        assert slug(name) == expected

    @given(st.text(alphabet=st.characters()))
    def test_what_is_printable_forges_nothing(self, text: str) -> None:
        shown = printable(text)
        assert len(shown) == len(text)
        assert len(shown.splitlines()) <= 1
        assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for c in shown)
        shown.encode()

    def test_printable_leaves_text_alone(self) -> None:
        assert printable("Ünïcode 日本 😀 - (x).wav") == "Ünïcode 日本 😀 - (x).wav"
        assert printable("a\x1b[31mb\nc\u202ed") == "a\ufffd[31mb\ufffdc\ufffdd"
        assert printable(os.fsdecode(b"a\xff.wav")) == "a\ufffd.wav"

    @pytest.mark.parametrize(
        ("name", "expected"),
        [("x.WAV", ".wav"), ("x.tar.gz", ".gz"), ("x", ""), (".wav", ""), ("x.wa v", ""), ("x.wav\n", ""), ("x.é", "")],
    )
    def test_safe_suffixes(self, name: str, expected: str) -> None:
        assert safe_suffix(name) == expected


def test_templates_are_found() -> None:
    assert (templates_folder() / "base.html").is_file()
    assert templates_folder().parent in (Path(files.__file__).parent, Path(files.__file__).parent.parent)
