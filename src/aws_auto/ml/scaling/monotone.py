"""A small neural network whose answer can only rise with some inputs and only fall with others.

Wide and deep: a linear part and one hidden layer of tanh units are added. Weights on inputs that must push upwards,
and the weights behind the hidden layer, are bounded below by zero, which is enough for monotonicity (Sill 1998,
"Monotonic Networks") and leaves every other input free. The bounds are kept exactly by L-BFGS-B, so no answer has to
be repaired afterwards. A few members from different starts are averaged: one alone depends on its start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MEMBERS = 6
UNITS = 8
ITERATIONS = 200
#: Ridges. Three times more on the hidden part: where both parts can say it, the linear one shall.
LINEAR_PENALTY = 1e-3
PENALTY = 3e-3
#: Inputs further from their mean than this many standard deviations say no more.
REACH = 5.0
#: Pulls the calibration of few events towards "as it is".
CALIBRATION_PENALTY = 1e-3


@dataclass(frozen=True, kw_only=True)
class MonotoneNet:
    """Probability of an event, monotone in the signed inputs. Shapes in K members, d inputs, H units.

    Attributes:
        sign: 1 where the probability may only rise with the input, -1 only fall, 0 free, ``(d,)``.
        centre: mean of each input, ``(d,)``.
        spread: its standard deviation, ``(d,)``.
        linear: ``(K, d)``.
        inner: ``(K, d, H)``.
        shift: ``(K, H)``.
        outer: ``(K, H)``.
        level: ``(K,)``.
        slope: of the calibration, positive.
        offset: of the calibration.
    """

    sign: Floats
    centre: Floats
    spread: Floats
    linear: Floats
    inner: Floats
    shift: Floats
    outer: Floats
    level: Floats
    slope: float = 1.0
    offset: float = 0.0

    @classmethod
    def fit(
        cls, inputs: Floats, sign: Floats, event: Floats, *, seed: int, weight: Floats | None = None
    ) -> MonotoneNet:
        """Learn from ``event`` in {0, 1}.

        Args:
            inputs: ``(n, d)``, finite.
            sign: ``(d,)``.
            event: ``(n,)``.
            seed: of the members' starts.
            weight: of each row; default equal.
        """
        import scipy.optimize  # brings a BLAS of its own, which must be loaded before it can be limited
        from threadpoolctl import threadpool_limits

        rng = np.random.default_rng(seed)
        share = np.full(len(event), 1 / len(event)) if weight is None else weight / weight.sum()
        centre, spread = inputs.mean(axis=0), inputs.std(axis=0)
        spread = np.where(spread > 1e-9 * np.maximum(np.abs(centre), 1.0), spread, 1.0)
        z = _scaled(inputs, sign, centre, spread)
        # The products are too thin to share: with a thread per core they cost twelve times the CPU and no less time.
        with threadpool_limits(1, user_api="blas"):
            members = [_fit_one(scipy.optimize.minimize, z, sign != 0, event, share, rng) for _ in range(MEMBERS)]
        linear, inner, shift, outer, level = (np.stack([m[name] for m in members]) for name in _PARTS)
        return cls(
            sign=sign,
            centre=centre,
            spread=spread,
            linear=linear,
            inner=inner,
            shift=shift,
            outer=outer,
            level=level,
        )

    def logits(self, inputs: Floats) -> Floats:
        """Log-odds, the mean over members, ``(n,)``."""
        z = _scaled(inputs, self.sign, self.centre, self.spread)
        hidden = np.tanh(np.einsum("nd,kdh->knh", z, self.inner, optimize=True) + self.shift[:, None])
        each = z @ self.linear.T + np.einsum("knh,kh->nk", hidden, self.outer) + self.level
        return np.asarray(each.mean(axis=1) * self.slope + self.offset)

    def probability(self, inputs: Floats) -> Floats:
        """``(n,)``, between 0 and 1."""
        return _logistic(self.logits(inputs))

    def calibrated(self, inputs: Floats, event: Floats) -> MonotoneNet:
        """With slope and offset that fit events it was not fitted on (Platt 1999); monotonicity stays."""
        from scipy.optimize import minimize

        logit = (self.logits(inputs) - self.offset) / self.slope
        n = len(event)

        def loss(p: Floats) -> tuple[float, Floats]:
            z = p[0] * logit + p[1]
            error = (_logistic(z) - event) / n
            pull = p - np.array([1.0, 0.0])
            value = _log_loss(z, event).mean() + CALIBRATION_PENALTY * pull @ pull
            return float(value), np.array([error @ logit, error.sum()]) + 2 * CALIBRATION_PENALTY * pull

        found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[(0.05, 5.0), (None, None)])
        return replace(self, slope=float(found.x[0]), offset=float(found.x[1]))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {name: np.asarray(value).tolist() for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> MonotoneNet:
        """The inverse of `to_json`."""
        arrays = {k: np.asarray(v, float) for k, v in said.items() if k not in ("slope", "offset")}
        return cls(**arrays, slope=float(said["slope"]), offset=float(said["offset"]))


_PARTS = ("linear", "inner", "shift", "outer", "level")


def _scaled(inputs: Floats, sign: Floats, centre: Floats, spread: Floats) -> Floats:
    z = np.clip((inputs - centre) / spread, -REACH, REACH)
    return np.asarray(np.where(sign < 0, -z, z))


def _fit_one(
    minimize: Any,  # noqa: ANN401 - scipy has no types
    z: Floats,
    rising: NDArray[np.bool_],
    event: Floats,
    share: Floats,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    d = z.shape[1]
    shapes = {"linear": (d,), "inner": (d, UNITS), "shift": (UNITS,), "outer": (UNITS,), "level": ()}
    ends = np.cumsum([int(np.prod(s)) for s in shapes.values()])

    def unpack(p: Floats) -> dict[str, Floats]:
        return {n: part.reshape(s) for (n, s), part in zip(shapes.items(), np.split(p, ends[:-1]), strict=True)}

    def loss(p: Floats) -> tuple[float, Floats]:
        at = unpack(p)
        hidden = np.tanh(z @ at["inner"] + at["shift"])
        logit = z @ at["linear"] + hidden @ at["outer"] + at["level"]
        error = share * (_logistic(logit) - event)
        back = (error[:, None] * at["outer"]) * (1 - hidden**2)
        size = LINEAR_PENALTY * (at["linear"] ** 2).sum()
        size += PENALTY * ((at["inner"] ** 2).sum() + (at["outer"] ** 2).sum())
        slopes = (
            z.T @ error + LINEAR_PENALTY * at["linear"],
            (z.T @ back + PENALTY * at["inner"]).ravel(),
            back.sum(axis=0),
            hidden.T @ error + PENALTY * at["outer"],
            [error.sum()],
        )
        return float(share @ _log_loss(logit, event) + size / 2), np.concatenate(slopes)

    least = {n: np.full(s, -np.inf) for n, s in shapes.items()}
    least["linear"][rising] = least["inner"][rising] = least["outer"][:] = 0.0
    low = np.concatenate([np.ravel(v) for v in least.values()])
    base = float(np.clip(share @ event, 1e-4, 1 - 1e-4))
    start = {
        "linear": np.zeros(d),
        "inner": rng.normal(0.0, d**-0.5, (d, UNITS)),
        "shift": rng.normal(0.0, 1.0, UNITS),
        "outer": np.full(UNITS, 0.1),
        "level": np.array(np.log(base / (1 - base))),
    }
    first = np.maximum(np.concatenate([np.ravel(v) for v in start.values()]), low)
    bounds = [(None if np.isinf(v) else v, None) for v in low]
    found = minimize(
        loss, first, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": ITERATIONS, "maxcor": 20}
    )
    return unpack(np.asarray(found.x))


def _log_loss(logit: Floats, event: Floats) -> Floats:
    return np.asarray(np.logaddexp(0.0, logit) - event * logit)


def _logistic(logit: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logit, -40.0, 40.0))))
