"""What follows from a CDR: its session is told to be over, and both are on their way.

It happens in the transaction that makes the CDR (`CdrMaker`). Of what waits for a session the
outbox sends its update first: a partner knows that it is over before it gets the CDR.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace
from psycopg import Connection

from ledger.declared.store import NewestDeclarations
from roaming_ocpi.cdrs.made import CdrBody, CdrKind, MadeCdr
from roaming_ocpi.cdrs.telling.messages import queue_cdrs
from roaming_ocpi.sessions.rows import keep_session
from roaming_ocpi.sessions.told import OurSession, SessionStatus


class CdrsOnTheirWay:
    """Told of CDRs by whoever makes them."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now, self._newest = now, NewestDeclarations()

    def __call__(self, connection: Connection[Any], made: Sequence[MadeCdr]) -> None:
        """Put *made* into the outbox, and end what is told of their sessions."""
        now, declared = self._now(), self._newest.of(connection)
        ended = [each for each in made if each.kind is CdrKind.CDR]
        # In the order in which the relay locks what waits.
        for each in sorted(ended, key=lambda one: one.session_id):
            partner = declared.partner(each.party, now)
            is_sent = partner is not None and partner.live_sessions
            told = told_of(each.said)
            keep_session(connection, each.party, told, now=now, is_sent=is_sent)
        queue_cdrs(connection, made)


def told_of(cdr: CdrBody) -> OurSession:
    """Return what is told of the session of a CDR."""
    form = cdr.forms[0]
    return OurSession(
        session_id=cdr.session_id,
        our_party=cdr.our_party,
        status=SessionStatus.COMPLETED,
        starts_at=cdr.starts_at,
        ends_at=cdr.ends_at,
        energy_kwh=form.stated.total_energy or Decimal(0),
        token=cdr.token,
        contract=cdr.contract,
        auth_method=cdr.auth_method,
        authorization_reference=cdr.authorization_reference,
        place=cdr.place,
        currency=cdr.currency,
        # A tariff that was made for the CDR alone is known to nobody else.
        periods=tuple(replace(period, tariff_id=None) for period in form.periods),
        total=form.stated.total_cost,
    )
