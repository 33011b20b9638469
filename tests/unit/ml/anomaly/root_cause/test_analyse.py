from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.errors import DataError, SchemaError
from aws_auto.frame import MetricFrame
from aws_auto.ml.anomaly.root_cause.analyse import analyse
from aws_auto.ml.anomaly.root_cause.results import Incident
from aws_auto.ml.anomaly.root_cause.topology import Edge, Topology
from aws_auto.results import as_json

START = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
FELT, OVER = START + 288 * STEP, START + 300 * STEP
CHAIN = Topology((Edge("front", "middle"), Edge("middle", "store"), Edge("front", "other")))


def chain(estate, wobble):
    """The store is slow; middle and front wait for it; other is well."""
    scene = estate()
    for name, level, change in (("front", 300, 200), ("middle", 150, 200), ("store", 20, 200), ("other", 40, 0)):
        scene.add(name, {"latency": (level, change), "request_count": (1000, 0)}, shape=wobble)
    return scene.frame()


def test_the_deepest_resource_whose_excess_nothing_explains_is_the_cause(estate, wobble):
    answer = analyse(chain(estate, wobble), ("front", "latency", FELT, OVER), topology=CHAIN)
    assert answer.primary_cause is not None
    assert (answer.primary_cause.resource, answer.primary_cause.metric) == ("store", "latency")
    assert answer.primary_cause.direction == "up"
    assert answer.topology == "given"


def test_a_node_that_only_forwards_is_demoted_by_what_it_calls(estate, wobble):
    answer = analyse(chain(estate, wobble), ("front", "latency", FELT, OVER), topology=CHAIN)
    shares = {f.resource: f.own_share for f in answer.contributing_factors if f.metric == "latency"}
    assert shares["store"] > 0.9
    assert shares.get("middle", 0.0) < 0.2


def test_the_client_side_view_of_a_call_is_not_taken_for_its_callee(estate, wobble):
    scene = estate()
    scene.add("front", {"latency": (300, 200)}, shape=wobble)
    scene.add("service", {"latency": (50, 150)}, shape=wobble).add("store", {"latency": (5, 0)})
    scene.add("view-of-service", {"latency": (80, 180)}, shape=wobble)
    graph = Topology((Edge("front", "service"), Edge("service", "store"), Edge("front", "view-of-service")))
    answer = analyse(scene.frame(), ("front", "latency", FELT, OVER), topology=graph)
    assert answer.ranked_resources[0] == "service"


def test_a_store_that_two_services_call_is_no_view_of_either(estate, wobble):
    scene = estate()
    scene.add("front", {"latency": (300, 200)}, shape=wobble)
    scene.add("service", {"latency": (50, 150)}, shape=wobble).add("store", {"latency": (5, 150)}, shape=wobble)
    graph = Topology((Edge("front", "service"), Edge("service", "store"), Edge("front", "store")))
    answer = analyse(scene.frame(), ("front", "latency", FELT, OVER), topology=graph)
    assert answer.ranked_resources[0] == "store"


def test_the_symptom_its_percentiles_and_its_other_counts_are_never_causes(estate, wobble):
    scene = estate()
    metrics = {"error_rate": (1, 20), "error_rate_p95": (2, 30), "error_count": (10, 200), "cpu_utilization": (30, 50)}
    scene.add("web", metrics, shape=wobble)
    answer = analyse(scene.frame(), ("web", "error_rate", FELT, OVER))
    assert [f.metric for f in answer.contributing_factors] == ["cpu_utilization"]
    assert {c.metric for c in answer.correlated_metrics} <= {"cpu_utilization"}


def test_weights_sum_to_one_and_fall(estate, wobble):
    weights = [f.weight for f in analyse(chain(estate, wobble), ("front", "latency", FELT, OVER)).contributing_factors]
    assert sum(weights) == pytest.approx(1.0)
    assert weights == sorted(weights, reverse=True)


def test_a_metric_that_moved_earlier_is_correlated_with_a_positive_lag(estate, wobble):
    scene = estate()
    scene.add("store", {"latency": (20, 200)}, shape=wobble)
    scene.add("front", {"latency": (300, 200)}, shape=wobble, late=2)
    answer = analyse(scene.frame(), ("front", "latency", FELT, OVER))
    (found,) = answer.correlated_metrics
    assert (found.resource, found.lag) == ("store", 2 * STEP)
    assert found.correlation > 0.9


