"""CLAP by the same calls as the real one, on a small checkpoint that the tests make; its labels, and their cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from processor.errors import ModelError
from processor.models.labels import CATEGORIES, read_labels
from processor.models.text_cache import text_embeddings

# Labels


def test_ours_are_306_in_six_categories() -> None:
    labels = read_labels()
    assert tuple(one.name for one in labels.categories) == CATEGORIES
    assert [len(one.labels) for one in labels.categories] == [110, 50, 60, 30, 30, 26]
    plain = [label for one in labels.categories for label in one.labels]
    assert len(set(plain)) == len(plain) == 306
    assert all(label == label.lower() for label in plain)


def test_a_label_becomes_a_sentence_and_keeps_its_place() -> None:
    labels = read_labels()
    where = labels.names.index("instrument: church organ")
    assert labels.sentences[where] == "This audio is music with the sound of church organ."
    span = labels.spans["instrument"]
    assert labels.names[span] == tuple(f"instrument: {label}" for label in labels.categories[2].labels)
    assert labels.spans["texture"].stop == len(labels.names)


TWO = '[mood]\nprompt = "{} music"\nlabels = ["sad", "happy"]\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "labels.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_key_changes_with_what_is_asked_and_with_nothing_else(tmp_path: Path) -> None:
    key = read_labels(written(tmp_path, TWO)).key
    assert read_labels(written(tmp_path, "# a comment\n" + TWO.replace(", ", ",\n  "))).key == key
    for other in (TWO.replace("happy", "glad"), TWO.replace("{} music", "{} song"), TWO.replace("mood", "genre")):
        assert read_labels(written(tmp_path, other)).key != key


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "nothing"),
        ("[moods]\nprompt = '{}'\nlabels = ['a', 'b']", "has moods"),
        ("mood = 5", "needs prompt and labels"),
        ("[mood]\nlabels = ['a', 'b']", "needs prompt and labels"),
        (TWO + "colour = 1", "nothing else"),
        (TWO.replace("{} music", "music"), r"one \{\}"),
        (TWO.replace("{} music", "{} {}"), r"one \{\}"),
        (TWO.replace("{} music", "{}" + "m" * 200), r"one \{\}"),
        (TWO.replace('["sad", "happy"]', '"sad"'), "list"),
        (TWO.replace('"sad", ', ""), "two or more"),
        (TWO.replace("happy", "sad"), "each once"),
        (TWO.replace("happy", ""), "list of lines"),
        (TWO.replace("happy", " happy"), "list of lines"),
        (TWO.replace("happy", "a\\u0000b"), "list of lines"),
        (TWO.replace("happy", "h" * 61), "list of lines"),
        (TWO.replace('"happy"', "5"), "list of lines"),
        (TWO.replace('"happy"', ", ".join(f'"{k}"' for k in range(2000))), "2000 are the most"),
        ("[mood", "cannot be read"),
        ("a = " + "[" * 5000, "cannot be read"),
        ("#" * (1 << 19), "too large"),
    ],
)
def test_what_is_no_label_file_is_refused(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(ModelError, match=match):
        read_labels(written(tmp_path, text))


def test_a_label_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        read_labels(tmp_path / "none.toml")
    (tmp_path / "labels.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="cannot be read"):
        read_labels(tmp_path / "labels.toml")


# The cache of what sentences mean

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


def reader(seed: int = 0) -> tuple[Embed, list[int]]:
    """A model that reads, and the number of sentences of each time that it did."""
    asked: list[int] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.append(len(texts))
        rows = [np.random.default_rng([seed, *text.encode()]).standard_normal(8) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32)

    return embed, asked


SENTENCES = tuple(f"sentence {k}" for k in range(20))


def test_sentences_are_read_once(tmp_path: Path) -> None:
    embed, asked = reader()
    first = text_embeddings(tmp_path, "clap", SENTENCES, embed)
    again = text_embeddings(tmp_path, "clap", SENTENCES, embed)
    assert np.array_equal(first, again)
    assert asked == [20, 2]  # all, then a probe
    assert len(list(tmp_path.iterdir())) == 1


def test_other_sentences_and_other_models_have_files_of_their_own(tmp_path: Path) -> None:
    embed, asked = reader()
    text_embeddings(tmp_path, "clap", SENTENCES, embed)
    text_embeddings(tmp_path, "clap", SENTENCES[::-1], embed)
    text_embeddings(tmp_path, "clap_music", SENTENCES, embed)
    assert asked == [20, 20, 20]
    assert len(list(tmp_path.iterdir())) == 3


def test_other_weights_under_the_same_name_read_anew(tmp_path: Path) -> None:
    text_embeddings(tmp_path, "clap", SENTENCES, reader(1)[0])
    embed, asked = reader(2)
    assert np.array_equal(text_embeddings(tmp_path, "clap", SENTENCES, embed), embed(SENTENCES))
    assert asked[:2] == [2, 20]


def npz(path: Path, **arrays: Any) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)


GOOD = reader()[0](SENTENCES)
SPOILT: dict[str, Callable[[Path], object]] = {
    "torn": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "empty": lambda path: path.write_bytes(b""),
    "no archive": lambda path: path.write_bytes(b"PK" + bytes(500)),
    "a bare array": lambda path: path.write_bytes(b"\x93NUMPY" + bytes(100)),
    "a flipped byte": lambda path: path.write_bytes(
        path.read_bytes()[:300] + bytes([path.read_bytes()[300] ^ 1]) + path.read_bytes()[301:]
    ),
    "another name": lambda path: npz(path, vectors=GOOD),
    "too few": lambda path: npz(path, embeddings=GOOD[:19]),
    "another form": lambda path: npz(path, embeddings=GOOD[:, :, None]),
    "doubles": lambda path: npz(path, embeddings=GOOD.astype(np.float64)),
    "pickled": lambda path: npz(path, embeddings=np.array([{}] * 20, object)),
    "no numbers": lambda path: npz(path, embeddings=np.full_like(GOOD, np.nan)),
    "too long": lambda path: npz(path, embeddings=2 * GOOD),
    "fewer dimensions": lambda path: npz(
        path, embeddings=np.eye(20, 7, dtype=np.float32) + np.eye(20, 7, -7, np.float32)
    ),
    "of something else": lambda path: npz(path, embeddings=np.roll(GOOD, 1, axis=0)),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_cache_is_made_anew(tmp_path: Path, name: str) -> None:
    embed, asked = reader()
    text_embeddings(tmp_path, "clap", SENTENCES, embed)
    path = next(tmp_path.iterdir())
    SPOILT[name](path)
    assert np.array_equal(text_embeddings(tmp_path, "clap", SENTENCES, embed), GOOD)
    assert asked[-1] == 20
    assert np.array_equal(text_embeddings(tmp_path, "clap", SENTENCES, embed), GOOD)
    assert asked[-1] == 2  # and kept


def test_a_cache_that_unpacks_without_end_is_not_unpacked(tmp_path: Path) -> None:
    import zipfile

    embed, asked = reader()
    text_embeddings(tmp_path, "clap", SENTENCES, embed)
    path = next(tmp_path.iterdir())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("embeddings.npy", bytes(80 << 20))
    assert path.stat().st_size < 1 << 20
    text_embeddings(tmp_path, "clap", SENTENCES, embed)
    assert asked == [20, 20]


def test_where_nothing_can_be_kept_it_is_read_each_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    embed, asked = reader()
    for _ in range(2):
        assert np.array_equal(text_embeddings(tmp_path / "file", "clap", SENTENCES, embed), GOOD)
    assert asked == [20, 20]
    assert "cannot be kept" in caplog.text
