"""Letting one token charge or not, without a file: a declaration like any other.

nobody knows it, accepted     it is declared, without a customer: its bearer gets an invoice
... blocked or expired        it is declared so, from now on
it is declared                it stands otherwise from now on; whose it is stays
a partner told it, blocked    it is declared as that partner's: what is declared goes first
... accepted again            the declaration is withdrawn: the partner's word holds
a group for it                its parent token; one that nobody declared is declared as a token
                              that may not charge: it is a name, and no card
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from msgspec import UNSET, UnsetType
from msgspec.structs import replace
from psycopg import Connection

from ledger.declared.changes import Change
from ledger.declared.declarations import Declarations, Kind
from ledger.desk.apply import declare_all
from ledger.errors import LedgerError
from ledger.log.event_log import EventLog
from ledger.master_data.hours import WeeklyHours
from ledger.master_data.tokens import Token, TokenKind, TokenStatus
from ledger.partners.tokens import LOOK_UP, ToldToken, asked_about, told_token
from ledger.persons.holders import token_holder
from ledger.persons.store import SPELT, find_or_make


class TokenStanding(StrEnum):
    """Whether a token may charge; an expired one may not any more."""

    ACCEPTED = "accepted"
    BLOCKED = "blocked"
    EXPIRED = "expired"


class TokenChanges(NamedTuple):
    """What is said of a token; `group` is its parent token as it is spelt, UNSET: as before."""

    standing: TokenStanding
    group: str | UnsetType | None = UNSET


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


class PartnerGroupError(LedgerError):
    """A token that a partner lets charge is in no group of ours."""

    def __init__(self, party: str) -> None:
        self.party = party
        super().__init__(f"it is a token of {party}: by its word it charges, and it has no group")


class UndeclaredTokenError(LedgerError):
    """A token that nobody declared has no places and hours of its own."""

    def __init__(self) -> None:
        super().__init__("nobody declared this token: let it charge, or block it, first")


def let_token(
    connection: Connection[Any],
    uid: str,
    wanted: TokenChanges,
    *,
    log: EventLog,
    by: str,
    at: datetime,
    known: Declarations | None = None,
) -> str | None:
    """Let the token *uid* charge, or not, from *at* on; return its group then, as it is spelt.

    `known`: an older snapshot of declarations, if there is one at hand: there may be a million.

    Raises:
        NamelessTokenError: If no token, or no group, is called so.
        PartnerTokenError: If it is to charge and is a partner's that does not let it.
        PartnerGroupError: If it is a partner's that does, and is to have a group.
        InvalidDeclarationError: If other declarations hang on what would be withdrawn.
        NotCarriedError: If it is declared, and the log cannot take the markers now.
    """
    subject, parent = _subject(connection, uid), None
    if isinstance(wanted.group, str):
        parent = _subject(connection, wanted.group)
    groups: list[str | None] = []

    def changes(known: Declarations) -> list[Change]:
        token = known.token(subject, at)
        entity = _wanted_so(connection, (subject, token), wanted, parent, at)
        groups.append(entity.parent if entity else None)
        found = []
        if parent not in {None, subject} and known.token(parent or "", at) is None:
            name = Token(status=TokenStatus.BLOCKED)
            _spell(connection, wanted.group)
            found.append(Change(kind=Kind.TOKEN, key=parent or "", entity=name))
        if entity != token:
            if token is None:
                # What is declared is spelt as declared, however a station wrote it first.
                _spell(connection, uid)
            # Who was nobody may have charged before, and paid so; who is refused is so from now on.
            is_news = token is None and wanted.standing is TokenStanding.ACCEPTED
            since = None if is_news else at
            found.append(Change(kind=Kind.TOKEN, key=subject, entity=entity, valid_from=since))
        return found

    declare_all(connection, changes, log=log, by=by, at=at, known=known)
    return _spelt(connection, groups[-1])


def _wanted_so(
    connection: Connection[Any],
    declared: tuple[str, Token | None],
    wanted: TokenChanges,
    parent: str | None,
    at: datetime,
) -> Token | None:
    """Return what is to be declared of a token (its subject, and as it is); None: nothing."""
    subject, token = declared
    told = told_token(connection.execute(LOOK_UP, asked_about(subject)).fetchall(), at)
    entity = _standing_so(token, told, wanted.standing, at)
    if isinstance(wanted.group, UnsetType):
        return entity
    if entity is not None:
        return replace(entity, parent=parent)
    if parent is not None:
        assert told is not None
        raise PartnerGroupError(told.party)
    return None


def place_token(
    connection: Connection[Any],
    subject: str,
    sites: tuple[str, ...],
    hours: tuple[WeeklyHours, ...],
    *,
    log: EventLog,
    by: str,
    at: datetime,
    known: Declarations | None = None,
) -> None:
    """Let a declared token charge at *sites* alone (none: at all), within *hours* (none: always).

    `subject`: its id; `known`: as of `let_token`.

    Raises:
        UndeclaredTokenError: If nobody declared it.
        InvalidDeclarationError: If there is no such site.
        NotCarriedError: If it is declared, and the log cannot take the markers now.
    """

    def changes(known: Declarations) -> list[Change]:
        token = known.token(subject, at)
        if token is None:
            raise UndeclaredTokenError
        entity = replace(token, sites=sites, hours=hours)
        if entity == token:
            return []
        return [Change(kind=Kind.TOKEN, key=subject, entity=entity, valid_from=at)]

    declare_all(connection, changes, log=log, by=by, at=at, known=known)


def _subject(connection: Connection[Any], uid: str) -> str:
    holder = token_holder(uid)
    if holder is None:
        raise NamelessTokenError
    [subject] = find_or_make(connection, [holder]).values()
    return subject.id


def _spell(connection: Connection[Any], uid: object) -> None:
    """Let a token be spelt so wherever it is told."""
    holder = token_holder(uid if isinstance(uid, str) else None)
    assert holder is not None
    find_or_make(connection, [holder], is_declared=True)


def _spelt(connection: Connection[Any], subject: str | None) -> str | None:
    row = None if subject is None else connection.execute(SPELT, (subject,)).fetchone()
    return None if row is None else str(row[0])


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
