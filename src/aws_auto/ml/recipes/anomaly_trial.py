"""The back-test of anomaly detectors without labels: anomalies of known kinds put into held-back real data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.anomaly.ensemble import Ensemble
from aws_auto.ml.anomaly.grid import DAY, ResourceGrid
from aws_auto.ml.anomaly.inject import KINDS, inject
from aws_auto.ml.evaluation.backtest import Contest, Statistic, judge
from aws_auto.ml.evaluation.metrics import Rhythm, episodes, event_counts, event_f1
from aws_auto.ml.recipes import charts
from aws_auto.results import BackTest, Calibration, Chart, Line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detector import FleetDetector

    Floats = NDArray[np.float64]

REPLICATES = 2
#: Held-back columns are judged with this much of what came before them.
CONTEXT = 3 * DAY
FEW_RESOURCES = 8


@dataclass(frozen=True, kw_only=True)
class AnomalyTrial:
    """What the back-test measured."""

    backtests: tuple[BackTest, ...]
    calibration: tuple[Calibration, ...]
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]


def run(
    fleet: Mapping[str, ResourceGrid],
    contenders: Mapping[str, FleetDetector],
    champion: FleetDetector | None,
    *,
    start: int,
    seed: int,
    budget: float,
) -> AnomalyTrial:
    """Judge the contenders on the columns from ``start`` on.

    Every contender meets the same anomalies, at a threshold that its own calibration part gave for the same budget.
    """
    everybody = dict(contenders)
    if champion is not None:
        everybody["champion"] = champion
    known = contenders[Ensemble.kind].resources
    held = {n: g.cut(start - CONTEXT, None) for n, g in fleet.items() if n in known and _has_columns(g, start)}
    days = sorted({int(t // DAY) for g in held.values() for t in (start, g.times[-1])})
    counts, by_kind = _counts(held, everybody, start=start, days=(days[0], days[-1]), seed=seed)
    by_day = len(held) < FEW_RESOURCES
    sums = {name: table.sum(axis=0 if by_day else 1) for name, table in counts.items()}
    rows = {
        "unit_of_n": "held-back days" if by_day else "resources",
        "ours": sums.pop(Ensemble.kind),
        "champion": sums.pop("champion", None),
        "baselines": sums,
    }
    calibration, weeks = _false_alarms(held, contenders, start=start, budget=budget)
    injected = int(counts[Ensemble.kind][..., :2].sum())
    return AnomalyTrial(
        backtests=tuple(
            judge(Contest(metric=metric, unit="share", lower_is_better=False, statistic=statistic, **rows), seed=seed)
            for metric, statistic in _FIGURES
        ),
        calibration=calibration,
        charts=(_example(held, contenders[Ensemble.kind]), _kinds(by_kind), _alarm_chart(calibration)),
        notes=(
            f"{injected} anomalies ({', '.join(KINDS)}) were put into {weeks:.1f} resource-weeks of held-back data",
            "without labels, real anomalies in held-back data count as false alarms of every detector",
        ),
    )


def _recall(counts: Floats) -> Floats:
    return np.asarray(counts[..., 0] / np.maximum(counts[..., 0] + counts[..., 1], 1))


_FIGURES: tuple[tuple[str, Statistic], ...] = (
    ("event F1 on injected anomalies", event_f1),
    ("event recall on injected anomalies", _recall),
)


def _has_columns(grid: ResourceGrid, start: int) -> bool:
    return len(grid.metrics) > 0 and int(grid.times[-1]) >= start + DAY


def _counts(
    held: Mapping[str, ResourceGrid],
    contenders: Mapping[str, FleetDetector],
    *,
    start: int,
    days: tuple[int, int],
    seed: int,
) -> tuple[dict[str, Floats], dict[str, dict[str, list[bool]]]]:
    """Found, missed and false by contender, ``(resources, days, 3)``; and per kind whether each was found."""
    first, last = days
    out = {name: np.zeros((len(held), last - first + 1, 3)) for name in contenders}
    by_kind: dict[str, dict[str, list[bool]]] = {name: {kind: [] for kind in KINDS} for name in contenders}
    rng = np.random.default_rng(seed)
    for r, grid in enumerate(held.values()):
        rhythm = Rhythm(grid.period)
        size = _usual_range(grid.cut(None, start).values)
        for _ in range(REPLICATES):
            altered, events, kinds = inject(grid.cut(start, None), size, rng)
            values = grid.values.copy()
            values[:, values.shape[1] - altered.values.shape[1] :] = altered.values
            whole = grid.replaced(values)
            for name, detector in contenders.items():
                if grid.resource not in detector.resources:
                    continue
                alarms = detector.alarms(_as_known(whole, detector), start)
                for day in range(first, last + 1):
                    mine = events[(events[:, 0] // DAY) == day]
                    counted = event_counts(alarms[(alarms // DAY) == day], mine, rhythm)
                    out[name][r, day - first] += counted.found, counted.missed, counted.false
                for event, kind in zip(events, kinds, strict=True):
                    by_kind[name][kind].append(event_counts(alarms, event[None], rhythm).found == 1)
    return out, by_kind


def _as_known(grid: ResourceGrid, detector: FleetDetector) -> ResourceGrid:
    """The grid with the rows that the detector was fitted on; a champion may know other metrics."""
    names = detector.resources[grid.resource].metrics
    if names == grid.metrics:
        return grid
    place = {name: i for i, name in enumerate(grid.metrics)}
    values = np.stack([grid.values[place[n]] if n in place else np.full(grid.values.shape[1], np.nan) for n in names])
    return ResourceGrid(grid.resource, grid.period, grid.first, names, values, grid.column)


def _usual_range(values: Floats) -> Floats:
    """From the 5 % to the 95 % quantile of each row, 0 without points."""
    out = np.zeros(len(values))
    for i, row in enumerate(values):
        seen = row[np.isfinite(row)]
        if len(seen):
            low, high = np.quantile(seen, [0.05, 0.95])
            out[i] = high - low
    return out


def _false_alarms(
    held: Mapping[str, ResourceGrid], contenders: Mapping[str, FleetDetector], *, start: int, budget: float
) -> tuple[tuple[Calibration, ...], float]:
    """Alarm episodes per resource and week on unaltered held-back data, against the budget."""
    weeks = sum((g.times[-1] - start) / (7 * DAY) for g in held.values())
    said = []
    for name, detector in contenders.items():
        found = sum(len(episodes(detector.alarms(g, start), Rhythm(g.period))) for g in held.values())
        said.append(
            Calibration(
                what=f"alarm episodes on unaltered held-back data: {name}",
                nominal=budget,
                observed=float(found / max(weeks, 1e-9)),
                n=len(held),
                unit="per resource and week",
            )
        )
    return tuple(said), float(weeks)


def _example(held: Mapping[str, ResourceGrid], detector: FleetDetector) -> Chart:
    """The resource and metric with the largest deviation in the held-back part, with its band."""
    best = max(held.values(), key=lambda g: (float(detector.resources[g.resource].ratio(g)[0].max()), g.resource))
    one = detector.resources[best.resource]
    ratio, place, judged = one.ratio(best)
    peak = int(ratio.argmax())
    metric = int(place[peak])
    around = best.points(2 * DAY)
    at = np.arange(max(peak - around, 0), min(peak + around, len(ratio)))
    at = at[:: -(-len(at) // 600)]
    width = judged.width(best.values, detector.threshold * one.quiet)[metric, at]
    expected = judged.expected[metric, at]
    return charts.band(
        f"{one.metrics[metric]} of {best.resource} around the largest held-back deviation",
        times=[datetime.fromtimestamp(int(t), UTC) for t in best.times[at]],
        truth=best.values[metric, at],
        quantiles=np.stack([expected - width, expected, expected + width], axis=1),
        y_title=one.metrics[metric],
        note="the band is where no alarm is raised",
        name="expected, with the range that raises no alarm",
    )


def _kinds(found: Mapping[str, Mapping[str, list[bool]]]) -> Chart:
    return Chart(
        title="Injected anomalies found, by kind",
        x_title="kind",
        y_title="share found",
        lines=tuple(
            Line(
                name=name, x=KINDS, y=tuple(float(np.mean(f)) if (f := kinds[k]) else None for k in KINDS), style="bars"
            )
            for name, kinds in found.items()
        ),
        note="all at the threshold that keeps the same budget of alarms",
    )


def _alarm_chart(said: tuple[Calibration, ...]) -> Chart:
    names = tuple(c.what.rpartition(": ")[2] for c in said)
    return Chart(
        title="Alarms on unaltered held-back data",
        x_title="detector",
        y_title="episodes per resource and week",
        lines=(
            Line(name="observed", x=names, y=tuple(c.observed for c in said), style="bars"),
            Line(name="budget", x=names, y=tuple(c.nominal for c in said), style="dashed"),
        ),
    )
