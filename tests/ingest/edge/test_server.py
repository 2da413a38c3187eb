from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from datetime import timedelta

import pytest
from websockets.exceptions import ConnectionClosed

from ingest.answers import questions
from ingest.directory import AuthorizationStatus, TokenAccess
from ingest.edge.server import Manners
from ingest.errors import StationGoneError
from ingest.rpc import codec
from ledger.log.envelope import Frame
from ledger.log.event_log import LogError
from tests.edge import PASSWORD, Edge, open_edge, until
from tests.fakes import FixedDirectory, MemoryLog

BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
START = {
    "connectorId": 1,
    "idTag": "04AB",
    "meterStart": 100,
    "timestamp": "2026-03-02T12:00:00Z",
}


def counted(edge: Edge) -> dict[str, int]:
    """Return what the server counted, all of it under the stations' one protocol."""
    counts = edge.server.counts
    found = {"taken": counts.taken, "sent": counts.sent, "opened": counts.opened}
    assert {protocol for each in found.values() for protocol in each} == {"ocpp1.6"}
    return {name: each["ocpp1.6"] for name, each in found.items()}


async def test_a_station_boots_and_is_told_the_time_and_the_heartbeat_interval() -> None:
    async with open_edge() as edge, edge.station() as station:
        answer = await station.call("BootNotification", BOOT)

    assert answer == {
        "currentTime": "2026-03-02T12:00:00.000Z",
        "interval": 300,
        "status": "Accepted",
    }


async def test_the_log_keeps_the_frame_as_it_came_and_the_reply_as_it_went() -> None:
    raw = '[2, "17",  "StatusNotification", {"connectorId": 1, "temperature": 20.10}]'
    async with open_edge() as edge:
        async with edge.station() as station:
            await station.send(raw)
        await until(lambda: len(edge.connections()) == 2)

    assert [(each.frame, each.reply) for each in edge.frames()] == [(raw, '[3,"17",{}]')]
    assert edge.frames()[0] == Frame(
        received_at=edge.clock.now(),
        station="CP1",
        protocol="ocpp1.6",
        epoch=1,
        frame=raw,
        reply='[3,"17",{}]',
    )
    assert [(each.is_open, each.why) for each in edge.connections()] == [
        (True, ""),
        (False, "closed"),
    ]


async def test_no_answer_goes_out_before_the_frame_is_durable() -> None:
    log = MemoryLog()
    async with open_edge(log=log) as edge, edge.station() as station:
        await station.call("BootNotification", BOOT)
        log.gate = asyncio.Event()
        await station.socket.send('[2,"2","StatusNotification",{}]')
        await until(lambda: log.waiting == 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await station.socket.recv()
        log.gate.set()

        assert await station.socket.recv() == '[3,"2",{}]'


async def test_a_frame_that_cannot_be_made_durable_is_not_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = MemoryLog()
    async with open_edge(log=log) as edge, edge.station() as station:
        await station.call("BootNotification", BOOT)
        log.failure = LogError("disk full")

        with pytest.raises(ConnectionClosed) as closed:
            await station.send('[2,"2","StopTransaction",{}]')
        await until(lambda: not edge.server.connections)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013
    assert "station CP1 is sent away: disk full" in caplog.messages
    assert counted(edge) == {"taken": 2, "sent": 1, "opened": 1}


async def test_a_heartbeat_is_answered_but_not_logged() -> None:
    async with open_edge() as edge, edge.station() as station:
        answer = await station.call("Heartbeat", {})

        assert answer == {"currentTime": "2026-03-02T12:00:00.000Z"}
        assert edge.frames() == []


@pytest.mark.parametrize("as_sent", ["00112233445566778899AABBCCDDEEFF00112233", "raw"])
async def test_a_key_is_taken_as_hex_text_and_as_the_bytes_it_stands_for(as_sent: str) -> None:
    key = "00112233445566778899aabbccddeeff00112233"
    sent = bytes.fromhex(key) if as_sent == "raw" else as_sent
    async with (
        open_edge(directory=FixedDirectory({"CP1": key})) as edge,
        edge.station(password=sent) as station,
    ):
        assert await station.call("StatusNotification", {}) == {}


async def test_the_newest_connection_wins_and_the_old_one_is_fenced_and_closed() -> None:
    async with open_edge() as edge, edge.station() as old:
        await old.call("Heartbeat", {})
        async with edge.station() as new:
            await new.call("StatusNotification", {})
            with pytest.raises(ConnectionClosed) as closed:
                await old.socket.recv()

            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "replaced")
            assert edge.server.connections["CP1"].epoch == 2
        await until(lambda: len(edge.connections()) == 4)

    ends = [(each.epoch, each.why) for each in edge.connections() if not each.is_open]
    assert sorted(ends) == [(1, "replaced"), (2, "closed")]


