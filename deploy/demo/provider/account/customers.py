"""Customers, their payment methods, and the leave to charge them while they are away."""

from __future__ import annotations

from typing import Final

from deploy.demo.provider.account.methods import TOKENS, Asks, Behaviour
from deploy.demo.provider.account.store import ProviderAccount
from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.forms import is_true, needed
from deploy.demo.provider.refusals import (
    Json,
    ProviderRefusalError,
    decline,
    declined,
    invalid,
    missing,
    no_such,
    unfit,
)

_ADDRESS: Final = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_CARD_EXPIRES: Final = 2034
_NOTES_MAX: Final = 50
_NOTE_NAME_MAX: Final = 40
_NOTE_MAX: Final = 500
_CONFIRMABLE: Final = {"requires_payment_method", "requires_confirmation", "requires_action"}


def metadata_of(form: Json) -> Json:
    """Return what the caller notes on an object.

    Raises:
        ProviderRefusalError: If it is too much: 50 of 500 characters each, named by 40.
    """
    noted: Json = dict(form.get("metadata", {}))
    if len(noted) > _NOTES_MAX or any(
        len(name) > _NOTE_NAME_MAX or len(value) > _NOTE_MAX for name, value in noted.items()
    ):
        raise invalid("Metadata is too long.", param="metadata")
    return noted


def create_customer(account: ProviderAccount, form: Json) -> Json:
    """Make a customer."""
    fields: Json = {name: form.get(name) for name in ("description", "email", "name", "phone")}
    fields |= {"address": None, "balance": 0, "delinquent": False, "default_source": None}
    fields |= {"invoice_settings": {"default_payment_method": None}, "metadata": metadata_of(form)}
    made = account.add("customer", fields)
    account.tell("customer.created", made)
    if "payment_method" in form:
        attach(account, form["payment_method"], made["id"])
    return made


def update(account: ProviderAccount, found: Json, form: Json) -> Json:
    """Change what may be changed of a customer or an intent; metadata is merged."""
    found["metadata"] = {
        name: value for name, value in (found["metadata"] | metadata_of(form)).items() if value
    }
    found |= {name: form[name] for name in ("description", "email", "name") if name in form}
    if found["object"] == "customer":
        account.tell("customer.updated", found, {})
    return found


def find_method(account: ProviderAccount, said: str, param: str = "payment_method") -> Json:
    """Return the payment method *said*; a test token becomes a new one.

    Raises:
        ProviderRefusalError: If it is neither.
    """
    behaviour = TOKENS.get(said)
    if behaviour is None:
        found = account.objects.get(said)
        if found is None or found["object"] != "payment_method":
            raise no_such("PaymentMethod", said, param)
        return found
    return make_method(account, behaviour)


def make_method(account: ProviderAccount, behaviour: Behaviour) -> Json:
    """Make a payment method that behaves so."""
    details = {"address": dict(_ADDRESS), "email": None, "name": None, "phone": None}
    made = account.add(
        "payment_method",
        {
            "allow_redisplay": "unspecified",
            "billing_details": details | {"tax_id": None},
            "customer": None,
            "metadata": {},
            "type": behaviour.type,
            behaviour.type: method_details(behaviour),
        },
    )
    account.behaviours[made["id"]] = behaviour
    return made


