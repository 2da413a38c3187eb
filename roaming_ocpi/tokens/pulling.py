"""Lists of tokens that we ask partners for: whole now and then, and what changed in between.

    never asked, or a day ago      the whole list; what it has no more is not valid any more
    else                           what changed since the last list was asked for, and some before
    a bad token                    refused by name; the others are kept
    no end, no answer              what came is kept; asked again soon; why is noted

A page at a time goes into the table, so a million tokens take no more memory than one page. Of all
processes one asks a partner at a time (a lease). Source: OCPI 2.2.1, mod_tokens, 12.1.2 and 12.2.2.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.errors import LedgerError
from ledger.leases import Lease, give_up_lease, hold_lease, take_lease
from ledger.partners.token_lists import (
    ShortTokenListError,
    TokenListState,
    TokenListTotals,
    note_unlisted,
    token_list_state,
)
from ledger.partners.tokens import BY_DEFAULT
from ledger.partners.told_counts import ToldCounts
from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.client.partner_tasks import PartnerTasks
from roaming_ocpi.client.pulls import asked_since, parties_of, problem_of
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.tokens.book import TokenBook
from roaming_ocpi.tokens.listed import TokenListing
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId

EVERY: Final = timedelta(minutes=15)
"""So often a partner is asked what changed."""
AGAIN: Final = timedelta(minutes=2)
"""So soon it is asked again where that came to nothing."""
WHOLE_EVERY: Final = timedelta(hours=24)
OVERLAP: Final = timedelta(minutes=5)
"""How far the partner's clock may be behind ours without a change being missed."""
PAGE: Final = 1_000
"""So many tokens of a page we ask for; a partner may give fewer."""
AT_ONCE: Final = 16
LOOK_SECONDS: Final = 10.0
_LEASE_SECONDS: Final = 120.0
_ENDPOINT: Final = (ModuleId.TOKENS, InterfaceRole.SENDER)
_LOGGER: Final = logging.getLogger(__name__)

Links = Callable[[], Awaitable[Sequence[Link]]]


class PullParts(NamedTuple):
    """What pulling works with; `holder` names this process, as for every lease."""

    dsn: str
    client: PartnerClient
    links: Links
    declared: Callable[[], Awaitable[Declarations]]
    now: Callable[[], datetime]
    holder: str
    told: ToldCounts = BY_DEFAULT


class TokenPuller:
    """Asks every partner that offers a list of tokens for it, in time."""

    def __init__(self, parts: PullParts) -> None:
        self._parts = parts
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._tasks = PartnerTasks("list of tokens")

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until *stop* is set; one partner's list never waits for another's."""
        book = TokenBook(self._parts.dsn)
        try:
            await self._tasks.run(stop, partial(self._look, book), every_s=LOOK_SECONDS)
        finally:
            await book.close()

    async def pull(self, link: Link) -> Mapping[str, TokenListTotals] | None:
        """Ask one partner now; return what its list had, None where another process asks it.

        Raises:
            RoamingError, LedgerError: If the list came to no end; that is noted, too.
        """
        book = TokenBook(self._parts.dsn)
        name = f"tokens of {link.partner}"
        take = partial(take_lease, name=name, holder=self._parts.holder, seconds=_LEASE_SECONDS)
        try:
            lease = await book.do(take)
            if lease is None:
                return None
            try:
                return await self._pull(link, book, lease)
            finally:
                await book.do(partial(give_up_lease, lease=lease))
        finally:
            await book.close()

    async def _look(self, book: TokenBook) -> None:
        """Begin with every partner whose time has come."""
        now = self._parts.now()
        for link in await self._parts.links():
            if link.state is not LinkState.REGISTERED or _ENDPOINT not in link.endpoints:
                continue
            if link.partner in self._tasks:
                continue
            state = await book.do(partial(token_list_state, party=link.partner))
            if _is_due(state, now):
                self._tasks.begin(link.partner, partial(self._guarded, link))

    async def _guarded(self, link: Link) -> None:
        async with self._at_once:
            try:
                await self.pull(link)
            except (RoamingError, LedgerError, psycopg.Error) as error:
                # Not its words: they may quote what a partner said of a person.
                _LOGGER.warning("list of tokens of %s: %s", link.partner, problem_of(error))

    async def _pull(
        self, link: Link, book: TokenBook, lease: Lease
    ) -> Mapping[str, TokenListTotals]:
        now = self._parts.now()
        state = await book.do(partial(token_list_state, party=link.partner))
        since = None if _is_whole_due(state, now) else _since(state)
        parties = parties_of(await self._parts.declared(), link.partner, now)
        listing = TokenListing(
            link.partner,
            parties,
            link.version,
            began_at=now,
            is_whole=since is None,
            told=self._parts.told,
        )
        query = {"limit": str(PAGE)} | ({"date_from": asked_since(since)} if since else {})
        try:
            await book.do(listing.begin)
            async for page in self._parts.client.pages(
                link, link.endpoints[_ENDPOINT], query=query
            ):
                await book.do(partial(_take, listing, page, lease))
            return await book.do(partial(listing.end, at=self._parts.now()))
        except (RoamingError, LedgerError, psycopg.Error) as error:
            problem = str(error) if isinstance(error, ShortTokenListError) else problem_of(error)
            await book.do(partial(note_unlisted, party=link.partner, at=now, problem=problem))
            raise


def _take(
    listing: TokenListing, page: Sequence[Any], lease: Lease, connection: Connection[Any]
) -> None:
    with connection.transaction():
        hold_lease(connection, lease, seconds=_LEASE_SECONDS)
        listing.take(page, connection)


def _is_due(state: TokenListState | None, now: datetime) -> bool:
    if state is None or state.tried_at is None:
        return True
    return now - state.tried_at >= (AGAIN if state.problem else EVERY)


def _is_whole_due(state: TokenListState | None, now: datetime) -> bool:
    return state is None or state.full_at is None or now - state.full_at >= WHOLE_EVERY


def _since(state: TokenListState | None) -> datetime | None:
    listed = state.listed_at if state else None
    return listed - OVERLAP if listed else None
