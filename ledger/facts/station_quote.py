"""What a station quotes for a session: its tariff, its limits, the cost that it reckons.

All of it is the station's word. It prices nothing here: our price is held against it
(`ledger.rating.reconciling`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

import msgspec

from ledger.facts.flags import Flag


class StationAmount(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An amount before and after taxes, in major units; None: not said."""

    excl_tax: Decimal | None = None
    incl_tax: Decimal | None = None


class StationPeriod(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a station counts from a moment until its next period, or the end: energy, idle time.

    Of `energy` the standard names no unit. `starts_at` is the device's time.
    """

    starts_at: datetime
    energy: Decimal | None = None
    idle_s: int | None = None


class StationCost(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a station reckons that a session costs, and by which usage.

    `currency` is ISO 4217's letters, None where it said something else. `total` is the whole,
    `parts` what it consists of, by the station's names. Times in seconds; of `energy` the schema
    names no unit, so nothing is made of it. `periods` are those that it reckons by. `failure` says
    why it could not reckon it ("": it did not say why); None: it could.
    """

    currency: str | None
    total: StationAmount
    parts: tuple[tuple[str, StationAmount], ...] = ()
    energy: Decimal | None = None
    charging_s: int | None = None
    idle_s: int | None = None
    reservation_s: int | None = None
    failure: str | None = None
    periods: tuple[StationPeriod, ...] = ()


class ChargingLimit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a session may go: cost in the tariff's currency, energy in Wh, time in seconds."""

    cost: Decimal | None = None
    energy_wh: Decimal | None = None
    time_s: int | None = None
    soc_percent: int | None = None


class StationQuote(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one frame quotes; None or False: nothing.

    `tariff_id` is the name under which a tariff was sent to the station. `has_reached_limit` and
    `has_refused_tariff`: the frame came because of that.
    """

    tariff_id: str | None = None
    limit: ChargingLimit | None = None
    has_reached_limit: bool = False
    cost: StationCost | None = None
    has_refused_tariff: bool = False


def joined_quote(
    told: Iterable[tuple[tuple[object, ...], StationQuote | None]], end: StationQuote | None
) -> StationQuote | None:
    """Return the quote for a session: of each part the last one told, of its stop alone the cost.

    What a session costs while it goes on is not what it costs. *told* are quotes, each with when it
    was told; equal times are put in order by what they say, whichever came first.
    """
    some = [(when, msgspec.json.encode(quote), quote) for when, quote in told if quote is not None]
    if not some:
        return None
    in_order = [quote for *_, quote in sorted(some, key=lambda each: each[:2])]
    tariffs = [quote.tariff_id for quote in in_order if quote.tariff_id is not None]
    limits = [quote.limit for quote in in_order if quote.limit is not None]
    return StationQuote(
        tariff_id=tariffs[-1] if tariffs else None,
        limit=limits[-1] if limits else None,
        has_reached_limit=any(quote.has_reached_limit for quote in in_order),
        cost=end.cost if end else None,
        has_refused_tariff=any(quote.has_refused_tariff for quote in in_order),
    )


def flags_of_quote(quote: StationQuote | None) -> set[str]:
    """Return what is to be noted of a session's *quote*."""
    flags: set[str] = set()
    if quote is not None and quote.has_reached_limit:
        flags.add(Flag.LIMIT_REACHED)
    if quote is not None and quote.has_refused_tariff:
        flags.add(Flag.TARIFF_NOT_TAKEN)
    if quote is not None and quote.cost is not None and quote.cost.failure is not None:
        flags.add(Flag.STATION_COST_FAILED)
    return flags
