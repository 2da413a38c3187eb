"""Stored decisions: whole, once, and never changed."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec
import psycopg
import pytest

from ledger.books.decisions_store import UnratedSessionError, is_to_be_invoiced, rated_sessions
from ledger.database import connect
from ledger.rating.decide import decide, release, write_off
from ledger.rating.decisions import (
    AllowanceUse,
    Decided,
    Moment,
    SessionHeld,
    SessionRated,
    encode_decision,
)
from ledger.rating.stored import PACKING
from projections.balances.trial import trial_balance
from tariffs.adjustments.consumption import Consumption
from tests.depot import declared, keep_decisions, moment_of, rated, session


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database) as opened:
        yield opened


def column(connection: psycopg.Connection[Any], query: str) -> list[Any]:
    return [value for (value,) in connection.execute(query.encode())]


def moved(decision: Decided, position: int) -> Any:  # noqa: ANN401 - of the kind that it was
    """Return *decision* as taken at another record."""
    moment = msgspec.structs.replace(decision.moment, position=position)
    return msgspec.structs.replace(decision, moment=moment)


def corrected(decision: SessionRated) -> SessionRated:
    """Return the next revision of a rating, at half the energy."""
    half = rated(session(energy_wh="5000"))
    assert half.session_id == decision.session_id
    return moved(msgspec.structs.replace(half, revision=decision.revision + 1), 97)  # type: ignore[no-any-return]


def test_a_rating_is_stored_with_its_bytes_their_hash_its_lines_and_its_entry(
    connection: psycopg.Connection[Any],
) -> None:
    decision = rated(session())

    keep_decisions(connection, [decision])

    row = connection.execute("SELECT kind, body, sha256 FROM session_decision").fetchone()
    body = encode_decision(decision)
    assert row is not None
    assert (row[0], PACKING.unpack(row[1]), row[2]) == ("rated", body, sha256(body).digest())
    assert rated_sessions(connection, [decision.decides]) == (decision,)
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
    keep_decisions(connection, [decision])

    with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
        keep_decisions(connection, [again])

    counted = connection.execute("SELECT count(*) FROM posting WHERE amount_minor > 0").fetchone()
    assert counted == (1,)


def test_a_correction_is_a_further_decision_beside_the_one_that_it_corrects(
    connection: psycopg.Connection[Any],
) -> None:
    first = rated(session())
    second = corrected(first)
    keep_decisions(connection, [first])

    keep_decisions(connection, [second])

    assert rated_sessions(connection, [second.decides, first.decides]) == (second, first)
    assert column(connection, "SELECT revision FROM final_decision") == [2]
    lines = "SELECT revision, sum(net_minor)::int FROM rated_line GROUP BY 1 ORDER BY 1"
    assert connection.execute(lines.encode()).fetchall() == [(1, 400), (2, 200)]
    entries = "SELECT entry_id, session_id, revision FROM journal_entry ORDER BY revision"
    assert connection.execute(entries.encode()).fetchall() == [
        (f"rated:{first.session_id}", first.session_id, 1),
        (f"rated:{first.session_id}/2", first.session_id, 2),
    ]
    assert trial_balance(connection).is_balanced
    # The first one was not invoiced yet, and is not to be beside the second.
    assert column(connection, "SELECT revision FROM uninvoiced_session") == [2]


def test_a_revision_is_decided_for_good_only_once(connection: psycopg.Connection[Any]) -> None:
    first = rated(session())
    second = corrected(first)
    keep_decisions(connection, [first])
    keep_decisions(connection, [second])

    with pytest.raises(psycopg.errors.UniqueViolation, match="session_decision_final"):
        keep_decisions(connection, [moved(second, 98)])

    assert column(connection, "SELECT next_number FROM worker_position") == [3]
    keep_decisions(connection, [moved(msgspec.structs.replace(second, revision=3), 98)])
    assert column(connection, "SELECT revision FROM final_decision") == [3]


def test_a_revision_is_held_by_as_many_records_as_say_so_once_by_each(
    connection: psycopg.Connection[Any],
) -> None:
    charging = session(blockers=["seq_gap"])
    held = decide(charging, declared(), moment=moment_of(charging, hours=2))
    assert isinstance(held, SessionHeld)
    keep_decisions(connection, [moved(held, 48)])
    keep_decisions(connection, [moved(held, 49)])

    with pytest.raises(psycopg.errors.UniqueViolation, match="session_decision_final"):
        keep_decisions(connection, [moved(held, 49)])

    assert column(connection, "SELECT position FROM session_decision ORDER BY 1") == [48, 49]


def test_a_correction_that_gives_a_session_up_leaves_nothing_to_invoice(
    connection: psycopg.Connection[Any],
) -> None:
    charging = session()
    keep_decisions(connection, [rated(charging)])
    later = Moment(partition=0, position=50, at=moment_of(charging, hours=3).at)
    held = decide(
        session(blockers=["seq_gap"]), declared(), moment=moment_of(charging, hours=2), revision=2
    )
    assert isinstance(held, SessionHeld)
    keep_decisions(connection, [moved(held, 49)])
    assert column(connection, "SELECT revision FROM uninvoiced_session") == [1]
    assert column(connection, "SELECT revision FROM final_decision") == [1]

    keep_decisions(
        connection,
        [write_off(charging, declared(), moment=later, by="mia", reason="staff", revision=2)],
    )

    assert column(connection, "SELECT revision FROM uninvoiced_session") == []
    final = connection.execute("SELECT kind, revision FROM final_decision").fetchall()
    assert final == [("written_off", 2)]


def test_one_component_bills_a_period_once(connection: psycopg.Connection[Any]) -> None:
    decision = rated(session())
    twice = msgspec.structs.replace(
        decision,
        lines=(*decision.lines, msgspec.structs.replace(decision.lines[0], line=2)),
    )

    with pytest.raises(psycopg.errors.UniqueViolation, match="component"):
        keep_decisions(connection, [twice])


def test_decisions_refuse_to_be_changed(connection: psycopg.Connection[Any]) -> None:
    keep_decisions(connection, [rated(session())])

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
        keep_decisions(connection, [decision])
    later = Moment(partition=0, position=50, at=moment_of(charging, hours=3).at)

    released = release(charging, declared(), moment=later, by="mia", reason="checked")
    given_up = write_off(other, declared(), moment=later, by="mia", reason="staff")
    keep_decisions(connection, [released, given_up])

    kinds = connection.execute(
        "SELECT kind FROM session_decision ORDER BY session_id, position"
    ).fetchall()
    assert kinds == [("held",), ("released",), ("held",), ("written_off",)]
    assert rated_sessions(connection, [released.decides]) == (released,)
    with pytest.raises(UnratedSessionError, match="was never rated as revision 1"):
        rated_sessions(connection, [given_up.decides])


@pytest.mark.parametrize(
    ("net", "tax", "is_invoiced"),
    [
        pytest.param(0, 0, False, id="nothing"),
        pytest.param(0, 1, True, id="a tax alone"),
        pytest.param(1, 0, True, id="a price without tax"),
        pytest.param(1, -1, True, id="a price that its tax takes back"),
        pytest.param(-1, 0, True, id="a credit"),
    ],
)
def test_a_session_alone_makes_an_invoice_of_anything_but_nothing(
    net: int, tax: int, *, is_invoiced: bool
) -> None:
    single, monthly = rated(session()), rated(session(token_uid="fleet-1"))
    amounts = {"net_minor": net, "tax_minor": tax}

    assert is_to_be_invoiced(msgspec.structs.replace(single, **amounts)) is is_invoiced
    assert is_to_be_invoiced(msgspec.structs.replace(monthly, **amounts))
    partner = msgspec.structs.replace(single.payer, invoicing=None)
    assert not is_to_be_invoiced(msgspec.structs.replace(single, payer=partner, **amounts))


def test_what_a_session_used_of_a_shared_grant_is_stored_with_it(
    connection: psycopg.Connection[Any],
) -> None:
    use = AllowanceUse(
        key="energy/0/fleet",
        period="2026-11",
        number=1,
        used_before=Consumption(),
        used=Consumption(energy_wh=Decimal(5000), uses=1),
    )

    keep_decisions(connection, [msgspec.structs.replace(rated(session()), allowances=(use,))])

    stored = "SELECT key, period, number, revision, before_wh, used_wh, used_uses"
    assert connection.execute(f"{stored} FROM allowance_use".encode()).fetchall() == [
        ("energy/0/fleet", "2026-11", 1, 1, 0, 5000, 1)
    ]
