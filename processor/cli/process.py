"""Commands that change a workspace: init, run, watch, demo, rebuild, refresh, set."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from processor.cli.hearing import deepened, parsed_time, time_of_day
from processor.cli.mashing import mashups_made
from processor.cli.shared import (
    NOTHING_DONE,
    OK,
    SET_ASIDE,
    counting,
    examples,
    home_option,
    home_path,
    json_option,
    open_workspace,
    plural,
    print_json,
    progress_bar,
    say,
    workers_option,
)
from processor.errors import WrongUsage

if TYPE_CHECKING:
    from datetime import time as TimeOfDay  # noqa: N812 - `time` is a module here

    from processor.config import Settings
    from processor.library import Track
    from processor.pipeline import Event
    from processor.workspace import Workspace

DEMO_FOLDER = "linernotes-demo"
_DEEP_HELP = "Let models hear afterwards, or not. [default: as [models] deep says, which is not]"
MAX_LISTED = 20


@click.command(epilog=examples("linernotes init", "linernotes init ~/Music/reports"))
@click.argument("folder", required=False, metavar="[DIR]")
@home_option
@json_option
def init(folder: str | None, home: str | None, as_json: bool) -> None:
    """Make a workspace: inbox/, library/, site/ and a commented linernotes.toml."""
    from processor.workspace import Workspace

    workspace = Workspace(home_path(folder or home))
    was_there = workspace.exists()
    workspace.create()
    if as_json:
        print_json({"home": str(workspace.home), "created": not was_there})
        return
    click.echo(f"{'There is a workspace' if was_there else 'Made a workspace'} in {workspace.home}")
    click.echo(f"Drop sound files into {workspace.inbox}, then: linernotes run --home {workspace.home}")


@click.command(
    epilog=examples(
        "linernotes run",
        "linernotes run mix.wav 'My Album/'",
        "linernotes run --workers 4 --json",
        "linernotes run --deep   # then let models hear whatever they have not heard yet",
    )
)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]…")
@click.option("--deep/--fast-only", "deep", default=None, help=_DEEP_HELP)
@workers_option
@home_option
@json_option
def run(files: tuple[Path, ...], deep: bool | None, workers: int | None, home: str | None, as_json: bool) -> int:
    """Process the inbox once, or copies of FILEs (a folder: all in it), then end.

    With --deep, models hear what they have not heard yet: of FILEs, or of the whole library where none are named.

    Exit code 0: all well. 1: nothing could be done. 3: done, but some files were set aside, or models failed.
    """
    workspace, settings = open_workspace(home, create=True, workers=workers)
    told: list[Event] = []
    code = _run(workspace, settings, files, as_json, told)
    if not (settings.models.deep if deep is None else deep):
        return code
    heard = deepened(workspace, settings, told if files else None, as_json=as_json, is_asked=bool(deep))
    if heard == OK:
        return code
    return SET_ASIDE if told else heard


def _run(
    workspace: Workspace, settings: Settings, files: Sequence[Path], as_json: bool, events: list[Event] | None = None
) -> int:
    from processor import bundles, inbox
    from processor.engine import Engine
    from processor.feedback.desk import open_desk
    from processor.later import add_media, add_words
    from processor.pipeline import Event, RunLog, publish, run_all

    open_desk(workspace, settings)  # what is wrong with profiles or platforms should be told before the work, not after
    found = inbox.drops_from(files, workspace) if files else inbox.scan(workspace)
    drops, moving = (found.drops, []) if files else _settled(workspace, settings, found.drops)
    settled = drops
    drops, _ = bundles.hold_back(workspace, drops, moving)
    early = [Event("ignored", one.name, reason=one.reason) for one in found.ignored]
    early += [Event("left", drop.name, reason="it is still being written, or named as unfinished") for drop in moving]
    early += [
        Event("left", drop.name, reason=bundles.why_held(drop))
        for drop in settled
        if drop not in drops and not bundles.is_plan(drop)
    ]
    early += [Event("missing", one.name, reason=one.reason) for one in found.missing]
    events = [] if events is None else events
    with _swept(workspace), Engine(settings) as engine, progress_bar("Processing", len(drops)) as step:

        def tell(event: Event) -> None:
            events.append(event)
            if as_json:
                say(json.dumps(_event_facts(event)))
            elif not sys.stderr.isatty():
                say(_event_text(event))

        def tell_step(event: Event) -> None:
            step(event.name)
            tell(event)

        for event in early:
            tell(event)
        if drops:
            run_all(workspace, settings, drops, engine, RunLog(workspace, "run"), tell_step)
        else:
            publish(workspace)
    mashups_made(workspace, settings, tell, as_json=as_json)
    add_media(workspace, settings, counting("Preview"))
    if trouble := add_words(workspace, settings):
        click.echo(f"The advice stands in our own words: {trouble}", err=True)
    if not files:
        inbox.remove_empty_folders(workspace, older_than_s=0.0)
    if not as_json:
        _summarise(workspace, events, len(drops), is_named=bool(files))
    return _exit_code(events, is_named=bool(files))


@contextmanager
def _swept(workspace: Workspace) -> Iterator[None]:
    """A workspace without leftovers before, and after Ctrl-C, which may strike while a claim is being given back."""
    from processor import inbox

    inbox.sweep(workspace)
    try:
        yield
    except KeyboardInterrupt as interruption:
        traceback.clear_frames(interruption.__traceback__)  # they may hold the claim's lock
        inbox.sweep(workspace)
        raise


def _settled(workspace: Workspace, settings: Settings, drops: list[Any]) -> tuple[list[Any], list[Any]]:
    """Wait as long as a fresh file needs to prove that it stands still; what still moves then is left."""
    from dataclasses import replace

    from processor import inbox

    settling = inbox.Settling(replace(settings.inbox, patience_s=settings.inbox.settle_s))
    ready, waiting = settling.split(drops)
    deadline = time.monotonic() + settings.inbox.settle_s + 1.0
    while time.monotonic() < deadline and any(not inbox.is_named_unfinished(drop) for drop in waiting):
        time.sleep(min(0.2, settings.inbox.settle_s))
        ready, waiting = settling.split(inbox.scan(workspace).drops)
    return ready, waiting


def _event_facts(event: Event) -> dict[str, object]:
    from dataclasses import asdict

    return {key: value for key, value in asdict(event).items() if value is not None}


def _event_text(event: Event) -> str:
    text = f"{event.event:<10}{event.name}"
    if event.track:
        text += f" → {event.track}"
    return text + (f" ({event.reason})" if event.reason else "")


# What became of a drop, in the words of the summary.
_WORDS = {
    "stored": "stored",
    "duplicate": "known already",
    "failed": "set aside",
    "missing": "not there",
    "left": "left in place",
    "ignored": "ignored",
    "mashup": "mashed up",
    "waiting": "not mashed up yet",
}


def _summarise(workspace: Workspace, events: Sequence[Event], drops: int, *, is_named: bool) -> None:
    kinds = {kind: [event for event in events if event.event == kind] for kind in _WORDS}
    if not events:
        say(_why_nothing(workspace, drops, is_named=is_named))
    elif sys.stderr.isatty():
        shown = [event for kind in _WORDS for event in kinds[kind][: None if kind == "failed" else MAX_LISTED]]
        say("\n".join(_event_text(event) for event in shown))
        if len(shown) < len(events):
            say(f"… and {len(events) - len(shown)} more")
    counts = ", ".join(f"{len(found)} {_WORDS[kind]}" for kind, found in kinds.items() if found)
    if counts:
        say(counts)
    if kinds["failed"]:
        say(f"Why files were set aside: {workspace.failed}")
    say(f"The site: {workspace.site / 'index.html'}")


def _why_nothing(workspace: Workspace, drops: int, *, is_named: bool) -> str:
    if drops:
        return "Another process has these files in hand."
    if is_named:
        return "There is no sound file in what you named."
    return f"The inbox {workspace.inbox} is empty: drop sound files into it, or name some: linernotes run song.wav"


def _exit_code(events: Iterable[Event], *, is_named: bool) -> int:
    """What belongs to these events; to name files of which none is a sound is more than to find the inbox empty."""
    kinds = [event.event for event in events]
    done = sum(kind in ("stored", "duplicate") for kind in kinds)
    aside = sum(kind in ("failed", "left", "missing") for kind in kinds)
    if aside:
        return SET_ASIDE if done else NOTHING_DONE
    return NOTHING_DONE if is_named and kinds.count("ignored") == len(kinds) else OK


@click.command(
    epilog=examples(
        "linernotes watch",
        "linernotes watch --home ~/Music/reports --workers 2",
        "linernotes watch --deep-at 01:00 --mashups-at 05:00",
    )
)
@click.option(
    "--deep-at",
    metavar="HH:MM",
    callback=time_of_day,
    help="From that time on, models hear what is pending, until nothing is. [default: whenever it is idle, "
    "if [models] deep says so]",
)
@click.option(
    "--mashups-at",
    metavar="HH:MM",
    callback=time_of_day,
    help="From that time on, the pairs that go together best are rendered in short, to be heard on the page of "
    "mashups. [default: as [mashups] at says, which is never]",
)
@workers_option
@home_option
def watch(deep_at: TimeOfDay | None, mashups_at: TimeOfDay | None, workers: int | None, home: str | None) -> None:
    """Process whatever is dropped into the inbox, until Ctrl-C or SIGTERM."""
    from processor.daemon import Daemon
    from processor.feedback.desk import open_desk

    workspace, settings = open_workspace(home, create=True, workers=workers)
    open_desk(workspace, settings)
    if mashups_at is None and settings.mashups.at:
        mashups_at = parsed_time(settings.mashups.at, "mashups.at")
    is_terminal = sys.stderr.isatty()
    last = ""

    def tell(text: str) -> None:
        nonlocal last
        if is_terminal:
            width = max(20, shutil.get_terminal_size().columns - 1)
            say("\r\x1b[K" + text[:width], nl=False, err=True)
        elif text.partition(" ")[2] != last:
            last = text.partition(" ")[2]
            say(text, err=True)

    Daemon(workspace, settings, tell, deep_at, mashups_at).run()
    say(("\n" if is_terminal else "") + "Stopped.", err=True)


@click.command(epilog=examples("linernotes demo", "linernotes demo --home /tmp/demo"))
@click.option("--home", metavar="DIR", help=f"Where to make the demo's workspace. [default: ./{DEMO_FOLDER}]")
def demo(home: str | None) -> int:
    """Synthesise three short pieces, process them and show where their reports are."""
    import tempfile

    from processor.demo import write_pieces

    workspace, settings = open_workspace(home or DEMO_FOLDER, create=True)
    click.echo("Synthesising three short pieces …", err=True)
    with tempfile.TemporaryDirectory(prefix="linernotes-demo-") as folder:
        code = _run(workspace, settings, write_pieces(Path(folder)), as_json=False)
    command, home_words = _command_words(), f"--home {shlex.quote(str(workspace.home))}"
    click.echo("\nThree things to try next:")
    click.echo(f"  open the site:     {workspace.site / 'index.html'}")
    question = '"SELECT title, integrated_lufs, clipped_samples FROM tracks"'
    click.echo(f"  ask the catalogue: {command} query {home_words} {question}")
    click.echo(f"  drop your own:     {command} run {home_words} YOUR-SONG.wav")
    return code


def _command_words() -> str:
    """What to type for this command here: its name where that is found, else the path by which it was called."""
    called = Path(sys.argv[0])
    found = shutil.which("linernotes")
    is_other = called.name == "linernotes" and (found is None or Path(found).resolve() != called.resolve())
    return shlex.quote(str(called)) if is_other else "linernotes"


@click.command(epilog=examples("linernotes rebuild", "rm -r site library/catalogue.duckdb && linernotes rebuild"))
@home_option
@json_option
def rebuild(home: str | None, as_json: bool) -> int:
    """Make the catalogue and the site anew from the library's folders."""
    from processor import inbox
    from processor.later import add_media
    from processor.pipeline import publish

    workspace, settings = open_workspace(home)
    workspace.create()
    inbox.sweep(workspace)
    changes = publish(workspace, rebuild=True, progress=counting("Rebuilding"))
    add_media(workspace, settings, counting("Preview"))
    for problem in changes.problems:
        click.echo(f"left out  {problem}", err=True)
    count = len(changes.all_tracks) - len(changes.problems)
    if as_json:
        print_json({"tracks": count, "left_out": changes.problems})
    else:
        click.echo(f"{plural(count, 'track')} in {workspace.catalogue}\nThe site: {workspace.site / 'index.html'}")
    return SET_ASIDE if changes.problems else OK


