"""Disputes: a payer's bank takes a payment back, with a fee; it may be won, or lost."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from deploy.demo.provider.account.balance import add_line
from deploy.demo.provider.account.customers import metadata_of
from deploy.demo.provider.account.store import ProviderAccount
from deploy.demo.provider.refusals import Json, invalid, unfit

_ANSWER_WITHIN: Final = timedelta(days=14)
_OPEN: Final = {"needs_response", "under_review"}
_INQUIRY: Final = {"warning_needs_response", "warning_under_review"}
_METHOD: Final = {
    "type": "card",
    "card": {
        "brand": "visa",
        "case_type": "chargeback",
        "network": "visa",
        "network_reason_code": "10.4",
    },
}
_SAYS: Final = {"winning_evidence": True, "losing_evidence": False}


def open_dispute(
    account: ProviderAccount,
    charge: Json,
    *,
    amount: int | None = None,
    reason: str = "fraudulent",
    is_inquiry: bool = False,
    is_final: bool = False,
) -> Json:
    """Have a payer's bank take *amount* of a charge back; an inquiry only asks.

    `is_final`: it is lost as soon as it is there, as with direct debits.

    Raises:
        ProviderRefusalError: If that much was not taken.
    """
    taken = charge["amount_captured"]
    disputed = taken if amount is None else amount
    if not 0 < disputed <= taken:
        raise invalid(f"Of this charge {taken} can be disputed", param="amount")
    dispute = account.add(
        "dispute",
        {
            "amount": disputed,
            "balance_transactions": [],
            "charge": charge["id"],
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": {"enhanced_evidence": {}, "uncategorized_text": None},
            "evidence_details": _evidence_details(account),
            "is_charge_refundable": is_inquiry,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "payment_method_details": _METHOD,
            "reason": reason,
            "status": "warning_needs_response" if is_inquiry else "needs_response",
        },
    )
    charge["disputed"] = True
    account.tell("charge.dispute.created", dispute)
    if not is_inquiry:
        _withdraw(account, dispute)
    if is_final:
        settle_dispute(account, dispute, is_won=False)
    return dispute


def _evidence_details(account: ProviderAccount) -> Json:
    return {
        "due_by": account.second() + int(_ANSWER_WITHIN.total_seconds()),
        "enhanced_eligibility": {},
        "has_evidence": False,
        "past_due": False,
        "submission_count": 0,
    }


def _withdraw(account: ProviderAccount, dispute: Json) -> None:
    line = add_line(
        account,
        "adjustment",
        dispute,
        -dispute["amount"],
        dispute["currency"],
        fee=account.terms.dispute_fee,
    )
    dispute["balance_transactions"].append(dict(line))
    account.tell("charge.dispute.funds_withdrawn", dispute)


def escalate(account: ProviderAccount, dispute: Json) -> Json:
    """Have the bank of an inquiry take the money after all."""
    if dispute["status"] not in _INQUIRY:
        raise unfit("This dispute is no inquiry.", "dispute_unexpected_state")
    dispute |= {"status": "needs_response", "is_charge_refundable": False}
    _withdraw(account, dispute)
    account.tell("charge.dispute.updated", dispute, {"status": "warning_needs_response"})
    return dispute


def settle_dispute(account: ProviderAccount, dispute: Json, *, is_won: bool) -> Json:
    """End a dispute: won, the money comes back, and the fee where the terms say so."""
    if dispute["status"] in _INQUIRY:
        dispute["status"] = "warning_closed"
        account.tell("charge.dispute.closed", dispute)
        return dispute
    if dispute["status"] not in _OPEN:
        raise unfit("This dispute is already closed.", "dispute_already_closed")
    dispute["status"] = "won" if is_won else "lost"
    if is_won:
        back = account.terms.gives_dispute_fee_back
        line = add_line(
            account,
            "adjustment",
            dispute,
            dispute["amount"],
            dispute["currency"],
            fee=-account.terms.dispute_fee if back else 0,
            category="dispute_reversal",
        )
        dispute["balance_transactions"].append(dict(line))
        account.objects[dispute["charge"]]["disputed"] = True
    account.tell("charge.dispute.closed", dispute)
    if is_won:
        account.tell("charge.dispute.funds_reinstated", dispute)
    return dispute


def answer_dispute(account: ProviderAccount, dispute: Json, form: Json) -> Json:
    """Take evidence; test evidence ends the dispute as it says."""
    if dispute["status"] not in _OPEN | _INQUIRY:
        raise unfit("This dispute is already closed.", "dispute_already_closed")
    dispute["metadata"] |= metadata_of(form)
    text = form.get("evidence", {}).get("uncategorized_text")
    if text is not None:
        dispute["evidence"]["uncategorized_text"] = text
        dispute["evidence_details"] |= {"has_evidence": True, "submission_count": 1}
        dispute["status"] = "under_review" if dispute["status"] in _OPEN else "warning_under_review"
        account.tell("charge.dispute.updated", dispute, {"evidence": {"uncategorized_text": None}})
    if text in _SAYS:
        settle_dispute(account, dispute, is_won=_SAYS[text])
    return dispute
