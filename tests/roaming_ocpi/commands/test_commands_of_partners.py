"""Commands of partners: answered at once, done by a real station, and told of until it is had."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ledger.database import connect
from ledger.partners.asking import ShownToken
from ledger.persons.holders import token_holder
from ledger.persons.store import erase, find
from roaming_ocpi.commands.kept import CLAIM_SECONDS, prune
from roaming_ocpi.tokens.known_tokens import KnownTokens
from roaming_ocpi.wire.ids import evse_uid, location_id, wire_session_id
from tariffs.ocpi.versions import OcpiVersion
from tests.roaming_ocpi.commands.commanded import (
    UID,
    UNREACHABLE,
    Commanding,
    commanding,
    heard,
    running,
)
from tests.roaming_ocpi.tokens.two_sides import NOW, OTHER

HERE = {"location_id": location_id("harbour"), "evse_uid": evse_uid("CP1", 1)}
SESSION = {"session_id": wire_session_id("CP1/7/x")}
SOON = "2026-03-02T13:00:00Z"
versions = pytest.mark.parametrize("version", list(OcpiVersion))


def accepted(version: OcpiVersion) -> dict[str, Any]:
    more = {} if version is OcpiVersion.V2_1_1 else {"timeout": 30}
    return {"result": "ACCEPTED", **more}


@versions
async def test_a_start_is_accepted_done_and_its_result_told(
    database: str, version: OcpiVersion
) -> None:
    async with commanding(database, version=version) as ours:
        answer = await ours.command("START_SESSION", HERE | {"token": ours.token()})
        told = await ours.told()

    assert answer == accepted(version)
    assert told == [("START_SESSION", {"result": "ACCEPTED"})]
    ((action, payload),) = heard(database)
    assert action == "RemoteStartTransaction"
    assert payload["connectorId"] == 1
    assert payload["idTag"].startswith("p-"), "who it is for is cut out of what is kept"


async def test_a_start_is_known_to_who_is_asked_about_its_token(database: str) -> None:
    async with commanding(database) as ours:
        token = ours.token()
        body = HERE | {"token": token, "authorization_reference": "AUTH-1"}
        await ours.command("START_SESSION", body)
        with connect(database) as connection:
            holder = token_holder(UID)
            assert holder is not None
            (subject,) = find(connection, [holder]).values()
        known = KnownTokens(ours.side.resources.database)
        here = await known.commanded("NL-TNM", ShownToken(subject.id, "CP1", "harbour"))
        there = await known.commanded("NL-TNM", ShownToken(subject.id, "CP2", "harbour"))
        told = await known.told("NL-TNM", subject.id)

    assert (here, there) == ("AUTH-1", None)
    assert told is not None
    assert told.contract_id == "NL-TNM-C1"


@versions
async def test_a_session_is_stopped_by_whose_token_it_is_and_by_nobody_else(
    database: str, version: OcpiVersion
) -> None:
    async with commanding(database, version=version) as ours:
        ours.session()
        others = await ours.command("STOP_SESSION", SESSION, token=OTHER)
        nobody_s = await ours.command("STOP_SESSION", {"session_id": "CP1-none"})
        theirs = await ours.command("STOP_SESSION", SESSION)
        told = await ours.told()

    assert (others["result"], nobody_s["result"]) == ("UNKNOWN_SESSION", "UNKNOWN_SESSION")
    assert theirs == accepted(version)
    assert told == [("STOP_SESSION", {"result": "ACCEPTED"})]
    assert heard(database) == [("RemoteStopTransaction", {"transactionId": 7})]


@versions
async def test_a_plug_is_let_go_of_where_ones_own_driver_charges_or_just_did(
    database: str, version: OcpiVersion
) -> None:
    async with commanding(database, version=version) as ours:
        plug = HERE | {"connector_id": "1"}
        free = await ours.command("UNLOCK_CONNECTOR", plug)
        ours.session(ended_at=NOW - timedelta(hours=2))
        later = await ours.command("UNLOCK_CONNECTOR", plug)
        ours.session("CP1/8/x", ended_at=NOW - timedelta(minutes=5))
        others = await ours.command("UNLOCK_CONNECTOR", plug, token=OTHER)
        theirs = await ours.command("UNLOCK_CONNECTOR", plug)
        told = await ours.told()

    assert [each["result"] for each in (free, later, others)] == ["REJECTED"] * 3
    assert theirs == accepted(version)
    assert told == [("UNLOCK_CONNECTOR", {"result": "ACCEPTED"})]
    assert heard(database) == [("UnlockConnector", {"connectorId": 1})]


@pytest.mark.parametrize("version", [OcpiVersion.V2_2_1, OcpiVersion.V2_3_0])
async def test_a_reservation_is_made_made_again_and_cancelled_under_its_own_number(
    database: str, version: OcpiVersion
) -> None:
    async with commanding(database, version=version) as ours:
        body = HERE | {"token": ours.token(), "expiry_date": SOON, "reservation_id": "R-1"}
        await ours.command("RESERVE_NOW", body)
        await ours.told(1)
        await ours.command("RESERVE_NOW", body | {"expiry_date": "2026-03-02T14:00:00Z"})
        await ours.told(2)
        others = await ours.command("CANCEL_RESERVATION", {"reservation_id": "R-1"}, token=OTHER)
        await ours.command("CANCEL_RESERVATION", {"reservation_id": "R-1"})
        told = await ours.told(3)

    assert others["result"] == "REJECTED"
    assert [each[1] for each in told] == [{"result": "ACCEPTED"}] * 3
    made, again, cancelled = (payload for _, payload in heard(database))
    assert made["reservationId"] == again["reservationId"] == cancelled["reservationId"]
    assert (made["expiryDate"], again["expiryDate"]) == (SOON, "2026-03-02T14:00:00Z")


async def test_the_old_version_reserves_by_number_and_cannot_cancel(database: str) -> None:
    async with commanding(database, version=OcpiVersion.V2_1_1) as ours:
        body = HERE | {"token": ours.token(), "expiry_date": SOON, "reservation_id": 12}
        made = await ours.command("RESERVE_NOW", body)
        cancelled = await ours.command("CANCEL_RESERVATION", {"reservation_id": "12"})
        await ours.told()

    assert (made, cancelled) == ({"result": "ACCEPTED"}, {"result": "NOT_SUPPORTED"})


@pytest.mark.parametrize(
    ("answer", "old", "new"),
    [
        ({"status": "Rejected"}, "REJECTED", "REJECTED"),
        ({"status": "Occupied"}, "REJECTED", "EVSE_OCCUPIED"),
        ({"status": "Faulted"}, "REJECTED", "EVSE_INOPERATIVE"),
        ({"status": "Perhaps"}, "REJECTED", "REJECTED"),
        ('[4,"ID","NotSupported","",{}]', "NOT_SUPPORTED", "NOT_SUPPORTED"),
        ('[4,"ID","InternalError","",{}]', "REJECTED", "FAILED"),
        ('[3,"ID",{"status":"Accepted","x":1e9999999999999999999}]', "ACCEPTED", "ACCEPTED"),
    ],
)
async def test_what_the_station_answers_is_told_in_the_version_s_words(
    database: str, answer: object, old: str, new: str
) -> None:
    async with commanding(database, answers={"ReserveNow": answer}) as ours:
        for version in (OcpiVersion.V2_1_1, OcpiVersion.V2_2_1):
            ours.version = version
            body = HERE | {"token": ours.token(), "expiry_date": SOON, "reservation_id": "7"}
            await ours.command("RESERVE_NOW", body)
            await ours.told(1 if version is OcpiVersion.V2_1_1 else 2)

    assert [told for _, told in ours.results.posted] == [{"result": old}, {"result": new}]


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (HERE | {"location_id": "elsewhere"}, (404, 2003)),
        (HERE | {"evse_uid": evse_uid("CP1", 9)}, (404, 2003)),
        ({"location_id": HERE["location_id"]}, (404, 2003)),
        (HERE | {"evse_uid": evse_uid("CP2", 1)}, "REJECTED"),
        (HERE | {"token": {"valid": False}}, "REJECTED"),
        (HERE | {"token": {"party_id": "ABC", "country_code": "BE"}}, (403, 2000)),
        (HERE | {"token": {"contract_id": None}}, (400, 2001)),
        (HERE | {"token": "04AABBCC"}, (400, 2001)),
        (HERE | {"response_url": "ftp://x/"}, (400, 2001)),
        (HERE | {"response_url": None}, (400, 2001)),
        (HERE | {"response_url": "https://" + "x" * 300}, (400, 2001)),
        (HERE | {"location_id": None}, (400, 2001)),
        (HERE | {"location_id": "\x07"}, (400, 2001)),
        (HERE | {"evse_uid": ["CP1*1"]}, (400, 2001)),
    ],
)
async def test_what_may_not_be_commanded_reaches_no_station(
    database: str, body: dict[str, Any], answer: object
) -> None:
    async with commanding(database) as ours:
        token = body.get("token", {})
        told = ours.token(**token) if isinstance(token, dict) else token
        found = await ours.command("START_SESSION", body | {"token": told})

    assert (found["result"] if isinstance(found, dict) else found) == answer
    assert heard(database) == []


async def test_a_command_that_nobody_knows_is_not_supported(database: str) -> None:
    async with commanding(database) as ours:
        answers = [await ours.command(kind, {}) for kind in ("DANCE", "SET_PROFILE")]

    assert [each["result"] for each in answers] == ["NOT_SUPPORTED"] * 2


async def stands(ours: Commanding, state: str) -> None:
    """Wait until the one command is so far."""
    async with asyncio.timeout(60):
        while ours.states() != [state]:  # noqa: ASYNC110 - a table
            await asyncio.sleep(0.05)


async def test_a_result_that_the_partner_does_not_take_is_told_again(database: str) -> None:
    async with commanding(database) as ours:
        ours.results.refusal = UNREACHABLE
        await ours.command("START_SESSION", HERE | {"token": ours.token()})
        await ours.told(1)
        assert ours.states() == ["owed"]
        ours.results.refusal = None
        told = await ours.told(2)
        await stands(ours, "posted")

        assert told == [("START_SESSION", {"result": "ACCEPTED"})] * 2
    assert len(heard(database)) == 1, "the station is called once"


async def test_what_was_under_way_when_a_process_died_is_gone_on_with(database: str) -> None:
    async with commanding(database, is_running=False) as ours:
        await ours.command("START_SESSION", HERE | {"token": ours.token()})
        assert ours.states() == ["asked"]
        async with running(ours):
            await ours.told(1)
        with connect(database) as connection:
            # As if it had been killed between the station's answer and the note of it.
            connection.execute(
                "UPDATE partner_command SET state = 'asked', result = NULL,"
                " next_at = now() - interval '1 s'"
            )
        async with running(ours):
            await ours.told(2)

        assert ours.results.posted == [("START_SESSION", {"result": "ACCEPTED"})] * 2
    assert len(heard(database)) == 1, "the station is called once"
    assert CLAIM_SECONDS > 50


async def test_who_is_erased_is_started_for_no_more(database: str) -> None:
    async with commanding(database, is_running=False) as ours:
        await ours.command("START_SESSION", HERE | {"token": ours.token()})
        with connect(database) as connection:
            erase(connection, [row[0] for row in connection.execute(
                "SELECT subject FROM partner_command"
            )])  # fmt: skip
        async with running(ours):
            await stands(ours, "dropped")
    assert heard(database) == []


async def test_who_commands_without_end_is_held_back(database: str) -> None:
    async with commanding(database, is_running=False) as ours:
        body = HERE | {"token": ours.token()}
        answers = [(await ours.command("START_SESSION", body))["result"] for _ in range(52)]

    assert answers == ["ACCEPTED"] * 50 + ["REJECTED"] * 2


async def test_who_a_command_is_for_stands_in_no_table(database: str) -> None:
    async with commanding(database) as ours:
        await ours.command("START_SESSION", HERE | {"token": ours.token()})
        await ours.told()
    with connect(database) as connection:
        tables = ("partner_command", "partner_token", "station_command")
        rows = [
            connection.execute(f"SELECT to_jsonb(t)::text FROM {each} AS t").fetchall()
            for each in tables
        ]
    assert not [
        each for each in (UID, "TNM-C1", "/START_SESSION/1") if each.upper() in repr(rows).upper()
    ]


@pytest.mark.parametrize("version", [OcpiVersion.V2_2_1, OcpiVersion.V2_3_0])
async def test_a_session_is_limited_asked_about_and_set_free(
    database: str, version: OcpiVersion
) -> None:
    async with commanding(database, version=version) as ours:
        ours.session()
        path = f"/ocpi/cpo/{version}/chargingprofiles/{SESSION['session_id']}"
        profile = {
            "charging_rate_unit": "A",
            "charging_profile_period": [{"start_period": 0, "limit": 16.1}],
        }
        url = ours.response_url("chargingprofile")
        body = {"charging_profile": profile, "response_url": url}
        answers = [
            await ours.side.call("PUT", path, body, token=OTHER),
            await ours.side.call("PUT", path, body),
        ]
        await ours.told(1)
        answers.append(await ours.side.call("GET", path, duration="900", response_url=url))
        await ours.told(2)
        answers.append(await ours.side.call("DELETE", path, response_url=url))
        told = await ours.told(3)

    assert [each[2]["result"] for each in answers] == ["UNKNOWN_SESSION", *["ACCEPTED"] * 3]
    exact = profile | {"charging_profile_period": [{"start_period": 0, "limit": Decimal("16.1")}]}
    active = {"start_date_time": "2026-03-02T12:00:00Z", "charging_profile": exact}
    assert [each[1] for each in told] == [
        {"result": "ACCEPTED"}, {"result": "ACCEPTED", "profile": active}, {"result": "ACCEPTED"},
    ]  # fmt: skip
    limited, asked, freed = heard(database)
    assert limited[1]["csChargingProfiles"]["chargingSchedule"] == {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}],
    }
    assert limited[1]["csChargingProfiles"]["transactionId"] == 7
    assert asked == ("GetCompositeSchedule", {"connectorId": 1, "duration": 900})
    assert freed[1] == {"id": limited[1]["csChargingProfiles"]["chargingProfileId"]}


@pytest.mark.parametrize(
    "profile",
    [
        None,
        [],
        {"charging_rate_unit": "V"},
        {"charging_rate_unit": "A", "charging_profile_period": [{"limit": 1}]},
        {"charging_rate_unit": "A", "charging_profile_period": [{"start_period": 0}]},
        {
            "charging_rate_unit": "A",
            "charging_profile_period": [{"start_period": 9, "limit": 1}] * 2,
        },
        {"charging_rate_unit": "A", "start_date_time": "soon"},
    ],
)
async def test_a_profile_that_is_none_is_refused(database: str, profile: object) -> None:
    async with commanding(database) as ours:
        ours.session()
        path = f"/ocpi/cpo/2.2.1/chargingprofiles/{SESSION['session_id']}"
        body = {"charging_profile": profile, "response_url": ours.response_url()}
        assert (await ours.side.call("PUT", path, body))[:2] == (400, 2001)
    assert heard(database) == []


async def test_a_station_of_2_0_1_is_commanded_in_its_own_words(database: str) -> None:
    async with commanding(database, protocol="ocpp2.0.1") as ours:
        ours.session()
        await ours.command("START_SESSION", HERE | {"token": ours.token()})
        await ours.told(1)
        await ours.command("STOP_SESSION", SESSION)
        await ours.told(2)

    started, stopped = heard(database)
    assert (started[0], started[1]["evseId"]) == ("RequestStartTransaction", 1)
    assert stopped == ("RequestStopTransaction", {"transactionId": "7"})


async def test_what_ended_long_ago_is_forgotten(database: str) -> None:
    async with commanding(database, is_running=False) as ours:
        body = HERE | {"token": ours.token(), "expiry_date": SOON, "reservation_id": "R-1"}
        await ours.command("RESERVE_NOW", body)
        await ours.command("START_SESSION", HERE | {"token": ours.token()})
        with connect(database) as connection:
            connection.execute(
                "UPDATE partner_command SET asked_at = now() - interval '31 days', state ="
                " CASE kind WHEN 'RESERVE_NOW' THEN 'posted' ELSE 'asked' END"
            )
            connection.execute("UPDATE partner_reservation SET asked_at = now() - interval '31 d'")
        await prune(ours.side.resources.database, 30)

    with connect(database) as connection:
        left = connection.execute("SELECT kind FROM partner_command").fetchall()
        reserved = connection.execute("SELECT FROM partner_reservation").fetchall()
    assert (left, reserved) == ([("START_SESSION",)], [])
