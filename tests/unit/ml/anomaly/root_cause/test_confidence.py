from dataclasses import replace

from aws_auto.ml.anomaly.root_cause.confidence import COEFFICIENTS, Signals, confidence

CLEAR = Signals(lead=0.98, score=0.9, given=1.0, past=1.0)
VAGUE = Signals(lead=0.5, score=0.05, given=0.0, past=0.0)


def test_it_is_a_probability():
    assert 0 < confidence(VAGUE) < 0.3
    assert 0.9 < confidence(CLEAR) < 1


def test_a_clear_lead_a_strong_cause_and_a_given_graph_each_raise_it():
    for name in ("lead", "score", "given", "past"):
        assert confidence(replace(VAGUE, **{name: 1.0})) >= confidence(VAGUE)


def test_there_is_a_coefficient_for_every_signal():
    assert len(CLEAR.vector()) == len(COEFFICIENTS)
