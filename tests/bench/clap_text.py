"""What it gains to read CLAP's labels once: `python -m tests.bench.clap_text`.

The naive way asks the whole model about each window by itself, with the sentences of each category: transformers' own
zero-shot call. Ours reads the sentences once for good, hears windows in batches, and multiplies. Both run on the same
network of full size; its numbers are random, which cost the same as the real ones. CPU time is compared, so that other
processes do not count; with `--threads` above one, it is that of all threads.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from processor.models.clap import Clap

# What the two models of the table have otherwise than ClapAudioConfig's defaults, which are those of htsat-unfused.
SIZES: dict[str, dict[str, Any]] = {
    "clap": {},
    "clap_music": {"hidden_size": 1024, "patch_embeds_hidden_size": 128, "depths": [2, 2, 12, 2]},
}
SONG_WINDOWS = 24  # four minutes


def options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.bench.clap_text", description=__doc__.partition("\n\n")[2])
    parser.add_argument("--size", choices=SIZES, default="clap", help="which model it is as large as")
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument("--naive", type=int, default=1, metavar="N", help="windows to ask about the naive way")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Print a table."""
    chosen = options(words)
    os.environ["OMP_NUM_THREADS"] = str(chosen.threads)
    with tempfile.TemporaryDirectory() as folder:
        hears = made(Path(folder), chosen.size, chosen.threads)
        windows = list(np.random.default_rng(0).standard_normal((SONG_WINDOWS, hears.window_frames), np.float32) * 0.1)
        naive_s, naive = clock(lambda: [ask_naively(hears, window) for window in windows[: chosen.naive]])
        naive_s /= chosen.naive
        reading_s, texts = clock(hears.label_embeddings)
        cached_s, again = clock(hears.label_embeddings)
        hearing_s, places = clock(lambda: hears.embed(windows))
        alone_s, _ = clock(lambda: [hears.embed([window]) for window in windows[:4]])
        assert np.array_equal(texts, again)
        assert np.allclose(np.array(naive), (hears.logit_scale * places @ texts.T)[: chosen.naive], atol=1e-3)
    seconds = SONG_WINDOWS * hears.window_frames / hears.sample_rate
    print(f"{chosen.size}, {chosen.threads} thread(s), {len(hears.labels.names)} labels, a song of {seconds:g} s")
    print(f"naive: all sentences for each window   {naive_s * SONG_WINDOWS:9.1f} s ({naive_s:.2f} s a window)")
    print(f"ours, first song: labels read, kept    {reading_s + hearing_s:9.1f} s (labels {reading_s:.2f} s)")
    print(f"ours, from then on                     {cached_s + hearing_s:9.1f} s (labels {cached_s:.3f} s)")
    print(f"hearing in batches against one by one  {alone_s / 4 / (hearing_s / SONG_WINDOWS):9.2f} x")
    print(f"first song                             {naive_s * SONG_WINDOWS / (reading_s + hearing_s):9.1f} x")
    print(f"from then on                           {naive_s * SONG_WINDOWS / (cached_s + hearing_s):9.1f} x")
    print(f"hearing: {hearing_s / seconds:.3f} s a second of sound; peak memory {peak_mb():.0f} MB")
    return 0


def made(folder: Path, size: str, threads: int) -> Clap:
    """A CLAP of full size and random numbers, loaded by our own loader."""
    from processor.models import clap
    from processor.models.loading import Machine
    from tests.models.small import model, save_clap

    audio = {"hidden_size": 768, "patch_embeds_hidden_size": 96, "depths": [2, 2, 6, 2], **SIZES[size]}
    full_text = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
    save_clap(
        folder,
        text={**full_text, "vocab_size": 50_265, "max_position_embeddings": 514},
        audio={**audio, "num_attention_heads": [4, 8, 16, 32], "num_hidden_layers": 4},
        width=512,
    )
    return clap.load(model(size), folder, Machine("cpu", threads))


def ask_naively(hears: Clap, window: np.ndarray[Any, np.dtype[np.float32]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """All logits of one window, category after category, each by a call of the whole model."""
    import torch

    network, processor = hears._network, hears._processor
    found = []
    for span in hears.labels.spans.values():
        inputs = processor(
            text=list(hears.labels.sentences[span]),
            audio=window,
            sampling_rate=hears.sample_rate,
            return_tensors="pt",
            padding=True,
        )
        with torch.inference_mode():
            found.append(network(**inputs).logits_per_audio[0].numpy())
    return np.concatenate(found)


def clock(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of some work, and what came of it."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
