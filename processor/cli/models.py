"""Commands about models: which are here, fetching them, removing them, and where they are."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from processor.cli.shared import (
    NOTHING_DONE,
    OK,
    SET_ASIDE,
    decodable,
    examples,
    home_option,
    home_path,
    json_option,
    print_json,
    say,
)
from processor.errors import ModelError, WrongUsage

if TYPE_CHECKING:
    from processor.config import Models
    from processor.models.report import Standing
    from processor.models.store import Got
    from processor.models.table import Model

_COLUMNS = ("name", "state", "switch", "size", "licence", "title")


@click.group(
    epilog=examples(
        "linernotes models list", "linernotes models get yamnet htdemucs", "linernotes models remove htdemucs"
    )
)
def models() -> None:
    """Models that hear: list, get and remove them. What they hear, `linernotes run --deep` stores.

    Each of these commands takes --home DIR and --json.
    """


@models.command("list", epilog=examples("linernotes models list", "linernotes models list --verify --json"))
@click.option("--verify", is_flag=True, help="Hash all files anew. Exit code 1 if one is not what was fetched.")
@home_option
@json_option
def list_models(verify: bool, home: str | None, as_json: bool) -> int:
    """List all models: what they are for, which are here, and what they need."""
    from processor.cli.formats import print_rows
    from processor.models.loading import chosen
    from processor.models.report import standings

    settings = _settings(home)
    found = list(standings(settings, thorough=verify))
    doing = set(chosen(settings).values())
    if as_json:
        for one in found:
            print_json(_facts(settings, one) | {"in_use": one.model.name in doing})
    else:
        print_rows("table", _COLUMNS, [_row(settings, one, doing) for one in found])
        _hints(found)
    return NOTHING_DONE if verify and any(one.damaged for one in found) else OK


def _row(settings: Models, one: Standing, doing: set[str]) -> list[str]:
    from processor.models.loading import switch

    model = one.model
    licence = model.licence if model.is_free else f"shown when fetched: {model.licence}"
    state = "in use" if model.name in doing and one.state == "here" else one.text
    return [model.name, state, switch(settings, model), _size(model.size_bytes), licence, model.title]


def _size(number: int) -> str:
    return f"{number / 1e6:.0f} MB" if number >= 1e6 else f"{number / 1e3:.0f} kB"


def _hints(found: Sequence[Standing]) -> None:
    extras = sorted({one.model.extra for one in found if one.lacking})
    if extras:
        say(f"Some need Python packages: pip install 'liner-notes[{','.join(extras)}]'", err=True)
    damaged = [one.model.name for one in found if one.damaged]
    if damaged:
        say(f"Fetch what is damaged anew: linernotes models get {' '.join(damaged)}", err=True)


def _facts(settings: Models, one: Standing) -> dict[str, Any]:
    from processor.models import licences, store
    from processor.models.loading import switch

    model = one.model
    here = store.present(settings, model)
    return {
        "name": model.name,
        "title": model.title,
        "job": model.job,
        "state": one.state,
        "switch": switch(settings, model),
        "size_bytes": model.size_bytes,
        "memory_bytes": model.memory_bytes,
        "licence": model.licence,
        "is_free": model.is_free,
        "is_accepted": licences.is_accepted(settings, model),
        "sources": [source.title for source in model.sources],
        "lacking": list(one.lacking),
        "damaged": list(one.damaged),
        "path": None if here is None else decodable(str(here.folder)),
        "identity": None if here is None else f"{model.name} {here.digest}",
    }


@models.command(
    "get",
    epilog=examples(
        "linernotes models get yamnet",
        "linernotes models get htdemucs --accept-licence",
        "linernotes models get ast --from ~/Downloads/ast",
    ),
)
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@click.option("--from", "own", metavar="DIR", type=click.Path(path_type=Path), help="Copy a model's files from there.")
@click.option("--accept-licence", is_flag=True, help="Accept licences that are not free for all uses, without asking.")
@home_option
@json_option
def get_models(names: tuple[str, ...], own: Path | None, accept_licence: bool, home: str | None, as_json: bool) -> int:
    """Fetch models: from the registry or hub that has them, by its own client, verified where their hashes are known.

    Each goes into a folder of its own in your cache, or in what `folder` in the section [models] names.
    """
    from processor.models.table import named

    settings = _settings(home)
    wanted = [named(decodable(name)) for name in dict.fromkeys(names)]
    if own is not None and len(wanted) != 1:
        raise WrongUsage("--from takes the files of one model; name one.")
    if own is not None and not own.is_dir():
        raise WrongUsage(f"{decodable(str(own))} is no folder.")
    failed = 0
    for model in wanted:
        try:
            _agree(settings, model, accept_licence)
            got = _get(settings, model, own)
        except ModelError as error:
            failed += 1
            if as_json:
                print_json({"name": model.name, "error": str(error)})
            else:
                say(f"linernotes: {error}", err=True)
            continue
        _tell(settings, model, got, as_json)
    return OK if not failed else NOTHING_DONE if failed == len(wanted) else SET_ASIDE


def _agree(settings: Models, model: Model, accept_licence: bool) -> None:
    """Have a licence accepted that asks for it; what nobody accepts, `store.get` refuses."""
    from processor.models import licences, store

    if licences.is_accepted(settings, model) or store.find(settings, model) is not None:
        return
    if not accept_licence:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return
        click.echo(f"The licence of {model.name}: {model.licence}.", err=True)
        if not click.confirm("Do you accept that?", err=True):
            return
    licences.accept(settings, model)


def _get(settings: Models, model: Model, own: Path | None) -> Got:
    from processor.models import store

    listener = _counter(model.name)
    try:
        return store.get(settings, model, own=own, listener=listener)
    finally:
        if listener is not None:
            click.echo("\r\033[K", nl=False, err=True)


def _counter(name: str) -> Callable[[str, float], None] | None:
    """Shows on a terminal how much has come."""
    stream = sys.stderr  # a client may have its own there while we count
    if not stream.isatty():
        return None

    def show(source: str, share: float) -> None:
        click.echo(f"\r\033[K{name} {share:4.0%} of {source}", nl=False, file=stream)

    return show


def _tell(settings: Models, model: Model, got: Got, as_json: bool) -> None:
    from processor.models import store
    from processor.models.places import install

    here = store.present(settings, model)
    missing = () if here is None else store.lacking(model, here.source)
    if as_json:
        facts = {"name": model.name, "path": decodable(str(got.folder)), "source": got.source or None}
        print_json({**facts, "passed_over": list(got.passed_over), "lacking": list(missing)})
        return
    for reason in got.passed_over:
        say(f"Passed over: {reason}", err=True)
    where = decodable(str(got.folder))
    click.echo(f"{model.name}: {where} (from {got.source})" if got.source else f"{model.name}: {where} (was here)")
    if got.source and not any(file.sha256 for file in model.files):
        say("  No hash of its files is known here: they are as they came.", err=True)
    if missing:
        say(f"{model.name} needs {', '.join(missing)}: {install(model)}", err=True)


@models.command("remove", epilog=examples("linernotes models remove htdemucs", "linernotes models remove ast clap"))
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@home_option
@json_option
def remove_models(names: tuple[str, ...], home: str | None, as_json: bool) -> None:
    """Remove models from this machine. What they heard stays in the library."""
    from processor.models import store
    from processor.models.table import named

    settings = _settings(home)
    for model in [named(decodable(name)) for name in dict.fromkeys(names)]:
        was_here = store.remove(settings, model)
        if as_json:
            print_json({"name": model.name, "was_here": was_here})
        else:
            click.echo(f"Removed {model.name}." if was_here else f"{model.name} was not here.")


@models.command("path", epilog=examples("linernotes models path", "linernotes models path yamnet"))
@click.argument("name", required=False)
@home_option
@json_option
def path_of_model(name: str | None, home: str | None, as_json: bool) -> None:
    """Print where a model is or would be; without NAME, the folder of all."""
    from processor.models import store
    from processor.models.places import models_folder
    from processor.models.table import named

    settings = _settings(home)
    model = None if name is None else named(decodable(name))
    path = models_folder(settings) if model is None else store.path(settings, model)
    if as_json:
        is_here = path.is_dir() if model is None else store.find(settings, model) is not None
        print_json({"name": name and model and model.name, "path": decodable(str(path)), "is_here": is_here})
    else:
        click.echo(str(path))


def _settings(home: str | None) -> Models:
    from processor.config import load_settings

    return load_settings(home_path(home)).models
