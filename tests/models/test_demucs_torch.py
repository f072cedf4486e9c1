"""demucs' own networks, small ones: saved as their makers save them, loaded by the calls that load the real ones."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("demucs.hf")

from processor.errors import ModelError
from processor.models import demucs_torch
from processor.models.demucs_torch import Demucs
from processor.models.loading import Machine
from processor.models.separation import Sound, separate_all
from processor.models.table import all_models
from tests.signals import silence, song

CPU = Machine("cpu", 1)
FOUR = ["drums", "bass", "other", "vocals"]
SIX = [*FOUR, "guitar", "piano"]
SEGMENT = 22_050
CLASS = "demucs.htdemucs.HTDemucs"


def network(sources: list[str], seed: int) -> tuple[Any, dict[str, Any]]:
    """A network of the real class with narrow layers of random numbers, and what it was made with."""
    import torch
    from demucs.htdemucs import HTDemucs

    sizes: dict[str, Any] = {
        "sources": sources,
        "channels": 4,
        "depth": 4,
        "t_layers": 1,
        "t_heads": 2,
        "dconv_mode": 0,
        "samplerate": 44_100,
    }
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = HTDemucs(**sizes, segment=Fraction(SEGMENT, 44_100))
    return made.eval(), {**sizes, "segment": {"_type": "fraction", "numerator": SEGMENT, "denominator": 44_100}}


def save(folder: Path, name: str, sources: list[str], count: int = 1, facts: dict[str, str] | None = None) -> Path:
    """A folder as the store makes it of demucs' place on the hub: `<name>.yaml`, and each network as safetensors."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    signatures = [f"0123abc{number}" for number in range(count)]
    for number, signature in enumerate(signatures):
        made, sizes = network(sources, number)
        half = {key: value.half().contiguous() for key, value in made.state_dict().items()}  # as the real ones are
        metadata = {"klass": CLASS, "args": "[]", "kwargs": json.dumps(sizes)} | (facts or {})
        save_file(half, folder / f"{signature}.safetensors", metadata=metadata)
    lines = [f"models: {json.dumps(signatures)}"]
    if count > 1:  # each network is for one stem, as in htdemucs_ft
        lines.append(f"weights: {json.dumps(np.eye(count, len(sources)).tolist())}")
    (folder / f"{name}.yaml").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("demucs") / "htdemucs", "htdemucs", FOUR)


@pytest.fixture(scope="module")
def separator(saved: Path) -> Demucs:
    return demucs_torch.load(all_models()["htdemucs"], saved, CPU)


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    """A folder that a test may damage."""
    return shutil.copytree(saved, tmp_path / "copy")


def mix(frames: int = SEGMENT) -> Sound:
    return song(1.0, rate=44_100)[:, -frames:]


# What it does


def test_it_is_what_every_separator_is(separator: Demucs) -> None:
    assert (separator.name, separator.device, separator.dtype) == ("htdemucs", "cpu", "float32")
    assert separator.sources == tuple(FOUR)
    assert (separator.sample_rate, separator.segment_frames) == (44_100, SEGMENT)


def test_stems_are_those_of_the_package_s_own_calls(saved: Path, separator: Demucs) -> None:
    """As `demucs.api` does it: mean and deviation of the mix taken out, the network, and put in again."""
    import torch
    from demucs.hf import load_safetensors_model

    given = torch.from_numpy(mix().copy())
    middle = given.mean(0)
    made = load_safetensors_model(saved / "0123abc0.safetensors").eval()
    with torch.no_grad():
        expected = made((given - middle.mean())[None] / middle.std(correction=0))[0] * middle.std(correction=0)
    found = separator.separate(mix())
    assert (found.shape, found.dtype) == ((4, 2, SEGMENT), np.float32)
    assert np.abs(found - expected.numpy()).max() < 1e-5 * np.abs(found).max()
    assert len({stem.tobytes() for stem in found}) == 4


@pytest.mark.parametrize("frames", [1, 777, SEGMENT - 1])
def test_a_short_sound_is_heard(frames: int, separator: Demucs) -> None:
    found = separator.separate(mix(frames))
    assert found.shape == (4, 2, frames)
    assert np.isfinite(found).all()


def test_the_same_sound_gives_the_same_stems(separator: Demucs) -> None:
    assert np.array_equal(separator.separate(mix()), separator.separate(mix()))


def test_silence_stays_finite(separator: Demucs) -> None:
    assert np.abs(separator.separate(silence(0.1, rate=44_100, channels=2))).max() < 1e-6


