"""A plan in the words of AWS: the exact requests that would make it true, and when each loses its force.

Scheduled actions raise the floor: they set the minimum of each hour some minutes before it begins, and target tracking
stays free to add more. So a forecast that is too low costs nothing that would not have happened anyway. The last action
gives the floor back, and after it nothing of the plan is left. A policy of target tracking is the part that stays.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from aws_auto.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from aws_auto.ml.scaling.capacity import Knee
    from aws_auto.ml.scaling.timeline import CapacityPlan, Constraints

Kind = Literal["autoscaling", "ecs", "sagemaker", "dynamodb"]

#: Begins the name of everything that is ours.
PREFIX = "aws-auto-"
#: Share of provisioned units that target tracking of a table aims at: the default of the console.
TABLE_TARGET = 70.0
#: Target tracking of a table may lower its capacity a few times a day only, so it waits.
COOLDOWN_OUT = 60
#: A target that is not known to automatic scaling yet may grow to this many times what the plan needs at most.
ROOM = 2
#: A request needs this long until AWS has it.
SOON = timedelta(minutes=2)
DIMENSIONS: Mapping[str, str] = {
    "ecs": "ecs:service:DesiredCount",
    "sagemaker": "sagemaker:variant:DesiredInstanceCount",
    "dynamodb": "dynamodb:table:ReadCapacityUnits",
}
_SHAPES: Mapping[str, str] = {
    "autoscaling": r"[^:/]+",
    "ecs": r"service/[^/]+/[^/]+",
    "sagemaker": r"endpoint/[^/]+/variant/[^/]+",
    "dynamodb": r"table/[^/:]+",
}
_GROUP = re.compile(r"arn:[^:]+:autoscaling:[^:]*:[^:]*:autoScalingGroup:.*autoScalingGroupName/(.+)")
_SERVICE = re.compile(r"arn:[^:]+:ecs:[^:]*:[^:]*:(service/[^/]+/[^/]+)")
_EXAMPLES = "autoscaling:my-group, ecs:service/cluster/name, sagemaker:endpoint/name/variant/name, dynamodb:table/name"


@dataclass(frozen=True, order=True)
class Address:
    """What AWS calls a fleet: an Auto Scaling group, or a scalable target of Application Auto Scaling.

    Attributes:
        kind: which service.
        name: name of the group, or the resource id.
        dimension: of Application Auto Scaling; empty for a group.
    """

    kind: Kind
    name: str
    dimension: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """``ecs:service/prod/checkout``, ``autoscaling:web``; a table may end in ``:read`` (default) or ``:write``.

        Raises:
            UsageError: it is none of the four kinds, or not of its shape.
        """
        kind, _, name = text.partition(":")
        way = "read"
        if kind == "dynamodb" and name.count(":") == 1:
            name, way = name.split(":")
        if kind not in _SHAPES or not re.fullmatch(_SHAPES[kind], name) or way not in ("read", "write"):
            raise UsageError(f"{text!r} names nothing that can be scaled", where="--aws", hint=f"such as {_EXAMPLES}")
        dimension = DIMENSIONS.get(kind, "")
        if way == "write":
            dimension = dimension.replace("Read", "Write")
        return cls(kind, name, dimension)  # type: ignore[arg-type] # checked against the shapes

    @property
    def target(self) -> dict[str, str]:
        """The arguments that name it in each call of Application Auto Scaling."""
        return {"ServiceNamespace": self.kind, "ResourceId": self.name, "ScalableDimension": self.dimension}

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" + (":write" if "Write" in self.dimension else "")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of an AWS API.

    Attributes:
        kind: of the thing that it makes, such as ``AutoScaling::ScheduledAction``.
        address: of the fleet.
        name: of the thing.
        body: the call's arguments, plain JSON.
        expires: when it loses its force; None for what stays.
        why: for whoever approves it.
    """

    kind: str
    address: Address
    name: str
    body: Mapping[str, Any] = field(hash=False)
    expires: datetime | None
    why: str


