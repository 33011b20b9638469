"""The rule where being short has a price: each instance is started, kept and stopped for what it is expected to serve.

The first, second, ... instance is a decision of its own: the value of a step is the part of the load that only it
serves, at the price, less the step itself. One that is there is kept while what it will serve outweighs what it costs,
and through a lull that is cheaper than its boot; one that is not is started when what it serves afterwards outweighs
its boot. How long that is ("reach"), and how far the price is stretched, is judged on the past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.scaling.policy_judge import Outlook, Rehearsal, ShortagePrice
    from aws_auto.ml.scaling.replay import Setting

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

#: The price is stretched by so much: forecasts err in other ways than their past errors say.
STRETCHES = np.geomspace(0.4, 4.0, 11)
#: Steps that a started instance is expected to be of use for, in boots.
REACHES = (0.5, 1.5, 4.0)
#: Weight of a rehearsed step halves with so many days: one rare surge must not decide for weeks.
HALF_LIFE_DAYS = 3.0
#: Distribution of the errors: shares of it that are each stood for by the middle one.
EDGES = np.concatenate([np.linspace(0.0, 0.5, 6), 1 - np.geomspace(0.5, 0.001, 22)[1:], [1.0]])
#: Decisions at most between the load that surely comes and the one that surely does not; large fleets go in blocks.
MOST_RANKS = 64


class Priced:
    """See the module and `policy_judge.Rule`."""

    def __init__(self, setting: Setting, goal: ShortagePrice, groups: Sequence[tuple[int, int]]) -> None:
        self._setting, self._price = setting, goal.price
        self._steps = [last - first + 1 for first, last in groups]
        self._table = np.zeros((0, 0))
        stretch, reach = np.divmod(np.arange(len(STRETCHES) * len(REACHES)), len(REACHES))
        self._stretch, self._reach = STRETCHES[stretch], np.array(REACHES)[reach] * setting.boot
        self.half_life_days = HALF_LIFE_DAYS
        self.knobs = len(stretch)

    def learn(self, errors: Sequence[Floats]) -> None:
        """See `Rule`."""
        self._table = np.array([np.quantile(each, (EDGES[:-1] + EDGES[1:]) / 2) for each in errors])

    def band(self, outlook: Outlook, knobs: Indices) -> tuple[Floats, Floats]:
        """See `Rule`."""
        need = (outlook.mean[:, :, None] + self._table * outlook.width[:, :, None]) / self._setting.capacity
        first = np.maximum(np.floor(need.min(axis=(1, 2))), 0.0)
        span = float((need.max(axis=(1, 2)) - first).max())
        block = max(1.0, np.ceil(span / MOST_RANKS))
        ranks = block * np.arange(int(max(span, 0.0) // block) + 1)
        beyond = (need - first[:, None, None])[:, :, None] - ranks[:, None]
        served = np.clip(beyond / block, 0.0, 1.0) @ np.diff(EDGES)
        low, high = (
            np.clip(first[:, None] + block * count, self._setting.minimum, self._setting.maximum)
            for count in self._counts(served, knobs)
        )
        return low, high

    def choose(self, past: Rehearsal) -> int:
        """The knob that cost least."""
        if not past.believed:
            return int(np.argmin(np.abs(STRETCHES - 1))) * len(REACHES) + len(REACHES) // 2
        return int(np.argmin(past.size + self._price * past.short))

    def tell(self, knob: int) -> float:
        """By how much the price is stretched."""
        return float(self._stretch[knob])

    def _counts(self, served: Floats, knobs: Indices) -> tuple[Indices, Indices]:
        """How many ranks to start and to keep, ``(rows, knobs)``, of what each serves, ``(rows, groups, ranks)``."""
        stretch, reach = self._stretch[knobs][:, None], self._reach[knobs][:, None]
        worth = [self._price * stretch * served[:, g, None] - 1 for g in range(len(self._steps))]
        after = np.maximum((1 + reach) * worth[-1], 0.0)
        hold = after + (self._steps[-1] - 1) * worth[-1]
        for steps, each in zip(self._steps[-2::-1], worth[-2::-1], strict=True):
            hold = np.maximum(hold, 0.0) + steps * each
        start = (after > self._setting.boot).sum(axis=2)
        keep = (hold > np.maximum(after - self._setting.boot, 0.0)).sum(axis=2)
        return start, np.maximum(start, keep)
