"""emotion2vec: guesses the emotion of a voice (Ma et al., "emotion2vec", ACL 2024), by FunASR.

FunASR reads a folder's configuration, evaluates one line of it as Python, and loads what it names with whatever class
is named there. So we read the configuration ourselves, take from it only what describes this one network, and hand that
to the same `AutoModel` as plain data; the weights are read as tensors only.
"""

from __future__ import annotations

import ast
import contextlib
import io
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processor.errors import ModelError
from processor.files import printable
from processor.models.loading import Machine
from processor.models.table import Model

Row = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
NETWORK = "Emotion2vec"
CONFIG, WEIGHTS, TOKENS = "config.yaml", "model.pt", "tokens.txt"
# What is longer than these is no configuration and no list of emotions.
MOST_CONFIG_BYTES, MOST_NUMBER, MOST_LABELS, MOST_LABEL_LENGTH = 1 << 16, 1 << 16, 64, 40
# The first name is what its parts are called in FunASR's own class; the others, what training called them.
PREFIXES = ("", "d2v_model.", "module.", "module.d2v_model.")
# Only training needs these; published weights may come without them.
TRAINING_ONLY = ("modality_encoders.AUDIO.decoder.",)
# The list marks what the network cannot name, or must not, by these.
UNKNOWN, UNUSED = "<unk>", "unuse"


@dataclass(frozen=True)
class EmotionReader:
    """A loaded emotion2vec.

    Attributes:
        name: of the model.
        labels: the emotions, in English.
        sample_rate: of what it hears, in Hz.
        least_frames: fewest samples that it can hear.
        device: where it runs.
        dtype: in which numbers.
    """

    name: str
    labels: tuple[str, ...]
    device: str
    _model: Any = field(repr=False)
    sample_rate: int = SAMPLE_RATE_HZ
    least_frames: int = 1600
    dtype: str = "float32"

    def read(self, samples: Row) -> Row:
        """How much an utterance sounds like each emotion: `(labels,)`, together 1.

        Args:
            samples: mono, at least `least_frames` of them.

        Raises:
            ModelError: what comes back is no list of scores.
        """
        with _quiet():
            found = self._model.generate(
                np.ascontiguousarray(samples, np.float32),
                granularity="utterance",
                extract_embedding=False,
                fs=SAMPLE_RATE_HZ,
            )
        scores = np.asarray(found[0].get("scores", ()), np.float32)
        if scores.shape != (len(self.labels),) or not np.isfinite(scores).all():
            raise ModelError(f"{self.name} gave {scores.size} scores for {len(self.labels)} emotions")
        return scores


def load(model: Model, folder: Path, machine: Machine) -> EmotionReader:
    """Load emotion2vec from a folder with its configuration, weights and list of emotions.

    Raises:
        ModelError: FunASR is not installed, or the files are not what they should be.
    """
    config = read_config(folder / CONFIG)
    tokens = read_tokens(folder / TOKENS)
    if not (folder / WEIGHTS).is_file():
        raise ModelError(f"{model.name}: {WEIGHTS} is not there")
    try:
        with _quiet():
            from funasr import AutoModel
    except ImportError as error:
        raise ModelError(f"emotion2vec needs FunASR: pip install 'liner-notes[emotion]' ({error})") from error
    with _quiet():
        # A model_conf keeps it from looking for the configuration itself, on the disk or on a hub.
        loaded = AutoModel(
            model=NETWORK,
            model_conf=config,
            tokenizer="CharTokenizer",
            tokenizer_conf={"token_list": tokens, "unk_symbol": UNKNOWN, "split_with_space": True},
            device=machine.device,
            ncpu=machine.threads,
            disable_update=True,
            disable_pbar=True,
            log_level="ERROR",
        )
    fill(loaded.model, folder / WEIGHTS)
    labels = tuple(_english(token) for token in tokens if not token.startswith(UNUSED))
    return EmotionReader(model.title, labels, str(loaded.kwargs["device"]), loaded)


def read_config(path: Path) -> dict[str, Any]:
    """The part of a configuration that describes the network, safe to hand on.

    Raises:
        ModelError: it is missing, not emotion2vec's, or more than a description.
    """
    import yaml
    from omegaconf import OmegaConf

    text = _text(path, MOST_CONFIG_BYTES)
    try:
        has_alias = any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader))
        if has_alias or "${" in text:
            raise ModelError(f"{path.name} refers to more than itself")
        # OmegaConf's loader is a safe one, and reads 1e-05 as the number that it is.
        found = OmegaConf.to_container(OmegaConf.create(text), resolve=False)
    except yaml.YAMLError as error:
        raise ModelError(f"{path.name} is no YAML: {' '.join(str(error).split())[:200]}") from error
    config = found.get("model_conf") if isinstance(found, dict) else None
    if not isinstance(found, dict) or found.get("model") != NETWORK or not isinstance(config, dict):
        raise ModelError(f"{path.name} does not describe {NETWORK}")
    _check_plain(config, path.name)
    try:
        audio = config["modalities"]["audio"]
        audio["feature_encoder_spec"] = repr(layers(audio["feature_encoder_spec"]))
    except (KeyError, TypeError) as error:
        raise ModelError(f"{path.name} has no feature_encoder_spec for audio") from error
    return config


