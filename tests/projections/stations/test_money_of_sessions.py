"""What a session may cost by a prepaid balance: shared, raised while it charges, used up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from ledger.books.prepayments import Prepayment, record_prepayment
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare, load_declarations
from ledger.log.authorization import Authorization
from ledger.master_data.policies import Policy
from ledger.payments.topping_up.credit import MoneySoFar, has_credit
from projections.running_prices import RunningPrices
from tests.charging_day import (
    MORNING,
    at,
    declare_fleet,
    event201,
    everywhere,
    meter16,
    start16,
    status16,
    stop16,
)
from tests.projections.books_of_a_day import ask, go_on

ONE, TWO = "CS-OLD-1", "CS-NEW-1"


@pytest.fixture
def prepaid(database: str) -> str:
    """The fleet pays in advance; a kWh is 0.476 with its tax, and two sessions have begun."""
    version = declare_fleet(database)
    with ask(database) as connection:
        known = load_declarations(connection).customer("fleet", MORNING)
        assert known is not None
        paying = replace(known, pays_in_advance=True)
        changes = [
            Change(kind=Kind.CUSTOMER, key="fleet", entity=paying),
            Change(kind=Kind.POLICY, key="policy", entity=Policy(stop_margin_s=60)),
        ]
        version = declare(connection, changes, by="test", at=MORNING - timedelta(days=1))
    go_on(database, [*everywhere(version, -1), start16(ONE, 0, 7, "FLEET1", 1_000)])
    return database


@pytest.fixture
def prices(prepaid: str) -> Iterator[RunningPrices]:
    with RunningPrices(prepaid) as found:
        yield found


def pay(dsn: str, minor: int, reference: str) -> None:
    with ask(dsn) as connection:
        paid = Prepayment("watt", reference, "fleet", "EUR", minor, at(0), "test")
        record_prepayment(connection, paid)


def credit(dsn: str) -> bool:
    with ask(dsn) as connection:
        return has_credit(connection, "fleet", "watt")


def money(prices: RunningPrices, station: str, ref: str, minutes: float) -> MoneySoFar:
    found = prices.of(station, ref, at(minutes))
    assert found is not None
    assert found.money is not None
    return found.money


def test_a_session_may_cost_what_is_left_and_is_seen_to_the_stop(
    prepaid: str, prices: RunningPrices
) -> None:
    assert not credit(prepaid)
    nothing = money(prices, ONE, "7", 0)
    pay(prepaid, 500, "a")
    go_on(prepaid, [meter16(ONE, 30, 7, 4_000)])
    # 6 kW: until 31 minutes it is 3.1 kWh, of which each minute more has a tenth.
    found = money(prices, ONE, "7", 30)
    silent = money(prices, ONE, "7", 40)
    pay(prepaid, 1_000, "b")
    raised = money(prices, ONE, "7", 40)

    assert (nothing.limit, nothing.cost) == (Decimal(0), Decimal(0))
    assert found == MoneySoFar(
        Decimal("5.00"), Decimal("1.43"), Decimal("1.48"), Decimal("0.04") / 60
    )
    assert (silent.cost, silent.ahead) == (Decimal("1.43"), Decimal("1.95"))
    assert raised == silent._replace(limit=Decimal("15.00"))
    assert credit(prepaid)


def test_one_that_stands_is_looked_ahead_by_what_standing_costs(
    prepaid: str, prices: RunningPrices
) -> None:
    pay(prepaid, 500, "a")
    go_on(prepaid, [meter16(ONE, 30, 7, 4_000), status16(ONE, 31, "SuspendedEV")])
    go_on(prepaid, [meter16(ONE, 40, 7, 4_000)])

    found = money(prices, ONE, "7", 40)

    assert found.ahead - found.cost == Decimal("0.12")


def test_two_sessions_share_what_is_there_and_so_does_what_is_not_invoiced(
    prepaid: str, prices: RunningPrices
) -> None:
    pay(prepaid, 500, "a")
    begun = event201(TWO, 1, "Started", "tx", 0, 100, token="FLEET1")
    go_on(prepaid, [begun, meter16(ONE, 30, 7, 4_000)])
    first = money(prices, ONE, "7", 30)
    second = money(prices, TWO, "tx", 30)
    go_on(prepaid, [event201(TWO, 40, "Updated", "tx", 1, 2_200)])
    second_later = money(prices, TWO, "tx", 40)
    first_later = money(prices, ONE, "7", 40)
    # Rated and invoiced at once, and settled from the balance: nothing is counted twice.
    go_on(prepaid, [stop16(ONE, 45, 7, 4_200)])
    alone = money(prices, TWO, "tx", 45)

    assert (first.limit, first.cost) == (Decimal("5.00"), Decimal("1.43"))
    assert (second.limit, second.cost) == (Decimal("3.57"), Decimal(0))
    assert second_later.cost == Decimal("1.00")
    assert first_later.limit == Decimal("4.00")
    assert alone.limit == Decimal("5.00") - Decimal("1.52")
    with ask(prepaid) as connection:
        kept = connection.execute("SELECT session_id FROM running_cost").fetchall()
    assert len(kept) == 1


@pytest.mark.parametrize(("minor", "left"), [(153, True), (152, False), (151, False)])
def test_who_has_nothing_left_has_no_credit(prepaid: str, minor: int, *, left: bool) -> None:
    pay(prepaid, minor, "a")

    go_on(prepaid, [meter16(ONE, 30, 7, 4_000), stop16(ONE, 45, 7, 4_200)])

    assert credit(prepaid) is left


def test_of_whom_no_balance_is_nothing_is_limited_and_nothing_kept(
    prepaid: str, prices: RunningPrices
) -> None:
    go_on(prepaid, [start16("CS-OLD-2", 2, 9, "BEARER1", 0), meter16("CS-OLD-2", 9, 9, 500)])

    found = prices.of("CS-OLD-2", "9", at(9))

    assert found is not None
    assert found.money is None
    with ask(prepaid) as connection:
        assert count(connection) == 0


def count(connection: psycopg.Connection[Any]) -> int:
    [(kept,)] = connection.execute("SELECT count(*) FROM running_cost").fetchall()
    return int(kept)


@pytest.mark.parametrize(("charged_wh", "listed"), [(0, False), (3_000, True)])
def test_what_starts_without_credit_is_billed_and_says_so(
    prepaid: str, charged_wh: int, *, listed: bool
) -> None:
    received_at, station, line = start16("CS-OLD-2", 1, 8, "FLEET1", 0)
    found = Authorization(subject="fleet1", by="declared", status="no_credit")
    start = (received_at, station, replace(line, authorization=found))

    go_on(prepaid, [start, stop16("CS-OLD-2", 31, 8, charged_wh)])

    with ask(prepaid) as connection:
        [(state, flags, is_refused)] = connection.execute(
            "SELECT state, flags, is_refused FROM session WHERE station_id = 'CS-OLD-2'"
        ).fetchall()
        [(invoices,)] = connection.execute(
            "SELECT count(*) FROM issued_invoice WHERE customer = 'fleet'"
        ).fetchall()
    assert (state, invoices) == ("rated", 1 if charged_wh else 0)
    assert isinstance(flags, list)
    assert "started_without_credit" in flags
    assert is_refused is not listed
