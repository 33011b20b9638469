"""Detection on real labelled series: what ``train-models`` and ``detect`` give, beside simple rules.

    python bench/anomaly.py [--suite iops,wsd,mscm,nab_core] [--detector "ours;PCA"] [--no-fleet] [--json FILE]

Needs the development data and the scorer in ``shared`` beside the checkout; without them it says so and stops. Every
detector learns on a series' training part without labels and scores the rest causally.

``ours`` is the path of the product: fitted by the recipe's own code with default settings, alarms as ``detect`` raises
them. One setting serves all suites; nothing is chosen here. A training part of less than eight days is treated as the
recipe treats a resource that has just appeared. ``ours, chosen`` are the same scores with a threshold chosen as for the
others: by five folds over the series of a suite, the F1-best of four counts on the fifth, with their labels.

Intervals are 95 % over series (bootstrap), also for the difference to ours on the same series. VUS-PR is shown as
scored and with the same 10-point hold for all. The members, weights and limits of the default were chosen while
looking at these suites (the docstring of ``aws_auto.ml.anomaly.detect.profile`` says how), so that figures here are
development figures and optimistic.

Machines are four resources of the Server Machine Dataset with 38 metrics each: what a budget per resource and week
gives there, with limits raised by how often the metrics alarmed together, and without. Whatever lies outside of a
labelled incident counts as false.

The verdict is what the recipe's back-test says without labels: the series of a suite as one fleet, anomalies put into
their training parts.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from aws_auto.errors import NotEnoughData
from aws_auto.frame import MetricFrame
from aws_auto.ml.anomaly.answers import THRESHOLD
from aws_auto.ml.anomaly.detect import Detector, Policy, alarms
from aws_auto.ml.anomaly.detect.options import fit_windows, vote
from aws_auto.ml.anomaly.detect.profile import DENSE, FRESH, HOURS, Profile
from aws_auto.ml.anomaly.detector import FleetDetector
from aws_auto.ml.anomaly.ensemble import Ensemble
from aws_auto.ml.anomaly.grid import DAY, ResourceGrid, grids
from aws_auto.ml.anomaly.settings import AnomalySettings
from aws_auto.ml.evaluation.metrics import Rhythm, episodes
from aws_auto.ml.recipes.anomaly import AnomalyDetector, borders
from aws_auto.ml.recipes.anomaly_predictor import AnomalyPredictor
from aws_auto.results import Field

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Score = Callable[[Floats, Floats, Floats, Floats], Floats]

SHARED = Path(__file__).resolve().parents[2] / "shared"
MACHINES = SHARED / "data" / "rootcause" / "smd"
MACHINE_BUDGETS, MINUTE = (1.0, 5.0), 60
SUITES = ("iops", "wsd", "mscm", "nab_core")
DRAWS = 2000
BUDGETS = (5.0, 1.0, 0.25)
METRIC = "latency"
#: A fleet: series, points of two weeks at five minutes, and how many of them are run to know the cost of all.
FLEET, TWO_WEEKS, SAMPLE = 10_000, 4032, 200


def scorer() -> ModuleType | None:
    """The shared scorer, loaded by path; None without it."""
    path = SHARED / "score" / "anomaly.py"
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("shared_score_anomaly", path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def table(times: Floats, values: Floats, name: str = "series") -> pl.DataFrame:
    """A series as the rows of a resource."""
    at = pl.from_epoch(pl.Series(times.astype(np.int64)), "s").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    return pl.DataFrame({"resource_id": name, "timestamp": at, METRIC: values})


def trained(train: Floats, train_t: Floats) -> AnomalyPredictor:
    """What the recipe gives for a resource with this past, when its learned detector is promoted."""
    rows = MetricFrame.of(table(train_t, train)).data
    (grid,) = grids(rows, [METRIC]).values()
    try:
        until, _ = borders(grid.first, grid.end - grid.period)
    except NotEnoughData:
        until = grid.first
    settings = AnomalySettings()
    return AnomalyPredictor(
        recipe=AnomalyDetector().name,
        schema=(Field(name=METRIC, kind="number"),),
        detector=FleetDetector.fit(Ensemble.kind, {"series": grid}, until=until, settings=settings),
        settings=settings,
        trained_until=rows["timestamp"].max(),
    )


def judged(predictor: AnomalyPredictor, test: Floats, test_t: Floats) -> Floats:
    """Its scores; a point that is not judged raises no alarm."""
    return predictor.predict(table(test_t, test))["score"].fill_null(-1.0).to_numpy()


def ours(train: Floats, train_t: Floats, test: Floats, test_t: Floats) -> Floats:
    return judged(trained(train, train_t), test, test_t)


def single(member: str) -> Score:
    """One member alone, calibrated as in the default of that series."""

    def score(train: Floats, train_t: Floats, test: Floats, test_t: Floats) -> Floats:
        tail = Detector.fit(train_t, train).profile.tail
        detector = Detector.fit(train_t, train, profile=Profile(member, {member: 1.0}, tail))
        return np.nan_to_num(detector.score(test_t, test).score, nan=-3.0)

    return score


def rolling_mad(x: Floats, n: int) -> Floats:
    """Distance from the median of the last 300 points over their median distance (the usual rule)."""
    window = 300
    padded = np.r_[np.full(window, x[0]), x]
    out = np.empty(n)
    for a in range(0, n, 4096):
        rows = np.lib.stride_tricks.sliding_window_view(padded[a : min(a + 4096, n) + window - 1], window)
        middle = np.median(rows, axis=1)
        spread = np.median(np.abs(rows - middle[:, None]), axis=1)
        out[a : a + len(rows)] = np.abs(x[a : a + len(rows)] - middle) / (spread + 1e-9 + 1e-2 * np.abs(middle))
    return out


def pca(x: Floats, n: int, trained: int) -> Floats:
    """Reconstruction error of 24-point windows by six components: the baseline of the targets."""
    window, kept = 24, 6
    train = x[:trained]
    scale = np.subtract(*np.percentile(train, [75, 25])) / 1.349 or train.std() or 1.0
    z = np.clip((x - np.median(train)) / scale, -50, 50)
    rows = np.lib.stride_tricks.sliding_window_view(np.r_[np.full(window - 1, z[0]), z], window)
    some = rows[window:trained]
    some = some[:: max(1, len(some) // 4000)]
    mean = some.mean(axis=0)
    axes = np.linalg.svd(some - mean, full_matrices=False)[2][:kept]
    left = rows[:n] - mean
    left = left - left @ axes.T @ axes
    return np.abs(left[:, -1]) + np.sqrt((left**2).mean(axis=1))


def usual(raw: Floats, first: int) -> Floats:
    """Scores from ``first`` on by their own past, as simple rules need it to share a threshold with other series."""
    out = np.empty(len(raw) - first)
    for a in range(first, len(raw), 50):
        middle, high = np.quantile(raw[max(0, a - 2000) : a], (0.5, 0.98))
        out[a - first : a - first + 50] = (raw[a : a + 50] - middle) / (high - middle + 1e-9 * (1 + abs(middle)))
    return out


def simple(rule: str, *, calibrated: bool) -> Score:
    def score(train: Floats, _train_t: Floats, test: Floats, _test_t: Floats) -> Floats:
        x = np.r_[train, test]
        raw = rolling_mad(x, len(x)) if rule == "rolling MAD" else pca(x, len(x), len(train))
        return usual(raw, len(train)) if calibrated else raw[len(train) :]

    return score


def named(kind: str) -> Score:
    def score(train: Floats, _train_t: Floats, test: Floats, _test_t: Floats) -> Floats:
        return fit_windows(train, kind).score(test)

    return score


def three_way_vote(train: Floats, _train_t: Floats, test: Floats, _test_t: Floats) -> Floats:
    """IsolationForest, OneClassSVM and LSTM autoencoder, by majority: the specification's ensemble."""
    return vote([fit_windows(train, kind).score(test) for kind in ("isolation_forest", "one_class_svm", "autoencoder")])


