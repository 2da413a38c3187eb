"""Public holidays of a country or region, looked up once and frozen into the tariff's version.

The library that knows them changes its mind with every release; a published version does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec


class HolidayCalendar(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The public holidays of `country` (ISO 3166) and `region` in `years`, sorted."""

    country: str
    years: tuple[int, ...]
    days: tuple[date, ...]
    region: str | None = None


def look_up_holidays(country: str, region: str | None, years: Sequence[int]) -> HolidayCalendar:
    """Return the holidays that the library has today.

    Raises:
        ValueError: With a sentence, if it does not know the country or the region.
    """
    import holidays as holidays_library  # noqa: PLC0415 - large, and few tariffs need it

    known = holidays_library.list_supported_countries()
    if country not in known:
        message = f"no holidays are known of {country!r}; write the country as DE, FR, US"
        raise ValueError(message)
    if region is not None and region not in known[country]:
        message = (
            f"{country} has no region {region!r}; it has {', '.join(known[country]) or 'none'}"
        )
        raise ValueError(message)
    days = holidays_library.country_holidays(country, subdiv=region, years=list(years))
    return HolidayCalendar(
        country=country, region=region, years=tuple(sorted(years)), days=tuple(sorted(days))
    )
