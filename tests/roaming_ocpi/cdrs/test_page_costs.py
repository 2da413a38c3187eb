"""The last page of a long list costs what the first one does, in reads and in memory."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, LiteralString

from ledger.database import connect
from roaming_ocpi.cdrs.telling.pages import PAGE, STRETCHES, stretches_asked
from roaming_ocpi.server.calls import PageAsked
from roaming_ocpi.server.paging import page_headers
from tests.roaming_ocpi.cdrs.roaming_books import LATER, declare_depot
from tests.roaming_ocpi.cdrs.test_cdrs_told import EVERY, call, ids, many, opened_sender

LIMIT = 100
FEW, MANY = 2_000, 20_000
BLOCKS_MORE = 4
"""What an index of ten times as many entries may be deeper by, in each of its look-ups."""
_GROW: LiteralString = """
INSERT INTO roaming_cdr
SELECT party, n, 'CDR-' || n, session_id || n, revision, kind, credits, legal_entity, currency,
    net_minor, tax_minor, energy_wh, started_at, ended_at, billing_month,
    made_at + n * interval '1 s', notes, body, sha256
FROM roaming_cdr CROSS JOIN generate_series(%s::bigint, %s) n WHERE number = 1
"""


def grow(dsn: str, first: int, last: int) -> None:
    """Add CDRs with the numbers from *first* to *last*, one a second."""
    with connect(dsn) as connection:
        connection.execute(_GROW, (first, last))
        connection.execute("ANALYZE roaming_cdr")


def blocks_of_last_page(dsn: str, number: int) -> int:
    """Return how many blocks the last page of a list that ends with *number* touches."""
    asked = stretches_asked(EVERY, PageAsked(0, LIMIT, date_from=LATER, date_to=None))
    page = {"party": "NL-TNM", "low": number - LIMIT, "high": number, "limit": LIMIT}
    with connect(dsn) as connection:
        return sum(
            _blocks(connection.execute(b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql, given))
            for sql, given in ((STRETCHES.encode(), asked), (PAGE.encode(), page))
        )


def _blocks(rows: Any) -> int:  # noqa: ANN401 - a cursor
    [([plan],)] = rows.fetchall()
    return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])


def test_the_last_page_of_ten_times_as_many_reads_no_more(database: str) -> None:
    declare_depot(database)
    many(database, 1)
    grow(database, 2, FEW)
    few = blocks_of_last_page(database, FEW)
    grow(database, FEW + 1, MANY)

    assert blocks_of_last_page(database, MANY) <= few + BLOCKS_MORE * len(EVERY) * 4


def test_all_pages_come_link_by_link_with_the_filter_and_in_the_memory_of_one(
    database: str,
) -> None:
    declare_depot(database)
    many(database, 1)
    grow(database, 2, FEW)
    since = LATER + timedelta(seconds=FEW // 2)

    async def every_page() -> tuple[list[str], list[int]]:
        seen: list[str] = []
        peaks: list[int] = []
        query: dict[str, str] | None = {"date_from": since.isoformat()}
        async with opened_sender(database) as sender:
            while query is not None:
                asked = call(page=PageAsked(0, LIMIT, since), query=query)
                tracemalloc.start()
                reply = await sender.list(asked)
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
                assert reply.page is not None
                seen += ids(reply)
                link = page_headers(reply.page, query, "http://x/cdrs").get("Link", "")
                assert not link or "date_from=" in link
                follows = reply.page.next_query
                query = None if follows is None else {**query, **follows}
        return seen, peaks

    seen, peaks = asyncio.run(every_page())

    assert seen == list(_ids_since(FEW // 2))
    assert max(peaks[5:]) <= 1.5 * max(peaks[1:5])


def _ids_since(first: int) -> Iterator[str]:
    return (f"CDR-{number}" for number in range(first, FEW + 1))
