"""How often an answer like this one is right: measured on simulated incidents, not felt."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log1p
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_auto.ml.anomaly.root_cause.results import Basis, Factor


@dataclass(frozen=True)
class Signals:
    """What the confidence looks at, each 0 to 1.

    Attributes:
        lead: share of the first resource in the weight of the first two.
        score: its score, as the ranking gave it, on a logarithmic scale.
        given: 1 when the call graph was given, 0.5 when it rests on relations, 0 when learned.
        past: how much of the evidence's own past is known, 1 from a hundred points on.
    """

    lead: float
    score: float
    given: float
    past: float

    def vector(self) -> tuple[float, ...]:
        """In the order of the coefficients, the constant first."""
        return (1.0, self.lead, self.score, self.given, self.past)


#: Logistic regression (ridge 1.0) on simulated incidents, a tenth of those in call graphs with a root that sends no
#: metrics; `bench/root_cause.py --fit --cases 240` prints it, the bench tests it on other seeds. Correlation is part of
#: the score and adds nothing beside it. Order: constant, lead, score, given, past.
COEFFICIENTS = (-4.032, 4.118, 2.348, 1.348, 0.757)
_GIVEN: dict[str, float] = {"given": 1.0, "relations": 0.5, "learned": 0.0}


def signals(factors: Sequence[Factor], score: float, basis: Basis) -> Signals:
    """Of an answer with at least one factor."""
    first = factors[0]
    rival = max((f.weight for f in factors if f.resource != first.resource), default=0.0)
    return Signals(
        lead=first.weight / (first.weight + rival),
        score=min(log1p(20.0 * score) / log1p(20.0), 1.0),
        given=_GIVEN[basis],
        past=min(first.evidence.points[0] / 100.0, 1.0),
    )


def confidence(seen: Signals) -> float:
    """Probability that the first resource is the right one."""
    return sigmoid(seen.vector())


def sigmoid(vector: Sequence[float], coefficients: Sequence[float] = COEFFICIENTS) -> float:
    """The logistic function of their product."""
    return 1.0 / (1.0 + exp(-sum(c * x for c, x in zip(coefficients, vector, strict=True))))