OURS, CHOSEN = "ours", "ours, chosen"
#: The members alone and the boosted forecast are shown when asked for.
DEFAULT = (OURS, CHOSEN, "rolling MAD", "rolling MAD, cal.", "PCA", "PCA, cal.", "IsolationForest", "three-way vote")
DETECTORS: dict[str, Score] = {
    OURS: ours,
    CHOSEN: ours,
    "shape alone": single("shape"),
    "AR + season alone": single("residual"),
    "rolling MAD": simple("rolling MAD", calibrated=False),
    "rolling MAD, cal.": simple("rolling MAD", calibrated=True),
    "PCA": simple("PCA", calibrated=False),
    "PCA, cal.": simple("PCA", calibrated=True),
    "boosted residual": named("boosted"),
    "IsolationForest": named("isolation_forest"),
    "three-way vote": three_way_vote,
}


def per_series(score: ModuleType, series: list[Any], scores: list[Floats], used: list[float]) -> Floats:
    """Found, missed and false of every series at its threshold: of the product, or of its fold."""
    counts = [score.count(s, x, used[i % len(used)])[:3] for i, (s, x) in enumerate(zip(series, scores, strict=True))]
    return np.array(counts, float)


def volumes(score: ModuleType, series: list[Any], scores: list[Floats]) -> Floats:
    """Raw VUS-PR of every series, NaN where undefined."""
    return np.array(
        [
            score.vus_pr(s.label[s.test], x, score.period(s.v)) if 0 < s.label[s.test].sum() < len(x) else np.nan
            for s, x in zip(series, scores, strict=True)
        ]
    )


