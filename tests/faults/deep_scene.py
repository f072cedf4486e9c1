"""A deep pass in a process of its own, for tests that kill it: `python -m tests.faults.deep_scene HOME`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import pytest

from processor import engine
from processor.backlog import Backlog
from processor.config import Inbox, Models, Settings, Workers
from processor.deep import Pass, deepen
from processor.pipeline import Event
from processor.workspace import Workspace
from tests import hearing
from tests.faults.doubles import InlineEngine

SETTINGS = Settings(
    inbox=Inbox(settle_s=0.0, patience_s=0.0),
    workers=Workers(count=1),
    models=Models(deadline_s=30.0, worker_memory_bytes=2 << 30),
)


def heard(workspace: Workspace, settings: Settings = SETTINGS) -> list[Event]:
    """A whole pass whose models hear in a worker."""
    backlog = Backlog(workspace, settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "Engine", partial(engine.Engine, function=hearing.analyse))
        with Pass(workspace, settings, backlog, InlineEngine()) as work:  # type: ignore[arg-type]
            return list(deepen(work, lambda running: None))


if __name__ == "__main__":
    hearing.use(pytest.MonkeyPatch())
    heard(Workspace(Path(sys.argv[1])))
