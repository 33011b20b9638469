"""Saving against machines in trouble when sizes are chosen from the past, on three kinds of traces of real machines.

    python bench/rightsizing.py [--seed 0] [--json FILE]

Time-forward: what is learned, is learned from decisions whose futures ended before the past of the judged decision
began (Bitbrains, 14 days to decide and 14 to judge: July teaches, August judges; PlanetLab, two days to decide: the
first two and next two days of a machine teach, its third and fourth decide, all later days judge). Every machine is
taken as an m6i.2xlarge (8 vCPU) of us-east-1 that may become any size of its family; a machine is in trouble when its
demand is above capacity in more than 0.5 % of the samples. Demand of Bitbrains is the hourly maximum of 5-minute CPU
and, as a kind of its own, the hourly average; of PlanetLab 5-minute averages. What was above capacity then is not in
the traces. "Compute-Optimizer-like" is our
reading of that tool's documented defaults (99.5 % quantile, 20 % headroom), not its output.

The forest's form (target, leaf size) was chosen by cross-validation over machines on the teaching decisions only.
"""

from __future__ import annotations

import argparse
import json
import tarfile
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.ml.cost import prices
from aws_auto.ml.cost.rightsizing_model import (
    RULES,
    Rule,
    Windows,
    earlier,
    exceedance,
    features,
    fit,
    learn,
    outcome,
    peak_need,
    place,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FLEET = Path(__file__).parents[1] / ".." / "shared" / "data" / "fleet"
NOW = "m6i.2xlarge"
CO = Rule(0.995, 0.2)
RISKS = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
STATED = 0.05
BOOTSTRAPS = 200
DAYS_OF_TEACHING = 2


def ladder() -> np.ndarray:
    """Sizes of the family in shares of the present one; price and vCPU grow alike, which is checked."""
    mine = [p for p in prices.table().values() if p.family == prices.family(NOW) and "metal" not in p.instance_type]
    now = prices.table()[NOW]
    sizes = np.array(sorted(p.vcpu / now.vcpu for p in mine))
    money = np.array(sorted(p.usd_per_hour / now.usd_per_hour for p in mine))
    assert np.allclose(sizes, money)
    return sizes


def bitbrains(column: str = "cpu_pct_max") -> tuple[Windows, Windows]:
    rows = pl.read_parquet(FLEET / "vm_hourly.parquet").sort("vm", "ts")
    july = datetime(2013, 7, 1), datetime(2013, 7, 15), datetime(2013, 7, 29)  # noqa: DTZ001 - naive in the file
    august = datetime(2013, 8, 1), datetime(2013, 8, 15), datetime(2013, 8, 29)  # noqa: DTZ001 - naive in the file
    return _bitbrains(rows, *july, column), _bitbrains(rows, *august, column)


def _bitbrains(rows: pl.DataFrame, begin: datetime, decide: datetime, end: datetime, column: str) -> Windows:
    least = 0.9 * 14 * 24
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for (vm,), one in rows.filter(pl.col("ts").is_between(begin, end, closed="left")).group_by(
        "vm", maintain_order=True
    ):
        hours = np.full(28 * 24, np.nan)
        hours[((one["ts"] - begin).dt.total_hours()).to_numpy()] = one[column].to_numpy().astype(float) / 100
        past, future = hours[: 14 * 24], hours[14 * 24 :]
        if min(np.isfinite(past).sum(), np.isfinite(future).sum()) >= least:
            found[str(vm)] = past, future
    assert end - decide == decide - begin
    return Windows(tuple(found), tuple(p for p, _ in found.values()), tuple(f for _, f in found.values()), 24)


def planetlab() -> tuple[Windows, Windows]:
    days: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    with tarfile.open(FLEET / "planetlab_cpu" / "planetlab_cpu.tar.gz") as archive:
        for member in archive:
            if member.isfile() and len(member.name.split("/")) == 3:
                _, day, vm = member.name.split("/")
                days[vm][day] = np.array(archive.extractfile(member).read().split(), float) / 100
    k = DAYS_OF_TEACHING
    series = {vm: [one[day] for day in sorted(one)] for vm, one in sorted(days.items()) if len(one) > 2 * k}
    past, teach = ([np.concatenate(s[a : a + k]) for s in series.values()] for a in (0, k))
    rest = [np.concatenate(s[2 * k :]) for s in series.values()]
    names = tuple(series)
    return Windows(names, tuple(past), tuple(teach), 288), Windows(names, tuple(teach), tuple(rest), 288)


def measure(name: str, teach: Windows, judge: Windows, seed: int) -> dict[str, Any]:
    started = time.process_time()
    sizes = ladder()
    ladders = [sizes] * len(judge)
    history, horizon = len(teach.past[0]), len(teach.future[0])
    series = {m: np.concatenate(both) for m, *both in zip(teach.machines, teach.past, teach.future, strict=True)}
    lessons, _ = earlier(series, history=history, horizon=horizon, per_day=teach.per_day)
    known = np.stack([features(one, lessons.per_day) for one in lessons.past])
    forest = fit(known, np.array([peak_need(one) for one in lessons.future]), seed=seed)
    needs = np.array([peak_need(one) for one in judge.future])
    troubles = np.stack(exceedance(forest, np.stack([features(one, judge.per_day) for one in judge.past]), ladders))
    rules = {str(rule): _places(sizes, [rule.need(one) for one in judge.past]) for rule in RULES}
    ours = {risk: _at(troubles, risk) for risk in RISKS}
    co, clairvoyant = rules[str(CO)], _places(sizes, list(needs))
    fleet = learn(lessons, [sizes] * len(lessons), risk=STATED, seed=seed)
    figures = {
        "machines": len(judge),
        "taught on": len(teach),
        "decisions that teach": len(lessons),
        "clairvoyant": _said(needs, sizes, clairvoyant),
        "compute-optimizer-like": _said(needs, sizes, co),
        "maximum, no headroom": _said(needs, sizes, rules[str(Rule(1.0, 0.0))]),
        "rules on the frontier": _frontier({k: _said(needs, sizes, v) for k, v in rules.items()}),
        "ours by stated risk": {f"{risk:.2f}": _said(needs, sizes, v) for risk, v in ours.items()},
        "against compute-optimizer-like": _against(needs, sizes, troubles, co, seed),
        "against the best rule": _against_rules(needs, sizes, troubles, rules, seed),
        "ece of the stated risk": _calibration(needs, sizes, troubles, ours, seed),
        f"product at {STATED:.0%}": {
            "chosen by back-test": "forest" if fleet.forest is not None else f"rule: {fleet.rule}",
            **_said(needs, sizes, _at(np.stack([fleet.trouble(p, sizes) for p in judge.past]), STATED)),
        },
        "cpu seconds": time.process_time() - started,
    }
    assert outcome(needs, ladders, co).n == len(needs)
    print(f"{name}: {json.dumps(figures, indent=1)}", flush=True)
    return figures


def _places(sizes: np.ndarray, needs: list[float]) -> np.ndarray:
    return np.array([place(sizes, need) for need in needs])


def _at(troubles: np.ndarray, risk: float) -> np.ndarray:
    allowed = troubles <= risk
    return np.where(allowed.any(axis=1), allowed.argmax(axis=1), troubles.shape[1] - 1)


def _pair(
    needs: np.ndarray, sizes: np.ndarray, chosen: np.ndarray, rows: np.ndarray | slice = slice(None)
) -> tuple[float, float]:
    taken = sizes[chosen][rows]
    return 100 * (1 - taken.mean()), 100 * float((needs[rows] > taken + 1e-9).mean())


def _said(needs: np.ndarray, sizes: np.ndarray, chosen: np.ndarray) -> dict[str, float]:
    saving, violating = _pair(needs, sizes, chosen)
    return {"saving %": round(saving, 2), "violating %": round(violating, 2)}


def _frontier(said: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    best, found = -np.inf, {}
    for name, one in sorted(said.items(), key=lambda item: (item[1]["violating %"], -item[1]["saving %"])):
        if one["saving %"] > best:
            best, found[name] = one["saving %"], one
    return found


def _curve(needs: np.ndarray, sizes: np.ndarray, troubles: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(violating, saving) at every risk from 0 to 1, with the most that is saved at no more violations."""
    points = [_pair(needs, sizes, _at(troubles, risk), rows)[::-1] for risk in np.linspace(0.0, 0.7, 71)]
    ordered = np.array(sorted(points))
    ordered[:, 1] = np.maximum.accumulate(ordered[:, 1])
    return ordered


def _saving_at(curve: np.ndarray, violating: float) -> float:
    allowed = curve[curve[:, 0] <= violating + 1e-9]
    return float(allowed[-1, 1]) if len(allowed) else float("nan")


def _violating_at(curve: np.ndarray, saving: float) -> float:
    enough = curve[curve[:, 1] >= saving - 1e-9]
    return float(enough[0, 0]) if len(enough) else float("nan")


def _against(needs: np.ndarray, sizes: np.ndarray, troubles: np.ndarray, co: np.ndarray, seed: int) -> dict[str, Any]:
    """Saving at its violations, and violations at its saving; intervals over machines, both curves of one sample."""

    def one(rows: np.ndarray) -> tuple[float, float]:
        curve = _curve(needs, sizes, troubles, rows)
        saving, violating = _pair(needs, sizes, co, rows)
        ratio = _violating_at(curve, saving) / violating if violating else np.nan
        return _saving_at(curve, violating) - saving, ratio

    return _bootstrapped(
        one, len(needs), seed, ("saving points more at its violations", "violations at its saving, ratio")
    )


def _against_rules(
    needs: np.ndarray, sizes: np.ndarray, troubles: np.ndarray, rules: dict[str, np.ndarray], seed: int
) -> dict[str, Any]:
    """Mean over the rules' frontier of what is saved more at the same violations; the frontier is tuned on the test."""
    front = list(_frontier({k: _said(needs, sizes, v) for k, v in rules.items()}))
    front = [name for name in front if _pair(needs, sizes, rules[name])[1] <= 15]

    def one(rows: np.ndarray) -> tuple[float, ...]:
        curve = _curve(needs, sizes, troubles, rows)
        pairs = [_pair(needs, sizes, rules[name], rows) for name in front]
        return tuple(_saving_at(curve, violating) - saving for saving, violating in pairs)

    return _bootstrapped(one, len(needs), seed, tuple(f"at {name}" for name in front))


def _calibration(
    needs: np.ndarray, sizes: np.ndarray, troubles: np.ndarray, ours: dict[float, np.ndarray], seed: int
) -> dict[str, Any]:
    """Ten equal bins; on all pairs of machine and size, on those that are no foregone matter, and on the choices."""
    came = needs[:, None] > sizes[None] + 1e-9
    open_ = (troubles > 0.01) & (troubles < 0.99)
    chosen = [(troubles[np.arange(len(needs)), v], came[np.arange(len(needs)), v]) for v in ours.values()]

    def one(rows: np.ndarray) -> tuple[float, float, float]:
        p, v, o = troubles[rows], came[rows], open_[rows]
        picked = [np.concatenate([pair[k][rows] for pair in chosen]) for k in (0, 1)]
        return _ece(p.ravel(), v.ravel()), _ece(p[o], v[o]), _ece(*picked)

    return _bootstrapped(one, len(needs), seed, ("all pairs", "open pairs (1 % to 99 %)", "chosen sizes, all risks"))


def _ece(said: np.ndarray, came: np.ndarray) -> float:
    bins = np.minimum((said * 10).astype(int), 9)
    return sum(abs(float((said[bins == b] - came[bins == b]).sum())) for b in set(bins)) / len(said)


def _bootstrapped(
    one: Callable[[np.ndarray], tuple[float, ...]], n: int, seed: int, names: tuple[str, ...]
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    point = one(np.arange(n))
    drawn = np.array([one(rng.integers(0, n, n)) for _ in range(BOOTSTRAPS)])
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    return {
        name: {"value": round(p, 3), "low": round(a, 3), "high": round(b, 3)}
        for name, p, a, b in zip(names, point, low, high, strict=True)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not FLEET.exists():
        print(f"skipped: {FLEET} is not here")
        return
    sets = {
        "bitbrains, hourly maximum": bitbrains,
        "bitbrains, hourly average": lambda: bitbrains("cpu_pct"),
        "planetlab": planetlab,
    }
    figures = {name: measure(name, *load(), options.seed) for name, load in sets.items()}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
