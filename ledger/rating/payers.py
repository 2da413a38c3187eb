"""Who pays for a session: the token's customer, its roaming partner, or its bearer."""

from __future__ import annotations

from datetime import datetime

from ledger.declared.declarations import Declarations
from ledger.master_data.customers import Invoicing
from ledger.master_data.policies import UnknownTokens
from ledger.master_data.tokens import Token, TokenKind, TokenStatus
from ledger.rating.decisions import Payer, PayerKind
from tariffs.phrases.phrase import Phrase, phrase


def payer_of(declarations: Declarations, uid: str, at: datetime) -> Payer:
    """Return who pays for a session of token *uid* that began at *at*.

    A roaming token's session is owed by its partner; it is invoiced here only if the token names a
    customer, else settled with the partner. Without customer or partner, the bearer gets an
    invoice per session.
    """
    token = declarations.token(uid, at)
    customer_id = _customer_of(declarations, token, at)
    customer = declarations.customer(customer_id, at) if customer_id else None
    invoicing = customer.invoicing if customer else None
    if token and token.kind is TokenKind.ROAMING:
        party = token.partner or customer_id or uid
        buyer = customer_id if customer else None
        return Payer(kind=PayerKind.PARTNER, party=party, customer=buyer, invoicing=invoicing)
    if customer_id and customer:
        kind = PayerKind.CUSTOMER
        return Payer(kind=kind, party=customer_id, customer=customer_id, invoicing=invoicing)
    return Payer(kind=PayerKind.BEARER, party=uid, customer=None, invoicing=Invoicing.PER_SESSION)


def token_objections(
    declarations: Declarations, uid: str | None, at: datetime
) -> tuple[Phrase, ...]:
    """Return why a session of *uid* that began at *at* may not be rated without a person."""
    objection = _objection(declarations, uid, at)
    return () if objection is None else (objection,)


def _objection(declarations: Declarations, uid: str | None, at: datetime) -> Phrase | None:
    if uid is None:
        return phrase("token_missing")
    token = declarations.token(uid, at)
    if token is None:
        if declarations.policy(at).unknown_tokens is UnknownTokens.ACCEPT_AND_RATE:
            return None
        return phrase("token_unknown", token=uid)
    return _objection_to(declarations, uid, token, at)


def _objection_to(
    declarations: Declarations, uid: str, token: Token, at: datetime
) -> Phrase | None:
    if token.status is TokenStatus.BLOCKED:
        return phrase("token_blocked", token=uid)
    if token.has_expired(at):
        return phrase("token_expired", token=uid)
    customer = _customer_of(declarations, token, at)
    if customer is None or declarations.customer(customer, at) is not None:
        return None
    return phrase("customer_unknown", customer=customer)


def _customer_of(declarations: Declarations, token: Token | None, at: datetime) -> str | None:
    """Return the token's customer, or else its parent token's."""
    if token is None or token.customer or token.parent is None:
        return token.customer if token else None
    parent = declarations.token(token.parent, at)
    return parent.customer if parent else None
