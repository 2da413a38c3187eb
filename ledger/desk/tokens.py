"""Letting one token charge or not, without a file: a declaration like any other.

nobody knows it, accepted     it is declared, without a customer: its bearer gets an invoice
... blocked or expired        it is declared so, from now on
it is declared                it stands otherwise from now on; whose it is stays
a partner told it, blocked    it is declared as that partner's: what is declared goes first
... accepted again            the declaration is withdrawn: the partner's word holds
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec.structs import replace
from psycopg import Connection

from ledger.declared.changes import Change
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import load_declarations
from ledger.desk.apply import declare_all
from ledger.errors import LedgerError
from ledger.log.event_log import EventLog
from ledger.master_data.tokens import Token, TokenKind, TokenStatus
from ledger.partners.tokens import LOOK_UP, ToldToken, asked_about, told_token
from ledger.persons.holders import token_holder
from ledger.persons.store import find_or_make


class TokenStanding(StrEnum):
    """Whether a token may charge; an expired one may not any more."""

    ACCEPTED = "accepted"
    BLOCKED = "blocked"
    EXPIRED = "expired"


class NamelessTokenError(LedgerError):
    """A text that stations send where there is no token."""

    def __init__(self) -> None:
        super().__init__("stations send this where there is no token: it names nobody")


class PartnerTokenError(LedgerError):
    """A partner does not let its token charge, so nobody else can."""

    def __init__(self, party: str) -> None:
        self.party = party
        super().__init__(
            f"it is a token of {party}, who does not let it charge now: only {party} can"
        )


def let_token(
    connection: Connection[Any],
    uid: str,
    standing: TokenStanding,
    *,
    log: EventLog,
    by: str,
    at: datetime,
    known: Declarations | None = None,
) -> None:
    """Let the token *uid* charge, or not, from *at* on.

    `known`: an older snapshot of declarations, if there is one at hand: there may be a million.

    Raises:
        NamelessTokenError: If no token is called so.
        PartnerTokenError: If it is to charge and is a partner's that does not let it.
        InvalidDeclarationError: If other declarations hang on what would be withdrawn.
        NotCarriedError: If it is declared, and the log cannot take the markers now.
    """
    holder = token_holder(uid)
    if holder is None:
        raise NamelessTokenError
    [subject] = find_or_make(connection, [holder]).values()
    known = load_declarations(connection, known=known)
    token = known.token(subject.id, at)
    told = told_token(connection.execute(LOOK_UP, asked_about(subject.id)).fetchall(), at)
    entity = _standing_so(token, told, standing, at)
    if entity == token:
        return
    if token is None:
        # What is declared is spelt as declared, however a station wrote it first.
        find_or_make(connection, [holder], is_declared=True)
    # Who was nobody may have charged before, and paid as nobody; who is refused is so from now on.
    is_news = token is None and standing is TokenStanding.ACCEPTED
    change = Change(
        kind=Kind.TOKEN, key=subject.id, entity=entity, valid_from=None if is_news else at
    )
    declare_all(connection, [change], log=log, by=by, at=at, known=known)


def _standing_so(
    token: Token | None, told: ToldToken | None, standing: TokenStanding, at: datetime
) -> Token | None:
    """Return what is to be declared of a token; None: nothing."""
    is_partners = told is not None and (token is None or token.kind is TokenKind.ROAMING)
    if is_partners and standing is TokenStanding.ACCEPTED:
        assert told is not None
        if not told.may_charge(at):
            raise PartnerTokenError(told.party)
        return None
    if token is None:
        roaming = Token(kind=TokenKind.ROAMING, partner=told.party) if told is not None else None
        token = roaming or Token()
    match standing:
        case TokenStanding.ACCEPTED:
            expires_at = None if token.has_expired(at) else token.expires_at
            return replace(token, status=TokenStatus.ACCEPTED, expires_at=expires_at)
        case TokenStanding.BLOCKED:
            return replace(token, status=TokenStatus.BLOCKED)
        case TokenStanding.EXPIRED:
            expires_at = token.expires_at if token.has_expired(at) else at
            return replace(token, status=TokenStatus.ACCEPTED, expires_at=expires_at)
