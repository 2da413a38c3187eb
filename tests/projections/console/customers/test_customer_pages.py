"""Customers' pages on the demo's month: who is seen by whom, and what is said of an erased one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest

from ledger.database import connect
from ledger.persons.store import erase
from ledger.users.roles import Grant, Role
from projections.console.console_words import words_of
from projections.payments.open_list import OpenWish, open_documents
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)
CUSTOMER = re.compile(r'<td class=""><a href="/console/customers/([^"?]+)">')


@pytest.fixture(scope="module")
def console(demo_dsn: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_dsn, demo_now(demo_folder)) as served:
        yield served


@pytest.mark.parametrize("prefix", ["", "a", "nils-otto", "zzz"])
def test_customers_are_listed_by_their_key(console: ServedConsole, prefix: str) -> None:
    with connect(console.dsn) as connection:
        query = "SELECT name FROM subject WHERE kind = 'customer' AND starts_with(name, %s)"
        expected = [name for (name,) in connection.execute(query, (prefix,))]
    with console.client("fiona of customers", Role.FINANCE) as client:
        html = client.get(f"/console/customers?q={prefix}").raise_for_status().text

    assert [unescape(each) for each in CUSTOMER.findall(html)] == sorted(expected)


def test_a_balance_is_that_of_the_books_then(console: ServedConsole) -> None:
    until = datetime(2026, 3, 31, tzinfo=UTC)
    with connect(console.dsn) as connection:
        open_then = open_documents(connection, OpenWish(until=until), limit=1_000)
    owed = Counter[tuple[str, str]]()
    for each in (each for each in open_then if each.subject):
        owed[each.customer or "", each.currency] += each.open_minor
    language = words_of("en").language

    assert owed
    with console.client("fiona of customers", Role.FINANCE) as client:
        for (name, currency), minor in sorted(owed.items())[:3]:
            address = f"/console/customers/{name}?as_of=2026-03-30"
            html = client.get(address).raise_for_status().text
            assert language.money(minor, currency) in unescape(html)


def test_who_reaches_a_legal_entity_sees_whom_it_has_in_its_books(console: ServedConsole) -> None:
    with connect(console.dsn) as connection:
        query = """SELECT DISTINCT name FROM issued_invoice JOIN subject ON subject = customer
            WHERE legal_entity = 'quayside-energy' ORDER BY name"""
        expected = [name for (name,) in connection.execute(query)]
    with console.client(
        "edda of customers", Grant(Role.FINANCE, legal_entity="quayside-energy")
    ) as client:
        html = client.get("/console/customers").raise_for_status().text
        seen = [unescape(each) for each in CUSTOMER.findall(html)]
        one = client.get(f"/console/customers/{seen[0]}").raise_for_status().text
        others = [
            client.get(f"/console/customers/{name}").status_code
            for name in ("noordlicht", "nobody", "p-00000000000000000000000000000000", "%00")
        ]

    assert seen
    assert seen == expected
    assert "/console/sessions/QS-" in one
    assert "/console/sessions/HB-" not in one
    assert "/console/invoices/QE-" in one
    assert "/console/invoices/HC-" not in one
    assert others == [404] * len(others)


def test_who_reaches_a_site_sees_no_books_of_customers(console: ServedConsole) -> None:
    site = Grant(Role.FINANCE, legal_entity="quayside-energy", site="quayside")
    with console.client("sita of customers", site) as client:
        html = client.get("/console/customers").raise_for_status().text
        one = client.get("/console/customers/dev-evans").status_code

    assert CUSTOMER.findall(html) == []
    assert one == 404


def test_a_page_of_a_time_line_goes_on_behind_the_last(console: ServedConsole) -> None:
    with console.client("fiona of customers", Role.FINANCE) as client:
        address, found = "/console/customers/noordlicht", list[str]()
        while address:
            html = client.get(address).raise_for_status().text
            found += re.findall(r'href="/console/sessions/([^"?]+)"', html)
            following = re.search(r'href="([^"]+)" rel="next"', html)
            address = unescape(following[1]) if following else ""
        wrong = [
            client.get(f"/console/customers/noordlicht?{each}").status_code
            for each in ("after=x", "after=2026-03-01~a~b", "as_of=yesterday", "as_of=9999-12-31")
        ]

    assert len(found) == len(set(found)) > 50
    assert wrong == [400, 400, 400, 400]


def test_an_erased_customer_is_its_subject_id_and_its_books_stay(
    demo_copy: str, demo_folder: Path
) -> None:
    with connect(demo_copy) as connection:
        query = "SELECT subject FROM subject WHERE kind = 'customer' AND name = 'nils-otto'"
        [(subject,)] = connection.execute(query).fetchall()
        erase(connection, [subject])
    with (
        served_console(demo_copy, demo_now(demo_folder)) as served,
        served.client("fiona of customers", Role.FINANCE) as client,
    ):
        by_name = client.get("/console/customers/nils-otto").status_code
        html = client.get(f"/console/customers/{subject}").raise_for_status().text

    assert by_name == 404
    assert subject in html
    assert "Nils Otto" not in html
    assert "nils-otto" not in html
    assert "/console/invoices/" in html
