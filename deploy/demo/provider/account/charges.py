"""Charges: what a payment tried at a bank, and what came of it in money."""

from __future__ import annotations

from typing import Final

from deploy.demo.provider.account.balance import add_line
from deploy.demo.provider.account.customers import method_details
from deploy.demo.provider.account.disputes import open_dispute
from deploy.demo.provider.account.store import ProviderAccount
from deploy.demo.provider.refusals import Json

_NONE: Final = dict.fromkeys(
    (
        "application",
        "application_fee",
        "application_fee_amount",
        "balance_transaction",
        "calculated_statement_descriptor",
        "failure_balance_transaction",
        "failure_code",
        "failure_message",
        "on_behalf_of",
        "receipt_email",
        "receipt_number",
        "receipt_url",
        "review",
        "shipping",
        "source_transfer",
        "statement_descriptor",
        "statement_descriptor_suffix",
        "transfer_data",
        "transfer_group",
    )
)


def add_charge(account: ProviderAccount, intent: Json, status: str, *, captured: bool) -> Json:
    """Note a try: `status` succeeded, pending or failed."""
    method = account.objects[intent["payment_method"]]
    behaviour = account.behaviour(method)
    is_card = behaviour.type == "card"
    details = method_details(behaviour)
    if is_card and not captured:
        details["capture_before"] = account.second() + int(account.terms.hold.total_seconds())
    if not is_card:
        details["mandate"] = account.mandates.get(method["id"])
    charge = account.add(
        "charge",
        {
            **_NONE,
            "amount": intent["amount"],
            "amount_captured": 0,
            "amount_refunded": 0,
            "billing_details": method["billing_details"],
            "captured": captured,
            "currency": intent["currency"],
            "customer": intent["customer"],
            "description": intent["description"],
            "disputed": False,
            "fraud_details": {},
            "metadata": dict(intent["metadata"]),
            "outcome": _outcome(status),
            "paid": status != "failed",
            "payment_intent": intent["id"],
            "payment_method": method["id"],
            "payment_method_details": {"type": behaviour.type, behaviour.type: details},
            "radar_options": {},
            "refunded": False,
            "status": status,
        },
        prefix="ch" if is_card else "py",
    )
    intent["latest_charge"] = charge["id"]
    return charge


def _outcome(status: str) -> Json:
    is_fine = status != "failed"
    return {
        "network_status": "approved_by_network" if is_fine else "declined_by_network",
        "reason": None,
        "risk_level": "normal",
        "seller_message": "Payment complete." if is_fine else "The bank declined the payment.",
        "type": "authorized" if is_fine else "issuer_declined",
    }


def fail_charge(account: ProviderAccount, charge: Json, error: Json) -> None:
    """Note with what the bank said no."""
    charge |= {
        "status": "failed",
        "paid": False,
        "captured": False,
        "failure_code": error["code"],
        "failure_message": error["message"],
        "outcome": _outcome("failed") | {"reason": error["decline_code"]},
    }
    account.tell("charge.failed", charge)


def book_charge(account: ProviderAccount, charge: Json, amount: int) -> None:
    """Have *amount* of a charge be ours, less the fee; some payers take it back at once."""
    kind = "charge" if charge["payment_method_details"]["type"] == "card" else "payment"
    fee = account.terms.fee(amount)
    line = add_line(account, kind, charge, amount, charge["currency"], fee=fee)
    charge |= {"captured": True, "amount_captured": amount, "status": "succeeded"}
    charge["balance_transaction"] = line["id"]


def dispute_at_once(account: ProviderAccount, charge: Json) -> None:
    """Have a payer whose test method says so take a payment back."""
    behaviour = account.behaviour(account.objects[charge["payment_method"]])
    if behaviour.disputes:
        is_debit = behaviour.type == "sepa_debit"
        open_dispute(
            account,
            charge,
            reason=behaviour.disputes,
            is_inquiry=behaviour.is_inquiry,
            is_final=is_debit,
        )
