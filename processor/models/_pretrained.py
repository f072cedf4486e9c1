"""What all models of the transformers library have in common: a local folder, safetensors only, and every weight there.

The library is lenient: it fetches what is missing, unpickles what is old, and fills up with random numbers what a file
lacks, with no more than a warning. Here each of the three is an error.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from processor.errors import ModelError
from processor.models.loading import Machine, guard_broken_packages
from processor.models.table import Model

CONFIG, WEIGHTS = "config.json", "model.safetensors"
# That of CLAP has 5 KB, that of AST 27 KB, for it holds the names of all classes.
MOST_CONFIG_BYTES = 1 << 20


def dtype_for(model: Model, machine: Machine) -> str:
    """What to calculate with: half precision on a CUDA device, which is twice as fast there; single elsewhere.

    An option `dtype` of the model goes before that.
    """
    return model.options.get("dtype", "float16" if machine.device.startswith("cuda") else "float32")


def windows_at_once(machine: Machine) -> int:
    """Windows of ten seconds that go through a model together.

    On a CPU more gain nothing, and each takes 40 to 60 MB; a graphics processor wants many.
    """
    return 4 if machine.device == "cpu" else 32


def check_folder(model: Model, folder: Path, *, others: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
    """Look at a folder before anything in it is loaded; gives its `config.json`.

    Args:
        model: for messages.
        folder: where its files should be.
        others: files that it needs besides; of each group, one.

    Raises:
        ModelError: something is missing, or the weights are pickled only.
    """
    if not (folder / WEIGHTS).is_file() and not (folder / f"{WEIGHTS}.index.json").is_file():
        pickled = ", ".join(sorted(path.name for path in folder.glob("*.bin")))
        reason = f"; {pickled} could run anything when it is opened, so it stays shut" if pickled else ""
        raise ModelError(f"{model.name} has no {WEIGHTS} in {folder}{reason}")
    for group in others:
        if not any((folder / name).is_file() for name in group):
            raise ModelError(f"{model.name} has no {' or '.join(group)} in {folder}")
    path = folder / CONFIG
    try:
        if path.stat().st_size > MOST_CONFIG_BYTES:
            raise ModelError(f"{path} is too large for a configuration")
        config = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise ModelError(f"{path} holds no configuration")
    return config


@contextmanager
def loading_from(folder: Path, model: Model) -> Iterator[None]:
    """Import and load without progress bars and advice on the console.

    Raises:
        ModelError: whatever the library says about files that are not what they should be; a package is missing.
    """
    guard_broken_packages()  # before transformers, which remembers what it finds when it is imported
    try:
        import torch  # noqa: F401  # without it, transformers loads and then refuses each class
        import transformers
    except ImportError as error:
        raise ModelError(
            f"{model.name} needs torch and transformers ({error}): pip install 'liner-notes[models]'"
        ) from error
    logging: Any = transformers.utils.logging
    verbosity, shows_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # AST was trained with 128 mel bands over 257 bins, of which the lowest stay empty.
            warnings.filterwarnings("ignore", message="At least one mel filter has all zero values")
            yield
    except (ModelError, MemoryError):
        raise
    except Exception as error:  # by the file: OSError, ValueError, RuntimeError, SafetensorError, AttributeError …
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ModelError(f"{model.name} in {folder} cannot be loaded: {text}") from error
    finally:
        logging.set_verbosity(verbosity)
        if shows_bars:
            logging.enable_progress_bar()


def load_weights(model: Model, kind: Any, folder: Path, machine: Machine) -> Any:
    """Load a network of class `kind`, on its device and in its dtype, ready to answer.

    Raises:
        ModelError: the weights are not those of such a network, or some are missing.
    """
    import torch

    dtype = getattr(torch, dtype_for(model, machine), None)
    if not isinstance(dtype, torch.dtype):
        raise ModelError(f"{model.name} cannot calculate with {dtype_for(model, machine)!r}")
    if machine.device == "cpu":
        torch.set_num_threads(machine.threads)
    network, found = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True, output_loading_info=True)
    missing = sorted(set(found["missing_keys"]) & {name for name, _ in network.named_parameters()})
    if missing:
        raise ModelError(
            f"{folder / WEIGHTS} lacks {len(missing)} of the weights of {model.name}, among them {missing[0]}"
        )
    return network.to(device=machine.device, dtype=dtype).eval()
