from __future__ import annotations

import re
from pathlib import Path

import botocore.session
import pytest

from aws_auto.config import document, templates
from aws_auto.errors import ConfigError
from aws_auto.pipeline import decisions
from aws_auto.pipeline.decisions import decide

MODELS = """\
ml_model_deployment:
  deployment_strategy: "blue_green"

  models:
    - name: "cost-optimization-model"
      type: "sagemaker_endpoint"
      instance_type: "ml.t3.medium"

      deployment:
        strategy: "canary"
        canary_percentage: 10
        monitoring_duration: "30m"

      auto_scaling:
        enabled: true
        min_capacity: 1
        max_capacity: 10
        target_utilization: 70

    - name: "anomaly-detection-model"
      type: "lambda_inference"
      runtime: "python3.11"
      memory: 1024

      deployment:
        strategy: "immediate"

      triggers:
        - cloudwatch_metrics
        - real_time_streams

    - name: "predictive-scaling-model"
      type: "batch_transform"
      instance_type: "ml.m5.large"

      schedule: "hourly"
      input_data: "s3://scaling-data-bucket/"
      output_data: "s3://scaling-predictions-bucket/"
"""
MONITORING = """\
model_monitoring:
  metrics:
    - name: "prediction_accuracy"
      threshold: 0.85
      alert_on_degradation: true

    - name: "data_drift_score"
      threshold: 0.3
      auto_retrain_trigger: true

    - name: "model_latency"
      threshold: "200ms"
      scaling_trigger: true

  alerting:
    channels: ["slack", "email", "pagerduty"]
    escalation_rules:
      - condition: "accuracy < 0.8"
        action: "immediate_alert"

      - condition: "drift_score > 0.5"
        action: "schedule_retrain"
"""
DATA = """\
data_pipeline:
  ingestion:
    sources:
      - name: "cloudwatch_metrics"
        type: "kinesis_stream"
        batch_size: 1000
        batch_timeout: "30s"

      - name: "application_logs"
        type: "kinesis_firehose"
        compression: "gzip"
        error_output_prefix: "errors/"

      - name: "cost_billing_data"
        type: "s3_trigger"
        schedule: "daily"

  processing:
    stages:
      - name: "data_cleaning"
        type: "lambda"
        memory: 512
        timeout: "5m"

      - name: "feature_engineering"
        type: "glue_job"
        worker_type: "G.1X"
        number_of_workers: 10

      - name: "data_aggregation"
        type: "emr_step"
        instance_type: "m5.xlarge"
        instance_count: 3

    output:
      format: "parquet"
      compression: "snappy"
      partitioning: ["year", "month", "day"]

  storage:
    data_lake:
      bucket: "ml-data-lake-bucket"
      lifecycle_rules:
        - transition_to_ia: "30d"
        - transition_to_glacier: "90d"
        - expiration: "2y"

    feature_store:
      type: "sagemaker_feature_store"
      online_store: true
      offline_store: true
"""
INSTANCE = '      instance_type: "ml.t3.medium"'
SPECIFICATION = MODELS + MONITORING + DATA


def loads(text=SPECIFICATION, *edits):
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return document.loads(text, file="pipeline.yaml")


def found(find, doc):
    return list(find(doc))


def one(find, *edits):
    (defect,) = find(loads(SPECIFICATION, *edits))
    return defect


def line(text):
    return SPECIFICATION.splitlines().index(text) + 1


def test_1_a_type_that_does_not_host_becomes_one_that_does():
    defect = one(decisions.no_such_host)
    assert (defect.was, defect.became) == ("ml.t3.medium", "ml.m5.large")
    assert decide(loads())[0].ml_model_deployment.models[0].instance_type == "ml.m5.large"


def test_1_no_burstable_type_transforms():
    defect = one(decisions.no_such_host, ("ml.t3.medium", "ml.c5.large"), ("ml.m5.large", "ml.t2.medium"))
    assert defect.path[:3] == ("ml_model_deployment", "models", 2)
    assert "batch transform" in defect.why


