"""What of a month's money somebody should look at before the month is closed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.database import connect
from ledger.declared.store import declare
from ledger.desk.paying.explaining import MoneyWish, explain_money
from ledger.payments.payouts.unmatched import unmatched_money
from projections.closing.money import unsettled_money
from projections.closing.period_scope import PeriodScope
from tests.depot import NOON, changes
from tests.ledger.payments.payouts.payout_desk import PayoutDesk


@pytest.fixture
def desk(database: str) -> Iterator[PayoutDesk]:
    with connect(database) as connection:
        with connection.transaction():
            declare(connection, changes(), by="a test", at=NOON)
        yield PayoutDesk(database, connection)


def left(desk: PayoutDesk, month: str = "2026-11") -> list[str]:
    return unsettled_money(desk.connection, PeriodScope(desk.connection, None, month))


def test_money_that_is_not_settled_is_named_until_it_is(desk: PayoutDesk) -> None:
    waiting = desk.charge(900)
    payment = f"received stripe/{waiting.charge_id}"
    in_no_payout = f"in no payout: {payment} 9.00 EUR"
    assert left(desk) == [in_no_payout]

    dispute = desk.account.dispute(waiting, 300)
    desk.account.line("charge", 500, "ch_by_hand", fee=32)
    payout = desk.account.pay_out()
    desk.take()
    [unmatched] = unmatched_money(desk.connection)
    named = f"unmatched stripe/{unmatched.reference} 5.00 EUR"
    open_dispute = f"dispute {dispute.id} open 3.00 EUR"
    assert left(desk) == [named, f"payout {payout.id} unmatched", open_dispute]
    assert left(desk, "2026-10") == []

    explain_money(
        desk.connection, MoneyWish(unmatched.number, account="income:odd"), by="ann", at=NOON
    )
    desk.account.settle(dispute, is_won=True)
    desk.take()
    assert left(desk) == [f"payout {payout.id} late"]

    desk.account.fail_payout(payout)
    desk.take()
    failed = f"payout_failed stripe/{payout.id}"
    [named] = left(desk)
    assert named.startswith(f"in no payout: {failed} ")
