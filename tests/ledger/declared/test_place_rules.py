"""What a site and a plug must fulfil to be declared, and how people write them."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ledger.declared.declarations import Declarations, Kind
from ledger.declared.place_rules import plug_problems, site_problems
from ledger.desk.master_data_files import read_master_data
from ledger.master_data.addresses import Address
from ledger.master_data.hours import WeeklyHours
from ledger.master_data.sites import Site
from ledger.master_data.stations import DeclaredConnector, Plug, PlugFormat, PowerType, Station

SITE = Site(time_zone="Europe/Berlin", country="DE", legal_entity="depot", currency="EUR")
PLUG = Plug(
    standard="IEC_62196_T2_COMBO",
    format=PlugFormat.CABLE,
    power_type=PowerType.DC,
    voltage_v=920,
    amperage_a=500,
)
FILE = """
sites:
  quay:
    time_zone: Europe/Berlin
    country: DE
    legal_entity: depot
    currency: EUR
    address: {street: Am Kai 7, postal_code: "20457", city: Hamburg}
    latitude: 53.54321
    longitude: -9.98765
    opening:
    - {start: "08:00:00", end: "20:00:00", days: [MONDAY, TUESDAY]}
stations:
  Q-1:
    site: quay
    plug: {standard: IEC_62196_T2, format: SOCKET, power_type: AC_3_PHASE, voltage_v: 230,
           amperage_a: 32}
    connectors: 2
"""


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"latitude": Decimal(90), "longitude": Decimal(-180)}, None),
        ({"latitude": Decimal(1)}, "go together"),
        ({"latitude": Decimal("90.1"), "longitude": Decimal(0)}, "latitude must be"),
        ({"latitude": Decimal(0), "longitude": Decimal("NaN")}, "longitude must be"),
        ({"address": Address(country="FR")}, "address.country is 'FR'"),
        ({"address": Address(postal_code="12345678901")}, "address.postal_code has at most 10"),
        ({"opening": (WeeklyHours(start=time(8, 0, 1)),)}, "whole minutes"),
    ],
)
def test_where_a_site_is(changes: dict[str, Any], problem: str | None) -> None:
    found = list(site_problems(replace(SITE, **changes)))

    assert len(found) == (problem is not None)
    assert problem is None or problem in found[0]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"standard": "IEC_62196_T2_COMBOO"}, "did you mean IEC_62196_T2_COMBO?"),
        ({"standard": "?"}, "as OCPI names it"),
        ({"voltage_v": 0}, "voltage_v must be"),
        ({"amperage_a": 6_001}, "amperage_a must be"),
    ],
)
@pytest.mark.parametrize("on_connector", [True, False])
def test_what_a_plug_is(
    changes: dict[str, Any], problem: str | None, *, on_connector: bool
) -> None:
    plug = replace(PLUG, **changes)
    connector = DeclaredConnector(evse_id=1, connector_id=1, plug=plug if on_connector else None)
    station = Station(site="quay", plug=None if on_connector else plug, connectors=(connector,))

    found = list(plug_problems(station))

    assert len(found) == (problem is not None)
    assert problem is None or problem in found[0]


def test_they_are_written_as_people_write_them() -> None:
    data = read_master_data([(FILE, "quay.yaml")], Declarations())

    assert data.problems == []
    declared = {change.kind: change.entity for change in data.changes}
    site, station = declared[Kind.SITE], declared[Kind.STATION]
    assert isinstance(site, Site)
    assert (site.latitude, site.opening[0].end) == (Decimal("53.54321"), time(20))
    assert isinstance(station, Station)
    assert station.plug is not None
    assert (station.plug.power_type, len(station.connectors)) == (PowerType.AC_3_PHASE, 2)
