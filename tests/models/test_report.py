"""What `linernotes doctor` says of models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from processor.config import Models
from processor.errors import ModelError
from processor.models import report, store
from processor.models.places import package_folder
from processor.models.report import EXTRAS, Finding, findings, standings
from processor.models.table import JOBS, all_models
from tests.models.fakes import WEIGHTS, a_model


@pytest.fixture
def settings(tmp_path: Path) -> Models:
    return Models(folder=str(tmp_path / "models"))


@pytest.fixture
def everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """All packages are installed."""
    installed(monkeypatch, {name for _, names in EXTRAS.values() for name in names})


def installed(monkeypatch: pytest.MonkeyPatch, names: Iterable[str]) -> None:
    """Let these packages be there, empty, and no others."""
    there = set(names)
    for module in (report, store):
        monkeypatch.setattr(module, "package_folder", lambda name: Path("/nowhere") if name in there else None)


def one(found: list[Finding], subject: str) -> Finding:
    (match,) = [finding for finding in found if finding.subject == subject]
    return match


def test_each_extra_is_told_with_what_it_brings(settings: Models, everything: None) -> None:
    found = list(findings(settings))
    assert {finding.subject for finding in found} >= {"extra [models]", "extra [emotion]", "extra [lyrics]"}
    assert all(one(found, f"extra [{extra}]").state == "ok" for extra in EXTRAS)
    assert all(finding.state != "problem" for finding in found)


def test_what_is_missing_is_told_with_the_way_to_get_it(settings: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, ["funasr", "torch"])
    found = list(findings(settings))
    missing = one(found, "extra [models]")
    assert (missing.state, missing.remedy) == ("note", "pip install 'liner-notes[models]'")
    assert "ai_edge_litert, audio_separator, demucs" in missing.text
    assert "torch," not in missing.text
    assert one(found, "extra [emotion]").state == "ok"
    # Without its packages there is no use in fetching a model.
    assert "yamnet_tagger" not in {finding.subject for finding in found}
    assert one(found, "emotion_reader").remedy == "linernotes models get emotion2vec"


def test_each_job_that_nobody_does_is_a_note(settings: Models, everything: None) -> None:
    """But for those whose models come in packages: the line of their extra says it."""
    found = list(findings(settings))
    assert {finding.subject for finding in found if finding.subject in JOBS} == JOBS.keys() - {"pitch_tracker"}
    assert one(found, "separator").remedy == "linernotes models get htdemucs"
    switched = Models(folder=settings.folder, whisper_base="off")
    assert "transcriber" not in {finding.subject for finding in findings(switched)}


def test_a_model_that_is_on_and_not_here_is_a_problem(settings: Models, everything: None) -> None:
    found = one(list(findings(Models(folder=settings.folder, ast="on"))), "model ast")
    assert found == Finding("model ast", "problem", "is on, and not here", "linernotes models get ast")


def test_a_damaged_model_is_a_problem(settings: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.onnx").write_bytes(WEIGHTS)
    monkeypatch.setattr(report, "all_models", lambda: {"yamnet": a_model(needs=("json",))})
    monkeypatch.setattr(report, "chosen", lambda _: {"yamnet_tagger": "yamnet"})
    folder = store.get(settings, a_model(), own=tmp_path).folder
    found = list(findings(settings))
    assert one(found, "models") == Finding("models", "ok", "yamnet (yamnet_tagger)")
    (folder / "net.onnx").write_bytes(b"x")
    assert one(list(findings(settings)), "model yamnet") == Finding(
        "model yamnet", "problem", "damaged: net.onnx", "linernotes models get yamnet"
    )


def test_a_switch_that_is_none_is_told(settings: Models) -> None:
    with pytest.raises(ModelError, match="it can be on, auto or off"):
        list(findings(Models(folder=settings.folder, ast="perhaps")))


def test_each_model_stands_somehow(settings: Models) -> None:
    found = {one.model.name: one for one in standings(settings)}
    assert found.keys() == all_models().keys()
    assert found["yamnet"].state == "absent"
    for name in ("swift_f0", "crepe"):
        source = all_models()[name].sources[0]
        here = package_folder(source.where) is not None and not store.lacking(all_models()[name], source)
        assert found[name].state == ("here" if here else "lacking")
