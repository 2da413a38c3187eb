"""A session told again from what lies around it is the one of its whole station's history."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from ledger.database import connect
from ledger.declared.store import load_declarations
from ledger.rating.decisions import SessionRated
from ledger.rating.stored import unpack_decision
from ledger.sessions.station_fold import fold_station
from projections.energy import session_then as module
from projections.energy.keeper import EnergyKeeper
from projections.energy.session_then import session_then
from projections.stations.history import station_history
from tests.charging_day import tick
from tests.projections.books_of_a_day import books_of_a_day, go_on
from tests.projections.energy.test_keeper import kept_days, visits


def ratings(connection: psycopg.Connection[Any]) -> list[SessionRated]:
    rows = connection.execute("SELECT body FROM session_decision ORDER BY session_id, revision")
    decisions = [unpack_decision(body) for (body,) in rows]
    return [each for each in decisions if isinstance(each, SessionRated)]


@pytest.mark.parametrize("seed", [0, 4, 8, 12, 1, 2, 3])
def test_it_is_the_session_that_was_rated(database: str, seed: int) -> None:
    kept_days(database, seed)
    with connect(database) as connection:
        for decision in ratings(connection):
            declarations = load_declarations(connection, decision.declared_version)
            whole = station_history(
                connection,
                declarations,
                decision.station_id,
                until_position=decision.moment.position,
            )
            found = session_then(connection, declarations, decision)
            assert found == whole.sessions.get(decision.session_id)


def test_it_does_not_read_the_whole_history(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    books_of_a_day(database)
    with connect(database) as connection:
        keeper = EnergyKeeper(connection, sessions_min=3)
        for first in range(0, 24, 4):
            go_on(database, [*visits(4, first=first), *tick(2_260 + 300 * first)])
            keeper.take_in()
        found = [each for each in ratings(connection) if each.station_id == "CS-OLD-1"]
        declarations = load_declarations(connection)
        monkeypatch.setattr(module, "station_history", None)
        read: list[int] = []
        fold = fold_station

        def counting(*given: Any) -> Any:  # noqa: ANN401 - handed on
            read.append(len(given[1].transactions))
            return fold(*given)

        monkeypatch.setattr(module, "fold_station", counting)
        for decision in found:
            assert session_then(connection, declarations, decision) is not None

    assert len(found) > 20
    assert max(read) <= 10
