"""The time axis of a simulation: five-minute slots with the calendar of the people who make the load."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from aws_auto.ml.simulate.noise import Floats

STEP = 300
SLOTS_PER_HOUR = 3600 // STEP
SLOTS_PER_DAY = 24 * SLOTS_PER_HOUR
USERS_LIVE_IN = "America/New_York"
HOLIDAYS_OF = "US"
_GROWTH_FROM = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Timeline:
    """Slots ``first .. first + count - 1``; slot *i* starts at ``300 * i`` seconds after 1970 UTC.

    Attributes:
        slot: slot numbers.
        hour: local hour with its fraction, 0 to 24.
        weekday: local weekday, Monday is 0.
        day: days since 1970, UTC.
        free: True on a local Saturday, Sunday or public holiday.
        holiday: True on a local public holiday.
        years: years since the start of 2026, negative before it; what growth is measured from.
    """

    slot: NDArray[np.int64]
    hour: Floats
    weekday: NDArray[np.int64]
    day: NDArray[np.int64]
    free: NDArray[np.bool_]
    holiday: NDArray[np.bool_]
    years: Floats

    @property
    def first(self) -> int:
        """Number of the first slot."""
        return int(self.slot[0]) if len(self.slot) else 0

    def __len__(self) -> int:
        return len(self.slot)

    @classmethod
    def of(cls, first: int, count: int) -> Timeline:
        """The slots from ``first`` on, with their local calendar."""
        slot = np.arange(first, first + count, dtype=np.int64)
        local = times(slot).dt.convert_time_zone(USERS_LIVE_IN)
        date = local.dt.date()
        weekday = local.dt.weekday().to_numpy().astype(np.int64) - 1
        holiday = date.is_in(_holidays(date)).to_numpy()
        return cls(
            slot=slot,
            hour=local.dt.hour().to_numpy() + local.dt.minute().to_numpy() / 60.0,
            weekday=weekday,
            day=slot // SLOTS_PER_DAY,
            free=(weekday >= 5) | holiday,
            holiday=holiday,
            years=np.asarray((slot * STEP - _GROWTH_FROM.timestamp()) / (365.25 * 86400), dtype=np.float64),
        )


def times(slot: NDArray[np.int64]) -> pl.Series:
    """The start of each slot, UTC in microseconds."""
    return pl.Series("timestamp", slot * (STEP * 1_000_000)).cast(pl.Datetime("us", "UTC"))


def slot_of(moment: datetime) -> int:
    """The first slot that starts at or after that moment."""
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return -(-micros // (STEP * 1_000_000))


def _holidays(date: pl.Series) -> list[object]:
    import holidays

    years = date.dt.year().unique().to_list()
    return sorted(holidays.country_holidays(HOLIDAYS_OF, years=years)) if years else []
