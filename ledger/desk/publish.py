"""Publishing tariffs: a file becomes an immutable version, declared like all master data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from msgspec.structs import replace
from psycopg import Connection

from ledger.declared.changes import Change, PlannedChange, plan_changes
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import load_declarations
from ledger.desk.apply import ProblemsError, declare_all
from ledger.desk.drafting.texts import keep_texts
from ledger.desk.drafting.variance import check_variance
from ledger.desk.forgetting.person_exchange import exchange_persons
from ledger.errors import LedgerError
from ledger.log.event_log import EventLog
from ledger.master_data.assignments import NO_LIMITS, Assignment
from ledger.master_data.policies import Policy
from ledger.master_data.tariff_versions import TariffVersion, published
from tariffs.files.examples import failing_examples
from tariffs.files.tariff_file import read_tariff_file
from tariffs.model.tariff import Tariff


class SecondPairOfEyesError(LedgerError):
    """The policy wants a second person for every tariff."""

    def __init__(self) -> None:
        super().__init__("the policy wants four eyes: propose the tariff, another approves it")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was published, or would be: unchanged tariffs do not appear.

    `names` say which token a subject id in `planned` stands for.
    """

    planned: tuple[PlannedChange, ...]
    version: int
    names: dict[str, str] = field(default_factory=dict, repr=False)


class Holding(NamedTuple):
    """From when on tariffs hold (None: now), and which assignments do together with them."""

    valid_from: datetime | None = None
    assignments: Sequence[Assignment] = ()


AT_ONCE: Final = Holding()


def publish_files(
    connection: Connection[Any],
    files: Sequence[tuple[str, str]],
    *,
    log: EventLog,
    by: str,
    at: datetime,
    holding: Holding = AT_ONCE,
    reason: str = "",
    is_dry: bool = False,
) -> Published:
    """Publish the tariffs of *files* (text, source), to hold as *holding* says.

    Raises:
        VarianceError: If the policy wants a *reason* of so large a change, and there is none.
        ProblemsError: If anything in the files is wrong; then nothing is published.
        SecondPairOfEyesError: If the policy wants four eyes: `ledger.desk.approvals` proposes then.
    """
    tariffs, (valid_from, assignments) = read_tariffs(files), holding
    wanted = [
        Change(kind=Kind.TARIFF, key=tariff.id, entity=published(tariff), valid_from=valid_from)
        for tariff in tariffs
    ]
    wanted += [
        Change(kind=Kind.ASSIGNMENT, key=each.key(), entity=each, valid_from=valid_from)
        for each in assignments
    ]
    known = load_declarations(connection)
    if known.policy(at).four_eyes and not is_dry:
        raise SecondPairOfEyesError
    exchanged, names = exchange_persons(connection, wanted, is_dry=is_dry)
    changes = [
        replace(each, entity=keeping_limits(known, each.entity, valid_from or at))
        if isinstance(each.entity, Assignment)
        else each
        for each in exchanged
    ]
    planned = plan_changes(known, changes, at=at)
    if is_dry:
        return Published(planned=planned, version=known.version, names=names)
    _check_gate(connection, known.policy(at), planned, reason)
    texts = partial(keep_texts, connection, files, tariffs, by=by, at=at)
    version = declare_all(connection, changes, log=log, by=by, at=at, beside=texts)
    return Published(planned=planned, version=version, names=names)


def _check_gate(
    connection: Connection[Any], policy: Policy, planned: Sequence[PlannedChange], reason: str
) -> None:
    """See that who publishes alone says why, where who approves would have to."""
    assigns = any(isinstance(each.after, Assignment) for each in planned)
    for each in planned:
        if isinstance(each.after, TariffVersion):
            tried = (each.key, each.after.sha256)
            check_variance(connection, policy, tried, reason, assigns=assigns)
        elif isinstance(each.after, Assignment) and assigns:
            tried = (each.after.tariff, "")
            check_variance(connection, policy, tried, reason, assigns=True)


def keeping_limits(known: Declarations, assignment: Assignment, at: datetime) -> Assignment:
    """Return *assignment* with the limits of the one that it replaces, unless it names some.

    A new price is no reason to let sessions go farther; `wattledger apply` takes limits away.
    """
    if assignment.limits != NO_LIMITS:
        return assignment
    found = known.in_force(Kind.ASSIGNMENT, assignment.key(), at)
    before = found.entity if found else None
    return assignment.with_limits(before.limits) if isinstance(before, Assignment) else assignment


def read_tariffs(files: Sequence[tuple[str, str]]) -> list[Tariff]:
    """Return the tariffs of *files* (text, source).

    Raises:
        ProblemsError: If anything in the files is wrong.
    """
    tariffs, problems = [], []
    for text, source in files:
        tariff, found = read_tariff_file(text, source)
        problems += found
        if tariff is not None:
            problems += failing_examples(tariff, text, source)
        if tariff is not None:
            tariffs.append(tariff)
    if problems:
        raise ProblemsError(problems)
    return tariffs
