"""What is told of a session that goes on: its price by the rating's own steps. Pure.

Source: OCPI 2.2.1, mod_sessions: cost and energy so far; types, Price.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from ledger.declared.declarations import Declarations
from ledger.log.authorization import Authorization
from ledger.master_data.partners import Partner
from ledger.rating.basis import terms_of
from ledger.rating.entitlements import Entitlements
from ledger.rating.payers import payer_of
from ledger.rating.price_so_far import NoPrice, explained_so_far
from ledger.rating.session_price import SessionPrice
from ledger.sessions.session import ChargingSession
from roaming_ocpi.cdrs.periods import Fineness, charging_periods
from roaming_ocpi.cdrs.place import Whereabouts, place_of
from roaming_ocpi.cdrs.tariff_copies import factor_of
from roaming_ocpi.cdrs.totals import stated_totals
from roaming_ocpi.sessions.told import OurSession, SessionStatus
from tariffs.cdr.cdr import ChargingPeriod, StatedCost, StatedTax
from tariffs.cdr.cut import cut_periods
from tariffs.kernel.priced import PricedSession
from tariffs.quantities import EXACT, plain, round_ratio

_KWH: Final = 3
_MICROSECOND: Final = timedelta(microseconds=1)


class PartnersSession(NamedTuple):
    """What is told of a session, to which partner."""

    party: str
    partner: Partner
    told: OurSession


def running_session(
    session: ChargingSession, declarations: Declarations, entitlements: Entitlements
) -> PartnersSession | None:
    """Return what is told of *session*, which is not decided; None where it is no partner's.

    That is, too, where its start or its place is unknown yet.
    """
    terms = terms_of(session, declarations)
    party, basis = terms.driver.partner, terms.basis
    partner = None if party is None else declarations.partner(party, terms.at)
    if partner is None or party is None or basis is None or session.started_at is None:
        return None
    ours = declarations.legal_entity(partner.legal_entity, terms.at) or basis.legal_entity
    if ours.party is None or session.token_uid is None:
        return None
    found = explained_so_far(session, terms, entitlements)
    periods, total = _cost(found, partner.mark_up_percent)
    where = Whereabouts(
        site_id=basis.site_id,
        station_id=session.station_id,
        evse_id=session.evse_id,
        connector_id=session.connector_id,
        started_at=session.started_at,
        time_zone=basis.site.time_zone,
        country=basis.site.country,
    )
    told = OurSession(
        session_id=session.session_id,
        our_party=ours.party,
        status=SessionStatus.ACTIVE,
        starts_at=session.started_at,
        energy_kwh=_kwh(session, found),
        token=session.token_uid,
        contract=payer_of(terms.driver, session.token_uid).contract,
        auth_method=auth_method_of(session.authorization),
        authorization_reference=session.authorization.reference if session.authorization else None,
        place=place_of(declarations, where, ours.party),
        currency=basis.tariff.version.tariff.currency,
        periods=periods,
        total=total,
    )
    return PartnersSession(party, partner, told)


def auth_method_of(found: Authorization | None) -> str:
    """Return how a driver was allowed. Source: OCPI 2.2.1, mod_cdrs, AuthMethod."""
    asked = found.asked if found else None
    # Where the partner was asked, whatever it answered.
    return {None: "WHITELIST", "commanded": "COMMAND"}.get(asked, "AUTH_REQUEST")


def _kwh(session: ChargingSession, found: SessionPrice | NoPrice) -> Decimal:
    energy_wh = session.energy_wh if isinstance(found, NoPrice) else found.energy_wh
    return plain(EXACT.scaleb(energy_wh or Decimal(0), -_KWH))


def _cost(
    found: SessionPrice | NoPrice, mark_up: Decimal
) -> tuple[tuple[ChargingPeriod, ...], StatedCost | None]:
    if isinstance(found, NoPrice):
        return (), None
    priced = found.priced
    usage = priced.usage
    periods = charging_periods(cut_periods(priced), usage.ends_at, Fineness.TIDY)
    lasts_us = (usage.ends_at - usage.starts_at) // _MICROSECOND
    total = stated_totals(priced, periods, lasts_us).total_cost
    return periods, None if total is None else _marked_up(total, mark_up, priced)


def _marked_up(cost: StatedCost, mark_up: Decimal, priced: PricedSession) -> StatedCost:
    """Return *cost* with what comes on top for the partner, as its CDR will: rounded once."""
    if not mark_up or cost.before_taxes is None:
        return cost
    factor, scale = Fraction(factor_of(mark_up)), 10**priced.compiled.exponent
    exact = [
        Fraction(sum(each) * scale, priced.denominator) * factor
        for each in (priced.amounts.befores, priced.amounts.taxes)
    ]
    net, gross = _rounded(exact[0]), _rounded(exact[0] + exact[1])
    # The last rate has the rest, so that the taxes add up to what is owed.
    shares = [_rounded(Fraction(each.amount) * scale * factor) for each in cost.taxes[:-1]]
    shares += [gross - net - sum(shares)] * bool(cost.taxes)
    return StatedCost(
        before_taxes=_decimal(net, priced),
        taxes=tuple(
            StatedTax(name=each.name, amount=_decimal(share, priced), percentage=each.percentage)
            for each, share in zip(cost.taxes, shares, strict=True)
        ),
        gross=None if cost.gross is None else _decimal(gross, priced),
    )


def _rounded(exact: Fraction) -> int:
    return round_ratio(exact.numerator, exact.denominator)


def _decimal(minor: int, priced: PricedSession) -> Decimal:
    return plain(EXACT.scaleb(Decimal(minor), -priced.compiled.exponent))
