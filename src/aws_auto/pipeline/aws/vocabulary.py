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

A resource's id is what the bill calls it: the instance id for EC2, the ARN for everything else. A bare name such as
``prod`` may be a database, a function and a group in four regions.
"""

from __future__ import annotations

from dataclasses import dataclass

PEAKED = ("Average", "Maximum")
DISTRIBUTED = ("Average", "Maximum", "p95")
COUNTED = ("Sum",)
MEAN = ("Average",)

SUFFIX = {"Average": "", "Sum": "", "Maximum": "_max", "p95": "_p95"}

INSTANCE = "{InstanceId}"
GROUP = "arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{AutoScalingGroupName}"
BALANCER = "arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/{LoadBalancer}"
CLASSIC = "arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/{LoadBalancerName}"
DATABASE = "arn:{partition}:rds:{region}:{account}:db:{DBInstanceIdentifier}"
FUNCTION = "arn:{partition}:lambda:{region}:{account}:function:{FunctionName}"
SERVICE = "arn:{partition}:ecs:{region}:{account}:service/{ClusterName}/{ServiceName}"


@dataclass(frozen=True)
class Mapped:
    """One CloudWatch metric and the column that it becomes.

    Attributes:
        resource_type: of the resources that it describes.
        resource_id: template over the dimensions and the place.
        dimensions: the dimensions that a metric must have, exactly; more are accepted where ``open_ended``.
        column: name here; two metrics with the same column are added.
        statistics: what is asked for.
        factor: from AWS's unit to ours.
        open_ended: the agent adds dimensions as it was configured.
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


def _rows(
    resource_type: str, resource_id: str, dimensions: tuple[str, ...], namespace: str, *metrics: tuple[object, ...]
) -> tuple[Mapped, ...]:
    return tuple(Mapped(resource_type, resource_id, dimensions, namespace, *m) for m in metrics)  # type: ignore[arg-type]


_COMPUTE: tuple[tuple[object, ...], ...] = (
    ("CPUUtilization", "cpu_utilization", DISTRIBUTED),
    ("NetworkIn", "network_in", PEAKED),
    ("NetworkOut", "network_out", PEAKED),
    ("DiskReadBytes", "disk_read_bytes", MEAN),
    ("DiskWriteBytes", "disk_write_bytes", MEAN),
    ("EBSReadBytes", "disk_read_bytes", MEAN),
    ("EBSWriteBytes", "disk_write_bytes", MEAN),
)

TABLE: tuple[Mapped, ...] = (
    *_rows("ec2", INSTANCE, ("InstanceId",), "AWS/EC2", *_COMPUTE),
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
    *_rows(
        "ecs",
        SERVICE,
        ("ClusterName", "ServiceName"),
        "AWS/ECS",
        ("CPUUtilization", "cpu_utilization", PEAKED),
        ("MemoryUtilization", "memory_utilization", PEAKED),
    ),
    *_rows(
        "ec2",
        INSTANCE,
        ("InstanceId",),
        "CWAgent",
        ("mem_used_percent", "memory_utilization", DISTRIBUTED, 1.0, True),
        ("Memory % Committed Bytes In Use", "memory_utilization", DISTRIBUTED, 1.0, True),
    ),
)

NAMESPACES: tuple[str, ...] = tuple(dict.fromkeys(m.namespace for m in TABLE))


def mapped(namespace: str, metric: str, dimensions: frozenset[str]) -> Mapped | None:
    """The line of the table for a listed metric, None when we do not ask for it."""
    for line in TABLE:
        if (line.namespace, line.metric) == (namespace, metric):
            wanted = frozenset(line.dimensions)
            if dimensions == wanted or (line.open_ended and wanted < dimensions):
                return line
    return None
