"""The ontology: that it holds together, and that all that taggers can say is in it."""

from __future__ import annotations

from collections import Counter

import pytest

from processor.analysis import _ontology
from processor.analysis._fusion_rules import RULES
from processor.analysis._ontology import AUDIOSET, CATEGORIES, CLAP, all_tags, ancestors, classes_of, parse, tag_of
from processor.models import yamnet
from processor.models.labels import read_labels
from processor.models.loading import Machine
from processor.models.table import all_models
from tests.weights import Weights, weights  # noqa: F401 - a fixture

# AudioSet has 527 classes; these are the ones that YAMNet was not taught.
ONLY_AST = {
    "Male speech, man speaking",
    "Female speech, woman speaking",
    "Male singing",
    "Female singing",
    "Battle cry",
    "Funny music",
}


def test_tags_are_of_known_categories_and_have_parents_of_the_same() -> None:
    tags = all_tags()
    assert len(tags) > 300
    assert {tag.category for tag in tags.values()} == set(CATEGORIES)
    for tag in tags.values():
        assert all(tags[parent].category == tag.category for parent in tag.parents), tag.name
        assert tag.name == tag.name.strip()


def test_each_label_of_clap_means_one_tag_of_its_category() -> None:
    means = Counter(f"{tag.category}: {label}" for tag in all_tags().values() for label in tag.clap)
    for label in read_labels().names:
        assert means[label] == 1, label


def test_a_label_is_heard_by_its_tag_and_all_above() -> None:
    names = read_labels().names
    found = classes_of(CLAP, names)
    assert set(found) <= set(all_tags())
    assert found["no vocals" if "no vocals" in found else "instrumental"] == (names.index("vocal: no vocals"),)
    assert names.index("instrument: banjo") in found["plucked strings"]
    assert names.index("genre: deep house") in found["house"]
    assert names.index("genre: deep house") in found["electronic music"]
    assert names.index("vocal: no vocals") not in found["vocals"]


def test_the_classes_of_audioset_are_real(weights: Weights) -> None:  # noqa: F811
    pytest.importorskip("ai_edge_litert")
    labels = yamnet.load(all_models()["yamnet"], weights("yamnet"), Machine("cpu", 1)).labels
    named = {name for tag in all_tags().values() for name in tag.audioset}
    assert named - set(labels) == ONLY_AST
    heard = classes_of(AUDIOSET, labels)
    assert {"drums", "bass", "guitar", "piano", "vocals", "singing", "rapping", "house", "jazz"} <= set(heard)
    assert labels.index("Music") not in {number for numbers in heard.values() for number in numbers}


def test_a_parent_hears_what_its_children_hear() -> None:
    found = classes_of(AUDIOSET, ("Singing", "Choir", "Banjo", "Dog"))
    assert found["choir"] == (1,)
    assert found["singing"] == (0, 1)
    assert found["vocals"] == (0, 1)
    assert found["banjo"] == found["plucked strings"] == (2,)
    assert not any(3 in numbers for numbers in found.values())


def test_spelling_is_compared_without_regard_to_case() -> None:
    assert classes_of(AUDIOSET, ("  drum AND  bass",))["drum and bass"] == (0,)


def test_a_persons_own_label_is_a_tag_of_its_own() -> None:
    found = classes_of(CLAP, ("genre: witch house", "genre: house", "smell: roses", "genre: ", "no colon"))
    assert found["witch house"] == (0,)
    assert found["house"] == (1,)
    assert "roses" not in found
    assert "" not in found
    assert tag_of("witch house", "genre").category == "genre"
    assert tag_of("house", "mood").category == "genre"


def test_a_label_of_another_category_does_not_become_a_tag_that_is_there() -> None:
    """`mood: house` is a person's own, and must not be taken for the genre."""
    assert classes_of(CLAP, ("mood: house",)) == {}


def test_ancestors() -> None:
    tags = parse('[genre]\na = {}\nb = { parents = ["a"] }\nc = { parents = ["b", "a"] }\n')
    assert ancestors(tags, "c") == {"a", "b"}
    assert ancestors(tags, "a") == frozenset()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[smell]\nroses = {}\n", "'smell' is no category"),
        ("genre = 3\n", "'genre' is no category"),
        ("[genre]\npop = {}\n[mood]\npop = {}\n", "'pop' is there twice, as genre and as mood"),
        ('[genre]\npop = { parents = ["music"] }\n', "'pop' has the parent 'music', which is no genre"),
        ('[genre]\npop = { parents = ["sad"] }\n[mood]\nsad = {}\n', "'pop' has the parent 'sad', which is no genre"),
        ('[genre]\na = { parents = ["b"] }\nb = { parents = ["a"] }\n', "'a' is below itself"),
        ('[genre]\na = { parent = ["b"] }\n', r"'a' has \['parent'\], which means nothing here"),
        ("[genre\n", "Expected"),
    ],
)
def test_what_is_wrong_with_an_ontology(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(text)


def test_each_rule_is_about_a_tag_that_is_there() -> None:
    facts = {
        "voice",
        "speech",
        "rap",
        "tempo",
        *(f"{name} stem" for name in ("drums", "bass", "guitar", "piano", "other")),
    }
    for rule in RULES:
        assert rule.tag in all_tags(), rule
        assert rule.fact in facts, rule
        assert rule.least < 0 <= rule.most, rule
        assert rule.otherwise in {"suppressed", "contradicted"}, rule
        assert (rule.low, rule.high) == (0, 0) if rule.fact != "tempo" else 0 < rule.low < rule.high, rule
        assert rule.source


def test_the_file_is_found_where_the_package_is() -> None:
    assert _ontology.all_tags() is _ontology.all_tags()
