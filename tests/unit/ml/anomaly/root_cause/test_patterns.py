from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from aws_auto.frame import MetricFrame
from aws_auto.ml.anomaly.root_cause.actions import STEPS
from aws_auto.ml.anomaly.root_cause.analyse import analyse
from aws_auto.ml.anomaly.root_cause.match import LEAST_FIT
from aws_auto.ml.anomaly.root_cause.patterns import PATTERNS
from aws_auto.ml.anomaly.root_cause.topology import Edge, Topology

START = datetime(2026, 3, 2, tzinfo=UTC)
STEP = timedelta(minutes=5)
FELT, OVER = START + 288 * STEP, START + 300 * STEP
RAMP = np.linspace(0.2, 1.0, 12)
GRAPH = Topology((Edge("front", "back"),))


def named(frame, metric="latency", topology=GRAPH):
    answer = analyse(frame, ("front", metric, FELT, OVER), topology=topology)
    return answer.pattern_match.name if answer.pattern_match else None


def two(estate, back, *, shape=None, front=None, **facts):
    scene = estate().add("front", front or {"latency": (100, 150), "request_count": (1000, 0)}, shape=shape)
    return scene.add("back", back, shape=shape, **facts)


def test_memory_that_climbs_to_the_top_is_a_leak(estate):
    back = {"memory_utilization": (50, 45), "request_count": (1000, 0), "cpu_utilization": (30, 0)}
    assert named(two(estate, back, shape=RAMP).frame()) == "memory_leak"


def test_memory_that_climbs_with_demand_is_no_leak(estate):
    back = {"memory_utilization": (50, 45), "request_count": (1000, 3000)}
    assert named(two(estate, back, shape=RAMP).frame()) != "memory_leak"


def test_a_full_cpu_at_usual_demand_is_saturation(estate, wobble):
    back = {"cpu_utilization": (40, 58), "request_count": (1000, 0)}
    assert named(two(estate, back, shape=wobble).frame()) == "cpu_saturation"


def test_more_requests_and_users_are_a_surge(estate, wobble):
    front = {"latency": (100, 100), "request_count": (1000, 3000), "active_users": (50, 150)}
    scene = two(estate, {"cpu_utilization": (20, 60), "request_count": (1000, 3000)}, shape=wobble, front=front)
    assert named(scene.frame()) == "traffic_surge"


def test_a_slow_and_failing_callee_is_a_failed_dependency(estate, wobble):
    back = {"latency": (20, 400), "error_rate": (0.5, 30), "cpu_utilization": (30, 0), "request_count": (900, 0)}
    assert named(two(estate, back, shape=wobble).frame()) == "dependency_failure"


def test_a_new_version_at_the_onset_is_a_release(estate, wobble):
    back = {"latency": (20, 400), "error_rate": (0.5, 30), "request_count": (900, 0)}
    frame = two(estate, back, shape=wobble).frame()
    version = pl.when(pl.col("timestamp") < FELT).then(pl.lit("41")).otherwise(pl.lit("42"))
    assert named(MetricFrame.of(frame.data.with_columns(version=version))) == "deploy"


def test_a_disk_that_climbs_to_the_top_is_filling_up(estate):
    scene = estate().add("front", {"disk_utilization": (50, 47), "storage_io": (1e6, 3e6)}, shape=RAMP)
    assert named(scene.frame(), "disk_utilization", None) == "disk_full"


def test_refused_requests_above_a_flat_ceiling_are_throttling(estate, wobble):
    scene = two(estate, {"error_rate": (0.5, 30), "request_count": (1000, 0), "cpu_utilization": (30, 0)}, shape=wobble)
    frame = scene.frame()
    capped = (pl.col("resource_id") == "back") & (pl.col("timestamp") >= FELT)
    frame = MetricFrame(
        frame.data.with_columns(request_count=pl.when(capped).then(pl.lit(1010.0)).otherwise("request_count"))
    )
    assert named(frame) == "throttling"


