"""Test payment methods, and how each behaves.

Source: docs.stripe.com/testing (PaymentMethods) and the test accounts of its pages on SEPA debits.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Asks(StrEnum):
    """When a bank wants to hear it from the payer."""

    NEVER = "never"
    UNLESS_SET_UP = "unless_set_up"
    ALWAYS = "always"


class Behaviour(NamedTuple):
    """How a payment method behaves. `declines`: with which code, once charged.

    `refuses_customer`: it already says no where it is to be kept for a customer. `disputes`: the
    reason with which its payer takes a payment back. `refunds`: "pending" or "fails" at first.
    """

    type: str = "card"
    brand: str = "visa"
    last4: str = "4242"
    country: str = "DE"
    declines: str = ""
    refuses_customer: bool = False
    asks: Asks = Asks.NEVER
    disputes: str = ""
    is_inquiry: bool = False
    refunds: str = ""


PLAIN: Final = Behaviour()
_SEPA: Final = Behaviour(type="sepa_debit", brand="", last4="3000")
_BRANDS: Final = {
    "visa": ("visa", "4242"),
    "visa_debit": ("visa", "5556"),
    "mastercard": ("mastercard", "4444"),
    "mastercard_debit": ("mastercard", "8210"),
    "mastercard_prepaid": ("mastercard", "5100"),
    "amex": ("amex", "8431"),
    "discover": ("discover", "9424"),
    "diners": ("diners", "3237"),
    "jcb": ("jcb", "0000"),
    "unionpay": ("unionpay", "0005"),
}
_COUNTRIES: Final = ("at", "be", "ch", "cz", "de", "dk", "es", "fr", "gb", "it", "nl", "pl", "se")
_DECLINED: Final = {
    "chargeDeclined": "generic_decline",
    "chargeDeclinedInsufficientFunds": "insufficient_funds",
    "chargeDeclinedLostCard": "lost_card",
    "chargeDeclinedStolenCard": "stolen_card",
    "chargeDeclinedExpiredCard": "expired_card",
    "chargeDeclinedIncorrectCvc": "incorrect_cvc",
    "chargeDeclinedProcessingError": "processing_error",
    "chargeDeclinedVelocityLimitExceeded": "card_velocity_exceeded",
    "chargeDeclinedFraudulent": "fraudulent",
}
_AUTHENTICATED: Final = {
    "authenticationRequired": Behaviour(asks=Asks.ALWAYS, last4="3184"),
    "authenticationRequiredOnSetup": Behaviour(asks=Asks.UNLESS_SET_UP, last4="3155"),
    "authenticationRequiredSetupForOffSession": Behaviour(last4="0446"),
    "authenticationRequiredChargeDeclinedInsufficientFunds": Behaviour(
        asks=Asks.ALWAYS, last4="3178", declines="insufficient_funds"
    ),
    "threeDSecure2Required": Behaviour(asks=Asks.ALWAYS, last4="3220"),
    "threeDSecureRequired": Behaviour(asks=Asks.ALWAYS, last4="3063"),
    "threeDSecureRequiredChargeDeclined": Behaviour(
        asks=Asks.ALWAYS, last4="1629", declines="generic_decline"
    ),
    "threeDSecureOptional": Behaviour(last4="3055"),
}
_LATER: Final = {
    "chargeCustomerFail": Behaviour(declines="generic_decline", last4="0341"),
    "createDispute": Behaviour(disputes="fraudulent", last4="0259"),
    "createDisputeProductNotReceived": Behaviour(disputes="product_not_received", last4="2685"),
    "createDisputeInquiry": Behaviour(disputes="fraudulent", is_inquiry=True, last4="1976"),
    "pendingRefund": Behaviour(refunds="pending", last4="7726"),
    "refundFail": Behaviour(refunds="fails", last4="5126"),
    "bypassPending": Behaviour(last4="0077"),
}
_DEBITS: Final = {
    "success": _SEPA,
    "failed": _SEPA._replace(declines="insufficient_funds", last4="3001"),
    "disputed": _SEPA._replace(disputes="debit_not_authorized", last4="3002"),
}


def _tokens() -> dict[str, Behaviour]:
    made = {
        f"pm_card_{name}": Behaviour(brand=brand, last4=last4)
        for name, (brand, last4) in _BRANDS.items()
    }
    made |= {f"pm_card_{each}": Behaviour(country=each.upper()) for each in _COUNTRIES}
    for name, code in _DECLINED.items():
        said_no = Behaviour(declines=code, refuses_customer=True, last4="0002")
        made |= {f"pm_card_{name}": said_no, f"pm_card_visa_{name}": said_no}
    made |= {f"pm_card_{name}": each for name, each in (_AUTHENTICATED | _LATER).items()}
    for name, each in _DEBITS.items():
        made |= {
            f"pm_{name}_{country}": each._replace(country=country.upper()) for country in _COUNTRIES
        }
    return made | {"pm_sepaDebit": _SEPA}


TOKENS: Final = _tokens()
"""Test methods by their names; one that is named becomes a payment method of its own."""
