"""What the verdict without labels is worth: each series trained alone, as somebody with one metric does.

    python bench/anomaly_alone.py [--suite nab,mscm,wsd,iops] [--most 30] [--json FILE]

Needs the development data and the scorer in ``shared`` beside the checkout; without them it says so and stops. The
recipe is fitted on the part of each series that is given for training, and judged on the other by its labels:

- ``detector``: whatever the verdict says.
- ``best rule``: the simple rule that found most injected anomalies.
- ``better point``: the rule where it found as many injected anomalies or more, however few days say so.
- ``verdict``: what the recipe promotes: the rule only where it is clearly better.

Series with fewer than eight days of training are left out, as the recipe refuses them. ``--most`` draws that many
series of a suite, seeded. The interval is 95 % over series (bootstrap), for the verdict's F1 less that of the better
point.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from threadpoolctl import threadpool_limits

from anomaly import DRAWS, METRIC, SHARED, interval, judged, scorer, table, trained
from aws_auto.errors import NotEnoughData
from aws_auto.frame import MetricFrame
from aws_auto.ml.anomaly.answers import THRESHOLD
from aws_auto.ml.anomaly.detector import FleetDetector
from aws_auto.ml.anomaly.grid import grids
from aws_auto.ml.recipes.anomaly import AnomalyDetector, borders
from aws_auto.results import Decision

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

KINDS = ("detector", "best rule", "better point", "verdict")
DETECTOR, RULE = 0, 1


def counts_of(score: ModuleType, series: Any) -> tuple[Floats, tuple[int, int]]:  # noqa: ANN401 - the scorer's own class
    """Found, missed and false of the detector and of the best rule; and what a better point and the verdict choose.

    Raises:
        NotEnoughData: too short a history for a verdict.
    """
    train, train_t, test, test_t = series.parts()
    frame = MetricFrame.of(table(train_t, train))
    report = AnomalyDetector().fit(frame, seed=0).report
    first, ours = report.backtests[0], trained(train, train_t)
    (grid,) = grids(frame.data, [METRIC]).values()
    until, _ = borders(grid.first, grid.end - grid.period)
    fleet = FleetDetector.fit(first.baseline_name, {grid.resource: grid}, until=until, settings=ours.settings)
    figures = [
        score.count(series, judged(one, test, test_t), THRESHOLD)[:3] for one in (ours, replace(ours, detector=fleet))
    ]
    point = RULE if first.ours <= first.baseline else DETECTOR
    return np.array(figures, float), (point, RULE if report.decision is Decision.SIMPLE_RULE else DETECTOR)


def run_suite(score: ModuleType, suite: str, most: int) -> dict[str, Any]:
    series, rng = score.load(suite), np.random.default_rng(1)
    found, chosen = [], []
    for place in sorted(rng.permutation(len(series))[:most]):
        try:
            counts, choice = counts_of(score, series[place])
        except NotEnoughData:
            continue
        found.append(counts)
        chosen.append(choice)
    both, choices = np.array(found), np.array(chosen)
    at = np.arange(len(both))
    rows = {"detector": both[:, DETECTOR], "best rule": both[:, RULE]}
    rows |= {name: both[at, choices[:, i]] for i, name in enumerate(KINDS[2:])}
    pick = rng.integers(0, len(both), (DRAWS, len(both)))
    gain = score.f1(rows["verdict"][pick].sum(axis=1)) - score.f1(rows["better point"][pick].sum(axis=1))
    return {
        "suite": suite,
        "series": len(both),
        "rule promoted": {"better point": int(choices[:, 0].sum()), "verdict": int(choices[:, 1].sum())},
        "F1": {name: float(score.f1(row.sum(axis=0))) for name, row in rows.items()},
        "false": {name: int(row[:, 2].sum()) for name, row in rows.items()},
        "verdict_minus_better_point_interval": interval(gain),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default="nab,mscm,wsd,iops")
    parser.add_argument("--most", type=int, default=30)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    score = scorer()
    if score is None:
        print(f"nothing measured: the labelled suites lie in {SHARED.name}, which is not here")
        return
    rows = []
    with threadpool_limits(1):
        for suite in options.suite.split(","):
            rows.append(row := run_suite(score, suite, options.most))
            f1 = "  ".join(f"{name} {value:.3f}" for name, value in row["F1"].items())
            low, high = row["verdict_minus_better_point_interval"]
            print(
                f"{suite:5} {row['series']:3} series  F1: {f1}  (verdict - better point {low:+.3f} .. {high:+.3f})",
                f"  rule promoted: {row['rule promoted']}  false alarms: {row['false']}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
