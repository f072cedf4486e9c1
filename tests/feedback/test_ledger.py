"""What is derived from a library stands in the catalogue, and is derived again only where something changed."""

from __future__ import annotations

from typing import Any

import pytest

from processor import catalogue
from processor.config import CONFIG_NAME
from processor.feedback import ledger
from processor.feedback.ledger import Ledger
from processor.library import Track
from processor.workspace import Workspace
from tests.libraries import make_track, say, song_results


def derive(workspace: Workspace) -> Ledger:
    with workspace.write_lock(), catalogue.opened(workspace) as connection:
        changes = catalogue.synchronise(workspace, connection)
        found = ledger.derive(workspace, connection, changes.all_tracks)
        catalogue.publish_snapshot(workspace, connection)
        return found


def rows(workspace: Workspace, sql: str) -> list[tuple[Any, ...]]:
    return catalogue.query(workspace, sql)[1]


@pytest.fixture
def track(workspace: Workspace) -> Track:
    """A short piece, with peaks far over full scale."""
    return make_track(workspace, "Song.wav", results=song_results(), loudness__true_peak_dbtp=4.0)


def test_advice_and_checks_are_tables(workspace: Workspace, track: Track) -> None:
    derive(workspace)
    advice = rows(workspace, "SELECT place, id, severity FROM advice ORDER BY place")
    assert [place for place, _, _ in advice] == list(range(1, len(advice) + 1))
    assert "fault" in {severity for _, _, severity in advice}
    assert len({name for _, name, _ in advice}) == len(advice)
    checks = dict(rows(workspace, "SELECT id, status FROM checks"))
    assert "fail" in checks.values()
    [(faults, failed)] = rows(workspace, "SELECT faults, failed_checks FROM tracks")
    assert faults == sum(severity == "fault" for _, _, severity in advice)
    assert failed == list(checks.values()).count("fail")


def test_what_did_not_change_is_not_judged_again(
    workspace: Workspace, track: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    derive(workspace)
    judged: list[str] = []
    judge = ledger.judge
    monkeypatch.setattr(ledger, "judge", lambda *args: judged.append("again") or judge(*args))
    derive(workspace)
    assert judged == []
    say(track, genre="techno")
    derive(workspace)
    assert judged == ["again"]
    assert rows(workspace, "SELECT DISTINCT profile FROM advice") == [("techno",)]


def test_other_settings_judge_everything_again(workspace: Workspace, track: Track) -> None:
    derive(workspace)
    before = rows(workspace, "SELECT id, expected FROM checks ORDER BY ALL")
    (workspace.home / CONFIG_NAME).write_text('[desk]\ntarget = "ebu-r128"\n')
    derive(workspace)
    assert rows(workspace, "SELECT id, expected FROM checks ORDER BY ALL") != before


def test_a_persons_own_checks_stand_beside_the_built_in(workspace: Workspace, track: Track) -> None:
    other = make_track(workspace, "Other.wav", results=song_results())
    folder = workspace.library / ledger.OWN_CHECKS
    folder.mkdir()
    (folder / "short.sql").write_text("-- No short ones\nSELECT track FROM library WHERE name = 'Song.wav'")
    found = derive(workspace)
    query = "SELECT track, status FROM checks WHERE is_own ORDER BY 2"
    assert rows(workspace, query) == [(track.id, "fail"), (other.id, "pass")]
    assert [check.status for check in found.beside(track.id).own] == ["fail"]
    say(other, rating=3)  # what is judged again keeps them
    derive(workspace)
    assert rows(workspace, query) == [(track.id, "fail"), (other.id, "pass")]
    (folder / "short.sql").unlink()
    derive(workspace)
    assert rows(workspace, query) == []


def test_a_page_is_stale_when_what_is_said_of_it_changes(workspace: Workspace, track: Track) -> None:
    before = derive(workspace).signature(track.id)
    assert derive(workspace).signature(track.id) == before
    folder = workspace.library / ledger.OWN_CHECKS
    folder.mkdir()
    (folder / "all.sql").write_text("SELECT track FROM library")
    assert derive(workspace).signature(track.id) != before


def test_a_track_that_is_gone_leaves_nothing(workspace: Workspace, track: Track) -> None:
    derive(workspace)
    track.folder.rename(workspace.home / "away")
    derive(workspace)
    assert rows(workspace, "SELECT * FROM advice") == []
    assert rows(workspace, "SELECT * FROM checks") == []


def test_a_broken_record_is_passed_over(workspace: Workspace, track: Track) -> None:
    (track.folder / "record.json").write_text("{}")
    assert derive(workspace).beside(track.id).own == ()
    assert rows(workspace, "SELECT * FROM advice") == []


def test_a_record_that_breaks_a_rule_costs_that_rule_alone(workspace: Workspace) -> None:
    """Invented numbers are of the right type and make no sense."""
    track = make_track(workspace, "Invented.wav")
    verdict = ledger.verdict_of(derive(workspace).desk, track)
    assert verdict is not None
    assert verdict.broken
    assert verdict.outcomes


@pytest.mark.parametrize(
    ("kind", "sure", "severities"),
    [
        ("mix", 0.76, {"fault", "warning", "note"}),
        ("mix", 0.74, {"note"}),
        ("solo", 0.9, set()),
        (None, None, set()),
    ],
)
def test_what_may_be_no_mix_is_judged_gently(
    workspace: Workspace, kind: str | None, sure: float | None, severities: set[str]
) -> None:
    """A spectrum that is far off is a fault of a mix, a note of what may be none, and nothing of one instrument."""
    facts = {"material__kind": kind, "material__confidence": sure}
    track = make_track(workspace, "Song.wav", results=song_results(), **facts)
    verdict = ledger.verdict_of(derive(workspace).desk, track)
    assert verdict is not None
    told = {
        one.severity for one in verdict.advice if one.area == "tone" and one.severity in ("fault", "warning", "note")
    }
    assert told <= severities
    assert bool(told) is bool(severities)
