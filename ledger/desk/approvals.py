"""The desk where tariff versions are proposed, approved and retired with four eyes.

The record says first what was decided, then the declaration makes it hold. Whoever comes to the
desk next finishes what a crash left between the two; the same declaration twice changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from psycopg import Connection

from ledger.approvals.approvals import ContendedTariffError, TariffApprovals, changes_of
from ledger.approvals.record import TariffRecord, TariffState
from ledger.books.feed import DeskDecision, append_decision
from ledger.database import dsn_of
from ledger.declared.changes import Change, PlannedChange, plan_changes
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.rules import problems_of
from ledger.declared.store import InvalidDeclarationError, load_declarations
from ledger.desk.apply import declare_all
from ledger.desk.drafting.texts import keep_texts
from ledger.desk.drafting.variance import check_variance
from ledger.desk.publish import keeping_limits, read_tariffs
from ledger.errors import LedgerError
from ledger.log.event_log import EventLog
from ledger.master_data.assignments import Assignment
from ledger.master_data.tariff_versions import TariffVersion, published
from ledger.users.pairs import check_pair
from ledger.users.roles import Permission

_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """What became of a request to retire a tariff: it holds, or `record` waits for approval."""

    tariff_id: str
    sha256: str
    holds_until: datetime | None
    record: TariffRecord | None


class TariffDesk:
    """Takes proposals and approvals to the record, and to the books what was approved."""

    def __init__(
        self, connection: Connection[Any], approvals: TariffApprovals, log: EventLog
    ) -> None:
        self._connection, self._approvals, self._log = connection, approvals, log
        self._finish()

    def propose(
        self,
        files: Sequence[tuple[str, str]],
        assignments: Sequence[Assignment] = (),
        *,
        by: str,
        at: datetime,
        holds_from: datetime | None = None,
    ) -> tuple[TariffRecord, ...]:
        """Propose the tariffs of *files* (text, source); what holds already is not proposed.

        Raises:
            ProblemsError: If anything in the files is wrong; then nothing is proposed.
            InvalidDeclarationError: If the books would refuse the version or its assignments.
        """
        tariffs = read_tariffs(files)
        # First of all: nothing is ever proposed of which nobody could read the file.
        keep_texts(self._connection, files, tariffs, by=by, at=at)
        return self.propose_versions(
            [published(each) for each in tariffs], assignments, by=by, at=at, holds_from=holds_from
        )

    def propose_versions(
        self,
        versions: Sequence[TariffVersion],
        assignments: Sequence[Assignment] = (),
        *,
        by: str,
        at: datetime,
        holds_from: datetime | None = None,
    ) -> tuple[TariffRecord, ...]:
        """Propose *versions*, each with the *assignments*; what holds already is not proposed.

        Raises:
            InvalidDeclarationError: If the books would refuse the version or its assignments.
        """
        known = load_declarations(self._connection)
        assignments = [keeping_limits(known, each, holds_from or at) for each in assignments]
        proposed = [
            each
            for each in versions
            if _planned(known, _changes(each, assignments, holds_from), at)
        ]
        return tuple(
            self._approvals.propose(version, assignments, by=by, at=at, holds_from=holds_from)
            for version in proposed
        )

    def approve(
        self,
        tariff_id: str,
        *,
        by: str,
        at: datetime,
        sha256: str | None,
        reason: str = "",
        read_as: str | None = None,
    ) -> TariffRecord:
        """Approve what waits of a tariff, and make it hold.

        Args:
            tariff_id: Which tariff.
            by: Who approves: somebody other than who asked.
            at: Now.
            sha256: The hash (or its beginning) of the text that was read; None: as proposed.
            reason: Why, where the policy wants that of so large a change; it is kept.
            read_as: The record that was read, of which the text is a part; None: as it is.

        Raises:
            ContendedTariffError: If something else waits than was read.
            LetInError, ProposerGoneError: If these are no two people, or one of them may not.
            VarianceError: If the policy wants a reason, and there is none.
            LedgerError: If nothing waits, or this person or text may not approve it.
        """
        record = self._pending(tariff_id, read_as)
        is_new = record.state == TariffState.PROPOSED.value
        known = load_declarations(self._connection)
        read = record.sha256 if sha256 is None else sha256
        check_pair(self._connection, record.asked_by, by, Permission.CHANGE_TARIFFS)
        record.approve(by=by, at=at, sha256=read, reason=reason.strip())
        # Refused now rather than after the record says that it holds.
        _planned(known, changes_of(record), at)
        if is_new:
            tried, assigns = (tariff_id, record.sha256), bool(record.assigned)
            check_variance(self._connection, known.policy(at), tried, reason, assigns=assigns)
        self._approvals.keep(record)
        self._declare(record)
        return record

    def reject(
        self, tariff_id: str, *, by: str, at: datetime, reason: str, read_as: str | None = None
    ) -> TariffRecord:
        """Turn down what waits of a tariff.

        Raises:
            NothingPendingError: If nothing waits.
            ContendedTariffError: If something else waits than was read.
        """
        record = self._pending(tariff_id, read_as)
        record.reject(by=by, at=at, reason=reason)
        self._approvals.keep(record)
        return record

    def retire(
        self,
        tariff_id: str,
        *,
        by: str,
        at: datetime,
        holds_until: datetime | None,
        is_asked: bool = False,
    ) -> Retirement:
        """Retire the version that holds at *holds_until* (None: now), or ask for that.

        It is asked for where the policy wants four eyes, or whoever calls does (*is_asked*).

        Raises:
            NothingInForceError: If no version holds then.
            StillAssignedError: If an assignment names the tariff then.
        """
        known = load_declarations(self._connection)
        end = holds_until or at
        found = known.in_force(Kind.TARIFF, tariff_id, end)
        if found is None or not isinstance(found.entity, TariffVersion):
            raise NothingInForceError(tariff_id, end)
        change = Change(kind=Kind.TARIFF, key=tariff_id, entity=None, valid_from=end)
        try:
            _planned(known, (change,), at)
        except InvalidDeclarationError as error:
            places = tuple(problem.key for problem in error.problems)
            raise StillAssignedError(tariff_id, end, places) from error
        record = None
        if is_asked or known.policy(at).four_eyes:
            record = self._approvals.adopt(found.entity, at=at, holds_from=found.valid_from)
            record.retire(by=by, at=at, holds_until=holds_until)
            self._approvals.keep(record)
        else:
            declare_all(self._connection, (change,), log=self._log, by=by, at=at)
        return Retirement(
            tariff_id=tariff_id, sha256=found.entity.sha256, holds_until=holds_until, record=record
        )

    def _pending(self, tariff_id: str, read_as: str | None) -> TariffRecord:
        record = self._approvals.pending(tariff_id)
        if read_as not in (None, record.read_as):
            raise ContendedTariffError(tariff_id)
        return record

    def _finish(self) -> None:
        """Declare what was approved and, after a crash, never declared.

        What the books refuse by now waits on, and stops nobody else at this desk.
        """
        for record in self._approvals.records():
            if not record.to_declare:
                continue
            try:
                self._declare(record)
            except InvalidDeclarationError as error:
                _LOGGER.warning("tariff %s is approved, and waits: %s", record.tariff_id, error)

    def _declare(self, record: TariffRecord) -> None:
        by = f"{record.asked_by} and {record.approved_by}"
        at = record.approved_at
        assert at is not None
        changes = changes_of(record)
        version = declare_all(self._connection, changes, log=self._log, by=by, at=at)
        is_retired = record.state == TariffState.RETIRED.value
        with self._connection.transaction():
            append_decision(
                self._connection,
                DeskDecision.RETIRED if is_retired else DeskDecision.APPROVED,
                subject=record.tariff_id,
                revision=record.number,
                sha256=record.sha256,
            )
        record.declared(version)
        try:
            self._approvals.keep(record)
        except ContendedTariffError:
            # Who came to the desk at this moment may have finished it: it is declared once.
            if self._approvals.versions(record.tariff_id)[record.number - 1].to_declare:
                raise


@contextmanager
def tariff_desk(connection: Connection[Any], log: EventLog) -> Iterator[TariffDesk]:
    """Open the desk on the database of *connection*, with *log* for the markers."""
    with TariffApprovals(dsn_of(connection)) as approvals:
        yield TariffDesk(connection, approvals, log)


def _changes(
    version: TariffVersion, assignments: Sequence[Assignment], holds_from: datetime | None
) -> tuple[Change, ...]:
    key = version.tariff.id
    return (
        Change(kind=Kind.TARIFF, key=key, entity=version, valid_from=holds_from),
        *(
            Change(kind=Kind.ASSIGNMENT, key=each.key(), entity=each, valid_from=holds_from)
            for each in assignments
        ),
    )


def _planned(
    known: Declarations, changes: Sequence[Change], at: datetime
) -> tuple[PlannedChange, ...]:
    """Return what *changes* would change, unless the books refuse them."""
    planned = plan_changes(known, changes, at=at)
    problems = problems_of(known, planned)
    if problems:
        raise InvalidDeclarationError(problems)
    return planned


class StillAssignedError(LedgerError):
    """A tariff cannot retire while places are priced by it."""

    def __init__(self, tariff_id: str, at: datetime, places: Sequence[str]) -> None:
        super().__init__(
            f"tariff {tariff_id} still prices {', '.join(places)} at "
            f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}: first let another tariff hold there from "
            f"that time (wattledger tariff publish FILE --from TIME --site ...)"
        )
        self.tariff_id, self.at, self.places = tariff_id, at, tuple(places)


class NothingInForceError(LedgerError):
    """No version of this tariff holds at that moment."""

    def __init__(self, tariff_id: str, at: datetime) -> None:
        super().__init__(
            f"no version of tariff {tariff_id} holds at {at.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
        )
        self.tariff_id, self.at = tariff_id, at
