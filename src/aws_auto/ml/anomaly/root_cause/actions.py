"""What a person can do about a pattern: commands to copy, each with its risk. Nothing here runs by itself."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.frame import RESOURCE
from aws_auto.ml.anomaly.root_cause.results import Action

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_auto.frame import MetricFrame
    from aws_auto.ml.anomaly.root_cause.results import Incident, PatternMatch

ANY = "*"


@dataclass(frozen=True)
class Step:
    """A step by resource type; a type that is not named has ``*``, and without ``*`` the step is left out.

    Commands may use ``{id}`` (what the bill calls it), ``{name}`` (what its service calls it), ``{cluster}``,
    ``{region}``, ``{zone}``, ``{service}``, ``{start}``, ``{before}`` (two hours earlier) and ``{end}``.
    """

    title: str
    commands: Mapping[str, str]
    risk: str
    changes: bool = True


_NO_RISK = "reads only"

_EVENTS = Step(
    "See who changed it shortly before",
    {
        ANY: "aws cloudtrail lookup-events --region {region} --start-time {before} --end-time {end}"
        " --lookup-attributes AttributeKey=ResourceName,AttributeValue={name}"
    },
    _NO_RISK,
    changes=False,
)
_LOOK = Step(
    "Look at its present state",
    {
        "ec2": "aws ec2 describe-instance-status --region {region} --include-all-instances --instance-ids {name}",
        "asg": "aws autoscaling describe-scaling-activities --region {region} --auto-scaling-group-name {name}"
        " --max-items 20",
        "rds": "aws rds describe-events --region {region} --source-type db-instance --duration 360"
        " --source-identifier {name}",
        "ecs": "aws ecs describe-services --region {region} --cluster {cluster} --services {name}",
        "lambda": "aws lambda get-function-configuration --region {region} --function-name {name}",
        "dynamodb": "aws dynamodb describe-table --region {region} --table-name {name}",
        "elb": "aws elbv2 describe-target-health --region {region} --target-group-arn <target group of {name}>",
        ANY: "console: CloudWatch > Metrics > search for {name}, {start} to {end}",
    },
    _NO_RISK,
    changes=False,
)
_VERSIONS = Step(
    "See its latest releases",
    {
        "ecs": "aws ecs describe-services --region {region} --cluster {cluster} --services {name}"
        " --query services[].deployments",
        "lambda": "aws lambda list-versions-by-function --region {region} --function-name {name}",
        "asg": "aws autoscaling describe-instance-refreshes --region {region} --auto-scaling-group-name {name}",
        ANY: "console: CodeDeploy > Deployments > {service}",
    },
    _NO_RISK,
    changes=False,
)
_RESTART = Step(
    "Restart it",
    {
        "ec2": "aws ec2 reboot-instances --region {region} --instance-ids {name}",
        "asg": "aws autoscaling start-instance-refresh --region {region} --auto-scaling-group-name {name}"
        " --preferences MinHealthyPercentage=90",
        "ecs": "aws ecs update-service --region {region} --cluster {cluster} --service {name} --force-new-deployment",
        "rds": "aws rds reboot-db-instance --region {region} --db-instance-identifier {name}",
        "lambda": "aws lambda update-function-configuration --region {region} --function-name {name}"
        " --description restarted",
    },
    "requests in flight are lost, and a heap dump for the search of the fault is no longer possible: take it first",
)
_SCALE_OUT = Step(
    "Add capacity",
    {
        "asg": "aws autoscaling set-desired-capacity --region {region} --auto-scaling-group-name {name}"
        " --desired-capacity <present size plus a half>",
        "ecs": "aws ecs update-service --region {region} --cluster {cluster} --service {name}"
        " --desired-count <present count plus a half>",
        "rds": "aws rds create-db-instance-read-replica --region {region} --source-db-instance-identifier {name}"
        " --db-instance-identifier <name of the replica>",
        "lambda": "aws lambda put-function-concurrency --region {region} --function-name {name}"
        " --reserved-concurrent-executions <more than now>",
        "dynamodb": "aws dynamodb update-table --region {region} --table-name {name} --billing-mode PAY_PER_REQUEST",
        "ec2": "console: EC2 > {name} > stop, change the instance type, start",
        "elb": "console: EC2 > Target groups of {name}: add targets, or scale the group behind it",
    },
    "costs more as long as it runs, and moves the load on to what lies behind it; scale in again afterwards",
)
_ROLL_BACK = Step(
    "Go back to the version before",
    {
        "ecs": "aws ecs update-service --region {region} --cluster {cluster} --service {name}"
        " --task-definition <family:previous revision>",
        "lambda": "aws lambda update-alias --region {region} --function-name {name} --name <alias>"
        " --function-version <previous version>",
        "asg": "aws autoscaling rollback-instance-refresh --region {region} --auto-scaling-group-name {name}",
        ANY: "console: CodeDeploy > Deployments > last successful deployment of {service} > Redeploy",
    },
    "changes of the data schema that came with the release may not be readable by the old version",
)
_LIMIT = Step(
    "Refuse or delay a part of the demand",
    {
        "elb": "aws wafv2 create-web-acl --region {region} --scope REGIONAL --name limit --cli-input-json"
        " file://<rate rule>.json",
        "lambda": "aws lambda put-function-concurrency --region {region} --function-name {name}"
        " --reserved-concurrent-executions <less than now>",
        ANY: "console: API Gateway > Usage plans, or the retry settings of those who call {name}",
    },
    "a limit that is too low refuses honest users; count only (Action Count) before you block",
)
_QUOTA = Step(
    "Compare with the limit that it ran into",
    {
        "lambda": "aws lambda get-function-concurrency --region {region} --function-name {name}",
        ANY: "aws service-quotas list-service-quotas --region {region} --service-code <code of {service}>",
    },
    _NO_RISK,
    changes=False,
)
_BACK_OFF = Step(
    "Make the callers wait longer between their attempts",
    {ANY: "console: the retry settings of those who call {name}: backoff with jitter, fewer attempts"},
    "callers that give up early fail their own callers",
)

STEPS: Mapping[str, tuple[Step, ...]] = {
    "memory_leak": (_EVENTS, _RESTART, _ROLL_BACK),
    "cpu_saturation": (_EVENTS, _SCALE_OUT, _ROLL_BACK),
    "traffic_surge": (_LOOK, _SCALE_OUT, _LIMIT),
    "deploy": (_VERSIONS, _EVENTS, _ROLL_BACK),
    "throttling": (_QUOTA, _SCALE_OUT, _BACK_OFF),
    "disk_full": (
        Step(
            "Find what fills the disk",
            {
                "ec2": "aws ssm send-command --region {region} --instance-ids {name} --document-name AWS-RunShellScript"
                " --parameters 'commands=[\"du -xh / | sort -h | tail -30\"]'",
                ANY: "console: CloudWatch > Metrics > FreeStorageSpace of {name}",
            },
            "reads only, and takes I/O from a disk that is already busy",
            changes=False,
        ),
        Step(
            "Make the volume larger",
            {
                "ec2": "aws ec2 modify-volume --region {region} --volume-id <volume of {name}> --size <GiB>",
                "rds": "aws rds modify-db-instance --region {region} --db-instance-identifier {name}"
                " --allocated-storage <GiB> --apply-immediately",
            },
            "a volume cannot shrink again, costs more from now on, and cannot be modified again for hours",
        ),
    ),
    "noisy_neighbour": (
        _LOOK,
        Step(
            "Move it to another host",
            {
                "ec2": "aws ec2 stop-instances --region {region} --instance-ids {name} && aws ec2 wait instance-stopped"
                " --region {region} --instance-ids {name} && aws ec2 start-instances"
                " --region {region} --instance-ids {name}",
                "ecs": "aws ecs update-service --region {region} --cluster {cluster} --service {name}"
                " --force-new-deployment",
                "rds": "aws rds reboot-db-instance --region {region} --db-instance-identifier {name} --force-failover",
            },
            "an outage of minutes; data on instance store volumes and a public address that is not elastic are lost",
        ),
    ),
    "credits_spent": (
        Step(
            "See how it bursts",
            {
                "ec2": "aws ec2 describe-instance-credit-specifications --region {region} --instance-ids {name}",
                ANY: "console: CloudWatch > Metrics > search for {name} CreditBalance, BurstBalance, EBSIOBalance%",
            },
            _NO_RISK,
            changes=False,
        ),
        Step(
            "Let its CPU burst without a limit",
            {
                "ec2": "aws ec2 modify-instance-credit-specification --region {region}"
                " --instance-credit-specifications InstanceId={name},CpuCredits=unlimited",
            },
            "every vCPU-hour over the baseline is billed for as long as it stays busy; it does not help a disk",
        ),
        Step(
            "Give it a size that carries its load without bursts",
            {
                "ec2": "console: EC2 > {name} > stop, change the instance type, start; a gp2 volume: modify to gp3",
                "rds": "aws rds modify-db-instance --region {region} --db-instance-identifier {name}"
                " --db-instance-class <larger class> --apply-immediately",
            },
            "an outage of minutes, and it costs more from now on",
        ),
    ),
    "dependency_failure": (_LOOK, _EVENTS, _RESTART, _ROLL_BACK),
    "zone_failure": (
        Step(
            "See whether AWS reports the zone",
            {ANY: "aws health describe-events --region us-east-1 --filter regions={region},availabilityZones={zone}"},
            "reads only; needs a Business support plan, else open the Health Dashboard",
            changes=False,
        ),
        Step(
            "Shift traffic out of the zone",
            {
                ANY: "aws arc-zonal-shift start-zonal-shift --region {region} --away-from <zone id of {zone}>"
                " --expires-in 2h --resource-identifier <load balancer ARN> --comment 'zone in trouble'"
            },
            "the other zones must carry all of the load: see their CPU first; it ends by itself after two hours",
        ),
    ),
    "runaway_usage": (
        _EVENTS,
        Step(
            "Stop the calls for now",
            {
                "lambda": "aws lambda put-function-concurrency --region {region} --function-name {name}"
                " --reserved-concurrent-executions 0",
                ANY: "console: VPC > Flow logs: find who sends through {name}, and stop that job",
            },
            "the work that it does is not done meanwhile; events wait in their queue, and some expire",
        ),
    ),
}
#: When no pattern fits.
UNKNOWN: tuple[Step, ...] = (_LOOK, _EVENTS)


def actions(matched: PatternMatch | None, suspect: str, frame: MetricFrame, asked: Incident) -> tuple[Action, ...]:
    """The steps of the pattern for that resource, looking before changing; for no pattern, where to look."""
    facts = _facts(frame, suspect)
    kind = facts.get("resource_type", "")
    cluster, name = _called(suspect)
    words = {
        "id": shlex.quote(suspect),
        "name": shlex.quote(name),
        "cluster": shlex.quote(cluster) if cluster else "<cluster>",
        "region": _quoted(facts.get("region") or _part(suspect, 3), "<region>"),
        "zone": _quoted(facts.get("availability_zone"), "<zone>"),
        "service": _quoted(facts.get("service"), "<service>"),
        "start": f"{asked.start:%Y-%m-%dT%H:%M:%SZ}",
        "before": f"{asked.start - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{asked.end:%Y-%m-%dT%H:%M:%SZ}",
    }
    steps = STEPS[matched.name] if matched is not None else UNKNOWN
    chosen = ((step, step.commands.get(kind, step.commands.get(ANY))) for step in steps)
    return tuple(
        Action(title=step.title, command=command.format(**words), risk=step.risk, changes=step.changes)
        for step, command in chosen
        if command is not None
    )


def _called(resource: str) -> tuple[str | None, str]:
    """Cluster (of an ECS service) and name, as the service's own commands want them; an ARN is taken apart."""
    if not resource.startswith("arn:"):
        return None, resource
    tail = resource.split(":", 5)[-1]
    kind, _, rest = tail.partition("/") if "/" in tail else tail.partition(":")
    parts = rest.split("/")
    if kind == "service" and len(parts) == 2:
        return parts[0], parts[1]
    if kind == "loadbalancer":
        return None, parts[1] if len(parts) > 2 else parts[0]
    return None, parts[-1]


def _part(resource: str, place: int) -> str | None:
    """A part of an ARN."""
    parts = resource.split(":")
    return parts[place] or None if parts[0] == "arn" and len(parts) > place else None


def _quoted(value: str | None, otherwise: str) -> str:
    return shlex.quote(value) if value else otherwise


def _facts(frame: MetricFrame, resource: str) -> dict[str, str]:
    wanted = [c for c in ("resource_type", "region", "availability_zone", "service") if c in frame.statics]
    if not wanted:
        return {}
    rows = frame.data.filter(pl.col(RESOURCE) == resource)
    last = rows.select(pl.col(wanted).drop_nulls().last().cast(pl.String)).to_dicts()
    return {k: v for k, v in last[0].items() if v is not None} if last else {}
