"""Stations as declared: identity, password, connectors and what corrects their quirks."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec

from ledger.facts.station_traits import POWER_DEFAULT_W, StationTraits
from ledger.master_data.policies import LocalList
from ledger.master_data.sites import Site


class DeclaredConnector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One plug, with the numbers the station uses (1.6: the EVSE's is the connector's)."""

    evse_id: int
    connector_id: int
    max_power_w: Decimal | None = None


class Station(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A charging station; its key is the identity it connects with.

    `password_hash` is salted scrypt (ledger.declared.passwords), None where it may not connect.
    `max_power_w` is one connector's. `local_list` goes before the site's. `price_messages`: its
    model shows prices that come as messages of a vendor, where its protocol has none of its own
    for them. The fields from `time_zone` on correct a model's quirks; see StationTraits for their
    meaning, and TokenHabits for that of the last two.
    """

    site: str
    password_hash: str | None = None
    connectors: tuple[DeclaredConnector, ...] = ()
    max_power_w: Decimal | None = None
    price_messages: bool = False
    local_list: LocalList | None = None
    commissioned_on: date | None = None
    time_zone: str | None = None
    clock_offset_s: int | None = None
    naive_is_utc: bool = False
    register_factor: Decimal | None = None
    token_ignored: str = ""
    token_suffix_from: str = ""


def traits_of(
    station: Station, site: Site | None, undeclared_power_w: Decimal = POWER_DEFAULT_W
) -> StationTraits:
    """Return what the fold needs to know of *station*, standing at *site*.

    *undeclared_power_w* bounds a plug of which no power is declared.
    """
    powers = [c.max_power_w for c in station.connectors if c.max_power_w is not None]
    known = StationTraits(
        time_zone=station.time_zone or (site.time_zone if site else "UTC"),
        max_power_w=station.max_power_w or max(powers, default=undeclared_power_w),
        connectors=tuple(sorted({c.evse_id for c in station.connectors})),
        clock_offset_s=station.clock_offset_s,
        naive_is_utc=station.naive_is_utc,
        register_factor=station.register_factor,
    )
    if station.commissioned_on is None:
        return known
    day = station.commissioned_on
    commissioned = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return msgspec.structs.replace(known, commissioned_on=commissioned)
