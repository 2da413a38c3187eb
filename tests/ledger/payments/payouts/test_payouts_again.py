"""What was booked of payouts follows from their rows: a replay books it again and compares."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest

from projections.replay.payouts import compare_payouts, compared_payouts
from tests.ledger.payments.payouts.payout_desk import PayoutDesk


def differences(desk: PayoutDesk) -> set[str]:
    """Return what comes out otherwise."""
    found = [*compare_payouts(desk.connection)]
    assert found
    return {each.what for each in found if each.kept != each.again}


def busy(desk: PayoutDesk) -> None:
    """Have payouts with a line of each rule, one of them in other money, one that failed."""
    intent = desk.charge(4760)
    desk.charge(900)
    desk.refund(intent, 200)
    desk.account.dispute(intent, 300)
    desk.account.line("stripe_fee", -20)
    desk.account.line("topup", 77)
    desk.account.line("payout_minimum_balance_hold", -50)
    desk.account.line("charge", 500, "ch_by_hand", fee=32)
    desk.account.line("charge", 100, desk.charge(5000, "SEK").charge_id, fee=3)
    desk.account.unpaid = [each for each in desk.account.unpaid if each.currency == "EUR"]
    desk.take()
    first = desk.pay_out()
    desk.account.fail_payout(first)
    desk.charge(444)
    desk.pay_out()
    desk.charge(555)


_OF_FEES: LiteralString = """
DELETE FROM allotment USING movement
WHERE movement.number = allotment.number AND kind = 'paid_out' AND account = 'fees:stripe'
"""
CHANGES: list[tuple[LiteralString, str]] = [
    ("UPDATE payout_line SET fee_minor = 1 WHERE rule = 'payment'", "paid out"),
    ("UPDATE payout_line SET amount_minor = 1 WHERE rule = 'fee'", "paid out"),
    ("UPDATE payout_line SET booked_minor = 1 WHERE rule = 'refund'", "money at a provider"),
    ("DELETE FROM payout_line WHERE rule = 'top_up'", "payout"),
    ("UPDATE payout SET amount_minor = amount_minor + 1", "payout"),
    (_OF_FEES, "paid out"),
    ("UPDATE movement_at_provider SET left_minor = left_minor + 1", "money at a provider"),
    ("DELETE FROM movement_at_provider", "money at a provider"),
    ("UPDATE unmatched_money SET left_minor = left_minor + 1", "unmatched money"),
    ("DELETE FROM unmatched_money", "unmatched money"),
]


def test_a_replay_books_payouts_as_they_were_and_names_what_was_changed(desk: PayoutDesk) -> None:
    busy(desk)
    assert differences(desk) == set()

    for change, what in CHANGES:
        with desk.connection.transaction(force_rollback=True):
            desk.connection.execute("SET LOCAL session_replication_role = replica")
            desk.connection.execute("ALTER TABLE payout_line DROP CONSTRAINT payout_line_check")
            assert desk.connection.execute(change).rowcount, change
            compared = [*compared_payouts(desk.connection)]
        assert what in {each.what for each in compared if each.kept != each.again}, change
    assert differences(desk) == set()


@pytest.mark.parametrize("change", ["UPDATE payout SET lines = 0", "DELETE FROM payout_line"])
def test_what_was_kept_of_a_payout_stays(desk: PayoutDesk, change: LiteralString) -> None:
    desk.charge(1000)
    desk.pay_out()

    with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        desk.connection.execute(change)
