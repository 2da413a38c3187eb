"""A charging station as a client: it says what happens, queues what it cannot send, retries."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, ClassVar

from websockets.exceptions import ConnectionClosed

from deploy.fleet.station_plan import Quirk, StationPlan, Step, StepKind
from deploy.fleet.wire import OpenWire, StationRefusedError, Wire

LOGGER = logging.getLogger("wattledger.fleet")
ANSWER_SECONDS_MAX = 120.0
PATIENCE = 200


@dataclass(slots=True)
class Tally:
    """What the fleet sent and what it was answered; heartbeats apart, for no log keeps them.

    `lines` are those that the log must hold of it: frames, the server's calls, opening and closing.
    """

    sent: int = 0
    answered: int = 0
    refused: int = 0
    heartbeats: int = 0
    connects: int = 0
    lines: int = 0
    refusals: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One CALL to be: `build` is asked at sending time, when the transaction's id is known.

    `is_stop`: a charge is over with it, so that the server may have questions and decide.
    """

    build: Callable[[], Any]
    then: Callable[[Any], None] | None = None
    is_heartbeat: bool = False
    is_stop: bool = False


async def nothing() -> None:
    """Do nothing after a stop."""


class StationClient(ABC):
    """Plays a station over a wire, step by step. Subclasses know their OCPP version's words."""

    subprotocol: ClassVar[str]
    charge_point_class: ClassVar[Callable[..., Any]]

    def __init__(
        self,
        plan: StationPlan,
        *,
        wire: Wire,
        tally: Tally,
        after_stop: Callable[[], Awaitable[None]],
    ) -> None:
        self.plan, self.tally = plan, tally
        self._wire, self._after_stop = wire, after_stop
        self._outbox: deque[Message] = deque()
        self._line: OpenWire | None = None
        self._charge_point: Any = None
        self._receiver: asyncio.Task[None] | None = None
        self._message_ids = count(1)
        self.is_offline = False

    @property
    def has_queue(self) -> bool:
        """Whether messages wait to be sent."""
        return bool(self._outbox)

    @abstractmethod
    def messages(self, step: Step) -> Iterator[Message]:
        """Yield what the station says about *step*."""

    def station_time(self, at: datetime) -> str:
        """Return what the station's clock shows at *at*, as ISO 8601 text."""
        error = self.plan.clock_error if at >= self.plan.clock_wrong_from else timedelta(0)
        return (at.astimezone(UTC) + error).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def play(self, step: Step) -> None:
        """Do what *step* says; return once the server has answered whatever could be sent."""
        if step.kind is StepKind.OFFLINE:
            self.is_offline = True
        if step.kind in {StepKind.OFFLINE, StepKind.LEFT}:
            await self.close()
            return
        if step.kind is StepKind.BEAT and self.is_offline:
            return
        self._outbox.extend(self.messages(step))
        if step.kind is StepKind.ONLINE:
            self.is_offline = False
        if not self.is_offline:
            await self._flush()

    async def move_to(self, wire: Wire) -> None:
        """Go on over another wire."""
        await self.close()
        self._wire = wire

    async def close(self) -> None:
        """Close the connection, as a station does that loses its network."""
        if self._line is not None:
            await self._line.close()
            self.tally.lines += 1
        if self._receiver is not None:
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await self._receiver
        self._line = self._charge_point = self._receiver = None

    def was_asked(self) -> None:
        """Note a call of the server: the log holds it beside our answer."""
        self.tally.lines += 1

    async def _flush(self) -> None:
        while self._outbox:
            message = self._outbox[0]
            twice = self.plan.quirk is Quirk.DUPLICATES and message.then is not None
            for _ in range(2 if twice else 1):
                await self._until_answered(message)
                if message.is_stop and self._line is not None:
                    await self._line.hear_out()
                    await self._after_stop()
            self._outbox.popleft()

    async def _until_answered(self, message: Message) -> None:
        """Send *message*, again after each lost connection: what is queued is never given up."""
        for _ in range(PATIENCE):
            try:
                await self._open()
                answer = await self._call(message)
            except (ConnectionClosed, OSError, TimeoutError) as error:
                LOGGER.info("%s: %s, trying again", self.plan.station_id, error)
                await self.close()
                await asyncio.sleep(0.1)
                continue
            if message.then is not None and answer is not None:
                message.then(answer)
            return
        raise StationRefusedError(self.plan.station_id, f"no answer after {PATIENCE} attempts")

    async def _call(self, message: Message) -> Any:  # noqa: ANN401 - each action has its own answer
        if message.is_heartbeat:
            self.tally.heartbeats += 1
        else:
            self.tally.sent += 1
        payload = message.build()
        answer = await self._charge_point.call(
            payload,
            suppress=True,
            unique_id=f"{next(self._message_ids):06}",
            skip_schema_validation=not self._wire.checks_frames,
        )
        if not message.is_heartbeat:
            self.tally.answered += 1
            self.tally.lines += 1
        if answer is None:
            self.tally.refused += 1
            self.tally.refusals.append(f"{self.plan.station_id}: {payload!r}")
        return answer

    async def _open(self) -> None:
        if self._line is not None:
            return
        plan = self.plan
        self._line = await self._wire.open(plan.station_id, plan.password, self.subprotocol)
        self.tally.connects += 1
        self.tally.lines += 1
        self._charge_point = self.charge_point_class(
            plan.station_id, self._line, response_timeout=ANSWER_SECONDS_MAX
        )
        self._charge_point.client = self
        self._receiver = asyncio.create_task(_receive(self._charge_point))


async def _receive(charge_point: Any) -> None:  # noqa: ANN401 - ocpp ships no types
    with contextlib.suppress(ConnectionClosed):
        await charge_point.start()
