"""Calls of Stripe's API: the library's client, its errors in the words of our port.

| Stripe | ours |
|---|---|
| no answer, 5xx, an answer that cannot be read | `UnansweredError` |
| 429; 409, the key is being worked on | `ThrottledError` |
| 401, 403: our key is wrong, or has not the right | `ThrottledError`: no effect, and later it may |
| 402 with a card error | `DeclinedError` with the bank's code |
| a key with other parameters than before | `RefusedRequestError` `key_reused` |
| any other 4xx | `RefusedRequestError` |

What Stripe writes is in none of them: it may quote what it was sent. `Request-Id` leads to it.

Source: Stripe's API reference, "Errors", "Idempotent requests".
"""

from __future__ import annotations

import hashlib
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import stripe

from ledger.payments.provider import (
    DeclinedError,
    ProviderError,
    RefusedRequestError,
    ThrottledError,
    UnansweredError,
)
from ledger.payments.stripe.connections import KeptConnections

API_VERSION: Final = "2026-10-28.endive"
"""Which shapes are read: the library's own, pinned, so that neither it nor the account moves it."""
STRIPE_URL: Final = "https://api.stripe.com"
PAGE: Final = 100
_PLAIN_KEY: Final = re.compile(r"[!-~]{1,255}")
_OBJECT_ID: Final = re.compile(r"[A-Za-z0-9_]{1,255}")
_CODE: Final = re.compile(r"[a-z][a-z0-9_.\[\]]{0,99}")

_FINAL: Final = frozenset(range(400, 500)) - {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.FAILED_DEPENDENCY,
}
_ALWAYS: Final[
    Sequence[tuple[type[stripe.StripeError], Callable[[str, str], ProviderError], str, str]]
] = (
    (stripe.APIConnectionError, UnansweredError, "unreachable", "Stripe does not answer"),
    (stripe.RateLimitError, ThrottledError, "", "Stripe is asked too much"),
    (
        stripe.AuthenticationError,
        ThrottledError,
        "key_refused",
        "Stripe does not know our key, set WATTLEDGER_STRIPE_KEY right",
    ),
    (
        stripe.PermissionError,
        ThrottledError,
        "key_not_permitted",
        "our key for Stripe lacks the right to do this",
    ),
    (
        stripe.IdempotencyError,
        RefusedRequestError,
        "key_reused",
        "Stripe was asked something else under this key before",
    ),
)
"""Errors that mean one thing, with their reason; "": Stripe's own code."""
_OF_OUR_KEY: Final = ("key_refused", "key_not_permitted")

# It would tell a home folder's file and our machine, and print bodies where a variable says so.
stripe.enable_telemetry = False
stripe._util.STRIPE_LOG = None  # noqa: SLF001 - read once, at import, and nowhere else to be set
logging.getLogger("stripe").setLevel(logging.WARNING)


class StripeAnswer(NamedTuple):
    """What Stripe answered; `is_replayed`: long ago, to the same key, and kept since then."""

    data: Mapping[str, Any]
    is_replayed: bool


class ProviderOutcome(StrEnum):
    """What came of a call."""

    DONE = "done"
    DECLINED = "declined"
    REFUSED = "refused"
    THROTTLED = "throttled"
    UNANSWERED = "unanswered"
    KEY_REFUSED = "key_refused"
    """Our key is wrong, or has not the right."""


_OUTCOMES: Final[Mapping[type[ProviderError], ProviderOutcome]] = {
    DeclinedError: ProviderOutcome.DECLINED,
    RefusedRequestError: ProviderOutcome.REFUSED,
    ThrottledError: ProviderOutcome.THROTTLED,
}


