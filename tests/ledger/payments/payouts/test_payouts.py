"""What becomes of each line of a payout, and of what does not add up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from ledger.payments.awaited import awaited_payouts
from ledger.payments.movement import STRIPE, MoneyKind
from ledger.payments.payouts.store import is_taken
from ledger.payments.provider import (
    PARTIAL_CAPTURE_REVERSAL,
    PaymentObjectKind,
    PayoutStatus,
    RefundState,
    RefundStatus,
    UnansweredError,
)
from ledger.payments.recording import find_movement, movements_about
from ledger.payments.requests import RequestKind
from projections.payments.payout_list import find_payout, payout_lines, waiting_objects
from projections.payments.provider_check import check_provider
from projections.replay.payouts import compare_payouts
from tests.depot import NOON
from tests.ledger.payments.payouts.booked import left_minor, line_rules
from tests.ledger.payments.payouts.payout_desk import PayoutDesk
from tests.ledger.payments.payouts.plain_takers import wish


@dataclass(frozen=True)
class Odd:
    """A line that no payment of ours is behind, and where its money stands once it is paid out."""

    kind: str
    minor: int
    fee: int
    source: str | None
    rule: str
    account: str
    balance: int


ODD = [
    Odd("stripe_fee", -200, 0, None, "fee", "fees:stripe", 200),
    Odd("tax_fee", -20, 0, None, "fee", "fees:stripe", 20),
    Odd("reserve_hold", -300, 0, None, "reserve", "reserves:stripe", 300),
    Odd("reserve_release", 300, 0, None, "reserve", "reserves:stripe", -300),
    Odd("charge", 1000, 40, "ch_by_hand", "unknown", "cash:unmatched", -1000),
    Odd("refund", -500, 0, "re_by_hand", "unknown", "cash:unmatched", 500),
    Odd("adjustment", -70, 0, "adj_1", "unknown", "cash:unmatched", 70),
    Odd("adjustment", -70, 0, None, "unknown", "cash:unmatched", 70),
    Odd("a_new_kind", 77, 7, "x_1", "unknown", "cash:unmatched", -77),
]


def check(desk: PayoutDesk) -> None:
    """The books are the provider's balance, and what it still has of our movements."""
    assert desk.balances().get("cash:stripe", 0) == left_minor(desk.connection)
    checked = check_provider(desk.connection, desk.account, "depot", NOON)
    assert [each.difference_minor for each in checked.balances if each.difference_minor] == []
    assert checked.is_equal


def test_a_payout_is_what_its_payments_less_fees_refunds_and_disputes_come_to(
    desk: PayoutDesk,
) -> None:
    intent = desk.charge(476)
    desk.charge(1000)
    desk.refund(intent, 100)
    check(desk)
    desk.account.dispute(intent, 200)
    desk.take()
    check(desk)
    payout = desk.pay_out()

    fees = (7 + 25) + (15 + 25) + 1500
    assert payout.amount_minor == 476 + 1000 - 100 - 200 - fees < 0
    assert desk.balances() == {
        "cash:clearing": payout.amount_minor,
        "disputes:stripe": 200,
        "fees:stripe": fees,
    }
    check(desk)
    found = find_payout(desk.connection, payout.id, desk.now)
    assert found is not None
    sums = (found.charges_minor, found.fees_minor, found.refunds_minor, found.disputes_minor)
    assert sums == (1476, fees, 100, 200)
    assert (found.other_minor, found.difference_minor, found.lines) == (0, 0, 4)
    assert (found.state, found.is_settled) == ("under_way", True)
    kinds = [
        (each.kind, each.movement_kind, each.documents)
        for each in payout_lines(desk.connection, payout.id)
    ]
    assert kinds[-1] == ("adjustment", "disputed", [])
    assert ("charge", "received", [intent.request_key]) in kinds


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: f"{odd.kind} of {odd.source}")
def test_what_nothing_of_ours_is_behind_stands_where_its_rule_says(
    desk: PayoutDesk, odd: Odd
) -> None:
    desk.charge(1000)
    desk.account.line(odd.kind, odd.minor, odd.source, fee=odd.fee)
    payout = desk.pay_out()

    fees = 40 + odd.fee
    wanted = {"cash:clearing": payout.amount_minor, "fees:stripe": fees}
    wanted[odd.account] = wanted.get(odd.account, 0) + odd.balance
    assert desk.balances() == wanted
    assert line_rules(desk.connection) == {"payment": 1, odd.rule: 1}
    found = find_payout(desk.connection, payout.id, desk.now)
    assert found is not None
    is_known = odd.account != "cash:unmatched"
    assert found.is_settled is is_known
    assert found.unmatched_minor == (0 if is_known else odd.minor)
    check(desk)


