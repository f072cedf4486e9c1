"""Where models are: in the user's cache, or inside Python packages."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import util
from pathlib import Path

from processor.config import Models as Settings
from processor.errors import WrongUsage
from processor.models.table import Model


def models_folder(settings: Settings) -> Path:
    """Where all models are kept.

    Raises:
        WrongUsage: the folder that is set would be another one for each folder one calls from.
    """
    if not settings.folder:
        return _cache_folder(os.environ, sys.platform) / "liner-notes" / "models"
    try:
        chosen = Path(settings.folder).expanduser()
    except RuntimeError as error:
        raise WrongUsage(f"models.folder is {settings.folder!r}: {error}") from error
    if not chosen.is_absolute():
        raise WrongUsage(f"models.folder is {settings.folder!r}; write the whole path, from / or ~ on")
    return chosen


def _cache_folder(environment: Mapping[str, str], platform: str) -> Path:
    """The user's cache folder, as each system has it."""
    chosen = environment.get("LOCALAPPDATA" if platform == "win32" else "XDG_CACHE_HOME", "")
    if chosen and Path(chosen).is_absolute():
        return Path(chosen)
    usual = {"darwin": "Library/Caches", "win32": "AppData/Local"}
    return Path.home() / usual.get(platform, ".cache")


def package_folder(name: str) -> Path | None:
    """Folder of a Python package, which is not imported; None where it is not installed."""
    try:
        spec = util.find_spec(name)
    except (ImportError, ValueError):  # hidden by `None` in sys.modules, or half imported
        return None
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return Path(places[0]) if places else None


def install(model: Model) -> str:
    """How to get the Python packages that a model needs."""
    return f"pip install 'liner-notes[{model.extra}]'"
