"""Embeddings of sentences, kept beside a model's weights: reading 306 labels takes a CPU as long as hearing a song."""

from __future__ import annotations

import hashlib
import io
import logging
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processor.files import write_atomically

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]

MOST_BYTES = 64 << 20
# Two machines, or half and single precision, differ by less; another model by far more.
TOLERANCE = 0.02


def text_embeddings(folder: Path, model: str, sentences: Sequence[str], embed: Embed) -> Vectors:
    """The embeddings of some sentences, shape `(n, d)`, unit length: out of the cache if it holds, else made and kept.

    The file's name says model and sentences. What it holds is believed if it has the right form and the model still
    gives the same for two of the sentences: so a torn file, a planted one and one of other weights are made anew.

    Args:
        folder: where the model's weights are; where it cannot be written to, nothing is kept.
        model: its name.
        sentences: one or more.
        embed: the model.
    """
    digest = hashlib.sha256("\0".join([model, *sentences]).encode()).hexdigest()[:16]
    path = folder / f"text-{digest}.npz"
    kept = _read(path, len(sentences))
    if kept is not None and _holds(kept, sentences, embed):
        return kept
    made = embed(sentences)
    content = io.BytesIO()
    np.savez(content, embeddings=made)
    try:
        write_atomically(path, content.getvalue(), durable=False)
    except OSError as error:
        logging.getLogger(__name__).warning("embeddings of the labels cannot be kept: %s", error)
    return made


def _read(path: Path, count: int) -> Vectors | None:
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("embeddings.npy").file_size > MOST_BYTES:
                return None
        with np.load(path, allow_pickle=False) as arrays:
            found = arrays["embeddings"]
    except (OSError, ValueError, KeyError, EOFError, MemoryError, NotImplementedError, zipfile.BadZipFile, zlib.error):
        return None
    if found.dtype != np.float32 or found.ndim != 2 or len(found) != count or not np.isfinite(found).all():
        return None
    return found if np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-3) else None


def _holds(kept: Vectors, sentences: Sequence[str], embed: Embed) -> bool:
    probes = [0, len(sentences) - 1]
    now = embed([sentences[k] for k in probes])
    return now.shape[1] == kept.shape[1] and bool(np.abs(now - kept[probes]).max() < TOLERANCE)