def test_money_from_our_own_bank_clears_what_the_bank_says_went(desk: PayoutDesk) -> None:
    desk.account.line("topup", 5000, "tu_1")
    payout = desk.pay_out()

    assert payout.amount_minor == 5000
    assert desk.balances() == {}
    awaited = awaited_payouts(desk.connection)
    assert [(each.payout_id, each.under_way_minor) for each in awaited] == [(payout.id, 5000)]


def test_a_payout_that_fails_comes_back_and_is_in_the_next_one(desk: PayoutDesk) -> None:
    desk.charge(1000)
    first = desk.pay_out()
    desk.account.fail_payout(first)
    desk.take()

    assert desk.balances() == {"cash:stripe": 960, "fees:stripe": 40}
    assert awaited_payouts(desk.connection) == []
    failed = find_payout(desk.connection, first.id, desk.now)
    assert failed is not None
    assert (failed.state, failed.bank_minor) == ("failed", 0)
    check(desk)

    second = desk.pay_out()
    assert second.amount_minor == 960
    assert desk.balances() == {"cash:clearing": 960, "fees:stripe": 40}
    assert line_rules(desk.connection) == {"payment": 1, "payout_failed": 1}
    check(desk)


def test_a_payout_told_of_before_its_failed_predecessor_waits_for_that(desk: PayoutDesk) -> None:
    desk.charge(1000)
    first = desk.account.pay_out()
    desk.account.fail_payout(first)
    second = desk.account.pay_out()
    desk.account.told = [(PaymentObjectKind.PAYOUT, second.id)]
    desk.take()

    assert desk.balances() == {"cash:clearing": 960, "fees:stripe": 40}
    assert desk.waiting() == {}
    kinds = [each.kind for each in movements_about(desk.connection, first.id)]
    assert kinds == [MoneyKind.PAID_OUT, MoneyKind.PAYOUT_FAILED]


def test_lines_that_do_not_come_to_the_payout_are_waited_for_and_then_named(
    desk: PayoutDesk,
) -> None:
    desk.charge(1000)
    desk.charge(500)
    payout = desk.account.pay_out()
    lines = desk.account.paid[payout.id]
    desk.account.paid[payout.id] = lines[1:]
    desk.take()
    assert not is_taken(desk.connection, STRIPE, payout.id)
    assert desk.waiting() == {payout.id: "waits_for_lines"}
    [waiting] = waiting_objects(desk.connection)
    assert (waiting.object_id, waiting.kind, waiting.is_settled) == (payout.id, "payout", True)

    desk.take(days=4)
    found = find_payout(desk.connection, payout.id, desk.now)
    assert found is not None
    assert (found.difference_minor, found.state) == (960, "differs")
    assert desk.balances() == {
        "cash:clearing": payout.amount_minor,
        "cash:stripe": 1000,
        "cash:unmatched": -960,
        "fees:stripe": 7 + 25,
    }
    assert left_minor(desk.connection) == 1000


def test_lines_that_come_late_are_taken_with_the_payout(desk: PayoutDesk) -> None:
    desk.charge(1000)
    desk.charge(500)
    payout = desk.account.pay_out()
    lines = desk.account.paid[payout.id]
    desk.account.paid[payout.id] = lines[1:]
    desk.take()
    desk.account.paid[payout.id] = [lines[0], *lines]
    desk.take(days=1)

    assert desk.balances() == {"cash:clearing": payout.amount_minor, "fees:stripe": 72}
    check(desk)


