"""Our drivers' tokens for partners: which, page by page while they change, and may one charge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ledger.books.prepayments import Prepayment, record_prepayment
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.desk.apply import declare_all
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.customers import Customer
from ledger.master_data.partners import Partner, PartnerRole
from ledger.master_data.tokens import Token, TokenKind, TokenStatus
from ledger.persons.store import erase
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.tokens.book import TokenBook
from roaming_ocpi.tokens.sender import TokensSender
from tests import depot
from tests.roaming_ocpi.tokens.two_sides import (
    DECLARED_AT,
    NOW,
    OTHER,
    TNM,
    Clock,
    Side,
    declare,
    served,
)

MINE = Token(customer="anna")
BLOCKED = Token(customer="anna", status=TokenStatus.BLOCKED)
DAY = timedelta(days=1)


@pytest.fixture
async def side(database: str) -> AsyncIterator[Side]:
    book = TokenBook(database)

    def modules(resources: Resources) -> list[Any]:
        return [TokensSender(resources, book).module()]

    async with served(database, modules) as side:
        yield side
    await book.close()


def path(version: str = "2.2.1") -> str:
    return f"/ocpi/emsp/{version}/tokens"


async def listed(side: Side, **query: str) -> list[Any]:
    http, status, data = await side.call("GET", path(), **query)
    assert (http, status) == (200, 1000)
    assert isinstance(data, list)
    return data


async def test_partners_get_the_tokens_that_a_customer_pays_for_everywhere(
    side: Side, database: str
) -> None:
    declare(
        database,
        {
            "04AAAA": MINE,
            "04BLOCKED": Token(customer="anna", status=TokenStatus.BLOCKED),
            "04OVER": Token(customer="anna", expires_at=NOW - DAY),
            "04HERE": Token(customer="anna", sites=("harbour",)),
            "04GUEST": Token(kind=TokenKind.ROAMING, partner="NL-TNM"),
            "04ADHOC": Token(kind=TokenKind.AD_HOC, customer="anna"),
            "04NOBODY": Token(),
            "04" + "A" * 40: MINE,
        },
    )

    found = {each["uid"]: each for each in await listed(side)}

    assert {uid: each["valid"] for uid, each in found.items()} == {
        "04AAAA": True, "04BLOCKED": False, "04OVER": False,
    }  # fmt: skip
    one = found["04AAAA"]
    assert one.pop("contract_id").startswith("DE-HBC-C")
    assert one == {
        "country_code": "DE", "party_id": "HBC", "uid": "04AAAA", "type": "RFID",
        "issuer": "Depot GmbH", "valid": True, "whitelist": "ALLOWED",
        "last_updated": "2026-03-01T00:00:00.000Z",
    }  # fmt: skip
    assert found["04OVER"]["last_updated"] == "2026-03-01T12:00:00.000Z", "when it ended"


async def test_the_old_version_says_less(side: Side, database: str) -> None:
    declare(database, {"04AAAA": MINE})

    (token,) = (await side.call("GET", path("2.1.1")))[2]

    assert list(token) == [
        "uid", "type", "auth_id", "issuer", "valid", "whitelist", "last_updated",
    ]  # fmt: skip


async def test_who_reads_page_by_page_misses_nothing_that_changes_meanwhile(
    side: Side, database: str
) -> None:
    declare(database, {f"04{n:04X}": MINE for n in range(10)})
    headers = {"Authorization": f"Token {TNM}"}
    url: str | None = f"{side.address}{path()}?limit=3&date_from=2026-02-01T00:00:00Z"
    uids: list[str] = []
    totals = []
    clock = side.resources.now.__self__  # type: ignore[attr-defined]  # the test's own
    assert isinstance(clock, Clock)

    while url is not None:
        answer = await side.http.get(url, headers=headers)
        uids += [each["uid"] for each in answer.json()["data"]]
        totals.append(answer.headers["X-Total-Count"])
        url = answer.links["next"]["url"] if "next" in answer.links else None
        if len(totals) == 2:
            assert "date_from=2026-02-01" in str(url), "the filters are kept"
            blocked = Token(customer="anna", status=TokenStatus.BLOCKED)
            declare(database, {"040001": blocked, "04NEW": MINE}, at=NOW)
            clock.pass_(minutes=1)

    assert set(uids) == {f"04{n:04X}" for n in range(10)} | {"04NEW"}
    assert len(uids) == 12, "what changed after it was read is read again"
    assert totals[0] == "10"
    assert totals[-1] == "11"


async def test_only_what_changed_since_is_told(side: Side, database: str) -> None:
    declare(database, {"04AAAA": MINE, "04BBBB": MINE})
    declare(database, {"04BBBB": Token(customer="fleet")}, at=NOW - DAY / 4)

    since = (DECLARED_AT + DAY).isoformat().replace("+00:00", "Z")
    newer = await listed(side, date_from=since)
    older = await listed(side, date_to=since)

    assert [each["uid"] for each in newer] == ["04BBBB"]
    assert [each["uid"] for each in older] == ["04AAAA"]
    assert (await side.call("GET", path(), after="nonsense"))[:2] == (400, 2001)


async def test_who_is_erased_is_told_no_more(side: Side, database: str) -> None:
    subjects = declare(database, {"04AAAA": MINE, "04BBBB": MINE})
    with connect(database) as connection:
        erase(connection, [subjects["04AAAA"]])

    assert [each["uid"] for each in await listed(side)] == ["04BBBB"]
    assert (await side.call("POST", f"{path()}/04AAAA/authorize"))[:2] == (404, 2004)


async def test_drivers_are_told_to_who_has_stations(side: Side, database: str) -> None:
    emsp = Partner(name="ABC", legal_entity="depot", roles=(PartnerRole.EMSP,))
    declare(database, {"04AAAA": MINE}, partners={"BE-ABC": emsp})

    assert (await side.call("GET", path(), token=OTHER))[:2] == (403, 2000)
    assert (await side.call("POST", f"{path()}/04AAAA/authorize", token=OTHER))[:2] == (403, 2000)


@pytest.mark.parametrize(
    ("token", "allowed"),
    [
        (MINE, "ALLOWED"),
        (Token(customer="anna", status=TokenStatus.BLOCKED), "BLOCKED"),
        (Token(customer="anna", expires_at=NOW), "EXPIRED"),
        (Token(customer="anna", sites=("harbour",)), "NOT_ALLOWED"),
        (Token(), None),
        (Token(kind=TokenKind.ROAMING, partner="NL-TNM"), None),
    ],
)
@pytest.mark.parametrize("version", ["2.1.1", "2.2.1", "2.3.0"])
async def test_a_token_is_allowed_where_it_may_charge(
    side: Side, database: str, version: str, token: Token, allowed: str | None
) -> None:
    declare(database, {"04AAAA": token})
    place = {"location_id": "LOC1", "evse_uids": ["E1"]}

    http, status, data = await side.call(
        "POST", f"{path(version)}/04aaaa/authorize", place, type="RFID"
    )

    if allowed is None:
        assert (http, status, data) == (404, 2004, None)
        return
    assert (http, status, data["allowed"]) == (200, 1000, allowed)
    assert data.get("location") == (place if allowed == "ALLOWED" else None)
    assert ("token" in data) == (version != "2.1.1")
    if "token" in data:
        assert (data["token"]["uid"], data["token"]["valid"]) == ("04AAAA", allowed == "ALLOWED")


async def test_who_pays_in_advance_is_asked_about_and_charges_while_there_is_credit(
    side: Side, database: str
) -> None:
    declare(database, {"04AAAA": MINE, "04BBBB": Token(customer="fleet"), "04CCCC": BLOCKED})
    since = (DECLARED_AT + DAY).isoformat().replace("+00:00", "Z")
    before = await listed(side, date_from=since)
    anna = depot.THINGS[Kind.CUSTOMER, "anna"]
    assert isinstance(anna, Customer)
    with connect(database) as connection, PostgresEventLog(database) as log:
        paying = msgspec.structs.replace(anna, pays_in_advance=True)
        change = Change(kind=Kind.CUSTOMER, key="anna", entity=paying, valid_from=NOW - DAY)
        declare_all(connection, [change], log=log, by="a test", at=NOW - DAY / 2)

        changed = {each["uid"]: each["whitelist"] for each in await listed(side, date_from=since)}
        heard = [await allowed_of(side, uid) for uid in ("04AAAA", "04BBBB", "04CCCC")]
        for entity, cents in (("elsewhere", 900), ("depot", 500)):
            paid = Prepayment(entity, "1", "anna", "EUR", cents, NOW - DAY, "ann")
            record_prepayment(connection, paid)
            heard.append(await allowed_of(side, "04AAAA"))
        record_prepayment(connection, Prepayment("depot", "2", "anna", "EUR", -500, NOW, "ann"))
        heard.append(await allowed_of(side, "04AAAA"))

    assert before == []
    assert changed == {"04AAAA": "NEVER", "04CCCC": "NEVER"}
    assert heard == ["NO_CREDIT", "ALLOWED", "BLOCKED", "NO_CREDIT", "ALLOWED", "NO_CREDIT"]


async def allowed_of(side: Side, uid: str) -> Any:  # noqa: ANN401 - JSON
    http, _, data = await side.call("POST", f"{path()}/{uid}/authorize")
    assert http == 200
    return data["allowed"]


@pytest.mark.parametrize("body", [[], {"evse_uids": ["E1"]}, {"location_id": 1}, "LOC1"])
async def test_a_place_that_is_none_is_refused(side: Side, database: str, body: object) -> None:
    declare(database, {"04AAAA": MINE})

    assert (await side.call("POST", f"{path()}/04AAAA/authorize", body))[:2] == (400, 2001)
