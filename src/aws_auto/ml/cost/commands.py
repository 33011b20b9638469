"""The exact AWS CLI command for a recommendation, with its names filled in, and the way back; text, never run.

A resource whose id does not hold what the command needs gets a step in the console instead.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aws_auto.ml.cost.running import Office


@dataclass(frozen=True)
class Way:
    """How a class of resource is taken away or switched off, with ``{id}`` and ``{region}`` to be filled in.

    Attributes:
        name: a regular expression whose first group is what the command calls the resource.
        off: the command.
        on: the way back.
        first: what must be done before, None for nothing.
    """

    name: str
    off: str
    on: str
    first: str | None = None


_REGION = "--region {region}"
#: What `create-dev-endpoint` takes of what `get-dev-endpoint` gives.
_GLUE = (
    "{EndpointName, RoleArn, SecurityGroupIds, SubnetId, PublicKeys, NumberOfNodes, WorkerType, NumberOfWorkers,"
    " GlueVersion, SecurityConfiguration, ExtraPythonLibsS3Path, ExtraJarsS3Path, Arguments}"
)
_TGW = "transit-gateway-vpc-attachment"
_STOP: Mapping[str, Way] = {
    "EC2 instance": Way(
        r"(i-[0-9a-f]+)$",
        f"aws ec2 stop-instances {_REGION} --instance-ids {{id}}",
        f"aws ec2 start-instances {_REGION} --instance-ids {{id}}",
    ),
    "RDS instance": Way(
        r":db:([\w-]+)$",
        f"aws rds stop-db-instance {_REGION} --db-instance-identifier {{id}}",
        f"aws rds start-db-instance {_REGION} --db-instance-identifier {{id}}",
    ),
    "SageMaker notebook": Way(
        r":notebook-instance/([\w-]+)$",
        f"aws sagemaker stop-notebook-instance {_REGION} --notebook-instance-name {{id}}",
        f"aws sagemaker start-notebook-instance {_REGION} --notebook-instance-name {{id}}",
    ),
    "Redshift node": Way(
        r":cluster:([\w-]+)$",
        f"aws redshift pause-cluster {_REGION} --cluster-identifier {{id}}",
        f"aws redshift resume-cluster {_REGION} --cluster-identifier {{id}}",
    ),
    "Glue development endpoint": Way(
        r":devEndpoint/([\w.-]+)$",
        f"aws glue delete-dev-endpoint {_REGION} --endpoint-name {{id}}",
        f"aws glue create-dev-endpoint {_REGION} --cli-input-json file://{{id}}.json",
        f"aws glue get-dev-endpoint {_REGION} --endpoint-name {{id}} --query DevEndpoint | jq '{_GLUE}"
        " | with_entries(select(.value != null and .value != 0))' > {id}.json",
    ),
    "Glue interactive session": Way(
        r":session/([\w.-]+)$",
        f"aws glue stop-session {_REGION} --id {{id}}",
        "start a new session from the notebook, with an idle timeout: %idle_timeout 30",
    ),
}
_DELETE: Mapping[str, Way] = {
    **_STOP,
    "unused public address": Way(
        r"(eipalloc-[0-9a-f]+)$",
        f"aws ec2 release-address {_REGION} --allocation-id {{id}}",
        f"aws ec2 allocate-address {_REGION} --domain vpc (another address; the old one may be gone)",
    ),
    "load balancer": Way(
        r"^(arn:[\w:-]+:loadbalancer/(?:app|net|gwy)/.+)$",
        f"aws elbv2 delete-load-balancer {_REGION} --load-balancer-arn {{id}}",
        "create it again from the saved description (its DNS name will be another)",
        f"aws elbv2 describe-load-balancers {_REGION} --load-balancer-arns {{id}} > load-balancer.json",
    ),
    "NAT gateway": Way(
        r"(nat-[0-9a-f]+)$",
        f"aws ec2 delete-nat-gateway {_REGION} --nat-gateway-id {{id}}",
        "aws ec2 create-nat-gateway with the saved subnet and address, then the saved routes",
        f"aws ec2 describe-nat-gateways {_REGION} --nat-gateway-ids {{id}} > {{id}}.json",
    ),
    "VPC endpoint": Way(
        r"(vpce-[0-9a-f]+)$",
        f"aws ec2 delete-vpc-endpoints {_REGION} --vpc-endpoint-ids {{id}}",
        "aws ec2 create-vpc-endpoint with the saved description",
        f"aws ec2 describe-vpc-endpoints {_REGION} --vpc-endpoint-ids {{id}} > {{id}}.json",
    ),
    "transit gateway attachment": Way(
        r"(tgw-attach-[0-9a-f]+)$",
        f"aws ec2 delete-{_TGW} {_REGION} --transit-gateway-attachment-id {{id}}",
        f"aws ec2 create-{_TGW} with the saved description",
        f"aws ec2 describe-{_TGW}s {_REGION} --transit-gateway-attachment-ids {{id}} > {{id}}.json",
    ),
    "Kinesis shard": Way(
        r":stream/([\w.-]+)$",
        f"aws kinesis delete-stream {_REGION} --stream-name {{id}}",
        "aws kinesis create-stream with the saved shard count; records are lost",
        f"aws kinesis describe-stream-summary {_REGION} --stream-name {{id}} > {{id}}.json",
    ),
    **{
        name: Way(
            r"(vol-[0-9a-f]+)$",
            f"aws ec2 delete-volume {_REGION} --volume-id {{id}}",
            f"aws ec2 create-volume {_REGION} from the snapshot, in the volume's old availability zone",
            f"aws ec2 create-snapshot {_REGION} --volume-id {{id}} --description 'before deletion'",
        )
        for name in ("EBS volume", "magnetic volume")
    },
}


def delete(what: str, resources: tuple[str, ...], region: str | None) -> tuple[str, str]:
    """The commands that take these away, one a line, and the way back."""
    lines, back = [], []
    for resource in resources:
        way = _filled(_DELETE.get(what), resource, region)
        if way is None:
            again = "make it again from the settings that you saved before"
            return _console(what, resources, region, "save its settings, then delete it"), again
        lines += [line for line in (way.first, way.off) if line]
        back.append(way.on)
    return "\n".join(lines), "\n".join(dict.fromkeys(back))


def stop(what: str, resource: str, region: str | None) -> tuple[str, str]:
    """The command that switches this off and keeps it, and the way back."""
    way = _filled(_STOP.get(what), resource, region)
    if way is None:
        return _console(what, (resource,), region, "stop it"), "start it again in the console"
    return "\n".join([*([way.first] if way.first else []), way.off]), way.on


def schedule(what: str, resource: str, region: str | None, office: Office) -> tuple[str, str]:
    """Two lines for cron (off in the evening, on in the morning of weekdays), and the way back."""
    way = _filled(_STOP.get(what), resource, region)
    if way is None:
        step = f"have a schedule run it from {office.opens}:00 to {office.closes % 24}:00 ({office.tz}) on weekdays"
        return _console(what, (resource,), region, step), "take the schedule away and start it"
    evening = f"{office.closes % 24} * * {'1-5' if office.closes < 24 else '2-6'}"
    lines = [f"CRON_TZ={office.tz}", f"0 {evening} {way.off}"]
    if way.on.startswith("aws "):
        lines.append(f"0 {office.opens} * * 1-5 {way.on}")
    return "\n".join([*([way.first] if way.first else []), *lines]), f"take the two lines out of cron; {way.on}"


def sell(commitment_id: str, region: str | None, *, return_by: datetime | None = None) -> tuple[str, str]:
    """What can be done about an unused commitment: look, exchange, sell or return it; none of it by a program.

    Args:
        commitment_id: its ARN.
        region: of a reservation.
        return_by: until when a plan can be returned; None where it no longer can.
    """
    plan = re.search(r":savingsplan/([0-9a-f-]{36})$", commitment_id)
    if plan and return_by:
        back = f"none; another plan can be bought at once. It can be returned until {return_by:%Y-%m-%d %H:%M} UTC"
        return f"aws savingsplans return-savings-plan --savings-plan-id {plan.group(1)}", back
    found = re.search(r"reserved-instances/([0-9a-f-]{36})$", commitment_id)
    place = f" --region {region}" if region else ""
    if not found:
        step = "console: Billing and Cost Management > Savings Plans > Utilization report"
        return f"{step}; a plan cannot be sold, only returned within 7 days of its purchase", "nothing was changed"
    look = f"aws ec2 describe-reserved-instances{place} --reserved-instances-ids {found.group(1)}"
    step = "console: EC2 > Reserved Instances > Actions > Sell Reserved Instances (standard) or Exchange (convertible)"
    back = "a listing can be cancelled while it is not sold: aws ec2 cancel-reserved-instances-listing"
    return f"{look}\n{step}; or start instances that it covers in place of others", back


def resize(resource: str, kind: str, region: str | None) -> str:
    """The commands that stop a machine, give it that instance type, and start it."""
    name = _machine(resource)
    if name is None or region is None:
        return f"console, EC2: stop {resource}; Actions > Instance settings > Change instance type: {kind}; start it"
    place = f"--region {shlex.quote(region)}"
    return "\n".join(
        (
            f"aws ec2 stop-instances {place} --instance-ids {name}",
            f"aws ec2 wait instance-stopped {place} --instance-ids {name}",
            f"aws ec2 modify-instance-attribute {place} --instance-id {name} --instance-type Value={kind}",
            f"aws ec2 start-instances {place} --instance-ids {name}",
        )
    )


def look(resource: str, region: str | None) -> str:
    """The command that says whether a machine's image has the network driver of newer families."""
    name = _machine(resource)
    if name is None or region is None:
        return f"console, EC2: open {resource}; check that ENA support is enabled"
    query = "--query 'Reservations[].Instances[].EnaSupport'"
    return f"aws ec2 describe-instances --region {shlex.quote(region)} --instance-ids {name} {query}"