@click.command(epilog=examples("linernotes refresh --dry-run", "linernotes refresh --workers 4"))
@click.option("--dry-run", is_flag=True, help="Only say what would be analysed again.")
@workers_option
@home_option
@json_option
def refresh(dry_run: bool, workers: int | None, home: str | None, as_json: bool) -> int:
    """Analyse again what a newer version or a person's word made stale, and report what changed."""
    from processor.pipeline import stale_tracks

    workspace, settings = open_workspace(home, workers=workers)
    stale, problems = stale_tracks(workspace, settings)
    for problem in problems:
        click.echo(f"left out  {problem}", err=True)
    failed = [] if dry_run else _refresh(workspace, settings, stale)
    done = [one for one in stale if one.track.id not in failed]
    if as_json:
        for one in stale:
            print_json({"track": one.track.id, "keys": one.names, "failed": one.track.id in failed})
    elif not stale:
        click.echo("Everything is up to date.")
    else:
        keys = plural(sum(len(one.names) for one in done), "key")
        did = "would change" if dry_run else "changed"
        click.echo(f"{keys} {did} in {plural(len(done), 'track')}: here they are")
        for one in stale:
            click.echo(f"  {one.track.id}: {', '.join(one.names)}" + ("  (failed)" if one.track.id in failed else ""))
    if not failed and not problems:
        return OK
    return NOTHING_DONE if len(failed) == len(stale) and stale else SET_ASIDE