def test_something_that_went_wrong_after_the_symptom_ranks_below_what_went_wrong_before(estate, wobble):
    scene = estate()
    scene.add("front", {"latency": (300, 200)}, shape=wobble)
    scene.add("early", {"latency": (20, 200)}, shape=wobble)
    scene.add("late", {"latency": (20, 200)}, shape=wobble, late=7)
    graph = Topology((Edge("front", "early"), Edge("front", "late")))
    answer = analyse(scene.frame(), ("front", "latency", FELT, OVER), topology=graph)
    weights = {f.resource: f.weight for f in answer.contributing_factors}
    assert weights["early"] > 3 * weights["late"]


def test_demand_explains_work_and_comes_from_the_outermost_caller(estate, wobble):
    scene = estate()
    scene.add("balancer", {"request_count": (1000, 2000), "active_users": (100, 200)}, shape=wobble)
    scene.add("fleet", {"request_count": (1000, 2000), "cpu_utilization": (30, 50)}, shape=wobble)
    graph = Topology((Edge("balancer", "fleet"),))
    answer = analyse(scene.frame(), ("fleet", "cpu_utilization", FELT, OVER), topology=graph)
    assert answer.ranked_resources[0] == "balancer"


def test_nothing_at_or_after_the_end_of_the_incident_is_looked_at(estate, wobble):
    whole = chain(estate, wobble)
    middle = FELT + 6 * STEP
    cut = whole.between(None, middle)
    asked = ("front", "latency", FELT, middle)
    assert analyse(whole, asked, topology=CHAIN) == analyse(cut, asked, topology=CHAIN)


def test_the_same_question_gives_the_same_answer(estate, wobble):
    frame = chain(estate, wobble)
    first, second = (analyse(frame, ("front", "latency", FELT, OVER)) for _ in range(2))
    assert first == second


def test_without_a_graph_the_answer_says_that_it_is_weaker(estate, wobble):
    answer = analyse(chain(estate, wobble), ("front", "latency", FELT, OVER))
    assert answer.topology == "learned"
    assert any("weaker" in note for note in answer.notes)


def test_a_far_away_normal_period_lends_spread_but_no_level(estate, wobble):
    whole = chain(estate, wobble)
    brief = whole.between(FELT - 2 * STEP, FELT + 3 * STEP)
    shifted = MetricFrame(whole.data.with_columns(latency=pl.col("latency") * 3))
    asked = ("front", "latency", FELT, FELT + 3 * STEP)
    answer = analyse(brief, asked, topology=CHAIN, reference=shifted)
    assert answer.ranked_resources[0] == "store"
    assert answer.primary_cause is not None
    assert answer.primary_cause.evidence.before == pytest.approx(20, rel=0.1)


def test_one_failed_request_out_of_two_is_no_event(estate, wobble):
    scene = estate()
    scene.add("front", {"error_rate": (1, 20), "request_count": (1000, 0)}, shape=wobble)
    scene.add("busy", {"error_rate": (1, 20), "request_count": (1000, 0)}, shape=wobble)
    scene.add("rare", {"error_rate": (0, 50), "request_count": (2, 0)}, shape=np.eye(12)[8])
    answer = analyse(scene.frame(), ("front", "error_rate", FELT, OVER))
    strength = {e.resource: e.strength for e in answer.evidence if e.metric == "error_rate"}
    assert strength["rare"] < 0.1 < strength["busy"]


def test_a_resource_as_a_whole_ranks_its_metrics_by_the_jump_they_made(estate, wobble):
    scene = estate().add("host", {"a": (10, 0), "b": (10, 30), "c": (10, 0.1), "d": (10, 8)}, shape=wobble)
    answer = analyse(scene.frame(), ("host", None, FELT, OVER))
    assert [f.metric for f in answer.contributing_factors][:2] == ["b", "d"]


def test_the_answer_becomes_json(estate, wobble):
    said = as_json(analyse(chain(estate, wobble), ("front", "latency", FELT, OVER), topology=CHAIN))
    assert said["primary_cause"]["resource"] == "store"
    assert said["recommended_actions"][0]["note"] == "never executed by itself"


