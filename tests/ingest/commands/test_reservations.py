"""Reservations: we give the number, the station makes them, they end as it or time says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest.commands.command import CommandState
from ingest.commands.reservations import asked_reservation, has_number, with_number
from ledger.database import connect
from projections.stations.reservations import ReservationState, read_reservations
from tests.at_the_edge import keep_named_subjects
from tests.edge import Station
from tests.ingest.commands.called_fleet import ACCEPTED, Fleet, charging_station, says

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OLD = '{"connectorId":1,"expiryDate":"2026-03-02T13:00:00Z","idTag":"04AB"}'
NEW = (
    '{"expiryDateTime":"2026-03-02T13:00:00Z","evseId":2,'
    '"idToken":{"idToken":"04AB","type":"ISO14443"}}'
)
PAYLOADS = {"ocpp1.6": OLD, "ocpp2.0.1": NEW, "ocpp2.1": NEW}
NUMBERS = {"ocpp1.6": "reservationId", "ocpp2.0.1": "id", "ocpp2.1": "id"}
TRANSACTION = {"transactionId": "t1"}
EVENT = {
    "eventType": "Started",
    "timestamp": "2026-03-02T12:30:00Z",
    "triggerReason": "Authorized",
    "seqNo": 0,
    "transactionInfo": TRANSACTION,
}
START = {
    "connectorId": 1,
    "idTag": "04AB",
    "meterStart": 0,
    "timestamp": "2026-03-02T12:30:00Z",
}


@pytest.fixture(autouse=True)
def driver(database: str) -> None:
    """The driver for whom is reserved is known."""
    with connect(database) as connection:
        keep_named_subjects(connection, "04AB")


def reservations(dsn: str, at: datetime = NOON, **only: Any) -> list[tuple[int, str, str]]:  # noqa: ANN401 - any filter
    with connect(dsn) as connection:
        found = read_reservations(connection, at=at, limit=10, **only)
    return [(e.reservation.id, e.reservation.station, e.reservation.status) for e in found]


async def reserved(
    fleet: Fleet,
    exits: AsyncExitStack,
    protocol: str = "ocpp1.6",
    answers: Mapping[str, Any] | None = None,
) -> tuple[Station, int]:
    """Connect a station that accepts a reservation; return it, and the reservation's number."""
    told = {"ReserveNow": ACCEPTED, "CancelReservation": ACCEPTED, **(answers or {})}
    station = await charging_station(exits, fleet.edges[1], told, protocol=protocol)
    outcome = await fleet.ask("ReserveNow", PAYLOADS[protocol])
    assert outcome.state is CommandState.ANSWERED, outcome
    return station, station.asked[0][1][NUMBERS[protocol]]


@pytest.mark.parametrize("protocol", PAYLOADS)
async def test_a_reservation_without_a_number_gets_one_of_ours_as_its_last_member(
    fleet: Fleet, exits: AsyncExitStack, database: str, protocol: str
) -> None:
    station, number = await reserved(fleet, exits, protocol)
    again = await fleet.ask("ReserveNow", PAYLOADS[protocol])

    sent = [each[1] for each in station.asked]
    assert [list(each)[-1] for each in sent] == [NUMBERS[protocol]] * 2
    assert [dict(list(each.items())[:-1]) for each in sent] == [json.loads(PAYLOADS[protocol])] * 2
    assert json.loads(bytes(again.payload)) == sent[1]
    assert 0 < number < 2**31
    assert sent[1][NUMBERS[protocol]] != number
    assert reservations(database)[1] == (number, "CP1", "ACCEPTED")


@pytest.mark.parametrize(
    "answer",
    [{"status": "Occupied"}, '[4,"ID","NotSupported","",{}]', None],
    ids=["refused", "an error", "silence"],
)
async def test_what_the_station_did_not_accept_is_no_reservation(
    fleet: Fleet, exits: AsyncExitStack, database: str, answer: object
) -> None:
    await charging_station(exits, fleet.edges[0], {"ReserveNow": answer})
    await fleet.ask("ReserveNow", OLD, answer=0.5)

    assert reservations(database) == []


