"""Comparisons in the library: `library/YYYY/MM/DD/<slug>-<hash8>.comparison/`, beside the tracks that they are made of.

The folder holds `record.json` (kind "comparison"), perhaps `arrays.npz`, and the audition file where there is one. All
of it can be made again from the tracks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from processor import made, record
from processor.errors import RecordError
from processor.feedback.compare import Comparison
from processor.feedback.equaliser import Audition
from processor.feedback.matching import Equaliser
from processor.quantities import quantity
from processor.record import Record
from processor.workspace import Workspace

KIND = "comparison"
SUFFIX = f".{KIND}"

_LIBRARY = "folders of the library"
_SAME = "fingerprints, where they are alike enough to be one recording; else 0 and 1"


@dataclass(frozen=True)
class MadeFrom:
    """The tracks that a comparison is made of, by their ids."""

    mix: str = quantity("", label="Mix", source=_LIBRARY, help="The track that is compared.")
    references: tuple[str, ...] = quantity("", label="References", source=_LIBRARY, help="What it is compared with.")
    offsets_s: tuple[float, ...] = quantity(
        "s",
        label="Places of the references",
        source=_SAME,
        help="What is at 0 in the mix is here in each reference, where both are one recording; 0 in others.",
        digits=3,
    )
    speeds: tuple[float, ...] = quantity(
        "", label="Speeds of the references", source=_SAME, help="How many times as fast each plays.", low=0, digits=4
    )


RESULT_TYPES: dict[str, type] = {
    "made_from": MadeFrom,
    "comparison": Comparison,
    "equaliser": Equaliser,
    "audition": Audition,
}


@dataclass(frozen=True)
class Stored:
    """One comparison of the library."""

    folder: Path
    record: Record

    @property
    def id(self) -> str:
        """Name of its folder without the suffix: `<slug>-<hash8>`."""
        return self.folder.name.removesuffix(SUFFIX)

    @property
    def made_from(self) -> MadeFrom:
        """Its tracks."""
        found: MadeFrom = self.record.results["made_from"]
        return found

    @property
    def comparison(self) -> Comparison:
        """What differs."""
        found: Comparison = self.record.results["comparison"]
        return found

    @property
    def equaliser(self) -> Equaliser | None:
        """What would bring the mix nearer; None where it could not be tried."""
        return self.record.results.get("equaliser")

    @property
    def audition(self) -> Audition | None:
        """What is known of the audition file; None where there is none."""
        found: Audition | None = self.record.results.get("audition")
        return found if found is not None and self.audition_path(found).is_file() else None

    def audition_path(self, found: Audition) -> Path:
        """Where the audition file is."""
        return self.folder / Path(found.file).name

    @property
    def signature(self) -> str:
        """Changes whenever the comparison does."""
        try:
            status = (self.folder / record.RECORD_NAME).stat()
        except OSError:
            return str(self.folder)
        return f"{self.folder} {status.st_mtime_ns}:{status.st_size} {self.audition is not None}"


def stored(workspace: Workspace, *, curves: bool = True) -> list[Stored]:
    """Every comparison of the library, the latest day first; what cannot be read is passed over.

    Args:
        workspace: where.
        curves: read the curves too; see `record.read`.
    """
    found = [one for folder in folders(workspace) if (one := read(folder, curves=curves)) is not None]
    return sorted(found, key=lambda one: (one.folder.parts[-4:-1], one.id), reverse=True)


def folders(workspace: Workspace) -> list[Path]:
    """The folders of all comparisons, readable or not."""
    return made.folders(workspace, KIND)


def read(folder: Path, *, curves: bool = True) -> Stored | None:
    """The comparison in a folder; None where there is none that we can read."""
    try:
        found = record.read(folder, RESULT_TYPES, curves=curves)
    except RecordError:
        return None
    if found.kind != KIND or not {"made_from", KIND} <= found.results.keys():
        return None
    return Stored(folder, found)
