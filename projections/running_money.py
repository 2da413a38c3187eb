"""How far a session is that may cost only so much: what it costs, and will until it is stopped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from psycopg import Connection

from ledger.books.prepayments import PrepaidAccount
from ledger.declared.declarations import Declarations
from ledger.payments.topping_up.credit import Fund, FundedSession, MoneySoFar, smallest_limit
from ledger.rating.basis import Basis, Terms, terms_of
from ledger.rating.decisions import PayerKind
from ledger.rating.entitlements import Entitlements
from ledger.rating.payers import payer_of
from ledger.rating.price_so_far import gross_so_far
from ledger.sessions.session import ChargingSession
from ledger.sessions.vehicle.going_on import gone_on
from tariffs.quantities import Money, money_of_minor, round_money

AHEAD: Final = timedelta(minutes=1)
"""Over so long it is seen how fast a price grows: over a second it may not by a cent."""
_NO_POWER: Final = Decimal(0)


def money_so_far(
    connection: Connection[Any],
    funds: Sequence[Fund],
    session: ChargingSession,
    known: Declarations,
    entitled: Entitlements,
    told: Money | None,
    now: datetime,
) -> MoneySoFar | None:
    """Return how far *session* is by money; None: nothing limits it, or it cannot be priced.

    The funds note what it costs by *now*, which is what it is *told* to cost, or where that takes a
    person what the kernel says all the same. It goes on as it does until the policy's
    `stop_margin_s` from now: so long a station may take to obey.
    """
    terms = terms_of(session, known)
    basis, uid = terms.basis, session.token_uid
    if basis is None or uid is None:
        return None
    cost = gross_so_far(session, basis, terms, entitled) if told is None else round_money(told)
    if cost is None:
        return None
    limit = smallest_limit(connection, funds, _funded(session, uid, basis, terms, cost), now)
    if limit is None or session.is_ended:
        return None
    # How long it says nothing is ours to measure: its station's clock may be minutes off.
    silent = max(now - session.last_received_at, timedelta(0))
    margin = timedelta(seconds=terms.policy.stop_margin_s)
    until = (session.provisional_ended_at or now) + silent + margin
    declared_w, ahead = _declared_w(session, known, terms.at), [cost]
    for moment in (until, until + AHEAD):
        later = gross_so_far(gone_on(session, moment, declared_w), basis, terms, entitled)
        ahead.append(ahead[-1] if later is None else max(later, ahead[-1]))
    limited, costs, will, then = (
        money_of_minor(minor, basis.site.currency).amount for minor in (limit, *ahead)
    )
    return MoneySoFar(limited, costs, will, (then - will) / Decimal(AHEAD.total_seconds()))


def _funded(
    session: ChargingSession, uid: str, basis: Basis, terms: Terms, cost_minor: int
) -> FundedSession:
    driver, site, account = terms.driver, basis.site, None
    payer = payer_of(driver, uid)
    pays = driver.customer is not None and driver.customer.pays_in_advance
    if pays and payer.kind is PayerKind.CUSTOMER and payer.customer is not None:
        account = PrepaidAccount(payer.customer, site.legal_entity, site.currency)
    owed_at = site.legal_entity, site.currency
    return FundedSession(session.session_id, uid, *owed_at, cost_minor, account)


def _declared_w(session: ChargingSession, known: Declarations, at: datetime) -> Decimal:
    """Return what the plug can bring as it is declared; 0 where nobody said."""
    station = known.station(session.station_id, at)
    if station is None:
        return _NO_POWER
    powers = [
        plug.max_power_w
        for plug in station.connectors
        if plug.evse_id == session.evse_id and plug.max_power_w is not None
    ]
    return max(powers, default=station.max_power_w or _NO_POWER)