def test_a_table_that_throttles_is_throttling_and_can_be_given_capacity(estate, wobble):
    orders = "arn:aws:dynamodb:us-east-1:1:table/orders"
    front = {"latency": (100, 150), "request_count": (1000, 0)}
    scene = estate().add("front", front, shape=wobble, resource_type="lambda")
    scene.add(orders, {"throttle_count": (0, 40), "request_count": (2000, 0)}, shape=wobble, resource_type="dynamodb")
    graph = Topology((Edge("front", orders),))
    answer = analyse(scene.frame(), ("front", "latency", FELT, OVER), topology=graph)
    assert (answer.pattern_match.name, answer.pattern_match.resource) == ("throttling", orders)
    assert any("update-table" in a.command and "--table-name orders" in a.command for a in answer.recommended_actions)


def test_a_busy_stranger_on_the_same_host_is_a_noisy_neighbour(estate, wobble):
    scene = two(estate, {"latency": (20, 200), "request_count": (900, 0)}, shape=wobble, host="h1")
    scene.add("stranger", {"cpu_utilization": (20, 70)}, shape=wobble, host="h1")
    scene.add("elsewhere", {"cpu_utilization": (20, 0)}, host="h2")
    assert named(scene.frame()) == "noisy_neighbour"


def alone(estate, shape, **metrics):
    """A machine that nobody calls in this frame, noticed by the metric that is named first."""
    return named(estate().add("front", metrics, shape=shape).frame(), next(iter(metrics)), None)


def test_a_machine_whose_cpu_is_stolen_has_a_noisy_neighbour_that_nobody_sees(estate, wobble):
    quiet = {"request_count": (900, 0), "memory_utilization": (40, 0)}
    assert alone(estate, wobble, latency=(20, 200), cpu_steal=(0.4, 25), **quiet) == "noisy_neighbour"
    assert alone(estate, wobble, latency=(20, 200), cpu_steal=(0.4, 1.5), **quiet) is None


def test_what_stayed_in_its_usual_range_is_no_cause_and_the_symptom_speaks_for_itself(estate):
    scene = estate().add("front", {"disk_utilization": (50, 47)}, shape=RAMP)
    scene.add("bystander", {"memory_utilization": (50, 0.5), "network_in": (1e6, 0)}, shape=RAMP)
    answer = analyse(scene.frame(), ("front", "disk_utilization", FELT, OVER))
    assert answer.contributing_factors == ()
    assert "nothing but the symptom left its usual range" in answer.notes
    assert (answer.pattern_match.name, answer.pattern_match.resource) == ("disk_full", "front")


def test_where_the_first_factor_fits_no_pattern_that_of_the_symptoms_own_resource_is_named_with_its_actions(estate):
    scene = estate().add("front", {"disk_utilization": (50, 47)}, shape=RAMP, resource_type="ec2", region="eu-west-1")
    scene.add("bystander", {"queue_depth": (10, 400)}, shape=RAMP, resource_type="rds", region="eu-west-1")
    answer = analyse(scene.frame(), ("front", "disk_utilization", FELT, OVER))
    assert answer.primary_cause.resource == "bystander"
    assert (answer.pattern_match.name, answer.pattern_match.resource) == ("disk_full", "front")
    assert any("modify-volume" in a.command and "volume of front" in a.command for a in answer.recommended_actions)


def test_stolen_cpu_at_the_end_of_the_credits_is_nobody_elses_work(estate, wobble):
    burst = {"latency": (20, 200), "cpu_steal": (0.4, 25), "request_count": (900, 0)}
    assert alone(estate, np.ones(12), **burst, cpu_credit_balance=(120, -119)) == "credits_spent"
    assert alone(estate, np.ones(12), **burst, cpu_credit_balance=(120, -20)) == "noisy_neighbour"


