"""Frozen values that travel between the storeys: what was found, how sure we are, and what it rests on.

Every figure that a user sees carries its sample size, an interval and the baseline's figure beside it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal


@dataclass(frozen=True)
class Interval:
    """A confidence or prediction interval at ``level`` (0.95 means 95 %)."""

    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """Figures on the held-back units that came after the champion's own training, so that nobody has seen them.

    Attributes:
        champion: the present champion's figure.
        ours: the candidate's.
        baseline: the best simple rule's.
        n: how many of the units these are.
    """

    champion: float
    ours: float
    baseline: float
    n: int


@dataclass(frozen=True, kw_only=True)
class BackTest:
    """Our figure beside the best simple rule's, both on held-back data that came after the training data.

    Attributes:
        metric: what is measured, for example ``pinball loss``.
        unit: unit of both figures.
        ours: the candidate's figure.
        baseline: the best simple rule's figure on the same points.
        baseline_name: which rule that is.
        fresh: the present champion beside both, None when there is none or it has seen too much of the data.
        lower_is_better: direction.
        difference: interval of ours minus baseline, over ``n`` independent ``unit_of_n``.
        n: how many independent pieces the interval rests on.
        unit_of_n: what they are (days, series, resources).
    """

    metric: str
    unit: str
    ours: float
    baseline: float
    baseline_name: str
    difference: Interval
    n: int
    unit_of_n: str
    fresh: Fresh | None = None
    lower_is_better: bool = True

    @property
    def beats_baseline(self) -> bool:
        """True when the whole interval of the difference lies on the good side of zero."""
        return self.difference.high < 0 if self.lower_is_better else self.difference.low > 0


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What was promised against what happened on held-back data, for example 80 % intervals that held 78 %.

    ``unit`` is ``share`` (shown in percent), or the unit of both figures.
    """

    what: str
    nominal: float
    observed: float
    n: int
    unit: str = "share"


@dataclass(frozen=True, kw_only=True)
class Quality:
    """A champion's figures on points whose truth has arrived since it was trained.

    Attributes:
        backtest: its figure beside the simple rule's.
        accuracy: ``1 - WAPE`` for forecasts, None where accuracy has no meaning without labels.
    """

    backtest: BackTest
    accuracy: float | None = None

    @property
    def degraded(self) -> bool:
        """True when the simple rule is better beyond the interval."""
        difference = self.backtest.difference
        return difference.low > 0 if self.backtest.lower_is_better else difference.high < 0


class Decision(StrEnum):
    """What a training run concluded."""

    PROMOTE = "promote"
    KEEP_CHAMPION = "keep champion"
    SIMPLE_RULE = "the simple rule wins"


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What a model was made of: enough to make it again."""

    data_fingerprint: str
    rows: int
    resources: int
    start: datetime
    end: datetime
    seed: int
    versions: Mapping[str, str]
    simulated: bool = False


@dataclass(frozen=True, kw_only=True)
class Line:
    """One curve of a chart; ``x`` holds times or numbers. ``low`` and ``high`` draw a band around it."""

    name: str
    x: tuple[Any, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...] | None = None
    high: tuple[float | None, ...] | None = None
    style: Literal["line", "points", "bars", "dashed"] = "line"


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A picture as data: the domain says what to show, the report room draws it."""

    title: str
    x_title: str
    y_title: str
    lines: tuple[Line, ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class TrainReport:
    """What a training run found and decided."""

    recipe: str
    decision: Decision
    reason: str
    backtests: tuple[BackTest, ...]
    calibration: tuple[Calibration, ...]
    lineage: Lineage
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Field:
    """One input column of a model: what the serving side checks before it predicts.

    ``low`` and ``high`` are the range seen in training; a value outside is answered but marked as extrapolation.
    """

    name: str
    kind: Literal["time", "text", "number"]
    unit: str = "None"
    required: bool = True
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """A fitted model as files (name to bytes; UBJ, skops, safetensors, JSON), its input schema and its report."""

    recipe: str
    files: Mapping[str, bytes]
    schema: tuple[Field, ...]
    report: TrainReport


class Stage(StrEnum):
    """Where a model version stands."""

    CANDIDATE = "candidate"
    CHAMPION = "champion"
    ARCHIVED = "archived"


@dataclass(frozen=True, kw_only=True)
class ModelVersion:
    """A version in the registry. ``files`` maps file names to SHA-256; ``report`` and ``schema`` are plain JSON."""

    name: str
    version: int
    stage: Stage
    created_at: datetime
    recipe: str
    files: Mapping[str, str]
    schema: tuple[Field, ...]
    report: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One line of a model's promotion history: at any time, who was champion and why."""

    name: str
    version: int
    previous: int | None
    at: datetime
    reason: str
    kind: Literal["promote", "rollback"]


@dataclass(frozen=True, kw_only=True)
class ColumnDrift:
    """Drift of one column. ``distance`` is in standard deviations of the reference (numbers) or JS distance (text).

    ``threshold`` is what the reference shows between its own blocks of the same length (drift note 3b), and never
    below the minimum effect; ``p_value`` is adjusted over the columns (Benjamini and Hochberg 1995).
    """

    column: str
    distance: float
    threshold: float
    p_value: float
    drifted: bool
    n_reference: int
    n_current: int
    note: str = ""
    psi: float | None = None
    js: float | None = None
    ks: float | None = None


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """Drift of every column that could be judged, and why the others could not."""

    columns: tuple[ColumnDrift, ...]
    not_judged: Mapping[str, str] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """Share of judged columns that drifted, between 0 and 1: the specification's ``data_drift_score``."""
        return sum(c.drifted for c in self.columns) / len(self.columns) if self.columns else 0.0


def as_json(value: Any) -> Any:  # noqa: ANN401, PLR0911 - any value of this module, and plain data
    """Plain JSON data for a value of this module: dataclasses become dicts, times ISO 8601, NaN null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: as_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): as_json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(v) for v in value]
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        return as_json(value.item())
    return value
