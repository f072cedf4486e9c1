"""The doctor finds each problem, names the remedy, and the remedy works when it is followed."""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from processor import doctor, library
from processor.analysis import all_analysers
from processor.doctor import PACKAGES, Finding, examine
from processor.mashup import kept
from processor.mashup.kept import Stored
from processor.models.table import JOBS
from processor.workspace import Workspace
from tests import workspaces
from tests.site.mashup_library import make_mashup, tones
from tests.site.test_stems import with_stems
from tests.workspaces import command, sound


@pytest.fixture(autouse=True)
def room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk of this machine is not the subject."""
    monkeypatch.setattr(library, "free_bytes", lambda _: 50 * 10**9)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return workspaces.with_tracks(tmp_path)


def problems(workspace: Workspace, *, thorough: bool = False) -> list[Finding]:
    return [finding for finding in examine(workspace, thorough=thorough) if finding.state == "problem"]


def the_problem(workspace: Workspace, *, thorough: bool = False) -> Finding:
    (one,) = problems(workspace, thorough=thorough)
    assert one.remedy
    options = ["--thorough"] if thorough else []
    told = command("doctor", "--home", workspace.home, *options)
    assert told.code == 1
    assert f"✗ {one.subject}: {one.text}\n    → {one.remedy}\n" in told.out
    assert told.out.endswith("1 problem.\n")
    return one


def assert_sound(workspace: Workspace) -> None:
    assert problems(workspace, thorough=True) == []
    assert command("doctor", "--home", workspace.home).code == 0


def follow(workspace: Workspace, name: str) -> None:
    assert command(name, "--home", workspace.home).code == 0


def test_a_sound_workspace(workspace: Workspace) -> None:
    result = command("doctor", "--thorough", "--home", workspace.home)
    assert (result.code, result.err) == (0, "")
    assert "✓ library: 3 of 3 tracks sound, every byte checked\n" in result.out
    assert "✓ catalogue: 3 tracks\n" in result.out
    assert result.out.endswith("All is sound.\n")
    assert "✗" not in result.out


# Which models are here differs from machine to machine, and has tests of its own.
ABOUT_MODELS = {*JOBS, "models", "extra [models]", "extra [emotion]", "extra [lyrics]"}


def noted(workspace: Workspace) -> dict[str, Finding]:
    """What is noted, but for models."""
    found = [one for one in examine(workspace) if one.state == "note" and one.subject not in ABOUT_MODELS]
    return {one.subject: one for one in found}


def test_json_has_a_finding_a_line(workspace: Workspace) -> None:
    result = command("doctor", "--json", "--home", workspace.home)
    told = [json.loads(line) for line in result.out.splitlines()]
    assert all(one.keys() == {"subject", "state", "text", "remedy"} for one in told)
    assert {one["state"] for one in told if one["subject"] not in ABOUT_MODELS} == {"ok"}
    assert {"Liner Notes", "analysers", "workspace", "library", "catalogue", "site", *PACKAGES} <= {
        one["subject"] for one in told
    }


def test_looking_changes_nothing(workspace: Workspace) -> None:
    def state() -> dict[Path, tuple[int, bytes]]:
        files = [path for path in workspace.home.rglob("*") if path.is_file() and path.suffix != ".lock"]
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    before = state()
    list(examine(workspace, thorough=True))
    assert state() == before


def test_a_new_workspace_and_none_at_all_are_no_problem(tmp_path: Path) -> None:
    result = command("doctor", "--home", tmp_path)
    assert (result.code, list(tmp_path.iterdir())) == (0, [])
    assert f"· workspace: there is none in {tmp_path}\n    → linernotes init\n" in result.out
    assert command("init", tmp_path).code == 0
    assert command("doctor", "--home", tmp_path).code == 0


def test_the_packages_are_those_that_are_needed() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert list(PACKAGES) == [re.split("[<>=]", one)[0] for one in project["dependencies"]]


def test_a_package_that_is_missing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = metadata.version

    def version(name: str) -> str:
        if name == "watchdog":
            raise metadata.PackageNotFoundError
        return versions(name)

    monkeypatch.setattr(metadata, "version", version)
    one = the_problem(workspace)
    assert (one.subject, one.text, one.remedy) == ("watchdog", "not installed", "pip install liner-notes")


def test_templates_that_are_missing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "templates_folder", lambda: tmp_path / "nowhere")
    assert the_problem(workspace).subject == "templates"


def test_a_full_disk(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "free_bytes", lambda _: 10**9)
    one = the_problem(workspace)
    assert (one.subject, one.text) == ("disk", "1.0 GB free")


def test_settings_that_make_no_sense(workspace: Workspace) -> None:
    settings = workspace.home / "linernotes.toml"
    settings.write_text("[limits]\nduratoin_s = 1\n")
    one = the_problem(workspace)
    assert one.subject == "settings"
    assert "did you mean `duration_s`?" in one.text
    settings.write_text("[limits]\nduration_s = 1\n")
    assert_sound(workspace)


def test_an_analyser_that_is_off_but_does_not_exist(workspace: Workspace) -> None:
    (workspace.home / "linernotes.toml").write_text('[analysers]\noff = ["lodness"]\n')
    one = the_problem(workspace)
    assert (one.subject, one.text) == ("settings", "analysers.off: lodness is no analyser")
    assert "loudness" in one.remedy


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "one"}', '{"schema": 1}', "\xff"])
def test_a_broken_record(workspace: Workspace, content: str) -> None:
    track = workspaces.track(workspace, "brucke")
    (track.folder / "record.json").write_bytes(content.encode("latin-1"))
    one = the_problem(workspace)
    assert one.subject == track.id
    assert str(track.folder) in one.remedy
    assert command("rebuild", "--home", workspace.home).code == 3
    assert the_problem(workspace) == one  # that it has no row is no news
    assert track.source is not None
    track.source.rename(workspace.inbox / track.source.name)
    shutil.rmtree(track.folder)
    follow(workspace, "run")
    assert_sound(workspace)
    assert len(library.tracks(workspace)) == 3


def test_a_record_that_is_missing(workspace: Workspace) -> None:
    track = workspaces.track(workspace, "brucke")
    (track.folder / "record.json").unlink()
    assert the_problem(workspace).subject == track.id


def test_a_record_that_is_too_new_is_not_to_be_thrown_away(workspace: Workspace) -> None:
    path = workspaces.track(workspace, "brucke").folder / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    assert the_problem(workspace).remedy == "install a newer Liner Notes"


def test_words_of_a_person_that_are_broken(workspace: Workspace) -> None:
    track = workspaces.track(workspace, "brucke")
    (track.folder / "person.json").write_text("{")
    one = the_problem(workspace)
    assert one.subject == track.id
    assert str(track.folder / "person.json") in one.remedy
    (track.folder / "person.json").unlink()
    follow(workspace, "rebuild")
    assert_sound(workspace)


@pytest.mark.parametrize("way", ["put it back", "delete the folder"])
def test_a_source_that_is_gone(workspace: Workspace, tmp_path: Path, way: str) -> None:
    track = workspaces.track(workspace, "brucke")
    source = track.source
    assert source is not None
    source.rename(tmp_path / "away.wav")
    one = the_problem(workspace)
    assert (one.subject, one.text) == (track.id, "its sound file is gone")
    assert way in one.remedy
    if way == "put it back":
        (tmp_path / "away.wav").rename(source)
    else:
        shutil.rmtree(track.folder)
        follow(workspace, "rebuild")
    assert_sound(workspace)


def test_bytes_that_changed_are_found_by_looking_at_each(workspace: Workspace) -> None:
    track = workspaces.track(workspace, "brucke")
    source = track.source
    assert source is not None
    content = source.read_bytes()
    source.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert problems(workspace) == []
    one = the_problem(workspace, thorough=True)
    assert (one.subject, one.text) == (track.id, f"{source.name} is not the file that was stored")
    assert "restore it from a backup" in one.remedy
    source.write_bytes(content)
    assert_sound(workspace)


def spoil(path: Callable[[Workspace], Path], content: bytes | None) -> Callable[[Workspace], None]:
    def do(workspace: Workspace) -> None:
        if content is None:
            path(workspace).unlink()
        else:
            path(workspace).write_bytes(content)

    return do


def forget_a_track(workspace: Workspace) -> None:
    shutil.rmtree(workspaces.track(workspace, "brucke").folder)


def bring_a_track(workspace: Workspace) -> None:
    """As if it came from a backup."""
    other = workspaces.empty(workspace.home / "other")
    workspaces.process(other, [sound(workspace.home / "new.wav", 77)])
    (track,) = library.tracks(other)
    target = workspaces.track(workspace, "brucke").folder.parent / track.id
    track.folder.rename(target)
    shutil.rmtree(other.home)


@pytest.mark.parametrize(
    ("subject", "harm"),
    [
        ("catalogue", spoil(lambda w: w.catalogue, None)),
        ("catalogue", spoil(lambda w: w.catalogue, b"")),
        ("catalogue", spoil(lambda w: w.catalogue, b"torn" * 5000)),
        ("site", spoil(lambda w: w.site / "index.html", None)),
        ("site", spoil(lambda w: next((w.site / "tracks").iterdir()), None)),
        ("catalogue", forget_a_track),
        ("catalogue", bring_a_track),
    ],
    ids=["none", "empty", "torn", "no index", "no page", "a track less", "a track more"],
)
def test_what_rebuilding_mends(workspace: Workspace, subject: str, harm: Callable[[Workspace], None]) -> None:
    harm(workspace)
    found = problems(workspace)
    assert (found[0].subject, {one.remedy for one in found}) == (subject, {"linernotes rebuild"})
    assert command("doctor", "--home", workspace.home).code == 1
    follow(workspace, "rebuild")
    assert_sound(workspace)


def test_a_catalogue_of_something_else(workspace: Workspace) -> None:
    import duckdb

    workspace.catalogue.unlink()
    with duckdb.connect(str(workspace.catalogue)) as connection:
        connection.execute("CREATE TABLE cats (name VARCHAR)")
    assert the_problem(workspace).subject == "catalogue"
    follow(workspace, "rebuild")
    assert_sound(workspace)


@pytest.mark.parametrize("name", ["inbox", "site"])
def test_a_folder_that_is_missing(workspace: Workspace, name: str) -> None:
    shutil.rmtree(workspace.home / name)
    found = problems(workspace)
    assert found[0].subject == f"{name}/"
    assert "No such file or directory" in found[0].text
    assert "`linernotes init` makes it" in found[0].remedy
    follow(workspace, "init")
    follow(workspace, "rebuild")
    assert_sound(workspace)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(workspace: Workspace) -> None:
    workspace.site.chmod(0o500)
    one = the_problem(workspace)
    workspace.site.chmod(0o700)
    assert (one.subject, one.text) == ("site/", "cannot be written: Permission denied")
    assert_sound(workspace)


def test_a_folder_that_refuses(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for root, who may write everywhere."""
    touch = Path.touch

    def refuse(path: Path, *words: object) -> None:
        if path.parent == workspace.site:
            raise PermissionError(13, "Permission denied", str(path))
        touch(path)

    monkeypatch.setattr(Path, "touch", refuse)
    one = the_problem(workspace)
    assert (one.subject, one.text) == ("site/", "cannot be written: Permission denied")
    assert str(workspace.site) in one.remedy


