"""Who charged, and what their station signed, opened for the partner whose driver it is.

What is kept of a CDR names a subject id; the uid, the contract and signed readings (in which an id
may stand) come to it when it is sent or served, and are in no table of ours. Whoever was erased is
told by the subject id, so that the CDR stays one that was paid.

The statements are shared by who waits for the database and who must not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.facts.station_facts import SessionEnded, SessionStarted, SessionUpdated, SignedReading
from ledger.facts.stored import unpack_facts
from ledger.persons.sealing import Subject, unsealer
from roaming_ocpi.cdrs.telling.excerpt import CdrExcerpt, ToldBody

BEARERS: LiteralString = """
SELECT asked.party, asked.subject, subject.spelt, subject.key, last.contract, last.object
FROM (
    SELECT DISTINCT * FROM unnest(%b::text[], %b::text[]) AS given (party, subject)
) AS asked
JOIN subject ON subject.subject = asked.subject
LEFT JOIN LATERAL (
    SELECT * FROM partner_token AS one
    WHERE one.subject = asked.subject AND one.party = asked.party
    ORDER BY one.number DESC LIMIT 1
) AS last ON true
"""
SIGNED: LiteralString = """
SELECT session.session_id, fact.facts FROM session
JOIN fact ON (fact.station_id, fact.transaction_ref)
    = (session.station_id, session.transaction_ref)
WHERE session.session_id = ANY (%s) ORDER BY session.session_id, fact.position
"""
RFID: Final = "RFID"


class Disclosure(NamedTuple):
    """What a CDR says of its driver; never printed, see `__repr__`.

    `contract_id` None: nobody told one. `is_erased`: `uid` is the subject's id.
    """

    uid: str
    contract_id: str | None = None
    token_type: str = RFID
    is_erased: bool = False
    signed: tuple[SignedReading, ...] = ()

    def __repr__(self) -> str:
        return f"Disclosure(is_erased={self.is_erased}, {len(self.signed)} signed)"


class _ToldToken(msgspec.Struct):
    # Whatever the partner wrote there.
    type: Any = RFID


_TOLD: Final = msgspec.json.Decoder(_ToldToken)
_TYPE_MAX: Final = 36


def bearers_asked(made: Iterable[CdrExcerpt]) -> tuple[list[str], list[str]]:
    """Return the parameters of BEARERS for some CDRs."""
    pairs = [(each.party, token) for each in made if (token := each.said.token) is not None]
    return [party for party, _ in pairs], [token for _, token in pairs]


def signed_asked(made: Iterable[CdrExcerpt]) -> list[str]:
    """Return the parameter of SIGNED for some CDRs; empty: it need not be asked."""
    return sorted({each.session_id for each in made if each.said.signed})


def disclosures(
    made: Sequence[CdrExcerpt],
    bearers: Iterable[Sequence[Any]],
    signed: Iterable[Sequence[Any]],
) -> dict[str, Disclosure]:
    """Return what is disclosed with each CDR, by its id, from the rows of both statements.

    Raises:
        BrokenSealError: If what was sealed was changed.
    """
    known = {(party, subject): tuple(row) for party, subject, *row in bearers}
    # Sealed for one subject, the same text is the same bytes: who charged often is opened once.
    opened: dict[tuple[str, str, str | None], Disclosure] = {}
    readings: defaultdict[str, list[SignedReading]] = defaultdict(list)
    for session_id, facts in signed:
        for fact in unpack_facts(facts):
            if isinstance(fact, SessionStarted | SessionUpdated | SessionEnded):
                readings[session_id].extend(fact.signed)
    found = {}
    for each in made:
        body = each.said
        of_session = tuple(
            reading for reading in readings.get(each.session_id, ()) if _is_within(reading, body)
        )
        token = body.token or ""
        key = each.party, token, body.contract
        if key not in opened:
            opened[key] = opened_bearer(token, body.contract, known.get((each.party, token)))
        found[each.cdr_id] = opened[key]._replace(signed=of_session) if of_session else opened[key]
    return found


def disclosed(connection: Connection[Any], made: Sequence[CdrExcerpt]) -> dict[str, Disclosure]:
    """Return what is disclosed with each CDR, by its id.

    Raises:
        BrokenSealError: If what was sealed was changed.
    """
    bearers = connection.execute(BEARERS, bearers_asked(made)).fetchall()
    sessions = signed_asked(made)
    signed = connection.execute(SIGNED, (sessions,)).fetchall() if sessions else []
    return disclosures(made, bearers, signed)


def opened_bearer(token: str, told_then: str | None, row: Sequence[Any] | None) -> Disclosure:
    """Return whose the *token* (a subject id) is, by the rest of a row of BEARERS.

    Args:
        token: The subject.
        told_then: The contract that was told for the session, sealed.
        row: From `spelt` on; None: that one was erased.

    Raises:
        BrokenSealError: If what was sealed was changed.
    """
    if row is None:
        return Disclosure(token, is_erased=True)
    spelt, key, contract, told = row
    unsealed = unsealer(Subject(token, key))
    # The contract that was told for this session, or else the last that the partner told.
    sealed = told_then or contract
    contract_id = None if sealed is None else unsealed(sealed)
    kind = RFID if told is None else _TOLD.decode(unsealed(told)).type
    is_usable = isinstance(kind, str) and 0 < len(kind) <= _TYPE_MAX
    return Disclosure(spelt, contract_id, kind if is_usable else RFID)


def _is_within(reading: SignedReading, body: ToldBody) -> bool:
    """Whether a reading is the session's: an id of 1.6 may be another one's, too."""
    at = reading.occurred_at
    # Without a zone, or unread: whose it is the frame says.
    return at is None or at.tzinfo is None or body.starts_at <= at <= body.ends_at