def test_a_payment_that_is_told_of_after_its_payout_is_looked_up(desk: PayoutDesk) -> None:
    desk.account.after = _lose
    wish(desk.connection, RequestKind.COLLECT, 1000, desk.now, key="collect:lost")
    desk.run()
    desk.account.after = lambda _name, _key: None
    [intent] = desk.account.objects
    charge = desk.account.intent(intent).charge_id or ""
    assert find_movement(desk.connection, STRIPE, MoneyKind.RECEIVED, charge) is None

    payout = desk.pay_out()
    received = find_movement(desk.connection, STRIPE, MoneyKind.RECEIVED, charge)
    assert received is not None
    assert received.about == "collect:lost"
    assert desk.waiting() == {}
    assert line_rules(desk.connection) == {"payment": 1}
    assert desk.balances() == {"cash:clearing": payout.amount_minor, "fees:stripe": 40}


def _lose(name: str, _key: str) -> None:
    if name == "take":
        raise UnansweredError(reason="lost", said="nobody heard it")


def test_a_refund_made_by_hand_of_a_payment_of_ours_is_taken_before_its_payout(
    desk: PayoutDesk,
) -> None:
    intent = desk.charge(1000)
    by_hand = RefundState("re_hand", intent.id, RefundStatus.DONE, 300, "EUR", desk.now)
    desk.account.objects[by_hand.id] = by_hand
    desk.account.line("refund", -300, by_hand.id)
    payout = desk.pay_out()

    assert desk.balances() == {"cash:clearing": payout.amount_minor, "fees:stripe": 40}
    assert line_rules(desk.connection) == {"payment": 1, "refund": 1}
    desk.account.tell(PaymentObjectKind.REFUND, by_hand.id)
    desk.take()
    assert left_minor(desk.connection) == 0


def test_a_dispute_told_of_after_its_payout_is_looked_at_before(desk: PayoutDesk) -> None:
    dispute = desk.account.dispute(desk.charge(1000), 1000)
    desk.account.told.clear()
    payout = desk.pay_out()

    assert payout.amount_minor == -40 - 1500
    assert desk.balances() == {
        "cash:clearing": payout.amount_minor,
        "disputes:stripe": 1000,
        "fees:stripe": 1540,
    }
    # What comes back of it, and is told of after the next one.
    lost = desk.account.settle(dispute, is_won=False)
    desk.take()
    desk.account.told.clear()
    desk.account.settle(lost, is_won=True, given_back=1000)
    desk.account.told.clear()
    desk.now += timedelta(days=1)
    desk.account.at = desk.now - timedelta(hours=1)
    desk.account.unpaid[0] = desk.account.unpaid[0]._replace(created_at=desk.account.at)
    desk.pay_out()
    assert "cash:unmatched" not in desk.balances()
    assert desk.balances()["cash:clearing"] == payout.amount_minor + 1000
    assert line_rules(desk.connection) == {"dispute": 2, "payment": 1}


def test_what_was_held_and_not_captured_is_taken_back_of_the_line_of_its_payment(
    desk: PayoutDesk,
) -> None:
    charge = desk.charge(2000).charge_id
    [line] = desk.account.unpaid
    desk.account.unpaid = [line._replace(amount_minor=5000, net_minor=5000 - line.fee_minor)]
    rest = desk.account.line(PARTIAL_CAPTURE_REVERSAL, -3000, "re_rest")
    desk.account.unpaid[-1] = rest._replace(charge_id=charge)
    check(desk)
    payout = desk.pay_out()

    assert payout.amount_minor == 2000 - 55
    assert desk.balances() == {"cash:clearing": 1945, "fees:stripe": 55}
    assert line_rules(desk.connection) == {"payment": 1, "reversed": 1}
    found = find_payout(desk.connection, payout.id, desk.now)
    assert found is not None
    assert (found.charges_minor, found.refunds_minor, found.other_minor) == (2000, 0, 0)
    assert [each for each in compare_payouts(desk.connection) if each.kept != each.again] == []
    check(desk)


@pytest.mark.parametrize(("taken_back", "missing"), [(-3100, 100), (-2900, -100)])
def test_what_is_taken_back_of_a_payment_and_is_not_what_was_held_is_named(
    desk: PayoutDesk, taken_back: int, missing: int
) -> None:
    charge = desk.charge(2000).charge_id
    [line] = desk.account.unpaid
    desk.account.unpaid = [line._replace(amount_minor=5000, net_minor=5000 - line.fee_minor)]
    rest = desk.account.line(PARTIAL_CAPTURE_REVERSAL, taken_back, "re_rest")
    desk.account.unpaid[-1] = rest._replace(charge_id=charge)
    desk.pay_out()

    assert desk.balances()["cash:unmatched"] == missing
    assert "cash:stripe" not in desk.balances()
    assert [each for each in compare_payouts(desk.connection) if each.kept != each.again] == []


