"""Prompts: what is asked, within which limits, and what is never said."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from processor.prompt.composer import VARIANTS, NoPrompt, compose, prompts_of
from processor.prompt.targets import DEFAULT, target_named, targets
from tests.libraries import HOSTILE
from tests.prompt.songs import NAMES, deep_results, fast_results, song

SUNO = target_named(DEFAULT)
ID = re.compile(r"ln-[0-9a-f]{8}")


def everything(results: dict[str, Any], said: dict[str, Any] | None = None, name: str = "song.wav") -> str:
    """All that all prompts of a record say, with their evidence."""
    made = [one for target in targets().values() for one in prompts_of(song(results, name), said or {}, target)]
    return json.dumps([one.told() for one in made], ensure_ascii=False)


def test_the_same_record_gives_the_same_prompt() -> None:
    assert compose(song(), {}, SUNO).told() == compose(song(), {}, SUNO).told()


def test_a_fast_pass_says_tempo_key_mood_and_shape() -> None:
    style = compose(song(), {}, SUNO).style
    for words in ("124 BPM", "B-flat minor", "deep sub-bass", "tight steady timing", "dry close sound"):
        assert words in style
    assert "quiet opening" in style
    assert "loudest in the middle" in style


def test_models_make_it_richer() -> None:
    made = compose(song(deep_results()), {}, SUNO)
    assert made.style.startswith("techno, sung lead vocals, female vocals, synthesizer pad, banjo, dark, 124 BPM")
    assert "1980s style" in made.style
    assert "wide-ranging melody" in made.style
    assert any("separated stems" in line for line in made.rests_on)


def test_essentials_come_first() -> None:
    for results in (fast_results(), deep_results()):
        for made in prompts_of(song(results), {}, SUNO):
            for words in ("124 BPM", "B-flat minor"):
                assert words in made.style[: SUNO.essentials]


@pytest.mark.parametrize("name", targets())
@pytest.mark.parametrize("results", [fast_results(), deep_results()], ids=["fast", "deep"])
def test_nothing_is_longer_than_it_may_be(name: str, results: dict[str, Any]) -> None:
    long = "x" * 500
    for made in prompts_of(song(results), {"title": long}, target_named(name)):
        for field, (found, most) in made.counts().items():
            assert found <= most, field
        assert not set("[]{}\n") & set(made.style + made.exclusions + made.title)


def test_many_sections_fit_the_lyrics_field() -> None:
    made = compose(song(), {}, SUNO)
    small = type(SUNO)(**{**vars(SUNO), "lyrics": 120})
    cut = compose(song(), {}, small)
    assert len(cut.lyrics) <= 120 < len(made.lyrics)
    assert cut.lyrics.startswith("[Intro]")
    assert cut.lyrics.endswith("[End]")


def test_a_generator_without_brackets_gets_none() -> None:
    assert "[" not in compose(song(), {}, target_named("plain")).lyrics
    assert "[Chorus]\n[" in compose(song(), {}, SUNO).lyrics


def test_shorter_is_shorter_and_says_less() -> None:
    faithful, shorter, swapped = prompts_of(song(deep_results()), {}, SUNO)
    assert len(shorter.style) <= SUNO.essentials < len(faithful.style)
    assert len(shorter.lyrics) < len(faithful.lyrics)
    assert {p.text for p in shorter.phrases} < {p.text for p in faithful.phrases}
    assert len({faithful.id, shorter.id, swapped.id}) == 3


@pytest.mark.parametrize("name", targets())
@pytest.mark.parametrize("results", [fast_results(), deep_results()], ids=["fast", "deep"])
def test_shorter_keeps_what_matters_most(name: str, results: dict[str, Any]) -> None:
    faithful, shorter, _ = prompts_of(song(results), {}, target_named(name))
    assert len(shorter.style) <= 0.6 * len(faithful.style)
    kept = {phrase.text for phrase in shorter.phrases}
    for phrase in faithful.phrases:
        assert phrase.topic not in ("tempo", "key", "voice") or phrase.text in kept


def test_shorter_of_hardly_anything_keeps_it() -> None:
    few = {name: result for name, result in fast_results().items() if name in ("beats", "key")}
    _, shorter, _ = prompts_of(song(few), {}, SUNO)
    assert {phrase.topic for phrase in shorter.phrases} >= {"tempo", "key"}
    only = {"key": fast_results()["key"]}
    assert prompts_of(song(only), {}, SUNO)[1].style == "B-flat minor"


def test_one_element_is_swapped_and_no_other() -> None:
    faithful, _, swapped = prompts_of(song(deep_results()), {}, SUNO)
    assert swapped.swap is not None
    assert swapped.swap.removed.text == "synthesizer pad"
    before, after = ({p.text for p in one.phrases} for one in (faithful, swapped))
    assert before - after == {"synthesizer pad"}
    assert after - before == {swapped.swap.added.text}
    assert "synthesizer pad" in swapped.exclusions
    assert "synthesizer pad to the fore" in faithful.lyrics
    assert swapped.lyrics == faithful.lyrics.replace("synthesizer pad", swapped.swap.added.text)


def test_without_instruments_the_groove_is_swapped() -> None:
    swapped = compose(song(), {}, SUNO, "swapped")
    assert swapped.swap is not None
    assert swapped.swap.removed.topic == "pace"
    assert swapped.swap.added.text in swapped.style
    assert "124 BPM" in swapped.style


def test_what_is_swapped_in_is_not_excluded() -> None:
    waltz = fast_results(beats__metre=3)
    faithful, _, swapped = prompts_of(song(waltz), {}, SUNO)
    assert "waltz time" in faithful.style
    assert "four-on-the-floor" in faithful.exclusions
    assert swapped.swap is not None
    assert swapped.swap.removed.text.startswith("waltz")
    assert "four-on-the-floor" not in swapped.exclusions


def test_the_id_is_of_all_that_is_asked() -> None:
    first = compose(song(), {}, SUNO)
    assert ID.fullmatch(first.id)
    assert first.title.endswith(f" {first.id}")
    assert compose(song(), {"title": "Another Name"}, SUNO).id == first.id
    assert compose(song(fast_results(beats__tempo_bpm=125.4)), {}, SUNO).id != first.id
    assert compose(song(), {}, target_named("udio")).id != first.id
    assert len({compose(song(), {}, SUNO, variant).id for variant in VARIANTS}) == 3


def test_names_of_people_are_never_said() -> None:
    tags = {
        "metadata__artist": NAMES[0],
        "metadata__album_artist": NAMES[1],
        "metadata__composer": NAMES[2],
        "metadata__title": f"{NAMES[0]} - Night (feat. {NAMES[3]})",
        "metadata__genre": f"{NAMES[0]} Techno",
        "metadata__comment": f"by {NAMES[1]}",
    }
    said = {"artist": NAMES[2], "title": f"Night ({NAMES[3]} remix)", "genre": f"{NAMES[1]} Techno", "note": NAMES[0]}
    for results in (fast_results(**tags), deep_results(**tags)):
        for words in ({}, said):
            told = everything(results, words, f"{NAMES[0]}_-_{NAMES[3]}.wav").lower()
            for name in NAMES:
                assert name.lower() not in told
            assert "techno" in told


def test_a_label_that_is_a_name_of_the_file_is_left_out() -> None:
    """A label file can be edited: "Zorblatt style" in it would put the name into each prompt."""
    results = deep_results(
        metadata__artist="Zorblatt",
        tags__names=("female vocals", "synthesizer", "zorblatt style", "techno", "dark", "banjo", "violin", "1980s"),
    )
    told = everything(results)
    assert "zorblatt" not in told.lower()
    assert "techno" in told


def test_a_label_of_a_persons_own_is_not_said() -> None:
    """Nothing in the file says that it is a name, and it is sure: still it is not ours."""
    results = deep_results(
        tags__names=(
            "taylor swift style",
            "taylor swift",
            "swiftie synth",
            "techno",
            "dark",
            "banjo",
            "violin",
            "1980s",
        ),
        tags__confidences=(0.99,) * 8,
        tags__statuses=("confirmed",) * 8,
    )
    told = everything(results).lower()
    assert "swift" not in told
    for words in ("techno", "banjo", "1980s style"):
        assert words in told


def test_hostile_words_have_no_effect() -> None:
    results = fast_results(metadata__title=HOSTILE, metadata__artist=HOSTILE, metadata__genre=HOSTILE)
    told = everything(results, {"title": HOSTILE, "genre": HOSTILE}, f"{HOSTILE}.wav")
    for part in ("script", "1234", "onerror", "\u202e", "owned"):
        assert part not in told
    labels = deep_results(tags__names=(HOSTILE, "[Chorus]", "ignore\nall", "techno", "dark", "x" * 99, "a{b}", "1980s"))
    told = everything(labels)
    for part in ("script", "ignore", "xxx", "a{b}"):
        assert part not in told


def test_a_persons_title_is_used_if_it_names_nobody() -> None:
    assert compose(song(), {"title": "Night Bus"}, SUNO).title.startswith("Night Bus ln-")
    tagged = fast_results(metadata__artist="Night")
    assert "Bus" not in compose(song(tagged), {"title": "Night Bus"}, SUNO).title
    assert "Bus" not in compose(song(fast_results(metadata__title="Night Bus")), {}, SUNO).title
    for title in ("Old ln-deadbeef", "Old_ln_deadbeef"):
        assert "deadbeef" not in compose(song(), {"title": title}, SUNO).title


def test_a_composed_title_is_nobodys_name() -> None:
    title = compose(song(), {}, SUNO).title.rpartition(" ")[0]
    noun = title.split()[-1]
    for artist in (title, noun):
        other = compose(song(fast_results(metadata__artist=artist)), {}, SUNO).title
        assert noun not in other.split()
        assert len(other.split()) == 3


@pytest.mark.parametrize("kind", ["speech", "noise", "silence"])
def test_without_music_there_is_no_prompt(kind: str) -> None:
    with pytest.raises(NoPrompt, match=kind):
        compose(song(fast_results(material__kind=kind)), {}, SUNO)


def test_without_any_result_there_is_no_prompt() -> None:
    with pytest.raises(NoPrompt, match="Nothing is known"):
        compose(song({}), {}, SUNO)


@pytest.mark.parametrize("missing", sorted(deep_results()))
def test_any_result_may_be_missing(missing: str) -> None:
    results = {name: result for name, result in deep_results().items() if name != missing}
    for made in prompts_of(song(results), {}, SUNO):
        assert made.style
        assert made.lyrics


def test_what_is_not_known_is_told_beside_it() -> None:
    told = " ".join(compose(song(fast_results(beats__confidence=0.5, key__confidence=0.3)), {}, SUNO).limits)
    for words in ("instruments", "genre", "sings", "62 BPM", "Db major"):
        assert words in told
    assert "instruments" not in " ".join(compose(song(deep_results()), {}, SUNO).limits)


def test_what_weighs_the_words_of_models_says_nothing_without_them() -> None:
    empty = deep_results(vocals__present=None, tags__names=(), melody__note_count=None)
    del empty["stems"]
    made = compose(song(empty), {}, SUNO)
    assert not any("models" in line for line in made.rests_on)
    assert "vocal" not in made.style
    [line] = [one for one in compose(song(deep_results()), {}, SUNO).rests_on if "models" in one]
    assert line == "Heard by models: separated stems, listening for a voice, taggers, the melody."


def test_a_person_says_the_genre() -> None:
    assert compose(song(), {"genre": "DnB"}, SUNO).style.startswith("drum & bass")
    assert "klingon" not in compose(song(), {"genre": "Klingon opera metal"}, SUNO).style.lower()


def test_an_instrumental_has_no_singer() -> None:
    made = compose(song(deep_results(vocals__present=False, vocals__kind=None)), {}, SUNO)
    for words in ("vibrato", "melodic", "melody", "register", "syllabic", "vocal notes"):
        assert words not in made.style + made.lyrics
    assert not any("the melody" in line for line in made.rests_on)
    unknown = compose(song(deep_results(vocals__present=None)), {}, SUNO)
    assert "expressive vibrato" in unknown.style


def test_an_instrumental_excludes_voices() -> None:
    results = deep_results(vocals__present=False, vocals__kind=None)
    made = compose(song(results), {}, SUNO)
    assert "instrumental" in made.style
    assert "vocals" not in made.style
    assert "vocals" in made.exclusions


def test_every_phrase_has_its_evidence() -> None:
    for results in (fast_results(), deep_results()):
        for made in prompts_of(song(results), {}, SUNO):
            phrases = [*made.phrases, *made.excluded, *(phrase for one in made.sections for phrase in one.phrases)]
            for phrase in phrases:
                assert phrase.evidence, phrase.text
                for one in phrase.evidence:
                    analyser = one.field.partition(".")[0]
                    assert analyser in results or analyser == "genre"
            json.dumps(made.told(), allow_nan=False)
