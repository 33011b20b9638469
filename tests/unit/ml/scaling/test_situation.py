from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from aws_auto.ml.scaling.situation import INPUTS, Situation, Usual


def situation(n=200, seed=0):
    rng = np.random.default_rng(seed)
    resource = np.array(["big", "small"] * (n // 2), dtype=object)
    size = np.where(resource == "big", 100.0, 1.0)
    load = size * rng.uniform(0.2, 2.0, n)
    instances = np.where(resource == "big", 10.0, 2.0)
    cpu = 40 * load / size
    latency = np.stack([10 + 0.1 * cpu, 20 + 0.3 * cpu], axis=1)
    return Situation(
        resource=resource,
        load=load,
        instances=instances,
        load_before=load * rng.uniform(0.8, 1.2, n),
        instances_before=instances,
        cpu=cpu,
        memory=rng.uniform(30, 60, n),
        errors=rng.uniform(0, 1, n),
        latency=latency,
        objective=np.full(n, 40.0),
        about=1,
    )


@pytest.fixture(scope="module")
def rows():
    return situation()


@pytest.fixture(scope="module")
def usual(rows):
    return Usual.fit(rows, (rows.latency[:, 1] > 40).astype(float))


def test_what_is_usual_looks_the_same_at_every_size(rows, usual):
    typical = [
        replace(
            rows,
            **{
                name: np.array([np.median(getattr(rows, name)[rows.resource == r])])
                for name in ("load", "instances", "load_before", "instances_before", "cpu", "memory")
            },
            **{name: getattr(rows, name)[rows.resource == r][:1] for name in ("resource", "errors", "objective")},
            latency=np.median(rows.latency[rows.resource == r], axis=0)[None],
        )
        for r in ("big", "small")
    ]
    big, small = (usual.inputs(t)[0][0] for t in typical)
    names = [name for name, _ in INPUTS]
    for name in ("load", "instances", "memory"):
        at = names.index(name)
        assert big[at] == pytest.approx(small[at], abs=0.02)


@pytest.mark.parametrize(("what", "factor"), [("load", 1.7), ("instances", 1.7)])
def test_more_load_and_fewer_instances_push_every_signed_input_towards_trouble(rows, usual, what, factor):
    before, sign = usual.inputs(rows)
    after, _ = usual.inputs(replace(rows, **{what: getattr(rows, what) * factor}))
    push = (after - before) * sign
    assert ((push >= -1e-12) if what == "load" else (push <= 1e-12)).all()
    assert (after[:, sign == 0] == before[:, sign == 0]).all()
    assert (np.abs(push) > 1e-3).any()


def test_twice_the_load_on_as_many_instances_is_expected_to_be_twice_as_busy(rows, usual):
    at = [name for name, _ in INPUTS].index("expected utilisation")
    half = replace(rows, load=rows.load_before * 2, cpu=np.full(len(rows), 30.0))
    assert usual.inputs(half)[0][:, at] == pytest.approx(0.6)
    grown = replace(half, instances=half.instances * 2)
    assert usual.inputs(grown)[0][:, at] == pytest.approx(0.3)


def test_nothing_known_but_the_load_gives_finite_inputs_also_for_a_stranger(rows, usual):
    unknown = np.full(len(rows), np.nan)
    bare = replace(
        rows,
        resource=np.full(len(rows), "never seen", dtype=object),
        instances=unknown,
        load_before=unknown,
        instances_before=unknown,
        cpu=unknown,
        memory=unknown,
        errors=unknown,
        latency=np.full((len(rows), 2), np.nan),
    )
    assert np.isfinite(usual.inputs(bare)[0]).all()


def test_stored_it_gives_the_same_inputs(rows, usual):
    stored = Usual.from_json(json.loads(json.dumps(usual.to_json())))
    assert (stored.inputs(rows)[0] == usual.inputs(rows)[0]).all()