@pytest.mark.parametrize("shape", ["ProductionVariantInstanceType", "TransformInstanceType"])
def test_1_agrees_with_every_burstable_type_of_sagemaker_s_own_list(shape):
    kinds = botocore.session.get_session().get_service_model("sagemaker").shape_for(shape).enum
    assert decisions.HOSTING in kinds
    burstable = {decisions.family(k) for k in kinds if decisions.family(k) in {"t2", "t3", "t3a", "t4g"}}
    assert burstable == ({"t2"} if shape == "ProductionVariantInstanceType" else set())


def test_1_accelerators_that_begin_with_a_t_are_no_burstable_types():
    assert found(decisions.no_such_host, loads(MODELS, ("ml.t3.medium", "ml.trn1.2xlarge"))) == []


def test_2_burstable_and_autoscaling_becomes_a_type_that_scales():
    defect = one(decisions.burstable_scaling, ("ml.t3.medium", "ml.t2.medium"))
    assert defect.value == "ml.m5.large"
    assert not found(
        decisions.burstable_scaling,
        loads(MODELS, ("ml.t3.medium", "ml.t2.medium"), ("enabled: true", "enabled: false")),
    )


def test_3_a_canary_with_one_instance_becomes_a_second_variant():
    defect = one(decisions.canary_of_one)
    assert defect.was == "a canary of 10% on one instance"
    assert "second variant" in defect.became
    assert not found(decisions.canary_of_one, loads(MODELS, ("min_capacity: 1", "min_capacity: 2")))


@pytest.mark.parametrize(
    ("instances", "asked", "effective"),
    [
        (1, 10, 10),
        (2, 10, 50),
        (3, 10, 100 / 3),
        (5, 10, 20),
        (10, 10, 10),
        (10, 15, 20),
        (4, 90, 50),
        (3, 90, 100 / 3),
    ],
)
def test_3_a_canary_moves_whole_instances_and_at_most_half_of_them(instances, asked, effective):
    doc = loads(
        MODELS,
        ("min_capacity: 1", f"min_capacity: {instances}"),
        ("canary_percentage: 10", f"canary_percentage: {asked}"),
    )
    share = decisions.canary(doc.ml_model_deployment.models[0])
    assert (share.asked, share.effective) == (asked, pytest.approx(effective))
    assert bool(share.sentence()) == (asked != share.effective)


def test_4_the_model_s_own_strategy_counts():
    defects = found(decisions.two_strategies, loads())
    assert [(d.was, d.became) for d in defects] == [
        ("canary here, blue_green for all", "canary"),
        ("immediate here, blue_green for all", "immediate"),
    ]


def test_5_an_ending_runtime_becomes_one_with_a_future():
    assert "2027-06-30" in one(decisions.ending_runtime).why
    assert decide(loads())[0].ml_model_deployment.models[1].runtime == "python3.13"
    assert not found(decisions.ending_runtime, loads(MODELS, ("python3.11", "python3.14")))


def test_6_gzip_outside_of_parquet_is_left_to_parquet():
    assert one(decisions.compressed_twice).was == "gzip with parquet"
    assert decide(loads())[0].data_pipeline.ingestion.sources[1].compression == "uncompressed"
    assert not found(decisions.compressed_twice, loads(DATA, ('format: "parquet"', 'format: "json"')))


def test_7_a_trigger_with_a_schedule_follows_the_schedule():
    assert one(decisions.trigger_and_schedule).became == "looked for daily, no event notifications"


def test_8_a_global_bucket_name_gets_account_and_region():
    assert one(decisions.global_bucket_name).became == "ml-data-lake-bucket-<account>-<region>"


def test_9_cloudwatch_metrics_trigger_nothing():
    assert one(decisions.no_such_trigger).path[-2:] == ("triggers", 0)


def test_10_short_names_of_metrics_become_the_full_ones():
    defects = found(decisions.short_metric_names, loads())
    assert [(d.was, d.became) for d in defects] == [
        ("accuracy", "prediction_accuracy"),
        ("drift_score", "data_drift_score"),
    ]


