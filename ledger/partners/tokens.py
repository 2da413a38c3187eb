"""Tokens of partners: a table of a million, outside the declarations, that only grows.

Declarations are loaded whole, so a million tokens that change daily cannot be some. Nothing loads
this table; a token is looked up in it when a station shows it, and what was found goes into the
line of the frame (`ledger.log.authorization`). Rating and replay read that, never the table.

A row holds the token's subject and its contract sealed with that one's key: who is erased leaves
nothing readable here. Of the rows of one party and subject the last one holds, and only what
changes something makes a row, so that a partner may send its whole list every night.

One card may be told by several partners. The first that told it keeps it while it may charge with
that one, so that no partner gets another's customers by telling their cards too.

Tests: tests/ledger/partners/test_tokens.py.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.errors import LedgerError
from ledger.partners.bounds import Bound, PartnerBounds, TooMuchToldError, until_tomorrow
from ledger.partners.party import check_party
from ledger.partners.told_counts import ToldCounts
from ledger.persons.holders import Holder, token_holder
from ledger.persons.sealing import Subject, seal
from ledger.persons.store import Key, find, find_or_make

ID_MAX: Final = 36
"""Characters of a token's uid and of a contract's id (OCPI 2.2.1, mod_tokens)."""
OBJECT_MAX: Final = 2_000
"""Characters of a whole token as JSON: one that says all that OCPI knows has 900."""
YEARS: Final = range(1970, 9000)
BY_DEFAULT: Final = ToldCounts(PartnerBounds())
"""Within the bounds that hold where nobody sets others."""
_COUNTED: Final = (Bound.TOKENS, Bound.TOKEN_CHANGES)
CHUNK_ROWS: Final = 5_000
"""Rows of one transaction: stations that show one of these tokens wait for it."""

# By its parties, however many rows each of them has: a partner may change a token for years.
LOOK_UP: LiteralString = """
SELECT found.party, found.contract, found.is_valid, found.whitelist, found.expires_at,
       list.fresh_at, asked.subject
