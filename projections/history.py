"""Rated sessions with the readings they were rated from: what a back-test re-rates.

Station after station: the facts of one are folded again, those of the others are not in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, LiteralString

from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.rating.decisions import SessionRated
from ledger.rating.stored import unpack_decision
from ledger.sessions.session import ChargingSession
from ledger.sessions.vehicle.billed_time import BilledTime, billed_time
from projections.stations.history import station_history
from tariffs.model.usage import SessionUsage
from tariffs.quantities import money_of_minor
from tariffs.simulate.history import PastSession, Unread

_RATED: LiteralString = """
FROM final_decision d JOIN session s ON s.session_id = d.session_id
WHERE d.kind IN ('rated', 'released', 'corrected')
AND s.started_at >= %(since)s AND s.started_at < %(until)s
"""
STATIONS: LiteralString = (
    f"SELECT d.station_id, count(*) {_RATED} GROUP BY d.station_id ORDER BY d.station_id"
)
BODIES: LiteralString = (
    f"SELECT d.body {_RATED} AND d.station_id = %(station)s ORDER BY d.session_id"
)

Choose = Callable[[SessionRated], str | None]
"""Says of a rated session why it is left out, "" where it is not, None where it was not asked."""


def everything(_: SessionRated) -> str:
    """Choose every session."""
    return ""


def rated_between(
    connection: Connection[Any], *, since: datetime, until: datetime
) -> dict[str, int]:
    """Return how many sessions that began in [since, until) were rated, by station."""
    rows = connection.execute(STATIONS, {"since": since, "until": until}).fetchall()
    return dict(rows)


def past_sessions(
    connection: Connection[Any],
    declarations: Declarations,
    station_id: str,
    *,
    since: datetime,
    until: datetime,
    currency: str,
    choose: Choose = everything,
) -> Iterator[tuple[str, PastSession | Unread]]:
    """Yield the rated sessions of a station that are chosen, as they were rated, with their ids.

    What was rated in another currency, or cannot be folded again as it was, comes as Unread.
    """
    given = {"since": since, "until": until, "station": station_id}
    bodies = connection.execute(BODIES, given).fetchall()
    chosen = [(rated, why) for rated, why in _chosen(bodies, choose) if why is not None]
    # A station's whole history is folded: not for one of which nothing was asked.
    folded = station_history(connection, declarations, station_id).sessions if chosen else {}
    for rated, why in chosen:
        if why:
            yield rated.session_id, Unread(rated.session_id, why)
            continue
        session = folded.get(rated.session_id)
        if _as_rated(session, rated, declarations) is None:
            # Facts came after the decision: look at those alone that it was taken from.
            at = rated.moment.position
            earlier = station_history(connection, declarations, station_id, until_position=at)
            session = earlier.sessions.get(rated.session_id)
        yield rated.session_id, _past(session, rated, declarations, currency)


def _chosen(
    bodies: Iterable[tuple[bytes]], choose: Choose
) -> Iterator[tuple[SessionRated, str | None]]:
    for (body,) in bodies:
        rated = unpack_decision(body)
        assert isinstance(rated, SessionRated)
        yield rated, choose(rated)


def _as_rated(
    session: ChargingSession | None, rated: SessionRated, declarations: Declarations
) -> BilledTime | None:
    """Return what of *session* was billed; None where it is no more what was rated."""
    if session is None:
        return None
    ended_at = session.ended_at or session.provisional_ended_at
    if ended_at is None or session.energy_wh != rated.energy_wh:
        return None
    billed = billed_time(session, ended_at, declarations.policy(rated.started_at))
    same = (session.started_at, billed.ends_at) == (rated.started_at, rated.ended_at)
    return billed if same else None


def usage_as_rated(
    session: ChargingSession | None, rated: SessionRated, declarations: Declarations
) -> SessionUsage | None:
    """Return what was priced of *session*; None where it is no more what was rated."""
    billed = _as_rated(session, rated, declarations)
    if billed is None:
        return None
    token = declarations.token(rated.token_uid, rated.started_at) if rated.token_uid else None
    return SessionUsage(
        starts_at=rated.started_at,
        ends_at=rated.ended_at,
        time_zone=rated.time_zone,
        points=billed.points,
        spans=billed.spans,
        groups=(token.group,) if token and token.group else (),
        validations=rated.validations,
        payment_method=rated.payment_method,
        reverse_charge_vat_id=rated.reverse_charge_vat_id,
    )


def _past(
    session: ChargingSession | None,
    rated: SessionRated,
    declarations: Declarations,
    currency: str,
) -> PastSession | Unread:
    if rated.currency != currency:
        return Unread(rated.session_id, f"it was rated in {rated.currency}")
    usage = usage_as_rated(session, rated, declarations)
    if usage is None:
        return Unread(rated.session_id, "its facts no longer give the session that was rated")
    return PastSession(
        id=rated.session_id,
        usage=usage,
        customer=rated.payer.party,
        site=rated.site_id,
        station=rated.station_id,
        billed_before_taxes=money_of_minor(rated.net_minor, currency).amount,
        billed_after_taxes=money_of_minor(rated.gross_minor, currency).amount,
    )
