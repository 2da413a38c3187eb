"""A partner's CDRs of our drivers, charged on: declared terms, and what the books then say."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from deploy.running.replay import replay_and_compare
from deploy.running.turns import work_off
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.log.envelope import Declared, encode_line
from ledger.log.event_log import NewRecord
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.partners import Partner, PartnerRole
from ledger.master_data.tariff_versions import published
from ledger.rating.decisions import Decision, SessionRated
from ledger.rating.stored import unpack_decision
from roaming_ocpi.incoming.charging import ChargeLines
from roaming_ocpi.incoming.choices import decide_cdr
from roaming_ocpi.incoming.reading import PartnerReader
from roaming_ocpi.incoming.told import ChosenCdr
from tariffs.model.tariff import Dimension, PriceComponent, Tariff, TariffElement
from tests.roaming_ocpi.incoming.partner_stories import CAME, NOON, PARTITIONS, PARTY

LATER: Final = CAME + timedelta(minutes=5)
SESSION_OF_C1: Final = f"partner/{PARTY}/c1"
TNM: Final = Partner(name="TNM", legal_entity="harbour", roles=(PartnerRole.CPO,))
MARKED_UP: Final = msgspec.structs.replace(
    TNM, mark_up_percent=Decimal(10), passed_on_vat={"NL": Decimal(21)}
)
BY_TARIFF: Final = msgspec.structs.replace(TNM, retail_tariff="abroad")


def energy_tariff(price: str, vat: str = "21") -> Tariff:
    """Return our retail tariff: *price* per kWh."""
    component = PriceComponent(
        dimension=Dimension.ENERGY, price=Decimal(price), vat=Decimal(vat), step_size=0
    )
    element = TariffElement(price_components=(component,))
    return Tariff(id="abroad", currency="EUR", elements=(element,))


def declare_terms(dsn: str, partner: Partner, *others: Change, at: datetime = NOON) -> None:
    """Declare how a partner's CDRs are charged on, and say so in each partition."""
    tariff = published(energy_tariff("0.50"))
    changes: list[Change] = [
        Change(kind=Kind.TARIFF, key="abroad", entity=tariff),
        Change(kind=Kind.PARTNER, key=PARTY, entity=partner),
        *others,
    ]
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        connection.execute("SET search_path = books, inputs, persons")
        version = declare(connection, changes, by="test", at=at)
        marker = encode_line(Declared(received_at=at, version=version))
        log.append([NewRecord(partition, [marker]) for partition in range(PARTITIONS)])


def charge_all(dsn: str, *, at: datetime = LATER) -> None:
    """Read what partners said, charge it on, and issue what is due."""
    with PostgresEventLog(dsn) as log:
        says = ChargeLines(log, lambda: at)
        reader = PartnerReader(dsn, log=log, partitions=range(PARTITIONS), says=says)
        with closing(reader):
            reader.run_to_end()
        work_off(dsn, log)


def decide(dsn: str, cdr: str, *, is_accepted: bool, at: datetime = LATER) -> None:
    """Let a person decide about a CDR."""
    with connect(dsn) as connection, PostgresEventLog(dsn) as log:
        chosen = ChosenCdr(id=cdr, by="anna", reason="looked at it")
        decide_cdr(connection, log, party=PARTY, is_accepted=is_accepted, chosen=chosen, at=at)


def decided(dsn: str, session_id: str = SESSION_OF_C1) -> list[Decision]:
    """Return all decisions about a session, in their order."""
    query = "SELECT body FROM session_decision WHERE session_id = %s ORDER BY position"
    with connect(dsn) as connection:
        found = connection.execute(query, (session_id,)).fetchall()
    return [unpack_decision(body) for (body,) in found]


def rated(dsn: str, session_id: str = SESSION_OF_C1) -> list[SessionRated]:
    """Return the ratings of a session; it has no other decisions."""
    found = [each for each in decided(dsn, session_id) if isinstance(each, SessionRated)]
    assert len(found) == len(decided(dsn, session_id))
    return found


def is_replayed(dsn: str) -> bool:
    """Whether the whole log leads to the same books again."""
    with PostgresEventLog(dsn) as log:
        return replay_and_compare(dsn, log).is_identical
