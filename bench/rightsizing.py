"""Saving against machines in trouble when sizes are chosen from the past, on three kinds of traces of real machines.

    python bench/rightsizing.py [--seed 0] [--short] [--json FILE]

As the product does it: what is known at a decision is all that came before, and what is learned is learned from earlier
decisions whose futures had ended by then. Bitbrains has 14 days or more to decide from and 14 to judge by, PlanetLab
four days to decide and all later ones to judge by (two and two for what is learned). Every machine is taken as an
m6i.2xlarge (8 vCPU) of us-east-1 that may become any size of its family; a machine is in trouble when its demand is
above capacity in more than 0.5 % of the samples. Demand of Bitbrains is the hourly maximum of 5-minute CPU and, as a
kind of its own, the hourly average; of PlanetLab 5-minute averages. What was above capacity then is not in the traces.

A month has a dozen machines in trouble, so that one decision says little: "all decisions" are the last one (Bitbrains
15 August, PlanetLab day 4) and earlier or later ones, drawn together machine by machine for the interval. "Down only"
is the same with sizes up to the present one, which is what is advised, without the machines that this is too small for.

"Compute-Optimizer-like" is our reading of that tool's documented defaults (99.5 % quantile of 14 days, on PlanetLab of
two, 20 % headroom), not its output; tuned rules look as far back, or at everything. ``--short`` shows us no more than
that rule sees.

The forest's form (target, leaf size) was chosen by cross-validation over machines on teaching decisions; its look-back
and its features of days on decisions of 24 and 30 July, 5, 9, 15 and 17 August and of PlanetLab's days 3 and 4, so that
these figures are not of unseen days.
"""

from __future__ import annotations

