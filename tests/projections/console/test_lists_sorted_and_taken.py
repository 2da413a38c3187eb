"""Lists of the demo's month, in every order they have and as files: each row once, as the books."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Final, LiteralString

import httpx
import pytest

from ledger.database import connect
from ledger.users.roles import Grant, Role
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)
SESSIONS: LiteralString = "SELECT session_id FROM listed_session WHERE "
PRICED: LiteralString = "state IN ('rated', 'released') AND energy_wh IS NOT NULL"
CUSTOMERS: LiteralString = "SELECT name FROM subject WHERE kind = 'customer' ORDER BY name"
NUMBERS: LiteralString = "SELECT number FROM issued_invoice ORDER BY "
TARIFFS: LiteralString = (
    "SELECT key FROM declaration WHERE kind = 'tariff' GROUP BY key ORDER BY key"
)
BEGAN: LiteralString = SESSIONS + "true ORDER BY coalesce(started_at, first_fact_at)"
TO_INVOICE: LiteralString = """
SELECT sum(gross_minor)::bigint FROM uninvoiced_session
WHERE customer IS NOT NULL AND currency = 'EUR'
"""
# The list, how it is sorted, in which of its columns the key stands, and what the books say.
ORDERS: Final[Sequence[tuple[str, str, int, LiteralString]]] = (
    ("sessions", "began", 1, BEGAN + ", 1 DESC"),
    ("sessions", "-began", 1, BEGAN + " DESC, 1"),
    ("sessions", "energy", 1, SESSIONS + PRICED + " ORDER BY energy_wh, 1 DESC"),
    ("sessions", "-energy", 1, SESSIONS + PRICED + " ORDER BY energy_wh DESC, 1"),
    ("customers", "customer", 0, CUSTOMERS),
    ("customers", "-customer", 0, CUSTOMERS + " DESC"),
    ("invoices", "number", 0, NUMBERS + "number"),
    ("invoices", "-issued_on", 0, NUMBERS + "issued_on DESC, number DESC"),
    ("invoices", "due", 0, NUMBERS + "due_minor, number"),
    ("tariffs", "-tariff", 0, TARIFFS + " DESC"),
)  # fmt: skip
ROW: Final = re.compile(r"<tr>\s*(<td.*?)</tr>", re.DOTALL)
CELL: Final = re.compile(r"<td[^>]*>\s*(?:<a[^>]*>)?\s*([^<]*?)\s*<", re.DOTALL)
NEXT: Final = re.compile(r'<a href="([^"]*)" rel="next"')
TAKEN: Final = re.compile(r'<a href="([^"]*)" download>')
PAGES_MAX: Final = 40


@pytest.fixture(scope="module")
def console(demo_dsn: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_dsn, demo_now(demo_folder)) as served:
        yield served


@pytest.fixture
def client(console: ServedConsole) -> Iterator[httpx.Client]:
    with console.client("ada", Role.AUDITOR) as client:
        yield client


def rows_of(html: str, caption: str) -> list[list[str]]:
    table = html[html.index(f"<caption>{caption}") :].partition("</table>")[0]
    return [[unescape(cell) for cell in CELL.findall(row)] for row in ROW.findall(table)]


def all_rows(client: httpx.Client, path: str, caption: str = "") -> list[list[str]]:
    """Return the rows of all pages of a list, as somebody finds them who goes on and on."""
    rows, here = list[list[str]](), path
    for _ in range(PAGES_MAX):
        html = client.get(here).raise_for_status().text
        rows += rows_of(html, caption)
        found = NEXT.search(html)
        if found is None:
            return rows
        here = unescape(found[1])
    pytest.fail(f"{path} does not come to an end")


def column(dsn: str, query: LiteralString) -> list[str]:
    with connect(dsn) as connection:
        return [found for (found,) in connection.execute(query).fetchall()]


def taken(client: httpx.Client, href: str) -> list[dict[str, str]]:
    answer = client.get(unescape(href)).raise_for_status()
    if "format=xlsx" in href:
        assert answer.content.startswith(b"PK")
        return []
    assert answer.headers["content-type"].startswith("text/csv")
    return [*csv.DictReader(io.StringIO(answer.text))]


@pytest.mark.parametrize(("name", "order", "place", "query"), ORDERS)
def test_a_list_has_each_row_once_in_the_order_of_the_books(
    console: ServedConsole,
    client: httpx.Client,
    name: str,
    order: str,
    place: int,
    query: LiteralString,
) -> None:
    path = f"/console/{name}?sort={order}"
    wanted = column(console.dsn, query)
    html = client.get(path).text
    # Above the invoices stands what they come to.
    caption = "Invoices" if name == "invoices" else ""

    assert len(wanted) > 1
    assert [row[place] for row in all_rows(client, path, caption)] == wanted
    said = "descending" if order.startswith("-") else "ascending"
    assert html.count(f'aria-sort="{said}"') == 1
    assert 'aria-sort="none"' in html or html.count("aria-sort") == 1
    assert client.get(f"/console/{name}").text.count('ending"') == 1


def test_what_is_no_order_is_said(client: httpx.Client) -> None:
    wrong = {}
    for path, status in (
        ("sessions?sort=cost", 400),
        ("sessions?sort=energy&state=held", 400),
        ("sessions?sort=energy&after=nothing", 400),
        ("sessions?sort=-energy&after=1~%27;--", 200),
        ("customers?sort=name", 400),
        ("invoices?sort=state", 400),
        ("tariffs?sort=version", 400),
        ("what-if?sort=by", 400),
        ("work/held?sort=amount", 400),
        ("work/overdue?sort=-since", 200),
        ("work/second?sort=-amount", 200),
        ("work/second?sort=-amount&after=x+y", 200),
        ("work/late?sort=-since&after=2026-03-01T00:00:00%2B00:00+x", 200),
    ):
        found = client.get(f"/console/{path}").status_code
        if found != status:
            wrong[path] = found

    assert wrong == {}


def test_who_sees_one_site_is_offered_no_order_that_reads_all(console: ServedConsole) -> None:
    site = Grant(Role.AUDITOR, "harbour-charging", "harbour")
    with console.client("sina", site) as client:
        html = client.get("/console/sessions?sort=began").text
        refused = client.get("/console/sessions?sort=energy")
        began = [row[0] for row in all_rows(client, "/console/sessions?sort=began")]

    assert "sort=energy" not in html
    assert refused.status_code == 400
    assert len(began) > 1


def test_every_kind_of_work_goes_both_ways(console: ServedConsole, client: httpx.Client) -> None:
    wanted = column(console.dsn, "SELECT session_id FROM session WHERE state = 'held' ORDER BY 1")
    down = [row[0] for row in all_rows(client, "/console/work/held?sort=-since")]
    up = [row[0] for row in all_rows(client, "/console/work/held?sort=since")]

    assert sorted(up) == wanted
    assert down == up[::-1]


FILES: Final = (
    ("customers", 2),
    ("sessions?sort=-energy", 2),
    ("tariffs?sort=-tariff", 2),
    ("energy?day=2026-03-31", 6),
    ("fleet/revenue", 2),
    ("integrity/account?account=revenue%3Aenergy", 2),
    ("work/held?sort=-since", 2),
    ("invoices?sort=due", 2),
    ("customers/sven-sander", 2),
    ("access", 2),
    ("access/changes", 2),
    ("access/drivers", 2),
)


def test_every_list_is_handed_out_as_it_is_filtered(client: httpx.Client) -> None:
    wrong = {}
    for path, count in FILES:
        html = client.get(f"/console/{path}").raise_for_status().text
        found = TAKEN.findall(html)
        files = [taken(client, href) for href in found]
        is_full = any(len(each) >= min(2, html.count("<tr>") - 1) for each in files)
        if len(found) != count or not is_full:
            wrong[path] = [len(found), *map(len, files)]

    assert wrong == {}


def test_what_is_taken_is_what_the_books_say(console: ServedConsole, client: httpx.Client) -> None:
    [files] = [taken(client, "/console/customers?format=csv")]
    energy = taken(client, "/console/energy?day=2026-03-31&format=csv&list=energy-2026-03-31")
    sessions = taken(client, "/console/sessions?sort=-energy&format=csv")
    with connect(console.dsn) as connection:
        [(waiting,)] = connection.execute(TO_INVOICE).fetchall()
        [(metered,)] = connection.execute(
            "SELECT sum(metered_wh) FROM energy_day WHERE day = '2026-03-31'"
        ).fetchall()

    euros = [Decimal(each["to_invoice"]) for each in files if each["currency"] == "EUR"]
    assert sum(euros) * 100 == waiting
    assert waiting
    line = taken(client, "/console/customers/nils-otto?format=csv")
    assert [each["at"] for each in line] == sorted((each["at"] for each in line), reverse=True)
    assert line
    assert {each["customer"] for each in files} == set(column(console.dsn, CUSTOMERS))
    assert sum(Decimal(each["metered"]) for each in energy[:-1]) == metered
    assert {each["metered_unit"] for each in energy} == {"Wh"}
    drawn = [Decimal(each["energy_wh"]) for each in sessions]
    assert drawn == sorted(drawn, reverse=True)


def test_a_list_that_a_page_has_not_is_no_file(client: httpx.Client) -> None:
    for path in (
        "customers/nobody?format=csv",
        "energy?format=csv&list=x",
        "energy?format=csv",
        "fleet/revenue?format=pdf",
    ):
        assert client.get(f"/console/{path}").status_code == 404, path
