"""The command `matches`: which tracks of the library go together as a mashup, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from processor.cli.shared import OK, examples, home_option, json_option, open_workspace, print_json, say
from processor.errors import WrongUsage

if TYPE_CHECKING:
    from processor.library import Track
    from processor.mashup.match import Pair
    from processor.mashup.matches import Progress
    from processor.workspace import Workspace

_PARTS = (
    ("harmonic", "pitches"),
    ("rhythmic", "accents"),
    ("room", "room"),
    ("energy", "energy"),
    ("overlap", "no second voice"),
)


@click.command(
    epilog=examples(
        "linernotes matches",
        "linernotes matches night-bus --top 5",
        "linernotes matches night-bus --rejected   # what cannot be done, and why",
        "linernotes matches --json | jq -r '[.score, .vocals, .instrumental] | @tsv'",
    )
)
@click.argument("track", required=False, metavar="[TRACK]")
@click.option("--top", type=click.IntRange(1), default=20, show_default=True, metavar="N", help="How many to list.")
@click.option("--rejected", is_flag=True, help="List what cannot be done with TRACK, and why.")
@home_option
@json_option
def matches(track: str | None, top: int, rejected: bool, home: str | None, as_json: bool) -> int:
    """List which vocals go over which instrumental, best first: all pairs of the library, or those of TRACK.

    A score is made of pitches, accents, the room that the backing leaves, loudness, and whether a second voice sings,
    each from 0 to 1, phrase by phrase, at the shift (±3 semitones) and the tempo (±12 %) that fit best.

    With --json, one object a line: {"vocals": …, "instrumental": …, "score": …, "harmonic": …, "shift_semitones": …,
    "tempo_change_percent": …, "vocal_start_s": …, "reasons": […], "rejected": null}.
    """
    from processor import library

    workspace, _ = open_workspace(home)
    if rejected and track is None:
        raise WrongUsage("--rejected goes with a TRACK: most pairs of a library cannot be done.")
    tracks = library.tracks(workspace)
    chosen = None if track is None else library.resolve(workspace, track)
    pairs = _of_library(workspace, tracks) if chosen is None else _of_track(tracks, chosen)
    listed = [pair for pair in pairs if (pair.rejected is not None) == rejected][:top]
    if not listed:
        say(_why_nothing(tracks, chosen, pairs, rejected=rejected), err=as_json)
    elif as_json:
        for rank, pair in enumerate(listed, 1):
            print_json(_facts(pair, None if rejected else rank))
    else:
        _tell(listed, _titles(workspace))
    return OK


def _of_library(workspace: Workspace, tracks: Sequence[Track]) -> Sequence[Pair]:
    """The best pairs of each track, brought up to date; so is the catalogue's table."""
    from processor.mashup.matches import bring_up_to_date, kept_matches
    from processor.pipeline import publish

    with _counted() as progress:
        is_new = bring_up_to_date(workspace, tracks, progress)
    if is_new:
        publish(workspace)
    return kept_matches(workspace).pairs


def _of_track(tracks: Sequence[Track], chosen: Track) -> Sequence[Pair]:
    """Every pair that a track takes part in, scored now."""
    from processor.mashup.match import score_all
    from processor.mashup.matches import results_of

    found = results_of(tracks)
    if chosen.id not in {name for name, _ in found}:
        return []
    with _counted() as progress:
        return score_all(found, None, progress, {chosen.id})


@contextmanager
def _counted() -> Iterator[Progress]:
    """A line on a terminal that says how far it is."""
    is_terminal = sys.stderr.isatty()

    def show(share: float) -> None:
        if is_terminal:
            click.echo(f"\r\x1b[KMatching {share:.0%}", nl=False, err=True)

    try:
        yield show
    finally:
        if is_terminal:
            click.echo("\r\x1b[K", nl=False, err=True)


