"""The journal of one account: a page looks through so many entries, and the next goes on there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.users.roles import Role
from projections.finding import entries as finding_entries
from projections.finding.entries import EntryWish, FoundEntries, find_entries
from tests.projections.console.crowded.asked_statements import statements_logged
from tests.projections.console.demo_month import demo_now
from tests.projections.console.served_console import served_console

HARBOUR, MARCH, LOOKED = "harbour-charging", "2026-03", 100
BOOKED = """
SELECT entry_id FROM journal_entry WHERE legal_entity = %s AND period = %s
    AND %s = ANY (accounts) ORDER BY booked_at, entry_id COLLATE "C"
"""
MONTH = "SELECT count(*) FROM journal_entry WHERE legal_entity = %s AND period = %s"
RAREST = """
SELECT account FROM journal_entry, unnest(accounts) AS account
WHERE legal_entity = %s AND period = %s
GROUP BY account ORDER BY count(DISTINCT entry_id), account LIMIT 1
"""


def pages_of(dsn: str, account: str) -> Iterator[FoundEntries]:
    """Yield page after page of ten."""
    wish, behind = EntryWish(HARBOUR, period=MARCH, account=account), None
    with connect(dsn) as connection:
        declared = load_declarations(connection)
        while True:
            found = find_entries(connection, declared, wish, limit=11, behind=behind)
            shown, behind = found.entries[:10], found.looked_until
            if len(found.entries) > 10:
                behind = finding_entries.BehindEntry(shown[-1].booked_at, shown[-1].entry)
            yield FoundEntries(shown, behind)
            if behind is None:
                return


@pytest.mark.parametrize("account", ["", "receivable:unbilled", "costs:nobody"])
def test_no_page_reads_the_month_and_all_of_them_have_every_entry(
    demo_copy: str, monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    monkeypatch.setattr(finding_entries, "LOOKED_MAX", LOOKED)
    with connect(demo_copy) as connection:
        of_it = (HARBOUR, MARCH)
        account = account or connection.execute(RAREST, of_it).fetchall()[0][0]
        booked = [entry for (entry,) in connection.execute(BOOKED, (*of_it, account))]
        [(count,)] = connection.execute(MONTH, of_it).fetchall()
        name = connection.info.dbname
        connection.execute(f"ALTER DATABASE {name} SET enable_seqscan = off".encode())
    shown, read = list[str](), list[int]()
    with statements_logged(demo_copy) as log:
        for page in pages_of(demo_copy, account):
            shown += [each.entry for each in page.entries]
            asked = [each for each in log.new() if "FROM journal_entry" in each.text]
            read.append(max(each.read for each in asked))

    assert shown == booked
    assert count > 5 * LOOKED
    assert len(read) >= count // LOOKED
    # Where little is left of the month, the database may read that at once.
    assert max(read) <= 4 * LOOKED < count


def test_a_page_says_how_far_it_looked(
    demo_copy: str, demo_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding_entries, "LOOKED_MAX", LOOKED)
    query = f"legal_entity={HARBOUR}&period={MARCH}&account="
    with (
        served_console(demo_copy, demo_now(demo_folder)) as served,
        served.client("lead", *Role) as client,
    ):
        html = client.get(f"/console/journal?{query}costs:nobody").raise_for_status().text
        every = client.get(f"/console/journal?{query}").raise_for_status().text

    said = "entries were looked through: the next page goes on from there"
    assert said in html
    assert 'rel="next"' in html
    assert said not in every
