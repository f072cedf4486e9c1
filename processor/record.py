"""A record: all results of one track, each with its key and, where there is none, the reason.

It is the only thing passed on: the page, the catalogue and later analyses read it. On disk it is `record.json`, at
most 64 KB, with long curves beside it in `arrays.npz`. It holds no times and no paths, so the same file gives the
same bytes whenever and wherever it is analysed.
"""

from __future__ import annotations

import io
import json
import math
import typing
import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from processor.errors import RecordError, RecordTooNew
from processor.files import write_atomically
from processor.quantities import Column, columns

RECORD_NAME = "record.json"
ARRAYS_NAME = "arrays.npz"
SCHEMA = 1
MAX_JSON_BYTES = 64 * 1024
MAX_INLINE_VALUES = 512
# A millionth of a dB, LU or second is below anything that is measured here, and hides the last bit of different CPUs.
DECIMALS = 6

# What NumPy raises for an archive that is none.
_BROKEN_ARRAYS = (EOFError, BadZipFile, zlib.error)

JSON = Any
Results = Mapping[str, Any]

# What turns a record of schema n into one of schema n + 1.
UPGRADES: dict[int, Callable[[dict[str, JSON]], dict[str, JSON]]] = {}


@dataclass(frozen=True)
class Failure:
    """Why an analyser has no result.

    Attributes:
        kind: "failed" when it raised, "skipped" when something that it needs was missing.
        reason: one sentence for a person.
    """

    kind: str
    reason: str


@dataclass(frozen=True)
class Record:
    """All that is known about one track from its sound alone.

    Attributes:
        kind: "track".
        sha256: hash of the source file's bytes.
        name: the file's name as it was dropped, made printable.
        results: analyser name → its result.
        keys: analyser name → key of the inputs and version that gave the result or the failure.
        failures: analyser name → why it has no result.
    """

    kind: str
    sha256: str
    name: str
    results: Results = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, Failure] = field(default_factory=dict)


def plain(result: Any, *, curves: bool = True) -> dict[str, JSON]:
    """A result as JSON values: floats rounded, arrays as lists (or left out), what is not a number as null."""
    wanted = (column for column in columns(type(result)) if curves or not column.is_curve)
    return {column.name: _plain(getattr(result, column.name)) for column in wanted}


def _plain(value: Any) -> JSON:
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    number = float(value)
    return round(number, DECIMALS) + 0.0 if math.isfinite(number) else None


def to_bytes(record: Record) -> tuple[bytes, bytes | None]:
    """The record as `record.json` and, where it has long curves, `arrays.npz`; by name, in whatever order it ran."""
    ordered = dict(sorted(record.results.items()))
    results = {name: plain(result) for name, result in ordered.items()}
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    for path in _curves(ordered):
        if path.size > MAX_INLINE_VALUES or path.is_text:
            _move_out(results, arrays, path)
    content = _dump(record, results)
    for path in sorted(_curves(ordered), key=lambda p: -p.size):
        if len(content) <= MAX_JSON_BYTES:
            break
        if path.label not in arrays:
            _move_out(results, arrays, path)
            content = _dump(record, results)
    if len(content) > MAX_JSON_BYTES:
        raise RecordError(f"The record would have {len(content)} bytes; at most {MAX_JSON_BYTES} are allowed.")
    return content, _pack(arrays) if arrays else None


@dataclass(frozen=True)
class _Curve:
    analyser: str
    column: str
    array: np.ndarray[Any, Any]

    @property
    def label(self) -> str:
        return f"{self.analyser}.{self.column}"

    @property
    def size(self) -> int:
        return int(self.array.size)

    @property
    def is_text(self) -> bool:
        return bool(self.array.dtype.kind == "U")


def _curves(results: Results) -> list[_Curve]:
    """What can stand in `arrays.npz`: arrays, and long lists of text or numbers (the chords of a whole set)."""
    found = []
    for name, result in results.items():
        for column in columns(type(result)):
            value = getattr(result, column.name)
            if isinstance(value, tuple) and len(value) > MAX_INLINE_VALUES and None not in value:
                value = np.array(value)
            if isinstance(value, np.ndarray):
                found.append(_Curve(name, column.name, value))
    return found


def _move_out(results: dict[str, dict[str, JSON]], arrays: dict[str, np.ndarray[Any, Any]], curve: _Curve) -> None:
    results[curve.analyser][curve.column] = {"array": curve.label}
    # Half precision has fewer digits than that, and text has none.
    is_fine = curve.array.dtype.itemsize > 2 and np.issubdtype(curve.array.dtype, np.number)
    arrays[curve.label] = np.round(curve.array, DECIMALS) if is_fine else curve.array


def _dump(record: Record, results: dict[str, dict[str, JSON]]) -> bytes:
    tree = {
        "schema": SCHEMA,
        "kind": record.kind,
        "sha256": record.sha256,
        "name": record.name,
        "results": results,
        "keys": dict(sorted(record.keys.items())),
        "failures": {name: {"kind": f.kind, "reason": f.reason} for name, f in sorted(record.failures.items())},
    }
    return (json.dumps(tree, indent=1, allow_nan=False) + "\n").encode()


