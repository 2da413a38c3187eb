"""Stored decisions: whole, once, and never changed."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec
import psycopg
import pytest

from ledger.books.decisions_store import UnratedSessionError, rated_sessions, store_decisions
from ledger.database import connect
from ledger.rating.decide import decide, release, write_off
from ledger.rating.decisions import Moment, SessionHeld, encode_decision
from tests.depot import declared, moment_of, rated, session


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as opened:
        yield opened


def test_a_rating_is_stored_with_its_bytes_their_hash_its_lines_and_its_entry(
    connection: psycopg.Connection[Any],
) -> None:
    decision = rated(session())

    store_decisions(connection, [decision])

    row = connection.execute("SELECT kind, body, sha256 FROM session_decision").fetchone()
    body = encode_decision(decision)
    assert row == ("rated", body.decode(), sha256(body).hexdigest())
    assert rated_sessions(connection, [decision.session_id]) == (decision,)
    lines = connection.execute("SELECT net_minor, tax_minor FROM rated_line").fetchall()
    assert lines == [(line.net_minor, line.tax_minor) for line in decision.lines]
    assert connection.execute("SELECT entry_id FROM journal_entry").fetchall() == [
        (f"rated:{decision.session_id}",)
    ]


def test_a_session_is_decided_for_good_only_once(connection: psycopg.Connection[Any]) -> None:
    """A check before the insert is not enough: the index refuses the second (peer fault 26)."""
    decision = rated(session())
    again = msgspec.structs.replace(
        decision, moment=Moment(partition=0, position=99, at=decision.moment.at)
    )
    store_decisions(connection, [decision])

    with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
        store_decisions(connection, [again])

    counted = connection.execute("SELECT count(*) FROM posting WHERE amount_minor > 0").fetchone()
    assert counted == (1,)


def test_one_component_bills_a_period_once(connection: psycopg.Connection[Any]) -> None:
    decision = rated(session())
    twice = msgspec.structs.replace(
        decision,
        lines=(*decision.lines, msgspec.structs.replace(decision.lines[0], line=2)),
    )

    with pytest.raises(psycopg.errors.UniqueViolation, match="component"):
        store_decisions(connection, [twice])


def test_decisions_refuse_to_be_changed(connection: psycopg.Connection[Any]) -> None:
    store_decisions(connection, [rated(session())])

    for table in ("session_decision", "rated_line"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute(f"DELETE FROM {table}".encode())


def test_a_held_session_can_still_be_decided_by_a_person(
    connection: psycopg.Connection[Any],
) -> None:
    charging, other = session(1, blockers=["seq_gap"]), session(2, token_uid="stranger")
    for each in (charging, other):
        decision = decide(each, declared(), moment=moment_of(each, hours=2))
        assert isinstance(decision, SessionHeld)
        store_decisions(connection, [decision])
    later = Moment(partition=0, position=50, at=moment_of(charging, hours=3).at)

    released = release(charging, declared(), moment=later, by="mia", reason="checked")
    given_up = write_off(other, declared(), moment=later, by="mia", reason="staff")
    store_decisions(connection, [released, given_up])

    kinds = connection.execute(
        "SELECT kind FROM session_decision ORDER BY session_id, position"
    ).fetchall()
    assert kinds == [("held",), ("released",), ("held",), ("written_off",)]
    assert rated_sessions(connection, [charging.session_id]) == (released,)
    with pytest.raises(UnratedSessionError):
        rated_sessions(connection, [other.session_id])
