from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.database import connect
from roaming_ocpi.settlement.invoices.records import records_named
from tests.roaming_ocpi.places.places_served import HUB, OTHER, OURS
from tests.roaming_ocpi.settlement.invoices.records_served import records_served

THERE = "/emsp/2.3.0/invoicereconciliation"
OURS_THERE = "/cpo/2.3.0/invoicereconciliation"
ONE = f"{THERE}/NL/TNM/Rec-1"
RECORD: dict[str, Any] = {
    "country_code": "NL",
    "party_id": "TNM",
    "id": "Rec-1",
    "invoice_id": "INV 2026/3",
    "cdrs": ["A", "B"],
    "last_updated": "2026-03-09T12:00:00.000Z",
}


async def test_a_record_is_kept_changed_and_taken_back(database: str) -> None:
    async with records_served(database) as we:
        new = await we.ask("POST", THERE, RECORD | {"of_tomorrow": {"rate": 1.10}})
        again = await we.ask("POST", THERE, RECORD | {"of_tomorrow": {"rate": 1.10}})
        kept = await we.ask("GET", f"{THERE}/nl/tnm/REC-1")
        changed = RECORD | {"cdrs": ["A"], "last_updated": "2026-03-09T13:00:00.000Z"}
        await we.ask("PUT", ONE, changed)
        now = await we.ask("GET", ONE)
        gone = await we.ask("DELETE", ONE)
        after = await we.ask("GET", ONE)

    assert (new.http, again.http) == (201, 200)
    assert str(kept.data.pop("of_tomorrow")["rate"]) == "1.1"
    assert kept.data == RECORD
    assert now.data == changed
    assert (gone.status, after.http) == (1000, 404)


async def test_what_was_said_before_does_not_replace_what_is_known(database: str) -> None:
    async with records_served(database) as we:
        await we.ask("POST", THERE, RECORD)
        old = RECORD | {"cdrs": ["Z"], "last_updated": "2026-03-08T12:00:00Z"}
        await we.ask("PUT", ONE, old)
        other = await we.ask("POST", THERE, RECORD | {"cdrs": ["C"]})
        kept = await we.ask("GET", ONE)

    assert other.status == 2001
    assert kept.data == RECORD


async def test_nobody_writes_or_reads_what_is_anothers(database: str) -> None:
    async with records_served(database) as we:
        await we.ask("POST", THERE, RECORD)
        refused = [
            await we.ask("POST", THERE, RECORD, token=OTHER),
            await we.ask("PUT", ONE, RECORD, token=OTHER),
            await we.ask("GET", ONE, token=OTHER),
            await we.ask("DELETE", ONE, token=OTHER),
            await we.ask("PUT", ONE, RECORD | {"party_id": "ABC"}),
        ]
        kept = await we.ask("GET", ONE)
        through = RECORD | {"country_code": "FR", "party_id": "ONE"}
        by_hub = await we.ask("POST", THERE, through, token=HUB)

    assert {each.http for each in refused} <= {403, 404}
    assert kept.data == RECORD
    assert by_hub.http == 201


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"cdrs": []}, id="no CDR"),
        pytest.param({"cdrs": "A"}, id="a CDR that is no list"),
        pytest.param({"cdrs": [1]}, id="a number in place of an id"),
        pytest.param({"cdrs": ["\u202e"]}, id="an id that is not seen"),
        pytest.param({"cdrs": ["a\x00"]}, id="a NUL"),
        pytest.param({"id": "x" * 37}, id="an id that is too long"),
        pytest.param({"id": None}, id="no id"),
        pytest.param({"invoice_id": ""}, id="no invoice"),
        pytest.param({"invoice_id": "x" * 256}, id="an invoice without end"),
        pytest.param({"last_updated": None}, id="no moment"),
        pytest.param({"last_updated": "9999-12-31T23:59:59-14:00"}, id="after time"),
        pytest.param({"last_updated": "0001-01-01T00:00:00+14:00"}, id="before time"),
        pytest.param({"party_id": 7}, id="a party that is no text"),
    ],
)
async def test_a_record_that_says_what_cannot_be_is_refused(
    database: str, changed: dict[str, Any]
) -> None:
    async with records_served(database) as we:
        answer = await we.ask("POST", THERE, RECORD | changed)

    assert (answer.http, answer.status) == (400, 2001)


async def test_other_versions_have_no_such_module(database: str) -> None:
    async with records_served(database) as we:
        answer = await we.ask("GET", OURS_THERE.replace("2.3.0", "2.2.1"))

    assert answer.http == 404


async def test_our_records_are_listed_page_by_page_to_their_partner_alone(database: str) -> None:
    first = datetime(2026, 3, 1, tzinfo=UTC)
    with connect(database) as connection:
        for number in range(5):
            for partner in ("NL-TNM", "BE-ABC"):
                connection.execute(
                    "INSERT INTO invoice_record (owner, partner, record_key, record_id, invoice_id,"
                    " cdrs, last_updated, said_at) VALUES (%s, %s, %s, %s, %s, %s, %s, now())",
                    (
                        *(OURS, partner, f"r{number}", f"R{number}", f"{partner} {number}"),
                        *(["A"], first + timedelta(days=number)),
                    ),
                )

    async with records_served(database) as we:
        pages = await we.pages(f"{OURS_THERE}?limit=2")
        some = await we.pages(
            f"{OURS_THERE}?date_from=2026-03-02T00:00:00Z&date_to=2026-03-04T00:00:00Z&limit=1"
        )
        first_page = await we.ask("GET", f"{OURS_THERE}?limit=2")

    assert [[each["id"] for each in page] for page in pages] == [["R0", "R1"], ["R2", "R3"], ["R4"]]
    assert {each["invoice_id"][:6] for page in pages for each in page} == {"NL-TNM"}
    assert [[each["id"] for each in page] for page in some] == [["R1"], ["R2"]]
    assert first_page.headers["x-total-count"] == "5"
    assert pages[0][0] == {
        "country_code": "DE",
        "party_id": "HBC",
        "id": "R0",
        "invoice_id": "NL-TNM 0",
        "cdrs": ["A"],
        "last_updated": "2026-03-01T00:00:00.000Z",
    }


async def test_a_record_is_found_by_its_id_or_its_invoice(database: str) -> None:
    async with records_served(database) as we:
        await we.ask("POST", THERE, RECORD)
        await we.ask("POST", THERE, RECORD | {"id": "Rec-2", "cdrs": ["C"]})

    with connect(database) as connection:
        by_invoice = records_named(connection, "NL-TNM", "inv 2026/3")
        by_id = records_named(connection, "NL-TNM", "REC-2")

    assert [each.cdrs for each in by_invoice] == [["A", "B"], ["C"]]
    assert [each.cdrs for each in by_id] == [["C"]]
