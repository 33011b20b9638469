"""How fast AWS is called, and how long to wait before a failed call is made again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np

    from aws_auto.pipeline.ports import Clock


@dataclass
class TokenBucket:
    """Lets amounts through so that no span of ``t`` seconds sees more than ``burst + rate * t``.

    An amount larger than ``burst`` waits for a full bucket and leaves it in debt, so the mean rate still holds.
    """

    clock: Clock
    rate: float
    burst: float
    _tokens: float = field(init=False)
    _at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self._tokens = self.burst
        self._at = self.clock.now()

    @classmethod
    def under(cls, clock: Clock, *, limit: float, burst: float) -> TokenBucket:
        """The fastest bucket of that burst that keeps every single second at or under ``limit``."""
        return cls(clock, rate=limit - burst, burst=burst)

    def take(self, amount: float = 1.0) -> None:
        """Wait until ``amount`` may pass."""
        need = min(amount, self.burst)
        self._refill()
        while self._tokens < need - 1e-9:
            # A clock may be too coarse to see a shorter wait, which would then never end.
            self.clock.sleep(max(0.001, (need - self._tokens) / self.rate))
            self._refill()
        self._tokens -= amount

    def _refill(self) -> None:
        now = self.clock.now()
        elapsed = max(0.0, (now - self._at).total_seconds())
        self._at = now
        self._tokens = min(self.burst, self._tokens + elapsed * self.rate)


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Full jitter: wait a uniform time between nothing and ``min(cap, base * 2**attempt)`` seconds.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: of the variants compared there,
    full jitter needs the fewest calls. ``unreachable`` bounds attempts at a host that does not answer at all.
    """

    attempts: int = 8
    unreachable: int = 3
    base: float = 0.5
    cap: float = 20.0

    def delay(self, attempt: int, rng: np.random.Generator) -> float:
        """Seconds to wait after failed attempt number ``attempt``, counted from 0."""
        return float(rng.uniform(0.0, min(self.cap, self.base * 2.0**attempt)))