def _titles(workspace: Workspace) -> dict[str, str]:
    import duckdb

    from processor.catalogue import query
    from processor.errors import WorkspaceError

    try:
        return dict(query(workspace, "SELECT track, title FROM library")[1])
    except (WorkspaceError, duckdb.Error):  # there is none yet; ids will do
        return {}


def _facts(pair: Pair, rank: int | None) -> dict[str, Any]:
    from processor.mashup.matches import pair_row

    return {**pair_row(pair, rank), "rejected": pair.rejected}


def _tell(listed: Sequence[Pair], titles: Mapping[str, str]) -> None:
    from processor.files import printable

    for pair in listed:
        names = (titles.get(name) or name for name in (pair.vocals, pair.instrumental))
        score = f"{pair.fit.score:.2f}" if pair.rejected is None else "–".center(4)
        click.secho(printable(f"{score}  {' over '.join(names)}"), bold=True)
        lines = [f"not: {pair.rejected}"] if pair.rejected is not None else _lines(pair)
        for line in lines:
            click.echo(f"      {printable(line)}")


def _lines(pair: Pair) -> Iterator[str]:
    parts = ((word, getattr(pair.fit, name)) for name, word in _PARTS)
    yield " · ".join(f"{word} {'–' if value is None else f'{value:.2f}'}" for word, value in parts)
    yield _change(pair)
    yield "; ".join(pair.reasons)
    yield f"linernotes mashup {pair.vocals} {pair.instrumental}"


def _change(pair: Pair) -> str:
    """What is done to the vocals, and which phrases fit best."""
    from processor.feedback.advice import signed
    from processor.mashup.matches import tempo_change_percent

    change, shift = tempo_change_percent(pair), pair.shift_semitones
    shifted = f"vocals {signed(shift, 0)} semitone{'' if abs(shift) == 1 else 's'}"
    parts = [shifted if shift else "vocals as high as they are"]
    if change is not None:
        pace = f"{abs(change):.1f} % {'faster' if change > 0 else 'slower'}"
        parts.append("at their tempo" if abs(change) < 0.05 else pace)
    if pair.vocal_beats_per_beat != 1:
        parts.append(f"{pair.vocal_beats_per_beat:g} of their beats to each")
    if pair.vocal_phrase is not None and pair.instrumental_phrase is not None:
        parts.append(f"best at {_span(pair.vocal_phrase)} over {_span(pair.instrumental_phrase)}")
    return ", ".join(parts)


def _span(span: tuple[float, float]) -> str:
    return "–".join(f"{int(at) // 60}:{int(at) % 60:02d}" for at in span)


def _why_nothing(tracks: Sequence[Track], chosen: Track | None, pairs: Sequence[Pair], *, rejected: bool) -> str:
    """Why there is nothing to list, and what would help."""
    from processor.mashup.kept import is_mix, is_supplied_stem
    from processor.mashup.matches import results_of

    if rejected and pairs:
        return "Nothing is rejected."
    if chosen is not None and is_mix(chosen):
        return f"{chosen.id} is a mashup itself; its sources are matched."
    if chosen is not None and is_supplied_stem(chosen):
        return f"{chosen.id} is a stem, and no song: linernotes mashup V I --from-stems"
    if not tracks:
        return "The library is empty: linernotes run song.wav"
    found = dict(results_of(tracks))
    if not found or (chosen is not None and chosen.id not in found):
        who = "No track has phrases" if chosen is None else f"{chosen.id} has no phrases"
        return f"{who}, by which songs are matched: linernotes refresh"
    if len(found) == 1:
        return "There is one track that can be matched; a pair needs two."
    if not any(results["phrases"].heard_in == "stems" for results in found.values()):
        return (
            "Nobody has heard yet who sings: let models take the songs apart with `linernotes run --deep` "
            "(`linernotes models get htdemucs` gets one)."
        )
    if chosen is None:
        return "No two tracks go together; `linernotes matches TRACK --rejected` says why."
    return f"Nothing goes together with {chosen.id}; --rejected says why."