FROM (SELECT DISTINCT unnest(%s::text[])) AS asked (subject), LATERAL (
    WITH RECURSIVE told (party) AS (
        (
            SELECT party FROM partner_token WHERE subject = asked.subject
            ORDER BY party LIMIT 1
        )
        UNION ALL
        SELECT (
            SELECT other.party FROM partner_token AS other
            WHERE other.subject = asked.subject AND other.party > told.party
            ORDER BY other.party LIMIT 1
        ) FROM told WHERE told.party IS NOT NULL
    )
    SELECT told.party, last.contract, last.is_valid, last.whitelist, last.expires_at, first.number
    FROM told, LATERAL (
        SELECT * FROM partner_token AS one
        WHERE one.subject = asked.subject AND one.party = told.party
        ORDER BY one.number DESC LIMIT 1
    ) AS last, LATERAL (
        SELECT one.number FROM partner_token AS one
        WHERE one.subject = asked.subject AND one.party = told.party
        ORDER BY one.number LIMIT 1
    ) AS first
) AS found LEFT JOIN partner_token_list AS list ON list.party = found.party
ORDER BY found.number
"""
"""The last row of each party that told a token, the party first that told it first."""
# Two loads for one party at once would each compare with what the other has not committed yet.
_LOCK: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('partner_token ' || %s, 0))"
_LAST: LiteralString = """
SELECT last.subject, contract, is_valid, whitelist, expires_at, object, last_updated
FROM unnest(%s::text[]) AS asked (subject), LATERAL (
    SELECT * FROM partner_token AS one WHERE one.subject = asked.subject AND one.party = %s
    ORDER BY one.number DESC LIMIT 1
) AS last
"""
_ADD: LiteralString = """
COPY partner_token (
    party, subject, contract, is_valid, whitelist, expires_at, object, last_updated, received_at
) FROM STDIN
"""


class Whitelist(StrEnum):
    """Whether a partner lets its token charge without being asked. Source: OCPI 2.2.1, 8.4.6."""

    ALWAYS = "always"
    ALLOWED = "allowed"
    ALLOWED_OFFLINE = "allowed_offline"
    """Only when the partner cannot be asked."""
    NEVER = "never"


class PartnerToken(NamedTuple):
    """A token as its partner tells it. `expires_at`: most partners tell none.

    `object` is the whole of it as JSON, "" where it came in no such form; `last_updated` its own.
    """

    uid: str
    contract_id: str
    is_valid: bool
    whitelist: Whitelist
    expires_at: datetime | None = None
    object: str = ""
    last_updated: datetime | None = None


class ToldToken(NamedTuple):
    """What one party last said of a token; `contract` is sealed for the token's subject.

    `fresh_at`: up to when that party's list is known (`ledger.partners.token_lists`).
    """

    party: str
    contract: str
    is_valid: bool
    whitelist: Whitelist
    expires_at: datetime | None
    fresh_at: datetime | None = None

    def may_charge(self, at: datetime) -> bool:
        """Whether the token may charge at the moment *at* without the party being asked."""
        return self.whitelist is not Whitelist.NEVER and self.may_be_asked(at)

    def may_be_asked(self, at: datetime) -> bool:
        """Whether the token may charge at the moment *at* if its party says so."""
        is_over = self.expires_at is not None and self.expires_at <= at
        return self.is_valid and not is_over


class BadPartnerTokenError(LedgerError):
    """A token of a partner that says what no token can; nothing of its chunk is kept."""

    def __init__(self, party: str, row: int, problem: str) -> None:
        self.party, self.row, self.problem = party, row, problem
        super().__init__(f"token {row} of {party}: {problem}")


class AddedTokens(NamedTuple):
    """How many rows some tokens made, and which of them were too many: nothing of these is kept."""

    added: int
    refused: Mapping[Key, TooMuchToldError]


def add_partner_tokens(
    connection: Connection[Any],
    party: str,
    tokens: Iterable[PartnerToken],
    *,
    at: datetime,
    told: ToldCounts = BY_DEFAULT,
) -> int:
    """Add what is new in *tokens* of *party*; return how many rows that made.

    Args:
        connection: To `inputs` and `persons`. Chunks of CHUNK_ROWS are committed one by one unless
            the caller has a transaction; adding the same again after a failure is harmless.
        party: Whose they are, as `party_named` writes it.
        tokens: The last one of a uid within a chunk holds.
        at: When they were received.
        told: Counts them, within bounds.

    Raises:
        TooMuchToldError: If one of a chunk is too many; nothing of the chunk is kept.
        BadPartyError: If *party* is none.
        BadPartnerTokenError: If one says what no token can; what came before its chunk is kept.
    """
    check_party(party)
    added, row, remaining = 0, 1, iter(tokens)
    while chunk := list(islice(remaining, CHUNK_ROWS)):
        holders = [token_checked(party, number, token) for number, token in enumerate(chunk, row)]
        with connection.transaction():
            some = _add(connection, party, list(zip(holders, chunk, strict=True)), at, told)
            if some.refused:
                raise next(iter(some.refused.values()))
        added += some.added
        row += len(chunk)
    return added


def add_listed_tokens(
    connection: Connection[Any],
    party: str,
    tokens: Sequence[tuple[Holder, PartnerToken]],
    *,
    at: datetime,
    told: ToldCounts,
) -> AddedTokens:
    """Add what is new in a page of tokens that were checked, as far as there is room for it."""
    with connection.transaction():
        return _add(connection, party, tokens, at, told)


def asked_about(*subject_ids: str) -> tuple[list[str]]:
    """Return the parameters of LOOK_UP for some tokens."""
    return (list(subject_ids),)


def told_token(
    rows: Sequence[Sequence[Any]], at: datetime, *, is_asked: bool = False
) -> ToldToken | None:
    """Return which of one token's rows of LOOK_UP holds at *at*: the first that may charge.

    *is_asked*: parties are asked, so what may charge if its party says so counts like that.
    """
    told = [
        ToldToken(party, contract, is_valid, Whitelist(whitelist), expires_at, fresh_at)
        for party, contract, is_valid, whitelist, expires_at, fresh_at, _ in rows
    ]
    may = ToldToken.may_be_asked if is_asked else ToldToken.may_charge
    return next((each for each in told if may(each, at)), told[0] if told else None)


def _add(
    connection: Connection[Any],
    party: str,
    given: Sequence[tuple[Holder, PartnerToken]],
    at: datetime,
    counts: ToldCounts,
) -> AddedTokens:
    lock_tokens(connection, party)
    tokens = {(str(holder.kind), holder.name): (holder, token) for holder, token in given}
    subjects = find(connection, [holder for holder, _ in tokens.values()])
    names = {subject.id: name for name, subject in subjects.items()}
    known = {
        names[subject_id]: tuple(last)
        for subject_id, *last in connection.execute(_LAST, (list(names), party))
    }
    news = {
        name: token
        for name, (_, token) in tokens.items()
        if name not in known or _words(subjects[name], token) != known[name]
    }
    # What is known goes first: that a token is blocked must come through.
    order = sorted(news, key=lambda name: name not in known)
    fits, refused = _fitting(order, known, counts.room_now(connection, party, _COUNTED, at))
    subjects = find_or_make(connection, [tokens[name][0] for name in fits])
    with connection.cursor() as cursor, cursor.copy(_ADD) as copy:
        for name in fits:
            subject = subjects[name]
            copy.write_row((party, subject.id, *_words(subject, news[name]), at))
    more = {Bound.TOKENS: len(fits.keys() - known.keys()), Bound.TOKEN_CHANGES: len(fits)}
    counts.add_now(connection, party, more, at)
    errors = {
        bound: TooMuchToldError(
            party,
            bound,
            counts.bounds.most(bound),
            wait=until_tomorrow(at) if bound is Bound.TOKEN_CHANGES else None,
        )
        for bound in _COUNTED
    }
    return AddedTokens(len(fits), {name: errors[why] for name, why in refused.items()})


def _fitting(
    order: Sequence[Key], known: Collection[Key], room: Mapping[Bound, int]
) -> tuple[dict[Key, None], dict[Key, Bound]]:
    """Return which tokens there is room for, in order, and what the others are too many of."""
    fits: dict[Key, None] = {}
    refused: dict[Key, Bound] = {}
    made = 0
    for name in order:
        if len(fits) >= room[Bound.TOKEN_CHANGES]:
            refused[name] = Bound.TOKEN_CHANGES
        elif name not in known and made >= room[Bound.TOKENS]:
            refused[name] = Bound.TOKENS
        else:
            fits[name] = None
            made += name not in known
    return fits, refused


def _words(subject: Subject, token: PartnerToken) -> tuple[object, ...]:
    """Return what a row has of a token, sealed."""
    told = seal(subject, token.object) if token.object else None
    contract, whitelist = seal(subject, token.contract_id), str(token.whitelist)
    return contract, token.is_valid, whitelist, token.expires_at, told, token.last_updated


def lock_tokens(connection: Connection[Any], party: str) -> None:
    """Let nobody else add tokens of *party* until the caller's transaction ends."""
    connection.execute(_LOCK, (party,))


