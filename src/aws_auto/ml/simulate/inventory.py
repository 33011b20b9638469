"""What the simulated account owns, and what each thing costs.

Prices are public us-east-1 on-demand list prices in USD. The EC2 figures are those of the AWS price list of 2026-07-20
(as published by the Karpenter project, Apache-2.0); the others are list prices of the same region.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT = "111122223333"
REGION = "us-east-1"

HOURLY_USD: Mapping[str, float] = {
    "c6g.large": 0.068,
    "c6i.large": 0.085,
    "g4dn.xlarge": 0.526,
    "m5.2xlarge": 0.384,
    "m5.4xlarge": 0.768,
    "m5.large": 0.096,
    "m5.xlarge": 0.192,
    "m6i.large": 0.096,
    "m6i.xlarge": 0.192,
    "r5.2xlarge": 0.504,
    "r5.large": 0.126,
    "r6g.large": 0.1008,
    "t3.large": 0.0832,
    "t3.medium": 0.0416,
    "db.r6g.xlarge": 0.43,
    "db.r6g.large": 0.215,
}
FARGATE_VCPU_HOUR = 0.04048
FARGATE_GB_HOUR = 0.004445
ALB_HOUR = 0.0225
LCU_HOUR = 0.008
LAMBDA_REQUEST = 0.20e-6
LAMBDA_GB_SECOND = 0.0000166667
NAT_HOUR = 0.045
NAT_GB = 0.045
GP3_GB_MONTH = 0.08
HOURS_PER_MONTH = 730.0
#: One-year, no-upfront standard reservation over on-demand: the median of the 2017 rate list (0.635).
RESERVED_SHARE = 0.635

Role = Literal[
    "balancer",
    "fleet",
    "database",
    "container",
    "function",
    "batch",
    "cache",
    "oversized",
    "idle",
    "dev",
    "logs",
    "nat",
]


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One resource. ``load`` is the share of its service's demand that it sees, or its usual CPU per cent."""

    resource_id: str
    role: Role
    resource_type: str
    service: str
    load: float
    instance_type: str | None = None
    purchase_option: str = "on-demand"
    zone: str = "a"
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def availability_zone(self) -> str:
        """For example ``us-east-1a``."""
        return f"{REGION}{self.zone}"

    @property
    def price(self) -> float:
        """On-demand USD per hour of one instance; 0 where no instance is rented."""
        return HOURLY_USD[self.instance_type] if self.instance_type else 0.0


def _tags(team: str, environment: str = "prod") -> dict[str, str]:
    return {"team": team, "environment": environment}


def _web(service: str, instance_type: str, purchase_option: str, team: str) -> tuple[Thing, Thing]:
    tags = _tags(team)
    return (
        Thing(resource_id=f"{service}-alb", role="balancer", resource_type="elb", service=service, load=1.0, tags=tags),
        Thing(
            resource_id=f"{service}-web",
            role="fleet",
            resource_type="asg",
            service=service,
            load=1.0,
            instance_type=instance_type,
            purchase_option=purchase_option,
            tags=tags,
        ),
    )


def _ec2(  # noqa: PLR0913 - a row of the table below
    resource_id: str,
    role: Role,
    instance_type: str,
    load: float,
    *,
    team: str = "platform",
    environment: str = "prod",
    service: str | None = None,
    purchase_option: str = "on-demand",
    zone: str = "a",
) -> Thing:
    return Thing(
        resource_id=resource_id,
        role=role,
        resource_type="ec2",
        service=service or role,
        load=load,
        instance_type=instance_type,
        purchase_option=purchase_option,
        zone=zone,
        tags=_tags(team, environment),
    )


def _database(resource_id: str, load: float, zone: str) -> Thing:
    return Thing(
        resource_id=resource_id,
        role="database",
        resource_type="rds",
        service="shop",
        load=load,
        instance_type="db.r6g.xlarge",
        zone=zone,
        tags=_tags("data"),
    )


def _other(resource_id: str, role: Role, resource_type: str, service: str, load: float, team: str) -> Thing:
    return Thing(
        resource_id=resource_id, role=role, resource_type=resource_type, service=service, load=load, tags=_tags(team)
    )


THINGS: tuple[Thing, ...] = (
    *_web("shop", "m6i.large", "on-demand", "shop"),
    *_web("api", "c6i.large", "spot", "api"),
    _database("shop-db-1", 0.62, "a"),
    _database("shop-db-2", 0.38, "b"),
    _other("checkout", "container", "ecs", "shop", 0.08, "shop"),
    _other("payments", "container", "ecs", "shop", 0.05, "payments"),
    _other("thumbnails", "function", "lambda", "shop", 0.10, "shop"),
    _other("order-events", "function", "lambda", "shop", 0.05, "shop"),
    _other("webhooks", "function", "lambda", "api", 0.04, "api"),
    _other("nightly-report", "function", "lambda", "batch", 0.0, "data"),
    _ec2("batch-1", "batch", "m5.xlarge", 88.0, team="data"),
    _ec2("batch-2", "batch", "m5.xlarge", 80.0, team="data", zone="b"),
    _ec2("cache-1", "cache", "r6g.large", 34.0, service="shop", purchase_option="reserved"),
    _ec2("cache-2", "cache", "r6g.large", 30.0, service="shop", purchase_option="reserved", zone="b"),
    _ec2("search-1", "cache", "m6i.xlarge", 42.0, service="shop", team="shop"),
    _ec2("search-2", "cache", "m6i.xlarge", 45.0, service="shop", team="shop", zone="b"),
    _ec2("analytics-1", "oversized", "m5.4xlarge", 5.0, team="data"),
    _ec2("warehouse-1", "oversized", "r5.2xlarge", 9.0, team="data", zone="b"),
    _ec2("build-1", "oversized", "m5.2xlarge", 11.0, environment="ci"),
    _ec2("bastion-old", "idle", "t3.medium", 0.7),
    _ec2("poc-gpu", "idle", "g4dn.xlarge", 0.4, team="research", environment="poc"),
    _ec2("legacy-crm", "idle", "r5.large", 1.3, team="sales", zone="b"),
    *(_ec2(f"dev-{n}", "dev", "t3.large", 22.0 + 3.0 * n, team="shop", environment="dev") for n in range(1, 5)),
    _ec2("dev-5", "dev", "m5.large", 30.0, team="api", environment="dev", zone="b"),
    _ec2("dev-6", "dev", "m5.large", 26.0, team="api", environment="dev", zone="b"),
    _ec2("logs-1", "logs", "m6i.large", 28.0),
    _ec2("logs-2", "logs", "m6i.large", 31.0, zone="b"),
    _other("nat-a", "nat", "service", "shop", 1.0, "platform"),
)

#: Volumes that belong to nothing any more: gigabytes by id. They send no metrics and appear on the bill alone.
ORPHAN_VOLUMES: Mapping[str, float] = {"vol-orphan-1": 500.0, "vol-orphan-2": 200.0, "vol-orphan-3": 1000.0}

#: Dedicated hosts, each shared by two machines of one family.
HOSTS: Mapping[str, str] = {"search-1": "host-a", "logs-1": "host-a", "search-2": "host-b", "logs-2": "host-b"}
