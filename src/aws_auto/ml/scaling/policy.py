"""How a fleet's size is decided, step after step: the role, and the two policies that every user of AWS knows.

`policy_newsvendor` is ours. All of them see the past only.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.scaling.replay import Setting

    Floats = NDArray[np.float64]

#: Target tracking shrinks to the largest wish of this long.
SCALE_IN_HOURS = 0.25
#: The profile of AWS-like prediction: how far it looks back, how often it is made anew, how early it launches.
PROFILE_DAYS = 14
REFRESH_HOURS = 6.0
LAUNCH_EARLY_HOURS = 5 / 60


class ScalingPolicy(Protocol):
    """Decides how many instances a fleet shall have."""

    def want(self, t: int, history: Floats, ready: int) -> float:
        """The wanted size, booting instances included.

        Args:
            t: step, 0 for the first; asked once for each step, in order.
            history: load of every step before ``t``, oldest first, at least one; read only.
            ready: instances there are now, booting ones included.
        """
        ...


class TargetTracking:
    """Keeps the last load at ``target`` of capacity: grows at once, shrinks to the largest wish of 15 minutes."""

    def __init__(self, setting: Setting, *, target: float) -> None:
        self._per_instance = target * setting.capacity
        self._kept = max(1, round(SCALE_IN_HOURS * setting.steps_per_hour))
        self._wishes: list[float] = []

    def want(self, t: int, history: Floats, ready: int) -> float:  # noqa: ARG002 - the role's arguments
        """See `ScalingPolicy`."""
        wish = float(np.ceil(history[-1] / self._per_instance)) if len(history) else float(ready)
        self._wishes = [*self._wishes, wish][-self._kept :]
        return wish if wish > ready else min(float(ready), max(self._wishes))


class AwsLike:
    """Our emulation of AWS predictive scaling together with target tracking; the real algorithm is not public.

    As documented: hourly forecasts from the last 14 days, made anew every 6 hours, instances launched 5 minutes before
    the hour and ready after their boot, never fewer than target tracking wants, never scaled in by itself. Ours to
    fill in: the forecast is half the mean of the same hour one and two weeks ago, half the mean of that hour of the
    last seven days, times the last day's level against its week (between a half and double); an hour has what it or
    the next one needs.
    """

    def __init__(self, setting: Setting, *, target: float) -> None:
        self._per_instance = target * setting.capacity
        self._reactive = TargetTracking(setting, target=target)
        self._per_hour = max(1, round(setting.steps_per_hour))
        early = max(1, round(LAUNCH_EARLY_HOURS * setting.steps_per_hour))
        self._ahead = setting.boot + early
        self._refresh = round(REFRESH_HOURS) * self._per_hour
        self._hours: Floats = np.zeros(0)

    def want(self, t: int, history: Floats, ready: int) -> float:
        """See `ScalingPolicy`."""
        into = t % self._refresh
        if into == 0:
            ahead = round(REFRESH_HOURS) + math.ceil(self._ahead / self._per_hour) + 2
            self._hours = hourly_profile(history[-PROFILE_DAYS * 24 * self._per_hour :], self._per_hour, ahead)
        wish = self._reactive.want(t, history, ready)
        if not len(self._hours):
            return wish
        this = into // self._per_hour
        soon = self._hours[this : max((into + self._ahead) // self._per_hour, this + 1) + 1]
        return max(wish, float(np.ceil(soon.max() / self._per_instance)))


def hourly_profile(history: Floats, per_hour: int, ahead: int) -> Floats:
    """Mean load of each of the next ``ahead`` hours as `AwsLike` expects it; empty with under two days of history."""
    whole = len(history) // per_hour
    if whole < 48:
        return np.zeros(0)
    hours = history[len(history) - whole * per_hour :].reshape(whole, per_hour).mean(axis=1)
    days = hours[len(hours) % 24 :].reshape(-1, 24).mean(axis=1)
    usual = days[-7:-1].mean()
    level = float(np.clip(days[-1] / usual, 0.5, 2.0)) if usual > 0 else 1.0
    expected = np.zeros(ahead)
    for k in range(ahead):
        at = whole + k
        week = [hours[at - 24 * j] for j in range(1, 8) if k < 24 * j <= at]
        weeks = [hours[at - 168 * j] for j in (1, 2) if 168 * j <= at]
        expected[k] = np.mean(week) if not weeks else 0.5 * np.mean(week) + 0.5 * np.mean(weeks)
    return np.asarray(level * expected)
