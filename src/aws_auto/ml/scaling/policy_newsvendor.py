"""Our policy: as many instances as cost least, given what the load may be until they could be ready.

In every step the wanted size is the one at which one instance more costs as much as the violations that it prevents
(the critical fractile of the newsvendor). How dear a violated step is, the knob, is not set by hand: many prices are
played on the past, each day with what was known on that day, and the cheapest is taken that kept the promise. Nothing
is tuned to a trace; there is one setting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aws_auto.errors import UsageError
from aws_auto.ml.scaling.policy import TargetTracking
from aws_auto.ml.scaling.policy_judge import PRICES, QUANTILES, Goal, ShortagePrice, Slo, judge, margin, margins
from aws_auto.ml.scaling.policy_outlook import SLACK, Memory, Regression, fit, groups
from aws_auto.ml.scaling.replay import ROUNDING, Setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]
    Flags = NDArray[np.bool_]

#: Days that are learned from and judged; a history is walked through for twice as long, to have errors for all of them.
WINDOW_DAYS = 28
#: Target of the target tracking that decides before anything is learned.
CAUTIOUS_TARGET = 0.5
KNOBS = np.arange(len(PRICES))


class Newsvendor:
    """Wants the size of least expected cost, its knob judged on the past. See the module.

    It learns from two days on and judges from four; until then it is target tracking at half of capacity. With a
    promise it never wants less than the last load needs.
    """

    def __init__(self, setting: Setting, *, goal: Goal | None = None, events: Flags | None = None) -> None:
        """Make a policy that has seen nothing yet.

        Args:
            setting: the fleet.
            goal: what is promised, or what being short costs; default a promise of 0.5 % of the steps.
            events: True for each step, of the history and of what comes, in which something known in advance happens.

        Raises:
            UsageError: the boot takes most of a day, or the goal is none.
        """
        self._goal = goal or Slo()
        _check(setting, self._goal)
        self._setting = setting
        self._groups = groups(setting.boot)
        per_hour = max(1, round(setting.steps_per_hour))
        self._memory = Memory(boot=setting.boot, day=setting.day, per_hour=per_hour, events=events)
        self._cautious = TargetTracking(setting, target=CAUTIOUS_TARGET)
        self._due = 0
        self._regressions: list[Regression] = []
        self._margins: list[Floats] = []
        self._knob = 0
        self._mean = self._width = self._wishes = np.zeros((0, 0))
        self._used: Indices = np.zeros(0, np.int64)

    @property
    def knob(self) -> float:
        """Chosen last: the price of a violated step in steps of the mean fleet, or the quantile that is held."""
        return float((PRICES if isinstance(self._goal, Slo) else QUANTILES)[self._knob])

    def want(self, t: int, history: Floats, ready: int) -> float:
        """See `ScalingPolicy`."""
        memory, cautious = self._memory, self._cautious.want(t, history, ready)
        if memory.n == 0:
            self._walk(history)
        else:
            memory.extend(history[memory.n :])
        if memory.n >= self._due:
            self._close(memory.n)
        if not self._regressions:
            return cautious
        row = np.array([memory.n])
        self._predict(row)
        return float(self._wish(row, np.array([self._knob]))[0, 0]) if self._margins else cautious

    def _walk(self, history: Floats) -> None:
        """Live through the past day by day, so that errors and knobs are judged as they would have been."""
        self._memory.extend(history)
        day, n = self._setting.day, self._memory.n
        first = max(n % day, n - 2 * WINDOW_DAYS * day)
        for end in range(first, n, day):
            self._close(end)
            if self._regressions:
                self._predict(np.arange(end, end + day))
        self._due = n

    def _close(self, end: int) -> None:
        """A day is over: write down what each knob wanted on it, learn anew, and choose."""
        day, first = self._setting.day, max(end - WINDOW_DAYS * self._setting.day, 0)
        self._room(end + 2 * day)
        self._due = end + day
        if self._margins:
            rows = np.arange(end - day, end)
            self._wishes[rows] = self._wish(rows, KNOBS)
        found = [fit(self._memory, group, first=first, until=end) for group in self._groups]
        self._regressions = [one for one in found if one is not None]
        if len(self._regressions) < len(found):
            self._regressions, self._margins = [], []
            return
        errors = [self._errors(g, first, end) for g in range(len(found))]
        self._margins = [margins(e, self._goal) for e in errors] if min(map(len, errors)) >= day else []
        rows = np.arange(first, end)
        rows = rows[np.isfinite(self._wishes[rows, 0])]
        self._knob = judge(self._memory.x[rows], self._wishes[rows], self._used[rows], self._setting, self._goal)
        self._used[end : end + day] = self._knob

    def _errors(self, g: int, first: int, end: int) -> Floats:
        """Known errors of one group over their width."""
        rows = np.arange(first, max(end - self._groups[g][1], first))
        errors = (self._memory.target(rows, self._groups[g]) - self._mean[rows, g]) / self._width[rows, g]
        return np.asarray(errors[np.isfinite(errors)])

    def _predict(self, rows: Indices) -> None:
        level, width = self._memory.level_features(rows), self._memory.width_features(rows)
        clock = self._memory.clock(rows)
        for g, regression in enumerate(self._regressions):
            self._mean[rows, g], self._width[rows, g] = regression.predict(level, width, clock)

    def _wish(self, rows: Indices, knobs: Indices) -> Floats:
        """Wanted sizes ``(rows, knobs)``: enough for every group of steps ahead; with a promise, for the last load too.

        With a price of shortage the last instance is worth its hours when more than half of it is expected to serve.
        """
        promised = isinstance(self._goal, Slo)
        least = self._memory.x[rows - 1] if promised else np.zeros(len(rows))
        wanted = np.repeat(least[:, None], len(knobs), axis=1)
        for g, (table, regression) in enumerate(zip(self._margins, self._regressions, strict=True)):
            mean, width = self._mean[rows, g][:, None], self._width[rows, g][:, None]
            wanted = np.maximum(wanted, mean + margin(table, knobs, regression.unit / width, self._goal) * width)
        whole = np.ceil(wanted / self._setting.capacity - (ROUNDING if promised else 0.5))
        return np.clip(whole, self._setting.minimum, self._setting.maximum)

    def _room(self, size: int) -> None:
        old = len(self._used)
        if old >= size:
            return
        self._used = np.concatenate([self._used, np.zeros(2 * size - old, np.int64)])
        for name, columns in (("_mean", len(self._groups)), ("_width", len(self._groups)), ("_wishes", len(KNOBS))):
            larger = np.full((2 * size, columns), np.nan)
            larger[:old] = getattr(self, name).reshape(old, columns)
            setattr(self, name, larger)


def _check(setting: Setting, goal: Goal) -> None:
    if setting.day <= setting.boot + SLACK + 1:
        raise UsageError(
            f"a boot of {setting.boot} steps takes most of a day of {setting.day}", where="boot", hint="shorten it"
        )
    if isinstance(goal, Slo) and not 0 < goal.share < 1:
        raise UsageError(f"{goal.share:g} is no share between 0 and 1", where="slo")
    if isinstance(goal, ShortagePrice) and goal.price <= 1:
        raise UsageError(
            f"at {goal.price:g} instance-hours it is cheaper to serve nothing", where="shortage price", hint="above 1"
        )
