"""What a document means on this machine: the resources of the local target.

Models of every type are served over HTTP by `aws-auto ml serve` and follow the registry's champion. What only AWS can
do (instances, traffic shares, streams, lifecycles) is recorded under ``on_aws``, so that the plan shows the whole
configuration, and named in a note.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_auto.config.deployment import BatchTransform, LambdaInference, SageMakerEndpoint
from aws_auto.pipeline.decisions import canary, recipe_of
from aws_auto.pipeline.plan import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from aws_auto.config.data import DataPipeline
    from aws_auto.config.deployment import MLModelDeployment, ServedModel
    from aws_auto.config.document import Document
    from aws_auto.config.monitoring import ModelMonitoring


def desired(document: Document, champions: Mapping[str, int]) -> tuple[list[Resource], list[str]]:
    """The resources, and notes: which models wait for a champion, and what has no effect here."""
    found: list[Resource] = []
    if document.data_pipeline is not None:
        found += _data(document.data_pipeline)
    if document.ml_model_deployment is not None:
        found += [_served(document.ml_model_deployment, m) for m in document.ml_model_deployment.models]
    if document.model_monitoring is not None:
        found += _watched(document.model_monitoring)
    return found, list(_notes(document, champions))


def _resource(kind: str, name: str, **properties: Any) -> Resource:  # noqa: ANN401 - plain JSON
    return Resource(kind=kind, name=name, properties=properties, monthly_usd=0.0)


def _served(deployment: MLModelDeployment, model: ServedModel) -> Resource:
    common = {
        "model": recipe_of(model),
        "serves": "champion",
        "strategy": deployment.strategy_of(model),
        "monitoring": model.monitoring.model_dump(),
    }
    match model:
        case SageMakerEndpoint():
            return _resource("endpoint", model.name, **common, **_endpoint(deployment, model))
        case LambdaInference():
            on_aws = {"runtime": model.runtime, "memory_mb": model.memory, "triggers": list(model.triggers)}
            return _resource("function", model.name, **common, on_aws=on_aws)
        case BatchTransform():
            on_aws = {
                "instances": f"{model.instance_count} x {model.instance_type}",
                "schedule": str(model.schedule),
                "input_data": str(model.input_data),
                "output_data": str(model.output_data),
            }
            return _resource("batch", model.name, **common, on_aws=on_aws)


def _endpoint(deployment: MLModelDeployment, model: SageMakerEndpoint) -> dict[str, Any]:
    on_aws: dict[str, Any] = {"instance_type": model.instance_type}
    if model.auto_scaling is not None and model.auto_scaling.enabled:
        bounds = model.auto_scaling
        on_aws["auto_scaling"] = {
            "instances": f"{bounds.min_capacity} to {bounds.max_capacity}",
            "target_cpu_percent": bounds.target_utilization.value,
        }
    if deployment.strategy_of(model) == "canary":
        share = canary(model)
        on_aws["canary"] = {"asked_percent": share.asked, "effective_percent": share.effective, "by": share.by}
    if model.deployment.monitoring_duration is not None:
        on_aws["watched_for"] = str(model.deployment.monitoring_duration)
    return {"on_aws": on_aws}


def _watched(monitoring: ModelMonitoring) -> Iterator[Resource]:
    for metric in monitoring.metrics:
        yield _resource("rule", metric.canonical, **metric.model_dump(mode="json", exclude={"name"}))
    if monitoring.alerting.channels or monitoring.alerting.escalation_rules:
        yield _resource("alerting", "alerts", **monitoring.alerting.model_dump(mode="json"))


def _data(data: DataPipeline) -> Iterator[Resource]:
    dumped = data.model_dump(mode="json", exclude_none=True)
    for source in dumped["ingestion"]["sources"]:
        yield _resource("source", source.pop("name"), on_aws=source)
    for stage in dumped["processing"]["stages"]:
        yield _resource("stage", stage.pop("name"), runs="in this process", on_aws=stage)
    checks = {**dumped["ingestion"]["validation"], **dumped["monitoring"]["data_quality"]}
    yield _resource("checks", "data-quality", **checks)
    lake, store = data.storage.data_lake, data.storage.feature_store
    if lake is not None:
        rules = [r.model_dump(mode="json", exclude_none=True) for r in lake.lifecycle_rules]
        folder = {"format": "parquet", "partitioning": ["year", "month", "day"]}
        yield _resource("lake", lake.bucket, **folder, on_aws={"lifecycle_rules": rules})
    if store is not None:
        yield _resource("feature_store", "features", on_aws=store.model_dump(mode="json"))


def _notes(document: Document, champions: Mapping[str, int]) -> Iterator[str]:
    deployment = document.ml_model_deployment
    models = deployment.models if deployment is not None else ()
    for model in models:
        version = champions.get(recipe_of(model))
        if version is not None:
            yield f"{model.name} serves {recipe_of(model)} version {version}, and follows when another becomes champion"
    if waiting := sorted({recipe_of(m) for m in models} - set(champions)):
        names = ",".join(waiting)
        yield f"waiting for a champion: {', '.join(waiting)}; next: aws-auto ml train-models --models {names}"
    if only_aws := [*_only_aws_models(deployment), *_only_aws_data(document.data_pipeline)]:
        yield f"recorded for AWS, without effect on this machine: {', '.join(only_aws)}"


def _only_aws_models(deployment: MLModelDeployment | None) -> Iterator[str]:
    if deployment is not None:
        yield "instance types, scaling, triggers and batch schedules"
        for model in deployment.models:
            if (strategy := deployment.strategy_of(model)) != "immediate":
                yield f"the {strategy} release of {model.name}"


def _only_aws_data(data: DataPipeline | None) -> Iterator[str]:
    if data is None:
        return
    parts = (
        (data.ingestion.sources, "source types"),
        (data.processing.stages, "stage sizes"),
        (data.storage.data_lake and data.storage.data_lake.lifecycle_rules, "lifecycle rules"),
        (data.storage.feature_store, "the feature store"),
    )
    yield from (words for present, words in parts if present)
