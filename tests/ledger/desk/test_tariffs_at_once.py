"""Who comes to the desk of tariffs while another one is at it, or was killed there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.running.opening import prepare
from deploy.settings import Settings
from ledger.approvals.approvals import TariffApprovals
from ledger.books.feed import DESK_PARTITION, read_feed
from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.declared.store import load_declarations
from ledger.desk import approvals
from ledger.desk.apply import apply_files, declare_all
from ledger.desk.approvals import TariffDesk, tariff_desk
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.assignments import Assignment

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
SITE = """
legal_entities:
  acme: {name: Acme, country: NO, time_zone: Europe/Oslo, invoice_prefix: AC,
    vat_id: NO123456785MVA}
sites:
  fjord: {time_zone: Europe/Oslo, country: NO, legal_entity: acme, currency: NOK}
policy: {four_eyes: true}
"""
FJORD = (Assignment(tariff="tou", site="fjord"),)
Books = psycopg.Connection[Any]


@pytest.fixture
def log(database: str, tmp_path: Path) -> Iterator[PostgresEventLog]:
    prepare(database, Settings(data=tmp_path, partitions=3))
    with PostgresEventLog(database) as log:
        yield log


@pytest.fixture
def books(database: str, log: PostgresEventLog) -> Iterator[Books]:
    with connect(database) as connection:
        apply_files(connection, [(SITE, "site.yaml")], log=log, by="root", at=NOW)
        yield connection


def text(tariff: str) -> tuple[str, str]:
    lines = f"tariff: {tariff}\ncurrency: NOK\nvat: 25 %\nelements:\n  - energy: 4.50 per kWh\n"
    return lines, f"{tariff}.yaml"


def waits(dsn: str, tariff: str) -> bool:
    """Say whether an approved tariff is still to be declared."""
    with TariffApprovals(dsn) as records:
        return records.versions(tariff)[-1].to_declare


def test_who_comes_to_the_desk_meanwhile_takes_nothing_from_who_approves(
    books: Books, log: PostgresEventLog, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [database]

    def declared_meanwhile(*given: Any, **named: Any) -> int:  # noqa: ANN401 - as the real one
        if others:
            # Between the record and what follows from it.
            with connect(others.pop()) as other, tariff_desk(other, log):
                pass
        return declare_all(*given, **named)

    with tariff_desk(books, log) as desk:
        desk.propose([text("tou")], FJORD, by="anna", at=NOW)
        monkeypatch.setattr(approvals, "declare_all", declared_meanwhile)
        record = desk.approve("tou", by="ben", at=LATER, sha256=None)

    assert (record.approved_by, others, waits(database, "tou")) == ("ben", [], False)
    declared = books.execute("SELECT count(*) FROM declaration WHERE kind = 'tariff'").fetchall()
    assert declared == [(1,)]
    assert len(read_feed(books, DESK_PARTITION, start=1, limit=10)) == 1


class CutOffError(BaseException):
    """A kill: nothing catches it."""


def cut_off(*_: object) -> None:
    raise CutOffError


def test_what_cannot_be_declared_any_more_stops_no_other_tariff(
    books: Books, log: PostgresEventLog, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tariff_desk(books, log) as desk:
        desk.propose([text("tou")], FJORD, by="anna", at=NOW)
        monkeypatch.setattr(TariffDesk, "_declare", cut_off)
        with pytest.raises(CutOffError):
            desk.approve("tou", by="ben", at=LATER, sha256=None)
        monkeypatch.undo()
    site = load_declarations(books).site("fjord", LATER)
    gone = Change(kind=Kind.SITE, key="fjord", entity=None)
    declare_all(books, [gone], log=log, by="root", at=LATER)

    with tariff_desk(books, log) as desk:
        desk.propose([text("flat")], by="anna", at=LATER)
        desk.approve("flat", by="ben", at=LATER, sha256=None)
    assert (waits(database, "tou"), waits(database, "flat")) == (True, False)

    back = Change(kind=Kind.SITE, key="fjord", entity=site, valid_from=LATER)
    declare_all(books, [back], log=log, by="root", at=LATER + timedelta(hours=1))
    with tariff_desk(books, log):
        pass
    assert not waits(database, "tou")
