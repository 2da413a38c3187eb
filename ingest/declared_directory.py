"""What the station server asks about stations and tokens, answered from the declarations.

A token that nobody declared may be one that a partner told us of; else it is recorded, before the
station is answered. Who shows new tokens without end makes nobody wait: all that are shown at the
same moment are looked up with one statement, and recorded with one commit.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, LiteralString, NamedTuple

import psycopg

from ingest.clock import Clock
from ingest.directory import (
    AuthorizationStatus,
    PriceTerms,
    Purpose,
    Showing,
    StationAccess,
    TokenAccess,
)
from ingest.gathering import Gatherer
from ingest.partner_tokens import PartnerTokens
from ingest.prices.credit import Credit, Credits, NamedTransaction
from ingest.visit_tokens import VisitTokens
from ledger.books.prepayments import PrepaidAccount
from ledger.database import connect_async
from ledger.declared.declarations import (
    Declaration,
    Declarations,
    Kind,
    TariffInForce,
    decode_entity,
)
from ledger.declared.identities import canonical
from ledger.facts.token_uid import TokenHabits
from ledger.master_data.assignments import NO_LIMITS, Assignment
from ledger.master_data.customers import Customer
from ledger.master_data.policies import Policy, PricesTold, UnknownCredit, UnknownTokens
from ledger.master_data.stations import Station
from ledger.master_data.tokens import Token
from ledger.master_data.tokens import TokenStatus as DeclaredStatus
from ledger.partners.asking import REMEMBERED, TokenAsker
from ledger.payments.topping_up.credit import AskedCredit, payer_in_advance
from ledger.persons.store import SPELT

FRESH_SECONDS: Final = 0.5
"""How long an answer may lag behind a declaration, in real time, while the database answers."""
AWAY_SECONDS: Final = 3.0
"""After how long without an answer the database is away: nothing is declared meanwhile."""

_LOGGER: Final = logging.getLogger(__name__)

_NEWER: LiteralString = """
SELECT version, kind, key, valid_from, body FROM declaration WHERE version > %s ORDER BY version
"""
# In one order everywhere: two servers with the same tokens then wait, and do not deadlock.
_UNKNOWN: LiteralString = """
INSERT INTO unknown_token (token_uid, station_id, first_seen_at, last_seen_at, times)
SELECT token_uid, station_id, min(seen_at), max(seen_at), count(*)
FROM unnest(%s::text[], %s::text[], %s::timestamptz[]) AS shown (token_uid, station_id, seen_at)
GROUP BY token_uid, station_id ORDER BY token_uid, station_id
ON CONFLICT (token_uid, station_id) DO UPDATE
SET last_seen_at = greatest(unknown_token.last_seen_at, excluded.last_seen_at),
    times = unknown_token.times + excluded.times
