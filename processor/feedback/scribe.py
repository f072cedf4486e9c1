"""Who asks the language model for words: for the newest tracks of a library, as long as it answers."""

from __future__ import annotations

from processor import library, record
from processor.analysis import result_types
from processor.errors import RecordError
from processor.feedback.desk import Desk, judge
from processor.feedback.llm import NoWords, kept_wording, untrusted_of, worded
from processor.feedback.words import facts_of
from processor.library import Track
from processor.workspace import Workspace

# A library of thousands is not worded at once when somebody switches this on; what is newest matters.
NEWEST = 20


def word_newest(workspace: Workspace, desk: Desk) -> tuple[int, str | None]:
    """Ask for words on the newest tracks that have none; return how many got some, and why it ended early, if so.

    The first failure ends it: the next one would fail, too.

    Raises:
        OSError: what the model said cannot be kept.
    """
    made = 0
    for track in library.tracks(workspace)[: -NEWEST - 1 : -1]:
        try:
            made += _word(desk, track)
        except RecordError:
            continue  # `linernotes doctor` names it
        except NoWords as error:
            return made, str(error)
    return made, None


def _word(desk: Desk, track: Track) -> bool:
    """Ask for words on one track, unless it has them or there is nothing to say of it."""
    found, said = record.read(track.folder, result_types()), library.read_person(track)
    verdict = judge(desk, found.results, said)
    if not verdict.advice or kept_wording(track, verdict, found, said, desk.settings.llm.model) is not None:
        return False
    facts = facts_of(verdict, found.results)
    worded(facts, untrusted_of(found, said), desk.settings.llm, track.folder / library.WORDING_NAME)
    return True