#: By kind of thing: service and operation that make it.
OPERATIONS: Mapping[str, tuple[str, str]] = {
    "AutoScaling::ScheduledAction": ("autoscaling", "PutScheduledUpdateGroupAction"),
    "AutoScaling::ScalingPolicy": ("autoscaling", "PutScalingPolicy"),
    "ApplicationAutoScaling::ScalableTarget": ("application-autoscaling", "RegisterScalableTarget"),
    "ApplicationAutoScaling::ScheduledAction": ("application-autoscaling", "PutScheduledAction"),
    "ApplicationAutoScaling::ScalingPolicy": ("application-autoscaling", "PutScalingPolicy"),
}


def address_of(resource: str, resource_type: str | None) -> tuple[Address | None, str]:
    """What a resource id and type say about the address, and a remark where something was assumed."""
    if match := re.fullmatch(
        r"arn:[^:]+:autoscaling:[^:]*:[^:]*:autoScalingGroup:.*autoScalingGroupName/(.+)", resource
    ):
        return Address("autoscaling", match[1]), ""
    if match := re.fullmatch(r"arn:[^:]+:ecs:[^:]*:[^:]*:(service/[^/]+/[^/]+)", resource):
        return Address("ecs", match[1], DIMENSIONS["ecs"]), ""
    if resource_type == "asg":
        return Address("autoscaling", resource), ""
    if resource_type == "ecs":
        address = Address("ecs", f"service/default/{resource}", DIMENSIONS["ecs"])
        return address, f"the cluster of {resource} is not known: {address} is assumed; say --aws {resource}=..."
    return None, f"{resource} has no address in AWS: give it with --aws {resource}=..., such as {_EXAMPLES}"


def requests(
    plan: CapacityPlan,
    address: Address,
    knee: Knee | None,
    constraints: Constraints,
    *,
    now: datetime,
    bounds: Bounds | None = None,
) -> tuple[Request, ...]:
    """What AWS has to be told for this plan: the target, target tracking, and a floor for each hour that changes it.

    Args:
        plan: of one fleet; of a table, in units of capacity.
        address: what AWS calls it.
        knee: how busy it may be; None for a table.
        constraints: of the plan.
        now: nothing is scheduled before it.
        bounds: those that stand there; a floor is never below their least, the ceiling never below their most.
    """
    least = max(constraints.least, 1, bounds.least if bounds else 0)
    floors = _floors(plan, least, now)
    ceiling = _ceiling(plan, constraints, bounds)
    if address.kind == "autoscaling":
        actions = [_group_action(address, floor, ceiling) for floor in floors]
        return (_group_policy(address, knee, constraints), *actions)
    actions = [_target_action(address, floor, ceiling) for floor in floors]
    target = _scalable(address, least, max(ceiling or ROOM * plan.most, least))
    return (target, _target_policy(address, knee, constraints), *actions)


def _ceiling(plan: CapacityPlan, constraints: Constraints, bounds: Bounds | None) -> int | None:
    """The most that somebody said; None where nobody did: what was not foreseen must keep its room."""
    if bounds is None:
        return constraints.most
    return max(plan.most, bounds.most) if constraints.most is None else constraints.most


@dataclass(frozen=True)
class Bounds:
    """Fewest and most instances that are allowed, as they stand without a plan of ours."""

    least: int
    most: int


@dataclass(frozen=True)
class _Floor:
    """From when a floor stands, how high, until when, and why."""

    start: datetime
    height: int
    until: datetime
    why: str


def _floors(plan: CapacityPlan, least: int, now: datetime) -> list[_Floor]:
    """The changes of the floor that still lie ahead; the last one gives it back."""
    soon = now.replace(second=0, microsecond=0) + SOON
    end = plan.steps[-1].start + timedelta(hours=1)
    heights = [max(step.total, least) for step in plan.steps]
    changes = [(plan.steps[0].launch, heights[0], plan.steps[0])]
    for step, before, height in zip(plan.steps[1:], heights, heights[1:], strict=False):
        if height != before:
            # More must boot before the hour, fewer may go when it has begun.
            changes.append((step.launch if height > before else step.start, height, step))
    out = []
    for place, (start, height, step) in enumerate(changes):
        until = changes[place + 1][0] if place + 1 < len(changes) else end
        if until > max(start, soon):
            why = f"{step.need.low:.1f} to {step.need.high:.1f} are needed from {step.start:%H:%M} on"
            out.append(_Floor(max(start, soon), height, until, why))
    return [*out, _Floor(end, least, end, "gives the floor back")] if out else []


