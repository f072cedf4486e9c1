"""BS-Roformer, a small one: saved as the real one is, loaded by the calls of audio-separator that load the real one."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processor.models.loading import Machine, guard_broken_packages

pytest.importorskip("torch")
pytest.importorskip("audio_separator")

from processor.errors import ModelError
from processor.models import roformer
from processor.models.roformer import Roformer
from processor.models.separation import Sound, separate_all
from processor.models.table import all_models
from tests.signals import song

guard_broken_packages()
CPU = Machine("cpu", 1)
SIX = ("bass", "drums", "other", "vocals", "guitar", "piano")
FRAMES, HOP = 33, 512
SEGMENT = HOP * (FRAMES - 1)
SIZES: dict[str, Any] = {
    "dim": 8,
    "depth": 1,
    "stereo": True,
    "num_stems": 6,
    "time_transformer_depth": 1,
    "freq_transformer_depth": 1,
    "dim_head": 8,
    "heads": 2,
    "stft_n_fft": 2048,
    "stft_hop_length": HOP,
    "stft_win_length": 2048,
    "mlp_expansion_factor": 1,
    "flash_attn": True,
}
BANDS = (2,) * 24 + (4,) * 12 + (12,) * 8 + (24,) * 8 + (48,) * 8 + (128, 129)

# The form of BS-Roformer-SW.yaml: what is not said here has its default.
YAML = """\
audio:
  chunk_size: {segment}
  dim_f: 1024
  dim_t: {frames}
  hop_length: {hop}
  n_fft: 2048
  num_channels: 2
  sample_rate: 44100
  min_mean_abs: 0.000
model:
{model}
  freqs_per_bands: !!python/tuple
{bands}
training:
  batch_size: 1
  instruments: [{instruments}]
  target_instrument: null
  use_amp: true
inference:
  batch_size: 2
  dim_t: {frames}
  num_overlap: 2
"""


def described(instruments: tuple[str, ...] = SIX, **sizes: Any) -> str:
    return YAML.format(
        segment=SEGMENT,
        frames=FRAMES,
        hop=HOP,
        model="\n".join(f"  {key}: {str(value).lower()}" for key, value in {**SIZES, **sizes}.items()),
        bands="\n".join(f"    - {band}" for band in BANDS),
        instruments=", ".join(instruments),
    )


def network(seed: int = 0) -> Any:
    """A network of the real class with narrow layers of random numbers."""
    import torch

    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")  # of what it imports, and of a window that it does not use
        from audio_separator.separator.uvr_lib_v5.roformer.bs_roformer import BSRoformer

        torch.manual_seed(seed)
        return BSRoformer(**SIZES, freqs_per_bands=BANDS).eval()


def save(folder: Path, text: str = "") -> Path:
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    torch.save(network().state_dict(), folder / "BS-Roformer-SW.ckpt")
    (folder / "BS-Roformer-SW.yaml").write_text(text or described())
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("roformer") / "sw")


@pytest.fixture(scope="module")
def separator(saved: Path) -> Roformer:
    return load(saved)


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    """A folder that a test may damage."""
    return shutil.copytree(saved, tmp_path / "copy")


def load(folder: Path, machine: Machine = CPU) -> Roformer:
    return roformer.load(all_models()["bs_roformer_sw"], folder, machine)


def mix(frames: int = SEGMENT) -> Sound:
    return song(1.0, rate=44_100)[:, -frames:]


# What it does


def test_it_is_what_every_separator_is(separator: Roformer) -> None:
    assert (separator.name, separator.device, separator.dtype) == ("bs_roformer_sw", "cpu", "float32")
    assert separator.sources == SIX
    assert (separator.sample_rate, separator.segment_frames) == (44_100, SEGMENT)


def test_stems_are_those_of_the_network(separator: Roformer) -> None:
    import torch

    with torch.no_grad():
        expected = network()(torch.from_numpy(mix().copy())[None])[0].numpy()
    found = separator.separate(mix())
    assert (found.shape, found.dtype) == ((6, 2, SEGMENT), np.float32)
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    assert len({stem.tobytes() for stem in found}) == 6


@pytest.mark.parametrize("frames", [1, 777, SEGMENT - 1])
def test_a_short_sound_is_heard(frames: int, separator: Roformer) -> None:
    found = separator.separate(mix(frames))
    assert found.shape == (6, 2, frames)
    assert np.isfinite(found).all()


def test_a_longer_sound_goes_through_in_segments(separator: Roformer) -> None:
    whole = song(1.2, rate=44_100)
    stems = np.concatenate(list(separate_all(separator, [whole], whole.shape[1])), axis=2)
    assert stems.shape == (6, *whole.shape)
    assert np.allclose(stems[:, :, :10_000], separator.separate(whole[:, :SEGMENT])[:, :, :10_000], atol=1e-6)


def test_it_runs_where_it_is_told_to(saved: Path) -> None:
    import torch

    if not torch.cuda.is_available():
        with pytest.raises((ModelError, RuntimeError, AssertionError)):
            load(saved, Machine("cuda", 1))
        return
    there = load(saved, Machine("cuda", 1))
    assert there.device == "cuda"
    assert np.allclose(there.separate(mix()), load(saved).separate(mix()), atol=1e-3)


# What it refuses


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("just words", "describes no network"),
        ("audio: [", "cannot be read"),
        ("!!python/object/apply:os.system ['true']", "cannot be read"),
        ("audio: {sample_rate: 44100}", "does not say"),
        (described().replace("target_instrument: null", "target_instrument: vocals"), "one stem only"),
        (described().replace(f"dim_t: {FRAMES}", "dim_t: 1000000"), "at once"),
        (described().replace(f"dim_t: {FRAMES}", "dim_t: -5"), "at once"),
        (described().replace("sample_rate: 44100", "sample_rate: 1"), "at once"),
        (described(("drums", "../bass")), "no names that can be used"),
        (described(("drums", "bass")), "makes 6 stems"),
        (described(dim=16), "cannot be loaded"),
    ],
    ids=[
        "words",
        "no YAML",
        "a program",
        "too little",
        "one stem",
        "long",
        "negative",
        "rate",
        "paths",
        "two",
        "sizes",
    ],
)
def test_a_description_that_makes_no_sense(text: str, said: str, copied: Path) -> None:
    (copied / "BS-Roformer-SW.yaml").write_text(text)
    with pytest.raises(ModelError, match=said):
        load(copied)


class Trap:
    """What a pickle may be: a call of anything when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("/tmp/liner-notes-was-run"),))


def test_a_checkpoint_that_is_a_program_is_not_run(copied: Path) -> None:
    import torch

    torch.save({"state_dict": Trap()}, copied / "BS-Roformer-SW.ckpt")
    with pytest.raises(Exception, match=r"[Ww]eights only|weights_only"):
        load(copied)
    assert not Path("/tmp/liner-notes-was-run").exists()


def test_files_that_are_not_there(copied: Path) -> None:
    (copied / "BS-Roformer-SW.ckpt").unlink()
    with pytest.raises(ModelError, match="0 files"):
        load(copied)
    (copied / "BS-Roformer-SW.yaml").unlink()
    with pytest.raises(ModelError, match="0 files"):
        load(copied)
