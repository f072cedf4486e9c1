"""The models that we know: what each is for, where its weights come from, under which licence, and how it is loaded."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from processor.errors import WrongUsage

# What a model can be for; an analyser names one of these, and gets the model that does it.
JOBS: Mapping[str, str] = {
    "separator": "takes a mix apart into stems",
    "ast_tagger": "names what sounds, of 527 kinds",
    "yamnet_tagger": "names what sounds, of 521 kinds",
    "clap": "says how well words describe a sound",
    "pitch_tracker": "follows the pitch of a voice",
    "emotion_reader": "guesses the emotion of a voice",
    "transcriber": "writes down what is sung",
}
# Who can be asked for weights, each by its own client; "package" has nothing to fetch.
KINDS = ("npm", "pypi", "hub", "demucs", "audio-separator", "package")
TABLE = Path(__file__).parent / "data" / "models.toml"


@dataclass(frozen=True)
class File:
    """A file of a model.

    Attributes:
        name: below the model's folder.
        sha256: of its bytes; None: not known to us.
        size_bytes: None: not known to us.
        parts: paths in what a source brings, of which the file is put together in this order; empty: its name.
    """

    name: str
    sha256: str | None = None
    size_bytes: int | None = None
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """One way to get a model's weights.

    Attributes:
        kind: of `KINDS`.
        where: what the client is asked for: `demucs@1.0.0`, `MIT/ast-…`, `swift_f0`; several with blanks between.
        files: what it brings, where that is another form of the model; empty: the model's own files.
        also: patterns of names of small files that come along where there are any.
        needs: Python packages that this form cannot be loaded without; empty: those of the model.
    """

    kind: str
    where: str
    files: tuple[File, ...] = ()
    also: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """For people: `npm demucs@1.0.0`."""
        return f"{self.kind} {self.where}"


@dataclass(frozen=True)
class Model:
    """A model.

    Attributes:
        name: as in `[models]` and on the command line.
        job: of `JOBS`.
        title: for people.
        loader: `module:function` below `processor.models`.
        sources: in the order in which they are tried.
        licence: of the weights.
        is_free: whether the licence lets anybody do anything with them; else it is shown and accepted once.
        memory_bytes: about what it takes when it is loaded, for `max_model_memory_bytes`.
        size_bytes: about what its files take on the disk.
        files: what there is when it is here, and its source does not say otherwise.
        needs: Python packages, by the names they are imported by, without which it cannot be loaded.
        extra: the extra of this package that brings what it needs.
        options: what its loader wants to know beside the files.
    """

    name: str
    job: str
    title: str
    loader: str
    sources: tuple[Source, ...]
    licence: str
    is_free: bool
    memory_bytes: int
    size_bytes: int = 0
    files: tuple[File, ...] = ()
    needs: tuple[str, ...] = ()
    extra: str = "models"
    options: Mapping[str, str] = field(default_factory=dict)

    def files_of(self, source: Source) -> tuple[File, ...]:
        """What there is when it came from this source."""
        return source.files or self.files

    def needs_of(self, source: Source) -> tuple[str, ...]:
        """Packages that it needs in the form of this source."""
        return source.needs or self.needs


@functools.cache
def all_models() -> Mapping[str, Model]:
    """All models by name, in the order in which they are preferred for their job."""
    with TABLE.open("rb") as file:
        return {name: _model(name, facts) for name, facts in tomllib.load(file).items()}


def named(name: str) -> Model:
    """The model that a person means.

    Raises:
        WrongUsage: there is none of that name.
    """
    models = all_models()
    wanted = name.strip().lower().replace("-", "_")
    if wanted in models:
        return models[wanted]
    near = get_close_matches(wanted, models, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(models)}"
    raise WrongUsage(f"There is no model `{name}`; {hint}")


def _model(name: str, facts: Mapping[str, Any]) -> Model:
    given = dict(facts)
    return Model(
        name=name,
        sources=tuple(_source(one) for one in given.pop("sources")),
        files=_files(given.pop("files", ())),
        needs=tuple(given.pop("needs", ())),
        **given,
    )


def _source(facts: Mapping[str, Any]) -> Source:
    given = dict(facts)
    return Source(
        files=_files(given.pop("files", ())),
        also=tuple(given.pop("also", ())),
        needs=tuple(given.pop("needs", ())),
        **given,
    )


def _files(all_facts: Any) -> tuple[File, ...]:
    return tuple(File(**(facts | {"parts": tuple(facts.get("parts", ()))})) for facts in all_facts)