def _group_action(address: Address, floor: _Floor, ceiling: int | None) -> Request:
    body = {
        "AutoScalingGroupName": address.name,
        "ScheduledActionName": _action_name(floor.start),
        "StartTime": _iso(floor.start),
        "MinSize": floor.height,
        **({} if ceiling is None else {"MaxSize": max(ceiling, floor.height)}),
    }
    return _action("AutoScaling::ScheduledAction", address, body, floor)


def _target_action(address: Address, floor: _Floor, ceiling: int | None) -> Request:
    body = {
        **address.target,
        "ScheduledActionName": _action_name(floor.start),
        "Schedule": f"at({floor.start:%Y-%m-%dT%H:%M:%S})",
        "Timezone": "UTC",
        "ScalableTargetAction": {
            "MinCapacity": floor.height,
            **({} if ceiling is None else {"MaxCapacity": max(ceiling, floor.height)}),
        },
    }
    return _action("ApplicationAutoScaling::ScheduledAction", address, body, floor)


def _action(kind: str, address: Address, body: Mapping[str, Any], floor: _Floor) -> Request:
    name = str(body["ScheduledActionName"])
    return Request(kind=kind, address=address, name=name, body=body, expires=floor.until, why=floor.why)


def _group_policy(address: Address, knee: Knee | None, constraints: Constraints) -> Request:
    body = {
        "AutoScalingGroupName": address.name,
        "PolicyName": f"{PREFIX}target-tracking",
        "PolicyType": "TargetTrackingScaling",
        "EstimatedInstanceWarmup": int(constraints.boot.total_seconds()),
        "TargetTrackingConfiguration": {
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            "TargetValue": _busy(knee),
            "DisableScaleIn": False,
        },
    }
    return _policy("AutoScaling::ScalingPolicy", address, body, knee)


def _target_policy(address: Address, knee: Knee | None, constraints: Constraints) -> Request:
    match address.kind:
        case "ecs":
            metric, value = "ECSServiceAverageCPUUtilization", _busy(knee)
        case "sagemaker":
            # The metric counts invocations of one instance in a minute.
            metric = "SageMakerVariantInvocationsPerInstance"
            value = round(60 * knee.utilisation / knee.work, 1) if knee else 100.0
        case _:
            way = "Write" if "Write" in address.dimension else "Read"
            metric, value = f"DynamoDB{way}CapacityUtilization", TABLE_TARGET
    body = {
        **address.target,
        "PolicyName": f"{PREFIX}target-tracking",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": value,
            "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
            "ScaleOutCooldown": COOLDOWN_OUT,
            "ScaleInCooldown": int(constraints.hold.total_seconds()),
            "DisableScaleIn": False,
        },
    }
    return _policy("ApplicationAutoScaling::ScalingPolicy", address, body, knee)


def _policy(kind: str, address: Address, body: Mapping[str, Any], knee: Knee | None) -> Request:
    if knee is None:
        why = "the usual target of a table"
    elif knee.measured:
        why = f"latency held its objective up to {knee.utilisation:.0%} busy"
    else:
        why = f"no latency tells how busy it may be: {knee.utilisation:.0%} is assumed"
    return Request(kind=kind, address=address, name=str(body["PolicyName"]), body=body, expires=None, why=why)


def _scalable(address: Address, least: int, most: int) -> Request:
    body = {**address.target, "MinCapacity": least, "MaxCapacity": most}
    return Request(
        kind="ApplicationAutoScaling::ScalableTarget",
        address=address,
        name=address.name,
        body=body,
        expires=None,
        why="what scheduled actions and target tracking act on",
    )


def _busy(knee: Knee | None) -> float:
    if knee is None:
        raise UsageError("a table is no fleet of instances", where="--aws", hint=f"such as {_EXAMPLES}")
    return round(100 * knee.utilisation, 1)


def _action_name(start: datetime) -> str:
    return f"{PREFIX}{start:%Y%m%dT%H%MZ}"


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def expiry(made: Sequence[Request]) -> datetime | None:
    """When the last action has lost its force."""
    return max((r.expires for r in made if r.expires is not None), default=None)
