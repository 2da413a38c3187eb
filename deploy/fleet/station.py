"""A charging station as a client: it plays its day, queues what it cannot send, and retries."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from deploy.errors import DeployError
from deploy.fleet.day import Quirk, StationDay, Step, StepKind, steps_of

LOGGER = logging.getLogger("wattledger.fleet")
ANSWER_SECONDS_MAX = 30.0
PATIENCE = 200


class StationRefusedError(DeployError):
    """The server does not take a station in, or never answers it."""

    def __init__(self, station_id: str, why: str) -> None:
        self.station_id, self.why = station_id, why
        super().__init__(f"{station_id} was refused: {why}")


class FleetClock(Protocol):
    """The product's clock, as far as a station needs it."""

    def now(self) -> datetime:
        """Return the present moment, UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait for *seconds* of the product's time."""


@dataclass(slots=True)
class Tally:
    """What the fleet sent and what it was answered; heartbeats apart, for no log keeps them."""

    sent: int = 0
    answered: int = 0
    refused: int = 0
    heartbeats: int = 0
    connects: int = 0
    refusals: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One CALL to be: `build` is asked at sending time, when the transaction's id is known."""

    build: Callable[[], Any]
    then: Callable[[Any], None] | None = None
    is_heartbeat: bool = False


class StationClient(ABC):
    """Plays a station's day over a real WebSocket. Subclasses know their OCPP version's words."""

    subprotocol: ClassVar[str]
    charge_point_class: ClassVar[Callable[..., Any]]

    def __init__(self, day: StationDay, *, address: str, clock: FleetClock, tally: Tally) -> None:
        self.day, self.clock, self.tally = day, clock, tally
        self._address = f"{address}/{day.station_id}"
        self._outbox: deque[Message] = deque()
        self._connection: ClientConnection | None = None
        self._charge_point: Any = None
        self._receiver: asyncio.Task[None] | None = None
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
        shown = at.astimezone(UTC) + self.day.clock_error
        return shown.strftime("%Y-%m-%dT%H:%M:%SZ")

    async def run(self, on_step: Callable[[], None]) -> None:
        """Play the day to its end; *on_step* is called after each step."""
        for step in steps_of(self.day):
            wait_seconds = (step.at - self.clock.now()).total_seconds()
            if wait_seconds > 0:
                await self.clock.sleep(wait_seconds)
            if step.kind is StepKind.OFFLINE:
                self.is_offline = True
                await self.close()
            if step.kind is StepKind.BEAT and self.is_offline:
                continue
            self._outbox.extend(self.messages(step))
            if step.kind is StepKind.ONLINE:
                self.is_offline = False
            if not self.is_offline:
                await self._flush()
            on_step()
        await self.close()

    async def close(self) -> None:
        """Close the connection, as a station does that loses its network."""
        if self._connection is not None:
            await self._connection.close()
        if self._receiver is not None:
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await self._receiver
        self._connection = self._charge_point = self._receiver = None

    async def _flush(self) -> None:
        while self._outbox:
            message = self._outbox[0]
            twice = self.day.quirk is Quirk.DUPLICATES and message.then is not None
            for _ in range(2 if twice else 1):
                await self._until_answered(message)
            self._outbox.popleft()

    async def _until_answered(self, message: Message) -> None:
        """Send *message*, again after each lost connection: what is queued is never given up."""
        for _ in range(PATIENCE):
            try:
                await self._open()
                answer = await self._call(message)
            except (ConnectionClosed, OSError, TimeoutError) as error:
                LOGGER.info("%s: %s, trying again", self.day.station_id, error)
                await self.close()
                await asyncio.sleep(0.1)
                continue
            if message.then is not None and answer is not None:
                message.then(answer)
            return
        raise StationRefusedError(self.day.station_id, f"no answer after {PATIENCE} attempts")

    async def _call(self, message: Message) -> Any:  # noqa: ANN401 - each action has its own answer
        if message.is_heartbeat:
            self.tally.heartbeats += 1
        else:
            self.tally.sent += 1
        payload = message.build()
        answer = await self._charge_point.call(payload, suppress=True)
        if not message.is_heartbeat:
            self.tally.answered += 1
        if answer is None:
            self.tally.refused += 1
            self.tally.refusals.append(f"{self.day.station_id}: {payload!r}")
        return answer

    async def _open(self) -> None:
        if self._connection is not None:
            return
        try:
            self._connection = await connect(
                self._address.replace("://", f"://{self.day.station_id}:{self.day.password}@", 1),
                subprotocols=[self.subprotocol],  # type: ignore[list-item]  # Subprotocol is a str
                open_timeout=ANSWER_SECONDS_MAX,
                ping_interval=None,
            )
        except InvalidStatus as error:
            raise StationRefusedError(self.day.station_id, str(error)) from error
        self.tally.connects += 1
        self._charge_point = self.charge_point_class(
            self.day.station_id, self._connection, response_timeout=ANSWER_SECONDS_MAX
        )
        self._charge_point.client = self
        self._receiver = asyncio.create_task(_receive(self._charge_point))


async def _receive(charge_point: Any) -> None:  # noqa: ANN401 - ocpp ships no types
    with contextlib.suppress(ConnectionClosed):
        await charge_point.start()
