"""Whatever is put, refused, failed, put back and forgotten: one a lane at a time, and in order."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from ledger.database import connect
from ledger.leases import Lease, take_lease
from roaming_ocpi.relay.claiming import (
    LEASE,
    ClaimNotes,
    MessageClaim,
    Noted,
    PartnerStanding,
    claim,
    note,
)
from roaming_ocpi.relay.outcomes import Arrival, AttemptOutcome
from roaming_ocpi.relay.outgoing import MessageKind, WantedMessage, enqueue_all, put_back

TNM = "NL-TNM"
SECONDS_MAX = 60
RUNS = count()
Step = tuple[str, Any]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.tuples(st.integers(0, 3), st.sampled_from(list(MessageKind)))),
        st.tuples(st.just("work"), st.lists(st.sampled_from(["yes", "no", "later"]), max_size=4)),
        st.tuples(st.just("killed"), st.integers(1, 4)),
        st.tuples(st.just("put back"), st.none()),
    ),
    max_size=40,
)


@given(steps)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_lane_is_worked_off_in_order_and_nothing_is_lost(
    database: str, story: list[Step]
) -> None:
    with outbox(database) as (connection, lease, party):
        made = Counter[int]()
        wanted: list[WantedMessage] = []
        taken: list[str] = []
        for step, what in story:
            if step == "put":
                wanted.append(_wanted(party, made, *what))
                with connection.transaction():
                    enqueue_all(connection, wanted[-1:])
            elif step == "work":
                _work(connection, lease, party, what, taken)
            elif step == "killed":
                claimed = claim(connection, lease, party, now=NOW, limit=what)
                _check(claimed)
            else:
                put_back(connection, party)

        _finish(connection, lease, party, taken)

    told = [each.subject for each in wanted if each.kind is not MessageKind.SESSION]
    assert sorted(each for each in taken if "/" in each) == sorted(told)
    for lane in range(4):
        cdrs = [each for each in taken if each.startswith(f"{lane}/")]
        assert cdrs == [each for each in told if each.startswith(f"{lane}/")]
    sessions = {each.subject for each in wanted if each.kind is MessageKind.SESSION}
    assert {each for each in taken if "/" not in each} == sessions


NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@contextmanager
def outbox(dsn: str) -> Iterator[tuple[Connection[Any], Lease, str]]:
    with connect(dsn) as connection:
        lease = take_lease(connection, LEASE, holder="test", seconds=600)
        assert lease is not None
        yield connection, lease, f"{TNM}-{next(RUNS)}"


def _wanted(party: str, made: Counter[int], lane: int, kind: MessageKind) -> WantedMessage:
    made[lane] += 1
    subject = str(lane) if kind is MessageKind.SESSION else f"{lane}/{made[lane]}"
    return WantedMessage(party, kind, subject, str(lane))


def _check(claimed: MessageClaim) -> None:
    lanes = [each.lane for each in claimed.messages]
    assert len(set(lanes)) == len(lanes), "one of a lane at a time"
    numbers = [each.number for each in claimed.messages]
    assert len(set(numbers)) == len(numbers)


def _work(
    connection: Connection[Any], lease: Lease, party: str, says: Sequence[str], taken: list[str]
) -> int:
    claimed = claim(connection, lease, party, now=NOW, limit=3)
    _check(claimed)
    came = {"yes": Arrival.DELIVERED, "no": Arrival.REFUSED, "later": Arrival.FAILED}
    attempts = [
        Noted(message, AttemptOutcome(came[said]), NOW, timedelta(0))
        for message, said in zip(claimed.messages, says, strict=False)
    ]
    taken += [each.message.subject for each in attempts if each.outcome.is_done]
    untouched = claimed.messages[len(attempts) :]
    note(connection, lease, party, ClaimNotes(attempts, untouched, PartnerStanding()), now=NOW)
    return len(attempts)


def _finish(connection: Connection[Any], lease: Lease, party: str, taken: list[str]) -> None:
    """Let everything be taken that is left."""
    while put_back(connection, party) + _work(connection, lease, party, ["yes"] * 3, taken):
        pass
    rest = connection.execute("SELECT state, subject FROM outgoing WHERE party = %s", (party,))
    assert rest.fetchall() == []


def test_who_puts_again_what_is_being_noted_waits_for_it_and_nobody_in_a_circle(
    database: str,
) -> None:
    names = [f"s{number:03}" for number in range(60)]
    wanted = [WantedMessage(TNM, MessageKind.SESSION, name, name) for name in reversed(names)]
    stop = threading.Event()

    def put() -> int:
        turns = 0
        with connect(database) as connection:
            while not stop.is_set():
                with connection.transaction():
                    enqueue_all(connection, wanted)
                turns += 1
        return turns

    with outbox(database) as (connection, lease, _), ThreadPoolExecutor(2) as threads:
        putting = [threads.submit(put) for _ in range(2)]
        taken: list[str] = []
        try:
            began = time.monotonic()
            # Until each came, and at least so long that they would have met in a circle.
            while (spent := time.monotonic() - began) < 3 or set(taken) < set(names):
                assert spent < SECONDS_MAX, "they wait for each other"
                claimed = claim(connection, lease, TNM, now=NOW, limit=50)
                attempts = [
                    Noted(each, AttemptOutcome(Arrival.DELIVERED), NOW)
                    for each in reversed(claimed.messages)
                ]
                taken += [each.message.subject for each in attempts]
                notes = ClaimNotes(attempts, (), PartnerStanding())
                note(connection, lease, TNM, notes, now=NOW)
        finally:
            stop.set()
        turns = [each.result() for each in putting]

    assert min(turns) > 1
    assert set(taken) == set(names)
