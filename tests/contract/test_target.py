"""What every target owes. `AwsTarget` joins when it can apply; until then its duty is to refuse, stated at the end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from aws_auto.errors import ConflictError, NotYet
from aws_auto.pipeline.aws.target import AwsTarget
from aws_auto.pipeline.local.state import State
from aws_auto.pipeline.local.target import LocalTarget
from aws_auto.pipeline.plan import Create, Delete, Resource, Update, diff


class StillClock:
    def now(self):
        return datetime(2026, 1, 5, tzinfo=UTC)

    def sleep(self, seconds):
        raise AssertionError


def local(root):
    return LocalTarget(State(root / "state.db"), StillClock())


@pytest.fixture(params=[local])
def opened(request, tmp_path):
    """Opens the same target anew, as another process would."""
    return lambda: request.param(tmp_path)


def resource(name, **properties):
    return Resource(kind="endpoint", name=name, properties=properties)


def converge(target, wanted):
    for change in diff(target.observe(), wanted).changes:
        target.apply(change)


A, B, C = resource("a", model="x"), resource("b", on_aws={"share": 33.3, "list": [1, None]}), resource("c")


class TestTarget:
    def test_starts_empty(self, opened):
        assert opened().observe() == {}

    def test_what_was_created_is_observed_by_everybody(self, opened):
        converge(opened(), [A, B])
        assert opened().observe() == {A.key: A, B.key: B}

    @pytest.mark.parametrize("before", [[], [A], [A, B], [A, B, C]])
    @pytest.mark.parametrize("after", [[], [A], [resource("a", model="y"), C], [C, B]])
    def test_converges_from_any_state_to_any_other_and_then_has_nothing_to_do(self, opened, before, after):
        converge(opened(), before)
        converge(opened(), after)
        assert not diff(opened().observe(), after)

    def test_a_known_price_is_kept_and_an_unknown_one_stays_unknown(self, opened):
        converge(opened(), [Resource(kind="endpoint", name="a", monthly_usd=12.5), B])
        assert opened().observe()["endpoint/a"].monthly_usd == 12.5
        assert opened().observe()["endpoint/b"].monthly_usd is None

    @pytest.mark.parametrize(
        "change",
        [Create(A), Update(resource("a", model="old"), A), Delete(resource("a", model="old")), Delete(B), Update(B, B)],
    )
    def test_a_plan_that_is_out_of_date_is_refused_and_changes_nothing(self, opened, change):
        converge(opened(), [resource("a", model="somebody else's")])
        before = opened().observe()
        with pytest.raises(ConflictError, match="changed by somebody else"):
            opened().apply(change)
        assert opened().observe() == before


def test_aws_observes_without_a_call_and_refuses_to_apply():
    assert AwsTarget().observe() == {}
    with pytest.raises(NotYet):
        AwsTarget().apply(Create(A))