def other_architecture(resource: str, kind: str, region: str | None) -> tuple[str, str]:
    """How a machine gets another architecture, and the way back: a new one beside it, for it cannot be changed."""
    name, place = _machine(resource), f"--region {shlex.quote(region)}" if region else ""
    if name is None or not place:
        step = f"console, EC2: launch a {kind} from an arm64 image beside {resource}; move its work; stop the old one"
        return step, f"console, EC2: start {resource}; move its work back"
    lines = (
        f"aws ec2 describe-images {place} --owners self --filters Name=architecture,Values=arm64",
        f"console, EC2 > Launch instances: such an image, {kind}, subnet, groups and role of {name}; move its work",
        f"aws ec2 stop-instances {place} --instance-ids {name}",
    )
    return "\n".join(lines), f"aws ec2 start-instances {place} --instance-ids {name}; move its work back"


def volume(
    resource: str, region: str | None, kind: str, *, iops: int | None = None, throughput: int | None = None
) -> str:
    """The command that gives a volume that type."""
    found = re.search(r"(vol-[0-9a-f]+)$", resource)
    more = (f" --iops {iops}" if iops else "") + (f" --throughput {throughput}" if throughput else "")
    if found is None or region is None:
        return f"console, EC2 > Volumes: modify {resource}: type {kind}{more.replace(' --', ', ')}"
    place = f"--region {shlex.quote(region)}"
    return f"aws ec2 modify-volume {place} --volume-id {found.group(1)} --volume-type {kind}{more}"


