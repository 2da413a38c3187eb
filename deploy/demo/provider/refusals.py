"""What the provider says no with: bodies as Stripe's API reference has them (Errors)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from deploy.errors import DeployError

Json = dict[str, Any]
BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
CARD_ERROR: Final = 402
NOT_FOUND: Final = 404
CONFLICT: Final = 409
THROTTLED: Final = 429
BROKEN: Final = 500
_OWN_CODE: Final = {
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "This transaction requires authentication.",
    "payment_intent_authentication_failure": "The payer did not agree.",
    "setup_intent_authentication_failure": "The customer did not agree.",
}
_SAID: Final = {"insufficient_funds": "Your card has insufficient funds."}


class ProviderRefusalError(DeployError):
    """An answer that is an error. `is_kept`: the same idempotency key hears it again."""

    def __init__(self, status: int, error: Json, *, is_kept: bool = False) -> None:
        super().__init__(str(error.get("message", "")))
        self.status, self.error, self.is_kept = status, error, is_kept


def invalid(message: str, *, code: str = "", param: str = "") -> ProviderRefusalError:
    """Return how parameters are refused: before anything is done."""
    error = {"type": "invalid_request_error", "message": message}
    error |= {"code": code} if code else {}
    return ProviderRefusalError(BAD_REQUEST, error | ({"param": param} if param else {}))


def missing(param: str) -> ProviderRefusalError:
    """Return how a request is refused that lacks *param*."""
    return invalid(f"Missing required param: {param}.", code="parameter_missing", param=param)


def no_such(kind: str, object_id: str, param: str = "id") -> ProviderRefusalError:
    """Return how an id is refused that is nobody's; 404 where it stands in the address."""
    refused = invalid(f"No such {kind}: '{object_id}'", code="resource_missing", param=param)
    if param == "id":
        refused.status = NOT_FOUND
    return refused


def unfit(message: str, code: str, **told: object) -> ProviderRefusalError:
    """Return how a request is refused that does not fit how things stand."""
    error = {"type": "invalid_request_error", "message": message, "code": code, **told}
    return ProviderRefusalError(BAD_REQUEST, error, is_kept=True)


def decline(decline_code: str) -> Json:
    """Return what a bank's no looks like, without what it is about."""
    code = decline_code if decline_code in _OWN_CODE else "card_declined"
    message = _OWN_CODE.get(code) or _SAID.get(decline_code, "Your card was declined.")
    error = {"type": "card_error", "code": code, "message": message}
    error["doc_url"] = f"https://docs.stripe.com/error-codes/{code.replace('_', '-')}"
    return error | {"decline_code": decline_code}


def declined(error: Mapping[str, Any], **told: object) -> ProviderRefusalError:
    """Return how a payment is refused by *error*, with what it is about."""
    return ProviderRefusalError(CARD_ERROR, {**error, **told}, is_kept=True)
