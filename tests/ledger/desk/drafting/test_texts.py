"""The file of a published version is kept, and somebody goes on from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from ledger.approvals.newest import NewestRecords
from ledger.database import connect
from ledger.declared.store import InvalidDeclarationError
from ledger.desk.approvals import tariff_desk
from ledger.desk.drafting.drafts import keep_draft
from ledger.desk.drafting.texts import kept_text, text_to_edit
from ledger.desk.publish import Holding, publish_files, read_tariffs
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.assignments import Assignment
from ledger.master_data.tariff_versions import published
from tariffs.files.tariff_file import read_tariff_file

NOW = datetime(2026, 4, 1, 8, tzinfo=UTC)
PLAIN = "# For the yard.\ntariff: plain\ncurrency: EUR\nelements:\n  - energy: 0.40 per kWh\n"


@pytest.fixture
def connection(database: str) -> Iterator[Connection[Any]]:
    with connect(database) as opened:
        yield opened


def test_publishing_keeps_the_file_once(connection: Connection[Any], database: str) -> None:
    [tariff] = read_tariffs([(PLAIN, "plain.yaml")])
    log = PostgresEventLog(database)
    for text in (PLAIN, PLAIN.replace("yard", "garden")):
        publish_files(connection, [(text, "plain.yaml")], log=log, by="anna", at=NOW)
    log.close()

    assert kept_text(connection, published(tariff).sha256) == PLAIN
    assert text_to_edit(connection, tariff) == PLAIN
    with pytest.raises(psycopg.errors.DatabaseError, match="what was recorded stays"):
        connection.execute("DELETE FROM tariff_text")


def test_what_is_not_published_keeps_no_file(connection: Connection[Any], database: str) -> None:
    [tariff] = read_tariffs([(PLAIN, "plain.yaml")])
    nowhere = Assignment(tariff="plain", site="nowhere")
    with PostgresEventLog(database) as log, pytest.raises(InvalidDeclarationError):
        publish_files(
            connection,
            [(PLAIN, "plain.yaml")],
            log=log,
            by="a",
            at=NOW,
            holding=Holding(assignments=[nowhere]),
        )

    assert kept_text(connection, published(tariff).sha256) is None


def test_a_version_without_a_file_is_written_anew_or_taken_from_its_draft(
    connection: Connection[Any],
) -> None:
    tariff, _ = read_tariff_file(PLAIN, "plain.yaml")
    assert tariff is not None
    written = text_to_edit(connection, tariff)
    keep_draft(connection, PLAIN, by="anna", at=NOW)

    assert read_tariff_file(written, "written")[0] == tariff
    assert "yard" not in written
    assert text_to_edit(connection, tariff) == PLAIN


def test_records_are_known_as_they_are_by_now(connection: Connection[Any], database: str) -> None:
    records, log = NewestRecords(), PostgresEventLog(database)
    assert records.of(database, connection) == records.of(database) == ()
    with tariff_desk(connection, log) as desk:
        desk.propose([(PLAIN, "plain.yaml")], by="anna", at=NOW)
        [proposed] = records.of(database, connection)
        desk.approve("plain", by="ben", at=NOW, sha256=proposed.sha256)
    log.close()
    [approved] = records.of(database, connection)
    assert records.of(database, connection) == records.of(database) == (approved,)

    assert (proposed.state, approved.state) == ("proposed", "approved")
    assert approved.approved_by == "ben"
