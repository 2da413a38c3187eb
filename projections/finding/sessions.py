"""Sessions by filters, the newest first, within a reach.

Each filter has its index. Of some stations alone, their newest sessions are looked up station by
station, unless another filter leaves fewer to look at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
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
_ORDER: LiteralString = " ORDER BY" + _BEGUN + "DESC, session_id LIMIT %(limit)s"
_AT_EACH: LiteralString = f"""{COLUMNS} FROM {STAYS} CROSS JOIN LATERAL (
    SELECT * FROM listed_session
    WHERE station_id = stands AND {_BEGUN} >= begins AND {_BEGUN} < ends"""  # noqa: S608 - our own
_OF_EACH: LiteralString = ") AS listed LEFT JOIN subject ON subject = token_uid"


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
    connection: Connection[Any], wish: SessionWish, *, limit: int, since: Since | None = None
) -> Sequence[SessionSummary]:
    """Return sessions of *wish*, the newest first, without their costs; those behind *since*."""
    begun_at, after = since or (None, None)
    wanted = {**wish._asdict(), "begun_at": begun_at, "after": after}
    clauses: LiteralString = "" if wish.state is None else IN_STATE[wish.state]
    for name, clause in {**ASKED, **_TIMES}.items():
        if wanted.get(name) is not None:
            clauses += NOT_OPEN if name == "is_open" and not wish.is_open else clause
    asked: dict[str, object] = {**wanted, "limit": limit, "no_id": NO_ID}
    query: LiteralString = LIST + clauses
    if wish.stays is not None:
        asked |= wish.stays.asked()
        # In any other state are few.
        is_narrow = wish.state not in {None, SessionState.RATED}
        is_narrow = is_narrow or bool(wish.is_open or wish.subject or wish.station_id)
        query = query + _STOOD if is_narrow else _AT_EACH + clauses + _ORDER + _OF_EACH
    with connection.cursor(row_factory=class_row(SessionSummary)) as cursor:
        return cursor.execute(query + _ORDER, asked).fetchall()
