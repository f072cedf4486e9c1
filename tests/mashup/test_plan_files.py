"""Plans as files: what is written is read, and what makes no sense is refused by name."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.feedback.equaliser import Band
from processor.mashup.plan import Cut, Fit, Grid, Plan, PlanError, Rejection, duration_s, time_map
from processor.mashup.plan_checks import LONGEST_S, MOST_BEATS, MOST_CUTS, MOST_SEGMENTS, validate
from processor.mashup.plan_files import from_json, from_toml, to_json, to_toml
from tests.mashup.heard import a_plan, grid

FULL = a_plan(
    vocal_bands=(Band("low shelf", 60.0, -12.0, 0.7), Band("bell", 2500.0, 1.5, 1.0)),
    instrumental_bands=(Band("high shelf", 8000.0, -1.0, 0.7),),
    rejections=(Rejection("shift 0", "harmonic fit 0.31 against 0.72."),),
    corrections=("Turned down by 1 dB.",),
    chosen_by="person",
    stretcher="pyrubberband",
)
BARE = a_plan(duck=None, gate_below_lufs=None, reasons=(), fit=Fit(0.0, None, None, None, None, None))


@pytest.mark.parametrize("plan", [FULL, BARE, a_plan()])
def test_what_is_written_is_read(plan: Plan) -> None:
    assert from_toml(to_toml(plan)) == plan
    assert to_toml(from_toml(to_toml(plan))) == to_toml(plan)


@pytest.mark.parametrize("plan", [FULL, BARE, a_plan()])
def test_json_is_read_as_well(plan: Plan) -> None:
    told = to_json(plan)
    for text in (json.dumps(told), json.dumps({"plan": told, "measured": {"tempo_bpm": 1}}, indent=1)):
        found = from_json(text)
        for side in ("vocals", "instrumental"):
            beats = [getattr(one, side).grid.beats_s for one in (found, plan)]
            assert beats[0] == pytest.approx(beats[1], abs=0.5e-4)
        same = {
            side: replace(getattr(found, side), grid=getattr(plan, side).grid) for side in ("vocals", "instrumental")
        }
        assert replace(found, **same) == plan


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("{}", "is missing"),
        ('{"plan": 7}', "an object"),
        (json.dumps({**to_json(FULL), "cuts": 7}), "cuts has to be a list"),
        (json.dumps({**to_json(FULL), "tempo": 7}), "no `tempo`"),
        (json.dumps({**to_json(FULL), "tempo_bpm": math.nan}), "finite"),
        (json.dumps({**to_json(FULL), "target_lufs": None}), "`target_lufs` is missing"),
    ],
)
def test_json_that_is_no_plan_is_refused(text: str, told: str) -> None:
    with pytest.raises(PlanError, match=told):
        from_json(text)


@given(
    st.floats(-12, 12),
    st.lists(st.floats(0.1, 2.9), min_size=60, max_size=90),
    st.text(max_size=50),
)
@settings(max_examples=30, deadline=None)
def test_every_float_and_every_text_comes_back(shift: float, steps: list[float], name: str) -> None:
    beats = [0.0]
    for step in steps:
        beats.append(beats[-1] + 0.4 + step / 100)
    plan = a_plan(vocal_shift_semitones=shift, name=name)
    plan = replace(plan, vocals=replace(plan.vocals, grid=Grid(tuple(beats), 0, 4, 140.0)))
    plan = replace(plan, segments=tuple(replace(one, extra_semitones=0.0) for one in plan.segments))
    assert from_toml(to_toml(plan)) == plan


def test_half_a_character_becomes_a_whole_one() -> None:
    assert from_toml(to_toml(a_plan(name="a\ud800b"))).name == "a?b"


def test_a_file_is_there_to_be_read() -> None:
    text = to_toml(FULL)
    assert text.startswith("# A mashup")
    assert "tempo_bpm = 100.0\n" in text
    assert text.index("[[segments]]") < text.index("[vocals.grid]")
    beats = text[text.index("[vocals.grid]") :]
    assert max(len(line) for line in beats.splitlines()) <= 120
    told = [line for line in text.splitlines() if line.startswith("#")]
    assert len(told) >= 15
    assert max(len(line) for line in told) <= 120


def test_json_is_plain_and_says_when() -> None:
    found = to_json(FULL)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["tempo_bpm"] == 100.0
    assert found["vocal_shift_semitones"] == 2.07
    assert found["target_lufs"] == -14.0
    assert found["duration_s"] == pytest.approx(duration_s(FULL))
    assert found["segments"][0]["mashup_start_s"] == pytest.approx(time_map(FULL, FULL.segments[0])[1][0])
    assert found["cuts"][1]["mashup_start_s"] == pytest.approx(64 * 0.6)
    assert found["vocals"]["grid"]["beats_s"][0] == 0.1235


# What a person may do wrong, or an attacker

HOSTILE = [
    ("tempo_bpm = 100.0", "tempo_bpm = -100.0", r"tempo_bpm = -100.*20 to 400"),
    ("tempo_bpm = 100.0", "tempo_bpm = 1e99", r"tempo_bpm.*20 to 400"),
    ("tempo_bpm = 100.0", "tempo_bpm = nan", r"tempo_bpm.*finite"),
    ("tempo_bpm = 100.0", "tempo_bpm = true", r"tempo_bpm has to be a number"),
    ("tempo_bpm = 100.0", f"tempo_bpm = 1{'0' * 400}", r"tempo_bpm.*finite"),
    ("tempo_bpm = 100.0", f"tempo_bpm = 1{'0' * 5000}", r"no TOML"),
    ("tempo_bpm = 100.0", 'tempo_bpm = "fast"', r"tempo_bpm has to be a number"),
    ("tempo_bpm = 100.0", "", r"`tempo_bpm` is missing"),
    ("tempo_bpm = 100.0", "tempo = 100.0", r"no `tempo`; did you mean `tempo_bpm`"),
    ("tempo_bpm = 100.0", "tempo_bpm = 300.0", r"tempo_bpm = 300 is too far from the instrumental's 100"),
    ("vocal_shift_semitones = 2.07", "vocal_shift_semitones = 13", r"vocal_shift_semitones = 13.*-12 to 12"),
    ("vocal_shift_semitones = 2.07", "vocal_shift_semitones = 11.5", r"segment 2.*shifted by more than 12"),
    ("vocal_beats_per_beat = 1.0", "vocal_beats_per_beat = 3", r"vocal_beats_per_beat = 3: it has to be 0.5, 1 or 2"),
    ("format = 1", "format = 2", r"reads format = 1"),
    ("format = 1", "format = true", r"reads format = 1"),
    ("format = 1", "", r"reads format = 1"),
    ("beat = 48", "beat = 20", r"segment 2.*before segment 1"),
    ("beat = 48", "beat = 4000", r"segment 2.*beat = 4000: the mashup has beats 0 to 128"),
    ("beat = 48", "beat = -3", r"segment 2.*beat = -3"),
    ("beat = 48", "beat = 1.5", r"segments 2.beat has to be a whole number"),
    ("beat = 48", "beat = 120", r"segment 2.*lasts from 0 to"),
    ("vocal_beat = 21", "vocal_beat = 100000", r"vocal_beat = 100000: the vocals have beats"),
    ("end_s = 20.0", "end_s = 2e9", r"segment 2.*has to lie within"),
    ("end_s = 20.0", "end_s = 12.1", r"segment 2.*end_s"),
    ("end_s = 20.0", "end_s = 12.3", r"segment 2.*fades are longer"),
    ("start_s = 12.1", "start_s = -1", r"segment 2.*has to lie within"),
    ("gain_db = 0.5", "gain_db = 400", r"segment 2.*gain_db = 400.*-60 to 60"),
    ("first_beat = 32", "first_beat = 96", r"cut 2: from beat 96 to 96"),
    ("end_beat = 96", "end_beat = 1000", r"cut 2.*within 0 to 134"),
    ('layers = ["drums", "other"]', 'layers = ["../../etc/passwd"]', r"layers: '../../etc/passwd' is no name"),
    ('layers = ["drums", "other"]', "layers = []", r"layers: there are 0"),
    ('layers = ["drums", "other"]', 'layers = ["a", "a"]', r"named twice"),
    ('layers = ["drums", "other"]', "layers = 7", r"instrumental.layers has to be a list"),
    ('name = "plays-2"', 'name = "../../etc"', r"instrumental: name has to be"),
    ('name = "plays-2"', 'name = ".."', r"instrumental: name has to be"),
    ('label = "chorus 1"', 'label = "a\\u001b[2J"\nbeats = 3', r"segments 2: there is no `beats`; did you mean `beat`"),
    ('key = "A minor"', 'key = "H dorian"', r"vocals: key: 'H dorian' is no key"),
    (f'sha256 = "{"a" * 64}"', 'sha256 = "zz"', r"vocals: sha256"),
    ("depth_db = 4.0", "depth_db = 4.0\nwidth = 3", r"duck: there is no `width`"),
    ("low_hz = 250.0", "low_hz = 9000.0", r"duck: low_hz = 9000 has to be less"),
    ("gate_below_lufs = -52.5", "gate_below_lufs = 3", r"gate_below_lufs = 3"),
    ("score = 0.66", "score = 66", r"fit: score = 66"),
    ("metre = 4", "metre = 0", r"grid: metre = 0"),
    ("first_downbeat = 1", "first_downbeat = 4", r"first_downbeat = 4: it has to be from 0 to metre"),
    ('kind = "bell"', 'kind = "notch"', r"vocal_bands 2: kind = 'notch'"),
    ("q = 1.0", "q = 0", r"vocal_bands 2: q = 0"),
    ("[[cuts]]", "[cuts]", r"TOML"),
    ("target_lufs = -14.0", "target_lufs = 3.0", r"target_lufs = 3"),
    ("ceiling_dbtp = -1.0", "ceiling_dbtp = inf", r"ceiling_dbtp"),
]


@pytest.mark.parametrize(("old", "new", "said"), HOSTILE)
def test_what_makes_no_sense_is_refused_by_name(old: str, new: str, said: str) -> None:
    text = to_toml(FULL)
    assert old in text
    with pytest.raises(PlanError, match=said):
        from_toml(text.replace(old, new, 1))


def _beats(beats: object) -> Plan:
    plan = a_plan()
    changed: Any = replace(plan.vocals.grid, beats_s=beats)
    return replace(plan, vocals=replace(plan.vocals, grid=changed))


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (_beats((0.0,)), "beats_s: there are 1"),
        (_beats((0.0, 1.0, 0.5, 2.0)), "have to rise"),
        (_beats((0.0, 1e-9, 1.0)), "have to rise"),
        (_beats((0.0, math.inf)), "have to be numbers"),
        (_beats((-1e99, 0.0)), "have to be numbers"),
        (_beats(tuple(float(i) for i in range(MOST_BEATS + 1))), "20,001"),
        (a_plan(cuts=()), "cuts: there are 0"),
        (a_plan(cuts=(Cut(0, 1),) * (MOST_CUTS + 1)), "cuts: there are 501"),
        (a_plan(cuts=(Cut(0, 134),) * 30), f"cuts: the mashup would last 2,412 s; {LONGEST_S:,.0f}"),
        (a_plan(cuts=(Cut(0, 134),) * 200), "more than 20,000 beats"),
        (a_plan(segments=()), "segments: there are 0"),
        (a_plan(segments=a_plan().segments[:1] * (MOST_SEGMENTS + 1)), "segments: there are 501"),
        (a_plan(segments=a_plan().segments[::-1]), "in the order of time"),
        (a_plan(vocal_bands=(Band("bell", 100.0, 1.0, 1.0),) * 17), "vocal_bands: there are 17"),
        (a_plan(name="x" * 5000), "name has 5,000 characters"),
        (a_plan(reasons=("x",) * 501), "reasons: there are 501"),
        (a_plan(vocal_beats_per_beat=0.5), "would become 2.08 times as long; 0.5 to 2 is allowed"),
    ],
)
def test_what_cannot_be_rendered_is_not_written(plan: Plan, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        to_toml(plan)


def test_files_have_an_end() -> None:
    plan = a_plan()
    assert validate(plan, 60.0, 80.5) is plan
    with pytest.raises(PlanError, match=r"segment 2.*has to lie within 0 to 19\.00 s"):
        validate(plan, 19.0, 80.5)
    with pytest.raises(PlanError, match=r"cut 2.*the instrumental ends at 50\.00 s"):
        validate(plan, 60.0, 50.0)


@pytest.mark.parametrize(
    "text",
    ["", "[[[", "a = " + "[" * 5000, "\x00", "x" * 5_000_000, "format = 1\nsegments = 3", "format = 1\n\ud800 = 1"],
)
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(PlanError):
        from_toml(text)


@given(st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_no_line_in_it_breaks_the_reader(junk: str) -> None:
    text = to_toml(BARE)
    for at in (0, text.index("[[segments]]"), len(text)):
        with contextlib.suppress(PlanError):
            assert validate(from_toml(f"{text[:at]}{junk}\n{text[at:]}")).segments == BARE.segments


_LONG = ".".join(["a"] * 200_000)


@pytest.mark.parametrize(
    "text",
    [
        f"{_LONG} = 1",
        f"[{_LONG}]",
        f"x = {{{_LONG} = 1}}",
        _LONG.replace(".", " .\t") + " = 1",
        ".".join(['"\\""'] * 200_000) + " = 1",
        f'x = {{y = """\n"""", {_LONG}.z."" = 1}}',
        f"x = {{y = '''\n''', {_LONG}.z.'' = 1}}",
        f'# "\n{_LONG} = 1 # "',
        f"'\"'.{_LONG}.'\"' = 1",
    ],
)
def test_a_name_of_many_parts_takes_no_time(text: str) -> None:
    with pytest.raises(PlanError, match="ten parts or more"):
        from_toml(text)


@pytest.mark.parametrize("text", ['\\"' * 500_000, '"""' + '\\"""' * 300_000, "a" + " " * 900_000, "'" * 900_000])
def test_texts_that_never_end_take_no_time(text: str) -> None:
    with pytest.raises(PlanError, match="no TOML"):
        from_toml(text)


def test_dots_in_texts_and_comments_are_fine() -> None:
    name = "s.o.m.e.b.o.d.y.s.n.a.m.e"
    assert from_toml(to_toml(a_plan(name=name)) + f"# {name}\n").name == name


def test_what_an_editor_of_windows_adds_is_fine() -> None:
    assert from_toml("\ufeff" + to_toml(FULL).replace("\n", "\r\n")) == FULL


@pytest.mark.parametrize(
    ("line", "said"),
    [("", "no line `format`"), ("format = 2", "format = 2:"), ("format = 0x" + "f" * 5000, "no number of a format")],
)
def test_another_format_is_told(line: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        from_toml(to_toml(BARE).replace("format = 1", line, 1))


def test_many_cuts_and_segments_are_read_quickly() -> None:
    cuts = tuple(Cut(i % 100, i % 100 + 4) for i in range(MOST_CUTS))
    first = a_plan().segments[0]
    segments = tuple(
        replace(first, start_s=1.0, end_s=2.0, vocal_beat=2, beat=4 * i + 2, extra_semitones=0.0)
        for i in range(MOST_SEGMENTS - 1)
    )
    plan = a_plan(
        cuts=cuts,
        segments=segments,
        instrumental=replace(a_plan().instrumental, grid=grid(130.0, 80.0)),
        tempo_bpm=130.0,
    )
    assert from_toml(to_toml(plan)) == plan
