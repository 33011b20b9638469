from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from aws_auto.config import document, templates
from aws_auto.errors import ConfigError, ConflictError, NotYet, UnsafePlan, UsageError
from aws_auto.pipeline import deploy
from aws_auto.pipeline.aws.target import AwsTarget
from aws_auto.pipeline.local.desired import desired
from aws_auto.pipeline.plan import Create, Delete, Plan, Resource, Update
from aws_auto.pipeline.ports import Workspace
from aws_auto.results import ModelVersion, Stage

RECIPES = ("anomaly-detector", "cost-optimizer", "demand-forecaster")
TEXT = """\
ml_model_deployment:
  deployment_strategy: blue_green
  models:
    - name: cost-optimization-model
      type: sagemaker_endpoint
      instance_type: ml.t3.medium
      deployment:
        strategy: canary
        canary_percentage: 10
      auto_scaling:
        min_capacity: 3
        max_capacity: 10
    - name: anomaly-detection-model
      type: lambda_inference
      deployment:
        strategy: immediate
      triggers:
        - cloudwatch_metrics
        - real_time_streams
    - name: predictive-scaling-model
      type: batch_transform
      instance_type: ml.m5.large
      schedule: hourly
      input_data: s3://scaling-data-bucket/
      output_data: s3://scaling-predictions-bucket/
model_monitoring:
  metrics:
    - name: data_drift_score
      threshold: 0.3
      auto_retrain_trigger: true
    - name: model_latency
      threshold: 200ms
  alerting:
    channels: [slack]
    escalation_rules:
      - condition: drift_score > 0.5
        action: schedule_retrain
data_pipeline:
  ingestion:
    sources:
      - name: cloudwatch_metrics
        type: kinesis_stream
      - name: application_logs
        type: kinesis_firehose
      - name: cost_billing_data
        type: s3_trigger
        schedule: daily
      - name: dropped_files
        type: s3_trigger
  processing:
    stages:
      - name: data_cleaning
        type: lambda
        timeout: 5m
      - name: feature_engineering
        type: glue_job
        number_of_workers: 10
      - name: data_aggregation
        type: emr_step
        instance_type: m5.xlarge
        instance_count: 3
  storage:
    data_lake:
      bucket: ml-data-lake-bucket
      lifecycle_rules:
        - transition_to_ia: 30d
    feature_store:
      type: sagemaker_feature_store
      offline_store: true
"""
DOCUMENT = document.loads(TEXT, file="pipeline.yaml")


class FakeTarget:
    """Holds resources in memory; `kill_after` changes it stops working."""

    name = "local"

    def __init__(self):
        self.held: dict[str, Resource] = {}
        self.kill_after = None

    def desired(self, wanted, champions):
        return desired(wanted, champions)

    def observe(self):
        return dict(self.held)

    def apply(self, change):
        if self.kill_after == 0:
            raise KeyboardInterrupt
        if self.kill_after:
            self.kill_after -= 1
        match change:
            case Create(new) | Update(_, new):
                self.held[new.key] = new
            case Delete(old):
                del self.held[old.key]


class FakeRegistry:
    def __init__(self):
        self.crowned: dict[str, int] = {}

    def champion(self, name):
        if name not in self.crowned:
            return None
        return ModelVersion(
            name=name,
            version=self.crowned[name],
            stage=Stage.CHAMPION,
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
            recipe=name,
            files={},
            schema=(),
            report={},
        )


class FakeJournal:
    def __init__(self):
        self.lines = []

    def append(self, kind, **detail):
        self.lines.append((kind, detail))


@pytest.fixture
def ws():
    return workspace(FakeTarget())


def workspace(target):
    unused = SimpleNamespace()
    return Workspace(
        root=Path(),
        clock=unused,
        lake=unused,
        registry=FakeRegistry(),
        scheduler=unused,
        target=target,
        journal=FakeJournal(),
        ledger=unused,
        checkpoints=unused,
    )


def plan(ws, doc=DOCUMENT, **options):
    return deploy.plan(ws, doc, recipes=RECIPES, **options)


def held(ws, key):
    return ws.target.held[key].properties


