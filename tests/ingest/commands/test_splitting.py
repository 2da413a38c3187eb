"""A call of many items goes out in as many messages as its station takes, and comes back as one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from ingest.commands.command import CommandState
from ingest.station_settings import StationChange, StationDesk
from ledger.database import connect, connect_async
from tests.at_the_edge import keep_named_subjects
from tests.edge import Station
from tests.fakes import FixedDirectory
from tests.ingest.commands.called_fleet import Fleet

NEWEST = "ocpp2.0.1"
RESULTS = {"GetVariables": "getVariableResult", "SetVariables": "setVariableResult"}
LIMITS = ["ItemsPerMessage", "BytesPerMessage"]
DATA = {"GetVariables": "getVariableData", "SetVariables": "setVariableData"}
LIST = DATA["GetVariables"]


def variable(name: str) -> dict[str, Any]:
    return {"component": {"name": "C"}, "variable": {"name": name}}


def asked(action: str, names: str) -> str:
    """Return a payload that asks for a variable of each letter of *names*."""
    value = {} if action == "GetVariables" else {"attributeValue": "1.10"}
    items = [value | variable(name) for name in names]
    return json.dumps({DATA[action]: items, "customData": {"vendorId": "v"}})


class Variables:
    """A station with variables, that takes so many items of a call at once."""

    def __init__(self, station: Station, items: int, told: str | None) -> None:
        self.station, self.items, self.told = station, items, told
        self.told_bytes = "" if told is None else "100000"
        self.ids: list[str] = []
        self.sizes: list[int] = []
        self.values: dict[str, str] = {}

    async def answer(self) -> None:
        with suppress(ConnectionClosed):
            while True:
                text = await self.station.socket.recv()
                _, message_id, action, payload = json.loads(text)
                self.sizes.append(len(text.encode() if isinstance(text, str) else text))
                names = [each["variable"]["name"] for each in payload[DATA[action]]]
                self.ids.append(message_id)
                self.station.asked.append("".join(name[0] for name in names))
                if len(names) > self.items:
                    reply = [4, message_id, "OccurrenceConstraintViolation", "too many", {}]
                elif names == ["z"] or (names == LIMITS and self.told == "silent"):
                    continue
                else:
                    reply = [3, message_id, {RESULTS[action]: [self.result(n) for n in names]}]
                await self.station.socket.send(json.dumps(reply), text=True)

    def result(self, name: str) -> Mapping[str, Any]:
        if name in self.values:
            value = self.values[name]
            return {"attributeStatus": "Accepted", "attributeValue": value, **variable(name)}
        if name == "BytesPerMessage":
            said = self.told_bytes
            return {"attributeStatus": "Accepted", "attributeValue": said, **variable(name)}
        if name != "ItemsPerMessage":
            return {"attributeStatus": "Accepted", **variable(name)}
        if self.told is None:
            return {"attributeStatus": "UnknownVariable", **variable(name)}
        return {"attributeStatus": "Accepted", "attributeValue": self.told, **variable(name)}


async def station(
    fleet: Fleet, exits: AsyncExitStack, *, items: int = 2, told: str | None = None
) -> Variables:
    found = await exits.enter_async_context(fleet.edges[1].station("CP1", protocol=NEWEST))
    await found.call("Heartbeat", {})
    variables = Variables(found, items, told)
    answering = asyncio.create_task(variables.answer())
    exits.callback(answering.cancel)
    return variables


async def takes(database: str, items: int | None) -> None:
    """Have a person say how many items the station takes."""
    directory = FixedDirectory({"CP1": "correct-horse-battery"})
    desk = StationDesk(lambda: connect_async(database), directory)
    await desk.change("cp1", StationChange(items_per_message=items), by="ann")
    await desk.close()


def results(outcome: Any) -> str:  # noqa: ANN401 - of a call
    response = json.loads(bytes(outcome.response))
    (found,) = response.values()
    return "".join(each["variable"]["name"] for each in found)


@pytest.mark.parametrize("action", DATA)
@pytest.mark.parametrize(
    ("names", "sent"),
    [("a", ["a"]), ("ab", ["ab"]), ("abc", ["ab", "c"]), ("abcde", ["ab", "cd", "e"])],
)
async def test_items_are_split_by_what_a_person_said_and_answered_in_their_order(
    fleet: Fleet, exits: AsyncExitStack, database: str, action: str, names: str, sent: list[str]
) -> None:
    await takes(database, 2)
    variables = await station(fleet, exits)

    outcome = await fleet.ask(action, asked(action, names))

    assert variables.station.asked == sent
    assert (outcome.state, results(outcome)) == (CommandState.ANSWERED, names)
    assert variables.ids[0] == str(outcome.id)
    assert len(set(variables.ids)) == len(sent)
    assert json.loads(bytes(outcome.payload)) == json.loads(asked(action, names))
    logged = [json.loads(each.frame)[3] for each in fleet.frames() if each.reply]
    assert [len(each[DATA[action]]) for each in logged] == [len(each) for each in sent]
    assert all(each["customData"] == {"vendorId": "v"} for each in logged)


async def test_a_station_is_asked_once_what_it_takes_and_only_where_that_matters(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    variables = await station(fleet, exits, told="2")
    await fleet.ask("GetVariables", asked("GetVariables", "ab"))
    first = await fleet.ask("GetVariables", asked("GetVariables", "abc"))
    again = await fleet.ask("GetVariables", asked("GetVariables", "abc"))

    assert variables.station.asked == ["ab", "IB", "ab", "c", "ab", "c"]
    assert (results(first), results(again)) == ("abc", "abc")
    with connect(database) as connection:
        kept = "SELECT items_get, items_set, bytes_get, bytes_set FROM station_setting"
        assert connection.execute(kept).fetchall() == [(2, None, 100_000, None)]


async def test_items_are_split_by_the_bytes_that_a_station_takes(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    payload = asked("SetVariables", "abcdefg")
    variables = await station(fleet, exits, items=9, told="5")
    await fleet.ask("SetVariables", payload)
    plain = variables.sizes[1]  # of five items
    for told, sent in ((plain, "abcde fg"), (plain - 1, "abcd efg"), (1, "a b c d e f g")):
        desk = StationDesk(
            lambda: connect_async(database), FixedDirectory({"CP1": "correct-horse-battery"})
        )
        shown = await desk.change("cp1", StationChange(bytes_per_message=told), by="ann")
        await desk.close()
        before = len(variables.sizes)
        outcome = await fleet.ask("SetVariables", payload)

        assert shown.bytes_per_message.set_variables == told
        assert variables.station.asked[before:] == sent.split()
        assert told == 1 or max(variables.sizes[before:]) <= told
        assert results(outcome) == "abcdefg"


async def test_who_says_bytes_alone_is_believed(fleet: Fleet, exits: AsyncExitStack) -> None:
    variables = await station(fleet, exits, items=9, told="")
    variables.told_bytes = "1"
    await fleet.ask("GetVariables", asked("GetVariables", "abc"))
    await fleet.ask("GetVariables", asked("GetVariables", "ab"))

    assert variables.station.asked == ["IB", "a", "b", "c", "a", "b"]


@pytest.mark.parametrize("told", [None, "", "0", "-1", "many", "9" * 30])
async def test_who_does_not_say_what_it_takes_gets_the_call_as_it_is(
    fleet: Fleet, exits: AsyncExitStack, told: str | None
) -> None:
    variables = await station(fleet, exits, told=told)
    outcome = await fleet.ask("SetVariables", asked("SetVariables", "abc"))

    assert variables.station.asked == ["IB", "abc"]
    assert outcome.state is CommandState.ERROR
    assert outcome.error is not None
    assert outcome.error.code == "OccurrenceConstraintViolation"


async def test_who_does_not_answer_what_it_takes_is_sent_the_call_all_the_same(
    fleet: Fleet, exits: AsyncExitStack
) -> None:
    variables = await station(fleet, exits, items=9, told="silent")
    outcome = await fleet.ask("GetVariables", asked("GetVariables", "abc"), answer=3)

    assert variables.station.asked == ["IB", "abc"]
    assert (outcome.state, results(outcome)) == (CommandState.ANSWERED, "abc")


async def test_what_a_person_said_goes_before_what_the_station_says_until_it_is_taken_back(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    variables = await station(fleet, exits, told="1")
    await takes(database, 2)
    await fleet.ask("GetVariables", asked("GetVariables", "abc"))
    await takes(database, None)
    await fleet.ask("GetVariables", asked("GetVariables", "abc"))

    assert variables.station.asked == ["ab", "c", "IB", "a", "b", "c"]


@pytest.mark.usefixtures("hears_all")
async def test_a_part_that_fails_is_what_came_of_the_call(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    await takes(database, 1)
    variables = await station(fleet, exits)
    outcome = await fleet.ask("SetVariables", asked("SetVariables", "azb"), answer=3)

    assert variables.station.asked == ["a", "z"]
    assert (outcome.state, outcome.response) == (CommandState.TIMED_OUT, None)


async def test_who_stands_in_the_answers_of_parts_is_sealed_in_the_one_answer(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    with connect(database) as connection:
        keep_named_subjects(connection, "04SECRET1", "04SECRET22")
    await takes(database, 2)
    variables = await station(fleet, exits)
    variables.values = {"b": '{"idTag":"04SECRET1"}', "d": '{"idTag":"04SECRET22"}', "e": "1.10"}

    outcome = await fleet.ask("GetVariables", asked("GetVariables", "abcde"))

    response = json.loads(bytes(outcome.response or b""))["getVariableResult"]
    assert [each.get("attributeValue") for each in response] == [
        None,
        '{"idTag":"04SECRET1"}',
        None,
        '{"idTag":"04SECRET22"}',
        "1.10",
    ]
    with connect(database) as connection:
        (kept,) = connection.execute("SELECT frame FROM station_command").fetchone() or (b"",)
    assert b"04SECRET" not in kept


async def test_parts_that_had_to_be_mended_to_be_read_come_back_as_one(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    await takes(database, 2)
    found = await exits.enter_async_context(fleet.edges[1].station("CP1", protocol=NEWEST))
    await found.call("Heartbeat", {})
    waiting = asyncio.create_task(fleet.ask("GetVariables", asked("GetVariables", "abc")))
    for value in ("NaN", '"1"'):
        call = await found.receive()
        data = [f'{json.dumps(each)[:-1]},"attributeValue":{value}}}' for each in call[3][LIST]]
        told = f'{{"{RESULTS["GetVariables"]}":[{",".join(data)}]}}'
        await found.socket.send(f'[3,"{call[1]}",{told}]')

    outcome = await waiting
    assert (outcome.state, results(outcome)) == (CommandState.ANSWERED, "abc")
