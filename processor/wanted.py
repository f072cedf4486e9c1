"""Mashups that are asked for and not there: by a folder `inbox/mashup/<name>/`, or by a plan edited in the library.

A mashup is made once for the same two songs and the same plan. It is made anew when a plan is dropped into its folder,
or when its `plan.toml` in the library is edited; it then takes the place of the one before. A dropped plan leaves the
inbox when its mashup is in the library.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from processor import inbox, pairing, setaside
from processor.backlog import roster
from processor.bundles import MASHUP, Pairing, has_any, mashups
from processor.config import Settings
from processor.errors import LinerNotesError, RecordError, WorkspaceBusy, WorkspaceError
from processor.files import printable
from processor.inbox import Drop
from processor.library import Track
from processor.mashing import Order, make_and_keep
from processor.mashup import kept
from processor.mashup.kept import Stored, Trouble
from processor.mashup.making import Progress
from processor.mashup.plan import Plan, PlanError
from processor.mashup.plan_files import from_toml
from processor.mashup.songs import NoStems
from processor.mashup.wishes import MOST_NAME_CHARACTERS, Wishes
from processor.models.table import all_models
from processor.workspace import Workspace, cannot_write

# Raised when the same songs and the same plan are to be made into a mashup once more.
VERSION = 1
_SEPARATOR = "separator"


@dataclass(frozen=True)
class Wanted:
    """A mashup that is asked for and not there.

    Attributes:
        name: what to call it to people: "mashup/night bus", or the folder of an edited plan.
        asked: what tells it from others.
        stamp: changes when it is worth to be tried again.
        dropped: the folder's songs; None for a plan that was edited in the library.
        edited: the mashup whose plan was edited.
    """

    name: str
    asked: str
    stamp: str
    dropped: Pairing | None = None
    edited: Stored | None = None


def wanted(workspace: Workspace) -> list[Wanted]:
    """Every mashup that is asked for and not there."""
    standing = kept.stored(workspace)
    found = [_edited(one) for one in standing if one.is_edited]
    if has_any(workspace, MASHUP):
        found += [one for dropped in mashups(workspace) if (one := _dropped(workspace, dropped, standing)) is not None]
    return found


def _edited(one: Stored) -> Wanted:
    name = f"{one.folder.name}/{kept.PLAN_NAME}"
    return Wanted(name, one.origin.asked, kept.text_hash(one.plan_text), edited=one)


def _dropped(workspace: Workspace, dropped: Pairing, standing: Sequence[Stored]) -> Wanted | None:
    """What is asked for by a folder; None where it is there."""
    tracks = _tracks(dropped)
    sounds = _hash([VERSION, [track.id for track in tracks]])
    plan = "" if dropped.plan is None else _hash(_text_of(dropped.plan))
    there = [one for one in standing if one.origin.folder == dropped.name and one.mix is not None]
    if any(_answers(one.origin.asked, sounds, plan) for one in there):
        if dropped.plan is not None:  # a crash came between
            inbox.leave(dropped.plan)
        return None
    signatures = [track.signature for track in tracks]
    return Wanted(f"{MASHUP}/{dropped.name}", f"{sounds} {plan}".strip(), _hash([plan, signatures]), dropped=dropped)


def _answers(asked: str, sounds: str, plan: str) -> bool:
    """Whether a mashup is what is asked for: without a plan, any of these sounds is."""
    return asked == f"{sounds} {plan}" if plan else asked.partition(" ")[0] == sounds


def _tracks(dropped: Pairing) -> list[Track]:
    named = [track for track in (dropped.vocals, dropped.instrumental) if track is not None]
    return list(dict.fromkeys([*named, *dropped.songs, *dropped.layers.values()]))


def _text_of(drop: Drop) -> str:
    try:
        return kept.read_plan_text(drop.path)
    except RecordError as error:
        return str(error)  # told when it is to be made


def _hash(facts: object) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


def to_separate(workspace: Workspace, settings: Settings) -> list[Track]:
    """Songs that have to be taken apart for mashups that are asked for; none where nothing could do that."""
    found: dict[Track, None] = {}
    todo = wanted(workspace)
    if not todo or _SEPARATOR not in roster(settings).jobs:
        return []
    for one in todo:
        if one.dropped is not None:
            found |= dict.fromkeys(pairing.to_separate(one.dropped))
    return list(found)


def for_separation(settings: Settings) -> Settings:
    """The same settings with no other model than those that take songs apart."""
    off = {model.name: "off" for model in all_models().values() if model.job != _SEPARATOR}
    return replace(settings, models=replace(settings.models, **off))  # type: ignore[arg-type]  # switches are texts


# Making all


def make_mashups(
    workspace: Workspace,
    settings: Settings,
    progress: Progress = lambda stage, share: None,
    most: int | None = None,
) -> list[Stored]:
    """Make the mashups that are asked for and not there; return them. What cannot be made is noted, with the reason.

    Nobody has to hold the workspace's lock meanwhile. No song is taken apart here: see `to_separate`.

    Args:
        workspace: where.
        settings: its settings.
        progress: told of each one's stages.
        most: how many at most; the rest is left for the next time.

    Raises:
        WorkspaceError: the library cannot be written.
    """
    found: list[Stored] = []
    before = kept.troubles(workspace)
    after: dict[str, Trouble] = {}
    for one in wanted(workspace):
        known = before.get(one.name)
        if known is not None and known.stamp == one.stamp:
            after[one.name] = known
        elif most is None or len(found) < most:
            try:
                found.append(_made(workspace, settings, one, progress))
            except WorkspaceBusy:
                continue  # another process makes it
            except WorkspaceError:
                raise
            except NoStems as error:
                after[one.name] = Trouble(_waiting(settings, str(error)), "")
            except LinerNotesError as error:
                after[one.name] = Trouble(" ".join(str(error).split()), one.stamp)
    kept.note_troubles(workspace, after)
    return found


def _waiting(settings: Settings, reason: str) -> str:
    """Why a mashup is not made yet, where a song has no stems."""
    if _SEPARATOR in roster(settings).jobs:
        return reason
    return f"{reason} Or drop vocals.* and instrumental.* into the folder: stems that you have are played as they are."


def _made(workspace: Workspace, settings: Settings, one: Wanted, progress: Progress) -> Stored:
    """Make what is asked for.

    Raises:
        LinerNotesError: it cannot be made; it says why.
    """
    if one.edited is not None:
        return make_and_keep(workspace, settings, _order_again(workspace, one.edited), progress)
    assert one.dropped is not None  # noqa: S101 - it is either
    plan = _plan_of(workspace, one.dropped)
    played = pairing.played(one.dropped, plan, can_separate=_SEPARATOR in roster(settings).jobs)
    wishes = Wishes(name=printable(one.dropped.name)[:MOST_NAME_CHARACTERS], force=True)
    order = Order(played.songs, wishes, plan, folder=one.dropped.name, asked=one.asked, reasons=played.reasons)
    stored = make_and_keep(workspace, settings, order, progress)
    if one.dropped.plan is not None:
        inbox.leave(one.dropped.plan)
    return stored


def _order_again(workspace: Workspace, one: Stored) -> Order:
    """The same songs by the plan that a person edited."""
    plan = replace(from_toml(one.plan_text), chosen_by="person")
    names = one.made_from.vocals, one.made_from.instrumental
    songs = pairing.again(workspace, names, one.origin.supplied)
    return Order(songs, plan=plan, folder=one.origin.folder, asked=one.origin.asked, replaces=one)


def _plan_of(workspace: Workspace, dropped: Pairing) -> Plan | None:
    """A person's plan; one that is none is set aside, and the rules plan in its place.

    Raises:
        WorkspaceError: it cannot be set aside.
    """
    if dropped.plan is None:
        return None
    try:
        return replace(from_toml(kept.read_plan_text(dropped.plan.path)), chosen_by="person")
    except (PlanError, RecordError) as error:
        try:
            with workspace.write_lock():
                setaside.set_aside(workspace, dropped.plan, printable(" ".join(str(error).split())))
        except OSError as trouble:
            raise cannot_write(workspace.inbox, trouble) from trouble
        raise LinerNotesError(f"its plan.toml is no plan, and was moved to failed/: {error}") from error
