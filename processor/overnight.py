"""What the daemon does beside the inbox: models hear, and previews of pairs are made, when it is idle or at night."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from datetime import datetime, time, timedelta
from time import monotonic

from processor.backlog import Backlog
from processor.config import Settings
from processor.deep import Pass
from processor.engine import Engine
from processor.errors import ModelError, WorkspaceBusy
from processor.pipeline import PUBLISH_EVERY_S, Event, RunLog
from processor.tasters import Taster, Tasters
from processor.wanted import for_separation, to_separate
from processor.workspace import Workspace

# So long the daemon waits for a step before it looks at the inbox again.
HEARING_S = 1.0
# What other processes store is found at the latest after so long.
LOOK_AGAIN_S = 600.0

log = logging.getLogger("linernotes.watch")


class Night:
    """When something may be done.

    Args:
        begins_at: only from this time of day on, until nothing is left.
        is_always: whether it may always be done, where there is no such time.
    """

    def __init__(self, begins_at: time | None, is_always: bool = False) -> None:
        self._begins_at, self._is_always = begins_at, begins_at is None and is_always
        self._next = self._after(datetime.now())
        self._looked = -LOOK_AGAIN_S
        self._is_open = False

    @property
    def number(self) -> datetime:
        """Changes once a day: what failed is tried again then, and not before."""
        return self._next

    def is_due(self) -> bool:
        """Whether there may be something to do now."""
        now = datetime.now()
        if now >= self._next:
            self._is_open, self._next = self._begins_at is not None, self._after(now)
        return self._is_open or (self._is_always and monotonic() - self._looked >= LOOK_AGAIN_S)

    def news(self) -> None:
        """There is a new track: there may be something to do, if this is a time for it."""
        self._looked = -LOOK_AGAIN_S

    def over(self) -> None:
        """Nothing is left."""
        self._is_open, self._looked = False, monotonic()

    def _after(self, now: datetime) -> datetime:
        today = datetime.combine(now.date(), self._begins_at or time())
        return today if today > now else today + timedelta(days=1)


class Ears:
    """One deep pass after the other, each as long as there is something to hear.

    Songs that somebody wants a mashup of are taken apart at any time, for that was asked for.

    Args:
        workspace: where.
        settings: its settings.
        begins_at: the time of day from which on models hear; None: always, if the settings say so.
    """

    def __init__(self, workspace: Workspace, settings: Settings, begins_at: time | None) -> None:
        self._workspace, self._settings = workspace, settings
        self._night = Night(begins_at, settings.models.deep)
        self._is_asking, self._asked, self._asked_on = True, set[str](), self._night.number
        self._day: datetime | None = None
        self._backlog: Backlog | None = None
        self._pass: Pass | None = None
        self._hold = ExitStack()
        self._has_news, self._published = False, monotonic()

    @property
    def text(self) -> str | None:
        """What they are hearing, if anything."""
        running = self._pass.running() if self._pass is not None else None
        return running.text() if running is not None else None

    @property
    def is_publishing_due(self) -> bool:
        """Whether there is something to publish, and the last time is long enough ago; true once."""
        is_late = self._pass is None or monotonic() - self._published >= PUBLISH_EVERY_S
        if not (self._has_news and is_late):
            return False
        self._has_news, self._published = False, monotonic()
        return True

    def news(self) -> None:
        """There is a new track."""
        self._night.news()
        self._is_asking = True

    def listen(self, engine: Engine) -> list[Event] | None:
        """Go on hearing for a moment; return what was done and is logged, or None if there is nothing to hear now.

        Args:
            engine: for what needs no model; nobody else uses it meanwhile.

        Raises:
            WorkspaceError: a record cannot be written.
        """
        if self._pass is None and not (self._begin_asked(engine) or (self._night.is_due() and self._begin(engine))):
            return None
        assert self._pass is not None  # noqa: S101 - `_begin` has made it
        events = self._pass.work(HEARING_S)
        if events is None:
            is_of_night = self._pass.backlog is self._backlog
            self.close()
            if not is_of_night:
                return []
            self._night.over()
            return None
        for event in events:
            self._log.write(event)
            self._has_news = True
        return events

    def close(self) -> None:
        """Give up what is being heard, and let go of the models."""
        self._pass = None
        self._hold.close()

    def _begin_asked(self, engine: Engine) -> bool:
        """Begin to take apart what somebody wants a mashup of; each song is tried once a day."""
        if not self._is_asking:
            return False
        if self._asked_on != self._night.number:
            self._asked_on = self._night.number
            self._asked.clear()
        try:
            tracks = [one for one in to_separate(self._workspace, self._settings) if one.id not in self._asked]
            self._is_asking = bool(tracks)
            if not tracks:
                return False
            only = for_separation(self._settings)
            self._start(Pass(self._workspace, only, Backlog(self._workspace, only, tracks), engine))
        except (ModelError, WorkspaceBusy) as error:
            log.info("no song is taken apart: %s", error)
            self._is_asking = False
            return False
        self._asked |= {one.id for one in tracks}
        return True

    def _begin(self, engine: Engine) -> bool:
        """Begin a pass, if there is something to do and nobody else is at it."""
        try:
            if self._backlog is None:
                self._backlog = Backlog(self._workspace, self._settings)
            if self._day != self._night.number:
                self._day = self._night.number
                self._backlog.forget()
            if not self._backlog.steps() and not self._backlog.finished():
                self._night.over()
                return False
            self._start(Pass(self._workspace, self._settings, self._backlog, engine))
        except (ModelError, WorkspaceBusy) as error:  # a setting that is wrong; another process that does it
            log.info("models hear nothing: %s", error)
            self._night.over()
            return False
        return True

    def _start(self, work: Pass) -> None:
        self._pass = self._hold.enter_context(work)
        self._log = RunLog(self._workspace, "watch --deep")
        self._hold.callback(self._log.close)
        self._has_news = True  # that it is at it


class Pairs:
    """Previews of the pairs that go together best, one after the other, from a time of day on.

    Args:
        workspace: where.
        settings: its settings.
        begins_at: the time of day; None: never.
    """

    def __init__(self, workspace: Workspace, settings: Settings, begins_at: time | None) -> None:
        self._workspace = workspace
        self._night, self._tasters = Night(begins_at), Tasters(workspace, settings)
        self._has_news = False
        self._log: RunLog | None = None

    @property
    def text(self) -> str | None:
        """What is being made, if anything."""
        return self._tasters.text

    @property
    def is_publishing_due(self) -> bool:
        """Whether there is something to publish; true once."""
        is_due, self._has_news = self._has_news, False
        return is_due

    def work(self) -> list[Event] | None:
        """Go on for a moment; return what was done and is logged, or None if there is nothing to make now.

        Raises:
            WorkspaceError: the site cannot be written.
        """
        if not self._night.is_due():
            return None
        done = self._tasters.work(HEARING_S)
        if done is None:
            self._night.over()
            self.close()
            return None
        events = [_event(one, reason) for one, reason in done]
        for event in events:
            self._log = self._log or RunLog(self._workspace, "watch --mashups-at")
            self._log.write(event)
            self._has_news = True
        return events

    def close(self) -> None:
        """Give up what is being made."""
        self._tasters.close()
        if self._log is not None:
            self._log.close()
            self._log = None


def _event(one: Taster, reason: str) -> Event:
    name = f"{one.pair.vocals} over {one.pair.instrumental}"
    return Event("skipped", name, reason=reason) if reason else Event("preview", name)
