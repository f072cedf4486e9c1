"""Look at pages with axe-core, which knows what people with a screen reader or poor sight stumble over."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "AXE_JS"
VERSION = "4"
PATIENCE_S = 60
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@functools.cache
def axe_source() -> str:
    """axe-core's script: the file that AXE_JS names, else downloaded by npm; without either the test is skipped."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).read_text(encoding="utf-8")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"axe-core is not here: set {VARIABLE} to axe.min.js, or install npm")
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(
                [npm, "pack", "--silent", f"axe-core@{VERSION}"],
                cwd=folder,
                check=True,
                capture_output=True,
                timeout=PATIENCE_S,
            )
        except (subprocess.SubprocessError, OSError) as error:
            pytest.skip(f"npm cannot download axe-core ({error}); set {VARIABLE} to axe.min.js")
        [package] = Path(folder).glob("axe-core-*.tgz")
        with tarfile.open(package) as archive:
            member = archive.extractfile("package/axe.min.js")
            assert member is not None
            return member.read().decode("utf-8")


def violations(page: Any) -> list[str]:
    """What axe finds wrong with a page that is open, a line each: rule, what is wrong, where.

    The page's context must have been made with `bypass_csp=True`, or the page refuses axe's script.
    """
    page.evaluate(axe_source())
    found = page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}, resultTypes: ['violations']})", RULES
    )
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: {node['target']} {node['html'][:160]} "
        f"{' '.join((node.get('failureSummary') or '').split())[:240]}"
        for rule in found["violations"]
        for node in rule["nodes"][:3]
    ]
