"""Scaling policies in the replay: cost over the optimum, violated steps, and fleet control with priced shortage.

    python bench/scaling.py [--data FOLDER] [--made] [--others] [--spot-usd USD --reclaim P] [--seed 0] [--json FILE]

Traces: every ``replay_*.parquet`` (``ts``, ``load``, five minutes) of the folder, by default the development data
beside the checkout; with ``--made``, or where there are none, made-up ones: spiky, scheduled spikes, level shifts,
noise alone, flat, weekly, growing. A fleet of equal instances; one carries 1/40 of the 99.9 % load of the played part,
so that all traces weigh the same; an instance is billed from its start and ready ten minutes later.

Replay: the last seven days are played. Target tracking and the emulation of AWS prediction have one knob for all
traces, the cheapest on average of those with at most 0.5 % violated steps on average: in hindsight, which ours is not
given. Ours has one setting, a promise of 0.5 %, and calibrates itself on each trace's own past. Rows "best" are the
best knob of each trace in hindsight. Intervals draw the seven days of each trace anew.

Fleet control: the first half of a trace is for learning and tuning, the second is played. Cost is instance-hours at the
on-demand price of m7i.large and 1 USD for each instance's load unserved during an hour; boot 15 minutes; one instance
carries 1/40 of the 99.9 % load of the first half. Target tracking has its cheapest target on the first half.

With ``--others`` the one setting is also played on series that are no replay traces: those of the anomaly suites beside
the demand folder with a step of one or five minutes, no negative value and thirteen days at least, as means of five
minutes; the last seven days, or half of a short one, and fleet control as above. They fall into two halves by a hash
of their names: what was chosen by looking was chosen on the first, the second is reported.

With ``--spot-usd`` and ``--reclaim`` (what a spot instance of that type costs an hour, and the probability that its
pool is reclaimed in an hour: yours, none is known here) the last two days are played with that pool to choose from, at
most half of the capacity, beside on-demand alone; ours says how many, the optimiser of which.

The seven made-up loads, the four development traces and the first half of the others were looked at while the policy
was built.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from aws_auto.ml.cost.prices import REGION, lookup
from aws_auto.ml.scaling.fleet import Offer, Terms
from aws_auto.ml.scaling.policy import AwsLike, TargetTracking
from aws_auto.ml.scaling.policy_judge import ShortagePrice, Slo
from aws_auto.ml.scaling.policy_newsvendor import Newsvendor
from aws_auto.ml.scaling.replay import Played, Setting, least_cost, play
from aws_auto.ml.scaling.replay_fleet import play_mix

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DATA = Path(__file__).parents[1] / ".." / "shared" / "data" / "demand"
PER_HOUR, DAY, TEST_DAYS, PEAK = 12, 288, 7, 40
LIMIT = 0.005
#: Suites of the others, and names of those that are no load: made-up ones, speeds, and one that is 90 % all the time.
SUITES, NO_LOAD = ("wsd", "iops", "nab", "mscm"), ("artificial", "disk_write", "speed", "825cc2", "NetworkIn")
LEAST_OTHER_DAYS, LONG_DAYS = 13, 17
TARGETS = tuple(np.round(np.arange(0.3, 1.0, 0.05), 2).tolist())
FINE = tuple(np.round(np.arange(0.2, 1.3, 0.02), 2))
DRAWS = 1000
INSTANCE, UNMET_USD = "m7i.large", 1.0


def factory(knob: float, kappa: float, boot: int) -> Newsvendor:
    """Ours as `shared/score/replay.py` asks for a policy; the knob is the promised share of violated steps."""
    return Newsvendor(Setting(capacity=kappa, boot=boot, steps_per_hour=PER_HOUR), goal=Slo(share=knob))


factory.knobs = (LIMIT,)  # type: ignore[attr-defined] # what the scorer reads


def real(folder: Path) -> dict[str, np.ndarray]:
    found = {}
    for path in sorted(folder.glob("replay_*.parquet")):
        rows = pl.read_parquet(path).sort("ts")
        rows = rows.filter(pl.col("ts") >= rows["ts"].filter(rows["ts"] == rows["ts"].dt.truncate("1d"))[0])
        name = path.stem.removeprefix("replay_")
        if name == "nyc_taxi":  # ordinary weeks; the marathon and the holidays come after
            day = pl.col("ts").dt.strftime("%F")
            rows = rows.filter(day.is_between(pl.lit("2014-09-01"), pl.lit("2014-10-25")))
        load = rows["load"].to_numpy()
        found[name] = load[: len(load) // PER_HOUR * PER_HOUR]
    return found


def made(seed: int) -> dict[str, np.ndarray]:
    """Made-up loads of four weeks, each hard in another way."""
    rng, n = np.random.default_rng(seed), 28 * DAY
    t = np.arange(n)
    daily = 20 + 12 * np.sin(2 * np.pi * t / DAY)
    noise = np.exp(0.04 * rng.standard_normal(n))
    spikes = np.zeros(n)
    for at in rng.choice(n, 60, replace=False):
        spikes[at : at + rng.integers(2, 12)] = rng.uniform(10, 40)
    every_day = np.zeros(n)
    for day in range(28):
        at = day * DAY + 120 + int(rng.integers(-2, 3))
        every_day[at : at + 6] = 100.0
    return {
        "spiky": 10 * noise + spikes,
        "scheduled spikes": 5 * noise + every_day,
        "level shifts": daily * noise * np.repeat(rng.choice([0.6, 1.0, 1.3], 28), DAY),
        "noise alone": 15 * np.exp(0.35 * rng.standard_normal(n)),
        "flat": np.full(n, 20.0),
        "weekly": daily * noise * np.where(t // DAY % 7 >= 5, 0.4, 1.0),
        "growing": daily * noise * (0.4 + 0.8 * t / n),
    }


def others(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Both halves of the series of other kinds, as five-minute means."""
    halves: tuple[dict[str, np.ndarray], dict[str, np.ndarray]] = ({}, {})
    for suite in SUITES:
        for (name,), rows in pl.read_parquet(folder / f"{suite}.parquet").group_by("series", maintain_order=True):
            load = None if any(word in str(name) for word in NO_LOAD) else _five_minutes(rows)
            if load is not None:
                half = int(hashlib.sha256(f"{suite}:{str(name)[-40:]}".encode()).hexdigest(), 16) % 2
                halves[half][f"{suite} {name}"] = load
    return halves


