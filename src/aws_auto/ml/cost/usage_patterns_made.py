"""Made series of known pattern, to teach what the words mean: no account has labels.

Every series is hourly CPU in per cent. Drawn at random are level, rhythm, time zone, weekends, holidays, noise that
lasts from hour to hour, and what no real series is without: a little of another pattern (a weak rhythm, a slow drift, a
step, an odd hour or two) and holes of collection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.cost.usage_patterns_shape import DAY, WEEK

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Rng = np.random.Generator


def made(pattern: str, *, days: int, rng: Rng) -> Floats:
    """One series of that pattern, ``24 * days`` hours; nan is a hole."""
    hours = _MAKERS[pattern](days * DAY, rng)
    noise = 1.0 + rng.uniform(0.01, 0.3) * _lasting(len(hours), rng, rng.uniform(0.3, 0.95))
    hours = hours * np.clip(noise, 0.2, 3.0) * (1.0 + rng.uniform(0.0, 0.15) * _wave(len(hours), rng))
    if pattern != "growing":
        hours = hours * np.linspace(1.0, 1.0 + rng.uniform(-0.35, 0.25), len(hours))
        step = np.arange(len(hours)) >= rng.integers(len(hours))
        hours = np.where(step, hours * rng.choice([1.0, 1.0, 0.75, 1.2]), hours)
    odd = rng.random(len(hours)) < rng.choice([0.0, 0.001, 0.004])
    height = 4.0 if pattern == "idle" else rng.uniform(60, 100)
    hours = np.clip(np.where(odd, np.maximum(hours, height * rng.random(len(hours))), hours), 0.0, 100.0)
    holes = rng.random(len(hours)) < rng.choice([0.0, 0.0, 0.02])
    return np.asarray(np.where(holes, np.nan, hours))


def _idle(n: int, rng: Rng) -> Floats:
    return np.full(n, rng.uniform(0.1, 2.5))


def _steady(n: int, rng: Rng) -> Floats:
    level = rng.uniform(6, 75)
    return np.asarray(level * (1.0 + rng.uniform(0, 0.1) * _wave(n, rng)))


def _periodic(n: int, rng: Rng) -> Floats:
    top = rng.uniform(15, 90)
    if rng.random() < 0.25:
        # The same job every night over a low level.
        start, length = int(rng.integers(DAY)), int(rng.integers(1, 5))
        on = (np.arange(n) - start) % DAY < length
        return np.asarray(np.where(on, top, rng.uniform(0.03, 0.3) * top))
    night = rng.uniform(0.2, 0.7)
    day = night + (1.0 - night) * (0.5 + 0.5 * _wave(n, rng))
    return np.asarray(top * day * _weekly(n, rng, rng.uniform(0.4, 1.0)))


def _always_on(n: int, rng: Rng) -> Floats:
    """Works in office hours and runs day and night for it."""
    start, length, first = int(rng.integers(DAY)), int(rng.integers(7, 12)), int(rng.integers(7))
    hour = np.arange(n)
    office = ((hour - start) % DAY < length) & (((hour - start) // DAY + first) % 7 < 5)
    holiday = np.repeat(rng.random(n // DAY + 1) < 0.03, DAY)[:n]
    mood = np.repeat(rng.uniform(0.5, 1.3, n // DAY + 1), DAY)[:n]
    top = rng.uniform(10, 70)
    return np.asarray(np.where(office & ~holiday, top * mood, rng.uniform(0.0, 0.06) * top))


def _bursty(n: int, rng: Rng) -> Floats:
    hours = np.full(n, rng.uniform(0.5, 15))
    for start in np.flatnonzero(rng.random(n) < rng.uniform(0.2, 2.5) / DAY):
        hours[start : start + int(rng.integers(1, 8))] = rng.uniform(30, 100)
    return hours


def _growing(n: int, rng: Rng) -> Floats:
    base = _MAKERS[str(rng.choice(["steady", "periodic"]))](n, rng)
    grown = np.linspace(1.0, 1.0 + rng.uniform(0.5, 2.5), n)
    return np.asarray(base / base.max() * grown / grown[-1] * rng.uniform(20, 90))


def _wave(n: int, rng: Rng) -> Floats:
    angle = 2 * np.pi * (np.arange(n) / DAY + rng.random())
    return np.asarray(np.sin(angle) + rng.uniform(-0.3, 0.3) * np.sin(2 * angle))


def _weekly(n: int, rng: Rng, weekend: float) -> Floats:
    first = int(rng.integers(WEEK))
    return np.where((np.arange(n) + first) % WEEK < 5 * DAY, 1.0, weekend)


def _lasting(n: int, rng: Rng, memory: float) -> Floats:
    from scipy.signal import lfilter

    return np.asarray(lfilter([np.sqrt(1.0 - memory**2)], [1.0, -memory], rng.normal(size=n)))


_MAKERS: dict[str, Callable[[int, Rng], Floats]] = {
    "idle": _idle,
    "steady": _steady,
    "periodic": _periodic,
    "bursty": _bursty,
    "growing": _growing,
    "always-on": _always_on,
}
PATTERNS = tuple(_MAKERS)
