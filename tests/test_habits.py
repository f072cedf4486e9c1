"""Habits that no linter knows: what the README promises, what is documented, and what is never written down."""

from __future__ import annotations

import ast
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from processor.analysis import all_analysers

ROOT = Path(__file__).parents[1]
FIRST_LINES = [
    "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/linernotes demo",
    ".venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest",
]
# Where packages come from is the business of whoever installs them. In two parts, or this file would name them.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("pypi", "python", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("anaconda", "org"),
        ("crates", "io"),
        ("rubygems", "org"),
    )
)
NOT_OURS = {".git", ".venv", "__pycache__", "build", "dist", "linernotes-demo"}
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "processor").rglob("*.py"))
TESTS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py") if path.stat().st_size)


def committed() -> list[Path]:
    """All files that are committed or would be; without git, all that look so."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        words = [git, "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(words, capture_output=True, check=True).stdout.decode().split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    files = [path for path in ROOT.rglob("*") if path.is_file()]
    return [path for path in files if not any(p in NOT_OURS or p.endswith("_cache") for p in path.parts)]


def code_lines(text: str) -> list[str]:
    """What stands between fences, as the CI script reads it."""
    lines, inside = [], False
    for line in text.splitlines():
        if line.startswith("```"):
            inside = not inside
        elif inside:
            lines.append(line)
    return lines


def test_the_readme_begins_with_the_two_lines_that_set_everything_up() -> None:
    assert code_lines((ROOT / "README.md").read_text(encoding="utf-8"))[:2] == FIRST_LINES


def test_no_committed_text_names_a_registry_of_packages() -> None:
    files = committed()
    assert {ROOT / "README.md", ROOT / "pyproject.toml", Path(__file__)} <= set(files)
    named = [
        (path.relative_to(ROOT).as_posix(), host)
        for path in files
        for host in REGISTRIES
        if host in path.read_bytes().decode("utf-8", "replace").lower()
    ]
    assert named == []


@pytest.mark.parametrize("module", [*MODULES, *TESTS])
def test_a_module_says_what_it_is_for(module: str) -> None:
    text = ast.get_docstring(ast.parse((ROOT / module).read_text(encoding="utf-8")))
    assert text
    assert text.splitlines()[0].endswith((".", "?", ":", "!"))


@pytest.mark.parametrize("name", sorted(all_analysers()))
def test_an_analyser_has_a_test_file_of_its_own(name: str) -> None:
    path = ROOT / "tests" / "analysis" / f"test_{name}.py"
    assert path.is_file()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
    assert tests


def test_every_room_is_in_the_list_of_rooms() -> None:
    """Or the contract about imports would not speak of it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    found = {path.stem for path in (ROOT / "processor").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert set(contract["layers"]) == {name for name in found if not name.startswith("__")} - {"templates"}
