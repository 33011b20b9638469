"""Units, schedules and conditions: what a YAML scalar or a command-line value can mean. The names to import."""

from aws_auto.config.conditions import ALIASES, Comparison, Condition
from aws_auto.config.quantities import Duration, Percent, S3Uri, Threshold, UnitError
from aws_auto.config.schedules import Schedule

__all__ = [
    "ALIASES",
    "Comparison",
    "Condition",
    "Duration",
    "Percent",
    "S3Uri",
    "Schedule",
    "Threshold",
    "UnitError",
]
