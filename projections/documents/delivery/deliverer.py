"""Whoever delivers: takes what is due from the outbox, one by one, and notes what came of it.

A way that is away, and takes long to say so, rests four times as long: what goes by others does not
wait behind it, however much is due by it, and nothing that waits for it uses its attempts up.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import psycopg
from psycopg import Connection

from ledger.database import connect, ended_when_silent
from ledger.master_data.customers import Delivery
from ledger.persons.sealing import BrokenSealError
from projections.documents.delivery.outbox import (
    WAYS,
    Attempt,
    CameOfIt,
    claim_delivery,
    end_attempt,
    note_handing_over,
    note_needless,
    recover,
    the_only_one,
)
from projections.documents.delivery.parcel import NotDeliveredError, Parcel, Way, reader_of
from projections.documents.delivery.reminding import due_reminder
from projections.documents.keeping.issued import read_issued
from projections.documents.keeping.kept import ErasedDocumentError, OtherBytesError, read_kept

LOOK_SECONDS: Final = 1.0
AWAY_SECONDS: Final = 5.0
SILENT_SECONDS_MAX: Final = 600.0
"""Longer than any way takes: a machine that is gone lets another deliver after that."""
_REST: Final = 4
"""So many times as long as it took to say that it is away, nothing goes by a way."""
_LONG_SECONDS: Final = 1.0
"""What takes less holds nobody up."""
_LOGGER = logging.getLogger(__name__)


class Deliverer:
    """Delivers for a process, while it is the only one. After a database error, make a new one."""

    def __init__(self, dsn: str, ways: Mapping[Delivery, Way]) -> None:
        """Connect to *dsn*; a way that *ways* do not have is waited for."""
        silent = ended_when_silent(dsn, SILENT_SECONDS_MAX, also_idle=True)
        self._connection: Connection[Any] = connect(silent)
        self._ways = dict(ways)
        self.leads = False
        """Whether this process is the one that delivers."""
        self.delivered = 0
        self._last: Delivery | None = None
        self._rest_until: dict[Delivery, float] = {}

    def close(self) -> None:
        """Let another process deliver at once."""
        self._connection.close()

    def run_once(self, is_over: Callable[[], bool] = lambda: False) -> int:
        """Deliver all that is due by now, until *is_over*; return how many attempts that took."""
        if not self.leads:
            if not the_only_one(self._connection):
                return 0
            self.leads = True
            if unknown := recover(self._connection):
                _LOGGER.error("%s deliveries may have arrived or not: a person decides", unknown)
        tried = 0
        while not is_over() and (attempt := self._claimed()) is not None:
            self._last = attempt.way
            self._attempt(attempt)
            tried += 1
        return tried

    def _claimed(self) -> Attempt | None:
        """Put down the next attempt, by a way that does not rest."""
        now = time.monotonic()
        open_ways = [way for way in WAYS if self._rest_until.get(way, now) <= now]
        return claim_delivery(self._connection, open_ways, self._last)

    def _attempt(self, attempt: Attempt) -> None:
        may_have_arrived, began = False, time.monotonic()

        def may_arrive() -> None:
            nonlocal may_have_arrived
            note_handing_over(self._connection, attempt)
            may_have_arrived = True

        try:
            parcel = self._parcel(attempt)
            if parcel is None:
                note_needless(self._connection, attempt, "erased")
                return
            if attempt.reminder and parcel.reminder is None:
                note_needless(self._connection, attempt, "paid")
                return
            self._way(attempt).deliver(self._connection, parcel, may_arrive)
        except NotDeliveredError as error:
            came_of_it = CameOfIt.REFUSED if error.is_final else CameOfIt.NOT_DELIVERED
            self._end(attempt, came_of_it, error.why)
            took = time.monotonic() - began
            if error.is_away and took >= _LONG_SECONDS:
                self._rest_until[attempt.way] = time.monotonic() + _REST * took
        except psycopg.Error:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a server or a disk does, it is noted
            came_of_it = CameOfIt.UNKNOWN if may_have_arrived else CameOfIt.NOT_DELIVERED
            self._end(attempt, came_of_it, type(error).__name__)
        else:
            self.delivered += 1
            self._end(attempt, CameOfIt.DELIVERED)

    def _way(self, attempt: Attempt) -> Way:
        way = self._ways.get(attempt.way)
        if way is None:
            message = f"nothing is set for the way {attempt.way}"
            raise NotDeliveredError(message)
        return way

    def _parcel(self, attempt: Attempt) -> Parcel | None:
        """Return what is to be delivered; None where who it is for was erased."""
        issued = read_issued(self._connection, attempt.number)
        try:
            kept = read_kept(self._connection, attempt.number)
        except ErasedDocumentError:
            return None
        except (BrokenSealError, OtherBytesError) as error:
            why = "what is kept was changed"
            raise NotDeliveredError(why, is_final=True) from error
        reader = reader_of(self._connection, issued.document)
        if reader is None:
            return None
        reminder = None
        if attempt.reminder:
            reminder = due_reminder(self._connection, attempt.number, attempt.reminder)
        return Parcel(
            attempt=attempt,
            kept=kept,
            document=issued.document,
            reader=reader,
            reminder=reminder,
        )

    def _end(self, attempt: Attempt, came_of_it: CameOfIt, why: str = "") -> None:
        if why:
            _LOGGER.warning("%s by %s: %s, %s", attempt.number, attempt.way, came_of_it, why)
        end_attempt(self._connection, attempt, came_of_it, why)


def deliver_until(
    dsn: str,
    ways: Mapping[Delivery, Way],
    stop: threading.Event,
    told: Callable[[Deliverer], None] = lambda _: None,
) -> None:
    """Deliver until *stop* is set, whatever the database does; *told* of each new deliverer."""
    while not stop.is_set():
        try:
            deliverer = Deliverer(dsn, ways)
            try:
                told(deliverer)
                while not stop.is_set():
                    if not deliverer.run_once(stop.is_set):
                        stop.wait(LOOK_SECONDS)
            finally:
                deliverer.close()
        except psycopg.Error as error:
            _LOGGER.warning("the database is away: %s", error)
            stop.wait(AWAY_SECONDS)
