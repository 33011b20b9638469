"""The door for features: `AdvancedFeatureEngineering` of the specification.

The machinery is in `aws_auto.ml.features`; every column is defined in ``docs/features.md``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aws_auto.ml.features import rows
from aws_auto.ml.features.feature_set import FeatureSet, cost_features
from aws_auto.ml.features.selection import AutoFeatureSelector
from aws_auto.ml.features.transform import FeatureTransformer
from aws_auto.ml.features.validation import FeatureValidator

if TYPE_CHECKING:
    from aws_auto.ml.features.rows import Features

__all__ = ["AdvancedFeatureEngineering", "cost_features"]


class AdvancedFeatureEngineering:
    """Automated feature engineering for ML models.

    Every method takes a pandas or Polars frame (or a `MetricFrame`, or a mapping of columns) with ``timestamp`` and
    metrics; without ``resource_id`` the rows are one series. It returns a dict of column name to series, of the kind
    that was given, aligned with the rows that were given: same order, pandas with the same index. Rows of equal
    resource and time are averaged before anything is computed, and each of them then carries the same features.

    A metric that is not there makes its features unavailable: they are left out, and ``unavailable`` of the returned
    dict names them with the reason. Zero is never made up.

    Example::

        features = AdvancedFeatureEngineering(tz="Europe/Berlin", country="DE").create_time_features(data)
        features["is_holiday"]

    Args:
        tz: IANA time zone of hours, days and holidays. Timestamps without a zone are read as UTC.
        country: ISO code of the country whose public holidays count.
        subdivision: state or region of that country; None for nation-wide holidays.

    Raises:
        UsageError: unknown time zone; from the methods: unknown country or subdivision.
        SchemaError: from the methods: no ``timestamp``, a mistyped value, or none of the columns that a method needs.
    """

    def __init__(self, *, tz: str = "UTC", country: str = "US", subdivision: str | None = None) -> None:
        self.feature_selector = AutoFeatureSelector()
        self.feature_transformer = FeatureTransformer()
        self.feature_validator = FeatureValidator()
        self._features = FeatureSet(tz=tz, country=country, subdivision=subdivision)

    def engineer_cost_optimization_features(self, raw_data: Any) -> Features:  # noqa: ANN401 - see the class
        """Time, usage pattern, cost efficiency, utilisation, lag and rolling features together."""
        return self._create(raw_data, "time", "usage", "cost", "utilization", "lag", "rolling")

    def create_time_features(self, data: Any) -> Features:  # noqa: ANN401
        """Hour, weekday, month, quarter, week, weekend, business hour and holiday, with cyclical encodings."""
        return self._create(data, "time")

    def create_usage_pattern_features(self, data: Any) -> Features:  # noqa: ANN401
        """24-hour statistics and 6-hour trend of CPU, memory and network, and the two cross-metric ratios."""
        return self._create(data, "usage")

    def create_cost_efficiency_features(self, data: Any) -> Features:  # noqa: ANN401
        """Cost, its trend, cost per request and per user, and the share of the money that paid for used capacity."""
        return self._create(data, "cost")

    def create_utilization_features(self, data: Any) -> Features:  # noqa: ANN401
        """Averages of the present point, headroom, and the shares of the last day spent idle and busy."""
        return self._create(data, "utilization")

    def create_lag_features(self, data: Any) -> Features:  # noqa: ANN401
        """What each metric was exactly 1 hour, 24 hours and 7 days before."""
        return self._create(data, "lag")

    def create_rolling_statistics(self, data: Any) -> Features:  # noqa: ANN401
        """Mean and maximum of the last hour, mean and deviation of the last week, and the present z-score in it."""
        return self._create(data, "rolling")

    def create_infrastructure_features(self, data: Any) -> Features:  # noqa: ANN401
        """Instance type and family, zone, region, and how the capacity was bought."""
        return self._create(data, "infrastructure")

    def create_listed_features(self, data: Any, *lists: str) -> Features:  # noqa: ANN401
        """The columns of the named lists of `cost_features`, of all four when none is named.

        Raises:
            UsageError: there is no such list.
        """
        return rows.features(data, self._features.for_lists(lists or tuple(cost_features)))

    def calculate_trend(self, data: Any, window: int = 6, *, timestamps: Any = None) -> Any:  # noqa: ANN401
        """Least-squares slope per hour over the last ``window`` hours, at each value; null under two values.

        Args:
            data: a pandas or Polars series, or a sequence of numbers.
            window: hours.
            timestamps: when each value was; by default the index of a pandas series where that holds times, otherwise
                values are one hour apart, as in the specification's ``rolling(24)``.

        Returns:
            A series of the kind that was given, aligned with it.
        """
        return rows.trend(data, window, timestamps)

    def _create(self, data: Any, *groups: str) -> Features:  # noqa: ANN401
        return rows.features(data, replace(self._features, groups=groups))
