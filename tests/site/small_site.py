"""A small site with every kind of page, for tests that look at all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from processor.inbox import Ignored
from processor.setaside import SetAside
from processor.workspace import Workspace
from tests.libraries import fail, log_run, make_track, publish_pages, say, song_results

FAILED = (SetAside("notes.txt", "This is not a sound file of a kind that we know."),)
IGNORED = (Ignored("link.wav", "a link: never opened, never moved"),)
BEGUN = datetime(2026, 11, 20, 6, 30, tzinfo=UTC)


def happened(second: float, event: str, **facts: Any) -> dict[str, Any]:
    """One line of a run's log, some seconds after its beginning."""
    return {"at": (BEGUN + timedelta(seconds=second)).isoformat(), "event": event, **facts}


def publish(workspace: Workspace) -> Path:
    """Publish all pages of a library and return the site."""
    publish_pages(workspace, FAILED, IGNORED)
    return workspace.site


def build(home: Path, tracks: int = 105) -> Path:
    """A library with several pages of the list, labels of each kind, failures and runs; return its site."""
    workspace = Workspace(home)
    workspace.create()
    keys = [("8A", "A minor"), ("9A", "E minor"), ("8B", "C major"), ("3B", "Db major"), (None, None)]
    made = []
    for number in range(tracks):
        camelot, key = keys[number % len(keys)]
        made.append(
            make_track(
                workspace,
                f"Piece {number:03d}.wav",
                day=f"2026/{10 + number % 2}/{10 + number % 7}",
                path=f"{('Night Album', 'Day Album')[number % 2]}/Piece {number:03d}.wav" if number % 3 else None,
                metadata__artist=("Björk & Co", "Somebody Else")[number % 2],
                metadata__genre=("dub", "techno", None)[number % 3],
                beats__tempo_bpm=80.0 + number if number != 7 else None,
                beats__confidence=0.3 if number == 2 else 0.9,
                key__camelot=camelot,
                key__name=key,
                key__confidence=0.9,
                loudness__integrated_lufs=-20.0 + number / 10,
                loudness__true_peak_dbtp=-1.0,
                source__duration_s=60.0 + number,
                source__partial=number == 3,
                levels__clipped_samples=number % 2,
                # Two make sense throughout, so that they can be judged; the second is too coarse for any store.
                results=song_results() if number in (20, 21) else None,
                **({"source__sample_rate_hz": 11_025} if number == 21 else {}),
            )
        )
    for number, track in enumerate(made[:6]):
        say(track, rating=number, note="a word of mine")
    fail(made[-1], "levels", "ValueError: an example")
    seconds = {"decode": 1.0, "loudness": 0.25, "beats": 0.5, "store": 0.1}
    log_run(
        workspace,
        happened(0, "started", name="run"),
        *(happened(n + 1, "stored", name=f"{t.id}.wav", track=t.id, seconds=seconds) for n, t in enumerate(made[:5])),
        happened(7, "failed", name="notes.txt", reason="This is not a sound file of a kind that we know."),
        happened(8, "ended", name="run"),
    )
    return publish(workspace)
