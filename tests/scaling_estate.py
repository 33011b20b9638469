"""A small estate with fleets that can be scaled, and the models trained on it, once for the whole test run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import numpy as np
import polars as pl

from aws_auto.frame import MetricFrame

START = datetime(2026, 1, 5, tzinfo=UTC)
STEP = timedelta(minutes=30)


def estate(days=16, seed=0):
    """A balancer with a fleet behind it, a container service, and a database that serves no requests."""
    rng = np.random.default_rng(seed)
    n = days * 48
    t = np.arange(n)
    parts = []
    for name, size, kind in (("web", 60.0, "asg"), ("box", 8.0, "ecs")):
        day = 1 + 0.8 * np.sin(2 * np.pi * (t - 14) / 48)
        rate = size * day * rng.lognormal(0, 0.1, n)
        work = rate / 10 * (1 + 0.5 * (t % 48 > 36)) * rng.lognormal(0, 0.03, n)
        instances = np.ceil(work / 0.62) + (rng.random(n) < 0.1)
        busy = np.clip(work / instances, 0.01, 1.0)
        slow = 50 * (1 + 0.8 * busy**3 / np.maximum(1.02 - busy, 0.03)) * rng.lognormal(0, 0.03, n)
        facts = {"resource_type": kind, "service": name, "region": "us-east-1"}
        served = {"request_count": rate * 1800, "latency": slow, "latency_p95": 2.2 * slow}
        has = {"instance_count": instances, "cpu_utilization": 100 * busy, "hourly_cost": 0.096 * instances}
        if kind == "asg":
            parts.append((f"{name}-alb", {**facts, "resource_type": "elb"}, served))
            facts["instance_type"] = "m6i.large"
            parts.append((name, facts, has | {"request_count": rate * 1800}))
        else:
            parts.append((name, facts, served | has))
    parts.append(("db", {"service": "web"}, {"cpu_utilization": 20 + rng.random(n)}))
    times = [START + i * STEP for i in range(n)]
    rows = [pl.DataFrame({"resource_id": r, "timestamp": times, **facts, **values}) for r, facts, values in parts]
    return MetricFrame.of(pl.concat(rows, how="diagonal"))


@lru_cache(maxsize=1)
def the_estate():
    return estate()


@lru_cache(maxsize=1)
def trained():
    """By the names of the recipes."""
    from aws_auto.ml.recipes import catalog

    names = ("demand-forecaster", "capacity-planner", "performance-predictor")
    return {name: catalog.get(name).fit(the_estate(), seed=0) for name in names}
