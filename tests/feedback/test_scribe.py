"""Words for the tracks of a library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from processor import later, library, pipeline
from processor.config import Llm, Settings, Site
from processor.feedback import scribe
from processor.feedback.desk import open_desk
from processor.library import Track
from processor.workspace import Workspace
from tests.feedback.endpoint import Endpoint, endpoint, obedient
from tests.libraries import make_track, say, song_results


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    with endpoint(content=obedient) as running:
        yield running


def settings_for(server: Endpoint, **changes: Any) -> Settings:
    return Settings(
        llm=Llm(on=True, base_url=server.url, timeout_s=2.0, retries=0, **changes), site=Site(previews=False)
    )


def tracks(workspace: Workspace, count: int) -> list[Track]:
    return [make_track(workspace, f"{number}.wav", results=song_results()) for number in range(count)]


def has_words(track: Track) -> bool:
    return (track.folder / library.WORDING_NAME).is_file()


def test_every_track_gets_words_once(workspace: Workspace, server: Endpoint) -> None:
    made = tracks(workspace, 2)
    desk = open_desk(workspace, settings_for(server))
    assert scribe.word_newest(workspace, desk) == (2, None)
    assert all(has_words(track) for track in made)
    assert scribe.word_newest(workspace, desk) == (0, None)
    assert len(server.asked) == 2


def test_when_the_facts_change_it_asks_again(workspace: Workspace, server: Endpoint) -> None:
    [track] = tracks(workspace, 1)
    desk = open_desk(workspace, settings_for(server))
    scribe.word_newest(workspace, desk)
    say(track, genre="techno")
    assert scribe.word_newest(workspace, desk)[0] == 1


def test_only_the_newest_are_worded(workspace: Workspace, server: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scribe, "NEWEST", 1)
    old = make_track(workspace, "old.wav", day="2026/01/01", results=song_results())
    new = make_track(workspace, "new.wav", day="2026/02/01", results=song_results())
    scribe.word_newest(workspace, open_desk(workspace, settings_for(server)))
    assert has_words(new)
    assert not has_words(old)


def test_the_first_failure_ends_it(workspace: Workspace, server: Endpoint) -> None:
    server.statuses = [500]
    made = tracks(workspace, 3)
    count, trouble = scribe.word_newest(workspace, open_desk(workspace, settings_for(server)))
    assert count == 0
    assert "500" in (trouble or "")
    assert len(server.asked) == 1
    assert not any(has_words(track) for track in made)


def test_a_broken_record_is_passed_over(workspace: Workspace, server: Endpoint) -> None:
    good, bad = tracks(workspace, 2)
    (bad.folder / "record.json").write_text("{}")
    assert scribe.word_newest(workspace, open_desk(workspace, settings_for(server))) == (1, None)
    assert has_words(good)


def test_the_page_shows_them_and_says_whose_they_are(workspace: Workspace, server: Endpoint) -> None:
    [track] = tracks(workspace, 1)
    assert later.add_words(workspace, settings_for(server)) is None
    page = (workspace.site / "tracks" / f"{track.id}.html").read_text()
    assert "It is measured." in page
    assert "openai/gpt-oss-120b" in page


def test_switched_off_nothing_is_sent(workspace: Workspace, server: Endpoint) -> None:
    [track] = tracks(workspace, 1)
    pipeline.publish(workspace)
    assert later.add_words(workspace, Settings(llm=Llm(base_url=server.url))) is None
    assert server.asked == []
    page = (workspace.site / "tracks" / f"{track.id}.html").read_text()
    assert "openai/gpt-oss-120b" not in page


def test_without_a_network_the_report_is_whole(workspace: Workspace) -> None:
    [track] = tracks(workspace, 1)
    pipeline.publish(workspace)
    settings = Settings(llm=Llm(on=True, base_url="http://127.0.0.1:9/v1", timeout_s=0.5, retries=0))
    assert "cannot be reached" in (later.add_words(workspace, settings) or "")
    assert 'id="advice"' in (workspace.site / "tracks" / f"{track.id}.html").read_text()
