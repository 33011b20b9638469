"""Several types and spot in a replay: what may be chosen, and what is refused with its flag."""

from __future__ import annotations

import numpy as np
import pytest

from aws_auto.errors import UsageError
from aws_auto.ml.scaling.replay import Setting
from aws_auto.pipeline.simulate_mix import Mix, _offers

SETTING = Setting(capacity=20.0, boot=1, steps_per_hour=4)


def test_pools_carry_what_their_vcpus_say_and_are_reclaimed_by_the_step():
    mix = Mix(instance_type="m5.large", types=["m5.xlarge"], spot_prices={"m5.xlarge": 0.07}, reclaim=0.2)
    offers = {(one.name, one.purchase): one for one in _offers(mix, SETTING)}
    assert {pool: one.capacity for pool, one in offers.items()} == {
        ("m5.large", "on-demand"): 20.0,
        ("m5.xlarge", "on-demand"): 40.0,
        ("m5.xlarge", "spot"): 40.0,
    }
    assert offers["m5.large", "on-demand"].price == 0.096
    spot = offers["m5.xlarge", "spot"]
    assert spot.price == 0.07
    assert 1 - (1 - spot.reclaim) ** 4 == pytest.approx(0.2)
    assert np.unique([one.reclaim for one in offers.values()]).tolist() == [0.0, pytest.approx(spot.reclaim)]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"spot_share": 1.5}, "--spot-share"),
        ({"reclaim": -0.1}, "--reclaim"),
        ({"instance_type": "z9.huge"}, "--instance-type"),
        ({"types": ["z9.huge"]}, "--types"),
        ({"spot_prices": {"z9.huge": 0.1}}, "--spot-price"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_flag(changes, where):
    with pytest.raises(UsageError) as refused:
        Mix(**{"instance_type": "m5.large", **changes}).offers()
    assert refused.value.where == where
    assert refused.value.hint
