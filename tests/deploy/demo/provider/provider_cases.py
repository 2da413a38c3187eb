"""What a provider does when it is asked through Stripe's own library: one suite, whoever answers.

`localstripe` is what the package of that name can do of it: where not, the case fails there, and
the suite says so, so that this table cannot grow old.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import pytest
import stripe
from stripe import StripeClient

LooseApi = Any
"""Stripe's client, and what it answers: the library's types know less of either than its pages."""


class ProviderCase(NamedTuple):
    """A sentence, what it means in calls, and whether `localstripe` does it."""

    sentence: str
    run: Callable[[LooseApi], None]
    localstripe: bool = True


def client_of(url: str, key: str = "sk_test_fake") -> LooseApi:
    """Return Stripe's client, asking *url*, once each time."""
    return StripeClient(key, base_addresses={"api": url}, max_network_retries=0)


def body_of(error: stripe.StripeError) -> LooseApi:
    """Return what an error's body says."""
    return error.json_body


def kept_method(client: LooseApi, token: str = "pm_card_visa") -> tuple[str, str]:
    """Return a new customer and its payment method."""
    customer = client.v1.customers.create({"metadata": {"wattledger_key": "customer:1"}})
    method = client.v1.payment_methods.attach(token, {"customer": customer.id})
    return customer.id, method.id


def take(client: LooseApi, token: str = "pm_card_visa", **more: LooseApi) -> LooseApi:
    """Return a payment of 12.34 EUR, tried while its payer is away."""
    customer, method = kept_method(client, token)
    asked = {"amount": 1234, "currency": "eur", "customer": customer, "payment_method": method}
    asked |= {"confirm": True, "off_session": True, "payment_method_types": ["card"]}
    return client.v1.payment_intents.create(asked | more)


def charge_of(client: LooseApi, intent: stripe.PaymentIntent) -> LooseApi:
    """Return the charge of a payment, which some providers show when asked."""
    found = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert isinstance(found.latest_charge, stripe.Charge)
    return found.latest_charge


def hold(client: LooseApi, **more: LooseApi) -> LooseApi:
    """Return a hold of 12.34 EUR."""
    return take(client, capture_method="manual", **more)


def a_customer_keeps_our_key(client: LooseApi) -> None:
    made = client.v1.customers.create({"metadata": {"wattledger_key": "customer:1"}})

    found = client.v1.customers.retrieve(made.id)
    assert found.metadata.to_dict() == {"wattledger_key": "customer:1"}
    assert (found.object, found.livemode) == ("customer", False)


def a_list_comes_in_pages(client: LooseApi) -> None:
    made = [client.v1.customers.create({}).id for _ in range(3)]

    page = client.v1.customers.list({"limit": 2})
    rest = client.v1.customers.list({"limit": 100, "starting_after": page.data[-1].id})
    assert [each.id for each in page.data] == made[:0:-1]
    assert page.has_more
    assert rest.data[0].id == made[0]


def a_token_becomes_a_method_of_its_own(client: LooseApi) -> None:
    customer, method = kept_method(client)

    assert method != "pm_card_visa"
    found = client.v1.payment_methods.list({"customer": customer, "type": "card"})
    assert [each.id for each in found.data] == [method]


def a_declined_card_is_not_kept(client: LooseApi) -> None:
    with pytest.raises(stripe.CardError) as said:
        kept_method(client, "pm_card_visa_chargeDeclined")

    assert said.value.code == "card_declined"


def a_payment_is_taken_while_its_payer_is_away(client: LooseApi) -> None:
    made = take(client)

    assert made.status == "succeeded"
    assert charge_of(client, made).captured


def what_was_taken_is_told(client: LooseApi) -> None:
    assert take(client).amount_received == 1234


def a_decline_says_why_and_of_which_payment(client: LooseApi) -> None:
    with pytest.raises(stripe.CardError) as said:
        take(client, "pm_card_chargeCustomerFail")

    told = body_of(said.value)["error"]
    assert (told["code"], told.get("decline_code")) == ("card_declined", "generic_decline")
    assert told["payment_intent"]["status"] == "requires_payment_method"


def a_decline_raises(client: LooseApi) -> None:
    with pytest.raises(stripe.CardError):
        take(client, "pm_card_chargeCustomerFail")


def a_payment_asks_its_payer(client: LooseApi) -> None:
    made = client.v1.payment_intents.create(
        {"amount": 500, "currency": "eur", "payment_method": "pm_card_threeDSecure2Required"}
        | {"confirm": True, "payment_method_types": ["card"]}
    )

    assert (made.status, made.next_action is None) == ("requires_action", False)