"""


class _Shown(NamedTuple):
    """A token that nobody declared, and where and when a station showed it."""

    subject_id: str
    station_id: str
    seen_at: datetime


class ReopenedConnection:
    """One asynchronous connection, opened again when it is lost, used by one at a time."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    async def ask(self, query: LiteralString, parameters: Iterable[object]) -> list[Any]:
        """Return the rows of *query*; a lost connection is opened again once."""
        async with self._turn:
            try:
                return await self._ask(query, parameters)
            except psycopg.OperationalError:
                return await self._ask(query, parameters)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def _ask(self, query: LiteralString, parameters: Iterable[object]) -> list[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await connect_async(self._dsn)
        cursor = await self._connection.execute(query, tuple(parameters))
        return await cursor.fetchall() if cursor.description else []


class DeclaredDirectory:
    """A `StationDirectory` over the newest declarations and the tokens of partners.

    Without an *asker* nobody asks these: their lists decide.
    """

    def __init__(self, dsn: str, clock: Clock, asker: TokenAsker | None = None) -> None:
        self._connection, self._clock = ReopenedConnection(dsn), clock
        connect = partial(connect_async, dsn)
        self._partners = PartnerTokens(connect, asker)
        self._visits = VisitTokens(connect)
        self._unknown: Gatherer[_Shown, None] = Gatherer(connect, _record)
        self._credits = Credits(connect)
        self._known = Declarations()
        self._stations: dict[str, str] = {}
        # Where sessions may ever have gone only so far: (station, site), each None for all.
        self._limited: set[tuple[str | None, str | None]] = set()
        # Once they were offered: a visit goes on also where they are offered no more.
        self._offers_visits = False
        self._has_advance = False
        self._looked = -FRESH_SECONDS
        self._looking: asyncio.Task[None] | None = None
        self._is_away = False

    async def declarations(self) -> Declarations:
        """Return the newest declarations."""
        return await self._fresh()

    async def station(self, identity: str) -> StationAccess | None:
        """Return who may connect as *identity* (canonical), or None."""
        known = await self._fresh()
        station_id = self._stations.get(identity)
        declared = known.station(station_id, self._clock.now()) if station_id else None
        if station_id is None or declared is None or declared.password_hash is None:
            return None
        site = known.site(declared.site, self._clock.now())
        return StationAccess(
            station_id=station_id,
            site=declared.site,
            time_zone=site.time_zone if site else "UTC",
            password_hashes=(declared.password_hash,),
            token_habits=TokenHabits(declared.token_ignored, declared.token_suffix_from),
            power_w=declared.max_power_w,
            evse_power_w=_evse_powers(declared),
        )

    async def token(self, subject_id: str, showing: Showing | None = None) -> TokenAccess | None:
        """Return what is declared about the token whose subject this is, or its partner told us.

        A declaration goes first: the operator can block a partner's token by declaring it. With
        *showing* the partner may be asked, unless the token is shown to stop.
        """
        known, now = await self._fresh(), self._clock.now()
        token = known.token(subject_id, now)
        if token is None:
            visiting = None
            if self._offers_visits:
                visiting = await self._visits.find(subject_id, showing, now)
            return visiting or await self._partners.find(subject_id, showing, known, now)
        group = None
        if token.parent is not None:
            rows = await self._connection.ask(SPELT, (token.parent,))
            group = rows[0][0] if rows else None  # erased meanwhile
        accepted = token.status is DeclaredStatus.ACCEPTED
        credit = await self._credit(known, token, showing, now) if showing and accepted else None
        return TokenAccess(
            status=AuthorizationStatus.ACCEPTED if accepted else AuthorizationStatus.BLOCKED,
            expires_at=token.expires_at,
            group=group,
            party=token.partner,
            sites=token.sites,
            hours=token.hours,
            is_master_pass=token.is_master_pass,
            # Who charged until nothing was left shows it again.
            remembered_until=now + REMEMBERED if credit else None,
            credit=credit,
        )

    async def _credit(
        self, known: Declarations, token: Token, showing: Showing, now: datetime
    ) -> Credit | None:
        """Return what is left to who pays for a *token* in advance; None: nobody does."""
        customer = payer_in_advance(known, token, now)
        if customer is None or showing.purpose is Purpose.STOP:
            return None
        station = showing.station.station_id
        declared = known.station(station, now)
        site = known.site(declared.site, now) if declared else None
        if site is None:
            return None
        account = PrepaidAccount(customer, site.legal_entity, site.currency)
        asked = AskedCredit(account, station_id=station, transaction_ref=showing.transaction_ref)
        accepts = known.policy(now).unknown_credit is UnknownCredit.ACCEPT
        return await self._credits.of(asked, accepts_unknown=accepts)

    async def is_funded(
        self, station_id: str, transaction_ref: str, subject_id: str | None = None
    ) -> bool:
        """Say whether the payer of a session that goes on may have only so much for it.

        *subject_id* is its token's, where that is known: then the books are not asked whose it is.
        """
        known, now = await self._fresh(), self._clock.now()
        named = NamedTransaction(station_id, transaction_ref)
        uid = subject_id or await self._credits.token_of(named)
        token = known.token(uid, now) if uid else None
        if uid and token is None and self._offers_visits:
            return await self._visits.find(uid, None, now) is not None
        return payer_in_advance(known, token, now) is not None

    async def unknown_token(
        self, station_id: str, subject_id: str, *, seen_at: datetime
    ) -> AuthorizationStatus:
        """Record that *station_id* showed a token that nobody declared; say the policy's answer."""
        await self._unknown.ask(_Shown(subject_id, station_id, seen_at))
        policy = await self.policy_in_force()
        refused = policy.unknown_tokens is UnknownTokens.REFUSE
        return AuthorizationStatus.INVALID if refused else AuthorizationStatus.ACCEPTED

    async def price_terms(self, station_id: str) -> PriceTerms:
        """Return how a station is told what its sessions cost, as it is now."""
        known, now = await self._fresh(), self._clock.now()
        policy, station = known.policy(now), known.station(station_id, now)
        is_running = policy.prices_told is PricesTold.RUNNING
        places = (None, None), (station_id, None), (None, station.site if station else None)
        return PriceTerms(
            is_telling=policy.prices_told is not PricesTold.NEVER,
            every_seconds=policy.price_every_s if is_running else None,
            in_messages=station is not None and station.price_messages,
            on_display=policy.price_display,
            is_limited=not self._limited.isdisjoint(places),
            has_funds=self._has_advance or self._offers_visits,
        )

    async def tariff_in_force(
        self, station_id: str, subject_id: str | None, *, partner: str | None = None
    ) -> TariffInForce | None:
        """Return what prices a session that begins now: whoever's, or that of a token's subject.

        *partner* is whose token it is, if it is not declared.
        """
        known = await self._fresh()
        return known.tariff_for(station_id, subject_id, self._clock.now(), partner=partner)

    async def policy_in_force(self) -> Policy:
        """Return the operator's policy."""
        return (await self._fresh()).policy(self._clock.now())

    async def close(self) -> None:
        """Close the connections."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        for each in (
            self._connection,
            self._partners,
            self._visits,
            self._unknown,
            self._credits,
        ):
            await each.close()

    async def _fresh(self) -> Declarations:
        """Return the declarations, at most FRESH_SECONDS old, or the last ones before it went away.

        Raises:
            psycopg.OperationalError: If the database is away and there are none yet.
        """
        if time.monotonic() - self._looked < FRESH_SECONDS:
            return self._known
        # Whoever comes meanwhile waits for the same look.
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(_heard)
        if self._is_away:
            return self._known
        try:
            async with asyncio.timeout(AWAY_SECONDS if self._known.version else None):
                await asyncio.shield(self._looking)
        except (TimeoutError, psycopg.OperationalError) as error:
            if not self._known.version:
                raise
            _LOGGER.warning("the database is away, declarations stay as they are: %r", error)
            self._is_away = True
        return self._known

    async def _look(self) -> None:
        began = time.monotonic()
        rows = await self._connection.ask(_NEWER, (self._known.version,))
        if rows:
            self._take(rows)
        # It shows what was there when it began: who declares counts on that.
        self._looked, self._is_away = began, False

    def _take(self, rows: Iterable[tuple[int, str, str, datetime, str]]) -> None:
        news = [
            Declaration(version, Kind(kind), key, valid_from, decode_entity(Kind(kind), body))
            for version, kind, key, valid_from, body in rows
        ]
        self._known = self._known.extended(news)
        self._limited |= {
            (each.entity.station, each.entity.site)
            for each in news
            if isinstance(each.entity, Assignment) and each.entity.limits != NO_LIMITS
        }
        self._offers_visits |= any(
            isinstance(each.entity, Policy) and each.entity.visits for each in news
        )
        self._has_advance = self._has_advance or any(
            isinstance(each.entity, Customer) and each.entity.pays_in_advance for each in news
        )
        stations = {each.key for each in news if each.kind is Kind.STATION}
        self._stations |= {canonical(key): key for key in sorted(stations)}


def _evse_powers(declared: Station) -> Mapping[int, Decimal]:
    """Return the most that a plug of each EVSE can bring, where its plugs say so."""
    powers: dict[int, Decimal] = {}
    for each in declared.connectors:
        if each.max_power_w is not None:
            powers[each.evse_id] = max(each.max_power_w, powers.get(each.evse_id, each.max_power_w))
    return powers


def _heard(looked: asyncio.Task[None]) -> None:
    """Hear of a look that nobody waited for, or asyncio complains at the end."""
    if not looked.cancelled():
        looked.exception()


async def _record(connection: psycopg.AsyncConnection, shown: Sequence[_Shown]) -> Sequence[None]:
    await connection.execute(_UNKNOWN, [list(column) for column in zip(*shown, strict=True)])
    return [None] * len(shown)
