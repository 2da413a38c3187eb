"""Letting go of a visit by hand: a person decides it, with a reason, while no car charges."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.payments.requests import RequestKind
from ledger.payments.visits.kept import lock_visit, move_visit
from ledger.payments.visits.requesting import decide_for
from ledger.payments.visits.visit import CardVisit, VisitEvent
from ledger.persons.card_numbers import mask_card_numbers


def release_visit(
    connection: Connection[Any], number: int, *, reason: str, by: str, now: datetime
) -> CardVisit | None:
    """Let go of what is held for visit *number*; return it, None where nothing can be."""
    why = mask_card_numbers(reason)
    with connection.transaction():
        visit = lock_visit(connection, number)
        if visit is None or visit.intent_id is None:
            return None
        moved = move_visit(connection, visit, VisitEvent.LETS_GO, now=now, reason=why)
        if moved is None:
            return None
        body = {"intent": visit.intent_id}
        decide_for(connection, visit, RequestKind.RELEASE, body, now=now, by=by)
    return moved
