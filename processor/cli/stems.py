"""The command `stems`: a mix taken apart into files, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from processor.cli.analysing import why_not
from processor.cli.shared import (
    NOTHING_DONE,
    OK,
    SET_ASIDE,
    decodable,
    examples,
    home_option,
    home_path,
    json_option,
    plural,
    print_json,
    progress_bar,
)
from processor.errors import AudioError, ModelError, WrongUsage

if TYPE_CHECKING:
    from processor.config import Models, Settings
    from processor.models.separation import Separator

_STEPS = 100  # of the progress bar, for each file


@click.command(
    epilog=examples(
        "linernotes stems mix.wav --out stems",
        "linernotes stems --model htdemucs_6s --wav *.flac --out stems",
        "linernotes stems --json mix.wav --out stems | jq -r .stems.vocals",
    )
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where the stems go.")
@click.option("--model", metavar="NAME", help="What takes them apart. [default: the separator that is here]")
@click.option(
    "--wav", "as_wav", is_flag=True, help="Write WAV of 32-bit float, which cannot clip, not FLAC of 24 bits."
)
@home_option
@json_option
def stems(files: tuple[Path, ...], out: Path, model: str | None, as_wav: bool, home: str | None, as_json: bool) -> int:
    """Take FILEs apart into DIR/<name>/vocals.flac and so on, of the file's own rate and length; nothing is stored.

    Two FILEs of one name get two folders: DIR/mix and DIR/mix-2. Stems that are there are replaced.

    Exit code 0: all well. 1: nothing could be done. 3: done, but some files could not be read.

    With --json, one object a line: {"file": …, "model": …, "stems": {"vocals": …}, "sum_error_db": …,
    "present": {…}, "level_lufs": {…}, "clipped_stem_samples": …}, or {"file": …, "error": …}.
    """
    from processor.config import load_settings

    settings = load_settings(home_path(home))
    separator = _separator(settings.models, model)
    failed = 0
    with progress_bar("Taking apart", _STEPS * len(files)) as step:
        for file, folder in zip(files, _folders(files, out), strict=True):
            facts = _taken_apart(file, settings, separator, (folder, as_wav), _stepping(step, file.name))
            failed += "error" in facts
            _show({"file": decodable(str(file)), **facts}, as_json)
    if not failed:
        return OK
    return NOTHING_DONE if failed == len(files) else SET_ASIDE


def _separator(settings: Models, name: str | None) -> Separator:
    """The model that a person named, or the one that is here.

    Raises:
        WrongUsage: there is no separator of that name.
        ModelError: it is not here, or cannot be loaded.
    """
    from processor.models.loading import chosen, load
    from processor.models.table import all_models

    models = {model.name: model for model in all_models().values() if model.job == "separator"}
    if name is None:
        name = chosen(settings).get("separator")
    if name is None:
        raise ModelError("There is no model here that takes a mix apart; get one: linernotes models get htdemucs")
    if name not in models:
        raise WrongUsage(f"{name} is no model that takes a mix apart; there are {', '.join(models)}.")
    separator: Separator = load(settings, models[name])
    return separator


def _folders(files: Sequence[Path], out: Path) -> list[Path]:
    """A folder for each file, called as the file without its suffix; no two of them are one, on any file system."""
    taken: set[str] = set()
    folders = []
    for file in files:
        name = file.stem if file.stem.strip(". ") else f"{file.name.strip('. ') or 'stems'}"
        choices = (name if number == 1 else f"{name}-{number}" for number in range(1, len(files) + 1))
        chosen = next(choice for choice in choices if choice.casefold() not in taken)
        taken.add(chosen.casefold())
        folders.append(out / chosen)
    return folders


def _stepping(step: Callable[[str], None], name: str) -> Callable[[float], None]:
    """Tell a bar that counts steps of the share of a file that is done."""
    done = 0

    def tell(share: float) -> None:
        nonlocal done
        while done < round(share * _STEPS):
            step(name)
            done += 1

    return tell


def _taken_apart(
    file: Path, settings: Settings, separator: Separator, target: tuple[Path, bool], progress: Callable[[float], None]
) -> dict[str, Any]:
    """Write the stems of one file; what there is to say of them, or why there are none."""
    from processor.analysis.stems import FLAC, WAV, write
    from processor.audio import decode

    if trouble := why_not(file):
        return {"error": trouble}
    try:
        audio = decode(file, limits=settings.limits)
    except AudioError as error:
        return {"error": str(error)}
    except OSError as error:
        return {"error": f"It cannot be read: {error.strerror or error}."}
    folder, as_wav = target
    coding = WAV if as_wav else FLAC
    paths = {name: folder / f"{name}{coding.suffix}" for name in separator.sources}
    with _made(folder):
        measured = write(audio, separator, list(paths.values()), coding=coding, progress=progress)
    progress(1.0)
    return {
        "model": separator.name,
        "stems": {name: decodable(str(path)) for name, path in paths.items()},
        "present": dict(zip(paths, measured.present(), strict=True)),
        "level_lufs": dict(zip(paths, measured.lufs(), strict=True)),
        "sum_error_db": measured.sum_error_db(),
        "clipped_stem_samples": measured.clipped_stem_samples,
    }


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """A folder that goes again where nothing came into it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise


def _show(facts: dict[str, Any], as_json: bool) -> None:
    from processor.files import printable

    if as_json:
        print_json(facts)
        return
    click.secho(printable(facts["file"]), bold=True)
    if "error" in facts:
        click.echo(f"  {facts['error']}")
        return
    for name, path in facts["stems"].items():
        level = facts["level_lufs"][name]
        text = "too quiet or too short for a loudness" if level is None else f"{level:.1f} LUFS"
        click.echo(f"  {printable(path)}: {text if facts['present'][name] else f'next to nothing in it ({text})'}")
    error = facts["sum_error_db"]
    if error is not None:
        click.echo(f"  Together they are the mix but for {error:.1f} dB.")
    if facts["clipped_stem_samples"]:
        click.echo(
            f"  {plural(facts['clipped_stem_samples'], 'sample')} beyond full scale are clipped; --wav keeps them."
        )
