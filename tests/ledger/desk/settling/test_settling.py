from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from psycopg import Connection
from psycopg import errors as postgres

from ledger.books.journal import JournalEntry, Posting, store_entries
from ledger.desk.settling.refusals import (
    ImplausibleSettlementError,
    MonthNotOverError,
    NothingToSettleError,
    ReasonlessDisputeError,
    UndeclaredPartnerError,
)
from ledger.settlements.record import IllegalSettlementMoveError
from tests.ledger.desk.settling.settling_desk import agree, desk_of, journal
from tests.ledger.settlements.partner_cdrs import (
    IN_APRIL,
    IN_MARCH,
    MARCH,
    PARTNER,
    received_cdr,
    sent_cdr,
)

MARCH_ENDS = datetime(2026, 3, 31, 22, tzinfo=UTC)
IN_MAY = datetime(2026, 5, 2, 8, tzinfo=UTC)
APRIL = "2026-04"


def test_agreeing_gives_a_number_and_posts_what_is_due(database: str) -> None:
    with desk_of(database, session_fee=Decimal("0.50")) as (connection, desk):
        sent_cdr(connection, "A", 1000)
        _rated(connection, "s-A", 900, 171)
        received_cdr(connection, "B", "4.00")

        standing = agree(desk)

        assert (standing.record.number, standing.settlement.due_minor) == (
            "WL-RS-2026-000001",
            1250 - 536,
        )
        assert journal(connection) == {
            "settlement:WL-RS-2026-000001": {
                "receivable:partner:invoiced": 1250,
                "receivable:partner:unbilled": -1071,
                "expected_tax": 171,
                "vat:DE:19": -200,
                "revenue:partner:fees": -50,
                "revenue:partner:mark_up": -100,
            },
            "settlement_received:WL-RS-2026-000001": {
                "cost:roaming": 450,
                "input_tax:DE:19": 86,
                "payable:partner:roaming": -536,
            },
            "settlement_netted:WL-RS-2026-000001": {
                "payable:partner:roaming": 536,
                "receivable:partner:invoiced": -536,
            },
        }


def test_the_tax_that_we_owe_in_the_partner_s_place_is_posted_on_both_sides(database: str) -> None:
    terms = {"vat_percent": None, "reverse_charge_percent": Decimal(19)}
    with desk_of(database, **terms) as (connection, desk):
        sent_cdr(connection, "A", 100)
        received_cdr(connection, "B", "4.03")

        standing = agree(desk)

        assert standing.settlement.due_minor == 100 - 403
        posted = journal(connection)
        assert posted["settlement_received:WL-RS-2026-000001"] == {
            "cost:roaming": 403,
            "input_tax:DE:19:reverse_charge": 77,
            "vat:DE:19:reverse_charge": -77,
            "payable:partner:roaming": -403,
        }
        assert not any("vat" in account for account in posted["settlement:WL-RS-2026-000001"])


def test_a_credit_takes_back_what_the_rating_posted(database: str) -> None:
    with desk_of(database) as (connection, desk):
        sent_cdr(connection, "A", 1000)
        sent_cdr(connection, "A-", 1000, kind="credit", credits="A", revision=2)
        sent_cdr(connection, "A2", 800, session_id="s-A", revision=2)
        _rated(connection, "s-A", 1000, 190)
        _rated(connection, "s-A", 1000, 190, reverses=True)
        _rated(connection, "s-A/2", 800, 152)

        agree(desk)

        [posted] = journal(connection).values()
        assert posted == {
            "receivable:partner:invoiced": 952,
            "receivable:partner:unbilled": -952,
            "expected_tax": 152,
            "vat:DE:19": -152,
        }


def test_what_came_late_is_settled_with_the_next_month_and_nothing_twice(database: str) -> None:
    with desk_of(database) as (connection, desk):
        sent_cdr(connection, "A", 1000)
        agree(desk)
        sent_cdr(connection, "late", 500)
        sent_cdr(connection, "B", 200, billing_month=APRIL)

        standing = agree(desk, APRIL, IN_MAY)

        assert standing.settlement.sent.net_minor == 700
        assert standing.settlement.sent.earlier == 1
        assert standing.record.number == "WL-RS-2026-000002"
        rows = connection.execute("SELECT cdr_id, number FROM settled_cdr ORDER BY 1").fetchall()
        assert [cdr_id for cdr_id, _ in rows] == ["A", "B", "late"]


def test_a_cdr_stands_in_one_settlement_whatever_its_case(database: str) -> None:
    with desk_of(database) as (connection, desk):
        sent_cdr(connection, "Abc", 1000)
        agree(desk)
        again = "INSERT INTO settled_cdr SELECT * FROM settled_cdr"

        with pytest.raises(postgres.UniqueViolation):
            connection.execute(again)


def test_the_month_is_that_of_the_legal_entity(database: str) -> None:
    with desk_of(database) as (connection, desk):
        received_cdr(
            connection, "march", "1.00", ended_at=datetime(2026, 3, 31, 21, 59, tzinfo=UTC)
        )
        received_cdr(connection, "april", "2.00", ended_at=MARCH_ENDS)

        standing = agree(desk)

        assert standing.settlement.received.net_minor == 100


def test_nobody_agrees_before_the_month_is_over(database: str) -> None:
    with desk_of(database) as (connection, desk):
        sent_cdr(connection, "A", 1000)
        with pytest.raises(MonthNotOverError, match="2026-04-01 00:00"):
            agree(desk, at=IN_MARCH)

        assert agree(desk, at=MARCH_ENDS).record.state == "agreed"


