"""Small models with small weights, the archives that hold them, and clients of registries that bring these."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from processor.models.table import File, Model, Source

WEIGHTS = b"These are the weights of a very small network. " * 50
INSIDE = "package/net.onnx"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def a_file(name: str = "net.onnx", content: bytes = WEIGHTS, parts: tuple[str, ...] = (INSIDE,)) -> File:
    return File(name, sha256(content), len(content), parts)


NPM = Source("npm", "net@1.0.0", files=(a_file(),))
PYPI = Source("pypi", "net==1.0.0", files=(a_file(parts=("net/net.onnx",)),))


def a_model(*sources: Source, name: str = "yamnet", is_free: bool = True, needs: tuple[str, ...] = ()) -> Model:
    """A model under one of the names that there are switches for."""
    return Model(
        name=name,
        job="yamnet_tagger",
        title="Small",
        loader="fake:load",
        sources=sources or (NPM,),
        licence="MIT" if is_free else "for Sundays only",
        is_free=is_free,
        memory_bytes=1000,
        size_bytes=len(WEIGHTS),
        needs=needs,
    )


def tarball(members: Mapping[str, bytes | tarfile.TarInfo]) -> bytes:
    """A gzipped tar archive; a `TarInfo` stands for itself."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def wheel(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def a_program(path: Path, lines: str) -> Path:
    """A program in Python that can be called by its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!{sys.executable} -S\nimport os, pathlib, sys, time\n{lines}\n")
    path.chmod(0o755)
    return path


def fake_npm(monkeypatch: pytest.MonkeyPatch, folder: Path, lines: str) -> Path:
    """Put an `npm` in front of the path; its calls are in the file that this gives, one a line."""
    calls = folder / "calls"
    a_program(folder / "bin" / "npm", f"open({str(calls)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n{lines}")
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return calls


def bringing(folder: Path, content: bytes) -> str:
    """Lines of an `npm` that brings an archive."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "archive").write_bytes(content)
    return f"pathlib.Path('net-1.0.0.tgz').write_bytes(pathlib.Path({str(folder / 'archive')!r}).read_bytes())"


def failing(said: str, code: int = 1) -> str:
    """Lines of a client that fails."""
    return f"sys.stderr.write({said!r}); sys.exit({code})"


def no_npm(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A path on which there is nothing."""
    (folder / "nothing").mkdir()
    monkeypatch.setenv("PATH", str(folder / "nothing"))