def events(score: ModuleType, series: list[Any], scores: list[Floats], used: list[float]) -> dict[str, Any]:
    """Figures at given thresholds."""
    found, missed, false = per_series(score, series, scores, used).sum(axis=0)
    delays = [d for i, s in enumerate(series) for d in score.count(s, scores[i], used[i % len(used)])[3]]
    weeks = sum((s.label[s.test] == 0).sum() * s.dt for s in series) / 604_800
    return {
        "F1": float(2 * found / max(2 * found + missed + false, 1)),
        "precision": float(found / max(found + false, 1)),
        "recall": float(found / max(found + missed, 1)),
        "false_per_week": float(false / weeks),
        "delay_min": float(np.median(delays) / 60) if delays else None,
        "events": int(found + missed),
    }


def interval(draws: Floats) -> list[float]:
    return [float(np.nanquantile(draws, q)) for q in (0.025, 0.975)]


def intervals(score: ModuleType, counts: Floats, vus: Floats, weeks: Floats, pick: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "F1_interval": interval(score.f1(counts[pick].sum(axis=1))),
        "false_per_week_interval": interval(counts[pick][..., 2].sum(axis=1) / weeks[pick].sum(axis=1)),
        "VUS_PR_interval": interval(np.nanmean(vus[pick], axis=1)),
    }


def run_suite(score: ModuleType, suite: str, names: list[str], *, audit: int) -> list[dict[str, Any]]:
    series = score.load(suite)
    pick = np.random.default_rng(0).integers(0, len(series), (DRAWS, len(series)))
    weeks = np.array([(s.label[s.test] == 0).sum() * s.dt / 604_800 for s in series])
    rows: list[dict[str, Any]] = []
    best: tuple[Floats, Floats] | None = None
    points = sum(len(s.v) for s in series)
    known: dict[Score, tuple[list[Floats], Floats, float]] = {}
    for name in names:
        detector = DETECTORS[name]
        if detector not in known:
            start = time.process_time()
            scores, _ = score.run(detector, series)
            known[detector] = scores, volumes(score, series, scores), time.process_time() - start
        scores, vus, cpu = known[detector]
        used = [THRESHOLD] if name == OURS else score.event_figures(series, scores)["fold_thresholds"]
        counts = per_series(score, series, scores, used)
        row = {"suite": suite, "detector": name, "series": len(series), "VUS_PR": float(np.nanmean(vus))}
        row |= events(score, series, scores, used)
        row["VUS_PR_hold10"] = float(np.nanmean(volumes(score, series, [score.hold(x) for x in scores])))
        row |= intervals(score, counts, vus, weeks, pick) | {"cpu_ms_per_1000_points": 1e6 * cpu / points}
        if name == OURS:
            best = counts, vus
            row["look_ahead"] = score.audit(detector, sorted(series, key=lambda s: len(s.v))[:audit])
        elif best is not None:
            gain = score.f1(best[0][pick].sum(axis=1)) - score.f1(counts[pick].sum(axis=1))
            row["ours_minus_this_F1_interval"] = interval(gain)
            row["ours_minus_this_VUS_PR_interval"] = interval(np.nanmean(best[1][pick] - vus[pick], axis=1))
        rows.append(row)
        print(as_line(row), flush=True)
    return rows


