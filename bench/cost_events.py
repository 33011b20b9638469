"""How much injected money the cost events find, at how many alarms, and how often the cause is right.

    python bench/cost_events.py [--bills 40] [--seed 11000] [--json FILE]

Six kinds of event (spike, level shift, slow growth, forgotten resource, new region, refund), each worth 1 % to 20 % of
a month (log-uniform), are put into two kinds of bill: ninety days of simulated accounts (two events each, after the
first three weeks), and the real month beside the checkout (one event, after the first ten days). The defaults of
`Rules` were chosen on simulated seeds 100 to 139; what was missed in the real month was looked at for seeds 100 to 139
and 9000 to 9039; the default seeds here are none of these. The rule beside it is a mean of the last seven days times
(1 + threshold) on account or service totals; its level, threshold and least number of days in a row were chosen on
seeds 100 to 139 as well: the most money at no more than two alarms per account and month.

An event counts as found when an alarm of the right sign starts on its days (or the day before) in its account. Every
alarm counts as an alarm: injected, of the simulation's own incidents, of the real month's own changes, or false; false
are those that name no resource of an incident of those days. Intervals are bootstraps over bills.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from aws_auto.ml.cost.commitments_used import commitment_use
from aws_auto.ml.cost.cost_anomaly import cost_anomalies
from aws_auto.ml.cost.cost_series import Series, series
from aws_auto.ml.cost.normalise import needed, normalise
from aws_auto.ml.cost.recommend import recommend
from aws_auto.ml.simulate.account import simulate

CUR = Path(__file__).parents[1] / ".." / "shared" / "data" / "billing" / "cur"
KINDS = ("spike", "level shift", "slow growth", "forgotten resource", "new region", "refund")
DAYS = 90
TUNED_ON = range(100, 140)
MOST_ALARMS = 2.0


@dataclass(frozen=True)
class Injected:
    """What was put into a bill, and where."""

    kind: str
    account: str
    first: date
    last: date
    money: float
    service: str
    region: str
    usage_types: tuple[str, ...]
    resource: str | None


@dataclass(frozen=True)
class Alarm:
    """What a method says: an account, days, money, and where it comes from."""

    account: str | None
    first: date
    last: date
    money: float
    noticed: date
    service: str
    region: str
    usage_type: str
    resource: str | None


def inject(bill: pl.DataFrame, kind: str, first: date, last: date, rng: np.random.Generator) -> tuple[Any, Injected]:
    """The bill with one event that starts on ``first`` and ends by ``last``; its leaf is drawn by its cost."""
    used = bill.filter(pl.col("charge_category") == "Usage", pl.col("resource_id").is_not_null())
    accounts = used.group_by("sub_account_id").agg(pl.col("billed_cost").sum()).sort("sub_account_id")
    # The tiny account of the real month gets one event in four.
    weights = np.sqrt(accounts["billed_cost"].to_numpy())
    account = accounts["sub_account_id"][int(rng.choice(len(accounts), p=weights / weights.sum()))]
    mine = used.filter(pl.col("sub_account_id") == account)
    days = bill["timestamp"].dt.date().n_unique()
    money = float(np.exp(rng.uniform(np.log(0.01), np.log(0.20)))) * mine["billed_cost"].sum() / days * 30
    leaf = _drawn(mine.filter(pl.col("timestamp").dt.date() == first), rng)
    rows = mine.filter(*(pl.col(k) == leaf[k] for k in ("service_name", "region_id", "usage_type", "resource_id")))
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    begin = midnight + timedelta(hours=int(rng.integers(0, 18)))
    long = int(rng.integers(8, 25))
    hours = int(rng.integers(4, 37)) if kind == "spike" else 24 * min(long, (last - first).days) - begin.hour
    template = rows.sort("timestamp").tail(1)
    extra = pl.concat([template] * (1 if kind == "refund" else hours)).with_columns(
        timestamp=pl.Series([begin + timedelta(hours=h) for h in range(1 if kind == "refund" else hours)]).cast(
            bill.schema["timestamp"]
        )
    )
    shape = np.ones(len(extra))
    types = (leaf["usage_type"],)
    resource, region = leaf["resource_id"], leaf["region_id"]
    if kind == "slow growth":
        shape = np.arange(1.0, hours + 1)
    elif kind == "forgotten resource":
        resource = f"forgotten-{rng.integers(1 << 30)}"
    elif kind == "new region":
        region, resource = "ap-southeast-2", None
        others = [leaf, *(_drawn(mine, rng) for _ in range(2))]
        others = [one for one in others if one["service_name"] == leaf["service_name"]]
        types = tuple({f"APS2-{one['usage_type']}" for one in others})
        extra = pl.concat(
            extra.with_columns(usage_type=pl.lit(name), resource_id=pl.lit(f"new-{name}-{n}"))
            for name in sorted(types)
            for n in range(2)
        )
        shape = np.ones(len(extra))
    cost = money * shape / shape.sum() * (-1.0 if kind == "refund" else 1.0)
    extra = extra.with_columns(
        charge_period_end=pl.col("timestamp") + pl.duration(hours=1),
        charge_period_start=pl.col("timestamp"),
        region_id=pl.lit(region),
        resource_id=pl.lit(resource, pl.String) if resource else "resource_id",
        **{name: pl.Series(cost) for name in ("billed_cost", "effective_cost", "list_cost", "contracted_cost")},
    )
    if kind == "refund":
        extra = extra.with_columns(
            charge_category=pl.lit("Adjustment"),
            charge_class=pl.lit("Correction"),
            charge_frequency=pl.lit("One-Time"),
            line_item_type=pl.lit("Refund"),
        )
    ended = extra["timestamp"].max().date()
    truth = Injected(kind, account, first, ended, float(cost.sum()), leaf["service_name"], region, types, resource)
    return pl.concat([bill, extra.select(bill.columns).cast(dict(bill.schema))]), truth


def _drawn(rows: pl.DataFrame, rng: np.random.Generator) -> dict[str, Any]:
    keys = ["service_name", "region_id", "usage_type", "resource_id"]
    leaves = rows.group_by(keys).agg(pl.col("billed_cost").sum()).filter(pl.col("billed_cost") > 0).sort(keys)
    weights = np.sqrt(leaves["billed_cost"].to_numpy())
    return leaves.row(int(rng.choice(len(leaves), p=weights / weights.sum())), named=True)


def ours(bill: pl.DataFrame) -> list[Alarm]:
    """What `cost_anomalies` says."""
    end = bill["timestamp"].max().date()
    return [
        Alarm(
            e.account,
            e.start.date(),
            (e.end - timedelta(seconds=1)).date() if e.end else end,
            e.money,
            e.noticed,
            e.cause.service,
            e.cause.region,
            e.cause.usage_type,
            e.cause.resource_id,
        )
        for e in cost_anomalies(bill).events
    ]


def rule(bill: pl.DataFrame, level: str, threshold: float, in_a_row: int) -> list[Alarm]:
    """Cost above the mean of the last seven days times (1 + threshold), or as far below; cause: what rose most."""
    out = []
    for account in series(bill):
        names = [leaf[0] if level == "service" else "" for leaf in account.leaves]
        for name in sorted(set(names)):
            rows = [i for i, n in enumerate(names) if n == name]
            out += _runs(bill, account, rows, threshold, in_a_row)
    return out


def _runs(bill: pl.DataFrame, account: Series, rows: list[int], threshold: float, in_a_row: int) -> list[Alarm]:
    costs = account.costs[rows].sum(axis=0)
    mean = np.array([costs[max(0, d - 7) : d].mean() if d >= 7 else np.nan for d in range(len(costs))])
    with np.errstate(all="ignore"):
        sign = np.where(costs > mean * (1 + threshold), 1, np.where(costs < mean * (1 - threshold), -1, 0))
    out, day = [], 7
    while day < len(costs):
        last = day
        while last + 1 < len(costs) and sign[last + 1] == sign[day]:
            last += 1
        if sign[day] and last - day + 1 >= in_a_row:
            change = account.costs[rows, day] - account.costs[rows, day - 7 : day].mean(axis=1)
            service, region, usage, own = account.leaves[rows[int(np.argmax(sign[day] * change))]]
            resource = own or _top(bill, account, (service, region, usage), day)
            money = float((costs - mean)[day : last + 1].sum())
            noticed = account.days[day + in_a_row - 1]
            out.append(
                Alarm(
                    account.account,
                    account.days[day],
                    account.days[last],
                    money,
                    noticed,
                    service,
                    region,
                    usage,
                    resource,
                )
            )
        day = last + 1
    return out


def _top(bill: pl.DataFrame, account: Series, leaf: tuple[str, str, str], day: int) -> str | None:
    on = pl.col("timestamp").dt.date() == account.days[day]
    same = [pl.col(k) == v for k, v in zip(("service_name", "region_id", "usage_type"), leaf, strict=True)]
    rows = bill.filter(on, pl.col("sub_account_id") == account.account, *same)
    by = rows.group_by("resource_id").agg(pl.col("billed_cost").sum()).sort("billed_cost", "resource_id")
    return by["resource_id"][-1] if len(by) else None


def score(
    alarms: list[Alarm], truths: list[Injected], bill: pl.DataFrame, known: list[tuple[date, date, str]]
) -> dict[str, Any]:
    """One bill's figures."""
    months = bill["timestamp"].dt.date().n_unique() / 30 * bill["sub_account_id"].n_unique()
    found, matched = [], set()
    for truth in truths:
        hits = [
            a
            for a in alarms
            if a.account == truth.account
            and np.sign(a.money) == np.sign(truth.money)
            and truth.first - timedelta(days=1) <= a.first <= truth.last
        ]
        matched |= {id(a) for a in hits}
        right = lambda a: (a.service, a.region) == (truth.service, truth.region) and a.usage_type in truth.usage_types  # noqa: E731, B023
        best = next((a for a in hits if right(a)), hits[0] if hits else None)
        found.append(
            {
                "kind": truth.kind,
                "money": abs(truth.money),
                "found": bool(hits),
                "said": min(abs(truth.money), sum(abs(a.money) for a in hits)),
                "cause": bool(best and right(best)),
                "resource": bool(best and right(best) and (truth.resource is None or best.resource == truth.resource)),
                "days": (best.noticed - truth.first).days if best else None,
            }
        )
    rest = [a for a in alarms if id(a) not in matched]
    false = [
        a for a in rest if not any(a.first <= end and a.last >= start and a.resource == r for start, end, r in known)
    ]
    return {"events": found, "alarms": len(alarms), "false": len(false), "months": months}


