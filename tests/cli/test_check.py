"""`linernotes check` and `linernotes badge`: verdicts, exit codes, and what other programs read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from processor import library
from processor.feedback.checks import definitions
from processor.workspace import Workspace
from tests import signals, workspaces
from tests.signals import write_wav
from tests.workspaces import Result, command, junk, sound

# What needs seconds and decides nothing here.
QUICK = {"LINERNOTES_ANALYSERS_OFF": "fingerprint,spectrogram,waveform,chords,beats,key,sections,coding,transients"}


def good(path: Path, seconds: float = 6.0) -> Path:
    """A mix that passes: peaks at −3 dBFS."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_wav(path, signals.song(seconds) * np.float32(0.7), subtype="PCM_24")


def bad(path: Path) -> Path:
    """A mix that is cut off at the top of the scale."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_wav(path, signals.clipped(signals.song(6.0) * np.float32(8)), subtype="PCM_16")


def check(*words: str | Path) -> Result:
    return command("check", *words, environment=QUICK)


def told(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.out.splitlines()]


def own_check(workspace: Workspace, sql: str, name: str = "mine.sql") -> None:
    folder = workspace.library / "checks"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(sql)


# Exit codes


def test_exit_codes(tmp_path: Path) -> None:
    fine, clipped, no_sound = good(tmp_path / "a.wav"), bad(tmp_path / "b.wav"), junk(tmp_path / "c.wav")
    assert check(fine).code == 0
    assert check(fine, clipped).code == 1
    assert check(fine, no_sound).code == 3
    assert check(no_sound, clipped).code == 3
    assert check(tmp_path / "gone.wav").code == 3
    assert check(tmp_path).code == 3


def test_wrong_usage() -> None:
    assert check().code == 2
    result = check("--target", "spotfy", "x.wav")
    assert (result.code, result.out) == (2, "")
    assert result.err == "linernotes: There is no platform `spotfy`; did you mean `spotify`?\n"
    result = check("--profile", "tekno", "x.wav")
    assert (result.code, result.err) == (2, "linernotes: There is no profile `tekno`; did you mean `techno`?\n")
    result = check("--json", "--sarif", "x.wav")
    assert (result.code, result.err) == (2, "linernotes: Choose one of --json and --sarif.\n")


def test_no_trouble_of_ours_looks_like_a_failed_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("processor.cli.bench.analysed", full)
    result = check(good(tmp_path / "a.wav"))
    assert (result.code, result.out) == (3, "")
    assert "No space left on device" in result.err


SCRIPT = """
set -u
linernotes() { "$PYTHON" -m processor.cli "$@"; }
linernotes check good.wav > /dev/null; echo "good $?"
linernotes check good.wav bad.wav > /dev/null; echo "bad $?"
linernotes check good.wav gone.wav > /dev/null; echo "gone $?"
linernotes check --target nowhere good.wav 2> /dev/null; echo "usage $?"
if linernotes check bad.wav > report.txt; then echo "released"; else echo "held back"; fi
linernotes check --json good.wav bad.wav | "$PYTHON" -c '
import json, sys
print(*[one["file"] for one in map(json.loads, sys.stdin) if not one["passed"]])'
"""


def test_a_shell_script_can_rely_on_it(tmp_path: Path) -> None:
    good(tmp_path / "good.wav", 3.0)
    bad(tmp_path / "bad.wav")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINERNOTES_")}
    answer = subprocess.run(
        ["bash", "-c", SCRIPT],
        cwd=tmp_path,
        env={**environment, **QUICK, "PYTHON": sys.executable, "LINERNOTES_WORKERS_COUNT": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stderr == ""
    assert answer.stdout.splitlines() == ["good 0", "bad 1", "gone 3", "usage 2", "held back", "bad.wav"]
    assert "No clipped samples" in (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.wav", "good.wav", "report.txt"]


# What people read


def test_text(tmp_path: Path) -> None:
    result = check(bad(tmp_path / "b.wav"), "--profile", "techno")
    lines = result.out.splitlines()
    assert lines[0] == f"{tmp_path / 'b.wav'}  Spotify · Techno (asked for)"
    [clipped] = [line for line in lines if "No clipped samples" in line]
    assert clipped.startswith("  ✗ No clipped samples")
    assert clipped.endswith("a minute (expected ≤ 0 a minute; fails unless ≤ 1000 a minute)")
    assert "cut flat at the top of the scale" in lines[lines.index(clipped) + 1]
    [skipped] = [line for line in lines if "Loudness range" in line]
    assert skipped.startswith("  – Loudness range")
    assert skipped.endswith("The file is too short to tell: 60 s are needed.")
    assert any(line.startswith("  ✓ Mono or stereo") and line.endswith("  2") for line in lines)
    words = lines[-1].split(", ")
    assert [word.split()[1] for word in words] == [
        "passed",
        "warnings" if "warnings" in words[1] else "warning",
        "failed",
        "skipped",
    ]
    assert sum(int(word.split()[0]) for word in words) == len({one.id for one in definitions()})


def test_several_files_are_counted(tmp_path: Path) -> None:
    files = good(tmp_path / "a.wav"), bad(tmp_path / "b.wav"), junk(tmp_path / "c.wav")
    lines = check(*files).out.splitlines()
    assert lines[-1] == "3 files: 1 passed, 1 failed, 1 could not be read"
    assert [line.partition("  ")[0] for line in lines if not line.startswith(" ")][:3] == [str(file) for file in files]
    assert lines[lines.index(str(files[2])) + 1].startswith("  ✗ This is not a sound file")
    assert check(files[0], files[0]).out.splitlines()[-1] == "2 files: 2 passed, 0 failed"


def test_the_target_counts(tmp_path: Path) -> None:
    file = good(tmp_path / "a.wav")
    assert check(file).code == 0
    result = check(file, "--target", "ebu-r128", "--json")
    assert result.code == 1
    [facts] = told(result)
    assert [one["id"] for one in facts["checks"] if one["status"] == "fail"] == ["loudness.on_target"]  # type: ignore[attr-defined]


# What programs read


def test_json(tmp_path: Path) -> None:
    files = [good(tmp_path / "a.wav"), junk(tmp_path / "b.wav"), bad(tmp_path / "c.wav")]
    result = check("--json", *files)
    assert result.code == 3
    first, second, third = told(result)
    assert [one["file"] for one in (first, second, third)] == [str(file) for file in files]
    assert [one["passed"] for one in (first, second, third)] == [True, False, False]
    assert list(first) == ["file", "passed", "checks"]
    assert (second.keys(), second["checks"]) == ({"file", "passed", "error", "checks"}, [])
    checks = third["checks"]
    assert isinstance(checks, list)
    assert {tuple(one) for one in checks} == {("id", "status", "expected", "found", "why")}
    assert {one["status"] for one in checks} <= {"pass", "warn", "fail", "skip"}
    assert "peak.clipped" in [one["id"] for one in checks if one["status"] == "fail"]


def test_sarif_and_junit_are_one_document_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bad(tmp_path / "two words.wav")
    junk(tmp_path / "junk")
    result = check("--sarif", "two words.wav", "junk")
    assert result.code == 3
    [run] = json.loads(result.out)["runs"]
    places = {one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for one in run["results"]}
    assert places == {"two%20words.wav", "junk"}
    result = check("--junit", "two words.wav", "junk")
    assert result.code == 3
    suites = ElementTree.fromstring(result.out)
    assert [suite.get("name") for suite in suites] == ["two words.wav", "junk"]
    assert (suites[1].get("errors"), suites.get("errors")) == ("1", "1")


# A person's own, and a person's words


def test_own_checks_judge_files_that_no_library_has(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    long, short = good(tmp_path / "long.wav", 4.0), good(tmp_path / "short.wav", 3.0)
    own_check(workspace, "-- Under four seconds\nSELECT track, duration_s AS found FROM source WHERE duration_s >= 4")
    result = check("--home", workspace.home, "--json", long, junk(tmp_path / "junk"), short, long)
    assert result.code == 3
    facts = told(result)
    last = [one["checks"][-1] if one["checks"] else None for one in facts]  # type: ignore[index]
    assert [one and (one["id"], one["status"], one["found"]) for one in last] == [
        ("own.mine", "fail", "4"),
        None,
        ("own.mine", "pass", ""),
        ("own.mine", "fail", "4"),
    ]
    assert check("--home", workspace.home, short).code == 0
    assert check("--home", workspace.home, long).code == 1
    assert [path.name for path in workspace.library.rglob("*.tmp")] == []


def test_a_broken_own_check_fails(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    own_check(workspace, "SELECT track FROM nowhere")
    result = check("--home", workspace.home, good(tmp_path / "a.wav", 3.0))
    assert result.code == 1
    assert "This check is broken: Catalog Error: Table with name nowhere does not exist" in result.out


def test_own_checks_see_a_track_of_the_library_beside_the_others(tmp_path: Path) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    track = workspaces.track(workspace, "alpha-beat")
    source = track.source
    assert source is not None
    own_check(workspace, "SELECT track, (SELECT count(*) FROM library) AS found FROM library WHERE folder IS NOT NULL")
    [facts] = told(check("--home", workspace.home, "--json", source))
    assert (facts["checks"][-1]["status"], facts["checks"][-1]["found"]) == ("fail", "3")  # type: ignore[index]
    [facts] = told(check("--home", workspace.home, "--json", sound(tmp_path / "new.wav", seed=9)))
    assert facts["checks"][-1]["status"] == "pass"  # type: ignore[index]


def test_a_persons_word_chooses_the_profile(tmp_path: Path) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    track = workspaces.track(workspace, "alpha-beat")
    library.write_person(track, {"genre": "techno"})
    copy = tmp_path / "copy.wav"
    assert track.source is not None
    copy.write_bytes(track.source.read_bytes())
    head = check("--home", workspace.home, copy).out.splitlines()[0]
    assert head == f"{copy}  Spotify · Techno (your word: techno)"


def test_nothing_is_stored(tmp_path: Path) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in workspace.home.rglob("*")}
    check("--home", workspace.home, good(tmp_path / "a.wav", 3.0))
    assert {path: path.stat().st_mtime_ns for path in workspace.home.rglob("*")} == before


# Badges


def badge(*words: str | Path) -> Result:
    return command("badge", *words, environment=QUICK)


def title(svg: str) -> str | None:
    return ElementTree.fromstring(svg).findtext("{http://www.w3.org/2000/svg}title")


def test_a_badge_of_a_file(tmp_path: Path) -> None:
    result = badge(bad(tmp_path / "b.wav"))
    assert result.code == 0
    found = title(result.out)
    assert found is not None
    assert found.startswith("mix: ")
    assert found.endswith(" failing")
    failed = [one for one in told(check("--json", tmp_path / "b.wav"))[0]["checks"] if one["status"] == "fail"]  # type: ignore[attr-defined]
    assert found == f"mix: {len(failed)} failing"


def test_a_badge_of_a_track_counts_own_checks(tmp_path: Path) -> None:
    workspace = workspaces.with_tracks(tmp_path)
    out = tmp_path / "badges" / "alpha.svg"
    out.parent.mkdir()

    def drawn() -> str | None:
        result = badge("alpha-beat", "--home", workspace.home, "--out", out)
        assert (result.code, result.out) == (0, "")
        return title(out.read_text(encoding="utf-8"))

    before = drawn()
    own_check(workspace, "SELECT track FROM library")
    after = drawn()
    assert before != after
    assert after == "mix: 1 failing" or str(after).endswith("failing")
    own_check(workspace, "SELECT track FROM library WHERE false")
    assert drawn() == before


def test_a_badge_shows_a_number(tmp_path: Path) -> None:
    file = good(tmp_path / "a.wav", 3.0)
    facts = json.loads(command("analyse", "--json", file, environment=QUICK).out)
    lufs = f"{facts['loudness']['integrated_lufs']:.1f}".replace("-", "−")
    assert title(badge(file, "--field", "loudness.integrated_lufs").out) == f"Integrated loudness: {lufs} LUFS"
    assert title(badge(file, "--field", "levels.is_silent").out) == "Silent: no"
    assert title(badge(file, "--field", "key.name").out) == "Key: not measured"  # switched off


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("no-such-track",), 2, "No track is called 'no-such-track'"),
        (("alpha-beat", "--field", "loudness.integrated_luf"), 2, "Did you mean loudness.integrated_lufs?"),
        (("alpha-beat", "--field", "loudness.short_term_lufs"), 2, "no field that fits on a badge"),
        (("alpha-beat", "--target", "tidla"), 2, "did you mean `tidal`?"),
    ],
)
def test_wrong_words_for_a_badge(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    result = badge(*words, "--home", workspaces.with_tracks(tmp_path).home)
    assert (result.code, result.out) == (code, "")
    assert said in result.err
    assert result.err.count("\n") == 1


def test_a_badge_of_no_sound(tmp_path: Path) -> None:
    result = badge(junk(tmp_path / "junk.wav"), "--out", tmp_path / "x.svg")
    assert (result.code, (tmp_path / "x.svg").exists()) == (1, False)
    assert "not a sound file" in result.err


def test_a_badge_needs_a_workspace_for_a_track(tmp_path: Path) -> None:
    result = badge("alpha", "--home", tmp_path)
    assert result.code == 1
    assert "linernotes init" in result.err
