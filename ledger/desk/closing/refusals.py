"""Why a month is not closed, signed off or opened again."""

from __future__ import annotations

from typing import Final

from ledger.errors import LedgerError
from ledger.periods.record import PeriodAct

_SHOWN: Final = 5


class NotOverYetError(LedgerError):
    """A month has not come to its end, or something of it is still to be booked."""

    def __init__(self, month: str, why: str) -> None:
        super().__init__(f"{month} {why}")
        self.month = month


class MonthOrderError(LedgerError):
    """Months close one after the other, and open again in the opposite order."""

    def __init__(self, month: str, other: str, act: PeriodAct) -> None:
        why = {
            PeriodAct.SOFT_CLOSE: f"{other} is open: soft-close it first",
            PeriodAct.CLOSE: f"{other} is soft-closed: close it first",
            PeriodAct.REOPEN: f"{other} is closed: open it again first",
        }[act]
        if act is PeriodAct.SOFT_CLOSE and other >= month:
            why = f"all up to {other} is closed"
        super().__init__(f"{month} cannot {act}: {why}")
        self.month, self.other, self.act = month, other, act


class MarksNotTakenError(LedgerError):
    """The worker has not come to the mark of a month in every partition."""

    def __init__(self, month: str, partitions: list[int]) -> None:
        more = ", ..." if len(partitions) > _SHOWN else ""
        some = ", ".join(map(str, partitions[:_SHOWN])) + more
        super().__init__(
            f"{month} is marked, and the worker has not taken the mark of partition {some} yet"
        )
        self.month, self.partitions = month, partitions


class NothingToSignOffError(LedgerError):
    """An item of the checklist is empty."""

    def __init__(self, month: str, item: str) -> None:
        super().__init__(f"nothing is left of {item} in {month}: there is nothing to sign off")
        self.month, self.item = month, item


class ReasonNeededError(LedgerError):
    """What is done with a period against the usual way wants a reason."""

    def __init__(self, act: PeriodAct) -> None:
        super().__init__(f"say --reason WHY: it is kept with the {act}")
        self.act = act