import argparse
import json
import tarfile
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.ml.cost import prices
from aws_auto.ml.cost.rightsizing_model import (
    LOOK_BACK,
    RULES,
    Fleet,
    Rule,
    Windows,
    earlier,
    exceedance,
    features,
    fit,
    learn,
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
#: Days after 30 June and days of the trace; the last is the main one.
BITBRAINS_DAYS = (30, 36, 42, 46)
PLANETLAB_DAYS = (5, 4)


def ladder() -> np.ndarray:
    """Sizes of the family in shares of the present one; price and vCPU grow alike, which is checked."""
    mine = [p for p in prices.table().values() if p.family == prices.family(NOW) and "metal" not in p.instance_type]
    now = prices.table()[NOW]
    sizes = np.array(sorted(p.vcpu / now.vcpu for p in mine))
    money = np.array(sorted(p.usd_per_hour / now.usd_per_hour for p in mine))
    assert np.allclose(sizes, money)
    return sizes


@dataclass(frozen=True, eq=False)
class Decided:
    """One moment: the forest's probabilities, what came, and what the rules chose."""

    machines: tuple[str, ...]
    needs: np.ndarray
    troubles: np.ndarray
    rules: dict[str, np.ndarray]
    lessons: Windows
    fleet: Fleet
    judged: Windows

    @property
    def co(self) -> np.ndarray:
        """Of the rule of AWS Compute Optimizer's defaults."""
        return self.rules[str(CO)]


def bitbrains(column: str) -> list[tuple[dict[str, np.ndarray], int, int, int, int]]:
    """Series, place of the decision, history, horizon and steps in a day of each decision; the last is the main one."""
    rows = pl.read_parquet(FLEET / "vm_hourly.parquet").sort("vm", "ts")
    begin = datetime(2013, 6, 30)  # noqa: DTZ001 - naive in the file
    series = {}
    for (vm,), one in rows.group_by("vm", maintain_order=True):
        hours = np.full(62 * 24, np.nan)
        hours[((one["ts"] - begin).dt.total_hours()).to_numpy()] = one[column].to_numpy().astype(float) / 100
        series[str(vm)] = hours
    return [(series, day * 24, 14 * 24, 14 * 24, 24) for day in BITBRAINS_DAYS]


def planetlab() -> list[tuple[dict[str, np.ndarray], int, int, int, int]]:
    days: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    with tarfile.open(FLEET / "planetlab_cpu" / "planetlab_cpu.tar.gz") as archive:
        for member in archive:
            if member.isfile() and len(member.name.split("/")) == 3:
                _, day, vm = member.name.split("/")
                days[vm][day] = np.array(archive.extractfile(member).read().split(), float) / 100
    series = {vm: np.concatenate([one[day] for day in sorted(one)]) for vm, one in sorted(days.items()) if len(one) > 4}
    return [(series, day * 288, 2 * 288, 0, 288) for day in PLANETLAB_DAYS]


def decide(
    series: dict[str, np.ndarray], at: int, history: int, horizon: int, per_day: int, *, seed: int, short: bool
) -> Decided:
    """Learn from what had ended, decide, and look at what came; a horizon of 0 is all that is left."""
    before = {name: _begun(one[:at]) for name, one in series.items()}
    lessons, _ = earlier(before, history=history, horizon=horizon or history, per_day=per_day)
    judged = {}
    for name, one in series.items():
        past, future = before[name], one[at : at + horizon] if horizon else one[at:]
        whole = len(past) >= history and len(future) >= max(horizon, per_day)
        if whole and min(np.isfinite(past[-history:]).mean(), np.isfinite(future).mean()) >= 0.9:
            judged[name] = past[-LOOK_BACK * history :], future
    pasts, futures = (tuple(both[k] for both in judged.values()) for k in (0, 1))
    if short:
        pasts = tuple(past[-history:] for past in pasts)
        lessons = replace(lessons, past=tuple(past[-history:] for past in lessons.past))
    windows = Windows(tuple(judged), pasts, futures, per_day, history=history)
    sizes = ladder()
    known = np.stack([features(one, per_day) for one in lessons.past])
    forest = fit(known, np.array([peak_need(one) for one in lessons.future]), seed=seed)
    asked = np.stack([features(one, per_day) for one in pasts])
    return Decided(
        windows.machines,
        np.array([peak_need(one) for one in futures]),
        np.stack(exceedance(forest, asked, [sizes] * len(pasts))),
        {str(rule): _places(sizes, [rule.need(one, history) for one in pasts]) for rule in RULES},
        lessons,
        learn(lessons, [sizes] * len(lessons), risk=STATED, seed=seed),
        windows,
    )


def _begun(one: np.ndarray) -> np.ndarray:
    known = np.flatnonzero(np.isfinite(one))
    return one[known[0] :] if len(known) else one[:0]


def measure(name: str, moments: list[Any], seed: int, *, short: bool) -> dict[str, Any]:
    started = time.process_time()
    sizes = ladder()
    decided = [decide(*moment, seed=seed, short=short) for moment in moments]
    main = decided[-1]
    needs, troubles, rules = main.needs, main.troubles, main.rules
    ours = {risk: _at(troubles, risk) for risk in RISKS}
    clairvoyant = _places(sizes, list(needs))
    figures = {
        "machines": len(needs),
        "decisions that teach": len(main.lessons),
        "clairvoyant": _said(needs, sizes, clairvoyant),
        "compute-optimizer-like": _said(needs, sizes, main.co),
        "maximum, no headroom": _said(needs, sizes, rules[str(Rule(1.0, 0.0))]),
        "rules on the frontier": _frontier({k: _said(needs, sizes, v) for k, v in rules.items()}),
        "ours by stated risk": {f"{risk:.2f}": _said(needs, sizes, v) for risk, v in ours.items()},
        "against compute-optimizer-like": _against([main], sizes, seed),
        "against compute-optimizer-like, all decisions": _against(decided, sizes, seed),
        "against compute-optimizer-like, all decisions, down only": _against(
            [_down(one, sizes) for one in decided], sizes[sizes <= 1], seed
        ),
        "against the best rule": _against_rules(needs, sizes, troubles, rules, seed),
        "ece of the stated risk": _calibration(needs, sizes, troubles, ours, seed),
        f"product at {STATED:.0%}": {
            "chosen by back-test": "forest" if main.fleet.forest is not None else f"rule: {main.fleet.rule}",
            **_said(needs, sizes, _at(np.stack(main.fleet.trouble(main.judged.past, [sizes] * len(needs))), STATED)),
        },
        "cpu seconds": time.process_time() - started,
    }
    print(f"{name}: {json.dumps(figures, indent=1)}", flush=True)
    return figures


def _down(one: Decided, sizes: np.ndarray) -> Decided:
    """The same with sizes up to the present one, of the machines for which that is enough."""
    kept, last = one.needs <= 1.0 + 1e-9, int((sizes <= 1).sum()) - 1
    return replace(
        one,
        machines=tuple(np.array(one.machines)[kept]),
        needs=one.needs[kept],
        troubles=one.troubles[kept][:, : last + 1],
        rules={name: np.minimum(chosen[kept], last) for name, chosen in one.rules.items()},
    )


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
    points = [_pair(needs, sizes, _at(troubles, risk), rows)[::-1] for risk in np.linspace(0.0, 0.7, 141)]
    ordered = np.array(sorted(points))
    ordered[:, 1] = np.maximum.accumulate(ordered[:, 1])
    return ordered


def _saving_at(curve: np.ndarray, violating: float) -> float:
    allowed = curve[curve[:, 0] <= violating + 1e-9]
    return float(allowed[-1, 1]) if len(allowed) else float("nan")


def _violating_at(curve: np.ndarray, saving: float) -> float:
    enough = curve[curve[:, 1] >= saving - 1e-9]
    return float(enough[0, 0]) if len(enough) else float("nan")


def _against(decided: list[Decided], sizes: np.ndarray, seed: int) -> dict[str, Any]:
    """Saving at its violations, and violations at its saving; intervals over machines, both curves of one sample.

    Of several decisions: the mean of the first, and the sums of violations beside one another.
    """
    names = sorted({name for one in decided for name in one.machines})
    rows_of = [{name: k for k, name in enumerate(one.machines)} for one in decided]

    def one(drawn: np.ndarray) -> tuple[float, float]:
        more, mine, theirs = [], 0.0, 0.0
        for moment, places in zip(decided, rows_of, strict=True):
            rows = np.array([places[names[k]] for k in drawn if names[k] in places])
            curve = _curve(moment.needs, sizes, moment.troubles, rows)
            saving, violating = _pair(moment.needs, sizes, moment.co, rows)
            more.append(_saving_at(curve, violating) - saving)
            mine += _violating_at(curve, saving) * len(rows)
            theirs += violating * len(rows)
        return float(np.mean(more)), mine / theirs if theirs else np.nan

    said = ("saving points more at its violations", "violations at its saving, ratio")
    events = sum(int((one.needs > sizes[one.co] + 1e-9).sum()) for one in decided)
    return {**_bootstrapped(one, len(names), seed, said), "decisions": len(decided), "its violations": events}


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
    parser.add_argument("--short", action="store_true", help="no more of the past than the rule sees")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not FLEET.exists():
        print(f"skipped: {FLEET} is not here")
        return
    sets = {
        "bitbrains, hourly maximum": lambda: bitbrains("cpu_pct_max"),
        "bitbrains, hourly average": lambda: bitbrains("cpu_pct"),
        "planetlab": planetlab,
    }
    figures = {name: measure(name, load(), options.seed, short=options.short) for name, load in sets.items()}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
