"""How far we know the lists of tokens of partners, and tokens that are in a list no more.

A list that we ask for is known as of when we began to ask. What a partner pushes shows that it
tells us what changes, so it counts like a list as of when it came. What a whole list does not have
is no longer valid (OCPI 2.2.1, mod_tokens, GET: what is not specified is no longer valid); but a
list that lacks most of what we know is more probably cut short than true, and takes nothing away.

Tests: tests/ledger/partners/test_token_lists.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.database import copy_rows
from ledger.errors import LedgerError
from ledger.partners.party import check_party
from ledger.partners.tokens import lock_tokens

REFUSALS_MAX: Final = 50
"""Refusals of a list that are kept; all are counted."""
SMALL: Final = 20
"""So many tokens may go at once, whatever their share."""
_PROBLEM_MAX: Final = 300
_STATE: LiteralString = """
SELECT fresh_at, listed_at, full_at, tried_at, tokens, refused, gone, refusals, problem
FROM partner_token_list WHERE party = %s
"""
_PUSHED: LiteralString = """
INSERT INTO partner_token_list AS known (party, fresh_at) VALUES (%s, %s)
ON CONFLICT (party) DO UPDATE SET fresh_at = greatest(known.fresh_at, excluded.fresh_at)
"""
_LISTED: LiteralString = """
INSERT INTO partner_token_list AS known
    (party, fresh_at, listed_at, full_at, tried_at, tokens, refused, gone, refusals)
VALUES (%(party)s, %(at)s, %(at)s, %(full_at)s, %(at)s, %(tokens)s, %(refused)s, %(gone)s,
    %(refusals)s)
ON CONFLICT (party) DO UPDATE SET
    fresh_at = greatest(known.fresh_at, excluded.fresh_at),
    listed_at = excluded.listed_at, full_at = coalesce(excluded.full_at, known.full_at),
    tried_at = excluded.tried_at, tokens = excluded.tokens, refused = excluded.refused,
    gone = excluded.gone, refusals = excluded.refusals, problem = ''
"""
_FAILED: LiteralString = """
INSERT INTO partner_token_list (party, tried_at, problem) VALUES (%s, %s, %s)
ON CONFLICT (party) DO UPDATE SET tried_at = excluded.tried_at, problem = excluded.problem
"""
_CREATE: LiteralString = """
CREATE TEMPORARY TABLE IF NOT EXISTS token_in_list (
    party text NOT NULL, subject text NOT NULL
)
"""
_EMPTY: LiteralString = "TRUNCATE token_in_list"
_SEEN: LiteralString = "COPY token_in_list (party, subject) FROM STDIN"
_INDEX: LiteralString = "ANALYZE token_in_list"
# The last row of each token of a party that was valid, and is in the list no more.
_GONE: LiteralString = """
CREATE TEMPORARY TABLE token_gone ON COMMIT DROP AS
SELECT last.* FROM (
    SELECT DISTINCT ON (subject) subject, contract, is_valid, whitelist, expires_at,
        object, last_updated, received_at
    FROM partner_token WHERE party = %(party)s ORDER BY subject, number DESC
) AS last
WHERE last.is_valid AND last.received_at < %(at)s AND NOT EXISTS (
    SELECT FROM token_in_list AS seen
    WHERE seen.subject = last.subject AND seen.party = %(party)s
)
"""
_COUNTS: LiteralString = """
SELECT (SELECT count(*) FROM token_gone),
    (SELECT count(DISTINCT subject) FROM token_in_list WHERE party = %s)
