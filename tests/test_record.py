"""What is written comes back, in the same bytes every time and at most 64 KB; what no longer fits is dropped."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from processor import record
from processor.errors import RecordError, RecordTooNew
from processor.quantities import quantity
from processor.record import (
    ARRAYS_NAME,
    DECIMALS,
    MAX_INLINE_VALUES,
    MAX_JSON_BYTES,
    RECORD_NAME,
    SCHEMA,
    Failure,
    Record,
    plain,
    read,
    to_bytes,
    write,
)

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Thing:
    """A result with a field of every type."""

    level_db: float = quantity("dB", label="Level", source="made up", help="A number.")
    maybe_db: float | None = quantity("dB", label="Maybe", source="made up", help="A number or none.")
    count: int = quantity("", label="Count", source="made up", help="A count.")
    word: str = quantity("", label="Word", source="made up", help="A word.")
    flag: bool = quantity("", label="Flag", source="made up", help="Yes or no.")
    each_db: tuple[float | None, ...] = quantity("dB", label="Each", source="made up", help="Numbers.")
    words: tuple[str, ...] = quantity("", label="Words", source="made up", help="Words.")
    curve: Vector = quantity("dB", label="Curve", source="made up", help="Many numbers.")
    table: Vector | None = quantity("dB", label="Table", source="made up", help="Rows of numbers, or none.")


@dataclass(frozen=True)
class Small:
    """A result of one number."""

    value: float = quantity("", label="Value", source="made up", help="A number.")


@dataclass(frozen=True)
class SmallNext:
    """What `Small` is in the next version of its analyser."""

    value: float = quantity("", label="Value", source="made up", help="A number.")
    more: float = quantity("", label="More", source="made up", help="Another number.")


@dataclass(frozen=True)
class Names:
    names: tuple[str | None, ...] = quantity("", label="Names", source="test", help="Many.")
    numbers: tuple[int, ...] = quantity("", label="Numbers", source="test", help="Many.")


THING = Thing(-3.5, None, 3, "ü", True, (1.0, None), ("a", "b"), np.array([0.0, 1.5]), None)
TYPES: dict[str, type] = {"thing": Thing, "small": Small}


def recorded(**results: Any) -> Record:
    return Record("track", "ab" * 32, "song.wav", results, {name: f"key of {name}" for name in results})


def written(one: Record, folder: Path) -> dict[str, Any]:
    write(one, folder)
    tree: dict[str, Any] = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
    return tree


def rewritten(folder: Path, **changes: Any) -> Path:
    """Change the top of a record's JSON by hand."""
    tree = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
    (folder / RECORD_NAME).write_text(json.dumps({**tree, **changes}), encoding="utf-8")
    return folder


def same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    for name in one.__dataclass_fields__:
        mine, its = getattr(one, name), getattr(other, name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_allclose(its, mine, rtol=0, atol=0.6 * 10**-DECIMALS)
            assert its.shape == mine.shape
        elif isinstance(mine, float):
            assert its == pytest.approx(mine, rel=1e-12, abs=0.6 * 10**-DECIMALS)
            assert isinstance(its, float)
        elif name == "each_db":
            gaps = [(a is None, b is None) for a, b in zip(mine, its, strict=True)]
            assert all(a == b for a, b in gaps)
            assert [b or 0.0 for b in its] == pytest.approx(
                [a or 0.0 for a in mine], rel=1e-12, abs=0.6 * 10**-DECIMALS
            )
        else:
            assert its == mine
            assert type(its) is type(mine)


FLOATS = st.floats(-1e9, 1e9)
CURVES = st.lists(st.floats(-1e6, 1e6) | st.just(math.nan), max_size=40).map(
    lambda values: np.array(values, np.float64)
)
THINGS = st.builds(
    Thing,
    level_db=FLOATS,
    maybe_db=st.none() | FLOATS,
    count=st.integers(0, 2**53),
    word=st.text(st.characters(codec="utf-8"), max_size=20),
    flag=st.booleans(),
    each_db=st.lists(st.none() | FLOATS, max_size=5).map(tuple),
    words=st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=3).map(tuple),
    curve=CURVES,
    table=st.none() | CURVES.map(lambda values: np.stack([values, values])),
)


