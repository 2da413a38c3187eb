"""What every page of the console has: who gets in, in which words, fit for everybody."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser
from psycopg_pool import ConnectionPool

from deploy.console.wiring import OpenedDesk, console_side
from deploy.settings import Settings
from ledger.database import connect
from ledger.declared.store import NewestDeclarations
from ledger.log.postgres import PostgresEventLog
from ledger.users.roles import Grant, Role
from projections.console.console_words import SPOKEN, words_of
from projections.console.entry import FIELDS_MAX
from projections.console.environment import environment, template_files
from projections.console.navigation import SCREENS, Group
from projections.console.side import EXPORTS_MAX, ExportsBusyError
from tests.projections.console.browser import tab
from tests.projections.console.served_console import ServedConsole, served_console

NOON = datetime(2026, 4, 1, 10, tzinfo=UTC)
SAID = re.compile(r"""\bt\(\s*("[^"]*"|'[^']*')""")


ODD_ADDRESSES: Final = (
    # How it is asked for, the address, and what the page says of it.
    ("GET", "/console/nothing", 404, "/nothing"),
    ("GET", "/console/invoices/a/b/c/d", 404, ""),
    ("GET", "/console/invoices/%2F..%2f..%2fetc", 404, ""),
    ("GET", "/console/%E2%80%AE%00%1bx", 404, r"/\u202e\x00\x1bx"),
    ("GET", "/console/" + "a" * 60_000, 404, "a" * 1_000),
    ("GET", "//console/me?x=%ff", 200, ""),
    ("PUT", "/console/invoices", 405, ""),
    ("TRACE", "/console", 405, ""),
    ("POST", "/console/months", 405, ""),
)


@pytest.fixture
def console(database: str) -> Iterator[ServedConsole]:
    with served_console(database, NOON) as served:
        yield served


def test_nobody_gets_a_page_without_coming_in(console: ServedConsole) -> None:
    with console.client("anna") as client:
        client.cookies.clear()
        answer = client.get("/console/invoices?customer=7")

    assert answer.status_code == 303
    assert answer.headers["location"] == (
        "/console/login?next=%2Fconsole%2Finvoices%3Fcustomer%3D7"
    )


def test_who_has_no_role_is_told_how_to_get_one(console: ServedConsole) -> None:
    with console.client("anna") as client:
        answer = client.get("/console/")

    assert answer.status_code == 200
    assert "No role was given to you yet" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "private, no-store"


def test_a_form_of_a_million_fields_is_not_taken_apart(console: ServedConsole) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    with console.client("anna") as client:
        long = client.post("/console/logout", content=b"a&" * FIELDS_MAX, headers=kind)
        short = client.post("/console/logout", content=b"a&" * (FIELDS_MAX - 1), headers=kind)

    assert (long.status_code, short.status_code) == (400, 403)
    assert "at most 2000 fields" in long.text


def test_what_no_form_of_ours_sends_is_refused_and_no_fault_of_ours(
    console: ServedConsole,
) -> None:
    part = (
        b'--a\r\nContent-Disposition: form-data; name="name"\r\nContent-Type: text/plain; charset='
    )
    files = "multipart/form-data; boundary=a"
    sent = [
        (files, part + b"nope\r\n\r\nx\r\n--a--\r\n"),
        (files, part + b"utf-16\r\n\r\nx\r\n--a--\r\n"),
        ("multipart/form-data", b"x"),
        ("application/json", b"{"),
        ("text/plain", b"name=x"),
    ]
    with console.client("anna") as client:
        client.cookies.clear()
        refused = [
            client.post("/console/login", content=body, headers={"Content-Type": kind})
            for kind, body in sent
        ]

    assert [each.status_code for each in refused] == [403] * len(sent)


def test_who_leaves_before_the_end_of_a_form_fills_no_log(
    console: ServedConsole, caplog: pytest.LogCaptureFixture
) -> None:
    where = urlsplit(console.url)
    head = "POST /console/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    for _ in range(3):
        with socket.create_connection((where.hostname, where.port)) as leaving:
            leaving.sendall(f"{head}name=".encode())
            time.sleep(0.2)
    with socket.create_connection((where.hostname, where.port)) as stranger:
        stranger.sendall(b"no request at all\r\n\r\n")
        assert stranger.recv(100).startswith(b"HTTP/1.1 400 ")
    with console.client("anna") as client:
        assert client.get("/console/me").status_code == 200

    # What the test's own client says of itself is none of it.
    assert [e.getMessage() for e in caplog.records if not e.name.startswith("http")] == []


