"""Rules: the thresholds of the stages, and where they come from."""

from datetime import timedelta

import pytest

from aws_auto.config import document
from aws_auto.pipeline.stages.report import Finding, Level, StageReport, listed
from aws_auto.pipeline.stages.rules import Rules

YAML = """
data_pipeline:
  monitoring:
    data_quality:
      completeness_threshold: 0.8
      freshness_threshold: "2h"
"""


def test_the_configuration_sets_thresholds_and_leaves_the_others_at_their_default():
    quality = document.loads(YAML).data_pipeline.monitoring.data_quality
    rules = Rules.of(quality, strict=True)
    assert (rules.completeness, rules.accuracy, rules.freshness) == (0.8, 0.9, timedelta(hours=2))
    assert rules.strict


@pytest.mark.parametrize(
    ("column", "high"),
    [
        ("cpu_utilization", 100.0),
        ("cpu_utilization_max", 100.0),
        ("cpu_utilization_sum", None),
        ("latency_p95", None),
        ("cpu_utilization_p95_max", 100.0),
    ],
)
def test_a_statistic_has_the_range_of_its_metric(column, high):
    assert Rules().range_of(column).high == high


def test_a_column_without_a_known_unit_has_no_range():
    assert Rules().range_of("queue_depth") is None


def test_the_status_of_a_report_is_its_worst_finding():
    levels = (Level.NOTE, Level.FAILED, Level.WARNING)
    findings = tuple(Finding(code=str(level), level=level, text=str(level)) for level in levels)
    report = StageReport(stage="validate", rows_in=1, rows_out=1, findings=findings)
    assert report.status is Level.FAILED
    assert report.sentences() == ("failed", "warning", "note")


def test_long_lists_are_cut_and_counted():
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
