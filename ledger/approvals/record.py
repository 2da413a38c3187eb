"""The record of one tariff version: who proposed, approved and retired it, and when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from hashlib import sha256 as sha256_of
from typing import Final
from uuid import UUID, uuid5

import msgspec
from eventsourcing.domain import Aggregate, event

from ledger.aggregates.namespace import NAMESPACE
from ledger.errors import LedgerError
from ledger.four_eyes import is_same_person
from ledger.master_data.assignments import Assignment
from tariffs.model.tariff import Tariff


class TariffState(StrEnum):
    """How far a version is; only what is APPROVED or RETIRING prices sessions."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    RETIRING = "retiring"
    RETIRED = "retired"


class TariffAct(StrEnum):
    """What people do with a version."""

    APPROVE = "approve"
    REJECT = "reject"
    RETIRE = "retire"


MOVES: Final[Mapping[tuple[TariffState, TariffAct], TariffState]] = {
    (TariffState.PROPOSED, TariffAct.APPROVE): TariffState.APPROVED,
    (TariffState.PROPOSED, TariffAct.REJECT): TariffState.REJECTED,
    (TariffState.APPROVED, TariffAct.RETIRE): TariffState.RETIRING,
    (TariffState.RETIRING, TariffAct.APPROVE): TariffState.RETIRED,
    (TariffState.RETIRING, TariffAct.REJECT): TariffState.APPROVED,
}
"""Every legal move. RETIRE asks for it; like a proposal it holds once somebody else approves."""


