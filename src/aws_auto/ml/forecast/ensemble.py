"""The forecaster of demand: groups of members beside each other, weighed series by series by how they did of late."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard

import numpy as np

from aws_auto.ml.forecast import adaptive
from aws_auto.ml.forecast.adaptive import Trust
from aws_auto.ml.forecast.cold import Cold, shipped
from aws_auto.ml.forecast.group import DENSE, from_unit, places
from aws_auto.ml.forecast.lstm import Lstm
from aws_auto.ml.forecast.rules import Rules
from aws_auto.ml.forecast.straight import ALL, OWN, Straight
from aws_auto.ml.forecast.theta import Theta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from aws_auto.ml.forecast.group import Group
    from aws_auto.ml.forecast.panel import Design

    Floats = NDArray[np.float64]

#: Cells of all members that are worked on at a time: they stay in the processor's cache, and no series needs another.
MOST_CELLS = 150_000
#: Groups of members, those that every ensemble has first.
USUAL = ("straight", "rules", "cold", "theta")
#: What answers while no history is long enough to fit anything.
YOUNG = ("cold",)
CHOICE = (*USUAL, "lstm")


@dataclass(frozen=True)
class Ensemble:
    """Members and how far each is trusted.

    Attributes:
        groups: of members; trust counts their members in this order.
        trust: weights and widths by series.
        floor: bounds the answer from below.
        marked: the same for hours that something known ahead moves, judged on such hours alone: members that read it
            are believed there. None where nothing is known ahead.
    """

    groups: tuple[Group, ...]
    trust: Trust
    floor: float | None
    marked: Trust | None = None

    every_hour: ClassVar[bool] = True
    levels: ClassVar[tuple[float, ...]] = DENSE

    @property
    def names(self) -> tuple[str, ...]:
        """Of the members."""
        return tuple(name for group in self.groups for name in group.names)

    def members(self, design: Design) -> Floats:
        """Quantiles of each member, ``(M, R, O, S, levels)``; NaN where none can answer."""
        return from_unit(design, np.concatenate([group.members(design) for group in self.groups]))

    def quantiles(self, design: Design) -> Floats:
        """``(R, O, S, levels)`` with what is known now."""
        members = self.members(design)

        def mixed(trust: Trust) -> Floats:
            rows = trust.rows(design.resources)
            return adaptive.mixed(members, rows.weights(), rows.width, DENSE)

        answers = mixed(self.trust)
        return self._said(design, _where(design, mixed(self.marked), answers) if _counts(self.marked) else answers)

    def played(self, design: Design) -> tuple[Floats, Ensemble]:
        """See `Forecaster.played`; nothing is fitted, and each hour costs the same."""
        answers, after = np.empty((*design.truth.shape, len(DENSE))), self
        size = max(MOST_CELLS // max(design.truth[0].size * len(self.names), 1), 1)
        for start in range(0, len(design.resources), size):
            here = slice(start, start + size)
            answers[here], after = self._played_part(design.part(here), after)
        return self._said(design, answers), after

    def _played_part(self, part: Design, after: Ensemble) -> tuple[Floats, Ensemble]:
        members = self.members(part)

        def play(trust: Trust, truth: Floats) -> tuple[Floats, Trust]:
            rows = trust.rows(part.resources)
            return adaptive.played(rows, members, truth, part.scale, steps=part.steps, levels=DENSE)

        if part.marked is None or self.marked is None or after.marked is None:
            answers, usual = play(self.trust, part.truth)
            return answers, replace(after, trust=_merged(after.trust, usual))
        answers, usual = play(self.trust, np.where(part.marked, np.nan, part.truth))
        there, marked = play(self.marked, np.where(part.marked, part.truth, np.nan))
        if _counts(self.marked):
            answers = _where(part, there, answers)
        trust, marked = _merged(after.trust, usual), _merged(after.marked, marked)
        return answers, replace(after, trust=trust, marked=marked)

    def taught(self, *earlier: Ensemble) -> Ensemble:
        """See `Learned.taught`: the trust of the last one, which went through all the origins."""
        last = earlier[-1]
        return replace(self, trust=last.trust.settled(), marked=last.marked and last.marked.settled())

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """Body and files of a bundle."""
        packed = [(group.kind, group.parts()) for group in self.groups]
        return {
            "kind": "ensemble",
            "groups": {kind: body for kind, (body, _) in packed},
            "order": [kind for kind, _ in packed],
            "trust": self.trust.to_json(),
            "floor": self.floor,
            "marked": self.marked and self.marked.to_json(),
        }, {name: data for _, (_, files) in packed for name, data in files.items()}

    @classmethod
    def of_parts(cls, body: Mapping[str, Any], parts: Mapping[str, bytes]) -> Ensemble:
        """The inverse of `parts`."""
        groups = tuple(_KINDS[kind].of_parts(body["groups"][kind], parts) for kind in body["order"])
        marked = Trust.from_json(body["marked"]) if body["marked"] else None
        return cls(groups, Trust.from_json(body["trust"]), body["floor"], marked)

    def _said(self, design: Design, answers: Floats) -> Floats:
        """Within bounds, and with the shipped booster alone where a series is too young for the others."""
        young = ~design.answerable()[..., 0]
        cold = next((group for group in self.groups if isinstance(group, Cold)), None)
        if cold and young.any():
            answers = answers.copy()
            answers[young] = cold.at(design, young)
        return answers if self.floor is None else np.maximum(answers, self.floor)


@dataclass(frozen=True)
class Blend:
    """Fits an ensemble of these groups."""

    members: tuple[str, ...] = CHOICE

    @classmethod
    def usual(cls) -> Blend:
        """All groups that can be fitted with what is installed."""
        return cls(CHOICE if importlib.util.find_spec("torch") else USUAL)

    def fit(self, design: Design, *, floor: float | None, seed: int, before: Ensemble | None = None) -> Ensemble:
        """Learn the members from the cells of a design whose truth is known; nothing is weighed yet.

        A net goes on from where it was ``before``; all other members are fitted anew.
        """
        net = next((group for group in before.groups if isinstance(group, Lstm)), None) if before else None
        groups: list[Group] = []
        if "straight" in self.members:
            # Beside the net a second booster says nothing new: .474 of seasonal naive's loss with one, .475 with two.
            boosted = (OWN,) if "lstm" in self.members else (OWN, ALL)
            groups.append(Straight.fit(design, seed=seed, boosted=boosted))
        if "rules" in self.members:
            groups.append(Rules.fit(design))
        if "cold" in self.members:
            groups.append(shipped())
        if "theta" in self.members:
            groups.append(Theta.fit(design))
        if "lstm" in self.members:
            groups.append(Lstm.fit(design, seed=seed, before=net))
        count = sum(len(group.names) for group in groups)
        trust = Trust.fresh(design.resources, count)
        return Ensemble(tuple(groups), trust, floor, None if design.marked is None else trust)


_KINDS: dict[str, Any] = {"straight": Straight, "rules": Rules, "cold": Cold, "theta": Theta, "lstm": Lstm}


def _counts(marked: Trust | None) -> TypeGuard[Trust]:
    """Whether marked hours were seen that say whom to believe in them."""
    return marked is not None and float(marked.pooled.std()) > 0


def _where(design: Design, marked: Floats, usual: Floats) -> Floats:
    return usual if design.marked is None else np.where(design.marked[..., None], marked, usual)


def _merged(all_of: Trust, rows: Trust) -> Trust:
    """Rows put back in their places; series never seen before are left out, as their errors are not known."""
    at = places(all_of.resources, rows.resources)
    there = at >= 0

    def put(old: Floats, new: Floats) -> Floats:
        out = old.copy()
        out[there] = new[at[there]]
        return out

    return replace(
        all_of,
        loss=put(all_of.loss, rows.loss),
        seen=put(all_of.seen, rows.seen),
        width=put(all_of.width, rows.width),
    )
