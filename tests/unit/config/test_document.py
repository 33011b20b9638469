"""The document: typed, frozen, and wrong in plain sentences."""

import re
import subprocess
import sys
from pathlib import Path

import pydantic
import pytest

from aws_auto.config import document
from aws_auto.config.units import Condition, Duration, Percent, S3Uri, Schedule, Threshold
from aws_auto.errors import ConfigError

SPECIFICATION = Path(__file__).parents[4] / "shared/spec/ai-ml-pipeline-architecture.md"

MODEL = """\
ml_model_deployment:
  deployment_strategy: blue_green
  models:
    - name: cost-optimization-model
      type: sagemaker_endpoint
      instance_type: ml.m5.large
      deployment:
        strategy: canary
        canary_percentage: 10
        monitoring_duration: 30m
      auto_scaling:
        enabled: true
        min_capacity: 1
        max_capacity: 10
        target_utilization: 70
    - name: anomaly-detection-model
      type: lambda_inference
      memory: 1024
"""


def problems(text, file="t.yaml"):
    with pytest.raises(ConfigError) as caught:
        document.loads(text, file)
    return [str(p) for p in caught.value.problems]


@pytest.fixture
def specification():
    if not SPECIFICATION.exists():
        pytest.skip("the specification does not lie beside this checkout")
    return re.findall(r"```yaml\n(.*?)```", SPECIFICATION.read_text(), re.DOTALL)


@pytest.mark.shared
def test_every_line_of_the_specification_loads_in_one_file(specification):
    loaded = document.loads("".join(specification), "spec.yaml")
    assert loaded.sections() == ("ml_model_deployment", "model_monitoring", "data_pipeline")


@pytest.mark.shared
def test_every_line_of_the_specification_loads_in_three_files(specification, tmp_path):
    deployment, monitoring = specification[0].split("# Model Performance Monitoring\n")
    files = {"deployment": deployment, "monitoring": monitoring, "data": specification[1]}
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    loaded = document.load([tmp_path / f"{name}.yaml" for name in files])
    assert loaded.model_dump() == document.loads("".join(specification)).model_dump()
    assert loaded.where("data_pipeline.storage.data_lake.bucket") == f"{tmp_path / 'data.yaml'}:48:7"


@pytest.mark.shared
def test_the_specifications_values_are_kept_as_written_and_typed(specification):
    loaded = document.loads("".join(specification))
    endpoint, function, batch = loaded.ml_model_deployment.models
    assert endpoint.instance_type == "ml.t3.medium"
    assert endpoint.deployment.canary_percentage == Percent(10)
    assert endpoint.deployment.monitoring_duration == Duration(1800)
    assert endpoint.auto_scaling.target_utilization == Percent(70)
    assert (function.runtime, function.triggers) == ("python3.11", ("cloudwatch_metrics", "real_time_streams"))
    assert batch.schedule == Schedule.parse("hourly")
    assert batch.input_data == S3Uri("scaling-data-bucket")
    assert [m.threshold for m in loaded.model_monitoring.metrics] == [
        Threshold(0.85),
        Threshold(0.3),
        Threshold(0.2, "duration"),
    ]
    assert loaded.model_monitoring.alerting.escalation_rules[0].condition == Condition.parse("accuracy < 0.8")
    pipeline = loaded.data_pipeline
    assert [r.model_dump(mode="json", exclude_none=True) for r in pipeline.storage.data_lake.lifecycle_rules] == [
        {"transition_to_ia": "30d"},
        {"transition_to_glacier": "90d"},
        {"expiration": "2y"},
    ]
    assert pipeline.monitoring.data_quality.completeness_threshold.ratio == 0.95
    assert pipeline.monitoring.pipeline_health.error_rate_threshold.ratio == 0.01
    assert pipeline.processing.stages[1].worker_type == "G.1X"


