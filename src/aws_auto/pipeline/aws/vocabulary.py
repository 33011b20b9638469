"""Which CloudWatch metrics are asked for, and what they are called here.

Rules behind the table:

- Counts are asked as ``Sum`` of the row's period, because AWS defines them so; everything else as ``Average``, with
  ``Maximum`` beside it as ``_max`` where a peak has a meaning.
- p95 is asked only where single values reach CloudWatch. ECS publishes one statistic set a minute over all tasks, and
  CloudWatch computes no percentiles from those (API reference, GetMetricStatistics).
- Bytes are bytes per published sample, which for a rate in bytes per second means times sixty: RDS publishes by the
  minute. Averages of samples do not jump where retention changes the period.
- A load balancer reports errors only when there are some (Application Load Balancer guide, reporting criteria), so a
  missing error count beside a request count is zero, not unknown.
- What only the machine itself sees (memory, disk fullness, stolen CPU) comes from the CloudWatch agent, where one runs,
  in its default namespace. It publishes a disk by mount and a CPU by core, with dimensions as it was configured; here
  an instance has one value: the fullest mount, the mean core. File systems that are full by nature do not count.
- RDS tells free bytes; a share of the whole is made of them where the whole is known (`derived`, `shares`).

A resource's id is what the bill calls it: the instance id for EC2, the ARN for everything else. A bare name such as
``prod`` may be a database, a function and a group in four regions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

PEAKED = ("Average", "Maximum")
DISTRIBUTED = ("Average", "Maximum", "p95")
COUNTED = ("Sum",)
MEAN = ("Average",)
PEAK = ("Maximum",)
NUMBER = ("SampleCount",)

#: Asked for, and turned into a share of the whole: no column of the frame.
FREE_STORAGE, FREE_MEMORY = "free_storage_bytes", "free_memory_bytes"

SUFFIX = {"Average": "", "Sum": "", "SampleCount": "", "Maximum": "_max", "p95": "_p95"}

INSTANCE = "{InstanceId}"
GROUP = "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{AutoScalingGroupName}"
BALANCER = "arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/{LoadBalancer}"
CLASSIC = "arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/{LoadBalancerName}"
DATABASE = "arn:{partition}:rds:{region}:{account}:db:{DBInstanceIdentifier}"
DYNAMO = "arn:{partition}:dynamodb:{region}:{account}:table/{TableName}"
FUNCTION = "arn:{partition}:lambda:{region}:{account}:function:{FunctionName}"
SERVICE = "arn:{partition}:ecs:{region}:{account}:service/{ClusterName}/{ServiceName}"


#: Mounts that are always full (images of snaps and CDs), live in memory, or repeat another mount.
PSEUDO = "autofs|cd9660|devfs|devtmpfs|efivarfs|erofs|iso9660|nsfs|overlay|ramfs|squashfs|tmpfs"
#: All disks together hide the full one; a volume without a letter is a recovery partition.
NO_DRIVE = r"_Total|HarddiskVolume\d+"

Join = Literal["sum", "mean", "max", "min"]


@dataclass(frozen=True)
class Mapped:
    """One CloudWatch metric and the column that it becomes.

    Attributes:
        resource_type: of the resources that it describes.
        resource_id: template over the dimensions and the place.
        dimensions: the dimensions that a metric must have, exactly; more are accepted where ``open_ended``.
        column: name here; what has the same column becomes one value as ``join`` says.
        statistics: what is asked for.
        factor: from AWS's unit to ours, before ``offset`` is added.
        open_ended: the agent adds dimensions as it was configured.
        offset: see ``factor``.
        join: how several values at one time become one.
        part: the dimension that tells apart the parts (mounts, cores) of one resource.
        whole: the part that stands for all of them.
        ignored: a dimension, and a pattern of those of its values that are left out.
    """

    resource_type: str
    resource_id: str
    dimensions: tuple[str, ...]
    namespace: str
    metric: str
    column: str
    statistics: tuple[str, ...]
    factor: float = 1.0
    open_ended: bool = False
    offset: float = 0.0
    join: Join = "sum"
    part: str = ""
    whole: str = ""
    ignored: tuple[str, str] | None = None

    def fits(self, dimensions: Mapping[str, str]) -> bool:
        """Whether a listed metric with those dimensions is this one."""
        wanted, there = frozenset(self.dimensions), dimensions.keys()
        if not (there == wanted or (self.open_ended and wanted < there)):
            return False
        name, pattern = self.ignored or ("", "")
        return self.ignored is None or re.fullmatch(pattern, dimensions.get(name, "")) is None


def _rows(
    resource_type: str, resource_id: str, dimensions: tuple[str, ...], namespace: str, *metrics: tuple[object, ...]
) -> tuple[Mapped, ...]:
    return tuple(Mapped(resource_type, resource_id, dimensions, namespace, *m) for m in metrics)  # type: ignore[arg-type]


def _agent(
    metric: str,
    column: str,
    statistics: tuple[str, ...] = MEAN,
    *,
    join: Join = "max",
    part: str = "",
    whole: str = "",
    ignored: tuple[str, str] | None = None,
    inverse: bool = False,
) -> Mapped:
    """A metric of the CloudWatch agent in percent; ``inverse`` where it tells what is free."""
    return Mapped(
        "ec2",
        INSTANCE,
        ("InstanceId", part) if part else ("InstanceId",),
        "CWAgent",
        metric,
        column,
        statistics,
        factor=-1.0 if inverse else 1.0,
        open_ended=True,
        offset=100.0 if inverse else 0.0,
        join=join,
        part=part,
        whole=whole,
        ignored=ignored,
    )


_COMPUTE: tuple[tuple[object, ...], ...] = (
    ("CPUUtilization", "cpu_utilization", DISTRIBUTED),
    ("NetworkIn", "network_in", PEAKED),
    ("NetworkOut", "network_out", PEAKED),
    ("DiskReadBytes", "disk_read_bytes", MEAN),
    ("DiskWriteBytes", "disk_write_bytes", MEAN),
    ("EBSReadBytes", "disk_read_bytes", MEAN),
    ("EBSWriteBytes", "disk_write_bytes", MEAN),
)

#: What is left to a machine that bursts: of two balances the lower one slows it down. Percent, but for the credits.
_BURST: tuple[tuple[object, ...], ...] = (
    ("CPUCreditBalance", "cpu_credit_balance", MEAN),
    ("CPUSurplusCreditBalance", "cpu_surplus_credits", MEAN),
    *(
        (name, "burst_balance", MEAN, 1.0, False, 0.0, "min")
        for name in ("EBSIOBalance%", "EBSByteBalance%", "BurstBalance")
    ),
)

TABLE: tuple[Mapped, ...] = (
    *_rows("ec2", INSTANCE, ("InstanceId",), "AWS/EC2", *_COMPUTE, *_BURST),
    *_rows("asg", GROUP, ("AutoScalingGroupName",), "AWS/EC2", *_COMPUTE),
    *_rows(
        "asg",
        GROUP,
        ("AutoScalingGroupName",),
        "AWS/AutoScaling",
        ("GroupInServiceInstances", "instance_count", MEAN),
    ),
    *_rows(
        "elb",
        BALANCER,
        ("LoadBalancer",),
        "AWS/ApplicationELB",
        ("RequestCount", "request_count", COUNTED),
        ("HTTPCode_Target_5XX_Count", "error_count", COUNTED),
        ("HTTPCode_ELB_5XX_Count", "error_count", COUNTED),
        ("TargetResponseTime", "latency", DISTRIBUTED, 1000.0),
    ),
    *_rows(
        "elb",
        CLASSIC,
        ("LoadBalancerName",),
        "AWS/ELB",
        ("RequestCount", "request_count", COUNTED),
        ("HTTPCode_Backend_5XX", "error_count", COUNTED),
        ("HTTPCode_ELB_5XX", "error_count", COUNTED),
        ("Latency", "latency", DISTRIBUTED, 1000.0),
    ),
    *_rows(
        "rds",
        DATABASE,
        ("DBInstanceIdentifier",),
        "AWS/RDS",
        ("CPUUtilization", "cpu_utilization", DISTRIBUTED),
        ("NetworkReceiveThroughput", "network_in", PEAKED, 60.0),
        ("NetworkTransmitThroughput", "network_out", PEAKED, 60.0),
        ("ReadThroughput", "disk_read_bytes", MEAN, 60.0),
        ("WriteThroughput", "disk_write_bytes", MEAN, 60.0),
        ("FreeStorageSpace", FREE_STORAGE, MEAN),
        ("FreeableMemory", FREE_MEMORY, MEAN),
        *_BURST,
    ),
    *_rows(
        "lambda",
        FUNCTION,
        ("FunctionName",),
        "AWS/Lambda",
        ("Invocations", "request_count", COUNTED),
        ("Errors", "error_count", COUNTED),
        ("Throttles", "throttle_count", COUNTED),
        ("Duration", "latency", DISTRIBUTED),
    ),
    # By operation, and added; a mean of their latencies would be none of the table's.
    *_rows(
        "dynamodb",
        DYNAMO,
        ("TableName", "Operation"),
        "AWS/DynamoDB",
        ("SuccessfulRequestLatency", "request_count", NUMBER),
        ("SystemErrors", "error_count", COUNTED),
        ("ThrottledRequests", "throttle_count", COUNTED),
    ),
    *_rows(
        "ecs",
        SERVICE,
        ("ClusterName", "ServiceName"),
        "AWS/ECS",
        ("CPUUtilization", "cpu_utilization", PEAKED),
        ("MemoryUtilization", "memory_utilization", PEAKED),
    ),
    _agent("mem_used_percent", "memory_utilization", DISTRIBUTED),
    _agent("Memory % Committed Bytes In Use", "memory_utilization", DISTRIBUTED),
    _agent("swap_used_percent", "swap_utilization"),
    _agent("disk_used_percent", "disk_utilization", part="path", ignored=("fstype", PSEUDO)),
    # Of all mounts together only the maximum tells the fullest; it is used where nothing tells them apart.
    _agent("disk_used_percent", "disk_utilization", PEAK, ignored=("path", ".+")),
    _agent(
        "LogicalDisk % Free Space", "disk_utilization", part="instance", ignored=("instance", NO_DRIVE), inverse=True
    ),
    _agent("cpu_usage_steal", "cpu_steal", join="mean", part="cpu", whole="cpu-total"),
    _agent("cpu_usage_steal", "cpu_steal", join="mean"),
)

NAMESPACES: tuple[str, ...] = tuple(dict.fromkeys(m.namespace for m in TABLE))


def mapped(namespace: str, metric: str, dimensions: Mapping[str, str]) -> Mapped | None:
    """The line of the table for a listed metric, None when we do not ask for it."""
    named = (line for line in TABLE if (line.namespace, line.metric) == (namespace, metric))
    return next((line for line in named if line.fits(dimensions)), None)
