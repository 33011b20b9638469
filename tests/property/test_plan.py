from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aws_auto.pipeline.plan import Create, Delete, Resource, Update, diff

RESOURCES = st.builds(
    Resource,
    kind=st.sampled_from(["endpoint", "rule"]),
    name=st.sampled_from(["a", "b", "c", "d"]),
    properties=st.dictionaries(st.sampled_from(["x", "y"]), st.integers(0, 2) | st.lists(st.booleans()), max_size=2),
    monthly_usd=st.none() | st.floats(0, 1000),
)
STATES = st.lists(RESOURCES, max_size=8, unique_by=lambda r: r.key)


class Memory:
    """A target in memory."""

    def __init__(self, held):
        self.held = {r.key: r for r in held}

    def apply(self, change):
        match change:
            case Create(new):
                assert new.key not in self.held
                self.held[new.key] = new
            case Update(old, new):
                assert self.held[old.key] == old
                self.held[new.key] = new
            case Delete(old):
                assert self.held.pop(old.key) == old


@given(STATES, STATES)
def test_any_state_converges_to_any_other_and_the_second_plan_is_empty(before, after):
    target = Memory(before)
    for change in diff(target.held, after).changes:
        target.apply(change)
    assert target.held == {r.key: r for r in after}
    assert not diff(target.held, after)


@given(STATES, STATES, st.integers(0, 16))
def test_a_plan_cut_short_anywhere_is_finished_by_the_next(before, after, done):
    target = Memory(before)
    whole = diff(target.held, after)
    for change in whole.changes[:done]:
        target.apply(change)
    rest = diff(target.held, after)
    assert len(rest.changes) == max(len(whole.changes) - done, 0)
    for change in rest.changes:
        target.apply(change)
    assert not diff(target.held, after)


@given(STATES, STATES)
def test_what_is_needed_is_made_before_anything_is_taken_away(before, after):
    order = [type(c) for c in diff({r.key: r for r in before}, after).changes]
    assert order == sorted(order, key=[Create, Update, Delete].index)


@given(STATES, STATES)
def test_the_money_of_a_plan_is_the_difference_of_what_it_touches(before, after):
    plan = diff({r.key: r for r in before}, after)
    touched = {r.key for c in plan.changes for r in (getattr(c, "new", None), getattr(c, "old", None)) if r is not None}
    cost = [sum(r.monthly_usd or 0.0 for r in state if r.key in touched) for state in (after, before)]
    assert abs(plan.monthly_usd() - (cost[0] - cost[1])) < 1e-6


@given(STATES, STATES)
def test_equal_plans_have_equal_checksums_and_a_plan_has_one_of_its_own(before, after):
    observed = {r.key: r for r in before}
    plan = diff(observed, after)
    assert plan.checksum() == diff(observed, after).checksum()
    if plan:
        assert plan.checksum() != diff(observed, before).checksum()
