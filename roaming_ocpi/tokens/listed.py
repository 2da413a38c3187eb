"""A partner's list of tokens on its way into the table, a page at a time.

A page brings tokens of the partner, or of those that are reached through it (a hub). A bad token is
refused by name, its subject id, and the others are kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from psycopg import Connection

from ledger.partners.token_lists import (
    REFUSALS_MAX,
    RefusedToken,
    ShortTokenListError,
    TokenListTotals,
    begin_list,
    end_what_is_gone,
    note_in_list,
    note_listed,
)
from ledger.partners.tokens import ID_MAX, add_partner_tokens
from ledger.persons.holders import Holder, token_holder
from ledger.persons.store import find_or_make
from roaming_ocpi.tokens.reading import ReadToken, owner_named, read_token
from tariffs.ocpi.documents import OcpiError
from tariffs.ocpi.versions import OcpiVersion


@dataclass(slots=True)
class _Refused:
    spot: str
    why: str
    holder: Holder | None


@dataclass(slots=True)
class _Counted:
    """What a list had so far of one party."""

    tokens: int = 0
    refused: int = 0
    refusals: list[RefusedToken] = field(default_factory=list)


class TokenListing:
    """One list of *partner*, asked for at *began_at*, which may have tokens of *parties*."""

    def __init__(
        self,
        partner: str,
        parties: frozenset[str],
        version: OcpiVersion,
        *,
        began_at: datetime,
        is_whole: bool,
    ) -> None:
        self.partner, self._parties, self._version = partner, parties, version
        self._began_at, self.is_whole = began_at, is_whole
        self._counted: dict[str, _Counted] = defaultdict(_Counted)
        self._number = 0

    @property
    def tokens(self) -> int:
        """How many tokens came so far, refused ones among them."""
        return self._number

    def begin(self, connection: Connection[Any]) -> None:
        """Be ready for the first page; the same connection takes all of them."""
        if self.is_whole:
            begin_list(connection)

    def take(self, page: Sequence[Any], connection: Connection[Any]) -> None:
        """Put a page into the table, in the caller's transaction."""
        good: dict[str, list[ReadToken]] = defaultdict(list)
        for value in page:
            spot = f"[{self._number}]"
            self._number += 1
            party = self._party_of(value)
            counted = self._counted[party or self.partner]
            counted.tokens += 1
            try:
                # One of another party is refused for that: it names not the partner.
                owner = party or self.partner
                good[owner].append(read_token(value, self._version, owner))
            except OcpiError as error:
                counted.refused += 1
                if len(counted.refusals) < REFUSALS_MAX:
                    refused = _Refused(f"{spot}.{error.spot}".rstrip("."), error.why, _whose(value))
                    counted.refusals.append(_by_name(refused, connection))
        for owner, tokens in sorted(good.items()):
            told = [each.token for each in tokens]
            add_partner_tokens(connection, owner, told, at=self._began_at)
            if self.is_whole:
                holders = list(dict.fromkeys(each.holder for each in tokens))
                subjects = find_or_make(connection, holders)
                note_in_list(connection, owner, (each.id for each in subjects.values()))

    def end(self, connection: Connection[Any], at: datetime) -> Mapping[str, TokenListTotals]:
        """Note that the list came to its end; return what it had of each party.

        Raises:
            ShortTokenListError: If it lacks most of what was told before: it is not noted then.
        """
        totals = {}
        counted = {self.partner: _Counted()} | self._counted
        short: ShortTokenListError | None = None
        for party, each in sorted(counted.items()):
            gone = 0
            if self.is_whole:
                try:
                    gone = end_what_is_gone(connection, party, began_at=self._began_at, at=at)
                except ShortTokenListError as error:
                    short = error
                    continue
            totals[party] = TokenListTotals(each.tokens, each.refused, each.refusals, gone)
            note_listed(
                connection,
                party,
                totals[party],
                began_at=self._began_at,
                is_whole=self.is_whole,
            )
        if short is not None:
            raise short
        return totals

    def _party_of(self, value: object) -> str | None:
        """Return whose an object is: in OCPI 2.1.1 none says so, and it is the partner's."""
        said = owner_named(value)
        if said is None or self._version is OcpiVersion.V2_1_1:
            return self.partner
        return said if said in self._parties else None


def _whose(value: object) -> Holder | None:
    uid = value.get("uid") if isinstance(value, dict) else None
    is_usable = isinstance(uid, str) and len(uid) <= ID_MAX and uid.isascii() and uid.isprintable()
    return token_holder(uid) if is_usable else None


def _by_name(refused: _Refused, connection: Connection[Any]) -> RefusedToken:
    token = None
    if refused.holder is not None:
        (subject,) = find_or_make(connection, [refused.holder]).values()
        token = subject.id
    return RefusedToken(spot=refused.spot, why=refused.why, token=token)
