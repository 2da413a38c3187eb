"""What sessions cost: as they were rated, or so far.

Only the open ones among those asked for are folded, each with what is going on at its station: a
list of fifty costs the same whatever lies behind it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import Connection

from ledger.books.decisions_store import rated_totals
from ledger.declared.declarations import Declarations
from ledger.declared.store import NewestDeclarations
from ledger.rating.allowances import ReadAllowances
from ledger.rating.decisions import SessionRevision
from ledger.rating.entitlements import Entitlements
from ledger.rating.price_so_far import NoPrice, PriceSoFar, price_so_far
from ledger.sessions.states import PRICED, UNFINISHED
from ledger.worker.session_rows import RECENT
from ledger.worker.station_now import StationNow, station_now
from projections.sessions import SessionCost, SessionSummary

logger = logging.getLogger(__name__)

HEARD: LiteralString = """
SELECT station_id, max(heard_at) FROM unfinished_session
WHERE station_id = ANY (%s) GROUP BY station_id ORDER BY station_id
"""
FAILED = SessionCost(is_final=False, codes=("rating_failed",))


def with_costs(
    connection: Connection[Any],
    sessions: Iterable[SessionSummary],
    newest: NewestDeclarations | None = None,
) -> list[SessionSummary]:
    """Return *sessions* with what each costs; a held or written-off one has no cost.

    Who asks often keeps the *newest* declarations: to load all of them takes longer than all else.
    """
    listed = list(sessions)
    rated = [
        SessionRevision(each.session_id, each.revision) for each in listed if each.state in PRICED
    ]
    unfinished = {each.station_id for each in listed if each.state in UNFINISHED}
    costs = {
        **final_costs(connection, rated),
        **costs_so_far(connection, sorted(unfinished), newest),
    }
    return [_with_cost(each, costs.get(each.session_id)) for each in listed]


def _with_cost(session: SessionSummary, cost: SessionCost | None) -> SessionSummary:
    """Return *session* with its cost, and while it is unfinished with the energy of that cost."""
    if session.state not in UNFINISHED:
        return replace(session, cost=cost)
    # What could not even be folded has no cost, and says so.
    cost = cost or FAILED
    energy_wh = session.energy_wh if cost.energy_wh is None else cost.energy_wh
    return replace(session, cost=cost, energy_wh=energy_wh)


def final_costs(
    connection: Connection[Any], rated: Sequence[SessionRevision]
) -> dict[str, SessionCost]:
    """Return what the sessions *rated* were rated at, by id."""
    totals = rated_totals(connection, rated) if rated else ()
    return {
        session.session_id: SessionCost(
            is_final=True,
            until=each.ended_at,
            currency=each.currency,
            net_minor=each.net_minor,
            tax_minor=each.tax_minor,
            gross_minor=each.net_minor + each.tax_minor,
        )
        for session, each in zip(rated, totals, strict=True)
    }


def costs_so_far(
    connection: Connection[Any], stations: Sequence[str], newest: NewestDeclarations | None = None
) -> dict[str, SessionCost]:
    """Return what the unfinished sessions at *stations* cost so far, by id."""
    heard = connection.execute(HEARD, (stations,)).fetchall() if stations else []
    if not heard:
        return {}
    declarations = (newest or NewestDeclarations()).of(connection)
    return {
        session_id: cost
        for station_id, heard_at in heard
        for session_id, cost in _costs_at(connection, declarations, station_id, heard_at)
    }


def _costs_at(
    connection: Connection[Any], declarations: Declarations, station_id: str, heard_at: datetime
) -> Iterator[tuple[str, SessionCost]]:
    allowances = ReadAllowances(connection)
    now = StationNow([], {}, 0)
    with _one_alone(station_id):
        now = station_now(connection, declarations, station_id, heard_at - RECENT)
    for row in now.unfinished:
        session, cost = now.sessions.get(row.session_id), FAILED
        if session is not None:
            entitled = Entitlements(validations=tuple(row.validations), allowances=allowances)
            with _one_alone(row.session_id):
                price = price_so_far(session, declarations, entitled)
                cost = replace(_cost(price), energy_wh=session.energy_wh)
        yield row.session_id, cost


def _cost(price: PriceSoFar | NoPrice) -> SessionCost:
    if isinstance(price, NoPrice):
        codes = tuple(dict.fromkeys(str(reason.code) for reason in price.reasons))
        return SessionCost(is_final=False, codes=codes)
    return SessionCost(
        is_final=False,
        until=price.until,
        currency=price.currency,
        net_minor=price.net_minor,
        tax_minor=price.tax_minor,
        gross_minor=price.net_minor + price.tax_minor,
    )


@contextmanager
def _one_alone(name: str) -> Iterator[None]:
    """Let what fails for *name* hide nothing else, as in the worker."""
    try:
        yield
    except psycopg.Error:
        raise
    except Exception:
        logger.exception("%s has no cost so far", name)
