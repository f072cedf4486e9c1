"""Everything that can go wrong, as one tree.

::

    LinerNotesError
    ├── WrongUsage            a person's words make no sense to us (exit code 2)
    ├── WorkspaceError        the workspace is missing, read-only, full or not sound
    │   └── WorkspaceBusy     another process holds it
    ├── AudioError            this file cannot be heard; the others still can
    │   ├── NotAudio          not a sound file, or one of a kind that we do not open
    │   ├── TooLarge          over a limit, said before memory is taken
    │   └── NoSound           the header is fine, nothing could be decoded
    ├── NotInMemory           an analyser wanted all samples of a file that is streamed
    ├── RecordError           a record that cannot be read
    │   └── RecordTooNew      written by a newer Liner Notes
    ├── SidecarMissing        a stem that a record names is gone
    ├── PlanError             a plan of a mashup that cannot be rendered, or songs that cannot be planned
    ├── NoStems               a song has not the stems that a mashup is played from
    ├── UnfitLayers           sounds of one song that cannot be played together
    ├── Unplayable            what stretches sound cannot do it, or is not here
    ├── ModelError            a model cannot be had, verified or loaded
    └── WorkerError           the process that analysed the file did not come back
        ├── WorkerDied
        ├── DeadlinePassed
        └── OutOfMemory

Each message is one sentence for a person and, where there is one, the way out.
"""


class LinerNotesError(Exception):
    """Base of all errors that we raise on purpose."""


class WrongUsage(LinerNotesError):
    """A person's words make no sense to us."""


class WorkspaceError(LinerNotesError):
    """The workspace is missing, read-only, full or not sound."""


class WorkspaceBusy(WorkspaceError):
    """Another process holds the workspace."""


class AudioError(LinerNotesError):
    """This file cannot be heard; the others still can."""


class NotAudio(AudioError):
    """Not a sound file, or one of a kind that we do not open."""


class TooLarge(AudioError):
    """Over a limit; raised before memory is taken."""


class NoSound(AudioError):
    """The header is fine, but nothing could be decoded."""


class NotInMemory(LinerNotesError):
    """An analyser wanted all samples of a file that is too long to hold at once."""


class RecordError(LinerNotesError):
    """A record that cannot be read."""


class RecordTooNew(RecordError):
    """A record written by a newer Liner Notes."""


class SidecarMissing(LinerNotesError):
    """A sound file that a record names is gone or damaged."""


class ModelError(LinerNotesError):
    """A model cannot be had, verified or loaded."""


class WorkerError(LinerNotesError):
    """The process that analysed a file did not come back with a result."""


class WorkerDied(WorkerError):
    """The worker process ended in the middle of a file."""


class DeadlinePassed(WorkerError):
    """The worker was stopped because the file took too long."""


class OutOfMemory(WorkerError):
    """The worker reached its memory limit."""
