"""Beside a running system read models are kept up, whatever fails of one station."""

from __future__ import annotations

import threading

import pytest

from ledger.database import connect
from projections.energy import keeping
from projections.energy.keeper import EnergyKeeper
from projections.energy.keeping import keep_up
from tests.projections.books_of_a_day import books_of_a_day


def test_stations_are_counted_until_it_is_told_to_stop(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    books_of_a_day(database)
    monkeypatch.setattr(keeping, "LOOK_SECONDS", 0.01)
    count = EnergyKeeper.count

    def failing(keeper: EnergyKeeper, station_id: str) -> None:
        if station_id == "CS-NEW-2":
            raise ZeroDivisionError
        count(keeper, station_id)

    monkeypatch.setattr(EnergyKeeper, "count", failing)
    told: list[str] = []
    stop, failed_twice = threading.Event(), threading.Event()

    def tell(station_id: str, _: Exception) -> None:
        told.append(station_id)
        if len(told) > 1:
            failed_twice.set()

    thread = threading.Thread(target=keep_up, args=(database, stop, tell))
    thread.start()
    assert failed_twice.wait(60)
    stop.set()
    thread.join(60)

    assert not thread.is_alive()
    assert set(told) == {"CS-NEW-2"}
    with connect(database) as connection:
        assert EnergyKeeper(connection).waiting() == ["CS-NEW-2"]


def test_a_database_that_is_away_is_told_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LOOK_SECONDS", 0.01)
    told: list[str] = []
    stop = threading.Event()

    def tell(station_id: str, _: Exception) -> None:
        told.append(station_id)
        stop.set()

    keep_up("host=/nowhere dbname=none", stop, tell)

    assert told == [""]
