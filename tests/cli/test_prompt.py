"""`linernotes prompt` says what to ask a music generator for, and knows its prompts when they come back as songs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from processor.workspace import Workspace
from tests.feedback.endpoint import endpoint
from tests.libraries import HOSTILE, make_track, say
from tests.prompt.songs import NAMES, deep_results, fast_results
from tests.signals import RATE, song, write_wav
from tests.workspaces import command, junk


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    make_track(made, "Night Bus.wav", results=deep_results(metadata__artist=NAMES[0], metadata__title=NAMES[1]))
    return made


def asked(workspace: Workspace, *arguments: str | Path, **environment: str) -> dict[str, Any]:
    result = command("prompt", *arguments, "--json", "--home", workspace.home, environment=environment)
    assert result.code == 0, result.err
    [line] = result.out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_json_has_all_that_a_program_needs(workspace: Workspace) -> None:
    found = asked(workspace, "night-bus")
    assert found["track"].startswith("night-bus-")
    assert (found["target"], found["variant"]) == ("suno-v5", "faithful")
    assert "124 BPM" in found["style"]
    for field in ("title", "style", "exclusions", "lyrics"):
        assert found["counts"][field]["characters"] == len(found[field]) <= found["counts"][field]["limit"]
    assert found["evidence"]["style"]
    assert all(phrase["evidence"] for part in found["evidence"]["sections"] for phrase in part["phrases"])
    assert found["generation"] is None


def test_people_read_what_they_paste(workspace: Workspace) -> None:
    result = command("prompt", "night-bus", "--home", workspace.home)
    assert result.code == 0
    for words in ("Style (", "of 1000 characters", "[Chorus]", "ln-", "Heard by models"):
        assert words in result.out
    for name in NAMES:
        assert name not in result.out


@pytest.mark.parametrize("target", ["suno-v5", "suno-v4", "udio", "plain"])
@pytest.mark.parametrize("variant", ["faithful", "shorter", "swapped"])
def test_targets_and_variants(workspace: Workspace, target: str, variant: str) -> None:
    found = asked(workspace, "night-bus", "--target", target, "--variant", variant)
    assert (found["target"], found["variant"]) == (target, variant)
    assert (found["swap"] is None) == (variant != "swapped")


def test_what_is_shown_is_kept_and_known_again(workspace: Workspace) -> None:
    first = asked(workspace, "night-bus")
    kept = workspace.library / "prompts" / f"{first['id']}.json"
    assert json.loads(kept.read_text())["asked"] == first["asked"]
    make_track(workspace, f"{first['title']}.mp3", results=fast_results(beats__tempo_bpm=62.1, key__name="Db major"))
    found = asked(workspace, first["title"].lower().replace(" ", "-"))["generation"]
    verdicts = {row["what"]: (row["verdict"], row["remark"]) for row in found["rows"]}
    assert verdicts["Tempo"] == ("off", "half tempo")
    assert verdicts["Key"] == ("off", "relative key: the same notes")
    assert verdicts["Loudness arc"][0] == "close"
    shown = command("prompt", first["title"].lower().replace(" ", "-"), "--home", workspace.home).out
    assert f"Made from the prompt {first['id']}" in shown
    assert "✗ Tempo" in shown


def test_a_foreign_id_is_told(workspace: Workspace) -> None:
    make_track(workspace, "Other ln-0123abcd.wav", results=fast_results())
    assert "not given out" in command("prompt", "other-ln", "--home", workspace.home).out


def test_a_file_needs_no_library(tmp_path: Path) -> None:
    file = write_wav(tmp_path / f"{NAMES[0]} - Song.wav", song(12.0), RATE)
    home = tmp_path / "nothing"
    result = command("prompt", file, "--json", "--home", home)
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert found["style"]
    assert NAMES[0] not in json.dumps({key: value for key, value in found.items() if key != "track"})
    assert "not kept" in result.err
    assert not home.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("night-bus", "--target", "sunno"), "suno-v5"),
        (("night-bus", "--variant", "longer"), "faithful"),
        (("day-bus",), "day-bus"),
    ],
)
def test_what_is_wrong_is_told(workspace: Workspace, arguments: tuple[str, ...], words: str) -> None:
    result = command("prompt", *arguments, "--home", workspace.home)
    assert result.code == 2
    assert words in result.err


def test_neither_file_nor_library(tmp_path: Path) -> None:
    result = command("prompt", "nowhere", "--home", tmp_path / "x")
    assert result.code == 2
    assert "nowhere" in result.err
    bad = command("prompt", junk(tmp_path / "bad.wav"), "--home", tmp_path / "x")
    assert bad.code == 2
    assert "bad.wav" in bad.err


def test_speech_has_no_prompt(workspace: Workspace) -> None:
    make_track(workspace, "Talk.wav", results=fast_results(material__kind="speech"))
    result = command("prompt", "talk", "--home", workspace.home)
    assert result.code == 1
    assert "speech" in result.err


def test_a_persons_words_hold_and_hostile_ones_do_not(workspace: Workspace) -> None:
    track = make_track(workspace, "Word.wav", results=fast_results())
    say(track, genre="Techno", title="Night Bus")
    found = asked(workspace, "word")
    assert found["style"].startswith("techno, ")
    assert found["title"].startswith("Night Bus ln-")
    say(track, genre=HOSTILE, title=HOSTILE)
    told = json.dumps(asked(workspace, "word"))
    assert "script" not in told
    assert "onerror" not in told


def test_a_model_may_join_the_phrases(workspace: Workspace) -> None:
    def obedient(body: dict[str, Any]) -> str:
        told = json.loads(body["messages"][1]["content"])
        sections = [" and ".join(part["phrases"]) for part in told["sections"]]
        return json.dumps({"style": " with ".join(told["style"]), "sections": sections})

    with endpoint(content=obedient) as server:
        variables = {
            "LINERNOTES_LLM_KEY": "secret",
            "LINERNOTES_LLM_BASE_URL": server.url,
            "LINERNOTES_LLM_RETRIES": "0",
        }
        assert " with " in asked(workspace, "night-bus", "--words", **variables)["style"]
        server.content = '{"style": "saxophone", "sections": []}'
        found = asked(workspace, "night-bus", "--words", "--variant", "shorter", **variables)
    assert "saxophone" not in found["style"]
    assert "cannot be used" in found["words_error"]
