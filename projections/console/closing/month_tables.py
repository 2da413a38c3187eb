"""Tables of a month: what was kept at its close, and what came afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from ledger.periods.record import PeriodClose
from projections.closing.month_balance import read_balance
from projections.closing.month_reports import AccountSum, MonthReports
from projections.console.closing.items import ITEMS
from projections.console.closing.month_view import MonthView
from projections.console.links import invoice_link, session_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage

SIDES: Final = (("debit", "Debit"), ("credit", "Credit"), ("balance", "Balance"))
ENERGY_PARTS: Final = (
    ("metered", "Metered"),
    ("billed", "Billed"),
    ("free", "Free by rule"),
    ("held", "Held"),
    ("unattributed", "Unattributed"),
    ("dropped", "Dropped"),
    ("difference", "Difference"),
)


class KeptClose(msgspec.Struct, frozen=True, kw_only=True):
    """What was kept at a close, as it is shown."""

    close: PeriodClose
    tables: tuple[Listing, ...]
    summary: str


def later_table(page: ConsolePage, view: MonthView) -> Listing:
    """Return the entries about a month that stand in a later one."""
    columns = (
        Column("entry", "Entry"),
        Column("period", "Stands in"),
        Column("booked_at", "Booked at"),
    )
    rows = [
        [
            Cell(each.entry, entry_address(each.entry)),
            Cell(page.words.language.month(each.period)),
            Cell(at=each.booked_at, zone=view.calendar),
        ]
        for each in view.later.entries
    ]
    return Listing(
        page.text("What came afterwards, and stands in a later month"),
        columns,
        rows,
        page.address,
        page.text("Nothing came afterwards: all that is about this month stands in it."),
        total=page.text("{count} entries in all", count=f"{view.later.count:,}"),
    )


def entry_address(entry: str) -> str:
    """Return where the cause of an entry is shown: its session or its document; "" elsewhere."""
    kind, _, cause = entry.partition(":")
    if kind in {"invoice", "credit"}:
        return invoice_link(cause)
    if kind in {"rated", "reversed"}:
        session, _, revision = cause.rpartition("/")
        return session_link(session if revision.isdigit() else cause)
    return ""


def sums_table(page: ConsolePage, title: str, sums: Sequence[AccountSum]) -> Listing:
    """Return sums by account; *title* is English."""
    columns = (Column("account", "Account"), Column("amount", "Amount", is_figure=True))
    rows = [
        [Cell(each.account), Cell(page.words.language.money(each.amount_minor, each.currency))]
        for each in sums
    ]
    return Listing(page.text(title), columns, rows, page.address, page.text("Nothing."))


def kept_close(page: ConsolePage, close: PeriodClose, number: int) -> KeptClose:
    """Return what was kept at a month's close of that *number*, from 1."""
    reports: MonthReports = msgspec.json.decode(close.reports, type=MonthReports)
    kept_wh = reports.held.energy_wh
    return KeptClose(
        close=close,
        tables=tuple(
            # Readers that jump from table to table tell those of two closes apart.
            each._replace(caption=f"{each.caption} ({number})") if number > 1 else each
            for each in (
                _checklist(page, close),
                _balance(page, close),
                sums_table(page, "Revenue of the month", reports.revenue),
                sums_table(page, "Taxes of the month", reports.taxes),
                _energy_days(page, reports),
            )
        ),
        summary=" ".join(
            [
                page.text(
                    "{unbilled} sessions were unbilled, {held} held with {energy} kWh.",
                    unbilled=sum(each.sessions for each in reports.unbilled),
                    held=reports.held.sessions,
                    energy=page.words.language.number(kept_wh.scaleb(-3)),
                ),
                *(
                    page.text(
                        "{cdrs} CDRs of partners waited, with {energy} kWh and {net} {currency}.",
                        cdrs=each.cdrs,
                        energy=page.words.language.number(each.energy_wh.scaleb(-3)),
                        net=f"{each.net:f}",
                        currency=each.currency,
                    )
                    for each in reports.uncharged
                ),
            ]
        ),
    )


def _checklist(page: ConsolePage, close: PeriodClose) -> Listing:
    columns = (
        Column("item", "Item"),
        Column("left", "Left", is_figure=True),
        Column("settled", "Settled"),
    )
    signed = {(each.item, each.digest): each for each in close.signed}
    rows = []
    for each in close.checklist:
        by = None if each.is_empty else signed.get((each.item, each.digest))
        settled = (
            Cell(page.text("yes, by {person}", person=by.by), note=by.reason)
            if by
            else Cell(page.text("yes, nothing is left"))
        )
        left = f"{each.count:,}" if each.is_checked else page.text("not looked at")
        title = page.text(ITEMS[each.item].title) if each.item in ITEMS else each.item
        rows.append([Cell(title), Cell(left), settled])
    return Listing(
        page.text("Checklist at the close"), columns, rows, page.address, page.text("Nothing.")
    )


def _balance(page: ConsolePage, close: PeriodClose) -> Listing:
    money = page.words.language.money
    columns = (
        Column("account", "Account"),
        *(Column(key, title, is_figure=True) for key, title in SIDES),
    )
    rows = [
        [
            Cell(each.account),
            Cell(money(each.debit_minor, each.currency)),
            Cell(money(each.credit_minor, each.currency)),
            Cell(money(each.balance_minor, each.currency)),
        ]
        for each in read_balance(close.trial_balance).accounts
    ]
    title = page.text("Trial balance at the close")
    return Listing(title, columns, rows, page.address, page.text("Nothing."))


def _energy_days(page: ConsolePage, reports: MonthReports) -> Listing:
    language = page.words.language
    columns = (
        Column("day", "Day"),
        *(Column(key, title, is_figure=True) for key, title in ENERGY_PARTS),
    )
    rows = [
        [
            Cell(language.day(each.day)),
            *(Cell(language.number(getattr(each, f"{key}_wh"))) for key, _ in ENERGY_PARTS),
        ]
        for each in reports.energy
    ]
    title = page.text("Energy of the month in Wh, by day")
    return Listing(title, columns, rows, page.address, page.text("Nothing."))
