"""Who pays for a session: the token's customer, its roaming partner, or its bearer.

What is declared about a token decides, as it holds at the start: the operator may correct it, with
a `valid_from` that lies back. What was found at the time, and stands in the line of the start,
decides where nothing is declared: it is what a partner promised and the station was answered, and
needs no table of tokens, which may say otherwise by now.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from ledger.declared.declarations import Declarations
from ledger.log.authorization import Authorization
from ledger.master_data.customers import Customer, Invoicing
from ledger.master_data.policies import Policy, UnknownTokens
from ledger.master_data.tokens import Token, TokenKind, TokenStatus
from ledger.rating.decisions import Payer, PayerKind
from tariffs.phrases.phrase import Phrase, phrase

CARD: Final = "credit_card"
"""How a visit is paid, in the tariffs' words: surcharges name it."""


class Driver(NamedTuple):
    """Who charges, as declared at the session's start: the token, and whose customer's it is.

    `customer_id` is the token's or its parent's, declared or not; `customer` None: it is not.
    `told`: the token is not declared, and this is what its partner said of it, or what was found of
    it for the visit that it was drawn for. `found`: it is declared, and this is what was found of
    it when the station asked.
    """

    uid: str | None
    token: Token | None = None
    customer_id: str | None = None
    customer: Customer | None = None
    told: Authorization | None = None
    found: Authorization | None = None

    @property
    def partner(self) -> str | None:
        """The roaming partner whose token it is."""
        if self.told is not None:
            return self.told.party
        return self.token.partner if self.token else None

    @property
    def visits(self) -> bool:
        """Whether the token was drawn for this session, whose driver pays by card."""
        return self.told is not None and self.told.by == "visit"

    @property
    def payment_method(self) -> str | None:
        """How the session is paid, in the tariffs' words."""
        if self.visits:
            return CARD
        return self.token.payment_method if self.token else None


def driver_of(
    declarations: Declarations,
    uid: str | None,
    at: datetime,
    recorded: Authorization | None = None,
) -> Driver:
    """Return who charges with the token *uid* in a session that began at *at*.

    *recorded* is what the token was found to be then.
    """
    token = declarations.token(uid, at) if uid is not None else None
    customer_id = _customer_of(declarations, token, at)
    customer = declarations.customer(customer_id, at) if customer_id else None
    is_told = recorded is not None and (recorded.partner is not None or recorded.by == "visit")
    is_told = is_told and token is None
    told = recorded if is_told else None
    return Driver(uid, token, customer_id, customer, told, None if token is None else recorded)


def payer_of(driver: Driver, uid: str) -> Payer:
    """Return who pays for a session of *driver*, whose token is *uid*.

    A roaming token's session is owed by its partner; it is invoiced here only if the token names a
    customer, else settled with the partner. Without customer or partner, the bearer gets an
    invoice per session.
    """
    _, token, customer_id, customer, told, _ = driver
    invoicing = customer.invoicing if customer else None
    if token and token.kind is TokenKind.ROAMING:
        party = token.partner or customer_id or uid
        buyer = customer_id if customer else None
        return Payer(kind=PayerKind.PARTNER, party=party, customer=buyer, invoicing=invoicing)
    if told is not None and not driver.visits:
        return Payer(
            kind=PayerKind.PARTNER,
            party=told.party or uid,
            customer=None,
            invoicing=None,
            contract=told.contract,
            reference=told.reference,
        )
    if customer_id and customer:
        return Payer(
            kind=PayerKind.CUSTOMER,
            party=customer_id,
            customer=customer_id,
            invoicing=invoicing,
            cost_centre=token.cost_centre if token else None,
            driver=token.driver if token else None,
        )
    return Payer(kind=PayerKind.BEARER, party=uid, customer=None, invoicing=Invoicing.PER_SESSION)


def token_objections(driver: Driver, policy: Policy, at: datetime) -> tuple[Phrase, ...]:
    """Return why a session of *driver* that began at *at* may not be rated without a person."""
    objection = _objection(driver, policy, at)
    return () if objection is None else (objection,)


def _objection(driver: Driver, policy: Policy, at: datetime) -> Phrase | None:
    uid, token = driver.uid, driver.token
    if uid is None:
        return phrase("token_missing")
    if driver.told is not None:
        return _objection_of(driver.told, uid, at)
    if token is None:
        if policy.unknown_tokens is UnknownTokens.ACCEPT_AND_RATE:
            return None
        return phrase("token_unknown", token=uid)
    return _objection_to(driver, uid, token, at)


def _objection_to(driver: Driver, uid: str, token: Token, at: datetime) -> Phrase | None:
    if token.status is TokenStatus.BLOCKED:
        return phrase("token_blocked", token=uid)
    if token.has_expired(at):
        return phrase("token_expired", token=uid)
    if (limit := _limit_of(token, uid, driver.found)) is not None:
        return limit
    customer = driver.customer_id
    if customer is None or driver.customer is not None:
        return None
    return phrase("customer_unknown", customer=customer)


def _limit_of(token: Token, uid: str, found: Authorization | None) -> Phrase | None:
    """Return which limit of *token* the session passed, if it did.

    Where and when it was shown was found then; what is declared since may allow it.
    """
    if token.is_master_pass:
        return phrase("token_master_pass", token=uid)
    status = found.status if found is not None else None
    if status == "elsewhere" and token.sites:
        return phrase("token_elsewhere", token=uid)
    return phrase("token_untimely", token=uid) if status == "untimely" and token.hours else None


def _objection_of(told: Authorization, uid: str, at: datetime) -> Phrase | None:
    """Return why nobody pays for a token that only its partner knows, or its visit."""
    match told.status:
        case "accepted" | "expired":
            # By the start, not by the answer: what was charged offline may be told much later.
            has_expired = told.status == "expired" if told.until is None else told.until <= at
            return phrase("token_expired", token=uid) if has_expired else None
        case "blocked" | "invalid" | "elsewhere" | "untimely" | "no_credit":
            return phrase("token_blocked", token=uid)
        case "unasked":
            return phrase("token_unasked", token=uid, partner=told.party)


def _customer_of(declarations: Declarations, token: Token | None, at: datetime) -> str | None:
    """Return the token's customer, or else its parent token's."""
    if token is None or token.customer or token.parent is None:
        return token.customer if token else None
    parent = declarations.token(token.parent, at)
    return parent.customer if parent else None
