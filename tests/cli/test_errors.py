"""What goes wrong is said in one sentence, with the way out, and never as a traceback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from processor import library, pipeline
from tests import workspaces
from tests.workspaces import Result, command, sound

# A command of each kind that needs a workspace, with words that are right.
NEED_A_WORKSPACE = [("query", "FROM tracks"), ("set", "alpha", "rating=1"), ("refresh",), ("rebuild",), ("serve",)]
READ_SETTINGS = [*NEED_A_WORKSPACE, ("run",), ("watch",), ("analyse", "x.wav"), ("check", "x.wav"), ("advise", "x.wav")]


def assert_sentence(result: Result, code: int) -> None:
    assert result.code == code
    assert result.out == ""
    assert result.err.startswith("linernotes: ")
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err


@pytest.mark.parametrize("words", NEED_A_WORKSPACE, ids=lambda words: words[0])
def test_no_workspace(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = command(*words, "--home", tmp_path)
    assert_sentence(result, 1)
    assert "linernotes init" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", READ_SETTINGS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("[limits\n", "is not valid TOML"),
        ("[limits]\nduratoin_s = 1\n", "did you mean `duration_s`?"),
        ("[limit]\n", "did you mean `limits`?"),
        ('[workers]\ncount = "many"\n', "workers.count: 'many' is not"),
    ],
    ids=["toml", "key", "section", "value"],
)
def test_wrong_settings(tmp_path: Path, words: tuple[str, ...], settings: str, said: str) -> None:
    workspace = workspaces.empty(tmp_path)
    (workspace.home / "linernotes.toml").write_text(settings)
    result = command(*words, "--home", workspace.home)
    assert_sentence(result, 2)
    assert said in result.err
    assert "linernotes.toml" in result.err


def test_a_wrong_setting_in_the_environment_is_named(tmp_path: Path) -> None:
    result = command("run", "--home", tmp_path, environment={"LINERNOTES_WORKERS_COUNT": "-1"})
    assert_sentence(result, 2)
    assert "LINERNOTES_WORKERS_COUNT" in result.err


@pytest.mark.parametrize("name", ["init", "run", "watch", "demo"])
def test_a_home_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    """A file stands where the folder should be: true for root as well, who may write everywhere."""
    (tmp_path / "file").write_text("mine")
    result = command(name, "--home", tmp_path / "file")
    assert_sentence(result, 1)
    assert "cannot be written" in result.err
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", ["init", "run", "watch", "query", "doctor", "analyse"])
@pytest.mark.parametrize("home", ["bad-\udcff", "~nobody-of-that-name/music", "circle"])
def test_a_home_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, home: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    words = {"query": ["FROM tracks"], "analyse": ["x.wav"]}.get(name, [])
    assert_sentence(command(name, *words, "--home", home), 2)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: object) -> None:
        raise OSError(28, "No space left on device", "person.json")

    workspace = workspaces.with_tracks(tmp_path)
    monkeypatch.setattr("processor.library.write_person", fill)
    result = command("set", "brucke", "rating=1", "--home", workspace.home)
    assert_sentence(result, 1)
    assert result.err == "linernotes: No space left on device: person.json\n"


def test_a_disk_that_is_full_in_the_middle_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(*_: object) -> None:
        raise OSError(28, "No space left on device")

    workspace = workspaces.empty(tmp_path)
    file = sound(workspace.inbox / "a.wav")
    monkeypatch.setattr(library, "place", fill)
    result = command("run", "--home", workspace.home)
    assert_sentence(result, 1)
    assert "No space left on device" in result.err
    assert "Nothing is lost" in result.err
    assert file.is_file()
    assert list(workspace.work.iterdir()) == []


def test_a_field_that_there_is_not() -> None:
    result = command("explain", "integrated_luf")
    assert_sentence(result, 2)
    assert "Did you mean integrated_lufs" in result.err


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = command("serve", "--home", workspace.home, "--port", str(port))
    assert_sentence(result, 1)
    assert f"Port {port} cannot be used (Address already in use); choose another with --port." in result.err


def test_a_site_that_is_not_there(tmp_path: Path) -> None:
    result = command("serve", "--home", workspaces.empty(tmp_path).home)
    assert_sentence(result, 1)
    assert "linernotes rebuild" in result.err


@pytest.mark.parametrize("words", [("nonsense",), ("run", "--nonsense"), ("query",), ("set", "track"), ("explain",)])
def test_wrong_usage(words: tuple[str, ...]) -> None:
    result = command(*words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Usage: ")


def test_ctrl_c_is_no_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    workspace = workspaces.with_tracks(tmp_path)
    monkeypatch.setattr(pipeline, "publish", interrupt)
    result = command("rebuild", "--home", workspace.home)
    assert result.code == 130
    assert result.err.strip().startswith("Stopped. Nothing is lost")


@pytest.mark.parametrize(
    "words",
    [
        ("query", "FROM range(200000)"),
        ("query", "--format", "csv", "FROM range(200000)"),
        ("query", "--format", "csv", "FROM range(3)"),
        ("query", "--json", "FROM range(200000)"),
        ("explain", "levels"),
        ("doctor",),
    ],
    ids=["table", "csv", "short csv", "json", "explain", "doctor"],
)
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, words: tuple[str, ...]) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    process = workspaces.start(*words, "--home", workspace.home)
    assert process.stdout is not None
    process.stdout.close()  # before it says anything
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), errors.replace("(200000 rows)\n", "")) == (0, "")


def test_a_run_whose_reader_goes_away_does_its_work(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    for seed in range(3):
        sound(workspace.inbox / f"{seed}.wav", seed)
    process = workspaces.start("run", "--workers", "1", "--home", workspace.home, inbox_settle_s="0")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 0
    assert len(library.tracks(workspace)) == 3
    assert [path.name for path in workspace.inbox.iterdir()] == ["failed"]


def test_a_terminal_that_knows_few_letters(tmp_path: Path) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    words = ["query", "SELECT title FROM tracks", "--home", str(workspace.home)]
    answer = subprocess.run(
        [sys.executable, "-m", "processor.cli", *words],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        check=True,
    )
    assert answer.stdout.splitlines()[1:3] == [b"?" * 10, b"Alpha Beat"]
    assert "Brücke".encode("latin-1") in answer.stdout