def test_a_burst_on_credit_slows_nothing_down(estate):
    spent = {"latency": (20, 200), "cpu_credit_balance": (120, -119), "request_count": (900, 0)}
    assert alone(estate, np.ones(12), **spent, cpu_surplus_credits=(0, 0)) == "credits_spent"
    assert alone(estate, np.ones(12), **spent, cpu_surplus_credits=(1, 90)) is None


def test_a_disk_without_burst_balance_has_used_up_its_credits(estate):
    assert alone(estate, np.ones(12), latency=(5, 60), burst_balance=(99, -98)) == "credits_spent"


def test_swapping_speaks_for_a_leak(estate):
    back = {"memory_utilization": (50, 45), "request_count": (1000, 0), "swap_utilization": (1, 30)}
    answer = analyse(two(estate, back, shape=RAMP).frame(), ("front", "latency", FELT, OVER), topology=GRAPH)
    assert answer.pattern_match.name == "memory_leak"
    assert "it swaps" in answer.pattern_match.speaks_for


def test_a_zone_in_which_everything_is_in_trouble_is_a_failed_zone(estate, wobble):
    scene = estate().add("front", {"latency": (100, 150)}, shape=wobble)
    for number in range(3):
        bad, good = {"error_rate": (0.5, 60), "request_count": (900, -800)}, {"error_rate": (0.5, 0)}
        scene.add("back" if number == 0 else f"a{number}", bad, shape=wobble, availability_zone="us-east-1a")
        scene.add(f"b{number}", good, availability_zone="us-east-1b")
    assert named(scene.frame()) == "zone_failure"


def zoned(estate, shape, *, in_b):
    """A balancer over both zones; zone a loses its traffic, zone b as much of it as said."""
    scene = estate().add("front", {"error_rate": (0.5, 20)}, shape=shape, availability_zone="us-east-1a,us-east-1b")
    for number in range(3):
        name = "back" if number == 0 else f"a{number}"
        scene.add(name, {"network_in": (1e6, -9.5e5)}, shape=np.ones(12), availability_zone="us-east-1a")
        scene.add(f"b{number}", {"network_in": (1e6, -9.5e5 * in_b)}, shape=np.ones(12), availability_zone="us-east-1b")
    return scene.frame()


def test_a_zone_that_lost_its_traffic_is_a_failed_zone_even_where_nothing_reports_errors(estate, wobble):
    assert named(zoned(estate, wobble, in_b=0.0), "error_rate") == "zone_failure"


def test_traffic_that_is_lost_in_all_zones_is_no_failed_zone(estate, wobble):
    assert named(zoned(estate, wobble, in_b=1.0), "error_rate") != "zone_failure"


@pytest.mark.parametrize(
    ("late", "released"), [(-2, True), (6, True), (-300, False)], ids=["before", "late", "long ago"]
)
def test_a_release_is_suspected_when_it_is_recent_even_if_it_was_seen_late(estate, wobble, late, released):
    back = {"latency": (20, 400), "error_rate": (0.5, 30), "request_count": (900, 0)}
    frame = two(estate, back, shape=wobble).frame()
    version = pl.when(pl.col("timestamp") < FELT + late * STEP).then(pl.lit("41")).otherwise(pl.lit("42"))
    answer = analyse(MetricFrame.of(frame.data.with_columns(version=version)), ("front", "latency", FELT, OVER))
    signs = answer.pattern_match.speaks_for if answer.pattern_match else ()
    assert ("a new version went live at the onset" in signs) == released


def test_cost_that_leaps_without_users_is_runaway_usage(estate, wobble):
    scene = estate().add("front", {"hourly_cost": (1, 60), "request_count": (100, 6000)}, shape=wobble)
    assert named(scene.frame(), "hourly_cost", None) == "runaway_usage"


def test_cost_that_leaps_with_a_release_is_a_release(estate, wobble):
    scene = estate().add(
        "front", {"hourly_cost": (1, 6), "latency": (100, 500), "request_count": (100, 0)}, shape=wobble
    )
    version = pl.when(pl.col("timestamp") < FELT).then(pl.lit("41")).otherwise(pl.lit("42"))
    assert named(MetricFrame.of(scene.frame().data.with_columns(version=version)), "hourly_cost", None) == "deploy"


