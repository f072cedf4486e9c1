"""Reports of checks for other programs: JSON lines, SARIF 2.1.0, JUnit XML."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from processor.feedback.check import Check
from processor.feedback.check_reports import FileReport, junit, sarif

GOOD = Check("file.complete", "All of it", "pass", "partial: no", "partial: no", "Why.", "source.partial", "decoder")
WARNED = Check("loudness.on_target", "Loudness", "warn", "≤ −12.0 LUFS", "−9.0 LUFS", "Why loud.", "loudness.x", "S")
FAILED = Check("peak.true", "True peak", "fail", "≤ −1.0 dBTP", "1.2 dBTP", "It clips.", "loudness.y", "BS.1770")
SKIPPED = Check("noise.hum", "No hum", "skip", "≤ −50.0 dB", "", "Too short.", "integrity.hum_db", "rule")


def report(path: Path, *checks: Check) -> FileReport:
    return FileReport(path, checks)


# One object a line


def test_facts() -> None:
    facts = report(Path("mix.wav"), GOOD, FAILED).facts()
    assert facts == {
        "file": "mix.wav",
        "passed": False,
        "checks": [
            {
                "id": "file.complete",
                "status": "pass",
                "expected": "partial: no",
                "found": "partial: no",
                "why": "Why.",
            },
            {
                "id": "peak.true",
                "status": "fail",
                "expected": "≤ −1.0 dBTP",
                "found": "1.2 dBTP",
                "why": "It clips.",
            },
        ],
    }


def test_only_a_failure_does_not_pass() -> None:
    assert report(Path("a"), GOOD, WARNED, SKIPPED).passed
    assert not report(Path("a"), GOOD, FAILED).passed
    assert FileReport(Path("a"), error="It is broken.").facts() == {
        "file": "a",
        "passed": False,
        "error": "It is broken.",
        "checks": [],
    }


def test_a_name_that_is_no_unicode() -> None:
    assert FileReport(Path(os.fsdecode(b"a\xff.wav"))).facts()["file"] == "a\ufffd.wav"


# SARIF


def run(reports: list[FileReport], folder: Path) -> dict[str, Any]:
    document = json.loads(sarif(reports, folder))
    assert document["version"] == "2.1.0"
    assert document["$schema"].endswith("sarif-schema-2.1.0.json")
    [found] = document["runs"]
    assert isinstance(found, dict)
    return found


def test_sarif_has_what_is_wrong(tmp_path: Path) -> None:
    found = run([report(tmp_path / "mix.wav", GOOD, WARNED, FAILED, SKIPPED)], tmp_path)
    told = [(one["ruleId"], one["level"], one["message"]["text"]) for one in found["results"]]
    assert told == [
        ("loudness.on_target", "warning", "Loudness: −9.0 LUFS, expected ≤ −12.0 LUFS. Why loud."),
        ("peak.true", "error", "True peak: 1.2 dBTP, expected ≤ −1.0 dBTP. It clips."),
    ]
    assert found["invocations"] == [{"executionSuccessful": True, "toolExecutionNotifications": []}]


def test_sarif_declares_its_rules(tmp_path: Path) -> None:
    reports = [report(tmp_path / name, GOOD, WARNED, FAILED) for name in ("a.wav", "b.wav")]
    found = run(reports, tmp_path)
    rules = found["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["file.complete", "loudness.on_target", "peak.true"]
    assert rules[2]["name"] == "PeakTrue"
    assert rules[2]["shortDescription"] == {"text": "True peak"}
    assert "BS.1770" in rules[2]["fullDescription"]["text"]
    assert rules[2]["help"] == {"text": "linernotes explain loudness.y"}
    for one in found["results"]:
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]
    assert len({one["partialFingerprints"]["check/v1"] for one in found["results"]}) == 4


def test_sarif_names_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    found = run(
        [FileReport(tmp_path / "junk.wav", error="This is\x1b no sound."), report(tmp_path / "a", GOOD)], tmp_path
    )
    [invocation] = found["invocations"]
    assert invocation["executionSuccessful"] is False
    [notice] = invocation["toolExecutionNotifications"]
    assert (notice["level"], notice["message"]["text"]) == ("error", "This is\ufffd no sound.")
    [one] = found["results"]
    assert (one["ruleId"], one["level"]) == ("file.readable", "error")
    assert found["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == "file.readable"


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        ("mix.wav", "mix.wav"),
        ("a folder/mix 100%.wav", "a%20folder/mix%20100%25.wav"),
        ("Brücke#2?.wav", "Br%C3%BCcke%232%3F.wav"),
        ("c:mix.wav", "c%3Amix.wav"),
        (os.fsdecode(b"\xff\n\x1b.wav"), "%FF%0A%1B.wav"),
    ],
)
def test_sarif_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, uri: str) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (tmp_path / name, Path(name)):
        [artifact] = run([report(path, GOOD)], tmp_path)["artifacts"]
        assert artifact["location"] == {"uri": uri, "uriBaseId": "%SRCROOT%"}
        assert re.fullmatch(r"[A-Za-z0-9/._~%-]+", uri)


def test_sarif_addresses_of_files_elsewhere(tmp_path: Path) -> None:
    root = tmp_path / "my root"
    root.mkdir()
    found = run([report(tmp_path / "other place" / "mix.wav", FAILED)], root)
    [artifact] = found["artifacts"]
    assert artifact["location"] == {"uri": f"file://{tmp_path}/other%20place/mix.wav"}
    base = found["originalUriBaseIds"]["%SRCROOT%"]["uri"]
    assert base.endswith("/my%20root/")
    assert unquote(base) == f"file://{root}/"


def test_sarif_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    [artifact] = run([report(tmp_path / "link" / "x.wav", GOOD)], tmp_path)["artifacts"]
    assert artifact["location"]["uri"] == "link/x.wav"


def test_sarif_is_plain_ascii(tmp_path: Path) -> None:
    assert sarif([report(tmp_path / "mix.wav", FAILED)], tmp_path).isascii()


# JUnit


def suites(*reports: FileReport) -> ElementTree.Element:
    return ElementTree.fromstring(junit(reports))


def test_junit_has_a_suite_for_each_file() -> None:
    root = suites(report(Path("a.wav"), GOOD, WARNED, FAILED, SKIPPED), report(Path("b.wav"), GOOD))
    assert root.tag == "testsuites"
    assert [(s.get("name"), s.get("tests"), s.get("failures"), s.get("errors"), s.get("skipped")) for s in root] == [
        ("a.wav", "4", "1", "0", "1"),
        ("b.wav", "1", "0", "0", "0"),
    ]
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == ("5", "1", "1")


def test_junit_cases() -> None:
    [suite] = suites(report(Path("a.wav"), GOOD, WARNED, FAILED, SKIPPED))
    passed, warned, failed, skipped = suite
    assert [case.get("name") for case in suite][:1] == ["All of it (file.complete)"]
    assert {case.get("classname") for case in suite} == {"a.wav"}
    assert [child.tag for child in passed] == ["system-out"]
    assert [child.tag for child in warned] == ["system-out"]
    assert warned[0].text == "Warning: Loudness: −9.0 LUFS, expected ≤ −12.0 LUFS. Why loud."
    assert [(child.tag, child.get("type")) for child in failed] == [("failure", "peak.true")]
    assert failed[0].get("message") == "True peak: 1.2 dBTP, expected ≤ −1.0 dBTP. It clips."
    assert failed[0].text == "Source: BS.1770"
    assert [(child.tag, child.get("message")) for child in skipped] == [("skipped", "Too short.")]


def test_junit_has_an_error_for_what_cannot_be_read() -> None:
    root = suites(FileReport(Path("junk.wav"), error="No sound."))
    [suite] = root
    [case] = suite
    assert (suite.get("tests"), suite.get("errors"), root.get("errors")) == ("1", "1", "1")
    assert [(child.tag, child.get("message")) for child in case] == [("error", "No sound.")]


def test_junit_survives_any_name_and_text() -> None:
    """No control character and no half of a pair is allowed in XML, not even as a reference."""
    hostile = "]]></failure>\x00\x1b\ud800\ufffe\"'&<a>"
    check = Check(hostile, hostile, "fail", hostile, hostile, hostile, "", hostile)
    for status in ("pass", "warn", "fail", "skip"):
        text = junit([report(Path(os.fsdecode(b"\x01\xff<.wav")), Check(**{**vars(check), "status": status}))])
        assert text.isascii()
        assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites')
        [suite] = ElementTree.fromstring(text)
        assert suite.get("name") == "\ufffd\ufffd<.wav"
        assert len(suite) == 1


def test_an_empty_report_is_one() -> None:
    assert suites().get("tests") == "0"
