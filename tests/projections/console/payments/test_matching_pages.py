"""Money that waits, matched on its pages: by one person, by two, and by nobody who did not read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from csv import DictReader
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any, LiteralString

import httpx
import pytest
from playwright.sync_api import Browser

from ledger.database import connect
from ledger.payments.bank.standing import RETURNS
from ledger.users.roles import Grant, Role
from projections.balances.trial import trial_balance
from projections.console.console_words import words_of
from projections.console.page import FORM_KEY
from projections.replay.movements import compare_movements
from projections.replay.payouts import compared_payouts
from tests.ledger.payments.bank.bank_files import Booked
from tests.projections.console.browser import tab
from tests.projections.console.demo_month import demo_now
from tests.projections.console.payments.money_waiting import HARBOUR, import_lines, unexplained
from tests.projections.console.served_console import ServedConsole, served_console

pytestmark = pytest.mark.timeout(600)
HERE = "/console/payments"
FINANCE = Grant(Role.FINANCE)
LAST: LiteralString = "SELECT number, recorded_by, about FROM movement ORDER BY number DESC LIMIT 1"
PAID: LiteralString = """
SELECT reference, document, minor FROM movement JOIN allotment USING (number)
WHERE kind = 'banked' AND document IN (SELECT number FROM issued_invoice)
    AND legal_entity = 'harbour-charging' AND minor = amount_minor ORDER BY number LIMIT 1