@pytest.mark.shared
def test_every_value_of_the_specification_arrives_and_knows_its_line(specification):
    text = "".join(specification)
    loaded = document.loads(text, "spec.yaml")
    lines = text.splitlines()
    dumped = loaded.model_dump(mode="json", exclude_unset=True)
    leaves = list(_leaves(dumped))
    for path, _value in leaves:
        _, line, column = loaded.where(path).rsplit(":", 2)
        word = path.rsplit(".", 1)[-1]
        found = lines[int(line) - 1][int(column) - 1 :]
        assert found.startswith(f"{word}:") or word.isdigit()
    keys = {m[1] for line in lines if (m := re.match(r"\s*(?:- )?(\w+):", line))}
    assert keys == {step for path, _ in leaves for step in path.split(".") if not step.isdigit()}


def _leaves(value, path=""):
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if entries is None:
        yield path, value
        return
    for key, inner in entries:
        yield from _leaves(inner, f"{path}.{key}".lstrip("."))


def test_a_model_follows_its_own_strategy_else_the_one_for_all():
    deployment = document.loads(MODEL).ml_model_deployment
    assert [deployment.strategy_of(m) for m in deployment.models] == ["canary", "blue_green"]
    assert (
        document.loads(MODEL.replace("  deployment_strategy: blue_green\n", "")).ml_model_deployment.strategy_of(
            deployment.models[1]
        )
        == "immediate"
    )


def test_a_document_is_frozen():
    loaded = document.loads(MODEL)
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        loaded.ml_model_deployment.models[0].name = "other"


def test_a_value_that_no_file_holds_is_placed_at_the_mapping_above_it():
    loaded = document.loads(MODEL, "t.yaml")
    assert loaded.where("ml_model_deployment.models.1.timeout") == "t.yaml:16:7"
    assert loaded.where(("ml_model_deployment", "models", 0, "deployment", "strategy")) == "t.yaml:8:9"
    assert loaded.where("data_pipeline.storage") == "defaults"


