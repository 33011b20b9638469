"""What the caller of `aws_auto.ml.cost.recommend` knows and wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aws_auto.ml.cost.price_book import SHIPPED
from aws_auto.ml.cost.rightsizing import RISK
from aws_auto.ml.cost.running import Office

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aws_auto.ml.cost.commitments import Offer
    from aws_auto.ml.cost.price_book import Book

USD = "USD"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What the caller knows and wants.

    Attributes:
        office: working hours.
        offers: what could be committed to, at rates that the caller knows; without any no commitment is advised.
        risk: the probability of trouble that may be taken, for each machine.
        book: what prices are known; they are in USD.
        dollars: USD for one unit of another currency; prices say nothing of a bill in a currency that is not in it.
        rejected: ids of recommendations that are not made again; what they were about is left for the later kinds.
        changed: from when on a resource is what it is now; metrics from before do not tell of it.
    """

    office: Office = field(default_factory=Office)
    offers: tuple[Offer, ...] = ()
    risk: float = RISK
    book: Book = SHIPPED
    dollars: Mapping[str, float] = field(default_factory=dict)
    rejected: frozenset[str] = frozenset()
    changed: Mapping[str, datetime] = field(default_factory=dict)

    def in_dollars(self, currency: str) -> float | None:
        """USD for one unit of that currency; None where it is not known."""
        return 1.0 if currency == USD else self.dollars.get(currency)
