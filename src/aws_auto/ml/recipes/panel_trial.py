"""The one way in which the forecasting recipes are fitted and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from aws_auto.errors import NotEnoughData
from aws_auto.frame import RESOURCE, TIMESTAMP
from aws_auto.ml.evaluation import metrics
from aws_auto.ml.evaluation.backtest import (
    Contest,
    Split,
    Statistic,
    judge,
    plain_loss,
    rolling_origins,
    split,
    typical_loss,
)
from aws_auto.ml.forecast import panel as panels
from aws_auto.ml.forecast.grid import DAY, HourGrid, columns_at, named
from aws_auto.ml.forecast.panel import LEVELS, Boosted, Design, Family, Learned, Panel, Rule
from aws_auto.ml.recipes import recipe
from aws_auto.ml.recipes.panel import PanelPredictor
from aws_auto.results import BackTest, Calibration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from aws_auto.protocols import Predictor, Progress

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

LEAST_DAYS = 10
LEAST_SHARE = 0.5
LEAST_CELLS = 100
#: Columns without which nothing is fitted, however many days they are.
LEAST_COLUMNS = 80
#: Columns without which nothing can be judged, and columns that belong together when there are no days to count.
LEAST_YOUNG = 16
BLOCK = 6


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A finished back-test: what was measured, and the two forecasters it leaves behind.

    Attributes:
        backtests: first the quantile loss that decides, then the error of the median.
        learned: the learned forecaster, fitted again on everything.
        rule: the best simple rule, with its errors of late.
        champion_is_rule: whether the present champion is a simple rule.
        origins: held-back columns.
        test: the design there.
        ours: its quantiles, ``(R, O, S, levels)``.
        daily: loss per held-back day (or block, when young), by name.
        units: when each of these begins.
    """

    backtests: tuple[BackTest, ...]
    calibration: tuple[Calibration, ...]
    learned: Learned
    rule: Rule
    notes: tuple[str, ...]
    champion_is_rule: bool
    origins: Ints
    test: Design
    ours: Floats
    daily: Mapping[str, Floats]
    units: tuple[datetime, ...]


