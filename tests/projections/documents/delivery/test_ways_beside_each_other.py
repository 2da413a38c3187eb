"""One way that is away, or has thousands to take, keeps nothing from going by another."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.master_data.customers import Delivery
from projections.documents.delivery.deliverer import Deliverer
from projections.documents.delivery.folder import FolderWay
from projections.documents.delivery.mail import MailServer, MailWay
from projections.documents.delivery.outbox import claim_delivery
from projections.documents.delivery.parcel import NotDeliveredError, Parcel, Way
from projections.documents.keeping.keeper import DocumentKeeper
from tests.projections.documents.delivery.mail_server import SENDER
from tests.projections.documents.delivery.test_by_mail import letter
from tests.projections.documents.issued_documents import (
    issue,
    make_due,
    operator,
    render_plainly,
    rows,
)

MAILED = 4
STATES = """
SELECT way, state, sum(attempts)::integer FROM document_delivery GROUP BY way, state ORDER BY way
"""
WAITING: Any = """
INSERT INTO document_delivery (number, way, reminder, next_at)
SELECT number, 'email', n, now() - interval '1 hour' FROM rendered_document,
    generate_series(1, %s) AS n
"""
READ = """
SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
FROM pg_stat_xact_user_tables WHERE relname = 'document_delivery'
"""


class Taking:
    """A way that takes everything, or nothing, and notes by which way it went."""

    def __init__(self, name: str, went: list[str], why: str = "") -> None:
        self._name, self._went, self._why = name, went, why

    def deliver(
        self, _connection: Connection[Any], _parcel: Parcel, _may_arrive: Callable[[], None], /
    ) -> None:
        """Note it."""
        self._went.append(self._name)
        if self._why:
            raise NotDeliveredError(self._why, is_away=True)


@pytest.fixture
def kept(database: str) -> str:
    """Some documents that are mailed, and after them one that goes into a folder."""
    ways = {"ada": Delivery.EMAIL, "bob": Delivery.FOLDER}
    tokens = ["ada-1"] * MAILED + ["bob-1"]
    issue(database, operator(database, ways), tokens)
    with closing(DocumentKeeper(database, render_plainly)) as keeper:
        keeper.run_once()
    with connect(database) as connection:
        connection.execute(
            "UPDATE document_delivery SET next_at = now() - interval '1 hour' WHERE way = 'email'"
        )
    return database


@pytest.fixture
def silent() -> Iterator[int]:
    """Yield a port on which somebody takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("why", ["", "it has no time"])
def test_what_goes_by_another_way_goes_after_one(kept: str, why: str) -> None:
    went: list[str] = []
    ways = {
        Delivery.EMAIL: Taking("email", went, why),
        Delivery.FOLDER: Taking("folder", went),
    }

    with closing(Deliverer(kept, ways)) as deliverer:
        assert deliverer.run_once() == MAILED + 1

    assert went == ["email", "folder"] + ["email"] * (MAILED - 1)


def test_a_server_that_says_nothing_rests_and_uses_up_nobodys_attempts(
    kept: str, silent: int, tmp_path: Path
) -> None:
    server = MailServer(
        host="127.0.0.1", port=silent, sender=SENDER, encryption="none", seconds_max=1.1
    )
    ways: dict[Delivery, Way] = {
        Delivery.EMAIL: MailWay(server, letter),
        Delivery.FOLDER: FolderWay(tmp_path),
    }

    with closing(Deliverer(kept, ways)) as deliverer:
        tried = deliverer.run_once()
        make_due(kept)
        again = deliverer.run_once()

    assert (tried, again) == (2, 0)
    assert rows(kept, STATES) == [("email", "waiting", 1), ("folder", "delivered", 1)]
    # Who takes over knows nothing of it, and looks once.
    with closing(Deliverer(kept, ways)) as deliverer:
        assert deliverer.run_once() == 1


def test_who_looks_for_one_by_another_way_passes_none_by(kept: str) -> None:
    with connect(kept) as connection:
        connection.execute(WAITING, (2_000,))
        connection.execute("ANALYZE document_delivery")
        with connection.transaction():
            found = claim_delivery(connection, [Delivery.FOLDER, Delivery.WEBHOOK])
            [(read,)] = connection.execute(READ).fetchall()

    assert found is not None
    assert found.way is Delivery.FOLDER
    assert read <= 20