@pytest.mark.parametrize(
    ("old", "new", "place", "path", "message"),
    [
        (
            "monitoring_duration: 30m",
            "monitoring_duration: half an hour",
            "10:9",
            "models.0.deployment.monitoring_duration",
            "'half an hour' is not a duration; write a number and a unit, such as 30m",
        ),
        ("memory:", "memroy:", "18:7", "models.1.memroy", "is not a known key (did you mean 'memory'?)"),
        (
            "memory:",
            "zzz:",
            "18:7",
            "models.1.zzz",
            (
                "is not a known key"
                " (known here: deployment, memory, monitoring, name, recipe, runtime, timeout, triggers, type)"
            ),
        ),
        ("- name: anomaly", "- naem: anomaly", "16:7", "models.1.naem", "is not a known key (did you mean 'name'?)"),
        ("- name: anomaly-detection-model\n     ", "-", "16:7", "models.1", "needs the key 'name'"),
        (
            "blue_green",
            "blue-green",
            "2:3",
            "deployment_strategy",
            (
                "'blue-green' is not one of immediate, blue_green, canary, linear, rolling, ab_test, shadow"
                " (did you mean 'blue_green'?)"
            ),
        ),
        (
            "type: lambda_inference",
            "type: lambda",
            "17:7",
            "models.1.type",
            "'lambda' is not one of sagemaker_endpoint, lambda_inference, batch_transform",
        ),
        (
            "type: lambda_inference",
            "tpye: lambda_inference",
            "17:7",
            "models.1.tpye",
            "is not a known key (did you mean 'type'?)",
        ),
        ("      type: lambda_inference\n", "", "16:7", "models.1", "needs the key 'type'"),
        (
            "memory: 1024",
            "runtime: nodejs22.x",
            "18:7",
            "models.1.runtime",
            "'nodejs22.x' is not a Python runtime of Lambda such as python3.13",
        ),
        ("memory: 1024", "memory: 64", "18:7", "models.1.memory", "64 is less than 128"),
        ("memory: 1024", "memory: 10241", "18:7", "models.1.memory", "10241 is more than 10240"),
        (
            "memory: 1024",
            "memory: '1024'",
            "18:7",
            "models.1.memory",
            "'1024' is not a whole number; remove the quotes",
        ),
        ("memory: 1024", "memory: 1.5", "18:7", "models.1.memory", "1.5 is not a whole number"),
        (
            "enabled: true",
            'enabled: "true"',
            "12:9",
            "models.0.auto_scaling.enabled",
            "'true' is not true or false; remove the quotes",
        ),
        (
            "enabled: true",
            "enabled: yes",
            "12:9",
            "models.0.auto_scaling.enabled",
            'YAML reads yes as true; write true, or quote it when it is text: "yes"',
        ),
        (
            "min_capacity: 1",
            "min_capacity: 11",
            "13:9",
            "models.0.auto_scaling.min_capacity",
            "min_capacity 11 is more than max_capacity 10",
        ),
        (
            "name: anomaly-detection-model",
            "name: cost-optimization-model",
            "16:7",
            "models.1.name",
            "the model 'cost-optimization-model' stands here a second time",
        ),
        (
            "ml.m5.large",
            "m5.large",
            "6:7",
            "models.0.instance_type",
            "'m5.large' is not a SageMaker instance type such as ml.m5.large (did you mean 'ml.m5.large'?)",
        ),
        ("name: cost-optimization-model", "name: 5", "4:7", "models.0.name", "5 is not text; quote it"),
        (
            "name: cost-optimization-model",
            "name: a/b",
            "4:7",
            "models.0.name",
            "'a/b' is not a name: 1 to 63 letters, digits, hyphens and underscores, no hyphen at the ends",
        ),
    ],
)
def test_a_fault_is_one_located_sentence(old, new, place, path, message):
    assert old in MODEL
    assert problems(MODEL.replace(old, new)) == [f"t.yaml:{place}: ml_model_deployment.{path}: {message}"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("target: lokal", "1:1: target: 'lokal' is not one of auto, local, aws (did you mean 'local'?)"),
        ("budget: 5", "1:1: budget: 5 is not a mapping of keys to values"),
        ("budget: {monthly_usd: 0}", "1:10: budget.monthly_usd: 0 is not more than 0"),
        (
            "ml_model_deployment: {models: []}",
            "1:23: ml_model_deployment.models: the list is empty; name at least one model",
        ),
        (
            "model_monitoring: {metrics: 5}",
            "1:20: model_monitoring.metrics: 5 is not a list; write each entry on a line of its own, behind a dash",
        ),
        ("model_monitoring: [1]", "1:1: model_monitoring: a list is not a mapping of keys to values"),
        (
            "model_monitoring: {metrics: [{name: accuracy, threshold: 1}, {name: prediction_accuracy, threshold: 1}]}",
            (
                "1:63: model_monitoring.metrics.1.name: the metric 'prediction_accuracy' stands here a second time,"
                " first as 'accuracy'"
            ),
        ),
        (
            "model_monitoring: {metrics: [{name: prediction_acuracy, threshold: 1}]}",
            (
                "1:31: model_monitoring.metrics.0.name: 'prediction_acuracy' is no known metric"
                " (did you mean 'prediction_accuracy'?)"
            ),
        ),
        (
            "model_monitoring: {alerting: {escalation_rules: [{condition: drift_scor > 1, action: ticket}]}}",
            (
                "1:51: model_monitoring.alerting.escalation_rules.0.condition: 'drift_scor' is no known metric"
                " (did you mean 'drift_score'?)"
            ),
        ),
        (
            "model_monitoring: {alerting: {channels: [slack, slack]}}",
            "1:49: model_monitoring.alerting.channels.1: the channel 'slack' stands here a second time",
        ),
        (
            "data_pipeline: {storage: {data_lake: {bucket: Lake_1}}}",
            (
                "1:39: data_pipeline.storage.data_lake.bucket: 'Lake_1' is not a bucket name: S3 wants 3 to 63"
                " lower-case letters, digits, dots and hyphens"
            ),
        ),
        (
            "data_pipeline: {storage: {data_lake: {bucket: lake, lifecycle_rules: [{expiration: 12h}]}}}",
            (
                "1:72: data_pipeline.storage.data_lake.lifecycle_rules.0.expiration: 12h is not a number of whole days,"
                " which lifecycle rules count in: write 30d"
            ),
        ),
        (
            "data_pipeline: {storage: {data_lake: {bucket: lake, lifecycle_rules: [{}]}}}",
            (
                "1:71: data_pipeline.storage.data_lake.lifecycle_rules.0: the rule is empty; write transition_to_ia,"
                " transition_to_glacier or expiration"
            ),
        ),
        (
            "data_pipeline: {processing: {stages: [{name: a, type: emr_step, instance_type: ml.m5.large}]}}",
            (
                "1:65: data_pipeline.processing.stages.0.instance_type: 'ml.m5.large' is not an EC2 instance type such"
                " as m5.xlarge"
            ),
        ),
        (
            "data_pipeline: {processing: {stages: [{name: a, type: glue_job, workertype: G.1X}]}}",
            "1:65: data_pipeline.processing.stages.0.workertype: is not a known key (did you mean 'worker_type'?)",
        ),
        (
            "data_pipeline: {monitoring: {data_quality: {completeness_threshold: 95}}}",
            (
                "1:45: data_pipeline.monitoring"
                ".data_quality.completeness_threshold: 95 is not between 0 and 1; write a fraction such as 0.95, or 95%"
            ),
        ),
    ],
)
def test_a_fault_elsewhere_is_one_located_sentence(text, sentence):
    assert problems(text) == [f"t.yaml:{sentence}"]


