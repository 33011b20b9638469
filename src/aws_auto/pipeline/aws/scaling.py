"""Scheduled actions and target tracking as they are in AWS, and the calls that change them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any

from aws_auto.ml.scaling.aws_plan import OPERATIONS, PREFIX, Address, Bounds
from aws_auto.pipeline.aws.calls import Caller
from aws_auto.pipeline.plan import Delete, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from aws_auto.pipeline.plan import Change
    from aws_auto.pipeline.ports import Clock

#: What reading needs, and what applying needs besides.
READS = (
    "application-autoscaling:DescribeScalableTargets",
    "application-autoscaling:DescribeScalingPolicies",
    "application-autoscaling:DescribeScheduledActions",
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribePolicies",
    "autoscaling:DescribeScheduledActions",
)
WRITES = (
    "application-autoscaling:DeleteScheduledAction",
    "application-autoscaling:PutScalingPolicy",
    "application-autoscaling:PutScheduledAction",
    "application-autoscaling:RegisterScalableTarget",
    "autoscaling:DeleteScheduledAction",
    "autoscaling:PutScalingPolicy",
    "autoscaling:PutScheduledUpdateGroupAction",
)
#: Of Application Auto Scaling's policies, what we set.
_TRACKING = (
    "TargetValue",
    "PredefinedMetricSpecification",
    "ScaleOutCooldown",
    "ScaleInCooldown",
    "DisableScaleIn",
)


@dataclass(frozen=True)
class AwsScaling:
    """Reads and writes through one caller."""

    caller: Caller

    def bounds(self, addresses: Iterable[Address]) -> dict[Address, Bounds]:
        """Bounds of the fleets that are there, as they stand without a plan of ours.

        While floors of ours stand, the present minimum is ours as well; what they give back at the end is the true one.

        Raises:
            CredentialsError: AWS does not know us.
            AwsCallError: AWS refused.
        """
        found = {}
        for address in addresses:
            keys = ("MinSize", "MaxSize") if address.kind == "autoscaling" else ("MinCapacity", "MaxCapacity")
            for there in self._targets(address):
                ours = [dict(r.properties) for r in self._ours(address) if r.kind.endswith("::ScheduledAction")]
                last = max(ours, key=lambda b: str(b["ScheduledActionName"]), default={})
                given_back = last.get("MinSize", last.get("ScalableTargetAction", {}).get("MinCapacity"))
                least = there[keys[0]] if given_back is None else given_back
                found[address] = Bounds(int(least), int(there[keys[1]]))
        return found

    def observe(self, addresses: Iterable[Address]) -> dict[str, Resource]:
        """What is there and is ours (by its name), and the scalable targets, in the shape of a plan.

        Raises:
            CredentialsError: AWS does not know us.
            AwsCallError: AWS refused.
        """
        return {r.key: r for address in addresses for r in self._ours(address)}

    def apply(self, change: Change) -> None:
        """Do one change.

        Raises:
            AwsCallError: AWS refused; what was done before it stands.
        """
        if isinstance(change, Delete):
            service, body = _deletion(change.old)
            self.caller.call(service, "DeleteScheduledAction", body)
            return
        service, operation = OPERATIONS[change.new.kind]
        self.caller.call(service, operation, dict(change.new.properties))

    def _ours(self, address: Address) -> Iterator[Resource]:
        return self._group(address) if address.kind == "autoscaling" else self._application(address)

    def _targets(self, address: Address) -> Iterator[dict[str, Any]]:
        if address.kind == "autoscaling":
            yield from self.caller.call(
                "autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroupNames": [address.name]}
            ).get("AutoScalingGroups", ())
            return
        asked = {
            "ServiceNamespace": address.kind,
            "ResourceIds": [address.name],
            "ScalableDimension": address.dimension,
        }
        yield from self.caller.call("application-autoscaling", "DescribeScalableTargets", asked).get(
            "ScalableTargets", ()
        )

    def _group(self, address: Address) -> Iterator[Resource]:
        asked = {"AutoScalingGroupName": address.name}
        for page in self.caller.pages("autoscaling", "DescribeScheduledActions", asked):
            for action in page.get("ScheduledUpdateGroupActions", ()):
                if action["ScheduledActionName"].startswith(PREFIX) and not action.get("Recurrence"):
                    keys = ("AutoScalingGroupName", "ScheduledActionName", "MinSize", "MaxSize")
                    start = action["StartTime"].astimezone(UTC)
                    body = {k: action[k] for k in keys if k in action} | {"StartTime": f"{start:%Y-%m-%dT%H:%M:%SZ}"}
                    yield resource("AutoScaling::ScheduledAction", address, action["ScheduledActionName"], body)
        for page in self.caller.pages("autoscaling", "DescribePolicies", asked):
            for policy in page.get("ScalingPolicies", ()):
                if policy["PolicyName"].startswith(PREFIX):
                    keys = ("AutoScalingGroupName", "PolicyName", "PolicyType", "EstimatedInstanceWarmup")
                    body = {k: policy[k] for k in keys if k in policy}
                    body["TargetTrackingConfiguration"] = policy.get("TargetTrackingConfiguration", {})
                    yield resource("AutoScaling::ScalingPolicy", address, policy["PolicyName"], body)

    def _application(self, address: Address) -> Iterator[Resource]:
        for target in self._targets(address):
            body = {**address.target, "MinCapacity": target["MinCapacity"], "MaxCapacity": target["MaxCapacity"]}
            yield resource("ApplicationAutoScaling::ScalableTarget", address, address.name, body)
        for page in self.caller.pages("application-autoscaling", "DescribeScheduledActions", address.target):
            for action in page.get("ScheduledActions", ()):
                if action["ScheduledActionName"].startswith(PREFIX):
                    keys = ("ScheduledActionName", "Schedule", "Timezone", "ScalableTargetAction")
                    body = {**address.target, **{k: action[k] for k in keys if k in action}}
                    kind = "ApplicationAutoScaling::ScheduledAction"
                    yield resource(kind, address, action["ScheduledActionName"], body)
        for page in self.caller.pages("application-autoscaling", "DescribeScalingPolicies", address.target):
            for policy in page.get("ScalingPolicies", ()):
                if policy["PolicyName"].startswith(PREFIX):
                    tracking = policy.get("TargetTrackingScalingPolicyConfiguration", {})
                    body = {
                        **address.target,
                        "PolicyName": policy["PolicyName"],
                        "PolicyType": policy["PolicyType"],
                        "TargetTrackingScalingPolicyConfiguration": {
                            k: tracking[k] for k in _TRACKING if k in tracking
                        },
                    }
                    yield resource("ApplicationAutoScaling::ScalingPolicy", address, policy["PolicyName"], body)


def open_scaling(environ: Mapping[str, str], clock: Clock, *, region: str | None = None) -> AwsScaling:
    """The account that these environment variables stand for."""
    import numpy as np

    from aws_auto.pipeline.aws.session import Clients

    # Only spreads waits between attempts: two processes must not wait in step, so nothing is seeded here.
    return AwsScaling(Caller(Clients(environ, region=region), clock, np.random.default_rng()))


def resource(kind: str, address: Address, name: str, body: Mapping[str, Any]) -> Resource:
    """One thing in the words of a plan."""
    return Resource(kind=kind, name=f"{address}/{name}", properties=body)


def _deletion(old: Resource) -> tuple[str, dict[str, Any]]:
    """Service and arguments of the call that deletes a scheduled action; nothing else is ever deleted."""
    service = OPERATIONS[old.kind][0]
    keys = ("AutoScalingGroupName", "ServiceNamespace", "ResourceId", "ScalableDimension", "ScheduledActionName")
    return service, {k: old.properties[k] for k in keys if k in old.properties}
