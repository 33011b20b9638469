from __future__ import annotations

import pytest

from aws_auto.ml.predictive_scaling import PredictiveScalingAI
from aws_auto.ml.recipes import catalog
from scaling_estate import the_estate, trained


@pytest.fixture(scope="session")
def scaling_estate():
    return the_estate()


@pytest.fixture(scope="session")
def scaling_door():
    """A door with the models of the estate in it."""
    door = PredictiveScalingAI()
    door.demand_predictor.model = catalog.get("demand-forecaster").load(trained()["demand-forecaster"].files)
    door.capacity_planner.model = catalog.get("capacity-planner").load(trained()["capacity-planner"].files)
    door.performance_predictor.model = catalog.get("performance-predictor").load(
        trained()["performance-predictor"].files
    )
    return door
