"""How far an open session is and may go, for who stops it there."""

from __future__ import annotations

from decimal import Decimal

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare
from ledger.master_data.assignments import NO_LIMITS, Assignment, SessionLimits
from projections.running_prices import RunningPrices, SessionSoFar
from tests.charging_day import at, declare_fleet, event201, everywhere, meter16, start16
from tests.projections.books_of_a_day import go_on

ONE, TWO = "CS-OLD-1", "CS-NEW-1"


def limit(dsn: str, energy_wh: int) -> int:
    """Limit the sessions of the yard; return the version."""
    limited = Assignment(tariff="DAY", site="yard", max_energy_wh=Decimal(energy_wh))
    change = Change(kind=Kind.ASSIGNMENT, key=limited.key(), entity=limited, valid_from=at(0))
    with connect(dsn) as connection:
        return declare(connection, [change], by="a test", at=at(-60))


def running(dsn: str, station: str, transaction: str) -> SessionSoFar | None:
    with RunningPrices(dsn) as prices:
        return prices.of(station, transaction)


def test_how_far_a_session_is_and_may_go_is_known_also_where_it_would_be_held(
    database: str,
) -> None:
    version = declare_fleet(database)
    begun = [start16(ONE, 0, 7, "STRANGER", 0), meter16(ONE, 30, 7, 3_000)]
    go_on(database, [*everywhere(version, -1), *begun])
    before = running(database, ONE, "7")
    limit(database, 2_000)
    after = running(database, ONE, "7")

    assert before is not None
    assert after is not None
    assert (before.price, before.limits, before.started_at) == (None, NO_LIMITS, at(0))
    assert (after.limits.max_energy_wh, after.energy_wh) == (Decimal(2_000), Decimal(3_000))


def test_what_is_over_and_waits_has_reached_no_limit(database: str) -> None:
    declare_fleet(database)
    version = limit(database, 1)
    begun = [event201(TWO, 0, "Started", "tx", 0, 0), event201(TWO, 10, "Updated", "tx", 1, 500)]
    go_on(database, [*everywhere(version, -1), *begun])
    before = running(database, TWO, "tx")
    go_on(database, [event201(TWO, 20, "Ended", "tx", 3, 900)])
    after = running(database, TWO, "tx")

    assert before is not None
    assert after is not None
    assert (before.limits, after.limits) == (SessionLimits(max_energy_wh=Decimal(1)), NO_LIMITS)
    assert (before.session, before.energy_wh) == (after.session, Decimal(500))
