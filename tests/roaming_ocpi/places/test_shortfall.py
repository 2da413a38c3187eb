"""What a partner does not get of our places and prices is told, with the reason."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from ledger.database import connect
from ledger.declared.declarations import Declarations, Kind
from ledger.master_data.addresses import Address
from ledger.master_data.tariff_versions import published
from roaming_ocpi.places.ours.shortfall import shortfall
from tariffs.model.tariff import PriceLimit
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.places.declared_places import (
    PLUG,
    SITE,
    STATION,
    change,
    declared_in,
    harbour,
    tariff,
)
from tests.roaming_ocpi.places.places_served import NOW


def told(
    database: str, declared: Declarations, version: OcpiVersion, party: str = "NL-TNM"
) -> list[tuple[str, str | None]]:
    with connect(database) as connection:
        notes = shortfall(connection, declared, party, version, NOW)
        return [(note.code, note.spot) for note in notes]


def test_what_everybody_gets_is_told_to_nobody(database: str) -> None:
    known = harbour(database)

    assert [told(database, known, version) for version in (*OcpiVersion,)[1:]] == [[], []]
    # 2.1.1 has no power of a connector, and no VAT.
    assert {code for code, _ in told(database, known, OcpiVersion.V2_1_1)} == {"not_said"}
    assert told(database, known, OcpiVersion.V2_1_1, "XX-NON") == []


def test_each_reason_has_its_code_and_its_spot(database: str) -> None:
    harbour(database)
    limited = tariff("DAY", min_price=PriceLimit(before_taxes=Decimal(1)))
    odd = replace(STATION, site="harbour", plug=replace(PLUG, standard="MCS"))
    known = declared_in(
        database,
        change(Kind.SITE, "nowhere", replace(SITE, address=Address())),
        change(Kind.STATION, "HB-2", replace(STATION, plug=None)),
        change(Kind.STATION, "HB-3", odd),
        change(Kind.TARIFF, "DAY", published(limited)),
    )
    with connect(database) as connection:
        connection.execute(
            "INSERT INTO place_told (partner, kind, key, sha256, told_at, trouble)"
            " VALUES ('NL-TNM', 'tariff', 'DAY', '\\x00', %s, 'HTTP 400, status 2001')",
            (NOW,),
        )

    newest = told(database, known, OcpiVersion.V2_3_0)
    middle = told(database, known, OcpiVersion.V2_2_1)
    oldest = told(database, known, OcpiVersion.V2_1_1)

    assert newest == [
        ("plug_unknown", "stations.HB-2"),
        ("plug_unknown", "stations.HB-2"),
        ("site_incomplete", "sites.nowhere"),
        ("refused", "tariffs.DAY"),
    ]
    assert ("element_left_out", "locations.harbour.evses[2]") in [
        (code, (spot or "").removesuffix(".connectors")) for code, spot in middle
    ]
    assert ("not_said", "tariffs.DAY.min_price") in oldest
    assert ("not_said", "tariffs.DAY.elements[0].price_components[0].vat") in oldest
