"""The runner on a real PostgreSQL: whatever fails between two steps, each thing is done once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from threading import Event

import psycopg
import pytest

from ledger.database import connect
from ledger.errors import LedgerError
from ledger.payments.due_objects import claim_objects, tell_of_object
from ledger.payments.movement import STRIPE
from ledger.payments.provider import (
    DisputeState,
    DisputeStatus,
    IntentStatus,
    PaymentObjectKind,
    RefusedRequestError,
    ThrottledError,
    UnansweredError,
)
from ledger.payments.requests import (
    LONGEST_SECONDS,
    RequestState,
    due_requests,
    mark_asked,
    try_again_at,
)
from tests.ledger.payments.paper_provider import BEGAN
from tests.ledger.payments.provider_table import Table, fail_with


@pytest.fixture
def table(database: str) -> Iterator[Table]:
    opened = Table(database)
    yield opened
    opened.connection.close()


def test_what_was_decided_is_asked_once_and_in_order(table: Table) -> None:
    for key, subject in (("a1", "anna"), ("a2", "anna"), ("b1", "bea")):
        table.wants(key, subject)
    [first, other] = due_requests(table.connection, STRIPE, table.now, 10)

    assert table.run() == 3
    assert table.run() == 0

    assert {first.key, other.key} == {"a1", "b1"}
    assert sorted(table.provider.calls) == [("take", "a1"), ("take", "a2"), ("take", "b1")]
    assert [key for key, _ in table.takes.taken if key.startswith("a")] == ["a1", "a2"]
    assert {table.request(key).state for key in ("a1", "a2", "b1")} == {RequestState.DONE}


@pytest.mark.parametrize(
    ("error", "when"),
    [
        pytest.param(UnansweredError("cut", "cut"), "before", id="it never arrived"),
        pytest.param(UnansweredError("cut", "cut"), "after", id="its answer was lost"),
        pytest.param(ThrottledError("throttled", "429"), "before", id="we asked too much"),
        pytest.param(KeyError("bug"), "after", id="we could not read it"),
    ],
)
def test_what_nobody_knows_of_is_asked_again_under_its_key(
    table: Table, error: Exception, when: str
) -> None:
    table.wants("a1")
    table.wants("b1", "bea")
    setattr(table.provider, when, fail_with(error, "take"))

    table.run()
    waiting = next(each for each in map(table.request, ("a1", "b1")) if each.reason)
    assert waiting.state is RequestState.ASKED
    assert waiting.reason == getattr(error, "reason", "KeyError")
    assert table.run() == 0
    assert table.run(seconds=3) == 1

    assert table.request(waiting.key).state is RequestState.DONE
    assert table.request(waiting.key).attempts == 2
    assert table.provider.net_minor() == 1000


def test_an_answer_that_is_final_is_taken_as_one(table: Table) -> None:
    table.provider.declines["pm"] = "expired_card"
    table.wants("a1")
    table.run()
    table.provider.before = fail_with(RefusedRequestError("gone", "no such method"), "take")
    table.wants("a2")
    table.run(seconds=1)

    declined, refused = table.request("a1"), table.request("a2")
    assert (declined.state, declined.reason) == (RequestState.FAILED, "expired_card")
    assert declined.object_id in table.provider.objects
    assert (refused.state, refused.reason) == (RequestState.FAILED, "gone")


@pytest.mark.parametrize("error", [LedgerError("no"), psycopg.errors.UniqueViolation("no")])
def test_one_that_cannot_be_taken_stops_no_other(table: Table, error: Exception) -> None:
    def fail(key: str) -> None:
        if key == "a1":
            table.takes.fails_on = lambda _key: None
            raise error

    table.takes.fails_on = fail
    for key, subject in (("a1", "anna"), ("b1", "bea"), ("c1", "cyd")):
        table.wants(key, subject)

    table.run()
    assert [table.request(key).state for key in ("b1", "c1")] == [RequestState.DONE] * 2
    assert table.request("a1").reason == type(error).__name__
    table.run(seconds=3)

    assert table.request("a1").state is RequestState.DONE
    assert table.provider.net_minor() == 1500


def test_a_database_that_is_away_ends_the_run_and_loses_nothing(table: Table) -> None:
    def fail(_key: str) -> None:
        table.takes.fails_on = lambda _key: None
        raise psycopg.OperationalError

    table.takes.fails_on = fail
    table.wants("a1")
    with pytest.raises(psycopg.OperationalError):
        table.run()
    assert table.request("a1").state is RequestState.ASKED
    assert table.run(minutes=6) == 1

    assert table.request("a1").state is RequestState.DONE
    assert table.provider.net_minor() == 500


def test_a_key_that_may_be_forgotten_is_looked_for_first(table: Table) -> None:
    table.wants("a1")
    table.wants("b1", "bea")
    table.provider.before = fail_with(UnansweredError("cut", "cut"), "take")
    table.provider.after = fail_with(UnansweredError("cut", "cut"), "take")
    table.run()
    assert table.provider.net_minor() == 500
    table.provider.forgets_keys = True

    assert table.run(hours=21) == 2

    assert sorted(name for name, _ in table.provider.calls) == [
        *["find intent"] * 2,
        *["take"] * 2,
    ]
    assert table.provider.net_minor() == 1000
    assert {table.request(key).state for key in ("a1", "b1")} == {RequestState.DONE}


def test_an_answer_that_was_overtaken_is_looked_up_again(table: Table) -> None:
    """The answer to the call says that it is on its way; a webhook told that it was taken."""
    rival = table.runner()
    assert rival.run_once() == 0
    table.wants("a1", way="sepa_debit")

    def overtake(name: str, _key: str) -> None:
        if name != "take":
            return
        [intent_id] = table.provider.objects
        table.provider.objects[intent_id] = table.provider.intent(intent_id)._replace(
            status=IntentStatus.TAKEN, taken_minor=500
        )
        with Table(table.dsn).connection as other:
            tell_of_object(other, STRIPE, PaymentObjectKind.INTENT, intent_id, table.now)
        # The other process leads for a moment: it looks, and takes what it finds.
        with rival:
            assert rival.run_once() == 1

    table.provider.after = overtake
    table.run()

    assert table.takes.taken == [("a1", "taken")]
    assert table.request("a1").state is RequestState.DONE
    assert table.due() == []


def test_an_open_request_looks_for_itself_when_nothing_is_told(table: Table) -> None:
    table.wants("a1", way="sepa_debit")
    table.run()
    assert table.request("a1").state is RequestState.OPEN
    assert table.run(hours=23) == 0
    [intent_id] = table.provider.objects
    table.provider.objects[intent_id] = table.provider.intent(intent_id)._replace(
        status=IntentStatus.TAKEN, taken_minor=500
    )

    assert table.run(hours=2) == 1

    assert table.request("a1").state is RequestState.DONE
    assert table.due() == []


def test_objects_that_no_request_made_go_to_who_takes_their_kind(table: Table) -> None:
    dispute = DisputeState("dp_1", "pi_1", DisputeStatus.OPEN, 500, "EUR", BEGAN)
    table.provider.objects["dp_1"] = dispute
    table.provider.before = fail_with(UnansweredError("cut", "cut"), "look_up dispute")
    table.tell(PaymentObjectKind.DISPUTE, "dp_1")
    table.tell(PaymentObjectKind.DISPUTE, "dp_gone")
    table.run()
    [(first, told, attempts, reason)] = table.due()
    assert (told, attempts, reason) == (1, 1, "cut")

    table.run(seconds=3)

    assert first in ("dp_1", "dp_gone")
    assert table.disputes.taken == ["dp_1", "pi_1"]
    assert table.due() == []


def test_no_more_objects_are_claimed_than_asked_for(table: Table) -> None:
    for number in range(40):
        table.tell(PaymentObjectKind.DISPUTE, f"dp_{number:02}")
    until = table.now + timedelta(minutes=1)

    def claim() -> int:
        return len(claim_objects(table.connection, STRIPE, now=table.now, until=until, limit=16))

    assert [claim() for _ in range(4)] == [16, 16, 8, 0]


def test_what_is_told_while_it_is_looked_at_is_looked_at_again(table: Table) -> None:
    def tell(name: str, object_id: str) -> None:
        if name == "look_up dispute":
            table.provider.after = lambda _name, _key: None
            with connect(table.dsn) as other:
                tell_of_object(other, STRIPE, PaymentObjectKind.DISPUTE, object_id, table.now)

    dispute = DisputeState("dp_1", "pi_1", DisputeStatus.OPEN, 500, "EUR", BEGAN)
    table.provider.objects["dp_1"], table.provider.after = dispute, tell
    table.tell(PaymentObjectKind.DISPUTE, "dp_1")

    assert table.run() == 2
    assert table.disputes.taken == ["dp_1", "pi_1"] * 2
    assert table.due() == []


def test_nobody_waits_for_a_provider_in_a_transaction(table: Table) -> None:
    open_at = dict[str, int]()

    def look(name: str, _key: str) -> None:
        with connect(table.dsn) as other:
            [(count,)] = other.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND state LIKE 'idle in transaction%'"
            ).fetchall()
        open_at[name] = count

    dispute = DisputeState("dp_1", "pi_1", DisputeStatus.OPEN, 500, "EUR", BEGAN)
    table.provider.objects["dp_1"] = dispute
    table.provider.before = table.provider.after = look
    table.wants("a1")
    table.run()
    table.tell(PaymentObjectKind.DISPUTE, "dp_1")
    table.run()

    assert open_at == {"take": 0, "look_up dispute": 0}


def test_a_call_that_takes_long_stops_no_other(table: Table) -> None:
    goes_on = Event()

    def wait(_name: str, key: str) -> None:
        if key == "a1":
            assert goes_on.wait(60)

    table.provider.before = wait
    table.wants("a1")
    table.wants("b1", "bea")

    with table.runner() as runner:
        assert runner.run_once() == 1
        assert table.request("b1").state is RequestState.DONE
        table.wants("c1", "cyd")
        assert runner.run_once() == 1
        goes_on.set()
        assert runner.run_once() == 1
    assert table.request("a1").attempts == 1
    assert table.provider.net_minor() == 1500


def test_one_process_asks_and_a_second_does_once_it_is_gone(table: Table) -> None:
    table.wants("a1")
    with table.runner("one") as one, table.runner("two") as two:
        assert one.run_once() == 1
        table.wants("b1", "bea")
        assert (two.run_once(), one.leads, two.leads) == (0, True, False)
        one.close()
        assert two.run_once() == 1
    assert table.provider.net_minor() == 1000


def test_what_a_killed_process_was_at_is_taken_up_at_once(table: Table) -> None:
    dispute = DisputeState("dp_1", "pi_1", DisputeStatus.OPEN, 500, "EUR", BEGAN)
    table.provider.objects["dp_1"] = dispute
    table.tell(PaymentObjectKind.DISPUTE, "dp_1")
    table.wants("a1")
    table.provider.after = fail_with(SystemExit(), "take", "look_up dispute")
    with pytest.raises(SystemExit):
        table.run()
    assert table.request("a1").state is RequestState.ASKED

    assert table.run() == 2

    assert table.request("a1").state is RequestState.DONE
    assert table.disputes.taken == ["dp_1", "pi_1"]
    assert table.provider.net_minor() == 500


def test_a_request_is_taken_up_by_one_of_two(table: Table) -> None:
    table.wants("a1")
    due = due_requests(table.connection, STRIPE, table.now, 1)
    until = table.now + timedelta(minutes=1)
    [taken] = mark_asked(table.connection, due, now=table.now, next_at=until)

    assert mark_asked(table.connection, due, now=table.now, next_at=until) == []
    assert taken == table.request("a1")
    assert due_requests(table.connection, STRIPE, table.now, 1) == []


def test_tries_come_later_each_time_and_not_all_at_once() -> None:
    def seconds(key: str, attempts: int) -> float:
        return (try_again_at(BEGAN, key, attempts) - BEGAN).total_seconds()

    waits = [seconds("a1", attempts) for attempts in range(1, 12)]
    assert waits == sorted(waits)
    assert waits[0] <= 2
    assert seconds("a1", 10**6) <= LONGEST_SECONDS
    spread = {seconds(f"a{number}", 5) for number in range(100)}
    assert len(spread) > 50
    assert min(spread) >= 24
    assert max(spread) <= 32
