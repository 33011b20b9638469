import polars as pl
import pytest

from aws_auto.errors import DataError, SchemaError
from aws_auto.frame import MetricFrame
from aws_auto.ml.anomaly.root_cause.topology import Edge, Topology, relations


def facts(*rows):
    names = ("resource_id", "resource_type", "service", "tag_aws:autoscaling:groupName")
    table = pl.DataFrame([dict(zip(names, row, strict=True)) for row in rows], infer_schema_length=None)
    return MetricFrame.of(table.with_columns(timestamp=pl.datetime(2026, 3, 2, time_zone="UTC"), latency=1.0))


def test_a_table_without_weights_has_certain_edges_and_no_loops():
    graph = Topology.of(pl.DataFrame({"caller": ["a", "b", "b"], "callee": ["b", "b", "c"]}))
    assert graph.edges == (Edge("a", "b", 1.0), Edge("b", "c", 1.0))


def test_a_pandas_table_is_a_table():
    pandas = pytest.importorskip("pandas")
    graph = Topology.of(pandas.DataFrame({"caller": ["a"], "callee": ["b"], "weight": [0.5]}))
    assert graph.edges == (Edge("a", "b", 0.5),)


def test_a_table_without_callee_is_refused():
    with pytest.raises(SchemaError, match="callee missing"):
        Topology.of(pl.DataFrame({"caller": ["a"]}))


def test_an_empty_name_is_refused():
    with pytest.raises(SchemaError, match="empty"):
        Topology.of(pl.DataFrame({"caller": ["a"], "callee": [None]}))


@pytest.mark.parametrize("weight", [0.0, -1.0, 1.5, float("nan")])
def test_a_weight_outside_its_range_is_refused(weight):
    with pytest.raises(DataError, match="a -> b"):
        Topology.of(pl.DataFrame({"caller": ["a"], "callee": ["b"], "weight": [weight]}))


def test_reach_takes_the_best_path_and_survives_a_cycle():
    graph = Topology((Edge("a", "b"), Edge("b", "c"), Edge("c", "a"), Edge("a", "c", 0.1)))
    below = graph.below("a")
    assert set(below) == {"a", "b", "c"}
    assert below["a"] == 1.0
    assert below["b"] > below["c"] > 0.5
    assert set(graph.above("b")) == {"a", "b", "c"}


def test_members_of_a_scaling_group_belong_to_it_and_tiers_of_a_service_call_each_other():
    graph = relations(
        facts(
            ("lb", "elb", "shop", None),
            ("web", "asg", "shop", None),
            ("i-1", "ec2", "", "web"),
            ("db", "rds", "shop", None),
            ("elsewhere", "rds", "api", None),
        )
    )
    assert graph is not None
    assert graph.basis == "relations"
    assert graph.callees["web"]["i-1"] == 1.0
    assert {"web", "db", "i-1"} <= set(graph.below("lb"))
    assert "elsewhere" not in graph.below("lb")


def test_containers_of_a_service_may_call_each_other_but_no_container_itself():
    graph = relations(facts(("checkout", "ecs", "shop", None), ("payments", "ecs", "shop", None)))
    assert graph is not None
    assert graph.callees == {"checkout": {"payments": 0.4}, "payments": {"checkout": 0.4}}


def test_without_static_columns_there_are_no_relations():
    frame = MetricFrame.of({"resource_id": ["a"], "timestamp": ["2026-03-02T00:00:00Z"], "latency": [1.0]})
    assert relations(frame) is None


def test_a_tag_names_the_service_where_no_column_does():
    table = pl.DataFrame({"resource_id": ["lb", "db"], "resource_type": ["elb", "rds"], "tag_app": ["shop", "shop"]})
    stamped = table.with_columns(timestamp=pl.datetime(2026, 3, 2, time_zone="UTC"), latency=1.0)
    graph = relations(MetricFrame.of(stamped))
    assert graph is not None
    assert "db" in graph.below("lb")


def test_an_x_ray_service_graph_is_a_topology_and_inferred_clients_are_no_nodes():
    services = [
        {"ReferenceId": 0, "Name": "site", "Type": "AWS::ECS::Container", "Edges": [{"ReferenceId": 1}]},
        {"ReferenceId": 1, "Name": "search", "Type": "AWS::ECS::Fargate", "Edges": []},
        {"ReferenceId": 2, "Name": "search", "Type": "client", "Edges": [{"ReferenceId": 1}]},
    ]
    assert Topology.of_xray({"Services": services}).edges == (Edge("site", "search"),)


@pytest.mark.parametrize("graph", [{}, {"Services": [{}]}, {"Services": None}])
def test_something_else_than_a_service_graph_is_refused(graph):
    with pytest.raises(SchemaError, match="not a service graph"):
        Topology.of_xray(graph)


ARN = "arn:aws:ecs:eu-west-1:1:service/prod/checkout"


def called(*rows):
    table = pl.DataFrame(rows, schema=["resource_id", "resource_name"], orient="row")
    return MetricFrame.of(table.with_columns(timestamp=pl.datetime(2026, 3, 2, time_zone="UTC"), latency=1.0))


def test_a_name_stands_for_the_one_resource_that_is_called_so():
    frame = called((ARN, "checkout"), ("arn:aws:rds:eu-west-1:1:db:orders", "orders"), ("i-1", "web"), ("i-2", "web"))
    graph = Topology((Edge("front", "checkout"), Edge("checkout", "orders", 0.5), Edge("checkout", "web")))
    assert graph.resolved(frame).edges == (
        Edge("front", ARN),
        Edge(ARN, "arn:aws:rds:eu-west-1:1:db:orders", 0.5),
        Edge(ARN, "web"),
    )


def test_an_id_stays_what_it_is_even_when_another_resource_is_called_so():
    frame = called(("web", "shop"), ("i-1", "web"))
    assert Topology((Edge("web", "i-1"),)).resolved(frame).edges == (Edge("web", "i-1"),)


def test_without_names_the_end_of_the_arn_is_the_name():
    frame = MetricFrame.of({"resource_id": [ARN, "b"], "timestamp": ["2026-03-02T00:00:00Z"] * 2, "latency": [1.0, 1]})
    assert Topology((Edge("checkout", "b"), Edge("checkout", ARN))).resolved(frame).edges == (Edge(ARN, "b"),)
