"""Our policy: as many instances as cost least, given what the load may be until they could be ready.

A rule turns an outlook into a band: a fleet below it grows, one above it shrinks, within it stays as it is. There is
one rule for a promise (`policy_promise`) and one for a price of shortage (`policy_priced`); target tracking competes
with both. Their knobs are not set by hand: each is rehearsed on the past with what was known at the time, and the
cheapest is taken that kept the goal. Nothing is tuned to a trace; there is one setting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aws_auto.errors import UsageError
from aws_auto.ml.scaling.policy import SCALE_IN_HOURS, TargetTracking
from aws_auto.ml.scaling.policy_judge import (
    TARGETS,
    Goal,
    Outlook,
    Rehearsal,
    Rule,
    ShortagePrice,
    Slo,
    tracked,
)
from aws_auto.ml.scaling.policy_outlook import SLACK, Memory, Regression, fit, groups
from aws_auto.ml.scaling.policy_priced import Priced
from aws_auto.ml.scaling.policy_promise import Promise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.scaling.replay import Setting

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]
    Flags = NDArray[np.bool_]

#: Days that are learned from; a history is walked through for twice as long, to have errors for all of them.
WINDOW_DAYS = 28
#: Target of the target tracking that decides before anything is learned.
CAUTIOUS_TARGET = 0.5


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
        goal = goal or Slo()
        _check(setting, goal)
        self._setting = setting
        self._groups = groups(setting.boot)
        per_hour = max(1, round(setting.steps_per_hour))
        self._memory = Memory(boot=setting.boot, day=setting.day, per_hour=per_hour, events=events)
        self._cautious = TargetTracking(setting, target=CAUTIOUS_TARGET)
        self._rule: Rule = Promise(setting, goal) if isinstance(goal, Slo) else Priced(setting, goal, self._groups)
        self._targets = TARGETS[TARGETS < 1] if isinstance(goal, Slo) else TARGETS
        self._past = Rehearsal(setting, half_life_days=self._rule.half_life_days)
        self._per_hour = per_hour
        self._recent = np.arange(1, 1 + max(1, round(SCALE_IN_HOURS * setting.steps_per_hour)))
        self._due = self._rehearsed = 0
        self._regressions: list[Regression] = []
        self._learned = False
        self._knob = 0
        self._mean = self._width = np.zeros((0, len(self._groups)))

    @property
    def knob(self) -> float:
        """Chosen last.

        The price of a violated step in steps of the mean fleet, or by how much a price of shortage is stretched; where
        target tracking was best, its target.
        """
        beyond = self._knob - self._rule.knobs
        return self._rule.tell(self._knob) if beyond < 0 else float(self._targets[beyond])

    def want(self, t: int, history: Floats, ready: int) -> float:
        """See `ScalingPolicy`."""
        memory, cautious = self._memory, self._cautious.want(t, history, ready)
        if memory.n == 0:
            self._walk(history)
        else:
            memory.extend(history[memory.n :])
        if memory.n >= self._due:
            self._close(memory.n)
        elif memory.n >= self._rehearsed + self._per_hour:
            self._rehearse(memory.n)
        if not self._regressions:
            return cautious
        row = np.array([memory.n])
        self._predict(row)
        if not self._learned:
            return cautious
        low, high = self._band(row, np.array([self._knob]))
        return float(min(max(ready, low[0, 0]), high[0, 0]))

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
        """A day is over: rehearse what is left of it, learn anew, and choose."""
        day, first = self._setting.day, max(end - WINDOW_DAYS * self._setting.day, 0)
        self._room(end + 2 * day)
        self._due = end + day
        self._rehearse(end)
        found = [fit(self._memory, group, first=first, until=end) for group in self._groups]
        self._regressions = [one for one in found if one is not None]
        self._learned = False
        if len(self._regressions) < len(found):
            self._regressions = []
            return
        errors = [self._errors(g, first, end) for g in range(len(found))]
        if min(map(len, errors)) >= day:
            self._rule.learn(errors)
            self._learned = True
        self._knob = self._rule.choose(self._past)

    def _rehearse(self, end: int) -> None:
        """Play what is over with every knob, and choose: what was just broken is answered within the hour."""
        rows = np.arange(self._rehearsed, end)
        self._rehearsed = end
        if self._learned and len(rows):
            low, high = self._band(rows, np.arange(self._rule.knobs + len(self._targets)))
            self._past.play(self._memory.x[rows], low, high, used=self._knob)
            self._knob = self._rule.choose(self._past)

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

    def _band(self, rows: Indices, knobs: Indices) -> tuple[Floats, Floats]:
        """Sizes between which these knobs leave the fleet as it is; the knobs behind the rule's own track a target.

        Where nothing can be foreseen, a reactive rule may be best: it competes on the same past.
        """
        unit = np.array([regression.unit for regression in self._regressions])
        recent = self._memory.x[np.maximum(rows[:, None] - self._recent, 0)]
        outlook = Outlook(mean=self._mean[rows], width=self._width[rows], unit=unit, recent=recent)
        own = knobs < self._rule.knobs
        bands = (
            self._rule.band(outlook, knobs[own]),
            tracked(outlook, self._targets[knobs[~own] - self._rule.knobs], self._setting),
        )
        low, high = (np.concatenate(sides, axis=1) for sides in zip(*bands, strict=True))
        return low, high

    def _room(self, size: int) -> None:
        old = len(self._mean)
        if old >= size:
            return
        for name in ("_mean", "_width"):
            larger = np.full((2 * size, len(self._groups)), np.nan)
            larger[:old] = getattr(self, name)
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