def budget(score: ModuleType, suite: str) -> list[dict[str, Any]]:
    """What other budgets of false alarms a week give, without another training."""
    series = score.load(suite)
    models = [(s, trained(*s.parts()[:2])) for s in series]
    rows = []
    for per_week in BUDGETS:
        settings = AnomalySettings(budget_per_week=per_week)
        scores = [judged(model.configured(settings), *s.parts()[2:]) for s, model in models]
        rows.append({"suite": suite, "budget_per_week": per_week} | events(score, series, scores, [THRESHOLD]))
    return rows


def machine(name: str) -> tuple[ResourceGrid, int, list[tuple[int, int]]]:
    """A machine as the grid of a resource, where its test part starts, and its incidents (first and last column)."""
    content = np.load(MACHINES / f"{name}.npz")
    values = np.concatenate([content["train"], content["test"]]).astype(float).T
    names = tuple(f"d{i + 1}" for i in range(len(values)))
    first = content["train"].shape[0]
    spans = [line.split(":")[0].split("-") for line in (MACHINES / f"{name}.interpretation.txt").read_text().split()]
    incidents = [(first + int(start), first + int(end)) for start, end in spans]
    return ResourceGrid(name, MINUTE, 0, names, values, np.arange(values.shape[1])), first, incidents


def machines() -> list[dict[str, Any]]:
    """Found incidents and false alarms of resources with many metrics; the last week of training is held back."""
    counts: dict[tuple[float, str], list[tuple[int, int, float]]] = {}
    incidents = 0
    for file in sorted(MACHINES.glob("*.npz")):
        grid, first, known = machine(file.stem)
        incidents += len(known)
        start = first * MINUTE
        until, past = start - 7 * DAY, {grid.resource: grid.cut(None, start)}
        fleet = FleetDetector.fit(Ensemble.kind, past, until=until, settings=AnomalySettings())
        scorer = fleet.resources[grid.resource].scorer
        assert isinstance(scorer, Ensemble)
        deviation = scorer.onward(start).judge(grid).deviation(grid.values)
        rhythm, free = Rhythm(MINUTE), np.arange(grid.values.shape[1]) >= first
        for a, b in known:
            free[a - 3 : b + 1 + int(rhythm.cool / MINUTE)] = False
        for budget in MACHINE_BUDGETS:
            for how, limits in (("raised", scorer.usual(budget)), ("apart", np.expm1(scorer.apart(budget)))):
                on = np.flatnonzero((deviation / limits[:, None]).max(axis=0) >= 1)
                on = on[on >= first]
                found = sum(bool(((on >= a) & (on <= max(b, a + 7))).any()) for a, b in known)
                told = episodes(grid.times[on].astype(float), rhythm)
                false = sum(bool(free[int(a / MINUTE) : int(b / MINUTE) + 1].all()) for a, b in told)
                counts.setdefault((budget, how), []).append((found, false, float(free.sum()) * MINUTE / (7 * DAY)))
    rows = []
    for (budget, how), every in counts.items():
        found, false, weeks = np.array(every).sum(axis=0)
        rows.append(
            {"budget_per_week": budget, "limits": how, "found": int(found), "incidents": incidents}
            | {"false_per_week": float(false / weeks), "weeks": float(weeks)}
        )
    return rows


