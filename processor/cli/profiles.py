"""Commands about profiles: what mixes are measured against, and how to make one of one's own tracks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from processor.cli.shared import (
    OK,
    SET_ASIDE,
    decodable,
    examples,
    home_option,
    home_path,
    json_option,
    open_workspace,
    plural,
    print_json,
    progress_bar,
    workers_option,
)
from processor.errors import WorkspaceError, WrongUsage

if TYPE_CHECKING:
    from processor.config import Settings
    from processor.feedback.profiles import Profile
    from processor.record import Results
    from processor.workspace import Workspace

# Two tracks are two tracks; from three on there is something that they share. Files are a person's choice one by one,
# and one of them is a reference.
LEAST_TRACKS = 3
_NAMED = 3
_COLUMNS = ("name", "title", "tracks", "confidence", "source")
_WHERE_HINT = "The columns: linernotes query 'DESCRIBE tracks'."


@click.group(
    epilog=examples(
        "linernotes profile list", "linernotes profile show techno", "linernotes profile make mine references/"
    )
)
def profile() -> None:
    """What mixes are measured against: list, show and make profiles.

    Each of these commands takes --home DIR and --json.
    """


@profile.command("list", epilog=examples("linernotes profile list", "linernotes profile list --json"))
@home_option
@json_option
def list_profiles(home: str | None, as_json: bool) -> None:
    """List all profiles: of genres, of this workspace's settings, and made of its tracks."""
    from processor.cli.formats import print_rows

    found = _known(home)
    rows = [[getattr(one, column) for column in _COLUMNS] for one in found.values()]
    print_rows("json" if as_json else "table", _COLUMNS, rows)


@profile.command("show", epilog=examples("linernotes profile show techno", "linernotes profile show techno --json"))
@click.argument("name")
@home_option
@json_option
def show_profile(name: str, home: str | None, as_json: bool) -> None:
    """Show one profile: its ranges and its corridor of tone in third-octaves.

    NAME may also be what a tag says ("Drum'n'Bass").
    """
    from processor.feedback.genres import genre_named
    from processor.feedback.platforms import unknown

    found = _known(home)
    wanted = name if name in found else genre_named(name)
    if wanted is None or wanted not in found:
        raise WrongUsage(unknown(decodable(name), "profile", found).capitalize())
    if as_json:
        print_json(_facts(found[wanted]))
    else:
        _print_profile(found[wanted])


def _known(home: str | None) -> dict[str, Profile]:
    from processor.config import load_settings
    from processor.feedback.profiles import all_profiles
    from processor.workspace import Workspace

    path = home_path(home)
    return all_profiles(load_settings(path), Workspace(path))


def _facts(one: Profile) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(one) | {"centres_hz": [round(hz, 2) for hz in one.centres_hz]}


def _print_profile(one: Profile) -> None:
    from processor.analysis import result_types
    from processor.feedback.tone import nominal_hz
    from processor.files import printable
    from processor.quantities import columns

    units = {
        f"{analyser}.{column.name}": column.quantity.unit
        for analyser, kind in result_types().items()
        for column in columns(kind)
    }
    made_of = f", {plural(one.tracks, 'track')}" if one.tracks else ""
    click.secho(printable(f"{one.title} ({one.name})"), bold=True)
    click.echo(printable(f"  {one.confidence}{made_of}: {one.source}") + "\n")
    click.echo(_row("range", "10 %", "median", "90 %"))
    for field, corridor in one.ranges.items():
        click.echo(_row(printable(field), corridor.low, corridor.middle, corridor.high, unit=units.get(field, "")))
    click.echo("\n" + _row("third-octave", "10 %", "median", "90 %"))
    for hz, *levels in zip(one.centres_hz, one.tone_low_db, one.tone_middle_db, one.tone_high_db, strict=True):
        called = nominal_hz(hz)
        head = f"{called:g} Hz" if called < 1000 else f"{called / 1000:g} kHz"
        click.echo(_row(head, *levels, unit="dB"))


def _row(head: str, *cells: float | str, unit: str = "") -> str:
    texts = (cell if isinstance(cell, str) else f"{cell:.1f}".replace("-", "−") for cell in cells)
    return f"  {head:<30}{''.join(f'{text:>8}' for text in texts)} {unit}".rstrip()


@profile.command(
    "make",
    epilog=examples(
        "linernotes profile make my-techno --where \"genre = 'techno' and rating >= 4\"",
        "linernotes profile make record references/*.flac",
        "linernotes profile make record references/ --title 'As on the record'",
    ),
)
@click.argument("name")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE_OR_FOLDER]…")
@click.option("--where", metavar="SQL", help="Which tracks of the library: a condition on the table `tracks`.")
@click.option("--title", help="What to call it. [default: made of the name]")
@workers_option
@home_option
@json_option
def make(
    name: str,
    files: tuple[Path, ...],
    where: str | None,
    title: str | None,
    workers: int | None,
    home: str | None,
    as_json: bool,
) -> int:
    """Make the profile NAME of tracks, of the library (--where) or of files, which are analysed but not stored.

    It is kept in library/profiles/NAME.toml; one of that name is replaced, and so is one of ours: "techno" of your
    own is what techno is measured against from then on. A query needs three tracks; one file is enough.
    """
    from processor.feedback.own import profile_of, write_profile
    from processor.files import printable

    _check(name, files, where)
    workspace, settings = open_workspace(home, workers=workers)
    if where is not None:
        found, left_out = _of_tracks(workspace, decodable(where))
        source = f"tracks WHERE {' '.join(decodable(where).split())}"
    else:
        found, left_out = _of_files(files, settings)
        source = _names([name for name, _ in found])
    called = printable(decodable(title or name.replace("-", " ").capitalize()))
    made = profile_of(name, called, [results for _, results in found], f"{_today()}: {source}")
    if where is not None and made.tracks < LEAST_TRACKS:
        raise WrongUsage(_too_few(made.tracks))
    with workspace.write_lock():
        path = write_profile(workspace, made)
    _tell(made, path, left_out, as_json)
    return SET_ASIDE if left_out else OK


