"""How fast one station may begin sessions: beyond that, what it says next is read later.

A session that begins is looked at beside all others that go on at its station, so that what one
costs grows with their number. A station in a loop that starts one with each second, or one that
makes up a new transaction with each frame, would in the end stop everybody whose frames stand
behind its own in the log. So what begins sessions is counted:

    600 sessions that an outage held back     -> taken at once
    a start every second, without end         -> 600 at once, then one each two seconds
    a stop, or an event, of a transaction that is not known to go on   -> counts as a start
    an event of one that goes on at another EVSE                       -> the same
    readings and ends of sessions that do, states, boots               -> count as nothing
    a frame that is answered with an error     -> counts as what it tells: the log has it

Each such frame is logged and answered first, and the next one waits: nothing is refused or lost,
and a station that waits for its answers notices nothing else. TCP holds back one that does not.

Tests: tests/ingest/edge/test_session_pace.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from contextlib import suppress
from typing import Final

from websockets.asyncio.server import ServerConnection

from ingest.facts.rpc_call import RpcCall, call_of
from ingest.rpc.beside import beside_others
from ingest.rpc.codec import Call
from ingest.rpc.fields import PayloadFields

AT_ONCE: Final = 600
"""Sessions that may begin at once, as after an outage."""
GOING_ON_MAX: Final = 4_000
"""Transactions of one station that are known to go on; of more the oldest counts as new again."""
_OF_SESSIONS: Final = ("StartTransaction", "StopTransaction", "TransactionEvent")
_MINUTE: Final = 60.0
_LOGGER = logging.getLogger(__name__)


class SessionPace:
    """What one station began, over all its connections to this process.

    Args:
        station_id: The station as declared.
        a_minute: Sessions that may begin a minute in the long run; 0: as many as it likes.
    """

    def __init__(self, station_id: str, a_minute: float) -> None:
        self._station_id, self._is_held = station_id, False
        self._seconds = _MINUTE / a_minute if a_minute else 0.0
        # And where, if that was said. By their hashes: a name may be as long as a frame.
        self._going_on: OrderedDict[int, int | None] = OrderedDict()
        # When what began would have begun at the pace that is allowed.
        self._paced_to = 0.0

    @property
    def is_at_rest(self) -> bool:
        """Whether it may be forgotten: nothing goes on, and all may begin at once again."""
        return not self._going_on and self._paced_to <= _now()

    async def hold_back(self, socket: ServerConnection, call: Call, answer: bytes) -> None:
        """Wait until more may be read from *socket* after *call*, which got the payload *answer*.

        Raises:
            ConnectionClosed: If it was closed meanwhile; what it brought since then is not taken.
        """
        if self._seconds and self._begins(call, answer):
            await self._hold(socket)

    async def hold_back_refused(self, socket: ServerConnection, text: str) -> None:
        """Do the same after a frame that could not be read; facts are read more leniently.

        Raises:
            ConnectionClosed: As `hold_back`.
        """
        if not self._seconds:
            return
        told = await beside_others(len(text), call_of, text, None)
        if isinstance(told, RpcCall) and told.action in _OF_SESSIONS:
            await self._hold(socket)

    async def _hold(self, socket: ServerConnection) -> None:
        """Count one session more, and wait until more may be read."""
        now = _now()
        self._paced_to = max(self._paced_to, now) + self._seconds
        wait = self._paced_to - now - AT_ONCE * self._seconds
        if wait <= 0:
            self._is_held = False
            return
        if not self._is_held:
            self._is_held = True
            _LOGGER.warning(
                "station %s began %s sessions at once: it is read no faster than sessions_a_minute",
                *(self._station_id, AT_ONCE),
            )
        await _stay_open(socket, wait)

    def _begins(self, call: Call, answer: bytes) -> bool:
        """Say whether a session may begin with *call*; know then what goes on."""
        if call.action == "StartTransaction":
            self._goes_on(PayloadFields(answer).text("transactionId"))
            return True
        if call.action == "StopTransaction":
            return not self._ends(PayloadFields(call.payload).text("transactionId"))
        if call.action != "TransactionEvent":
            return False
        said = PayloadFields(call.payload)
        reference = said.nested("transactionInfo").text("transactionId")
        kind = (said.text("eventType") or "").casefold()
        if kind == "ended":
            return not self._ends(reference)
        # One that starts again, though it goes on, is another session of its id.
        is_going_on = self._goes_on(reference, said.nested("evse").text("id"))
        return not is_going_on or kind == "started"

    def _goes_on(self, reference: str | None, place: str | None = None) -> bool:
        """Say whether a transaction was known to go on, and nowhere else; from now on it is."""
        if reference is None:
            return False
        key, here = hash(reference), None if place is None else hash(place)
        was_known, known = key in self._going_on, self._going_on.get(key)
        self._going_on[key] = known if here is None else here
        self._going_on.move_to_end(key)
        if len(self._going_on) > GOING_ON_MAX:
            self._going_on.popitem(last=False)
        return was_known and (here is None or known in (None, here))

    def _ends(self, reference: str | None) -> bool:
        """Say whether a transaction was known to go on; from now on it is not."""
        return self._going_on.pop(hash(reference), self) is not self


async def _stay_open(socket: ServerConnection, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await socket.wait_closed()
            raise socket.protocol.close_exc


def _now() -> float:
    return asyncio.get_running_loop().time()
