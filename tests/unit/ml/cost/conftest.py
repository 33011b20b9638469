"""Small bills in FOCUS words, made line by line."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from aws_auto.ml.cost.bill import conformed

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
ACCOUNT = "111122223333"


class Maker:
    """Adds lines of usage by the hour; `bill` is the table."""

    def __init__(self):
        self.parts = []

    def usage(self, usage_type, *, resource, cost, days=28, hours=range(24), start=START, quantity=1.0, **facts):
        """``cost`` is of one hour, a number or a function of the day."""
        weekdays = facts.pop("weekdays", range(1, 8))
        rows = [
            {
                "timestamp": start + timedelta(days=d, hours=h),
                "billed_cost": float(cost(d) if callable(cost) else cost),
                "consumed_quantity": float(quantity),
            }
            for d in range(days)
            for h in hours
            if (start + timedelta(days=d)).isoweekday() in weekdays
        ]
        words = {
            "usage_type": usage_type,
            "resource_id": resource,
            "charge_category": "Usage",
            "charge_frequency": "Usage-Based",
            "service_name": "Amazon Elastic Compute Cloud",
            "pricing_category": "Standard",
            **facts,
        }
        frame = pl.DataFrame(rows).with_columns(pl.lit(v).alias(k) for k, v in words.items() if v is not None)
        if "effective_cost" not in frame.columns:
            frame = frame.with_columns(effective_cost="billed_cost")
        frame = frame.with_columns(charge_period_end=pl.col("timestamp") + pl.duration(hours=1))
        self.parts.append(frame)
        return self

    def line(self, **facts):
        """One line as it is."""
        self.parts.append(pl.DataFrame([facts]))
        return self

    @property
    def bill(self):
        rows = pl.concat(self.parts, how="diagonal_relaxed")
        defaults = {"sub_account_id": ACCOUNT, "region_id": "us-east-1", "billing_currency": "USD"}
        rows = rows.with_columns(
            (pl.col(k).fill_null(v) if k in rows.columns else pl.lit(v)).alias(k) for k, v in defaults.items()
        )
        return conformed(
            rows.with_columns(
                pl.col("timestamp").cast(pl.Datetime("us", "UTC")),
                billing_period_start=pl.col("timestamp").cast(pl.Datetime("us", "UTC")).dt.truncate("1mo"),
            )
        )


@pytest.fixture
def make():
    return Maker()
