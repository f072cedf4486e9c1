"""Load a model when it is first needed, keep it as long as there is room, and know which model does which job."""

from __future__ import annotations

import gc
import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from processor.config import SWITCHES
from processor.config import Models as Settings
from processor.errors import ModelError
from processor.models.labels import read_labels
from processor.models.places import install, package_folder
from processor.models.store import find, identity, lacking, present
from processor.models.table import JOBS, Model, all_models


@dataclass(frozen=True)
class Machine:
    """Where a model runs.

    Attributes:
        device: "cpu", "cuda", "cuda:1", "mps".
        threads: how many a model may use on the CPU.
    """

    device: str
    threads: int


def machine(settings: Settings, needs: Sequence[str] = ("torch",)) -> Machine:
    """The machine that the settings mean; "auto" is a graphics processor where the model's runtime can use one.

    Args:
        settings: section `[models]`.
        needs: Python packages of the model that will run; torch is only imported for one that needs it.

    Raises:
        ModelError: the device is not there.
    """
    device = settings.device
    threads = settings.threads or os.cpu_count() or 1
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,2})?|mps", device):
        raise ModelError(f"models.device is {device!r}; it can be auto, cpu, cuda, cuda:1 and so on, or mps")
    if device == "auto":
        return Machine(_best_device(needs), threads)
    if device != "cpu" and "torch" in needs:
        _try_device(device)
    return Machine(device, threads)


def _best_device(needs: Sequence[str]) -> str:
    if "torch" in needs and package_folder("torch") is not None:
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"
    if "torch" not in needs and "onnxruntime" in needs and package_folder("onnxruntime") is not None:
        runtime = importlib.import_module("onnxruntime")  # it has no types
        return "cuda" if "CUDAExecutionProvider" in runtime.get_available_providers() else "cpu"
    return "cpu"


def _try_device(device: str) -> None:
    if package_folder("torch") is None:
        raise ModelError(f"models.device is {device!r}, but torch is not installed: pip install 'liner-notes[models]'")
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"models.device is {device!r}, which cannot be used here: {reason}") from error


def guard_broken_packages() -> None:
    """Hide a torchvision or torchaudio that cannot be imported.

    Beside a torch for CPUs only, the registries' builds of both fail with an error that is no ImportError, and
    transformers and audio-separator, which could do without them, fail with it.
    """
    for name in ("torchvision", "torchaudio"):
        if name in sys.modules:
            continue
        try:
            importlib.import_module(name)
        except Exception:  # an ImportError, an OSError of the linker, a RuntimeError of torch's registry
            for part in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
                del sys.modules[part]
            sys.modules[name] = None  # type: ignore[assignment]  # which makes `import` raise ImportError


def switch(settings: Settings, model: Model) -> str:
    """Its switch.

    Raises:
        ModelError: it is none of `SWITCHES`.
    """
    found: str = getattr(settings, model.name)
    if found not in SWITCHES:
        raise ModelError(f"models.{model.name} is {found!r}; it can be on, auto or off")
    return found


def candidates(settings: Settings, job: str) -> list[Model]:
    """Models that may do a job, those that are "on" first."""
    models = [model for model in all_models().values() if model.job == job and switch(settings, model) != "off"]
    return sorted(models, key=lambda model: switch(settings, model) != "on")


def chosen(settings: Settings) -> dict[str, str]:
    """Job → name of the model that does it here; jobs without one are left out."""
    found = {}
    for job in JOBS:
        here = [model.name for model in candidates(settings, job) if find(settings, model) is not None]
        if here:
            found[job] = here[0]
    return found


def missing(settings: Settings) -> list[Model]:
    """Models that are "on" and not here."""
    return [
        model for model in all_models().values() if switch(settings, model) == "on" and find(settings, model) is None
    ]


def identities(settings: Settings, models: Mapping[str, str]) -> dict[str, str]:
    """Job → what tells its model from others: name and weights, for the keys of results."""
    found = {job: identity(settings, all_models()[name]) for job, name in models.items()}
    if "clap" in found:
        found["clap"] += f" {_labels_key(settings)}"
    return found


def _labels_key(settings: Settings) -> str:
    """What tells the labels that CLAP is asked from others."""
    try:
        return read_labels(Path(settings.labels) if settings.labels else None).key
    except ModelError:
        return "no labels"  # so that only CLAP fails, with the reason


class Bench:
    """The models that this process has loaded; one more than fits lets go of those that were not used for longest.

    Args:
        settings: section `[models]`.
        models: job → name of the model that does it.
    """

    def __init__(self, settings: Settings, models: Mapping[str, str]) -> None:
        self._settings, self._models = settings, models
        self._loaded: dict[str, Any] = {}  # in the order of their last use

    def load(self, job: str) -> Any:
        """The model for a job, loaded.

        Raises:
            ModelError: there is none, or it cannot be loaded.
        """
        name = self._models.get(job)
        if name is None:
            raise ModelError(f"There is no model for {job}.")
        model = all_models()[name]
        if name in self._loaded:
            self._loaded[name] = self._loaded.pop(name)
            return self._loaded[name]
        self._make_room(model.memory_bytes)
        try:
            self._loaded[name] = load(self._settings, model)
        except MemoryError:  # the sizes in the table are estimates; alone it may fit
            if not self._loaded:
                raise
            self._let_go(list(self._loaded))
            self._loaded[name] = load(self._settings, model)
        return self._loaded[name]

    def _make_room(self, wanted_bytes: int) -> None:
        sizes = {name: all_models()[name].memory_bytes for name in self._loaded}
        for name in list(self._loaded):
            if sum(sizes.values()) + wanted_bytes <= self._settings.max_model_memory_bytes:
                return
            del sizes[name]
            self._let_go([name])

    def _let_go(self, names: Sequence[str]) -> None:
        for name in names:
            del self._loaded[name]
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


def load(settings: Settings, model: Model) -> Any:
    """Load one model.

    Raises:
        ModelError: it is not here, or its files are not what they should be.
    """
    here = present(settings, model)
    if here is None:
        raise ModelError(f"{model.name} is not here; get it: linernotes models get {model.name}")
    missing = lacking(model, here.source)
    if missing:
        raise ModelError(f"{model.name} needs {' and '.join(missing)}, not installed here: {install(model)}")
    needs = model.needs_of(here.source)
    if "torch" in needs:
        guard_broken_packages()
    module, _, function = model.loader.partition(":")
    loader: Callable[[Model, Path, Machine], Any] = getattr(
        importlib.import_module(f"processor.models.{module}"), function
    )
    try:
        return loader(_asked(settings, model), here.folder, machine(settings, needs))
    except (ModelError, MemoryError):
        raise
    except Exception as error:  # whatever a foreign library says about a file that is not what it should be
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ModelError(f"{model.name} cannot be loaded: {text}") from error


def _asked(settings: Settings, model: Model) -> Model:
    """The model with a person's own labels, where it is one that is asked some."""
    if model.job != "clap" or not settings.labels:
        return model
    return replace(model, options={**model.options, "labels": settings.labels})
