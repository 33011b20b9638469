"""``ml_model_deployment``: which models are served, how, and how a new version is released."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from aws_auto.config.model import Count, MisfitError, Model, Name, unique
from aws_auto.config.quantities import Duration, Percent, S3Uri, shown
from aws_auto.config.schedules import Schedule

Strategy = Literal["immediate", "blue_green", "canary", "linear", "rolling", "ab_test", "shadow"]
Trigger = Literal["cloudwatch_metrics", "real_time_streams"]


def _ml_instance(value: str) -> str:
    if re.fullmatch(r"ml\.[a-z0-9-]+\.[a-z0-9-]+", value):
        return value
    hint = f"did you mean 'ml.{value}'?" if re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", value) else None
    raise MisfitError(f"{shown(value)} is not a SageMaker instance type such as ml.m5.large", hint=hint)


def _runtime(value: str) -> str:
    if not re.fullmatch(r"python3\.[0-9]{1,2}", value):
        raise MisfitError(f"{shown(value)} is not a Python runtime of Lambda such as python3.13")
    return value


MlInstance = Annotated[str, AfterValidator(_ml_instance)]
Runtime = Annotated[str, AfterValidator(_runtime)]
#: Memory of a Lambda function in MB.
LambdaMemory = Annotated[int, Field(ge=128, le=10240)]


class Deployment(Model):
    """How a new version of one model is released."""

    strategy: Strategy | None = Field(default=None, description="overrides deployment_strategy for this model")
    canary_percentage: Percent | None = Field(
        default=None, description="share of traffic that the new version gets first"
    )
    monitoring_duration: Duration | None = Field(default=None, description="how long the new version is watched")


class AutoScaling(Model):
    """How many instances answer."""

    enabled: bool = True
    min_capacity: int = Field(default=1, ge=0)
    max_capacity: Count = 1
    target_utilization: Percent = Field(default=Percent(70.0), description="CPU that the fleet is held at")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_capacity > self.max_capacity:
            raise MisfitError(
                f"min_capacity {self.min_capacity} is more than max_capacity {self.max_capacity}", at=("min_capacity",)
            )
        return self


class Monitoring(Model):
    """What is watched on one model."""

    data_drift: bool = False
    model_quality: bool = False
    prediction_drift: bool = False


class _Served(Model):
    name: Name
    recipe: str | None = Field(default=None, description="the trained model to serve; found by the name when not said")
    deployment: Deployment = Deployment()
    monitoring: Monitoring = Monitoring()


class SageMakerEndpoint(_Served):
    """A model behind a real-time endpoint."""

    type: Literal["sagemaker_endpoint"]
    instance_type: MlInstance
    auto_scaling: AutoScaling | None = None


class LambdaInference(_Served):
    """A model inside a Lambda function."""

    type: Literal["lambda_inference"]
    runtime: Runtime = "python3.13"
    memory: LambdaMemory = 1024
    timeout: Duration | None = None
    triggers: tuple[Trigger, ...] = ()


class BatchTransform(_Served):
    """A model that scores files on a schedule."""

    type: Literal["batch_transform"]
    instance_type: MlInstance
    instance_count: Count = 1
    schedule: Schedule
    input_data: S3Uri
    output_data: S3Uri


ServedModel = Annotated[SageMakerEndpoint | LambdaInference | BatchTransform, Field(discriminator="type")]


class MLModelDeployment(Model):
    """The whole of ``ml_model_deployment``."""

    deployment_strategy: Strategy = Field(default="immediate", description="for models that name none of their own")
    models: tuple[ServedModel, ...] = Field(json_schema_extra={"minItems": 1})

    @model_validator(mode="after")
    def _some_and_each_once(self) -> Self:
        if not self.models:
            raise MisfitError("the list is empty; name at least one model", at=("models",))
        unique([m.name for m in self.models], "the model", under=("models",))
        return self

    def strategy_of(self, model: SageMakerEndpoint | LambdaInference | BatchTransform) -> Strategy:
        """The strategy that counts for this model: its own, else the one for all."""
        return model.deployment.strategy or self.deployment_strategy
