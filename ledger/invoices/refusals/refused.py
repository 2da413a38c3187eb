"""Causes without a document: remembered, so that what cannot be issued costs next to nothing.

What is refused is due all the same, at every look. It is tried again as soon as anything was
declared, and else after a minute of the log's time, two, four and so on, at the latest after an
hour: the days of a declaration come, and a month's sessions change.

The table `refused_document` is what finance works through. It follows from what is due, so it may
be lost: the next look fills it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from tariffs.phrases.phrase import bounded

WAIT_FIRST: Final = timedelta(minutes=1)
WAIT_MAX: Final = timedelta(hours=1)
Told = Callable[[str, Exception], None]
_KEEP: LiteralString = """
INSERT INTO refused_document (cause, why, since, declared_version)
SELECT * FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::bigint[])
ON CONFLICT (cause) DO UPDATE SET why = excluded.why, declared_version = excluded.declared_version
"""
_DROP: LiteralString = "DELETE FROM refused_document WHERE cause = ANY(%s)"
_KNOWN: LiteralString = "SELECT cause FROM refused_document"
_LIST: LiteralString = """
SELECT cause, why, since, declared_version FROM refused_document ORDER BY since, cause LIMIT %s
"""


class RefusedDocument(NamedTuple):
    """A document that is due and cannot be issued; `since` is a time of the log."""

    cause: str
    why: str
    since: datetime
    declared_version: int


class _Known(NamedTuple):
    """What is known of a cause: why it has no document, and when it is tried again."""

    why: str
    since: datetime
    declared_version: int
    tried_at: datetime
    wait: timedelta


class Refusals:
    """Which causes have no document; of one process, which looks again and again."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._seen: set[str] = set()
        self._tried: set[str] = set()
        self._changed: set[str] = set()
        self._at: datetime | None = None
        self._version = 0

    def __len__(self) -> int:
        return len(self._known)

    def begin(self, *, at: datetime, declared_version: int, told: Told) -> Told:
        """Begin a look at what is due at a time of the log, by these declarations.

        Return what is to be given each cause that has no document, and why: it is noted, and then
        *told*.
        """
        self._at, self._version = at, declared_version
        self._seen.clear()
        self._tried.clear()

        def noted(cause: str, why: Exception) -> None:
            self._note(cause, why, at)
            told(cause, why)

        return noted

    def leaves(self, cause: str) -> bool:
        """Whether to leave *cause*, which is due, to a later look: nothing is new for it."""
        self._seen.add(cause)
        known = self._known.get(cause)
        if known is None or self._at is None:
            return False
        is_new = known.declared_version != self._version
        if is_new or self._at >= known.tried_at + known.wait:
            self._tried.add(cause)
            return False
        return True

    def _note(self, cause: str, why: Exception, at: datetime) -> None:
        was, said = self._known.get(cause), bounded(str(why))
        wait = WAIT_FIRST
        if was is not None and was.why == said and was.declared_version == self._version:
            wait = min(2 * was.wait, WAIT_MAX)
        since = at if was is None else was.since
        self._known[cause] = _Known(said, since, self._version, at, wait)
        self._seen.add(cause)
        self._tried.discard(cause)
        if was is None or (was.why, was.declared_version) != (said, self._version):
            self._changed.add(cause)

    def end(self, connection: Connection[Any], *, is_over: bool, is_whole: bool) -> None:
        """End a look: store what is new, unless it *is_over* before it came to its end.

        *is_whole*: at all that can be due, so that what was not seen is due no more.
        """
        if is_over:
            return
        # What was tried and not noted again was issued.
        gone = set(self._tried)
        if is_whole:
            gone |= self._known.keys() - self._seen
            # Another process may have looked before this one.
            stored = {cause for (cause,) in connection.execute(_KNOWN)}
            gone |= stored - self._known.keys()
            self._changed |= self._known.keys() - stored
        for cause in gone:
            self._known.pop(cause, None)
        changed = {each: self._known[each] for each in self._changed if each in self._known}
        self._changed.clear()
        if changed or gone:
            with connection.transaction():
                connection.execute(_KEEP, _columns(changed))
                connection.execute(_DROP, (sorted(gone),))

    def forget(self, connection: Connection[Any]) -> None:
        """Forget all: nothing is due."""
        connection.execute(_DROP, (sorted(self._known),))
        self._known.clear()


def _columns(changed: Mapping[str, _Known]) -> list[list[Any]]:
    rows = sorted(changed.items())
    return [
        [cause for cause, _ in rows],
        [known.why for _, known in rows],
        [known.since for _, known in rows],
        [known.declared_version for _, known in rows],
    ]


def refused_documents(connection: Connection[Any], *, limit: int) -> tuple[RefusedDocument, ...]:
    """Return what is due and cannot be issued, at most *limit* of it, the longest known first."""
    return tuple(RefusedDocument(*row) for row in connection.execute(_LIST, (limit,)))
