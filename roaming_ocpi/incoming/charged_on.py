"""Whether partners' CDRs are charged on to our customers: what was decided of each, or why not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from psycopg import Connection

from ledger.partners.elsewhere import session_of
from ledger.rating.decisions import Decision, SessionHeld, SessionRated
from ledger.rating.english import ENGLISH
from ledger.rating.stored import unpack_decision
from roaming_ocpi.incoming.received_cdr import ChargedOn, Charging, ReceivedCdr

# The last final decision of each, and a later one that holds it.
_DECIDED: LiteralString = """
SELECT session_id, body FROM session_decision
WHERE session_id = ANY (%s) ORDER BY session_id, position
"""


def charged_on(connection: Connection[Any], cdrs: Sequence[ReceivedCdr]) -> list[ChargedOn]:
    """Return of each CDR whether it is charged on, in their order."""
    ids = [session_of(each.party, each.cdr_id) for each in cdrs]
    decided: dict[str, list[Decision]] = {}
    for session_id, body in connection.execute(_DECIDED, (ids,)):
        decided.setdefault(session_id, []).append(unpack_decision(body))
    return [
        _standing(session_id, each, decided.get(session_id, ()))
        for session_id, each in zip(ids, cdrs, strict=True)
    ]


def _standing(session_id: str, cdr: ReceivedCdr, decided: Sequence[Decision]) -> ChargedOn:
    last = decided[-1] if decided else None
    rated = next((each for each in reversed(decided) if isinstance(each, SessionRated)), None)
    is_owed = rated is not None and not rated.is_given_back
    if isinstance(last, SessionHeld) and cdr.charge_act == "charge":
        status = Charging.HELD
    elif is_owed:
        status = Charging.CHARGED
    elif rated is not None:
        status = Charging.TAKEN_BACK
    else:
        status = _undecided(cdr)
    return ChargedOn(
        status=status,
        session_id=session_id,
        revision=rated.revision if rated else None,
        currency=rated.currency if rated else None,
        net_minor=rated.net_minor if rated else None,
        gross_minor=rated.gross_minor if rated else None,
        reasons=tuple(map(ENGLISH.words, last.reasons))
        if isinstance(last, SessionHeld) and status is Charging.HELD
        else (),
    )


def _undecided(cdr: ReceivedCdr) -> Charging:
    """Return why nothing is decided about *cdr*."""
    for status, holds in (
        (Charging.ASKED, cdr.charge_act == "charge"),
        (Charging.CREDIT, cdr.kind == "credit"),
        (Charging.CREDITED, cdr.credited_by is not None),
        (Charging.DISPUTED, cdr.verdict == "disputed"),
        (Charging.NOBODY, cdr.subject is None),
        (Charging.UNREADABLE, cdr.started_at is None),
        (Charging.FLAGGED, cdr.verdict == "flagged"),
    ):
        if holds:
            return status
    return Charging.UNSAID
