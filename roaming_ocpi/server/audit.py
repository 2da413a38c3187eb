"""The audit: every call, in and out, as a row, written in batches by a thread beside the work.

Rows are pruned after some days. Of who is nobody's partner, and of what was refused as too much,
only some are kept: a flood must not fill the table. Where the database is away calls wait in
memory, up to a bound; the oldest make room, and how many did is counted. Kept or not, every call is
counted by its outcome (`call_counts.py`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, LiteralString

import psycopg
from psycopg import Connection

from ledger.database import connect, copy_rows
from ledger.persons.holders import partner_holder
from ledger.persons.sealing import frame_hmac
from ledger.persons.store import find_or_make
from roaming_ocpi.client.audit import CallRecord
from roaming_ocpi.server.call_counts import CallCounts
from roaming_ocpi.server.front.walls import Buckets
from tariffs.phrases.printable import printable

WAITING_MAX: Final = 20_000
BATCH_MAX: Final = 2_000
LOOK_SECONDS: Final = 0.5
PRUNE_SECONDS: Final = 3_600.0
END_SECONDS: Final = 5.0
SELDOM_RATE: Final = 0.5
SELDOM_BURST: Final = 100.0
_TEXT_MAX: Final = 300
_PRUNED_AT_ONCE: Final = 10_000
_WRITE: LiteralString = """
COPY roaming_call (
    at, direction, partner, method, template, target_hmac, version, module, http, status_code, ms,
    request_id, trouble
) FROM STDIN
"""
_PRUNE: LiteralString = """
DELETE FROM roaming_call WHERE id IN (
    SELECT id FROM roaming_call WHERE at < %s ORDER BY at LIMIT %s
)
"""
_LOGGER: Final = logging.getLogger("wattledger.roaming")


class CallAudit:
    """Keeps calls; `hear` is for any thread or loop, and waits for nothing."""

    def __init__(self, dsn: str, *, now: Callable[[], datetime], kept_days: int) -> None:
        self._dsn, self._now, self._kept = dsn, now, timedelta(days=kept_days)
        self._waiting: deque[CallRecord] = deque(maxlen=WAITING_MAX)
        self._ending = threading.Event()
        self._pruned: float | None = None
        self._counts = CallCounts()
        self._seldom = Buckets(SELDOM_RATE, SELDOM_BURST)
        self.written = 0
        self.passed_over = 0
        """How many calls of a flood were not kept."""
        self.lost = 0
        """How many calls made room for others before they were written."""
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def hear(self, record: CallRecord) -> None:
        """Count a call, and keep it."""
        self._counts.count(record)
        is_flood = record.partner is None or record.http == HTTPStatus.TOO_MANY_REQUESTS
        if is_flood and self._seldom.take(record.partner) > 0:
            self.passed_over += 1
            return
        self.lost += len(self._waiting) == WAITING_MAX
        self._waiting.append(record)

    def close(self) -> None:
        """Write what waits, and end."""
        self._ending.set()
        self._thread.join(END_SECONDS)

    def _run(self) -> None:
        connection: Connection[Any] | None = None
        is_last = False
        while not is_last:
            is_last = self._ending.wait(LOOK_SECONDS)
            try:
                if connection is None or connection.closed:
                    connection = connect(self._dsn)
                self._counts.write(connection)
                self._write_waiting(connection)
                self._prune(connection)
            except psycopg.Error as error:
                # What was taken stays first in turn (`_write_waiting`).
                _LOGGER.warning("cannot write the audit of calls: %s", type(error).__name__)
                if connection is not None:
                    connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def _write_waiting(self, connection: Connection[Any]) -> None:
        # Of what comes meanwhile some more will have come by the next look.
        for _ in range(-(-len(self._waiting) // BATCH_MAX)):
            batch: list[CallRecord] = []
            with suppress(IndexError):
                while len(batch) < BATCH_MAX:
                    batch.append(self._waiting.popleft())
            try:
                write_calls(connection, batch)
            except psycopg.Error:
                room = max(0, WAITING_MAX - len(self._waiting))
                self.lost += max(0, len(batch) - room)
                self._waiting.extendleft(reversed(batch[-room:] if room else []))
                raise
            self.written += len(batch)

    def _prune(self, connection: Connection[Any]) -> None:
        now = time.monotonic()
        if self._pruned is not None and now - self._pruned < PRUNE_SECONDS:
            return
        prune_calls(connection, self._now() - self._kept)
        self._pruned = now


def write_calls(connection: Connection[Any], records: Sequence[CallRecord]) -> None:
    """Write *records*, of their paths a digest under the key of the partner's own subject."""
    holders = [partner_holder(each) for each in sorted({r.partner for r in records if r.partner})]
    subjects = find_or_make(connection, holders)
    keys = {name: subject.key for (_, name), subject in subjects.items()}
    copy_rows(connection, _WRITE, _rows(records, keys))


def prune_calls(connection: Connection[Any], before: datetime) -> int:
    """Let go of the calls *before* a moment; return how many there were."""
    pruned = 0
    while found := connection.execute(_PRUNE, (before, _PRUNED_AT_ONCE)).rowcount:
        pruned += found
    return pruned


def _rows(records: Iterable[CallRecord], keys: dict[str, bytes]) -> Iterable[tuple[object, ...]]:
    for each in records:
        key = None
        if each.partner is not None:
            key = keys.get(partner_holder(each.partner).name)
        yield (
            each.at,
            str(each.direction),
            _text(each.partner),
            _text(each.method),
            _text(each.template),
            None if key is None else bytes.fromhex(frame_hmac(key, _text(each.target, 4096) or "")),
            _text(each.version),
            _text(each.module),
            each.http,
            each.status_code,
            each.ms,
            _text(each.request_id),
            _text(each.trouble),
        )


def _text(text: str | None, length: int = _TEXT_MAX) -> str | None:
    return None if text is None else printable(text)[:length]
