"""What is asked of a provider for a visit: each once, under a key of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from psycopg import Connection

from ledger.payments.requests import ProviderRequest, RequestKind, decide_request
from ledger.payments.visits.visit import CardVisit

DECIDED_BY: Final = "visits"


def decide_for(
    connection: Connection[Any],
    visit: CardVisit,
    kind: RequestKind,
    body: Mapping[str, Any],
    *,
    now: datetime,
    amount_minor: int = 0,
    again: str = "",
    by: str = DECIDED_BY,
) -> bool:
    """Keep a request for *visit*, within the caller's transaction; say whether it was new.

    *again* tells several of one kind apart.
    """
    request = ProviderRequest(
        key=visit.key(kind.value) + again,
        provider=visit.provider,
        kind=kind,
        subject=visit.subject,
        legal_entity=visit.legal_entity,
        currency=visit.currency,
        amount_minor=amount_minor,
        body=body,
        decided_at=now,
        decided_by=by,
    )
    return decide_request(connection, request)
