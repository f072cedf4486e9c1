"""Models hear beside the daemon: when they may, that drops go first, and what stopping leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest

from processor import daemon, engine, library, overnight
from processor.config import Inbox, Models, Settings, Site, Workers
from processor.daemon import Daemon
from processor.deep import Pass
from processor.engine import Done, Job
from processor.errors import WorkspaceError
from processor.overnight import LOOK_AGAIN_S, Ears, Night, Pairs
from processor.record import read
from processor.tasters import Taster
from processor.workspace import Workspace
from tests import hearing
from tests.faults.doubles import leftovers, run, tone
from tests.hearing import ears, noted, order
from tests.mashup.test_matches import pair
from tests.workspaces import InlineEngine

Change = Callable[..., dict[str, Any]]
__all__ = ["ears"]
QUICK = Settings(
    inbox=Inbox(settle_s=0.0, patience_s=0.0, rescan_s=0.05),
    workers=Workers(count=1),
    site=Site(previews=False),
    models=Models(deep=True),
)
NIGHTLY = replace(QUICK, models=Models())
AT_ONE = time(1, 0)


class Clock(datetime):
    """A clock that stands where it is put."""

    here = datetime(2026, 11, 20, 14, 0)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return cls.here


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    monkeypatch.setattr(overnight, "datetime", Clock)
    monkeypatch.setattr(Clock, "here", datetime(2026, 11, 20, 14, 0))
    return Clock


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Analyses happen here and now; how many tracks had stems whenever the library was published."""
    found: list[int] = []
    monkeypatch.setattr(daemon, "Engine", InlineEngine)
    monkeypatch.setattr(engine, "Engine", InlineEngine)
    monkeypatch.setattr(daemon, "RETRY_S", 0.05)
    monkeypatch.setattr(daemon, "GATHER_S", 0.01)
    monkeypatch.setattr(daemon, "add_media", lambda *_, **__: 0)
    monkeypatch.setattr(daemon, "publish", lambda workspace: found.append(len(separated(workspace))))
    return found


def separated(workspace: Workspace) -> list[str]:
    return [
        track.id.rpartition("-")[0]
        for track in library.tracks(workspace)
        if "stems" in read(track.folder, hearing.types()).results
    ]


def watch(
    workspace: Workspace,
    is_done: Callable[[list[str]], object],
    settings: Settings = QUICK,
    deep_at: time | None = None,
    mashups_at: time | None = None,
) -> list[str]:
    """Run the daemon until something is true; return what it said, without the time of day."""
    said: list[str] = []
    done: list[bool] = []

    def tell(text: str) -> None:
        said.append(text.partition(" ")[2].partition(" · ")[2])
        if is_done(said):
            done.append(True)
            one.stop()

    one = Daemon(workspace, settings, tell, deep_at, mashups_at)
    limit = threading.Timer(20, one.stop)
    limit.start()
    one.run()
    limit.cancel()
    assert done, "it did not happen in time"
    return said


class Slow(InlineEngine):
    """Hears for some looks before it is done; what happens meanwhile is up to the test."""

    looks = 4
    meanwhile: Callable[[int], None] = staticmethod(lambda look: None)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._left = self.looks

    def next_done(self, patience_s: float | None = None) -> list[Done]:
        if self._left:
            self._left -= 1
            type(self).meanwhile(self.looks - self._left)
            return []
        self._left = self.looks
        return super().next_done(patience_s)


# When


def test_a_night_begins_at_its_time_and_not_before(clock: type[Clock]) -> None:
    night = Night(AT_ONE)
    assert not night.is_due()
    clock.here = datetime(2026, 11, 21, 0, 59, 59)
    assert not night.is_due()
    first = night.number
    clock.here = datetime(2026, 11, 21, 1, 0)
    assert night.is_due()
    assert night.number != first
    clock.here = datetime(2026, 11, 21, 13, 0)
    assert night.is_due(), "until nothing is left"
    night.over()
    assert not night.is_due()
    night.news()
    assert not night.is_due(), "what comes by day waits for the night"
    clock.here = datetime(2026, 11, 22, 1, 0, 1)
    assert night.is_due()


def test_a_daemon_that_is_started_after_that_time_waits_for_the_next_night(clock: type[Clock]) -> None:
    clock.here = datetime(2026, 11, 21, 2, 0)
    night = Night(AT_ONE)
    assert not night.is_due()
    clock.here += timedelta(hours=23)
    assert night.is_due()