def test_a_fresh_workspace_gets_everything_and_a_second_run_is_a_no_op(ws):
    first = plan(ws)
    assert (first.count(Create), first.count(Update), first.count(Delete)) == (16, 0, 0)
    deploy.apply(ws, first)
    assert not plan(ws)


@pytest.mark.parametrize("name", templates.names())
def test_every_shipped_template_is_deployed_in_one_go(ws, name):
    shipped = document.loads(templates.template(name), file=name)
    deploy.apply(ws, plan(ws, shipped))
    assert ws.target.held
    assert not plan(ws, shipped)


def test_planning_changes_nothing(ws):
    plan(ws)
    assert ws.target.held == {}
    assert ws.journal.lines == []


def test_a_plan_before_training_says_what_to_train(ws):
    (note,) = [n for n in plan(ws).notes if n.startswith("waiting")]
    assert note.endswith("aws-auto ml train-models --models anomaly-detector,cost-optimizer,demand-forecaster")


def test_a_new_champion_is_followed_without_a_change(ws):
    deploy.apply(ws, plan(ws))
    ws.registry.crowned["cost-optimizer"] = 3
    after = plan(ws)
    assert not after
    assert (
        "cost-optimization-model serves cost-optimizer version 3, and follows when another becomes champion"
        in after.notes
    )


def test_what_only_aws_can_do_is_said(ws):
    (note,) = [n for n in plan(ws).notes if n.startswith("recorded for AWS")]
    assert "the canary release of cost-optimization-model" in note
    assert "lifecycle rules" in note
    assert "anomaly-detection-model" not in note


def test_the_endpoint_holds_the_repaired_type_and_the_effective_canary(ws):
    deploy.apply(ws, plan(ws))
    on_aws = held(ws, "endpoint/cost-optimization-model")["on_aws"]
    assert on_aws["instance_type"] == "ml.m5.large"
    assert on_aws["canary"]["asked_percent"] == 10
    assert on_aws["canary"]["effective_percent"] == pytest.approx(100 / 3)
    assert on_aws["auto_scaling"]["instances"] == "3 to 10"


def test_a_changed_line_is_an_update_of_what_it_touches(ws):
    deploy.apply(ws, plan(ws))
    changed = document.loads(TEXT.replace("threshold: 0.3", "threshold: 0.4"))
    (change,) = plan(ws, changed).changes
    assert change.changed() == {"threshold": ("0.3", "0.4")}


def test_the_local_target_costs_nothing_and_says_so(ws):
    first = plan(ws)
    assert first.monthly_usd() == 0
    assert first.unpriced() == ()


def test_repairs_have_their_line_and_strict_refuses_them(ws):
    repaired = [r.where for r in plan(ws).repairs]
    assert "pipeline.yaml:6:7: ml_model_deployment.models.0.instance_type" in repaired
    with pytest.raises(ConfigError, match=r"pipeline\.yaml:6:7"):
        plan(ws, strict=True)


def test_a_recipe_that_does_not_exist_is_a_problem_with_its_line(ws):
    unknown = document.loads(TEXT.replace("name: anomaly-detection-model", "name: churn-model"), file="pipeline.yaml")
    with pytest.raises(ConfigError, match=r"pipeline\.yaml:13:.*nothing that can be trained is called 'churn'"):
        plan(ws, unknown)


def test_recipe_chooses_the_model_whatever_the_name(ws):
    text = TEXT.replace("name: anomaly-detection-model", "name: churn\n      recipe: anomaly-detection")
    deploy.apply(ws, plan(ws, document.loads(text)))
    assert held(ws, "function/churn")["model"] == "anomaly-detector"


def test_an_interrupted_apply_is_resumed_by_the_next_plan(ws):
    whole = plan(ws)
    ws.target.kill_after = 6
    with pytest.raises(KeyboardInterrupt):
        deploy.apply(ws, whole)
    ws.target.kill_after = None
    rest = plan(ws)
    assert [c.new.key for c in rest.changes] == [c.new.key for c in whole.changes[6:]]
    deploy.apply(ws, rest)
    assert not plan(ws)


