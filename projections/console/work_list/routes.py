"""The work list: how much waits of each kind, and what it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from litestar import Controller, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from psycopg import Connection

from ledger.persons.store import names_in
from ledger.users.roles import Permission
from projections.console.addresses import FORMAT
from projections.console.entry import needs
from projections.console.page import ConsolePage, ThisPage
from projections.console.work_list.exported import exported
from projections.console.work_list.items import Clocks, items_list, kinds_list, reasons_list
from projections.console.work_list.line_times import with_times
from projections.console.work_list.sorting import behind, order_of, written
from projections.journal.days import book_days
from projections.stations.within import sites_within, stations_within
from projections.waiting.counts import held_reasons, waiting_counts, waiting_items
from projections.waiting.kinds import HELD, KINDS, SET_ASIDE
from projections.waiting.within import asked_within

SHOWN: Final = 50
"""So many rows a page."""
_SEE: Final = needs(Permission.SEE_BOOKS)


class _Seen(NamedTuple):
    """What somebody sees: what queries are asked with, and by which clocks."""

    asked: Mapping[str, object]
    clocks: Clocks


class WorkController(Controller):
    """What finance begins the day with."""

    path = "/work"
    include_in_schema = False

    @get("/", opt=_SEE, sync_to_thread=True)
    def work(self, page: ThisPage) -> Response[str]:
        """Show how much waits of each kind, and since when."""
        with page.console.reading() as connection:
            seen = _seen(page, connection)
            counts = waiting_counts(connection, seen.asked)
            reasons = held_reasons(connection, seen.asked)
        counts = [
            each._replace(oldest=with_times(page, [each.oldest_key])[each.oldest_key])
            if each.kind == SET_ASIDE and each.number
            else each
            for each in counts
        ]
        return page.show(
            "work_list/work.html.j2",
            kinds=kinds_list(page, counts, seen.clocks),
            reasons=reasons_list(page, reasons, seen.clocks),
        )

    @get("/{kind:str}", opt=_SEE, sync_to_thread=True)
    def waiting(self, page: ThisPage, kind: FromPath[str]) -> Response[Any]:
        """List what waits of a kind, the oldest first; or return all of it as a file."""
        if kind not in KINDS:
            raise NotFoundException(
                detail=page.text("Nothing of the kind {kind} waits.", kind=kind)
            )
        reason = page.address.of("reason") if kind == HELD else ""
        if form := page.address.of(FORMAT):
            return exported(page, kind, reason, form)
        order = order_of(page, kind)
        with page.console.reading() as connection:
            seen = _seen(page, connection)
            found = waiting_items(
                connection,
                kind,
                seen.asked,
                limit=SHOWN + 1,
                after=behind(page, order),
                reason=reason or None,
                order=order,
            )
            reasons = held_reasons(connection, seen.asked) if kind == HELD and not reason else []
            names = names_in(connection, [(each.key, each.about) for each in found])
        shown, last = found[:SHOWN], found[SHOWN - 1] if len(found) > SHOWN else None
        next_after = "" if last is None else written(last, order)
        if kind == SET_ASIDE:
            times = with_times(page, [each.key for each in shown])
            shown = [each._replace(at=times[each.key]) for each in shown]
        return page.show(
            "work_list/waiting.html.j2",
            kind=KINDS[kind],
            listing=items_list(page, kind, shown, names, seen.clocks, next_after=next_after),
            reasons=reasons_list(page, reasons, seen.clocks) if reasons else None,
            reason=reason,
        )


ROUTES: Final[Sequence[type[Controller]]] = (WorkController,)


def _seen(page: ConsolePage, connection: Connection[Any]) -> _Seen:
    declared = page.console.newest.of(connection)
    reach = page.user.reach(Permission.SEE_BOOKS)
    sites = sites_within(declared, reach, page.now)
    stations = stations_within(declared, reach, page.now)
    zones = {key: sites[site][1] for key, site in stations.items() if site in sites}
    clocks = Clocks({**book_days(declared).zones, **zones})
    return _Seen(asked_within(declared, reach, page.now), clocks)
