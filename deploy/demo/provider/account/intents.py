"""PaymentIntents: made, confirmed, held, taken, let go.

Source: Stripe API reference, PaymentIntents; docs.stripe.com/payments/place-a-hold-on-a-payment-
method.
"""

from __future__ import annotations

from typing import Final

from deploy.demo.provider.account.charges import (
    add_charge,
    book_charge,
    dispute_at_once,
    fail_charge,
)
from deploy.demo.provider.account.customers import (
    attach,
    find_method,
    make_mandate,
    metadata_of,
)
from deploy.demo.provider.account.methods import Asks, Behaviour
from deploy.demo.provider.account.refunds import add_refund
from deploy.demo.provider.account.store import ProviderAccount
from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.forms import integer, is_true, needed, needed_integer
from deploy.demo.provider.refusals import (
    Json,
    ProviderRefusalError,
    decline,
    declined,
    invalid,
    missing,
    unfit,
)

AMOUNT_MAX: Final = 99_999_999
_AMOUNT_MIN: Final = {
    "eur": 50,
    "usd": 50,
    "chf": 50,
    "gbp": 30,
    "dkk": 250,
    "nok": 300,
    "sek": 300,
    "pln": 200,
    "czk": 1500,
    "huf": 17500,
    "jpy": 50,
    "ron": 200,
    "bgn": 100,
}
_CONFIRMABLE: Final = {"requires_payment_method", "requires_confirmation", "requires_action"}
_CANCELABLE: Final = {*_CONFIRMABLE, "requires_capture"}
_CANCEL_REASONS: Final = {"duplicate", "fraudulent", "requested_by_customer", "abandoned"}
_NONE: Final = dict.fromkeys(
    (
        "application",
        "application_fee_amount",
        "canceled_at",
        "cancellation_reason",
        "last_payment_error",
        "latest_charge",
        "next_action",
        "on_behalf_of",
        "processing",
        "receipt_email",
        "review",
        "shipping",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_data",
        "transfer_group",
    )
)


def create_intent(account: ProviderAccount, form: Json) -> Json:
    """Make a payment; `confirm` tries it at once."""
    currency = needed(form, "currency").lower()
    amount = _amount(needed_integer(form, "amount"), currency)
    customer = account.get("customer", form["customer"], "customer") if "customer" in form else None
    if is_true(form, "off_session") and not is_true(form, "confirm"):
        raise invalid("off_session can only be used with confirm=true", param="off_session")
    method = _method(account, form, customer) if "payment_method" in form else None
    types = form.get("payment_method_types") or ["card"]
    if method is not None and method["type"] not in types:
        raise _wrong_type(method)
    intent = account.add(
        "payment_intent",
        {
            **_NONE,
            "amount": amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "automatic_payment_methods": None,
            "capture_method": form.get("capture_method", "automatic_async"),
            "confirmation_method": form.get("confirmation_method", "automatic"),
            "currency": currency,
            "customer": customer and customer["id"],
            "description": form.get("description"),
            "metadata": metadata_of(form),
            "payment_method": method and method["id"],
            "payment_method_options": form.get("payment_method_options", {}),
            "payment_method_types": types,
            "setup_future_usage": form.get("setup_future_usage"),
            "status": "requires_confirmation" if method else "requires_payment_method",
        },
    )
    intent["client_secret"] = f"{intent['id']}_secret_fake"
    account.tell("payment_intent.created", intent)
    if is_true(form, "confirm"):
        confirm_intent(account, intent, form)
    return intent


def _amount(amount: int, currency: str) -> int:
    if amount < 1:
        raise invalid("This value must be greater than or equal to 1.", param="amount")
    if amount < (least := _AMOUNT_MIN.get(currency, 1)):
        message = f"Amount must be at least {least} in the smallest unit of {currency}"
        raise invalid(message, code="amount_too_small", param="amount")
    if amount > AMOUNT_MAX:
        message = f"Amount must be no more than {AMOUNT_MAX}"
        raise invalid(message, code="amount_too_large", param="amount")
    return amount


def _method(account: ProviderAccount, form: Json, customer: Json | None) -> Json:
    method = find_method(account, form["payment_method"])
    owner = method["customer"]
    if owner is not None and (customer is None or customer["id"] != owner):
        raise invalid(
            "The PaymentMethod you provided belongs to a Customer: name it with `customer`.",
            param="payment_method",
        )
    return method


def _wrong_type(method: Json) -> ProviderRefusalError:
    message = (
        f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent."
    )
    return invalid(message, code="payment_intent_invalid_parameter", param="payment_method")


