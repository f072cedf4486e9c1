"""What a person wants of a mashup; what is not said is decided by the planner."""

from __future__ import annotations

from dataclasses import dataclass

from processor.errors import WrongUsage
from processor.mashup.plan import CEILING_DBTP, TARGET_LUFS, PlanError
from processor.mashup.plan_checks import between
from processor.mashup.stretching import PEDALBOARD, STRETCHERS

MOST_NAME_CHARACTERS = 200
_NUMBERS = (
    "tempo_bpm",
    "vocal_shift_semitones",
    "target_lufs",
    "ceiling_dbtp",
    "vocal_to_backing_lu",
    "vocal_later_beats",
)


@dataclass(frozen=True)
class Wishes:
    """A person's wishes.

    Attributes:
        name: what the mashup is called; None: after both songs.
        tempo_bpm: the pace of the mashup; None: the instrumental's.
        vocal_shift_semitones: shift of the vocals; None: what fits best. The instrumental is not shifted then.
        target_lufs: integrated loudness of the whole.
        ceiling_dbtp: its highest true peak.
        vocal_to_backing_lu: loudness of the vocals less that of the backing, while somebody sings; None: the usual.
        force: plan it though the tempi are too far apart, or others sing in the backing.
        fill: repeat parts of the instrumental until all vocals have their place.
        vocal_later_beats: so much later than planned the vocals come, in their own beats, whole or not; negative:
            earlier. For vocals that are sung beside the beat, or whose beats were heard wrongly.
        stretcher: what stretches and shifts, one of `STRETCHERS`.

    Raises:
        WrongUsage: a wish cannot be fulfilled by anybody.
    """

    name: str | None = None
    tempo_bpm: float | None = None
    vocal_shift_semitones: float | None = None
    target_lufs: float = TARGET_LUFS
    ceiling_dbtp: float = CEILING_DBTP
    vocal_to_backing_lu: float | None = None
    force: bool = False
    fill: bool = False
    vocal_later_beats: float = 0.0
    stretcher: str = PEDALBOARD

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.name is not None and len(self.name) > MOST_NAME_CHARACTERS:
            raise WrongUsage(f"The name has {len(self.name)} characters; at most {MOST_NAME_CHARACTERS} are kept.")
        if self.stretcher not in STRETCHERS:
            raise WrongUsage(f'There is no stretcher "{self.stretcher}"; there are {" and ".join(STRETCHERS)}.')
        for name in _NUMBERS:
            value = getattr(self, name)
            if value is None:
                continue
            try:
                between(value, name)
            except PlanError as error:
                raise WrongUsage(str(error)) from None
