"""Acts of several people at once: none waits for another's, and of too many one is told so."""

from __future__ import annotations

import time
from contextlib import ExitStack
from functools import partial

import pytest

from deploy.console import wiring
from deploy.console.wiring import ACTS_MAX, OpenedDesk
from deploy.settings import Settings
from ledger.log.postgres import PostgresEventLog
from projections.console.side import ActsBusyError


def test_an_act_that_takes_its_time_holds_up_no_other(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "ACT_PATIENCE_SECONDS", 0.1)
    desk = OpenedDesk(database, partial(PostgresEventLog, database), Settings())
    with ExitStack() as acts:
        opened = [acts.enter_context(desk.opened()) for _ in range(ACTS_MAX)]
        with pytest.raises(ActsBusyError), desk.opened():
            pass
        ends = [log.ends() for _, log in opened]
    with desk.opened() as (connection, log):
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert log.ends() == ends[0]
    desk.close()

    assert len({id(log) for _, log in opened}) == ACTS_MAX


def test_of_those_who_wait_for_a_turn_only_some_hold_a_thread(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wiring, "ACT_PATIENCE_SECONDS", 60.0)
    monkeypatch.setattr(wiring, "WAITING_MAX", 0)
    desk = OpenedDesk(database, partial(PostgresEventLog, database), Settings())
    with ExitStack() as acts:
        for _ in range(ACTS_MAX):
            acts.enter_context(desk.opened())
        began = time.monotonic()
        with pytest.raises(ActsBusyError), desk.opened():
            pass
        waited = time.monotonic() - began
    with desk.opened() as (connection, _):
        assert connection.execute("SELECT 1").fetchone() == (1,)
    desk.close()

    assert waited < 30
