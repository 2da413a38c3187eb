"""Tokens that were drawn for one visit each, as stations show them: for its session alone.

No declaration holds them: a million visits would all be loaded. Who shows tokens without end makes
nobody wait: all that are shown at the same moment are looked up with one statement.

    its station, while it is started or charges   Accepted, and its line says which visit
    another station                               not at this location
    the visit is over, or not yet paid            Blocked
    the bank took back what was put aside         no credit
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, LiteralString, NamedTuple

import psycopg

from ingest.directory import AuthorizationStatus, Purpose, Showing, TokenAccess
from ingest.gathering import Connect, Gatherer
from ingest.prices.credit import Credit
from ledger.payments.visits.visit import MAY_CHARGE, VisitState
from tariffs.quantities import money_of_minor

REMEMBERED: Final = timedelta(minutes=1)
"""No station may know it longer: its visit is over sooner than its session's next one."""
# Who begins with it is noted at once: the books may come to it later than the driver's patience.
_LOOK_UP: LiteralString = """
SELECT token_uid, visit.number, visit.station_id, state, currency, held_minor FROM visit
JOIN visit_state USING (number) WHERE token_uid = ANY (%s)
"""
_NOTE_SHOWN: LiteralString = """
UPDATE visit_state SET shown_at = %s WHERE number = %s AND shown_at IS NULL
"""


class _Found(NamedTuple):
    number: int
    station_id: str
    state: VisitState
    held: Decimal


class _Begun(NamedTuple):
    number: int
    at: datetime


class VisitTokens:
    """What is known of tokens of visits."""

    def __init__(self, connect: Connect) -> None:
        self._found: Gatherer[str, _Found | None] = Gatherer(connect, _look_up)
        self._begun: Gatherer[_Begun, None] = Gatherer(connect, _note_shown)

    async def find(
        self, subject_id: str, showing: Showing | None, at: datetime
    ) -> TokenAccess | None:
        """Return what the visit of a token says of it, None where it is of none."""
        found = await self._found.ask(subject_id)
        if found is None:
            return None
        if showing is not None and showing.station.station_id != found.station_id:
            status = AuthorizationStatus.NOT_HERE
        elif found.state not in MAY_CHARGE:
            status = AuthorizationStatus.BLOCKED
        else:
            status = AuthorizationStatus.ACCEPTED
            if showing is not None and showing.purpose is Purpose.START:
                await self._begun.ask(_Begun(found.number, at))
        return TokenAccess(
            status=status,
            by="visit",
            reference=str(found.number),
            remembered_until=at + REMEMBERED,
            # A station that knows limits is told how far it may go.
            credit=Credit(found.held, is_enough=found.held > 0),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._found.close()
        await self._begun.close()


async def _look_up(
    connection: psycopg.AsyncConnection, subject_ids: Sequence[str]
) -> Sequence[_Found | None]:
    cursor = await connection.execute(_LOOK_UP, (list(subject_ids),))
    found = {
        subject: _Found(number, station, VisitState(state), money_of_minor(held, currency).amount)
        for subject, number, station, state, currency, held in await cursor.fetchall()
    }
    return [found.get(subject) for subject in subject_ids]


async def _note_shown(
    connection: psycopg.AsyncConnection, begun: Sequence[_Begun]
) -> Sequence[None]:
    for each in begun:
        await connection.execute(_NOTE_SHOWN, (each.at, each.number))
    return [None] * len(begun)