async def test_a_frame_of_a_fenced_connection_is_not_answered() -> None:
    log = MemoryLog()
    async with open_edge(log=log) as edge, edge.station(close_timeout=1) as old:
        await old.call("Heartbeat", {})
        log.gate = asyncio.Event()
        await old.socket.send('[2,"late","StatusNotification",{}]')
        await until(lambda: log.waiting == 1)
        async with edge.station() as new:
            await until(lambda: edge.server.connections["CP1"].epoch == 2)
            log.gate.set()
            await new.call("Heartbeat", {})
            with pytest.raises(ConnectionClosed):
                await old.socket.recv()

        assert [each.epoch for each in edge.frames()] == [1]
        assert counted(edge) == {"taken": 3, "sent": 2, "opened": 2}


async def test_a_call_of_ours_and_its_answer_stand_in_one_line_of_the_log() -> None:
    async with open_edge() as edge, edge.station() as station:
        await station.call("BootNotification", BOOT)
        calling = asyncio.create_task(
            edge.server.connections["CP1"].call("TriggerMessage", {"requestedMessage": "Heartbeat"})
        )
        asked = await station.socket.recv(decode=True)
        message_id = asked.split('"')[1]
        await station.socket.send(f'[3,"{message_id}",{{"status":"Accepted"}}]')
        answer = await calling

    assert bytes(answer.payload) == b'{"status":"Accepted"}'  # type: ignore[union-attr]
    logged = edge.frames()[-1]
    assert (logged.direction, logged.frame) == ("out", asked)
    assert logged.reply == f'[3,"{message_id}",{{"status":"Accepted"}}]'
    assert counted(edge) == {"taken": 2, "sent": 2, "opened": 1}


async def test_calls_of_ours_take_turns_and_end_with_the_connection() -> None:
    async with open_edge() as edge, edge.station() as station:
        await station.call("BootNotification", BOOT)
        connection = edge.server.connections["CP1"]
        calls = [asyncio.create_task(connection.call("Reset", {"type": kind})) for kind in "ab"]
        first = await station.receive()
        await station.call("Heartbeat", {})
        assert station.asked == []
        await station.socket.close()
        ends = await asyncio.gather(*calls, return_exceptions=True)

    assert first[3] == {"type": "a"}
    assert [str(end) for end in ends] == ["CP1 did not answer Reset: connection closed"] * 2


async def test_a_call_that_nobody_answers_ends_in_time_and_stays_in_the_log() -> None:
    async with open_edge() as edge, edge.station() as station:
        await station.call("BootNotification", BOOT)
        with pytest.raises(StationGoneError, match="too late"):
            await edge.server.connections["CP1"].call("Reset", {"type": "Soft"}, seconds=0.05)

    assert edge.frames()[-1].direction == "out"
    assert edge.frames()[-1].reply is None


async def test_a_small_idle_server_pings_and_closes_who_stays_silent() -> None:
    manners = Manners(ping_seconds=0.05, silence_seconds=3, close_seconds=0.1)
    async with open_edge(manners=manners) as edge, edge.station(close_timeout=0.1) as station:
        await station.call("Heartbeat", {})
        living = edge.server.connections["CP1"]
        for _ in range(3):
            before = living.heard_at
            await until(lambda before=before: living.heard_at > before)  # type: ignore[misc]

        station.socket.transport.pause_reading()
        await until(lambda: "CP1" not in edge.server.connections)

    assert edge.connections()[-1].why == "silent"


async def test_compressed_frames_are_understood_and_answered() -> None:
    async with open_edge() as edge, edge.station(compression="deflate") as station:
        assert [each.name for each in station.socket.protocol.extensions] == ["permessage-deflate"]
        assert await station.call("DataTransfer", {"vendorId": "V" * 2000}) == {
            "status": "UnknownVendorId"
        }


async def test_closing_the_server_closes_the_stations_and_says_so_in_the_log() -> None:
    async with open_edge() as edge, edge.station() as station:
        await station.call("BootNotification", BOOT)
        await edge.server.close()
        with pytest.raises(ConnectionClosed) as closed:
            await station.socket.recv()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert edge.connections()[-1].why == "server stopped"