def test_every_change_is_in_the_journal_under_the_plan_s_checksum(ws):
    first = plan(ws)
    seen = []
    deploy.apply(ws, first, progress=lambda what, done, total: seen.append((what, done, total)))
    kinds = [kind for kind, _ in ws.journal.lines]
    assert kinds == [deploy.PLANNED, *[deploy.APPLIED] * 16, deploy.DONE]
    assert {detail["plan"] for _, detail in ws.journal.lines} == {first.checksum()}
    assert seen[0] == ("create source/cloudwatch_metrics", 0, 16)
    assert seen[-1] == ("done", 16, 16)


def test_nothing_to_do_writes_nothing(ws):
    deploy.apply(ws, Plan(changes=()))
    assert ws.journal.lines == []


def test_a_plan_that_deletes_much_is_refused_unless_forced(ws):
    deploy.apply(ws, plan(ws))
    little = plan(ws, document.loads("model_monitoring:\n  metrics:\n    - {name: error_rate, threshold: 1%}\n"))
    before = dict(ws.target.held)
    with pytest.raises(UnsafePlan):
        deploy.apply(ws, little)
    assert ws.target.held == before
    deploy.apply(ws, little, force=True)
    assert list(ws.target.held) == ["rule/error_rate"]


def test_a_plan_over_the_budget_is_refused_unless_forced(ws):
    dear = Plan(changes=(Create(Resource(kind="endpoint", name="a", monthly_usd=120.0)),))
    with pytest.raises(UnsafePlan, match=r"120\.00 USD a month, more than the budget of 100\.00"):
        deploy.apply(ws, dear, budget_usd=100.0)
    deploy.apply(ws, dear, budget_usd=120.0)
    assert "endpoint/a" in ws.target.held


def test_a_refusal_of_the_target_is_passed_on_with_what_was_done_before_it(ws):
    first = plan(ws)
    refused = first.changes[2].new.key

    class Refusing(FakeTarget):
        def apply(self, change):
            if change.new.key == refused:
                raise ConflictError("it was changed", where=refused)
            super().apply(change)

    ws = workspace(Refusing())
    with pytest.raises(ConflictError):
        deploy.apply(ws, first)
    assert len(ws.target.held) == 2


def test_deployed_rules_come_back_as_the_configuration_they_were(ws):
    assert deploy.deployed_monitoring(ws) is None
    deploy.apply(ws, plan(ws))
    rules = deploy.deployed_monitoring(ws)
    assert {m.name: m.threshold for m in rules.metrics} == {
        m.name: m.threshold for m in DOCUMENT.model_monitoring.metrics
    }
    assert rules.alerting == DOCUMENT.model_monitoring.alerting


# --- flags ------------------------------------------------------------------------------------------------------------


def test_no_flag_changes_nothing():
    assert deploy.overlay(DOCUMENT) == DOCUMENT


def test_features_choose_the_models_and_their_lines_stay_right():
    chosen = deploy.overlay(DOCUMENT, features=["predictive-scaling", "cost-optimization"])
    assert [m.name for m in chosen.ml_model_deployment.models] == [
        "cost-optimization-model",
        "predictive-scaling-model",
    ]
    for position, name in enumerate(("cost-optimization-model", "predictive-scaling-model")):
        line = TEXT.splitlines().index(f"    - name: {name}") + 1
        assert chosen.where(f"ml_model_deployment.models.{position}.name").startswith(f"pipeline.yaml:{line}:")
    assert DOCUMENT.where("ml_model_deployment.models.2.name") == chosen.where("ml_model_deployment.models.1.name")


def test_a_feature_that_the_document_lacks_is_added_as_a_function():
    bare = document.loads("target: local\n")
    (model,) = deploy.overlay(bare, features=["anomaly-detection"]).ml_model_deployment.models
    assert (model.name, model.recipe, model.type) == (
        "anomaly-detection-model",
        "anomaly-detector",
        "lambda_inference",
    )


def test_an_unknown_feature_lists_the_known_ones():
    with pytest.raises(UsageError, match="no AI feature is called magic") as caught:
        deploy.overlay(DOCUMENT, features=["magic"])
    assert "predictive-scaling" in caught.value.hint


