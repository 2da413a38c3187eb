"""Invoices on the demo's month: what the pages say is what the books say, and each is fit."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from html import unescape
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.log.postgres import PostgresEventLog
from ledger.users.roles import Grant, Role
from ledger.users.views.saved_views import VIEWS_MAX
from projections.audit.trail import explain
from projections.console.console_words import words_of
from projections.console.links import invoice_link, number_in
from projections.finding.document_sums import document_sums
from projections.finding.documents import DocumentWish
from projections.journal.chart import declared_chart
from projections.journal.csv_lines import csv_lines
from projections.journal.days import book_days
from projections.journal.entries import booked_entries
from tests.projections.console.browser import tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.said_texts import texts_of_code, texts_of_templates
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)
FINANCE = Grant(Role.FINANCE)
LARGE = "HC-2026-000109"
"""A month's invoice of a hundred sessions and more."""
NOTE = "HC-CN-2026-000001"
SUM = """
SELECT currency, sum(CASE WHEN credits IS NULL THEN due_minor ELSE -due_minor END)::bigint,
    count(*) FILTER (WHERE credits IS NULL), count(*) FILTER (WHERE credits IS NOT NULL)
FROM issued_invoice GROUP BY currency ORDER BY currency
"""
CELL = re.compile(r"<td[^>]*>(.*?)</td>", re.DOTALL)
TAG = re.compile(r"<[^>]+>")


@pytest.fixture(scope="module")
def console(demo_dsn: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_dsn, demo_now(demo_folder)) as served:
        yield served


@pytest.fixture
def client(console: ServedConsole) -> Iterator[httpx.Client]:
    with console.client("fay", FINANCE) as made:
        yield made


def table(html: str, caption: str) -> list[list[str]]:
    """Return the rows of the table with a caption, as texts."""
    for part in html.split("<table>")[1:]:
        whole = part.partition("</table>")[0]
        if f"<caption>{caption}" in unescape(whole):
            rows = whole.partition("<tbody>")[2].split("<tr>")[1:]
            return [
                [" ".join(unescape(TAG.sub(" ", cell)).split()) for cell in CELL.findall(row)]
                for row in rows
            ]
    return []


def numbers(html: str) -> list[str]:
    return [row[0] for row in table(html, "Invoices and credit notes")]


def every_page(client: httpx.Client, path: str) -> list[str]:
    """Return the numbers of all pages of a list, each as it stands there."""
    found, address = list[str](), path
    while address:
        html = client.get(address).text
        found += numbers(html)
        more = re.search(r'href="([^"]+)" rel="next"', html)
        address = unescape(more[1]) if more else ""
    return found


def test_the_total_of_a_filter_is_that_of_the_books(
    console: ServedConsole, client: httpx.Client
) -> None:
    with connect(console.dsn) as connection:
        sums = connection.execute(SUM).fetchall()
    money = words_of("en").language.money

    shown = table(client.get("/console/invoices").text, "Total of this filter")

    assert [(row[0], row[1], row[2], row[5]) for row in shown] == [
        (currency, str(count), str(notes), money(minor, currency))
        for currency, minor, count, notes in sums
    ]
    assert sums


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("number=HC-CN", "starts_with(number, 'HC-CN')"),
        ("kind=credit_note", "credits IS NOT NULL"),
        ("kind=invoice&currency=GBP", "credits IS NULL AND currency = 'GBP'"),
        ("month=2026-03", "issued_on BETWEEN '2026-03-01' AND '2026-03-31'"),
        ("from=2026-03-10&to=2026-03-20", "issued_on BETWEEN '2026-03-10' AND '2026-03-20'"),
        ("currency=EUR&min=10&max=20", "currency = 'EUR' AND due_minor BETWEEN 1000 AND 2000"),
        ("state=open", "number IN (SELECT number FROM open_invoice WHERE open_minor > 0)"),
        ("state=credited", "number IN (SELECT credits FROM issued_invoice)"),
        (
            "state=paid",
            """credits IS NULL AND number NOT IN (SELECT number FROM open_invoice) AND due_minor >
            (SELECT coalesce(sum(n.due_minor), 0) FROM issued_invoice n
            WHERE n.credits = i.number)""",
        ),
    ],
)  # fmt: skip
def test_a_filter_finds_what_the_books_have_page_by_page(
    console: ServedConsole, client: httpx.Client, query: str, condition: str
) -> None:
    with connect(console.dsn) as connection:
        select = f"SELECT number FROM issued_invoice AS i WHERE {condition}"
        wanted = sorted(number for (number,) in connection.execute(select))

    found = every_page(client, f"/console/invoices?{query}")

    assert sorted(found) == wanted
    exported = list(
        csv.DictReader(client.get(f"/console/invoices?{query}&format=csv").text.splitlines())
    )
    assert [each["number"] for each in exported] == found
    due = {each["currency"]: Decimal(0) for each in exported}
    for each in exported:
        due[each["currency"]] += Decimal(each["due"])
    html = client.get(f"/console/invoices?{query}").text
    totals = {row[0]: row[5] for row in table(html, "Total of this filter")}
    money = words_of("en").language.money
    assert totals == {key: money(int(amount.scaleb(2)), key) for key, amount in due.items()}


