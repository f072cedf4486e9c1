"""Real weights for tests: fetched once by our own store, into a folder that all tests of this machine share.

    from tests.weights import weights  # noqa: F401 - a fixture

    def test_it_hears(weights: Weights) -> None:
        folder = weights("yamnet")        # Path of the model's folder (of the package, for swift_f0 and crepe)
        tagger = yamnet.load(all_models()["yamnet"], folder, Machine("cpu", 1))

A test that asks for weights which nobody can be asked for here is skipped with the reason; wrong weights fail it.
`SETTINGS` is the section `[models]` that finds them: `loading.load(SETTINGS, model)`, `Bench(SETTINGS, {...})`.
The folder is $LINERNOTES_TEST_MODELS, else `liner-notes/test-models` in the user's cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from processor.config import Models
from processor.models import licences, store
from processor.models.places import models_folder
from processor.models.sources import Unreachable
from processor.models.table import all_models

Weights = Callable[[str], Path]

FOLDER = Path(os.environ.get("LINERNOTES_TEST_MODELS") or models_folder(Models()).with_name("test-models"))
SETTINGS = Models(folder=str(FOLDER.absolute()), device="cpu", threads=1)


@pytest.fixture(scope="session")
def weights() -> Weights:
    """Name of a model → its folder, with the real weights in it."""
    return fetched


def fetched(name: str) -> Path:
    """The folder of a model; what the fixture does, for other fixtures.

    Its Python packages are the caller's business: `pytest.importorskip`.
    """
    model = all_models()[name]
    if not model.is_free and not licences.is_accepted(SETTINGS, model):
        licences.accept(SETTINGS, model)
    try:
        return store.get(SETTINGS, model).folder
    except Unreachable as error:
        pytest.skip(str(error).replace("\n", " "))
