"""What waits, as lists: what it is, where it leads, since when, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Final, NamedTuple
from urllib.parse import urlencode

from ledger.persons.store import readable
from projections.console.links import (
    bank_line_link,
    customer_link,
    frame_link,
    invoice_link,
    payment_link,
    session_link,
    unmatched_link,
)
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.console.work_list.sorting import sorting
from projections.console.work_list.words_of_codes import codes_in_words
from projections.waiting.counts import REASONS_LOOKED_AT, HeldReason, WaitingCount, WaitingItem
from projections.waiting.kinds import HELD, KINDS, SET_ASIDE, WaitingOrder

_KINDS: Final[Sequence[Column]] = (
    Column("what", "What waits"),
    Column("count", "How many", is_figure=True),
    Column("oldest", "Oldest since"),
    Column("advice", "What to do"),
)
_REASONS: Final[Sequence[Column]] = (
    Column("reason", "Held because"),
    Column("count", "How many", is_figure=True),
    Column("oldest", "Oldest since"),
)
_ITEMS: Final[Sequence[Column]] = (
    Column("what", "What waits"),
    Column("where", "Where"),
    Column("since", "Since"),
    Column("amount", "Amount", is_figure=True),
    Column("why", "Why"),
)
_DAYS: Final = frozenset({"numbers", "energy", "unmatched", "overdue"})
"""Of these only the day is known, not the hour."""
_DAY: Final = timedelta(days=1)


class Clocks(NamedTuple):
    """The time zones of stations and legal entities."""

    zones: Mapping[str, tzinfo]

    def at(self, place: str) -> tzinfo:
        """Return the zone of a station or legal entity; UTC where none is known."""
        return self.zones.get(place, UTC)


def kinds_list(page: ConsolePage, counts: Sequence[WaitingCount], clocks: Clocks) -> Listing:
    """Return every kind with how much of it waits, what there is of any first."""
    ordered = sorted(counts, key=lambda each: not each.number)
    rows = [_kind_row(page, each, clocks.at(each.place)) for each in ordered]
    waits = sum(1 for each in counts if each.number)
    return Listing(
        caption=page.text("What waits"),
        columns=_KINDS,
        rows=rows,
        address=page.address,
        empty="",
        total=page.text("{waits} of {kinds} kinds have something", waits=waits, kinds=len(rows)),
    )


def _kind_row(page: ConsolePage, each: WaitingCount, zone: tzinfo) -> Sequence[Cell]:
    kind, where = KINDS[each.kind], _LISTS.get(each.kind, f"/console/work/{each.kind}")
    number = page.words.language.number(Decimal(each.number)) + ("+" if each.is_more else "")
    return (
        Cell(page.text(kind.title), where),
        Cell(number, where, tone="warn" if each.number else "good"),
        since_cell(page, each.kind, each.oldest, zone) if each.number else Cell(""),
        Cell(page.text(kind.advice) if each.number else page.text("Nothing: all is done.")),
    )


def reasons_list(page: ConsolePage, reasons: Sequence[HeldReason], clocks: Clocks) -> Listing:
    """Return why sessions are held, the most frequent reason first."""
    rows = []
    is_cut = sum(each.number for each in reasons) >= REASONS_LOOKED_AT
    for reason, count, oldest, station in reasons:
        where = f"/console/work/{HELD}?{urlencode({'reason': reason})}"
        rows.append(
            (
                Cell(codes_in_words(page.words, [reason]), where, note=reason),
                Cell(page.words.language.number(Decimal(count)), where),
                since_cell(page, HELD, oldest, clocks.at(station)),
            )
        )
    return Listing(
        caption=page.text("Held sessions by reason"),
        columns=_REASONS,
        rows=rows,
        address=page.address,
        empty=page.text("No session is held: each was rated by itself, or decided."),
        total=page.text("among the oldest {count}", count=REASONS_LOOKED_AT) if is_cut else "",
    )


def since_cell(page: ConsolePage, kind: str, at: datetime | None, zone: tzinfo) -> Cell:
    """Return since when something waits, and how long that is."""
    if at is None:
        return Cell(page.text("not known"))
    days = (page.now - at) // _DAY
    age = page.text("{days} days", days=days) if days != 1 else page.text("1 day")
    if kind in _DAYS:
        return Cell(page.words.language.day(at.date()), note=age)
    return Cell(at=at, zone=zone, note=age)


def items_list(
    page: ConsolePage,
    kind: str,
    items: Sequence[WaitingItem],
    names: Mapping[str, str],
    clocks: Clocks,
    *,
    next_after: str,
) -> Listing:
    """Return what waits of a kind; *names* in place of subject ids."""
    return Listing(
        caption=page.text(KINDS[kind].title),
        columns=sorting(kind, _ITEMS),
        rows=[_item_row(page, kind, each, names, clocks.at(each.place or "")) for each in items],
        address=page.address,
        empty=page.text("Nothing of this kind waits."),
        next_after=next_after,
        exports=bool(items),
        by_itself=WaitingOrder.OLDEST.value,
    )


def _item_row(
    page: ConsolePage, kind: str, item: WaitingItem, names: Mapping[str, str], zone: tzinfo
) -> Sequence[Cell]:
    amount = ""
    if item.minor is not None and item.currency is not None:
        amount = page.words.language.money(item.minor, item.currency)
    why, about = codes_in_words(page.words, item.codes), readable(item.about, names)
    return (
        Cell(readable(item.key, names), _address(kind, item, names)),
        Cell(item.place or ""),
        since_cell(page, kind, item.at, zone),
        Cell(amount),
        Cell(why or about, note=about if why else ""),
    )


def _session(item: WaitingItem) -> str:
    return session_link(item.key)


def _energy(item: WaitingItem) -> str:
    day, _, station = item.key.partition(" ")
    return f"/console/energy?{urlencode({'station': station, 'day': day})}"


_LISTS: Final = {
    "unmatched": unmatched_link(source="bank"),
    "unexplained": unmatched_link(source="provider"),
}
"""Where those kinds are listed by filters that have a screen of their own."""
_DISPUTES: Final = "/console/payments/disputes?state=open"


def _second(item: WaitingItem) -> str:
    match item.codes:
        case ["refund"]:
            return invoice_link(item.key)
        case ["match"]:
            return f"{bank_line_link(item.key)}?proposal=1"
        case _:
            return f"{payment_link(item.key)}?proposal=1"


_ADDRESSES: Final[Mapping[str, Callable[[WaitingItem], str]]] = {
    HELD: _session,
    "gaps": _session,
    "late": _session,
    "contested": _session,
    SET_ASIDE: lambda item: frame_link(item.key),
    "overdue": lambda item: invoice_link(item.key),
    "numbers": lambda item: invoice_link(item.key),
    "disputes": lambda item: invoice_link(item.about) if item.about else _DISPUTES,
    "energy": _energy,
    "unbalanced": lambda _: "/console/integrity",
    "unmatched": lambda item: bank_line_link(item.key),
    "unexplained": lambda item: payment_link(item.key),
    "second": _second,
}


def _address(kind: str, item: WaitingItem, names: Mapping[str, str]) -> str:
    """Return where what waits is decided; "" where no page is for it."""
    if kind == "refused":
        return _refused_address(item.key, names)
    return _ADDRESSES[kind](item) if kind in _ADDRESSES else ""


def _refused_address(cause: str, names: Mapping[str, str]) -> str:
    what, _, rest = cause.partition(":")
    if what == "month":
        # month:2026-03:EUR:seller:customer, and behind that the partner who owes it
        customer = rest.split(":")[3]
        return customer_link(names.get(customer, customer))
    if what == "credit":
        return invoice_link(rest.partition(":")[2])
    head, _, revision = rest.rpartition("/")
    return session_link(head if revision.isdecimal() else rest)
