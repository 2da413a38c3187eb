"""People and tokens by their names, in both directions, each once over all pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import LiteralString

import pytest

from ledger.database import connect
from ledger.users.roles import Role
from tests.projections.console.served_console import ServedConsole, served_console
from tests.projections.console.test_lists_sorted_and_taken import all_rows

MANY: LiteralString = """
INSERT INTO user_account (name, letters, full_name, made_by, made_at)
SELECT 'ann' || n, 'ann' || n, 'Ann', 'a test', now() FROM generate_series(1, 120) AS n;
INSERT INTO access_token SELECT 'machine' || n, sha256(n::text::bytea), '{read}', 'ann', now()
FROM generate_series(1, 120) AS n
"""
NOON = datetime(2026, 4, 1, 10, tzinfo=UTC)
NAMES: dict[str, LiteralString] = {
    "access": "SELECT name FROM user_account ORDER BY name",
    "access/tokens": "SELECT name FROM access_token ORDER BY name",
}


@pytest.fixture
def console(database: str) -> Iterator[ServedConsole]:
    with connect(database) as connection:
        connection.execute(MANY)
    with served_console(database, NOON) as served:
        yield served


@pytest.mark.parametrize("path", NAMES)
def test_names_go_both_ways_page_by_page(console: ServedConsole, path: str) -> None:
    with console.client("chief", Role.ADMINISTRATOR) as client:
        with connect(console.dsn) as connection:
            names = [name for (name,) in connection.execute(NAMES[path])]
        shown = {
            order: [row[0] for row in all_rows(client, f"/console/{path}?sort={order}")]
            for order in ("name", "-name", "")
        }
        begun = [row[0] for row in all_rows(client, f"/console/{path}?q={names[0][:3]}&sort=-name")]
        refused = client.get(f"/console/{path}?sort=may")
        html = client.get(f"/console/{path}?sort=-name").text
        file = client.get(f"/console/{path}?sort=-name&format=csv").text

    assert len(names) > 100
    assert shown == {"name": names, "-name": names[::-1], "": names}
    assert begun == [each for each in names[::-1] if each.startswith(names[0][:3])]
    assert refused.status_code == 400
    assert html.count('aria-sort="descending"') == 1
    assert [line.split(",")[0] for line in file.splitlines()[1:]] == names[::-1]
