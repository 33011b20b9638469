"""The shipped starting points."""

import pytest

from aws_auto.config import document, templates
from aws_auto.errors import UsageError


def test_there_is_one_for_every_pipeline_type_and_every_recipe():
    assert templates.names() == (
        "pipelines/anomaly",
        "pipelines/complete",
        "pipelines/cost",
        "pipelines/scaling",
        "ml-models/anomaly-detector",
        "ml-models/cost-optimizer",
        "ml-models/demand-forecaster",
    )


@pytest.mark.parametrize("name", templates.names())
def test_every_template_loads_cleanly(name):
    loaded = document.loads(templates.template(name), name)
    assert loaded.ml_model_deployment is not None
    assert all(model.recipe for model in loaded.ml_model_deployment.models)


def test_the_complete_pipeline_holds_everything():
    assert document.load(templates.path("pipelines/complete")).sections() == (
        "ml_model_deployment",
        "model_monitoring",
        "data_pipeline",
        "budget",
    )


def test_an_unknown_template_lists_the_known_ones():
    with pytest.raises(UsageError) as caught:
        templates.template("everything")
    assert caught.value.hint == "there are " + ", ".join(templates.names())
