"""The record of one accounting period: who closed it, on which checklist, and who opened it again.

A period is a month of one legal entity's books. Soft-closed, it takes no more entries, and what
its checklist lists is dealt with or signed off; then a second person closes it. What stood in the
books then is kept with the close, as bytes: also after the period was opened again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final
from uuid import UUID, uuid5

import msgspec
from eventsourcing.domain import Aggregate, event

from ledger.aggregates.namespace import NAMESPACE
from ledger.errors import LedgerError
from ledger.four_eyes import is_same_person


class PeriodState(StrEnum):
    """How far a period is; of all but OPEN nothing is booked in it any more."""

    OPEN = "open"
    SOFT_CLOSED = "soft_closed"
    CLOSED = "closed"
    REOPENING = "reopening"


class PeriodAct(StrEnum):
    """What people do with a period."""

    SOFT_CLOSE = "soft-close"
    SIGN_OFF = "sign-off"
    CLOSE = "close"
    REOPEN = "reopen"
    KEEP_CLOSED = "keep closed"


MOVES: Final[Mapping[tuple[PeriodState, PeriodAct], PeriodState]] = {
    (PeriodState.OPEN, PeriodAct.SOFT_CLOSE): PeriodState.SOFT_CLOSED,
    (PeriodState.SOFT_CLOSED, PeriodAct.SIGN_OFF): PeriodState.SOFT_CLOSED,
    (PeriodState.SOFT_CLOSED, PeriodAct.CLOSE): PeriodState.CLOSED,
    (PeriodState.SOFT_CLOSED, PeriodAct.REOPEN): PeriodState.OPEN,
    # One person asks for it, another one does it or keeps it closed.
    (PeriodState.CLOSED, PeriodAct.REOPEN): PeriodState.REOPENING,
    (PeriodState.REOPENING, PeriodAct.REOPEN): PeriodState.OPEN,
    (PeriodState.REOPENING, PeriodAct.KEEP_CLOSED): PeriodState.CLOSED,
}
"""Every legal move."""


class ChecklistItem(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be dealt with before a period is closed, and what is left of it.

    `count` things are left, the first of them `shown`; `digest` is the hash of all of them. Not
    `is_checked`: nobody looked, which is to be signed off too.
    """

    item: str
    count: int
    digest: str
    shown: tuple[str, ...] = ()
    is_checked: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return self.is_checked and self.count == 0


class SignOff(msgspec.Struct, frozen=True, kw_only=True):
    """Who let a checklist's item be as it was then (`digest`, `count`), and why."""

    item: str
    digest: str
    count: int
    by: str
    at: datetime
    reason: str


class PeriodClose(msgspec.Struct, frozen=True, kw_only=True):
    """A close: by whom, on which checklist, where every partition stood, and what is kept of it.

    `positions` are those of the marks, by partition: what is decided from there on is not in the
    period. Under "-1" stands up to which event the documents were booked. `trial_balance` and
    `reports` are canonical JSON; the hashes are theirs.
    """

    by: str
    at: datetime
    soft_closed_by: str
    positions: dict[str, int]
    checklist: tuple[ChecklistItem, ...]
    signed: tuple[SignOff, ...]
    trial_balance: str
    trial_balance_sha256: str
    reports: str
    reports_sha256: str

    @property
    def is_intact(self) -> bool:
        """Whether what is kept is what was hashed."""
        return (
            sha256(self.trial_balance.encode()).hexdigest() == self.trial_balance_sha256
            and sha256(self.reports.encode()).hexdigest() == self.reports_sha256
        )


