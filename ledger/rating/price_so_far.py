"""What an open session costs so far: by the same fold, terms and kernel as its rating.

It is the price that the session would have if its station had said at its last sign that it ended:
with the stop, and no other news, it is the rated price to the minor unit. Who shares a grant sees
what is left of it now; nothing is used, so two open sessions may both see the rest.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from ledger.declared.declarations import Declarations
from ledger.errors import LedgerError
from ledger.rating.basis import Basis, Terms, terms_of
from ledger.rating.decide import blocking, objections_of, refused
from ledger.rating.entitlements import NO_ENTITLEMENTS, Entitlements
from ledger.rating.session_price import SessionPrice, price_of
from ledger.sessions.session import ChargingSession
from tariffs.errors import TariffError
from tariffs.phrases.phrase import Phrase, phrase


class PriceSoFar(msgspec.Struct, frozen=True, kw_only=True):
    """What a session costs from its start to `until`: its end, or the last sign of an open one."""

    until: datetime
    currency: str
    net_minor: int
    tax_minor: int


class NoPrice(msgspec.Struct, frozen=True):
    """Why a session has no price without a person: what it would be held for if it ended now."""

    reasons: tuple[Phrase, ...]


def price_so_far(
    session: ChargingSession,
    declarations: Declarations,
    entitlements: Entitlements = NO_ENTITLEMENTS,
) -> PriceSoFar | NoPrice:
    """Return what *session* costs as far as it is known, or why it has no price. Never raises."""
    found = explained_so_far(session, terms_of(session, declarations), entitlements)
    if isinstance(found, NoPrice):
        return found
    priced = found.priced
    return PriceSoFar(
        until=priced.usage.ends_at,
        currency=priced.currency,
        net_minor=priced.before_minor,
        tax_minor=priced.tax_minor,
    )


def explained_so_far(
    session: ChargingSession, terms: Terms, entitlements: Entitlements = NO_ENTITLEMENTS
) -> SessionPrice | NoPrice:
    """Return the price of *session* so far with all that explains it. Never raises.

    *terms* are its own (`terms_of`).
    """
    objections = (*blocking(session, terms), *objections_of(terms))
    if session.energy_wh is None and not objections:
        objections = (phrase("energy_unknown"),)
    if terms.basis is None or objections:
        return NoPrice(objections)
    try:
        return price_of(session, terms.basis, terms, entitlements)
    except (TariffError, LedgerError) as error:
        return NoPrice((refused(error),))


def gross_so_far(
    session: ChargingSession, basis: Basis, terms: Terms, entitlements: Entitlements
) -> int | None:
    """Return what *session* costs so far by *basis*, in minor units, taxes included.

    Whatever a person would have to decide about it; None where it cannot be priced at all.
    """
    try:
        priced = price_of(session, basis, terms, entitlements).priced
    except (TariffError, LedgerError):
        return None
    return priced.before_minor + priced.tax_minor
