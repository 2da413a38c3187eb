"""Whose account with the provider it is: the legal entity that sells what is paid there."""

from __future__ import annotations

from datetime import datetime

from deploy.errors import DeployError
from deploy.settings import Settings
from ledger.declared.declarations import Declarations, Kind


class NoAccountHolderError(DeployError):
    """Nobody said whose account it is, or who was said is not declared (yet)."""


def account_holder(declared: Declarations, settings: Settings, now: datetime) -> str:
    """Return the legal entity whose account the key leads to.

    Raises:
        NoAccountHolderError: If that is not clear; it says what to do.
    """
    chosen = settings.stripe_legal_entity
    known = [each for each in declared.keys(Kind.LEGAL_ENTITY) if declared.legal_entity(each, now)]
    if chosen in known:
        return chosen
    if chosen:
        message = (
            f"stripe_legal_entity is {chosen}, which is not declared: "
            f"declare it (wattledger apply), or set another one"
        )
        raise NoAccountHolderError(message)
    if len(known) == 1:
        return known[0]
    message = "payments wait until a legal entity is declared (wattledger apply)"
    if known:
        message = (
            f"there are {len(known)} legal entities: set WATTLEDGER_STRIPE_LEGAL_ENTITY to the one "
            f"whose account with Stripe it is ({', '.join(known)})"
        )
    raise NoAccountHolderError(message)
