"""What follows from a "no" of the payer's bank: asked again later, or asked of the customer.

| what the bank says | what we do |
|---|---|
| the card is lost, stolen, expired; the leave was withdrawn | the method is not used again |
| the payer must agree (3-D Secure) | the customer is asked; the method stays |
| anything else, such as too little money | asked again, by the policy's days |

Source: Stripe's "Decline codes"; of direct debits "SEPA Direct Debit: failed payments".
"""

from __future__ import annotations

from typing import Final

AUTHENTICATION: Final = frozenset(
    {"authentication_required", "authentication_not_handled", "needs_action"}
)
"""The payer must agree, who is not there."""
_METHOD_GONE: Final = frozenset(
    {
        "account_closed",
        "bank_account_restricted",
        "debit_not_authorized",
        "expired_card",
        "fraudulent",
        "incorrect_number",
        "invalid_account",
        "invalid_number",
        "lost_card",
        "merchant_blacklist",
        "new_account_information_available",
        "payment_method_not_available",
        "payment_method_unexpected_state",
        "pickup_card",
        "recipient_deceased",
        "resource_missing",
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "security_violation",
        "stolen_card",
        "stop_payment_order",
    }
)
"""The same would be said again; banks fine who asks all the same."""


def ends_method(reason: str) -> bool:
    """Say whether a method of which the bank says *reason* is not used again."""
    return reason in _METHOD_GONE


def asks_customer(reason: str) -> bool:
    """Say whether nothing but the customer can help where the bank says *reason*."""
    return reason in AUTHENTICATION or reason in _METHOD_GONE
