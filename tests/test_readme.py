"""What the README shows works as it stands there."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from processor import analysis, catalogue
from processor.graph import collect, run
from processor.workspace import Workspace
from tests.libraries import log_run, make_track, say
from tests.signals import audio, sine

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
QUERIES = re.findall(r'^linernotes query "(.*)"$', README, re.MULTILINE)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    place = Workspace(tmp_path_factory.mktemp("readme"))
    place.create()
    fast = {"beats__tempo_bpm": 170.0, "beats__stability": 0.4, "beats__candidate_weights": (0.5, 0.45)}
    in_a = {"key__camelot": "11B", "key__name": "A major", "key__confidence": 0.3, "key__tuning_cents": 30.0}
    loud = {"loudness__integrated_lufs": -6.0, "loudness__true_peak_dbtp": 0.5}
    say(make_track(place, "Loud.wav", **loud, **fast, **in_a, chords__labels=("F#:min",)), genre="techno", rating=5)
    slow = {"beats__tempo_bpm": 122.0, "beats__metre": 3, "key__camelot": "8A", "key__confidence": 0.9}
    for name in ("eif_3_sodium.ogg", "other.ogg"):
        make_track(place, name, loudness__integrated_lufs=-8.0, **slow)
    make_track(place, "Cut.wav", source__partial=True, levels__clipped_samples=9, levels__trailing_silence_s=5.0)
    failed = {"event": "failed", "name": "x.txt", "reason": "not a sound file"}
    log_run(place, {"event": "stored", "name": "Loud.wav", "seconds": {"decode": 0.1, "beats": 0.2}}, failed)
    with place.write_lock(), catalogue.opened(place) as connection:
        catalogue.synchronise(place, connection)
        catalogue.publish_snapshot(place, connection)
    return place


def test_there_are_queries_to_try() -> None:
    assert len(QUERIES) >= 10


@pytest.mark.parametrize("query", QUERIES)
def test_each_query_works_and_finds_something(workspace: Workspace, query: str) -> None:
    names, rows = catalogue.query(workspace, query)
    assert names
    assert rows


def test_the_example_analyser_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [code] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "headroom.py"
    path.write_text(code)
    specification = importlib.util.spec_from_file_location("headroom", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, "headroom", module)
    specification.loader.exec_module(module)
    analysers = collect([sys.modules[one.function.__module__] for one in analysis.all_analysers().values()] + [module])
    outcome = run(analysers, audio(sine(1000.0, 1.0, -6.0)))
    assert outcome.failures == {}
    assert outcome.results["headroom"].to_full_scale_db == pytest.approx(6.0, abs=0.05)


def test_every_room_that_is_drawn_exists_and_every_room_is_drawn() -> None:
    tree = README[README.index("```\nprocessor/") : README.index("templates/        pages")]
    home = Path(__file__).parent.parent / "processor"
    drawn = set(re.findall(r"\b([a-z_]+)\.py\b", tree)) | set(re.findall(r"^  ([a-z_]+)/", tree, re.MULTILINE))
    there = {path.stem for path in home.glob("*.py")} | {path.parent.name for path in home.glob("*/__init__.py")}
    assert there - drawn - {"__init__"} == set()
    inner = {path.stem for room in ("site", "feedback", "mashup", "models") for path in home.glob(f"{room}/*.py")} | {
        "charts"
    }
    assert drawn - inner - there == set()
