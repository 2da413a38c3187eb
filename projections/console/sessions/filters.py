"""Which sessions a page lists: what stands in its address, and the sessions that it means."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeVar

from litestar.exceptions import ValidationException
from psycopg import Connection

from ledger.declared.declarations import Kind
from ledger.sessions.states import SessionState
from ledger.users.roles import Permission
from projections.console.addresses import AFTER, SORT, PageAddress
from projections.console.page import ConsolePage
from projections.console.parts.within import WithinReach
from projections.finding.sessions import Drawn, SessionOrder, SessionWish, find_sessions
from projections.finding.stays import Stays
from projections.sessions import SessionSummary, Since
from tariffs.zones import zone

T = TypeVar("T")
LOOKED_AT_ONCE: Final = 1_000
LOOKS_MAX: Final = 5
"""Flags and reasons have no index: so many sessions are looked through for a page, then it ends."""
OF_PLACES_AT_ONCE: Final = 100
LOOKS_AT_PLACES_MAX: Final = 15
"""Of some stations alone each look asks at each of them, and of more PostgreSQL would sort all."""
_NOWHERE: Final = Stays((), (), ())
_BY_ENERGY: Final = frozenset({SessionOrder.MOST_ENERGY, SessionOrder.LEAST_ENERGY})
_BETWEEN: Final = "~"
_ENERGY: Final = re.compile(r"-?\d{1,18}(\.\d{1,9})?", re.ASCII)
_MONTH: Final = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


class SessionFilters(NamedTuple):
    """What an address asks for; "" asks for nothing. `month` 2026-03, `day` 2026-03-31."""

    state: str = ""
    station: str = ""
    site: str = ""
    month: str = ""
    day: str = ""
    reason: str = ""
    flag: str = ""

    def has(self, session: SessionSummary) -> bool:
        """Say whether a session fits what no index serves."""
        if self.flag and self.flag not in session.flags:
            return False
        return not self.reason or self.reason in session.reasons


class LookedSessions(NamedTuple):
    """Sessions of a page, and behind which the next ones are; `looked_until`: if it ended early."""

    sessions: Sequence[SessionSummary]
    since: Since | Drawn | None
    looked_until: datetime | None = None


def filters_of(address: PageAddress) -> SessionFilters:
    """Return what an address asks for.

    Raises:
        ValidationException: If a state, a month or a day is none.
    """
    asked = SessionFilters(*(address.of(name) for name in SessionFilters._fields))
    if asked.state and asked.state not in set(SessionState) - {SessionState.REPLACED}:
        message = f"state: there is no state {asked.state}"
        raise ValidationException(message)
    if asked.month and not _MONTH.fullmatch(asked.month):
        message = f"month: it is written as 2026-03, not {asked.month}"
        raise ValidationException(message)
    if asked.day:
        _day(asked.day)
    return asked


def clock_of(inside: WithinReach, asked: SessionFilters) -> tzinfo:
    """Return by which clock days and months are meant: the place's that is asked for, else UTC.

    Where all sites have one, by that.
    """
    declared = inside.declarations
    sites = set(declared.keys(Kind.SITE))
    if asked.station:
        history = declared.history(Kind.STATION, asked.station)
        sites &= {getattr(row.entity, "site", "") for row in history[-1:]}
    elif asked.site:
        sites &= {asked.site}
    zones = {
        getattr(row.entity, "time_zone", "UTC")
        for each in sites
        for row in declared.history(Kind.SITE, each)[-1:]
    }
    return zone(zones.pop()) if len(zones) == 1 else UTC


def wish_of(asked: SessionFilters, inside: WithinReach, clock: tzinfo) -> SessionWish:
    """Return which sessions are meant, their days and months by the clock of *clock*."""
    begins, ends = _span(asked, clock)
    return SessionWish(
        state=SessionState(asked.state) if asked.state else None,
        station_id=asked.station or None,
        begun_from=begins,
        begun_until=ends,
        stays=_stays_of(inside.stays, asked.station),
    )


def find_filtered(
    connection: Connection[Any],
    asked: SessionFilters,
    wish: SessionWish,
    *,
    limit: int,
    since: Since | Drawn | None,
    order: SessionOrder = SessionOrder.NEWEST,
) -> LookedSessions:
    """Return a page of sessions; where a flag is rare it may end before it is full."""
    if wish.stays is not None and not wish.stays.stations:
        return LookedSessions([], None)
    at_once, looks = limit + 1, 1
    if asked.flag or asked.reason:
        at_once, looks = LOOKED_AT_ONCE, LOOKS_MAX
        if wish.stays is not None:
            at_once, looks = OF_PLACES_AT_ONCE, LOOKS_AT_PLACES_MAX
    found: list[SessionSummary] = []
    for _ in range(looks):
        looked = find_sessions(connection, wish, limit=at_once, since=since, order=order)
        found += filter(asked.has, looked)
        if len(found) > limit:
            return LookedSessions(found[:limit], key_of(found[limit - 1], order))
        if len(looked) < at_once:
            return LookedSessions(found, None)
        since = key_of(looked[-1], order)
    return LookedSessions(found, since, looked[-1].begun_at)


def order_of(page: ConsolePage) -> SessionOrder:
    """Return how an address sorts: by when sessions began, or all that are priced by their energy.

    Raises:
        ValidationException: If it does by anything else, or by the energy of some sessions only.
    """
    said = page.address.of(SORT)
    order = next((each for each in SessionOrder if each == said), None)
    if said and order is None:
        message = page.text("{value} is no column that sorts", value=said[:100])
        raise ValidationException(message)
    if order in _BY_ENERGY and not sorts_by_energy(page):
        message = page.text("By energy all sessions are sorted: take the filters away.")
        raise ValidationException(message)
    return order or SessionOrder.NEWEST


def sorts_by_energy(page: ConsolePage) -> bool:
    """Say whether the sessions of an address are all there are: an index has those by energy."""
    is_all = page.user.reach(Permission.SEE_BOOKS).is_everywhere
    return is_all and not any(page.address.of(name) for name in SessionFilters._fields)


def key_of(session: SessionSummary, order: SessionOrder = SessionOrder.NEWEST) -> Since | Drawn:
    """Return where a page goes on behind a session."""
    if order in _BY_ENERGY:
        return Drawn(session.energy_wh or Decimal(0), session.session_id)
    return Since(session.begun_at, session.session_id)


def since_of(
    address: PageAddress, order: SessionOrder = SessionOrder.NEWEST
) -> Since | Drawn | None:
    """Return behind which session a page goes on.

    Raises:
        ValidationException: If the address was not made here.
    """
    if not (text := address.of(AFTER)):
        return None
    if order in _BY_ENERGY:
        drawn, _, name = text.partition(_BETWEEN)
        if not _ENERGY.fullmatch(drawn):
            message = f"{AFTER}: {drawn[:100]} is no energy in Wh"
            raise ValidationException(message)
        return Drawn(Decimal(drawn), name)
    return Since(*parsed_key(text))


def parsed_key(text: str) -> tuple[datetime, str]:
    """Return the moment and the name that `written_key` wrote.

    Raises:
        ValidationException: If it did not.
    """
    moment, _, name = text.partition(_BETWEEN)
    at = _parsed(datetime.fromisoformat, moment, AFTER)
    if at.tzinfo is None:
        message = f"{AFTER}: a moment without its zone"
        raise ValidationException(message)
    return at, name


def written_key(key: datetime | Decimal, name: str) -> str:
    """Return where a page goes on as it stands in an address."""
    said = key.isoformat() if isinstance(key, datetime) else f"{key:f}"
    return f"{said}{_BETWEEN}{name}"


def _stays_of(stays: Stays | None, station: str) -> Stays | None:
    """Return what of *stays* is at a station, where one is named: none may be."""
    if stays is None or not station:
        return stays
    rows = [row for row in zip(*stays, strict=True) if row[0] == station]
    return Stays(*(tuple(column) for column in zip(*rows, strict=True))) if rows else _NOWHERE


def _span(asked: SessionFilters, clock: tzinfo) -> tuple[datetime | None, datetime | None]:
    if asked.day:
        first = _day(asked.day)
        last = first + timedelta(days=1) if first < date.max else first
    elif asked.month:
        first = _day(f"{asked.month}-01")
        last = (first + timedelta(days=31)).replace(day=1) if first.year < date.max.year else first
    else:
        return None, None
    begins, ends = (datetime.combine(each, time(0), clock) for each in (first, last))
    return begins, ends


def _day(text: str) -> date:
    return _parsed(date.fromisoformat, text, "day")


def _parsed(parse: Callable[[str], T], text: str, name: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        message = f"{name}: {text!r} is not one, such as 2026-03-31"
        raise ValidationException(message) from error
