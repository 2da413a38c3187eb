"""A partner's list of tokens on its way into the table, a page at a time.

A page brings tokens of the partner, or of those that are reached through it (a hub). A bad token is
refused by name, its subject id, and the others are kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
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
from ledger.partners.tokens import BY_DEFAULT, ID_MAX, add_listed_tokens
from ledger.partners.told_counts import ToldCounts, note_refused
from ledger.persons.holders import Holder, token_holder
from ledger.persons.store import find, find_or_make
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

    def refuse(self, refused: _Refused, connection: Connection[Any]) -> None:
        """Count one that was refused, and name it unless many are named already."""
        self.refused += 1
        if len(self.refusals) < REFUSALS_MAX:
            self.refusals.append(_by_name(refused, connection))


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
        told: ToldCounts = BY_DEFAULT,
    ) -> None:
        self.partner, self._parties, self._version = partner, parties, version
        self._began_at, self.is_whole = began_at, is_whole
        self._told = told
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
        good: dict[str, list[tuple[str, ReadToken]]] = defaultdict(list)
        for value in page:
            spot = f"[{self._number}]"
            self._number += 1
            party = self._party_of(value)
            counted = self._counted[party or self.partner]
            counted.tokens += 1
            try:
                # One of another party is refused for that: it names not the partner.
                owner = party or self.partner
                good[owner].append((spot, read_token(value, self._version, owner)))
            except OcpiError as error:
                at = f"{spot}.{error.spot}".rstrip(".")
                counted.refuse(_Refused(at, error.why, _whose(value)), connection)
        for owner, tokens in sorted(good.items()):
            self._keep(owner, tokens, connection)

    def _keep(
        self, owner: str, tokens: Sequence[tuple[str, ReadToken]], connection: Connection[Any]
    ) -> None:
        """Keep good tokens of one party, as far as there is room for them."""
        told = [(read.holder, read.token) for _, read in tokens]
        added = add_listed_tokens(connection, owner, told, at=self._began_at, told=self._told)
        for spot, (holder, _) in zip((spot for spot, _ in tokens), told, strict=True):
            if error := added.refused.get((str(holder.kind), holder.name)):
                # Whom it names we do not keep: a subject for each is what there is no room for.
                self._counted[owner].refuse(_Refused(spot, error.reason, None), connection)
        for bound, times in Counter(each.bound for each in added.refused.values()).items():
            note_refused(connection, owner, bound, self._began_at, times=times)
        if self.is_whole:
            holders = list(dict.fromkeys(holder for holder, _ in told))
            # Also those that changed and were refused that: they are in the list.
            subjects = find(connection, holders)
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