def token_checked(party: str, row: int, token: PartnerToken) -> Holder:
    """Return whose token it is, the *row*th of *party*.

    Raises:
        BadPartnerTokenError: If it says what no token can.
    """
    for name, text in (("uid", token.uid), ("contract_id", token.contract_id)):
        if not text.strip() or not (text.isascii() and text.isprintable()):
            # Not the text itself: an error is written to files that nobody erases persons from.
            raise BadPartnerTokenError(party, row, f"its {name} is no printable ASCII text")
        if len(text) > ID_MAX:
            problem = f"its {name} has {len(text)} characters, at most {ID_MAX} are allowed"
            raise BadPartnerTokenError(party, row, problem)
    if not isinstance(token.whitelist, Whitelist):
        raise BadPartnerTokenError(party, row, f"its whitelist is none of {', '.join(Whitelist)}")
    if len(token.object) > OBJECT_MAX:
        problem = f"it has {len(token.object)} characters, at most {OBJECT_MAX} are kept"
        raise BadPartnerTokenError(party, row, problem)
    for name, moment in (("expires_at", token.expires_at), ("last_updated", token.last_updated)):
        if moment is not None and (problem := _problem_of(moment)):
            raise BadPartnerTokenError(party, row, f"its {name} {problem}")
    holder = token_holder(token.uid)
    if holder is None:
        raise BadPartnerTokenError(party, row, f"its uid {token.uid!a} stands for no token")
    return holder


def _problem_of(moment: datetime) -> str:
    if moment.tzinfo is None:
        return "has no time zone"
    # The database takes years that no `datetime` can be read back from.
    return "" if moment.year in YEARS else "lies in no year to reckon with"