def simulated(seed: int) -> tuple[pl.DataFrame, list[Injected], list[tuple[date, date, str]]]:
    """Ninety days of an account with two events."""
    rng = np.random.default_rng(seed)
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=int(rng.integers(0, 250)))
    account = simulate(start, start + timedelta(days=DAYS), seed=seed)
    bill, truths = account.billing, []
    for begin, end in ((22, 55), (56, 89)):
        first = start.date() + timedelta(days=begin + int(rng.integers(0, 8)))
        bill, truth = inject(bill, KINDS[int(rng.integers(6))], first, start.date() + timedelta(days=end), rng)
        truths.append(truth)
    known = [
        (row["timestamp"].date(), row["end"].date() + timedelta(days=1), row["resource_id"])
        for row in account.truth.iter_rows(named=True)
    ]
    return bill, truths, known


def real(month: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, list[Injected], list[tuple[date, date, str]]]:
    """The real month with one event; nobody has labelled its own changes, so none is called known."""
    rng = np.random.default_rng(seed)
    start = month["timestamp"].min().date()
    first = start + timedelta(days=int(rng.integers(10, 20)))
    bill, truth = inject(month, KINDS[seed % 6], first, start + timedelta(days=30), rng)
    return bill, [truth], []


def figures(scores: list[dict[str, Any]], rng: np.random.Generator) -> dict[str, Any]:
    """Means over bills with 95 % bootstrap intervals."""

    def of(part: list[dict[str, Any]]) -> dict[str, float]:
        events = [e for s in part for e in s["events"]]
        money = sum(e["money"] for e in events)
        seen = [e for e in events if e["found"]]
        return {
            "dollar_recall": sum(e["money"] for e in seen) / money,
            "recall_and_cause": sum(e["money"] for e in seen if e["cause"]) / money,
            "dollars_said": sum(e["said"] for e in events) / money,
            "cause_right": sum(e["cause"] for e in seen) / max(len(seen), 1),
            "resource_right": sum(e["resource"] for e in seen) / max(len(seen), 1),
            "alarms_a_month": sum(s["alarms"] for s in part) / sum(s["months"] for s in part),
            "false_a_month": sum(s["false"] for s in part) / sum(s["months"] for s in part),
        }

    resampled = [of([scores[i] for i in rng.integers(0, len(scores), len(scores))]) for _ in range(500)]
    out: dict[str, Any] = {
        name: [round(value, 3), *np.quantile([r[name] for r in resampled], [0.025, 0.975]).round(3).tolist()]
        for name, value in of(scores).items()
    }
    events = [e for s in scores for e in s["events"]]
    out["recall_by_kind"] = {
        kind: [sum(e["found"] for e in events if e["kind"] == kind), sum(e["kind"] == kind for e in events)]
        for kind in KINDS
    }
    days = [e["days"] for e in events if e["days"] is not None]
    out["median_days_to_notice"] = float(np.median(days)) if days else None
    out["bills"], out["events"] = len(scores), len(events)
    return out


