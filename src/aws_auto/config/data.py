"""``data_pipeline``: where data comes from, what is done to it, and where it is kept."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from aws_auto.config.deployment import LambdaMemory
from aws_auto.config.model import BucketName, Count, MisfitError, Model, Name, Share, unique
from aws_auto.config.quantities import Duration, shown
from aws_auto.config.schedules import Schedule

StreamCompression = Literal["gzip", "snappy", "zip", "uncompressed"]
FileCompression = Literal["snappy", "gzip", "zstd", "uncompressed"]
WorkerType = Literal["G.025X", "G.1X", "G.2X", "G.4X", "G.8X", "G.12X", "G.16X", "R.1X", "R.2X", "R.4X", "R.8X"]


def _ec2_instance(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", value) or value.startswith("ml."):
        raise MisfitError(f"{shown(value)} is not an EC2 instance type such as m5.xlarge")
    return value


def _whole_days(value: Duration) -> Duration:
    if value.seconds % 86400 or not value.seconds:
        raise MisfitError(f"{value} is not a number of whole days, which lifecycle rules count in: write 30d")
    return value


EC2Instance = Annotated[str, AfterValidator(_ec2_instance)]
Days = Annotated[Duration, AfterValidator(_whole_days)]


class KinesisStream(Model):
    """Records that arrive through a Kinesis data stream."""

    name: Name
    type: Literal["kinesis_stream"]
    batch_size: int = Field(default=100, ge=1, le=10000)
    batch_timeout: Duration | None = None


class KinesisFirehose(Model):
    """Records that Firehose collects into files."""

    name: Name
    type: Literal["kinesis_firehose"]
    compression: StreamCompression = "uncompressed"
    error_output_prefix: str | None = None


class S3Trigger(Model):
    """Files that are put into a bucket, or looked for on a schedule."""

    name: Name
    type: Literal["s3_trigger"]
    schedule: Schedule | None = None


class Validation(Model):
    """What is checked as data arrives."""

    schema_validation: bool = False
    data_quality_checks: bool = False
    anomaly_detection: bool = False


DataSource = Annotated[KinesisStream | KinesisFirehose | S3Trigger, Field(discriminator="type")]


class Ingestion(Model):
    """Where data comes from."""

    sources: tuple[DataSource, ...] = ()
    validation: Validation = Validation()

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        unique([s.name for s in self.sources], "the source", under=("sources",))
        return self


class LambdaStage(Model):
    """A stage that runs as a Lambda function."""

    name: Name
    type: Literal["lambda"]
    memory: LambdaMemory = 512
    timeout: Duration | None = None


class GlueJob(Model):
    """A stage that runs on Glue."""

    name: Name
    type: Literal["glue_job"]
    worker_type: WorkerType = "G.1X"
    number_of_workers: int = Field(default=2, ge=2)
    timeout: Duration | None = None


class EmrStep(Model):
    """A stage that runs on EMR."""

    name: Name
    type: Literal["emr_step"]
    instance_type: EC2Instance
    instance_count: Count = 1


Stage = Annotated[LambdaStage | GlueJob | EmrStep, Field(discriminator="type")]


class Output(Model):
    """The files that the last stage writes."""

    format: Literal["parquet", "csv", "json", "orc"] = "parquet"
    compression: FileCompression = "snappy"
    partitioning: tuple[Literal["year", "month", "day", "hour"], ...] = ("year", "month", "day")


class Processing(Model):
    """What is done to the data."""

    stages: tuple[Stage, ...] = ()
    output: Output = Output()

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        unique([s.name for s in self.stages], "the stage", under=("stages",))
        return self


class LifecycleRule(Model):
    """When objects move to cheaper storage, or go."""

    transition_to_ia: Days | None = None
    transition_to_glacier: Days | None = None
    expiration: Days | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise MisfitError("the rule is empty; write transition_to_ia, transition_to_glacier or expiration", at=())
        return self


class DataLake(Model):
    """The bucket that holds everything."""

    bucket: BucketName
    lifecycle_rules: tuple[LifecycleRule, ...] = ()


class FeatureStore(Model):
    """Where features are looked up when a model answers, and where their history is kept."""

    type: Literal["sagemaker_feature_store", "dynamodb"]
    online_store: bool = False
    offline_store: bool = False


class Storage(Model):
    """Where data is kept."""

    data_lake: DataLake | None = None
    feature_store: FeatureStore | None = None


class DataQuality(Model):
    """Limits on the data."""

    completeness_threshold: Share | None = None
    accuracy_threshold: Share | None = None
    freshness_threshold: Duration | None = None


class PipelineHealth(Model):
    """Limits on the pipeline."""

    error_rate_threshold: Share | None = None
    latency_threshold: Duration | None = None
    throughput_monitoring: bool = False


class PipelineMonitoring(Model):
    """What is watched on data and pipeline."""

    data_quality: DataQuality = DataQuality()
    pipeline_health: PipelineHealth = PipelineHealth()


class DataPipeline(Model):
    """The whole of ``data_pipeline``."""

    ingestion: Ingestion = Ingestion()
    processing: Processing = Processing()
    storage: Storage = Storage()
    monitoring: PipelineMonitoring = PipelineMonitoring()
