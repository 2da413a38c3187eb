"""What was issued is rendered once, and what was rendered is kept sealed for its reader."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ledger.database import connect
from ledger.master_data.customers import Delivery
from projections.documents.delivery.listing import list_documents
from projections.documents.keeping.issued import IssuedDocument
from projections.documents.keeping.keeper import DocumentKeeper
from projections.documents.keeping.kept import (
    ErasedDocumentError,
    NotRenderedError,
    OtherBytesError,
    RenderedDocument,
    digest,
    read_kept,
)
from projections.documents.keeping.tasks import claim_task, follow_feed, try_again
from tests.projections.documents.issued_documents import (
    forget,
    issue,
    make_due,
    operator,
    render_plainly,
    rows,
)

READERS = {"ada": Delivery.NONE, "bob": Delivery.FOLDER}
FAILED = """
INSERT INTO document_task (number, attempts, next_at)
SELECT 'failed ' || n, 5, now() + (n - 2500) * interval '1 s' FROM generate_series(1, 5000) AS n
"""
READ = """
SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)
FROM pg_stat_xact_user_tables WHERE relname = 'document_task'
"""


@pytest.fixture
def numbers(database: str) -> list[str]:
    """Four invoices: of ada, of bob, of who bears a token, of ada again."""
    return issue(database, operator(database, READERS), ["ada-1", "bob-1", "nobody-1", "ada-1"])


@pytest.fixture
def keeper(database: str) -> Iterator[DocumentKeeper]:
    with closing(DocumentKeeper(database, render_plainly)) as opened:
        yield opened


def test_each_document_is_rendered_once_after_it_was_booked(
    database: str, numbers: list[str], keeper: DocumentKeeper
) -> None:
    assert (keeper.run_once(), keeper.run_once(), keeper.rendered) == (4, 0, 4)

    with connect(database) as connection:
        kept = [read_kept(connection, number) for number in numbers]
        assert rows(database, "SELECT * FROM document_task") == []
        feed = dict(connection.execute("SELECT number, sha256 FROM issued_invoice").fetchall())
    assert [each.pdf.split()[1].decode() for each in kept] == numbers
    assert [each.pdf_sha256 for each in kept] == [digest(each.pdf) for each in kept]
    assert {each.number: each.invoice_sha256 for each in kept} == feed


def test_what_is_kept_is_shut_for_all_but_the_key_of_its_reader(
    database: str, numbers: list[str], keeper: DocumentKeeper
) -> None:
    keeper.run_once()

    for pdf, xml, number in rows(database, "SELECT pdf, xml, number FROM rendered_document"):
        assert number.encode() not in bytes(pdf) + bytes(xml)
    forget(database, "ada")
    with connect(database) as connection:
        assert read_kept(connection, numbers[1]).number == numbers[1]
        with pytest.raises(ErasedDocumentError):
            read_kept(connection, numbers[0])


def test_only_who_wants_documents_brought_has_a_delivery_and_a_bearer_has_none(
    database: str, numbers: list[str], keeper: DocumentKeeper
) -> None:
    keeper.run_once()

    query = "SELECT number, way, state FROM document_delivery"
    assert rows(database, query) == [(numbers[1], "folder", "waiting")]


def test_a_document_that_cannot_be_rendered_stops_no_other_and_is_tried_again(
    database: str, numbers: list[str]
) -> None:
    broken = {numbers[0]}

    def render(connection: Connection[Any], issued: IssuedDocument) -> RenderedDocument:
        if issued.document.number in broken:
            message = "no font has the letter of Ada Reader"
            raise ValueError(message)
        return render_plainly(connection, issued)

    with closing(DocumentKeeper(database, render)) as keeper, connect(database) as connection:
        keeper.run_once()
        listed = list_documents(connection, limit=9, only_open=True)
        [task] = [each for each in listed if each.state != "rendered"]
        assert (task.number, task.renderings, task.state) == (numbers[0], 1, "failed")
        assert task.why == "ValueError: no font has the letter of Ada Reader"
        # The reason may quote its reader: nobody else reads it.
        assert "Ada" not in str(rows(database, "SELECT * FROM document_task"))
        assert keeper.run_once() == 0, "it is put off"

        broken.clear()
        assert try_again(connection, [], all_failed=True) == [numbers[0]]
        assert keeper.run_once() == 1
        assert read_kept(connection, numbers[0]).number == numbers[0]
        assert (keeper.rendered, keeper.failed) == (4, 1)


def test_a_statement_that_the_database_refuses_is_a_documents_fault_and_its_absence_is_not(
    database: str, numbers: list[str]
) -> None:
    def render(connection: Connection[Any], issued: IssuedDocument) -> RenderedDocument:
        if issued.document.number == numbers[0]:
            connection.execute("SELECT 1/0")
        if issued.document.number == numbers[2]:
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return render_plainly(connection, issued)

    with closing(DocumentKeeper(database, render)) as keeper, pytest.raises(psycopg.Error):
        keeper.run_once()

    tasks = rows(database, "SELECT number, attempts FROM document_task ORDER BY number")
    assert (numbers[0], 1) in tasks
    assert (numbers[2], 1) in tasks
    make_due(database)
    with closing(DocumentKeeper(database, render_plainly)) as keeper:
        assert keeper.run_once() == len(tasks)


def test_nothing_is_rendered_for_who_was_erased(
    database: str, numbers: list[str], keeper: DocumentKeeper
) -> None:
    forget(database, "ada")
    make_due(database)

    keeper.run_once()

    with connect(database) as connection:
        tasks = list_documents(connection, limit=9)
        with pytest.raises(NotRenderedError):
            read_kept(connection, numbers[0])
    assert {task.number for task in tasks if task.state == "erased"} == {numbers[0], numbers[3]}
    make_due(database)
    assert keeper.run_once() == 0


def test_several_renderers_keep_each_document_once(database: str) -> None:
    numbers = issue(database, operator(database, READERS), ["ada-1"] * 20)
    together = threading.Barrier(4)

    def work(_: int) -> int:
        with closing(DocumentKeeper(database, render_plainly)) as keeper:
            together.wait()
            return keeper.run_once()

    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(work, range(4)))

    assert sum(taken) == len(numbers) == 20
    kept = rows(database, "SELECT number FROM rendered_document ORDER BY number")
    assert kept == [(number,) for number in sorted(numbers)]


def test_who_was_killed_while_rendering_leaves_nothing_and_it_is_rendered_again(
    database: str, numbers: list[str]
) -> None:
    class Killed(BaseException):
        """What ends a process."""

    def dies(_connection: Connection[Any], _issued: IssuedDocument) -> RenderedDocument:
        raise Killed

    with pytest.raises(Killed), closing(DocumentKeeper(database, dies)) as keeper:
        keeper.run_once()
    assert rows(database, "SELECT count(*) FROM rendered_document") == [(0,)]

    with closing(DocumentKeeper(database, render_plainly)) as keeper:
        assert keeper.run_once() == len(numbers) - 1, "what ended the process comes last"
        make_due(database)
        assert keeper.run_once() == 1


def test_what_is_kept_never_changes_and_a_change_by_hand_shows(
    database: str, numbers: list[str], keeper: DocumentKeeper
) -> None:
    keeper.run_once()

    with connect(database) as connection:
        for change in ("UPDATE rendered_document SET pdf = ''", "DELETE FROM rendered_document"):
            with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
                connection.execute(change.encode())
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE rendered_document SET pdf_sha256 = repeat('0', 64)")
        with pytest.raises(OtherBytesError):
            read_kept(connection, numbers[0])


def test_what_was_never_tried_goes_before_thousands_that_failed(
    database: str, numbers: list[str]
) -> None:
    with connect(database) as connection:
        while follow_feed(connection):
            pass
        connection.execute(FAILED)
        connection.execute("ANALYZE document_task")
        with connection.transaction():
            claimed = [claim_task(connection) for _ in range(len(numbers) + 2)]
            [(read,)] = connection.execute(READ).fetchall()

    assert claimed[: len(numbers)] == sorted(numbers)
    assert claimed[len(numbers) :] == ["failed 1", "failed 2"]
    # One of each kind, and the row itself.
    assert read <= 6 * len(claimed)
