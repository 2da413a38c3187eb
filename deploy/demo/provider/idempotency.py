"""What was answered to a key: for a day the same question hears the same answer.

Source: Stripe API reference, Idempotent requests.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from deploy.demo.provider.refusals import BAD_REQUEST, CONFLICT, ProviderRefusalError, invalid

KEY_MAX: Final = 255


class KnownAnswer(NamedTuple):
    """A status and a body, JSON."""

    status: int
    body: bytes
    request_id: str = ""


class _Kept(NamedTuple):
    asked: str
    answer: KnownAnswer
    at: datetime


class IdempotencyKeys:
    """The keys of requests that were begun, and what came of them."""

    def __init__(self, kept_for: timedelta) -> None:
        self._kept_for = kept_for
        self._kept: dict[str, _Kept] = {}
        self._order: deque[tuple[datetime, str]] = deque()
        self._running: set[str] = set()

    def find(self, key: str, asked: str, now: datetime) -> KnownAnswer | None:
        """Return what was answered to *key*; None where it is new.

        Raises:
            ProviderRefusalError: If something else was asked with it, or it is still at work.
        """
        if len(key) > KEY_MAX:
            raise invalid(f"Idempotency keys have at most {KEY_MAX} characters.")
        while self._order and now - self._order[0][0] >= self._kept_for:
            at, oldest = self._order.popleft()
            if (known := self._kept.get(oldest)) and known.at == at:
                del self._kept[oldest]
        if key in self._running:
            raise ProviderRefusalError(CONFLICT, _in_use(key))
        if (kept := self._kept.get(key)) is None:
            return None
        if kept.asked != asked:
            raise ProviderRefusalError(BAD_REQUEST, _reused(key))
        return kept.answer

    @contextmanager
    def running(self, key: str) -> Iterator[None]:
        """Have *key* be at work."""
        self._running.add(key)
        try:
            yield
        finally:
            self._running.discard(key)

    def keep(self, key: str, asked: str, answer: KnownAnswer, now: datetime) -> None:
        """Remember what was answered."""
        self._kept[key] = _Kept(asked, answer, now)
        self._order.append((now, key))


def _in_use(key: str) -> dict[str, str]:
    return {
        "type": "idempotency_error",
        "code": "idempotency_key_in_use",
        "message": f"There is another request in progress with the idempotency key '{key}'.",
    }


def _reused(key: str) -> dict[str, str]:
    return {
        "type": "idempotency_error",
        "message": (
            "An idempotency key goes with the parameters that it was first used with: take "
            f"another one than '{key}' to ask for something else."
        ),
    }
