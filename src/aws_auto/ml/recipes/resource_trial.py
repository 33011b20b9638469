"""How well sizes were chosen on decisions that came later, beside the rule of AWS Compute Optimizer's defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from aws_auto.ml.cost import rightsizing_model as model
from aws_auto.ml.cost.rightsizing import RISK
from aws_auto.ml.cost.rightsizing_model import Fleet, Outcome, Rule
from aws_auto.ml.evaluation.backtest import Contest, judge, plain_loss
from aws_auto.ml.evaluation.metrics import expected_calibration_error
from aws_auto.results import Calibration, Chart, Line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.recipes.resource_machines import Decisions
    from aws_auto.results import BackTest

    Array = NDArray[np.float64]

#: Our reading of the documented defaults of AWS Compute Optimizer: 99.5 % quantile of CPU and 20 % headroom.
DEFAULT = Rule(0.995, 0.2)
DEFAULT_NAME = "99.5 % quantile and 20 % headroom"
#: What trouble costs, in prices of the present machine: to halve it is worth a risk of 5 % when trouble costs ten times
#: its price.
TROUBLE = 0.5 / RISK
#: Risks at which the curve is drawn.
_CURVE = np.concatenate([[0.0], np.geomspace(0.005, 0.6, 40)])


@dataclass(frozen=True, eq=False)
class Trial:
    """What was measured.

    Attributes:
        backtests: what the sizes and their trouble cost, then machines in trouble.
        calibration: stated and observed trouble of the sizes that were chosen.
        ece: expected calibration error over every size of every machine.
        curve: saving against machines in trouble.
        ours: saving and trouble at the stated risk.
        rule: of the default.
    """

    backtests: tuple[BackTest, ...]
    calibration: tuple[Calibration, ...]
    ece: float
    curve: Chart
    ours: Outcome
    rule: Outcome


def run(fleet: Fleet, judged: Decisions, *, champion: Fleet | None, seed: int) -> Trial:
    """Judge a fleet at the stated risk on decisions that it did not learn from."""
    needs, ladders = peaks(judged), judged.ladders
    troubles = fleet.trouble(judged.windows.past, ladders)
    ours = at_risk(troubles, RISK)
    rule = by_rule(DEFAULT, judged)
    theirs = None
    if champion is not None:
        theirs = at_risk(champion.trouble(judged.windows.past, ladders), RISK)
    backtests = tuple(
        _contest(
            metric,
            parts(needs, ladders, ours),
            parts(needs, ladders, rule),
            None if theirs is None else parts(needs, ladders, theirs),
            seed,
        )
        for metric, parts in (("cost, trouble at ten times the price", _cost), ("machines in trouble", _troubled))
    )
    resized = np.array([place < len(ladder) - 1 for ladder, place in zip(ladders, ours, strict=True)])
    stated = np.array([one[place] for one, place in zip(troubles, ours, strict=True)])[resized]
    happened = _troubled(needs, ladders, ours)[resized, 0, 0]
    every = np.concatenate(troubles)
    truth = np.concatenate([need > np.array(sizes) for need, sizes in zip(needs, ladders, strict=True)])
    ece = expected_calibration_error(every, truth.astype(float))
    return Trial(
        backtests,
        _calibration(stated, happened),
        ece,
        _chart(troubles, needs, ladders, judged),
        model.outcome(needs, ladders, ours),
        model.outcome(needs, ladders, rule),
    )


def _calibration(stated: Array, happened: Array) -> tuple[Calibration, ...]:
    """Of the machines that got a smaller size; nothing where none did."""
    if not len(stated):
        return ()
    said = Calibration(
        what="machines that outgrow the smaller size chosen for them",
        nominal=float(stated.mean()),
        observed=float(happened.mean()),
        n=len(stated),
    )
    return (said,)


def peaks(taken: Decisions) -> Array:
    """The smallest capacity that each future would have needed."""
    return np.array([model.peak_need(future) for future in taken.windows.future])


def by_rule(rule: Rule, taken: Decisions) -> list[int]:
    """The places in the ladders that a rule chooses."""
    return [
        model.place(ladder, rule.need(past, taken.windows.history))
        for ladder, past in zip(taken.ladders, taken.windows.past, strict=True)
    ]


def at_risk(troubles: Sequence[Array], risk: float) -> list[int]:
    """The smallest size at no more than that risk; the largest where there is none."""
    return [int(np.argmax(one <= risk)) if (one <= risk).any() else len(one) - 1 for one in troubles]


def _cost(needs: Array, ladders: Sequence[Sequence[float]], chosen: Sequence[int]) -> Array:
    taken = np.array([ladder[place] for ladder, place in zip(ladders, chosen, strict=True)])
    return _parts(taken) + TROUBLE * _troubled(needs, ladders, chosen) * [1.0, 0.0]


def _troubled(needs: Array, ladders: Sequence[Sequence[float]], chosen: Sequence[int]) -> Array:
    taken = np.array([ladder[place] for ladder, place in zip(ladders, chosen, strict=True)])
    return _parts((needs > taken + 1e-9).astype(float))


def _parts(values: Array) -> Array:
    return np.stack([values, np.ones(len(values))], axis=-1)[:, None]


def _contest(metric: str, ours: Array, rule: Array, champion: Array | None, seed: int) -> BackTest:
    baselines: Mapping[str, Array] = {DEFAULT_NAME: rule}
    fresh = None if champion is None else {**baselines, "ours": ours, "champion": champion}
    return judge(
        Contest(
            metric=metric,
            unit="share",
            unit_of_n="machines",
            ours=ours,
            baselines=baselines,
            statistic=plain_loss,
            fresh=fresh,
        ),
        seed=seed,
    )


def _chart(troubles: Sequence[Array], needs: Array, ladders: Sequence[Sequence[float]], judged: Decisions) -> Chart:
    curve = sorted({_point(needs, ladders, at_risk(troubles, risk)) for risk in _CURVE})
    rules = sorted({_point(needs, ladders, by_rule(rule, judged)) for rule in model.RULES})
    default = _point(needs, ladders, by_rule(DEFAULT, judged))
    best = _point(needs, ladders, [model.place(ladder, need) for ladder, need in zip(ladders, needs, strict=True)])
    lines = (("ours at each risk", curve, "line"), ("simple rules", rules, "points"))
    return Chart(
        title="Saving against machines in trouble",
        x_title="machines in trouble, %",
        y_title="saving, %",
        lines=(
            *(Line(name=n, x=_column(p, 0), y=_column(p, 1), style=s) for n, p, s in lines),  # type: ignore[arg-type]
            Line(name=DEFAULT_NAME, x=(100 * default[0],), y=(100 * default[1],), style="points"),
            Line(name="had one known", x=(100 * best[0],), y=(100 * best[1],), style="points"),
        ),
        note=f"one decision for each of {len(judged)} machines, that nothing was learned from",
    )


def _column(points: Sequence[tuple[float, float]], place: int) -> tuple[float, ...]:
    return tuple(100.0 * point[place] for point in points)


def _point(needs: Array, ladders: Sequence[Sequence[float]], chosen: Sequence[int]) -> tuple[float, float]:
    found = model.outcome(needs, ladders, chosen)
    return found.violating, found.saving