"""


@pytest.fixture
def at(demo_folder: Path) -> datetime:
    return demo_now(demo_folder)


@pytest.fixture
def console(demo_copy: str, at: datetime) -> Iterator[ServedConsole]:
    with served_console(demo_copy, at) as served:
        yield served


def ask(console: ServedConsole, query: LiteralString, *given: object) -> list[Any]:
    with connect(console.dsn) as connection:
        return connection.execute(query, given or None).fetchall()


def fields_of(html: str) -> dict[str, str]:
    """Return what the form of a preview brings along."""
    form = re.search(r'<form class="actions" method="post".*?</form>', html, re.DOTALL)
    assert form is not None, html
    pairs = re.findall(r'name="([^"]+)" value="([^"]*)"', form[0])
    return {name: unescape(value) for name, value in pairs}


def agree(client: httpx.Client, path: str, **asked: str) -> httpx.Response:
    """Look at what would be booked, and press its button."""
    return client.post(path, data=fields_of(client.get(path, params=asked).text))


def assert_books_hold(console: ServedConsole) -> None:
    with connect(console.dsn) as connection:
        assert trial_balance(connection).is_balanced
        compared = [*compare_movements(connection), *compared_payouts(connection)]
    assert [each for each in compared if each.kept != each.again] == []


def test_two_persons_match_a_line_by_keyboard_from_the_work_list_on(
    console: ServedConsole, at: datetime, chromium: Browser
) -> None:
    [line] = import_lines(console.dsn, at, Booked(250_000, "Danke!", payer="Grüße & Söhne"))
    here = f"{HERE}/lines/{line}"
    with tab(chromium, console.url, console.cookie("mara", FINANCE)) as opened:
        opened.open("/console/work")
        opened.follow("Unmatched bank lines")
        assert "Grüße & Söhne" in opened.text("main")
        opened.assert_is_fit("payments-unmatched")
        opened.tab_to(f'a[href="{here}"]')
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url(f"**{here}")
        opened.tab_to("#account")
        opened.page.keyboard.type("income:donations")
        opened.page.keyboard.press("Enter")
        opened.page.wait_for_url("**account=income*")
        assert "€2,500.00" in opened.text("section")
        opened.assert_is_fit("payments-preview")
        opened.send("Propose it")
        assert "mara proposed" in opened.text("main")
        opened.follow("Look at the proposal")
        assert "You proposed this yourself" in opened.text("section")
    with tab(chromium, console.url, console.cookie("theo", FINANCE)) as opened:
        opened.open("/console/work/second")
        opened.follow(line)
        opened.send("Agree and book it")
        assert "nothing of this line waits" in opened.text("main")
        opened.assert_is_fit("payments-line")
        opened.follow(str(ask(console, LAST)[0][0]))
        opened.assert_is_fit("payments-movement")
        for place in ("", "/payouts", "/disputes"):
            opened.open(HERE + place)
            opened.assert_is_fit(f"payments{place}")

    assert ask(console, LAST)[0][1:] == ("mara, theo", line)
    assert ask(console, "SELECT FROM unmatched_line") == []
    booked = "SELECT amount_minor FROM posting WHERE account = 'income:donations'"
    assert ask(console, booked) == [(-250_000,)]
    assert_books_hold(console)


def test_a_line_is_taken_back_and_matched_with_what_it_may_be_for(
    console: ServedConsole,
) -> None:
    [(line, invoice, minor)] = ask(console, PAID)
    path, money = f"{HERE}/lines/{line}", words_of("en").language.money
    with console.client("mara", FINANCE) as client:
        assert "Take it back" in client.get(path).text
        preview = unescape(client.get(path, params={"undo": "1"}).text)
        assert "Open afterwards</th>" in preview
        done = agree(client, path, undo="1")
        assert done.status_code == 303, done.text
        [(opened,)] = ask(console, "SELECT open_minor FROM open_invoice WHERE number = %s", invoice)
        listed = unescape(client.get(f"{HERE}/unmatched").text)
        assert invoice in listed
        assert "its number is named" in listed
        page = unescape(client.get(path).text)
        assert f"documents={invoice}" in page
        part = agree(client, path, documents=f"{invoice}:0.01")
        assert part.status_code == 303, part.text
        assert f"{money(minor - 1, 'EUR')} still wait" in unescape(client.get(path).text)
        whole = agree(client, path, documents=invoice)
        assert whole.status_code == 303, whole.text

    assert opened == minor
    assert ask(console, "SELECT FROM unmatched_line") == []
    assert ask(console, "SELECT FROM open_invoice WHERE number = %s", invoice) == []
    assert_books_hold(console)


def test_nothing_is_booked_that_was_not_read(console: ServedConsole, at: datetime) -> None:
    [line] = import_lines(console.dsn, at, Booked(900, "?"))
    path = f"{HERE}/lines/{line}"
    with console.client("mara", FINANCE) as client:
        read = fields_of(client.get(path, params={"account": "income:a"}).text)
        without = {name: value for name, value in read.items() if name != "agreed"}
        answers = [
            client.post(path, data=without),
            client.post(path, data={**read, "account": "income:b"}),
            client.post(path, data={**read, "returned": "1"}),
            client.post(path, data={**read, FORM_KEY: "x"}),
        ]
        twice = [client.post(path, data=read) for _ in range(2)]

    assert [each.status_code for each in answers] == [409, 409, 409, 403]
    assert [each.status_code for each in twice] == [303, 409]
    assert "nothing of it waits" in twice[1].text
    [(count,)] = ask(console, "SELECT count(*) FROM movement WHERE about = %s", line)
    assert count == 1


def test_what_waits_for_a_second_person_is_withdrawn_with_a_reason(
    console: ServedConsole, at: datetime
) -> None:
    [line] = import_lines(console.dsn, at, Booked(250_000, "?"))
    number = unexplained(console.dsn, at, 150_000)
    for path in (f"{HERE}/lines/{line}", f"{HERE}/{number}"):
        with console.client("mara", FINANCE) as client:
            agree(client, path, account="income:odd")
            waits = client.get(path).text
        with console.client("theo", FINANCE) as client:
            key = re.search(rf'name="{FORM_KEY}" value="([^"]+)"', client.get(path).text)
            assert key is not None
            form = {FORM_KEY: key[1]}
            unsaid = client.post(f"{path}/withdraw", data=form)
            done = client.post(f"{path}/withdraw", data={**form, "because": "it is a <loan>"})
            again = client.post(f"{path}/withdraw", data={**form, "because": "it is a loan"})
            left = unescape(client.get(path).text)
        with console.client("anna", Grant(Role.AUDITOR)) as client:
            assert "Withdraw the proposal" not in client.get(path).text

        assert "Withdraw the proposal" in waits
        assert (unsaid.status_code, done.status_code, again.status_code) == (400, 303, 409)
        assert "Proposals that were withdrawn" in left
        assert "it is a <loan>" in left
        assert "takes a second person" not in left
    assert ask(console, "SELECT FROM match_proposal UNION ALL SELECT FROM money_proposal") == []


UNFIT: Sequence[tuple[dict[str, str], str]] = (
    ({"documents": "HC-1999-000001"}, "there is no document HC-1999-000001 of harbour-charging"),
    ({"documents": "QE-2026-000001"}, "there is no document QE-2026-000001 of harbour-charging"),
    ({"documents": "x " * 300}, "at most 200 documents"),
    ({"documents": "A:1,234"}, "expected a document's number"),
    ({"account": "receivable:invoiced"}, "is no account for that"),
    ({"account": "a:b", "returned": "1"}, "not to two"),
    ({"balance": "nobody"}, "there is no customer"),
    ({"undo": "1"}, "matched with nothing"),
    ({"documents": "<script>alert(1)</script>"}, "&lt;script&gt;"),
)


def test_what_cannot_be_is_said_before_anything_is_booked(
    console: ServedConsole, at: datetime
) -> None:
    [line] = import_lines(console.dsn, at, Booked(900, "?"))
    with console.client("mara", FINANCE) as client:
        for asked, said in UNFIT:
            html = client.get(f"{HERE}/lines/{line}", params=asked).raise_for_status().text

            assert said in (html if said.startswith("&") else unescape(html)), asked
            assert "<script>alert" not in html
            assert 'name="agreed"' not in html, asked


def test_what_payers_wrote_is_escaped_and_computed_by_no_spreadsheet(
    console: ServedConsole, at: datetime
) -> None:
    evil = '<img src=x onerror="alert(1)">'
    import_lines(console.dsn, at, Booked(900, evil, payer="=HYPERLINK(1)"), Booked(-100, "fee"))
    with console.client("mara", FINANCE) as client:
        html = client.get(f"{HERE}/unmatched").text
        one = client.get(f"{HERE}/unmatched?text=ONERROR").text
        file = client.get(f"{HERE}/unmatched?format=csv&way=in").text
        book = client.get(f"{HERE}/unmatched?format=xlsx")
    with console.client("ada", Role.AUDITOR) as client:
        line = re.findall(r"lines/([^\"]+)\"", html)[0]
        seen = client.get(f"{HERE}/lines/{line}?account=income:a").text
        barred = client.post(f"{HERE}/lines/{line}", data=dict(fields_of(html_of(client))))
    with console.client("quinn", Grant(Role.FINANCE, "quayside-energy")) as client:
        other = client.get(f"{HERE}/unmatched").text
        away = client.post(f"{HERE}/lines/{line}", data=fields_of(html_of(client)))

    assert evil not in html
    assert html.count("/lines/") > one.count("/lines/") > 0
    [row] = DictReader(file.splitlines())
    assert (row["unmatched"], row["other_side"], row["says"]) == ("9.00", "'=HYPERLINK(1)", evil)
    assert book.content.startswith(b"PK")
    assert "What would be booked" in seen
    assert 'name="agreed"' not in seen
    assert barred.status_code == 403
    assert "/lines/" not in other
    assert away.status_code == 404


def html_of(client: httpx.Client) -> str:
    """Return a page of which the form has this browser's key alone."""
    key = re.search(rf'name="{FORM_KEY}" value="([^"]+)"', client.get("/console/me").text)
    assert key is not None
    return f'<form class="actions" method="post"><i name="{FORM_KEY}" value="{key[1]}"></form>'