class TestRoundTrip:
    @settings(max_examples=60)
    @given(THINGS, st.text(max_size=20))
    def test_what_is_written_comes_back(
        self, tmp_path_factory: pytest.TempPathFactory, thing: Thing, reason: str
    ) -> None:
        folder = tmp_path_factory.mktemp("record")
        reason = reason.encode("utf-8", "replace").decode()
        failures = {"small": Failure("failed", reason)}
        one = replace(recorded(thing=thing), keys={"thing": "1", "small": "2"}, failures=failures)
        write(one, folder)
        back = read(folder, TYPES)
        assert replace(back, results={}) == replace(one, results={})
        same(thing, back.results["thing"])

    def test_numbers_of_numpy_stay_what_they_are(self, tmp_path: Path) -> None:
        numbers: dict[str, Any] = {
            "level_db": np.float32(0.5),
            "count": np.int64(3),
            "flag": np.bool_(True),
            "each_db": (np.float64(1.5),),
        }
        tree = written(recorded(thing=replace(THING, **numbers)), tmp_path)
        values = tree["results"]["thing"]
        assert (values["level_db"], values["count"], values["flag"], values["each_db"]) == (0.5, 3, True, [1.5])
        assert read(tmp_path, TYPES).results["thing"].count == 3

    def test_a_whole_number_of_a_float_field_stays_a_float(self, tmp_path: Path) -> None:
        write(recorded(small=Small(3)), tmp_path)
        value = read(tmp_path, TYPES).results["small"].value
        assert (value, type(value)) == (3.0, float)

    def test_the_last_bit_and_the_sign_of_zero_are_no_difference(self) -> None:
        assert to_bytes(recorded(small=Small(-0.0))) == to_bytes(recorded(small=Small(0.0)))
        assert to_bytes(recorded(small=Small(-1e-9))) == to_bytes(recorded(small=Small(0.0)))
        assert to_bytes(recorded(small=Small(0.1 + 0.2))) == to_bytes(recorded(small=Small(0.3)))

    def test_nor_is_the_last_bit_of_a_long_curve(self) -> None:
        one, other = (recorded(thing=replace(THING, curve=np.full(1000, value))) for value in (0.1 + 0.2, 0.3))
        assert to_bytes(one)[1] is not None
        assert to_bytes(one) == to_bytes(other)

    def test_what_is_not_a_number_is_null(self) -> None:
        assert plain(Small(math.nan)) == {"value": None}
        assert plain(Small(math.inf)) == {"value": None}
        assert plain(replace(THING, curve=np.array([1.0, math.nan])))["curve"] == [1.0, None]

    def test_the_same_record_is_the_same_bytes_at_any_time(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = recorded(thing=replace(THING, curve=np.linspace(0, 1, MAX_INLINE_VALUES + 1)))
        before = to_bytes(one)
        later = time.localtime(time.time() + 4e7)
        monkeypatch.setattr(time, "localtime", lambda *_: later)
        monkeypatch.setattr(time, "time", lambda: 2e9)
        assert to_bytes(one) == before
        write(one, tmp_path / "a")
        write(read(tmp_path / "a", TYPES), tmp_path / "b")
        for name in (RECORD_NAME, ARRAYS_NAME):
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name

    def test_it_names_no_folder_and_no_time(self, tmp_path: Path) -> None:
        tree = written(recorded(small=Small(1.0)), tmp_path)
        assert set(tree) == {"schema", "kind", "sha256", "name", "results", "keys", "failures"}


class TestCurves:
    def test_short_ones_stay_and_long_ones_go_beside(self, tmp_path: Path) -> None:
        short, long = np.arange(MAX_INLINE_VALUES) / 7, np.arange(MAX_INLINE_VALUES + 1) / 7
        tree = written(recorded(thing=replace(THING, curve=short, table=np.stack([long, long]))), tmp_path)
        assert len(tree["results"]["thing"]["curve"]) == MAX_INLINE_VALUES
        assert tree["results"]["thing"]["table"] == {"array": "thing.table"}
        back = read(tmp_path, TYPES).results["thing"]
        np.testing.assert_allclose(back.curve, short, atol=1e-6)
        np.testing.assert_allclose(back.table, [long, long], atol=1e-6)

    def test_the_largest_go_until_the_rest_fits(self, tmp_path: Path) -> None:
        random = np.random.default_rng(1)
        things = {f"thing{n}": replace(THING, curve=random.normal(size=400 + n)) for n in range(20)}
        tree = written(recorded(**things), tmp_path)
        moved = [name for name, values in tree["results"].items() if isinstance(values["curve"], dict)]
        assert (tmp_path / RECORD_NAME).stat().st_size <= MAX_JSON_BYTES
        assert moved == [f"thing{n}" for n in range(20 - len(moved), 20)]
        assert 0 < len(moved) < 20
        back = read(tmp_path, dict.fromkeys(things, Thing))
        for name, thing in things.items():
            same(thing, back.results[name])

    def test_without_curves_they_are_empty(self, tmp_path: Path) -> None:
        write(recorded(thing=replace(THING, curve=np.zeros(1000))), tmp_path)
        (tmp_path / ARRAYS_NAME).write_bytes(b"not looked at")
        thing = read(tmp_path, TYPES, curves=False).results["thing"]
        assert thing.curve.size == 0
        assert thing.level_db == THING.level_db

    def test_long_lists_go_beside_too_and_come_back_as_they_were(self, tmp_path: Path) -> None:
        names = tuple(f"C:maj{n}" for n in range(4000))
        tree = written(recorded(names=Names(names, tuple(range(4000)))), tmp_path)
        assert tree["results"]["names"] == {"names": {"array": "names.names"}, "numbers": {"array": "names.numbers"}}
        assert read(tmp_path, {"names": Names}).results["names"] == Names(names, tuple(range(4000)))
        assert read(tmp_path, {"names": Names}, curves=False).results["names"] == Names((), ())

    def test_short_lists_and_those_with_gaps_stay(self, tmp_path: Path) -> None:
        names = (None, *(f"C{n}" for n in range(MAX_INLINE_VALUES)))
        tree = written(recorded(names=Names(names, (1,) * MAX_INLINE_VALUES)), tmp_path)
        assert tree["results"]["names"] == {"names": list(names), "numbers": [1] * MAX_INLINE_VALUES}
        assert read(tmp_path, {"names": Names}).results["names"].names == names

    def test_a_list_that_is_not_there_leaves_the_result_out(self, tmp_path: Path) -> None:
        write(recorded(names=Names(("a",) * 1000, ()), small=Small(1.0)), tmp_path)
        (tmp_path / ARRAYS_NAME).unlink()
        assert read(tmp_path, {"names": Names, "small": Small}).results == {"small": Small(1.0)}

    def test_arrays_that_are_no_longer_needed_go(self, tmp_path: Path) -> None:
        write(recorded(thing=replace(THING, curve=np.zeros(1000))), tmp_path)
        assert (tmp_path / ARRAYS_NAME).is_file()
        write(recorded(thing=THING), tmp_path)
        assert not (tmp_path / ARRAYS_NAME).exists()

    def test_no_record_is_larger_than_it_may_be(self) -> None:
        fits = replace(THING, word="x" * (MAX_JSON_BYTES - 2000))
        content, arrays = to_bytes(recorded(thing=fits))
        assert MAX_JSON_BYTES - 2000 < len(content) <= MAX_JSON_BYTES
        assert arrays is None  # nothing moves out without need
        with pytest.raises(RecordError, match=f"at most {MAX_JSON_BYTES} are allowed"):
            to_bytes(recorded(thing=replace(THING, word="x" * MAX_JSON_BYTES)))

    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY", b"PK\x05\x06" + bytes(18)])
    def test_broken_arrays_are_told(self, content: bytes, tmp_path: Path) -> None:
        write(recorded(thing=replace(THING, curve=np.zeros(1000)), small=Small(1.0)), tmp_path)
        (tmp_path / ARRAYS_NAME).write_bytes(content)
        try:
            back = read(tmp_path, TYPES)
        except RecordError:
            return
        assert set(back.results) == {"small"}

    def test_missing_arrays_cost_only_what_they_held(self, tmp_path: Path) -> None:
        write(recorded(thing=replace(THING, curve=np.zeros(1000)), small=Small(1.0)), tmp_path)
        (tmp_path / ARRAYS_NAME).unlink()
        back = read(tmp_path, TYPES)
        assert set(back.results) == set(back.keys) == {"small"}

    def test_arrays_hold_no_programs(self, tmp_path: Path) -> None:
        write(recorded(thing=replace(THING, curve=np.zeros(1000))), tmp_path)
        arrays: dict[str, Any] = {"thing.curve": np.array([print], dtype=object)}
        np.savez(tmp_path / ARRAYS_NAME, **arrays)
        with pytest.raises(RecordError, match="is not a record"):
            read(tmp_path, TYPES)


@dataclass(frozen=True)
class Heard:
    """A result with text and half-precision numbers as curves."""

    classes: NDArray[np.str_] = quantity("", label="Classes", source="made up", help="Names.")
    scores: NDArray[np.float16] = quantity("", label="Scores", source="made up", help="Numbers.")
    short: Vector = quantity("", label="Short", source="made up", help="A few numbers.")


class TestSomeCurves:
    def written(self, folder: Path) -> None:
        scores = np.linspace(0, 1, MAX_INLINE_VALUES + 1).astype(np.float16)
        heard = Heard(np.array(["Singing", "Drum, kick"]), scores, np.array([0.5, np.nan]))
        write(Record("track", "0" * 64, "a.wav", {"heard": heard}, {"heard": "k"}), folder)

    def test_text_and_half_precision_come_back_as_they_were(self, tmp_path: Path) -> None:
        self.written(tmp_path)
        found = read(tmp_path, {"heard": Heard}).results["heard"]
        assert found.classes.tolist() == ["Singing", "Drum, kick"]
        assert found.scores.dtype == np.float16
        assert found.scores[-1] == 1.0

    def test_text_never_stands_in_the_record_itself(self, tmp_path: Path) -> None:
        self.written(tmp_path)
        assert b"Singing" not in (tmp_path / RECORD_NAME).read_bytes()

    def test_curves_are_read_by_name_from_either_file(self, tmp_path: Path) -> None:
        self.written(tmp_path)
        found = record.read_curves(tmp_path, ["heard.scores", "heard.short", "heard.nothing", "other.curve"])
        assert sorted(found) == ["heard.scores", "heard.short"]
        assert found["heard.scores"].size == MAX_INLINE_VALUES + 1
        assert found["heard.short"][0] == 0.5
        assert np.isnan(found["heard.short"][1])

    def test_what_is_outside_and_gone_is_left_out(self, tmp_path: Path) -> None:
        self.written(tmp_path)
        (tmp_path / ARRAYS_NAME).unlink()
        assert sorted(record.read_curves(tmp_path, ["heard.scores", "heard.short"])) == ["heard.short"]

    @pytest.mark.parametrize("content", [b"", b"[]", b'{"results": 3}', b'{"results": {"heard": 3}}', b"\xff"])
    def test_what_is_no_record_is_told(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / RECORD_NAME).write_bytes(content)
        with pytest.raises(RecordError, match="not a record"):
            record.read_curves(tmp_path, ["heard.short"])

    def test_broken_arrays_are_told(self, tmp_path: Path) -> None:
        self.written(tmp_path)
        (tmp_path / ARRAYS_NAME).write_bytes(b"PK\x03\x04 torn")
        with pytest.raises(RecordError, match="not a record"):
            record.read_curves(tmp_path, ["heard.scores"])


class TestWhatNoLongerFits:
    def test_an_analyser_that_is_gone_takes_its_key_along(self, tmp_path: Path) -> None:
        one = replace(recorded(small=Small(1.0), thing=THING), failures={"gone": Failure("failed", "x")})
        write(replace(one, keys={**one.keys, "gone": "1", "off": "2"}), tmp_path)
        back = read(tmp_path, {"small": Small})
        assert set(back.results) == set(back.keys) == {"small"}
        assert back.failures == {}

    def test_a_class_with_another_field_drops_the_result(self, tmp_path: Path) -> None:
        write(recorded(small=Small(1.0)), tmp_path)
        assert read(tmp_path, {"small": SmallNext}).results == {}
        write(recorded(small=SmallNext(1.0, 2.0)), tmp_path)
        back = read(tmp_path, TYPES)
        assert (back.results, back.keys) == ({}, {})

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("level_db", "loud"),
            ("level_db", None),
            ("level_db", True),
            ("count", 1.5),
            ("count", True),
            ("word", 3),
            ("flag", 1),
            ("each_db", 3),
            ("each_db", ["x"]),
            ("words", [None]),
            ("curve", "x"),
            ("curve", None),
            ("curve", {"array": "elsewhere"}),
            ("curve", [[1.0], [1.0, 2.0]]),
            ("curve", {}),
        ],
    )
    def test_a_value_of_the_wrong_type_drops_the_result(self, field: str, value: Any, tmp_path: Path) -> None:
        tree = written(recorded(thing=THING, small=Small(1.0)), tmp_path)
        tree["results"]["thing"][field] = value
        back = read(rewritten(tmp_path, results=tree["results"]), TYPES)
        assert set(back.results) == set(back.keys) == {"small"}

    @pytest.mark.parametrize("values", [None, 3, "x", []])
    def test_a_result_that_is_none_is_dropped(self, values: Any, tmp_path: Path) -> None:
        tree = written(recorded(thing=THING, small=Small(1.0)), tmp_path)
        tree["results"]["thing"] = values
        assert set(read(rewritten(tmp_path, results=tree["results"]), TYPES).results) == {"small"}


