"""The runner on a real PostgreSQL: whatever fails between two steps, each thing is done once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from ledger.database import connect
from ledger.errors import LedgerError
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE
from ledger.payments.provider import (
    DisputeState,
    DisputeStatus,
    IntentState,
    IntentStatus,
    PaymentObjectKind,
    PaymentProvider,
    PaymentWay,
    ProviderError,
    ProviderObject,
    RefusedRequestError,
    ThrottledError,
    UnansweredError,
    WantedIntent,
)
from ledger.payments.requests import (
    LONGEST_SECONDS,
    ProviderRequest,
    RequestKind,
    RequestState,
    decide_request,
    due_requests,
    find_request,
    mark_asked,
    try_again_at,
)
from ledger.payments.runner import PaymentRunner
from ledger.payments.taking import RequestOutcome, Taking
from tests.ledger.payments.paper_provider import BEGAN, PaperProvider


class NotedTaker:
    """Takes what comes of top-ups, and notes it in a table."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.taken: list[tuple[str, str]] = []
        self.fails_on: Callable[[str], None] = lambda _key: None

    def ask(self, provider: PaymentProvider, request: ProviderRequest) -> ProviderObject:
        way = PaymentWay(request.body.get("way", "card"))
        return provider.take(
            WantedIntent(request.key, request.amount_minor, "EUR", "x", method_id="pm", way=way)
        )

    def take(
        self, taking: Taking, request: ProviderRequest, found: ProviderObject
    ) -> RequestOutcome:
        self.fails_on(request.key)
        assert isinstance(found, IntentState)
        self.taken.append((request.key, found.status))
        if found.status is IntentStatus.PROCESSING:
            return RequestOutcome(RequestState.OPEN, "", taking.now + timedelta(days=1))
        return RequestOutcome(RequestState.DONE)

    def fail(
        self, taking: Taking, request: ProviderRequest, error: ProviderError
    ) -> RequestOutcome:
        assert (taking.now, request.state) == (self.now(), RequestState.ASKED)
        return RequestOutcome(RequestState.FAILED, error.reason)


class NotedDisputes:
    """Takes disputes, and what it gathered to them."""

    def __init__(self) -> None:
        self.taken: list[object] = []

    def gather(self, provider: PaymentProvider, found: ProviderObject) -> object:
        return provider.intent_of_charge(found.id.replace("dp_", "ch_"))

    def take(self, taking: Taking, found: ProviderObject, gathered: object) -> None:
        assert taking.provider == STRIPE
        self.taken += [found.id, gathered]


class Table:
    """A database, a provider on paper, and runners between them."""

    def __init__(self, dsn: str) -> None:
        self.dsn, self.provider = dsn, PaperProvider()
        self.connection = connect(dsn)
        self.now = BEGAN
        self.takes, self.disputes = NotedTaker(lambda: self.now), NotedDisputes()

    def wants(self, key: str, subject: str = "anna", **body: str) -> None:
        request = ProviderRequest(
            key, STRIPE, RequestKind.TOP_UP, subject, "depot", "EUR", 500, body, self.now, "a test"
        )
        with self.connection.transaction():
            assert decide_request(self.connection, request)
            assert not decide_request(self.connection, request)

    def runner(self, holder: str = "one") -> PaymentRunner:
        return PaymentRunner(
            self.dsn,
            self.provider,
            {RequestKind.TOP_UP: self.takes},
            {PaymentObjectKind.DISPUTE: self.disputes},
            lambda: self.now,
            holder,
        )

    def run(self, **later: float) -> int:
        self.now += timedelta(**later)
        with self.runner() as runner:
            return runner.run_once()

    def request(self, key: str) -> ProviderRequest:
        found = find_request(self.connection, key)
        assert found is not None
        return found

    def tell(self, kind: PaymentObjectKind, object_id: str) -> None:
        tell_of_object(self.connection, STRIPE, kind, object_id, self.now)

    def due(self) -> Sequence[tuple[Any, ...]]:
        return self.connection.execute(
            "SELECT object_id, told, attempts, reason FROM provider_object_due ORDER BY object_id"
        ).fetchall()


@pytest.fixture
def table(database: str) -> Iterator[Table]:
    opened = Table(database)
    yield opened
    opened.connection.close()


def fail_with(error: BaseException, *names: str) -> Callable[[str, str], None]:
    """Return what fails the first call of each of *names*."""
    left = list(names)

    def fail(name: str, _key: str) -> None:
        if name in left:
            left.remove(name)
            raise error

    return fail


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