def test_11_two_limits_of_one_metric_are_two_tiers():
    accuracy, drift = found(decisions.two_thresholds, loads())
    assert accuracy.was == "prediction_accuracy has the limits 0.85 and 0.8"
    assert drift.became.startswith("two tiers: 0.3 warns, 0.5 escalates")


def test_12_latency_is_said_in_sagemaker_s_unit():
    defect = one(decisions.latency_unit)
    assert (defect.was, defect.became) == ("200ms", "200000 microseconds in CloudWatch alarms")


def test_13_a_utilisation_is_of_cpu():
    assert one(decisions.utilisation_of_what).became == "70% of CPU"


def test_14_accuracy_waits_for_the_truth():
    assert "unknown until then" in one(decisions.accuracy_without_truth).became


def test_15_an_emr_step_needs_no_standing_cluster():
    assert one(decisions.standing_cluster).was == "emr_step on 3 x m5.xlarge"


def test_16_ten_workers_are_a_limit_not_an_order():
    assert one(decisions.many_workers).became.startswith("10 workers at most")


def test_17_the_feature_store_is_not_archived():
    assert one(decisions.archived_features).path[-1] == "lifecycle_rules"
    assert not found(decisions.archived_features, loads(DATA, ("offline_store: true", "offline_store: false")))


def test_the_specification_s_defects_are_all_decided_with_their_address():
    _, repairs = decide(loads())
    assert len(repairs) == 19
    first = repairs[0]
    assert first.where.startswith(f"pipeline.yaml:{line(INSTANCE)}:")
    assert first.where.endswith(": ml_model_deployment.models.0.instance_type")


@pytest.mark.shared
def test_the_lines_above_are_those_of_the_specification():
    spec = Path(__file__).parents[4] / "shared/spec/ai-ml-pipeline-architecture.md"
    if not spec.is_file():
        pytest.skip("the specification is not beside the checkout")
    blocks = re.findall(r"```yaml\n(.*?)```", spec.read_text(encoding="utf-8"), flags=re.DOTALL)
    doc = document.loads("".join(b for b in blocks if "ml_model_deployment" in b or "data_pipeline" in b))
    ours, theirs = decide(loads())[1], decide(doc)[1]
    assert [(r.was, r.became) for r in theirs] == [(r.was, r.became) for r in ours]


def test_what_was_decided_needs_no_second_replacement():
    decided, _ = decide(loads())
    again, _ = decide(decided)
    assert again == decided


def test_strict_refuses_with_every_line_sorted():
    with pytest.raises(ConfigError) as caught:
        decide(loads(), strict=True)
    problems = caught.value.problems
    assert len(problems) == 19
    assert [p.line for p in problems] == sorted(p.line for p in problems)
    assert problems[0].hint == "would be: ml.m5.large"
    assert all(p.line > 1 for p in problems)


def test_strict_has_nothing_against_a_document_that_says_what_it_means():
    text = """\
ml_model_deployment:
  models:
    - name: cost-optimization-model
      type: sagemaker_endpoint
      instance_type: ml.m5.large
model_monitoring:
  metrics:
    - name: data_drift_score
      threshold: 0.3
"""
    doc = document.loads(text)
    assert decide(doc, strict=True) == (doc, ())


def test_a_defect_of_a_default_is_placed_at_the_mapping_above_it():
    doc = loads(MODELS, ("        canary_percentage: 10\n", ""))
    (repair,) = [r for r in decide(doc)[1] if r.where.endswith("canary_percentage")]
    assert repair.where.startswith(f"pipeline.yaml:{line('      deployment:')}:")


def test_what_nobody_wrote_is_no_contradiction():
    doc = loads(MODELS, ('  deployment_strategy: "blue_green"\n', ""), ("        target_utilization: 70\n", ""))
    assert found(decisions.two_strategies, doc) == []
    assert found(decisions.utilisation_of_what, doc) == []


@pytest.mark.parametrize("name", templates.names())
def test_a_shipped_template_needs_no_value_replaced(name):
    shipped = document.loads(templates.template(name), file=name)
    assert decide(shipped)[0] == shipped
