"""Randomness that is addressed, not consumed: draw number *i* of a stream is the same whoever asks, and when.

A stream is named by text ("shop-web/cpu"), and its draws are counted from the start of 1970. Each draw is read off
Philox 4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011) at its own counter, so that two
overlapping windows see equal values where they overlap.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_WORDS = 4  # Philox gives four 64-bit words for each value of its counter


def uniform(seed: int, stream: str, first: int, count: int) -> Floats:
    """Draws ``first .. first + count - 1`` of the stream, uniform on [0, 1). ``first`` is not negative."""
    key = int.from_bytes(hashlib.blake2b(f"{seed}/{stream}".encode(), digest_size=16).digest(), "little")
    block, skip = divmod(first, _WORDS)
    words = np.random.Philox(key=key, counter=block).random_raw(skip + count)[skip:]
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(seed: int, stream: str, first: int, count: int) -> Floats:
    """Standard normal draws, by Box and Muller's transform: two uniforms make one draw."""
    pairs = uniform(seed, stream, 2 * first, 2 * count).reshape(count, 2)
    return np.asarray(np.sqrt(-2.0 * np.log(1.0 - pairs[:, 0])) * np.cos(2.0 * np.pi * pairs[:, 1]))


def red(seed: int, stream: str, first: int, count: int, *, phi: float = 0.9, memory: int = 40) -> Floats:
    """Autocorrelated noise of unit variance: a first-order autoregression cut off after ``memory`` draws.

    An autoregression needs its whole past; the cut makes a value depend on ``memory`` draws only, so that a window can
    start anywhere.
    """
    draws = normal(seed, stream, first - memory, count + memory)
    weights = phi ** np.arange(memory + 1)
    weights /= np.sqrt(np.sum(weights**2))
    total = np.zeros(count)
    for back, weight in enumerate(weights):
        total += weight * draws[memory - back : memory - back + count]
    return total


def held(seed: int, stream: str, index: NDArray[np.int64]) -> Floats:
    """One uniform draw for each value of a non-decreasing ``index``: constant over a day, a week, a block."""
    if not len(index):
        return np.zeros(0)
    first = int(index[0])
    return np.asarray(uniform(seed, stream, first, int(index[-1]) - first + 1)[index - first])
