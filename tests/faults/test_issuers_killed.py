"""Eight issuers, killed and rolled back at random: no gap, no number twice, nothing left out."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.context import ForkServerProcess
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from ledger.books.feed import DESK_PARTITION, read_feed
from ledger.database import connect
from ledger.invoices.issuer import InvoiceIssuer
from ledger.invoices.issuing import issue_due
from ledger.rating.decisions import Moment, SessionRated
from ledger.rating.reconciling.correcting import corrected
from projections.balances.document_numbers import Given, NumberReport, number_report
from tests.depot import NOON, declared, keep_decisions, rated, session
from tests.faults.issuer_process import MOMENTS, issue_for_ever
from tests.faults.running_system import wait_until

ISSUERS = 8
BACKLOG = 500
IN_THE_END = datetime(2027, 6, 1, tzinfo=UTC)
_TOKENS = ("anna-1", "nobody-1", "fleet-1")
_ENDED = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1
"""
_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass
class Issuers:
    """Eight processes; whoever is killed is started again."""

    dsn: str
    alone: bool
    chance: random.Random
    kills: int = 0
    _running: list[ForkServerProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        # What they need is imported once; each is a process of its own all the same.
        _CONTEXT.set_forkserver_preload(["tests.faults.issuer_process"])
        self._running = [self._started() for _ in range(ISSUERS)]

    def kill_one(self) -> None:
        at = self.chance.randrange(ISSUERS)
        self._kill(self._running[at])
        self._running[at] = self._started()

    def kill_all(self) -> None:
        for each in self._running:
            self._kill(each)

    def _kill(self, process: ForkServerProcess) -> None:
        assert process.is_alive(), "an issuer ended by itself"
        process.kill()
        process.join()
        self.kills += 1

    def _started(self) -> ForkServerProcess:
        given = (self.dsn, self.chance.randrange(2**32))
        process = _CONTEXT.Process(target=issue_for_ever, args=given, kwargs={"alone": self.alone})
        process.daemon = True
        process.start()
        return process


def rated_some(numbers: Sequence[int], chance: random.Random) -> list[SessionRated]:
    """Return ratings, one of them in a currency that no document can be made of."""
    some = [rated(session(number, token_uid=chance.choice(_TOKENS))) for number in numbers]
    return [replace(some[0], currency="ABC"), *some[1:]]


def correction(was: SessionRated, number: int) -> SessionRated:
    charging = session(number, token_uid=was.token_uid, energy_wh="5000")
    moment = Moment(partition=0, position=100_000 + number, at=NOON)
    return corrected(replace(rated(charging), revision=2, moment=moment), was)


def kill_while_issuing(dsn: str, kills: int, *, seed: int, alone: bool) -> list[SessionRated]:
    """Rate sessions and correct some, while who issues them is killed; return all ratings."""
    chance = random.Random(seed)
    with connect(dsn) as connection:
        kept = rated_some(range(1, BACKLOG + 1), chance)
        keep_decisions(connection, kept)
        issuers = Issuers(dsn, alone, chance)
        while issuers.kills < kills:
            # Now and then somebody gets as far as that; else a kill comes in the middle of work.
            if issuers.kills % 10 == 0:
                before = booked(connection)
                wait_until(lambda: booked(connection) > before, "a document is booked")  # noqa: B023
            time.sleep(chance.uniform(0, 0.1))
            number = len(kept) + 1
            some = rated_some(range(number, number + 10), chance)
            keep_decisions(connection, some)
            kept += some
            # Who looks what to credit counts on the lock: nobody else issues meanwhile.
            if alone:
                at = issuers.kills * 10 + 1
                keep_decisions(connection, [correction(kept[at], at + 1)])
            if chance.random() < 0.3:
                connection.execute(_ENDED)
            issuers.kill_one()
        issuers.kill_all()
    return kept


def booked(connection: psycopg.Connection[Any]) -> int:
    return int(connection.execute("SELECT count(*) FROM issued_invoice").fetchall()[0][0])


def numbers_of(connection: psycopg.Connection[Any], issuer: InvoiceIssuer) -> NumberReport:
    def given(legal_entity: str, year: int, kind: str) -> Given | None:
        found = issuer.series(legal_entity=legal_entity, year=year, kind=kind)
        if found is None:
            return None
        return Given(found.start, found.last, found.format, found.format_since)

    return number_report(connection, given)


def assert_all_is_issued_once(dsn: str, kept: Sequence[SessionRated]) -> None:
    with connect(dsn) as connection, InvoiceIssuer(dsn) as issuer:
        for up_to in (MOMENTS[-1], IN_THE_END):
            issue_due(connection, issuer, declared(), up_to=up_to)
        report = numbers_of(connection, issuer)
        issued = [invoice for _, invoice in issuer.invoices()]
        feed = read_feed(connection, DESK_PARTITION, start=1, limit=1_000_000)
        billed = [each for invoice in issued if not invoice.credits for each in invoice.sessions]
        left = connection.execute("SELECT count(*) FROM uninvoiced_session").fetchall()
        unbilled = connection.execute(
            "SELECT coalesce(sum(amount_minor), 0) FROM posting WHERE currency <> 'ABC'"
            " AND account IN ('receivable:unbilled', 'expected_tax')"
        ).fetchall()

    assert report.is_whole, report
    assert {each.year for each in report.series} == {2026, 2027}
    # In the order of the saves, each once.
    assert [entry.subject for entry in feed] == [invoice.number for invoice in issued]
    assert len(set(billed)) == len(billed)
    cannot = [each for each in kept if each.currency == "ABC"]
    assert {each.session_id for each in kept} - {each.session_id for each in billed} == {
        each.session_id for each in cannot
    }
    assert (left, unbilled) == ([(len(cannot),)], [(0,)])


@pytest.mark.timeout(300)
@pytest.mark.parametrize("alone", [True, False], ids=["one at a time", "all at once"])
def test_issuers_killed_at_random_leave_no_gap_and_nothing_out(
    database: str, *, alone: bool
) -> None:
    kept = kill_while_issuing(database, 30, seed=1, alone=alone)

    assert_all_is_issued_once(database, kept)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("alone", [True, False], ids=["one at a time", "all at once"])
@pytest.mark.parametrize("seed", range(2, 5))
def test_issuers_killed_three_hundred_times(database: str, seed: int, *, alone: bool) -> None:
    kept = kill_while_issuing(database, 300, seed=seed, alone=alone)

    assert_all_is_issued_once(database, kept)
