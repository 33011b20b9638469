"""The simulated account as a source: everything to see and nothing to log in to. See `aws_auto.ml.simulate.account`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from aws_auto.pipeline.ports import Batch, Estimate, Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_auto.pipeline.ports import Clock

_AT_ONCE = timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class SampleSource:
    """A source whose figures are made up and whose incidents are known. Gives nothing of the future.

    Attributes:
        clock: what "now" is; a window is cut there, as with a real account.
        seed: which of the simulated accounts.
    """

    clock: Clock
    seed: int = 7
    name: ClassVar[str] = "sample"
    simulated: ClassVar[bool] = True

    @property
    def scope(self) -> str:
        """``sample:<seed>``."""
        return f"sample:{self.seed}"

    def estimate(self, window: Window) -> Estimate:
        """Nothing is called and nothing is paid."""
        days = max(self._past(window).length / timedelta(days=1), 0.0)
        return Estimate(calls=0, price_usd=0.0, lines=(f"simulated account, seed {self.seed}, {days:.1f} days: free",))

    def pull(self, window: Window) -> Iterator[Batch]:
        """``metrics``, ``resources``, ``billing`` and ``truth``, a fortnight at a time.

        Bills and truth replace what the lake has for the same span; the others merge by resource and time. Only the
        last batch of a span is final, so that a span counts as delivered when all of it is stored.
        """
        from aws_auto.ml.simulate.account import simulate

        whole = self._past(window)
        start = whole.start
        while start < whole.end:
            part = Window(start, min(start + _AT_ONCE, whole.end))
            account = simulate(part.start, part.end, seed=self.seed)
            yield Batch(dataset="metrics", rows=account.metrics, window=part, final=False)
            yield Batch(dataset="resources", rows=account.resources, window=part, final=False)
            yield Batch(dataset="billing", rows=account.billing, window=part, keys=(), final=False)
            yield Batch(dataset="truth", rows=account.truth, window=part, keys=())
            start = part.end

    def _past(self, window: Window) -> Window:
        return Window(window.start, min(window.end, self.clock.now()))
