"""Holds that a session outgrows, where the policy says to raise them: in time, by as much again.

20.00 held, 16.00 so far   -> 40.00 in all are asked for
the bank says no           -> nothing more is asked; the session is stopped at what is held

To price a session takes milliseconds, and drivers wait for the same loop: so many are priced at one
look, the next ones at the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from psycopg import Connection

from ledger.database import is_of_content
from ledger.declared.declarations import Declarations
from ledger.master_data.policies import Outgrown, limit_in
from ledger.payments.requests import RequestKind, requests_for
from ledger.payments.visits.charged import ChargedSession, charged_sessions
from ledger.payments.visits.fund import others_minor
from ledger.payments.visits.kept import live_visits
from ledger.payments.visits.requesting import decide_for
from ledger.payments.visits.visit import CardVisit, VisitState
from tariffs.currencies import currency_exponent
from tariffs.quantities import EXACT

PriceNow = Callable[[str, str], Decimal | None]
"""Says what the open session of a station's transaction costs so far, in major units."""
NEARLY: Final = Decimal("0.8")
_LOGGER: Final = logging.getLogger(__name__)
PRICED_AT_ONCE: Final = 25
RAISES_MAX: Final = 9
"""So often a hold may be raised. Source: Stripe, increment an authorization (at most ten)."""


class HoldRaiser:
    """Raises holds, some visits at each look in turn; *price_now* says what a session costs."""

    def __init__(self, price_now: PriceNow) -> None:
        self._price_now, self._after = price_now, 0

    def run_once(self, connection: Connection[Any], declared: Declarations, now: datetime) -> int:
        """Ask for more for each visit that nears what is held for it; return for how many."""
        policy = declared.policy(now)
        if policy.visit_outgrown is not Outgrown.RAISE:
            return 0
        visits = self._next(connection)
        charged = charged_sessions(connection, visits)
        raised = 0
        for visit in visits:
            scale = currency_exponent(visit.currency)
            try:
                so_far = self._so_far(connection, visit, charged.get(visit.number, ()), scale)
            except Exception as error:
                if not is_of_content(error):
                    raise
                # One visit keeps no other from its driver: this one is stopped at what is held.
                _LOGGER.exception("visit %s has no price now", visit.number)
                continue
            if so_far >= visit.held_minor * NEARLY:
                most = limit_in(policy.visit_hold_max, visit.currency).scaleb(scale, EXACT)
                raised += _raise(connection, visit, int(most), now)
        return raised

    def _next(self, connection: Connection[Any]) -> list[CardVisit]:
        """Return the visits whose turn it is."""
        page = next(live_visits(connection, [VisitState.CHARGING], after=self._after), [])
        turn = page[:PRICED_AT_ONCE]
        self._after = turn[-1].number if len(turn) < len(page) else 0
        return [each for each in turn if each.held_minor]

    def _so_far(
        self,
        connection: Connection[Any],
        visit: CardVisit,
        charged: Sequence[ChargedSession],
        scale: int,
    ) -> Decimal:
        """Return what the sessions of *visit* cost by now, in minor units."""
        going_on = [each for each in charged if each.is_open]
        prices = [self._price_now(visit.station_id, each.transaction_ref) for each in going_on]
        known = sum((each for each in prices if each is not None), Decimal(0))
        others = 0
        if len(charged) > len(going_on):
            others = others_minor(connection, visit, [each.session_id for each in going_on])
        return known.scaleb(scale, EXACT) + others


def _raise(connection: Connection[Any], visit: CardVisit, most_minor: int, now: datetime) -> bool:
    """Ask once for each amount that is held: the answer, whatever it is, is not asked for again."""
    wanted = min(visit.held_minor + visit.amount_minor, most_minor)
    asked = len(requests_for(connection, visit.subject, RequestKind.RAISE))
    if wanted <= visit.held_minor or asked >= RAISES_MAX:
        return False
    return decide_for(
        connection,
        visit,
        RequestKind.RAISE,
        {"intent": visit.intent_id},
        now=now,
        amount_minor=wanted,
        again=f":{wanted}",
    )
