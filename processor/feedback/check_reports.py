"""Checks of several files as other programs read them: JSON lines, SARIF 2.1.0, JUnit XML."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

from processor import __version__
from processor.feedback.check import FAIL, PASS, SKIP, WARN, Check, Summary, summary
from processor.files import printable
from processor.record import JSON

SARIF_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
SARIF_LEVELS = {FAIL: "error", WARN: "warning"}
# What stands for a file that could not be checked at all.
READABLE = Check(
    "file.readable", "The file can be read", FAIL, "", "", "Nothing of it was checked.", "", "decoders and limits"
)
_ROOT = "%SRCROOT%"


@dataclass(frozen=True)
class FileReport:
    """How one file did.

    Attributes:
        path: the file as it was named.
        checks: how each check went; empty where it could not be read.
        error: why it could not be read, or None.
        against: profile and platform that it was checked against, for people.
    """

    path: Path
    checks: tuple[Check, ...] = ()
    error: str | None = None
    against: str = ""

    @property
    def name(self) -> str:
        """The file as it was named, as Unicode: bytes that are no UTF-8 become U+FFFD."""
        return os.fsencode(self.path).decode("utf-8", "replace")

    @property
    def summary(self) -> Summary:
        """How many checks ended how."""
        return summary(self.checks)

    @property
    def passed(self) -> bool:
        """Whether it was read and no check failed."""
        return self.error is None and not self.summary.failed

    def facts(self) -> dict[str, JSON]:
        """As JSON values: one line of `--json`."""
        error = {} if self.error is None else {"error": self.error}
        return {"file": self.name, "passed": self.passed, **error, "checks": [check.facts() for check in self.checks]}


def sarif(reports: Sequence[FileReport], folder: Path) -> str:
    """SARIF 2.1.0 with what is wrong: failures are errors, warnings are warnings.

    What passed or was skipped is left out: SARIF could say so (`kind`), but most of its readers take whatever they
    find for a problem.

    Args:
        reports: how each file did.
        folder: where addresses are relative to; files elsewhere get absolute ones.
    """
    rules: dict[str, Check] = {}
    for check in (check for report in reports for check in report.checks):
        rules.setdefault(check.id, check)
    if any(report.error is not None for report in reports):
        rules[READABLE.id] = READABLE
    places = {name: number for number, name in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "Liner Notes",
                "semanticVersion": __version__,
                "rules": [_rule(check) for check in rules.values()],
            }
        },
        "originalUriBaseIds": {_ROOT: {"uri": f"{folder.resolve().as_uri().rstrip('/')}/"}},
        "invocations": [_invocation(reports, folder)],
        "artifacts": [{"location": _location(report.path, folder)} for report in reports],
        "results": [_result(check, report, folder, places) for report in reports for check in _problems(report)],
        "columnKind": "unicodeCodePoints",
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _problems(report: FileReport) -> list[Check]:
    if report.error is not None:
        return [READABLE]
    return [check for check in report.checks if check.status in SARIF_LEVELS]


def _rule(check: Check) -> dict[str, JSON]:
    return {
        "id": check.id,
        "name": "".join(word.capitalize() for word in check.id.replace(".", "_").split("_")),
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": f"{check.title}. Source of the limit: {check.source}."},
        "help": {"text": f"linernotes explain {check.field}" if check.field else check.source},
        "properties": {"tags": ["audio", check.id.partition(".")[0]]},
    }


def _result(check: Check, report: FileReport, folder: Path, places: dict[str, int]) -> dict[str, JSON]:
    text = report.error if report.error is not None else _sentence(check)
    return {
        "ruleId": check.id,
        "ruleIndex": places[check.id],
        "level": SARIF_LEVELS[check.status],
        "message": {"text": printable(text)},
        "locations": [{"physicalLocation": {"artifactLocation": _location(report.path, folder)}}],
        "partialFingerprints": {"check/v1": f"{check.id}:{_location(report.path, folder)['uri']}"},
    }


def _invocation(reports: Sequence[FileReport], folder: Path) -> dict[str, JSON]:
    unread = [report for report in reports if report.error is not None]
    notes = [
        {
            "level": "error",
            "message": {"text": printable(str(report.error))},
            "locations": [{"physicalLocation": {"artifactLocation": _location(report.path, folder)}}],
        }
        for report in unread
    ]
    return {"executionSuccessful": not unread, "toolExecutionNotifications": notes}


def _location(path: Path, folder: Path) -> dict[str, str]:
    """A file's address: relative to the folder where it lies below that, with every odd byte percent-encoded."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links are not followed: the name is what a person knows
    root = folder.resolve()
    for base in (root, Path(os.path.abspath(folder))):  # noqa: PTH100 - the same
        if absolute.is_relative_to(base):
            return {"uri": quote(os.fsencode(absolute.relative_to(base).as_posix()), safe="/"), "uriBaseId": _ROOT}
    return {"uri": "file://" + quote(os.fsencode(absolute.as_posix()), safe="/")}


def _sentence(check: Check) -> str:
    """A check in words."""
    parts = [check.title + (f": {check.found}" if check.found else "")]
    parts += [f"expected {check.expected}"] * bool(check.expected)
    return f"{', '.join(parts)}. {check.why}".strip()


def junit(reports: Sequence[FileReport]) -> str:
    """JUnit XML: a suite for each file, a case for each check.

    A warning passes, as it does for the exit code, and stands in the case's output. A file that could not be read is
    an error of its suite.
    """
    root = ElementTree.Element("testsuites", {"name": "linernotes check", **_counts(reports)})
    for report in reports:
        name = printable(report.name)
        suite = ElementTree.SubElement(root, "testsuite", {"name": name, **_counts([report])})
        if report.error is not None:
            case = _case(suite, READABLE, name)
            ElementTree.SubElement(case, "error", {"message": printable(report.error), "type": "unreadable"})
        for check in report.checks:
            _add_outcome(_case(suite, check, name), check)
    ElementTree.indent(root)
    # As ASCII with references, which any terminal and any file takes unharmed.
    text = str(ElementTree.tostring(root, encoding="us-ascii", xml_declaration=False), "ascii")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + text + "\n"


def _counts(reports: Sequence[FileReport]) -> dict[str, str]:
    sums = [report.summary for report in reports]
    errors = sum(report.error is not None for report in reports)
    return {
        "tests": str(sum(len(report.checks) for report in reports) + errors),
        "failures": str(sum(one.failed for one in sums)),
        "errors": str(errors),
        "skipped": str(sum(one.skipped for one in sums)),
        "time": "0",  # a check takes none: the analysis before it does
    }


def _case(suite: ElementTree.Element, check: Check, file: str) -> ElementTree.Element:
    # A reader takes the dots of a class name for packages, and tells cases apart by class and name.
    name = f"{check.title} ({check.id})"
    return ElementTree.SubElement(suite, "testcase", {"classname": file, "name": printable(name), "time": "0"})


def _add_outcome(case: ElementTree.Element, check: Check) -> None:
    text = printable(_sentence(check))
    if check.status == FAIL:
        failure = ElementTree.SubElement(case, "failure", {"message": text, "type": printable(check.id)})
        failure.text = printable(f"Source: {check.source}")
    elif check.status == SKIP:
        ElementTree.SubElement(case, "skipped", {"message": printable(check.why)})
    elif check.status == WARN:
        ElementTree.SubElement(case, "system-out").text = f"Warning: {text}"
    elif check.status == PASS and check.found:
        ElementTree.SubElement(case, "system-out").text = printable(check.found)