def _pack(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def write(record: Record, folder: Path) -> None:
    """Write a record's files. The arrays come first, so that a record never points at some that are not there."""
    content, arrays = to_bytes(record)
    if arrays is not None:
        write_atomically(folder / ARRAYS_NAME, arrays)
    write_atomically(folder / RECORD_NAME, content)
    if arrays is None:
        (folder / ARRAYS_NAME).unlink(missing_ok=True)


def read(folder: Path, types: Mapping[str, type], *, curves: bool = True) -> Record:
    """Read the record in `folder`.

    A result that no longer fits its class (an analyser was changed or removed) is left out together with its key,
    which makes `refresh` compute it again.

    Args:
        folder: one track's folder.
        types: analyser name → result class.
        curves: read `arrays.npz` too; without it, curves and long lists are empty, and reading is twice as fast.

    Raises:
        RecordTooNew: written by a newer Liner Notes.
        RecordError: missing, or not a record.
    """
    path = folder / RECORD_NAME
    try:
        tree = upgrade(json.loads(path.read_bytes()))
        arrays = _unpack(folder / ARRAYS_NAME, types) if curves else None
        return _from_tree(tree, arrays, types)
    except RecordError as error:
        raise type(error)(f"{path}: {error}") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, *_BROKEN_ARRAYS) as error:
        raise RecordError(f"{path} is not a record ({type(error).__name__}: {error}).") from error


def read_curves(folder: Path, labels: Collection[str]) -> dict[str, np.ndarray[Any, Any]]:
    """Some curves of the record in `folder`, by `analyser.field`; those that it does not have are left out.

    Raises:
        RecordError: missing, or not a record.
    """
    path = folder / RECORD_NAME
    found: dict[str, np.ndarray[Any, Any]] = {}
    try:
        results = json.loads(path.read_bytes())["results"]
        for label in labels:
            analyser, _, column = label.partition(".")
            value = results.get(analyser, {}).get(column)
            if isinstance(value, list):
                found[label] = np.array(value, dtype=np.float64)
        outside = [label for label in labels if label not in found and label.partition(".")[0] in results]
        if outside and (folder / ARRAYS_NAME).is_file():
            with (folder / ARRAYS_NAME).open("rb") as file, np.load(file, allow_pickle=False) as archive:
                found |= {label: archive[label] for label in outside if label in archive}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, *_BROKEN_ARRAYS) as error:
        raise RecordError(f"{path} is not a record ({type(error).__name__}: {error}).") from error
    return found


def _unpack(path: Path, types: Collection[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of these analysers; what others left is not even unpacked."""
    if not path.is_file():
        return {}
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        return {label: archive[label] for label in archive.files if label.partition(".")[0] in types}


def upgrade(tree: JSON) -> dict[str, JSON]:
    """Bring a record of an older schema to the present one.

    Raises:
        RecordTooNew: its schema is newer than ours.
        RecordError: it has no schema.
    """
    if not isinstance(tree, dict) or not isinstance(tree.get("schema"), int) or tree["schema"] < 1:
        raise RecordError("there is no schema number")
    if tree["schema"] > SCHEMA:
        raise RecordTooNew(f"its schema is {tree['schema']}, and this Liner Notes knows {SCHEMA}: install a newer one")
    while tree["schema"] < SCHEMA:
        tree = {**UPGRADES[tree["schema"]](tree), "schema": tree["schema"] + 1}
    upgraded: dict[str, JSON] = tree
    return upgraded


def _from_tree(
    tree: dict[str, JSON], arrays: Mapping[str, np.ndarray[Any, Any]] | None, types: Mapping[str, type]
) -> Record:
    results = {}
    for name, values in tree["results"].items():
        if name in types:
            try:
                results[name] = result_from(types[name], values, arrays)
            except (ValueError, KeyError, TypeError):
                continue
    failures = {
        name: Failure(str(f["kind"]), str(f["reason"])) for name, f in tree["failures"].items() if name in types
    }
    keys = {name: str(key) for name, key in tree["keys"].items() if name in results or name in failures}
    return Record(str(tree["kind"]), str(tree["sha256"]), str(tree["name"]), results, keys, failures)


def result_from(
    result_type: type, values: Mapping[str, JSON], arrays: Mapping[str, np.ndarray[Any, Any]] | None
) -> Any:
    """Build a result from JSON values.

    Args:
        result_type: its class.
        values: field → value.
        arrays: content of `arrays.npz`; None leaves every curve empty.

    Raises:
        KeyError: a field is missing, or its array is.
        TypeError: a value has the wrong type, or a field is unknown.
    """
    declared = columns(result_type)
    unknown = set(values) - {column.name for column in declared}
    if unknown:
        raise TypeError(f"{result_type.__name__} has no field {sorted(unknown)[0]}")
    return result_type(**{column.name: _field_from(column, values[column.name], arrays) for column in declared})


def plain_value(column: Column, value: JSON) -> JSON:
    """Check one JSON value against a field's declaration and return it as it would be recorded.

    Raises:
        TypeError: it has the wrong type.
    """
    return _plain(_field_from(column, value, {}))


def _field_from(column: Column, value: JSON, arrays: Mapping[str, np.ndarray[Any, Any]] | None) -> Any:
    if value is None:
        if column.type is column.base_type:
            raise TypeError(f"{column.name} cannot be None")
        return None
    if column.is_curve:
        if arrays is None:
            return np.empty(0)
        return arrays[value["array"]] if isinstance(value, dict) else np.array(value, dtype=np.float64)
    if isinstance(value, dict):
        value = [] if arrays is None else arrays[value["array"]].tolist() if value.get("array") in arrays else None
    return _value_from(column.base_type, value)


def _value_from(kind: Any, value: JSON) -> Any:
    is_tuple, options = _options(kind)
    if is_tuple:
        if not isinstance(value, list):
            raise TypeError(f"{value!r} is not a list")
        return tuple([_value_from(options[0], part) for part in value])
    if type(value) in options:
        return value
    if type(value) is int and float in options:
        return float(value)
    raise TypeError(f"{value!r} is not a {kind}")


@cache
def _options(kind: Any) -> tuple[bool, tuple[Any, ...]]:
    """Whether a type is a tuple, and of what; else the types that a value of it may have."""
    parts = typing.get_args(kind) or (kind,)
    return typing.get_origin(kind) is tuple, parts
