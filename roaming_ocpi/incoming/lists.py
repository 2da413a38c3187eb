"""CDRs of partners as people see them: lists, and one with all that was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from ledger.partners.elsewhere import SESSION_OF_CDR
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.incoming.charged_on import charged_on
from roaming_ocpi.incoming.received_cdr import ReceivedCdr
from roaming_ocpi.incoming.verdicts.verdict import CdrVerdict

# One of them is shown with its codes as they are kept, so they are not decoded here.
_SHOWN: LiteralString = """
SELECT party, cdr_id, kind, credits, credited_by, version, currency, net, tax, energy_kwh,
    started_at, ended_at, received_at, subject, session_ref, verdict, judged, codes, repriced_net,
    tariff_id, decided_at, decided_by, reason, charge_act,
    concat_ws('/', partition, position, line) AS position
FROM partner_cdr
"""
# What was last decided of it.
_LAST_DECIDED: LiteralString = f"""
SELECT decision.kind FROM session_decision AS decision
WHERE session_id = {SESSION_OF_CDR} ORDER BY decision.position DESC LIMIT 1
"""  # noqa: S608 - constants
_IS_WAITING: LiteralString = f"""
kind = 'cdr' AND credited_by IS NULL AND verdict <> 'disputed'
AND coalesce(({_LAST_DECIDED}), 'held') = 'held'
"""
_LISTED: LiteralString = f"""
{_SHOWN}
WHERE (%(party)s::text IS NULL OR party = %(party)s)
    AND (%(verdict)s::text IS NULL OR verdict = %(verdict)s)
    AND (NOT %(is_waiting)s OR ({_IS_WAITING}))
ORDER BY received_at DESC, party, cdr_key LIMIT %(limit)s
"""
_ONE: LiteralString = (
    _SHOWN
    + """
WHERE cdr_key = %(key)s AND (%(party)s::text IS NULL OR party = %(party)s) ORDER BY party
"""
)


class UnknownCdrError(RoamingError):
    """No partner told of a CDR of that id, or several did."""

    def __init__(self, cdr_id: str, parties: Sequence[str]) -> None:
        self.cdr_id, self.parties = cdr_id, tuple(parties)
        super().__init__(
            f"{', '.join(parties)} each told of a CDR {cdr_id!a}: say which with --party"
            if parties
            else f"no partner told of a CDR {cdr_id!a}: `wattledger cdr received` lists them"
        )


def list_received(
    connection: Connection[Any],
    *,
    party: str | None,
    verdict: CdrVerdict | None,
    limit: int,
    is_waiting: bool = False,
) -> list[ReceivedCdr]:
    """Return the CDRs that came last, the newest first.

    *is_waiting*: only those that are to be paid, and charged to nobody yet.
    """
    given = {"party": party, "verdict": verdict, "limit": limit, "is_waiting": is_waiting}
    with connection.cursor(row_factory=class_row(ReceivedCdr)) as cursor:
        found = cursor.execute(_LISTED, given).fetchall()
    return _with_charges(connection, found)


def find_received(connection: Connection[Any], cdr_id: str, *, party: str | None) -> ReceivedCdr:
    """Return one CDR.

    Raises:
        UnknownCdrError: If there is none of that id, or more than one.
    """
    given = {"key": cdr_id.casefold(), "party": party}
    with connection.cursor(row_factory=class_row(ReceivedCdr)) as cursor:
        found = cursor.execute(_ONE, given).fetchall()
    if len(found) != 1:
        raise UnknownCdrError(cdr_id, [each.party for each in found])
    return _with_charges(connection, found)[0]


def _with_charges(connection: Connection[Any], found: list[ReceivedCdr]) -> list[ReceivedCdr]:
    charges = charged_on(connection, found)
    return [
        msgspec.structs.replace(cdr, charged=charged)
        for cdr, charged in zip(found, charges, strict=True)
    ]
