"""Tariffs that partners push: versions by receipt, exact, each party's its own."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from ledger.database import connect
from roaming_ocpi.places.partner_tariffs import partner_tariffs_at
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.tariff_reader import read_ocpi_tariff
from tests.roaming_ocpi.places.places_served import NOW, OTHER, places_served
from tests.tree import VECTORS

EMSP = "/emsp/2.2.1/tariffs"
ONE = f"{EMSP}/NL/TNM/T1"
EXAMPLES = sorted((VECTORS / "ocpi-spec").glob("*/tariff_*.json"))
TARIFF: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "TNM",
    "id": "T1",
    "currency": "EUR",
    "elements": [{"price_components": [{"type": "ENERGY", "price": 0.40, "step_size": 1}]}],
    "last_updated": "2026-03-01T00:00:00Z",
}


def priced(price: object, **changes: object) -> dict[str, Any]:
    component = {"type": "ENERGY", "price": price, "step_size": 1}
    return TARIFF | {"elements": [{"price_components": [component]}]} | changes


def versions(database: str) -> list[tuple[Any, ...]]:
    with connect(database) as connection:
        return connection.execute(
            "SELECT party, tariff_id, number, deleted FROM partner_tariff ORDER BY 1, 2, 3"
        ).fetchall()


async def test_a_tariff_is_kept_as_versions_by_receipt(database: str) -> None:
    async with places_served(database) as places:
        first = await places.ask("PUT", ONE, priced(0.4))
        places.now = NOW + timedelta(hours=1)
        again = await places.ask("PUT", ONE, priced(0.4))
        places.now = NOW + timedelta(hours=2)
        dearer = await places.ask("PUT", ONE, priced(0.45))
        places.now = NOW + timedelta(hours=3)
        gone = await places.ask("DELETE", ONE)
        missing = await places.ask("GET", ONE)
        twice = await places.ask("DELETE", ONE)
        places.now = NOW + timedelta(hours=4)
        back = await places.ask("PUT", ONE, priced(0.5))

    assert [each.http for each in (first, again, dearer, gone, missing, twice, back)] == [
        *(201, 200, 200, 200, 404, 404, 201)
    ]
    assert [each[2:] for each in versions(database)] == [
        *((1, False), (2, False), (3, True), (4, False))
    ]
    with connect(database) as connection:
        prices = []
        for hours in (-1, 0, 1, 2, 3, 4):
            at = NOW + timedelta(hours=hours)
            body = partner_tariffs_at(connection, "NL-TNM", [("t1", at)]).get(("t1", at))
            tariff = None if body is None else read_ocpi_tariff(body)[0]
            prices.append(tariff and tariff.elements[0].price_components[0].price)
        asked = [("T1", NOW), ("t1", NOW), ("T1", NOW - timedelta(1)), ("T2", NOW)]
        found = partner_tariffs_at(connection, "NL-TNM", asked)
        other = partner_tariffs_at(connection, "BE-ABC", [("T1", NOW)])
    assert prices == [None, *map(Decimal, ("0.4", "0.4", "0.45")), None, Decimal("0.5")]
    assert set(found) == {("T1", NOW), ("t1", NOW)}
    assert other == {}


async def test_numbers_and_unknown_fields_come_back_as_they_were(database: str) -> None:
    body = json.dumps(priced(0) | {"new_field": {"a": [1]}, "type": "A_NEW_TYPE"})
    exact = body.replace('"price": 0,', '"price": 0.1234567890123456789,')
    async with places_served(database) as places:
        await places.ask("PUT", ONE, content=exact.encode())
        kept = await places.ask("GET", ONE)

    assert kept.data == decode_json(exact.encode())


async def test_what_was_pushed_in_one_version_is_read_in_another(database: str) -> None:
    body = priced(0.4) | {"min_price": {"excl_vat": 1, "incl_vat": 1.19}}
    body["elements"][0]["price_components"][0]["vat"] = 19
    async with places_served(database) as places:
        await places.ask("PUT", ONE, body)
        newest = await places.ask("GET", "/emsp/2.3.0/tariffs/NL/TNM/t1")
        oldest = await places.ask("GET", "/emsp/2.1.1/tariffs/NL/TNM/T1")

    assert newest.data["tax_included"] == "NO"
    assert newest.data["min_price"] == {"before_taxes": 1, "after_taxes": Decimal("1.19")}
    assert "min_price" not in oldest.data
    assert "vat" not in oldest.data["elements"][0]["price_components"][0]


async def test_only_2_1_1_changes_a_part_of_a_tariff(database: str) -> None:
    patch = {"currency": "SEK", "last_updated": "2026-03-02T00:00:00Z"}
    old = "/emsp/2.1.1/tariffs/NL/TNM/T1"
    whole = {key: TARIFF[key] for key in TARIFF if key not in {"country_code", "party_id"}}
    async with places_served(database) as places:
        nothing = await places.ask("PATCH", old, patch)
        await places.ask("PUT", old, whole)
        changed = await places.ask("PATCH", old, patch)
        kept = await places.ask("GET", old)
        newer = await places.ask("PATCH", ONE, patch)
        no_moment = await places.ask("PATCH", old, {"currency": "SEK"})

    assert (nothing.http, changed.http, newer.http, no_moment.http) == (404, 200, 405, 400)
    assert (kept.data["currency"], kept.data["elements"][0]["price_components"][0]["price"]) == (
        "SEK",
        Decimal("0.4"),
    )


async def test_what_is_older_than_what_is_known_changes_nothing(database: str) -> None:
    async with places_served(database) as places:
        await places.ask("PUT", ONE, priced(0.4, last_updated="2026-03-05T00:00:00Z"))
        late = await places.ask("PUT", ONE, priced(0.3, last_updated="2026-03-04T00:00:00Z"))
        await places.ask("PUT", ONE, priced(0.5, last_updated="2027-01-01T00:00:00Z"))
        right = await places.ask("PUT", ONE, priced(0.6, last_updated="2026-03-06T00:00:00Z"))
        kept = await places.ask("GET", ONE)

    assert late.message is not None
    assert "updated later" in late.message
    assert right.message is None
    assert kept.data["elements"][0]["price_components"][0]["price"] == Decimal("0.6")


@pytest.mark.parametrize(
    ("path", "token"),
    [
        (f"{EMSP}/BE/ABC/T1", "token-of-tnm-7f3a"),
        (ONE, OTHER),
        (f"{EMSP}/DE/HBC/T1", OTHER),
    ],
)
async def test_nobody_writes_another_s_tariff(database: str, path: str, token: str) -> None:
    async with places_served(database) as places:
        answers = [
            await places.ask("PUT", path, TARIFF, token=token),
            await places.ask("GET", path, token=token),
            await places.ask("DELETE", path, token=token),
        ]

    assert {each.http for each in answers} <= {403, 404}
    assert versions(database) == []


HOSTILE = [
    b"[]",
    b"1",
    b"null",
    json.dumps(TARIFF | {"id": "T2"}).encode(),
    json.dumps(TARIFF | {"id": None}).encode(),
    json.dumps(TARIFF | {"id": 1}).encode(),
    json.dumps(TARIFF | {"elements": "none"}).encode(),
    json.dumps(TARIFF | {"currency": None}).encode(),
    json.dumps(TARIFF | {"last_updated": None}).encode(),
    json.dumps(TARIFF | {"last_updated": "0001-01-01T00:00:00Z"}).encode(),
    json.dumps(TARIFF | {"last_updated": "9999-12-31T23:59:59Z"}).encode(),
    json.dumps(TARIFF | {"last_updated": "yesterday"}).encode(),
    json.dumps(TARIFF | {"party_id": "ABC"}).encode(),
    json.dumps(TARIFF | {"x": "\0"}).encode(),
    json.dumps(TARIFF).encode()[:-1] + b', "currency": "USD"}',
    json.dumps(TARIFF).encode()[:-1] + b', "x": 1e9999}',
    json.dumps(TARIFF).encode()[:-1] + b', "x": ' + b"[" * 40 + b"]" * 40 + b"}",
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
async def test_a_hostile_tariff_is_refused_and_nothing_is_kept(
    database: str, content: bytes
) -> None:
    async with places_served(database) as places:
        answer = await places.ask("PUT", ONE, content=content)

    assert answer.http in {400, 403}
    assert answer.message
    assert versions(database) == []


async def test_what_nobody_can_price_is_kept_and_said_to_be_so(database: str) -> None:
    strange = priced(-1) | {"elements": [{"price_components": [{"type": "MOOD", "price": 1}]}]}
    async with places_served(database) as places:
        answer = await places.ask("PUT", ONE, strange)
        kept = await places.ask("GET", ONE)

    assert answer.http == 201
    assert answer.message is not None
    assert "no CDR can be priced by it: elements[0].price_components[0].type" in answer.message
    assert kept.data["elements"] == strange["elements"]


async def test_two_writers_give_no_version_the_same_number(database: str) -> None:
    async with places_served(database) as places:
        puts = [places.ask("PUT", ONE, priced(n)) for n in range(20)]
        answers = await asyncio.gather(*puts)

    assert {each.http for each in answers} == {200, 201}
    assert [each[2] for each in versions(database)] == list(range(1, 21))


async def test_a_kept_version_never_changes(database: str) -> None:
    async with places_served(database) as places:
        await places.ask("PUT", ONE, TARIFF)

    with connect(database) as connection, pytest.raises(psycopg.DatabaseError, match="refused"):
        connection.execute("UPDATE partner_tariff SET deleted = true, body = null, sha256 = null")


@pytest.mark.skipif(not EXAMPLES, reason="the specification's examples of ../shared are not here")
async def test_the_specification_s_tariffs_are_kept_as_they_came(database: str) -> None:
    read = [(path, decode_json(path.read_bytes())) for path in EXAMPLES]
    async with places_served(database) as places:
        for number, (path, example) in enumerate(read):
            version = "2.3.0" if "2.3.0" in path.parent.name else "2.2.1"
            # Its tariff_put_example has no last_updated, which the text requires.
            body = {"last_updated": "2026-03-01T00:00:00Z"} | example
            owner = {"country_code": "NL", "party_id": "TNM", "id": f"X{number}"}
            address = f"/emsp/{version}/tariffs/NL/TNM/X{number}"
            answer = await places.ask("PUT", address, body | owner)
            kept = await places.ask("GET", address)

            assert (answer.http, answer.message, kept.data["id"]) == (201, None, f"X{number}"), path
