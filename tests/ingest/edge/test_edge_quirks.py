"""What real stations do at the edge (field notes, sections 1 and 2), each quirk with its number."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from ingest.directory import AuthorizationStatus, TokenAccess
from ingest.edge.server import DEFAULT_MANNERS, Manners
from ingest.facts.translate import translate
from ingest.rpc import codec
from ledger.facts.station_facts import SessionUpdated
from ledger.facts.token_uid import TokenHabits
from tests.edge import PASSWORD, issue_frames, open_edge, until
from tests.fakes import NOON, FixedDirectory

START = {"connectorId": 1, "idTag": "04AB", "meterStart": 1, "timestamp": "2026-03-02T12:00:00Z"}
RESULT, ERROR = 3, 4


async def test_quirk_02_a_duplicate_stop_transaction_is_accepted_both_times() -> None:
    frames = issue_frames("MicroOcpp/issues/50")
    async with open_edge() as edge, edge.station() as station:
        answers = [await station.send(frame) for frame in frames]

    assert answers == [[RESULT, "531531539", {}]] * 2
    assert [each.frame for each in edge.frames()] == frames


async def test_quirk_03_a_start_sent_again_under_another_message_id_gets_the_same_transaction() -> (
    None
):
    first, second = issue_frames("MicroOcpp/issues/237")
    async with open_edge() as edge, edge.station() as station:
        answers = [await station.send(first), await station.send(second)]

    assert [answer[1] for answer in answers] == ["1000005", "1000006"]
    assert answers[0][2] == answers[1][2]


async def test_quirk_03_a_start_replayed_with_its_original_time_after_a_reconnect_is_the_same() -> (
    None
):
    (frame,) = issue_frames("mobilityhouse/ocpp/issues/186")
    replay = frame.replace("0809558", "0809559")
    async with open_edge(directory=_knowing("20:69:c0:21")) as edge:
        async with edge.station() as station:
            first = await station.send(frame)
        edge.clock.moment += timedelta(hours=3)
        async with edge.station() as station:
            second = await station.send(replay)

    assert first[2] == second[2]
    assert second[2]["idTagInfo"] == {"status": "Accepted"}


@pytest.mark.parametrize("transaction_id", [-1, 0, -16, 2**63 - 1, 1706601047, "7", None, 1.5])
async def test_quirk_04_any_transaction_id_is_acknowledged(transaction_id: Any) -> None:  # noqa: ANN401 - that is the quirk
    stop = {"transactionId": transaction_id, "meterStop": 5, "timestamp": "2026-03-02T13:00:00Z"}
    async with open_edge() as edge, edge.station() as station:
        assert await station.call("StopTransaction", stop) == {}
        assert await station.call("MeterValues", {"transactionId": transaction_id}) == {}


async def test_quirk_04_our_ids_are_positive_and_differ_between_connectors_and_stations() -> None:
    async with open_edge() as edge, edge.station() as one, edge.station("CP2") as two:
        ids = [
            (await station.call("StartTransaction", START | {"connectorId": connector}))[
                "transactionId"
            ]
            for station in (one, two)
            for connector in (1, 2)
        ]

    assert len(set(ids)) == 4
    assert min(ids) > 0


async def test_quirk_05_a_stop_for_a_session_that_never_started_is_acknowledged() -> None:
    (frame,) = issue_frames("lbbrhzn/ocpp/issues/1771")
    directory = _knowing("g4fezw9634gqufhhf6yy")
    async with open_edge(directory=directory) as edge, edge.station() as station:
        kind, _, payload = await station.send(frame)

    assert (kind, payload) == (RESULT, {"idTagInfo": {"status": "Accepted"}})


async def test_quirk_13_numbers_where_text_belongs_are_acknowledged() -> None:
    (frame,) = issue_frames("lbbrhzn/ocpp/issues/210")
    async with open_edge() as edge, edge.station() as station:
        assert await station.send(frame) == [RESULT, "x", {}]

    assert edge.frames()[0].frame == frame


async def test_quirk_21_a_start_without_a_time_zone_is_acknowledged_with_an_id() -> None:
    (frame,) = issue_frames("evcc/issues/10399")
    async with open_edge() as edge, edge.station() as station:
        kind, _, payload = await station.send(frame)

    assert kind == RESULT
    assert payload["transactionId"] > 0


@pytest.mark.parametrize(
    ("numbers", "is_offline"),
    [
        pytest.param((0, 1, 4), False, id="a gap in the numbers"),
        pytest.param((0, 1, 2), True, id="an end that comes offline"),
    ],
)
async def test_quirk_24_after_an_end_with_a_gap_the_station_is_asked_what_it_still_holds(
    numbers: tuple[int, ...],
    is_offline: bool,  # noqa: FBT001 - a table's column
) -> None:
    async with open_edge() as edge, edge.station(protocol="ocpp2.0.1") as station:
        for kind, number in zip(("Started", "Updated", "Ended"), numbers, strict=True):
            await station.call("TransactionEvent", _event(kind, number, is_offline=is_offline))
        asked = station.asked[0] if station.asked else await station.receive()
        await station.socket.send(json.dumps([RESULT, asked[1], {"messagesInQueue": True}]))
        await until(lambda: edge.frames()[-1].direction == "out")

    assert asked[2:] == ["GetTransactionStatus", {"transactionId": "T1"}]
    assert edge.frames()[-1].reply == json.dumps([RESULT, asked[1], {"messagesInQueue": True}])


async def test_quirk_24_a_constant_sequence_number_is_no_gap() -> None:
    async with open_edge() as edge, edge.station(protocol="ocpp2.0.1") as station:
        for kind in ("Started", "Updated", "Ended"):
            await station.call("TransactionEvent", _event(kind, 0))
        await station.call("Heartbeat", {})

    assert station.asked == []


async def test_quirk_26_what_happened_offline_is_not_refused() -> None:
    stranger = {"idToken": {"idToken": "STRANGER", "type": "ISO14443"}}
    async with open_edge() as edge, edge.station(protocol="ocpp2.0.1") as station:
        live = await station.call("TransactionEvent", _event("Started", 0) | stranger)
        offline = _event("Started", 0, is_offline=True) | stranger
        replayed = await station.call("TransactionEvent", offline)

    assert live == {"idTokenInfo": {"status": "Invalid"}}
    assert replayed == {"idTokenInfo": {"status": "Accepted"}}


async def test_quirk_29_unknown_enum_values_are_acknowledged() -> None:
    (frame,) = issue_frames("lbbrhzn/ocpp/issues/1248")
    async with open_edge() as edge, edge.station() as station:
        assert await station.send(frame) == [RESULT, "28240181849166013077", {}]


@pytest.mark.parametrize(
    "payload",
    [
        {"connectorId": "1", "idTag": 12345678, "meterStart": 1.5, "timestamp": "yesterday"},
        {"connectorId": 1, "unheardOf": {"a": [1]}, "reservationId": None},
        {"idTag": "x" * 300, "meterStart": -5, "timestamp": ""},
        {},
        None,
    ],
)
async def test_quirk_29_wrong_types_and_extra_fields_never_refuse_a_transaction(
    payload: Any,  # noqa: ANN401 - that is the quirk
) -> None:
    async with open_edge() as edge, edge.station() as station:
        started = await station.call("StartTransaction", payload)
        stopped = await station.send(json.dumps([2, "s", "StopTransaction", payload, "extra"]))

    assert started["transactionId"] > 0
    assert stopped[0] == RESULT


async def test_quirk_29_bare_nan_and_latin_1_never_refuse_a_reading() -> None:
    latin = '[2,"2","MeterValues",{"info":"Säule"}]'.encode("latin-1")
    async with open_edge() as edge, edge.station() as station:
        nan = await station.send('[2,"1","MeterValues",{"meterValue":[{"value":NaN}]}]')
        await station.socket.ping()
        station.socket.protocol.send_text(latin)
        station.socket.send_data()
        umlaut = await station.receive()

    assert nan == [RESULT, "1", {}]
    assert umlaut == [RESULT, "2", {}]
    assert edge.frames()[1].frame == latin.decode("latin-1")


async def test_quirk_30_a_token_is_known_in_any_case_and_with_blanks() -> None:
    start, stop = issue_frames("MicroOcpp/issues/73")
    async with open_edge(directory=_knowing("f6 ca 0c c5")) as edge, edge.station() as station:
        started = await station.send(start)
        await station.send(stop)

    assert started[2]["idTagInfo"] == {"status": "Accepted"}
    assert " F6 CA 0C C5" in edge.frames()[0].frame


async def test_quirk_30_separators_that_a_model_adds_are_ignored_where_declared() -> None:
    directory = _knowing("2069c021")
    directory.token_habits = TokenHabits(": ")
    async with open_edge(directory=directory) as edge, edge.station() as station:
        answer = await station.call("Authorize", {"idTag": "20:69:C0:21"})

    assert answer == {"idTagInfo": {"status": "Accepted"}}


async def test_quirk_31_an_identity_in_other_case_is_the_same_station() -> None:
    async with open_edge() as edge, edge.station("cp1") as station:
        await station.call("StatusNotification", {})

    assert [each.station for each in edge.frames()] == ["CP1"]


async def test_quirk_32_the_same_identity_twice_leaves_one_and_does_not_go_offline() -> None:
    async with open_edge() as edge, edge.station() as old, edge.station("cp1") as new:
        await new.call("StatusNotification", {})
        with pytest.raises(ConnectionClosed):
            await old.socket.recv()
        await until(lambda: len(edge.connections()) == 3)
        assert edge.server.connections["CP1"].epoch == 2
        assert await new.call("StatusNotification", {}) == {}

    closed = next(each for each in edge.connections() if not each.is_open)
    assert (closed.epoch, closed.why) == (1, "replaced")


async def test_quirk_32_a_half_open_connection_does_not_hold_up_the_new_one() -> None:
    patient = Manners(close_seconds=600)
    async with open_edge(manners=patient) as edge, edge.station(close_timeout=0.1) as dead:
        await dead.call("Heartbeat", {})
        dead.socket.transport.pause_reading()
        async with asyncio.timeout(60), edge.station() as new:
            assert await new.call("StatusNotification", {}) == {}


async def test_quirk_33_an_identical_message_gets_the_identical_answer() -> None:
    directory = _knowing("04ab")
    async with open_edge(directory=directory) as edge, edge.station() as station:
        first = await station.call("StartTransaction", START, message_id="7")
        directory.tokens.clear()
        again = await station.call("StartTransaction", START, message_id="7")
        later = await station.call("StartTransaction", START, message_id="8")

    assert first == again
    assert first["idTagInfo"] == {"status": "Accepted"}
    assert later["idTagInfo"] == {"status": "Invalid"}
    assert len(edge.frames()) == 3


async def test_quirk_33_an_old_answer_is_not_repeated_for_ever() -> None:
    directory = _knowing("04ab")
    async with open_edge(directory=directory) as edge, edge.station() as station:
        await station.call("StartTransaction", START, message_id="7")
        directory.tokens.clear()
        edge.clock.moment += timedelta(hours=1)

        again = await station.call("StartTransaction", START, message_id="7")

    assert again["idTagInfo"] == {"status": "Invalid"}


async def test_quirk_33_the_same_id_with_other_content_is_another_message() -> None:
    async with open_edge(directory=_knowing("04ab")) as edge, edge.station() as station:
        one = await station.call("StartTransaction", START, message_id="1")
        two = await station.call("StartTransaction", START | {"meterStart": 2}, message_id="1")

    assert one["transactionId"] != two["transactionId"]


@pytest.mark.parametrize("message_id", [17, "x" * 200, "", "ä"])
async def test_quirk_33_any_message_id_is_answered_as_it_came(message_id: Any) -> None:  # noqa: ANN401 - that is the quirk
    async with open_edge() as edge, edge.station() as station:
        assert await station.call("StatusNotification", {}, message_id=message_id) == {}


async def test_quirk_34_a_call_error_of_the_station_is_no_reason_to_answer() -> None:
    async with open_edge() as edge, edge.station() as station:
        await station.socket.send('[4,"77","GenericError","","{}"]')
        await station.socket.send('[3,"78",{}]')

        assert await station.call("StatusNotification", {}) == {}

    assert [each.reply for each in edge.frames()] == [None, None, '[3,"m1",{}]']


async def test_quirk_34_an_error_never_repeats_what_was_sent() -> None:
    async with open_edge() as edge, edge.station(protocol="ocpp2.0.1") as station:
        answer = await station.send('[2,"1","Authorize",{"idToken":"s3cret"')

    assert answer[:3] == [ERROR, "1", "FormatViolation"]
    assert "s3cret" not in json.dumps(answer)


def test_quirk_35_a_silent_station_gets_three_heartbeats_of_patience() -> None:
    assert 30 <= DEFAULT_MANNERS.ping_seconds <= 60
    assert DEFAULT_MANNERS.patience_seconds >= 3 * DEFAULT_MANNERS.heartbeat_seconds


async def test_quirk_35_the_time_told_is_always_utc_with_milliseconds_and_z() -> None:
    async with open_edge() as edge, edge.station() as station:
        answer = await station.call("Heartbeat", {})

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["currentTime"])


async def test_quirk_36_a_compressed_frame_without_negotiation_closes_with_a_protocol_error() -> (
    None
):
    async with open_edge() as edge, edge.station(compression=None) as station:
        await station.call("Heartbeat", {})
        # FIN, RSV1 and TEXT; masked, one byte long; a mask of zeros; the byte.
        station.socket.transport.write(b"\xc1\x81" + bytes(4) + b"\x00")
        with pytest.raises(ConnectionClosed) as closed:
            await station.socket.recv()
        await until(lambda: len(edge.connections()) == 2)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1002
    assert edge.connections()[-1].why == "closed with 1002"


async def test_quirk_37_a_call_that_crosses_ours_is_answered_while_we_wait() -> None:
    async with open_edge(directory=_knowing("04ab")) as edge, edge.station() as station:
        await station.call("BootNotification", {})
        remote = asyncio.create_task(
            edge.server.connections["CP1"].call("RemoteStartTransaction", {"idTag": "04AB"})
        )
        asked = await station.receive()
        authorized = await station.call("Authorize", {"idTag": "04AB"})
        await station.socket.send(json.dumps([RESULT, asked[1], {"status": "Accepted"}]))
        accepted = await remote

    assert authorized == {"idTagInfo": {"status": "Accepted"}}
    assert isinstance(accepted, codec.CallResult)


def _knowing(token_uid: str) -> FixedDirectory:
    return FixedDirectory(
        dict.fromkeys(("CP1", "CP2"), PASSWORD),
        tokens={token_uid: TokenAccess(status=AuthorizationStatus.ACCEPTED)},
    )


def _event(kind: str, number: int, *, is_offline: bool = False) -> dict[str, Any]:
    return {
        "eventType": kind,
        "seqNo": number,
        "offline": is_offline,
        "timestamp": NOON.isoformat(),
        "triggerReason": "Trigger",
        "transactionInfo": {"transactionId": "T1"},
    }


READING = (
    '{"connectorId":1,"meterValue":[{"timestamp":"2026-03-02T12:00:00Z","sampledValue":'
    '[{"value":"7","unit":"Wh"},{"value":NaN,"measurand":"SoC"}]}]}'
)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(f'[2,"1","MeterValues",{READING}]', id="a bare NaN"),
        pytest.param(f'[2,"1","MeterValues",{READING}]\0\n', id="a trailing NUL"),
        pytest.param(f'["2","1","MeterValues",{READING}]', id="a type that is text"),
        pytest.param(f'[2,"1"," MeterValues ",{READING}]', id="blanks around the action"),
        pytest.param(f'[2,"1","MeterValues",{READING},{{}}]', id="five elements"),
        pytest.param(f'[2,1,"MeterValues",{READING}]', id="an integer id"),
        pytest.param(f'[2,"{"x" * 200}","MeterValues",{READING}]', id="a long id"),
    ],
)
async def test_what_the_edge_acknowledges_the_translator_can_read(frame: str) -> None:
    async with open_edge() as edge, edge.station() as station:
        kind, *_ = await station.send(frame)
    facts = translate(edge.frames()[0], position=0, line=0)

    assert kind == RESULT
    assert [type(fact) for fact in facts] == [SessionUpdated]