def _check(name: str, files: Sequence[Path], where: str | None) -> None:
    from processor.config import OWN_NAME
    from processor.files import slug

    if not OWN_NAME.fullmatch(name):
        raise WrongUsage(
            f"A profile's name is made of a to z, 0 to 9 and hyphens, at most 60: `{slug(decodable(name))}`, say."
        )
    if bool(files) == (where is not None):
        raise WrongUsage("Name files or folders, or say which tracks with --where; one of the two.")


def _today() -> str:
    from datetime import datetime

    return datetime.now().astimezone().date().isoformat()


def _too_few(tracks: int) -> str:
    return (
        f"{plural(tracks, 'track').capitalize()} of the library can be used, and a profile needs {LEAST_TRACKS} or "
        f"more. Choose less strictly, or name the files one by one. {_WHERE_HINT}"
    )


def _tell(made: Profile, path: Path, left_out: Sequence[tuple[str, str]], as_json: bool) -> None:
    if as_json:
        reasons = [{"name": name, "reason": reason} for name, reason in left_out]
        facts = {"name": made.name, "title": made.title, "tracks": made.tracks, "source": made.source}
        print_json({**facts, "path": decodable(str(path)), "left_out": reasons})
        return
    for name, reason in left_out:
        click.echo(f"Left out: {name}: {reason}", err=True)
    click.echo(f"Made {path} of {plural(made.tracks, 'track')}.")


def _of_tracks(workspace: Workspace, where: str) -> tuple[list[tuple[str, Results]], list[tuple[str, str]]]:
    """Results of the library's tracks that fit, and those that cannot be read, each with the reason."""
    from processor import library, record
    from processor.analysis import result_types
    from processor.errors import RecordError

    wanted = _fitting(workspace, where)
    found, left_out = [], []
    for track in library.tracks(workspace):
        if track.id in wanted:
            try:
                found.append((track.id, record.read(track.folder, result_types()).results))
            except RecordError as error:
                left_out.append((track.id, str(error)))
    if len(found) < LEAST_TRACKS:
        raise WrongUsage(_too_few(len(found)))
    return found, left_out


def _fitting(workspace: Workspace, where: str) -> set[str]:
    """Ids of the tracks that fit a condition.

    Raises:
        WrongUsage: the condition is wrong.
        WorkspaceError: the catalogue is.
    """
    import duckdb

    from processor import catalogue

    try:
        # On lines of its own, so that a comment at its end does not swallow what follows.
        sql = f"SELECT track FROM tracks WHERE (\n{where}\n)"
        if len(duckdb.extract_statements(sql)) != 1:
            raise WrongUsage(f"--where takes one condition, without a semicolon. {_WHERE_HINT}")
        _, rows = catalogue.query(workspace, sql)
    except duckdb.Error as error:
        try:
            catalogue.query(workspace, "SELECT track FROM tracks LIMIT 1")
        except duckdb.Error as trouble:
            raise WorkspaceError(
                f"{workspace.catalogue} cannot be read; `linernotes rebuild` makes it anew. ({trouble})"
            ) from trouble
        raise WrongUsage(f"--where: {str(error).strip()}\n{_WHERE_HINT}") from error
    return {str(track) for (track,) in rows}


def _of_files(paths: Sequence[Path], settings: Settings) -> tuple[list[tuple[str, Results]], list[tuple[str, str]]]:
    """Results of files and of all sound files in folders, in the order of their names."""
    from processor.inbox import drops_from

    scan = drops_from(paths)
    left_out = [(one.name, one.reason) for one in scan.missing]
    drops = sorted(scan.drops, key=lambda drop: drop.name)
    found = []
    with progress_bar("Analysing", len(drops)) as step:
        for name, results, trouble in _analysed([(drop.name, drop.path) for drop in drops], settings):
            step(name)
            if results is None:
                left_out.append((name, trouble))
            else:
                found.append((name, results))
    if not found:
        reasons = "".join(f"\n{name}: {reason}" for name, reason in left_out)
        raise WrongUsage(f"There is no sound to make a profile of.{reasons}")
    return found, left_out


def _analysed(files: Sequence[tuple[str, Path]], settings: Settings) -> Iterator[tuple[str, Results | None, str]]:
    """Name, results and trouble of each file, in their order; only what a profile looks at is analysed."""
    import os
    from dataclasses import replace

    from processor.analysis import result_types
    from processor.engine import Engine, Job
    from processor.feedback.own import LEAST_HALF_WIDTH

    needed = {"spectrum", *(field.partition(".")[0] for field in LEAST_HALF_WIDTH)}
    off = tuple(sorted(set(result_types()) - needed))
    count = min(settings.workers.count or os.cpu_count() or 1, max(1, len(files)))
    done: dict[int, Any] = {}
    with Engine(replace(settings, workers=replace(settings.workers, count=count))) as engine:
        for number, (_, path) in enumerate(files):  # the hash is not needed here; its place carries the number
            engine.submit(Job(path.resolve(), f"{number}", settings.limits, off))
        for number, (name, _) in enumerate(files):
            while number not in done:
                done |= {int(one.job.sha256): one for one in engine.next_done()}
            one = done.pop(number)
            yield name, None if one.outcome is None else one.outcome.results, str(one.error)


def _names(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
