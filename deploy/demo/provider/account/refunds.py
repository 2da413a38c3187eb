"""Refunds: money that goes back, at once or later, and may come back again."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from deploy.demo.provider.account.balance import add_line
from deploy.demo.provider.account.customers import metadata_of
from deploy.demo.provider.account.store import ProviderAccount
from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.forms import integer
from deploy.demo.provider.refusals import Json, invalid, missing, unfit

_PENDING: Final = timedelta(days=3)
_REASONS: Final = {"duplicate", "fraudulent", "requested_by_customer"}
_HOLDS: Final = {"needs_response", "under_review", "lost"}


def create_refund(account: ProviderAccount, form: Json) -> Json:
    """Give back some of a payment: at most what was taken and not yet given back.

    Source: Stripe API reference, Create a refund.
    """
    charge = _charge_of(account, form)
    if form.get("reason", "duplicate") not in _REASONS:
        raise invalid(f"Invalid reason: {form['reason']}", param="reason")
    amount = _refundable(account, charge, integer(form, "amount"))
    behaviour = account.behaviour(account.objects[charge["payment_method"]])
    is_pending = behaviour.refunds == "pending" or behaviour.type != "card"
    refund = add_refund(account, charge, amount, form)
    kind = "refund" if behaviour.type == "card" else "payment_refund"
    line = add_line(account, kind, refund, -amount, charge["currency"])
    refund |= {
        "balance_transaction": line["id"],
        "status": "pending" if is_pending else "succeeded",
    }
    account.tell("refund.created", refund)
    account.tell("charge.refunded", charge)
    if behaviour.refunds == "fails" or account.faults.strikes(
        ProviderFault.REFUND_FAILS, "/v1/refunds"
    ):
        wait = timedelta(days=account.faults.refund_fails_after)
        account.later(wait, lambda: fail_refund(account, refund))
    elif is_pending:
        account.later(_PENDING, lambda: _succeed(account, refund))
    return refund


def add_refund(account: ProviderAccount, charge: Json, amount: int, form: Json) -> Json:
    """Note a refund on its charge; no money moves by that."""
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    return account.add(
        "refund",
        {
            "amount": amount,
            "balance_transaction": None,
            "charge": charge["id"],
            "currency": charge["currency"],
            "destination_details": {"type": "card", "card": {"type": "refund"}},
            "metadata": metadata_of(form),
            "payment_intent": charge["payment_intent"],
            "reason": form.get("reason"),
            "receipt_number": None,
            "source_transfer_reversal": None,
            "status": "succeeded",
            "transfer_reversal": None,
        },
        prefix="re" if charge["id"].startswith("ch_") else "pyr",
    )


def _charge_of(account: ProviderAccount, form: Json) -> Json:
    if "payment_intent" in form:
        intent = account.get("payment_intent", form["payment_intent"], "payment_intent")
        if intent["latest_charge"] is None or not intent["amount_received"]:
            message = (
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
            )
            raise unfit(message, "payment_intent_unexpected_state")
        return account.objects[intent["latest_charge"]]
    if "charge" in form:
        return account.get("charge", form["charge"], "charge")
    raise missing("payment_intent")


def _refundable(account: ProviderAccount, charge: Json, wanted: int | None) -> int:
    if any(
        each["charge"] == charge["id"] and each["status"] in _HOLDS
        for each in account.all("dispute")
        if charge["disputed"]
    ):
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise unfit(message, "charge_disputed")
    if not charge["amount_captured"]:
        raise unfit(f"Charge {charge['id']} was not captured.", "charge_not_refundable")
    rest: int = charge["amount"] - charge["amount_refunded"]
    if rest <= 0:
        raise unfit(f"Charge {charge['id']} has already been refunded.", "charge_already_refunded")
    amount = rest if wanted is None else wanted
    if amount <= 0:
        raise invalid("Invalid positive integer", param="amount")
    if amount > rest:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({rest})"
        raise unfit(message, "amount_too_large", param="amount")
    return amount


def _succeed(account: ProviderAccount, refund: Json) -> None:
    if refund["status"] == "pending":
        refund["status"] = "succeeded"
        account.tell("refund.updated", refund, {"status": "pending"})


def fail_refund(account: ProviderAccount, refund: Json) -> Json:
    """Have a refund come back, even one that was called succeeded: the money is ours again."""
    if refund["status"] not in {"pending", "succeeded"} or refund["balance_transaction"] is None:
        raise unfit("This refund cannot fail any more.", "refund_unexpected_state")
    previous = {"status": refund["status"]}
    charge = account.objects[refund["charge"]]
    is_card = charge["id"].startswith("ch_")
    kind = "refund_failure" if is_card else "payment_failure_refund"
    line = add_line(account, kind, refund, refund["amount"], refund["currency"])
    refund |= {
        "status": "failed",
        "failure_reason": "lost_or_stolen_card" if is_card else "declined",
        "failure_balance_transaction": line["id"],
    }
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    account.tell("refund.failed", refund)
    account.tell("charge.refund.updated", refund, previous)
    return refund