async def test_no_level_of_logging_writes_who_stands_in_a_frame(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_edge() as edge, edge.station() as station:
        await station.call("Authorize", {"idTag": "04A1B2C3D4"})

    ours = [each for each in caplog.records if not each.name.startswith("websockets")]
    assert [each for each in ours if "04A1B2C3D4" in each.getMessage()] == []
    # The station's end is the library's own: there it does.
    assert "04A1B2C3D4" in caplog.text


@pytest.mark.parametrize(
    ("connections", "boots", "longer", "kind"),
    [
        pytest.param(1, 0, 0, 3, id="a short call before it booted"),
        pytest.param(1, 0, 1, 4, id="a long one"),
        pytest.param(1, 1, 1, 3, id="a long one after that"),
        pytest.param(2, 0, 1, 3, id="a long one of who only lost its connection"),
    ],
)
async def test_who_never_booted_is_read_up_to_a_bound(
    connections: int, boots: int, longer: int, kind: int
) -> None:
    call = '[2,"1","StatusNotification",{}]'
    async with open_edge() as edge:
        for _ in range(connections):
            async with edge.station() as station:
                for _ in range(boots):
                    await station.call("BootNotification", BOOT)
                size = codec.UNREGISTERED_FRAME_MAX + longer
                answer = await station.send(call + " " * (size - len(call)))
                # Not by mistake: this one is short.
                assert (await station.send(call))[0] == 3

    assert answer[0] == kind


ACCEPTED, INVALID = ({"status": each} for each in ("Accepted", "Invalid"))


def knowing(token_uid: str) -> FixedDirectory:
    known = {token_uid: TokenAccess(status=AuthorizationStatus.ACCEPTED)}
    return FixedDirectory({"CP1": PASSWORD}, tokens=known)


@pytest.mark.parametrize(
    ("passed", "answer"),
    [
        (timedelta(minutes=10) - timedelta(microseconds=1), ACCEPTED),
        (timedelta(minutes=10), INVALID),
    ],
)
async def test_an_answer_is_repeated_for_ten_minutes(
    passed: timedelta, answer: Mapping[str, object]
) -> None:
    directory = knowing("04ab")
    async with open_edge(directory=directory) as edge, edge.station() as station:
        await station.call("StartTransaction", START, message_id="7")
        directory.tokens.clear()
        edge.clock.moment += passed

        again = await station.call("StartTransaction", START, message_id="7")

    assert again["idTagInfo"] == answer


async def test_who_asks_again_is_told_what_holds_now() -> None:
    directory = knowing("04ab")
    async with open_edge(directory=directory) as edge, edge.station() as station:
        first = await station.call("Authorize", {"idTag": "04AB"}, message_id="7")
        directory.tokens.clear()
        again = await station.call("Authorize", {"idTag": "04AB"}, message_id="7")

    assert [first["idTagInfo"], again["idTagInfo"]] == [ACCEPTED, INVALID]


async def test_the_last_eight_answers_are_repeated() -> None:
    directory = knowing("04ab")
    async with open_edge(directory=directory) as edge, edge.station() as station:
        for number in range(9):
            await station.call("StartTransaction", START, message_id=f"{number}")
        directory.tokens.clear()
        again = [
            await station.call("StartTransaction", START, message_id=f"{number}")
            for number in (1, 8, 0)
        ]

    assert [each["idTagInfo"] for each in again] == [ACCEPTED, ACCEPTED, INVALID]


@pytest.mark.parametrize(("size", "answer"), [(4096, ACCEPTED), (4097, INVALID)])
async def test_an_answer_to_a_call_of_any_sane_length_is_repeated(
    size: int, answer: Mapping[str, object]
) -> None:
    directory = knowing("04ab")
    call = json.dumps([2, "7", "StartTransaction", START])
    call += " " * (size - len(call))
    async with open_edge(directory=directory) as edge, edge.station() as station:
        await station.call("BootNotification", BOOT)
        await station.send(call)
        directory.tokens.clear()

        assert (await station.send(call))[2]["idTagInfo"] == answer


async def test_a_station_is_asked_so_many_questions_at_once_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(questions, "QUESTIONS_MAX", 2)
    async with open_edge() as edge, edge.station(protocol="ocpp2.0.1") as station:

        async def ends(transaction: int) -> None:
            for kind, number in (("Started", 0), ("Ended", 2)):
                event = {
                    "eventType": kind,
                    "seqNo": number,
                    "timestamp": "2026-03-02T12:00:00Z",
                    "triggerReason": "Trigger",
                    "transactionInfo": {"transactionId": f"T{transaction}"},
                }
                await station.call("TransactionEvent", event)

        async def answered(count: int) -> None:
            for _ in range(count):
                asked = station.asked.pop(0) if station.asked else await station.receive()
                about.append(asked[3]["transactionId"])
                await station.socket.send(f'[3,"{asked[1]}",{{"messagesInQueue":false}}]')

        about = list[str]()
        for transaction in range(3):
            await ends(transaction)
        await answered(2)
        await until(lambda: [each.direction for each in edge.frames()].count("out") == 2)
        # Each that was answered leaves its room to another one.
        await ends(3)
        await answered(1)
        await until(lambda: [each.direction for each in edge.frames()].count("out") == 3)

    assert about == ["T0", "T1", "T3"]


@pytest.mark.parametrize(
    ("manners", "patience"),
    [
        pytest.param(Manners(), 900, id="three heartbeats"),
        pytest.param(Manners(heartbeat_seconds=10), 135, id="three pings, where they are longer"),
        pytest.param(Manners(silence_seconds=0), 0, id="as it is set"),
    ],
)
def test_how_long_a_silent_station_is_waited_for(manners: Manners, patience: float) -> None:
    assert manners.patience_seconds == patience
