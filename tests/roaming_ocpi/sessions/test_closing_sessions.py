"""A session that is over is told as its CDR says, and before it."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest

from ledger.books.following import Runner
from ledger.database import connect
from roaming_ocpi.cdrs.maker import CdrMaker
from roaming_ocpi.sessions.closing import CdrsOnTheirWay
from roaming_ocpi.sessions.live import LiveSessions
from roaming_ocpi.sessions.rows import kept_sessions
from roaming_ocpi.sessions.told import SessionStatus
from roaming_ocpi.wire.ids import wire_cdr_id
from tests.charging_day import at, everywhere, meter16, start16, stop16
from tests.projections.books_of_a_day import go_on
from tests.roaming_ocpi.relay.taking_partner import (
    TakingPartner,
    link_of,
    relaying,
    taking,
    until_empty,
)
from tests.roaming_ocpi.sessions.partners_drivers import (
    PARTNERS_TOKEN,
    TNM,
    SetClock,
    declare_partners,
    rows,
)

ONE = "CS-OLD-1"
SESSION = "CS-OLD-1/7/20260302T070000Z"
CDR = wire_cdr_id(SESSION, 1, "cdr")


def charge(dsn: str, version: int, *, is_seen: bool = True) -> None:
    """Let a driver of the partner charge 3 kWh, and the CDR be made."""
    go_on(
        dsn,
        [*everywhere(version, -1), start16(ONE, 0, 7, PARTNERS_TOKEN, 0), meter16(ONE, 9, 7, 500)],
    )
    if is_seen:
        LiveSessions(dsn, holder="test", now=SetClock(at(10))).look_once()
    go_on(dsn, [stop16(ONE, 60, 7, 3_000), *everywhere(version, 90)])
    follow(dsn)


def follow(dsn: str) -> None:
    maker = CdrMaker(lambda: at(91), CdrsOnTheirWay(lambda: at(91)))
    with Runner(dsn, [maker]) as runner:
        while runner.run_once():
            pass


@pytest.mark.parametrize("is_seen", [True, False])
async def test_it_is_told_before_its_cdr_and_as_that_says(database: str, *, is_seen: bool) -> None:
    charge(database, declare_partners(database), is_seen=is_seen)

    async with (
        taking(TakingPartner()) as partner,
        relaying(database, {TNM: link_of(TNM, partner.url)}),
    ):
        await until_empty(database)

    assert partner.order == [SESSION, CDR]
    with connect(database) as connection:
        kept = kept_sessions(connection, TNM, [SESSION])[SESSION].told
    assert (kept.status, kept.ends_at) == (SessionStatus.COMPLETED, at(60))
    assert kept.total is not None
    assert (kept.energy_kwh, kept.total.before_taxes) == (Decimal(3), Decimal("1.2"))


def test_a_partner_that_wants_no_updates_gets_the_cdr_alone(database: str) -> None:
    charge(database, declare_partners(database, live=False))

    assert rows(database, "SELECT kind, subject, lane FROM outgoing") == [("cdr", CDR, SESSION)]
    assert rows(database, "SELECT status FROM roaming_session") == [("COMPLETED",)]


def test_nothing_is_on_its_way_of_which_no_cdr_was_made(database: str) -> None:
    version = declare_partners(database)
    with connect(database) as connection:
        connection.execute(
            "CREATE FUNCTION inputs.no() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no'; END; $$"
        )
        connection.execute(
            "CREATE TRIGGER no BEFORE INSERT ON outgoing EXECUTE FUNCTION inputs.no()"
        )

    with pytest.raises(psycopg.errors.RaiseException):
        charge(database, version, is_seen=False)

    for table in ("roaming_cdr", "roaming_session", "outgoing"):
        assert rows(database, f"SELECT count(*) FROM {table}") == [(0,)]
