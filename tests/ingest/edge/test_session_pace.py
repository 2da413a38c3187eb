"""A station that begins sessions without end is read no faster than it may; nothing is lost."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from websockets.asyncio.server import ServerConnection

from ingest.directory import StationAccess
from ingest.edge import session_pace
from ingest.edge.server import Manners
from ingest.edge.session_pace import AT_ONCE, GOING_ON_MAX, SessionPace
from ingest.facts.translate import translate
from ingest.rpc.codec import Call, parse
from ingest.station_records import NO_RECORDS, KnownStation, NoRecords, Registration
from ledger.facts.station_facts import transaction_of
from tests.edge import Edge, open_edge, until

EVERY_TWO_SECONDS = 30.0
DEEP = f'{{"customData":{"[" * 30}{"]" * 30}}}'
NO_SOCKET = cast("ServerConnection", None)


class Paced:
    """A pace by a clock that goes on while it waits; `waits` are all its waits."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, a_minute: float = EVERY_TWO_SECONDS
    ) -> None:
        self.pace, self.now, self.waits = SessionPace("CP1", a_minute), 1000.0, list[float]()
        monkeypatch.setattr(session_pace, "_now", lambda: self.now)
        monkeypatch.setattr(session_pace, "_stay_open", self._wait)

    async def _wait(self, _socket: ServerConnection, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    async def says(self, action: str, payload: Any, answer: str = "{}") -> float:  # noqa: ANN401 - JSON
        """Let the station say something; return for how long nothing more is read."""
        call = parse(json.dumps([2, "1", action, payload]).encode(), size_max=1 << 20)
        assert isinstance(call, Call)
        before = len(self.waits)
        await self.pace.hold_back(NO_SOCKET, call, answer.encode())
        return sum(self.waits[before:])

    async def brings(self, text: str) -> float:
        """Let the station bring a frame that is refused; return as `says`."""
        before = len(self.waits)
        await self.pace.hold_back_refused(NO_SOCKET, text)
        return sum(self.waits[before:])

    async def starts(self, number: int) -> float:
        return await self.says(
            "StartTransaction", {"connectorId": 1}, f'{{"transactionId":{number}}}'
        )

    async def stops(self, reference: object) -> float:
        return await self.says("StopTransaction", {"transactionId": reference})

    async def tells(self, kind: str, reference: str | None, evse: object = None) -> float:
        info = {} if reference is None else {"transactionId": reference}
        told = {"eventType": kind, "transactionInfo": info, "evse": {"id": evse}}
        return await self.says("TransactionEvent", told)


@pytest.fixture
def paced(monkeypatch: pytest.MonkeyPatch) -> Paced:
    return Paced(monkeypatch)


async def test_what_an_outage_held_back_is_taken_at_once_and_more_at_a_pace(paced: Paced) -> None:
    waits = [await paced.starts(1 + number) for number in range(AT_ONCE + 3)]

    assert waits == [0.0] * AT_ONCE + [2.0] * 3


async def test_a_session_each_two_seconds_is_never_held_back(paced: Paced) -> None:
    for number in range(3 * AT_ONCE):
        assert await paced.starts(number) == 0
        paced.now += 2.0


async def test_after_a_rest_as_many_may_begin_at_once_again(paced: Paced) -> None:
    for number in range(AT_ONCE):
        await paced.starts(number)
    paced.now += 2.0 * 10

    assert [await paced.starts(10_000 + number) for number in range(11)] == [0.0] * 10 + [2.0]


@pytest.mark.parametrize(
    "begins",
    [
        lambda paced, n: paced.stops(n),
        lambda paced, _: paced.stops(0),
        lambda paced, _: paced.stops(None),
        lambda paced, n: paced.tells("Started", f"R{n}"),
        lambda paced, _: paced.tells("Started", "R"),
        lambda paced, _: paced.tells("started", "R"),
        lambda paced, n: paced.tells("Updated", f"R{n}"),
        lambda paced, n: paced.tells("Ended", f"R{n}"),
        lambda paced, _: paced.tells("Ended", "R"),
        lambda paced, n: paced.tells("ended", f"R{n}"),
        lambda paced, _: paced.tells("Updated", None),
        lambda paced, n: paced.tells("Odd", f"R{n}"),
        lambda paced, n: paced.tells("Updated", "R", n),
        lambda paced, n: paced.tells("Updated", "R", n % 2),
        lambda paced, _: paced.brings(f'[2,"1","StartTransaction",{DEEP}]'),
        lambda paced, _: paced.brings('[2,"1","StopTransaction",{"vendor":"\\ud800"}]'),
        lambda paced, _: paced.brings(f'[2,"1","Transaction\\u0045vent",{DEEP}]'),
    ],
)
async def test_what_names_no_transaction_that_goes_on_counts_as_a_start(
    paced: Paced, begins: Callable[[Paced, int], Awaitable[float]]
) -> None:
    waits = [await begins(paced, number) for number in range(AT_ONCE + 2)]

    assert waits == [0.0] * AT_ONCE + [2.0] * 2


async def test_what_a_session_that_goes_on_tells_counts_as_nothing(paced: Paced) -> None:
    for number in range(AT_ONCE):
        await paced.starts(number) if number % 2 else await paced.tells("Started", f"R{number}")

    assert await paced.stops(1) == 0
    assert await paced.tells("Updated", "R2") == 0
    assert await paced.tells("ENDED", "R2") == 0
    assert await paced.says("MeterValues", {"connectorId": 1, "transactionId": 77}) == 0
    assert await paced.says("StatusNotification", {"connectorId": 1}) == 0
    assert await paced.says("BootNotification", {}) == 0
    assert await paced.tells("Updated", "R4", 1) == 0, "it says where it is for the first time"
    assert await paced.tells("Updated", "R4", "1") == 0
    assert await paced.tells("Updated", "R4") == 0
    assert await paced.brings("") == 0
    assert await paced.brings(f'[2,"1","MeterValues",{DEEP}]') == 0
    assert await paced.brings('[2,"1","StartTransaction"') == 0, "no fact is read in it either"
    assert await paced.stops(1) == 2.0  # it is over by now
    assert await paced.tells("Ended", "R2") == 2.0


async def test_what_is_known_to_go_on_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    paced = Paced(monkeypatch, a_minute=6_000_000)
    for number in range(GOING_ON_MAX + 1):
        await paced.tells("Started", f"R{number}")
    paced.now += 60.0
    for number in range(AT_ONCE):
        await paced.starts(number)

    assert await paced.tells("Updated", f"R{GOING_ON_MAX}") == 0
    assert await paced.tells("Updated", "R0") > 0


@pytest.mark.parametrize("kind", ["Started", "Ended"])
async def test_where_a_transaction_was_is_forgotten_with_it(paced: Paced, kind: str) -> None:
    await paced.tells("Started", "R", 1)
    await paced.tells(kind, "R", 2)
    await paced.tells("Ended", "R")
    paced.now += 60.0

    assert paced.pace.is_at_rest


async def test_without_a_pace_as_many_begin_as_it_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    paced = Paced(monkeypatch, a_minute=0)
    for number in range(2 * AT_ONCE):
        assert await paced.starts(number) == 0
    assert paced.pace.is_at_rest


async def test_it_is_forgotten_once_nothing_goes_on_and_all_may_begin_again(paced: Paced) -> None:
    await paced.starts(1)
    paced.now += 2.0
    assert not paced.pace.is_at_rest  # a stop of it must not count
    await paced.stops(1)
    assert paced.pace.is_at_rest
    await paced.stops(1)
    assert not paced.pace.is_at_rest
    paced.now += 2.0
    assert paced.pace.is_at_rest


async def test_it_is_said_once_that_a_station_is_held_back(
    paced: Paced, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for number in range(AT_ONCE + 5):
            await paced.starts(number)
        assert len(caplog.records) == 1
        paced.now += 3600.0
        for number in range(AT_ONCE + 5):
            await paced.starts(number)

    assert [record.getMessage() for record in caplog.records] == [
        f"station CP1 began {AT_ONCE} sessions at once: it is read no faster than sessions_a_minute"
    ] * 2


def start(number: int) -> dict[str, Any]:
    moment = f"2026-03-02T07:00:{number:02d}Z"
    return {"connectorId": 1, "idTag": "A", "meterStart": 1000, "timestamp": moment}


async def _held_back(edge: Edge, name: str) -> None:
    """Start three sessions, of which each is answered, and one more, which is not."""
    async with edge.station(name, close_timeout=0.1) as station:
        for number in range(3):
            await station.call("StartTransaction", start(number))
        await station.socket.send(json.dumps([2, "more", "StartTransaction", start(3)]))
        pong = await station.socket.ping()  # which is not held back
        await pong
        async with edge.station("CP2") as good:
            for _ in range(5):
                await good.call("Heartbeat", {})


async def test_a_station_is_held_back_alone_over_all_its_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_pace, "AT_ONCE", 2)
    manners = Manners(sessions_a_minute=0.01, close_seconds=0.3)
    async with open_edge(manners=manners) as edge, asyncio.timeout(60):
        await _held_back(edge, "CP1")
        await until(lambda: "CP1" not in edge.server.connections)
        async with edge.station("CP1", close_timeout=0.1) as again:
            await again.call("StartTransaction", start(9))
            await again.socket.send(json.dumps([2, "more", "StartTransaction", start(10)]))
            async with edge.station("CP2") as good:
                await good.call("Heartbeat", {})

        await until(lambda: "CP1" not in edge.server.connections)
        said = [json.loads(each.frame)[3] for each in edge.frames() if "Start" in each.frame]
    # What came behind was not answered, so the station keeps it.
    assert said == [start(0), start(1), start(2), start(9)]


HALF = '"customData":{"vendorId":"V","text":"\\ud800"}'


@pytest.mark.parametrize("is_pending", [True, False])
async def test_sessions_in_frames_that_get_errors_are_held_back_too(
    monkeypatch: pytest.MonkeyPatch, *, is_pending: bool
) -> None:
    class NeverAccepted(NoRecords):
        async def known(self, declared: StationAccess) -> KnownStation:
            return KnownStation(declared, Registration.PENDING)

    def event(number: int) -> str:
        more = "" if is_pending else f",{HALF}"
        info = f'"transactionInfo":{{"transactionId":"R{number}"}}'
        told = f'"eventType":"Started","timestamp":"2026-03-02T07:00:00Z","seqNo":0,{info}'
        return f'[2,"{number}","TransactionEvent",{{{told}{more}}}]'

    monkeypatch.setattr(session_pace, "AT_ONCE", 2)
    manners = Manners(sessions_a_minute=0.01, close_seconds=0.3)
    records = NeverAccepted() if is_pending else NO_RECORDS
    async with open_edge(manners=manners, records=records) as edge, asyncio.timeout(60):
        async with edge.station("CP1", protocol="ocpp2.0.1", close_timeout=0.1) as station:
            answers = [await station.send(event(number)) for number in range(3)]
            await station.socket.send(event(3))
            async with edge.station("CP2") as good:
                for _ in range(5):
                    await good.call("Heartbeat", {})
        await until(lambda: "CP1" not in edge.server.connections)

        told = [translate(each, position=0, line=0) for each in edge.frames()]
    code = "SecurityError" if is_pending else "FormatViolation"
    assert [each[2] for each in answers] == [code] * 3
    assert [transaction_of(fact) for (fact,) in told] == ["R0", "R1", "R2"], "each begins a session"
