"""Lines as members: one for all and one of each series' own, and boosted quantiles of what each of the two misses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from aws_auto.ml.forecast.boosted import PART, Growth, QuantileBooster
from aws_auto.ml.forecast.group import DECIMALS, DENSE, WILD, Bands, places, targets
from aws_auto.ml.forecast.lines import line_of_all, on_line, own_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from aws_auto.ml.forecast.panel import Design

    Floats = NDArray[np.float64]

OWN, ALL = "own line", "line of all"
#: Trees of the residual: fewer and larger than for cost, as eleven levels cost eleven times as much.
GROWTH = Growth(rounds=70, depth=6, eta=0.12, bins=64, least=60, least_share=0.0, most_rows=20_000)


@dataclass(frozen=True)
class Straight:
    """Boosted quantiles on the own line and on the line of all, and the own line with its past errors.

    Attributes:
        lines: coefficients of the robust line of each step, the constant last, ``(S, k + 1)``.
        own: the same for each series, ``(R, S, k + 1)``.
        boosters: quantiles of what a line misses, in units of the series, by the name of the line.
        bands: what the own line missed.
    """

    lines: Floats
    own: Floats
    boosters: Mapping[str, QuantileBooster]
    bands: Bands

    kind: ClassVar[str] = "straight"

    @property
    def names(self) -> tuple[str, ...]:
        """See `Group.names`."""
        return (*(f"boosted {name}" for name in self.boosters), OWN)

    @classmethod
    def fit(cls, design: Design, *, seed: int, boosted: Sequence[str] = (OWN, ALL)) -> Straight:
        """Learn from the cells of a design whose truth is known; ``boosted`` names the lines that carry trees."""
        target = targets(design)
        tame = target.clip(-WILD, WILD)
        chosen = _thinned(np.isfinite(target), seed)
        lines = line_of_all(design.base, tame, chosen).round(DECIMALS)
        own = own_lines(lines, design.base, tame).round(DECIMALS)
        straight = _lines(design, lines, own)
        boosters = {
            name: QuantileBooster.fit(
                line[chosen][:, None], _columns(design, line, chosen), tame[chosen], DENSE, seed=seed, growth=GROWTH
            )
            for name, line in straight.items()
            if name in boosted
        }
        return cls(lines, own, boosters, Bands.fit(design.resources, [straight[OWN]], target))

    def members(self, design: Design) -> Floats:
        """See `Group.members`."""
        mask = design.answerable()
        at = places(design.resources, self.bands.resources)
        straight = _lines(design, self.lines, np.where(at[:, None, None] < 0, self.lines, self.own[at]))
        out = np.full((len(self.names), *mask.shape, len(DENSE)), np.nan)
        for i, (name, booster) in enumerate(self.boosters.items()):
            line = straight[name]
            out[i, mask] = booster.predict(line[mask][:, None], _columns(design, line, mask))
        out[-1, mask] = self.bands.around([straight[OWN]], design.resources)[0, mask]
        return out

    def parts(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """See `Group.parts`."""
        packed = {name: booster.parts() for name, booster in self.boosters.items()}
        body = {
            "lines": self.lines.tolist(),
            "own": self.own.tolist(),
            "boosters": {name: said for name, (said, _) in packed.items()},
            "bands": self.bands.to_json(),
        }
        return body, {_file_of(name): files[PART] for name, (_, files) in packed.items()}

    @classmethod
    def of_parts(cls, body: Mapping[str, Any], parts: Mapping[str, bytes]) -> Straight:
        """The inverse of `parts`."""
        boosters = {
            name: QuantileBooster.of_parts(said, {PART: parts[_file_of(name)]})
            for name, said in body["boosters"].items()
        }
        lines, own = (np.asarray(body[name], float) for name in ("lines", "own"))
        return cls(lines, own, boosters, Bands.from_json(body["bands"]))


def _file_of(name: str) -> str:
    return f"straight-{name.replace(' ', '-')}.ubj"


def _lines(design: Design, lines: Floats, own: Floats) -> dict[str, Floats]:
    """What the lines say by name in units of the series."""
    return {
        OWN: on_line(own, design.base),
        ALL: on_line(np.broadcast_to(lines, own.shape), design.base),
    }


def _columns(design: Design, line: Floats, mask: NDArray[np.bool_]) -> Floats:
    return np.concatenate([design.base[mask], design.features[mask], line[mask][:, None]], axis=1)


def _thinned(mask: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    """At most `GROWTH.most_rows` true cells, chosen at random."""
    at = np.flatnonzero(mask)
    if len(at) <= GROWTH.most_rows:
        return mask
    out = np.zeros(mask.size, dtype=bool)
    out[np.random.default_rng(seed).choice(at, GROWTH.most_rows, replace=False)] = True
    return out.reshape(mask.shape)
