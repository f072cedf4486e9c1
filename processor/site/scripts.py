"""Sounds as scripts, for players that run several of them in step.

A page opened from a disk may not read sound files into Web Audio, but it may run a script beside it. So each sound is
an MP3 in a script that a page loads when somebody wants to listen (measured in Chromium). All are made by the same
encoder at the same sample rate, so what the codec delays and adds is the same in each. The first line of a script says
what is known of its sound.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processor import engine
from processor.config import Limits, Settings
from processor.engine import Job
from processor.errors import LinerNotesError, WorkspaceError
from processor.files import write_atomically
from processor.graph import Outcome
from processor.site.media import Progress
from processor.site.previews import Samples, encode
from processor.workspace import cannot_write

_HEADER_BYTES, MAX_REASON = 4096, 300


@dataclass(frozen=True)
class Scripted(Job):
    """Sound to be written into scripts.

    Attributes:
        targets: the scripts.
        names: of the sound within each.
        rate_hz: sample rate there.
    """

    targets: tuple[Path, ...] = ()
    names: tuple[str, ...] = ()
    rate_hz: int = 48_000


def make_scripts(
    folder: Path,
    jobs: Sequence[Scripted],
    settings: Settings,
    make: Callable[[Job], Outcome],
    progress: Progress | None = None,
) -> int:
    """Make scripts in worker processes, and where there is no sound, ones that say why; return how many jobs it were.

    Args:
        folder: where the scripts go.
        jobs: what to write.
        settings: limits and workers.
        make: what a worker does with a job.
        progress: told of jobs done and to do.

    Raises:
        WorkspaceError: the folder cannot be written.
    """
    if not jobs:
        return 0
    made = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with engine.Engine(settings, make) as workers:
            for job in jobs:
                workers.submit(job)
            while workers.waiting:
                for done in workers.next_done():
                    _refuse(done.job, done.error)
                    made += 1
                    if progress is not None:
                        progress(made, len(jobs))
    except OSError as error:
        raise cannot_write(folder, error) from error
    return made


def _refuse(job: Job, error: LinerNotesError | None) -> None:
    """Leave scripts that say why there is no sound.

    Raises:
        WorkspaceError: that was the error.
    """
    if isinstance(error, WorkspaceError):
        raise error
    if error is not None and isinstance(job, Scripted):
        for target in job.targets:
            write_script(target, {"refused": str(error)[:MAX_REASON]})


def mp3(samples: Samples, rate_hz: int) -> bytes:
    """As the encoder of previews codes it."""
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        wave, coded = Path(folder) / "sound.wav", Path(folder) / "sound.mp3"
        soundfile.write(wave, samples.T, rate_hz, subtype="FLOAT")
        encode(wave, coded, Limits())
        return coded.read_bytes()


def write_script(target: Path, facts: Mapping[str, object], name: str = "", sound: bytes = b"") -> None:
    """Write what is known of a sound and, if there is one, the sound itself.

    Raises:
        WorkspaceError: it cannot be written.
    """
    content = f"// {json.dumps(facts)}\n"
    if sound:
        coded = base64.b64encode(sound).decode()
        content += f'(globalThis.linerNotesSounds ??= {{}})["{name}"] = "{coded}";\n'
    try:
        write_atomically(target, content, durable=False)
    except OSError as error:
        raise cannot_write(target.parent, error) from error


def read_facts(script: Path) -> dict[str, Any] | None:
    """What the first line of a script says; None if there is no such script."""
    try:
        with script.open("rb") as file:
            line = file.readline(_HEADER_BYTES + 1)
        found = json.loads(line.removeprefix(b"//"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
