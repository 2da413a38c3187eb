"""A station's new password holds once the station took it; no kill in between locks it out."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from ingest.commands.asking import Patience
from ingest.commands.command import CommandState
from ingest.commands.passwords import UnfitPasswordError, password_call, password_in
from ingest.persons.subjects import PostgresSubjects
from ingest.station_settings import StationChange, StationDesk
from ledger.database import connect, connect_async
from ledger.log.envelope import encode_line
from ledger.persons.store import KEYS, KEYS_TO_SEND
from tests.edge import PASSWORD
from tests.ingest.commands.called_fleet import Fleet, charging_station

SECRET, OTHER = "sixteen-and-more", "another-sixteen!"
OLD, NEW = "ocpp1.6", "ocpp2.0.1"
VARIABLE = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}


def answers(protocol: str, status: str) -> dict[str, Any]:
    """Return what a station answers a new password."""
    if protocol == OLD:
        return {"ChangeConfiguration": {"status": status}}
    return {"SetVariables": {"setVariableResult": [{"attributeStatus": status, **VARIABLE}]}}


@pytest.fixture
async def secrets(fleet: Fleet, database: str, exits: AsyncExitStack) -> Fleet:
    """The fleet with subjects from the table, as what is sealed is opened by it."""
    subjects = PostgresSubjects(lambda: connect_async(database))
    exits.push_async_callback(subjects.close)
    fleet.commands._subjects = subjects  # noqa: SLF001 - those of the fixture are named ones
    for edge in fleet.edges:
        edge.server._subjects = subjects  # noqa: SLF001 - the same
    return fleet


async def tell(fleet: Fleet, password: str = SECRET, **patience: Any) -> Any:  # noqa: ANN401 - a call
    patience = {"wait": 10, "answer": 10} | patience
    return await fleet.commands.ask_password(
        "CP1", password, by="ann", patience=Patience(**patience)
    )


async def is_let_in(fleet: Fleet, password: str | bytes, process: int = 1) -> bool:
    try:
        async with fleet.edges[process].station("CP1", password=password) as station:
            await station.call("Heartbeat", {})
    except InvalidStatus:
        return False
    return True


def states(database: str) -> list[str]:
    with connect(database) as connection:
        rows = connection.execute("SELECT state FROM station_password ORDER BY number").fetchall()
    return [state for (state,) in rows]


@pytest.mark.parametrize("status", ["Accepted", "RebootRequired"])
@pytest.mark.parametrize("protocol", [OLD, NEW])
async def test_the_new_password_holds_once_accepted_and_alone_once_it_was_used(
    secrets: Fleet, database: str, protocol: str, status: str
) -> None:
    async with AsyncExitStack() as connected:
        told = answers(protocol, status)
        await charging_station(connected, secrets.edges[0], told, protocol=protocol)
        outcome = await tell(secrets)
        assert outcome.state is CommandState.ANSWERED
    assert states(database) == ["accepted"]

    assert await is_let_in(secrets, PASSWORD), "it may not have taken it yet"
    assert await is_let_in(secrets, SECRET, process=0)
    assert states(database) == ["proven"]
    assert not await is_let_in(secrets, PASSWORD)
    assert await is_let_in(secrets, SECRET)


@pytest.mark.parametrize(
    "answer", [{"status": "Rejected"}, {"status": "NotSupported"}, '[4,"ID","InternalError","",{}]']
)
async def test_a_password_that_was_refused_never_holds(
    secrets: Fleet, database: str, answer: object
) -> None:
    async with AsyncExitStack() as connected:
        await charging_station(connected, secrets.edges[0], {"ChangeConfiguration": answer})
        await tell(secrets)

    assert (states(database), await is_let_in(secrets, SECRET)) == ([], False)
    assert await is_let_in(secrets, PASSWORD)


@pytest.mark.usefixtures("hears_all")
async def test_while_nobody_knows_what_the_station_made_of_it_both_hold(
    secrets: Fleet, database: str
) -> None:
    async with AsyncExitStack() as connected:
        await charging_station(connected, secrets.edges[0], {"ChangeConfiguration": None})
        outcome = await tell(secrets, answer=2)

    assert (outcome.state, states(database)) == (CommandState.TIMED_OUT, ["told"])
    assert await is_let_in(secrets, PASSWORD)
    assert await is_let_in(secrets, SECRET)
    assert not await is_let_in(secrets, PASSWORD)


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        (OLD, {"status": "accepted"}),
        (OLD, {}),
        (OLD, '[3,"ID",[]]'),
        (OLD, '[3,"ID",{"status":'),
        (NEW, {"setVariableResult": [{"attributeStatus": "Accepted"}]}),
        (NEW, {"setVariableResult": []}),
        (NEW, answers(NEW, "Done")["SetVariables"]),
    ],
)
async def test_an_answer_that_says_neither_yes_nor_no_locks_nobody_out(
    secrets: Fleet, database: str, protocol: str, answer: object
) -> None:
    """The station may well have taken it."""
    told = {"ChangeConfiguration": answer, "SetVariables": answer}
    async with AsyncExitStack() as connected:
        await charging_station(connected, secrets.edges[0], told, protocol=protocol)
        await tell(secrets)

    assert states(database) == ["told"]
    assert await is_let_in(secrets, PASSWORD)
    assert await is_let_in(secrets, SECRET)


@pytest.mark.parametrize("protocol", [OLD, NEW])
async def test_the_password_is_told_to_the_station_and_stands_nowhere_else(
    secrets: Fleet, exits: AsyncExitStack, database: str, protocol: str
) -> None:
    told = answers(protocol, "Accepted")
    station = await charging_station(exits, secrets.edges[1], told, protocol=protocol)
    outcome = await tell(secrets)

    sent = SECRET.encode().hex() if protocol == OLD else SECRET
    assert sent in json.dumps(station.asked)
    again = await secrets.commands.read(outcome.id)
    with connect(database) as connection:
        rows = connection.execute(
            "SELECT frame::text, convert_from(frame, 'UTF8'), * FROM station_command"
        )
        kept = str(rows.fetchall())
        given = str(connection.execute("SELECT * FROM station_password").fetchall())
        secret = [s for (s,) in connection.execute("SELECT subject FROM subject").fetchall()]
        shown = connection.execute(KEYS, (secret,)).fetchall()
        opened = connection.execute(KEYS_TO_SEND, (secret,)).fetchall()
    logged = str([encode_line(each) for edge in secrets.edges for each in edge.log.lines()])
    for place in (str(outcome), str(again), kept, given, logged):
        assert sent not in place
        assert SECRET not in place
    assert (len(shown), len(opened)) == (0, 1), "no reader gets the key"


async def test_a_password_that_somebody_sends_as_a_call_is_one_as_well(secrets: Fleet) -> None:
    async with AsyncExitStack() as connected:
        await charging_station(connected, secrets.edges[0], answers(OLD, "Accepted"))
        payload = f'{{"value":"{SECRET}","key":"authorizationkey"}}'
        outcome = await secrets.ask("ChangeConfiguration", payload)
        assert SECRET not in str(outcome)

    assert await is_let_in(secrets, SECRET)


async def test_a_password_that_a_station_tells_of_itself_stands_nowhere_either(
    secrets: Fleet, exits: AsyncExitStack
) -> None:
    keys = [
        {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
        {"key": "AuthorizationKey", "readonly": False},
        {"key": "ConnectionTimeOut", "readonly": False, "value": "60"},
        {"value": SECRET, "key": "authorizationKey", "readonly": False},
    ]
    told = {"GetConfiguration": {"configurationKey": keys}}
    await charging_station(exits, secrets.edges[0], told)
    outcome = await secrets.ask("GetConfiguration")

    logged = str([encode_line(each) for each in secrets.edges[0].log.lines()])
    assert (SECRET in str(outcome), SECRET in logged) == (False, False)
    shown = json.loads(bytes(outcome.response or b""))["configurationKey"]
    assert shown[:3] == keys[:3], "nothing else is cut out"


async def test_what_is_said_to_be_the_password_is_it_at_once_until_another_is_declared(
    secrets: Fleet, exits: AsyncExitStack, database: str
) -> None:
    directory = secrets.edges[0].directory
    desk = StationDesk(lambda: connect_async(database), directory)
    exits.push_async_callback(desk.close)
    await desk.change("CP1", StationChange(password=SECRET), by="ann")

    assert [await is_let_in(secrets, p, process=0) for p in (SECRET, PASSWORD)] == [True, False]
    await desk.change("CP1", StationChange(password=OTHER), by="ann")
    assert [await is_let_in(secrets, p, process=0) for p in (OTHER, SECRET)] == [True, False]
    directory.passwords["CP1"] = "declared-anew-16"
    directory.hashes.clear()
    found = [await is_let_in(secrets, p, process=0) for p in ("declared-anew-16", OTHER)]
    assert found == [True, False]


async def test_passwords_that_nobody_answers_to_do_not_make_guesses_dearer_without_end(
    secrets: Fleet, exits: AsyncExitStack
) -> None:
    await charging_station(exits, secrets.edges[0], {"ChangeConfiguration": None})
    await asyncio.gather(*(tell(secrets, f"unanswered-no-{n:03}", wait=0) for n in range(5)))
    directory = secrets.edges[0].directory
    declared = await directory.station("cp1")
    assert declared is not None
    known = await secrets.edges[0].server._records.known(declared)  # noqa: SLF001 - what the gate gets

    assert len(known.access.password_hashes) == 4
    assert known.access.password_hashes[-1] == declared.password_hashes[0]


@pytest.mark.parametrize(
    ("protocol", "password", "value"),
    [
        (OLD, "0" * 32, "0" * 32),
        (OLD, "A1" * 20, "A1" * 20),
        (OLD, "x" * 16, "78" * 16),
        (OLD, "x" * 20, "78" * 20),
        (OLD, "x" * 15, None),
        (OLD, "x" * 21, None),
        (NEW, "x" * 16, "x" * 16),
        (NEW, "x" * 40, "x" * 40),
        (NEW, "x" * 15, None),
        (NEW, "x" * 41, None),
        (NEW, "line\nfeed-16-long", None),
    ],
)
def test_each_version_is_told_a_password_as_it_wants_it(
    protocol: str, password: str, value: str | None
) -> None:
    if value is None:
        with pytest.raises(UnfitPasswordError) as raised:
            password_call(protocol, password)
        assert password not in str(raised.value)
        return
    call = password_call(protocol, password)
    assert password_in(call.action, json.dumps(call.payload)) == value


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("ChangeConfiguration", '{"key":"HeartbeatInterval","value":"5"}'),
        ("ChangeConfiguration", '{"key":1}'),
        (
            "SetVariables",
            '{"setVariableData":[{"component":{"name":"C"},"variable":{"name":"V"}}]}',
        ),
        ("SetVariables", '{"setVariableData":7}'),
        ("Reset", "{}"),
    ],
)
def test_no_other_call_tells_a_password(action: str, payload: str) -> None:
    assert password_in(action, payload) is None