class TariffRecord(Aggregate):
    """One version of one tariff, counted from 1; its text never changes.

    `holds_from` and `holds_until` are wishes (None: from the approval on) until they are approved,
    and then the moments that hold. `to_declare`: approved, but not declared to the books yet.
    """

    @event("Proposed")
    def __init__(
        self,
        *,
        tariff_id: str,
        number: int,
        sha256: str,
        text: str,
        assignments: str,
        holds_from: datetime | None,
        by: str,
        at: datetime,
    ) -> None:
        self.tariff_id, self.number, self.sha256, self.text = tariff_id, number, sha256, text
        self.assignments = assignments
        self.holds_from = holds_from
        self.holds_until: datetime | None = None
        self.author, self.proposed_at = by, at
        self.asked_by, self.approved_by = by, ""
        self.approved_at: datetime | None = None
        self.state = TariffState.PROPOSED.value
        self.to_declare = False
        self.declared_version: int | None = None
        self.reason = ""
        self.replaced_by: int | None = None

    @staticmethod
    def create_id(*, tariff_id: str, number: int) -> UUID:
        """Return the id of one version."""
        return uuid5(NAMESPACE, f"tariff:{number}:{tariff_id}")

    @property
    def tariff(self) -> Tariff:
        """Return what the version says."""
        return msgspec.json.decode(self.text, type=Tariff)

    @property
    def assigned(self) -> tuple[Assignment, ...]:
        """Return the assignments that hold together with it."""
        return msgspec.json.decode(self.assignments, type=tuple[Assignment, ...])

    @property
    def read_as(self) -> str:
        """Return what a form brings back of the record that was read: any change makes another."""
        return f"{self.number}/{self.version}"

    @property
    def is_pending(self) -> bool:
        """Whether it waits for a second pair of eyes."""
        return (TariffState(self.state), TariffAct.APPROVE) in MOVES

    def approve(self, *, by: str, at: datetime, sha256: str, reason: str = "") -> None:
        """Let it hold (or its retirement), from the wished moment but never from before *at*.

        Args:
            by: Somebody other than who asked for it.
            at: Now.
            sha256: The hash of the text that *by* has read, or the beginning of it.
            reason: Why it shall hold, where *by* says so; it is kept.

        Raises:
            IllegalTariffMoveError: If nothing waits for approval.
            FourEyesError: If *by* asked for it.
            ChangedTextError: If that is not the text which was proposed.
        """
        self._check(TariffAct.APPROVE)
        if is_same_person(by, self.asked_by):
            raise FourEyesError(self.tariff_id, self.number, by)
        intact = sha256_of(self.text.encode()).hexdigest() == self.sha256
        if not intact or not sha256 or not self.sha256.startswith(sha256.strip().lower()):
            raise ChangedTextError(self.tariff_id, self.number, self.sha256, sha256)
        is_retiring = self.state == TariffState.RETIRING.value
        wished = (self.holds_until if is_retiring else self.holds_from) or at
        self._approve(by=by, at=at, effective=max(wished, at), reason=reason)

    def reject(self, *, by: str, at: datetime, reason: str) -> None:
        """Turn the proposal (or the retirement) down; its author may take it back so.

        Raises:
            IllegalTariffMoveError: If nothing waits for approval.
        """
        self._check(TariffAct.REJECT)
        self._reject(by=by, at=at, reason=reason)

    def replace(self, *, by: str, at: datetime, number: int) -> None:
        """Give the proposal up for version *number*, which *by* proposes in its place.

        Raises:
            IllegalTariffMoveError: If nothing waits for approval.
        """
        self._check(TariffAct.REJECT)
        self._replace(by=by, at=at, number=number)

    def retire(self, *, by: str, at: datetime, holds_until: datetime | None) -> None:
        """Ask that it prices nothing from *holds_until* on (None: from the approval on).

        Raises:
            IllegalTariffMoveError: If it does not hold.
        """
        self._check(TariffAct.RETIRE)
        self._ask_to_retire(by=by, at=at, holds_until=holds_until)

    @event("Declared")
    def declared(self, version: int) -> None:
        """Note the version of the declarations that says so to the books."""
        self.declared_version, self.to_declare = version, False

    @event("Adopted")
    def adopt(self, holds_from: datetime) -> None:
        """Record a version that was declared, and held, before anybody had to approve it."""
        self.state, self.holds_from = TariffState.APPROVED.value, holds_from

    @event("Approved")
    def _approve(self, by: str, at: datetime, effective: datetime, reason: str = "") -> None:
        self.approved_by, self.approved_at, self.to_declare = by, at, True
        self.reason = reason
        if self.state == TariffState.RETIRING.value:
            self.holds_until = effective
        else:
            self.holds_from = effective
        self._move(TariffAct.APPROVE)

    @event("Rejected")
    def _reject(self, by: str, at: datetime, reason: str) -> None:  # noqa: ARG002 - in the event
        self.reason = reason
        self._move(TariffAct.REJECT)

    @event("Replaced")
    def _replace(self, by: str, at: datetime, number: int) -> None:  # noqa: ARG002 - in the event
        self.replaced_by = number
        self._move(TariffAct.REJECT)

    @event("RetirementProposed")
    def _ask_to_retire(self, by: str, at: datetime, holds_until: datetime | None) -> None:  # noqa: ARG002
        self.asked_by, self.holds_until = by, holds_until
        self._move(TariffAct.RETIRE)

    def _check(self, act: TariffAct) -> None:
        if (TariffState(self.state), act) not in MOVES:
            raise IllegalTariffMoveError(self.tariff_id, self.number, self.state, act)

    def _move(self, act: TariffAct) -> None:
        self.state = MOVES[TariffState(self.state), act].value


class IllegalTariffMoveError(LedgerError):
    """A version in this state cannot be approved, rejected or retired."""

    def __init__(self, tariff_id: str, number: int, state: str, act: TariffAct) -> None:
        super().__init__(f"tariff {tariff_id} version {number} is {state}: it cannot {act}")
        self.tariff_id, self.number, self.state, self.act = tariff_id, number, state, act


class FourEyesError(LedgerError):
    """Nobody approves what they asked for themselves."""

    def __init__(self, tariff_id: str, number: int, by: str) -> None:
        super().__init__(
            f"tariff {tariff_id} version {number} was asked for by {by}: "
            "somebody else has to approve it (--by)"
        )
        self.tariff_id, self.number, self.by = tariff_id, number, by


class ChangedTextError(LedgerError):
    """What an approver has read is not what was proposed."""

    def __init__(self, tariff_id: str, number: int, proposed: str, read: str) -> None:
        super().__init__(
            f"tariff {tariff_id} version {number} was proposed as {proposed[:12]}, "
            f"what you read is {read[:12] or 'not named'}: look at it again"
        )
        self.tariff_id, self.number, self.proposed, self.read = tariff_id, number, proposed, read
