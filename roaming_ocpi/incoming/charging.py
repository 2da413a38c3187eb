"""What is to be charged on to our customers, or no more, as a line of the log that says so.

A verdict hangs on tables that the worker of the books does not read; so what follows from it there
comes to it as every other input does. It is said once for each CDR, again where the verdict turns,
and again whenever a person accepts the CDR: what could not be priced then may be by now.

    accepted, or flagged with `charges_flagged`  -> charge
    disputed, flagged, or taken back by a credit -> take_back, if it was charged before

What came under its id again, and does not count, changes nothing of that: the partner is paid.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.log.envelope import ChargeOn, encode_line
from ledger.log.event_log import EventLog, partition_of
from ledger.log.outbox import NotCarriedError, carry, put_all
from roaming_ocpi.incoming.store import CdrRow
from roaming_ocpi.incoming.verdicts.verdict import CdrVerdict, owed_verdict_of

logger = logging.getLogger(__name__)


def note_acts(
    rows: Iterable[CdrRow], *, charges_flagged: Callable[[datetime], bool]
) -> Iterator[CdrRow]:
    """Note on *rows* that changed what is to be charged; yield those of which it is to be said.

    *charges_flagged*: whether that holds for sessions that began then.
    """
    for row in rows:
        began = row.known.started_at
        if row.known.is_credit or row.known.subject is None or began is None:
            continue
        verdict = row.verdict if row.is_decided else owed_verdict_of(row.codes)
        is_paid = verdict is CdrVerdict.ACCEPTED or (
            verdict is CdrVerdict.FLAGGED and charges_flagged(began)
        )
        is_charged = is_paid and row.known.credited_by is None
        before, row.charge_act = row.charge_act, "charge" if is_charged else row.charge_act
        if not is_charged and before is not None:
            row.charge_act = "take_back"
        if row.charge_act != before or (is_charged and row.decision is not None):
            yield row


class ChargeLines:
    """Puts such lines into the outbox, with the verdicts that they follow from.

    Args:
        log: Where they are carried to.
        now: What time it is; it stands on the lines.
    """

    def __init__(self, log: EventLog, now: Callable[[], datetime]) -> None:
        self._log, self._now = log, now
        self._has_some = False

    def put(self, connection: Connection[Any], party: str, rows: Iterable[CdrRow]) -> None:
        """Put what *rows* of *party* say, in the transaction in which they are stored."""
        at = self._now()
        partition = partition_of(party, partitions=self._log.partitions)
        lines = [(partition, encode_line(_line(party, row, at))) for row in rows]
        if lines:
            put_all(connection, lines, partitions=self._log.partitions)
            self._has_some = True

    def carry(self, connection: Connection[Any]) -> None:
        """Carry what was put, once it is committed; what cannot be now, who ticks carries."""
        if not self._has_some:
            return
        self._has_some = False
        try:
            carry(connection, self._log)
        except NotCarriedError as error:
            logger.warning("what is charged on waits: %s", error)


def _line(party: str, row: CdrRow, at: datetime) -> ChargeOn:
    _, by, reason = row.decision or (None, "", "")
    assert row.at is not None, row.known.id
    assert row.known.subject is not None, row.known.id
    return ChargeOn(
        received_at=at,
        party=party,
        cdr_id=row.known.id,
        position=row.at.position,
        line=row.at.line,
        act="charge" if row.charge_act == "charge" else "take_back",
        subject=row.known.subject,
        zone=row.zone,
        by=by,
        reason=reason,
    )
