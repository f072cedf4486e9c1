"""Loops that NumPy cannot say, compiled once and cached on disk, so that a second process does not compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

# Contraction lets a*b+c become one instruction; no-signed-zeros and reassociation let sums and maxima use vectors.
# "nnan" is safe because decode() lets no NaN through.
_FAST = {"contract", "nsz", "nnan", "reassoc"}


def kernel(function: F) -> F:
    """Compile a function of NumPy arrays and numbers at its first call."""
    compiled: Any = numba.njit(cache=True, fastmath=_FAST, error_model="numpy")(function)
    return cast(F, compiled)