def test_a_disputed_settlement_waits_until_it_is_proposed_again(database: str) -> None:
    with desk_of(database) as (connection, desk):
        sent_cdr(connection, "A", 1000)
        [scope] = desk.scopes(PARTNER, MARCH)
        desk.propose(scope, by="anna", at=IN_APRIL)
        with pytest.raises(ReasonlessDisputeError):
            desk.dispute(scope, by="anna", at=IN_APRIL, reason=" ")
        desk.dispute(scope, by="anna", at=IN_APRIL, reason="they miss one")

        with pytest.raises(IllegalSettlementMoveError, match="propose it again"):
            desk.agree(scope, by="anna", at=IN_APRIL)

        desk.propose(scope, by="anna", at=IN_APRIL)
        assert desk.agree(scope, by="anna", at=IN_APRIL).record.state == "agreed"


def test_an_agreed_settlement_stays(database: str) -> None:
    with desk_of(database) as (connection, desk):
        sent_cdr(connection, "A", 1000)
        agree(desk)
        sent_cdr(connection, "late", 500)

        with pytest.raises(IllegalSettlementMoveError, match="next month"):
            agree(desk)

        [scope] = desk.scopes(PARTNER, MARCH)
        assert desk.standing(scope).settlement.sent.net_minor == 1000


def test_disputed_cdrs_are_listed_and_wait(database: str) -> None:
    with desk_of(database) as (connection, desk):
        received_cdr(connection, "A", "10.00", verdict="disputed")
        received_cdr(connection, "B", None)
        received_cdr(connection, "C", "3.00", verdict="flagged")

        standing = agree(desk)

        assert standing.settlement.received.net_minor == 300
        assert [each.cdr_id for each in standing.settlement.excluded] == ["A", "B"]
        connection.execute("UPDATE partner_cdr SET verdict = 'accepted' WHERE cdr_id = 'A'")
        later = agree(desk, APRIL, IN_MAY)
        assert later.settlement.received.net_minor == 1000


def test_each_currency_is_settled_by_itself(database: str) -> None:
    with desk_of(database) as (connection, desk):
        sent_cdr(connection, "A", 1000)
        sent_cdr(connection, "B", 1000, currency="SEK")
        received_cdr(connection, "C", "7.00", currency="SEK")
        received_cdr(connection, "D", "7.00", currency=None)

        due = {
            scope.currency: desk.standing(scope).settlement.due_minor
            for scope in desk.scopes(PARTNER, MARCH)
        }

        assert due == {"EUR": 1190, "SEK": 1190 - 833}


@pytest.mark.parametrize("party", ["XX-YYY", "nl-tnm", "", "'; DROP TABLE", "NL-TNM\x00"])
def test_an_unknown_partner_is_refused(database: str, party: str) -> None:
    with desk_of(database) as (_, desk), pytest.raises(UndeclaredPartnerError):
        desk.scopes(party, MARCH)


def test_nothing_and_the_implausible_are_not_agreed_to(database: str) -> None:
    with desk_of(database) as (connection, desk):
        received_cdr(connection, "A", "10.00", verdict="disputed")
        with pytest.raises(NothingToSettleError):
            agree(desk)
        received_cdr(connection, "B", "99999999999999999")

        with pytest.raises(ImplausibleSettlementError):
            agree(desk)


def test_a_partner_of_the_oldest_version_gets_corrections_by_the_settlement(
    database: str,
) -> None:
    with desk_of(database) as (connection, desk):
        connection.execute(
            "INSERT INTO roaming_link (partner, state, our_party, version, sealed, changed_at)"
            " VALUES (%s, 'registered', 'DE-HBC', '2.1.1', '', now())",
            (PARTNER,),
        )
        sent_cdr(connection, "A", 1000)
        sent_cdr(connection, "A-", -1000, kind="credit", credits="A", revision=2)
        instead = b'{"replaces": "A"}'
        sent_cdr(connection, "A2", 800, session_id="s-A", revision=2, body=instead)

        side = agree(desk).settlement.sent

        assert [(each.code, each.count, each.net) for each in side.lines[:2]] == [
            ("cdrs", 1, Decimal(10)),
            ("corrections", 2, Decimal(-2)),
        ]


def test_what_is_agreed_after_a_month_closed_stands_in_the_next_open_one(database: str) -> None:
    with desk_of(database) as (connection, desk):
        sent_cdr(connection, "A", 1000)
        connection.execute(
            "INSERT INTO period_mark (partition, legal_entity, number, month, act, position)"
            " VALUES (-1, 'watt', 1, '2026-03', 'close', 0)"
        )

        agree(desk)

        rows = connection.execute("SELECT DISTINCT original_period, period FROM journal_entry")
        assert rows.fetchall() == [(MARCH, APRIL)]


def _rated(
    connection: Connection[Any], named: str, net: int, tax: int, *, reverses: bool = False
) -> None:
    sign = -1 if reverses else 1
    legs = {
        "receivable:partner:unbilled": net + tax,
        "revenue:energy": -net,
        "expected_tax": -tax,
    }
    entry = JournalEntry(
        entry_id=f"{'reversed' if reverses else 'rated'}:{named}",
        legal_entity="watt",
        booked_at=IN_MARCH,
        original_period=MARCH,
        postings=tuple(
            Posting(
                account=account,
                party=PARTNER if "partner" in account else "",
                currency="EUR",
                amount_minor=sign * minor,
            )
            for account, minor in legs.items()
        ),
    )
    with connection.transaction():
        store_entries(connection, [entry])