class AccountingPeriod(Aggregate):
    """One month of one legal entity's books.

    `number` is that of its last mark in the log, `booked_up_to` up to which event of the invoices
    documents were booked before it. `moves` are what was done, in order: act, by whom, when, why.
    """

    @event("Begun")
    def __init__(self, *, legal_entity: str, month: str) -> None:
        self.legal_entity, self.month = legal_entity, month
        self.state = PeriodState.OPEN.value
        self.soft_closed_by, self.asked_by = "", ""
        self.number = self.booked_up_to = 0
        self.signed_text: dict[str, str] = {}
        self.closes_text: list[str] = []
        self.moves: list[tuple[str, str, str, str]] = []

    @staticmethod
    def create_id(*, legal_entity: str, month: str) -> UUID:
        """Return the id of a period."""
        return uuid5(NAMESPACE, f"period:{month}:{legal_entity}")

    @property
    def is_closed(self) -> bool:
        """Whether it is closed for good, be it that somebody asked to open it again."""
        return self.state in {PeriodState.CLOSED.value, PeriodState.REOPENING.value}

    @property
    def signed(self) -> tuple[SignOff, ...]:
        """Return what was signed off since the period was soft-closed, the last of each item."""
        texts = self.signed_text.values()
        return tuple(msgspec.json.decode(text, type=SignOff) for text in texts)

    @property
    def closes(self) -> tuple[PeriodClose, ...]:
        """Return every close, the first one first; all but the last were opened again."""
        return tuple(msgspec.json.decode(text, type=PeriodClose) for text in self.closes_text)

    def soft_close(
        self, *, by: str, at: datetime, reason: str, number: int, booked_up_to: int
    ) -> None:
        """Let it take no more entries, from its marks of that number on.

        Raises:
            IllegalPeriodMoveError: If it is not open.
        """
        self.check(PeriodAct.SOFT_CLOSE)
        self._soft_close(by=by, at=at, reason=reason, number=number, booked_up_to=booked_up_to)

    def sign_off(self, item: ChecklistItem, *, by: str, at: datetime, reason: str) -> None:
        """Let an item of the checklist be as it is.

        Raises:
            IllegalPeriodMoveError: If it is not soft-closed.
            SecondPersonError: If *by* soft-closed it.
        """
        self.check(PeriodAct.SIGN_OFF)
        self._second(PeriodAct.SIGN_OFF, by, self.soft_closed_by)
        self._sign_off(
            item=item.item, digest=item.digest, count=item.count, by=by, at=at, reason=reason
        )

    def close(
        self,
        checklist: tuple[ChecklistItem, ...],
        *,
        by: str,
        at: datetime,
        positions: Mapping[int, int],
        trial_balance: bytes,
        reports: bytes,
    ) -> None:
        """Close it for good, with what is kept of it.

        Raises:
            IllegalPeriodMoveError: If it is not soft-closed.
            SecondPersonError: If *by* soft-closed it.
            ChecklistError: If an item is neither empty nor signed off as it is.
        """
        self.check_close(by)
        if left := unsettled(checklist, self.signed):
            raise ChecklistError(self.month, left)
        self._close(
            kept=msgspec.json.encode(
                PeriodClose(
                    by=by,
                    at=at,
                    soft_closed_by=self.soft_closed_by,
                    positions={str(each): positions[each] for each in sorted(positions)},
                    checklist=checklist,
                    signed=self.signed,
                    trial_balance=trial_balance.decode(),
                    trial_balance_sha256=sha256(trial_balance).hexdigest(),
                    reports=reports.decode(),
                    reports_sha256=sha256(reports).hexdigest(),
                )
            ).decode(),
            by=by,
            at=at,
        )

    def reopen(self, *, by: str, at: datetime, reason: str, number: int, booked_up_to: int) -> bool:
        """Open it again, or ask for it where it is closed for good; say whether it is open now.

        Raises:
            IllegalPeriodMoveError: If it is open.
            SecondPersonError: If *by* asked for it.
        """
        self.check(PeriodAct.REOPEN)
        if self.state == PeriodState.CLOSED.value:
            self._ask_to_reopen(by=by, at=at, reason=reason)
            return False
        if self.state == PeriodState.REOPENING.value:
            self._second(PeriodAct.REOPEN, by, self.asked_by)
        self._reopen(by=by, at=at, reason=reason, number=number, booked_up_to=booked_up_to)
        return True

    def keep_closed(self, *, by: str, at: datetime, reason: str) -> None:
        """Turn down that it is opened again; who asked for it takes it back so.

        Raises:
            IllegalPeriodMoveError: If nobody asked for it.
        """
        self.check(PeriodAct.KEEP_CLOSED)
        self._keep_closed(by=by, at=at, reason=reason)

    def check_close(self, by: str) -> None:
        """Say whether *by* may close it now.

        Raises:
            IllegalPeriodMoveError: If it is not soft-closed.
            SecondPersonError: If *by* soft-closed it.
        """
        self.check(PeriodAct.CLOSE)
        self._second(PeriodAct.CLOSE, by, self.soft_closed_by)

    def check(self, act: PeriodAct) -> None:
        """Say whether *act* is a legal move now.

        Raises:
            IllegalPeriodMoveError: If it is none.
        """
        if (PeriodState(self.state), act) not in MOVES:
            raise IllegalPeriodMoveError(self.month, PeriodState(self.state), act)

    @event("SoftClosed")
    def _soft_close(
        self, by: str, at: datetime, reason: str, number: int, booked_up_to: int
    ) -> None:
        self.soft_closed_by, self.number, self.booked_up_to = by, number, booked_up_to
        self.signed_text = {}
        self._move(PeriodAct.SOFT_CLOSE, by, at, reason)

    @event("ItemSignedOff")
    def _sign_off(
        self, item: str, digest: str, count: int, by: str, at: datetime, reason: str
    ) -> None:
        signed = SignOff(item=item, digest=digest, count=count, by=by, at=at, reason=reason)
        self.signed_text[item] = msgspec.json.encode(signed).decode()
        self._move(PeriodAct.SIGN_OFF, by, at, f"{item}: {reason}")

    @event("Closed")
    def _close(self, kept: str, by: str, at: datetime) -> None:
        self.closes_text.append(kept)
        self._move(PeriodAct.CLOSE, by, at, "")

    @event("ReopeningAsked")
    def _ask_to_reopen(self, by: str, at: datetime, reason: str) -> None:
        self.asked_by = by
        self._move(PeriodAct.REOPEN, by, at, reason)

    @event("KeptClosed")
    def _keep_closed(self, by: str, at: datetime, reason: str) -> None:
        self.asked_by = ""
        self._move(PeriodAct.KEEP_CLOSED, by, at, reason)

    @event("Reopened")
    def _reopen(self, by: str, at: datetime, reason: str, number: int, booked_up_to: int) -> None:
        self.soft_closed_by = self.asked_by = ""
        self.number, self.booked_up_to = number, booked_up_to
        self._move(PeriodAct.REOPEN, by, at, reason)

    def _move(self, act: PeriodAct, by: str, at: datetime, reason: str) -> None:
        self.state = MOVES[PeriodState(self.state), act].value
        self.moves.append((act.value, by, at.isoformat(), reason))

    def _second(self, act: PeriodAct, by: str, first: str) -> None:
        if is_same_person(by, first):
            raise SecondPersonError(self.month, act, by)


