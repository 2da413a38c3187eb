"""What partners answer, and how asking them can fail."""

from __future__ import annotations

from typing import Any, NamedTuple

from roaming_ocpi.errors import RoamingError


class PartnerAnswer(NamedTuple):
    """An answer with its envelope taken off; `data` is JSON with exact numbers.

    `location` is the header, `next_url` that of the next page, `total` how many objects there are
    in all, where they were told. `text` is the body as it came.
    """

    http: int
    status_code: int
    message: str | None
    data: Any
    location: str | None = None
    next_url: str | None = None
    total: int | None = None
    text: str = ""

    def __repr__(self) -> str:
        """Say what came of it alone: an answer may bring tokens, and tell who somebody is."""
        return f"PartnerAnswer(http={self.http}, status_code={self.status_code})"


class PartnerUnreachableError(RoamingError):
    """No answer, or one that says to come again (429, 5xx, 3xxx): the same request may help later.

    `retry_after_s`: when the partner said so; `answer`: what it said, if that was OCPI. Its words
    stand in no message: they may name somebody.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        answer: PartnerAnswer | None = None,
    ) -> None:
        super().__init__(message)
        self.retry_after_s, self.answer = retry_after_s, answer


class TooLargeAnswerError(PartnerUnreachableError):
    """An answer that is larger than any is read: less may be asked for."""


class PartnerRefusedError(RoamingError):
    """The partner refuses this very request: to send it again does not help."""

    def __init__(self, message: str, *, answer: PartnerAnswer) -> None:
        super().__init__(message)
        self.answer = answer


class ForbiddenAddressError(RoamingError):
    """An address that a partner gave us and nobody may be sent to: private, odd, redirecting."""
