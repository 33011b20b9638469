"""What an AWS usage type means: the class of thing that is billed, and what a bill can prove about it.

The table goes by the words that AWS writes into ``usage_type`` on every bill, with the prefix of the region taken off.
What is not in it has no meaning here: unknown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

_REGION = re.compile(
    r"^(?:US[EW]\d|EU(?:[NCSW]\d)?|AP[NSE]\d|CA[NW]\d|SAE\d|ME[SC]\d|AFS\d|UG[EW]\d|ILC\d|MXC\d|CPT|[a-z]{2}(?:-[a-z]+)+-\d)-"
)


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """One class of usage type.

    Attributes:
        name: what a person calls it.
        pattern: a regular expression for the usage type without its region.
        role: ``runs`` is billed while it is switched on, ``stores`` while it exists, ``traffic`` for being used,
            ``unused`` for lying idle (AWS bills it for that reason alone).
        traffic: a regular expression for the usage types that are billed when the thing is used; None where a bill has
            no such line and so cannot prove that it is idle.
        interactive: a tool that people develop with: outside working hours it has nothing to do.
        off: how it is switched off: ``stop`` keeps it, ``delete`` needs it to be made again; None where neither is
            a matter of hours.
        collect: what would settle whether it is needed.
    """

    name: str
    pattern: str
    role: Literal["runs", "stores", "traffic", "unused"]
    traffic: str | None = None
    interactive: bool = False
    off: Literal["stop", "delete"] | None = None
    collect: str = ""


_RUNNING_CPU = "CloudWatch CPUUtilization Maximum and NetworkIn/NetworkOut of 14 days (and memory from the agent)"
_CONNECTIONS = "CloudWatch DatabaseConnections Maximum of 14 days"

TABLE: tuple[Meaning, ...] = (
    Meaning(
        name="EC2 instance",
        pattern=r"^(?:BoxUsage|SpotUsage|DedicatedUsage|UnusedBox|UnusedDed)(?::|$)",
        role="runs",
        off="stop",
        collect=_RUNNING_CPU,
    ),
    Meaning(
        name="RDS instance",
        pattern=r"^(?:InstanceUsage|InstanceUsageIOOptimized|Multi-AZUsage|Multi-AZClusterUsage):db\.",
        role="runs",
        off="stop",
        collect=_CONNECTIONS,
    ),
    Meaning(
        name="Glue development endpoint",
        pattern=r"^DEVED-DPU-Hour$",
        role="runs",
        interactive=True,
        off="delete",
        collect="who connects to its notebook, and when (CloudTrail, Glue)",
    ),
    Meaning(
        name="Glue interactive session",
        pattern=r"^GlueInteractiveSession-DPU-Hour$",
        role="runs",
        interactive=True,
        off="delete",
        collect="the session's idle timeout (aws glue get-session)",
    ),
    Meaning(
        name="SageMaker notebook",
        pattern=r"^(?:Notebk|Studio|Studio_Notebook|Studio:JupyterLab|Studio:CodeEditor|Studio:KernelGateway)\S*ml\.",
        role="runs",
        interactive=True,
        off="stop",
        collect="last activity of its kernels (Jupyter), or a lifecycle script that stops it",
    ),
    Meaning(
        name="SageMaker endpoint",
        pattern=r"^Host(?:ing)?:ml\.",
        role="runs",
        off="delete",
        collect="CloudWatch Invocations Sum of 14 days",
    ),
    Meaning(
        name="ElastiCache node",
        pattern=r"^NodeUsage:cache\.",
        role="runs",
        collect="CloudWatch CurrConnections and CacheHits of 14 days",
    ),
    Meaning(
        name="Redshift node",
        pattern=r"^Node:(?:dc|ds|ra)\d",
        role="runs",
        off="stop",
        collect=_CONNECTIONS + " (Redshift)",
    ),
    Meaning(
        name="OpenSearch node",
        pattern=r"^ESInstance:",
        role="runs",
        collect="CloudWatch SearchRate and IndexingRate of 14 days",
    ),
    Meaning(
        name="EMR instance fee", pattern=r"^(?:BoxUsage|SpotUsage)EMR|^EMR", role="runs", collect="IsIdle of 14 days"
    ),
    Meaning(
        name="load balancer",
        pattern=r"^LoadBalancerUsage$",
        role="runs",
        traffic=r"^(?:LCUUsage|DataProcessing-Bytes)$",
        collect="CloudWatch RequestCount or ProcessedBytes of 14 days",
    ),
    Meaning(
        name="NAT gateway",
        pattern=r"^NatGateway-Hours$",
        role="runs",
        traffic=r"^NatGateway-Bytes$",
        collect="CloudWatch BytesOutToDestination of 14 days",
    ),
    Meaning(
        name="VPC endpoint",
        pattern=r"^VpcEndpoint(?:-GWLBE)?-Hours$",
        role="runs",
        traffic=r"^VpcEndpoint(?:-GWLBE)?-Bytes$",
        collect="CloudWatch BytesProcessed of 14 days",
    ),
    Meaning(
        name="transit gateway attachment",
        pattern=r"^TransitGateway-Hours$",
        role="runs",
        traffic=r"^TransitGateway-Bytes$",
        collect="CloudWatch BytesIn of 14 days",
    ),
    Meaning(
        name="Kinesis shard",
        pattern=r"^Storage-ShardHour$",
        role="runs",
        traffic=r"^(?:PutRequestPayloadUnits|Extended-ShardHour|OnDemand-Bytes)",
        collect="CloudWatch IncomingRecords of 14 days",
    ),
    Meaning(
        name="unused public address",
        pattern=r"^(?:ElasticIP:IdleAddress|PublicIPv4:IdleAddress)$",
        role="unused",
        collect="aws ec2 describe-addresses",
    ),
    Meaning(
        name="magnetic volume",
        pattern=r"^EBS:VolumeUsage$",
        role="stores",
        traffic=r"^EBS:VolumeIOUsage$",
        collect="aws ec2 describe-volumes --filters Name=status,Values=available",
    ),
    Meaning(
        name="EBS volume",
        pattern=r"^EBS:VolumeUsage\.",
        role="stores",
        collect="whether it is attached, and to what: aws ec2 describe-volumes --filters Name=status,Values=available",
    ),
    Meaning(
        name="EBS snapshot",
        pattern=r"^EBS:Snapshot(?:Archive)?(?:Usage|Storage)",
        role="stores",
        collect="age, volume and image of each: aws ec2 describe-snapshots --owner-ids self; aws ec2 describe-images",
    ),
    Meaning(
        name="EBS provisioned IOPS",
        pattern=r"^EBS:VolumeP-(?:IOPS|Throughput)\.",
        role="stores",
        collect="CloudWatch VolumeReadOps and VolumeWriteOps Maximum of 14 days",
    ),
    Meaning(
        name="RDS provisioned IOPS",
        pattern=r"^RDS:(?:Multi-AZ-)?(?:PIOPS|GP3-PIOPS|GP3-Throughput)$",
        role="stores",
        collect="CloudWatch ReadIOPS and WriteIOPS Maximum of 14 days",
    ),
    Meaning(
        name="extended support of an old version",
        pattern=r"ExtendedSupport",
        role="stores",
        collect="which version each has, and when it can be upgraded: the surcharge ends with the upgrade",
    ),
    Meaning(
        name="RDS backup storage",
        pattern=r"^(?:RDS|Aurora):(?:ChargedBackupUsage|BackupUsage)$",
        role="stores",
        collect="age and source of each: aws rds describe-db-snapshots",
    ),
)

#: Words that name an environment in which nobody is served: in tags of an environment, a stage, a name, a workload.
_NOT_PRODUCTION = re.compile(
    r"(?<![a-z])(dev|devel|development|developer|test|tests|testing|qa|uat|sandbox|staging|stage|poc|demo|training|lab"
    r"|experiment|notebook|playground|scratch)(?![a-z])",
    re.IGNORECASE,
)
_PRODUCTION = re.compile(r"(?<![a-z])(prod|production|live)(?![a-z])", re.IGNORECASE)
_TAGS = re.compile(r"^tag_(?:\w+_)?(env|environment|stage|tier|workload|workload_type|purpose|name)$")


def plain(usage_type: str) -> str:
    """The usage type without the prefix of its region: ``BoxUsage:m5.large`` for ``EUW2-BoxUsage:m5.large``."""
    return _REGION.sub("", usage_type)


@lru_cache(maxsize=4096)
def meaning(usage_type: str) -> Meaning | None:
    """What that usage type means, None where it is not known."""
    word = plain(usage_type)
    return next((one for one in TABLE if re.search(one.pattern, word)), None)


def classes(usage_types: pl.Series) -> Mapping[str, str]:
    """The class of each known usage type of a column."""
    known = {word: meaning(word) for word in usage_types.drop_nulls().unique()}
    return {word: one.name for word, one in known.items() if one}


def named(name: str) -> Meaning:
    """The class of that name."""
    return next(one for one in TABLE if one.name == name)


def traffic_types(usage_types: pl.Series, of: Meaning) -> list[str]:
    """The usage types of a column that are billed when such a thing is used."""
    if of.traffic is None:
        return []
    return [word for word in usage_types.drop_nulls().unique() if re.search(of.traffic, plain(word))]


def tags_that_tell(columns: list[str]) -> list[str]:
    """The tag columns that may name an environment."""
    return [name for name in columns if _TAGS.match(name)]


def not_production(tags: Mapping[str, str | None]) -> str | None:
    """The tag that says development, as ``environment=dev``; None where none does, or where one says production."""
    said = {name: value for name, value in tags.items() if value}
    if production(said):
        return None
    found = next(((name, value) for name, value in said.items() if _NOT_PRODUCTION.search(value)), None)
    return f"{found[0].removeprefix('tag_')}={found[1]}" if found else None


def production(tags: Mapping[str, str | None]) -> bool:
    """True when a tag says that it serves somebody."""
    return any(_PRODUCTION.search(value) for value in tags.values() if value)
