"""Months in the console: what they show is what the books say, and two people close them."""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ledger.database import connect
from ledger.periods.periods import AccountingPeriods
from ledger.users.roles import Grant, Role
from projections.closing.month_balance import month_balance
from projections.closing.period_list import came_afterwards, listed_periods
from tests.projections.console.demo_month import demo_now
from tests.projections.console.month_forms import send, wait_for_jobs
from tests.projections.console.served_console import ServedConsole, served_console

MONTHS = "/console/months"
QUAYSIDE = f"{MONTHS}/quayside-energy/2026-03"
HARBOUR = f"{MONTHS}/harbour-charging/2026-03"
HARBOUR_ALONE = Grant(Role.FINANCE, legal_entity="harbour-charging")

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def console(demo_dsn: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_dsn, demo_now(demo_folder)) as served:
        yield served


@pytest.fixture
def own_console(demo_copy: str, demo_folder: Path) -> Iterator[ServedConsole]:
    with served_console(demo_copy, demo_now(demo_folder)) as served:
        yield served


def said(answer: httpx.Response) -> str:
    return html.unescape(answer.text)


def test_the_months_are_those_of_the_books(console: ServedConsole) -> None:
    with console.client("anna", Role.FINANCE) as client:
        shown = said(client.get(MONTHS))
    with connect(console.dsn) as connection, AccountingPeriods(console.dsn) as periods:
        months = listed_periods(connection, periods, None)

    assert len(months) == 4
    for each in months:
        row = shown[shown.index(f"{MONTHS}/{each.legal_entity}/{each.month}") :]
        row = row[: row.index("</tr>")]
        assert f">{each.entries:,}</a>" in row
        assert (each.closed_by or "") in row
    assert shown.index("2026-04") < shown.index("2026-03")


def test_a_month_shows_its_books(console: ServedConsole) -> None:
    with console.client("anna", Role.FINANCE) as client:
        shown = said(client.get(HARBOUR))
    with connect(console.dsn) as connection:
        balance = month_balance(connection, "2026-03", legal_entity="harbour-charging")
        later = came_afterwards(connection, "harbour-charging", "2026-03", limit=9)

    assert later.count == 2
    for entry in later.entries:
        assert entry.entry in shown
    kept = shown[shown.index("Trial balance at the close") :]
    for account in balance.accounts:
        row = kept[kept.index(f">{account.account}<") :]
        row = row[: row.index("</tr>")]
        assert f"€{account.debit_minor / 100:,.2f}" in row
        assert f"€{account.credit_minor / 100:,.2f}" in row
    assert "It is closed." in shown
    assert "What is kept is what was hashed." in shown
    assert "Its trial balance is what it was." in shown


@pytest.mark.parametrize(
    ("grant", "path", "status"),
    [
        pytest.param(Role.PRICING, MONTHS, 403, id="pricing sees no month"),
        pytest.param(Role.AUDITOR, HARBOUR, 200, id="an auditor sees a month"),
        pytest.param(HARBOUR_ALONE, HARBOUR, 200, id="one's own month is there"),
        pytest.param(HARBOUR_ALONE, QUAYSIDE, 404, id="another one's is not"),
        pytest.param(
            Grant(Role.FINANCE, "harbour-charging", "harbour"), HARBOUR, 404, id="a site has none"
        ),
        pytest.param(Role.FINANCE, f"{MONTHS}/nobody/2026-03", 404, id="nobody has none"),
        pytest.param(Role.FINANCE, f"{HARBOUR}1", 404, id="2026-031 is no month"),
        pytest.param(Role.FINANCE, f"{HARBOUR}%00", 404, id="nor is one with a NUL"),
        pytest.param(Role.FINANCE, f"{MONTHS}/harbour-charging/2031-01", 200, id="one to come is"),
    ],
)
def test_who_sees_which_month(
    console: ServedConsole, grant: Grant | Role, path: str, status: int
) -> None:
    where = grant if isinstance(grant, Grant) else Grant(grant)
    name = f"{where.role}-{where.legal_entity}-{where.site}"
    with console.client(name, where) as client:
        assert client.get(path).status_code == status


def test_lists_are_cut_to_who_may_see(console: ServedConsole) -> None:
    with console.client("harriet", HARBOUR_ALONE) as client:
        shown = client.get(MONTHS).text
        exported = client.get(f"{MONTHS}?format=csv").text

    assert "harbour-charging" in shown
    assert "2026-03,harbour-charging,closed,672,mara,jonas," in exported
    assert "quayside" not in shown + exported


