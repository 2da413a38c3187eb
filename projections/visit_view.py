"""A visit as its driver and its operator see it: how far it is, what it costs, its receipt."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.declared.store import NewestDeclarations
from ledger.payments.visits.charged import charged_sessions
from ledger.payments.visits.visit import CardVisit
from ledger.rating.decisions import SessionRevision
from ledger.sessions.states import PRICED
from projections.session_costs import costs_so_far, final_costs
from tariffs.currencies import currency_exponent
from tariffs.quantities import minor_text

_SESSIONS: LiteralString = """
SELECT session_id, revision, state, energy_wh FROM session WHERE session_id = ANY (%s)
ORDER BY session_id
"""
_RENDERED: LiteralString = "SELECT number FROM rendered_document WHERE number = ANY (%s)"


class VisitView(msgspec.Struct, frozen=True, kw_only=True):
    """How a visit stands. Amounts in major units, taxes included; energy in Wh.

    `held` is what can still be taken, `cost` what it costs so far, or in the end (`is_final`);
    None where nobody knows yet. `receipts` are the numbers of its invoices.
    """

    visit: int
    state: str
    reason: str
    station: str
    evse: int
    currency: str
    amount: Decimal
    held: Decimal
    taken: Decimal
    energy_wh: Decimal | None
    cost: Decimal | None
    is_final: bool
    sessions: tuple[str, ...]
    receipts: tuple[str, ...]


def show_visit(
    connection: Connection[Any], visit: CardVisit, newest: NewestDeclarations | None = None
) -> VisitView:
    """Return how *visit* stands by the books."""
    charged = charged_sessions(connection, [visit]).get(visit.number, ())
    rows = connection.execute(_SESSIONS, ([each.session_id for each in charged],)).fetchall()
    priced = [SessionRevision(row[0], row[1]) for row in rows if row[2] in PRICED]
    costs = final_costs(connection, priced)
    is_final = len(costs) == len(rows)
    if not is_final:
        costs = {**costs_so_far(connection, [visit.station_id], newest), **costs}
    known = [(costs.get(row[0]), row[3]) for row in rows]
    minors = [cost.gross_minor for cost, _ in known if cost and cost.gross_minor is not None]
    energies = [
        cost.energy_wh if cost and cost.energy_wh is not None else energy for cost, energy in known
    ]
    return VisitView(
        visit=visit.number,
        state=visit.state.value,
        reason=visit.reason,
        station=visit.station_id,
        evse=visit.evse_id,
        currency=visit.currency,
        amount=major(visit.amount_minor, visit.currency),
        held=major(visit.held_minor, visit.currency),
        taken=major(visit.taken_minor, visit.currency),
        energy_wh=sum((each for each in energies if each is not None), Decimal(0))
        if rows
        else None,
        cost=major(sum(minors), visit.currency) if minors else None,
        is_final=is_final and bool(rows),
        sessions=tuple(row[0] for row in rows),
        receipts=tuple(sorted({number for each in charged for number in each.invoices})),
    )


def is_rendered(connection: Connection[Any], number: str) -> bool:
    """Whether an invoice is there to be read."""
    return connection.execute(_RENDERED, ([number],)).fetchone() is not None


def major(minor: int, currency: str) -> Decimal:
    """Return an amount in major units."""
    return Decimal(minor_text(minor, currency_exponent(currency)))
