"""Readers of exports who stand still keep nobody else from theirs."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import psycopg
import pytest

from deploy.api.conventions.reading_pool import pool_of
from deploy.console.wiring import OpenedDesk, console_side
from deploy.settings import Settings
from ledger.declared.store import NewestDeclarations
from ledger.log.postgres import PostgresEventLog
from projections.console.side import EXPORTS_MAX, ExportsBusyError

AT = datetime(2026, 3, 3, tzinfo=UTC)


def test_a_reader_who_stands_still_loses_the_place(database: str) -> None:
    settings = Settings()
    desk = OpenedDesk(database, partial(PostgresEventLog, database), settings)
    made = console_side(
        database, pool_of(database), NewestDeclarations(), lambda: AT, desk, settings
    )
    side = replace(made, export_idle_seconds=1)
    cut_off = pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout)
    with cut_off, ExitStack() as stuck:
        opened = [stuck.enter_context(side.exporting()) for _ in range(EXPORTS_MAX)]
        with pytest.raises(ExportsBusyError), side.exporting():
            pass
        ending = time.monotonic() + 60
        while True:
            try:
                with side.exporting() as connection:
                    connection.execute("SELECT 1")
                break
            except ExportsBusyError:
                assert time.monotonic() < ending
                time.sleep(0.1)
        opened[0].execute("SELECT 1")