class TestSchemas:
    def test_a_newer_one_is_refused_in_words(self, tmp_path: Path) -> None:
        write(recorded(small=Small(1.0)), tmp_path)
        with pytest.raises(RecordTooNew, match=f"schema is {SCHEMA + 1}.*install a newer one") as caught:
            read(rewritten(tmp_path, schema=SCHEMA + 1), TYPES)
        assert str(tmp_path) in str(caught.value)

    def test_older_ones_go_up_step_by_step(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(recorded(small=Small(1.0)), tmp_path)
        steps: list[int] = []

        def step(number: int) -> Any:
            def upgrade(tree: dict[str, Any]) -> dict[str, Any]:
                assert tree["schema"] == number
                steps.append(number)
                value = tree["results"]["small"]["value"] * 10
                return {**tree, "results": {"small": {"value": value}}}

            return upgrade

        monkeypatch.setattr(record, "SCHEMA", SCHEMA + 3)
        monkeypatch.setattr(record, "UPGRADES", {SCHEMA + n: step(SCHEMA + n) for n in range(3)})
        assert read(tmp_path, TYPES).results["small"] == Small(1000.0)
        assert steps == [SCHEMA, SCHEMA + 1, SCHEMA + 2]
        steps.clear()
        read(rewritten(tmp_path, schema=SCHEMA + 2), TYPES)
        assert steps == [SCHEMA + 2]

    def test_there_is_a_step_from_every_older_schema(self) -> None:
        assert sorted(record.UPGRADES) == list(range(1, SCHEMA))

    @pytest.mark.parametrize(
        "content",
        [
            *(b"", b"{", b"[]", b"3", b"null", b"{}", b"\xff\xfe", b"[" * 100_000),
            *(b'{"schema": 0}', b'{"schema": "1"}', b'{"schema": true}', b'{"schema": 1}'),
            b'{"schema": 1, "results": [], "failures": {}, "keys": {}}',
            b'{"schema": 1, "results": {}, "failures": {"small": 3}, "keys": {}}',
        ],
    )
    def test_what_is_no_record_is_told_with_its_path(self, content: bytes, tmp_path: Path) -> None:
        (tmp_path / RECORD_NAME).write_bytes(content)
        with pytest.raises(RecordError) as caught:
            read(tmp_path, TYPES)
        assert str(tmp_path / RECORD_NAME) in str(caught.value)

    def test_a_missing_record_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(RecordError, match=RECORD_NAME):
            read(tmp_path, TYPES)

    def test_the_arrays_are_there_before_the_record_points_at_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order: list[str] = []
        monkeypatch.setattr(record, "write_atomically", lambda path, content: order.append(path.name))
        write(recorded(thing=replace(THING, curve=np.zeros(1000))), tmp_path)
        assert order == [ARRAYS_NAME, RECORD_NAME]
