"""Our drivers' tokens as partners get them: which, in which order, and as what.

A token's `last_updated` is when what holds of it was declared, began to hold, or ended:
whichever came last. The list is in the order of that, so what changes while somebody reads it moves
to its end and is read again; nothing is missed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.declared.declarations import Declaration, Declarations, Kind
from ledger.master_data.customers import Customer
from ledger.master_data.tokens import Token, TokenKind, TokenStatus
from ledger.partners.tokens import ID_MAX
from ledger.payments.topping_up.credit import has_credit
from ledger.persons.holders import token_holder
from ledger.persons.store import find
from roaming_ocpi.tokens.reading import RFID
from tariffs.ocpi.versions import OcpiVersion

_DECLARED_AT: LiteralString = """
SELECT version, declared_at FROM declaration
WHERE kind IN ('token', 'customer') AND (%s::bigint[] IS NULL OR version = ANY (%s))
"""
_SPELT: LiteralString = "SELECT subject, spelt FROM subject WHERE subject = ANY (%s)"
ALLOWED: Final = "ALLOWED"
NO_CREDIT: Final = "NO_CREDIT"
_CONTRACT_CHARACTERS: Final = 20


class OwnToken(NamedTuple):
    """A token of ours that partners get, by its subject; `number` is that of its declaration.

    `is_asked_about`: whether its customer has credit is known here alone, so nobody may keep it.
    """

    last_updated: datetime
    number: int
    subject: str
    is_valid: bool
    is_asked_about: bool = False

    @property
    def cursor(self) -> str:
        """Where the list goes on behind this one: it tells nothing of whose it is."""
        return f"{self.last_updated.astimezone(UTC).isoformat()}/{self.number}"


class FoundOwnToken(NamedTuple):
    """One of our tokens that is asked about; `allowed` is a word of OCPI (AllowedType)."""

    own: OwnToken
    uid: str
    allowed: str

    def __repr__(self) -> str:
        return f"FoundOwnToken({self.own.subject}, {self.allowed})"


class Issuer(NamedTuple):
    """As whom we tell tokens: our party, and the name on the cards."""

    party: str
    name: str


def is_known(token: Token, declared: Declarations, at: datetime) -> bool:
    """Say whether partners who ask about a token may hear that it is one of ours."""
    if token.kind is not TokenKind.OWN or token.is_master_pass:
        return False
    customer = customer_of(token, declared, at)
    return customer is not None and declared.customer(customer, at) is not None


def customer_of(token: Token, declared: Declarations, at: datetime) -> str | None:
    """Return who pays for a token: its customer, or that of the token it belongs to."""
    parent = declared.token(token.parent, at) if token.parent else None
    return token.customer or (parent.customer if parent else None)


def may_roam(token: Token, at: datetime) -> str:
    """Return whether a token that is known may charge with partners, in OCPI's words.

    Whether its customer has credit (NO_CREDIT) is asked where a partner asks: here nothing is read.

    Source: OCPI 2.2.1, mod_tokens, AllowedType.
    """
    if token.status is TokenStatus.BLOCKED:
        return "BLOCKED"
    if token.has_expired(at):
        return "EXPIRED"
    # Its sites are ours, and its hours those of their clocks.
    return "NOT_ALLOWED" if token.sites or token.hours else ALLOWED


def declared_times(
    connection: Connection[Any], versions: Sequence[int] | None = None
) -> Mapping[int, datetime]:
    """Return when tokens and customers were declared, by version: all, or those named."""
    chosen = None if versions is None else list(versions)
    return dict(connection.execute(_DECLARED_AT, (chosen, chosen)).fetchall())


def spellings(connection: Connection[Any], subjects: Sequence[str]) -> Mapping[str, str]:
    """Return how the uid of each of *subjects* is spelt that was not erased."""
    return dict(connection.execute(_SPELT, (list(subjects),)).fetchall())


def own_tokens(
    declared: Declarations, times: Mapping[int, datetime], at: datetime
) -> Sequence[OwnToken]:
    """Return the tokens that partners are told of at *at*, in the order of their last change."""
    found = []
    for subject in declared.keys(Kind.TOKEN):
        row = declared.in_force(Kind.TOKEN, subject, at)
        if row is None or not isinstance(row.entity, Token):
            continue
        token = row.entity
        if is_known(token, declared, at) and not (token.sites or token.hours):
            found.append(own_token(row, token, declared, times, at))
    return sorted(found)


def own_token(
    row: Declaration,
    token: Token,
    declared: Declarations,
    times: Mapping[int, datetime],
    at: datetime,
) -> OwnToken:
    """Return the *token* that *row* declares, as it is told at *at*."""
    changes = [row.valid_from, times.get(row.version, row.valid_from)]
    if token.expires_at is not None and token.has_expired(at):
        changes.append(token.expires_at)
    is_asked_about, turned = _is_asked_about(customer_of(token, declared, at), declared, at)
    if turned is not None:
        changes += [turned.valid_from, times.get(turned.version, turned.valid_from)]
    return OwnToken(
        max(changes), row.version, row.key, may_roam(token, at) == ALLOWED, is_asked_about
    )


def _is_asked_about(
    customer: str | None, declared: Declarations, at: datetime
) -> tuple[bool, Declaration | None]:
    """Return whether a *customer* pays in advance, and which declaration changed that last."""
    found, turned = False, None
    for row in declared.history(Kind.CUSTOMER, customer or ""):
        if row.valid_from <= at:
            holds = isinstance(row.entity, Customer) and row.entity.pays_in_advance
            found, turned = holds, turned if holds is found else row
    return found, turned


def find_own_token(
    uid: str, seller: str, declared: Declarations, now: datetime, connection: Connection[Any]
) -> FoundOwnToken | None:
    """Return the token of ours that *uid* is, None where there is none that partners may know.

    Credit is what is left of what its customer paid in advance to the *seller*, a legal entity.
    """
    holder = token_holder(uid)
    subjects = find(connection, [holder]) if holder else {}
    for subject in subjects.values():
        row = declared.in_force(Kind.TOKEN, subject.id, now)
        token = row and row.entity
        if row is None or not isinstance(token, Token) or not is_known(token, declared, now):
            continue
        spelt = spellings(connection, [subject.id]).get(subject.id)
        if spelt is None:
            return None
        payer = customer_of(token, declared, now) or ""
        versions = [each.version for each in declared.history(Kind.CUSTOMER, payer)]
        times = declared_times(connection, [row.version, *versions])
        own, allowed = own_token(row, token, declared, times, now), may_roam(token, now)
        if allowed == ALLOWED and own.is_asked_about:
            allowed = ALLOWED if has_credit(connection, payer, seller) else NO_CREDIT
        return FoundOwnToken(own, spelt, allowed)
    return None


def contract_of(subject: str, issuer: Issuer) -> str:
    """Return the contract's id that partners know a token's bearer by: it leads back to nobody."""
    digest = sha256(f"contract of {subject}".encode()).hexdigest()[:_CONTRACT_CHARACTERS]
    return f"{issuer.party}-C{digest.upper()}"


def token_object(
    token: OwnToken, uid: str, issuer: Issuer, version: OcpiVersion
) -> dict[str, Any] | None:
    """Return a token as *version* writes it, None where OCPI cannot say its uid.

    Partners may keep it, and may ask us as well (ALLOWED): both come to the same. They must ask
    (NEVER) where the customer pays in advance. Source: OCPI 2.2.1, mod_tokens, WhitelistType.
    """
    if len(uid) > ID_MAX or not (uid.isascii() and uid.isprintable() and uid.strip()):
        return None
    contract_id = contract_of(token.subject, issuer)
    said = token.last_updated.astimezone(UTC).isoformat(timespec="milliseconds")
    rest = {
        "issuer": issuer.name,
        "valid": token.is_valid,
        "whitelist": "NEVER" if token.is_asked_about else "ALLOWED",
        "last_updated": said.replace("+00:00", "Z"),
    }
    if version is OcpiVersion.V2_1_1:
        return {"uid": uid, "type": RFID, "auth_id": contract_id, **rest}
    country, _, party_id = issuer.party.partition("-")
    owner = {"country_code": country, "party_id": party_id}
    return {**owner, "uid": uid, "type": RFID, "contract_id": contract_id, **rest}
