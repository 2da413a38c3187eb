"""Sessions as they go on, over HTTP: server-sent events of what each costs so far, to its end.

A session is looked at once for all who follow it, and all of them by one thread: many followers
make news come later, and take nothing from anybody else. Who reads slowly is told the newest only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, NotFoundException
from litestar.openapi import ResponseSpec
from litestar.response.streaming import ASGIStreamingResponse
from psycopg_pool import ConnectionPool

from deploy.api.conventions.within import Asked, reach_in, wants
from deploy.api.sessions import SessionAmounts, SessionRef, session_amounts
from deploy.interface.access import Scope
from ledger.declared.store import NewestDeclarations
from ledger.sessions.states import UNFINISHED, SessionState
from ledger.users.roles import Reach
from projections.finding.stays import stays_within
from projections.session_costs import with_costs
from projections.sessions import SessionSummary, list_sessions

EVENTS: Final = "text/event-stream"
FOLLOWERS_MAX: Final = 500
FOLLOWERS_MAX_EACH: Final = 100
"""Of one token."""
LOOK_SECONDS: Final = 2.0
SIGN_SECONDS: Final = 15.0
"""After so long without news a comment says that we are still there."""
LONGEST_SECONDS: Final = 600.0
"""Then who follows comes again, and is asked again whether he may."""


class LiveSession(msgspec.Struct, frozen=True, kw_only=True):
    """How far a session is: what it drew in Wh and what it costs so far; `is_over`: for good.

    `cost` is null where it has no price (yet): `reasons` say why.
    """

    ref: str
    state: SessionState
    is_over: bool
    started_at: datetime | None
    ended_at: datetime | None
    energy_wh: Decimal | None
    cost: SessionAmounts | None
    reasons: list[str]


class TooManyFollowersError(HTTPException):
    """As many follow sessions as may at once."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE

    def __init__(self) -> None:
        super().__init__(
            detail="too many follow sessions at once: come again in a while",
            headers={"Retry-After": "10"},
            extra={"code": "too_many_followers"},
        )


class _Followed:
    """A session that somebody follows: its newest state, and who waits for a newer one."""

    def __init__(self, first: LiveSession) -> None:
        self.newest, self.changed = first, asyncio.Event()
        self.followers = 0
        self.task: asyncio.Task[None] | None = None

    def tell(self, news: LiveSession) -> None:
        if news != self.newest:
            self.newest = news
            self.changed.set()
            self.changed = asyncio.Event()


class FollowedSessions:
    """Looks at the sessions that are followed."""

    def __init__(self, pool: ConnectionPool[Any], newest: NewestDeclarations) -> None:
        self._pool, self._newest = pool, newest
        self._followed: dict[str, _Followed] = {}
        self._by: dict[str, int] = {}
        self._looking = ThreadPoolExecutor(1, "live")

    async def follow(self, ref: str, by: str, reach: Reach) -> AsyncIterator[bytes]:
        """Return the events of a session within *reach*, for somebody.

        Raises:
            NotFoundException: If there is none.
            TooManyFollowersError: If as many follow as may.
        """
        of_all, of_one = sum(self._by.values()), self._by.get(by, 0)
        if of_all >= FOLLOWERS_MAX or of_one >= FOLLOWERS_MAX_EACH:
            raise TooManyFollowersError
        # Who still waits for the first look follows too: else any number come in at once.
        self._by[by] = of_one + 1
        try:
            first = await self._look(ref, reach)
        finally:
            self._gone(by)
        if first is None:
            message = f"there is no session {ref}"
            raise NotFoundException(message)
        events = self._events(ref, by, first)
        # It is begun here, so that it counts from now on, and its end is heard of in any case.
        return _told(await anext(events), events)

    def close(self) -> None:
        """Look no more."""
        self._looking.shutdown(wait=False, cancel_futures=True)

    async def _events(self, ref: str, by: str, first: LiveSession) -> AsyncGenerator[bytes, None]:
        followed = self._followed.setdefault(ref, _Followed(first))
        followed.followers += 1
        self._by[by] = self._by.get(by, 0) + 1
        if followed.task is None:
            followed.task = asyncio.create_task(self._keep_looking(ref, followed))
        loop = asyncio.get_running_loop()
        until, told = loop.time() + LONGEST_SECONDS, None
        try:
            while loop.time() < until:
                changed = followed.changed
                if followed.newest is not told:
                    told = followed.newest
                    yield b"data: " + msgspec.json.encode(told) + b"\n\n"
                    if told.is_over:
                        return
                try:
                    await asyncio.wait_for(changed.wait(), SIGN_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._leave(ref, by, followed)

    def _leave(self, ref: str, by: str, followed: _Followed) -> None:
        followed.followers -= 1
        self._gone(by)
        if not followed.followers:
            if followed.task is not None:
                followed.task.cancel()
            self._followed.pop(ref, None)

    def _gone(self, by: str) -> None:
        self._by[by] -= 1
        if not self._by[by]:
            del self._by[by]

    async def _keep_looking(self, ref: str, followed: _Followed) -> None:
        while not followed.newest.is_over:
            await asyncio.sleep(LOOK_SECONDS)
            # While the database is away there is no news.
            found = await asyncio.gather(self._look(ref, None), return_exceptions=True)
            if isinstance(found[0], LiveSession):
                followed.tell(found[0])

    async def _look(self, ref: str, reach: Reach | None) -> LiveSession | None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._looking, self._found, ref, reach)

    def _found(self, ref: str, reach: Reach | None) -> LiveSession | None:
        with self._pool.connection() as connection:
            found = list_sessions(connection, session_id=ref, limit=1)
            if reach is not None and found:
                stays = stays_within(self._newest.of(connection), reach)
                if stays is not None and not stays.has(found[0].station_id, found[0].begun_at):
                    return None
            shown = with_costs(connection, found, self._newest)
        return _live(shown[0]) if shown else None


Live = NamedDependency[FollowedSessions]


class LiveController(Controller):
    """Sessions as they go on."""

    tags = ("sessions",)

    @get(
        "/live/sessions/{ref:path}",
        opt=wants(Scope.READ),
        media_type=EVENTS,
        operation_id="follow_session",
        responses={
            200: ResponseSpec(
                LiveSession,
                media_type=EVENTS,
                description="An event at each change",
                generate_examples=False,
            )
        },
    )
    async def follow(self, request: Asked, live: Live, ref: SessionRef) -> ASGIStreamingResponse:
        """Return server-sent events of a session: one at once, one at each change, to its end.

        The last one is over: rated, held, or written off. After ten minutes the events end before
        that; who follows on asks again.
        """
        reach = reach_in(request, Scope.READ)
        events = await live.follow(ref.removeprefix("/"), request.user.name, reach)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return ASGIStreamingResponse(iterator=events, media_type=EVENTS, headers=headers)


async def _told(first: bytes, events: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(events):
        yield first
        async for each in events:
            yield each


ROUTES: Final[Sequence[type[Controller]]] = (LiveController,)


def _live(session: SessionSummary) -> LiveSession:
    cost = session.cost
    return LiveSession(
        ref=session.session_id,
        state=SessionState(session.state),
        is_over=session.state not in UNFINISHED,
        started_at=session.started_at,
        ended_at=session.ended_at,
        energy_wh=session.energy_wh,
        cost=session_amounts(cost),
        reasons=session.reasons or ([] if cost is None else [*cost.codes]),
    )
