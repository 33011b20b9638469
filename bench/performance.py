"""The performance predictor on real load tests of a shop of microservices, one load pattern left out at a time.

    python bench/performance.py [--seeds 5] [--json FILE]

Data: `../shared/data/performance/sockshop_sla.parquet` (18 runs, 7 services, a row each 30 s; the label says whether
the 95th percentile of latency passes the objective within the next minute); without it nothing is measured. The
objective itself is not in the data: it is read from the labels of the training patterns. Opponents get the table as it
stands (with a column for each service) and, for fairness, our own inputs too. Figures are of all held-out rows together
and as the mean over patterns; intervals of the differences come from whole runs drawn with replacement (95 %).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.ml.evaluation.metrics import expected_calibration_error
from aws_auto.ml.scaling.monotone import MonotoneNet
from aws_auto.ml.scaling.situation import Situation, Usual

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "performance" / "sockshop_sla.parquet"
LATENCIES = ("p50_latency_ms", "p95_latency_ms", "p99_latency_ms")
RAW = (
    "request_rate_rps",
    "error_rate_pct",
    *LATENCIES,
    "cpu_usage_pct",
    "memory_usage_mb",
    "delta_rps",
    "delta_p95_latency_ms",
    "delta_cpu_usage_pct",
)
DRAWS = 500
OURS = "performance-predictor"


@dataclass(frozen=True)
class Tests:
    """The load tests. ``event`` is the label; ``worst`` the largest p95 of the two rows that follow, NaN at the end."""

    table: pl.DataFrame
    event: np.ndarray
    worst: np.ndarray
    pattern: np.ndarray
    run: np.ndarray

    @classmethod
    def read(cls) -> Tests:
        """All of them."""
        keys = ("pattern", "run", "service")
        p95 = pl.col("p95_latency_ms")
        table = (
            pl.read_parquet(DATA)
            .with_columns(pl.col("timestamp").str.to_datetime(time_zone="UTC"))
            .sort(*keys, "timestamp")
            .with_columns(
                # The first row of a run must not be known as such: the load generator starts soon after it.
                before=pl.coalesce(pl.col("request_rate_rps").shift(1).over(keys), "request_rate_rps"),
                worst=pl.max_horizontal(p95.shift(-1).over(keys), p95.shift(-2).over(keys)),
            )
        )
        return cls(
            table,
            table["sla_violated"].cast(pl.Float64).to_numpy(),
            table["worst"].to_numpy(),
            table["pattern"].to_numpy(),
            table.select(pl.col("pattern") + "/" + pl.col("run")).to_series().to_numpy(),
        )

    def raw(self) -> np.ndarray:
        """The table as it stands, with a column for each service."""
        names = sorted(self.table["service"].unique())
        service = self.table["service"].to_numpy()
        return np.column_stack([self.table.select(RAW).to_numpy(), *(service == n for n in names)]).astype(float)

    def objective(self, rows: np.ndarray) -> float:
        """The latency that parts the labels of these rows best."""
        known = rows & np.isfinite(self.worst)
        worst, event = self.worst[known], self.event[known]
        order = np.argsort(worst)
        worst, event = worst[order], event[order]
        wrong = np.cumsum(event) + (1 - event).sum() - np.cumsum(1 - event)
        best = np.flatnonzero(wrong == wrong.min())
        return float(np.sqrt(worst[best[0]] * worst[min(best[-1] + 1, len(worst) - 1)]))

    def situation(self, rows: np.ndarray, objective: float) -> Situation:
        """What our predictor is told of these rows: load tests have no count of instances."""
        part = self.table.filter(pl.Series(rows))
        column = {name: part[name].cast(pl.Float64).to_numpy() for name in (*RAW, "before")}
        unknown = np.full(len(part), np.nan)
        return Situation(
            resource=part["service"].to_numpy().astype(object),
            load=column["request_rate_rps"],
            instances=unknown,
            load_before=column["before"],
            instances_before=unknown,
            cpu=column["cpu_usage_pct"],
            memory=column["memory_usage_mb"],
            errors=column["error_rate_pct"],
            latency=np.column_stack([column[n] for n in LATENCIES]),
            objective=np.full(len(part), objective),
            about=1,
        )


def answers(tests: Tests, seed: int) -> dict[str, np.ndarray]:
    """Each contender's probability for each row, by a model that never saw its load pattern."""
    raw = tests.raw()
    out: dict[str, np.ndarray] = {}
    for pattern in np.unique(tests.pattern):
        test = tests.pattern == pattern
        event, objective = tests.event[~test], tests.objective(~test)
        usual = Usual.fit(tests.situation(~test, objective), event)
        (x, sign), (z, _) = (usual.inputs(tests.situation(rows, objective)) for rows in (~test, test))
        said = {
            "base rate": np.full(test.sum(), event.mean()),
            OURS: MonotoneNet.fit(x, sign, event, seed=seed).probability(z),
        }
        for name, fit in _OPPONENTS.items():
            said[name] = fit(raw[~test], event, raw[test], seed)
            said[f"{name}, our inputs"] = fit(x, event, z, seed)
        for name, p in said.items():
            out.setdefault(name, np.empty(len(test)))[test] = p
    return out


