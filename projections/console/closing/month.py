"""The page of a month: may I close it?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from litestar import Controller, Response, get, post
from litestar.params import FromPath

from ledger.jobs.asking import ask_for
from ledger.periods.record import PeriodState
from ledger.users.roles import Permission
from projections.closing.month_work import CHECK_MONTH, MonthAsked
from projections.console.closing.items import ITEMS, item_list, line_address
from projections.console.closing.month_tables import kept_close, later_table, sums_table
from projections.console.closing.month_view import MonthView, asked_month, month_view
from projections.console.closing.months import (
    STATES,
    entries_text,
    journal_address,
    month_address,
)
from projections.console.entry import needs
from projections.console.page import ConsolePage, ThisPage

ACTS: Final = {
    "soft-close": "soft-closed it",
    "sign-off": "let be as it is",
    "close": "closed it",
    "reopen": "opened it again, or asked for it",
    "keep closed": "kept it closed",
}
"""What somebody did with a month, in English."""


class MonthController(Controller):
    """A month, and having its checklist gone through."""

    path = "/months/{legal_entity:str}/{month:str}"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def month(
        self, page: ThisPage, legal_entity: FromPath[str], month: FromPath[str]
    ) -> Response[str]:
        """Show whether a month may be closed, and what came of it."""
        return show_month(page, asked_month(page, legal_entity, month))

    @post("/check", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def check(
        self, page: ThisPage, legal_entity: FromPath[str], month: FromPath[str]
    ) -> Response[str]:
        """Have the checklist gone through, as a job."""
        asked = asked_month(page, legal_entity, month)
        with page.console.pool.connection() as connection:
            ask_for(connection, CHECK_MONTH, asked, subject=asked.subject, by=asked.by, at=page.now)
        said = page.text("The checklist is being gone through: the log is replayed for it.")
        return page.go(month_address(legal_entity, month) + "#checklist", said)


def show_month(
    page: ConsolePage, asked: MonthAsked, trouble: str = "", reason: str = ""
) -> Response[str]:
    """Return the page of a month; *trouble* is why something was not done to it just now."""
    view = month_view(page, asked)
    may_close = page.user.may(Permission.CLOSE_MONTHS, asked.legal_entity)
    here = month_address(asked.legal_entity, asked.month)
    closes = [kept_close(page, each, number) for number, each in enumerate(view.period.closes, 1)]
    closes.reverse()
    return page.show(
        "closing/month.html.j2",
        status=409 if trouble else 200,
        view=view,
        asked=asked,
        here=here,
        title=page.words.language.month(asked.month),
        state=page.text(STATES[view.state]),
        answer=answer_of(page, view),
        trouble=trouble,
        reason=reason,
        may_close=may_close,
        # A replay is of all books at once.
        sees_all=page.user.reach(Permission.SEE_BOOKS).is_everywhere,
        is_second=may_close and not view.is_first(page.user.name),
        items=ITEMS,
        item_list=item_list,
        line_address=line_address,
        entries=entries_text(view.entries),
        journal=journal_address(asked.legal_entity, asked.month),
        differences=money_differences(page, view.balance.difference_minor),
        metered=energy_text(page, view),
        moves=[_move(page, *each) for each in view.period.moves],
        acts=ACTS,
        later=later_table(page, view),
        later_sums=sums_table(page, "Which comes to (debits less credits)", view.later.sums),
        closes=closes,
    )


def answer_of(page: ConsolePage, view: MonthView) -> tuple[str, str]:
    """Return the answer to "may I close?", and its tone."""
    match view.state:
        case PeriodState.CLOSED:
            return page.text("It is closed."), "good"
        case PeriodState.REOPENING:
            said = page.text(
                "{person} asks to open it again: somebody else does that, or keeps it closed.",
                person=view.period.asked_by,
            )
            return said, "warn"
        case PeriodState.OPEN if page.now < view.ends:
            until = page.moment(view.ends, view.calendar)
            return page.text("No: the month is not over before {until}.", until=until), "warn"
        case PeriodState.OPEN:
            return page.text("Not yet: it takes entries still. Soft-close it first."), "warn"
        case PeriodState.SOFT_CLOSED:
            return _answer_of_soft_closed(page, view)


def _answer_of_soft_closed(page: ConsolePage, view: MonthView) -> tuple[str, str]:
    if view.look.looked is None:
        return page.text("Not yet: nobody has gone through its checklist."), "warn"
    if view.left:
        said = page.text("No: something is left of {count} items.", count=len(view.left))
        return said, "bad"
    said = page.text(
        "Yes: nothing is left. Somebody else than {person} closes it.",
        person=view.period.soft_closed_by,
    )
    return said, "good"


def money_differences(page: ConsolePage, minor: dict[str, int]) -> Sequence[tuple[str, str]]:
    """Return debits less credits of each currency as text, with its tone."""
    return [
        (page.words.language.money(amount, currency), "bad" if amount else "good")
        for currency, amount in sorted(minor.items())
    ]


def energy_text(page: ConsolePage, view: MonthView) -> str:
    """Return what was metered in the month, in kWh."""
    kilowatt_hours = view.energy.total.metered_wh.scaleb(-3)
    return page.words.language.number(kilowatt_hours) + " kWh"


def _move(
    page: ConsolePage, act: str, by: str, at: str, reason: str
) -> tuple[str, str, datetime, str]:
    item, _, why = reason.partition(": ")
    if act == "sign-off" and item in ITEMS:
        reason = f"{page.text(ITEMS[item].title)}: {why}"
    return act, by, datetime.fromisoformat(at), reason