def test_the_sums_that_are_kept_by_day_are_those_of_the_documents(console: ServedConsole) -> None:
    with connect(console.dsn) as connection:
        kept = document_sums(connection, DocumentWish())
        # A number that all have is no filter of days: the documents themselves are added up.
        added = document_sums(connection, DocumentWish(number_prefix=""), is_whole=True)

    assert kept == added
    assert kept


def test_a_workbook_has_the_same_rows_and_no_formula(client: httpx.Client) -> None:
    filtered = "/console/invoices?kind=credit_note&format="
    book = zipfile.ZipFile(io.BytesIO(client.get(f"{filtered}xlsx").content))

    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert NOTE in sheet
    assert sheet.count("<row ") == len(client.get(f"{filtered}csv").text.splitlines()) > 1


@pytest.mark.parametrize(
    "query",
    [
        "month=2026-13", "from=yesterday", "min=x&currency=EUR", "min=3", "state=lost", "kind=x",
        "sort=shoe", "after=x", "min=1e999999&currency=EUR",
        "sort=due&after=99999999999999999999999~x",
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/console/invoices?{query}")

    assert answer.status_code == 400
    assert 'role="alert"' in answer.text


def test_a_view_is_one_click(client: httpx.Client) -> None:
    html = client.get("/console/invoices?state=open").text
    key = re.search(r'name="form_key" value="([^"]+)"', html)
    assert key is not None
    data = {"form_key": key[1], "title": "Mine <b>", "query": "state=open&evil=1&sort=-due"}

    answer = client.post("/console/invoices/views", data=data)

    assert answer.headers["location"] == "/console/invoices?state=open&sort=-due"
    html = client.get("/console/invoices").text
    assert '<a href="/console/invoices?state=open&amp;sort=-due">Mine &lt;b&gt;</a>' in html
    for number in range(VIEWS_MAX - 1):
        client.post("/console/invoices/views", data={**data, "title": str(number)})
    refused = client.post("/console/invoices/views", data={**data, "title": "one more"})
    assert refused.status_code == 409
    client.post("/console/invoices/views", data={**data, "act": "forget"})
    assert "Mine &lt;b&gt;" not in client.get("/console/invoices").text


def test_no_name_stands_in_what_is_kept_of_a_view(console: ServedConsole) -> None:
    with console.client("vera", FINANCE) as vera, connect(console.dsn) as connection:
        data = {"title": "His", "query": "customer=hanno-ipsen&state=open"}
        key = re.search(r'name="form_key" value="([^"]+)"', vera.get("/console/invoices").text)
        assert key is not None
        data["form_key"] = key[1]
        kept = vera.post("/console/invoices/views", data=data)
        nobody = vera.post("/console/invoices/views", data={**data, "query": "customer=h.+ipsen"})
        shown = vera.get("/console/invoices").text
        [(query,)] = connection.execute("SELECT query FROM saved_view WHERE name = 'vera'")

    assert kept.headers["location"] == "/console/invoices?customer=hanno-ipsen&state=open"
    assert '<a href="/console/invoices?customer=hanno-ipsen&amp;state=open">His</a>' in shown
    assert re.fullmatch("customer=p-[0-9a-f]{32}&state=open", query)
    assert nobody.status_code == 409


@pytest.mark.parametrize(
    "path",
    [
        "", "/pdf", "/xml", "/html", "/lines/1", "/credit", "/credit/note",
    ],
)  # fmt: skip
def test_what_is_out_of_reach_is_not_there(console: ServedConsole, path: str) -> None:
    elsewhere = Grant(Role.FINANCE, "quayside-energy")
    address = f"/console/invoices/{LARGE}{path}"
    with console.client("quinn", elsewhere) as client:
        assert client.get(address).status_code == 404
        assert LARGE not in client.get("/console/invoices?number=HC").text
        assert LARGE not in client.get("/console/invoices?format=csv").text
    with console.client("site", Grant(Role.FINANCE, "quayside-energy", "quayside")) as client:
        assert client.get(address).status_code == 404
    with console.client("otto", Role.OPERATIONS) as client:
        assert client.get(address).status_code == 403
    with console.client("fay", FINANCE) as client:
        assert client.get(f"/console/invoices/NONE{path}").status_code == 404


def test_a_document_is_what_was_issued(console: ServedConsole, client: httpx.Client) -> None:
    query = "SELECT sha256, due_minor, currency FROM issued_invoice WHERE number = %s"
    files = "SELECT pdf_sha256, xml_sha256 FROM rendered_document WHERE number = %s"
    with connect(console.dsn) as connection:
        [(digest, due_minor, currency)] = connection.execute(query, (LARGE,)).fetchall()
        [(pdf, xml)] = connection.execute(files, (LARGE,)).fetchall()

    html = client.get(f"/console/invoices/{LARGE}").text

    assert digest in html
    assert words_of("en").language.money(due_minor, currency) in html
    assert sha256(client.get(f"/console/invoices/{LARGE}/pdf").content).hexdigest() == pdf
    assert sha256(client.get(f"/console/invoices/{LARGE}/xml").content).hexdigest() == xml
    screen = client.get(f"/console/invoices/{LARGE}/html")
    assert "unsafe" not in screen.headers["content-security-policy"]
    pages = [f"/console/invoices/{LARGE}?after={after}" for after in ("", 50, 100)]
    lines = [row for each in pages for row in table(client.get(each).text, "Lines")]
    assert [int(row[0]) for row in lines] == list(range(1, len(lines) + 1))


def test_a_number_with_a_slash_has_an_address_of_its_own() -> None:
    address = invoice_link("HC/26/0001.a_b")

    assert address == "/console/invoices/HC~26~0001.a_b"
    assert number_in(address.rpartition("/")[2]) == "HC/26/0001.a_b"


def test_a_line_leads_down_to_its_frames(console: ServedConsole, client: httpx.Client) -> None:
    with connect(console.dsn) as connection, PostgresEventLog(console.dsn) as log:
        [explained] = explain(connection, log, LARGE, 2).lines

    html = unescape(client.get(f"/console/invoices/{LARGE}/lines/2").text)

    assert explained.rating.sha256 in html
    assert explained.price.tariff_hash in html
    assert f"/console/tariffs/{explained.price.tariff_id}" in html
    assert explained.start_frame is not None
    assert explained.start_frame.frame in html
    assert explained.start_frame.sha256 in html
    readings = table(html, "Meter readings of this line")
    assert [row[3] for row in readings] == [
        "" if each.frame is None else each.frame.position for each in explained.readings
    ]
    assert client.get(f"/console/invoices/{LARGE}/lines/100000").status_code == 404


def test_the_journal_is_that_of_the_command(console: ServedConsole, client: httpx.Client) -> None:
    answer = client.get("/console/journal?legal_entity=harbour-charging&period=2026-03&format=csv")

    with connect(console.dsn) as connection, connection.transaction():
        declared = load_declarations(connection)
        days = book_days(declared, legal_entity="harbour-charging", period="2026-03")
        entries = booked_entries(connection, days)
        expected = "".join(csv_lines(entries, declared_chart(declared)))
    assert answer.text == expected
    assert len(answer.text.splitlines()) > 100


def test_each_text_is_said_in_each_language() -> None:
    said = texts_of_templates("invoices") | texts_of_code("invoices", _cannot=(0,))

    assert said
    for tag in ("de", "fr"):
        words = words_of(tag)
        assert sorted(each for each in said if not words.has(each)) == []


def test_an_invoice_is_found_and_proved_by_keyboard(
    console: ServedConsole, chromium: Browser
) -> None:
    cookie = console.cookie("kay", FINANCE)
    with tab(chromium, console.url, cookie) as opened:
        opened.open("/console/invoices")
        opened.tab_to("#number")
        opened.page.keyboard.type(LARGE)
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url("**number=HC-2026-000109*")
        opened.assert_is_fit("invoices")
        opened.tab_to("details:has(form[action$='/views']) summary")
        opened.page.keyboard.press("Enter")
        opened.tab_to("form[action$='/views'] #title")
        opened.page.keyboard.type("the large one")
        with opened.page.expect_navigation():
            opened.page.keyboard.press("Enter")
        assert "the large one" in opened.text("main")
        opened.tab_to(f"main td a[href='/console/invoices/{LARGE}']")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url(f"**/invoices/{LARGE}")
        assert LARGE in opened.text("h1")
        opened.assert_is_fit("invoice")
        opened.tab_to("main a[href$='/lines/2']")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url("**/lines/2")
        opened.assert_is_fit("invoice-line")
        opened.open("/console/journal")
        opened.assert_is_fit("journal")
