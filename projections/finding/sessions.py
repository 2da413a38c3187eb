"""Sessions by filters, the newest first unless another order is asked for, within a reach.

Each filter has its index. Of some stations alone, the newest session of each is looked up first:
only where those are among the newest of all can others be. Where another filter leaves fewer to
look at, these are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row

from ledger.facts.station_facts import NO_ID
from ledger.sessions.states import SessionState
from projections.finding.stays import STAYS, Stays
from projections.sessions import (
    ASKED,
    COLUMNS,
    IN_STATE,
    LIST,
    NOT_OPEN,
    SessionSummary,
    Since,
)

_BEGUN: LiteralString = " coalesce(started_at, first_fact_at) "
_TIMES: Final[Mapping[str, LiteralString]] = MappingProxyType(
    {
        "begun_from": " AND" + _BEGUN + ">= %(begun_from)s",
        "begun_until": " AND" + _BEGUN + "< %(begun_until)s",
    }
)
_STOOD: LiteralString = (
    " AND EXISTS (SELECT FROM "
    + STAYS
    + " WHERE stands = station_id AND"
    + _BEGUN
    + ">= begins AND"
    + _BEGUN
    + "< ends)"
)


class SessionOrder(StrEnum):
    """By what sessions are sorted. By energy all that are priced: an index has them in that order.

    Whatever is the same is sorted by the session's id.
    """

    NEWEST = "-began"
    OLDEST = "began"
    MOST_ENERGY = "-energy"
    LEAST_ENERGY = "energy"


_PRICED: LiteralString = " AND energy_wh IS NOT NULL AND state IN ('rated', 'released')"
_SORTED: Final[Mapping[SessionOrder, LiteralString]] = MappingProxyType(
    {
        SessionOrder.NEWEST: " ORDER BY" + _BEGUN + "DESC, session_id",
        SessionOrder.OLDEST: " ORDER BY" + _BEGUN + ", session_id DESC",
        SessionOrder.MOST_ENERGY: " ORDER BY energy_wh DESC, session_id",
        SessionOrder.LEAST_ENERGY: " ORDER BY energy_wh, session_id DESC",
    }
)
_LIMIT: LiteralString = " LIMIT %(limit)s"
_BEHIND: Final[Mapping[SessionOrder, LiteralString]] = MappingProxyType(
    {
        SessionOrder.NEWEST: ASKED["begun_at"],
        SessionOrder.OLDEST: " AND"
        + _BEGUN
        + ">= %(begun_at)s AND ("
        + _BEGUN
        + "> %(begun_at)s OR session_id < %(after)s)",
        SessionOrder.MOST_ENERGY: " AND energy_wh <= %(drawn)s"
        " AND (energy_wh < %(drawn)s OR session_id > %(after)s)",
        SessionOrder.LEAST_ENERGY: " AND energy_wh >= %(drawn)s"
        " AND (energy_wh > %(drawn)s OR session_id < %(after)s)",
    }
)
_LISTED_THERE: LiteralString = f"""SELECT * FROM listed_session
    WHERE station_id = stands AND {_BEGUN} >= begins AND {_BEGUN} < ends"""  # noqa: S608 - our own


class Drawn(NamedTuple):
    """Where a list by energy goes on: behind this session, which drew so much."""

    energy_wh: Decimal
    session_id: str


class SessionWish(NamedTuple):
    """Which sessions; None: whichever. `subject`: the token's subject id; `is_open`: or none is.

    They began at `begun_from` or later, and before `begun_until`.
    """

    state: SessionState | None = None
    station_id: str | None = None
    subject: str | None = None
    is_open: bool | None = None
    begun_from: datetime | None = None
    begun_until: datetime | None = None
    stays: Stays | None = None


def find_sessions(
    connection: Connection[Any],
    wish: SessionWish,
    *,
    limit: int,
    since: Since | Drawn | None = None,
    order: SessionOrder = SessionOrder.NEWEST,
) -> Sequence[SessionSummary]:
    """Return sessions of *wish*, without their costs; those behind *since*.

    By energy only those that are priced, of a wish that says nothing else: what fits it may be few.
    """
    is_by_energy = order in {SessionOrder.MOST_ENERGY, SessionOrder.LEAST_ENERGY}
    key, after = since or (None, None)
    wanted = {**wish._asdict(), "drawn" if is_by_energy else "begun_at": key, "after": after}
    clauses: LiteralString = "" if wish.state is None else IN_STATE[wish.state]
    for name, clause in {**ASKED, **_TIMES}.items():
        if wanted.get(name) is not None and name != "begun_at":
            clauses += NOT_OPEN if name == "is_open" and not wish.is_open else clause
    if is_by_energy:
        clauses += _PRICED
    if since is not None:
        clauses += _BEHIND[order]
    asked: dict[str, object] = {**wanted, "limit": limit, "no_id": NO_ID}
    query: LiteralString = LIST + clauses
    if wish.stays is not None:
        asked |= wish.stays.asked()
        # In any other state are few.
        is_narrow = wish.state not in {None, SessionState.RATED}
        is_narrow = is_narrow or bool(wish.is_open or wish.subject or wish.station_id)
        query = query + _STOOD if is_narrow else _of_stays(clauses, _SORTED[order])
    with connection.cursor(row_factory=class_row(SessionSummary)) as cursor:
        return cursor.execute(query + _SORTED[order] + _LIMIT, asked).fetchall()


def _of_stays(clauses: LiteralString, order: LiteralString) -> LiteralString:
    """Return what finds the first sessions at stays: at as many of them as there are to find.

    Where so many others begin with one that comes before all that a station has, it has none.
    """
    there: LiteralString = _LISTED_THERE + clauses + order
    return f"""{COLUMNS} FROM (
    SELECT listed.* FROM (
        SELECT stay.* FROM {STAYS} CROSS JOIN LATERAL ({there} LIMIT 1) AS first {order} {_LIMIT}
    ) AS stay CROSS JOIN LATERAL ({there} {_LIMIT}) AS listed {order} {_LIMIT}
) AS listed LEFT JOIN subject ON subject = token_uid"""  # noqa: S608 - our own
