"""What the specification's own YAML leaves open or gets wrong, and what is done about it.

Each function below knows one defect: it finds it in a document and says where it stands, what it was, what it becomes
and why. `decide` applies them in order. Where a value is wrong it is replaced; where the YAML only leaves something
open, the value stays and the decision is recorded, for the target to follow. Dates and limits are AWS's as of 2026-11;
the dates of runtimes are those of cfn-lint 1.58.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_auto.config.data import EmrStep, GlueJob, KinesisFirehose, S3Trigger
from aws_auto.config.deployment import LambdaInference, SageMakerEndpoint
from aws_auto.config.quantities import Percent
from aws_auto.errors import ConfigError, Problem
from aws_auto.pipeline.plan import Repair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic import BaseModel

    from aws_auto.config.data import DataPipeline
    from aws_auto.config.deployment import ServedModel
    from aws_auto.config.document import Document

Path = tuple[str | int, ...]

#: Smallest general-purpose type that hosts, transforms and scales.
HOSTING = "ml.m5.large"
#: Newest runtime whose packages we measured; AWS supports it until 2029-06-30.
RUNTIME = "python3.13"
#: Runtimes that end sooner, and when AWS deprecates them.
ENDING = {
    "python3.8": "2024-10-14",
    "python3.9": "2025-12-15",
    "python3.10": "2026-10-31",
    "python3.11": "2027-06-30",
}
#: Workers of a Glue job above which we say that a lake of this kind does not need them.
FEW_WORKERS = 2
DEFAULT_CANARY = Percent(10.0)
#: The words of ``--ai-features``, and the recipe that each stands for.
FEATURES = {
    "anomaly-detection": "anomaly-detector",
    "cost-optimization": "cost-optimizer",
    "predictive-scaling": "demand-forecaster",
}

_KEEP = object()


@dataclass(frozen=True, kw_only=True)
class Defect:
    """One finding. ``value`` replaces what stands at ``path``, unless the value may stay."""

    path: Path
    was: str
    became: str
    why: str
    value: Any = field(default=_KEEP, repr=False)


@dataclass(frozen=True, kw_only=True)
class Canary:
    """What a canary really is on a fleet of this size, in percent of the traffic.

    SageMaker's guardrails move whole instances, rounded up; a second variant is exact, and one more instance.
    """

    asked: float
    effective: float
    by: str

    def sentence(self) -> str:
        """For notes: empty when what was asked is what happens."""
        if self.effective == self.asked:
            return ""
        return f"a canary of {self.asked:g} % is {self.effective:.3g} % here: {self.by}"


def canary(model: SageMakerEndpoint) -> Canary:
    """The share of traffic that a new version of this endpoint really gets first."""
    asked = (model.deployment.canary_percentage or DEFAULT_CANARY).value
    instances = fleet(model)
    if instances < 2:
        return Canary(asked=asked, effective=asked, by="a second variant of one instance")
    moved = min(math.ceil(instances * asked / 100), instances // 2)
    return Canary(asked=asked, effective=100 * moved / instances, by=f"{moved} of {instances} instances")


def recipe_of(model: ServedModel) -> str:
    """The trained model that is served: as ``recipe`` says, else found by the name."""
    word = model.recipe or model.name.removesuffix("-model")
    return FEATURES.get(word, word)


def decide(document: Document, *, strict: bool = False) -> tuple[Document, tuple[Repair, ...]]:
    """The document as it can be deployed, and every decision that led there.

    Raises:
        ConfigError: ``strict``, and there is something to decide: all of it, with its line.
    """
    decided, repairs, problems = document, [], []
    for find in DEFECTS:
        for defect in find(decided):
            if defect.value is not _KEEP:
                decided = _replaced(decided, defect.path, defect.value)
            where = f"{document.where(defect.path)}: {'.'.join(map(str, defect.path))}"
            repairs.append(Repair(where=where, was=defect.was, became=defect.became, why=defect.why))
            problems.append(
                problem(document, defect.path, f"{defect.was}: {defect.why}", hint=f"would be: {defect.became}")
            )
    if strict and problems:
        raise ConfigError(problems, hint="write what is meant, or leave out --strict to have it decided")
    return decided, tuple(repairs)


def problem(document: Document, path: Path, message: str, *, hint: str) -> Problem:
    """A problem at the line where the path stands; a document that no file holds begins at line 1."""
    mark = document.where(path)
    file, line, column = mark.rsplit(":", 2) if mark.count(":") > 1 else (mark, "1", "1")
    return Problem(file, int(line), int(column), ".".join(map(str, path)), message, hint)


def _replaced(model: BaseModel, path: Path, value: object) -> Any:  # noqa: ANN401 - the type of what was given
    step, rest = path[0], path[1:]
    inner = getattr(model, str(step))
    if isinstance(inner, tuple):
        position, below = int(rest[0]), rest[1:]
        item = _replaced(inner[position], below, value) if below else value
        new: object = (*inner[:position], item, *inner[position + 1 :])
    else:
        new = _replaced(inner, rest, value) if rest else value
    return model.model_copy(update={str(step): new})


# --- models -----------------------------------------------------------------------------------------------------------


def _models(document: Document) -> Iterator[tuple[Path, ServedModel]]:
    for position, model in enumerate(document.ml_model_deployment.models if document.ml_model_deployment else ()):
        yield ("ml_model_deployment", "models", position), model


def family(instance_type: str) -> str:
    """``t3`` of ``ml.t3.medium``."""
    return instance_type.split(".")[-2]


def no_such_host(document: Document) -> Iterator[Defect]:
    """1. ``ml.t3`` trains and processes, but does not host; no burstable type transforms."""
    for path, model in _models(document):
        if isinstance(model, LambdaInference):
            continue
        kind = family(model.instance_type)
        hosts = isinstance(model, SageMakerEndpoint)
        if kind.startswith("t") and not kind.startswith("trn") and not (hosts and kind == "t2"):
            yield Defect(
                path=(*path, "instance_type"),
                was=model.instance_type,
                became=HOSTING,
                why=f"SageMaker has no {'hosting' if hosts else 'batch transform'} instances of the family ml.{kind}",
                value=HOSTING,
            )


def burstable_scaling(document: Document) -> Iterator[Defect]:
    """2. Burstable instances cannot be scaled automatically."""
    for path, model in _models(document):
        if isinstance(model, SageMakerEndpoint) and family(model.instance_type) == "t2" and _scales(model):
            yield Defect(
                path=(*path, "instance_type"),
                was=f"{model.instance_type} with auto_scaling",
                became=HOSTING,
                why="SageMaker does not scale burstable instances automatically",
                value=HOSTING,
            )


def _scales(model: SageMakerEndpoint) -> bool:
    return model.auto_scaling is not None and model.auto_scaling.enabled


def canary_of_one(document: Document) -> Iterator[Defect]:
    """3. A guardrail canary moves whole instances, at most half of them: with one there is nothing to move."""
    deployment = document.ml_model_deployment
    for path, model in _models(document):
        if not isinstance(model, SageMakerEndpoint) or deployment is None:
            continue
        if deployment.strategy_of(model) == "canary" and fleet(model) < 2:
            share = model.deployment.canary_percentage or DEFAULT_CANARY
            yield Defect(
                path=(*path, "deployment", "canary_percentage"),
                was=f"a canary of {share} on one instance",
                became=f"a second variant of one instance that gets {share} of the requests while it is judged",
                why="SageMaker's canary moves whole instances and at most half of them",
            )


def fleet(model: SageMakerEndpoint) -> int:
    """Instances that are there at least, and so during a release."""
    return max(1, model.auto_scaling.min_capacity) if model.auto_scaling is not None and _scales(model) else 1


def two_strategies(document: Document) -> Iterator[Defect]:
    """4. The strategy stands at two levels, with different words."""
    deployment = document.ml_model_deployment
    if deployment is None or "deployment_strategy" not in deployment.model_fields_set:
        return
    for path, model in _models(document):
        own = model.deployment.strategy
        if own is not None and own != deployment.deployment_strategy:
            yield Defect(
                path=(*path, "deployment", "strategy"),
                was=f"{own} here, {deployment.deployment_strategy} for all",
                became=own,
                why="what is said about one model counts before what is said about all",
            )


def ending_runtime(document: Document) -> Iterator[Defect]:
    """5. A runtime that AWS will soon refuse."""
    for path, model in _models(document):
        if isinstance(model, LambdaInference) and model.runtime in ENDING:
            yield Defect(
                path=(*path, "runtime"),
                was=model.runtime,
                became=RUNTIME,
                why=f"AWS deprecates {model.runtime} on {ENDING[model.runtime]} and then refuses new functions",
                value=RUNTIME,
            )


def no_such_trigger(document: Document) -> Iterator[Defect]:
    """9. CloudWatch metrics trigger nothing."""
    for path, model in _models(document):
        if isinstance(model, LambdaInference) and "cloudwatch_metrics" in model.triggers:
            yield Defect(
                path=(*path, "triggers", model.triggers.index("cloudwatch_metrics")),
                was="cloudwatch_metrics",
                became="a schedule, every 5 minutes, on which the function reads the newest metrics",
                why="CloudWatch metrics are no event source of Lambda",
            )


def utilisation_of_what(document: Document) -> Iterator[Defect]:
    """13. A target needs a metric; the predefined one would read 70 as requests."""
    for path, model in _models(document):
        if not isinstance(model, SageMakerEndpoint) or model.auto_scaling is None or not _scales(model):
            continue
        if "target_utilization" in model.auto_scaling.model_fields_set:
            target = model.auto_scaling.target_utilization
            yield Defect(
                path=(*path, "auto_scaling", "target_utilization"),
                was=f"{target}, of what is not said",
                became=f"{target} of CPU",
                why="SageMaker's predefined scaling metric would read it as requests per minute and instance",
            )


# --- monitoring -------------------------------------------------------------------------------------------------------


def short_metric_names(document: Document) -> Iterator[Defect]:
    """10. Conditions call metrics by other names than the list of metrics does."""
    for path, comparison in _comparisons(document):
        if comparison.metric != comparison.canonical:
            yield Defect(
                path=path,
                was=comparison.metric,
                became=comparison.canonical,
                why="the condition and the list of metrics name the same metric differently",
            )


def two_thresholds(document: Document) -> Iterator[Defect]:
    """11. A metric has a threshold of its own and another in a condition."""
    monitoring = document.model_monitoring
    limits = {m.canonical: m.threshold for m in monitoring.metrics} if monitoring else {}
    for path, comparison in _comparisons(document):
        limit = limits.get(comparison.canonical)
        if limit is not None and limit != comparison.threshold:
            yield Defect(
                path=path,
                was=f"{comparison.canonical} has the limits {limit} and {comparison.threshold}",
                became=f"two tiers: {limit} warns, {comparison.threshold} escalates; the same action is taken once",
                why="both limits are meant, and a model must not be trained again twice for one drift",
            )


def _comparisons(document: Document) -> Iterator[tuple[Path, Any]]:
    monitoring = document.model_monitoring
    for position, rule in enumerate(monitoring.alerting.escalation_rules if monitoring else ()):
        for comparison in rule.condition.comparisons:
            yield ("model_monitoring", "alerting", "escalation_rules", position, "condition"), comparison


def latency_unit(document: Document) -> Iterator[Defect]:
    """12. SageMaker reports latency in microseconds."""
    for path, metric in _metrics(document):
        if metric.canonical == "model_latency" and metric.threshold.kind == "duration":
            yield Defect(
                path=(*path, "threshold"),
                was=str(metric.threshold),
                became=f"{metric.threshold.value * 1e6:.0f} microseconds in CloudWatch alarms",
                why="SageMaker's ModelLatency counts microseconds",
            )


def accuracy_without_truth(document: Document) -> Iterator[Defect]:
    """14. Accuracy is unknown until somebody says what was right."""
    for path, metric in _metrics(document):
        if metric.canonical == "prediction_accuracy":
            yield Defect(
                path=(*path, "name"),
                was="prediction_accuracy",
                became="judged on answers whose truth has arrived, and unknown until then",
                why="no accuracy can be computed without labels",
            )


def _metrics(document: Document) -> Iterator[tuple[Path, Any]]:
    monitoring = document.model_monitoring
    for position, metric in enumerate(monitoring.metrics if monitoring else ()):
        yield ("model_monitoring", "metrics", position), metric


# --- data -------------------------------------------------------------------------------------------------------------


def _data(document: Document) -> Iterator[DataPipeline]:
    if document.data_pipeline is not None:
        yield document.data_pipeline


def _sources(document: Document) -> Iterator[tuple[Path, Any]]:
    for data in _data(document):
        for position, source in enumerate(data.ingestion.sources):
            yield ("data_pipeline", "ingestion", "sources", position), source


def _stages(document: Document) -> Iterator[tuple[Path, Any]]:
    for data in _data(document):
        for position, stage in enumerate(data.processing.stages):
            yield ("data_pipeline", "processing", "stages", position), stage


def compressed_twice(document: Document) -> Iterator[Defect]:
    """6. Firehose cannot compress what it converts to Parquet; Parquet compresses itself."""
    for data in _data(document):
        output = data.processing.output
        for path, source in _sources(document):
            if (
                isinstance(source, KinesisFirehose)
                and source.compression != "uncompressed"
                and output.format == "parquet"
            ):
                yield Defect(
                    path=(*path, "compression"),
                    was=f"{source.compression} with {output.format}",
                    became=f"uncompressed outside, {output.compression} inside the Parquet file",
                    why="Firehose refuses to compress files that it converts to Parquet",
                    value="uncompressed",
                )


def trigger_and_schedule(document: Document) -> Iterator[Defect]:
    """7. A source is both triggered and scheduled."""
    for path, source in _sources(document):
        if isinstance(source, S3Trigger) and source.schedule is not None:
            yield Defect(
                path=(*path, "schedule"),
                was=f"s3_trigger with schedule {source.schedule}",
                became=f"looked for {source.schedule}, no event notifications",
                why="billing files are restated for days: a run per event sees versions that do not last",
            )


def global_bucket_name(document: Document) -> Iterator[Defect]:
    """8. Bucket names are shared by all accounts of the world."""
    for data in _data(document):
        if data.storage.data_lake is not None:
            name = data.storage.data_lake.bucket
            yield Defect(
                path=("data_pipeline", "storage", "data_lake", "bucket"),
                was=name,
                became=f"{name}-<account>-<region>",
                why="bucket names are shared by all AWS accounts, and a plain one is taken",
            )


def standing_cluster(document: Document) -> Iterator[Defect]:
    """15. An EMR step needs a cluster, which costs money while it waits."""
    for path, stage in _stages(document):
        if isinstance(stage, EmrStep):
            yield Defect(
                path=(*path, "type"),
                was=f"emr_step on {stage.instance_count} x {stage.instance_type}",
                became=f"a job of EMR Serverless with the memory and CPU of {stage.instance_count} of them at most",
                why="a step needs a cluster that is paid for while it waits; a serverless application stops by itself",
            )


def many_workers(document: Document) -> Iterator[Defect]:
    """16. Ten Glue workers for some megabytes."""
    for path, stage in _stages(document):
        if isinstance(stage, GlueJob) and stage.number_of_workers > FEW_WORKERS:
            yield Defect(
                path=(*path, "number_of_workers"),
                was=f"{stage.number_of_workers} workers",
                became=f"{stage.number_of_workers} workers at most, as many as the data needs (Glue auto scaling)",
                why="metrics of a usual estate are megabytes an hour, and each worker is billed",
            )


def archived_features(document: Document) -> Iterator[Defect]:
    """17. A lifecycle for the whole bucket would archive the feature store's live files."""
    for data in _data(document):
        lake, store = data.storage.data_lake, data.storage.feature_store
        if lake is not None and lake.lifecycle_rules and store is not None and store.offline_store:
            yield Defect(
                path=("data_pipeline", "storage", "data_lake", "lifecycle_rules"),
                was="lifecycle rules for the whole bucket",
                became="lifecycle rules for everything but feature-store/",
                why="the offline feature store keeps its live files in the same bucket; archived, they cannot be read",
            )


#: In the order of the specification's defect list, except that replacements come before what builds on them.
DEFECTS: tuple[Callable[[Document], Iterator[Defect]], ...] = (
    no_such_host,
    burstable_scaling,
    canary_of_one,
    two_strategies,
    ending_runtime,
    compressed_twice,
    trigger_and_schedule,
    global_bucket_name,
    no_such_trigger,
    short_metric_names,
    two_thresholds,
    latency_unit,
    utilisation_of_what,
    accuracy_without_truth,
    standing_cluster,
    many_workers,
    archived_features,
)