def _five_minutes(rows: pl.DataFrame) -> np.ndarray | None:
    rows = rows.unique("timestamp", keep="first").sort("timestamp")
    seconds, values = rows["timestamp"].dt.epoch("s").to_numpy(), rows["value"].to_numpy()
    if np.median(np.diff(seconds)) not in (60, 300) or values.min() < 0 or np.mean(values == 0) > 0.95:
        return None
    step = (seconds - seconds[0]) // 300
    count = np.bincount(step)
    known = np.flatnonzero(count)
    mean = np.interp(np.arange(len(count)), known, np.bincount(step, weights=values)[known] / count[known])
    return mean[: len(mean) // DAY * DAY] if len(mean) >= LEAST_OTHER_DAYS * DAY else None


def robust(traces: Mapping[str, np.ndarray], seed: int) -> dict[str, Any]:
    """Ours on many series: how dear, how often above the promise, and fleet control against tuned target tracking."""
    over, violated = [], []
    for x in traces.values():
        days = TEST_DAYS if len(x) >= LONG_DAYS * DAY else len(x) // DAY // 2
        load, before = x[-days * DAY :], x[: -days * DAY]
        setting = Setting(capacity=float(np.quantile(load, 0.999)) / PEAK, boot=2, steps_per_hour=PER_HOUR)
        done = play(load, before, setting, Newsvendor(setting, goal=Slo(share=LIMIT)))
        over.append(100 * done.over)
        violated.append(100 * done.violated)
    below = [row["below %"] for row in control(traces, seed).values()]
    return {
        "n": len(over),
        "over %, mean": round(float(np.mean(over)), 1),
        "over %, median": round(float(np.median(over)), 1),
        "over %, worst": round(max(over), 1),
        "violated %, mean": round(float(np.mean(violated)), 2),
        "series above the promise": sum(v > 100 * LIMIT for v in violated),
        "violated %, worst": round(max(violated), 2),
        "fleet control below %, mean": round(float(np.mean(below)), 1),
        "at least 10 %": sum(b >= 10 for b in below),
        "above target tracking": sum(b < 0 for b in below),
    }


def replay(traces: Mapping[str, np.ndarray], seed: int) -> dict[str, Any]:
    done: dict[tuple[str, float], dict[str, Played]] = {}
    seconds: dict[str, float] = {}
    for name, x in traces.items():
        load, before = x[-TEST_DAYS * DAY :], x[: -TEST_DAYS * DAY]
        setting = Setting(capacity=float(np.quantile(load, 0.999)) / PEAK, boot=2, steps_per_hour=PER_HOUR)
        for policy, make in (("target tracking", TargetTracking), ("AWS-like", AwsLike)):
            for target in TARGETS:
                start = time.process_time()
                done.setdefault((policy, target), {})[name] = play(load, before, setting, make(setting, target=target))
                seconds[policy] = max(seconds.get(policy, 0.0), time.process_time() - start)
        start = time.process_time()
        ours = Newsvendor(setting, goal=Slo(share=LIMIT))
        done.setdefault(("ours", LIMIT), {})[name] = play(load, before, setting, ours)
        seconds["ours"] = max(seconds.get("ours", 0.0), time.process_time() - start)
    rows = {policy: _one_knob(policy, done, seed) for policy in ("target tracking", "AWS-like", "ours")}
    rows |= {f"{policy}, best": _best(policy, done, seed) for policy in ("target tracking", "AWS-like")}
    for policy, took in seconds.items():
        rows[policy]["CPU seconds a week, at most"] = round(took, 2)
    return rows


def _one_knob(policy: str, done: Mapping[tuple[str, float], Mapping[str, Played]], seed: int) -> dict[str, Any]:
    """The cheapest knob for all traces whose mean violation is within the limit; the safest where there is none."""
    runs = {knob: played for (name, knob), played in done.items() if name == policy}
    cost = {knob: np.mean([p.over for p in played.values()]) for knob, played in runs.items()}
    broken = {knob: np.mean([p.violated for p in played.values()]) for knob, played in runs.items()}
    kept = [knob for knob in runs if broken[knob] <= LIMIT]
    knob = min(kept, key=cost.__getitem__) if kept else min(runs, key=broken.__getitem__)
    return {"knob": knob, "within limit": bool(kept), **_said(runs[knob], seed)}


def _best(policy: str, done: Mapping[tuple[str, float], Mapping[str, Played]], seed: int) -> dict[str, Any]:
    """The cheapest knob of each trace that keeps the limit on the very days that are played."""
    runs = {knob: played for (name, knob), played in done.items() if name == policy}
    chosen = {}
    for trace in next(iter(runs.values())):
        kept = [p[trace] for p in runs.values() if p[trace].violated <= LIMIT]
        all_of_it = [p[trace] for p in runs.values()]
        chosen[trace] = min(kept, key=lambda p: p.hours) if kept else min(all_of_it, key=lambda p: p.violated)
    return {"knob": "each its own, in hindsight", **_said(chosen, seed)}


def _said(played: Mapping[str, Played], seed: int) -> dict[str, Any]:
    low, high = _interval([p.billed / PER_HOUR / p.optimum for p in played.values()], seed)
    return {
        "n": len(played),
        "over %": round(100 * float(np.mean([p.over for p in played.values()])), 1),
        "interval": [round(100 * low, 1), round(100 * high, 1)],
        "violated %": round(100 * float(np.mean([p.violated for p in played.values()])), 2),
        "worst violated %": round(100 * max(p.violated for p in played.values()), 2),
        "unserved %": round(100 * float(np.mean([p.unserved for p in played.values()])), 3),
        "traces": {
            name: {"over %": round(100 * p.over, 1), "violated %": round(100 * p.violated, 2), "actions": p.actions}
            for name, p in played.items()
        },
    }


def _interval(shares: list[np.ndarray], seed: int) -> tuple[float, float]:
    """Mean cost over the optimum with the days of each trace drawn anew; a day keeps its share of the optimum."""
    rng = np.random.default_rng(seed)
    means = []
    for share in shares:
        days = share.reshape(-1, DAY).sum(axis=1)
        drawn = rng.integers(0, len(days), (DRAWS, len(days)))
        means.append(days[drawn].mean(axis=1) * len(days) - 1)
    low, high = np.quantile(np.mean(means, axis=0), [0.025, 0.975])
    return float(low), float(high)


def control(traces: Mapping[str, np.ndarray], seed: int) -> dict[str, Any]:
    price = lookup(INSTANCE, REGION)
    assert price is not None
    unmet = UNMET_USD / price.usd_per_hour
    return {name: _controlled(x, unmet, price.usd_per_hour, seed) for name, x in traces.items()}


def _controlled(x: np.ndarray, unmet: float, usd: float, seed: int) -> dict[str, Any]:
    x = x[: len(x) // (2 * DAY) * 2 * DAY]
    first, second = x[: len(x) // 2], x[len(x) // 2 :]
    setting = Setting(capacity=float(np.quantile(first, 0.999)) / PEAK, boot=3, steps_per_hour=PER_HOUR)

    def spent(played: Played) -> float:
        return usd * (played.hours + unmet * played.short)

    def tracked(target: float, load: np.ndarray, before: np.ndarray) -> Played:
        return play(load, before, setting, TargetTracking(setting, target=target))

    head = DAY  # the first day of each half starts from nothing known
    target = min(FINE, key=lambda knob: spent(tracked(knob, first[head:], first[:head])))
    rule = tracked(target, second, first)
    ours = play(second, first, setting, Newsvendor(setting, goal=ShortagePrice(price=unmet)))
    hindsight = min(spent(tracked(knob, second, first)) for knob in FINE)
    low, high = _saved(rule, ours, second, setting, unmet, seed)
    return {
        "days": len(second) // DAY,
        "tuned target": float(target),
        "target tracking USD": round(spent(rule), 2),
        "ours USD": round(spent(ours), 2),
        "below %": round(100 * (1 - spent(ours) / spent(rule)), 1),
        "interval": [round(100 * low, 1), round(100 * high, 1)],
        "below the target that was best in hindsight %": round(100 * (1 - spent(ours) / hindsight), 1),
        "clairvoyant USD": round(usd * least_cost(second, setting, unmet) / PER_HOUR, 2),
        "violated % rule, ours": [round(100 * rule.violated, 2), round(100 * ours.violated, 2)],
    }


def _saved(
    rule: Played, ours: Played, load: np.ndarray, setting: Setting, unmet: float, seed: int
) -> tuple[float, float]:
    """Interval of the share that is saved, whole days drawn anew."""
    need = load / setting.capacity
    days = [(p.billed + unmet * np.maximum(need - p.ready, 0.0)).reshape(-1, DAY).sum(axis=1) for p in (rule, ours)]
    drawn = np.random.default_rng(seed).integers(0, len(days[0]), (DRAWS, len(days[0])))
    low, high = np.quantile(1 - days[1][drawn].sum(axis=1) / days[0][drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def mixed(traces: Mapping[str, np.ndarray], spot: Offer, seed: int) -> dict[str, Any]:
    """The last two days with spot to choose from, and without."""
    price = lookup(INSTANCE, REGION)
    assert price is not None
    rows = {}
    for name, x in traces.items():
        load, before = x[-2 * DAY :], x[: -2 * DAY]
        setting = Setting(capacity=float(np.quantile(before, 0.999)) / PEAK, boot=2, steps_per_hour=PER_HOUR)
        pools = [
            Offer(name=INSTANCE, capacity=setting.capacity, price=price.usd_per_hour),
            replace(spot, capacity=setting.capacity, reclaim=spot.reclaim / PER_HOUR),
        ]
        terms = Terms(slo=LIMIT, spot_share=0.5)
        plain, both = (
            play_mix(load, before, setting, Newsvendor(setting, goal=Slo(share=LIMIT)), offers, terms, seed=seed)
            for offers in (pools[:1], pools)
        )
        rows[name] = {
            "on-demand USD": round(plain.usd, 2),
            "with spot USD": round(both.usd, 2),
            "spot share %": round(100 * both.spot_share, 1),
            "reclaimed": both.reclaimed,
            "violated %": [round(100 * plain.violated, 2), round(100 * both.violated, 2)],
        }
    return rows


def _table(title: str, rows: Mapping[str, Mapping[str, Any]], show: Callable[[Mapping[str, Any]], str]) -> None:
    print(title)
    for name, row in rows.items():
        print(f"  {name:24s} {show(row)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--made", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--others", action="store_true")
    parser.add_argument("--spot-usd", type=float)
    parser.add_argument("--reclaim", type=float, default=0.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = real(options.data)
    sets = {"real": found} if found else {}
    if not found:
        print(f"no replay_*.parquet in {options.data}: made-up loads only")
    if options.made or not found:
        sets["made up"] = made(options.seed)
    figures: dict[str, Any] = {}
    for kind, traces in sets.items():
        figures[f"replay, {kind}"] = rows = replay(traces, options.seed)
        _table(f"replay, {kind}: {len(traces)} traces, % over the optimum at 0.5 % violated steps", rows, _line)
        for trace in traces:
            each = {name: row["traces"][trace] for name, row in rows.items()}
            line = "  ".join(f"{n} {r['over %']:.1f} ({r['violated %']:.2f})" for n, r in each.items())
            print(f"    {trace:18s} {line}")
        figures[f"fleet control, {kind}"] = rows = control(traces, options.seed)
        _table(f"fleet control, {kind}: USD, second half of each trace", rows, json.dumps)
    if options.others:
        for half, traces in zip(("chosen on", "reported"), others(options.data.parent / "anomaly"), strict=True):
            figures[f"others, {half}"] = row = robust(traces, options.seed)
            _table(f"series of other kinds, the half {half}", {"ours": row}, json.dumps)
    if options.spot_usd is not None and found:
        pool = Offer(name=INSTANCE, capacity=1.0, price=options.spot_usd, purchase="spot", reclaim=options.reclaim)
        figures["with spot"] = rows = mixed(found, pool, options.seed)
        _table("with spot to choose from: the last two days", rows, json.dumps)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2))


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps({k: v for k, v in row.items() if k != "traces"})


if __name__ == "__main__":
    main()
