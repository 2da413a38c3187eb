"""What came of an attempt, and when the next one is due. Pure."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple

from roaming_ocpi.client.answers import (
    ForbiddenAddressError,
    PartnerAnswer,
    PartnerRefusedError,
    PartnerUnreachableError,
)
from roaming_ocpi.errors import RoamingError

FIRST_PAUSE: Final = timedelta(seconds=1)
PAUSE_MAX: Final = timedelta(minutes=15)
ASKED_SECONDS_MAX: Final = 86_400
"""A partner that asks for longer is asked again then: somebody wrote milliseconds."""
REFUSALS_MAX: Final = 10
"""After so many messages refused in a row it is the partner that is wrong, or we for it: each
further one is a try, with pauses, so that an error of theirs kills no million messages."""

_TOKEN_REFUSED: Final = frozenset({401, 403})
_CONFLICT: Final = 409
_DOUBLINGS_MAX: Final = 10
_HAS_IT: Final = re.compile(
    r"already (?:exists?|known|received|processed|stored|been)|duplicate", re.IGNORECASE
)


class Arrival(StrEnum):
    """What an attempt came to, as it is kept."""

    DELIVERED = "delivered"
    KNOWN = "known"
    """The partner had it already, from an attempt whose answer was lost."""
    FAILED = "failed"
    """It may help to send it again."""
    REFUSED = "refused"
    """It does not help to send it again."""
    NOWHERE = "nowhere"
    """The partner offers no place for such messages: it may pull them."""
    WITHHELD = "withheld"
    """Our terms with the partner say that it is not sent."""


DONE: Final = frozenset({Arrival.DELIVERED, Arrival.KNOWN, Arrival.NOWHERE, Arrival.WITHHELD})
"""After these the message leaves the outbox."""


class AttemptOutcome(NamedTuple):
    """What came of one attempt. `reason` is a code, at most with numbers; `notes` are codes."""

    came_of_it: Arrival
    http: int | None = None
    status_code: int | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()
    sha256: bytes | None = None
    retry_after: timedelta | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is left to send."""
        return self.came_of_it in DONE


def outcome_of_error(error: RoamingError, *, is_again: bool) -> AttemptOutcome:
    """Return what an attempt came to that ended with *error*.

    Args:
        error: What the client raised.
        is_again: Whether the message was sent before, maybe with an answer that was lost.
    """
    if isinstance(error, PartnerUnreachableError):
        asked = error.retry_after_s
        wait = None if asked is None else timedelta(seconds=min(max(asked, 0), ASKED_SECONDS_MAX))
        return AttemptOutcome(Arrival.FAILED, reason="unreachable", retry_after=wait)
    if isinstance(error, ForbiddenAddressError):
        return AttemptOutcome(Arrival.FAILED, reason="forbidden_address")
    if isinstance(error, PartnerRefusedError):
        return _refused(error.answer, is_again=is_again)
    return AttemptOutcome(Arrival.REFUSED, reason="unsayable")


def _refused(answer: PartnerAnswer, *, is_again: bool) -> AttemptOutcome:
    http, code = answer.http, answer.status_code
    if http in _TOKEN_REFUSED:
        return AttemptOutcome(Arrival.FAILED, http, code, "token_refused")
    if http == _CONFLICT or (is_again and _HAS_IT.search(answer.message or "")):
        return AttemptOutcome(Arrival.KNOWN, http, code, notes=("partner_had_it",))
    return AttemptOutcome(Arrival.REFUSED, http, code, f"refused {http}/{code}")


def pause_after(failures: int, chance: Decimal, asked: timedelta | None = None) -> timedelta:
    """Return how long nothing is tried after *failures* in a row.

    It doubles from one second to a quarter of an hour, of which *chance* (0 to 1) takes up to a
    half, so that not all who wait come at once. What the partner *asked* for is kept in any case.
    """
    doubled = min(FIRST_PAUSE * 2 ** min(max(failures - 1, 0), _DOUBLINGS_MAX), PAUSE_MAX)
    micros = int(doubled / timedelta(microseconds=1))
    pause = timedelta(microseconds=micros - int(micros * chance / 2))
    return max(pause, asked or timedelta(0))