def _refresh(workspace: Workspace, settings: Settings, stale: Sequence[Any], command: str = "refresh") -> list[str]:
    """Run it, in the log under the name of the command; return the ids of tracks that failed."""
    from processor.engine import Engine
    from processor.later import add_media
    from processor.pipeline import RunLog, publish
    from processor.pipeline import refresh as refresh_tracks

    if not stale:
        return []
    failed, log = [], RunLog(workspace, command)
    with Engine(settings) as engine, progress_bar("Refreshing", len(stale)) as step:
        for one, event in refresh_tracks(workspace, settings, stale, engine):
            log.write(event)
            step(event.name)
            if event.event == "failed":
                failed.append(one.track.id)
                click.echo(f"{one.track.id}: {event.reason}", err=True)
    log.close()
    publish(workspace)
    add_media(workspace, settings, counting("Preview"))
    return failed


@click.command(
    "set",
    epilog=examples(
        "linernotes set morning-tape rating=4 genre='lo-fi'",
        "linernotes set 1a2b3c4d title='Morning Tape (Radio Edit)'",
        "linernotes set morning-tape note=   # takes the note back",
        "linernotes set morning-tape-v2 revision_of=morning-tape",
    ),
)
@click.argument("track")
@click.argument("words", nargs=-1, required=True, metavar="FIELD=VALUE…")
@home_option
@json_option
def set_words(track: str, words: tuple[str, ...], home: str | None, as_json: bool) -> int:
    """Say something of a track: title, artist, album, genre, collection, rating (0–5), note, or an analyser's field.

    Your words are kept apart from what was measured, in person.json, and survive every analysis. TRACK is a track's
    id, or the beginning of its id or of its hash. An empty value takes a word back. revision_of=OTHER makes it a later
    bounce of another track's song, revision_of=none a song of its own.
    """
    from processor import library, person
    from processor.pipeline import publish, stale_tracks

    workspace, settings = open_workspace(home)
    chosen = library.resolve(workspace, track)
    words = tuple(_with_track(workspace, chosen, word) for word in words)
    with workspace.write_lock():
        said = person.merge(library.read_person(chosen), words)
        library.write_person(chosen, said)
    stale, _ = stale_tracks(workspace, settings, chosen)
    failed = _refresh(workspace, settings, stale, "set")
    if not stale:
        publish(workspace)
    if as_json:
        print_json({"track": chosen.id, "person": said})
    else:
        click.echo(chosen.id)
        for name, value in said.items():
            click.echo(f"  {name} = {value}")
    return SET_ASIDE if failed else OK  # the words are kept all the same


def _with_track(workspace: Workspace, chosen: Track, word: str) -> str:
    """The same word, with the whole id of the track that it names."""
    from processor import library
    from processor.feedback.revisions import ALONE, FIELD

    field, _, other = (part.strip() for part in word.partition("="))
    if field != FIELD or other in ("", ALONE):
        return word
    named = library.resolve(workspace, other)
    if named.id == chosen.id:
        raise WrongUsage(f"{word}: a track is no revision of itself.")
    return f"{FIELD}={named.id}"
