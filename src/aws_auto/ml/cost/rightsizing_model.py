"""How likely a machine outgrows a size in the time ahead, learned from a fleet's own past.

A forest of extremely randomised trees (Geurts et al. 2006) maps what is known of a machine to the whole distribution of
its future peak: its target is the vector of "the peak is above c" for a grid of capacities c, so a leaf holds an
empirical distribution, splits minimise the continuous ranked probability score, and the answer can only fall as
capacity grows (compare Meinshausen 2006, Quantile Regression Forests). It is taught by decisions all along the past of
each machine, and sees up to `LOOK_BACK` times as far back as a rule does: many machines that outgrow a size have done
so before, only longer ago than in the last fortnight. The futures of these overlap: they teach more than one would, and
count as no more than the fortnights that they cover where a rate is measured. All demand is in shares of the present
capacity, so that machines of all sizes are alike.

Beside it stands the best rule "quantile of the past over one minus headroom", tuned on the same decisions. A fleet for
which the forest does not beat the rule on machines that it has not seen gets the rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aws_auto.errors import NotEnoughData

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Ints = NDArray[np.int64]

#: A machine is in trouble when its demand is above its capacity in more than this share of the samples.
MOST_ABOVE = 0.005
#: How far back a forest looks, in the look-back of a rule: eight weeks for a fortnight.
LOOK_BACK = 4
#: Fewer machines than this teach a forest nothing that a rule does not know.
LEAST_MACHINES = 40
#: The rules that are tried: quantile of the past, and headroom h applied as need / (1 - h).
QUANTILES = (0.9, 0.95, 0.99, 0.995, 1.0)
HEADROOMS = (0.0, 0.1, 0.2, 0.3, 0.4)
#: Capacities of the target, in shares of the present one: quarter octaves hold every doubling and halving.
_GRID = 2.0 ** np.arange(-5.0, 2.01, 0.25)
_FOLDS, _TREES, _LEAF = 5, 200, 5
#: Earlier decisions that a machine teaches by, spread over its past, at least a day apart.
_DECISIONS = 8
#: Of a past and of a future so much must be known.
_SEEN = 0.9
#: Demand above this share of capacity was held down by it.
_STUCK = 0.97
#: Where the forest is compared with the rule: at the risk whose violations are no more than the rule's.
_RISKS = np.linspace(0.0, 0.7, 71)
_TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Windows:
    """Past decisions: what was known, and what came.

    Attributes:
        machines: a name for each; those of one machine stay on one side of every split.
        past: demand before the decision, in shares of the capacity of then, at equal steps; nan is missing.
        future: demand after it, in the same unit.
        per_day: steps in a day.
        overlap: how many decisions come on each future that shares no hour with another of its machine.
        history: how many steps a rule looks back; 0 for all that there are.
    """

    machines: tuple[str, ...]
    past: tuple[Array, ...]
    future: tuple[Array, ...]
    per_day: int
    overlap: float = 1.0
    history: int = 0

    def __len__(self) -> int:
        """How many decisions."""
        return len(self.machines)


@dataclass(frozen=True)
class Rule:
    """A quantile of the past over one minus the headroom; of the last fortnight, or of everything that is known."""

    quantile: float
    headroom: float
    everything: bool = False

    def need(self, past: Array, history: int = 0) -> float:
        """The capacity that it asks for, in the unit of ``past``, of whose end it sees ``history`` steps (0: all)."""
        seen = past if self.everything else past[-history:]
        known = seen[np.isfinite(seen)]
        return float(np.quantile(known, self.quantile, method="higher")) / (1.0 - self.headroom)

    def __str__(self) -> str:
        """As a reader knows it."""
        quantile = "maximum" if self.quantile == 1.0 else f"{self.quantile:.1%} quantile"
        return f"{quantile}{' of everything known' if self.everything else ''} and {self.headroom:.0%} headroom"


RULES = tuple(
    Rule(quantile, headroom, everything)
    for everything in (False, True)
    for quantile in QUANTILES
    for headroom in HEADROOMS
)


@dataclass(frozen=True)
class Outcome:
    """What a way of choosing did on past decisions.

    Attributes:
        saving: share of the cost saved; negative where it grew.
        violating: share of machines whose demand was above the chosen capacity in too many samples.
        n: how many decisions.
    """

    saving: float
    violating: float
    n: int


@dataclass(frozen=True, eq=False)
class Fleet:
    """What was learned from a fleet at a stated risk.

    Attributes:
        forest: None where the rule was as good, or the fleet too small.
        rule: the rule that saved most at no more violations than the stated risk.
        ours: the forest on machines it had not seen; None where none was fitted.
        ruled: the rule on the decisions that it was tuned on.
        independent: how many of these decisions do not overlap.
        history: as of `Windows`.
    """

    forest: Any
    rule: Rule
    ours: Outcome | None
    ruled: Outcome
    per_day: int
    independent: float
    history: int = 0

    def trouble(self, pasts: Sequence[Array], ladders: Sequence[Sequence[float]]) -> list[Array]:
        """Probability that each machine outgrows each capacity of its ladder (shares of the present one).

        Under the rule a capacity is either enough for it, with the rate at which that failed in this fleet (Laplace's
        estimate), or it is not.

        Args:
            pasts: what is known of each machine, newest last; what is older than `LOOK_BACK` looks is not looked at.
            ladders: ascending, one for each.
        """
        if not len(pasts):
            return []
        seen = [past[-LOOK_BACK * self.history :] for past in pasts]
        if self.forest is not None:
            return exceedance(self.forest, np.stack([features(past, self.per_day) for past in seen]), ladders)
        rate = (self.ruled.violating * self.independent + 1) / (self.independent + 2)
        needs = [self.rule.need(past, self.history) for past in seen]
        return [np.where(np.asarray(one) >= need - _TINY, rate, 1.0) for one, need in zip(ladders, needs, strict=True)]


def learn(windows: Windows, ladders: Sequence[Sequence[float]], *, risk: float, seed: int) -> Fleet:
    """The better of forest and rule for this fleet: which one saves more at no more violations than the rule's.

    Where no rule keeps to the risk and the forest does, it is the forest. A machine that even its largest size does not
    hold speaks against no choice.

    Args:
        windows: past decisions whose futures have ended before the decision that is asked for.
        ladders: for each, the capacities that could be chosen, in shares of the present one, ascending. Cost is taken
            as proportional to capacity, as it is within a family.
        risk: the probability of trouble that may be taken.
        seed: of the forest and the folds.

    Raises:
        NotEnoughData: there is no decision to learn from.
    """
    if not len(windows):
        raise NotEnoughData(
            "no past decision to learn a size from",
            where="rightsizing",
            hint="collect at least 28 days of cpu_utilization_max: 14 to decide from and 14 to judge by",
        )
    peaks = np.array([peak_need(future) for future in windows.future])
    needs = np.minimum(peaks, [ladder[-1] for ladder in ladders])
    rule, ruled = _best_rule(windows, needs, ladders, risk)
    independent = len(windows) / windows.overlap
    if len(set(windows.machines)) < LEAST_MACHINES:
        return Fleet(None, rule, None, ruled, windows.per_day, independent, windows.history)
    known = np.stack([features(past, windows.per_day) for past in windows.past])
    troubles = unseen(windows, ladders, seed=seed)
    ours = outcome(needs, ladders, _by_risk(troubles, risk))
    curve = [outcome(needs, ladders, _by_risk(troubles, taken)) for taken in _RISKS]
    alike = [one.saving for one in curve if one.violating <= ruled.violating]
    alone = ours.violating <= risk < ruled.violating
    beaten = alone or (bool(alike) and max(alike) > ruled.saving)
    forest = fit(known, peaks, seed=seed) if beaten else None
    return Fleet(forest, rule, ours, ruled, windows.per_day, independent, windows.history)


def earlier(series: Mapping[str, Array], *, history: int, horizon: int, per_day: int) -> tuple[Windows, list[str]]:
    """Decisions all along each machine's past whose futures are over, and of which machine each is.

    Args:
        series: demand by machine in shares of its capacity, at equal steps, newest last; nan is missing.
        history: steps that must be known before a decision, of which the first ones of a machine have half at least;
            `LOOK_BACK` times as many are seen where there are.
        horizon: steps that are judged after it.
        per_day: steps in a day.
    """
    names, past, future, independent = [], [], [], 0.0
    for name, demand in series.items():
        latest = len(demand) - horizon
        if latest < history:
            continue
        known = [at for at in range(latest, history // 2 - 1, -per_day) if _seen(demand, at, history, horizon)]
        spread = np.unique(np.linspace(0, len(known) - 1, min(_DECISIONS, len(known))).round().astype(int))
        taken = [known[place] for place in spread]
        names += [name] * len(taken)
        past += [demand[max(at - LOOK_BACK * history, 0) : at] for at in taken]
        future += [demand[at : at + horizon] for at in taken]
        independent += min(1.0 + (taken[0] - taken[-1]) / horizon, len(taken)) if taken else 0.0
    overlap = max(len(names) / independent, 1.0) if independent else 1.0
    return Windows(tuple(names), tuple(past), tuple(future), per_day, overlap, history), names


def _seen(demand: Array, at: int, history: int, horizon: int) -> bool:
    """Whether enough is known on both sides of a decision."""
    sides = demand[max(at - history, 0) : at], demand[at : at + horizon]
    return all(float(np.isfinite(side).mean()) >= _SEEN for side in sides)


def peak_need(demand: Array) -> float:
    """The smallest capacity that demand exceeds in at most `MOST_ABOVE` of its samples."""
    known = np.sort(demand[np.isfinite(demand)])
    return float(known[len(known) - 1 - int(MOST_ABOVE * len(known))])


def outcome(needs: Array, ladders: Sequence[Sequence[float]], chosen: Sequence[int]) -> Outcome:
    """Saving and violations where ``chosen`` are places in the ladders."""
    taken = np.array([ladder[place] for ladder, place in zip(ladders, chosen, strict=True)])
    return Outcome(1.0 - float(taken.mean()), float((needs > taken + _TINY).mean()), len(needs))


def place(ladder: Sequence[float], need: float) -> int:
    """The smallest size that is enough; the largest where none is."""
    return min(int(np.searchsorted(np.asarray(ladder), need - _TINY)), len(ladder) - 1)


def unseen(windows: Windows, ladders: Sequence[Sequence[float]], *, seed: int) -> list[Array]:
    """Probabilities of trouble on each ladder, each from a forest that never saw that machine."""
    names = sorted(set(windows.machines))
    fold_of = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % _FOLDS, strict=True))
    folds = np.array([fold_of[name] for name in windows.machines])
    known = np.stack([features(past, windows.per_day) for past in windows.past])
    needs = np.array([peak_need(future) for future in windows.future])
    found: list[Array] = [np.empty(0)] * len(windows)
    for fold in range(_FOLDS):
        forest = fit(known[folds != fold], needs[folds != fold], seed=seed)
        rest = [int(i) for i in np.flatnonzero(folds == fold)]
        if rest:
            said = exceedance(forest, known[rest], [ladders[i] for i in rest])
            for i, one in zip(rest, said, strict=True):
                found[i] = one
    return found


def fit(known: Array, needs: Array, *, seed: int) -> Any:  # noqa: ANN401 - a forest of sklearn, which has no types
    """A forest from features to "the peak is above c" for every c of the grid."""
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(_TREES, min_samples_leaf=_LEAF, max_features=0.5, random_state=seed, n_jobs=1)
    return forest.fit(known, (needs[:, None] > _GRID[None] + _TINY).astype(float))


def exceedance(forest: Any, known: Array, ladders: Sequence[Sequence[float]]) -> list[Array]:  # noqa: ANN401 - a forest
    """Probability that the peak is above each capacity, linear in the logarithm of capacity between the grid's.

    Above the grid nothing was learned and the last value stands; below it trouble is certain.

    Args:
        forest: of `fit`.
        known: (n, features).
        ladders: n times capacities, in shares of the present one.
    """
    answers = forest.predict(known)
    return [
        np.interp(np.log2(np.maximum(ladder, _TINY)), np.log2(_GRID), answer, left=1.0)
        for ladder, answer in zip(ladders, answers, strict=True)
    ]


def features(past: Array, per_day: int) -> Array:
    """What is known of a machine: levels in shares of its capacity, then shapes without a unit."""
    known = past[np.isfinite(past)]
    days = past[len(past) % per_day :].reshape(-1, per_day)
    tops = np.nanmax(days[np.isfinite(days).any(axis=1)], axis=1)
    return np.array([*_levels(known, tops, per_day), *_shapes(known, tops, per_day)])


def _levels(known: Array, tops: Array, per_day: int) -> list[float]:
    """Of all samples, and of the maxima of days: the highest ones, those of late, and what they would rarely pass."""
    ordered = np.sort(tops)
    return [
        *np.quantile(known, [0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 1.0]),
        known.mean(),
        known[-per_day:].mean(),
        *np.quantile(tops, [0.5, 0.75, 0.9]),
        tops.mean(),
        tops.mean() + tops.std(),
        tops.mean() + 2.5 * tops.std(),
        ordered[-2:][0],
        ordered[-3:][0],
        tops[-1],
        tops[-3:].max(),
        tops[len(tops) // 2 :].max(),
    ]


def _shapes(known: Array, tops: Array, per_day: int) -> list[float]:
    """How uneven it is, how rare and how long ago its peaks are, whether it grows, repeats or is held down."""
    scale = max(float(tops.max()), _TINY)
    half = len(tops) // 2
    return [
        known.std() / scale,
        tops.std() / scale,
        tops.min() / scale,
        np.sort(tops)[-2:][0] / scale,
        (tops > 0.5 * scale).mean(),
        (tops >= 0.8 * scale).mean(),
        np.log((scale + 0.01) / (np.median(known) + 0.01)),
        (tops[half:].mean() - tops[:half].mean()) / scale if half else 0.0,
        float(np.argmax(tops[::-1])) / len(tops),
        _repeats(known, 1),
        _repeats(known, per_day),
        _repeats(known, 7 * per_day),
        (known > _STUCK).mean(),
        (known >= 0.9 * scale).mean(),
    ]


def _repeats(known: Array, lag: int) -> float:
    """Autocorrelation; 0 where the past is too short to tell."""
    centred = known - known.mean()
    spread = float(centred @ centred)
    return float(centred[lag:] @ centred[:-lag]) / spread if spread > _TINY and len(known) > lag else 0.0


def _by_risk(troubles: Sequence[Array], risk: float) -> list[int]:
    """The smallest size at no more than that risk; the largest where there is none."""
    return [int(np.argmax(one <= risk)) if (one <= risk).any() else len(one) - 1 for one in troubles]


def _best_rule(windows: Windows, needs: Array, ladders: Sequence[Sequence[float]], risk: float) -> tuple[Rule, Outcome]:
    """The rule that saves most at no more violations than the risk; the one with fewest where none does."""
    tried = []
    for rule in RULES:
        asked = [rule.need(past, windows.history) for past in windows.past]
        chosen = [place(ladder, need) for ladder, need in zip(ladders, asked, strict=True)]
        tried.append((rule, outcome(needs, ladders, chosen)))
    allowed = [one for one in tried if one[1].violating <= risk]
    if allowed:
        return max(allowed, key=lambda one: (one[1].saving, -one[1].violating))
    return min(tried, key=lambda one: (one[1].violating, -one[1].saving))
