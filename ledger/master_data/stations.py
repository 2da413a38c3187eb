"""Stations as declared: identity, password, connectors and what corrects their quirks."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from ledger.facts.station_traits import POWER_DEFAULT_W, StationTraits
from ledger.master_data.policies import LocalList
from ledger.master_data.sites import Site

PLUG_STANDARDS: Final = frozenset(
    {
        "CHADEMO",
        "CHAOJI",
        "DOMESTIC_A",
        "DOMESTIC_B",
        "DOMESTIC_C",
        "DOMESTIC_D",
        "DOMESTIC_E",
        "DOMESTIC_F",
        "DOMESTIC_G",
        "DOMESTIC_H",
        "DOMESTIC_I",
        "DOMESTIC_J",
        "DOMESTIC_K",
        "DOMESTIC_L",
        "DOMESTIC_M",
        "DOMESTIC_N",
        "DOMESTIC_O",
        "GBT_AC",
        "GBT_DC",
        "IEC_60309_2_single_16",
        "IEC_60309_2_three_16",
        "IEC_60309_2_three_32",
        "IEC_60309_2_three_64",
        "IEC_62196_T1",
        "IEC_62196_T1_COMBO",
        "IEC_62196_T2",
        "IEC_62196_T2_COMBO",
        "IEC_62196_T3A",
        "IEC_62196_T3C",
        "MCS",
        "NEMA_5_20",
        "NEMA_6_30",
        "NEMA_6_50",
        "NEMA_10_30",
        "NEMA_10_50",
        "NEMA_14_30",
        "NEMA_14_50",
        "PANTOGRAPH_BOTTOM_UP",
        "PANTOGRAPH_TOP_DOWN",
        "SAE_J3400",
        "TESLA_R",
        "TESLA_S",
    }
)
"""Names of plugs and sockets. Source: OCPI 2.3.0, mod_locations, ConnectorType."""


class PlugFormat(StrEnum):
    """Whether the driver brings the cable. Source: OCPI, mod_locations, ConnectorFormat."""

    SOCKET = "SOCKET"
    CABLE = "CABLE"


class PowerType(StrEnum):
    """What current flows. Source: OCPI 2.2.1, mod_locations, PowerType."""

    AC_1_PHASE = "AC_1_PHASE"
    AC_2_PHASE = "AC_2_PHASE"
    AC_2_PHASE_SPLIT = "AC_2_PHASE_SPLIT"
    AC_3_PHASE = "AC_3_PHASE"
    DC = "DC"


class Plug(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a driver plugs in, as roaming partners are told of it.

    `standard` is one of PLUG_STANDARDS; `voltage_v` is the highest, between a line and neutral
    where it has three phases, `amperage_a` the highest of a line.
    """

    standard: str
    format: PlugFormat
    power_type: PowerType
    voltage_v: int
    amperage_a: int


class DeclaredConnector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One plug, with the numbers the station uses (1.6: the EVSE's is the connector's).

    `plug` says what it is; none said: it is as the station's are.
    """

    evse_id: int
    connector_id: int
    max_power_w: Decimal | None = None
    plug: Plug | None = None


class Station(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A charging station; its key is the identity it connects with.

    `password_hash` is salted scrypt (ledger.declared.passwords), None where it may not connect.
    `max_power_w` is one connector's, and `plug` what one is that says nothing of its own: a
    connector of which neither is known is told to no roaming partner. `local_list` goes before the
    site's. `price_messages`: its model shows prices that come as messages of a vendor, where its
    protocol has none of its own for them. The fields from `time_zone` on correct a model's quirks,
    for the sessions that begin while they hold; see StationTraits for their meaning, and
    TokenHabits for that of the last two.
    """

    site: str
    password_hash: str | None = None
    connectors: tuple[DeclaredConnector, ...] = ()
    max_power_w: Decimal | None = None
    plug: Plug | None = None
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
