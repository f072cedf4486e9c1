"""The real YAMNet on sounds that have a name; and files that are none."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert")

from processor.analysis.tags_yamnet import tags_yamnet
from processor.errors import ModelError
from processor.models import yamnet
from processor.models.loading import Machine
from processor.models.table import all_models
from processor.models.yamnet import CLASSES, FILE, LABEL_FILE, Yamnet
from tests import signals
from tests.analysis.taggers import ignore
from tests.weights import Weights, weights  # noqa: F401 - a fixture

RATE = 16_000
CPU = Machine("cpu", 1)


def load(folder: Path) -> Yamnet:
    return yamnet.load(all_models()["yamnet"], folder, CPU)


@pytest.fixture(scope="module")
def folder(weights: Weights) -> Path:  # noqa: F811
    return weights("yamnet")


@pytest.fixture(scope="module")
def tagger(folder: Path) -> Yamnet:
    return load(folder)


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A file that a test may damage."""
    return Path(shutil.copy(folder / FILE, tmp_path / FILE))


def window(samples: signals.Samples) -> signals.Samples:
    return np.ascontiguousarray(samples[0, :15_600])


# What it says


def test_it_has_the_classes_of_its_file(tagger: Yamnet) -> None:
    assert len(tagger.labels) == CLASSES == 521
    assert (tagger.labels[0], tagger.labels[24], tagger.labels[132], tagger.labels[-1]) == (
        "Speech",
        "Singing",
        "Music",
        "Field recording",
    )
    assert (tagger.name, tagger.device, tagger.dtype) == ("yamnet", "cpu", "float32")
    assert (tagger.sample_rate, tagger.window_frames, tagger.hop_frames) == (16_000, 15_600, 8_000)


@pytest.mark.parametrize(
    ("samples", "names"),
    [
        (signals.sine(440, 1.0, -20.0, rate=RATE), {"Sine wave"}),
        (signals.noise(1.0, -20.0, rate=RATE), {"Static", "Noise", "White noise"}),
        (signals.song(12.0, rate=RATE, channels=1)[:, 100_000:], {"Music"}),
    ],
    ids=["sine", "noise", "song"],
)
def test_sounds_have_their_names(tagger: Yamnet, samples: signals.Samples, names: set[str]) -> None:
    scores = tagger.scores([window(samples)])[0]
    assert scores.dtype == np.float32
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert {tagger.labels[k] for k in np.argsort(-scores)[: len(names)]} == names
    assert min(scores[tagger.labels.index(name)] for name in names) > 0.4


def test_windows_after_each_other_do_not_know_of_each_other(tagger: Yamnet) -> None:
    heard = [window(signals.noise(1.0, -10.0 - k, rate=RATE, seed=k)) for k in range(3)]
    heard += [window(signals.sine(440, 1.0, -20.0, rate=RATE)), heard[0]]
    together = tagger.scores(heard)
    assert together.shape == (5, 521)
    assert np.array_equal(together, np.concatenate([tagger.scores([one]) for one in heard]))
    assert np.array_equal(together[0], together[4])
    assert not np.array_equal(together[0], together[3])
    assert tagger.scores([]).shape == (0, 521)


def test_a_short_window_is_filled_up_with_zeros(tagger: Yamnet) -> None:
    part = window(signals.noise(1.0, -10.0, rate=RATE))[:5_000]
    padded = np.concatenate([part, np.zeros(10_600, np.float32)])
    assert np.array_equal(tagger.scores([part]), tagger.scores([padded]))
    assert np.isfinite(tagger.scores([part[:1]])).all()


def test_a_whole_piece_has_tags(tagger: Yamnet) -> None:
    """Eight seconds of music, then four of noise."""
    sound = signals.song(12.0, rate=44_100).copy()
    sound[:, 8 * 44_100 :] = signals.noise(4.0, -20.0, rate=44_100, channels=2)
    tags = tags_yamnet(signals.audio(sound, 44_100), tagger, ignore)
    assert tags.scores.shape == (23, 521)  # all but 25 ms of the last half second is in the window before
    assert "Music" in tags.top[:3]
    music, static = (tags.scores[:, tags.classes.tolist().index(name)] for name in ("Music", "Static"))
    assert music[:14].mean() > 0.5 > 2 * music[17:].mean()
    assert static[17:].mean() > 0.2 > 10 * static[:14].mean()


# What is refused


def refused(path: Path, match: str) -> None:
    with pytest.raises(ModelError, match=match):
        load(path.parent)


def relabelled(path: Path, text: bytes, name: str = LABEL_FILE) -> None:
    """The same model with another list of classes appended."""
    content = path.read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    path.write_bytes(content[: content.rindex(b"PK\x03\x04")] + packed.getvalue())


def names(count: int) -> bytes:
    return "\n".join(f"Kind {k}" for k in range(count)).encode()


def test_a_list_of_classes_of_ones_own_is_read(copied: Path) -> None:
    """So the refusals below are about what is in the list."""
    relabelled(copied, names(521))
    assert load(copied.parent).labels[520] == "Kind 520"


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (lambda path: path.unlink(), "not there"),
        (lambda path: path.write_bytes(b""), "what its classes are"),
        (lambda path: path.write_bytes(path.read_bytes()[:2_000_000]), "what its classes are"),
        (lambda path: relabelled(path, names(520)), "520 classes"),
        (lambda path: relabelled(path, names(522)), "522 classes"),
        (lambda path: relabelled(path, names(520) + b"\nKind 0"), "520 classes"),
        (lambda path: relabelled(path, names(520) + b"\n "), "classes"),
        (lambda path: relabelled(path, b"\xff" * 521), "what its classes are"),
        (lambda path: relabelled(path, names(521), "other.txt"), "what its classes are"),
        (lambda path: relabelled(path, b"\n" * (40 << 20)), "bytes"),
    ],
    ids=["gone", "empty", "torn", "too few", "too many", "one twice", "one empty", "no text", "other name", "endless"],
)
def test_a_file_without_521_classes_is_refused(copied: Path, spoil: Callable[[Path], None], match: str) -> None:
    spoil(copied)
    refused(copied, match)


def test_what_is_no_model_is_refused(copied: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(LABEL_FILE, names(521))
    copied.write_bytes(b"this is no model" * 100 + packed.getvalue())
    refused(copied, "TensorFlow Lite")


def test_a_model_of_another_form_is_refused(tagger: Yamnet) -> None:
    class Other:
        def get_input_details(self) -> list[dict[str, object]]:
            return [{"shape": np.array([1, 15_600]), "dtype": np.float32}]

        get_output_details = get_input_details

    with pytest.raises(ModelError, match="no YAMNet"):
        yamnet._check(Other(), Path(FILE))