def test_demand_that_doubles_in_a_quiet_hour_is_a_surge_though_it_is_little_beside_the_day(estate, wobble):
    scene = estate().add("front", {"cpu_utilization": (20, 30), "request_count": (100, 0)}, shape=wobble)
    frame = scene.frame().data.with_row_index("place")
    day = 1 + 20 * (pl.col("place") % 288).is_between(0, 140)
    quiet = pl.col("request_count") * day
    felt = pl.col("timestamp") >= FELT
    surge = pl.when(felt).then(pl.lit(pl.Series([100 + 250 * w for w in wobble] * 25)).gather(pl.col("place") % 12))
    frame = frame.with_columns(request_count=surge.otherwise(quiet)).drop("place")
    assert named(MetricFrame.of(frame), "cpu_utilization", None) == "traffic_surge"


def test_when_nothing_fits_no_pattern_is_named_and_the_actions_only_look(estate, wobble):
    scene = two(estate, {"queue_depth": (10, 400)}, shape=wobble)
    answer = analyse(scene.frame(), ("front", "latency", FELT, OVER), topology=GRAPH)
    assert answer.pattern_match is None
    assert answer.recommended_actions
    assert not any(action.changes for action in answer.recommended_actions)


def test_a_match_says_what_speaks_for_and_against_it(estate):
    back = {"memory_utilization": (50, 45), "request_count": (1000, 0)}
    answer = analyse(two(estate, back, shape=RAMP).frame(), ("front", "latency", FELT, OVER), topology=GRAPH)
    match = answer.pattern_match
    assert match is not None
    assert LEAST_FIT <= match.score <= 1
    assert match.resource == "back"
    assert "memory climbed all along" in match.speaks_for


def test_every_pattern_has_actions_each_with_a_risk_and_the_look_before_the_change():
    assert set(STEPS) == {p.name for p in PATTERNS}
    for steps in STEPS.values():
        assert all(step.risk and step.commands for step in steps)
        changes = [step.changes for step in steps]
        assert changes == sorted(changes)


def test_actions_name_the_resource_its_region_and_its_kind(estate, wobble):
    back = {"latency": (20, 400), "error_rate": (0.5, 30), "request_count": (900, 0)}
    scene = two(estate, back, shape=wobble, resource_type="ecs", region="eu-west-1", service="shop")
    answer = analyse(scene.frame(), ("front", "latency", FELT, OVER), topology=GRAPH)
    restart = next(a for a in answer.recommended_actions if a.title == "Restart it")
    assert restart.command == (
        "aws ecs update-service --region eu-west-1 --cluster <cluster> --service back --force-new-deployment"
    )
    assert restart.changes
    assert restart.note == "never executed by itself"


def test_a_resource_name_cannot_smuggle_a_command(estate, wobble):
    scene = estate().add("front", {"latency": (100, 150)}, shape=wobble)
    scene.add("x; rm -rf {id}", {"latency": (20, 300), "error_rate": (1, 30)}, shape=wobble, resource_type="rds")
    graph = Topology((Edge("front", "x; rm -rf {id}"),))
    answer = analyse(scene.frame(), ("front", "latency", FELT, OVER), topology=graph)
    commands = [a.command for a in answer.recommended_actions if "rm -rf" in a.command]
    assert commands
    assert all("'x; rm -rf {id}'" in c for c in commands if c.startswith("aws"))


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda p: p.name)
def test_a_pattern_asks_only_for_known_words(pattern):
    from aws_auto.frame import UNITS
    from aws_auto.ml.anomaly.root_cause.words import stem

    extra = {"throttle_count", "cpu_steal"}
    for sign in (*pattern.needs, *pattern.supports, *pattern.opposes):
        assert bool(sign.metrics) != bool(sign.fact)
        assert all(stem(m) in UNITS or m in extra for m in sign.metrics)
