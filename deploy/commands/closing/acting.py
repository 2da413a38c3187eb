"""`wattledger period soft-close|sign-off|close|reopen`: closing a month, by two people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deploy.commands.closing.gathering import By, LegalEntity, WithoutReplay, gathering, month_of
from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, say
from deploy.running.opening import opened_with_log
from deploy.running.owner import is_up

if TYPE_CHECKING:
    from ledger.desk.recording import WorkOff
    from ledger.periods.record import AccountingPeriod

Reason = Annotated[str, Parameter(help="Why; it is kept with the period.")]


class ItemNameError(DeployError):
    """The checklist has no such item."""

    def __init__(self, given: str, known: list[str]) -> None:
        super().__init__(f"{given} is on no checklist; there are {', '.join(known)}")


def soft_close(
    month: str,
    *,
    reason: str = "",
    legal_entity: LegalEntity = None,
    by: By = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Let a month take no more entries: what is decided from now on goes to the next.

    It must have been over for an hour (the policy's wait_s). What is on its checklist is then dealt
    with or signed off, and somebody else closes it. Whoever soft-closed it may open it again.

    Args:
        month: Which month ("2026-03"), in the legal entity's calendar.
        reason: Why, if there is something to say.
        legal_entity: Whose books.
        by: Who does it.
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.declared.store import load_declarations
    from ledger.desk.closing.desk import period_desk
    from ledger.desk.closing.legal_entity import the_legal_entity

    month = month_of(month)
    with opened_with_log(folder.settings()) as (connection, log):
        entity = the_legal_entity(load_declarations(connection), legal_entity)
        with period_desk(connection, log, _turn(folder)) as desk:
            now = SystemClock().now()
            period = desk.soft_close(entity, month, by=acting(by), at=now, reason=reason)
    _print(period, folder, f"wattledger period check {month} shows what is left to do")
    return 0


def sign_off(
    month: str,
    item: str,
    *,
    reason: Reason,
    legal_entity: LegalEntity = None,
    without_replay: WithoutReplay = False,
    by: By = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Let something on a month's checklist be as it is.

    Whoever soft-closed the month cannot do so. What changes afterwards is to be signed off again.

    Args:
        month: Which month.
        item: Which item: held, waiting, unbilled, set_aside, numbers, energy or replay.
        reason: Why.
        legal_entity: Whose books.
        without_replay: Of the item "replay": sign off that nobody looked.
        by: Who does it.
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.desk.closing.desk import period_desk
    from projections.closing.checklist import MEANINGS
    from projections.closing.period_scope import PeriodScope

    month, item = month_of(month), item.replace("-", "_")
    if item not in MEANINGS:
        raise ItemNameError(item, list(MEANINGS))
    settings = folder.settings()
    with (
        opened_with_log(settings) as (connection, log),
        period_desk(connection, log, _turn(folder)) as desk,
    ):
        scope = PeriodScope(connection, legal_entity, month)
        with gathering(
            *(connection, log, settings, scope),
            with_replay=not without_replay,
            is_shown=not folder.json,
        ) as looking:
            [found] = looking.checklist(only=item)
        now = SystemClock().now()
        period = desk.sign_off(
            scope.legal_entity, month, found, by=acting(by), at=now, reason=reason
        )
    _print(period, folder, f"{item} is signed off as it is")
    return 0


def close(
    month: str,
    *,
    legal_entity: LegalEntity = None,
    without_replay: WithoutReplay = False,
    by: By = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Close a month for good, once its checklist is empty or signed off.

    Whoever soft-closed it cannot close it. Its trial balance and reports are kept for ever.

    Args:
        month: Which month.
        legal_entity: Whose books.
        without_replay: Do not replay the log; that item must then be signed off.
        by: Who does it.
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.desk.closing.desk import period_desk
    from projections.closing.period_scope import PeriodScope

    month, settings = month_of(month), folder.settings()
    with (
        opened_with_log(settings) as (connection, log),
        period_desk(connection, log, _turn(folder)) as desk,
    ):
        scope = PeriodScope(connection, legal_entity, month)
        person = acting(by)
        desk.check_close(scope.legal_entity, month, by=person)
        with gathering(
            *(connection, log, settings, scope),
            with_replay=not without_replay,
            is_shown=not folder.json,
        ) as looking:
            kept = looking.kept()
        now = SystemClock().now()
        period = desk.close(scope.legal_entity, month, kept, by=person, at=now)
    _print(period, folder, f"wattledger period show {month} shows what is kept of it")
    return 0


def reopen(
    month: str,
    *,
    reason: Reason,
    refuse: Annotated[bool, Parameter(negative=())] = False,
    legal_entity: LegalEntity = None,
    by: By = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Open a month again; one that is closed for good, two people open.

    The first one asks for it with this command, another one opens it with the same. Later months
    are opened first. What was kept at the close is kept on.

    Args:
        month: Which month.
        reason: Why.
        refuse: Keep it closed, where somebody asked to open it.
        legal_entity: Whose books.
        by: Who does it.
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.declared.store import load_declarations
    from ledger.desk.closing.desk import period_desk
    from ledger.desk.closing.legal_entity import the_legal_entity
    from ledger.periods.record import PeriodState

    month = month_of(month)
    with opened_with_log(folder.settings()) as (connection, log):
        entity = the_legal_entity(load_declarations(connection), legal_entity)
        with period_desk(connection, log, _turn(folder)) as desk:
            now, person = SystemClock().now(), acting(by)
            act = desk.keep_closed if refuse else desk.reopen
            period = act(entity, month, by=person, at=now, reason=reason)
    asked = period.state == PeriodState.REOPENING.value
    _print(period, folder, "somebody else opens it, with the same command" if asked else "")
    return 0


def _turn(folder: ReadingFolder) -> WorkOff | None:
    from deploy.running.turns import work_off

    return None if is_up(folder.settings()) else work_off


def _print(period: AccountingPeriod, folder: ReadingFolder, more: str) -> None:
    if folder.json:
        print_json(
            {"legal_entity": period.legal_entity, "month": period.month, "state": period.state}
        )
        return
    state = period.state.replace("_", "-")
    say(f"{period.month} of {period.legal_entity} is {state}{': ' if more else ''}{more}")
