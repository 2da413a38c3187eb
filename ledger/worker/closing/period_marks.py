"""Which months are closed in a partition, as the worker keeps it: marks of the log, stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg import Connection

from ledger.books.periods import ClosedMonths, MarkAct, MonthMark, load_marks, store_marks
from ledger.log.envelope import PeriodMark


class PeriodMarks:
    """The marks of one partition: those that are stored, and those that are new."""

    def __init__(self, connection: Connection[Any], partition: int) -> None:
        self._connection, self._partition = connection, partition
        self.closed = ClosedMonths(load_marks(connection, partition))
        """By all of them; each says from which record on."""
        self._new: list[MonthMark] = []

    def take(self, lines: Iterable[PeriodMark], position: int) -> list[PeriodMark]:
        """Take what the record at *position* marks; return what was not marked before."""
        taken = []
        for line in lines:
            act = MarkAct(line.act)
            mark = MonthMark(line.legal_entity, line.number, line.month, act, position)
            if self.closed.take(mark):
                self._new.append(mark)
                taken.append(line)
        return taken

    def store(self) -> None:
        """Write what is new, within the caller's transaction."""
        store_marks(self._connection, self._partition, self._new)
        self._new.clear()
