"""What Stripe is asked, and what its objects mean to us, over real HTTP."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ledger.payments.provider import (
    DeclinedError,
    IntentState,
    IntentStatus,
    PaymentObjectKind,
    PaymentWay,
    RefundState,
    RefundStatus,
    RefusedRequestError,
    SetupState,
    WantedIntent,
)
from tests.ledger.payments.stripe.scripted_stripe import Scripted, intent, refusal, scripted_stripe

_AT = datetime(2026, 3, 31, 10, tzinfo=UTC)
_WANTED = WantedIntent("collect:2026-1:1", 3000, "EUR", "Invoice 2026-1", "cus_1", "pm_1")


def test_a_payment_while_the_customer_is_away() -> None:
    with scripted_stripe() as (server, provider):
        server.says(Scripted(200, intent()))
        made = provider.take(_WANTED._replace(way=PaymentWay.CARD))
        assert made == IntentState(
            "pi_1",
            IntentStatus.TAKEN,
            3000,
            "EUR",
            _AT,
            taken_minor=3000,
            request_key="collect:2026-1:1",
            customer_id="cus_1",
            method_id="pm_1",
            way=PaymentWay.CARD,
            charge_id="ch_1",
            client_secret="pi_1_secret_x",
        )
        assert "secret" not in repr(made)
        [asked] = server.heard
        assert (asked.method, asked.path) == ("POST", "/v1/payment_intents")
        assert asked.form == {
            "amount": "3000",
            "confirm": "true",
            "currency": "eur",
            "customer": "cus_1",
            "description": "Invoice 2026-1",
            "metadata[wattledger_key]": "collect:2026-1:1",
            "off_session": "true",
            "payment_method": "pm_1",
            "payment_method_types[0]": "card",
        }


def test_money_is_put_aside_for_whoever_has_the_secret() -> None:
    with scripted_stripe() as (server, provider):
        waiting = intent(
            status="requires_payment_method", amount_received=0, customer=None, payment_method=None
        )
        server.says(Scripted(200, waiting))
        made = provider.take(WantedIntent("hold:1", 3000, "EUR", "Visit 1", holds=True))
        assert (made.status, made.held_minor) == (IntentStatus.NEEDS_METHOD, 0)
        form = server.heard[0].form
        assert form["capture_method"] == "manual"
        assert not {"confirm", "customer", "off_session", "payment_method"} & form.keys()


_WAYS = [
    (_WANTED._replace(way=PaymentWay.SEPA_DEBIT), ["sepa_debit"]),
    (_WANTED, ["card", "sepa_debit"]),
    (_WANTED._replace(currency="CHF"), ["card"]),
    (_WANTED._replace(holds=True), ["card"]),
]


def test_each_way_is_asked_for_by_its_name() -> None:
    with scripted_stripe() as (server, provider):
        for wanted, ways in _WAYS:
            server.says(Scripted(200, intent(payment_method_types=ways)))
            made = provider.take(wanted)
            form = server.heard[-1].form
            assert [form[key] for key in sorted(form) if key.startswith("payment_method_t")] == ways
            assert made.way == (ways[0] if len(ways) == 1 else None)


_STATUSES: list[tuple[dict[str, object], IntentStatus, str]] = [
    ({"status": "requires_confirmation"}, IntentStatus.NEEDS_METHOD, ""),
    ({"status": "requires_action"}, IntentStatus.NEEDS_ACTION, ""),
    ({"status": "processing"}, IntentStatus.PROCESSING, ""),
    ({"status": "requires_capture"}, IntentStatus.HELD, ""),
    ({"status": "canceled", "cancellation_reason": "expired"}, IntentStatus.CANCELED, "expired"),
    (
        {
            "status": "requires_payment_method",
            "last_payment_error": {"code": "card_declined", "decline_code": "stolen_card"},
        },
        IntentStatus.NEEDS_METHOD,
        "stolen_card",
    ),
    (
        {
            "status": "requires_payment_method",
            "last_payment_error": {"code": "authentication_required"},
        },
        IntentStatus.NEEDS_METHOD,
        "authentication_required",
    ),
]


def test_each_status_of_a_payment_has_a_meaning() -> None:
    with scripted_stripe() as (server, provider):
        for fields, status, reason in _STATUSES:
            server.says(Scripted(200, intent(**fields)))
            found = provider.look_up(PaymentObjectKind.INTENT, "pi_1")
            assert isinstance(found, IntentState)
            assert (found.status, found.reason) == (status, reason)


def test_a_decline_says_why_and_how_the_payment_stands() -> None:
    with scripted_stripe() as (server, provider):
        failed = intent(status="requires_payment_method", amount_received=0)
        error = refusal("card_error", code="card_declined", decline_code="do_not_honor")
        error["error"] |= {"payment_intent": failed}  # type: ignore[operator]
        server.says(Scripted(402, error))
        with pytest.raises(DeclinedError) as caught:
            provider.take(_WANTED)
        assert caught.value.reason == "do_not_honor"
        assert caught.value.state is not None
        assert caught.value.state.status is IntentStatus.NEEDS_METHOD
        # Said again much later, when the payer has meanwhile paid by another card.
        server.says(Scripted(402, error, {"Idempotent-Replayed": "true"}), Scripted(200, intent()))
        with pytest.raises(DeclinedError) as caught:
            provider.take(_WANTED)
        assert caught.value.state is not None
        assert caught.value.state.status is IntentStatus.TAKEN


def test_an_answer_that_was_kept_is_looked_at_anew() -> None:
    with scripted_stripe() as (server, provider):
        then = intent(status="processing", amount_received=0)
        server.says(Scripted(200, then, {"Idempotent-Replayed": "true"}), Scripted(200, intent()))
        assert provider.take(_WANTED).status is IntentStatus.TAKEN


def test_what_was_done_before_is_not_done_again() -> None:
    with scripted_stripe() as (server, provider):
        server.says(Scripted(200, intent(amount_received=2000)))
        assert provider.capture("capture:1", "pi_1", 2000).taken_minor == 2000
        server.says(Scripted(200, intent(status="canceled", amount_received=0)))
        assert provider.cancel("release:1", "pi_1").status is IntentStatus.CANCELED
        held = intent(status="requires_capture", amount_received=0, amount_capturable=5000)
        server.says(Scripted(200, held))
        assert provider.raise_hold("raise:1", "pi_1", 5000).held_minor == 5000
        assert {each.method for each in server.heard} == {"GET"}


def test_a_hold_is_raised_taken_and_let_go() -> None:
    held = intent(status="requires_capture", amount_received=0, amount_capturable=3000)
    more = held | {"amount": 5000, "amount_capturable": 5000}
    with scripted_stripe() as (server, provider):
        server.says(Scripted(200, held), Scripted(200, more))
        assert provider.raise_hold("raise:1", "pi_1", 5000).held_minor == 5000
        assert server.heard[-1].path == "/v1/payment_intents/pi_1/increment_authorization"
        assert server.heard[-1].form == {"amount": "5000"}
        declined = refusal("card_error", code="card_declined", decline_code="generic_decline")
        server.says(Scripted(200, held), Scripted(402, declined))
        with pytest.raises(RefusedRequestError, match="generic_decline"):
            provider.raise_hold("raise:2", "pi_1", 6000)
        server.says(Scripted(200, more), Scripted(200, intent(amount_received=4321)))
        assert provider.capture("capture:1", "pi_1", 4321).taken_minor == 4321
        assert server.heard[-1].form == {"amount_to_capture": "4321"}
        server.says(Scripted(200, held), Scripted(200, intent(status="canceled")))
        assert provider.cancel("release:1", "pi_1").status is IntentStatus.CANCELED
        assert server.heard[-1].path == "/v1/payment_intents/pi_1/cancel"


def test_leave_to_charge_somebody_who_is_away() -> None:
    setup = {
        "id": "seti_1",
        "client_secret": "seti_1_secret_x",
        "customer": "cus_1",
        "last_setup_error": None,
        "metadata": {"wattledger_key": "setup:1"},
        "payment_method": "pm_1",
        "payment_method_types": ["sepa_debit"],
        "status": "succeeded",
    }
    with scripted_stripe() as (server, provider):
        server.says(Scripted(200, setup))
        made = provider.set_up("setup:1", "cus_1", PaymentWay.SEPA_DEBIT, "pm_1")
        assert made == SetupState(
            "seti_1", True, "cus_1", "pm_1", PaymentWay.SEPA_DEBIT, "setup:1", "", "seti_1_secret_x"
        )
        assert "secret" not in repr(made)
        form = server.heard[0].form
        assert form["mandate_data[customer_acceptance][type]"] == "offline"
        server.says(Scripted(200, setup | {"status": "requires_payment_method"}))
        assert not provider.set_up("setup:2", "cus_1", PaymentWay.CARD, None).is_ready
        assert "confirm" not in server.heard[1].form
        error = refusal("card_error", code="card_declined", decline_code="lost_card")
        error["error"] |= {"setup_intent": setup | {"status": "requires_payment_method"}}  # type: ignore[operator]
        server.says(Scripted(402, error))
        refused = provider.set_up("setup:3", "cus_1", PaymentWay.CARD, "pm_2")
        assert (refused.is_ready, refused.reason) == (False, "lost_card")


_REFUND: dict[str, object] = {
    "id": "re_1",
    "amount": 500,
    "balance_transaction": "txn_1",
    "created": 1774951200,
    "currency": "isk",
    "failure_reason": None,
    "metadata": {"wattledger_key": "refund:1"},
    "payment_intent": "pi_1",
    "status": "succeeded",
}


def test_a_refund_has_the_currency_of_its_payment() -> None:
    with scripted_stripe() as (server, provider):
        paid = intent(currency="isk", amount=1000, amount_received=1000)
        server.says(Scripted(200, paid), Scripted(200, _REFUND))
        made = provider.refund("refund:1", "pi_1", 5)
        assert made == RefundState(
            "re_1", "pi_1", RefundStatus.DONE, 5, "ISK", _AT, request_key="refund:1"
        )
        assert server.heard[-1].form == {
            "amount": "500",
            "metadata[wattledger_key]": "refund:1",
            "payment_intent": "pi_1",
        }
        failed = {"status": "failed", "failure_reason": "expired_or_canceled_card"}
        server.says(Scripted(200, _REFUND | failed))
        found = provider.look_up(PaymentObjectKind.REFUND, "re_1")
        assert isinstance(found, RefundState)
        assert (found.status, found.reason) == (RefundStatus.FAILED, "expired_or_canceled_card")