def a_payer_who_is_away_cannot_be_asked(client: LooseApi) -> None:
    with pytest.raises(stripe.CardError) as said:
        take(client, "pm_card_authenticationRequired")

    assert said.value.code == "authentication_required"


def a_payment_waits_for_a_method(client: LooseApi) -> None:
    made = client.v1.payment_intents.create({"amount": 500, "currency": "eur"})

    assert made.status == "requires_payment_method"
    assert made.client_secret.startswith(f"{made.id}_secret_")


def a_hold_can_be_captured_in_part(client: LooseApi) -> None:
    held = hold(client)
    assert held.status == "requires_capture"

    client.v1.payment_intents.capture(held.id, {"amount_to_capture": 700})

    charge = charge_of(client, held)
    assert client.v1.payment_intents.retrieve(held.id).status == "succeeded"
    assert (charge.captured, charge.amount, charge.amount_refunded) == (True, 1234, 534)


def no_more_is_captured_than_is_held(client: LooseApi) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.capture(hold(client).id, {"amount_to_capture": 1235})


def a_hold_is_captured_once(client: LooseApi) -> None:
    held = hold(client)
    client.v1.payment_intents.capture(held.id)

    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.capture(held.id)


def a_hold_can_be_let_go(client: LooseApi) -> None:
    held = hold(client)

    assert client.v1.payment_intents.cancel(held.id).status == "canceled"


def what_is_taken_cannot_be_let_go(client: LooseApi) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.payment_intents.cancel(take(client).id)


def a_hold_can_be_raised(client: LooseApi) -> None:
    asked = {"card": {"request_incremental_authorization": "if_available"}}
    held = hold(client, payment_method_options=asked)

    raised = client.v1.payment_intents.increment_authorization(held.id, {"amount": 2000})

    assert (raised.amount, raised.amount_capturable) == (2000, 2000)


def a_customer_gives_leave(client: LooseApi) -> None:
    customer = client.v1.customers.create({})
    asked = {"customer": customer.id, "payment_method_types": ["card"]}
    made = client.v1.setup_intents.create(asked)
    assert (made.status, made.usage) == ("requires_payment_method", "off_session")


def a_leave_is_given_at_once(client: LooseApi) -> None:
    customer = client.v1.customers.create({})

    made = client.v1.setup_intents.create(
        {"customer": customer.id, "payment_method": "pm_card_visa", "confirm": True}
    )

    method = client.v1.payment_methods.retrieve(str(made.payment_method))
    assert (made.status, method.customer) == ("succeeded", customer.id)


def a_debit_takes_days(client: LooseApi) -> None:
    customer = client.v1.customers.create({})
    agreed = {"customer_acceptance": {"type": "offline"}}
    leave = client.v1.setup_intents.create(
        {"customer": customer.id, "payment_method": "pm_success_de", "confirm": True}
        | {"payment_method_types": ["sepa_debit"], "mandate_data": agreed}
    )

    made = client.v1.payment_intents.create(
        {"amount": 1234, "currency": "eur", "customer": customer.id, "confirm": True}
        | {"payment_method": str(leave.payment_method), "off_session": True}
        | {"payment_method_types": ["sepa_debit"]}
    )

    assert made.status == "processing"
    assert charge_of(client, made).status == "pending"


def a_payment_is_refunded_in_parts(client: LooseApi) -> None:
    made = take(client)

    first = client.v1.refunds.create({"payment_intent": made.id, "amount": 1000})

    assert (first.status, first.amount) == ("succeeded", 1000)
    client.v1.refunds.create({"payment_intent": made.id})
    assert charge_of(client, made).refunded


def no_more_is_refunded_than_was_taken(client: LooseApi) -> None:
    made = take(client)
    client.v1.refunds.create({"payment_intent": made.id, "amount": 1000})

    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": made.id, "amount": 235})


def a_charge_shows_its_line_of_the_balance(client: LooseApi) -> None:
    made = take(client, expand=["latest_charge.balance_transaction"])

    line = made.latest_charge.balance_transaction
    assert (line.amount, line.fee, line.net) == (1234, 44, 1190)


def a_charge_is_shown_in_place_of_its_id(client: LooseApi) -> None:
    made = take(client)

    found = client.v1.payment_intents.retrieve(made.id, {"expand": ["latest_charge"]})
    assert found.latest_charge.amount == 1234


