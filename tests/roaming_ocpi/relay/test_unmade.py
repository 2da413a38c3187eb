"""What cannot be made of a message is a dead letter of its own, and holds up nobody else's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ledger.database import connect
from roaming_ocpi.registration.link import Link
from roaming_ocpi.relay.messages import MessageMaker, Prepared, made_messages
from roaming_ocpi.relay.outcomes import Arrival, AttemptOutcome
from roaming_ocpi.relay.outgoing import MessageKind, Outgoing, put_back
from roaming_ocpi.relay.state import outbox_state
from roaming_ocpi.settlement.invoices.record_maker import InvoiceRecordMaker
from tests.roaming_ocpi.relay.taking_partner import (
    TakingPartner,
    link_of,
    opened_relay,
    plain_message,
    put,
    taking,
)

TNM = "NL-TNM"


class BrokenMaker(MessageMaker):
    """Fails where a message is about what it does not understand."""

    def __init__(self, error: Exception) -> None:
        self.error, self.odd = error, {"cdr-3"}

    def make(
        self, connection: Connection[Any], messages: Sequence[Outgoing], link: Link
    ) -> Mapping[int, Prepared | AttemptOutcome]:
        del connection, link
        if any(each.subject in self.odd for each in messages):
            raise self.error
        return {each.id: plain_message(each) for each in messages}


async def test_one_that_cannot_be_made_is_refused_alone(database: str) -> None:
    put(database, TNM, *(f"cdr-{number}" for number in range(8)))
    maker = BrokenMaker(KeyError("DE-HBC-C000001"))
    async with taking(TakingPartner()) as partner:
        links = {TNM: link_of(TNM, partner.url)}
        async with opened_relay(database, links, maker=maker) as relay:
            await relay.run_once()
            assert set(partner.effects) == {f"cdr-{number}" for number in range(8)} - {"cdr-3"}
            with connect(database) as connection:
                [letter] = outbox_state(connection, TNM).dead_letters
                assert (letter.subject, letter.reason) == ("cdr-3", "unmade")
                put_back(connection, TNM)
            maker.odd.clear()
            await relay.run_once()

    assert set(partner.effects.values()) == {1}
    assert len(partner.effects) == 8


def test_a_database_that_is_away_makes_no_dead_letter(database: str) -> None:
    maker = BrokenMaker(psycopg.OperationalError("gone"))
    with connect(database) as connection, pytest.raises(psycopg.OperationalError):
        made_messages(connection, {MessageKind.CDR: maker}, [_message("cdr-3")], _LINK)


@pytest.mark.parametrize("owner", ["DE-HBC", "DE-OLD"])
def test_a_record_of_an_invoice_is_sent_by_whoever_of_ours_said_it(
    database: str, owner: str
) -> None:
    """We may have registered as another party since, or the hub knows us as another one."""
    messages = [
        _message(key, kind=MessageKind.INVOICE, number=number)
        for number, key in enumerate(("r1", "none"))
    ]
    with connect(database) as connection:
        for party in (owner, TNM):  # a partner may have one of the same id
            connection.execute(
                "INSERT INTO invoice_record (owner, partner, record_key, record_id, invoice_id,"
                " cdrs, last_updated, said_at) VALUES (%s, %s, 'r1', 'R1', %s, '{A}', %s, now())",
                (party, TNM, f"of {party}", datetime(2026, 4, 2, tzinfo=UTC)),
            )
        made = InvoiceRecordMaker().make(connection, messages, _LINK)

    sent, missing = made[0], made[1]
    assert isinstance(sent, Prepared)
    assert f'"invoice_id":"of {owner}"'.encode() in sent.body.replace(b": ", b":")
    assert f'"party_id":"{owner[3:]}"'.encode() in sent.body.replace(b": ", b":")
    assert isinstance(missing, AttemptOutcome)
    assert missing.came_of_it is Arrival.REFUSED


_LINK = link_of(TNM, "https://tnm.example")


def _message(subject: str, *, kind: MessageKind = MessageKind.CDR, number: int = 0) -> Outgoing:
    return Outgoing(
        id=number,
        party=TNM,
        kind=kind,
        subject=subject,
        lane=subject,
        version=1,
        number=1,
        attempts=0,
        failures=0,
        is_again=False,
    )