@pytest.mark.parametrize(
    ("answer", "is_made"),
    [
        ('[3,"ID",{"status":', True),
        ('[3,"ID",{"status":"accepted"}]', True),
        ('[3,"ID",[]]', True),
        ('[3,"ID",{"status":"Rejected"}]', False),
        ('[4,"ID","InternalError","",{}]', False),
    ],
)
async def test_a_reservation_whose_answer_says_neither_yes_nor_no_may_have_been_made(
    fleet: Fleet, exits: AsyncExitStack, database: str, answer: str, *, is_made: bool
) -> None:
    station = await charging_station(exits, fleet.edges[0], {"ReserveNow": answer})
    await fleet.ask("ReserveNow", OLD)
    assert reservations(database) == []

    number = station.asked[0][1]["reservationId"]
    await says(station, "StartTransaction", {**START, "reservationId": number})
    assert reservations(database) == [(number, "CP1", "USED")] * is_made


async def test_a_number_that_was_given_is_sent_as_given(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    station = await charging_station(exits, fleet.edges[0], {"ReserveNow": ACCEPTED})
    await fleet.ask("ReserveNow", f'{{"reservationId":7,{OLD[1:]}')
    await fleet.ask("ReserveNow", f'{{"reservationId":7,{OLD[1:]}')

    assert [next(iter(each[1])) for each in station.asked] == ["reservationId"] * 2
    assert reservations(database) == [(7, "CP1", "ACCEPTED")], "the later one took its place"


async def test_a_reservation_is_cancelled_once_the_station_says_so(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    _, number = await reserved(fleet, exits, answers={"CancelReservation": {"status": "Rejected"}})
    await fleet.ask("CancelReservation", f'{{"reservationId":{number}}}')
    assert reservations(database) == [(number, "CP1", "ACCEPTED")]

    await charging_station(exits, fleet.edges[0], {"CancelReservation": ACCEPTED})
    await fleet.ask("CancelReservation", f'{{"reservationId":{number}}}')
    assert reservations(database) == [(number, "CP1", "CANCELLED")]


async def test_a_start_that_names_a_reservation_uses_it(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    station, number = await reserved(fleet, exits)
    await says(station, "StartTransaction", START)
    await says(station, "StartTransaction", {**START, "reservationId": number + 1})
    assert reservations(database) == [(number, "CP1", "ACCEPTED")]

    await says(station, "StartTransaction", {**START, "reservationId": number})
    assert reservations(database) == [(number, "CP1", "USED")]


@pytest.mark.parametrize("protocol", ["ocpp2.0.1", "ocpp2.1"])
async def test_an_event_that_names_a_reservation_uses_it_whatever_it_is_called_then(
    fleet: Fleet, exits: AsyncExitStack, database: str, protocol: str
) -> None:
    station, number = await reserved(fleet, exits, protocol)
    expired = {"reservationId": number, "reservationUpdateStatus": "Expired"}
    await says(station, "ReservationStatusUpdate", expired)
    assert reservations(database) == [(number, "CP1", "EXPIRED")]

    await says(station, "TransactionEvent", {**EVENT, "reservationId": number})
    assert reservations(database) == [(number, "CP1", "USED")]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("Expired", "EXPIRED"),
        ("Removed", "CANCELLED"),
        ("NoTransaction", "USED"),
        ("?", "ACCEPTED"),
    ],
)
async def test_a_station_says_how_a_reservation_ended(
    fleet: Fleet, exits: AsyncExitStack, database: str, word: str, status: str
) -> None:
    station, number = await reserved(fleet, exits, "ocpp2.1")
    told = {"reservationId": number, "reservationUpdateStatus": word}
    await says(station, "ReservationStatusUpdate", told)

    assert reservations(database) == [(number, "CP1", status)]


async def test_a_start_that_comes_before_the_answer_was_noted_uses_the_reservation(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    station = await exits.enter_async_context(fleet.edges[0].station("CP1"))
    await station.call("Heartbeat", {})
    asking = asyncio.create_task(fleet.ask("ReserveNow", OLD))
    _, message_id, _, payload = await station.receive()
    start = {**START, "reservationId": payload["reservationId"]}
    await station.call("StartTransaction", start)
    await station.socket.send(json.dumps([3, message_id, ACCEPTED]), text=True)

    assert (await asking).state is CommandState.ANSWERED
    assert [status for *_, status in reservations(database)] == ["USED"]


async def test_a_reservation_expires_at_its_very_moment(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    _, number = await reserved(fleet, exits)
    until = NOON + timedelta(hours=1)
    before = until - timedelta(microseconds=1)

    assert reservations(database, at=before) == [(number, "CP1", "ACCEPTED")]
    assert reservations(database, at=until) == [(number, "CP1", "EXPIRED")]
    assert reservations(database, at=until, status=ReservationState.ACCEPTED) == []
    assert len(reservations(database, at=until, status=ReservationState.EXPIRED)) == 1


async def test_a_reservation_stays_where_its_call_is_cleared(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    _, number = await reserved(fleet, exits)
    with connect(database) as connection:
        connection.execute("UPDATE station_command SET deadline = now() - interval '1 year'")
        connection.execute("DELETE FROM station_command")

    assert reservations(database) == [(number, "CP1", "ACCEPTED")]


async def test_of_another_station_of_that_number_nothing_is_told(
    fleet: Fleet, exits: AsyncExitStack, database: str
) -> None:
    await charging_station(exits, fleet.edges[0], {"ReserveNow": ACCEPTED})
    other = await charging_station(exits, fleet.edges[1], {"ReserveNow": ACCEPTED}, "CP2")
    payload = with_number(OLD, "ocpp1.6", 5)
    await fleet.ask("ReserveNow", payload)
    await fleet.ask("ReserveNow", payload, station="CP2")
    await says(other, "StartTransaction", {**START, "reservationId": 5})

    assert reservations(database) == [(5, "CP2", "USED"), (5, "CP1", "ACCEPTED")]
    assert reservations(database, station_id="CP1") == [(5, "CP1", "ACCEPTED")]
    assert reservations(database, number=5)[0][1] == "CP2"
    assert reservations(database, number=6) == []


@pytest.mark.parametrize(
    ("payload", "protocol", "numbered"),
    [
        ("{}", None, '{"reservationId":3}'),
        (OLD, None, f'{OLD[:-1]},"reservationId":3}}'),
        (NEW, None, f'{NEW[:-1]},"id":3}}'),
        ("{}", "ocpp2.1", '{"id":3}'),
    ],
)
def test_the_number_is_named_as_in_the_version(
    payload: str, protocol: str | None, numbered: str
) -> None:
    assert not has_number(payload, protocol)
    assert with_number(payload, protocol, 3) == numbered
    assert has_number(numbered, protocol)


@pytest.mark.parametrize(
    ("payload", "number"),
    [
        ('{"reservationId":"7"}', 7),
        ('{"reservationId":-1}', -1),
        ('{"reservationId":1.5}', None),
        ('{"reservationId":null}', None),
        (f'{{"reservationId":{10**18}}}', None),
        ("{}", None),
    ],
)
def test_what_is_no_number_is_no_reservation(payload: str, number: int | None) -> None:
    found = asked_reservation(payload, "ocpp1.6")

    assert (found.number if found else None) == number


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-02T12:00:00Z", NOON),
        ("2026-03-02T13:00:00+01:00", NOON),
        ("2026-03-02T12:00:00", NOON),
        ("soon", None),
        ("", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("0001-01-01T00:00:00+23:59", None),
    ],
)
def test_what_is_no_moment_is_no_end(text: str, moment: datetime | None) -> None:
    payload = json.dumps({"reservationId": 1, "expiryDate": text})
    found = asked_reservation(payload, "ocpp1.6")

    assert found is not None
    assert found.expires_at == moment