def confirm_intent(
    account: ProviderAccount, intent: Json, form: Json, *, is_device: bool = False
) -> Json:
    """Try a payment by what is known of its payer.

    Raises:
        ProviderRefusalError: If the bank says no, or wants to hear it from a payer who is away.
    """
    if intent["status"] not in _CONFIRMABLE:
        raise _unfit(intent, "confirm")
    if "payment_method" in form:
        customer = account.objects.get(intent["customer"] or "")
        intent["payment_method"] = _method(account, form, customer)["id"]
    if intent["payment_method"] is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise unfit(message, "payment_intent_unexpected_state", payment_intent=dict(intent))
    method = account.objects[intent["payment_method"]]
    if method["type"] not in intent["payment_method_types"]:
        raise _wrong_type(method)
    behaviour = account.behaviour(method)
    intent["last_payment_error"] = intent["next_action"] = None
    if account.faults.strikes(ProviderFault.DECLINED, "/v1/payment_intents"):
        raise fail_intent(account, intent, account.faults.decline_code)
    asked = account.faults.strikes(ProviderFault.ASKS_PAYER, "/v1/payment_intents")
    if asked or _asks(behaviour, method):
        if is_true(form, "off_session"):
            raise fail_intent(account, intent, "authentication_required")
        intent["status"] = "requires_action"
        intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
        account.tell("payment_intent.requires_action", intent)
        return intent
    if behaviour.type == "sepa_debit":
        return _begin_debit(account, intent, form, has_agreed=is_device)
    return charge_intent(account, intent)


def _asks(behaviour: Behaviour, method: Json) -> bool:
    return behaviour.asks is Asks.ALWAYS or (
        behaviour.asks is Asks.UNLESS_SET_UP and method["type"] == "card"
    )


def charge_intent(account: ProviderAccount, intent: Json) -> Json:
    """Have the bank decide, now that nobody is to be asked any more."""
    behaviour = account.behaviour(account.objects[intent["payment_method"]])
    intent["next_action"] = None
    if behaviour.declines:
        raise fail_intent(account, intent, behaviour.declines)
    holds = intent["capture_method"] == "manual"
    charge = add_charge(account, intent, "succeeded", captured=not holds)
    if intent["setup_future_usage"] is not None and intent["customer"] is not None:
        attach(account, intent["payment_method"], intent["customer"])
    if holds:
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        account.tell("charge.succeeded", charge)
        account.tell("payment_intent.amount_capturable_updated", intent)
        account.later(account.terms.hold, lambda: expire_hold(account, intent))
        return intent
    _take(account, intent, charge, intent["amount"], "charge.succeeded")
    return intent


def hear_payer(account: ProviderAccount, intent: Json, *, agrees: bool) -> Json:
    """Go on with what the payer told the bank (3-D Secure).

    Raises:
        ProviderRefusalError: If the bank says no after all.
    """
    if intent["status"] != "requires_action":
        raise _unfit(intent, "authenticate")
    if agrees:
        return charge_intent(account, intent)
    fail_intent(account, intent, "payment_intent_authentication_failure")
    return intent


def _take(account: ProviderAccount, intent: Json, charge: Json, amount: int, event: str) -> None:
    book_charge(account, charge, amount)
    intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
    intent["processing"] = None
    account.tell(event, charge)
    account.tell("payment_intent.succeeded", intent)
    dispute_at_once(account, charge)


def fail_intent(
    account: ProviderAccount, intent: Json, code: str, charge: Json | None = None
) -> ProviderRefusalError:
    """Note that the bank said no with *code*, and return how that is told."""
    error = decline(code)
    method = account.objects[intent["payment_method"]]
    tried = charge or add_charge(account, intent, "failed", captured=False)
    error["charge"] = tried["id"]
    fail_charge(account, tried, error)
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "processing": None,
        "last_payment_error": error | {"payment_method": method},
    }
    account.tell("payment_intent.payment_failed", intent)
    return declined(error, payment_intent=dict(intent), payment_method=method)


