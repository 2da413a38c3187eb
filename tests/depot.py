"""A small operator for tests: master data, tariffs, and sessions as the fold would give them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.books.decisions_store import store_decisions
from ledger.books.periods import ClosedMonths
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Declaration, Declarations, Entity, Kind
from ledger.master_data.addresses import Address
from ledger.master_data.assignments import Assignment
from ledger.master_data.customers import Customer, Invoicing
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.sites import Site
from ledger.master_data.stations import Station
from ledger.master_data.tariff_versions import published
from ledger.master_data.tokens import Token, TokenKind
from ledger.rating.decide import decide
from ledger.rating.decisions import Decision, Moment, SessionRated
from ledger.sessions.session import ChargingSession, SessionPoint, SessionSpan
from tariffs.model.tariff import Dimension, PriceComponent, Restrictions, Tariff, TariffElement
from tariffs.model.usage import Activity

NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
VAT = Decimal(19)
_LOCK: LiteralString = """
INSERT INTO worker_position AS reached (partition, next_position, declared_version)
VALUES (%s, 0, 0) ON CONFLICT (partition) DO UPDATE SET partition = excluded.partition
RETURNING reached.next_number
"""


def component(dimension: Dimension, price: str, vat: Decimal | None = VAT) -> PriceComponent:
    """Return a price before VAT, without steps."""
    return PriceComponent(dimension=dimension, price=Decimal(price), vat=vat, step_size=0)


def tariff(tariff_id: str, *components: PriceComponent, **restrictions: object) -> Tariff:
    """Return a tariff in euros with one element."""
    element = TariffElement(
        price_components=components,
        restrictions=msgspec.convert(restrictions, Restrictions),
    )
    return Tariff(id=tariff_id, currency="EUR", elements=(element,))


ENERGY_ONLY = tariff("energy", component(Dimension.ENERGY, "0.40"))
TIMED = tariff(
    "timed", component(Dimension.ENERGY, "0.40"), component(Dimension.PARKING_TIME, "6.00")
)
FREE = tariff("free", component(Dimension.ENERGY, "0"))

THINGS: dict[tuple[Kind, str], Entity] = {
    (Kind.LEGAL_ENTITY, "depot"): LegalEntity(
        name="Depot GmbH",
        country="DE",
        time_zone="Europe/Berlin",
        invoice_prefix="WL",
        vat_id="DE136695976",
        address=Address(street="Hafen 1", postal_code="20457", city="Hamburg", country="DE"),
    ),
    (Kind.SITE, "harbour"): Site(
        time_zone="Europe/Berlin", country="DE", legal_entity="depot", currency="EUR"
    ),
    (Kind.STATION, "ST-1"): Station(site="harbour"),
    (Kind.CUSTOMER, "anna"): Customer(details="Anna Arndt"),
    (Kind.CUSTOMER, "fleet"): Customer(details="Fleet AG", invoicing=Invoicing.PER_MONTH),
    (Kind.TOKEN, "anna-1"): Token(customer="anna"),
    (Kind.TOKEN, "fleet-1"): Token(customer="fleet"),
    (Kind.TOKEN, "nobody-1"): Token(),
    (Kind.TOKEN, "guest-1"): Token(kind=TokenKind.ROAMING, partner="NL-TNM"),
    (Kind.TARIFF, "energy"): published(ENERGY_ONLY),
    (Kind.ASSIGNMENT, "site=harbour"): Assignment(tariff="energy", site="harbour"),
}


def changes() -> list[Change]:
    """Return the whole operator as changes that hold from the beginning."""
    return [
        Change(kind=kind, key=key, entity=entity, valid_from=BEGINNING)
        for (kind, key), entity in THINGS.items()
    ]


def declared(*more: tuple[Kind, str, Entity | None, datetime]) -> Declarations:
    """Return the operator, and then *more* (kind, key, entity, valid_from), as one snapshot."""
    rows = [(kind, key, entity, BEGINNING) for (kind, key), entity in THINGS.items()]
    return Declarations(
        Declaration(version, kind, key, valid_from, entity)
        for version, (kind, key, entity, valid_from) in enumerate([*rows, *more], 1)
    )


def session(
    number: int = 1,
    *,
    token_uid: str | None = "anna-1",
    started_at: datetime = NOON,
    energy_wh: str = "10000",
    minutes: int = 60,
    parked_minutes: int = 0,
    blockers: Sequence[str] = (),
    station_id: str = "ST-1",
) -> ChargingSession:
    """Return an ended session that draws *energy_wh* evenly and then stands *parked_minutes*."""
    full_at = started_at + timedelta(minutes=minutes)
    ended_at = full_at + timedelta(minutes=parked_minutes)
    energy = Decimal(energy_wh)
    spans = [SessionSpan(started_at, Activity.CHARGING)]
    points = [
        SessionPoint(started_at, Decimal(0), number, 0),
        SessionPoint(full_at, energy, number, 1),
    ]
    if parked_minutes:
        spans.append(SessionSpan(full_at, Activity.PARKING))
        points.append(SessionPoint(ended_at, energy, number, 2))
    return ChargingSession(
        session_id=f"{station_id}/{number}/{started_at:%Y%m%dT%H%M%SZ}",
        station_id=station_id,
        transaction_ref=str(number),
        evse_id=1,
        connector_id=1,
        token_uid=token_uid,
        started_at=started_at,
        ended_at=ended_at,
        energy_wh=energy,
        meter_start_wh=Decimal(1000),
        meter_stop_wh=1000 + energy,
        points=tuple(points),
        spans=tuple(spans),
        flags=tuple(blockers),
        blockers=tuple(blockers),
        frames=((number, 0), (number, 1)),
        first_received_at=started_at,
        last_received_at=ended_at,
    )


def moment_of(charging: ChargingSession, *, hours: int = 0) -> Moment:
    """Return the record in which the last fact of a session came, or one some hours later."""
    return Moment(
        partition=0,
        position=int(charging.transaction_ref),
        at=charging.last_received_at + timedelta(hours=hours),
    )


def keep_decisions(connection: Connection[Any], decisions: Sequence[Decision]) -> None:
    """Store decisions of one partition as the worker does: numbered under the position's lock."""
    with connection.transaction():
        [(number,)] = connection.execute(_LOCK, (decisions[0].moment.partition,)).fetchall()
        store_decisions(connection, decisions, first_number=number, closed=ClosedMonths())
        reached = (number + len(decisions), decisions[0].moment.partition)
        connection.execute(
            "UPDATE worker_position SET next_number = %s WHERE partition = %s", reached
        )


def rated(charging: ChargingSession, declarations: Declarations | None = None) -> SessionRated:
    """Return the rating of a complete session."""
    decision = decide(charging, declarations or declared(), moment=moment_of(charging))
    assert isinstance(decision, SessionRated), decision
    return decision
