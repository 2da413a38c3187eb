"""Declaring: master data and tariffs into the database, with a marker in the event log.

The marker stands in every partition, so a replay knows at which record which declarations held. It
is put into the outbox in the transaction of what it announces: neither is ever there without the
other, and until it is in the log nothing is priced by what it announces.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.declared.changes import Change, PlannedChange, plan_changes
from ledger.declared.declarations import Declarations
from ledger.declared.policy_rules import unnamed_currencies
from ledger.declared.rules import problems_of
from ledger.declared.store import LOCK, declare, load_declarations, load_version
from ledger.desk.forgetting.person_exchange import exchange_persons
from ledger.desk.master_data_files import MasterData, read_master_data
from ledger.errors import LedgerError
from ledger.invoices.numbering import begun_series
from ledger.log.envelope import Declared, encode_line
from ledger.log.event_log import EventLog
from ledger.log.outbox import carry, put
from ledger.master_data.documents.means import DocumentMeans
from ledger.master_data.legal_entities import LegalEntity
from ledger.persons.store import readable
from tariffs.problems import Problem


class ProblemsError(LedgerError):
    """Files that cannot be used as they are: every problem, each with its spot."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        count = len(self.problems)
        lines = "\n".join(str(problem) for problem in self.problems)
        super().__init__(f"{lines}\n{count} problem{'s' if count != 1 else ''}, nothing declared")


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What was declared, or would be: the changes and the version that holds then.

    `passwords` are the plain ones that the files gave, by station; they are kept nowhere. `names`
    say whom a subject id in `planned` stands for. `warnings`: what documents will
    lack, and currencies without a limit of their own, by their spots.
    """

    planned: tuple[PlannedChange, ...]
    version: int
    passwords: dict[str, str] = field(default_factory=dict, repr=False)
    names: dict[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[Problem, ...] = ()


def apply_files(  # noqa: PLR0913 - whoever declares says who, when, by what and beside what
    connection: Connection[Any],
    files: Sequence[tuple[str, str]],
    *,
    log: EventLog,
    by: str,
    at: datetime,
    is_dry: bool = False,
    means: DocumentMeans | None = None,
    known: Declarations | None = None,
    beside: Callable[[], None] = lambda: None,
) -> Applied:
    """Declare the master data of *files* (text, source); a dry run only says what would change.

    *means*: what documents can be made with; what none could be made with is refused. *known*: an
    older snapshot, if there is one at hand. *beside*: as for `declare_all`.

    Raises:
        ProblemsError: If anything in the files is wrong; then nothing is declared.
    """
    known = load_declarations(connection, known=known)
    data = read_master_data(files, known, means)
    if data.problems:
        # Nobody gets a subject id because of a file that is not used.
        is_dry = True
    changes, names = exchange_persons(
        connection, data.changes, spelt=data.spelt, details=data.details, is_dry=is_dry
    )
    planned = plan_changes(known, changes, at=at)
    problems = [
        *data.problems,
        *_rule_problems(known, planned, data, names),
        *_start_problems(connection, planned, data),
    ]
    if problems:
        raise ProblemsError(problems)
    if is_dry:
        version = load_version(connection)
    else:
        # Also where nothing is new: what a killed command declared may wait for its markers.
        version = declare_all(
            connection, changes, log=log, by=by, at=at, known=known, beside=beside
        )
    return Applied(
        planned=planned,
        version=version,
        passwords=data.passwords,
        names=names,
        warnings=tuple(sorted([*data.warnings, *_unnamed(known, planned, data)])),
    )


def declare_all(
    connection: Connection[Any],
    changes: Sequence[Change] | Callable[[Declarations], Sequence[Change]],
    *,
    log: EventLog,
    by: str,
    at: datetime,
    known: Declarations | None = None,
    beside: Callable[[], None] = lambda: None,
) -> int:
    """Declare *changes* and mark that in every partition of *log*; return the new version.

    Args:
        connection: To the database, in no transaction.
        changes: What, or what makes it of all that is declared: nobody else declares meanwhile.
        log: Where the markers are to stand.
        by: Who declares it.
        at: Now.
        known: An older snapshot, if there is one at hand.
        beside: Writes what belongs to it, in its transaction.

    Raises:
        InvalidDeclarationError: If the result would not hold together; nothing is written.
        NotCarriedError: If it is declared, and the log cannot take the markers now.
    """
    with connection.transaction():
        if callable(changes):
            connection.execute(LOCK)
            known = load_declarations(connection, known=known)
            changes = changes(known)
        before = load_version(connection)
        beside()
        version = declare(connection, changes, by=by, at=at, known=known)
        if version != before:
            line = encode_line(Declared(received_at=at, version=version))
            markers = dict.fromkeys(range(log.partitions), line)
            put(connection, markers, partitions=log.partitions)
    carry(connection, log)
    return version


def _rule_problems(
    known: Declarations,
    planned: Sequence[PlannedChange],
    data: MasterData,
    names: dict[str, str],
) -> list[Problem]:
    return [
        data.report(problem.kind, readable(problem.key, names), readable(problem.message, names))
        for problem in problems_of(known, planned)
    ]


def _unnamed(
    known: Declarations, planned: Sequence[PlannedChange], data: MasterData
) -> list[Problem]:
    """Return where a limit by currency says nothing of one in which sites sell."""
    found = unnamed_currencies(known, planned)
    return [data.report(each.kind, each.key, str(each)) for each in found]


def _start_problems(
    connection: Connection[Any], planned: Sequence[PlannedChange], data: MasterData
) -> list[Problem]:
    """Return what is wrong with new starts: a series that has given a number goes on from it."""
    return [
        data.report(
            change.kind,
            change.key,
            f"numbers of {begun.kind} cannot start at {begun.start}: those of {begun.year} went as"
            f" far as {begun.last}; declare it with the valid_from of a later year",
        )
        for change in planned
        if isinstance(change.after, LegalEntity)
        for begun in begun_series(connection, change, change.after)
    ]