def test_money_at_a_provider_is_explained_by_one_or_two(
    console: ServedConsole, at: datetime
) -> None:
    small = unexplained(console.dsn, at, 500, "txn_small")
    large = unexplained(console.dsn, at, -300_000, "txn_large")
    with console.client("mara", FINANCE) as client:
        listed = client.get(f"{HERE}/unmatched?source=provider").text
        done = agree(client, f"{HERE}/{small}", account="income:tips", amount="2,00")
        again = agree(client, f"{HERE}/{small}", account="income:tips")
        proposed = agree(client, f"{HERE}/{large}", account="costs:goodwill")
        own = client.get(f"{HERE}/{large}?proposal=1").text
    with console.client("theo", FINANCE) as client:
        agreed = agree(client, f"{HERE}/{large}", proposal="1")
        empty = client.get(f"{HERE}/unmatched").text

    assert all(f"{HERE}/{number}" in listed for number in (small, large))
    assert {each.status_code for each in (done, again, proposed, agreed)} == {303}
    assert "You proposed this yourself" in own
    assert "Nothing of this waits" in empty
    assert ask(console, LAST)[0][1:] == ("mara, theo", f"movement:{large}")
    assert_books_hold(console)


def test_what_goes_back_is_owed_and_totals_are_the_books(
    console: ServedConsole, at: datetime
) -> None:
    lines = import_lines(console.dsn, at, Booked(1234, "a"), Booked(4321, "b"), Booked(-55, "c"))
    [(waits,)] = ask(
        console, "SELECT sum(minor)::bigint FROM allotment WHERE account = 'cash:unmatched'"
    )
    money = words_of("en").language.money
    with console.client("mara", FINANCE) as client:
        html = unescape(client.get(f"{HERE}/unmatched?entity={HARBOUR}").text)
        done = agree(client, f"{HERE}/lines/{lines[0]}", returned="1")

    assert waits == 1234 + 4321 - 55
    assert money(5555, "EUR") in html
    assert money(-55, "EUR") in html
    assert done.status_code == 303
    owed = "SELECT -sum(amount_minor)::bigint FROM posting WHERE account = %s"
    assert ask(console, owed, RETURNS) == [(4321,)]
