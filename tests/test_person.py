"""A person's words: what can be said, what cannot, and that nothing said before is lost."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor import person
from processor.analysis import all_analysers, result_types
from processor.audio import Audio
from processor.errors import WrongUsage
from processor.graph import Known, analyser, describe
from processor.quantities import columns, quantity

LETTERS = st.characters(exclude_categories=("Cs",)) | st.integers(0xDC80, 0xDCFF).map(chr)  # as in a command line
VALUES = st.text(LETTERS, max_size=50)
FIELDS = st.sampled_from(person.TEXTS)
SAID = st.dictionaries(st.sampled_from([*person.TEXTS, "rating", "beats.tempo_bpm"]), st.just("before"))
PATIENT = settings(deadline=None)  # other work on the same machine is no failure
WORDS = st.lists(st.tuples(FIELDS, VALUES).map("=".join), max_size=5)


def spelled(word: str) -> str:
    if not word.isalpha():
        raise ValueError("a feel is one word of letters.")
    return word.lower()


@dataclass(frozen=True)
class Beats:
    """What a person may correct."""

    tempo_bpm: float | None = quantity("bpm", label="Tempo", source="ears", help="Beats.", low=20, high=400, said=float)
    swing: bool = quantity("", label="Swing", source="ears", help="Whether it swings.", said=bool)
    metre: int = quantity("", label="Metre", source="ears", help="Beats in a bar.", low=1, said=int)
    feel: str = quantity("", label="Feel", source="ears", help="In a word.", said=spelled)
    offsets_s: tuple[float, ...] = quantity(
        "s", label="Offsets", source="ears", help="Of each beat.", low=0, high=9, said=list
    )
    pulse: float = quantity("", label="Pulse", source="ears", help="How clear it is.")


@analyser
def beats(audio: Audio, known: Known) -> Beats:
    """Listen."""
    raise NotImplementedError


@pytest.fixture
def with_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has every type of field that can be set."""
    monkeypatch.setattr(person, "all_analysers", lambda: {**all_analysers(), "beats": describe(beats)})


@PATIENT
@given(SAID, WORDS)
def test_merging_twice_is_merging_once(said: dict[str, Any], words: list[str]) -> None:
    before = dict(said)
    merged = person.merge(said, words)
    assert person.merge(merged, words) == merged
    assert said == before


@PATIENT
@given(SAID, WORDS, WORDS)
def test_words_can_be_said_at_once_or_one_after_the_other(said: dict[str, Any], a: list[str], b: list[str]) -> None:
    assert person.merge(person.merge(said, a), b) == person.merge(said, a + b)


@PATIENT
@given(SAID, WORDS)
def test_what_is_not_spoken_of_stays(said: dict[str, Any], words: list[str]) -> None:
    spoken = {word.partition("=")[0] for word in words}
    merged = person.merge(said, words)
    assert {k: v for k, v in merged.items() if k not in spoken} == {k: v for k, v in said.items() if k not in spoken}


@PATIENT
@given(SAID, FIELDS)
def test_an_empty_value_takes_a_word_back(said: dict[str, Any], field: str) -> None:
    for empty in ("", "  ", "\n"):
        assert person.merge(said, [f"{field}={empty}"]) == {k: v for k, v in said.items() if k != field}


@PATIENT
@given(FIELDS, VALUES)
def test_a_word_is_kept_as_it_was_said_and_safe_to_show(field: str, value: str) -> None:
    merged = person.merge({}, [f"{field}={value}"])
    kept = merged.get(field, "")
    assert isinstance(kept, str)
    kept.encode()
    assert kept == kept.strip()
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in kept)
    if value.isprintable():
        assert kept == value.strip()


def test_a_value_may_hold_anything_an_equals_sign_too() -> None:
    assert person.merge({}, ["title=a=b", " note = two\nlines\there "]) == {"title": "a=b", "note": "two lines here"}


def test_the_last_word_counts() -> None:
    assert person.merge({}, ["title=a", "title=b"]) == {"title": "b"}
    assert person.merge({}, ["title=a", "title="]) == {}


@PATIENT
@given(st.integers(-20, 20))
def test_a_rating_is_a_whole_number_from_0_to_5(number: int) -> None:
    if 0 <= number <= 5:
        assert person.merge({}, [f"rating={number}"]) == {"rating": number}
    else:
        with pytest.raises(WrongUsage, match="from 0 to 5"):
            person.merge({}, [f"rating={number}"])


@pytest.mark.parametrize("value", ["4.5", "four", "٤", "4 4", "²", "1e0", "+3"])
def test_what_is_no_rating(value: str) -> None:
    with pytest.raises(WrongUsage, match="from 0 to 5"):
        person.merge({"rating": 3}, [f"rating={value}"])


def test_a_rating_is_taken_back() -> None:
    assert person.merge({"rating": 3, "note": "x"}, ["rating="]) == {"note": "x"}


def test_a_text_has_a_limit() -> None:
    longest = "x" * person.MAX_CHARACTERS
    assert person.merge({}, [f"note={longest}"]) == {"note": longest}
    with pytest.raises(WrongUsage, match="4001 characters; at most 4000"):
        person.merge({}, [f"note={longest}x"])


