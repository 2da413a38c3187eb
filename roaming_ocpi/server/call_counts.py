"""Calls counted by direction, module and outcome: closed sets, whoever calls and however often."""

from __future__ import annotations

import threading
from collections import Counter
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from roaming_ocpi.client.audit import CallDirection, CallRecord
from roaming_ocpi.wire.modules import ModuleId
from roaming_ocpi.wire.status import Status

# In one order: two processes that count at once wait for each other, and never in a circle.
_ADD: LiteralString = """
INSERT INTO roaming_call_count AS there (direction, module, outcome, calls)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::bigint[])
ON CONFLICT (direction, module, outcome) DO UPDATE SET calls = there.calls + excluded.calls
"""
_MODULES: Final = frozenset(map(str, ModuleId))


class CallOutcome(StrEnum):
    """What came of a call, for whoever watches."""

    OK = "ok"
    UNAUTHORIZED = "unauthorized"
    """401 or 403: no token, nobody's, or not for that."""
    THROTTLED = "throttled"
    """429: too much at once."""
    REFUSED = "refused"
    """Another 4xx, or a code of 2000 to 2999: who asked should have asked otherwise."""
    FAILED = "failed"
    """5xx, or a code from 3000 on."""
    UNANSWERED = "unanswered"
    """There was no answer, or nobody waited for it."""


class CallKey(NamedTuple):
    """As what a call is counted; `module` is '' where it is of none."""

    direction: CallDirection
    module: str
    outcome: CallOutcome


def key_of(record: CallRecord) -> CallKey:
    """Return as what *record* is counted."""
    module = record.module if record.module in _MODULES else ""
    return CallKey(record.direction, module or "", _outcome(record.http, record.status_code))


def _outcome(http: int | None, code: int | None) -> CallOutcome:
    if http is None:
        return CallOutcome.UNANSWERED
    if http in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return CallOutcome.UNAUTHORIZED
    if http == HTTPStatus.TOO_MANY_REQUESTS:
        return CallOutcome.THROTTLED
    said = code or 0
    if http >= HTTPStatus.INTERNAL_SERVER_ERROR or said >= Status.SERVER_ERROR:
        return CallOutcome.FAILED
    if http >= HTTPStatus.BAD_REQUEST or said >= Status.CLIENT_ERROR:
        return CallOutcome.REFUSED
    return CallOutcome.OK


class CallCounts:
    """Counts in memory until they are written; any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Counter[CallKey] = Counter()

    def count(self, record: CallRecord) -> None:
        """Count a call."""
        key = key_of(record)
        with self._lock:
            self._waiting[key] += 1

    def write(self, connection: Connection[Any]) -> None:
        """Add what was counted to the table.

        Raises:
            psycopg.Error: If the database does not take it: it waits for the next time.
        """
        with self._lock:
            waiting, self._waiting = self._waiting, Counter()
        if not waiting:
            return
        rows = sorted((*key, calls) for key, calls in waiting.items())
        try:
            connection.execute(_ADD, [list(column) for column in zip(*rows, strict=True)])
        except BaseException:
            with self._lock:
                self._waiting.update(waiting)
            raise
