"""The probable cause of an alarm in a few words."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from aws_auto.ml.anomaly.root_cause.results import PatternMatch
from aws_auto.pipeline.web.incidents import first

STORE = SimpleNamespace(resource="store", metric="latency")


def match(resource):
    return PatternMatch(
        name="disk_full", title="Disk filling up", score=0.9, resource=resource, speaks_for=(), speaks_against=()
    )


@pytest.mark.parametrize(
    ("suspect", "pattern", "said"),
    [
        (STORE, None, "store latency (70%)"),
        (STORE, match("store"), "store latency (70%) [Disk filling up]"),
        (STORE, match("web"), "store latency (70%) [Disk filling up on web]"),
        (None, match("web"), "itself [Disk filling up]"),
        (None, None, "unknown"),
    ],
)
def test_suspect_and_pattern_are_named_and_where_they_differ_both_places(suspect, pattern, said):
    cause = SimpleNamespace(primary_cause=suspect, pattern_match=pattern, confidence_score=0.7)
    assert first(SimpleNamespace(cause=cause)) == said


def test_what_is_explained_with_its_incident_says_so():
    assert first(SimpleNamespace(cause=None)) == "see the incident"
