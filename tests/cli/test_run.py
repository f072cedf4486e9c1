"""`linernotes run` and `init`: what is processed, what is said, and with which code it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from processor import library
from processor.workspace import Workspace
from tests import workspaces
from tests.workspaces import command, junk, sound


def events(out: str) -> list[tuple[str, str]]:
    """(event, name) of each line of JSON."""
    lines = [json.loads(line) for line in out.splitlines()]
    return [(line["event"], line["name"]) for line in lines]


def test_init_makes_a_workspace_once(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    assert json.loads(command("init", home, "--json").out) == {"home": str(home), "created": True}
    assert {path.name for path in home.iterdir()} == {"inbox", "library", "linernotes.toml", "site"}
    (home / "linernotes.toml").write_text("# mine\n")
    again = command("init", "--home", home)
    assert (again.code, again.out.splitlines()[0]) == (0, f"There is a workspace in {home}")
    assert (home / "linernotes.toml").read_text() == "# mine\n"


def test_run_in_an_empty_folder_makes_a_workspace_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = command("run")
    assert result.code == 0
    assert result.err == f"Made a new workspace in {tmp_path}\n"
    assert "is empty: drop sound files into it" in result.out
    assert (tmp_path / "site" / "index.html").is_file()
    assert command("run").err == ""


def test_the_home_is_that_of_the_option_else_of_the_environment_else_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("option", "variable", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    environment = {"LINERNOTES_HOME": str(tmp_path / "variable")}
    command("run", "--home", tmp_path / "option", environment=environment)
    assert (tmp_path / "option" / "library").is_dir()
    assert not (tmp_path / "variable" / "library").exists()
    command("run", environment=environment)
    assert (tmp_path / "variable" / "library").is_dir()
    assert not (tmp_path / "here" / "library").exists()
    command("run")
    assert (tmp_path / "here" / "library").is_dir()


def test_the_inbox_is_processed_once_and_empty_again(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    for seed, name in enumerate(["a.wav", "Album/b.wav", "Album/Side 2/c.wav"]):
        sound(workspace.inbox / name, seed)
    result = command("run", "--home", workspace.home)
    assert result.code == 0
    names = {"a.wav": "a", "Album/b.wav": "b", "Album/Side 2/c.wav": "c"}
    told = {f"stored    {name} → {workspaces.track(workspace, slug).id}" for name, slug in names.items()}
    assert set(result.out.splitlines()[:3]) == told
    assert result.out.splitlines()[3:] == ["3 stored", f"The site: {workspace.site / 'index.html'}"]
    assert [path.name for path in workspace.inbox.iterdir()] == ["failed"]
    assert len(library.tracks(workspace)) == 3


def test_one_that_is_no_sound_is_set_aside(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    sound(workspace.inbox / "a.wav")
    junk(workspace.inbox / "b.txt")
    result = command("run", "--home", workspace.home, "--json")
    assert result.code == 3
    assert sorted(events(result.out)) == [("failed", "b.txt"), ("stored", "a.wav")]
    assert sorted(path.name for path in workspace.failed.iterdir()) == ["b.txt", "b.txt.error.txt"]


def test_when_nothing_but_what_is_no_sound_is_there_nothing_could_be_done(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    junk(workspace.inbox / "b.txt")
    result = command("run", "--home", workspace.home)
    assert result.code == 1
    assert result.out.splitlines()[-3:] == [
        "1 set aside",
        f"Why files were set aside: {workspace.failed}",
        f"The site: {workspace.site / 'index.html'}",
    ]


def test_a_file_that_is_named_as_unfinished_is_left(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    part = sound(tmp_path / "a.wav").rename(workspace.inbox / "a.wav.part")
    result = command("run", "--home", workspace.home, "--json")
    assert (result.code, events(result.out)) == (1, [("left", "a.wav.part")])
    assert part.is_file()


def test_links_are_ignored_and_told(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    (workspace.inbox / "link.wav").symlink_to(sound(tmp_path / "a.wav"))
    result = command("run", "--home", workspace.home)
    assert result.code == 0
    assert result.out.startswith("ignored   link.wav (a link: never opened, never moved)\n1 ignored\n")
    assert (workspace.inbox / "link.wav").is_symlink()


def test_files_from_elsewhere_are_copied(tmp_path: Path) -> None:
    file = sound(tmp_path / "song.wav")
    content = file.read_bytes()
    result = command("run", "--home", tmp_path / "home", file, "--json")
    assert (result.code, events(result.out)) == (0, [("stored", "song.wav")])
    assert file.read_bytes() == content
    (track,) = library.tracks(Workspace(tmp_path / "home"))
    assert track.source is not None
    assert track.source.read_bytes() == content
    again = command("run", "--home", tmp_path / "home", file)
    assert (again.code, again.out.splitlines()[1]) == (0, "1 known already")


def test_the_inbox_is_not_touched_when_files_are_named(tmp_path: Path) -> None:
    workspace = workspaces.empty(tmp_path)
    waiting = sound(workspace.inbox / "Album" / "waiting.wav", 1)
    (workspace.inbox / "empty").mkdir()
    assert command("run", "--home", workspace.home, sound(tmp_path / "song.wav")).code == 0
    assert waiting.is_file()
    assert (workspace.inbox / "empty").is_dir()


def test_a_folder_stands_for_the_sounds_in_it(tmp_path: Path) -> None:
    sound(tmp_path / "Album" / "one.wav", 1)
    sound(tmp_path / "Album" / "Side 2" / "two.wav", 2)
    junk(tmp_path / "Album" / "cover.jpg")
    result = command("run", "--home", tmp_path / "home", tmp_path / "Album", "--json")
    assert result.code == 0
    assert sorted(events(result.out)) == [
        ("ignored", "Album/cover.jpg"),
        ("stored", "Album/Side 2/two.wav"),
        ("stored", "Album/one.wav"),
    ]


@pytest.mark.parametrize("is_empty", [True, False])
def test_to_name_a_folder_without_sounds_is_no_success(tmp_path: Path, is_empty: bool) -> None:
    (tmp_path / "Album").mkdir()
    if not is_empty:
        junk(tmp_path / "Album" / "cover.jpg")
    result = command("run", "--home", tmp_path / "home", tmp_path / "Album")
    assert result.code == 1
    assert ("There is no sound file in what you named." in result.out) == is_empty
    assert "The inbox" not in result.out


def test_a_missing_file_beside_a_good_one(tmp_path: Path) -> None:
    missing = tmp_path / "gone.wav"
    result = command("run", "--home", tmp_path / "home", missing, sound(tmp_path / "song.wav"), "--json")
    assert result.code == 3
    assert events(result.out) == [("missing", str(missing)), ("stored", "song.wav")]
    text = command("run", "--home", tmp_path / "home", missing, tmp_path / "song.wav").out
    assert "1 known already, 1 not there\n" in text
    assert "set aside" not in text


def test_nothing_but_missing_files(tmp_path: Path) -> None:
    result = command("run", "--home", tmp_path / "home", tmp_path / "gone.wav", tmp_path / ("x" * 300))
    assert result.code == 1
    assert "2 not there" in result.out


def test_json_tells_everything_and_nothing_else(tmp_path: Path) -> None:
    result = command("run", "--home", tmp_path / "home", sound(tmp_path / "song.wav"), "--json")
    (line,) = result.out.splitlines()
    told = json.loads(line)
    assert (told["event"], told["name"]) == ("stored", "song.wav")
    assert told["track"] == library.tracks(Workspace(tmp_path / "home"))[0].id
    assert {"claim", "decode", "loudness", "levels", "store"} <= set(told["seconds"])


@pytest.mark.parametrize("name", ["\udcff\udcfe.wav", "two\nlines.wav", "\x1b[31mred.wav", "\u202egnp.wav"])
def test_odd_names_are_shown_as_they_can_be(tmp_path: Path, name: str) -> None:
    workspace = workspaces.empty(tmp_path)
    sound(tmp_path / "plain.wav").rename(workspace.inbox / name)
    result = command("run", "--home", workspace.home)
    assert (result.code, len(result.out.splitlines())) == (0, 3)
    assert "\ufffd" in result.out
    assert not {"\x1b", "\u202e"} & set(result.out)
    sound(tmp_path / "other.wav", 9).rename(workspace.inbox / name)
    assert events(command("run", "--home", workspace.home, "--json").out)[0][0] == "stored"


def test_workers_are_as_many_as_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    start = workspaces.InlineEngine.__init__

    def note(engine: workspaces.InlineEngine, settings: object) -> None:
        start(engine, settings)  # type: ignore[arg-type]
        asked.append(engine.workers)

    monkeypatch.setattr(workspaces.InlineEngine, "__init__", note)
    for words, environment in (
        (("--workers", "3"), {"LINERNOTES_WORKERS_COUNT": "5"}),
        ((), {"LINERNOTES_WORKERS_COUNT": "5"}),
    ):
        command("run", "--home", tmp_path / "home", *words, environment=environment)
    assert asked == [3, 5]
    assert command("run", "--home", tmp_path / "home", "--workers", "0").code == 2
    assert command("run", "--home", tmp_path / "home", "--workers", "many").code == 2


def test_real_workers_give_what_this_process_gives(tmp_path: Path) -> None:
    file = sound(tmp_path / "song.wav")
    bad = junk(tmp_path / "bad.wav")
    result = command("run", "--home", tmp_path / "real", file, bad, "--workers", "1", "--json", workers=True)
    assert (result.code, sorted(events(result.out))) == (3, [("failed", "bad.wav"), ("stored", "song.wav")])
    command("run", "--home", tmp_path / "inline", file)
    (real,) = library.tracks(Workspace(tmp_path / "real"))
    (inline,) = library.tracks(Workspace(tmp_path / "inline"))
    assert (real.folder / "record.json").read_bytes() == (inline.folder / "record.json").read_bytes()
