"""The back-test of anomaly detectors without labels: anomalies of known kinds put into held-back real data.

Nobody knows which alarms on the user's own data are right, so that two detectors can only be compared at the same
price: each gets the limit at which it raises as many alarms on the unaltered held-back data as allowed. At that price
the one that finds more of the anomalies that were put in is the better one. Real incidents take their part of the
allowed alarms, more in a troubled account than in a calm one, so that the share found is a mean over several prices,
from the budget to eight times the budget. How many alarms each raises at its own limits is reported beside it and does
not decide: incidents in that data would count as false alarms of whoever finds them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.anomaly.ensemble import Ensemble
from aws_auto.ml.anomaly.grid import DAY, ResourceGrid
from aws_auto.ml.anomaly.inject import KINDS, inject, usual_range
from aws_auto.ml.anomaly.rules import RULES
from aws_auto.ml.evaluation.backtest import Contest, judge
from aws_auto.ml.evaluation.metrics import Rhythm, episodes
from aws_auto.ml.recipes import charts
from aws_auto.results import BackTest, Calibration, Chart, Line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.anomaly.detector import FleetDetector
    from aws_auto.ml.anomaly.settings import AnomalySettings

    Floats = NDArray[np.float64]

#: Rounds of anomalies: two, and more where the held-back part is short, until so many were put in.
LEAST_ROUNDS, MOST_ROUNDS, ENOUGH = 2, 12, 240
#: What the contenders are compared at, in budgets.
PRICES = (1.0, 2.0, 4.0, 8.0)
#: Held-back columns are judged with this much of what came before them.
CONTEXT = 3 * DAY
FEW_RESOURCES = 8
#: Where and how finely the common price is looked for, in units of a detector's own limit.
LEAST_RATIO, FINER, LIMITS = 0.05, 1.02, 400
CHAMPION = "champion"


@dataclass(frozen=True, kw_only=True)
class AnomalyTrial:
    """What the back-test measured."""

    backtests: tuple[BackTest, ...]
    calibration: tuple[Calibration, ...]
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Held:
    """One contender on the unaltered held-back data.

    Attributes:
        detector: the contender.
        ratios: by resource, deviations in units of its own limits, ``(its metrics, columns)``.
        prices: the ratios from which on it raises as many alarms there as each of `PRICES` allows.
        a_week: alarm episodes per resource and week from a ratio of 1 on.
    """

    detector: FleetDetector
    ratios: Mapping[str, Floats]
    prices: tuple[float, ...]
    a_week: float


@dataclass(frozen=True)
class Injected:
    """A grid with anomalies in it: which metrics were changed, first and last second of each anomaly, and its kind."""

    grid: ResourceGrid
    changed: tuple[str, ...]
    events: Floats
    kinds: Sequence[str]


def run(
    fleet: Mapping[str, ResourceGrid],
    contenders: Mapping[str, FleetDetector],
    champion: FleetDetector | None,
    *,
    start: int,
    fresh_from: int | None = None,
    seed: int,
    settings: AnomalySettings,
) -> AnomalyTrial:
    """Judge the contenders on the columns from ``start`` on; every contender meets the same anomalies.

    The champion is compared on the days from ``fresh_from`` on, which it has not been trained on.
    """
    known = contenders[Ensemble.kind].resources
    whole = {n: settings.without_excluded(g) for n, g in fleet.items() if n in known and _has_columns(g, start)}
    held = {n: g.cut(start - CONTEXT, None) for n, g in whole.items()}
    everybody = {**contenders, **({CHAMPION: champion} if champion is not None else {})}
    found = {name: _unaltered(held, one, start, settings) for name, one in everybody.items()}
    days = sorted({int(t // DAY) for g in held.values() for t in (start, g.times[-1])})
    injected = _injected(held, start, seed)
    counts, by_kind = _counts(injected, found, start=start, days=(days[0], days[-1]), settings=settings)
    by_day = len(held) < FEW_RESOURCES
    sums = {name: table.sum(axis=0 if by_day else 1) for name, table in counts.items()}
    fresh = None
    if CHAMPION in sums and fresh_from is not None:
        day = max(-(-fresh_from // DAY) - days[0], 0) if fresh_from > start else 0
        late = {name: table[:, day:].sum(axis=0 if by_day else 1) for name, table in counts.items()}
        fresh = {"ours": late.pop(Ensemble.kind), **late}
    contest = Contest(
        metric="share of injected anomalies found at the same number of alarms",
        unit="share",
        unit_of_n="held-back days" if by_day else "resources",
        ours=sums.pop(Ensemble.kind),
        baselines={name: table for name, table in sums.items() if name in RULES},
        fresh=fresh,
        statistic=_recall,
        lower_is_better=False,
    )
    weeks = _weeks(held, start)
    calibration = tuple(
        Calibration(
            what=f"alarm episodes on unaltered held-back data: {name}",
            nominal=settings.budget_per_week,
            observed=one.a_week,
            n=len(held),
            unit="per resource and week",
        )
        for name, one in found.items()
        if name != CHAMPION
    )
    return AnomalyTrial(
        backtests=(judge(contest, seed=seed),),
        calibration=calibration,
        charts=(_example(held, found[Ensemble.kind], settings), _kinds(by_kind), _alarm_chart(calibration)),
        notes=(
            f"{sum(len(i.events) for i in injected)} anomalies ({', '.join(KINDS)}) in {weeks:.1f} resource-weeks",
            "alarms of a detector on unaltered data may be right: nobody has labelled them",
        ),
    )


def _recall(counts: Floats) -> Floats:
    return np.asarray(counts[..., 0] / np.maximum(counts[..., 0] + counts[..., 1], 1))


def _over(grid: ResourceGrid, ratios: Floats, limit: float, start: int) -> Floats:
    high = ratios.max(axis=0, initial=0.0) >= limit
    return np.asarray(grid.times[high & (grid.times >= start)], np.float64)


def _weeks(held: Mapping[str, ResourceGrid], start: int) -> float:
    return float(sum((g.end - start) / (7 * DAY) for g in held.values()))


def _unaltered(
    held: Mapping[str, ResourceGrid], detector: FleetDetector, start: int, settings: AnomalySettings
) -> Held:
    grids = {name: grid for name, grid in held.items() if name in detector.resources}
    ratios = {name: _ratios(grid, grid.metrics, detector, start, settings) for name, grid in grids.items()}
    weeks = _weeks(grids, start)

    def count(limit: float) -> int:
        return sum(len(episodes(_over(g, ratios[n], limit, start), Rhythm(g.period))) for n, g in grids.items())

    highest = max((float(r.max(initial=0.0)) for r in ratios.values()), default=0.0)
    prices = tuple(_lowest(count, price * settings.budget_per_week * weeks, highest) for price in PRICES)
    return Held(detector, ratios, prices, count(1.0) / max(weeks, 1e-9))


def _lowest(count: Callable[[float], int], allowed: float, highest: float) -> float:
    """The limit, to a few per cent, at which no more alarms are raised than allowed, and below which there are more."""
    limits = np.geomspace(LEAST_RATIO, max(FINER * highest, 2 * LEAST_RATIO), LIMITS)
    over, under = 0, LIMITS - 1
    while under - over > 1:
        middle = (over + under) // 2
        over, under = (middle, under) if count(float(limits[middle])) > allowed else (over, middle)
    return float(limits[under])


def _ratios(
    grid: ResourceGrid,
    asked: Sequence[str],
    detector: FleetDetector,
    start: int,
    settings: AnomalySettings,
    known: Floats | None = None,
) -> Floats:
    """Deviations in units of the limit, ``(metrics of the detector, columns)``: those asked, the others as known."""
    one = detector.resources[grid.resource]
    out = np.zeros((len(one.metrics), grid.values.shape[1])) if known is None else known.copy()
    names = [name for name in asked if name in one.metrics]
    if names:
        place = [one.metrics.index(name) for name in names]
        some = replace(grid, metrics=tuple(names), values=grid.values[[grid.metrics.index(name) for name in names]])
        limits = detector.limits(grid.resource, settings.budget_per_week)[place]
        out[place] = one.scorer.onward(start).only(place).judge(some).deviation(some.values) / limits[:, None]
    return out


def _injected(held: Mapping[str, ResourceGrid], start: int, seed: int) -> list[Injected]:
    rng, out, put = np.random.default_rng(seed), [], 0
    for rounds in range(MOST_ROUNDS):
        if rounds >= LEAST_ROUNDS and put >= ENOUGH:
            break
        out += [_altered_grid(grid, start, rng) for grid in held.values()]
        put = sum(len(one.events) for one in out)
    return out


def _altered_grid(grid: ResourceGrid, start: int, rng: np.random.Generator) -> Injected:
    size = usual_range(grid.cut(None, start).values)
    altered, events, kinds = inject(grid.cut(start, None), size, rng)
    values = grid.values.copy()
    values[:, values.shape[1] - altered.values.shape[1] :] = altered.values
    changed = (values != grid.values) & np.isfinite(values)
    names = tuple(grid.metrics[row] for row in np.flatnonzero(changed.any(axis=1)))
    return Injected(grid.replaced(values), names, events, kinds)


def _counts(
    injected: Sequence[Injected],
    found: Mapping[str, Held],
    *,
    start: int,
    days: tuple[int, int],
    settings: AnomalySettings,
) -> tuple[dict[str, Floats], dict[str, dict[str, list[bool]]]]:
    """Found and missed by contender, ``(resources, days, 2)`` over all prices; and per kind whether each was found."""
    first, last = days
    names = list(dict.fromkeys(one.grid.resource for one in injected))
    out = {name: np.zeros((len(names), last - first + 1, 2)) for name in found}
    by_kind: dict[str, dict[str, list[bool]]] = {name: {kind: [] for kind in KINDS} for name in found}
    for altered in injected:
        place = names.index(altered.grid.resource)
        for name, held in found.items():
            known = held.ratios.get(altered.grid.resource)
            if known is None:
                continue
            ratios = _ratios(altered.grid, altered.changed, held.detector, start, settings, known)
            highest = _highest(altered, ratios.max(axis=0, initial=0.0))
            for event, kind, ratio in zip(altered.events, altered.kinds, highest, strict=True):
                hits = [bool(ratio >= price) for price in held.prices]
                out[name][place, int(event[0] // DAY) - first] += sum(hits), len(hits) - sum(hits)
                by_kind[name][kind] += hits
    return out, by_kind


def _highest(altered: Injected, ratio: Floats) -> list[float]:
    """The highest ratio while each anomaly lasts or may still be found."""
    times, grace = altered.grid.times, Rhythm(altered.grid.period).grace
    spans = [np.searchsorted(times, [first, max(last, first + grace)]) for first, last in altered.events]
    return [float(ratio[a : b + 1].max()) for a, b in spans]


def _has_columns(grid: ResourceGrid, start: int) -> bool:
    return len(grid.metrics) > 0 and int(grid.times[-1]) >= start + DAY


def _example(held: Mapping[str, ResourceGrid], ours: Held, settings: AnomalySettings) -> Chart:
    """The resource and metric with the largest deviation in the held-back part, with its band."""
    best = held[max(held, key=lambda name: (float(ours.ratios[name].max(initial=0.0)), name))]
    found = ours.detector.found(best, settings)
    peak = int(found.ratio.argmax())
    metric = int(found.metric[peak])
    around = best.points(2 * DAY)
    at = np.arange(max(peak - around, 0), min(peak + around, len(found.ratio)))
    at = at[:: -(-len(at) // 600)]
    expected, width = found.judged.expected[metric, at], found.width[metric, at]
    return charts.band(
        f"{best.metrics[metric]} of {best.resource} around the largest held-back deviation",
        times=[datetime.fromtimestamp(int(t), UTC) for t in best.times[at]],
        truth=best.values[metric, at],
        quantiles=np.stack([expected - width, expected, expected + width], axis=1),
        y_title=best.metrics[metric],
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
        note="each at the limit that keeps the same number of alarms",
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
