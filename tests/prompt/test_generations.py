"""The round trip: a prompt is kept, a song comes back with its id, and what was asked meets what is measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor.prompt.asked import Asked
from processor.prompt.composer import Prompt, compose
from processor.prompt.generations import CLOSE, OFF, UNKNOWN, Row, compared, generation_of, ids_in, related
from processor.prompt.kept import keep, prune, read_kept
from processor.prompt.targets import DEFAULT, target_named
from processor.record import JSON
from tests.libraries import HOSTILE
from tests.prompt.songs import LEVELS_LUFS, by_second, deep_results, fast_results, song


@pytest.fixture
def prompt() -> Prompt:
    return compose(song(deep_results()), {}, target_named(DEFAULT))


def rows(prompt: Prompt, results: dict[str, Any]) -> dict[str, Row]:
    return {row.what: row for row in compared(prompt.asked, results)}


@pytest.mark.parametrize(
    "name",
    [
        "Neon Tide ln-0a1b2c3d.mp3",
        "neon-tide-LN-0A1B2C3D.wav",
        "Neon_Tide_ln_0a1b2c3d.mp3",
        "Neon Tide ln 0a1b2c3d (1).mp3",
        "ln0a1b2c3d.wav",
    ],
)
def test_an_id_is_found_in_a_name(name: str) -> None:
    assert list(ids_in(song(name=name), {})) == ["ln-0a1b2c3d"]


@pytest.mark.parametrize(
    "name",
    [
        "song.wav",
        "ln-0a1b2c3.wav",
        "ln-0a1b2c3d4.wav",
        "kiln-0a1b2c3d.wav",
        "ln-xyzxyzxy.mp3",
        "K\u00f6ln 12345678.wav",
        "Ko\u0308ln-12345678.wav",
        "ln-12345678\u00e9.wav",
    ],
)
def test_what_looks_like_an_id_is_none(name: str) -> None:
    assert ids_in(song(name=name), {}) == {}


@pytest.mark.parametrize("name", ["ln 20240101.wav", "ln20240101.wav", "live ln 20240101 (2).mp3"])
def test_a_date_is_no_id_of_ours(prompt: Prompt, tmp_path: Path, name: str) -> None:
    keep(tmp_path, [prompt], "x")
    assert generation_of(song(name=name), {}, tmp_path) is None
    foreign = generation_of(song(name="ln_20240101.wav"), {}, tmp_path)
    assert foreign is not None
    assert foreign.kept is None
    known = generation_of(song(name=f"{name} {prompt.id.replace('-', ' ')}"), {}, tmp_path)
    assert known is not None
    assert known.id == prompt.id


def test_an_id_that_is_known_comes_before_one_that_is_not(prompt: Prompt, tmp_path: Path) -> None:
    keep(tmp_path, [prompt], "x")
    found = generation_of(song(name=f"ln-00000000 {prompt.id}.wav"), {}, tmp_path)
    assert found is not None
    assert found.kept is not None
    crowd = " ".join(f"ln-{k:08x}" for k in range(1000))
    assert len(ids_in(song(name=crowd), {})) < 10


def test_an_id_is_found_in_tags_and_words() -> None:
    for field in ("title", "comment"):
        found = ids_in(song(fast_results(**{f"metadata__{field}": "x ln-0a1b2c3d"})), {})
        assert found == {"ln-0a1b2c3d": True}
    assert ids_in(song(), {"note": "from ln 0a1b2c3d"}) == {"ln-0a1b2c3d": False}
    assert ids_in(song({}), {}) == {}


def test_a_prompt_is_kept_once(prompt: Prompt, tmp_path: Path) -> None:
    assert keep(tmp_path, [prompt], "night-bus-12345678") == 1
    before = (tmp_path / f"{prompt.id}.json").read_bytes()
    assert keep(tmp_path, [prompt], "another") == 0
    assert (tmp_path / f"{prompt.id}.json").read_bytes() == before
    kept = read_kept(tmp_path, prompt.id)
    assert kept is not None
    assert (kept.track, kept.style, kept.lyrics) == ("night-bus-12345678", prompt.style, prompt.lyrics)
    assert kept.asked == prompt.asked


def worded(prompt: Prompt, number: int) -> Prompt:
    """The prompt as another analysis would have it."""
    return replace(prompt, id=f"ln-{number:08x}")


def test_the_prompts_shown_last_are_left(prompt: Prompt, tmp_path: Path) -> None:
    other = worded(prompt, 99)
    keep(tmp_path, [other], "other")
    for number in range(10):
        keep(tmp_path, [worded(prompt, number)], HOSTILE)
    keep(tmp_path, [worded(prompt, 0), other], HOSTILE)  # shown again; the other track's stays the other track's
    assert prune(tmp_path, HOSTILE, 4) == 6
    assert {path.stem for path in tmp_path.glob("*.json")} == {f"ln-{k:08x}" for k in (7, 8, 9, 0, 99)}
    assert prune(tmp_path, HOSTILE, 4) == 0
    assert prune(tmp_path, "never seen", 0) == 0
    assert prune(tmp_path, HOSTILE, 0) == 4
    assert [path.stem for path in tmp_path.glob("*.json")] == [other.id]


def test_what_did_not_change_is_not_written_again(prompt: Prompt, tmp_path: Path) -> None:
    keep(tmp_path, [prompt], "x")
    [listed] = tmp_path.glob("of-*.txt")
    before = listed.stat().st_ino, listed.stat().st_mtime_ns
    keep(tmp_path, [prompt], "x")
    assert (listed.stat().st_ino, listed.stat().st_mtime_ns) == before


def test_a_broken_list_takes_nothing_else_away(prompt: Prompt, tmp_path: Path) -> None:
    folder = tmp_path / "prompts"
    (tmp_path / "victim.json").write_text("x")
    keep(folder, [worded(prompt, 1)], "x")
    [listed] = folder.glob("of-*.txt")
    listed.write_bytes(b"../victim\n\xff\xfe\nln-00000001\nln-00000001\nln-00000002\nln-00000003\n" + b"x" * 100_000)
    (folder / "ln-00000002.json").mkdir()
    assert prune(folder, "x", 0) == 1
    assert (tmp_path / "victim.json").exists()
    assert (folder / "ln-00000002.json").is_dir()
    listed.unlink()
    listed.mkdir()
    assert prune(folder, "x", 0) == 0


def test_what_was_asked_survives_the_track(prompt: Prompt, tmp_path: Path) -> None:
    keep(tmp_path, [prompt], "gone")
    changed = song(deep_results(beats__tempo_bpm=90.0), name=f"x {prompt.id}.mp3")
    found = generation_of(changed, {}, tmp_path)
    assert found is not None
    assert found.kept is not None
    assert found.kept.asked.tempo_bpm == pytest.approx(124.2)
    assert found.summary.startswith(f"{sum(row.verdict == CLOSE for row in found.rows)} of ")
    json.dumps(found.told(), allow_nan=False)


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("schema", 99),
        ("id", "ln-00000000"),
        ("style", None),
        ("asked", None),
        ("asked", {"tempo_bpm": 1}),
    ],
)
def test_a_broken_file_is_none(prompt: Prompt, tmp_path: Path, change: str, value: JSON) -> None:
    keep(tmp_path, [prompt], "x")
    path = tmp_path / f"{prompt.id}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {change: value}))
    assert read_kept(tmp_path, prompt.id) is None
    found = generation_of(song(name=f"{prompt.id}.wav"), {}, tmp_path)
    assert found is not None
    assert found.kept is None
    assert found.rows == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tempo_bpm", "fast"),
        ("tempo_bpm", -3),
        ("tempo_bpm", True),
        ("key", "H major"),
        ("arc_lu", [1, 2]),
        ("tags", [1]),
        ("tags", ["x" * 999]),
        ("duration_s", 1e30),
    ],
)
def test_numbers_that_make_no_sense_are_refused(prompt: Prompt, tmp_path: Path, field: str, value: JSON) -> None:
    keep(tmp_path, [prompt], "x")
    path = tmp_path / f"{prompt.id}.json"
    tree = json.loads(path.read_text())
    path.write_text(json.dumps(tree | {"asked": tree["asked"] | {field: value}}))
    assert read_kept(tmp_path, prompt.id) is None


def test_hostile_files_and_ids(prompt: Prompt, tmp_path: Path) -> None:
    for name in ("../secret", "ln-../../x", ""):
        assert read_kept(tmp_path, name) is None
    for content in (b"", b"{", b"[" * 100_000, b'"' + b"x" * 100_000 + b'"'):
        (tmp_path / f"{prompt.id}.json").write_bytes(content)
        assert read_kept(tmp_path, prompt.id) is None
    (tmp_path / f"{prompt.id}.json").unlink()
    keep(tmp_path, [prompt], HOSTILE)
    kept = read_kept(tmp_path, prompt.id)
    assert kept is not None
    assert "\u202e" not in kept.track


def test_the_source_itself_is_close_in_all(prompt: Prompt) -> None:
    found = rows(prompt, deep_results())
    assert {row.verdict for row in found.values()} == {CLOSE}
    assert set(found) == {"Tempo", "Key", "Beats a bar", "Length", "Sections", "Loudness arc", "Voice", "Tags"}


@pytest.mark.parametrize(
    ("bpm", "verdict", "remark"),
    [
        (124.2, CLOSE, ""),
        (128.0, CLOSE, ""),
        (131.0, OFF, "+5 %"),
        (62.0, OFF, "half tempo"),
        (248.0, OFF, "double tempo"),
        (186.0, OFF, "three halves of the tempo"),
        (None, UNKNOWN, "no beat was found"),
    ],
)
def test_tempo(prompt: Prompt, bpm: float | None, verdict: str, remark: str) -> None:
    row = rows(prompt, deep_results(beats__tempo_bpm=bpm))["Tempo"]
    assert (row.verdict, row.remark) == (verdict, remark)


@pytest.mark.parametrize(
    ("key", "verdict", "remark"),
    [
        ("Bb minor", CLOSE, ""),
        ("Db major", OFF, "relative key"),
        ("Bb major", OFF, "parallel key"),
        ("F minor", OFF, "a fifth apart"),
        ("E major", OFF, ""),
        (None, UNKNOWN, "no key"),
    ],
)
def test_key(prompt: Prompt, key: str | None, verdict: str, remark: str) -> None:
    row = rows(prompt, deep_results(key__name=key))["Key"]
    assert row.verdict == verdict
    assert row.remark.startswith(remark)


def test_keys_are_related_both_ways() -> None:
    assert related("A minor", "C major") == related("C major", "A minor") != ""
    assert related("G major", "C major") == related("C major", "G major") != ""


def test_length_and_sections(prompt: Prompt) -> None:
    assert rows(prompt, deep_results(source__duration_s=130.0))["Length"].verdict == CLOSE
    longer = rows(prompt, deep_results(source__duration_s=180.0))["Length"]
    assert (longer.verdict, longer.remark) == (OFF, "+50 %")
    one = {name: result for name, result in deep_results().items() if name != "sections"}
    assert rows(prompt, one)["Sections"].verdict == OFF
    assert rows(prompt, deep_results(beats__metre=3))["Beats a bar"].verdict == OFF


def test_the_arc_is_compared_by_its_shape(prompt: Prompt) -> None:
    same = by_second(tuple(0.6 * level - 3 for level in LEVELS_LUFS))
    assert rows(prompt, deep_results(loudness__short_term_lufs=same))["Loudness arc"].verdict == CLOSE
    upside_down = by_second(tuple(-36.0 - level for level in LEVELS_LUFS))
    row = rows(prompt, deep_results(loudness__short_term_lufs=upside_down))["Loudness arc"]
    assert row.verdict == OFF
    assert "correlation −" in row.remark
    assert rows(prompt, deep_results(loudness__short_term_lufs=np.empty(0)))["Loudness arc"].verdict == UNKNOWN


def test_two_flat_tracks_are_alike() -> None:
    flat = (0.0,) * 16
    asked = Asked(None, None, None, None, None, flat, None, ())
    results = fast_results(loudness__short_term_lufs=by_second((-14.0, -14.5, -14.0, -13.5, -14.0)))
    [row] = compared(asked, results)
    assert row.verdict == CLOSE


def test_what_only_models_hear_is_unknown_before_they_listen(prompt: Prompt) -> None:
    found = rows(prompt, fast_results() | {"tags": replace(deep_results()["tags"], names=())})
    assert found["Voice"].verdict == found["Tags"].verdict == UNKNOWN
    assert found["Tempo"].verdict == CLOSE


def test_tags_that_are_missing_are_named(prompt: Prompt) -> None:
    results = deep_results()
    other = replace(results["tags"], statuses=("suppressed",) * 8)
    row = rows(prompt, results | {"tags": other})["Tags"]
    assert row.verdict == OFF
    assert "techno" in row.remark
    assert rows(prompt, deep_results(vocals__present=False))["Voice"].verdict == OFF