class TestDegenerateInput:
    @pytest.mark.parametrize("value", [5.0, 0.0, None])
    def test_a_constant_or_empty_metric_is_no_cause(self, estate, wobble, value):
        frame = chain(estate, wobble)
        frame = MetricFrame(frame.data.with_columns(network_in=pl.lit(value, dtype=pl.Float64)))
        answer = analyse(frame, ("front", "latency", FELT, OVER), topology=CHAIN)
        assert answer.ranked_resources[0] == "store"
        assert "network_in" not in {f.metric for f in answer.contributing_factors}

    def test_one_resource_with_one_metric_has_no_cause_and_says_so(self, estate):
        frame = estate().add("web", {"latency": (100, 300)}).frame()
        answer = analyse(frame, ("web", "latency", FELT, OVER))
        assert answer.primary_cause is None
        assert answer.contributing_factors == ()
        assert answer.confidence_score == 0.0
        assert "nothing but the symptom left its usual range" in answer.notes

    def test_an_estate_where_nothing_happened_is_answered_with_little_confidence(self, estate):
        scene = estate()
        for name in ("a", "b", "c"):
            scene.add(name, {"latency": (100, 0), "cpu_utilization": (30, 0)})
        assert analyse(scene.frame(), ("a", "latency", FELT, OVER)).confidence_score < 0.5

    def test_no_history_is_answered_and_marked_as_a_guess(self, estate, wobble):
        frame = chain(estate, wobble).between(FELT, OVER)
        answer = analyse(frame, ("front", "latency", FELT, OVER), topology=CHAIN)
        assert any("guess" in note for note in answer.notes) or answer.primary_cause is None

    def test_gaps_do_not_change_the_culprit(self, estate, wobble):
        frame = chain(estate, wobble)
        keep = np.random.default_rng(3).random(len(frame.data)) > 0.4
        answer = analyse(MetricFrame(frame.data.filter(keep)), ("front", "latency", FELT, OVER), topology=CHAIN)
        assert answer.ranked_resources[0] == "store"

    def test_a_symptom_that_was_not_seen_during_the_incident_is_said(self, estate, wobble):
        frame = chain(estate, wobble)
        hidden = (pl.col("resource_id") == "front") & (pl.col("timestamp") >= FELT)
        frame = MetricFrame(frame.data.with_columns(latency=pl.when(~hidden).then("latency")))
        answer = analyse(frame, ("front", "latency", FELT, OVER), topology=CHAIN)
        assert answer.ranked_resources[0] == "store"
        assert any("not seen" in note for note in answer.notes)

    def test_a_resource_sampled_every_quarter_of_an_hour_or_every_minute_is_compared(self, estate, wobble):
        frame = chain(estate, wobble)
        store = frame.data.filter(pl.col("resource_id") == "store")
        rest = frame.data.filter(pl.col("resource_id") != "store")
        coarse = store.gather_every(3)
        fine = pl.concat(store.with_columns(pl.col("timestamp") + timedelta(minutes=m)) for m in range(5))
        for other in (coarse, fine):
            mixed = MetricFrame.of(pl.concat([rest, other]))
            answer = analyse(mixed, ("front", "latency", FELT, OVER), topology=CHAIN)
            assert answer.ranked_resources[0] == "store"

    def test_an_incident_of_a_moment_between_two_points_is_answered(self, estate, wobble):
        asked = ("front", "latency", FELT + timedelta(seconds=7), FELT + timedelta(seconds=8))
        assert analyse(chain(estate, wobble), asked).incident == Incident(*asked)

    def test_an_incident_far_from_all_data_is_answered_with_nothing(self, estate, wobble):
        later = FELT + timedelta(days=400)
        answer = analyse(chain(estate, wobble), ("front", "latency", later, later + STEP))
        assert answer.primary_cause is None

    @pytest.mark.parametrize(
        ("asked", "error", "where"),
        [
            (("nobody", "latency", FELT, OVER), DataError, "nobody"),
            (("front", "colour", FELT, OVER), SchemaError, "colour"),
            (("front", "latency", OVER, FELT), DataError, "front"),
            (("front", "latency", FELT.replace(tzinfo=None), OVER), DataError, "front"),
        ],
    )
    def test_a_question_that_makes_no_sense_is_refused_with_an_address(self, estate, wobble, asked, error, where):
        with pytest.raises(error) as caught:
            analyse(chain(estate, wobble), asked)
        assert caught.value.where == where
        assert caught.value.hint
