"""What is published to each partner, made once for each state of the declarations and kept."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Generic, NamedTuple, TypeVar

from psycopg import AsyncConnection

from ledger.declared.declarations import Declarations
from roaming_ocpi.places.audience import Audience, audience_of
from roaming_ocpi.places.ours.declared_times import NEWER, NO_TIMES, DeclaredTimes, next_change
from roaming_ocpi.server.calls import Caller, PartnerCall
from roaming_ocpi.server.resources import Resources

_T = TypeVar("_T")
AUDIENCES_MAX: Final = 200
"""Partners whose publications are kept; more are made again when they ask."""

Make = Callable[[Declarations, DeclaredTimes, Audience, datetime], _T]


class _Kept(NamedTuple, Generic[_T]):
    """What was made, of which version, and until when it holds."""

    last: int
    made_at: datetime
    until: datetime | None
    value: _T

    def holds(self, last: int, at: datetime) -> bool:
        """Whether it is still what would be made."""
        return self.last == last and self.made_at <= at and (self.until is None or at < self.until)


class Publication(Generic[_T]):
    """Makes with *make* what a partner may see, when something of it was declared since."""

    def __init__(self, resources: Resources, make: Make[_T]) -> None:
        self._resources, self._make = resources, make
        self._times: DeclaredTimes = NO_TIMES
        self._kept: OrderedDict[str, _Kept[_T]] = OrderedDict()
        self._turn = asyncio.Lock()

    async def of(self, call: PartnerCall, connection: AsyncConnection[Any]) -> _T | None:
        """Return what the partner who calls may see; None: it is none of our customers' eMSPs."""
        declared = await self._resources.declared()
        party = asking_party(declared, call.caller, call.from_party, call.now)
        return await self.to(party, call.caller.our_party, connection, call.now)

    async def to(
        self, party: str, our_party: str, connection: AsyncConnection[Any], at: datetime
    ) -> _T | None:
        """Return what *party* may see of *our_party*, as `of`."""
        declared = await self._resources.declared()
        audience = audience_of(declared, party, at)
        if audience is None or audience.our_party != our_party:
            return None
        async with self._turn:
            times = await self._times_of(declared, connection)
            kept = self._kept.get(party)
            if kept is None or not kept.holds(times.last, at):
                kept = await asyncio.to_thread(self._made, declared, times, audience, at)
                self._kept[party] = kept
            self._kept.move_to_end(party)
            while len(self._kept) > AUDIENCES_MAX:
                self._kept.popitem(last=False)
            return kept.value

    def _made(
        self, declared: Declarations, times: DeclaredTimes, audience: Audience, at: datetime
    ) -> _Kept[_T]:
        value = self._make(declared, times, audience, at)
        return _Kept(times.last, at, next_change(declared, at), value)

    async def _times_of(
        self, declared: Declarations, connection: AsyncConnection[Any]
    ) -> DeclaredTimes:
        if self._times.known < declared.version:
            rows = await connection.execute(NEWER, self._times.asked(declared.version))
            self._times = self._times.extended(declared.version, await rows.fetchall())
        return self._times


def asking_party(
    declared: Declarations, caller: Caller, from_party: str | None, at: datetime
) -> str:
    """Return for whom *caller* asks: itself, or a partner of ours that it, a hub, passes on."""
    if from_party in caller.parties and from_party is not None:
        partner = declared.partner(from_party, at)
        if partner is not None and partner.hub == caller.partner:
            return from_party
    return caller.partner
