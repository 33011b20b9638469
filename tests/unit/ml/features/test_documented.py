from __future__ import annotations

import re
from pathlib import Path

import pytest

from aws_auto.ml.features.feature import is_hidden
from aws_auto.ml.features.feature_set import FOLLOWED, FeatureSet
from aws_auto.ml.features.usage import PERCENTAGES

DOCS = Path(__file__).parents[4] / "docs" / "features.md"
PREFIXED = re.compile(rf"^({'|'.join({*FOLLOWED, *PERCENTAGES})})_(?!avg|memory_ratio)")


@pytest.fixture(scope="module")
def documented() -> set[str]:
    rows = [line.split("|")[1] for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    return {name for cell in rows for name in re.findall(r"`(\w+)`", cell)} | set(
        re.findall(r"x_lag_\w+", DOCS.read_text())
    )


@pytest.fixture(scope="module")
def computed() -> set[str]:
    names = {f.name for f in FeatureSet().declared(()) if not is_hidden(f.name)}
    return {PREFIXED.sub("x_", name) for name in names}


def test_every_feature_is_documented(documented: set[str], computed: set[str]) -> None:
    assert computed - documented == set()


def test_everything_documented_is_a_feature(documented: set[str], computed: set[str]) -> None:
    lists = {"temporal_features", "usage_features", "cost_features", "infrastructure_features"}
    assert documented - computed - lists == set()
