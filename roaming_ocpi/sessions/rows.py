"""Sessions as they are told to partners: kept, changed, and read in pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.persons.sealing import BrokenSealError
from roaming_ocpi.cdrs.telling.disclosure import BEARERS, Disclosure, opened_bearer
from roaming_ocpi.relay.outgoing import MessageKind, enqueue
from roaming_ocpi.sessions.told import OurSession, decode_told, encode_told
from roaming_ocpi.wire.ids import wire_session_id

# A session that is over stays as it was told then. Source: OCPI 2.2.1, mod_sessions, COMPLETED.
_KEEP: LiteralString = """
INSERT INTO roaming_session AS kept
    (party, session_id, ocpi_id, status, sign, last_updated, body)
VALUES (%(party)s, %(session)s, %(ocpi_id)s, %(status)s, %(sign)s, %(now)s, %(body)s)
ON CONFLICT (party, session_id) DO UPDATE
SET status = excluded.status, sign = excluded.sign, body = excluded.body,
    last_updated = greatest(excluded.last_updated, kept.last_updated + interval '1 ms'),
    version = kept.version + 1
WHERE kept.body <> excluded.body AND (kept.status = 'ACTIVE' OR excluded.status <> 'ACTIVE')
"""
_OF: LiteralString = """
SELECT party, session_id, last_updated, body FROM roaming_session
WHERE party = %s AND session_id = ANY (%s)
"""


class KeptLiveSession(NamedTuple):
    """A session as it is kept for a partner."""

    party: str
    session_id: str
    last_updated: datetime
    told: OurSession


def keep_session(
    connection: Connection[Any],
    party: str,
    told: OurSession,
    *,
    now: datetime,
    sign: datetime | None = None,
    is_sent: bool = True,
) -> bool:
    """Keep what is to be told of a session, and put that on its way; say whether it is news.

    Args:
        connection: Within the caller's transaction.
        party: Whose driver it is.
        told: The session.
        now: When it changed.
        sign: The last sign of it that is in what is told.
        is_sent: Whether the partner is told by itself; else it asks.
    """
    row = {
        "party": party,
        "session": told.session_id,
        "ocpi_id": wire_session_id(told.session_id),
        "status": told.status.value,
        "sign": sign,
        # As long as OCPI's moments may be: 25 characters.
        "now": now.replace(microsecond=now.microsecond // 1000 * 1000),
        "body": encode_told(told),
    }
    is_news = connection.execute(_KEEP, row).rowcount > 0
    if is_news and is_sent:
        session = told.session_id
        enqueue(connection, party, MessageKind.SESSION, session, lane=session)
    return is_news


def kept_sessions(
    connection: Connection[Any], party: str, session_ids: Sequence[str]
) -> dict[str, KeptLiveSession]:
    """Return what is told of sessions to *party*, by our ids."""
    rows = connection.execute(_OF, (party, list(session_ids)))
    return {row[1]: KeptLiveSession(row[0], row[1], row[2], decode_told(row[3])) for row in rows}


def bearers_of(
    connection: Connection[Any], kept: Sequence[KeptLiveSession]
) -> Mapping[str, Disclosure]:
    """Return by our id of each session whose token it was begun with."""
    return opened_bearers(kept, connection.execute(BEARERS, bearers_asked(kept)))


def bearers_asked(kept: Sequence[KeptLiveSession]) -> tuple[list[str], list[str]]:
    """Return the parameters of BEARERS for some sessions."""
    return [each.party for each in kept], [each.told.token or "" for each in kept]


def opened_bearers(
    kept: Sequence[KeptLiveSession], rows: Iterable[Sequence[Any]]
) -> dict[str, Disclosure]:
    """Return by our id of each session whose token it is, from the *rows* of BEARERS.

    What does not open any more is told as if its driver was erased.
    """
    known = {(party, subject): row for party, subject, *row in rows}
    found = {}
    for each in kept:
        token = each.told.token or "#NA"
        try:
            row = known.get((each.party, token))
            found[each.session_id] = opened_bearer(token, each.told.contract, row)
        except BrokenSealError:
            found[each.session_id] = Disclosure(token, is_erased=True)
    return found