def test_a_debit_that_bounced_and_was_never_booked_cancels_itself_out(desk: PayoutDesk) -> None:
    desk.charge(1000)
    desk.account.line("payment", 700, "py_1", fee=35)
    desk.account.line("payment_failure_refund", -700, "py_1")
    payout = desk.pay_out()

    assert payout.amount_minor == 1000 - 40 - 35
    assert desk.balances() == {"cash:clearing": payout.amount_minor, "fees:stripe": 75}
    assert line_rules(desk.connection) == {"payment": 1, "reversed": 2}
    assert [each for each in compare_payouts(desk.connection) if each.kept != each.again] == []


@pytest.mark.parametrize("kind", ["refund_failure", "adjustment", "payment_failure_refund"])
def test_a_refund_that_comes_back_is_known_by_whatever_kind_of_line(
    desk: PayoutDesk, kind: str
) -> None:
    intent = desk.charge(1000)
    desk.refund(intent, 300)
    [refund] = [each for each in desk.account.objects.values() if isinstance(each, RefundState)]
    desk.account.fail_refund(refund)
    desk.account.unpaid[-1] = desk.account.unpaid[-1]._replace(kind=kind)
    payout = desk.pay_out()

    assert desk.balances() == {"cash:clearing": payout.amount_minor, "fees:stripe": 40}
    assert line_rules(desk.connection) == {"payment": 1, "refund": 1, "refund_failed": 1}


def test_other_money_goes_through_the_exchange(desk: PayoutDesk) -> None:
    desk.charge(5000, "SEK")
    desk.account.unpaid.clear()
    desk.account.line("charge", 440, "ch_1", fee=31)
    [intent] = [each for each in desk.account.objects if each.startswith("pi_")]
    desk.account.unpaid[0] = desk.account.unpaid[0]._replace(
        source_id=desk.account.intent(intent).charge_id
    )
    payout = desk.pay_out()

    assert desk.balances() == {
        "cash:clearing": payout.amount_minor,
        "exchange:stripe": -440,
        "fees:stripe": 31,
    }
    assert desk.balances("SEK") == {"exchange:stripe": 5000}
    assert left_minor(desk.connection, "SEK") == 0


def test_a_line_that_is_worth_more_or_less_than_what_we_booked_is_named(desk: PayoutDesk) -> None:
    desk.charge(1000)
    desk.charge(2000)
    more, less = desk.account.unpaid
    desk.account.unpaid = [
        more._replace(amount_minor=1100, net_minor=1100 - more.fee_minor),
        less._replace(amount_minor=1500, net_minor=1500 - less.fee_minor),
    ]
    payout = desk.pay_out()

    assert desk.balances() == {
        "cash:clearing": payout.amount_minor,
        "cash:stripe": 500,
        "cash:unmatched": -100,
        "fees:stripe": 40 + 55,
    }
    assert left_minor(desk.connection) == 500


def test_a_payout_that_is_told_again_and_again_is_booked_once(desk: PayoutDesk) -> None:
    desk.charge(1000)
    payout = desk.pay_out()
    before = desk.balances()
    for status in (PayoutStatus.PAID, PayoutStatus.ON_ITS_WAY):
        desk.account.objects[payout.id] = payout._replace(status=status)
        desk.account.tell(PaymentObjectKind.PAYOUT, payout.id)
        desk.take()

    assert desk.balances() == before
    assert len(movements_about(desk.connection, payout.id)) == 1


def test_many_lines_are_booked_in_as_many_groups_as_they_fill(desk: PayoutDesk) -> None:
    desk.charge(1000)
    for number in range(2_500):
        desk.account.line("stripe_fee" if number % 2 else "reserve_release", (-1) ** number)
    payout = desk.pay_out()

    assert line_rules(desk.connection) == {"fee": 1250, "payment": 1, "reserve": 1250}
    assert payout.amount_minor == 960
    assert desk.balances() == {
        "cash:clearing": 960,
        "fees:stripe": 1290,
        "reserves:stripe": -1250,
    }
