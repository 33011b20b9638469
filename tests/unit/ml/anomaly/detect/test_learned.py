import numpy as np
import pytest

from aws_auto.errors import NotEnoughData
from aws_auto.ml.anomaly.detect.learned import learn_weights
from aws_auto.ml.anomaly.detect.profile import FRESH, Profile

PAIR = Profile("pair", {"shape": 1.0, "level": 1.0}, FRESH.tail)


def labelled(incidents, seed=0, points=4000):
    """Two members: the first is surprised in incidents, the second never knows."""
    rng = np.random.default_rng(seed)
    surprise = rng.normal(0, 1, (2, points))
    label = np.zeros(points)
    for at in rng.choice(points // 10, incidents, replace=False) * 10:
        label[at : at + 5] = 1
        surprise[0, at + 2] = 5
    return surprise, label


def test_the_member_that_knows_gets_the_weight():
    surprise, label = labelled(80)
    learned = learn_weights(PAIR, [surprise], [label])
    assert learned.weights["shape"] > 0.7
    assert sum(learned.weights.values()) == pytest.approx(1)
    assert learned.tail == PAIR.tail


def test_one_label_hardly_moves_the_profile():
    surprise, label = labelled(1)
    assert learn_weights(PAIR, [surprise], [label]).weights["shape"] == pytest.approx(0.5, abs=0.15)


def test_unknown_points_teach_nothing():
    surprise, label = labelled(40)
    hidden = np.where(np.arange(len(label)) % 2 == 0, label, np.nan)
    misled = surprise.copy()
    misled[:, np.isnan(hidden)] = 99.0
    assert learn_weights(PAIR, [surprise], [hidden]).weights == learn_weights(PAIR, [misled], [hidden]).weights


def test_weights_are_never_negative():
    surprise, label = labelled(60)
    surprise[1] = np.where(label == 1, -3, surprise[1])
    assert min(learn_weights(PAIR, [surprise], [label]).weights.values()) >= 0


def test_labels_of_one_kind_only_are_refused():
    with pytest.raises(NotEnoughData, match="0 incidents"):
        learn_weights(PAIR, [np.zeros((2, 10))], [np.zeros(10)])
