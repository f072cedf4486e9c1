"""Licences that are not free for all uses: which of them somebody has accepted, noted in the folder of models."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from filelock import FileLock

from processor.config import Models as Settings
from processor.errors import ModelError
from processor.files import write_atomically
from processor.models.places import models_folder
from processor.models.table import Model

NAME = "accepted-licences.json"
MOST_BYTES = 1 << 20


class LicenceNotAccepted(ModelError):
    """The licence does not let anybody do anything with the model, and nobody has accepted it yet."""


def is_accepted(settings: Settings, model: Model) -> bool:
    """Whether the licence asks for nothing, or somebody has accepted it as it is today."""
    return model.is_free or _accepted(settings).get(model.name, {}).get("licence") == model.licence


def demand(settings: Settings, model: Model) -> None:
    """Insist on it.

    Raises:
        LicenceNotAccepted: nobody has accepted it.
    """
    if not is_accepted(settings, model):
        raise LicenceNotAccepted(
            f"The licence of {model.name}: {model.licence}. If you accept that: "
            f"linernotes models get {model.name} --accept-licence"
        )


def accept(settings: Settings, model: Model) -> None:
    """Note that the licence has been accepted.

    Raises:
        OSError: it cannot be noted.
    """
    folder = models_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".licences.lock"):
        today = datetime.now(UTC).date().isoformat()
        facts = _accepted(settings) | {model.name: {"licence": model.licence, "accepted": today}}
        write_atomically(folder / NAME, json.dumps(facts, indent=2) + "\n")


def _accepted(settings: Settings) -> dict[str, dict[str, Any]]:
    """Name of a model → what was accepted and when; empty where there is no such file, or none that we wrote."""
    try:
        with (models_folder(settings) / NAME).open("rb") as file:
            facts = json.loads(file.read(MOST_BYTES))
        return {str(name): dict(one) for name, one in facts.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