def test_all_problems_are_shown_at_once_sorted_by_line():
    text = (
        MODEL.replace("30m", "soon").replace("memory", "memroy").replace("enabled: true", "enabled: on")
        + "foo: 1\nfoo: 2"
    )
    found = problems(text)
    assert [int(p.split(":")[1]) for p in found] == [10, 12, 18, 19, 20], found


def test_the_same_top_level_key_in_two_files_names_both_places(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("target: local\n")
    second.write_text("# b\ntarget: aws\nbudget: {monthly_usd: 5}\n")
    with pytest.raises(ConfigError) as caught:
        document.load([first, second])
    (problem,) = caught.value.problems
    assert str(problem) == f"{second}:2:1: target: this key stands in two files (first at {first}:1:1)"


def test_problems_of_all_files_are_shown_and_a_file_that_cannot_be_read_is_one(tmp_path):
    (tmp_path / "a.yaml").write_text("target: lokal")
    (tmp_path / "b.yaml").write_bytes(b"\xff")
    with pytest.raises(ConfigError) as caught:
        document.load([tmp_path / "a.yaml", tmp_path / "b.yaml", tmp_path / "c.yaml", tmp_path])
    assert [str(p).removeprefix(str(tmp_path)) for p in caught.value.problems] == [
        ":1:1: document: the file cannot be read: Is a directory",
        "/a.yaml:1:1: target: 'lokal' is not one of auto, local, aws (did you mean 'local'?)",
        "/b.yaml:1:1: document: byte 0xff is not UTF-8; save the file as UTF-8",
        "/c.yaml:1:1: document: the file cannot be read: No such file or directory",
    ]


def test_a_problem_in_an_aliased_value_points_at_the_line_that_holds_it():
    text = "ml_model_deployment:\n  models:\n" + "".join(
        f"    - {{name: m{i}, type: lambda_inference, deployment: {value}}}\n"
        for i, value in enumerate(("&d {stratgy: canary}", "*d"))
    )
    assert [p.split(": ")[0] for p in problems(text)] == ["t.yaml:3:58", "t.yaml:3:58"]


def test_the_json_schema_knows_every_key_and_the_units():
    schema = document.json_schema()
    assert set(schema["properties"]) == set(document.Document.model_fields)
    deployment = schema["$defs"]["Deployment"]["properties"]
    assert {"type": ["number", "string"], "examples": [10, "10%"]} in deployment["canary_percentage"]["anyOf"]
    assert schema["$defs"]["MLModelDeployment"]["properties"]["models"]["minItems"] == 1
    assert schema["additionalProperties"] is False


def test_importing_the_room_imports_nothing_and_the_document_only_pydantic_and_yaml():
    code = (
        "import sys, aws_auto.config; heavy = {'pydantic', 'yaml', 'numpy', 'polars', 'boto3', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "import aws_auto.config.document\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n['pydantic', 'yaml']\n"


@pytest.mark.parametrize("name", ["model_latency_p99", "queue_depth", "prediction_accuracy_7d"])
def test_a_metric_of_ones_own_is_no_misspelt_one(name):
    loaded = document.loads(f"model_monitoring: {{metrics: [{{name: {name}, threshold: 1}}]}}")
    assert loaded.model_monitoring.metrics[0].canonical == name
