"""A key that a provider forgot and took once more: both payments are booked, and looked at once."""

from __future__ import annotations

from ledger.payments.provider import PaymentObjectKind
from ledger.payments.requests import RequestState, find_request
from tests.ledger.payments.payouts.payout_desk import PayoutDesk


def test_a_second_payment_of_one_request_is_booked_beside_the_first(desk: PayoutDesk) -> None:
    first = desk.charge(1000)
    second = first._replace(id="pi_second", charge_id="ch_second")
    desk.account.objects[second.id] = second
    desk.account.line("charge", 1000, second.charge_id, fee=40)
    desk.account.tell(PaymentObjectKind.INTENT, second.id)
    asked = len(desk.account.calls)
    desk.take()

    assert len(desk.account.calls) - asked == 1
    assert desk.balances() == {"cash:stripe": 2000}
    request = find_request(desk.connection, first.request_key)
    assert request is not None
    assert (request.state, request.object_id) == (RequestState.DONE, first.id)
    payout = desk.pay_out()
    assert desk.balances() == {"cash:clearing": payout.amount_minor, "fees:stripe": 80}
