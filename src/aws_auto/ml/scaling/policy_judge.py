"""What a fleet is steered for, and the rehearsal in which every knob's fleet is played on the days that are over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from aws_auto.ml.scaling.replay import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.scaling.replay import Setting

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

#: Days judged before the judgement is believed.
LEAST_DAYS = 2
#: Targets of target tracking, as shares of capacity.
TARGETS = np.linspace(0.2, 1.2, 21)
#: Days over which it is counted how much of a promise was spent.
SPENT_DAYS = 7


@dataclass(frozen=True, kw_only=True)
class Slo:
    """A promise: at most this share of the steps has more load than is ready."""

    share: float = 0.005


@dataclass(frozen=True, kw_only=True)
class ShortagePrice:
    """What load that is not served costs: instance-hours for one instance's load unserved during one hour, above 1."""

    price: float


Goal = Slo | ShortagePrice


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What is known of the load until an instance started now is ready, for one or many steps.

    Attributes:
        mean: largest load of each group of steps ahead as expected, ``(rows, groups)``.
        width: how far it is usually off, ``(rows, groups)``.
        unit: mean load that each group was learned at, ``(groups,)``.
        recent: loads before each row, the newest first, ``(rows, steps)``; as many as target tracking looks back.
    """

    mean: Floats
    width: Floats
    unit: Floats
    recent: Floats


class Rule(Protocol):
    """How an outlook becomes a size, for one goal: a fleet below ``low`` grows to it, one above ``high`` shrinks to it.

    Attributes:
        knobs: how many ways of deciding there are; in a rehearsal, those of others may follow.
        half_life_days: the weight of a rehearsed step halves with so many days.
    """

    knobs: int
    half_life_days: float

    def learn(self, errors: Sequence[Floats]) -> None:
        """Take the past errors of each group over their width."""
        ...

    def band(self, outlook: Outlook, knobs: Indices) -> tuple[Floats, Floats]:
        """Least and largest size that these knobs want, whole numbers ``(rows, knobs)``."""
        ...

    def choose(self, past: Rehearsal) -> int:
        """The knob for the next day."""
        ...

    def tell(self, knob: int) -> float:
        """The knob as a figure for people."""
        ...


def tracked(outlook: Outlook, targets: Floats, setting: Setting) -> tuple[Floats, Floats]:
    """What `policy.TargetTracking` does at these targets as a band, ``(rows, targets)``.

    It grows to the size for the last load, and shrinks to the largest of the sizes for the last loads.
    """
    loads = np.stack([outlook.recent[:, 0], outlook.recent.max(axis=1)])[:, :, None] / setting.capacity
    low, high = np.clip(np.ceil(loads / targets), setting.minimum, setting.maximum)
    return low, high


class Rehearsal:
    """Every knob's fleet, played on the steps that are over: what it would have cost, and what it would have broken."""

    def __init__(self, setting: Setting, *, half_life_days: float) -> None:
        self._setting = setting
        self._half_life = half_life_days * setting.day
        self._sizes = np.zeros((0, 0))
        self._sums = np.zeros((3, 0))
        self._weight = 0.0
        self._steps = 0
        self._spent: list[bool] = []

    def play(self, load: Floats, low: Floats, high: Floats, *, used: int) -> None:
        """The next steps.

        Args:
            load: of each step.
            low: see `Rule.band`, ``(steps, knobs)``.
            high: as ``low``.
            used: the knob that was in use.
        """
        steps, knobs = low.shape
        sizes = np.empty((steps, knobs))
        size = self._sizes[-1] if len(self._sizes) else low[0]
        for step in range(steps):
            size = np.minimum(np.maximum(size, low[step]), high[step])
            sizes[step] = size
        # The youngest go first: ready is what has been there for all of the boot.
        boot = self._setting.boot
        whole = np.concatenate([self._sizes if len(self._sizes) else np.repeat(sizes[:1], boot + 1, axis=0), sizes])
        ready = np.min([whole[boot + 1 - late : boot + 1 - late + steps] for late in range(boot + 1)], axis=0)
        self._sizes = whole[-boot - 1 :]
        lack = load[:, None] / self._setting.capacity - ready
        violated = lack > ROUNDING
        weight = 0.5 ** (np.arange(steps)[::-1] / self._half_life)
        new = weight @ np.stack([sizes, np.maximum(lack, 0.0), violated])
        fade = 0.5 ** (steps / self._half_life)
        self._sums = (fade * self._sums if self._steps else 0.0) + new
        self._weight = fade * self._weight + float(weight.sum())
        self._steps += steps
        self._spent = [*self._spent, *violated[:, used].tolist()][-SPENT_DAYS * self._setting.day :]

    @property
    def believed(self) -> bool:
        """Whether there is enough to judge by."""
        return self._steps >= LEAST_DAYS * self._setting.day

    @property
    def spent(self) -> float:
        """Share of violated steps on the last `SPENT_DAYS`, with the knobs that were in use."""
        return float(np.mean(self._spent))

    @property
    def size(self) -> Floats:
        """Mean size of each knob's fleet, younger steps weighing more."""
        return np.asarray(self._sums[0] / self._weight)

    @property
    def short(self) -> Floats:
        """Mean number of instances that were missing, as `size`."""
        return np.asarray(self._sums[1] / self._weight)

    @property
    def violated(self) -> Floats:
        """Share of violated steps, as `size`."""
        return np.asarray(self._sums[2] / self._weight)
