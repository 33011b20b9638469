"""What there is, and the facts about it that do not change by the minute: type, zone, purchase option, version, tags.

A service that refuses to be listed does not stop the others: its sentence is kept in `Discovery.refused`, and the
metrics of its resources are kept with unknown facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aws_auto.errors import AwsCallError
from aws_auto.pipeline.aws import vocabulary
from aws_auto.pipeline.aws.calls import Tokens, denied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from aws_auto.pipeline.aws.calls import Caller
    from aws_auto.pipeline.aws.session import Place

#: What the calls of this file need; all of them are free, and none of them writes.
PERMISSIONS = (
    "autoscaling:DescribeAutoScalingGroups",
    "ec2:DescribeInstances",
    "ecs:DescribeServices",
    "ecs:ListClusters",
    "ecs:ListServices",
    "elasticloadbalancing:DescribeLoadBalancers",
    "elasticloadbalancing:DescribeTags",
    "lambda:ListFunctions",
    "rds:DescribeDBInstances",
    "tag:GetResources",
)

MARKER = Tokens("Marker", "NextMarker")

_BEFORE_NAMES = ("autoScalingGroup:*:autoScalingGroupName/", "loadbalancer/", "db:", "function:", "service/", "table/")

Facts = dict[str, str | None]


@dataclass(frozen=True, kw_only=True)
class Discovery:
    """What was found.

    Attributes:
        resources: one mapping each, with ``resource_id``, ``resource_name``, ``resource_type`` and the facts known.
        refused: one sentence for each service that we may not list.
    """

    resources: tuple[Facts, ...]
    refused: tuple[str, ...] = ()


def discover(caller: Caller, place: Place) -> Discovery:
    """Everything of the kinds that the vocabulary knows, in one account and region.

    Raises:
        CredentialsError: AWS does not know us.
        AwsCallError: a call failed for another reason than a missing permission.
    """
    found: list[Facts] = []
    refused = []
    for kind, finder in _FINDERS.items():
        try:
            found.extend({**_where(place), **facts} for facts in finder(caller, place))
        except AwsCallError as error:
            if not denied(error):
                raise
            refused.append(f"{kind}: facts unknown, because {error}; {error.hint}")
    return Discovery(resources=tuple(found), refused=tuple(refused))


def name_of(resource_id: str) -> str:
    """A short name for people: the end of an ARN, or the id itself."""
    if not resource_id.startswith("arn:"):
        return resource_id
    tail = resource_id.split(":", 5)[-1]
    for prefix in (
        "autoScalingGroup:*:autoScalingGroupName/",
        "loadbalancer/",
        "db:",
        "function:",
        "service/",
        "table/",
    ):
        if tail.startswith(prefix):
            return tail.removeprefix(prefix)
    return tail


def identify(template: str, place: Place, dimensions: Mapping[str, str]) -> str:
    """The id that the bill uses for the resource with those CloudWatch dimensions."""
    return template.format(partition=place.partition, region=place.region, account=place.account, **dimensions)


def _where(place: Place) -> Facts:
    return {"region": place.region, "account": place.account}


def _facts(
    resource_type: str, template: str, place: Place, dimensions: Mapping[str, str], **known: str | None
) -> Facts:
    resource_id = identify(template, place, dimensions)
    return {
        "resource_id": resource_id,
        "resource_name": name_of(resource_id),
        "resource_type": resource_type,
        **known,
    }


def _tags(tags: Iterable[Mapping[str, Any]] | None, *, key: str = "Key", value: str = "Value") -> Facts:
    return {f"tag_{tag[key]}": tag.get(value) for tag in tags or ()}


def _text(value: float | None) -> str | None:
    return None if value is None else str(value)


def _joined(values: Iterable[str | None]) -> str | None:
    return ",".join(sorted({v for v in values if v})) or None


def _instances(caller: Caller, place: Place) -> Iterator[Facts]:
    for page in caller.pages("ec2", "DescribeInstances", {"MaxResults": 1000}):
        for instance in (i for reservation in page.get("Reservations", ()) for i in reservation.get("Instances", ())):
            if instance.get("State", {}).get("Name") == "terminated":
                continue
            yield _facts(
                "ec2",
                vocabulary.INSTANCE,
                place,
                {"InstanceId": instance["InstanceId"]},
                instance_type=instance.get("InstanceType"),
                availability_zone=instance.get("Placement", {}).get("AvailabilityZone"),
                purchase_option=instance.get("InstanceLifecycle") or "on-demand",
                dedicated_host=instance.get("Placement", {}).get("HostId"),
                **_tags(instance.get("Tags")),
            )


def _groups(caller: Caller, place: Place) -> Iterator[Facts]:
    for page in caller.pages("autoscaling", "DescribeAutoScalingGroups", {"MaxRecords": 100}):
        for group in page.get("AutoScalingGroups", ()):
            yield _facts(
                "asg",
                vocabulary.GROUP,
                place,
                {"AutoScalingGroupName": group["AutoScalingGroupName"]},
                instance_type=_joined(i.get("InstanceType") for i in group.get("Instances", ())),
                availability_zone=_joined(group.get("AvailabilityZones", ())),
                version=_joined(i.get("LaunchTemplate", {}).get("Version") for i in group.get("Instances", ())),
                **_tags(group.get("Tags")),
            )


def _balancers(caller: Caller, place: Place) -> Iterator[Facts]:
    for page in caller.pages("elbv2", "DescribeLoadBalancers", tokens=MARKER):
        wanted = {b["LoadBalancerArn"]: b for b in page.get("LoadBalancers", ()) if b.get("Type") == "application"}
        tags = _described_tags(caller, "elbv2", "ResourceArns", "ResourceArn", list(wanted))
        for arn, balancer in wanted.items():
            yield _facts(
                "elb",
                vocabulary.BALANCER,
                place,
                {"LoadBalancer": arn.partition(":loadbalancer/")[2]},
                availability_zone=_joined(z.get("ZoneName") for z in balancer.get("AvailabilityZones", ())),
                **tags.get(arn, {}),
            )


def _classic_balancers(caller: Caller, place: Place) -> Iterator[Facts]:
    for page in caller.pages("elb", "DescribeLoadBalancers", tokens=MARKER):
        named = {b["LoadBalancerName"]: b for b in page.get("LoadBalancerDescriptions", ())}
        tags = _described_tags(caller, "elb", "LoadBalancerNames", "LoadBalancerName", list(named))
        for name, balancer in named.items():
            yield _facts(
                "elb",
                vocabulary.CLASSIC,
                place,
                {"LoadBalancerName": name},
                availability_zone=_joined(balancer.get("AvailabilityZones", ())),
                **tags.get(name, {}),
            )


def _described_tags(caller: Caller, service: str, argument: str, key: str, names: Sequence[str]) -> dict[str, Facts]:
    """Tags by name or ARN; the API takes twenty at a time."""
    tags: dict[str, Facts] = {}
    for some in _groups_of(20, names):
        answer = caller.call(service, "DescribeTags", {argument: some})
        tags |= {d[key]: _tags(d.get("Tags")) for d in answer.get("TagDescriptions", ())}
    return tags


def _databases(caller: Caller, place: Place) -> Iterator[Facts]:
    for page in caller.pages("rds", "DescribeDBInstances", {"MaxRecords": 100}, tokens=Tokens("Marker", "Marker")):
        for database in page.get("DBInstances", ()):
            yield _facts(
                "rds",
                vocabulary.DATABASE,
                place,
                {"DBInstanceIdentifier": database["DBInstanceIdentifier"]},
                instance_type=database.get("DBInstanceClass"),
                allocated_storage_gib=_text(database.get("AllocatedStorage")),
                availability_zone=database.get("AvailabilityZone"),
                **_tags(database.get("TagList")),
            )


def _functions(caller: Caller, place: Place) -> Iterator[Facts]:
    changed = {
        function["FunctionName"]: function.get("LastModified")
        for page in caller.pages("lambda", "ListFunctions", tokens=MARKER)
        for function in page.get("Functions", ())
    }
    tags: dict[str, Facts] = {}
    if changed:
        request = {"ResourceTypeFilters": ["lambda:function"]}
        tokens = Tokens("PaginationToken", "PaginationToken")
        pages = caller.pages("resourcegroupstaggingapi", "GetResources", request, tokens=tokens)
        tags = {r["ResourceARN"]: _tags(r.get("Tags")) for p in pages for r in p.get("ResourceTagMappingList", ())}
    for name, version in changed.items():
        facts = _facts("lambda", vocabulary.FUNCTION, place, {"FunctionName": name}, version=version)
        yield {**facts, **tags.get(str(facts["resource_id"]), {})}


def _services(caller: Caller, place: Place) -> Iterator[Facts]:
    tokens = Tokens("nextToken", "nextToken")
    for clusters in caller.pages("ecs", "ListClusters", tokens=tokens):
        for cluster in clusters.get("clusterArns", ()):
            for page in caller.pages("ecs", "ListServices", {"cluster": cluster}, tokens=tokens):
                yield from _described_services(caller, place, cluster, page.get("serviceArns", ()))


def _described_services(caller: Caller, place: Place, cluster: str, arns: Sequence[str]) -> Iterator[Facts]:
    for some in _groups_of(10, arns):
        answer = caller.call("ecs", "DescribeServices", {"cluster": cluster, "services": some, "include": ["TAGS"]})
        for service in answer.get("services", ()):
            providers = {p.get("capacityProvider") for p in service.get("capacityProviderStrategy", ())}
            yield _facts(
                "ecs",
                vocabulary.SERVICE,
                place,
                {"ClusterName": cluster.rpartition("/")[2], "ServiceName": service["serviceName"]},
                service=service["serviceName"],
                purchase_option="spot" if providers == {"FARGATE_SPOT"} else None,
                version=service.get("taskDefinition", "").rpartition("/")[2] or None,
                **_tags(service.get("tags"), key="key", value="value"),
            )


def _groups_of(size: int, items: Sequence[str]) -> Iterator[list[str]]:
    return ([*items[i : i + size]] for i in range(0, len(items), size))


_FINDERS: Mapping[str, Callable[[Caller, Place], Iterator[Facts]]] = {
    "EC2 instances": _instances,
    "Auto Scaling groups": _groups,
    "application load balancers": _balancers,
    "classic load balancers": _classic_balancers,
    "RDS instances": _databases,
    "Lambda functions": _functions,
    "ECS services": _services,
}