def the_same_key_hears_the_same(client: LooseApi) -> None:
    asked = {"amount": 500, "currency": "eur"}

    first = client.v1.payment_intents.create(asked, {"idempotency_key": "once"})
    again = client.v1.payment_intents.create(asked, {"idempotency_key": "once"})

    assert first.id == again.id


def a_key_goes_with_its_question(client: LooseApi) -> None:
    asked = {"amount": 500, "currency": "eur"}
    client.v1.payment_intents.create(asked, {"idempotency_key": "one question"})

    with pytest.raises(stripe.IdempotencyError):
        client.v1.payment_intents.create(
            asked | {"amount": 501}, {"idempotency_key": "one question"}
        )


def what_is_not_there_is_said_so(client: LooseApi) -> None:
    with pytest.raises(stripe.InvalidRequestError) as said:
        client.v1.payment_intents.retrieve("pi_nobody")

    assert said.value.http_status == 404


def what_is_missing_has_a_code(client: LooseApi) -> None:
    with pytest.raises(stripe.InvalidRequestError) as said:
        client.v1.payment_intents.retrieve("pi_nobody")

    assert said.value.code == "resource_missing"


def an_unknown_parameter_is_refused(client: LooseApi) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.refunds.create({"payment_intent": take(client).id, "amonut": 5})


def payments_are_listed_by_when_they_were_made(client: LooseApi) -> None:
    made = take(client)

    since = client.v1.payment_intents.list({"created": {"gte": made.created}})
    after = client.v1.payment_intents.list({"created": {"gt": made.created + 60}})
    assert made.id in {each.id for each in since.data}
    assert after.data == []


def events_are_listed_by_type(client: LooseApi) -> None:
    made = take(client)

    found = client.v1.events.list({"types": ["payment_intent.succeeded"], "limit": 1})
    assert [each.data.object["id"] for each in found.data] == [made.id]


def a_small_amount_is_not_taken(client: LooseApi) -> None:
    with pytest.raises(stripe.InvalidRequestError) as said:
        client.v1.payment_intents.create({"amount": 49, "currency": "eur"})

    assert said.value.code == "amount_too_small"


def disputes_and_payouts_are_listed(client: LooseApi) -> None:
    assert client.v1.disputes.list({"limit": 100}).data == []
    assert client.v1.payouts.list({"limit": 100, "created": {"gte": 1}}).data == []


def a_card_number_is_refused(client: LooseApi) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.raw_request(
            "post",
            "/v1/payment_methods",
            type="card",
            card={"number": "4242424242424242", "exp_month": 12, "exp_year": 2034, "cvc": "123"},
        )


def who_has_no_key_is_not_answered(client: LooseApi) -> None:
    with pytest.raises(stripe.AuthenticationError):
        client.v1.customers.list({}, {"api_key": "nonsense"})


_BOTH: Final = (
    a_declined_card_is_not_kept,
    a_customer_keeps_our_key,
    a_token_becomes_a_method_of_its_own,
    a_payment_is_taken_while_its_payer_is_away,
    a_decline_raises,
    a_payment_waits_for_a_method,
    a_hold_can_be_captured_in_part,
    no_more_is_captured_than_is_held,
    a_hold_is_captured_once,
    a_hold_can_be_let_go,
    what_is_taken_cannot_be_let_go,
    a_customer_gives_leave,
    a_payment_is_refunded_in_parts,
    a_charge_is_shown_in_place_of_its_id,
    what_is_not_there_is_said_so,
    an_unknown_parameter_is_refused,
    who_has_no_key_is_not_answered,
)
_FAKE_ONLY: Final = (
    a_list_comes_in_pages,
    no_more_is_refunded_than_was_taken,
    what_was_taken_is_told,
    a_decline_says_why_and_of_which_payment,
    a_payment_asks_its_payer,
    a_payer_who_is_away_cannot_be_asked,
    a_hold_can_be_raised,
    a_leave_is_given_at_once,
    a_debit_takes_days,
    a_charge_shows_its_line_of_the_balance,
    the_same_key_hears_the_same,
    a_key_goes_with_its_question,
    what_is_missing_has_a_code,
    payments_are_listed_by_when_they_were_made,
    events_are_listed_by_type,
    a_small_amount_is_not_taken,
    disputes_and_payouts_are_listed,
    a_card_number_is_refused,
)
CASES: Final = tuple(
    ProviderCase(run.__name__.replace("_", " "), run, localstripe)
    for group, localstripe in ((_BOTH, True), (_FAKE_ONLY, False))
    for run in group
)
