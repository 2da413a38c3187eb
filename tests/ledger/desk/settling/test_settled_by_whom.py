"""What is settled by whom: several legal entities of ours, odd currencies, prices below 0."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from psycopg.errors import LockNotAvailable

from ledger.books.periods import lock_documents
from ledger.database import connect
from ledger.desk.settling.contesting import contest
from ledger.desk.settling.desk import settlement_desk
from ledger.desk.settling.refusals import MonthNotOverError
from ledger.settlements.statement import LineCode
from tests.ledger.settlements.partner_cdrs import (
    ENTITY,
    IN_APRIL,
    MARCH,
    PARTNER,
    declare_beside,
    declare_partner,
    received_cdr,
    sent_cdr,
)

BERLIN_APRIL = datetime(2026, 3, 31, 22, tzinfo=UTC)
YORK_APRIL = datetime(2026, 4, 1, 4, tzinfo=UTC)


def test_what_a_partner_delivered_is_owed_once_by_who_has_the_contract(database: str) -> None:
    declared = declare_beside(database)
    with connect(database) as connection, settlement_desk(connection, declared) as desk:
        sent_cdr(connection, "A", 1000)
        sent_cdr(connection, "B", 300, legal_entity="york")
        received_cdr(connection, "R", "4.00")
        scopes = desk.scopes(PARTNER, MARCH)

        proposed = {
            each.legal_entity: desk.propose(each, by="anna", at=IN_APRIL).settlement
            for each in scopes
        }
        nets = {
            entity: (each.sent.net_minor, each.received.net_minor)
            for entity, each in proposed.items()
        }
        assert nets == {ENTITY: (1000, 400), "york": (300, 0)}
        # Whoever goes first: each agrees to what it was told.
        for scope in sorted(scopes, key=lambda each: each.legal_entity, reverse=True):
            desk.agree(scope, by="ben", at=IN_APRIL)

        booked = connection.execute(
            "SELECT legal_entity, sum(amount) FROM journal_entry, unnest(accounts, amounts)"
            " AS leg (account, amount) WHERE account = 'cost:roaming' GROUP BY 1"
        )
        assert booked.fetchall() == [(ENTITY, 400)]


def test_a_month_is_over_where_the_legal_entity_is(database: str) -> None:
    declared = declare_beside(database)
    with connect(database) as connection, settlement_desk(connection, declared) as desk:
        sent_cdr(connection, "A", 1000)
        sent_cdr(connection, "B", 300, legal_entity="york")
        here, there = desk.scopes(PARTNER, MARCH)

        assert desk.agree(here, by="anna", at=BERLIN_APRIL).record.state == "agreed"
        with pytest.raises(MonthNotOverError):
            desk.agree(there, by="anna", at=BERLIN_APRIL)
        assert desk.agree(there, by="anna", at=YORK_APRIL).record.state == "agreed"


def test_a_currency_that_there_is_none_of_stops_no_settlement(database: str) -> None:
    declared = declare_partner(database)
    with connect(database) as connection, settlement_desk(connection, declared) as desk:
        received_cdr(connection, "R", "4.00")
        for n, currency in enumerate(["ZZZ", "eur", "", "EUR; --"]):
            received_cdr(
                connection, f"X{n}", "1.00", currency=currency, verdict="disputed", position=2 + n
            )

        settled = [desk.standing(each).settlement for each in desk.scopes(PARTNER, MARCH)]

        assert [each.received.net_minor for each in settled] == [400]


def test_nobody_contests_what_is_being_agreed_to(database: str) -> None:
    declare_partner(database)
    with connect(database) as connection, connect(database) as other:
        sent_cdr(connection, "A", 1000)

        other.execute("SET lock_timeout = '100ms'")

        def say() -> None:
            contest(other, PARTNER, "A", is_contested=True, by="anna", at=IN_APRIL, reason="theirs")

        with connection.transaction():
            lock_documents(connection)  # as who agrees does
            with pytest.raises(LockNotAvailable):
                say()
        say()
        assert len(connection.execute("SELECT FROM contested_cdr").fetchall()) == 1


def test_a_price_that_pays_the_driver_takes_no_cdr_back(database: str) -> None:
    declared = declare_partner(database, session_fee=Decimal("0.50"))
    with connect(database) as connection, settlement_desk(connection, declared) as desk:
        sent_cdr(connection, "A", -200)
        received_cdr(connection, "N", "-2.00")
        received_cdr(connection, "O", "-2.00", version="2.1.1", repriced_net="-2", position=2)
        received_cdr(connection, "B", "-2.00", version="2.1.1", position=3)  # it takes back

        [scope] = desk.scopes(PARTNER, MARCH)
        settlement = desk.standing(scope).settlement

        found = {
            f"{side} {each.code}": (each.count, int(each.energy_wh), str(each.net))
            for side, lines in (
                ("sent", settlement.sent.lines),
                ("received", settlement.received.lines),
            )
            for each in lines
            if each.code is not LineCode.TAX_DIFFERENCE
        }
        assert found == {
            "sent cdrs": (1, 10_000, "-2"),
            "sent fees": (1, 0, "0.5"),
            "received cdrs": (2, 20_000, "-4"),
            "received credits": (1, -10_000, "-2"),
            "received fees": (1, 0, "0.5"),
        }
