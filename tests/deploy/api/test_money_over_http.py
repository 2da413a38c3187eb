"""Payments, journal, customers and reports over HTTP: exact, by the page, of their books."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus

from deploy.interface.access import Scope
from ledger.database import connect
from ledger.desk.customers.prepaying import PrepaymentWish, prepay
from ledger.users.roles import Grant, Role
from projections.balances.trial import trial_balance
from projections.energy.keeper import EnergyKeeper
from tests.deploy.api.books_served import invoices_of_a_day
from tests.deploy.api.people import bearing, token_of_person
from tests.deploy.api.test_books_over_http import every
from tests.deploy.interface.served_interface import served

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def paid_in_advance(dsn: str) -> None:
    wish = PrepaymentWish(
        customer="fleet",
        amount=Decimal(50),
        currency="EUR",
        reference="desk/1",
        legal_entity=None,
        is_back=False,
    )
    with connect(dsn) as connection:
        prepay(connection, wish, by="ann", at=AT)
        EnergyKeeper(connection).take_in()


async def test_the_journal_is_told_once_in_pages_and_each_entry_balances(database: str) -> None:
    invoices_of_a_day(database)
    paid_in_advance(database)
    async with served(database, Scope.BOOKS) as client:
        whole = (await client.get("/journal", params={"limit": 1000})).json()["items"]
        paged = await every(client, "/journal")
        in_march = await every(client, "/journal", period="2026-03", legal_entity="watt")
        later = await every(client, "/journal", booked_from="2026-03-03")
        wrong = [
            (await client.get("/journal", params=each)).status_code
            for each in ({"legal_entity": "x"}, {"period": "2026-13"}, {"cursor": "x"})
        ]
        balance = (await client.get("/reports/trial-balance")).json()
    with connect(database) as connection:
        counted = trial_balance(connection)

    assert paged == whole == in_march
    assert later == []
    assert len(whole) > 8
    for entry in whole:
        assert sum(Decimal(each["amount"]) for each in entry["postings"]) == 0
    assert wrong == [404, 400, 404]
    assert (balance["is_balanced"], balance["differences"]) == (True, {"EUR": "0.00"})
    assert {each["account"]: each["balance"] for each in balance["accounts"]} == {
        each.account: f"{Decimal(each.balance_minor) / 100:.2f}" for each in counted.accounts
    }


async def test_what_was_paid_and_what_is_open_agree_with_the_statement(database: str) -> None:
    invoices_of_a_day(database)
    paid_in_advance(database)
    async with served(database, Scope.BOOKS) as client:
        customers = await every(client, "/customers")
        fleet = (await client.get("/customers/fleet")).json()
        asked = {"from": "2026-03-01", "until": "2026-04-01"}
        statement = (await client.get("/customers/fleet/statement", params=asked)).json()
        reversed_days = await client.get(
            "/customers/fleet/statement", params={"from": "2026-04-01", "until": "2026-03-01"}
        )
        nobody = await client.get("/customers/nobody")
        items = (await client.get("/open-items", params={"customer": "fleet"})).json()
        payments = (await client.get("/payments")).json()
        no_payment = [(await client.get(f"/payments/{n}")).status_code for n in (7, 2**63, 0)]

    assert "fleet" in {each["key"] for each in customers}
    [account] = fleet["accounts"]
    assert account["prepaid"] == "50.00"
    assert statement["closing"] == f"{Decimal(account['open']) - 50:.2f}"
    assert [each["kind"] for each in statement["movements"]] == ["invoice", "invoice", "payment"]
    assert (reversed_days.status_code, nobody.status_code) == (400, 404)
    [total] = items["totals"]
    assert total["open"] == account["open"] == "3.81"
    assert sum(Decimal(each["open"]) for each in items["items"]) == Decimal(total["open"])
    assert (payments, no_payment) == ({"items": [], "next": None}, [404, 404, 404])


async def test_reports_say_where_every_wh_and_cent_of_a_month_went(database: str) -> None:
    invoices_of_a_day(database)
    paid_in_advance(database)
    async with served(database, Scope.BOOKS) as client:
        energy = (await client.get("/reports/energy-balance")).json()
        month = (await client.get("/reports/months/2026-03")).json()
        beyond = await client.get("/reports/energy-balance?first_day=9999-12-31")
        both = await client.get(
            "/reports/trial-balance", params={"as_of": "2026-03-02", "period": "2026-03"}
        )

    assert (energy["is_balanced"], energy["days_off"]) == (True, 0)
    assert {each["day"] for each in energy["items"]} == {"2026-03-02"}
    metered = sum(Decimal(each["metered_wh"]) for each in energy["items"])
    assert metered == Decimal(month["energy"][0]["metered_wh"]) > 0
    assert (month["state"], month["closed_by"]) == ("open", None)
    assert both.status_code == beyond.status_code == HTTPStatus.BAD_REQUEST


async def test_books_of_another_legal_entity_are_as_if_they_were_none(database: str) -> None:
    invoices_of_a_day(database)
    here = token_of_person(database, "bo", Grant(Role.AUDITOR, "watt"))
    there = token_of_person(database, "cy", Grant(Role.AUDITOR, "other"))
    missing = (
        "/journal",
        "/journal?legal_entity=watt",
        "/customers/fleet",
        "/reports/trial-balance",
        "/reports/months/2026-03",
        "/payments?legal_entity=watt",
    )
    empty = ("/payments", "/open-items", "/customers", "/reports/energy-balance")
    async with served(database) as client:
        for path in (*missing, *empty):
            mine, theirs = [await client.get(path, headers=bearing(each)) for each in (here, there)]
            assert mine.status_code == 200, path
            assert theirs.status_code == (404 if path in missing else 200), path
            assert theirs.json().get("items", []) == [], path
