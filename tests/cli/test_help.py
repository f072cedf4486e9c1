"""Help, documentation, start-up time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from processor.cli import cli
from tests.workspaces import command

COMMANDS = {
    "advise",
    "analyse",
    "badge",
    "check",
    "compare",
    "demo",
    "doctor",
    "explain",
    "init",
    "mashup",
    "matches",
    "models",
    "profile",
    "prompt",
    "query",
    "rebuild",
    "refresh",
    "run",
    "same",
    "serve",
    "set",
    "stems",
    "watch",
}
# What a command needs only once it works; each costs up to half a second.
HEAVY = ("numpy", "numba", "duckdb", "av", "soundfile", "watchdog", "jinja2", "processor.audio")
# They print no data, but serve, watch or show.
WITHOUT_JSON = {"badge", "demo", "serve", "watch"}
README = Path(__file__).parents[2] / "README.md"


def test_these_are_the_commands() -> None:
    assert set(cli.commands) == COMMANDS


def test_help_lists_every_command_with_examples() -> None:
    result = command("--help")
    assert result.code == 0
    assert all(f"\n  {name} " in result.out for name in COMMANDS)
    assert "Examples:" in result.out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_has_help_with_examples_of_itself(name: str) -> None:
    result = command(name, "--help")
    assert result.code == 0
    examples = result.out.split("Examples:")[1].strip().splitlines()
    assert any(f"linernotes {name}" in line for line in examples)
    assert command(name, "-h").out == result.out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_examples_name_only_options_that_there_are(name: str) -> None:
    with click.Context(cli.commands[name]) as context:
        options = {option for parameter in cli.commands[name].params for option in parameter.opts}
        words = (cli.commands[name].epilog or "").split()
        assert {word for word in words if word.startswith("--")} <= options | set(context.help_option_names)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_takes_a_home(name: str) -> None:
    assert "--home DIR" in command(name, "--help").out


@pytest.mark.parametrize("name", sorted(COMMANDS - WITHOUT_JSON))
def test_a_command_whose_output_is_data_prints_json(name: str) -> None:
    assert "--json" in command(name, "--help").out


@pytest.mark.parametrize("name", ["advise", "analyse", "check", "refresh", "run", "watch"])
def test_a_command_that_analyses_takes_workers(name: str) -> None:
    assert "--workers N" in command(name, "--help").out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_readme_documents_every_command(name: str) -> None:
    assert f"linernotes {name}" in README.read_text(encoding="utf-8")


def test_no_words_at_all_show_the_help() -> None:
    result = command()
    assert result.code == 2
    assert "Commands:" in result.out + result.err


def test_the_version() -> None:
    from processor import __version__

    result = command("--version")
    assert (result.code, result.out) == (0, f"linernotes, version {__version__}\n")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from processor.cli import main\n"
        "try: main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "HEAVY []"
