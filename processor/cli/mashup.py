"""The command `mashup`: the vocals of one song over the instruments of another."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from processor.cli.mashing import mashup_line
from processor.cli.shared import (
    OK,
    counting,
    decodable,
    examples,
    home_option,
    home_path,
    json_option,
    open_workspace,
    print_json,
    say,
)
from processor.errors import WrongUsage

if TYPE_CHECKING:
    from processor.cli.mashup_songs import Wanted
    from processor.config import Settings
    from processor.mashup.measured import Measured
    from processor.mashup.plan import Plan
    from processor.mashup.wishes import Wishes
PREVIEW = "preview.mp3"

_WISHES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("--tempo", "tempo_bpm", {"type": float, "metavar": "BPM", "help": "Pace. [default: the instrumental's own]"}),
    (
        "--shift",
        "vocal_shift_semitones",
        {"type": float, "metavar": "N", "help": "Shift the vocals by N semitones. [default: the least that fits]"},
    ),
    ("--lufs", "target_lufs", {"type": float, "metavar": "LUFS", "help": "Loudness of the mix. [default: -14]"}),
    (
        "--ratio",
        "vocal_to_backing_lu",
        {"type": float, "metavar": "LU", "help": "Vocals over backing while somebody sings. [default: 0]"},
    ),
    (
        "--vocal-later",
        "vocal_later_beats",
        {"type": float, "metavar": "BEATS", "help": "Sing so much later, 0.25 or -1: where they miss the beat."},
    ),
    ("--name", "name", {"metavar": "NAME", "help": "What it is called. [default: V over I]"}),
    (
        "--stretcher",
        "stretcher",
        {
            "type": click.Choice(["pedalboard", "pyrubberband"]),
            "help": "What stretches and shifts; the second one needs the program rubberband. [default: pedalboard]",
        },
    ),
)


def _wishes_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option, name, attributes in reversed(_WISHES):
        command = click.option(option, name, **attributes)(command)
    return command


@click.command(
    epilog=examples(
        "linernotes mashup night-bus low-tide   # two tracks of the library, or two files",
        "linernotes mashup vocals.wav instrumental.wav --from-stems --out mashup",
        "linernotes mashup night-bus low-tide --dry-run > plan.toml   # then edit it, and:",
        "linernotes mashup night-bus low-tide --plan plan.toml --out mashup",
        "linernotes mashup V.flac I.flac --from-stems --out m --json | jq .measured.beat_offset_median_ms",
    )
)
@click.argument("vocals", metavar="V")
@click.argument("instrumental", metavar="I")
@click.option("--from-stems", is_flag=True, help="V is a vocal stem, I an instrumental: nothing is taken apart.")
@click.option(
    "--plan",
    "plan_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="Render this plan: TOML, or what --json said.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, as a plan that one can edit; render nothing.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write mix, stems, plan and cue sheet there. [default: keep it in the library, with a page]",
)
@click.option("--wav", "as_wav", is_flag=True, help="Write mix.wav of 32-bit float, not mix.flac of 24 bits (--out).")
@_wishes_options
@click.option("--vocal-tempo", type=float, metavar="BPM", help="The tempo of V, where it is not found.")
@click.option("--instrumental-tempo", type=float, metavar="BPM", help="The tempo of I, where it is not found.")
@click.option("--fill", is_flag=True, help="Repeat parts of the instrumental until all that is sung has room.")
@click.option("--force", is_flag=True, help="Make it even though the two do not go together.")
@click.option("--by-model", is_flag=True, help="Let a language model choose among our plans: sends these, no sound.")
@home_option
@json_option
def mashup(
    vocals: str,
    instrumental: str,
    from_stems: bool,
    plan_path: Path | None,
    dry_run: bool,
    out: Path | None,
    as_wav: bool,
    vocal_tempo: float | None,
    instrumental_tempo: float | None,
    fill: bool,
    force: bool,
    by_model: bool,
    home: str | None,
    as_json: bool,
    **wished: Any,
) -> int:
    """Sing V's vocals over I's instruments: key, tempo, beats, sections, loudness and tone are made to fit.

    V and I are tracks of the library or files. Of whole songs, the stems are played; a model takes them apart if that
    was not done yet (`linernotes models get htdemucs`). With --from-stems, V and I are played as they are.

    The mashup is measured like any track, and what did not come out as planned is told. With --json: {"plan": …,
    "measured": …, "files": […]}.
    """
    from processor.cli.mashup_songs import Wanted
    from processor.mashup.stretching import stretcher
    from processor.mashup.wishes import Wishes

    if as_wav and out is None:
        raise WrongUsage("--wav goes with --out: the library keeps mix.flac.")
    wishes = Wishes(**{name: value for name, value in wished.items() if value is not None}, fill=fill, force=force)
    plan = None if plan_path is None else _read_plan(plan_path)
    if plan is not None:
        _refuse_beside_a_plan({**wished, "fill": fill or None, "by_model": by_model or None})
    if plan is not None and wished["stretcher"] is not None:
        plan = replace(plan, stretcher=wishes.stretcher)
    if not dry_run:
        stretcher(wishes.stretcher if plan is None else plan.stretcher)  # told before minutes of listening
    order = _Order(
        Wanted(vocals, instrumental, from_stems, vocal_tempo, instrumental_tempo),
        wishes,
        plan,
        by_model,
        as_json,
    )
    if dry_run:
        _show_plan(order, home)
    elif out is not None:
        _write_out(order, home, out, as_wav=as_wav)
    else:
        _keep(order, home)
    return OK


@dataclass(frozen=True)
class _Order:
    """What a person asked for."""

    wanted: Wanted
    wishes: Wishes
    plan: Plan | None
    by_model: bool
    as_json: bool


def _refuse_beside_a_plan(wished: dict[str, Any]) -> None:
    """Refuse wishes that a plan decides: whoever says both would wait for a mix that has only one of them.

    Raises:
        WrongUsage: there is one.
    """
    options = {name: option for option, name, _ in _WISHES} | {"fill": "--fill", "by_model": "--by-model"}
    said = [options[name] for name, value in wished.items() if value is not None and name != "stretcher"]
    if said:
        raise WrongUsage(f"{', '.join(said)}: a plan decides that. Edit the plan, or leave out --plan.")


def _read_plan(path: Path) -> Plan:
    """The plan in a file.

    Raises:
        WrongUsage: it cannot be read.
        PlanError: it is none.
    """
    from processor.errors import RecordError
    from processor.mashup.kept import read_plan_text
    from processor.mashup.plan_files import from_json, from_toml

    try:
        text = read_plan_text(path)
        return replace((from_json if text.lstrip().startswith("{") else from_toml)(text), chosen_by="person")
    except RecordError as error:
        raise WrongUsage(str(error)) from error


def _show_plan(order: _Order, home: str | None) -> None:
    """Print the plan: as TOML to edit, or as JSON."""
    from processor.cli.mashup_songs import songs_for
    from processor.config import load_settings
    from processor.mashup.making import propose
    from processor.mashup.plan_files import to_json, to_toml

    path = home_path(home)
    settings = load_settings(path)
    chosen = order.plan
    if chosen is None:
        with mashup_line() as progress, songs_for(order.wanted, settings, path, progress) as songs:
            chosen = _chooser(order, settings)(propose(songs, order.wishes, settings.limits, progress))
    if order.as_json:
        print_json({"plan": to_json(chosen)})
    else:
        click.echo(to_toml(chosen), nl=False)


def _write_out(order: _Order, home: str | None, out: Path, *, as_wav: bool) -> None:
    """Make a mashup into a folder; nothing is stored."""
    from processor.cli.mashup_songs import songs_for
    from processor.config import load_settings
    from processor.files import replacing
    from processor.mashup.making import make, produce
    from processor.mashup.outputs import write
    from processor.site.previews import encode

    path = home_path(home)
    settings = load_settings(path)
    with _folder(out), mashup_line() as progress, songs_for(order.wanted, settings, path, progress) as songs:
        if order.plan is not None:
            made = produce(order.plan, songs, settings.limits, progress)
        else:
            made = make(songs, order.wishes, settings.limits, progress, _chooser(order, settings))
        files = [*write(made.rendered, made.plan, out, as_wav), out / PREVIEW]
        with replacing(out / PREVIEW) as temporary:
            encode(files[0], temporary, settings.limits)
    _tell(made.plan, made.measured, order, {"files": [decodable(str(file)) for file in files]})


@contextmanager
def _folder(out: Path) -> Iterator[None]:
    """A folder to write into, made before minutes of work; one that we made and left empty is removed.

    Raises:
        OSError: nothing can be written there.
    """
    from tempfile import TemporaryFile

    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        TemporaryFile(dir=out).close()
        yield
    finally:
        if is_new:
            with suppress(OSError):  # it is not empty
                out.rmdir()


def _keep(order: _Order, home: str | None) -> None:
    """Make a mashup and keep it in the library, with a page and as a track of its own."""
    from processor.cli.mashup_songs import stored_songs
    from processor.later import add_media
    from processor.mashing import Order, make_and_keep
    from processor.pipeline import publish

    workspace, settings = open_workspace(home, create=True)
    with mashup_line() as progress:
        songs = stored_songs(order.wanted, workspace, settings, progress)
        wanted = Order(songs, order.wishes, order.plan, _chooser(order, settings))
        stored = make_and_keep(workspace, settings, wanted, progress)
    publish(workspace)
    add_media(workspace, settings, counting("Preview"))
    page = workspace.site / "mashups" / f"{stored.id}.html"
    facts = {"id": stored.id, "folder": decodable(str(stored.folder)), "page": decodable(str(page))}
    _tell(stored.plan, stored.measured, order, facts)


def _chooser(order: _Order, settings: Settings) -> Callable[[list[Plan]], Plan]:
    """What chooses among plans: the rules' order, or a language model that a person asked for."""
    if not order.by_model:
        return lambda found: found[0]
    from processor.mashup.taste import choose

    def chosen(found: list[Plan]) -> Plan:
        choice = choose(found, settings.llm, os.environ)
        if choice.trouble:
            click.echo(f"The rules chose the plan: {choice.trouble}", err=True)
        plan = found[choice.index]
        said = (f"{choice.chosen_by} chose this plan: “{choice.reason}”",) if choice.reason else ()
        return replace(plan, chosen_by=choice.chosen_by, reasons=(*plan.reasons, *said))

    return chosen


