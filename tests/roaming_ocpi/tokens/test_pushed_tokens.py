"""Tokens that partners push: kept as told, PATCHed, read again, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ledger.database import connect
from ledger.partners.token_lists import token_list_state
from ledger.partners.tokens import LOOK_UP, ToldToken, Whitelist, asked_about, told_token
from ledger.persons.holders import token_holder
from ledger.persons.store import find
from roaming_ocpi.tokens.book import TokenBook
from roaming_ocpi.tokens.receiver import TokensReceiver
from tests.roaming_ocpi.tokens.two_sides import NOW, OTHER, Side, served

NEW = {
    "country_code": "NL", "party_id": "TNM", "uid": "04AABBCC", "type": "RFID",
    "contract_id": "NL-TNM-C0000001-X", "issuer": "TheNewMotion", "valid": True,
    "whitelist": "ALWAYS", "last_updated": "2026-03-01T10:00:00Z",
}  # fmt: skip
OLD = {
    "uid": "04AABBCC", "type": "RFID", "auth_id": "NL-TNM-C0000001-X", "issuer": "TheNewMotion",
    "valid": True, "whitelist": "ALLOWED", "last_updated": "2026-03-01T10:00:00Z",
}  # fmt: skip
OBJECTS = {"2.1.1": OLD, "2.2.1": NEW, "2.3.0": NEW | {"type": "EMAID"}}


@pytest.fixture
async def side(database: str) -> AsyncIterator[Side]:
    book = TokenBook(database)
    async with served(database, lambda _: [TokensReceiver(book).module()]) as side:
        yield side
    await book.close()


def path(version: str = "2.2.1", uid: str = "04AABBCC", party: str = "NL/TNM") -> str:
    return f"/ocpi/cpo/{version}/tokens/{party}/{uid}"


def told(database: str, uid: str = "04AABBCC") -> ToldToken | None:
    holder = token_holder(uid)
    assert holder is not None
    with connect(database) as connection:
        found = find(connection, [holder])
        if not found:
            return None
        (subject,) = found.values()
        return told_token(connection.execute(LOOK_UP, asked_about(subject.id)).fetchall(), NOW)


@pytest.mark.parametrize("version", OBJECTS)
async def test_a_token_comes_back_as_it_was_put(side: Side, database: str, version: str) -> None:
    body = OBJECTS[version] | {"nap_time": 1.10, "energy_contract": {"supplier_name": "Ökostrom"}}

    put = await side.call("PUT", path(version), body)
    got = await side.call("GET", path(version, uid="04aabbcc"), type=str(body["type"]))

    assert put[:2] == (200, 1000)
    assert got == (200, 1000, body)
    kept = told(database)
    assert kept is not None
    assert (kept.party, kept.is_valid, kept.fresh_at) == ("NL-TNM", True, NOW)


async def test_what_a_patch_does_not_say_stays_and_null_is_gone(side: Side, database: str) -> None:
    await side.call("PUT", path(), NEW | {"visual_number": "DF000-2001", "language": "nl"})

    patch = {"valid": False, "language": None, "last_updated": "2026-03-01T11:00:00Z"}
    patched = await side.call("PATCH", path(), patch)

    assert patched[:2] == (200, 1000)
    _, _, kept = await side.call("GET", path())
    assert kept == NEW | {"visual_number": "DF000-2001"} | {
        "valid": False,
        "last_updated": "2026-03-01T11:00:00Z",
    }
    found = told(database)
    assert found is not None
    assert not found.is_valid


async def test_a_push_that_was_overtaken_changes_nothing(side: Side) -> None:
    newer = NEW | {"valid": False, "last_updated": "2026-03-01T12:00:00Z"}
    await side.call("PUT", path(), newer)

    put = await side.call("PUT", path(), NEW)
    patch = {"valid": True, "last_updated": "2026-03-01T11:59:59Z"}
    patched = await side.call("PATCH", path(), patch)

    assert (put[:2], patched[:2]) == ((200, 1000), (200, 1000))
    assert (await side.call("GET", path()))[2] == newer


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"uid": None}, "uid: is missing"),
        ({"uid": "04OTHER"}, "uid: is not the one in the address"),
        ({"contract_id": ""}, "its contract_id is no printable ASCII text"),
        ({"contract_id": "x" * 37}, "its contract_id has 37 characters, at most 36"),
        ({"contract_id": "a\nb"}, "its contract_id is no printable ASCII text"),
        ({"valid": "true"}, "valid: is neither true nor false"),
        ({"valid": None}, "valid: is missing"),
        ({"whitelist": 1}, "whitelist: is not a text"),
        ({"last_updated": None}, "last_updated: is missing"),
        ({"last_updated": "soon"}, "last_updated: is not a date and time"),
        ({"last_updated": "0001-01-01T00:00:00Z"}, "lies in no year to reckon with"),
        ({"last_updated": "9999-12-31T23:59:59-14:00"}, "last_updated: is not a date and time"),
        ({"issuer": []}, "issuer: is not a text"),
        ({"more": "x" * 3000}, "at most 2000 are kept"),
        ({"country_code": None}, "country_code: is missing"),
    ],
)
async def test_what_no_token_says_is_refused_by_field_and_not_kept(
    side: Side, database: str, body: dict[str, Any], why: str
) -> None:
    answer = await side.http.put(
        side.address + path(),
        json=NEW | body,
        headers={"Authorization": "Token token-of-tnm-7f3a"},
    )

    assert (answer.status_code, answer.json()["status_code"]) == (400, 2001)
    assert why in answer.json()["status_message"]
    assert told(database) is None


async def test_what_must_be_said_no_patch_takes_away(side: Side) -> None:
    await side.call("PUT", path(), NEW)

    silent = await side.call("PATCH", path(), {"valid": False})
    emptied = await side.call(
        "PATCH", path(), {"contract_id": None, "last_updated": "2026-03-01T11:00:00Z"}
    )
    unknown = await side.call(
        "PATCH", path(uid="04FF"), {"valid": False, "last_updated": "2026-03-01T11:00:00Z"}
    )

    assert (silent[:2], emptied[:2], unknown[:2]) == ((400, 2001), (400, 2001), (404, 2004))
    assert (await side.call("GET", path()))[2] == NEW


async def test_a_word_that_nobody_knows_survives_and_lets_nobody_charge(
    side: Side, database: str
) -> None:
    body = NEW | {"whitelist": "SOMETIMES", "type": "IMPLANT"}

    await side.call("PUT", path(), body)

    assert (await side.call("GET", path()))[2] == body
    kept = told(database)
    assert kept is not None
    assert kept.whitelist is Whitelist.NEVER


async def test_no_party_tells_or_sees_another_s_token(side: Side) -> None:
    await side.call("PUT", path(), NEW)

    others = [
        await side.call("GET", path(), token=OTHER),
        await side.call("PUT", path(), NEW | {"valid": False}, token=OTHER),
        await side.call("PUT", path(party="BE/ABC"), NEW | {"valid": False}, token=OTHER),
        await side.call("PATCH", path(), {"valid": False}, token=OTHER),
        await side.call("PUT", path(party="NL/TNM"), NEW | {"party_id": "ABC"}),
    ]

    assert [answer[1] for answer in others] == [2000, 2000, 2000, 2000, 2000]
    assert {answer[0] for answer in others} == {403}
    assert (await side.call("GET", path()))[2] == NEW
    assert (await side.call("GET", path(party="BE/ABC"), token=OTHER))[:2] == (404, 2004)


async def test_a_partner_that_changes_its_version_goes_on_with_its_tokens(side: Side) -> None:
    await side.call("PUT", path("2.1.1"), OLD)

    patch = {"valid": False, "last_updated": "2026-03-01T11:00:00Z"}
    patched = await side.call("PATCH", path("2.3.0"), patch)
    _, _, new = await side.call("GET", path("2.2.1"))
    _, _, old = await side.call("GET", path("2.1.1"))

    assert patched[:2] == (200, 1000)
    assert (new["contract_id"], new["party_id"]) == (OLD["auth_id"], "TNM")
    assert old == OLD | patch


async def test_who_a_token_is_stands_in_no_table(side: Side, database: str) -> None:
    await side.call("PUT", path(), NEW | {"visual_number": "DF000-2001"})

    with connect(database) as connection:
        rows = connection.execute("SELECT to_jsonb(t)::text FROM partner_token AS t").fetchall()
        state = token_list_state(connection, "NL-TNM")
    assert state is not None
    text = repr((rows, state))
    assert not [each for each in ("04AABBCC", "C0000001", "DF000") if each in text]


async def test_a_clock_that_was_wrong_once_keeps_no_block_of_a_card_away(
    side: Side, database: str
) -> None:
    await side.call("PUT", path(), NEW | {"last_updated": "2031-01-01T00:00:00Z"})
    blocked = {"valid": False, "last_updated": "2026-03-02T11:00:00Z"}
    await side.call("PATCH", path(), blocked)

    found = told(database)
    assert found is not None
    assert not found.is_valid