def test_always_means_at_once_after_news_and_now_and_then(clock: type[Clock], monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(overnight, "monotonic", lambda: now[0])
    night = Night(None, is_always=True)
    assert night.is_due()
    night.over()
    assert not night.is_due()
    night.news()
    assert night.is_due()
    night.over()
    now[0] += LOOK_AGAIN_S
    assert night.is_due()
    first = night.number
    clock.here += timedelta(days=1)
    night.over()
    night.is_due()
    assert night.number != first, "a day later what failed is tried again"


def test_never_is_never(clock: type[Clock]) -> None:
    night = Night(None)
    for _ in range(50):
        clock.here += timedelta(hours=1)
        night.news()
        assert not night.is_due()


# What


def test_what_is_dropped_is_heard_when_nothing_else_is_to_do(
    workspace: Workspace, ears: Change, published: list[int]
) -> None:
    for number, name in enumerate("ab"):
        tone(workspace.inbox / f"{name}.wav", 300 + number)
    said = watch(workspace, lambda said: "2 refreshed" in said[-1] and said[-1].startswith("idle"))
    assert said[-1] == "idle · 2 stored, 4 deepened, 2 refreshed"
    assert published[-1] == 2
    assert leftovers(workspace) == []
    log = next(path for path in workspace.runs.iterdir() if "deepened" in path.read_text())
    assert log.read_text().count('"deepened"') == 4


def test_without_the_setting_nothing_is_heard(workspace: Workspace, ears: Change, published: list[int]) -> None:
    tone(workspace.inbox / "a.wav")
    looks: list[str] = []
    watch(workspace, lambda said: looks.append(said[-1]) or len(looks) > 8, NIGHTLY)  # type: ignore[func-returns-value]
    assert separated(workspace) == []
    assert "stored" in looks[-1]


def test_at_night_what_is_pending_is_heard(
    workspace: Workspace, ears: Change, published: list[int], clock: type[Clock]
) -> None:
    tone(workspace.inbox / "a.wav")

    def nightfall(said: list[str]) -> bool:
        if said[-1] == "idle · 1 stored":
            assert separated(workspace) == []
            clock.here = datetime(2026, 11, 21, 1, 0)
        return "1 refreshed" in said[-1]

    watch(workspace, nightfall, NIGHTLY, AT_ONE)
    assert separated(workspace) == ["a"]


def test_drops_go_first_even_in_the_middle_of_a_track(
    workspace: Workspace, ears: Change, published: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tone(workspace.inbox / "a.wav", 300)
    run(workspace, QUICK)

    def meanwhile(look: int) -> None:
        if look == 2 and len(library.tracks(workspace)) == 1:
            tone(workspace.inbox / "b.wav", 310)

    monkeypatch.setattr(Slow, "meanwhile", staticmethod(meanwhile))
    monkeypatch.setattr(Slow, "looks", 200)
    monkeypatch.setattr(engine, "Engine", Slow)
    said = watch(workspace, lambda said: "1 stored" in said[-1])
    assert not any("deepened" in text for text in said)
    assert any(text.startswith("stems 1/1 a.wav 0 %") for text in said)
    assert leftovers(workspace) == [], "what was being heard is given up when it stops"
    assert separated(workspace) == []
    monkeypatch.setattr(engine, "Engine", InlineEngine)
    watch(workspace, lambda said: "2 refreshed" in said[-1])
    assert separated(workspace) == ["a", "b"]


def test_what_failed_is_tried_again_the_next_day_and_not_before(
    workspace: Workspace, ears: Change, published: list[int], clock: type[Clock]
) -> None:
    tone(workspace.inbox / "a.wav")
    run(workspace, QUICK)
    order("stems-a", "fail")
    heard = Ears(workspace, QUICK, None)
    cheap: Any = InlineEngine(QUICK)
    for _ in range(8):
        heard.news()
        heard.listen(cheap)
    assert noted().count("stems a") == 1
    order("stems-a", None)
    clock.here += timedelta(days=1)
    while heard.listen(cheap) is not None:
        pass
    heard.news()
    while heard.listen(cheap) is not None:
        pass
    assert noted().count("stems a") == 2
    assert separated(workspace) == ["a"]


def test_a_library_that_cannot_be_written_is_waited_for(
    workspace: Workspace, ears: Change, published: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tone(workspace.inbox / "a.wav")
    keep, calls = Pass._settle, []

    def refuse(self: Pass, *arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise WorkspaceError("No room.")
        return keep(self, *arguments)

    monkeypatch.setattr(Pass, "_settle", refuse)
    watch(workspace, lambda said: "1 refreshed" in said[-1])
    assert separated(workspace) == ["a"]


def test_beside_another_process_that_hears_it_waits(workspace: Workspace, ears: Change, published: list[int]) -> None:
    from processor.backlog import Backlog

    tone(workspace.inbox / "a.wav")
    run(workspace, QUICK)
    heard = Ears(workspace, QUICK, None)
    cheap: Any = InlineEngine(QUICK)
    with Pass(workspace, QUICK, Backlog(workspace, QUICK), cheap):
        assert heard.listen(cheap) is None
    heard.news()
    assert heard.listen(cheap) is not None
    heard.close()


def test_the_settings_of_a_worker_that_hears_are_those_of_models() -> None:
    found = engine.for_models(replace(QUICK, models=Models(worker_memory_bytes=7, deadline_s=9.0)))
    assert found.workers == Workers(1, 9.0, 7)
    assert Job.__dataclass_fields__["hearing"].default is None


# Songs of which a mashup is wanted, and previews of pairs


def test_songs_of_which_a_mashup_is_wanted_are_taken_apart_at_any_time(
    workspace: Workspace, ears: Change, published: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate("ab"):
        tone(workspace.inbox / f"{name}.wav", 300 + number)
    run(workspace, NIGHTLY)
    wanted = [track for track in library.tracks(workspace) if track.id.startswith("a-")]
    monkeypatch.setattr(overnight, "to_separate", lambda workspace, settings: [] if separated(workspace) else wanted)
    monkeypatch.setattr(overnight, "for_separation", lambda settings: settings)
    heard = Ears(workspace, NIGHTLY, None)
    cheap: Any = InlineEngine(NIGHTLY)
    events = []
    while (found := heard.listen(cheap)) is not None:
        events += found
    assert separated(workspace) == ["a"]
    assert {event.event for event in events} == {"deepened", "refreshed"}
    assert heard.listen(cheap) is None


def test_a_song_that_cannot_be_taken_apart_is_tried_once_a_day(
    workspace: Workspace, ears: Change, published: list[int], clock: type[Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    tone(workspace.inbox / "a.wav")
    run(workspace, NIGHTLY)
    order("load-htdemucs", "broken")
    asked: list[int] = []
    tracks = library.tracks(workspace)
    monkeypatch.setattr(overnight, "to_separate", lambda workspace, settings: asked.append(1) or tracks)
    monkeypatch.setattr(overnight, "for_separation", lambda settings: settings)
    heard = Ears(workspace, NIGHTLY, AT_ONE)
    cheap: Any = InlineEngine(NIGHTLY)

    def all_of_it() -> None:
        heard.news()
        while heard.listen(cheap) is not None:
            pass

    all_of_it()
    all_of_it()
    assert noted().count("load htdemucs") == 1
    clock.here += timedelta(days=1)
    all_of_it()
    all_of_it()
    assert noted().count("load htdemucs") >= 2
    assert asked


def test_a_pass_that_was_asked_for_does_not_end_the_night(
    workspace: Workspace, ears: Change, published: list[int], clock: type[Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate("ab"):
        tone(workspace.inbox / f"{name}.wav", 300 + number)
    run(workspace, NIGHTLY)
    wanted = library.tracks(workspace)[:1]
    monkeypatch.setattr(overnight, "to_separate", lambda workspace, settings: [] if separated(workspace) else wanted)
    monkeypatch.setattr(overnight, "for_separation", lambda settings: settings)
    heard = Ears(workspace, NIGHTLY, AT_ONE)
    cheap: Any = InlineEngine(NIGHTLY)
    clock.here = datetime(2026, 11, 21, 1, 0)
    while heard.listen(cheap) is not None:
        pass
    assert separated(workspace) == ["a", "b"]


class Plates:
    """What makes previews, for tests: two, of which the second cannot be made."""

    left = 2
    closed = 0

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        self.text: str | None = None

    def work(self, patience_s: float) -> list[tuple[Taster, str]] | None:
        if not Plates.left:
            return None
        Plates.left -= 1
        one = Taster(pair("a-12345678", f"b-1234567{Plates.left}"), "x")
        return [(one, "" if Plates.left else "Nobody sings.")]

    def close(self) -> None:
        Plates.closed += 1


@pytest.fixture
def plates(monkeypatch: pytest.MonkeyPatch) -> type[Plates]:
    monkeypatch.setattr(overnight, "Tasters", Plates)
    monkeypatch.setattr(Plates, "left", 2)
    monkeypatch.setattr(Plates, "closed", 0)
    return Plates


def test_previews_of_pairs_are_made_at_night_and_said(
    workspace: Workspace, clock: type[Clock], plates: type[Plates]
) -> None:
    one = Pairs(workspace, NIGHTLY, AT_ONE)
    assert one.work() is None
    assert plates.left == 2
    clock.here = datetime(2026, 11, 21, 1, 0)
    [event] = one.work() or []
    assert (event.event, event.name) == ("preview", "a-12345678 over b-12345671")
    assert one.is_publishing_due
    assert not one.is_publishing_due
    [event] = one.work() or []
    assert (event.event, event.reason) == ("skipped", "Nobody sings.")
    assert one.work() is None
    assert plates.closed
    plates.left = 2
    assert one.work() is None, "not before the next night"
    clock.here += timedelta(days=1)
    assert one.work()
    [log] = [path.read_text() for path in workspace.runs.iterdir()][:1]
    assert '"skipped"' in log or '"preview"' in log


def test_without_a_time_no_previews_are_made(workspace: Workspace, clock: type[Clock], plates: type[Plates]) -> None:
    one = Pairs(workspace, QUICK, None)
    for _ in range(30):
        clock.here += timedelta(hours=1)
        assert one.work() is None
    assert plates.left == 2


def test_the_daemon_makes_previews_when_models_have_heard_all(
    workspace: Workspace, ears: Change, published: list[int], clock: type[Clock], plates: type[Plates]
) -> None:
    tone(workspace.inbox / "a.wav")

    def nightfall(said: list[str]) -> bool:
        if said[-1] == "idle · 1 stored":
            clock.here = datetime(2026, 11, 21, 1, 0)
        return "1 preview, 1 skipped" in said[-1]

    watch(workspace, nightfall, NIGHTLY, mashups_at=AT_ONE)
    assert plates.closed