def test_what_cannot_be_looked_at_hides_nothing_else(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise PermissionError(13, "Permission denied", "failed")

    monkeypatch.setattr("processor.setaside.failures", fail)
    assert "Permission denied" in the_problem(workspace).text
    assert "library" in {finding.subject for finding in examine(workspace)}


def test_analyses_of_an_older_version(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = all_analysers()["levels"]
    monkeypatch.setitem(all_analysers(), "levels", replace(levels, version=levels.version + 1))
    one = the_problem(workspace)
    assert (one.subject, one.remedy) == ("analyses", "linernotes refresh")
    assert one.text.startswith("3 tracks were analysed by an older version")
    follow(workspace, "refresh")
    assert_sound(workspace)


def test_what_waits_for_somebody_is_a_note(workspace: Workspace) -> None:
    sound(workspace.inbox / "new.wav", 50)
    (workspace.inbox / "link").symlink_to(workspace.home)
    (workspace.failed / "bad.wav").write_bytes(b"")
    (workspace.failed / "bad.wav.error.txt").write_text("bad.wav could not be processed.\n\nWhy.\n")
    (workspace.work / "0123456789abcdef").mkdir()
    notes = noted(workspace)
    assert {name: one.text for name, one in notes.items()} == {
        "inbox": "1 files to do, 1 ignored",
        "failed": "1 files set aside",
        "work": "1 unfinished claims",
    }
    assert all(one.remedy for one in notes.values())
    assert problems(workspace) == []
    follow(workspace, "run")
    notes = noted(workspace)
    assert notes.keys() == {"inbox", "failed"}
    assert notes["inbox"].text == "0 files to do, 1 ignored"


def test_who_is_watching(workspace: Workspace) -> None:
    with workspace.watch_lock():
        (daemon,) = [finding for finding in examine(workspace) if finding.subject == "daemon"]
    assert daemon.text.startswith(f"Process {os.getpid()} on ")
    assert daemon.text.endswith(" is watching")
    assert ", is" not in daemon.text


@pytest.mark.parametrize(("content", "is_thorough"), [(None, False), (b"xx", False), (b"another", True)])
def test_a_stem_that_is_gone_or_damaged_is_told(workspace: Workspace, content: bytes | None, is_thorough: bool) -> None:
    track = with_stems(workspace)
    stem = track.folder / "stems/vocals.flac"
    if content is None:
        stem.unlink()
    elif content == b"xx":
        stem.write_bytes(content)  # else its hash alone is not the one that is noted
    found = [one for one in examine(workspace, thorough=is_thorough) if "stems/vocals.flac" in one.text]
    assert [(one.state, one.remedy) for one in found] == [("problem", "linernotes run --deep")]


# Mashups


@pytest.fixture
def mashup(workspace: Workspace) -> Stored:
    vocals, instrumental, _ = (track.id for track in library.tracks(workspace))
    one = make_mashup(workspace, (vocals, instrumental, None), stems=tones(0.5))
    follow(workspace, "rebuild")
    assert_sound(workspace)
    assert "mashups: 1 of 1 mashups sound" in command("doctor", "--home", workspace.home).out
    return one


@pytest.mark.parametrize("content", ["", "{", '{"schema": 1}', "\xff"])
def test_a_mashup_whose_record_is_broken(workspace: Workspace, mashup: Stored, content: str) -> None:
    (mashup.folder / "record.json").write_bytes(content.encode("latin-1"))
    one = the_problem(workspace)
    assert one.subject == mashup.folder.name
    assert f"delete {mashup.folder}" in one.remedy
    shutil.rmtree(mashup.folder)
    follow(workspace, "run")
    assert_sound(workspace)


def test_a_mashup_that_is_too_new_is_not_to_be_thrown_away(workspace: Workspace, mashup: Stored) -> None:
    path = mashup.folder / "record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    assert the_problem(workspace).remedy == "install a newer Liner Notes"


@pytest.mark.parametrize("content", [None, "tempo_bpm = ", "format = 1\n"])
def test_a_plan_that_is_none_any_more(workspace: Workspace, mashup: Stored, content: str | None) -> None:
    path = mashup.folder / "plan.toml"
    text = path.read_text()
    path.unlink() if content is None else path.write_text(content)
    one = the_problem(workspace)
    assert one.subject == mashup.folder.name
    assert str(path) in one.remedy
    path.write_text(text)
    assert_sound(workspace)


def test_a_mix_that_is_gone(workspace: Workspace, mashup: Stored) -> None:
    (mashup.folder / "mix.flac").unlink()
    one = the_problem(workspace)
    assert one.text == "its mix.flac is gone"
    assert one.remedy.startswith(f"linernotes mashup {mashup.made_from.vocals} {mashup.made_from.instrumental} --plan")


def test_what_is_noted_of_mashups(workspace: Workspace, mashup: Stored) -> None:
    kept.note_troubles(workspace, {"mashup/night": kept.Trouble("No beat.", "")})
    plan = mashup.folder / "plan.toml"
    plan.write_text(plan.read_text().replace("target_lufs = -14.0", "target_lufs = -12.0"))
    found = noted(workspace)
    assert found[mashup.folder.name].text == "its plan was changed since it was rendered"
    assert found["mashup/night"].text == "No beat."
    plan.write_text(plan.read_text().replace("target_lufs = -12.0", "target_lufs = -14.0"))
    shutil.rmtree(workspaces.track(workspace, mashup.made_from.vocals).folder)
    text = f"{mashup.made_from.vocals}: gone from the library, so it cannot be rendered again"
    assert noted(workspace)[mashup.folder.name].text == text


def test_a_mashup_without_its_page(workspace: Workspace, mashup: Stored) -> None:
    (workspace.site / f"mashups/{mashup.id}.html").unlink()
    assert the_problem(workspace).remedy == "linernotes rebuild"
    follow(workspace, "rebuild")
    assert_sound(workspace)
