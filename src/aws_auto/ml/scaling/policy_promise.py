"""The rule for a promise: violations are allowed where they save most, and few enough of them.

A knob is a price of a violated step; the size is the one at which one instance more costs as much as the violations
that it prevents. Beside it goes a second, higher price up to which instances are kept that are there already: who
keeps them is saved their boot, and the violations while they boot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.scaling.replay import ROUNDING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.scaling.policy_judge import Outlook, Rehearsal, Slo
    from aws_auto.ml.scaling.replay import Setting

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

#: Prices of a violated step, in steps of the mean fleet.
PRICES = np.geomspace(0.5, 5000.0, 33)
#: How many prices above its own a knob keeps what is there.
KEPT = (0, 4, 8, 12)
#: Weight of a rehearsed step halves with so many days: violations are rare, and need many to be counted.
HALF_LIFE_DAYS = 7.0
#: Price over width, on which the best margin is tabulated.
RATIOS = np.geomspace(0.1, 1e6, 71)
#: A promise is aimed at with this share of it: what is promised is a bound, and the future differs from the past.
AIM = 0.75
#: Before there is anything to judge, price x promised share is this many steps of the mean fleet.
PRIOR = 0.1
#: How far what was promised and not used lately, or overdrawn, may move the aim.
BUDGET_BOUNDS = (0.5, 2.0)


class Promise:
    """See the module and `policy_judge.Rule`. It never wants less than the last load needs."""

    def __init__(self, setting: Setting, goal: Slo) -> None:
        self._setting, self._goal = setting, goal
        self._tables: list[Floats] = []
        price, kept = np.divmod(np.arange(len(PRICES) * len(KEPT)), len(KEPT))
        self._low = price
        self._high = np.minimum(price + np.array(KEPT)[kept], len(PRICES) - 1)
        self.half_life_days = HALF_LIFE_DAYS
        self.knobs = len(price)

    def learn(self, errors: Sequence[Floats]) -> None:
        """See `Rule`."""
        self._tables = [margins(each) for each in errors]

    def band(self, outlook: Outlook, knobs: Indices) -> tuple[Floats, Floats]:
        """See `Rule`."""
        prices, at = np.unique([self._low[knobs], self._high[knobs]], return_inverse=True)
        wanted = np.repeat(outlook.recent[:, :1], len(prices), axis=1)
        for g, table in enumerate(self._tables):
            mean, width = outlook.mean[:, g, None], outlook.width[:, g, None]
            margin = np.interp(np.log(PRICES[prices] * outlook.unit[g] / width), np.log(RATIOS), table)
            wanted = np.maximum(wanted, mean + margin * width)
        whole = np.ceil(wanted / self._setting.capacity - ROUNDING)
        sizes = np.clip(whole, self._setting.minimum, self._setting.maximum)
        low, high = at.reshape(2, -1)
        return sizes[:, low], sizes[:, high]

    def choose(self, past: Rehearsal) -> int:
        """The cheapest knob that kept the promise; the most cautious where none did."""
        if not past.believed:
            price = int(np.argmin(np.abs(np.log(PRICES * self._goal.share / PRIOR))))
            return price * len(KEPT)
        kept = past.violated <= allowed(self._goal, past.spent)
        return int(np.argmin(np.where(kept, past.size, np.inf))) if kept.any() else self.knobs - 1

    def tell(self, knob: int) -> float:
        """The price of a violated step in steps of the mean fleet."""
        return float(PRICES[self._low[knob]])


def margins(errors: Floats) -> Floats:
    """How many widths above the level are held, by `RATIOS`: ``k`` of least ``k x width + price x P(error > k)``.

    The wider the error, the smaller the margin.

    Args:
        errors: past errors over their width.
    """
    errors = np.sort(errors)
    beyond = (len(errors) - 1 - np.arange(len(errors))) / len(errors)
    tail, beyond = errors[len(errors) // 2 :], beyond[len(errors) // 2 :]
    return np.array([tail[np.argmin(tail + ratio * beyond)] for ratio in RATIOS])


def allowed(goal: Slo, spent: float) -> float:
    """The share to aim at: more where the last days left some of it unused, less where they overdrew it."""
    aim = AIM * goal.share
    return float(np.clip(2 * aim - spent, BUDGET_BOUNDS[0] * aim, BUDGET_BOUNDS[1] * aim))