@PATIENT
@given(st.text(LETTERS, max_size=20).filter(lambda text: text.strip() not in (*person.TEXTS, "rating")))
def test_no_other_field_is_known(field: str) -> None:
    with pytest.raises(WrongUsage):
        person.merge({}, [f"{field}=x"])
    with pytest.raises(WrongUsage):
        person.merge({}, [field])


def test_one_wrong_word_spoils_all() -> None:
    said = {"title": "a"}
    with pytest.raises(WrongUsage):
        person.merge(said, ["title=b", "rating=9"])
    assert said == {"title": "a"}


@pytest.mark.parametrize("field", [f"{name}.{c.name}" for name, one in result_types().items() for c in columns(one)])
def test_what_is_only_measured_cannot_be_set(field: str) -> None:
    analyser, _, name = field.partition(".")
    if any(c.name == name and c.quantity.said for c in columns(result_types()[analyser])):
        pytest.skip("this one listens")
    with pytest.raises(WrongUsage, match="is measured and no matter of opinion"):
        person.merge({}, [f"{field}=1"])


@pytest.mark.usefixtures("with_beats")
@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("beats.tempo_bpm=174", 174.0),
        ("beats.tempo_bpm=87.5", 87.5),
        ("beats.tempo_bpm=20", 20.0),
        ("beats.tempo_bpm=400", 400.0),
        ("beats.metre=1", 1),
        ("beats.swing=true", True),
        ("beats.metre=3", 3),
        ("beats.feel=true", "true"),
        ("beats.offsets_s=[0, 0.5]", [0.0, 0.5]),
    ],
)
def test_a_word_about_an_analyser_s_field_has_its_type(word: str, value: object) -> None:
    field = word.partition("=")[0]
    kept = person.merge({"note": "x"}, [word])
    assert kept == {"note": "x", field: value}
    assert type(kept[field]) is type(value)
    assert person.merge(kept, [word]) == kept
    assert person.merge(kept, [f"{field}="]) == {"note": "x"}
    json.dumps(kept, allow_nan=False)


@pytest.mark.usefixtures("with_beats")
@pytest.mark.parametrize(
    "word",
    [
        "beats.tempo_bpm=fast",
        "beats.tempo_bpm=null",
        "beats.tempo_bpm=NaN",
        "beats.tempo_bpm=-Infinity",
        "beats.tempo_bpm=1e999",
        "beats.tempo_bpm=1" + "0" * 400,
        "beats.tempo_bpm=true",
        "beats.tempo_bpm=19.9",
        "beats.tempo_bpm=401",
        "beats.tempo_bpm=[174]",
        'beats.tempo_bpm={"array": "beats.tempo_bpm"}',
        "beats.offsets_s={}",
        "beats.tempo_bpm=" + "[" * 100_000,
        "beats.swing=1",
        "beats.swing=yes",
        "beats.metre=3.0",
        "beats.metre=0",
        "beats.offsets_s=0.5",
        "beats.offsets_s=[0.5, 10]",
        "beats.offsets_s=[NaN]",
        "beats.nothing=1",
        "beats=1",
    ],
    ids=lambda word: word[:40],
)
def test_a_word_that_does_not_fit_an_analyser_s_field(word: str) -> None:
    with pytest.raises(WrongUsage):
        person.merge({}, [word])


@pytest.mark.usefixtures("with_beats")
def test_a_field_may_have_a_grammar_of_its_own() -> None:
    assert person.merge({}, ["beats.feel=Laid"]) == {"beats.feel": "laid"}
    with pytest.raises(WrongUsage, match=r"^beats\.feel=laid back: a feel is one word of letters\.$"):
        person.merge({}, ["beats.feel=laid back"])


@pytest.mark.usefixtures("with_beats")
def test_what_an_analyser_does_not_ask_about_cannot_be_set() -> None:
    with pytest.raises(WrongUsage, match=r"beats\.pulse is measured and no matter of opinion"):
        person.merge({}, ["beats.pulse=1"])


@pytest.mark.usefixtures("with_beats")
def test_a_range_is_named_with_its_unit() -> None:
    with pytest.raises(WrongUsage, match=r"Tempo goes from 20 to 400 bpm\.$"):
        person.merge({}, ["beats.tempo_bpm=500"])
    with pytest.raises(WrongUsage, match=r"Metre goes from 1 to …\.$"):
        person.merge({}, ["beats.metre=0"])


def test_an_analyser_that_does_not_listen_cannot_be_talked_to(monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = replace(describe(beats), takes=frozenset())
    monkeypatch.setattr(person, "all_analysers", lambda: {"beats": deaf})
    with pytest.raises(WrongUsage, match="no matter of opinion"):
        person.merge({}, ["beats.tempo_bpm=100"])


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("beats.tempo_bpm=30", 30.0),
        ("beats.tempo_bpm=300", 300.0),
        ("beats.metre=1", 1),
        ("beats.metre=16", 16),
        ("beats.tempo_bpm=29.9", None),
        ("beats.tempo_bpm=300.1", None),
        ("beats.metre=0", None),
        ("beats.metre=17", None),
        ("beats.metre=3.5", None),
    ],
)
def test_the_tempo_and_the_metre_that_can_be_said(word: str, value: float | None) -> None:
    if value is None:
        with pytest.raises(WrongUsage):
            person.merge({}, [word])
    else:
        assert person.merge({}, [word]) == {word.partition("=")[0]: value}
