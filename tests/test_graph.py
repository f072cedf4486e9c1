"""Parameters are the edges: what runs, in which order, what runs again, and what a failure costs."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.audio import Audio, from_samples
from processor.errors import ModelError, NotInMemory, WorkspaceError
from processor.graph import (
    MAX_REASON,
    Analyser,
    Equipment,
    Outcome,
    analyser,
    collect,
    deep,
    describe,
    downstream,
    order,
    plan_keys,
    run,
    upstream,
)
from processor.quantities import quantity
from processor.record import Failure
from processor.sidecars import Sidecars

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class One:
    """A result of one number."""

    value: float = quantity("dB", label="Value", source="made up", help="A number.")


@dataclass(frozen=True)
class Mixed:
    """A result with everything that a number can hide in."""

    maybe: float | None = quantity("", label="Maybe", source="made up", help="May be missing.")
    several: tuple[float | None, ...] = quantity("", label="Several", source="made up", help="Some numbers.")
    curve: Vector = quantity("", label="Curve", source="made up", help="Many numbers.")


class Sheet:
    """An intermediate, large enough to be freed."""


calls: list[str] = []


@pytest.fixture(autouse=True)
def _no_calls() -> Iterator[None]:
    calls.clear()
    yield
    calls.clear()


@pytest.fixture
def audio() -> Audio:
    return from_samples(np.zeros((2, 100), np.float32), 8000, key="sound")


@analyser
def source(audio: Audio) -> One:
    calls.append("source")
    return One(float(audio.frames))


@analyser(version=3)
def loudness(audio: Audio, source: One) -> One:
    calls.append("loudness")
    return One(source.value / 2)


@analyser
def advice(loudness: One, tempo: One | None = None) -> One:
    calls.append("advice")
    return One(loudness.value + (1000 if tempo is None else tempo.value))


@analyser
def tempo(audio: Audio, known: Mapping[str, Any]) -> One:
    calls.append("tempo")
    return One(known.get("value", 7.0))


@analyser
def failing(audio: Audio) -> One:
    calls.append("failing")
    raise RuntimeError("no luck")


@analyser
def on_failing(failing: One) -> One:
    calls.append("on_failing")
    return One(1.0)


@analyser
def on_on_failing(on_failing: One) -> One:
    calls.append("on_on_failing")
    return One(1.0)


@analyser
def despite_failing(failing: One | None = None) -> One:
    calls.append("despite_failing")
    return One(0.0 if failing is None else 1.0)


@analyser(keep=False)
def sheet(audio: Audio) -> Sheet:
    calls.append("sheet")
    return Sheet()


@analyser
def first_use(sheet: Sheet) -> One:
    calls.append("first_use")
    return One(1.0)


@analyser
def second_use(sheet: Sheet, first_use: One) -> One:
    calls.append("second_use")
    return One(2.0)


def graph(*functions: Callable[..., Any]) -> dict[str, Analyser]:
    return order({function.__name__: describe(function) for function in functions})


def raised(analysers: Mapping[str, Analyser], name: str) -> dict[str, Analyser]:
    """The same analysers, one of them in its next version."""
    return {**analysers, name: replace(analysers[name], version=analysers[name].version + 1)}


ALL = graph(source, loudness, advice, tempo)


class TestDeclaration:
    def test_an_analyser_stays_a_plain_function(self) -> None:
        assert source(from_samples(np.zeros((1, 5), np.float32), 8000)) == One(5.0)

    def test_it_is_read_off_the_signature(self) -> None:
        read = describe(advice)
        assert (read.name, read.required, read.optional) == ("advice", ("loudness",), ("tempo",))
        assert (read.version, read.keep, read.takes_known, read.result_type) == (1, True, False, One)
        assert describe(loudness).version == 3
        assert describe(tempo).takes_known
        assert describe(tempo).inputs == ("audio",)
        assert not describe(sheet).keep

    def test_a_module_gives_what_is_defined_in_it(self) -> None:
        module = ModuleType(__name__)
        vars(module).update(source=source, loudness=loudness, One=One, number=3)
        elsewhere = ModuleType("elsewhere")
        vars(elsewhere).update(source=source, tempo=tempo)
        assert list(collect([module, elsewhere])) == ["source", "loudness"]

    def test_two_of_one_name_are_refused(self) -> None:
        module = ModuleType(__name__)
        vars(module).update(source=source)
        with pytest.raises(ValueError, match="two analysers are called source"):
            collect([module, module])


class TestOrder:
    def test_each_comes_after_its_inputs_and_else_by_name(self) -> None:
        assert list(ALL) == ["source", "tempo", "loudness", "advice"]
        assert list(graph(advice, tempo, loudness, source)) == list(ALL)
        chain = graph(on_on_failing, on_failing, failing, despite_failing)
        assert list(chain) == ["failing", "despite_failing", "on_failing", "on_on_failing"]

    def test_what_does_not_exist_is_named(self) -> None:
        with pytest.raises(ValueError, match="loudness needs source, which is no analyser"):
            graph(loudness)
        with pytest.raises(ValueError, match="advice needs tempo, which is no analyser"):
            graph(advice, loudness, source)

    def test_a_circle_is_named(self) -> None:
        circle = {
            "a": replace(describe(source), name="a", required=("c",)),
            "b": replace(describe(source), name="b", required=("a",)),
            "c": replace(describe(source), name="c", required=(), optional=("b",)),
            "d": replace(describe(source), name="d"),
        }
        with pytest.raises(ValueError, match="these analysers need each other: a, b, c"):
            order(circle)


class TestRunning:
    def test_results_reach_those_who_need_them(self, audio: Audio) -> None:
        outcome = run(ALL, audio)
        assert outcome.results == {"source": One(100), "tempo": One(7), "loudness": One(50), "advice": One(57)}
        assert calls == ["source", "tempo", "loudness", "advice"]
        assert outcome.failures == {}
        assert set(outcome.keys) == set(outcome.seconds) == set(ALL)
        assert all(seconds >= 0 for seconds in outcome.seconds.values())

    def test_an_optional_input_that_is_off_is_none(self, audio: Audio) -> None:
        outcome = run(ALL, audio, off=["tempo"])
        assert outcome.results["advice"] == One(1050)
        assert "tempo" not in outcome.results | outcome.failures | outcome.keys

    def test_a_required_input_that_is_off_means_skipped(self, audio: Audio) -> None:
        outcome = run(ALL, audio, off=["loudness"])
        assert outcome.failures == {"advice": Failure("skipped", "It needs loudness, which is switched off.")}
        assert set(outcome.results) == {"source", "tempo"}

    def test_a_failure_costs_the_others_nothing(self, audio: Audio) -> None:
        both = graph(source, loudness, failing, on_failing, on_on_failing, despite_failing)
        outcome = run(both, audio)
        why = "which has no result: RuntimeError: no luck"
        assert outcome.results == {"source": One(100), "loudness": One(50), "despite_failing": One(0)}
        assert outcome.failures == {
            "failing": Failure("failed", "RuntimeError: no luck"),
            "on_failing": Failure("skipped", f"It needs failing, {why}"),
            "on_on_failing": Failure("skipped", f"It needs on_failing, which has no result: It needs failing, {why}"),
        }
        assert set(outcome.keys) == set(both)
        assert "on_failing" not in calls

    def test_one_that_wants_all_samples_of_a_stream_is_skipped(self, audio: Audio) -> None:
        @analyser
        def whole(audio: Audio) -> One:
            raise NotInMemory("Too long to hold.")

        outcome = run(graph(whole, source), audio)
        assert outcome.failures == {"whole": Failure("skipped", "Too long to hold.")}
        assert set(outcome.results) == {"source"}

    @pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
    def test_what_is_no_defect_of_the_analyser_passes_through(self, error: type[BaseException], audio: Audio) -> None:
        @analyser
        def greedy(audio: Audio) -> One:
            raise error

        with pytest.raises(error):
            run(graph(greedy, source), audio)

    @pytest.mark.parametrize(
        "result",
        [
            One(float("nan")),
            One(float("inf")),
            One(np.float64("-inf")),
            Mixed(float("nan"), (), np.zeros(1)),
            Mixed(None, (1.0, None, float("nan")), np.zeros(1)),
            Mixed(None, (), np.array([0.0, np.inf])),
        ],
    )
    def test_a_number_that_is_none_is_refused(self, result: object, audio: Audio) -> None:
        @analyser
        def bad(audio: Audio) -> One:
            return result  # type: ignore[return-value]

        failure = run(graph(bad), audio).failures["bad"]
        assert failure.kind == "failed"
        assert failure.reason.startswith("ValueError: ")
        assert "not a number" in failure.reason or "infinite" in failure.reason

    def test_none_and_gaps_in_a_curve_are_fine(self, audio: Audio) -> None:
        @analyser
        def good(audio: Audio) -> Mixed:
            return Mixed(None, (1.0, None), np.array([0.0, np.nan]))

        assert run(graph(good), audio).failures == {}

    def test_a_result_that_is_no_result_is_refused(self, audio: Audio) -> None:
        @analyser
        def loose(audio: Audio) -> One:
            return 3.0  # type: ignore[return-value]

        assert run(graph(loose), audio).failures["loose"].kind == "failed"


class TestIntermediates:
    def test_they_are_shared_and_never_recorded(self, audio: Audio) -> None:
        outcome = run(graph(sheet, first_use, second_use), audio)
        assert calls == ["sheet", "first_use", "second_use"]
        assert set(outcome.results) == set(outcome.keys) == {"first_use", "second_use"}

    def test_they_are_freed_after_their_last_use(self, audio: Audio) -> None:
        alive: list[weakref.ref[Sheet]] = []
        seen: list[bool] = []

        @analyser(keep=False)
        def sheet(audio: Audio) -> Sheet:
            made = Sheet()
            alive.append(weakref.ref(made))
            return made

        @analyser
        def a_use(sheet: Sheet) -> One:
            return One(1.0)

        @analyser
        def b_after(a_use: One) -> One:
            gc.collect()
            seen.append(alive[0]() is not None)
            return One(1.0)

        @analyser
        def c_use(b_after: One, sheet: Sheet) -> One:
            return One(1.0)

        @analyser
        def d_after(c_use: One) -> One:
            gc.collect()
            seen.append(alive[0]() is not None)
            return One(1.0)

        assert run(graph(sheet, a_use, b_after, c_use, d_after), audio).failures == {}
        assert seen == [True, False]

    def test_one_that_nobody_needs_does_not_run(self, audio: Audio) -> None:
        run(graph(sheet, source), audio)
        assert calls == ["source"]

    def test_its_failure_is_told_by_those_who_needed_it(self, audio: Audio) -> None:
        @analyser(keep=False)
        def sheet(audio: Audio) -> Sheet:
            raise RuntimeError("torn")

        outcome = run(graph(sheet, first_use), audio)
        assert outcome.failures == {
            "first_use": Failure("skipped", "It needs sheet, which has no result: RuntimeError: torn")
        }
        assert set(outcome.keys) == {"first_use"}


class TestKeys:
    def keys(
        self, analysers: Mapping[str, Analyser] = ALL, sound: str = "sound", **known: Mapping[str, Any]
    ) -> dict[str, str]:
        return plan_keys(analysers, sound, known, ())

    def changed(self, keys: Mapping[str, str]) -> set[str]:
        before = self.keys()
        return {name for name in before.keys() | keys.keys() if before.get(name) != keys.get(name)}

    def test_the_same_gives_the_same(self) -> None:
        assert self.keys() == self.keys()
        assert len(set(self.keys().values())) == len(ALL)
        assert set(self.keys()) == set(ALL)

    def test_another_sound_changes_all(self) -> None:
        assert self.changed(self.keys(sound="other")) == set(ALL)

    def test_a_version_changes_itself_and_those_who_depend_on_it(self) -> None:
        assert self.changed(self.keys(raised(ALL, "loudness"))) == {"loudness", "advice"}
        assert self.changed(self.keys(raised(ALL, "tempo"))) == {"tempo", "advice"}
        assert self.changed(self.keys(raised(ALL, "source"))) == {"source", "loudness", "advice"}
        assert self.changed(self.keys(raised(ALL, "advice"))) == {"advice"}

    def test_a_persons_word_counts_only_where_it_is_heard(self) -> None:
        assert self.changed(self.keys(tempo={"value": 120.0})) == {"tempo", "advice"}
        assert self.changed(self.keys(loudness={"value": -14.0})) == set()

    def test_switching_off_changes_those_who_would_have_had_it(self) -> None:
        assert self.changed(plan_keys(ALL, "sound", {}, ["tempo"])) == {"tempo", "advice"}

    def test_an_intermediates_version_counts(self) -> None:
        uses = graph(sheet, first_use)
        before, after = plan_keys(uses, "s", {}, ()), plan_keys(raised(uses, "sheet"), "s", {}, ())
        assert before["first_use"] != after["first_use"]


class TestRunningAgain:
    def test_nothing_changed_means_nothing_runs(self, audio: Audio) -> None:
        before = run(ALL, audio)
        calls.clear()
        after = run(ALL, audio, previous=before)
        assert calls == []
        assert (after.results, after.keys, after.failures) == (before.results, before.keys, before.failures)
        assert after.seconds == {}

    def test_a_new_version_runs_itself_and_those_who_depend_on_it(self, audio: Audio) -> None:
        before = run(ALL, audio)
        calls.clear()
        after = run(raised(ALL, "loudness"), audio, previous=before)
        assert calls == ["loudness", "advice"]
        assert set(after.results) == set(ALL)
        assert after.keys["source"] == before.keys["source"]

    def test_a_persons_word_runs_what_hears_it(self, audio: Audio) -> None:
        before = run(ALL, audio)
        calls.clear()
        after = run(ALL, audio, known={"tempo": {"value": 120.0}}, previous=before)
        assert calls == ["tempo", "advice"]
        assert after.results["tempo"] == One(120)
        assert after.results["advice"] == One(170)

    def test_a_failure_is_kept_until_something_changes(self, audio: Audio) -> None:
        both = graph(failing, on_failing)
        before = run(both, audio)
        calls.clear()
        assert run(both, audio, previous=before).failures == before.failures
        assert calls == []
        run(raised(both, "failing"), audio, previous=before)
        assert calls == ["failing"]

    def test_an_intermediate_is_made_again_only_for_those_who_run(self, audio: Audio) -> None:
        uses = graph(sheet, first_use, second_use)
        before = run(uses, audio)
        calls.clear()
        run(uses, audio, previous=before)
        assert calls == []
        after = run(raised(uses, "second_use"), audio, previous=before)
        assert calls == ["sheet", "second_use"]
        assert set(after.results) == {"first_use", "second_use"}

    def test_a_result_that_was_lost_is_made_again(self, audio: Audio) -> None:
        before = run(ALL, audio)
        calls.clear()
        lost = Outcome(
            {name: result for name, result in before.results.items() if name != "source"},
            {},
            {name: key for name, key in before.keys.items() if name != "source"},
        )
        assert run(ALL, audio, previous=lost).results == before.results
        assert calls == ["source"]

    def test_what_is_switched_off_now_is_dropped(self, audio: Audio) -> None:
        before = run(ALL, audio)
        after = run(ALL, audio, off=["tempo"], previous=before)
        assert set(after.results) == set(after.keys) == {"source", "loudness", "advice"}
        assert after.results["advice"] == One(1050)

    def test_an_analyser_that_is_gone_is_dropped(self, audio: Audio) -> None:
        before = run(ALL, audio)
        after = run(graph(source, tempo), audio, previous=before)
        assert set(after.results) == set(after.keys) == {"source", "tempo"}


@analyser(model="ears")
def hearing(audio: Audio, ears: str, progress: Callable[[float], None]) -> One:
    calls.append("hearing")
    progress(1.0)
    return One(float(len(ears)))


@analyser(keep=False)
def heard(hearing: One, sidecars: Sidecars) -> Sheet:
    calls.append("heard")
    assert sidecars is not None
    return Sheet()


@analyser
def after_hearing(heard: Sheet, known: Mapping[str, Any]) -> One:
    calls.append("after_hearing")
    return One(known.get("value", 3.0))


@analyser(model="nose")
def smelling(nose: str, source: One, hearing: One | None = None) -> One:
    calls.append("smelling")
    return One(0.0 if hearing is None else hearing.value)


@analyser
def listening(source: One, hearing: One | None = None, smelling: One | None = None) -> One:
    calls.append("listening")
    return One(10.0 * (hearing is not None) + (smelling is not None))


DEEP = graph(source, hearing, heard, after_hearing, smelling, listening)
BOTH = {"ears": "big ears 1", "nose": "long nose 1"}


def equipped(models: Mapping[str, str] | None = None, **rest: Any) -> Equipment:
    """Models that are their own names, and a place for sound."""
    return Equipment(models if models is not None else BOTH, lambda job: job, Sidecars(Path("nowhere")), **rest)


class TestModels:
    def test_a_model_is_read_off_the_signature(self) -> None:
        read = describe(hearing)
        assert (read.model, read.inputs, read.takes) == ("ears", ("audio",), frozenset({"progress"}))
        assert describe(smelling).inputs == ("source", "hearing")
        assert describe(heard).takes == {"sidecars"}
        assert describe(source).model is None

    def test_a_model_that_is_no_parameter_is_refused(self) -> None:
        @analyser(model="eyes")
        def seeing(audio: Audio) -> One:
            return One(1.0)

        with pytest.raises(ValueError, match="seeing has no parameter eyes for its model"):
            describe(seeing)

    def test_deep_is_what_needs_a_model_or_cannot_do_without_one_that_does(self) -> None:
        assert deep(DEEP) == {"hearing", "heard", "after_hearing", "smelling"}
        assert deep(ALL) == frozenset()

    def test_what_listens_to_what_is_found_through_intermediates(self) -> None:
        assert downstream(DEEP, {"hearing"}) == {"heard", "after_hearing", "smelling", "listening"}
        assert downstream(DEEP, {"listening"}) == frozenset()
        assert upstream(DEEP, {"after_hearing"}) == {"heard", "hearing"}
        assert upstream(DEEP, {"smelling"}) == {"source", "hearing"}
        assert upstream(DEEP, {"source"}) == frozenset()

    def test_without_models_what_is_deep_is_not_there(self, audio: Audio) -> None:
        outcome = run(DEEP, audio)
        assert outcome.results == {"source": One(100), "listening": One(0)}
        assert outcome.failures == {}
        assert set(outcome.keys) == {"source", "listening"}

    def test_with_models_all_runs(self, audio: Audio) -> None:
        shares: list[float] = []
        outcome = run(DEEP, audio, equipment=equipped(progress=shares.append))
        assert outcome.failures == {}
        assert outcome.results == {
            "source": One(100),
            "hearing": One(4),
            "smelling": One(4),
            "after_hearing": One(3),
            "listening": One(11),
        }
        assert calls.count("heard") == 1
        assert shares == [1.0]

    def test_one_model_alone_gives_what_it_can(self, audio: Audio) -> None:
        outcome = run(DEEP, audio, equipment=equipped({"nose": "long nose 1"}))
        assert outcome.results == {"source": One(100), "smelling": One(0), "listening": One(1)}

    def test_a_model_that_cannot_be_loaded_is_the_analysers_failure(self, audio: Audio) -> None:
        def refuse(job: str) -> str:
            raise ModelError(f"There is no\n{job}.")

        outcome = run(DEEP, audio, equipment=Equipment({"ears": "x"}, refuse, Sidecars(Path("nowhere"))))
        assert outcome.failures["hearing"] == Failure("failed", "ModelError: There is no ears.")
        assert outcome.failures["after_hearing"].kind == "skipped"
        assert outcome.results["listening"] == One(0)

    def test_what_a_library_says_in_a_thousand_words_is_cut(self, audio: Audio) -> None:
        @analyser
        def wordy(audio: Audio) -> One:
            raise RuntimeError("words\n" * 10_000)

        assert len(run(graph(wordy), audio).failures["wordy"].reason) == MAX_REASON

    def test_a_full_disk_is_no_matter_of_one_analyser(self, audio: Audio) -> None:
        @analyser
        def writing(audio: Audio) -> One:
            raise WorkspaceError("No space left.")

        with pytest.raises(WorkspaceError):
            run(graph(writing, source), audio)


class TestModelsAgain:
    def test_without_models_what_they_found_stays_and_is_listened_to(self, audio: Audio) -> None:
        before = run(DEEP, audio, equipment=equipped())
        calls.clear()
        after = run(DEEP, audio, previous=before, equipment=Equipment(sidecars=Sidecars(Path("nowhere"))))
        assert calls == []
        assert (after.results, after.keys) == (before.results, before.keys)
        said = {"after_hearing": {"value": 9.0}}
        after = run(DEEP, audio, known=said, previous=before, equipment=Equipment(sidecars=Sidecars(Path("nowhere"))))
        assert calls == ["heard", "after_hearing"]
        assert after.results == before.results | {"after_hearing": One(9)}
        assert after.keys["hearing"] == before.keys["hearing"]

    @pytest.mark.parametrize("change", ["version", "sound"])
    def test_without_models_it_stays_even_if_it_is_outdated(self, change: str) -> None:
        audio = from_samples(np.zeros((2, 100), np.float32), 8000, key="sound")
        before = run(DEEP, audio, equipment=equipped())
        other = from_samples(np.zeros((2, 200), np.float32), 8000, key="another sound")
        newer = raised(DEEP, "hearing") if change == "version" else DEEP
        after = run(newer, other if change == "sound" else audio, previous=before, equipment=equipped({}))
        assert after.results["hearing"] == before.results["hearing"]
        assert after.keys["hearing"] == before.keys["hearing"]
        again = run(newer, other if change == "sound" else audio, previous=after, equipment=equipped())
        assert again.keys["hearing"] != before.keys["hearing"]

    def test_a_failure_of_a_model_stays_without_it(self, audio: Audio) -> None:
        def refuse(job: str) -> str:
            raise RuntimeError("no luck")

        before = run(DEEP, audio, equipment=Equipment(BOTH, refuse, Sidecars(Path("nowhere"))))
        after = run(DEEP, audio, previous=before)
        assert after.failures["hearing"] == Failure("failed", "RuntimeError: no luck")
        assert after.keys == before.keys

    def test_a_key_without_a_result_is_nothing(self, audio: Audio) -> None:
        torn = Outcome({}, {}, {"hearing": "k", "source": "k"})
        outcome = run(DEEP, audio, previous=torn)
        assert outcome.results == {"source": One(100), "listening": One(0)}
        assert outcome.failures == {}

    def test_another_model_makes_another_key(self) -> None:
        one, other = (plan_keys(DEEP, "s", {}, (), models={**BOTH, "ears": name}) for name in ("a", "b"))
        changed = {name for name in one if one[name] != other[name]}
        assert changed == {"hearing", "heard", "after_hearing", "smelling", "listening"}

    def test_a_model_that_is_switched_off_takes_its_results_along(self, audio: Audio) -> None:
        before = run(DEEP, audio, equipment=equipped())
        after = run(DEEP, audio, off=["hearing"], previous=before)
        assert "hearing" not in after.results
        assert after.results["smelling"] == One(4), "it has no model either, so it stays"
        assert after.failures["after_hearing"].kind == "skipped"

    def test_models_come_one_by_one(self, audio: Audio) -> None:
        fast = run(DEEP, audio)
        calls.clear()
        one = run(DEEP, audio, previous=fast, equipment=equipped(), only={"hearing"})
        assert calls == ["hearing"]
        assert one.results == {"source": One(100), "listening": One(0), "hearing": One(4)}
        assert one.keys["listening"] == fast.keys["listening"], "it has not listened yet"
        calls.clear()
        two = run(DEEP, audio, previous=one, equipment=equipped(), only={"smelling"})
        assert calls == ["smelling"]
        calls.clear()
        three = run(DEEP, audio, previous=two, equipment=Equipment(sidecars=Sidecars(Path("nowhere"))))
        assert calls == ["listening", "heard", "after_hearing"] or calls == ["heard", "after_hearing", "listening"]
        at_once = run(DEEP, audio, equipment=equipped())
        assert (three.results, three.keys) == (at_once.results, at_once.keys)

    def test_what_ran_without_an_input_has_not_the_key_of_one_that_had_it(self, audio: Audio) -> None:
        """The ears failed; the nose went first. Once there are ears, it has to smell again."""
        first = run(DEEP, audio, previous=run(DEEP, audio), equipment=equipped(), only={"smelling"})
        assert first.results["smelling"] == One(0)
        wanted = plan_keys(DEEP, "sound", {}, (), models=BOTH, recorded=first.keys)
        assert first.keys["smelling"] != wanted["smelling"]
        second = run(DEEP, audio, previous=first, equipment=equipped())
        assert second.results["smelling"] == One(4)

    def test_only_drops_what_is_off_and_leaves_all_else_alone(self, audio: Audio) -> None:
        before = run(DEEP, audio, equipment=equipped())
        before.results["gone"], before.keys["gone"] = One(1.0), "k"
        before.keys["listening"] = "outdated"
        calls.clear()
        after = run(DEEP, audio, previous=before, equipment=equipped(), only={"hearing"}, off=["smelling"])
        assert calls == []
        assert after.keys == {name: key for name, key in before.keys.items() if name != "smelling"}

    def test_a_key_that_was_taken_away_runs_again(self, audio: Audio) -> None:
        before = run(DEEP, audio, equipment=equipped())
        key = before.keys.pop("hearing")
        calls.clear()
        after = run(DEEP, audio, previous=before, equipment=equipped(), only={"hearing"})
        assert calls == ["hearing"]
        assert after.keys["hearing"] == key