def test_a_form_of_another_page_changes_nothing(console: ServedConsole) -> None:
    with console.client("anna") as client:
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "https://example.org"},
            {"Origin": "null"},
            {},
        ):
            answer = client.post("/console/logout", data={"form_key": "guessed"}, headers=headers)
            assert answer.status_code == 403, headers
        assert client.get("/console/").status_code == 200


def test_whatever_is_asked_for_is_answered_by_a_page_that_can_be_read(
    console: ServedConsole,
) -> None:
    with console.client("anna", Role.AUDITOR) as client:
        for method, address, status, said in ODD_ADDRESSES:
            answer = client.send(client.build_request(method, f"{console.url}{address}"))
            shown = answer.text

            assert answer.status_code == status, address[:80]
            assert answer.headers["content-type"].startswith("text/html")
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert said in shown
            assert len(shown) < 20_000
            assert not re.search("[\x00\x1b\u202e]", shown)
            assert not re.search('(href|action)="//', shown)


def test_styles_and_scripts_are_kept_for_ever_by_their_address(console: ServedConsole) -> None:
    with console.client("anna") as client:
        html = client.get("/console/").text
        found = re.findall(r'(?:href|src)="(/console/static/[^"]+)"', html)
        answers = [client.get(each) for each in found]

    assert len(found) == 4
    assert {each.status_code for each in answers} == {200}
    assert all("immutable" in each.headers["cache-control"] for each in answers)
    assert sum(len(each.content) for each in answers) < 150_000


@pytest.mark.parametrize("name", ["nothing.js", "..%2fpage.py", "console.css%00"])
def test_nothing_else_is_served(console: ServedConsole, name: str) -> None:
    with console.client("anna") as client:
        assert client.get(f"/console/static/{name}").status_code == 404


def test_who_reads_no_export_on_keeps_nobody_out_for_ever(database: str) -> None:
    settings = Settings()
    desk = OpenedDesk(database, partial(PostgresEventLog, database), settings)
    pool: ConnectionPool[Any] = ConnectionPool(database, open=False)
    side = console_side(database, pool, NewestDeclarations(), lambda: NOON, desk, settings)
    with ExitStack() as exits:
        for _ in range(EXPORTS_MAX):
            connection = exits.enter_context(side.exporting())
        [(idle,)] = connection.execute("SHOW idle_in_transaction_session_timeout").fetchall()
        with pytest.raises(ExportsBusyError), side.exporting():
            pass
    with side.exporting():
        pass

    assert idle == "5min"


def test_the_shell_is_fit_in_a_browser(console: ServedConsole, chromium: Browser) -> None:
    cookie = console.cookie("anna", Grant(Role.AUDITOR), language="de")
    with tab(chromium, console.url, cookie) as opened:
        answer = opened.page.goto(f"{console.url}/console/nowhere")
        assert answer is not None
        assert answer.status == 404
        opened.troubles.clear()  # the browser's own word on the 404

        assert opened.text("h1") == "Hier ist nichts"
        assert "Rechnungen" in opened.text("nav.screens")
        opened.page.keyboard.press("/")
        assert opened.page.evaluate("document.activeElement.id") == "q"
        opened.assert_is_fit("refused")


@pytest.mark.parametrize("name", sorted(template_files()))
def test_each_template_is_one(name: str) -> None:
    assert environment().get_template(name).name == name


@pytest.mark.parametrize("tag", [each for each in SPOKEN if each != "en"])
def test_each_word_of_a_template_is_said_in_each_language(tag: str) -> None:
    words = words_of(tag)
    said = {
        text[1:-1]
        for file in template_files().values()
        for text in SAID.findall(file.read_text("utf-8"))
    }
    said |= {each.title for each in SCREENS} | {each.value for each in Group}

    assert said
    assert sorted(text for text in said if not words.has(text)) == []


def test_the_browser_says_which_language_unless_one_was_chosen() -> None:
    assert words_of("", "fr-CH, de;q=0.8").tag == "fr"
    assert words_of("", "pl, de-AT;q=0.8").tag == "de"
    assert words_of("de", "fr").tag == "de"
    assert words_of("", "").tag == "en"


@pytest.mark.timeout(600)
def test_a_copy_of_the_demo_is_changed_and_the_demo_is_not(demo_dsn: str, demo_copy: str) -> None:
    with connect(demo_copy) as copy:
        copy.execute("DELETE FROM open_invoice")

    with connect(demo_dsn) as connection, connect(demo_copy) as copy:
        count = "SELECT count(*) FROM issued_invoice"
        assert connection.execute(count).fetchone() == copy.execute(count).fetchone() != (0,)
