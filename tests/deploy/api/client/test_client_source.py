"""The typed client is what the document gives now, and does over a socket what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import httpx
import pytest

from deploy.api.client_source.document import document
from deploy.api.client_source.made import made_sources
from deploy.interface.access import Scope
from tests.deploy.api.books_served import invoices_of_a_day
from tests.deploy.interface.served_interface import served
from tests.tree import ROOT
from wattledger_client import ApiProblemError, Client
from wattledger_client.shapes import CreditWish, QuoteWish, SessionState

T = TypeVar("T")


def test_the_committed_client_is_made_of_the_document_as_it_is() -> None:
    for name, text in made_sources(document()).items():
        kept = (ROOT / "wattledger_client" / name).read_text("utf-8")
        assert kept == text, "run `make client`"


async def test_it_reads_lists_to_their_end_and_says_no_as_the_interface_does(
    database: str,
) -> None:
    issued = invoices_of_a_day(database)
    async with served(database, *Scope) as asking:
        token = asking.headers["authorization"].removeprefix("Bearer ")

        def work(client: Client) -> None:
            sessions = list(client.every(client.list_sessions, limit=2))
            rated = list(client.every(client.list_sessions, state=SessionState.RATED, limit=1))
            numbers = [each.number for each in client.every(client.list_invoices)]
            one = client.get_session(rated[0].ref)
            begun, ended = (datetime(2026, 3, 2, hour, tzinfo=UTC) for hour in (10, 11))
            wish = QuoteWish(tariff="DAY", starts_at=begun, ends_at=ended, energy_wh="2000")
            quote = client.create_price_quote(wish)
            preview = CreditWish(invoice=numbers[0], reason="x", preview=True)
            given = client.create_credit_note(preview, idempotency_key="k")
            again = client.create_credit_note(preview, idempotency_key="k")
            with pytest.raises(ApiProblemError) as refused:
                client.get_invoice("X-1")

            assert len({each.ref for each in sessions}) == len(sessions) > len(rated)
            assert numbers == [each.number for each in issued]
            assert one.rating is not None
            assert one.facts[0].kind == "started"
            assert quote.total.after_taxes == "0.95"
            assert given == again
            assert (refused.value.status, refused.value.code) == (404, "not_found")
            assert client.get_tariff_file("DAY").startswith('tariff: "DAY"')
            assert client.get_reports_trial_balance().is_balanced

        await in_thread(lambda: with_client(str(asking.base_url), token, work))


async def test_what_is_lost_on_the_way_is_asked_again_under_the_same_key() -> None:
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["idempotency-key"])
        if len(keys) < 3:
            message = "gone"
            raise httpx.ReadError(message, request=request)
        return httpx.Response(409, json={"code": "owed_no_more", "detail": "it was given back"})

    client = Client("http://nobody", "t", http=httpx.Client(transport=httpx.MockTransport(answer)))
    with client, pytest.raises(ApiProblemError, match="409 owed_no_more: it was given back"):
        client.create_credit_note(CreditWish(invoice="W-1", reason="x"))

    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_whatever_an_id_is_it_leads_nowhere_else() -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        return httpx.Response(404, json={"code": "not_found", "detail": "there is none"})

    client = Client("http://nobody", "t", http=httpx.Client(transport=httpx.MockTransport(answer)))
    for ref in ("..", ".", "../customers/ada", "CS-1/a//b", "x?open=1"):
        with pytest.raises(ApiProblemError):
            client.get_session(ref)
    client.close()

    assert [each.removeprefix("/sessions/") for each in asked] == [
        "%2E%2E",
        "%2E",
        "..%2Fcustomers%2Fada",
        "CS-1%2Fa%2F%2Fb",
        "x%3Fopen%3D1",
    ]


def with_client(address: str, token: str, work: Callable[[Client], T]) -> T:
    with Client(address, token) as client:
        return work(client)


async def in_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)