def tuned() -> tuple[str, float, int]:
    """The rule that finds most money at no more than two alarms per account and month, on the tuning seeds."""
    bills = [simulated(seed) for seed in TUNED_ON]
    best, choice = -1.0, ("service", 0.3, 1)
    for level, threshold, in_a_row in product(("account", "service"), (0.1, 0.2, 0.3, 0.5, 1.0), (1, 2)):
        scores = [score(rule(b, level, threshold, in_a_row), t, b, k) for b, t, k in bills]
        events = [e for s in scores for e in s["events"]]
        recall = sum(e["money"] * e["found"] for e in events) / sum(e["money"] for e in events)
        alarms = sum(s["alarms"] for s in scores) / sum(s["months"] for s in scores)
        if alarms <= MOST_ALARMS and recall > best:
            best, choice = recall, (level, threshold, in_a_row)
    return choice


def compare(bills: list[Any], choice: tuple[str, float, int]) -> dict[str, Any]:
    began = time.process_time()
    mine = [score(ours(b), t, b, k) for b, t, k in bills]
    cpu = time.process_time() - began
    methods = {
        "ours": mine,
        f"mean of 7 days x (1 + {choice[1]:g}), {choice[0]}, {choice[2]} in a row (tuned)": [
            score(rule(b, *choice), t, b, k) for b, t, k in bills
        ],
        "mean of 7 days x (1 + 0.3), service (as documented)": [
            score(rule(b, "service", 0.3, 1), t, b, k) for b, t, k in bills
        ],
    }
    found = {name: figures(scores, np.random.default_rng(0)) for name, scores in methods.items()}
    found["ours"]["cpu_s_a_bill"] = round(cpu / len(bills), 3)
    return found