def test_auto_scaling_is_switched_on_endpoints_and_keeps_their_bounds():
    off = deploy.overlay(DOCUMENT, auto_scaling="disabled").ml_model_deployment.models[0].auto_scaling
    assert (off.enabled, off.max_capacity) == (False, 10)
    bare = document.loads(TEXT.replace("      auto_scaling:\n        min_capacity: 3\n        max_capacity: 10\n", ""))
    on = deploy.overlay(bare, auto_scaling="enabled").ml_model_deployment.models[0].auto_scaling
    assert (on.enabled, on.min_capacity, on.max_capacity) == (True, *deploy.BOUNDS)


@pytest.mark.parametrize(
    ("depth", "watched", "metrics"),
    [
        ("comprehensive", (True, True, True), ["data_drift_score", "model_latency", "prediction_accuracy"]),
        ("basic", (True, False, False), ["data_drift_score", "model_latency"]),
    ],
)
def test_monitoring_adds_what_is_missing_and_keeps_limits_that_are_there(depth, watched, metrics):
    doc = deploy.overlay(DOCUMENT, monitoring=depth)
    flags = doc.ml_model_deployment.models[0].monitoring
    assert (flags.data_drift, flags.model_quality, flags.prediction_drift) == watched
    assert [m.name for m in doc.model_monitoring.metrics] == metrics
    assert doc.model_monitoring.metrics[0].auto_retrain_trigger


def test_monitoring_none_watches_nothing():
    doc = deploy.overlay(DOCUMENT, monitoring="none")
    assert doc.model_monitoring is None
    assert not doc.ml_model_deployment.models[0].monitoring.data_drift


# --- aws --------------------------------------------------------------------------------------------------------------


def test_the_aws_plan_shows_what_stacks_would_contain():
    ws = workspace(AwsTarget())
    ws.registry.crowned["cost-optimizer"] = 2
    there = {c.new.key: c.new for c in plan(ws).changes}
    endpoint = there["AWS::SageMaker::Endpoint/m-cost-optimization-model/endpoint"].properties
    assert endpoint["canary_percent"] == 10
    assert endpoint["effective_canary_percent"] == pytest.approx(100 / 3)
    assert there["AWS::SageMaker::Model/m-cost-optimization-model/model"].properties["version"] == 2
    assert there["AWS::CloudWatch::Alarm/notify/model_latency"].properties == {
        "threshold": 200_000,
        "unit": "Microseconds",
    }
    kinds = {key.split("/")[0] for key in there}
    assert kinds >= {
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "AWS::EMRServerless::Application",
        "AWS::Events::Rule",
        "AWS::Glue::Job",
        "AWS::Kinesis::Stream",
        "AWS::KinesisFirehose::DeliveryStream",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventSourceMapping",
        "AWS::S3::Bucket",
        "AWS::SageMaker::FeatureGroup",
        "AWS::Scheduler::Schedule",
        "AWS::SNS::Topic",
        "AWS::StepFunctions::StateMachine",
    }


def test_the_aws_plan_invents_no_price_and_says_that_no_call_was_made():
    first = plan(workspace(AwsTarget()))
    assert len(first.unpriced()) == len(first.changes)
    assert first.notes[0].startswith("no call to AWS was made")


def test_the_aws_plan_names_every_resource_once():
    ws = workspace(AwsTarget())
    resources, _ = ws.target.desired(DOCUMENT, {})
    assert len({r.key for r in resources}) == len(resources)


def test_the_aws_plan_says_what_a_canary_really_is():
    notes = plan(workspace(AwsTarget())).notes
    assert "cost-optimization-model: a canary of 10 % is 33.3 % here: 1 of 3 instances" in notes


def test_applying_to_aws_is_not_yet_and_says_so_with_its_own_exit_code():
    ws = workspace(AwsTarget())
    with pytest.raises(NotYet, match="nothing was created") as caught:
        deploy.apply(ws, plan(ws))
    assert caught.value.exit_code == 9
