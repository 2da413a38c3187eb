"""One asker's trouble is his own, and the database's is waited out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import psycopg
import pytest

from ingest.gathering import Gatherer
from ledger.database import connect_async


@pytest.mark.parametrize("bad", ["nul\0", "digits"], ids=["before it is sent", "by the server"])
async def test_what_fails_by_its_content_fails_alone_and_at_once(database: str, bad: str) -> None:
    async def answer(connection: psycopg.AsyncConnection, keys: Sequence[str]) -> Sequence[int]:
        query = "SELECT length(key) + CASE key WHEN 'digits' THEN key::int ELSE 0 END"
        rows = await connection.execute(f"{query} FROM unnest(%s::text[]) AS key", [list(keys)])
        return [length for (length,) in await rows.fetchall()]

    gatherer = Gatherer(lambda: connect_async(database), answer, patience_seconds=600)

    asked = ["a", "bb", bad, "cccc", "a"]
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*map(gatherer.ask, asked), return_exceptions=True)
    await gatherer.close()

    assert [answers[i] for i in (0, 1, 3, 4)] == [1, 2, 4, 1]
    assert isinstance(answers[2], psycopg.DataError)


async def test_an_index_that_takes_no_such_row_is_not_waited_for(database: str) -> None:
    """Its class of errors is called operational, as that of a server that is away."""

    async def answer(connection: psycopg.AsyncConnection, keys: Sequence[str]) -> Sequence[int]:
        await connection.execute("CREATE TEMP TABLE IF NOT EXISTS held (key text UNIQUE)")
        # Random enough that it cannot be compressed into a page.
        await connection.execute(
            "INSERT INTO held SELECT (SELECT string_agg(md5(key || n), '')"
            " FROM generate_series(1, length(key)) AS n) FROM unnest(%s::text[]) AS key",
            [list(keys)],
        )
        return [len(key) for key in keys]

    gatherer = Gatherer(lambda: connect_async(database), answer, patience_seconds=600)

    asked = [gatherer.ask("a"), gatherer.ask("b" * 4_000), gatherer.ask("c")]
    async with asyncio.timeout(60):
        one, other, third = await asyncio.gather(*asked, return_exceptions=True)
    await gatherer.close()

    assert (one, third) == (1, 1)
    assert isinstance(other, psycopg.errors.ProgramLimitExceeded)