def test_an_auditor_closes_nothing(console: ServedConsole) -> None:
    with console.client("audrey", Role.AUDITOR) as client:
        assert "Ask to open it again" not in client.get(HARBOUR).text
        for act in ("soft-close", "sign-off", "close", "reopen", "keep-closed"):
            answer = send(client, f"{HARBOUR}/{act}", HARBOUR, reason="because")
            assert answer.status_code == 403, act


def test_two_people_open_a_month_again_and_two_close_it(own_console: ServedConsole) -> None:
    dsn = own_console.dsn
    with (
        own_console.client("anna", Role.FINANCE) as anna,
        own_console.client("bert", Role.FINANCE) as bert,
    ):

        def act(who: httpx.Client, what: str, **fields: str) -> str:
            answer = send(who, f"{QUAYSIDE}/{what}", QUAYSIDE, **fields)
            if answer.status_code == 303:
                return said(who.get(answer.headers["location"]))
            assert answer.status_code == 409, answer.text
            return said(answer)

        assert "Say why" in act(anna, "reopen", reason="  ")
        assert "Asked for" in act(anna, "reopen", reason="an invoice\0<b>is</b>\r\nmissing")
        assert "You began it" in act(anna, "reopen", reason="so do I")
        opened = act(bert, "reopen", reason="so it is")
        assert "It is open again." in opened
        assert "an invoice <b>is</b> missing" in opened
        assert "<b>is</b>" not in bert.get(QUAYSIDE).text

        assert "characters" in act(anna, "soft-close", reason="x" * 501)
        assert "It takes no more entries." in act(anna, "soft-close")
        assert "You began it" in act(anna, "close")
        refused = act(bert, "sign-off", item="held", look="999999", reason="why not")
        assert "nobody saw that" in refused
        assert "It is being closed" in act(bert, "close")
        wait_for_jobs(dsn)
        shown = said(bert.get(QUAYSIDE))
        assert "soft-closed it" in shown
        assert "It is closed." in shown
    with AccountingPeriods(dsn) as periods:
        period = periods.find("quayside-energy", "2026-03")
    assert [(act, by) for act, by, _, _ in period.moves[-4:]] == [
        ("reopen", "anna"),
        ("reopen", "bert"),
        ("soft-close", "anna"),
        ("close", "bert"),
    ]
    assert len(period.closes) == 2
    assert period.closes[1].is_intact
    assert period.closes[1].trial_balance == period.closes[0].trial_balance


def test_what_is_left_is_signed_off_as_it_was_seen(own_console: ServedConsole) -> None:
    with (
        own_console.client("anna", Role.FINANCE) as anna,
        own_console.client("bert", Role.FINANCE) as bert,
    ):
        send(anna, f"{HARBOUR}/reopen", HARBOUR, reason="a look at the held ones")
        send(bert, f"{HARBOUR}/reopen", HARBOUR, reason="agreed")
        send(anna, f"{HARBOUR}/soft-close", HARBOUR)
        send(bert, f"{HARBOUR}/close", HARBOUR)
        wait_for_jobs(own_console.dsn)
        shown = said(bert.get(HARBOUR))
        assert "No: something is left of 1 items." in shown
        assert "Sign off: Held" in shown
        assert "Sign off" not in said(anna.get(HARBOUR))
        look = shown[shown.index('name="look" value="') + 19 :].partition('"')[0]
        other = send(bert, f"{QUAYSIDE}/sign-off", HARBOUR, item="held", look=look, reason="no")
        assert other.status_code == 409
        empty = send(bert, f"{HARBOUR}/sign-off", HARBOUR, item="money", look=look, reason="no")
        assert "there is nothing to sign off" in said(empty)
        send(bert, f"{HARBOUR}/sign-off", HARBOUR, item="held", look=look, reason="looked into")
        assert "Yes: nothing is left." in said(bert.get(HARBOUR))
        send(bert, f"{HARBOUR}/close", HARBOUR)
        wait_for_jobs(own_console.dsn)
        assert "It is closed." in said(bert.get(HARBOUR))
    with AccountingPeriods(own_console.dsn) as periods:
        [signed] = periods.find("harbour-charging", "2026-03").closes[-1].signed
    assert (signed.item, signed.count, signed.by, signed.reason) == (
        "held",
        9,
        "bert",
        "looked into",
    )
