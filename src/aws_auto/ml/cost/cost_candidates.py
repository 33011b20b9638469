"""Spans of an account's series, fine before coarse, each said once: what becomes a cost event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.cost.cost_band import Span, spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.cost.cost_band import Rules
    from aws_auto.ml.cost.cost_series import Series

    Floats = NDArray[np.float64]

#: An event is the same as one of a coarser series when it explains this much of it.
_EXPLAINS = 0.5
#: Two spans are one event when they share so much of their days.
_SAME_DAYS = 0.6
#: A region in which all usual days together cost less than this share of the event is new.
_NOTHING_BEFORE = 0.01


@dataclass(frozen=True)
class Candidate:
    """Days on which some rows of an account's series cost something else than expected."""

    rows: frozenset[int]
    span: Span


def candidates(account: Series, matters: Floats, rules: Rules) -> list[Candidate]:
    """Events by resource first; coarser series add only what those do not explain."""
    chosen: list[Candidate] = []
    judged: set[frozenset[int]] = set()
    for level, groups in enumerate(_levels(account)):
        fresh = []
        for rows in groups:
            if rows in judged:
                continue
            judged.add(rows)
            costs = account.costs[sorted(rows)].sum(axis=0)
            # Never as much as what matters above or below anything: nothing can be found here.
            if np.abs(costs - np.median(costs)).sum() < matters[1:].min() / 4:
                continue
            fresh += [Candidate(rows, span) for span in spans(costs, account.total, matters, rules)]
        chosen = _with_coarser(chosen, fresh) if level else fresh
        if level <= 1:
            chosen = _without_moves(chosen, account, matters)
    return _together(chosen, account)


def _levels(account: Series) -> list[list[frozenset[int]]]:
    def by(*parts: int) -> list[frozenset[int]]:
        groups: dict[tuple[str, ...], set[int]] = {}
        for row, leaf in enumerate(account.leaves):
            groups.setdefault(tuple(leaf[p] for p in parts), set()).add(row)
        return [frozenset(rows) for rows in groups.values()]

    return [by(0, 1, 2, 3), by(0, 1, 2), by(0, 1), by(0), by(1), by()]


def _without_moves(found: list[Candidate], account: Series, matters: Floats) -> list[Candidate]:
    """Leave out what rises in one usage type and falls in another of the same service and region at the same time."""
    kept = []
    for one in found:
        place = {account.leaves[row][:2] for row in one.rows}
        against = [
            other
            for other in found
            if other.span.sign != one.span.sign
            and abs(other.span.first - one.span.first) <= 1
            and {account.leaves[row][:2] for row in other.rows} == place
        ]
        net = one.span.money + sum(other.span.money for other in against)
        if not against or (abs(net) >= matters[one.span.noticed] and net * one.span.sign > 0):
            kept.append(one)
    return kept


def _with_coarser(chosen: list[Candidate], coarser: list[Candidate]) -> list[Candidate]:
    for one in coarser:
        inside = [
            c
            for c in chosen
            if c.rows <= one.rows
            and c.span.sign == one.span.sign
            and c.span.first <= one.span.last
            and c.span.last >= one.span.first
        ]
        explained = sum(_overlap(c.span, one.span) for c in inside)
        # The other half of a span: the usual after a rise looks like a fall to a series that learned the rise.
        if abs(explained) < _EXPLAINS * abs(one.span.money):
            chosen = [c for c in chosen if c not in inside or c.span.first < one.span.first - 1] + [one]
    return chosen


def _overlap(part: Span, whole: Span) -> float:
    return sum(e for i, e in enumerate(part.excess, start=part.first) if whole.first <= i <= whole.last)


def _together(chosen: list[Candidate], account: Series) -> list[Candidate]:
    """What starts and ends on the same days in one service and region, or all new in one region, is one event."""
    out: list[Candidate] = []
    for one in sorted(chosen, key=lambda c: (c.span.first, -abs(c.span.money))):
        same = next((c for c in out if _alike(c.span, one.span) and _related(account, c, one)), None)
        if same is None:
            out.append(one)
        else:
            out[out.index(same)] = Candidate(same.rows | one.rows, _both(same.span, one.span))
    return out


def _alike(a: Span, b: Span) -> bool:
    shared = min(a.last, b.last) - max(a.first, b.first) + 1
    either = max(a.last, b.last) - min(a.first, b.first) + 1
    return a.sign == b.sign and abs(a.first - b.first) <= 1 and shared >= _SAME_DAYS * either


def _related(account: Series, a: Candidate, b: Candidate) -> bool:
    """One service in one region, or a region in which there was nothing before."""
    places = {account.leaves[row][:2] for row in a.rows | b.rows}
    regions = {region for _, region in places}
    there = [row for row, leaf in enumerate(account.leaves) if leaf[1] in regions]
    before = float(account.costs[there][:, list(a.span.reference)].sum())
    return len(places) == 1 or (len(regions) == 1 and abs(before) < _NOTHING_BEFORE * abs(a.span.money))


def _both(a: Span, b: Span) -> Span:
    first, last = min(a.first, b.first), max(a.last, b.last)
    excess = np.zeros(last - first + 1)
    for span in (a, b):
        excess[span.first - first : span.first - first + len(span.excess)] += span.excess
    leading = a if abs(a.money) >= abs(b.money) else b
    return Span(
        first=first,
        last=last,
        noticed=min(a.noticed, b.noticed),
        sign=a.sign,
        excess=tuple(excess.tolist()),
        reference=leading.reference,
        gradual=leading.gradual,
        accepted=leading.accepted,
        open=a.open or b.open,
    )
