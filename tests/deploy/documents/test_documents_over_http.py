"""Documents over HTTP: by number with the right token, by a link without one."""

from __future__ import annotations

from contextlib import closing

import pytest

from deploy.interface.access import Scope
from ledger.database import connect
from ledger.log.postgres import make_log
from ledger.master_data.customers import Delivery
from projections.documents.delivery.links import make_link
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.keeping.kept import read_kept
from tests.deploy.interface.served_interface import served
from tests.projections.documents.issued_documents import (
    forget,
    issue,
    operator,
    render_plainly,
)


@pytest.fixture
def number(database: str) -> str:
    """An invoice that is not rendered yet."""
    with connect(database) as connection:
        make_log(connection, 1)
    [number] = issue(database, operator(database, {"ada": Delivery.NONE}), ["ada-1"])
    return number


def render(dsn: str) -> None:
    with closing(DocumentKeeper(dsn, render_plainly)) as keeper:
        keeper.run_once()


async def test_a_token_with_the_scope_gets_the_bytes_that_are_kept(
    database: str, number: str
) -> None:
    async with served(database, Scope.DOCUMENTS) as client:
        early = await client.get(f"/invoices/{number}/pdf")
        render(database)
        pdf = await client.get(f"/invoices/{number}/pdf")
        xml = await client.get(f"/invoices/{number}/xml")
        state = await client.get(f"/invoices/{number}/delivery")
        none = await client.get("/invoices/X-1/pdf")
        nothing = await client.get("/invoices/X-1/delivery")

    with connect(database) as connection:
        kept = read_kept(connection, number)
    assert (pdf.content, xml.content) == (kept.pdf, kept.xml)
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.headers["cache-control"] == "private, no-store"
    assert pdf.headers["content-disposition"] == f'inline; filename="{number}.pdf"'
    assert (early.status_code, early.json()["code"]) == (409, "not_rendered")
    assert {none.status_code, nothing.status_code} == {404}
    assert (state.json()["state"], state.json()["sha256"]) == ("rendered", kept.pdf_sha256)


async def test_no_other_scope_and_nobody_without_a_token_gets_any(
    database: str, number: str
) -> None:
    render(database)
    others = [scope for scope in Scope if scope is not Scope.DOCUMENTS]
    async with served(database, *others) as client:
        for way in ("/delivery", "/pdf", "/xml"):
            assert (await client.get(f"/invoices/{number}{way}")).status_code == 403
            bare = await client.get(f"/invoices/{number}{way}", headers={"Authorization": ""})
            assert bare.status_code == 401


async def test_a_link_wants_no_token_and_leads_nowhere_once_it_expired(
    database: str, number: str
) -> None:
    render(database)
    with connect(database) as connection:
        token = make_link(connection, number, days=1)
        async with served(database) as client:
            del client.headers["authorization"]
            there = await client.get(f"/documents/{token}")
            wrong = await client.get(f"/documents/{token[:-1]}")
            long = await client.get(f"/documents/{'x' * 5000}")
            connection.execute("UPDATE document_link SET expires_at = now()")
            expired = await client.get(f"/documents/{token}")

    assert (there.status_code, there.content[:4]) == (200, b"%PDF")
    assert there.headers["referrer-policy"] == "no-referrer"
    assert {each.status_code for each in (wrong, long, expired)} == {404}
    assert wrong.json() == expired.json()


async def test_who_was_erased_has_no_document_by_number_or_link(database: str, number: str) -> None:
    render(database)
    with connect(database) as connection:
        token = make_link(connection, number, days=1)
    forget(database, "ada")

    async with served(database, Scope.DOCUMENTS) as client:
        by_number = await client.get(f"/invoices/{number}/pdf")
        by_link = await client.get(f"/documents/{token}")

    assert (by_number.status_code, by_number.json()["code"]) == (404, "erased")
    assert (by_link.status_code, by_link.json()["code"]) == (404, "not_found")