def _begin_debit(account: ProviderAccount, intent: Json, form: Json, *, has_agreed: bool) -> Json:
    method = account.objects[intent["payment_method"]]
    if intent["currency"] != "eur":
        raise invalid("SEPA debits are in eur only.", param="currency")
    if intent["capture_method"] == "manual":
        raise invalid("The payment method type does not support manual capture.")
    if method["id"] not in account.mandates:
        if not has_agreed and "mandate_data" not in form:
            raise missing("mandate_data")
        make_mandate(account, method)
    charge = add_charge(account, intent, "pending", captured=True)
    intent |= {"status": "processing", "processing": {"type": "sepa_debit"}}
    account.tell("charge.pending", charge)
    account.tell("payment_intent.processing", intent)
    account.later(account.terms.debit, lambda: _end_debit(account, intent, charge))
    return intent


def _end_debit(account: ProviderAccount, intent: Json, charge: Json) -> None:
    """Have a debit succeed or fail, days after it was asked for."""
    behaviour = account.behaviour(account.objects[charge["payment_method"]])
    if intent["status"] != "processing":
        return
    if behaviour.declines:
        fail_intent(account, intent, behaviour.declines, charge)
        return
    _take(account, intent, charge, intent["amount"], "charge.succeeded")


def capture_intent(account: ProviderAccount, intent: Json, form: Json) -> Json:
    """Take at most what is held, and let go of the rest."""
    if intent["status"] != "requires_capture":
        raise _unfit(intent, "capture")
    held = intent["amount_capturable"]
    wanted = integer(form, "amount_to_capture")
    amount = held if wanted is None else wanted
    if amount < 1:
        raise invalid("Invalid positive integer", param="amount_to_capture")
    if amount > held:
        message = f"The requested capture amount ({amount}) is greater than what is held ({held})."
        raise unfit(message, "amount_too_large", param="amount_to_capture")
    charge = account.objects[intent["latest_charge"]]
    _take(account, intent, charge, amount, "charge.captured")
    if amount < held:
        _release(account, charge, held - amount)
    return intent


def _release(account: ProviderAccount, charge: Json, amount: int) -> None:
    """Show what is let go of as Stripe does: a refund that moves no money."""
    refund = add_refund(account, charge, amount, {})
    account.tell("refund.created", refund)
    account.tell("charge.refunded", charge)


def cancel_intent(account: ProviderAccount, intent: Json, form: Json) -> Json:
    """End a payment, and let go of what is held."""
    if intent["status"] not in _CANCELABLE:
        raise _unfit(intent, "cancel")
    reason = form.get("cancellation_reason")
    if reason is not None and reason not in _CANCEL_REASONS:
        raise invalid(f"Invalid cancellation_reason: {reason}", param="cancellation_reason")
    return _end(account, intent, reason)


def _end(account: ProviderAccount, intent: Json, reason: str | None) -> Json:
    held = intent["amount_capturable"]
    intent |= {
        "status": "canceled",
        "canceled_at": account.second(),
        "cancellation_reason": reason,
        "amount_capturable": 0,
        "next_action": None,
    }
    if held:
        _release(account, account.objects[intent["latest_charge"]], held)
    account.tell("payment_intent.canceled", intent)
    return intent


def expire_hold(account: ProviderAccount, intent: Json) -> None:
    """Have a bank let go of what it holds, by itself: after some days, or before."""
    if intent["status"] == "requires_capture":
        account.tell("charge.expired", account.objects[intent["latest_charge"]])
        _end(account, intent, "automatic")


def raise_intent(account: ProviderAccount, intent: Json, form: Json) -> Json:
    """Have more held in all; refused, as much is held as was.

    Source: Stripe API reference, Increment an authorization.
    """
    if intent["status"] != "requires_capture":
        raise _unfit(intent, "increment")
    options = intent["payment_method_options"].get("card", {})
    if options.get("request_incremental_authorization") != "if_available":
        message = "This PaymentIntent is not eligible for incremental authorization."
        raise unfit(message, "payment_intent_unexpected_state", payment_intent=dict(intent))
    amount = _amount(needed_integer(form, "amount"), intent["currency"])
    if amount <= intent["amount"]:
        raise invalid("The amount must be greater than what is held.", param="amount")
    if account.faults.strikes(ProviderFault.RAISE_DECLINED, "/v1/payment_intents"):
        raise declined(decline(account.faults.decline_code), payment_intent=dict(intent))
    intent |= {"amount": amount, "amount_capturable": amount}
    account.objects[intent["latest_charge"]]["amount"] = amount
    account.tell("payment_intent.amount_capturable_updated", intent)
    return intent


def _unfit(intent: Json, act: str) -> ProviderRefusalError:
    message = f"You cannot {act} this PaymentIntent because it has a status of {intent['status']}."
    return unfit(message, "payment_intent_unexpected_state", payment_intent=dict(intent))
