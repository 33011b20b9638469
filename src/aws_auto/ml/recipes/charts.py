"""Pictures of a back-test, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aws_auto.results import Chart, Line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.results import Calibration

    Floats = NDArray[np.float64]


def numbers(values: Floats) -> tuple[float | None, ...]:
    """Floats as a chart wants them: None where unknown."""
    return tuple(float(v) if np.isfinite(v) else None for v in values)


def band(
    title: str,
    *,
    times: Sequence[object],
    truth: Floats,
    quantiles: Floats,
    y_title: str,
    note: str,
    name: str = "forecast with 80 % interval",
) -> Chart:
    """Held-back truth, and what was expected (``name``) with its band; the last axis is low, middle, high."""
    x = tuple(times)
    return Chart(
        title=title,
        x_title="time",
        y_title=y_title,
        note=note,
        lines=(
            Line(
                name=name,
                x=x,
                y=numbers(quantiles[:, 1]),
                low=numbers(quantiles[:, 0]),
                high=numbers(quantiles[:, 2]),
            ),
            Line(name="what came", x=x, y=numbers(truth), style="points"),
        ),
    )


def daily(title: str, *, days: Sequence[object], losses: Mapping[str, Floats], y_title: str) -> Chart:
    """Loss per held-back day, ours beside the best simple rule's."""
    x = tuple(days)
    return Chart(
        title=title,
        x_title="held-back day",
        y_title=y_title,
        lines=tuple(Line(name=name, x=x, y=numbers(values)) for name, values in losses.items()),
        note="lower is better",
    )


def promised(title: str, said: Sequence[Calibration]) -> Chart:
    """What was promised against what happened."""
    ordered = sorted(said, key=lambda c: c.nominal)
    return Chart(
        title=title,
        x_title="promised share",
        y_title="observed share",
        lines=(
            Line(name="observed", x=tuple(c.nominal for c in ordered), y=tuple(c.observed for c in ordered)),
            Line(name="as promised", x=(0.0, 1.0), y=(0.0, 1.0), style="dashed"),
        ),
        note=f"{max(c.n for c in said)} held-back points",
    )