def method_details(behaviour: Behaviour) -> Json:
    """Return what a payment method shows of itself."""
    shown: Json = {
        "country": behaviour.country,
        "fingerprint": f"fake{behaviour.last4}{behaviour.country}",
        "last4": behaviour.last4,
    }
    if behaviour.type == "sepa_debit":
        return shown | {"bank_code": "37040044", "branch_code": "", "generated_from": None}
    checks = ("address_line1_check", "address_postal_code_check", "cvc_check")
    return shown | {
        "brand": behaviour.brand,
        "checks": dict.fromkeys(checks),
        "exp_month": 12,
        "exp_year": _CARD_EXPIRES,
        "funding": "credit",
        "networks": {"available": [behaviour.brand], "preferred": None},
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def attach(account: ProviderAccount, said: str, customer_id: str) -> Json:
    """Keep a payment method for a customer."""
    customer = account.get("customer", customer_id, "customer")
    method = find_method(account, said)
    if method["customer"] not in {None, customer["id"]}:
        raise invalid("The payment method you provided has already been attached to a customer.")
    _refuse_by_bank(account, method)
    if method["customer"] is None:
        method["customer"] = customer["id"]
        account.tell("payment_method.attached", method)
    return method


def detach(account: ProviderAccount, method: Json) -> Json:
    """Have a payment method be no customer's; it cannot be used again."""
    if method["customer"] is None:
        raise invalid("The payment method you provided is not attached to a customer.")
    previous = {"customer": method["customer"]}
    method["customer"] = None
    account.behaviours[method["id"]] = account.behaviour(method)._replace(
        declines="generic_decline"
    )
    account.tell("payment_method.detached", method, previous)
    return method


def _refuse_by_bank(account: ProviderAccount, method: Json) -> None:
    behaviour = account.behaviour(method)
    if behaviour.refuses_customer:
        raise declined(decline(behaviour.declines), payment_method=method)


def create_setup(account: ProviderAccount, form: Json) -> Json:
    """Begin to ask a customer for leave to be charged; `confirm` asks at once."""
    if "customer" in form:
        account.get("customer", form["customer"], "customer")
    method = find_method(account, form["payment_method"]) if "payment_method" in form else None
    fields: Json = {
        "application": None,
        "automatic_payment_methods": None,
        "cancellation_reason": None,
        "customer": form.get("customer"),
        "description": form.get("description"),
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "mandate": None,
        "metadata": metadata_of(form),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": method and method["id"],
        "payment_method_options": {},
        "payment_method_types": form.get("payment_method_types") or ["card"],
        "single_use_mandate": None,
        "status": "requires_confirmation" if method else "requires_payment_method",
        "usage": form.get("usage", "off_session"),
    }
    made = account.add("setup_intent", fields)
    made["client_secret"] = f"{made['id']}_secret_fake"
    account.tell("setup_intent.created", made)
    return confirm_setup(account, made, form) if is_true(form, "confirm") else made


def confirm_setup(
    account: ProviderAccount, setup: Json, form: Json, *, is_device: bool = False
) -> Json:
    """Ask for the leave by what is known; the payer's own device agrees to a mandate by itself."""
    if setup["status"] not in _CONFIRMABLE:
        raise _unfit_setup(setup)
    if "payment_method" in form:
        setup["payment_method"] = find_method(account, form["payment_method"])["id"]
    if setup["payment_method"] is None:
        raise missing("payment_method")
    method = account.objects[setup["payment_method"]]
    if method["type"] not in setup["payment_method_types"]:
        raise invalid(f"The PaymentMethod provided ({method['type']}) is not allowed here.")
    if method["type"] == "sepa_debit" and not is_device and "mandate_data" not in form:
        raise missing("mandate_data")
    behaviour = account.behaviour(method)
    if behaviour.refuses_customer or account.faults.strikes(
        ProviderFault.DECLINED, "/v1/setup_intents"
    ):
        raise fail_setup(account, setup, behaviour.declines or account.faults.decline_code)
    if behaviour.asks is not Asks.NEVER:
        setup["status"] = "requires_action"
        setup["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": {}}
        account.tell("setup_intent.requires_action", setup)
        return setup
    return finish_setup(account, setup)


def fail_setup(account: ProviderAccount, setup: Json, code: str) -> ProviderRefusalError:
    """Note that a bank said no, and return how that is told."""
    method = account.objects[setup["payment_method"]]
    error = decline(code)
    setup |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "next_action": None,
        "last_setup_error": error | {"payment_method": method},
    }
    account.tell("setup_intent.setup_failed", setup)
    return declined(error, setup_intent=dict(setup), payment_method=method)


def hear_customer(account: ProviderAccount, setup: Json, *, agrees: bool) -> Json:
    """Go on with what the customer told the bank (3-D Secure)."""
    if setup["status"] != "requires_action":
        raise _unfit_setup(setup)
    if agrees:
        return finish_setup(account, setup)
    fail_setup(account, setup, "setup_intent_authentication_failure")
    return setup


def finish_setup(account: ProviderAccount, setup: Json) -> Json:
    """Have the leave hold: the method is the customer's, and is not asked for again."""
    method = account.objects[setup["payment_method"]]
    if setup["customer"] is not None:
        attach(account, method["id"], setup["customer"])
    behaviour = account.behaviour(method)
    if behaviour.asks is Asks.UNLESS_SET_UP:
        account.behaviours[method["id"]] = behaviour._replace(asks=Asks.NEVER)
    if method["type"] == "sepa_debit":
        setup["mandate"] = make_mandate(account, method)["id"]
    setup |= {"status": "succeeded", "next_action": None, "last_setup_error": None}
    account.tell("setup_intent.succeeded", setup)
    return setup


def make_mandate(account: ProviderAccount, method: Json) -> Json:
    """Keep what a payer of direct debits agreed to."""
    acceptance = {"accepted_at": account.second(), "offline": {}, "type": "offline"}
    mandate = account.add(
        "mandate",
        {
            "customer_acceptance": acceptance,
            "multi_use": {},
            "payment_method": method["id"],
            "payment_method_details": {"type": method["type"], method["type"]: {}},
            "status": "active",
            "type": "multi_use",
        },
    )
    reference = {"reference": f"FAKE{mandate['id'][-10:]}", "url": "https://fake.invalid/mandate"}
    mandate["payment_method_details"][method["type"]] = reference
    account.mandates[method["id"]] = mandate["id"]
    return mandate


def cancel_setup(account: ProviderAccount, setup: Json, form: Json) -> Json:
    """End to ask."""
    if setup["status"] not in _CONFIRMABLE:
        raise _unfit_setup(setup)
    setup |= {"status": "canceled", "cancellation_reason": form.get("cancellation_reason")}
    account.tell("setup_intent.canceled", setup)
    return setup


def _unfit_setup(setup: Json) -> ProviderRefusalError:
    message = f"This SetupIntent has a status of {setup['status']}, which does not allow that."
    return unfit(message, "setup_intent_unexpected_state", setup_intent=dict(setup))


def of_customer(account: ProviderAccount, form: Json) -> dict[str, str | frozenset[str]]:
    """Return by what a customer's payment methods are listed."""
    account.get("customer", needed(form, "customer"), "customer")
    return {"customer": form["customer"]} | ({"type": form["type"]} if "type" in form else {})
