"""Who renders and sends documents is killed at random: each is kept once, none is sent twice."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing

import pytest

from ledger.database import connect
from ledger.master_data.customers import Delivery
from projections.documents.delivery.deliverer import Deliverer
from projections.documents.delivery.mail import MailServer, MailWay, message_id
from projections.documents.keeping.keeper import DocumentKeeper
from tests.faults.document_process import letter, render_and_deliver
from tests.faults.running_system import wait_until
from tests.projections.documents.delivery.mail_server import PostBox, mail_server
from tests.projections.documents.issued_documents import (
    issue,
    make_due,
    operator,
    render_plainly,
    rows,
)

_CONTEXT = multiprocessing.get_context("forkserver")
_ENDED = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1
"""
_STATES = """
SELECT state, number || '/email/' || left(pdf_sha256, 16)
FROM document_delivery JOIN rendered_document USING (number)
"""


def kill_while_sending(dsn: str, server: MailServer, kills: int, chance: random.Random) -> None:
    """Kill who renders and sends, or one of its backends, *kills* times."""
    _CONTEXT.set_forkserver_preload(["tests.faults.document_process"])
    for number in range(kills):
        process = _CONTEXT.Process(target=render_and_deliver, args=(dsn, server), daemon=True)
        process.start()
        # Now and then one gets as far as to a mail; else a kill comes in the middle of work.
        if number % 5 == 0:
            before = rows(dsn, "SELECT count(*) FROM delivery_attempt")
            _wait_for_more(lambda: rows(dsn, "SELECT count(*) FROM delivery_attempt"), before)
        time.sleep(chance.uniform(0, 0.3))
        if chance.random() < 0.3:
            rows(dsn, _ENDED)
            time.sleep(chance.uniform(0, 0.1))
        assert process.is_alive(), "it ended by itself"
        process.kill()
        process.join()
        with connect(dsn) as connection:
            connection.execute("UPDATE document_task SET next_at = now()")
            connection.execute("UPDATE document_delivery SET next_at = now()")


def assert_none_was_sent_twice(dsn: str, server: MailServer, box: PostBox, count: int) -> None:
    with closing(DocumentKeeper(dsn, render_plainly)) as keeper:
        make_due(dsn)
        keeper.run_once()
    with closing(Deliverer(dsn, {Delivery.EMAIL: MailWay(server, letter)})) as deliverer:
        wait_until(lambda: _has_nothing_left(dsn, deliverer), "all is delivered")

    assert rows(dsn, "SELECT count(*) FROM rendered_document") == [(count,)]
    assert rows(dsn, "SELECT count(*) FROM document_task") == [(0,)]
    arrived = Counter(box.ids)
    assert max(arrived.values()) == 1
    states = {message_id(key, server.sender): state for state, key in rows(dsn, _STATES)}
    assert len(states) == count
    assert set(states.values()) <= {"delivered", "unknown"}
    assert Counter(states.values())["delivered"] > count / 2
    # What is noted as delivered is; whatever else arrived, a person is asked about.
    assert {each for each, state in states.items() if state == "delivered"} <= set(arrived)
    assert {each for each in arrived if states[each] != "delivered"} <= {
        each for each, state in states.items() if state == "unknown"
    }
    lasting = "SELECT count(*) FROM delivery_attempt WHERE came_of_it IS NULL"
    assert rows(dsn, lasting) == [(0,)]


def _has_nothing_left(dsn: str, deliverer: Deliverer) -> bool:
    make_due(dsn)
    deliverer.run_once()
    left = "SELECT count(*) FROM document_delivery WHERE state NOT IN ('delivered', 'unknown')"
    return rows(dsn, left) == [(0,)]


def _wait_for_more(count: Callable[[], object], before: object) -> None:
    wait_until(lambda: count() != before, "an attempt is put down")


def run(dsn: str, *, documents: int, kills: int, seed: int) -> None:
    issue(dsn, operator(dsn, {"ada": Delivery.EMAIL}), ["ada-1"] * documents)
    box = PostBox()
    with mail_server(box) as server:
        kill_while_sending(dsn, server, kills, random.Random(seed))
        assert_none_was_sent_twice(dsn, server, box, documents)


@pytest.mark.timeout(300)
def test_documents_are_kept_once_and_sent_at_most_once_whoever_is_killed(database: str) -> None:
    run(database, documents=150, kills=12, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("seed", range(2, 5))
def test_documents_are_sent_at_most_once_over_two_hundred_kills(database: str, seed: int) -> None:
    run(database, documents=1500, kills=200, seed=seed)