def layers(text: object) -> list[tuple[int, int, int]]:
    """Convolutions as they are written there: `[(512, 10, 5)] + [(512, 3, 2)] * 4`.

    FunASR evaluates that line as Python. Here it is read, and what comes out is written anew.

    Raises:
        ModelError: it is anything else.
    """
    wrong = ModelError("feature_encoder_spec is no list of convolutions")
    try:
        tree = ast.parse(str(text), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise wrong from error

    def read(node: ast.expr) -> list[tuple[int, int, int]]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return read(node.left) + read(node.right)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            times = ast.literal_eval(node.right)
            if not isinstance(times, int) or not 0 < times <= 32:
                raise wrong
            return read(node.left) * times
        found = ast.literal_eval(node)
        if not isinstance(found, list) or not all(_is_layer(layer) for layer in found):
            raise wrong
        return found

    try:
        found = read(tree)
    except (ValueError, TypeError, RecursionError, MemoryError) as error:
        raise wrong from error
    if not 0 < len(found) <= 64:
        raise wrong
    return found


def _is_layer(layer: object) -> bool:
    """Whether it is channels, width and step."""
    return isinstance(layer, tuple) and len(layer) == 3 and all(type(n) is int and 0 < n <= 4096 for n in layer)


def read_tokens(path: Path) -> list[str]:
    """The emotions as the network's list names them: `生气/angry`.

    Raises:
        ModelError: it is missing, or no such list.
    """
    tokens = [printable(line.rstrip())[: 2 * MOST_LABEL_LENGTH] for line in _text(path, MOST_CONFIG_BYTES).splitlines()]
    tokens = [token for token in tokens if token]
    if not 1 < len(tokens) <= MOST_LABELS or len(set(tokens)) != len(tokens) or UNKNOWN not in tokens:
        raise ModelError(f"{path.name} is no list of emotions")
    return tokens


def _english(token: str) -> str:
    return "unknown" if token == UNKNOWN else token.rpartition("/")[2][:MOST_LABEL_LENGTH].strip().lower()


def fill(network: Any, path: Path) -> None:
    """Put weights from a file into a network; only tensors are read, so a file cannot run anything.

    Raises:
        ModelError: it holds something else, or another network.
    """
    import torch

    try:
        with _quiet():
            found = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch's reader of pickles fails in as many ways as a file can be wrong
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path.name} holds more or less than weights: {reason}") from error
    for name in ("state_dict", "model_state_dict", "model"):
        found = found[name] if isinstance(found, Mapping) and name in found else found
    if not isinstance(found, Mapping):
        raise ModelError(f"{path.name} holds no weights by name")
    wanted = network.state_dict()
    chosen = {key: _named(found, key) for key in wanted}
    missing = [key for key, value in chosen.items() if value is None and not key.startswith(TRAINING_ONLY)]
    other = [key for key, value in chosen.items() if value is not None and value.shape != wanted[key].shape]
    if missing or other:
        what = f"{len(missing)} of {len(wanted)} weights are missing, {len(other)} have another shape"
        raise ModelError(f"{path.name} is not of this network: {what}; the first is {(missing + other)[0][:80]}")
    network.load_state_dict({key: value for key, value in chosen.items() if value is not None}, strict=False)


def _named(found: Mapping[str, Any], key: str) -> Any:
    """A tensor under any of the names that it can have; None where there is none."""
    import torch

    names = (prefix + key for prefix in PREFIXES)
    return next((found[name] for name in names if isinstance(found.get(name), torch.Tensor)), None)


def _check_plain(value: object, where: str) -> None:
    """Refuse numbers that would only fill the memory."""
    if isinstance(value, Mapping):
        for item in value.values():
            _check_plain(item, where)
    elif isinstance(value, list):
        for item in value:
            _check_plain(item, where)
    elif isinstance(value, (int, float)) and not abs(value) <= MOST_NUMBER:
        raise ModelError(f"{where} has a number that no network has: {value}")


def _text(path: Path, most_bytes: int) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read: {error.strerror}") from error
    if len(content) > most_bytes:
        raise ModelError(f"{path.name} is far longer than it should be")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelError(f"{path.name} is no text") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep FunASR from printing, from setting up everybody's logging, and from its own way with warnings."""
    import warnings

    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