def test_a_longer_sound_goes_through_in_segments(separator: Demucs) -> None:
    whole = song(1.2, rate=44_100)
    stems = np.concatenate(list(separate_all(separator, [whole], whole.shape[1])), axis=2)
    assert stems.shape == (4, *whole.shape)
    assert np.allclose(stems[:, :, :15_000], separator.separate(whole[:, :SEGMENT])[:, :, :15_000], atol=1e-6)


def test_one_network_for_each_stem(tmp_path: Path) -> None:
    """htdemucs_ft is a bag of four, each of which is asked for one stem."""
    folder = save(tmp_path / "ft", "htdemucs_ft", FOUR, count=4)
    found = demucs_torch.load(all_models()["htdemucs_ft"], folder, CPU).separate(mix())
    for number in range(4):
        alone = tmp_path / str(number)
        alone.mkdir()
        shutil.copy(folder / f"0123abc{number}.safetensors", alone)
        (alone / "one.yaml").write_text(f"models: ['0123abc{number}']\n")
        expected = demucs_torch.load(all_models()["htdemucs_ft"], alone, CPU).separate(mix())
        assert np.allclose(found[number], expected[number], atol=1e-6)


def test_six_stems(tmp_path: Path) -> None:
    found = demucs_torch.load(all_models()["htdemucs_6s"], save(tmp_path / "6s", "htdemucs_6s", SIX), CPU)
    assert found.sources == tuple(SIX)
    assert found.separate(mix(1000)).shape == (6, 2, 1000)


def test_it_runs_where_it_is_told_to(saved: Path) -> None:
    import torch

    if not torch.cuda.is_available():
        with pytest.raises((RuntimeError, AssertionError)):
            demucs_torch.load(all_models()["htdemucs"], saved, Machine("cuda", 1))
        return
    there = demucs_torch.load(all_models()["htdemucs"], saved, Machine("cuda", 1))
    here = demucs_torch.load(all_models()["htdemucs"], saved, CPU)
    assert there.device == "cuda"
    assert np.allclose(there.separate(mix()), here.separate(mix()), atol=1e-3)


# What it refuses


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: ['../../etc/passwd']", "no name of a network"),
        ("models: []", "lists no networks"),
        ("models: [1]", "no name of a network"),
        ("weights: [[1]]", "lists no networks"),
        ("just words", "lists no networks"),
        ("models: [", "cannot be read"),
        ("models: !!python/object/apply:os.system ['true']", "cannot be read"),
    ],
)
def test_a_list_that_makes_no_sense(text: str, said: str, copied: Path) -> None:
    (copied / "htdemucs.yaml").write_text(text)
    with pytest.raises(ModelError, match=said):
        demucs_torch.load(all_models()["htdemucs"], copied, CPU)


def test_a_folder_without_a_list_or_with_two(copied: Path) -> None:
    (copied / "other.yaml").write_text("models: ['0123abc0']")
    with pytest.raises(ModelError, match="2 YAML files"):
        demucs_torch.load(all_models()["htdemucs"], copied, CPU)
    for path in copied.glob("*.yaml"):
        path.unlink()
    with pytest.raises(ModelError, match="0 YAML files"):
        demucs_torch.load(all_models()["htdemucs"], copied, CPU)


@pytest.mark.parametrize(
    "facts",
    [
        {"klass": "subprocess.Popen", "args": '["true"]', "kwargs": "{}"},
        {"klass": "demucs.hdemucs.HDemucs"},
        {"structure": "{}"},
    ],
    ids=["a program", "another network", "packed"],
)
def test_a_file_that_would_build_anything_else(facts: dict[str, str], tmp_path: Path) -> None:
    folder = save(tmp_path / "m", "htdemucs", FOUR, facts=facts)
    with pytest.raises(ModelError, match="not demucs"):
        demucs_torch.load(all_models()["htdemucs"], folder, CPU)


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"\x80\x04pickle"])
def test_a_damaged_file(content: bytes, copied: Path) -> None:
    (copied / "0123abc0.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="cannot be read"):
        demucs_torch.load(all_models()["htdemucs"], copied, CPU)


def test_a_missing_file(copied: Path) -> None:
    (copied / "0123abc0.safetensors").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        demucs_torch.load(all_models()["htdemucs"], copied, CPU)


def test_stems_that_cannot_be_files(tmp_path: Path) -> None:
    folder = save(tmp_path / "m", "htdemucs", ["drums", "../bass", "other", "vocals"])
    with pytest.raises(ModelError, match="no names that can be used"):
        demucs_torch.load(all_models()["htdemucs"], folder, CPU)