def _tell(plan: Plan, measured: Measured, order: _Order, where: dict[str, Any]) -> None:
    """Say what came of it."""
    from processor.files import printable
    from processor.mashup.plan_files import to_json
    from processor.record import plain

    if order.as_json:
        print_json({"plan": to_json(plan), "measured": plain(measured), **where})
        return
    for line in summary(plan, measured):
        say(line)
    for place in [*where.get("files", []), *([where["page"]] if "page" in where else [])]:
        say(printable(place))


def summary(plan: Plan, measured: Measured) -> Iterator[str]:
    """What a person wants to know at once."""
    from processor.files import printable
    from processor.site.charts import length_text

    yield printable(f"{plan.name}: {length_text(measured.duration_s)} at {plan.tempo_bpm:.1f} BPM")
    yield from (printable(f"  {reason}") for reason in plan.reasons)
    facts = [
        ("loudness", measured.integrated_lufs, ".1f", "LUFS"),
        ("true peak", measured.true_peak_dbtp, ".2f", "dBTP"),
        ("beats apart by", measured.beat_offset_median_ms, ".0f", "ms"),
        ("vocals over backing", measured.vocal_to_backing_lu, "+.1f", "LU"),
    ]
    known = [f"{name} {value:{digits}} {unit}" for name, value, digits, unit in facts if value is not None]
    yield "Measured: " + ", ".join(known) if known else "Measured: nothing to tell"
    yield from (printable(f"  not as planned: {text}") for text in measured.deviations)
    yield from (printable(f"  mended: {text}") for text in plan.corrections)