def infrequent(bucket: str) -> tuple[str, str]:
    """How a bucket's objects get to infrequent access, and the way back; its present rules are looked at first."""
    name = shlex.quote(bucket.rsplit(":", 1)[-1])
    look_first = f"aws s3api get-bucket-lifecycle-configuration --bucket {name}"
    step = f"console: S3 > {name} > Management > Create lifecycle rule: current versions to Standard-IA after 30 days"
    back = f"console: S3 > {name} > Management: delete the rule; then aws s3 cp s3://{name} s3://{name} --recursive"
    return f"{look_first}\n{step}", f"{back} --storage-class STANDARD"


def _machine(resource: str) -> str | None:
    found = re.search(r"(i-[0-9a-f]+)$", resource)
    return found.group(1) if found else None


def _filled(way: Way | None, resource: str, region: str | None) -> Way | None:
    found = re.search(way.name, resource) if way else None
    if way is None or found is None or region is None:
        return None
    name = shlex.quote(found.group(1))

    def fill(text: str) -> str:
        return text.replace("{id}", name).replace("{region}", shlex.quote(region))

    return Way(way.name, fill(way.off), fill(way.on), fill(way.first) if way.first else None)


def _console(what: str, resources: tuple[str, ...], region: str | None, step: str) -> str:
    return f"console, {region or 'global'}: open the {what} {', '.join(resources)}; {step}"
