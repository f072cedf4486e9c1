"""Which models are here, what they need that is not, and how to mend that: for `linernotes models` and `doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from processor.config import Models as Settings
from processor.models import store
from processor.models.loading import chosen, switch
from processor.models.places import install, package_folder
from processor.models.table import JOBS, Model, all_models

# What each extra is for, and the Python packages that it brings, by the names that they are imported by.
EXTRAS = {
    "models": (
        "no stems, tags, pitch",
        (
            "ai_edge_litert",
            "audio_separator",
            "demucs",
            "huggingface_hub",
            "onnxruntime",
            "swift_f0",
            "torch",
            "torchcrepe",
            "transformers",
        ),
    ),
    "emotion": ("no emotion of a voice", ("funasr", "torch")),
    "lyrics": ("no words of a voice", ("faster_whisper",)),
}


@dataclass(frozen=True)
class Standing:
    """How a model stands here.

    Attributes:
        model: which one.
        state: "here", "absent", "damaged", or "lacking": here, but for Python packages.
        text: the same for people.
        lacking: Python packages that it needs, or would need if it were here, and that are not installed.
        damaged: files that are not what was fetched.
    """

    model: Model
    state: str
    text: str
    lacking: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One line of `linernotes doctor`.

    Attributes:
        subject: what was looked at.
        state: "ok", "note" or "problem".
        text: what was found.
        remedy: what to do about it, if there is anything to do.
    """

    subject: str
    state: str
    text: str
    remedy: str = ""


def standings(settings: Settings, *, thorough: bool = False) -> Iterator[Standing]:
    """How each model stands; `thorough` hashes all files anew."""
    for model in all_models().values():
        yield _standing(settings, model, thorough)


def _standing(settings: Settings, model: Model, thorough: bool) -> Standing:
    damaged = store.damaged(settings, model, thorough=thorough)
    if damaged:
        return Standing(model, "damaged", f"damaged: {', '.join(damaged)}", damaged=damaged)
    here = store.present(settings, model)
    lacking = store.lacking(model, model.sources[0] if here is None else here.source)
    if here is None:
        inside = tuple(source.where for source in model.sources if source.kind == "package")
        if inside:
            return Standing(model, "lacking", f"needs {', '.join(inside)}", lacking=inside)
        return Standing(model, "absent", "not here", lacking=lacking)
    if lacking:
        return Standing(model, "lacking", f"needs {', '.join(lacking)}", lacking=lacking)
    return Standing(model, "here", "here")


def findings(settings: Settings) -> Iterator[Finding]:
    """What `linernotes doctor` says of models.

    Raises:
        LinerNotesError: the section `[models]` makes no sense.
    """
    for extra, (without, packages) in EXTRAS.items():
        missing = [name for name in packages if package_folder(name) is None]
        if missing:
            text = f"not installed: {', '.join(missing)} ({without})"
            yield Finding(f"extra [{extra}]", "note", text, f"pip install 'liner-notes[{extra}]'")
        else:
            yield Finding(f"extra [{extra}]", "ok", ", ".join(packages))
    found = {one.model.name: one for one in standings(settings)}
    wanted = {name: one for name, one in found.items() if switch(settings, one.model) != "off"}
    for name, one in wanted.items():
        is_on = switch(settings, one.model) == "on"
        if one.state == "damaged" or (is_on and one.state != "here"):
            remedy = install(one.model) if one.lacking else f"linernotes models get {name}"
            reason = "is on, and " if is_on else ""
            yield Finding(f"model {name}", "problem", reason + one.text, remedy)
    yield from _jobs(settings, wanted)


def _jobs(settings: Settings, wanted: dict[str, Standing]) -> Iterator[Finding]:
    doing = chosen(settings)
    if doing:
        yield Finding("models", "ok", ", ".join(f"{name} ({job})" for job, name in doing.items()))
    for job, what in JOBS.items():
        able = [one for one in wanted.values() if one.model.job == job]
        fetchable = [one.model.name for one in able if not one.lacking]
        if job not in doing and fetchable:  # what lacks packages was told with their extra
            yield Finding(job, "note", f"no model that {what} is here", f"linernotes models get {fetchable[0]}")
