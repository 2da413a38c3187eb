"""What people do with a month: close it by two of them, and open it again by two."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from litestar import Controller, Response, post
from litestar.enums import RequestEncodingType
from litestar.exceptions import PermissionDeniedException
from litestar.params import Body, FromPath

from ledger.desk.closing.desk import PeriodDesk, period_desk
from ledger.desk.closing.refusals import ReasonNeededError
from ledger.errors import LedgerError
from ledger.jobs.asking import ask_for, find_job
from ledger.periods.record import ChecklistItem, PeriodState, SecondPersonError
from ledger.users.roles import Permission
from projections.closing.month_work import CHECK_MONTH, CLOSE_MONTH, MonthAsked, looked_by
from projections.console.closing.items import ITEMS
from projections.console.closing.month import show_month
from projections.console.closing.month_view import asked_month
from projections.console.closing.months import month_address
from projections.console.entry import needs
from projections.console.page import ConsolePage, ThisPage

REASON_MAX: Final = 500
LOOKS: Final = frozenset({CHECK_MONTH, CLOSE_MONTH})
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]
Act = Callable[[PeriodDesk, str], str]
"""Does something with a month for a reason, and returns what to say of it."""


class MonthActsController(Controller):
    """Soft-close, sign off, close, open again, keep closed."""

    path = "/months/{legal_entity:str}/{month:str}"
    opt = needs(Permission.CLOSE_MONTHS)

    @post("/soft-close", sync_to_thread=True)
    def soft_close(
        self, page: ThisPage, legal_entity: FromPath[str], month: FromPath[str], data: Form
    ) -> Response[str]:
        """Let a month take no more entries."""

        def act(desk: PeriodDesk, reason: str) -> str:
            desk.soft_close(legal_entity, month, by=page.user.name, at=page.now, reason=reason)
            return page.text("It takes no more entries. Somebody else goes through its checklist.")

        return _done(page, legal_entity, month, data, act)

    @post("/sign-off", sync_to_thread=True)
    def sign_off(
        self, page: ThisPage, legal_entity: FromPath[str], month: FromPath[str], data: Form
    ) -> Response[str]:
        """Let an item be as the last look found it: what changes is to be signed off again."""

        def act(desk: PeriodDesk, reason: str) -> str:
            found = _item(page, legal_entity, month, data)
            desk.sign_off(legal_entity, month, found, by=page.user.name, at=page.now, reason=reason)
            item = page.text(ITEMS[found.item].title)
            return page.text("{item}: signed off as it is.", item=item)

        return _done(page, legal_entity, month, data, act)

    @post("/close", sync_to_thread=True)
    def close(
        self, page: ThisPage, legal_entity: FromPath[str], month: FromPath[str], data: Form
    ) -> Response[str]:
        """Have a month closed for good, as a job: its checklist is gone through once more."""

        def act(desk: PeriodDesk, _reason: str) -> str:
            asked = asked_month(page, legal_entity, month)
            desk.check_close(legal_entity, month, by=asked.by)
            with page.console.pool.connection() as connection:
                ask_for(
                    connection, CLOSE_MONTH, asked, subject=asked.subject, by=asked.by, at=page.now
                )
            return page.text("It is being closed: the log is replayed for it once more.")

        return _done(page, legal_entity, month, data, act)

    @post("/reopen", sync_to_thread=True)
    def reopen(
        self, page: ThisPage, legal_entity: FromPath[str], month: FromPath[str], data: Form
    ) -> Response[str]:
        """Open a month again, or ask for it."""

        def act(desk: PeriodDesk, reason: str) -> str:
            period = desk.reopen(legal_entity, month, by=page.user.name, at=page.now, reason=reason)
            if period.state == PeriodState.REOPENING.value:
                return page.text("Asked for: somebody else opens it again, or keeps it closed.")
            return page.text("It is open again.")

        return _done(page, legal_entity, month, data, act)

    @post("/keep-closed", sync_to_thread=True)
    def keep_closed(
        self, page: ThisPage, legal_entity: FromPath[str], month: FromPath[str], data: Form
    ) -> Response[str]:
        """Turn down that a month is opened again."""

        def act(desk: PeriodDesk, reason: str) -> str:
            desk.keep_closed(legal_entity, month, by=page.user.name, at=page.now, reason=reason)
            return page.text("It stays closed.")

        return _done(page, legal_entity, month, data, act)


def _asked(page: ConsolePage, legal_entity: str, month: str) -> MonthAsked:
    """Return the month that an act is about.

    Raises:
        NotFoundException: If there is none, or not for this person.
        PermissionDeniedException: If this person may see it, and no more.
    """
    asked = asked_month(page, legal_entity, month)
    if not page.user.may(Permission.CLOSE_MONTHS, legal_entity):
        raise PermissionDeniedException
    return asked


def _done(
    page: ConsolePage, legal_entity: str, month: str, data: dict[str, str], act: Act
) -> Response[Any]:
    """Act, and go back to the month; where the desk refuses it, show why beside what was typed."""
    asked = _asked(page, legal_entity, month)
    try:
        with (
            page.console.desk.opened() as (connection, log),
            period_desk(connection, log, page.console.desk.work_off) as desk,
        ):
            said = act(desk, _reason_of(data))
    except LedgerError as error:
        return show_month(page, asked, trouble_of(page, error), data.get("reason", ""))
    return page.go(month_address(legal_entity, month), said)


def _reason_of(data: dict[str, str]) -> str:
    said = data.get("reason", "")
    # No text of the database holds U+0000, and none of a person has signs that do not show.
    reason = " ".join("".join(each if each.isprintable() else " " for each in said).split())
    if len(reason) > REASON_MAX:
        raise LongReasonError(len(reason))
    return reason


def _item(page: ConsolePage, legal_entity: str, month: str, data: dict[str, str]) -> ChecklistItem:
    """Return the item that a form names, as the look found it that the form was shown with.

    Raises:
        LookGoneError: If there is no such look at this month, or no such item on it.
    """
    asked = asked_month(page, legal_entity, month)
    number = data.get("look", "")
    with page.console.pool.connection() as connection:
        job = find_job(connection, int(number)) if _NUMBER.fullmatch(number) else None
        is_look = job is not None and job.kind in LOOKS and job.subject == asked.subject
        looked = looked_by(connection, job.number) if job is not None and is_look else None
    for each in looked.items if looked else ():
        if each.item == data.get("item"):
            return each
    raise LookGoneError(month)


class LookGoneError(LedgerError):
    """Something is signed off that no look at the month found."""

    def __init__(self, month: str) -> None:
        super().__init__(f"nobody saw that in {month}: check it again, and sign off what is there")


class LongReasonError(LedgerError):
    """A reason is too long to be read."""

    def __init__(self, length: int) -> None:
        super().__init__(f"the reason has {length} characters: {REASON_MAX} are enough")


def trouble_of(page: ConsolePage, error: LedgerError) -> str:
    """Return why something was not done, in words for a page and not for a command line."""
    match error:
        case SecondPersonError():
            return page.text("You began it: somebody else does this.")
        case ReasonNeededError():
            return page.text("Say why: the reason is kept with it.")
        case _:
            return page.told(error)
