"""A seller with sites, stations, tariffs and partners, declared in a real database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Declarations, Entity, Kind
from ledger.declared.store import declare, load_declarations
from ledger.master_data.addresses import Address
from ledger.master_data.assignments import Assignment
from ledger.master_data.hours import WeeklyHours
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner, PartnerRole
from ledger.master_data.sites import Site
from ledger.master_data.stations import DeclaredConnector, Plug, PlugFormat, PowerType, Station
from ledger.master_data.tariff_versions import published
from tariffs.model.tariff import Dimension, PriceComponent, Tariff, TariffElement, Weekday
from tests.roaming_ocpi.places.places_served import NOW

DECLARED_AT = NOW - timedelta(days=9)
PROCESS = 4711
SELLER = LegalEntity(
    name="Harbour Charging GmbH",
    country="DE",
    time_zone="Europe/Berlin",
    invoice_prefix="H",
    party="DE-HBC",
)
SITE = Site(
    name="Harbour",
    time_zone="Europe/Berlin",
    country="DE",
    legal_entity="hbc",
    currency="EUR",
    address=Address(street="Am Kai 7", postal_code="20457", city="Hamburg"),
    latitude=Decimal("53.5"),
    longitude=Decimal("-9.98765432198"),
    opening=(WeeklyHours(start=time(8), end=time(20), days=(Weekday.MONDAY,)),),
)
PLUG = Plug(
    standard="IEC_62196_T2",
    format=PlugFormat.SOCKET,
    power_type=PowerType.AC_3_PHASE,
    voltage_v=230,
    amperage_a=32,
)
STATION = Station(
    site="harbour",
    plug=PLUG,
    max_power_w=Decimal(22_080),
    connectors=tuple(DeclaredConnector(evse_id=n, connector_id=1) for n in (1, 2)),
)
EMSP = Partner(name="TNM", legal_entity="hbc", roles=(PartnerRole.EMSP,))


def tariff(key: str, price: str = "0.40", **changes: Any) -> Tariff:  # noqa: ANN401 - any field
    component = PriceComponent(
        dimension=Dimension.ENERGY, price=Decimal(price), vat=Decimal(19), step_size=1
    )
    return Tariff(
        id=key, currency="EUR", elements=(TariffElement(price_components=(component,)),), **changes
    )


def assigned(key: str, *, partner: str | None = None, site: str | None = None) -> Change:
    assignment = Assignment(tariff=key, partner=partner, site=site)
    return Change(kind=Kind.ASSIGNMENT, key=assignment.key(), entity=assignment)


def change(kind: Kind, key: str, entity: Entity | None, at: datetime | None = None) -> Change:
    return Change(kind=kind, key=key, entity=entity, valid_from=at)


def declared_in(database: str, *changes: Change, at: datetime = DECLARED_AT) -> Declarations:
    """Declare *changes* at the moment *at*, and return everything that is declared."""
    with connect(database) as connection:
        declare(connection, list(changes), by="test", at=at)
        return load_declarations(connection)


def harbour(database: str) -> Declarations:
    """Declare one site with one station of two EVSEs, its tariff, and two partners."""
    return declared_in(
        database,
        change(Kind.LEGAL_ENTITY, "hbc", SELLER),
        change(Kind.SITE, "harbour", SITE),
        change(Kind.STATION, "HB-1", STATION),
        change(Kind.TARIFF, "DAY", published(tariff("DAY"))),
        change(Kind.TARIFF, "ROAM", published(tariff("ROAM", "0.60"))),
        assigned("DAY", site="harbour"),
        change(Kind.PARTNER, "NL-TNM", EMSP),
        change(Kind.PARTNER, "BE-ABC", EMSP),
    )


@contextmanager
def connected(database: str, *stations: str, at: datetime = DECLARED_AT) -> Iterator[None]:
    """Have *stations* connected, as the process of an edge says it, while it lives."""
    with connect(database) as connection:
        connection.execute("SELECT pg_advisory_lock(20226, %s)", (PROCESS,))
        for station in stations:
            connection.execute(
                "INSERT INTO connection_epoch (station_id, epoch, protocol, process, opened_at)"
                " VALUES (%s, 1, 'x', %s, %s)",
                (station, PROCESS, at),
            )
        yield


def say(database: str, station: str, evse: int, status: str, at: datetime) -> None:
    """Have *station* say what an EVSE's connector is doing (EVSE 0: all of it)."""
    with connect(database) as connection:
        connection.execute(
            "INSERT INTO connector_state (station_id, evse_id, connector_id, status, received_at)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (station_id, evse_id, connector_id)"
            " DO UPDATE SET status = excluded.status, received_at = excluded.received_at",
            (station, evse, 1 if evse else 0, status, at),
        )
