"""Calls to stations: any process asks, the one with the connection sends, the answer comes back."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import pytest

from ingest.commands.asking import UnknownStationError, latest_commands
from ingest.commands.command import CommandState, NotConnectedError
from ingest.commands.schemas import RefusedPayloadError
from ingest.commands.store import PostgresCommands
from ingest.edge.connection_epochs import PostgresEpochs
from ledger.database import connect, connect_async
from tests.at_the_edge import keep_named_subjects
from tests.edge import until
from tests.ingest.commands.called_fleet import (
    ACCEPTED,
    SOFT,
    Answers,
    Fleet,
    charging_station,
)


@pytest.mark.parametrize("process", [0, 1])
async def test_a_call_reaches_a_station_whichever_process_has_it(
    fleet: Fleet, exits: AsyncExitStack, process: int
) -> None:
    station = await charging_station(exits, fleet.edges[process], {"Reset": ACCEPTED})

    outcome = await fleet.ask("Reset", ' { "type" : "Soft" } ', station=" cp1 ")

    assert station.asked == [["Reset", {"type": "Soft"}]]
    assert (outcome.state, outcome.station) == (CommandState.ANSWERED, "CP1")
    assert json.loads(bytes(outcome.response or b"")) == ACCEPTED
    assert (outcome.asked_by, outcome.error) == ("ann", None)
    call = f'[2,"{outcome.id}","Reset",{SOFT}]'
    sent, answered = fleet.frames()
    assert (sent.frame, sent.reply) == (call, None)
    assert answered.frame == call
    assert json.loads(answered.reply or "") == [3, str(outcome.id), ACCEPTED]


async def test_who_is_named_in_a_call_stands_in_neither_row_nor_log(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    with connect(database) as connection:
        keep_named_subjects(connection, "04SECRET99")
    station = await charging_station(
        exits, fleet.edges[1], {"RemoteStartTransaction": {"status": "Rejected"}}
    )

    outcome = await fleet.ask("RemoteStartTransaction", '{"connectorId":2,"idTag":"04SECRET99"}')

    assert station.asked == [
        ["RemoteStartTransaction", {"connectorId": 2, "idTag": "04SECRET99"}]
    ], "the station is told the token itself"
    assert outcome.state is CommandState.ANSWERED, "no is an answer, too"
    assert json.loads(bytes(outcome.payload))["idTag"] == "04SECRET99"
    with connect(database) as connection:
        (kept,) = connection.execute("SELECT frame FROM station_command").fetchone() or (b"",)
        shown = latest_commands(connection, "CP1", limit=5)
        assert latest_commands(connection, "CP2", limit=5) == []
    logged = [line for e in fleet.edges for lines in e.log.records.values() for line in lines]
    assert b"04SECRET99" not in kept
    assert [(each.id, bytes(each.payload)) for each in shown] == [
        (outcome.id, bytes(outcome.payload))
    ]
    assert json.loads(bytes(shown[0].response or b"")) == {"status": "Rejected"}
    assert not any(b"04SECRET99" in payload for payload in logged)


@pytest.mark.usefixtures("hears_all")
async def test_an_error_and_silence_are_told_apart(fleet: Fleet, exits: AsyncExitStack) -> None:
    fault = '[4,"ID","NotSupported","no such thing",{}]'
    answers = {"Reset": fault, "ClearCache": None}
    await charging_station(exits, fleet.edges[0], answers)

    refused = await fleet.ask("Reset", SOFT)
    late = await fleet.ask("ClearCache", answer=0.3)

    assert refused.state is CommandState.ERROR
    assert refused.error is not None
    assert (refused.error.code, refused.error.description) == ("NotSupported", "no such thing")
    assert (late.state, late.response, late.error) == (CommandState.TIMED_OUT, None, None)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        ('[3,"ID"]', "the frame is not an RPC message"),
        ('[4,"ID"]', "the frame is not an RPC message"),
        ('[3,"ID",{"status":', "the frame is not JSON"),
        (f'[3,"ID",{"[" * 40}{"]" * 40}]', "the frame is nested too deeply"),
    ],
)
@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
async def test_an_answer_that_nobody_can_read_ends_its_call_and_gets_no_answer(
    fleet: Fleet, exits: AsyncExitStack, protocol: str, reply: str, why: str
) -> None:
    """Who answers an answer makes a station look for a call that it never sent."""
    answers = {"ClearCache": reply, "ClearChargingProfile": {"status": "Accepted"}}
    station = await charging_station(exits, fleet.edges[0], answers, protocol=protocol)

    broken = await fleet.ask("ClearCache")
    whole = await fleet.ask("ClearChargingProfile")

    assert broken.state is CommandState.ERROR
    assert broken.error is not None
    assert (broken.error.code, broken.error.description) == ("Unreadable", why)
    # The station would have taken anything else for a call of ours.
    assert [each[0] for each in station.asked] == ["ClearCache", "ClearChargingProfile"]
    assert whole.state is CommandState.ANSWERED
    logged = [each for edge in fleet.edges for each in edge.frames()]
    assert [e.reply for e in logged if e.direction == "in"] == [None]
    assert [e.reply is None for e in logged if e.direction == "out"] == [True, True, False]


@pytest.mark.parametrize(
    "reply", ['{"status":"Maybe"}', "[]", "null", "{}", '{"status":1e9999999999999999999}']
)
async def test_an_answer_against_its_schema_is_one_and_says_what_is_wrong(
    fleet: Fleet, exits: AsyncExitStack, reply: str
) -> None:
    await charging_station(exits, fleet.edges[0], {"Reset": f'[3,"ID",{reply}]'})
    outcome = await fleet.ask("Reset", SOFT)

    assert (outcome.state, outcome.error) == (CommandState.ANSWERED, None)
    assert outcome.response is not None
    assert bytes(outcome.response).decode() == reply
    assert outcome.problem


@pytest.mark.usefixtures("hears_all")
async def test_who_does_not_wait_hears_that_a_call_left_or_that_another_is_under_way(
    fleet: Fleet, exits: AsyncExitStack
) -> None:
    station = await charging_station(exits, fleet.edges[1], {"Reset": None})

    first = await fleet.ask("Reset", SOFT, wait=0)
    second = await fleet.ask("Reset", SOFT, wait=0)

    assert (first.state, second.state) == (CommandState.SENT, CommandState.QUEUED)
    assert len(station.asked) == 1


async def test_a_station_gets_one_call_at_a_time_and_others_do_not_wait_for_it(
    fleet: Fleet, exits: AsyncExitStack
) -> None:
    slow = await exits.enter_async_context(fleet.edges[0].station("CP1"))
    await slow.call("Heartbeat", {})
    await charging_station(exits, fleet.edges[0], {"Reset": ACCEPTED}, "CP2")
    waiting = [asyncio.create_task(fleet.ask("Reset", SOFT)) for _ in range(3)]

    first = await slow.receive()
    other = await fleet.ask("Reset", SOFT, station="CP2")
    # What the station itself says is answered while it thinks.
    await slow.socket.send('[2,"own","StatusNotification",{}]', text=True)
    own = await slow.receive()
    assert (own[:2], other.state) == ([3, "own"], CommandState.ANSWERED)
    got = [first[1]]
    for number in range(3):
        await slow.socket.send(json.dumps([3, got[-1], ACCEPTED]), text=True)
        if number < 2:
            got.append((await slow.receive())[1])

    outcomes = await asyncio.gather(*waiting)
    assert {str(each.id) for each in outcomes} == set(got)
    assert {each.state for each in outcomes} == {CommandState.ANSWERED}
    assert [str(e.id) for e in sorted(outcomes, key=lambda e: e.asked_at)] == got, "in their order"


async def test_what_may_not_be_sent_is_refused_and_leaves_no_row(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    with pytest.raises(NotConnectedError, match="CP1 is not connected"):
        await fleet.ask("Reset", SOFT)
    with pytest.raises(UnknownStationError, match="CP9"):
        await fleet.ask("Reset", SOFT, station="CP9")
    await charging_station(exits, fleet.edges[0], {})
    with pytest.raises(RefusedPayloadError):
        await fleet.ask("Reset", "{}")

    with connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM station_command").fetchone() == (0,)


async def test_a_call_may_wait_for_its_station(fleet: Fleet, exits: AsyncExitStack) -> None:
    waiting = asyncio.create_task(fleet.ask("Reset", SOFT, may_queue=True))
    await until(lambda: bool(fleet.commands._ended))  # noqa: SLF001 - it is noted by then
    early = await fleet.ask("Reset", SOFT, may_queue=True, wait=0.1)
    await charging_station(exits, fleet.edges[1], {"Reset": ACCEPTED})

    assert early.state is CommandState.QUEUED
    assert (await waiting).state is CommandState.ANSWERED


async def test_a_call_that_does_not_fit_the_version_that_comes_is_not_sent(
    fleet: Fleet, exits: AsyncExitStack
) -> None:
    waiting = asyncio.create_task(fleet.ask("Reset", SOFT, may_queue=True))
    await until(lambda: bool(fleet.commands._ended))  # noqa: SLF001 - it is noted by then
    await asyncio.sleep(0.2)
    station = await charging_station(exits, fleet.edges[1], {}, protocol="ocpp2.0.1")

    outcome = await waiting
    assert (outcome.state, station.asked) == (CommandState.ERROR, [])
    assert outcome.error is not None
    assert outcome.error.code == "NotSent"
    assert "'Soft' is not one of" in outcome.error.description


async def test_a_call_that_nobody_comes_for_in_time_is_not_sent_any_more(
    fleet: Fleet, exits: AsyncExitStack
) -> None:
    outcome = await fleet.ask("Reset", SOFT, may_queue=True, answer=0.2, wait=0.5)
    station = await charging_station(exits, fleet.edges[0], {"Reset": ACCEPTED})
    await station.socket.send('[2,"own","StatusNotification",{}]', text=True)
    await asyncio.sleep(0.3)

    assert outcome.state is CommandState.TIMED_OUT
    assert station.asked == []


@pytest.mark.parametrize(
    ("action", "payload", "state"),
    [
        pytest.param(
            "Reset", SOFT, CommandState.UNKNOWN, id="what does something is never repeated"
        ),
        pytest.param(
            "GetConfiguration", "{}", CommandState.ANSWERED, id="a question is asked again"
        ),
    ],
)
async def test_what_a_killed_process_had_sent_is_given_up_when_the_station_comes_back(
    fleet: Fleet,
    exits: AsyncExitStack,
    monkeypatch: pytest.MonkeyPatch,
    action: str,
    payload: str,
    state: CommandState,
) -> None:
    async with fleet.edges[0].station("CP1") as gone:
        await gone.call("Heartbeat", {})
        waiting = asyncio.create_task(fleet.ask(action, payload))
        asked = await gone.receive()
        # No goodbye, and nothing that the process could still note.
        commands = fleet.edges[0].server._dispatcher._commands  # noqa: SLF001 - its end is cut off
        assert isinstance(commands, PostgresCommands)
        end = asyncio.Event()
        monkeypatch.setattr(commands, "finish", lambda _: end.wait())
        answers: Answers = {"GetConfiguration": {"configurationKey": []}}
        back = await charging_station(exits, fleet.edges[1], answers)

    outcome = await waiting
    end.set()
    assert outcome.state is state
    assert asked[1] == str(outcome.id)
    assert [each[0] for each in back.asked] == [action] * (state is CommandState.ANSWERED)


@pytest.mark.parametrize(("says_goodbye", "again"), [(True, 0), (False, 1)])
@pytest.mark.parametrize("process", [0, 1])
async def test_who_said_goodbye_with_a_question_open_is_not_asked_it_again(
    fleet: Fleet, exits: AsyncExitStack, process: int, *, says_goodbye: bool, again: int
) -> None:
    async with fleet.edges[0].station("CP1") as gone:
        await gone.call("Heartbeat", {})
        waiting = asyncio.create_task(fleet.ask("GetConfiguration"))
        await gone.receive()
        if not says_goodbye:
            gone.socket.transport.abort()
    # What came of it is noted while it comes back, to the very process.
    if process:
        await until(lambda: not fleet.edges[0].server._dispatcher._tasks)  # noqa: SLF001 - noted by then
    answers: Answers = {"GetConfiguration": {"configurationKey": []}, "Reset": ACCEPTED}
    back = await charging_station(exits, fleet.edges[process], answers)

    outcome = await waiting
    assert (await fleet.ask("Reset", SOFT)).state is CommandState.ANSWERED
    assert outcome.state is (CommandState.ANSWERED if again else CommandState.UNKNOWN)
    assert [each[0] for each in back.asked] == [*["GetConfiguration"] * again, "Reset"]


async def test_a_station_that_comes_and_goes_at_once_is_called_when_it_stays(
    fleet: Fleet, exits: AsyncExitStack
) -> None:
    for _ in range(10):
        async with fleet.edges[0].station("CP1"):
            pass
    await charging_station(exits, fleet.edges[0], {"Reset": ACCEPTED})

    assert (await fleet.ask("Reset", SOFT)).state is CommandState.ANSWERED


async def test_a_goodbye_counts_while_what_the_station_said_before_is_still_taken(
    fleet: Fleet, exits: AsyncExitStack
) -> None:
    log = fleet.edges[0].log
    async with fleet.edges[0].station("CP1") as gone:
        await gone.call("Heartbeat", {})
        waiting = asyncio.create_task(fleet.ask("GetConfiguration"))
        await gone.receive()
        gate = log.gate = asyncio.Event()
        await gone.socket.send('[2,"own","StatusNotification",{}]', text=True)
        await until(lambda: log.waiting == 1)
    answers: Answers = {"GetConfiguration": {"configurationKey": []}}
    coming = asyncio.create_task(charging_station(exits, fleet.edges[0], answers))
    await until(lambda: log.waiting == 2)
    await asyncio.sleep(0.2)  # it would have taken it over by now
    log.gate = None
    gate.set()

    assert (await waiting).state is CommandState.UNKNOWN
    assert (await coming).asked == []


@pytest.mark.usefixtures("hears_all")
@pytest.mark.parametrize(
    ("wait", "thinks", "state"),
    [(0.1, 60.0, CommandState.SENT), (0.3, 0.3, CommandState.TIMED_OUT)],
)
async def test_who_waits_as_long_as_a_station_may_think_hears_that_it_did_not_answer(
    fleet: Fleet, exits: AsyncExitStack, wait: float, thinks: float, state: CommandState
) -> None:
    await charging_station(exits, fleet.edges[0], {"Reset": None})

    assert (await fleet.ask("Reset", SOFT, wait=wait, answer=thinks)).state is state


async def test_a_station_of_a_process_that_is_gone_is_not_connected(
    fleet: Fleet, database: str
) -> None:
    # Its number was given, but nobody holds the lock that says that the process lives.
    epochs = PostgresEpochs(lambda: connect_async(database))
    await epochs.advance("CP1", "ocpp1.6")
    await epochs.close()

    with pytest.raises(NotConnectedError):
        await fleet.ask("Reset", SOFT)


async def test_a_station_that_went_is_not_connected_any_more(fleet: Fleet, database: str) -> None:
    async with fleet.edges[0].station("CP1") as station:
        await station.call("Heartbeat", {})
    with connect(database) as connection:
        connected = "SELECT count(*) FROM connected_station"
        await until(lambda: connection.execute(connected).fetchone() == (0,))

    with pytest.raises(NotConnectedError):
        await fleet.ask("Reset", SOFT)