def unsettled(
    checklist: tuple[ChecklistItem, ...], signed: tuple[SignOff, ...]
) -> tuple[ChecklistItem, ...]:
    """Return the items that are neither empty nor signed off as they are."""
    agreed = {(each.item, each.digest) for each in signed}
    return tuple(
        each for each in checklist if not each.is_empty and (each.item, each.digest) not in agreed
    )


class IllegalPeriodMoveError(LedgerError):
    """A period in this state cannot be closed, signed off or opened again."""

    def __init__(self, month: str, state: PeriodState, act: PeriodAct) -> None:
        super().__init__(f"{month} is {state.replace('_', '-')}: it has no {act}")
        self.month, self.state, self.act = month, state, act


class SecondPersonError(LedgerError):
    """What needs four eyes was done by one person."""

    def __init__(self, month: str, act: PeriodAct, by: str) -> None:
        super().__init__(
            f"{by} cannot {act} {month} alone: somebody else than who began it does that (--by)"
        )
        self.month, self.act, self.by = month, act, by


class ChecklistError(LedgerError):
    """Something on the checklist is neither dealt with nor signed off."""

    def __init__(self, month: str, left: tuple[ChecklistItem, ...]) -> None:
        what = ", ".join(
            f"{each.item} ({each.count})" if each.is_checked else f"{each.item} (not looked at)"
            for each in left
        )
        super().__init__(
            f"{month} is not closed: {what}. `wattledger period check {month}` shows them; deal "
            f"with them, or `wattledger period sign-off {month} ITEM --reason WHY`"
        )
        self.month, self.left = month, left
