"""Ids and numbers with a slash are reached as who quotes them asks: `%2F` parts no path."""

from __future__ import annotations

from urllib.parse import quote

from msgspec.structs import replace

from deploy.interface.access import Scope
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import declare, load_declarations
from ledger.master_data.customers import Customer
from ledger.master_data.numbers import DocumentNumbers, InvoiceNumbers
from ledger.users.roles import Role
from tests.at_the_edge import keep_customer
from tests.charging_day import (
    MORNING,
    at,
    charging_day,
    declare_fleet,
    event201,
    tick,
    write_log,
)
from tests.deploy.interface.served_interface import served
from tests.deploy.interface.site_of_stations import site_of_stations
from tests.projections.books_of_a_day import work
from tests.projections.console.served_console import served_console

SITE = {"time_zone": "Europe/Berlin", "country": "DE", "legal_entity": "watt", "currency": "EUR"}
ODD = "a//b/.."
"""What a station calls a transaction."""


def numbered_with_slashes(dsn: str) -> None:
    """Work the charging day off, whose seller numbers as many do: W/26/1."""
    declare_fleet(dsn)
    with connect(dsn) as connection:
        seller = load_declarations(connection).legal_entity("watt", MORNING)
        assert seller is not None
        numbers = DocumentNumbers(invoices=InvoiceNumbers(format="{prefix}/{yy}/{number}"))
        changed = replace(seller, numbers=numbers)
        change = Change(kind=Kind.LEGAL_ENTITY, key="watt", entity=changed)
        version = declare(connection, [change], by="test", at=MORNING)
    begun = event201("CS-NEW-1", 600, "Started", ODD, 0, 0, token="FLEET1")
    ended = event201("CS-NEW-1", 630, "Ended", ODD, 1, 4_000)
    write_log(dsn, [*charging_day(version), begun, ended, *tick(700)])
    work(dsn)


async def test_an_invoice_is_found_by_a_number_with_slashes(database: str) -> None:
    numbered_with_slashes(database)
    async with served(database, Scope.BOOKS, Scope.DOCUMENTS) as client:
        [first, *_] = (await client.get("/invoices")).json()["items"]
        number = first["number"]
        path = f"/invoices/{quote(number, safe='')}"
        found = await client.get(path)
        in_small = await client.get(path.replace("%2F", "%2f"))
        way = await client.get(f"{path}/delivery")
        parted = await client.get(f"/invoices/{number}")
        none = await client.get("/invoices/W%2F26%2F999999")

    assert number.startswith("W/26/")
    assert (found.status_code, found.json()["number"]) == (200, number)
    assert in_small.json() == found.json()
    assert number in way.text
    assert parted.status_code == 404
    assert none.status_code == 404
    assert "W/26/999999" in none.json()["detail"]


async def test_a_session_is_found_by_whatever_its_station_called_it(database: str) -> None:
    numbered_with_slashes(database)
    async with served(database, Scope.BOOKS, Scope.READ) as client:
        refs = [each["ref"] for each in (await client.get("/sessions")).json()["items"]]
        missed = {}
        for ref in refs:
            is_odd = ODD in ref
            for path in ("sessions", "transactions", *["live/sessions"] * is_odd):
                found = await client.get(f"/{path}/{quote(ref, safe='')}")
                if found.status_code != 200 or ref not in found.text:
                    missed[path, ref] = found.status_code

    assert any(ODD in ref for ref in refs)
    assert missed == {}


async def test_what_is_declared_is_found_by_a_key_with_slashes(database: str) -> None:
    site_of_stations(database)
    path = "/master-data/sites/north%2Fyard%207"
    async with served(database, Scope.MASTER_DATA, Scope.DECLARE) as client:
        made = await client.put(path, json=SITE)
        found = await client.get(path)
        other = await client.get("/master-data/sites/north%252Fyard%207")

    assert made.status_code == 200, made.text
    assert (found.status_code, found.json()["key"]) == (200, "north/yard 7")
    assert other.status_code == 404


def test_a_customer_whose_key_has_a_slash_has_a_page(database: str) -> None:
    site_of_stations(database)
    with connect(database) as connection:
        details = keep_customer(connection, "north/7", "North Seven Ltd")
        customer = Customer(details=details)
        change = Change(kind=Kind.CUSTOMER, key="north/7", entity=customer)
        declare(connection, [change], by="test", at=MORNING)
    with (
        served_console(database, at(400)) as console,
        console.client("fin", Role.FINANCE) as client,
    ):
        page = client.get("/console/customers/north%2F7")
        none = client.get("/console/customers/north%2F8")
        below = client.get("/console/customers/north/7")

    assert (page.status_code, none.status_code, below.status_code) == (200, 404, 404)
    assert "North Seven Ltd" in page.text
