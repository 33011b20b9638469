"""Which features are wanted, which of them a frame has the columns for, and why the others are left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING

from aws_auto.errors import UsageError
from aws_auto.frame import KEYS, zone
from aws_auto.ml.features import calendar, cost, infrastructure, lags, usage
from aws_auto.ml.features.feature import Feature, is_hidden

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date

#: The kinds of feature, in the order in which the specification engineers them.
GROUPS = ("time", "usage", "cost", "utilization", "lag", "rolling", "infrastructure")

#: The metrics that lags and rolling statistics are made of, unless others are named.
FOLLOWED = (*usage.PATTERN_METRICS, "request_count", cost.COST)

#: The four lists of the specification's "Feature Engineering for Cost Optimization".
cost_features: dict[str, list[str]] = {
    "temporal_features": ["hour_of_day", "day_of_week", "month_of_year", "is_holiday", "is_business_hour"],
    "usage_features": [
        "cpu_utilization_avg",
        "memory_utilization_avg",
        "network_io_avg",
        "storage_io_avg",
        "request_count",
        "error_rate",
    ],
    "cost_features": [
        "hourly_cost",
        "daily_cost_trend",
        "cost_per_request",
        "cost_per_user",
        "cost_efficiency_score",
    ],
    "infrastructure_features": [
        "instance_type",
        "instance_family",
        "availability_zone",
        "region",
        "spot_vs_ondemand",
        "reserved_capacity",
    ],
}
_GROUP_OF_LIST = {
    "temporal_features": "time",
    "usage_features": "utilization",
    "cost_features": "cost",
    "infrastructure_features": "infrastructure",
}


@dataclass(frozen=True, kw_only=True)
class FeatureSet:
    """Which features are wanted, and in whose calendar.

    Attributes:
        tz: IANA time zone of hours, days and holidays.
        country: ISO code whose public holidays count.
        subdivision: state or region of that country, None for nation-wide holidays.
        groups: kinds of feature, of `GROUPS`.
        metrics: the metrics whose windows, lags and rolling statistics are made; None for the specification's
            (usage: CPU, memory, network) and `FOLLOWED` (lag, rolling).
        only: names of the wanted columns among those of the groups; None for all. `cost_features` holds four lists.

    Raises:
        UsageError: an unknown group or time zone.
    """

    tz: str = "UTC"
    country: str = "US"
    subdivision: str | None = None
    groups: Sequence[str] = GROUPS
    metrics: Sequence[str] | None = None
    only: Sequence[str] | None = None

    def __post_init__(self) -> None:
        zone(self.tz)
        for group in self.groups:
            if group not in GROUPS:
                near = get_close_matches(group, GROUPS, n=1)
                raise UsageError(
                    f"{group!r} is no kind of feature",
                    hint=f"did you mean {near[0]!r}?" if near else f"use some of {', '.join(GROUPS)}",
                )

    def for_lists(self, lists: Sequence[str]) -> FeatureSet:
        """The features of the named lists of `cost_features`, in this calendar, and nothing else.

        Raises:
            UsageError: there is no such list.
        """
        for name in lists:
            if name not in cost_features:
                known = ", ".join(cost_features)
                raise UsageError(f"{name!r} is no list of cost features", hint=f"use some of {known}")
        only = [column for name in lists for column in cost_features[name]]
        return replace(self, groups=[_GROUP_OF_LIST[name] for name in lists], only=only)

    def declared(self, columns: Collection[str], holidays: Sequence[date] = ()) -> list[Feature]:
        """Every wanted feature, whether or not ``columns`` suffice for it."""
        pattern: Sequence[str] = usage.PATTERN_METRICS
        followed: Sequence[str] = FOLLOWED
        if self.metrics is not None:
            pattern = followed = tuple(dict.fromkeys(self.metrics))
        of_group = {
            "time": lambda: calendar.features(tz=self.tz, holidays=holidays),
            "usage": lambda: usage.pattern_features(pattern),
            "cost": lambda: cost.features(columns),
            "utilization": lambda: usage.utilization_features(columns),
            "lag": lambda: lags.features(followed),
            "rolling": lambda: usage.rolling_features(followed),
            "infrastructure": lambda: infrastructure.features(columns),
        }
        return [feature for group in GROUPS if group in self.groups for feature in of_group[group]()]

    def names(self, columns: Collection[str]) -> list[str]:
        """The features that these columns suffice for, in the order of the result."""
        there = [f.name for f in self.declared(columns) if not f.missing(columns) and not is_hidden(f.name)]
        return there if self.only is None else [name for name in self.only if name in there]

    def unavailable(self, columns: Collection[str]) -> dict[str, str]:
        """The features that they do not suffice for, each with the reason."""
        return {
            feature.name: f"needs {', '.join(missing)}"
            for feature in self.declared(columns)
            if (missing := feature.missing(columns)) and self._shows(feature.name)
        }

    def needs(self, columns: Collection[str]) -> list[str]:
        """The columns that the computable features read, keys first."""
        computable = [f for f in self.declared(columns) if not f.missing(columns)]
        return list(dict.fromkeys([*KEYS, *(name for feature in computable for name in feature.needs)]))

    def _shows(self, name: str) -> bool:
        return not is_hidden(name) and (self.only is None or name in self.only)


EVERYTHING = FeatureSet()