"""
_END: LiteralString = """
INSERT INTO partner_token (
    party, subject, contract, is_valid, whitelist, expires_at, object, last_updated, received_at
)
SELECT %s, subject, contract, false, whitelist, expires_at, object, last_updated, %s
FROM token_gone ORDER BY subject
"""


class RefusedToken(msgspec.Struct, frozen=True, kw_only=True):
    """A token of a list that was refused: where it stood, whose it is (a subject id), and why."""

    spot: str
    why: str
    token: str | None = None


class TokenListState(NamedTuple):
    """How far a list is known. `problem`: why the last try came to no end, "" if it did."""

    fresh_at: datetime | None
    listed_at: datetime | None
    full_at: datetime | None
    tried_at: datetime | None
    tokens: int
    refused: int
    gone: int
    refusals: Sequence[RefusedToken]
    problem: str


class TokenListTotals(NamedTuple):
    """What a list that came to its end had: its tokens, those refused, and the first of these."""

    tokens: int
    refused: int = 0
    refusals: Sequence[RefusedToken] = ()
    gone: int = 0


class ShortTokenListError(LedgerError):
    """A whole list lacks most of what its party told before: nothing was taken away."""

    def __init__(self, party: str, gone: int, seen: int) -> None:
        self.party, self.gone, self.seen = party, gone, seen
        super().__init__(
            f"the list of {party} has {seen} tokens and lacks {gone} valid ones that it told "
            "before: nothing was taken away; ask the partner whether its list is whole"
        )


def token_list_state(connection: Connection[Any], party: str) -> TokenListState | None:
    """Return how far the list of *party* is known, None if nobody ever asked or was told."""
    row = connection.execute(_STATE, (party,)).fetchone()
    if row is None:
        return None
    state = TokenListState(*row)
    return state._replace(refusals=msgspec.convert(state.refusals, tuple[RefusedToken, ...]))


def note_pushed(connection: Connection[Any], party: str, at: datetime) -> None:
    """Note that *party* told of a token at *at*, by itself.

    Raises:
        BadPartyError: If *party* is none.
    """
    check_party(party)
    connection.execute(_PUSHED, (party, at))


def note_listed(
    connection: Connection[Any],
    party: str,
    totals: TokenListTotals,
    *,
    began_at: datetime,
    is_whole: bool,
) -> None:
    """Note that a list of *party*, asked for at *began_at*, came to its end.

    Raises:
        BadPartyError: If *party* is none.
    """
    check_party(party)
    refusals = msgspec.json.encode(list(totals.refusals[:REFUSALS_MAX])).decode()
    connection.execute(
        _LISTED,
        {
            "party": party,
            "at": began_at,
            "full_at": began_at if is_whole else None,
            "tokens": totals.tokens,
            "refused": totals.refused,
            "gone": totals.gone,
            "refusals": refusals,
        },
    )


def note_unlisted(connection: Connection[Any], party: str, at: datetime, problem: str) -> None:
    """Note why a list of *party* came to no end; *problem* names nobody.

    Raises:
        BadPartyError: If *party* is none.
    """
    check_party(party)
    connection.execute(_FAILED, (party, at, problem[:_PROBLEM_MAX] or "no reason"))


def begin_list(connection: Connection[Any]) -> None:
    """Begin to remember, on this connection, which tokens are in a whole list."""
    connection.execute(_CREATE)
    connection.execute(_EMPTY)


def note_in_list(connection: Connection[Any], party: str, subject_ids: Iterable[str]) -> None:
    """Remember that these tokens of *party* are in the list that `begin_list` began."""
    with connection.transaction():
        copy_rows(connection, _SEEN, ((party, subject) for subject in subject_ids))


def end_what_is_gone(
    connection: Connection[Any], party: str, *, began_at: datetime, at: datetime
) -> int:
    """Make invalid what *party* told before *began_at* and its whole list has no more.

    Returns:
        How many tokens that are.

    Raises:
        ShortTokenListError: If the list lacks more than half of what would be valid.
    """
    with connection.transaction():
        lock_tokens(connection, party)
        connection.execute(_INDEX)
        connection.execute(_GONE, {"party": party, "at": began_at})
        ((gone, seen),) = connection.execute(_COUNTS, (party,)).fetchall()
        if gone > SMALL and gone > seen:
            raise ShortTokenListError(party, gone, seen)
        connection.execute(_END, (party, at))
    return int(gone)
