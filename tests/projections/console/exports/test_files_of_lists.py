"""Files of lists: a unit and a note stand in them on whatever page they come, and no end is cut."""

from __future__ import annotations

import asyncio
import csv
import io
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Final

import httpx
import pytest
from litestar import Litestar, Response, get
from litestar.params import FromPath

from deploy.interface.serving import open_http, serve_app, served
from deploy.settings import Settings
from projections.console.addresses import PageAddress
from projections.console.exports.exporting import csv_file
from projections.console.exports.listing_file import listing_file
from projections.console.listing import Cell, Column, Listing

PLAIN: Final = (Column("who", "Who"), Column("amount", "Amount", is_figure=True))
SAID: Final = (PLAIN[0], Column("amount", "Amount", is_figure=True, units=True, notes=True))
NOTHING: Final = [(Cell("a deposit"), Cell("none"))]
SOME: Final = [
    (Cell("ada"), Cell("12,50 €", exact=Decimal("12.50"), unit="EUR")),
    (Cell("ben"), Cell("1,00 kr", exact=Decimal("1.00"), unit="NOK", note="paid back")),
]
LINE: Final = ["x" * 1_000, "y"]


def pages(columns: tuple[Column, ...]) -> Iterator[Listing]:
    """Yield a page on which nothing has a unit, and one on which all have."""
    for rows in (NOTHING, SOME):
        yield Listing("Money", columns, rows, PageAddress("/money", {}), "nothing")


def breaking_off() -> Iterator[list[str]]:
    """Yield rows until something in one of them cannot be read."""
    for _ in range(500):
        yield LINE
    message = "no number"
    raise ValueError(message)


@get("/{kind:str}/{columns:str}", sync_to_thread=True)
def money(kind: FromPath[str], columns: FromPath[str]) -> Response[Any]:
    """Hand the pages out as a file."""
    return listing_file(kind, "money", pages(SAID if columns == "said" else PLAIN))


@get("/broken", sync_to_thread=True)
def broken() -> Response[Any]:
    """Hand out what breaks off after half a megabyte."""
    return csv_file("broken", ["long", "short"], breaking_off())


@asynccontextmanager
async def files() -> AsyncIterator[httpx.AsyncClient]:
    listener, stopping, ready = open_http("127.0.0.1", 0), asyncio.Event(), asyncio.Event()
    config = served(Litestar([money, broken], logging_config=None), Settings())
    task = asyncio.create_task(serve_app(config, listener, stopping=stopping, ready=ready.set))
    async with asyncio.timeout(30):
        await ready.wait()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            yield client
    finally:
        stopping.set()
        await task


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        pytest.param(
            "said",
            [
                ["who", "amount", "amount_unit", "amount_note"],
                ["a deposit", "none", "", ""],
                ["ada", "12.50", "EUR", ""],
                ["ben", "1.00", "NOK", "paid back"],
            ],
            id="the list says that it has some",
        ),
        pytest.param(
            "plain",
            [
                ["who", "amount"],
                ["a deposit", "none"],
                ["ada", "12.50 EUR"],
                ["ben", "1.00 NOK (paid back)"],
            ],
            id="nothing says so",
        ),
    ],
)
async def test_what_comes_on_a_later_page_is_in_the_file(
    columns: str, wanted: list[list[str]]
) -> None:
    async with files() as client:
        answer = await client.get(f"/csv/{columns}")
        workbook = await client.get(f"/xlsx/{columns}")

    assert [*csv.reader(io.StringIO(answer.text))] == wanted
    with zipfile.ZipFile(io.BytesIO(workbook.content)) as book:
        whole = b"".join(map(book.read, book.namelist())).decode()
    assert "EUR" in whole
    assert "paid back" in whole


async def test_a_file_that_cannot_be_made_to_its_end_has_none() -> None:
    async with files() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/broken")
