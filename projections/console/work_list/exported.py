"""What waits of a kind as a file: all of it, in the order of the list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any, Final

from litestar import Response

from ledger.persons.store import names_in, readable
from ledger.users.roles import Permission
from projections.console.exports.exporting import Cells, csv_file, xlsx_file
from projections.console.page import ConsolePage
from projections.console.work_list.line_times import with_times
from projections.console.work_list.sorting import order_of
from projections.console.work_list.words_of_codes import codes_in_words
from projections.waiting.counts import BehindItem, WaitingItem, waiting_items
from projections.waiting.kinds import KINDS, SET_ASIDE
from projections.waiting.within import asked_within
from tariffs.quantities import money_of_minor

_AT_ONCE: Final = 1_000
_HEADING: Final = ("what", "where", "since", "amount", "currency", "codes", "why", "about")


def exported(page: ConsolePage, kind: str, reason: str, form: str) -> Response[Any]:
    """Return what waits of a kind as a CSV file, or as a workbook (*form* "xlsx")."""
    order_of(page, kind)  # what is wrong with it is said before the first row
    rows = _rows(page, kind, reason)
    if form == "xlsx":
        return xlsx_file(f"work-{kind}", page.text(KINDS[kind].title), _HEADING, rows)
    return csv_file(f"work-{kind}", _HEADING, rows)


def _rows(page: ConsolePage, kind: str, reason: str) -> Iterator[Cells]:
    with page.console.exporting() as connection:
        declared = page.console.newest.of(connection)
        asked = asked_within(declared, page.user.reach(Permission.SEE_BOOKS), page.now)
        after, order = None, order_of(page, kind)
        while True:
            found = waiting_items(
                connection,
                kind,
                asked,
                limit=_AT_ONCE,
                after=after,
                reason=reason or None,
                order=order,
            )
            names = names_in(connection, [(each.key, each.about) for each in found])
            times = with_times(page, [each.key for each in found]) if kind == SET_ASIDE else {}
            for each in found:
                told = each._replace(at=each.at or times.get(each.key))
                key, about = (readable(text, names) for text in (each.key, each.about))
                yield _cells(page, told._replace(key=key, about=about))
            if len(found) < _AT_ONCE:
                return
            after = BehindItem(found[-1].at, found[-1].key, found[-1].minor)


def _cells(page: ConsolePage, item: WaitingItem) -> Cells:
    amount = ""
    if item.minor is not None and item.currency is not None:
        amount = f"{money_of_minor(item.minor, item.currency).amount:f}"
    return (
        item.key,
        item.place or "",
        item.at.astimezone(UTC).isoformat() if item.at else "",
        amount,
        item.currency or "",
        " ".join(item.codes),
        codes_in_words(page.words, item.codes),
        item.about,
    )
