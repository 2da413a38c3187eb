"""Accruals: what sessions that run over a month's end cost so far, booked in the month.

At the mark that closes a month each session that had begun in it, and was not over when it ended,
is priced as if it had ended then (`ledger.rating.price_so_far`). That much stands in the month's
books without taxes, and is taken back in the next month's, where the session is rated as a whole.
Sessions whose price is doubtful accrue nothing. What others use of a shared grant counts as unused:
it is an estimate, and no order of partitions may bear on it. A month that was opened and closes
again accrues what it did not before.

Time zones are recorded with each accrual, and a replay takes them from there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

import msgspec
import psycopg
from psycopg import Connection, sql

from ledger.books.accounts import accrual_entries
from ledger.books.journal import store_entries
from ledger.books.periods import month_after
from ledger.log.envelope import PeriodMark
from ledger.rating.basis import terms_of
from ledger.rating.decisions import Moment
from ledger.rating.entitlements import Entitlements
from ledger.rating.price_so_far import PriceSoFar, price_so_far
from ledger.rating.time_zones import PINNED_ZONES, ZoneReading
from ledger.worker.closing.cut import cut_at
from ledger.worker.judging.judge import Judge
from ledger.worker.rater import Rater
from ledger.worker.session_rows import SessionRow
from ledger.worker.station_memory import StationMemory
from ledger.worker.stored.session_store import load_running_over
from tariffs.model.canonical import canonical_json

logger = logging.getLogger(__name__)

_STORE: LiteralString = """
INSERT INTO accrued_session (session_id, month, partition, position, legal_entity, until, currency,
    net_minor, zones) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
_RECORDED: LiteralString = """
SELECT zones FROM {schema}.accrued_session WHERE session_id = %s AND month = %s
"""


class _Accrued(NamedTuple):
    """What is accrued of a session, and by which readings of time zones."""

    session_id: str
    mark: PeriodMark
    moment: Moment
    price: PriceSoFar
    zones: Mapping[str, ZoneReading]


class Accruals:
    """What the marks of one partition accrue; `store` writes it.

    Args:
        connection: To the books, which hold all that the records before a mark led to.
        judge: Folds a session.
        rater: Has the declarations that hold.
        recorded_in: The schema whose time zones a replay takes.
    """

    def __init__(
        self, connection: Connection[Any], judge: Judge, rater: Rater, recorded_in: str | None
    ) -> None:
        self._connection, self._judge, self._rater = connection, judge, rater
        self._recorded_in = recorded_in
        self._new: list[_Accrued] = []

    def accrue(self, marks: Iterable[PeriodMark], moment: Moment) -> None:
        """Price what runs over the months that *marks*, new ones of a record, close."""
        for mark in marks:
            if mark.act != "close" or mark.ends_at is None:
                continue
            for row in load_running_over(
                self._connection, moment.partition, mark.ends_at, mark.month
            ):
                found = self._price(row, mark, mark.ends_at, moment)
                if found is not None:
                    self._new.append(found)

    def _price(
        self, row: SessionRow, mark: PeriodMark, ends_at: datetime, moment: Moment
    ) -> _Accrued | None:
        known = self._rater.declarations
        try:
            session = self._judge.fold_around(row, StationMemory(), moment)
            if session is None:
                return None
            session = cut_at(session, ends_at)
            basis = terms_of(session, known).basis
            if basis is None or basis.site.legal_entity != mark.legal_entity:
                return None
            zones = _NotedZones(self._recorded(row.session_id, mark.month))
            entitled = Entitlements(validations=tuple(row.validations), zones=zones)
            price = price_so_far(session, known, entitled)
        except psycopg.Error:
            raise  # the transaction is lost, whatever it was about
        except Exception:
            # One session must not stop a month; it is rated, or held for a person, as any other.
            logger.exception("%s accrues nothing in %s", row.session_id, mark.month)
            return None
        if not isinstance(price, PriceSoFar):
            return None
        return _Accrued(row.session_id, mark, moment, price, zones.noted)

    def _recorded(self, session_id: str, month: str) -> Mapping[str, ZoneReading]:
        if self._recorded_in is None:
            return {}
        query = sql.SQL(_RECORDED).format(schema=sql.Identifier(self._recorded_in))
        row = self._connection.execute(query, (session_id, month)).fetchone()
        return {} if row is None else msgspec.json.decode(row[0], type=dict[str, ZoneReading])

    def store(self) -> None:
        """Write what is new and what it posts, within the caller's transaction."""
        if not self._new:
            return
        with self._connection.cursor() as cursor:
            cursor.executemany(_STORE, map(_row, self._new))
        entries = (
            entry
            for each in self._new
            for entry in accrual_entries(
                f"{each.session_id}:{each.mark.month}",
                legal_entity=each.mark.legal_entity,
                booked_at=each.moment.at,
                month=each.mark.month,
                next_month=month_after(each.mark.month),
                currency=each.price.currency,
                net_minor=each.price.net_minor,
            )
        )
        store_entries(self._connection, list(entries))
        self._new.clear()


class _NotedZones:
    """Zones as they were recorded, or as the pinned tzdata knows them; notes what was read."""

    def __init__(self, recorded: Mapping[str, ZoneReading]) -> None:
        self._recorded = recorded
        self.noted: dict[str, ZoneReading] = {}

    def read(self, zone: str, starts_at: datetime, ends_at: datetime) -> ZoneReading:
        """Return the offsets of *zone* over a session."""
        found = self._recorded.get(zone) or PINNED_ZONES.read(zone, starts_at, ends_at)
        self.noted[zone] = found
        return found


def _row(each: _Accrued) -> tuple[object, ...]:
    return (
        each.session_id,
        each.mark.month,
        each.moment.partition,
        each.moment.position,
        each.mark.legal_entity,
        each.price.until,
        each.price.currency,
        each.price.net_minor,
        canonical_json(each.zones),
    )
