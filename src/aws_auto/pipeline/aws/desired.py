"""What a document means in AWS: the resources that the stacks would contain, by CloudFormation type.

This is the plan's view of them: what is billed, what scales and how a release goes, not whole templates. A name begins
with its stack (bootstrap, data, notify, train, dash, and one per model). No price is put on anything, because this
version ships no dated price list of these services: the plan calls them unpriced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_auto.config.data import EmrStep, GlueJob, KinesisFirehose, KinesisStream, LambdaStage
from aws_auto.config.deployment import BatchTransform, LambdaInference, SageMakerEndpoint
from aws_auto.pipeline.decisions import RUNTIME, canary, fleet, recipe_of
from aws_auto.pipeline.plan import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aws_auto.config.data import DataPipeline, DataSource, Output, Stage, Storage
    from aws_auto.config.deployment import MLModelDeployment, ServedModel
    from aws_auto.config.document import Document
    from aws_auto.config.monitoring import ModelMonitoring

#: SageMaker's latency metric counts microseconds.
MICROSECONDS = 1_000_000
#: Requests below which an error rate says nothing and an alarm stays quiet.
LEAST_REQUESTS = 50
EVENT_POLL = "rate(5 minutes)"
SUFFIX = "${AWS::AccountId}-${AWS::Region}"


def desired_aws(document: Document, champions: Mapping[str, int]) -> tuple[list[Resource], list[str]]:
    """The resources of all stacks in the order in which they would be made, and notes for the plan."""
    found = [_resource("S3::Bucket", "bootstrap/artifacts", bucket=f"aws-auto-artifacts-{SUFFIX}", versioned=True)]
    if document.data_pipeline is not None:
        found += _data(document.data_pipeline)
    if document.model_monitoring is not None:
        found += _monitoring(document.model_monitoring)
    if document.ml_model_deployment is not None:
        for model in document.ml_model_deployment.models:
            found += _model(document.ml_model_deployment, model, champions.get(recipe_of(model)))
    return found, list(_notes(document, champions))


def _resource(kind: str, name: str, **properties: Any) -> Resource:  # noqa: ANN401 - plain JSON
    return Resource(kind=f"AWS::{kind}", name=name, properties=properties)


# --- models -----------------------------------------------------------------------------------------------------------


def _model(deployment: MLModelDeployment, model: ServedModel, version: int | None) -> Iterator[Resource]:
    yield _resource("IAM::Role", f"m-{model.name}/execution", service=_service(model))
    strategy = deployment.strategy_of(model)
    match model:
        case SageMakerEndpoint():
            yield from _endpoint(model, strategy, version)
        case LambdaInference():
            yield from _function(model, strategy, version)
        case BatchTransform():
            yield from _batch(model, version)


def _service(model: ServedModel) -> str:
    return "lambda.amazonaws.com" if isinstance(model, LambdaInference) else "sagemaker.amazonaws.com"


def _endpoint(model: SageMakerEndpoint, strategy: str, version: int | None) -> Iterator[Resource]:
    yield _resource("SageMaker::Model", f"m-{model.name}/model", recipe=recipe_of(model), version=version)
    config = {"instance_type": model.instance_type, "initial_instance_count": fleet(model), "variant": "live"}
    yield _resource("SageMaker::EndpointConfig", f"m-{model.name}/config", **config)
    if strategy != "immediate":
        yield _resource(
            "CloudWatch::Alarm",
            f"m-{model.name}/errors",
            metric="Invocation5XXErrors / Invocations",
            dimension="EndpointConfigName",
            least_requests=LEAST_REQUESTS,
        )
    yield _resource("SageMaker::Endpoint", f"m-{model.name}/endpoint", **_release(model, strategy))
    bounds = model.auto_scaling
    if bounds is not None and bounds.enabled:
        capacity = {"min_capacity": bounds.min_capacity, "max_capacity": bounds.max_capacity}
        yield _resource("ApplicationAutoScaling::ScalableTarget", f"m-{model.name}/scaling", **capacity)
        target = {"metric": "CPUUtilization", "target_percent": bounds.target_utilization.value}
        yield _resource("ApplicationAutoScaling::ScalingPolicy", f"m-{model.name}/scaling", **target)


def _release(model: SageMakerEndpoint, strategy: str) -> dict[str, Any]:
    release: dict[str, Any] = {"strategy": strategy}
    if model.deployment.monitoring_duration is not None:
        release["watched_for"] = str(model.deployment.monitoring_duration)
    if strategy == "canary":
        share = canary(model)
        release |= {"canary_percent": share.asked, "effective_canary_percent": share.effective, "canary_by": share.by}
    return release


def _function(model: LambdaInference, strategy: str, version: int | None) -> Iterator[Resource]:
    yield _resource("Logs::LogGroup", f"m-{model.name}/log", retention_days=30)
    size = {"runtime": model.runtime, "memory_mb": model.memory}
    yield _resource("Lambda::Function", f"m-{model.name}/function", **size, recipe=recipe_of(model), version=version)
    yield _resource("Lambda::Version", f"m-{model.name}/version", version=version)
    yield _resource("Lambda::Alias", f"m-{model.name}/live", strategy=strategy)
    if strategy not in {"immediate", "blue_green"}:
        yield _resource("CodeDeploy::DeploymentGroup", f"m-{model.name}/release", strategy=strategy)
    if "cloudwatch_metrics" in model.triggers:
        yield _resource("Scheduler::Schedule", f"m-{model.name}/metrics", schedule=EVENT_POLL)
    if "real_time_streams" in model.triggers:
        yield _resource("Lambda::EventSourceMapping", f"m-{model.name}/stream")


def _batch(model: BatchTransform, version: int | None) -> Iterator[Resource]:
    yield _resource("SageMaker::Model", f"m-{model.name}/model", recipe=recipe_of(model), version=version)
    yield _resource(
        "StepFunctions::StateMachine",
        f"m-{model.name}/transform",
        instance_type=model.instance_type,
        instance_count=model.instance_count,
        input_data=str(model.input_data),
        output_data=str(model.output_data),
    )
    yield _resource("Scheduler::Schedule", f"m-{model.name}/transform", schedule=str(model.schedule))


# --- monitoring -------------------------------------------------------------------------------------------------------


def _monitoring(monitoring: ModelMonitoring) -> Iterator[Resource]:
    yield _resource("SNS::Topic", "notify/alerts", channels=list(monitoring.alerting.channels))
    yield _resource("Lambda::Function", "train/drift-check", runtime=RUNTIME, runs="the drift tests of this package")
    yield _resource("Scheduler::Schedule", "train/drift-check", schedule="rate(1 hour)")
    for metric in monitoring.metrics:
        in_us = metric.canonical == "model_latency" and metric.threshold.kind == "duration"
        limit = metric.threshold.value * (MICROSECONDS if in_us else 1)
        unit = "Microseconds" if in_us else "None"
        yield _resource("CloudWatch::Alarm", f"notify/{metric.canonical}", threshold=limit, unit=unit)
    escalations = [f"{r.condition}: {r.action}" for r in monitoring.alerting.escalation_rules]
    if escalations or any(m.auto_retrain_trigger for m in monitoring.metrics):
        yield _resource("StepFunctions::StateMachine", "train/retrain", escalations=escalations)
    yield _resource("CloudWatch::Dashboard", "dash/aws-auto")


# --- data -------------------------------------------------------------------------------------------------------------


def _data(data: DataPipeline) -> Iterator[Resource]:
    yield from _storage(data.storage)
    for source in data.ingestion.sources:
        yield from _source(source, data.processing.output)
    for stage in data.processing.stages:
        yield _stage(stage)


def _storage(storage: Storage) -> Iterator[Resource]:
    lake, store = storage.data_lake, storage.feature_store
    if lake is not None:
        rules = [{key: int(days.days) for key, days in rule if days is not None} for rule in lake.lifecycle_rules]
        spared = ["feature-store/"] if store is not None and store.offline_store else []
        yield _resource(
            "S3::Bucket",
            f"data/{lake.bucket}",
            bucket=f"{lake.bucket}-{SUFFIX}",
            lifecycle_days=rules,
            lifecycle_spares=spared,
        )
    if store is not None and store.type == "dynamodb":
        yield _resource("DynamoDB::Table", "data/features", billing="on demand")
    elif store is not None:
        stores = {"online": store.online_store, "offline": store.offline_store}
        yield _resource("SageMaker::FeatureGroup", "data/features", **stores)


def _source(source: DataSource, output: Output) -> Iterator[Resource]:
    match source:
        case KinesisStream():
            yield _resource("Kinesis::Stream", f"data/{source.name}", mode="ON_DEMAND")
            timeout = {} if source.batch_timeout is None else {"batch_timeout_s": source.batch_timeout.seconds}
            mapping = {"batch_size": source.batch_size, **timeout}
            yield _resource("Lambda::EventSourceMapping", f"data/{source.name}", stream=source.name, **mapping)
        case KinesisFirehose():
            yield _resource(
                "KinesisFirehose::DeliveryStream",
                f"data/{source.name}",
                compression=source.compression,
                converts_to=output.format,
                error_output_prefix=source.error_output_prefix,
            )
        case _ if source.schedule is not None:
            yield _resource("Scheduler::Schedule", f"data/{source.name}", schedule=str(source.schedule))
        case _:
            yield _resource("Events::Rule", f"data/{source.name}", event="Object Created")


def _stage(stage: Stage) -> Resource:
    match stage:
        case LambdaStage():
            timeout = None if stage.timeout is None else stage.timeout.seconds
            return _resource("Lambda::Function", f"data/{stage.name}", memory_mb=stage.memory, timeout_s=timeout)
        case GlueJob():
            workers = {"worker_type": stage.worker_type, "most_workers": stage.number_of_workers, "auto_scaling": True}
            return _resource("Glue::Job", f"data/{stage.name}", **workers)
        case EmrStep():
            most = {"like": f"{stage.instance_count} x {stage.instance_type}", "stops_by_itself": True}
            return _resource("EMRServerless::Application", f"data/{stage.name}", **most)


def _notes(document: Document, champions: Mapping[str, int]) -> Iterator[str]:
    deployment = document.ml_model_deployment
    models = deployment.models if deployment is not None else ()
    yield "no call to AWS was made: this is what stacks would contain, compared with an empty account"
    for model in models:
        if isinstance(model, SageMakerEndpoint) and deployment is not None:
            sentence = canary(model).sentence() if deployment.strategy_of(model) == "canary" else ""
            if sentence:
                yield f"{model.name}: {sentence}"
        if isinstance(model, BatchTransform):
            yield f"{model.name}: {model.input_data} and {model.output_data} are read and written, not created"
    if waiting := sorted({recipe_of(m) for m in models} - set(champions)):
        names = ",".join(waiting)
        yield f"waiting for a champion: {', '.join(waiting)}; next: aws-auto ml train-models --models {names}"
