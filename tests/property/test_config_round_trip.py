"""A document written out as YAML and read again is the same document."""

from datetime import timedelta

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aws_auto.config import document
from aws_auto.config.units import Duration

NAMES = st.text(alphabet="abcxyz019", min_size=1, max_size=8)
DURATIONS = st.sampled_from(["200ms", "30s", "90m", "1h", "7d", "2y"])
PERCENTS = st.integers(0, 100) | st.integers(0, 100).map("{}%".format)
SHARES = st.integers(0, 100).map(lambda n: n / 100) | st.integers(0, 100).map("{}%".format)
SCHEDULES = st.sampled_from(["hourly", "0 2 * * MON", "rate(7 minutes)", "cron(0 2 ? * MON-FRI *)"])
CONDITIONS = st.sampled_from(["accuracy < 0.8", "drift_score > 50% for 2 of 3 or model_latency >= 200ms"])


def mapping(required=None, **optional):
    return st.fixed_dictionaries(required or {}, optional=optional)


STRATEGY = st.sampled_from(["immediate", "canary", "blue_green", "shadow"])
DEPLOYMENT = mapping(strategy=STRATEGY, canary_percentage=PERCENTS, monitoring_duration=DURATIONS)
MODELS = st.one_of(
    mapping(
        {"name": NAMES, "type": st.just("sagemaker_endpoint"), "instance_type": st.just("ml.m5.large")},
        deployment=DEPLOYMENT,
        auto_scaling=mapping(enabled=st.booleans(), min_capacity=st.integers(0, 1), target_utilization=PERCENTS),
    ),
    mapping({"name": NAMES, "type": st.just("lambda_inference")}, memory=st.integers(128, 10240), timeout=DURATIONS),
    mapping(
        {
            "name": NAMES,
            "type": st.just("batch_transform"),
            "instance_type": st.just("ml.m5.large"),
            "schedule": SCHEDULES,
            "input_data": st.just("s3://bucket-in/a/"),
            "output_data": st.just("s3://bucket-out"),
        }
    ),
)
RULES = mapping({"condition": CONDITIONS, "action": st.sampled_from(["rollback", "schedule_retrain"])})
THRESHOLDS = DURATIONS | SHARES | st.integers(0, 10**6)
METRICS = mapping({"name": st.sampled_from(["model_latency", "error_rate", "my_metric"]), "threshold": THRESHOLDS})
DOCUMENTS = mapping(
    ml_model_deployment=mapping(
        {"models": st.lists(MODELS, min_size=1, max_size=3, unique_by=lambda m: m["name"])},
        deployment_strategy=STRATEGY,
    ),
    model_monitoring=mapping(
        metrics=st.lists(METRICS, max_size=2, unique_by=lambda m: m["name"]),
        alerting=mapping(escalation_rules=st.lists(RULES, max_size=2)),
    ),
    data_pipeline=mapping(monitoring=mapping(data_quality=mapping(completeness_threshold=SHARES))),
    budget=mapping({"monthly_usd": st.integers(1, 10**6) | st.floats(0.01, 1e6)}),
).filter(bool)


@settings(max_examples=150, deadline=timedelta(seconds=5), database=None, derandomize=True)
@given(DOCUMENTS)
def test_what_is_loaded_and_written_and_loaded_again_is_equal(data):
    first = document.loads(yaml.safe_dump(data, sort_keys=False))
    written = yaml.safe_dump(first.model_dump(mode="json", exclude_unset=True), sort_keys=False)
    again = document.loads(written)
    assert again.model_dump() == first.model_dump()
    assert list(again.sections()) == [s for s in document.Document.model_fields if s in data]


@settings(max_examples=300, deadline=timedelta(seconds=5), database=None, derandomize=True)
@given(st.integers(0, 10**9))
def test_a_duration_of_whole_milliseconds_survives_being_written(millis):
    duration = Duration(millis / 1000)
    assert Duration.parse(str(duration)) == duration
