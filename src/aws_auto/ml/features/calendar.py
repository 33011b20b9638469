"""What the local clock and calendar say at each point: hour, weekday, month, holiday, and their cyclical encodings."""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING

import polars as pl

from aws_auto.errors import UsageError
from aws_auto.frame import TIMESTAMP, zone
from aws_auto.ml.features.feature import Feature

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

#: Points per turn of each cyclical feature.
PERIODS = {"hour_of_day": 24, "day_of_week": 7, "month": 12}


def features(*, tz: str, holidays: Sequence[date]) -> list[Feature]:
    """Calendar features in the time zone ``tz``; days begin at local midnight, weeks on Monday (0).

    Raises:
        UsageError: ``tz`` is no known time zone.
    """
    local = pl.col(TIMESTAMP).dt.convert_time_zone(zone(tz).key).dt.replace_time_zone(None)
    day, hour, weekday = local.dt.date(), local.dt.hour(), local.dt.weekday() - 1
    columns = {
        "hour_of_day": hour,
        "day_of_week": weekday,
        "month": local.dt.month(),
        "quarter": local.dt.quarter(),
        "is_weekend": weekday >= 5,
        "is_business_hour": (hour >= 9) & (hour <= 17) & (weekday < 5),
        "days_since_epoch": day.to_physical(),
        "week_of_year": local.dt.week(),
        "month_of_year": local.dt.month(),
        "is_holiday": day.is_in(list(holidays)) if holidays else pl.lit(value=False),
    }
    found = [Feature(name, (TIMESTAMP,), expr.cast(pl.Int32)) for name, expr in columns.items()]
    for name, period in PERIODS.items():
        angle = pl.col(name) * (2 * math.pi / period)
        found.append(Feature(f"{name}_sin", (TIMESTAMP,), angle.sin(), derived=True))
        found.append(Feature(f"{name}_cos", (TIMESTAMP,), angle.cos(), derived=True))
    return found


def public_holidays(country: str, *, subdivision: str | None, years: Sequence[int]) -> list[date]:
    """The public holidays of a country, observed days included.

    Args:
        country: ISO 3166 code, such as ``US`` or ``DE``.
        subdivision: state or region of that country, such as ``BY`` or ``Bayern``; None for nation-wide days only.
        years: the years wanted.

    Raises:
        UsageError: unknown country or subdivision; near names are listed.
    """
    import holidays

    code = country.strip().upper()
    if code not in holidays.list_supported_countries(include_aliases=True):
        raise UsageError(f"no holidays are known for the country {country!r}", hint=_near_country(country))
    if subdivision is not None:
        general = holidays.country_holidays(code)
        parts = [*general.subdivisions, *general.subdivisions_aliases]
        if subdivision not in parts:
            raise UsageError(
                f"no holidays are known for {subdivision!r} as a part of {code}", hint=_near(subdivision, parts)
            )
    return sorted(holidays.country_holidays(code, subdiv=subdivision, years=years))


def _near_country(country: str) -> str:
    from holidays.registry import COUNTRIES

    word = country.strip().casefold().replace(" ", "_")
    codes = {name: entry[1] for name, entry in COUNTRIES.items()}
    near = [f"{codes[name]} ({name.replace('_', ' ')})" for name in difflib.get_close_matches(word, codes, n=3)]
    near += difflib.get_close_matches(word.upper(), codes.values(), n=4)
    return f"use a two-letter code: did you mean {', '.join(near)}?" if near else "use a two-letter code, such as US"


def _near(word: str, known: Sequence[str]) -> str:
    if not known:
        return "no parts of that country are known: leave the subdivision out"
    near = difflib.get_close_matches(word, known, n=4, cutoff=0.5)
    return f"did you mean {', '.join(near)}?" if near else f"use one of {', '.join(known)}"
