from __future__ import annotations

import pytest

from aws_auto.errors import UnsafePlan
from aws_auto.pipeline.plan import Create, Delete, Resource, Update, diff


def thing(name, usd=None, **properties):
    return Resource(kind="endpoint", name=name, properties=properties, monthly_usd=usd)


def observed(*resources):
    return {r.key: r for r in resources}


def test_what_is_needed_is_made_before_what_is_changed_and_taken_away_last():
    plan = diff(observed(thing("a", v=1), thing("b"), thing("c")), [thing("a", v=2), thing("d")])
    assert [type(c) for c in plan.changes] == [Create, Update, Delete, Delete]
    assert [c.old.name for c in plan.changes[2:]] == ["c", "b"]
    assert str(plan) == "1 to create, 1 to update, 2 to delete"


def test_what_is_there_as_wanted_is_nothing_to_do():
    plan = diff(observed(thing("a", v=1)), [thing("a", v=1)])
    assert not plan
    assert str(plan) == "nothing to do: what is wanted is there"


def test_a_price_is_no_difference():
    assert not diff(observed(thing("a", usd=3.0)), [thing("a", usd=4.0)])


def test_an_update_says_what_changed_from_what_to_what():
    update = Update(thing("a", v=1, same=0), thing("a", v=2, same=0))
    assert update.changed() == {"v": (1, 2)}


def test_money_is_what_comes_less_what_goes_and_unknown_prices_are_named():
    plan = diff(observed(thing("old", usd=10.0)), [thing("new", usd=4.0), thing("free")])
    assert plan.monthly_usd() == -6.0
    assert plan.unpriced() == ("endpoint/free",)


def test_the_checksum_changes_with_the_plan_and_only_with_it():
    one = diff({}, [thing("a", v=1)])
    assert one.checksum() == diff({}, [thing("a", v=1)]).checksum()
    assert one.checksum() != diff({}, [thing("a", v=2)]).checksum()


def test_a_plan_that_deletes_much_is_refused_with_the_figures():
    there = observed(*(thing(str(k)) for k in range(5)))
    with pytest.raises(UnsafePlan, match="deletes 2 of 5 resources"):
        diff(there, [thing("0"), thing("1"), thing("2")]).refuse_if_unsafe()
    diff(there, [thing(str(k)) for k in range(4)]).refuse_if_unsafe()


def test_a_small_target_may_lose_everything():
    diff(observed(thing("a")), []).refuse_if_unsafe()
