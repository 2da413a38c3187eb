"""Answers that the same call gets again, though they depend on more than the call.

To the same text on the same connection, for ten minutes (quirk 33); it is logged each time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from ingest.answers.answering import Answer
from ledger.log.authorization import Authorization

# For repetitions, not for the next charge with the same token (quirk 33); some 32 KiB.
_WITHIN: Final = timedelta(minutes=10)
_ANSWERS_MAX: Final = 8
_SIZE_MAX: Final = 4096


class Repeat(NamedTuple):
    """What a call was answered, when, and what its token was found to be."""

    reply: bytes
    at: datetime
    authorization: Authorization | None


class Repeats:
    """The last answers of a connection by the whole text of the call: an id alone is reused."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Repeat] = {}

    def find(self, raw: bytes, now: datetime) -> Repeat | None:
        """Return what the very same call was answered lately."""
        found = self._kept.get(raw) if self._kept else None
        return found if found is not None and now - found.at < _WITHIN else None

    def keep(self, answer: Answer, raw: bytes, reply: bytes, now: datetime) -> None:
        """Keep an answer that the same call would not surely get again."""
        if not answer.is_repeated or len(raw) > _SIZE_MAX:
            return
        self._kept[raw] = Repeat(reply, now, answer.authorization)
        if len(self._kept) > _ANSWERS_MAX:
            del self._kept[next(iter(self._kept))]