def speed(month: pl.DataFrame, copies: int) -> dict[str, Any]:
    """CPU of everything that is read from a bill, on the month as so many accounts with resources of their own."""
    bill = pl.concat(
        month.with_columns(pl.col("sub_account_id", "resource_id") + f"-{copy}") for copy in range(copies)
    ).rechunk()
    now = bill["timestamp"].max() + timedelta(hours=1)
    jobs = {
        "commitment_use": commitment_use,
        "cost_anomalies": cost_anomalies,
        "recommend": lambda rows: recommend(rows, now=now),
    }
    out: dict[str, Any] = {"rows": len(bill)}
    for name, job in jobs.items():
        began = time.process_time()
        job(bill)
        out[f"{name}_cpu_s"] = round(time.process_time() - began, 2)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=11000, help="first of the held-back seeds")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    assert not set(range(options.seed, options.seed + options.bills)) & set(TUNED_ON), "these seeds were tuned on"
    choice = tuned()
    seeds = range(options.seed, options.seed + options.bills)
    found = {"simulated accounts": compare([simulated(seed) for seed in seeds], choice)}
    if CUR.is_dir():
        (path,) = CUR.glob("*.parquet")
        raw = pl.read_parquet(path)
        month = normalise(raw.select(needed(raw.columns))).rows
        found["real month"] = compare([real(month, seed) for seed in seeds], choice)
        found["speed"] = {f"{copies} copies": speed(month, copies) for copies in (1, 9)}
    for where, methods in found.items():
        print(where)
        for name, values in methods.items():
            print(f"  {name}")
            for key, value in values.items():
                print(f"    {key.ljust(22)} {value}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
