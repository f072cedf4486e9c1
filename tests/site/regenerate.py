"""Write the golden site that `test_golden.py` compares with: `python -m tests.site.regenerate`.

Run it after a change that is meant to change pages, look at the difference, and say in the commit why it moved.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from processor.inbox import Ignored
from processor.setaside import SetAside
from processor.workspace import Workspace
from tests.libraries import fail, log_run, make_track, publish_pages, say

GOLDEN = Path(__file__).parent / "golden"


def build(home: Path) -> Path:
    """Publish a small library of invented records below `home` and return its site."""
    workspace = Workspace(home)
    workspace.create()
    make_track(workspace, "Plain.wav", loudness__integrated_lufs=-14.0)
    said = make_track(
        workspace,
        "Said.flac",
        day="2026/11/19",
        path="An Album/Said.flac",
        source__partial=True,
        source__damage="the end is missing",
    )
    say(said, title="A Person's Title", rating=5, genre="dub", note="keep <this> & that")
    fail(make_track(workspace, "Broken.mp3", day="2026/11/18"), "loudness", "ValueError: an example")
    log_run(
        workspace,
        {"event": "started", "name": "run"},
        {"event": "stored", "name": "Plain.wav", "seconds": {"decode": 0.25, "loudness": 0.5}},
        {"event": "failed", "name": "notes.txt", "reason": "This is not a sound file of a kind that we know."},
        {"event": "ended", "name": "run"},
    )
    failed = [SetAside("notes.txt", "This is not a sound file of a kind that we know.")]
    ignored = [Ignored("link.wav", "a link: never opened, never moved")]
    publish_pages(workspace, failed, ignored)
    return workspace.site


def main() -> None:
    """Replace the golden site."""
    with tempfile.TemporaryDirectory() as folder:
        site = build(Path(folder))
        shutil.rmtree(GOLDEN, ignore_errors=True)
        shutil.copytree(site, GOLDEN, ignore=shutil.ignore_patterns("assets"))  # those are the templates' own
    print(f"wrote {sum(path.is_file() for path in GOLDEN.rglob('*'))} files to {GOLDEN}")


if __name__ == "__main__":
    main()