def verdict(score: ModuleType, suite: str) -> dict[str, Any]:
    """The recipe's back-test without labels on the training parts of a suite as one fleet, moved to end together."""
    parts = [(s.name, *s.parts()[:2]) for s in score.load(suite)]
    last = max(times[-1] for _, _, times in parts)
    fleet = pl.concat(
        table(times + (last - times[-1]) // DAY * DAY, values, name)
        for name, values, times in parts
        if times[-1] - times[0] > 2 * DAY
    )
    try:
        report = AnomalyDetector().fit(MetricFrame.of(fleet), seed=0).report
    except NotEnoughData as error:
        return {"suite": suite, "decision": None, "reason": str(error)}
    return {"suite": suite, "decision": str(report.decision), "reason": report.reason}


def fleet() -> dict[str, float]:
    """CPU and memory of fitting and scoring many series of two weeks, a few hundred run and scaled up."""
    rng = np.random.default_rng(0)
    times = 300.0 * np.arange(TWO_WEEKS + 288)
    base = 50 + 10 * np.sin(2 * np.pi * times / 86_400)
    noise = rng.normal(0, 1, (SAMPLE, len(times)))
    start, states = time.process_time(), []
    for row in noise:
        values = base + row
        detector = Detector.fit(times[:TWO_WEEKS], values[:TWO_WEEKS])
        scores, detector = detector.advance(times[TWO_WEEKS:], values[TWO_WEEKS:])
        alarms(times[TWO_WEEKS:], values[TWO_WEEKS:], scores, Policy(threshold=detector.threshold(1.0)))
        states.append(detector.to_bytes())
    cpu = time.process_time() - start
    start = time.process_time()
    for _ in range(5):
        for content, t in zip(states, np.full(SAMPLE, times[-1] + 300), strict=True):
            Detector.from_bytes(content).advance([t], [50.0])[1].to_bytes()
    one = (time.process_time() - start) / 5 / SAMPLE
    start = time.process_time()
    for i in range(1, 2001):
        _, detector = detector.advance([times[-1] + 300 * i], [50.0])
    update = (time.process_time() - start) / 2000
    return {
        "cpu_minutes_for_10000_series": cpu / SAMPLE * FLEET / 60,
        "state_kilobytes": len(states[0]) / 1024,
        "states_of_10000_series_gigabytes": len(states[0]) * FLEET / 2**30,
        "peak_memory_gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "cpu_ms_per_1000_points": 1e6 * cpu / SAMPLE / len(times),
        "ms_for_one_point": 1e3 * update,
        "ms_for_one_point_read_and_written": 1e3 * one,
    }


def as_line(row: dict[str, Any]) -> str:
    low, high = row["F1_interval"]
    v_low, v_high = row["VUS_PR_interval"]
    delay = "-" if row["delay_min"] is None else f"{row['delay_min']:.0f}"
    return (
        f"{row['suite']:9s} {row['detector']:18s} F1 {row['F1']:.3f} [{low:.2f}, {high:.2f}] "
        f"P {row['precision']:.2f} R {row['recall']:.2f} false/week {row['false_per_week']:.2f} delay {delay} min  "
        f"VUS-PR {row['VUS_PR']:.3f} [{v_low:.2f}, {v_high:.2f}] held {row['VUS_PR_hold10']:.3f}  "
        f"{row['cpu_ms_per_1000_points']:.1f} ms/1000"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", default=",".join(SUITES))
    parser.add_argument(
        "--detector", default=";".join(DEFAULT), help=f"separated by ;, ours first: {'; '.join(DETECTORS)}"
    )
    parser.add_argument(
        "--audit", type=int, default=3, metavar="N", help="series a suite that are checked for look-ahead"
    )
    parser.add_argument("--no-fleet", action="store_true", help="skip the cost of 10 000 series")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with threadpool_limits(1):  # threads cost more than they save in matrices this small
        report = measure(options)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    report: dict[str, Any] = {"profiles": {p.name: dict(p.weights) for p in (DENSE, HOURS, FRESH)}}
    if not options.no_fleet:
        report["fleet"] = fleet()
        print(", ".join(f"{k} {v:.2f}" for k, v in report["fleet"].items()), flush=True)
    score = scorer()
    if score is None:
        print(f"no labelled series: {SHARED / 'score'} is absent, so accuracy is not measured")
    else:
        names = options.detector.split(";")
        suites = options.suite.split(",")
        report["suites"] = [row for suite in suites for row in run_suite(score, suite, names, audit=options.audit)]
        report["budget"] = [row for suite in suites for row in budget(score, suite)]
        for row in report["budget"]:
            print(
                f"{row['suite']:9s} budget {row['budget_per_week']:g} a week: {row['false_per_week']:.2f} false, "
                f"F1 {row['F1']:.3f} P {row['precision']:.2f} R {row['recall']:.2f}"
            )
        report["machines"] = machines()
        for row in report["machines"]:
            print(
                f"machines  budget {row['budget_per_week']:g} a week, limits {row['limits']}: "
                f"{row['false_per_week']:.2f} false, found {row['found']} of {row['incidents']}"
            )
        report["verdicts"] = [verdict(score, suite) for suite in suites]
        for row in report["verdicts"]:
            print(f"{row['suite']:9s} verdict without labels: {row['decision']}; {row['reason']}")
        assert not any(row.get("look_ahead") for row in report["suites"]), "a score depends on the future"
    return report


if __name__ == "__main__":
    main()
