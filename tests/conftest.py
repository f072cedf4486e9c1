"""Fixtures that several tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from processor.config import Inbox, Settings, Site, Workers
from processor.workspace import Workspace
from tests.workspaces import NOWHERE


@pytest.fixture(autouse=True, scope="session")
def no_models_of_this_machine() -> Iterator[None]:
    """What a developer fetched changes no result; tests that want models name their folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LINERNOTES_MODELS_FOLDER", NOWHERE)
        yield


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    made = Workspace(tmp_path / "home")
    made.create()
    return made


@pytest.fixture
def settings() -> Settings:
    """Settings under which a file counts as complete at once, and one worker analyses."""
    return Settings(inbox=Inbox(settle_s=0.0, patience_s=0.0), workers=Workers(count=1), site=Site(previews=False))