def logistic(x: np.ndarray, event: np.ndarray, z: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps = (SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    model = make_pipeline(*steps, LogisticRegression(max_iter=5000, random_state=seed))
    return np.asarray(model.fit(x, event).predict_proba(z)[:, 1])


def boosted(**options: Any) -> Callable[[np.ndarray, np.ndarray, np.ndarray, int], np.ndarray]:  # noqa: ANN401
    def fit(x: np.ndarray, event: np.ndarray, z: np.ndarray, seed: int) -> np.ndarray:
        import xgboost

        model = xgboost.XGBClassifier(tree_method="hist", n_jobs=1, random_state=seed, **options)
        return np.asarray(model.fit(x, event).predict_proba(z)[:, 1])

    return fit


_SMALL = {"max_depth": 3, "learning_rate": 0.05, "subsample": 0.8, "colsample_bytree": 0.8, "min_child_weight": 5}
_OPPONENTS = {
    "logistic regression": logistic,
    "boosted trees, defaults": boosted(),
    "boosted trees, 60 small": boosted(n_estimators=60, **_SMALL),
    "boosted trees, 100 small": boosted(n_estimators=100, **_SMALL),
    "boosted trees, 200 small": boosted(n_estimators=200, **_SMALL),
}


def figures(tests: Tests, p: np.ndarray) -> dict[str, float]:
    by_pattern = [_precision(tests.event[m], p[m]) for m in (tests.pattern == n for n in np.unique(tests.pattern))]
    return {
        "average precision": _precision(tests.event, p),
        "mean over patterns": float(np.mean(by_pattern)),
        "Brier score": float(np.mean((p - tests.event) ** 2)),
        "calibration error": expected_calibration_error(p, tests.event),
    }


def _precision(event: np.ndarray, p: np.ndarray) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(event, p))


def differences(tests: Tests, ours: np.ndarray, other: np.ndarray) -> dict[str, list[float]]:
    """Interval of ours minus the other's, over runs drawn within their pattern."""
    rng = np.random.default_rng(0)
    rows = {run: np.flatnonzero(tests.run == run) for run in np.unique(tests.run)}
    by_pattern = [[r for r in rows if r.startswith(f"{p}/")] for p in np.unique(tests.pattern)]
    drawn = []
    for _ in range(DRAWS):
        at = np.concatenate([rows[r] for runs in by_pattern for r in rng.choice(runs, len(runs))])
        event = tests.event[at]
        brier = np.mean((ours[at] - event) ** 2) - np.mean((other[at] - event) ** 2)
        drawn.append((_precision(event, ours[at]) - _precision(event, other[at]), brier))
    low, high = np.quantile(np.array(drawn), [0.025, 0.975], axis=0)
    return {name: [float(low[i]), float(high[i])] for i, name in enumerate(("average precision", "Brier score"))}


def main() -> None:
    """Print the table, or say why there is none."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    if not DATA.is_file():
        print("nothing measured: the load tests lie in ../shared, which is not here")
        return
    tests = Tests.read()
    runs = [answers(tests, seed) for seed in range(asked.seeds)]
    table = []
    for name in runs[0]:
        each = [figures(tests, run[name]) for run in runs]
        row: dict[str, Any] = {"model": name} | {k: float(np.mean([f[k] for f in each])) for k in each[0]}
        row["spread over seeds"] = float(np.ptp([f["average precision"] for f in each]))
        if name != OURS:
            against = differences(tests, runs[0][OURS], runs[0][name])
            row |= {f"ours - it, {k}": "{:+.4f} .. {:+.4f}".format(*v) for k, v in against.items()}
        table.append(row)
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=240, float_precision=4, fmt_str_lengths=40):
        print(pl.DataFrame(table, infer_schema_length=None))
    n = {"rows": len(tests.event), "events": int(tests.event.sum()), "runs": len(np.unique(tests.run))}
    print(n, f"seeds {asked.seeds}")
    if asked.json:
        asked.json.write_text(json.dumps({"n": n, "seeds": asked.seeds, "rows": table}, indent=1))


if __name__ == "__main__":
    main()
