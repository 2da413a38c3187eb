"""CDRs and sessions that partners tell, over HTTP: in the log before the answer, never two ways."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from ledger.database import connect
from ledger.log.envelope import PartnerMessage
from ledger.log.postgres import PostgresEventLog
from ledger.persons.store import erase, opened_messages
from projections.log_reading import read_all as lines_of
from tests.roaming_ocpi.incoming.partner_stories import (
    CARD,
    PARTY,
    SESSION,
    cdr_of,
    changed,
    declare_roaming,
    old_cdr_of,
    payloads,
    read_all,
    rows_of,
    subject_of,
    verdicts,
)
from tests.roaming_ocpi.incoming.served_intake import HUB, OLD, ServedIntake, served_intake

OURS = "/sessions/NL/TNM/S1"
VERSIONS = ["2.1.1", "2.2.1", "2.3.0"]


@pytest.fixture
async def served(database: str) -> AsyncIterator[ServedIntake]:
    declare_roaming(database)
    async with served_intake(database) as found:
        yield found


def messages(dsn: str) -> list[PartnerMessage]:
    """Return what the log has of partners, opened."""
    with PostgresEventLog(dsn) as log, connect(dsn) as connection:
        found = [each.line for each in lines_of(log) if isinstance(each.line, PartnerMessage)]
        return opened_messages(connection, found)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_cdr_is_in_the_log_when_it_is_answered_and_given_back_by_its_location(
    database: str, served: ServedIntake, version: str
) -> None:
    body = old_cdr_of() if version == OLD else cdr_of(total_energy=Decimal(32))
    text = json.dumps(body, default=int)

    answered = await served.call("POST", "/cdrs", text, version=version)

    [line] = messages(database)
    assert (answered.http, answered.code) == (200, 1000)
    assert (line.what, line.party, line.direction, line.body) == ("cdrs", PARTY, "in", text)
    assert answered.location is not None
    assert f"/ocpi/emsp/{version}/cdrs/" in answered.location
    given = await served.call("GET", answered.location)
    assert given.data == json.loads(text)


async def test_the_same_cdr_again_is_answered_the_same_and_stands_in_the_log_once(
    database: str, served: ServedIntake
) -> None:
    first = await served.call("POST", "/cdrs", cdr_of(remark="Bärenweg"))
    again = await served.call("POST", "/cdrs", cdr_of(remark="Bärenweg"))
    spaced = await served.call("POST", "/cdrs", json.dumps(cdr_of(remark="Bärenweg"), indent=2))

    assert first == again == spaced
    assert len(messages(database)) == 1


async def test_many_at_once_of_one_cdr_are_one(database: str, served: ServedIntake) -> None:
    answers = await asyncio.gather(*(served.call("POST", "/cdrs", cdr_of()) for _ in range(20)))

    read_all(database)

    assert {each.code for each in answers} == {1000}
    assert len({each.location for each in answers}) == 1
    assert verdicts(database)["C1"].verdict == "accepted"
    assert rows_of(database, "partner_cdr_again") == []


async def test_of_many_told_at_once_each_hears_what_became_of_its_own(
    database: str, served: ServedIntake
) -> None:
    bodies = [cdr_of(id=f"C{number}") for number in range(20)]
    bodies += [cdr_of(id="c0", total_energy=31.5), cdr_of(id=""), cdr_of(id="C5")]

    answers = await asyncio.gather(*(served.call("POST", "/cdrs", each) for each in bodies))

    assert [each.code for each in answers[1:20]] == [1000] * 19
    # Of two under one id the first that is taken holds, whichever that is.
    assert {answers[0].code, answers[20].code} == {1000, 2001}
    assert answers[21].code == 2001
    assert answers[22] == answers[5]
    assert len(messages(database)) == 21
    given = [await served.call("GET", each.location) for each in answers[1:20] if each.location]
    assert [each.data["id"] for each in given] == [f"C{number}" for number in range(1, 20)]


async def test_of_two_under_one_id_that_two_processes_hear_at_once_one_is_refused(
    database: str, served: ServedIntake
) -> None:
    async with served_intake(database) as other:
        for number in range(10):
            one, two = cdr_of(id=f"C{number}"), cdr_of(id=f"c{number}", total_energy=31.5)
            answers = await asyncio.gather(
                served.call("POST", "/cdrs", one), other.call("POST", "/cdrs", two)
            )
            again = await asyncio.gather(
                other.call("POST", "/cdrs", one), served.call("POST", "/cdrs", two)
            )

            assert sorted(each.code for each in answers) == [1000, 2001]
            assert [each.code for each in answers] == [each.code for each in again]


async def test_another_cdr_under_the_id_is_kept_refused_and_flags_the_first(
    database: str, served: ServedIntake
) -> None:
    first = await served.call("POST", "/cdrs", cdr_of())
    other = await served.call("POST", "/cdrs", cdr_of(id="c1", total_energy=31.5))
    again = await served.call("POST", "/cdrs", cdr_of(id="c1", total_energy=31.5))

    read_all(database)

    assert (other.http, other.code) == (400, 2001)
    assert other == again
    assert len(messages(database)) == 2
    assert verdicts(database)["C1"].codes == ("cdr_told_otherwise",)
    assert first.location is not None
    assert (await served.call("GET", first.location)).data["total_energy"] == 32.0


async def test_a_party_writes_and_reads_what_is_its_own(
    database: str, served: ServedIntake
) -> None:
    theirs = await served.call("POST", "/cdrs", cdr_of())
    foreign = [
        await served.call("POST", "/cdrs", cdr_of(party_id="XYZ")),
        await served.call("POST", "/cdrs", cdr_of(id="C2"), token=HUB),
        await served.call("PUT", "/sessions/FR/ABC/S1", SESSION),
        await served.call("PUT", OURS, SESSION, token=HUB),
        await served.call("PUT", OURS, changed(SESSION, party_id="XYZ")),
        await served.call("PATCH", "/sessions/FR/ABC/S1", {"last_updated": "2026-03-02T12:00:00Z"}),
        await served.call("GET", OURS, token=HUB),
    ]
    assert theirs.location is not None

    hidden = await served.call("GET", theirs.location, token=HUB)

    assert all(each.code >= 2000 for each in foreign)
    assert hidden.http == 404
    assert len(messages(database)) == 1


async def test_a_hub_tells_of_the_parties_behind_it(database: str, served: ServedIntake) -> None:
    told = await served.call("POST", "/cdrs", cdr_of(country_code="FR", party_id="ABC"), token=HUB)

    assert told.code == 1000
    assert [line.party for line in messages(database)] == ["FR-ABC"]


NO_CDRS: list[Any] = [
    "[]",
    "7",
    "no JSON",
    cdr_of(id=""),
    cdr_of(id="x" * 300),
    cdr_of(id="a\x00b"),
    cdr_of(country_code=None),
    json.dumps(cdr_of(total_energy=float("nan"))),
    json.dumps(cdr_of(total_energy=7)).replace("7,", "1" + "0" * 400 + ","),
    '{"id": "C1", "id": "C2", "country_code": "NL", "party_id": "TNM"}',
    '{"id": "\\ud800", "country_code": "NL", "party_id": "TNM"}',
    '{"x": ' + "[" * 5000 + "]" * 5000 + "}",
    cdr_of(remark="x" * 1_100_000),
]


@pytest.mark.parametrize("number", range(len(NO_CDRS)))
async def test_what_cannot_be_kept_is_refused_with_a_reason_and_not_in_the_log(
    database: str, served: ServedIntake, number: int
) -> None:
    answered = await served.call("POST", "/cdrs", NO_CDRS[number])

    assert 400 <= answered.http < 500
    assert 2000 <= answered.code < 3000
    assert answered.message
    assert messages(database) == []


async def test_a_cdr_that_cannot_be_priced_is_taken_and_disputed(
    database: str, served: ServedIntake
) -> None:
    answered = await served.call("POST", "/cdrs", cdr_of(charging_periods=[7], new_field={"a": 1}))

    read_all(database)

    assert answered.code == 1000
    assert verdicts(database)["C1"].codes == ("cdr_unreadable",)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_session_is_put_changed_in_parts_and_given_back(
    database: str, served: ServedIntake, version: str
) -> None:
    first = changed(SESSION, kwh=1, status="ACTIVE", last_updated="2026-03-02T12:10:00Z")
    period = {"start_date_time": "2026-03-02T12:00:00Z", "dimensions": []}
    part = {
        "kwh": 7.25,
        "end_date_time": None,
        "charging_periods": [period],
        "last_updated": "2026-03-02T12:20:00Z",
        "odd": {"kept": "as it came"},
    }

    next_period = {**period, "start_date_time": "2026-03-02T12:25:00Z"}
    next_part = {
        **part,
        "charging_periods": [next_period],
        "last_updated": "2026-03-02T12:30:00Z",
    }

    answers = [
        await served.call("PUT", OURS, first, version=version),
        await served.call("PATCH", OURS, part, version=version),
        # Its answer was lost.
        await served.call("PATCH", OURS, part, version=version),
        await served.call("PATCH", OURS, next_part),
    ]

    given = await served.call("GET", OURS, version=version)
    read_all(database)
    [row] = rows_of(database, "partner_session")
    assert [each.code for each in answers] == [1000] * 4
    assert given.data["kwh"] == 7.25
    assert "end_date_time" not in given.data
    assert given.data["charging_periods"] == [period, next_period]
    assert given.data["cdr_token"]["uid"] == CARD
    assert given.data["odd"] == {"kept": "as it came"}
    assert (row["energy_kwh"], row["status"], row["ended_at"]) == (7.25, "ACTIVE", None)
    assert [line.what for line in messages(database)] == ["sessions", *["sessions PATCH"] * 3]


async def test_an_older_version_of_a_session_changes_nothing(
    database: str, served: ServedIntake
) -> None:
    await served.call("PUT", OURS, SESSION)
    older = changed(SESSION, kwh=3, last_updated="2026-03-02T13:00:00Z")

    answers = [
        await served.call("PUT", OURS, older),
        await served.call("PATCH", OURS, {"kwh": 2, "last_updated": "2026-03-02T13:00:00Z"}),
    ]

    assert all(each.code == 1000 and each.message for each in answers)
    assert (await served.call("GET", OURS)).data["kwh"] == 32.0
    read_all(database)
    assert rows_of(database, "partner_session")[0]["energy_kwh"] == 32.0


@pytest.mark.parametrize(
    ("method", "path", "body", "http"),
    [
        ("PATCH", OURS, {"last_updated": "2026-03-02T12:00:00Z"}, 404),
        ("GET", OURS, None, 404),
        ("PUT", OURS, changed(SESSION, id="S2"), 400),
        ("PUT", OURS, changed(SESSION, last_updated=None), 400),
        ("PUT", OURS, changed(SESSION, kwh="much"), 400),
        ("PUT", OURS, changed(SESSION, start_date_time="yesterday"), 400),
        ("PUT", OURS, "[]", 400),
        ("GET", "/cdrs/0123", None, 404),
    ],
)
async def test_what_is_no_session_or_not_known_is_refused(
    database: str,
    served: ServedIntake,
    method: str,
    path: str,
    body: object,
    http: int,
) -> None:
    answered = await served.call(method, path, body)

    assert answered.http == http
    assert answered.code >= 2000
    assert messages(database) == []


async def test_of_who_was_erased_nothing_is_given_back(database: str, served: ServedIntake) -> None:
    told = await served.call("POST", "/cdrs", cdr_of())
    await served.call("PUT", OURS, SESSION)
    with connect(database) as connection:
        erase(connection, [subject_of(database)])
    assert told.location is not None

    cdr = (await served.call("GET", told.location)).data
    part = await served.call("PATCH", OURS, {"kwh": 40, "last_updated": "2026-03-02T14:30:00Z"})

    assert part.code == 1000
    assert CARD not in json.dumps(cdr)
    assert cdr["total_cost"] == {"excl_vat": 8.0, "incl_vat": 9.6}
    for table in ("received_cdr", "received_session", "partner_cdr"):
        assert CARD not in json.dumps(rows_of(database, table))
    assert CARD.encode() not in b"".join(payloads(database))