def run_trial(  # noqa: PLR0913 - one call, every argument named
    panel: Panel,
    *,
    metric: str,
    every: int,
    what: str,
    seed: int,
    champion: Predictor | None,
    rows: pl.DataFrame,
    progress: Progress,
    family: Family = Boosted,
    young: bool = False,
) -> Trial:
    """Calibrate, fit, judge on held-back origins, then fit again on everything.

    Three models are fitted, each on all that came before the part it is used on: one for the calibration part, one
    for the test part with what the first one's errors say about intervals, and the last one for the future.

    Args:
        panel: the problem.
        metric: the column that is forecast.
        every: columns between held-back origins.
        what: the quantity, for the words of the report.
        seed: of everything random.
        champion: is asked about the same held-back origins.
        rows: the rows that the panel was made of, for the champion.
        progress: told what is done.
        family: what is fitted.
        young: the history is too short to fit anything, and ``family`` does not: it is judged on the second half, in
            blocks of `BLOCK` columns.

    Raises:
        NotEnoughData: too short a history, or nothing in it to judge.
    """
    parts = (
        _halves(panel.grid, what)
        if young
        else split(panel.grid.hours, day=panel.grid.cycle, least_days=LEAST_DAYS, where=what)
    )
    block = BLOCK if young else panel.grid.cycle
    least = 0 if young else LEAST_CELLS
    floor = 0.0 if np.nanmin(panel.grid.values) >= 0 else None
    progress("calibrate on the past", 0, 4)
    first = _fitted(family, panel, parts.calibrate, floor=floor, seed=seed, what=what, least=least)
    _, first = first.played(panel.design(_held_back(first, panel, parts.calibrate, parts.test)))
    progress("fit on the past", 1, 4)
    trial = _fitted(family, panel, parts.test, floor=floor, seed=seed, what=what, least=least, before=first).taught(
        first
    )
    origins = rolling_origins(parts.test - 1, parts.end - panel.reach - 1, every)
    test = panel.design(origins)
    past = panel.design(panels.recent_origins(panel, parts.test))
    said, trial = _judged(trial, panel, parts, origins, test)
    answers: dict[str, Floats] = {"ours": panels.usual(said, trial.levels)}
    answers |= {name: Rule.fit(name, past, floor=floor).quantiles(test) for name in test.rules}
    progress("judge", 2, 4)
    theirs, notes = _asked(champion, panel, origins, rows, test, metric)
    scored = _scored(answers, theirs, test, past, panel, origins, what, block)
    unit = _units(panel.grid, block)
    backtests = tuple(_contest(scored, *contest, what, seed, unit) for contest in _CONTESTS)
    progress("fit on everything", 3, 4)
    final = _fitted(family, panel, parts.end, floor=floor, seed=seed, what=what, least=least, before=trial)
    newest = panel.design(panels.recent_origins(panel, parts.end))
    best = backtests[0].baseline_name
    return Trial(
        backtests=backtests,
        calibration=_calibration(answers["ours"], np.where(scored.judged, test.truth, np.nan), what),
        learned=final.taught(first, trial),
        rule=Rule.fit(best, newest, floor=floor),
        notes=(*notes, *_left_out(scored, test)),
        champion_is_rule=isinstance(champion, PanelPredictor) and champion.is_rule,
        origins=origins,
        test=test,
        ours=answers["ours"],
        daily={name: plain_loss(scored.losses[name]["quantiles"]) for name in ("ours", best)},
        units=tuple(
            panel.grid.time(int(u) * block - panel.grid.first)
            for u in np.unique((panel.grid.first + origins + 1) // block)
        ),
    )


@dataclass(frozen=True)
class _Scored:
    """Losses of each contender by name and kind: sum and count by unit of time and resource, ``(units, R, 2)``.

    Attributes:
        losses: of ours and the simple rules.
        fresh: of these and the champion, where the champion answers and was not trained; None where that is nowhere.
        judged: the points that count.
        steady: resources that never change.
    """

    losses: Mapping[str, Mapping[str, Floats]]
    fresh: Mapping[str, Mapping[str, Floats]] | None
    judged: NDArray[np.bool_]
    steady: tuple[str, ...]


#: Loss, statistic over resources, and the words of the report. The first decides; see `recipe.decide`.
_CONTESTS = (
    ("quantiles", typical_loss, "quantile loss, typical resource"),
    ("quantiles", plain_loss, "quantile loss, mean"),
    ("median", typical_loss, "error of the median, typical resource"),
)


def is_young(grid: HourGrid) -> bool:
    """Whether the history is too short to fit anything."""
    return grid.hours < max(LEAST_DAYS * grid.cycle, LEAST_COLUMNS)


def _halves(grid: HourGrid, what: str) -> Split:
    """The second half is judged; the first one tells the simple rules how they err.

    Raises:
        NotEnoughData: fewer than two days of hours, or `LEAST_YOUNG` longer periods.
    """
    least = max(2 * grid.cycle, LEAST_YOUNG)
    if grid.hours < least:
        said = f"{grid.hours} {named(grid.step, many=True)} of history, at least {least} are needed to judge a forecast"
        raise NotEnoughData(said, where=what)
    test = max(grid.hours // 2, least // 2)
    return Split(calibrate=test, test=test, end=grid.hours)


def _fitted(
    family: Family,
    panel: Panel,
    limit: int,
    *,
    floor: float | None,
    seed: int,
    what: str,
    least: int,
    before: Learned | None = None,
) -> Learned:
    design = panel.design(panels.sampled_origins(panel, limit, seed))
    if (design.answerable() & np.isfinite(design.truth)).sum() < least:
        raise NotEnoughData(
            f"fewer than {least} {named(panel.grid.step, many=True)} of the first half can be learned from", where=what
        )
    fitted: Learned = family.fit(design, floor=floor, seed=seed, before=before)
    return fitted


def _held_back(model: Learned, panel: Panel, start: int, end: int) -> Ints:
    """Origins that say how a model does that was fitted up to ``start``, on the columns up to ``end``."""
    if model.every_hour:
        return rolling_origins(start - panel.reach, end - 1, 1)
    return rolling_origins(start - 1, end - panel.reach - 1, 1)


def _judged(trial: Learned, panel: Panel, parts: Split, origins: Ints, test: Design) -> tuple[Floats, Learned]:
    """Answers at the origins that are judged; one that follows every hour is told those between them as well."""
    if not trial.every_hour:
        return trial.played(test)
    hours = _held_back(trial, panel, parts.test, parts.end)
    answers, after = trial.played(panel.design(hours))
    return answers[:, np.searchsorted(hours, origins)], after


def _scored(
    answers: Mapping[str, Floats],
    theirs: Floats | None,
    test: Design,
    past: Design,
    panel: Panel,
    origins: Ints,
    what: str,
    block: int,
) -> _Scored:
    size = panels.typical_size(past)
    unit_size = np.where(size > 0, size, np.nan)[:, None, None]
    judged = np.isfinite(test.truth) & np.isfinite(unit_size)
    for quantiles in answers.values():
        judged &= np.isfinite(quantiles).all(axis=-1)
    moves = panels.moves(np.concatenate([past.truth, test.truth], axis=1))[..., None]
    if (judged & moves).any():
        judged &= moves
    if not judged.any():
        raise NotEnoughData("the held-back part is zero or unknown everywhere", where=what)
    unit = (panel.grid.first + origins + 1) // block

    def losses(quantiles: Floats, counted: NDArray[np.bool_]) -> dict[str, Floats]:
        truth = np.where(counted, test.truth / unit_size, np.nan)
        return {
            "quantiles": _by_unit(metrics.pinball(truth, quantiles / unit_size[..., None], LEVELS), unit),
            "median": _by_unit(np.abs(truth - quantiles[..., 1] / unit_size), unit),
        }

    fresh = None
    if theirs is not None and (new := judged & np.isfinite(theirs).all(axis=-1)).any():
        seen = np.isin(np.unique(unit), unit[new.any(axis=(0, 2))])
        everybody = {**answers, "champion": theirs}
        fresh = {
            name: {kind: table[seen] for kind, table in losses(said, new).items()} for name, said in everybody.items()
        }
    return _Scored(
        losses={name: losses(quantiles, judged) for name, quantiles in answers.items()},
        fresh=fresh,
        judged=judged,
        steady=tuple(name for name, m in zip(test.resources, moves.ravel(), strict=True) if not m),
    )


def _by_unit(loss: Floats, unit: Ints) -> Floats:
    seen = np.isfinite(loss)
    parts = np.stack([np.where(seen, loss, 0.0).sum(axis=2), seen.sum(axis=2).astype(float)], axis=-1)
    return np.stack([parts[:, unit == u].sum(axis=1) for u in np.unique(unit)])


def _contest(
    scored: _Scored, loss: str, statistic: Statistic, metric: str, what: str, seed: int, unit: str
) -> BackTest:
    rows = {name: losses[loss] for name, losses in scored.losses.items()}
    contest = Contest(
        metric=metric,
        unit=f"share of mean {what}",
        unit_of_n=f"held-back {unit}",
        ours=rows.pop("ours"),
        baselines=rows,
        statistic=statistic,
        fresh=None if scored.fresh is None else {name: losses[loss] for name, losses in scored.fresh.items()},
    )
    return judge(contest, seed=seed)


def _units(grid: HourGrid, block: int) -> str:
    """What so many columns are: ``days``, ``weeks``, ``blocks of 6 hours``."""
    whole = {DAY: "days", DAY * 7: "weeks"}.get(block * grid.step)
    return whole or f"blocks of {block} {named(grid.step, many=True)}"


def _calibration(ours: Floats, truth: Floats, what: str) -> tuple[Calibration, ...]:
    inside, n = metrics.coverage(truth, ours[..., 0], ours[..., -1])
    said = [Calibration(what=f"80 % interval of {what}", nominal=LEVELS[-1] - LEVELS[0], observed=inside, n=n)]
    for i, level in enumerate(LEVELS):
        below, n = metrics.share_at_or_below(truth, ours[..., i])
        said.append(
            Calibration(what=f"{what} at or below the {level:.0%} quantile", nominal=level, observed=below, n=n)
        )
    return tuple(said)


def _left_out(scored: _Scored, test: Design) -> tuple[str, ...]:
    said = []
    if scored.steady and len(scored.steady) < len(test.resources):
        said.append(f"{len(scored.steady)} of {len(test.resources)} resources never change and are not judged")
    silent = [
        name
        for name, row in zip(test.resources, scored.judged, strict=True)
        if not row.any() and name not in scored.steady
    ]
    if silent:
        shown = ", ".join(silent[:5]) + (", ..." if len(silent) > 5 else "")
        said.append(f"{len(silent)} resources could not be judged (zero, new or silent): {shown}")
    return tuple(said)


def _asked(
    champion: Predictor | None, panel: Panel, origins: Ints, rows: pl.DataFrame, test: Design, metric: str
) -> tuple[Floats | None, tuple[str, ...]]:
    """The champion's quantiles at the held-back origins that it has not seen, None when it cannot be compared."""
    if champion is None:
        return None, ()
    if not isinstance(champion, PanelPredictor) or champion.metric != metric:
        return None, ("the champion forecasts another metric and was not compared",)
    if champion.hours != panel.grid.step:
        return None, (f"the champion forecasts {named(champion.hours, many=True)} and was not compared",)
    border, end = panel.grid.time(int(origins[0]) + 1), panel.grid.time(panel.grid.hours)
    since, notes = recipe.fresh_from(champion.trained_until, border=border, end=end)
    if since is None:
        return None, notes
    table = champion.predict(rows).sort(TIMESTAMP).unique([RESOURCE, "forecast_from"], keep="last")
    out = np.full((*test.truth.shape, len(LEVELS)), np.nan)
    row_of = {name: i for i, name in enumerate(test.resources)}
    place = {int(hour): i for i, hour in enumerate(panel.grid.first + origins + 1)}
    hours = columns_at((table["forecast_from"].to_physical() // 1_000_000).to_numpy(), panel.grid.step)
    at = [(row_of.get(name, -1), place.get(int(h), -1)) for name, h in zip(table[RESOURCE], hours, strict=True)]
    row, column = np.array(at).T
    first = sum(panel.grid.time(int(origin) + 1) < since for origin in origins)
    known = (row >= 0) & (column >= first)
    for s, step in enumerate(champion.steps):
        for word, level in (("low", 0), ("expected", 1), ("high", 2)):
            values = table[f"{word}_{step}"].cast(pl.Float64).fill_null(np.nan).to_numpy()
            out[row[known], column[known], s, level] = values[known]
    answered = np.isfinite(out[:, first:, :, 1]).sum() / max(np.isfinite(test.truth[:, first:]).sum(), 1)
    if answered < LEAST_SHARE:
        return None, (f"the champion answers only {answered:.0%} of the held-back points and was not compared",)
    return out, notes
