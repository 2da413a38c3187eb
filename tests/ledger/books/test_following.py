"""The runner: a follower hears of every decision once and in order, whatever is restarted."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import psycopg
import pytest

from ledger.books.feed import DESK_PARTITION, FeedEntry
from ledger.books.following import Runner
from tests.charging_day import start16, stop16
from tests.projections.books_of_a_day import ask, books_of_a_day, go_on

HEARD = "SELECT partition, number, subject FROM heard ORDER BY at, number"


class Listener:
    """Writes down what it hears, in the order in which it hears it."""

    name = "listener"

    def follow(self, connection: psycopg.Connection[Any], page: Sequence[FeedEntry]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO heard (partition, number, subject) VALUES (%s, %s, %s)",
                [(each.partition, each.number, each.subject) for each in page],
            )


@pytest.fixture
def books(database: str) -> str:
    """Books of a day, and a table of what a follower has heard. It takes nothing twice."""
    books_of_a_day(database)
    with ask(database) as connection:
        connection.execute(
            "CREATE TABLE heard (at bigserial, partition integer, number bigint, subject text,"
            " PRIMARY KEY (partition, number))"
        )
    return database


@pytest.fixture
def runner(books: str) -> Iterator[Runner]:
    with Runner(books, [Listener()]) as opened:
        yield opened


def heard(dsn: str) -> dict[int, list[tuple[object, ...]]]:
    """Return what was heard, by partition, in that order."""
    found: defaultdict[int, list[tuple[object, ...]]] = defaultdict(list)
    with ask(dsn) as connection:
        for partition, *entry in connection.execute(HEARD):
            assert isinstance(partition, int)
            found[partition].append(tuple(entry))
    return dict(found)


def decided(dsn: str) -> dict[int, list[tuple[object, ...]]]:
    """Return what was decided: by the log's order of each partition, and that of the invoices."""
    with ask(dsn) as connection:
        rows = connection.execute(
            "SELECT partition, session_id FROM session_decision ORDER BY position, session_id"
        ).fetchall()
        issued = connection.execute("SELECT number FROM issued_invoice ORDER BY number").fetchall()
    found: defaultdict[int, list[tuple[object, ...]]] = defaultdict(list)
    for partition, subject in [*rows, *((DESK_PARTITION, number) for (number,) in issued)]:
        assert isinstance(partition, int)
        found[partition].append((len(found[partition]) + 1, subject))
    return dict(found)


def test_a_follower_hears_of_sessions_and_invoices_by_partition(books: str, runner: Runner) -> None:
    taken = runner.run_once()

    assert runner.run_once() == 0
    assert heard(books) == decided(books)
    assert taken == sum(map(len, heard(books).values()))
    assert len(heard(books)[DESK_PARTITION]) == 4


def test_what_is_decided_later_is_heard_after_a_restart_and_nothing_twice(books: str) -> None:
    with Runner(books, [Listener()]) as first:
        first.run_once()
    go_on(books, [start16("CS-OLD-1", 400, 31, "FLEET1", 8000), stop16("CS-OLD-1", 450, 31, 9000)])

    with Runner(books, [Listener()]) as second:
        assert second.run_once() >= 1

    assert heard(books) == decided(books)


def test_a_page_that_fails_leaves_the_position_and_takes_effect_later(
    books: str, runner: Runner
) -> None:
    class Failing(Listener):
        def follow(self, *given: Any) -> None:  # noqa: ANN401 - handed on
            super().follow(*given)
            raise RuntimeError

    with Runner(books, [Failing()]) as failing, pytest.raises(RuntimeError):
        failing.run_once()
    assert heard(books) == {}

    runner.run_once()
    assert heard(books) == decided(books)


def test_runners_killed_within_a_page_hear_everything_once(
    books: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.books.following.PAGE", 2)

    class Mortal(Listener):
        def follow(self, connection: psycopg.Connection[Any], page: Sequence[FeedEntry]) -> None:
            super().follow(connection, page)
            if page[0].number == 3:
                with ask(books) as killer:
                    pid = connection.info.backend_pid
                    killer.execute("SELECT pg_terminate_backend(%s)", (pid,))

    kills = 0
    for _ in range(6):
        with suppress(psycopg.OperationalError), Runner(books, [Mortal()]) as mortal:
            mortal.run_once()
            continue
        kills += 1
    with Runner(books, [Listener()]) as runner:
        while runner.run_once():
            pass

    assert kills > 0
    assert heard(books) == decided(books)


def test_followers_keep_positions_of_their_own(books: str, runner: Runner) -> None:
    class Other(Listener):
        name = "other"

        def follow(self, connection: psycopg.Connection[Any], page: Sequence[FeedEntry]) -> None:
            """Hear of it and do nothing."""

    with Runner(books, [Other()]) as other:
        taken = other.run_once()

    assert runner.run_once() == taken


def test_two_runners_at_once_hear_everything_once_and_in_order(
    books: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.books.following.PAGE", 1)
    stop = threading.Event()

    def follow() -> None:
        with Runner(books, [Listener()]) as runner:
            runner.run(stop)

    threads = [threading.Thread(target=follow) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(1_200):
        if heard(books) == decided(books):
            break
        stop.wait(0.05)
    stop.set()
    for thread in threads:
        thread.join()

    assert heard(books) == decided(books)
