"""Disputes, payouts, lists and events of Stripe's, over real HTTP."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from ledger.payments.provider import (
    DisputeState,
    DisputeStatus,
    EventNotice,
    IntentState,
    PaymentObjectKind,
    PayoutState,
    PayoutStatus,
    RefusedRequestError,
    UnansweredError,
)
from tests.ledger.payments.stripe.scripted_stripe import Scripted, intent, refusal, scripted_stripe

_AT = datetime(2026, 3, 31, 10, tzinfo=UTC)


def _page(*found: object, more: bool = False) -> Scripted:
    return Scripted(200, {"object": "list", "data": list(found), "has_more": more})


def _moved(amount: int, fee: int, currency: str = "eur") -> dict[str, object]:
    return {
        "id": "txn_1",
        "type": "adjustment",
        "amount": amount,
        "fee": fee,
        "net": amount - fee,
        "currency": currency,
        "created": 1774951200,
        "source": "du_1",
    }


_TAKEN = _moved(-3000, 1500)
_DISPUTES: list[tuple[str, list[dict[str, object]], DisputeStatus, tuple[int, int, int]]] = [
    ("warning_needs_response", [], DisputeStatus.INQUIRY, (0, 0, 0)),
    ("needs_response", [_TAKEN], DisputeStatus.OPEN, (3000, 1500, 0)),
    ("under_review", [_TAKEN], DisputeStatus.OPEN, (3000, 1500, 0)),
    ("lost", [_TAKEN], DisputeStatus.LOST, (3000, 1500, 0)),
    ("won", [_TAKEN, _moved(3000, 0)], DisputeStatus.WON, (3000, 1500, 3000)),
    ("won", [_TAKEN, _moved(3000, -1500)], DisputeStatus.WON, (3000, 1500, 4500)),
    ("won", [], DisputeStatus.WON, (0, 0, 0)),
    ("appeal_needs_response", [_TAKEN], DisputeStatus.LOST, (3000, 1500, 0)),
    ("appeal_under_review", [_TAKEN], DisputeStatus.LOST, (3000, 1500, 0)),
    ("prevented", [], DisputeStatus.INQUIRY, (0, 0, 0)),
    ("prevented", [_TAKEN], DisputeStatus.LOST, (3000, 1500, 0)),
    ("lost", [_moved(-2800, 1400, "chf")], DisputeStatus.LOST, (3000, 0, 0)),
]


def test_a_dispute_says_what_was_taken_for_it() -> None:
    dispute = {
        "id": "du_1",
        "amount": 3000,
        "created": 1774951200,
        "currency": "eur",
        "payment_intent": "pi_1",
        "reason": "fraudulent",
    }
    with scripted_stripe() as (server, provider):
        for status, lines, stands, moved in _DISPUTES:
            server.says(Scripted(200, dispute | {"status": status, "balance_transactions": lines}))
            found = provider.look_up(PaymentObjectKind.DISPUTE, "du_1")
            assert found == DisputeState(
                "du_1", "pi_1", stands, 3000, "EUR", _AT, *moved, reason="fraudulent"
            ), status


def _payout(named: str) -> dict[str, object]:
    return {
        "id": named,
        "amount": 7000,
        "arrival_date": 1775088000,
        "created": 1774951200,
        "currency": "eur",
        "failure_code": None,
        "status": "in_transit",
    }


def test_payouts_and_what_they_consist_of_come_in_pages() -> None:
    payout = _payout("po_1")
    with scripted_stripe() as (server, provider):
        server.says(_page(payout, more=True), _page(payout | {"id": "po_0", "status": "paid"}))
        first, second = provider.payouts(_AT)
        arrives = date(2026, 4, 2)
        assert first == PayoutState("po_1", PayoutStatus.ON_ITS_WAY, 7000, "EUR", _AT, arrives)
        assert (second.id, second.status) == ("po_0", PayoutStatus.PAID)
        assert server.heard[0].form == {"limit": "100", "created[gte]": "1774951200"}
        assert server.heard[1].form["starting_after"] == "po_1"
        lines = [_moved(3000, 70) | {"id": f"txn_{number}"} for number in range(150)]
        server.says(_page(*lines[:100], more=True), _page(*lines[100:]))
        found = provider.balance_lines("po_1")
        assert next(found).net_minor == 2930
        assert len(server.heard) == 3  # the next page is asked for when it is wanted
        assert len(list(found)) == 149
        assert server.heard[-1].form["payout"] == "po_1"


def test_a_page_that_leads_back_to_itself_ends() -> None:
    with scripted_stripe() as (server, provider):
        server.says(_page(_moved(1, 0), more=True), _page(_moved(1, 0), more=True))
        with pytest.raises(UnansweredError):
            list(provider.balance_lines("po_1"))
        for page in ({"data": None}, {"data": [5], "has_more": True}, {}):
            server.says(Scripted(200, page))
            with pytest.raises(UnansweredError):
                list(provider.balance_lines("po_1"))


def test_what_bears_our_key_is_found_on_any_page() -> None:
    with scripted_stripe() as (server, provider):
        others = [intent(id=f"pi_{number}", metadata={}) for number in range(3)]
        server.says(_page(*others, more=True), _page(intent()))
        found = provider.find(PaymentObjectKind.INTENT, "collect:2026-1:1", _AT)
        assert isinstance(found, IntentState)
        assert found.id == "pi_1"
        since = int((_AT - timedelta(days=1)).timestamp())
        assert server.heard[0].form["created[gte]"] == str(since)
        server.says(_page(*others))
        assert provider.find(PaymentObjectKind.INTENT, "collect:2026-1:1", _AT) is None
        assert provider.find(PaymentObjectKind.PAYOUT, "collect:2026-1:1", _AT) is None


def test_what_there_is_not_is_none() -> None:
    gone = Scripted(404, refusal("invalid_request_error", code="resource_missing"))
    with scripted_stripe() as (server, provider):
        server.says(gone, gone, gone)
        assert provider.look_up(PaymentObjectKind.REFUND, "re_0") is None
        assert provider.intent_of_charge("ch_0") is None
        with pytest.raises(RefusedRequestError, match="pi_0"):
            provider.capture("capture:1", "pi_0", 5)
        # Ids stand in paths.
        assert provider.look_up(PaymentObjectKind.REFUND, "../customers/cus_1") is None
        assert provider.intent_of_charge("ch_1?expand[]=customer") is None
        assert len(server.heard) == 3
        server.says(Scripted(200, {"id": "ch_1", "payment_intent": "pi_1"}))
        assert provider.intent_of_charge("ch_1") == "pi_1"


def _event(number: int, kind: str, about: dict[str, object]) -> dict[str, object]:
    return {
        "id": f"evt_{number}",
        "object": "event",
        "type": kind,
        "created": 1774951200 + number,
        "livemode": False,
        "data": {"object": about},
    }


def test_events_tell_of_objects_that_we_know() -> None:
    with scripted_stripe() as (server, provider):
        server.says(
            _page(
                _event(2, "payout.paid", {"object": "payout", "id": "po_1", "amount": 5}),
                _event(1, "payment_intent.succeeded", intent()),
                _event(0, "balance.available", {"object": "balance"}),
            )
        )
        at = [_AT + timedelta(seconds=each) for each in range(3)]
        assert list(provider.events(_AT)) == [
            EventNotice("evt_2", PaymentObjectKind.PAYOUT, "po_1", at[2]),
            EventNotice("evt_1", PaymentObjectKind.INTENT, "pi_1", at[1]),
            EventNotice("evt_0", None, "", at[0]),
        ]
        types = [key for key in server.heard[0].form if key.startswith("types")]
        assert 0 < len(types) <= 20


def test_what_cannot_be_read_keeps_nobody_from_hearing_of_the_others() -> None:
    events = [_event(number, "payment_intent.succeeded", intent()) for number in range(3)]
    payouts = [_payout(f"po_{number}") for number in range(3)]
    with scripted_stripe() as (server, provider):
        server.says(_page(events[0], events[1] | {"data": None}, {"id": 7}, events[2]))
        assert [each.event_id for each in provider.events(_AT)] == ["evt_0", "evt_2"]
        odd = payouts[1] | {"status": "on_the_moon"}
        server.says(_page(payouts[0], odd, payouts[1] | {"currency": "xts"}, payouts[2]))
        assert [each.id for each in provider.payouts(_AT)] == ["po_0", "po_2"]
