"""How it stands with partners, for people: which link there is, which tokens, what changed when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row, dict_row

CHANGES_MAX: Final = 20
_STANDINGS: LiteralString = """
SELECT partner, state, version, our_party, versions_url, endpoints, parties, changed_at,
    sealed IS NOT NULL AND NOT EXISTS (
        SELECT FROM subject WHERE kind = 'secret' AND name = 'roaming ' || partner
    ) AS is_locked,
    (SELECT count(*) FROM roaming_token AS token
     WHERE token.partner = link.partner AND kind = 'access') AS tokens,
    (SELECT max(made_at) FROM roaming_token AS token
     WHERE token.partner = link.partner AND kind = 'access') AS token_made_at,
    (SELECT max(expires_at) FROM roaming_token AS token
     WHERE token.partner = link.partner AND expires_at > now()) AS invited_until
FROM roaming_link AS link ORDER BY partner
"""
_CHANGES: LiteralString = """
SELECT at, state, version, by, why FROM roaming_link_change
WHERE partner = %s ORDER BY number DESC LIMIT %s
"""
_LISTS: LiteralString = """
SELECT module, pulled_at AS read_at, refused, trouble FROM place_pulled WHERE partner = %(party)s
UNION ALL SELECT module, tried_at, refused, problem FROM partner_pull WHERE party = %(party)s
ORDER BY module
"""


class OfferedEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A module of a partner, and where it is."""

    identifier: str
    role: str
    url: str


class LinkStanding(msgspec.Struct, frozen=True, kw_only=True):
    """The link with a partner as people see it; no token is in it.

    `tokens`: how many of ours let it in, two while one takes the other's place. `invited_until`: an
    invitation is open. `is_locked`: its own token cannot be opened any more, as after a restore
    without the schema `persons`; it has to register again.
    """

    partner: str
    state: str
    version: str | None
    our_party: str | None
    versions_url: str | None
    endpoints: list[OfferedEndpoint]
    parties: list[str]
    changed_at: datetime
    is_locked: bool
    tokens: int
    token_made_at: datetime | None
    invited_until: datetime | None


class LinkChange(msgspec.Struct, frozen=True, kw_only=True):
    """A move of a link: to which state, by whom and why."""

    at: datetime
    state: str
    version: str | None
    by: str
    why: str


class ListRead(msgspec.Struct, frozen=True, kw_only=True):
    """A list of a partner as we read it last: how many objects of it were not taken.

    `trouble` is why the first of them was not, or why the list was not read to its end.
    """

    module: str
    read_at: datetime
    refused: int
    trouble: str | None


def standings(connection: Connection[Any]) -> dict[str, LinkStanding]:
    """Return how it stands with every partner with whom something was begun."""
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_STANDINGS).fetchall()
    found = msgspec.convert(rows, list[LinkStanding])
    return {each.partner: each for each in found}


def changes_of(
    connection: Connection[Any], partner: str, *, limit: int = CHANGES_MAX
) -> Sequence[LinkChange]:
    """Return how the link with *partner* changed, the latest first."""
    with connection.cursor(row_factory=class_row(LinkChange)) as cursor:
        return cursor.execute(_CHANGES, (partner, limit)).fetchall()


def lists_read(connection: Connection[Any], partner: str) -> Sequence[ListRead]:
    """Return how each list of *partner* was read last, by module."""
    with connection.cursor(row_factory=class_row(ListRead)) as cursor:
        return cursor.execute(_LISTS, {"party": partner}).fetchall()
