"""The table of models: complete, consistent with the settings, and without the address of any registry."""

from __future__ import annotations

import ast
import importlib
import re
from dataclasses import fields
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from processor.config import Models
from processor.errors import WrongUsage
from processor.models import table
from processor.models.report import EXTRAS
from processor.models.table import JOBS, KINDS, TABLE, Model, all_models, named

every_model = pytest.mark.parametrize("model", all_models().values(), ids=lambda model: model.name)


def test_each_model_has_a_switch_and_each_switch_a_model() -> None:
    switches = [field.name for field in fields(Models) if field.default == "auto" and field.name != "device"]
    assert switches == list(all_models())


def test_each_job_has_a_model() -> None:
    assert {model.job for model in all_models().values()} == set(JOBS)


@every_model
def test_a_model_is_complete(model: Model) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", model.name)
    assert model.title
    assert model.licence
    assert model.sources
    assert model.size_bytes > 0
    assert 0 < model.memory_bytes <= Models().max_model_memory_bytes
    assert model.extra in EXTRAS
    for source in model.sources:
        assert source.kind in KINDS
        assert model.needs_of(source)
        assert set(model.needs_of(source)) <= set(EXTRAS[model.extra][1])


@every_model
def test_each_source_says_what_it_brings(model: Model) -> None:
    for source in model.sources:
        files = model.files_of(source)
        assert files
        for file in files:
            assert source.kind == "package" or Path(file.name).name == file.name
            assert file.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", file.sha256)
            # Registries of packages have no hashes of the files in them: ours are all there is.
            assert source.kind not in ("npm", "pypi") or (file.sha256 and file.size_bytes and file.parts)
            assert not any(fnmatchcase(file.name, pattern) for pattern in ("*.pkl", "*.pickle", "*.npy"))


@every_model
def test_a_loader_is_there(model: Model) -> None:
    module, _, function = model.loader.partition(":")
    found = getattr(importlib.import_module(f"processor.models.{module}"), function)
    assert list(found.__annotations__)[:3] == ["model", "folder", "machine"]


def test_a_licence_of_mit_apache_or_bsd_is_free_and_others_are_shown() -> None:
    for model in all_models().values():
        assert model.is_free == bool(re.fullmatch(r"MIT|Apache-2\.0|BSD-3-Clause", model.licence)), model.name


def test_no_address_of_a_registry_is_written_down() -> None:
    for path in (TABLE, *Path(table.__file__).parent.glob("*.py")):
        assert not re.search(r"\w://", path.read_text("utf-8")), path.name


def test_nothing_heavy_is_imported_at_the_top() -> None:
    """Not even by the families of models: who lists the models must not wait for torch."""
    heavy = {name for _, names in EXTRAS.values() for name in names}
    for path in Path(table.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text("utf-8")).body:
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not heavy & {name.partition(".")[0] for name in names}, path.name


@pytest.mark.parametrize("said", ["bs_roformer_sw", "bs-roformer-sw", " BS-Roformer-SW "])
def test_a_name_may_be_said_as_people_say_it(said: str) -> None:
    assert named(said).name == "bs_roformer_sw"


def test_an_unknown_name_has_a_near_one() -> None:
    with pytest.raises(WrongUsage, match="did you mean `yamnet`"):
        named("yamnett")
    with pytest.raises(WrongUsage, match="there are htdemucs, "):
        named("qqq")