class StripeCalls:
    """Asks Stripe, once each time: whether again, our requests say."""

    def __init__(self, key: str, connections: KeptConnections, url: str) -> None:
        self._client = stripe.StripeClient(
            key,
            stripe_version=API_VERSION,
            base_addresses={"api": url},
            max_network_retries=0,
            http_client=connections,
        )
        self._lock = threading.Lock()
        self._outcomes = dict.fromkeys(ProviderOutcome, 0)

    def outcomes(self) -> Mapping[ProviderOutcome, int]:
        """Return how many calls came out how."""
        with self._lock:
            return dict(self._outcomes)

    def post(self, path: str, key: str, **params: object) -> StripeAnswer:
        """Have something done, under the idempotency key *key*.

        Raises:
            ProviderError: As the table above.
        """
        # A header has ASCII without spaces: any other key is told by its hash.
        plain = key if _PLAIN_KEY.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()
        return self._ask("post", path, params | {"idempotency_key": plain})

    def get(self, path: str, **params: object) -> Mapping[str, Any]:
        """Return an object.

        Raises:
            ProviderError: As the table above.
        """
        return self._ask("get", path, params).data

    def pages(self, path: str, **params: object) -> Iterator[Mapping[str, Any]]:
        """Yield the objects of a list, the newest first, a page at a time.

        Raises:
            ProviderError: As the table above.
        """
        after: dict[str, object] = {}
        while True:
            page = self.get(path, limit=PAGE, **params, **after)
            found = page.get("data")
            if not isinstance(found, list):
                raise _unreadable(path)
            yield from found
            if page.get("has_more") is not True or not found:
                return
            last = found[-1].get("id") if isinstance(found[-1], dict) else None
            if not isinstance(last, str) or after.get("starting_after") == last:
                raise _unreadable(path)
            after = {"starting_after": last}

    def _ask(self, method: str, path: str, params: dict[str, Any]) -> StripeAnswer:
        outcome = ProviderOutcome.DONE
        try:
            return self._answer(method, path, params)
        except ProviderError as error:
            outcome = _outcome(error)
            raise
        finally:
            with self._lock:
                self._outcomes[outcome] += 1

    def _answer(self, method: str, path: str, params: dict[str, Any]) -> StripeAnswer:
        try:
            said = self._client.raw_request(method, path, **params)
        except stripe.StripeError as error:
            raise _ours(error, f"{method.upper()} {path}") from error
        # What is no error as Stripe writes them makes the library stumble.
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            raise _unreadable(path) from error
        if not isinstance(said.data, dict):
            raise _unreadable(path)
        replayed = said.headers.get("Idempotent-Replayed", "")
        return StripeAnswer(said.data, replayed.casefold() == "true")


def is_live(key: str) -> bool:
    """Say whether *key* moves money; else it is of a test mode."""
    return "_live_" in key


def is_object_id(text: str) -> bool:
    """Say whether *text* may stand in a path: Stripe's ids are letters, digits and underlines."""
    return _OBJECT_ID.fullmatch(text) is not None


def _ours(error: stripe.StripeError, asked: str) -> ProviderError:
    """Return *error* in our port's words."""
    status, told = error.http_status or 0, _told(error)
    code, spot = _code(told.get("code")), _code(told.get("param"))
    asked = f"{asked} ({spot})" if spot else asked
    about = f"{asked}, {error.request_id}" if error.request_id else asked
    for kind, make, reason, words in _ALWAYS:
        if isinstance(error, kind):
            return make(reason or code or "rate_limit", f"{words}: {about}")
    if isinstance(error, stripe.CardError) and told.get("type") == "card_error":
        reason = _code(told.get("decline_code")) or code or "card_declined"
        return DeclinedError(reason, f"the payer's bank said no, {reason}: {about}", None)
    if status == HTTPStatus.CONFLICT:
        return ThrottledError(code or "key_in_use", f"Stripe is still at it: {about}")
    if told and status in _FINAL:
        return RefusedRequestError(code or "refused", f"Stripe refuses it, {code}: {about}")
    return UnansweredError(f"http_{status}", f"Stripe failed with {status}: {about}")


def _outcome(error: ProviderError) -> ProviderOutcome:
    if error.reason in _OF_OUR_KEY:
        return ProviderOutcome.KEY_REFUSED
    return _OUTCOMES.get(type(error), ProviderOutcome.UNANSWERED)


def _told(error: stripe.StripeError) -> Mapping[str, Any]:
    body = error.json_body
    told = body.get("error") if isinstance(body, dict) else None
    return told if isinstance(told, dict) else {}


def declined_object(error: BaseException | None, name: str) -> Mapping[str, Any] | None:
    """Return the payment, or the set-up, that stands in an error of the library; None: none."""
    found = _told(error).get(name) if isinstance(error, stripe.StripeError) else None
    return found if isinstance(found, dict) else None


def is_replayed_error(error: BaseException | None) -> bool:
    """Say whether an error of the library was kept since the first time of its key."""
    headers = error.headers if isinstance(error, stripe.StripeError) else None
    return (headers or {}).get("Idempotent-Replayed", "").casefold() == "true"


def _code(found: object) -> str:
    """Return what Stripe names by a code; "" for anything else, such as what somebody wrote."""
    return found if isinstance(found, str) and _CODE.fullmatch(found) else ""


def _unreadable(path: str) -> UnansweredError:
    return UnansweredError("unreadable", f"what Stripe answered about {path} cannot be read")
