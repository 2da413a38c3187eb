"""On what terms a station says that it charges: its tariff, its limits, the cost that it reckons.

All of it is the station's word. It prices nothing here: our price is held against it
(`ledger.rating.reconciling`).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from ledger.facts.flags import Flag


class StationAmount(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An amount before and after taxes, in major units; None: not said."""

    excl_tax: Decimal | None = None
    incl_tax: Decimal | None = None


class StationCost(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a station reckons that a session costs, and by which usage.

    `currency` is ISO 4217's letters, None where it said something else. `total` is the whole,
    `parts` what it consists of, by the station's names. Energy in kWh, times in seconds. `failure`
    says why it could not reckon it ("": it did not say why); None: it could.
    """

    currency: str | None
    total: StationAmount
    parts: tuple[tuple[str, StationAmount], ...] = ()
    energy_kwh: Decimal | None = None
    charging_s: int | None = None
    idle_s: int | None = None
    reservation_s: int | None = None
    failure: str | None = None


class ChargingLimit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far a session may go: cost in the tariff's currency, energy in Wh, time in seconds."""

    cost: Decimal | None = None
    energy_wh: Decimal | None = None
    time_s: int | None = None
    soc_percent: int | None = None


class StationTerms(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one frame says of its terms; None or False: nothing.

    `tariff_id` is the name under which a tariff was sent to the station. `has_reached_limit`: the
    frame came because of that.
    """

    tariff_id: str | None = None
    limit: ChargingLimit | None = None
    has_reached_limit: bool = False
    cost: StationCost | None = None


def joined_terms(
    told: Iterable[tuple[tuple[object, ...], StationTerms | None]], end: StationTerms | None
) -> StationTerms | None:
    """Return the terms of a session: of each the last one told, but the cost of its stop alone.

    What a session costs while it goes on is not what it costs. *told* are terms, each with when it
    was told; equal times are put in order by what they say, whichever came first.
    """
    some = [(when, msgspec.json.encode(terms), terms) for when, terms in told if terms is not None]
    if not some:
        return None
    in_order = [terms for *_, terms in sorted(some, key=lambda each: each[:2])]
    tariffs = [terms.tariff_id for terms in in_order if terms.tariff_id is not None]
    limits = [terms.limit for terms in in_order if terms.limit is not None]
    return StationTerms(
        tariff_id=tariffs[-1] if tariffs else None,
        limit=limits[-1] if limits else None,
        has_reached_limit=any(terms.has_reached_limit for terms in in_order),
        cost=end.cost if end else None,
    )


def flags_of_terms(terms: StationTerms | None) -> set[str]:
    """Return what is to be noted of a session's *terms*."""
    flags: set[str] = set()
    if terms is not None and terms.has_reached_limit:
        flags.add(Flag.LIMIT_REACHED)
    if terms is not None and terms.cost is not None and terms.cost.failure is not None:
        flags.add(Flag.STATION_COST_FAILED)
    return flags
