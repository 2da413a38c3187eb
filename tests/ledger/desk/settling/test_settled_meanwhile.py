"""What changed between looking at a settlement and agreeing to it is not agreed to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.database import connect
from ledger.desk.settling.desk import settlement_desk
from ledger.errors import LedgerError
from ledger.settlements.record import ChangedSettlementError
from tests.ledger.desk.settling.settling_desk import agree, desk_of, journal
from tests.ledger.settlements.partner_cdrs import (
    IN_APRIL,
    MARCH,
    PARTNER,
    declare_partner,
    received_cdr,
    sent_cdr,
)


def test_nobody_agrees_to_what_has_changed_since_it_was_proposed(database: str) -> None:
    with desk_of(database) as (connection, desk):
        sent_cdr(connection, "A", 1000)
        [scope] = desk.scopes(PARTNER, MARCH)
        desk.propose(scope, by="anna", at=IN_APRIL)
        sent_cdr(connection, "late", 500)

        with pytest.raises(ChangedSettlementError, match="propose it again"):
            desk.agree(scope, by="anna", at=IN_APRIL)

        assert not desk.standing(scope).is_current
        assert connection.execute("SELECT count(*) FROM settled_cdr").fetchone() == (0,)
        desk.propose(scope, by="anna", at=IN_APRIL)
        assert desk.agree(scope, by="ben", at=IN_APRIL).settlement.sent.net_minor == 1500


def test_a_cdr_that_comes_between_reckoning_and_booking_is_not_agreed_to(database: str) -> None:
    with desk_of(database) as (connection, desk):
        sent_cdr(connection, "A", 1000)
        connection.execute(
            """CREATE FUNCTION one_more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO roaming_cdr SELECT party, 99, 'B', session_id, 7, kind, credits,
              legal_entity, currency, net_minor, tax_minor, energy_wh, started_at, ended_at,
              billing_month, made_at, notes, body, sha256 FROM roaming_cdr WHERE cdr_id = 'A';
            RETURN NEW; END $$"""
        )
        connection.execute(
            "CREATE TRIGGER one_more AFTER INSERT ON partner_settlement"
            " FOR EACH ROW EXECUTE FUNCTION one_more()"
        )

        with pytest.raises(ChangedSettlementError):
            agree(desk)

        assert connection.execute("SELECT count(*) FROM partner_settlement").fetchone() == (0,)
        [scope] = desk.scopes(PARTNER, MARCH)
        assert desk.standing(scope).record.state == "open"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [("flagged", "disputed"), ("accepted", "disputed"), ("disputed", "accepted")],
)
def test_a_verdict_that_moves_between_reckoning_and_booking_is_not_agreed_to(
    database: str, was: str, becomes: str
) -> None:
    with desk_of(database) as (connection, desk):
        sent_cdr(connection, "A", 1000)
        received_cdr(connection, "P", "4.00", verdict=was)
        shown = desk.standing(desk.scopes(PARTNER, MARCH)[0])
        connection.execute(
            f"""CREATE FUNCTION moves() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            UPDATE partner_cdr SET verdict = '{becomes}'; RETURN NEW; END $$"""
        )
        connection.execute(
            "CREATE TRIGGER moves AFTER INSERT ON partner_settlement"
            " FOR EACH ROW EXECUTE FUNCTION moves()"
        )

        with pytest.raises(ChangedSettlementError):
            agree(desk)

        left = "SELECT count(*) FROM settled_cdr"
        assert connection.execute(left).fetchone() == (0,)
        assert journal(connection) == {}
        connection.execute("DROP TRIGGER moves ON partner_settlement")
        [scope] = desk.scopes(PARTNER, MARCH)
        connection.execute("UPDATE partner_cdr SET verdict = %s", (becomes,))
        with pytest.raises(ChangedSettlementError):
            desk.agree(scope, by="anna", at=IN_APRIL, seen=shown.digest)
        connection.execute("UPDATE partner_cdr SET verdict = %s", (was,))
        agreed = desk.agree(scope, by="anna", at=IN_APRIL, seen=shown.digest)
        assert agreed.settlement == shown.settlement
        assert connection.execute(left).fetchone() == (1 if was == "disputed" else 2,)


def test_two_who_agree_at_once_settle_once(database: str) -> None:
    with desk_of(database) as (connection, desk):
        sent_cdr(connection, "A", 1000)
        declared = declare_partner(database)

        def try_it(_: int) -> str:
            with connect(database) as other, settlement_desk(other, declared) as second:
                try:
                    return agree(second).record.number
                except LedgerError as error:
                    return type(error).__name__

        with ThreadPoolExecutor(4) as pool:
            came = sorted(pool.map(try_it, range(4)))

        assert came[-1] == "WL-RS-2026-000001"
        assert set(came[:-1]) <= {"IllegalSettlementMoveError", "ContendedSettlementError"}
        assert desk.scopes(PARTNER, MARCH)
        counted = connection.execute("SELECT count(*) FROM partner_settlement").fetchone()
        assert counted == (1,)
