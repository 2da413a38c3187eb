"""Sessions at some stations alone: a page looks at each once, and further at those it shows."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from ledger.database import connect
from ledger.declared.declarations import Declaration, Kind
from ledger.master_data.tokens import Token
from ledger.users.roles import Reach
from projections.finding.sessions import SessionOrder, SessionWish, find_sessions
from projections.finding.stays import Stays, stays_within
from projections.sessions import Since
from tests.charging_day import at
from tests.depot import NOON, declared

STATIONS, EACH, LIMIT = 400, 60, 20
SESSIONS: Any = """
INSERT INTO session (session_id, partition, station_id, transaction_ref, state, flags, blockers,
    reasons, token_uid, started_at, first_fact_at, last_fact_at, heard_at)
SELECT 'S/' || n, 0, 'ST-' || n %% %(stations)s, n::text, 'rated', '{}', '{}', '{}',
    'token' || n %% 50, at, at, at, at
FROM generate_series(1, %(count)s) AS n,
    LATERAL (SELECT %(first)s + n / 3 * interval '1 s' AS at) AS moment
"""
ALL: Any = "SELECT session_id, station_id, started_at FROM session"
READ = """
SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
WHERE relname = 'session'
"""


@pytest.fixture
def crowded(database: str) -> str:
    with connect(database) as connection:
        asked = {"stations": STATIONS, "count": STATIONS * EACH, "first": at(0)}
        connection.execute(SESSIONS, asked)
        connection.execute("ANALYZE session")
    return database


def stays_of(stations: range) -> Stays:
    """Return stations that were ours up to a moment, each second one again from a later one on."""
    once, until = at(0).isoformat(), (at(0) + timedelta(seconds=5_000)).isoformat()
    again = (at(0) + timedelta(seconds=6_000)).isoformat()
    rows = [(f"ST-{each}", once, until) for each in stations]
    rows += [(f"ST-{each}", again, "infinity") for each in stations if each % 2]
    return Stays(*(tuple(column) for column in zip(*rows, strict=True)))


@pytest.mark.parametrize("order", [SessionOrder.NEWEST, SessionOrder.OLDEST])
def test_each_page_is_that_of_all_that_are_within(crowded: str, order: SessionOrder) -> None:
    stays = stays_of(range(0, STATIONS, 3))
    with connect(crowded) as connection:
        rows = connection.execute(ALL).fetchall()
        # Two sorts: of what began at one moment the ids go the other way.
        inside = sorted(
            (each for each in rows if stays.has(each[1], each[2])),
            key=lambda each: each[0],
            reverse=order is SessionOrder.OLDEST,
        )
        inside.sort(key=lambda each: each[2], reverse=order is SessionOrder.NEWEST)
        found, since = list[str](), None
        for _ in range(5):
            wish = SessionWish(stays=stays)
            page = find_sessions(connection, wish, limit=LIMIT, since=since, order=order)
            found += [each.session_id for each in page]
            since = Since(page[-1].begun_at, page[-1].session_id)

    assert found == [session for session, *_ in inside[: 5 * LIMIT]]


@pytest.mark.parametrize("begun_until", [None, at(0) + timedelta(seconds=4_000)])
def test_a_page_reads_one_of_each_station_and_some_of_those_that_it_shows(
    crowded: str, begun_until: datetime | None
) -> None:
    stays = stays_of(range(STATIONS))
    with connect(crowded) as connection, connection.transaction():
        wish = SessionWish(stays=stays, begun_until=begun_until)
        assert len(find_sessions(connection, wish, limit=LIMIT)) == LIMIT
        [(read,)] = connection.execute(READ).fetchall()

    assert read <= len(stays.stations) + LIMIT * LIMIT


def test_no_station_at_all_has_no_session(crowded: str) -> None:
    with connect(crowded) as connection:
        wish = SessionWish(stays=Stays((), (), ()))
        assert find_sessions(connection, wish, limit=LIMIT) == []


def test_which_stations_are_within_is_known_until_one_of_them_or_a_site_is_declared() -> None:
    known, reach = declared(), Reach(is_everywhere=False, legal_entities=frozenset({"depot"}))
    stays = stays_within(known, reach)
    token = Declaration(known.version + 1, Kind.TOKEN, "another", NOON, Token())
    moved = Declaration(known.version + 2, Kind.STATION, "ST-1", NOON, None)

    later = known.extended([token])
    last = later.extended([moved])

    assert stays is not None
    assert "ST-1" in stays.stations
    assert stays_within(later, reach) is stays
    assert stays_within(last, reach) != stays
    assert stays_within(known, reach) is stays
