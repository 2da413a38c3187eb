"""What the part that asks the provider finds out about itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from deploy.observing import metrics
from deploy.observing.books import BooksReader
from deploy.observing.metrics import BOOKS_READABLE, Reported, report
from deploy.observing.sample import Sample
from deploy.observing.watch import Condition, Unready
from ledger.payments.visits.visit import OVER, VisitState

if TYPE_CHECKING:
    from ledger.payments.runner import PaymentRunner
    from ledger.payments.stripe.provider import StripeProvider

COUNTED_MAX: Final = 10_000
WAITING: Final = ("new", "asked", "open")
FOR_PEOPLE: Final = ("asks_customer", "given_up", "unmatched")
_REQUESTS: LiteralString = """
SELECT state, count(*), coalesce(max(extract(epoch FROM clock_timestamp() - asked_at))
    FILTER (WHERE state = 'asked'), 0)::float8
FROM (
    SELECT state, asked_at FROM provider_request_state
    WHERE state IN ('new', 'asked', 'open') ORDER BY next_at, key LIMIT %(most)s
) AS counted GROUP BY state
"""
_OBJECTS: LiteralString = """
SELECT count(*), count(*) FILTER (WHERE reason <> '')
FROM (SELECT reason FROM provider_object_due LIMIT %(most)s) AS counted
"""
_PEOPLE: LiteralString = """
SELECT 'unmatched', count(*) FROM (SELECT FROM unmatched_line LIMIT %(most)s) AS counted
UNION ALL
SELECT wanted.state, (
    SELECT count(*) FROM (
        SELECT FROM collection WHERE collection.state = wanted.state
            AND state IN ('asks_customer', 'given_up') LIMIT %(most)s
    ) AS counted)
FROM (VALUES ('asks_customer'), ('given_up')) AS wanted (state)
"""
_VISITS: LiteralString = """
SELECT live.state, count(*), extract(epoch FROM clock_timestamp() - min(taken_at))::float8
FROM (
    SELECT number, place, state FROM visit_state
    WHERE state NOT IN ('captured', 'released', 'failed') ORDER BY number LIMIT %(most)s
) AS live JOIN visit_step USING (number, place) GROUP BY live.state
"""
_LIVE_VISITS: Final = tuple(each.value for each in VisitState if each not in OVER)


class StandingVisits(NamedTuple):
    """How many visits are in a state, and since when the one that is there longest."""

    number: int = 0
    seconds: float = 0.0


class PaymentsState(NamedTuple):
    """What waits: requests by state, since when the oldest is unanswered; objects, failing ones."""

    requests: Mapping[str, int]
    unanswered_seconds: float
    objects: int
    failing: int
    people: Mapping[str, int]
    """What waits for a person."""
    visits: Mapping[str, StandingVisits]
    """By state, those that are over left out."""


class PaymentsCondition:
    """Who asks the provider: the database answers, whose account it is is clear, all decides."""

    def __init__(self, dsn: str, provider: StripeProvider) -> None:
        self._books = books = BooksReader(dsn)
        self._state = Sample(lambda: books.ask(payments_state))
        self._provider = provider
        self._runner: PaymentRunner | None = None
        self._waits = "it is not looked yet whose account it is"
        self._failing: Mapping[str, str] = {}

    def close(self) -> None:
        """Leave the database."""
        self._books.close()

    def waits(self, why: str) -> None:
        """Say what is waited for; "" for nothing."""
        self._waits = why

    def follow(self, runner: PaymentRunner) -> None:
        """Tell of *runner*."""
        self._runner = runner

    def stuck(self, failing: Mapping[str, str]) -> None:
        """Say which rounds fail, and by what."""
        self._failing = dict(failing)

    def __call__(self) -> Condition:
        """Find out."""
        state, trouble = self._state.look()
        unready = [Unready("database_away", trouble)] if trouble else []
        if self._waits:
            unready.append(Unready("no_account_holder", self._waits))
        for name, error in self._failing.items():
            unready.append(Unready("not_deciding", f"{name} fails: {error}; the log has it"))
        runner = self._runner
        told: list[Reported] = [
            report(BOOKS_READABLE, int(not trouble)),
            report(metrics.PROVIDER_LEADS, int(runner is not None and runner.leads)),
            report(metrics.PROVIDER_CALLS, self._provider.outcomes()),
        ]
        if state is not None:
            told += [
                report(metrics.PROVIDER_REQUESTS, state.requests),
                report(metrics.PROVIDER_UNANSWERED, state.unanswered_seconds),
                report(metrics.PROVIDER_OBJECTS, state.objects),
                report(metrics.PROVIDER_FAILING, state.failing),
                report(metrics.MONEY_FOR_PEOPLE, state.people),
                report(metrics.VISITS, {k: v.number for k, v in state.visits.items()}),
                report(metrics.VISIT_STANDS, {k: v.seconds for k, v in state.visits.items()}),
            ]
        return Condition(unready, told)


def payments_state(connection: Connection[Any]) -> PaymentsState:
    """Return what waits; counted up to COUNTED_MAX, so that it costs the same whatever waits."""
    asked = {"most": COUNTED_MAX}
    rows = connection.execute(_REQUESTS, asked).fetchall()
    standing = connection.execute(_VISITS, asked).fetchall()
    [(objects, failing)] = connection.execute(_OBJECTS, asked).fetchall()
    return PaymentsState(
        requests=dict.fromkeys(WAITING, 0) | {state: number for state, number, _ in rows},
        unanswered_seconds=max((seconds for _, _, seconds in rows), default=0.0),
        objects=objects,
        failing=failing,
        people=dict(connection.execute(_PEOPLE, asked).fetchall()),
        visits=dict.fromkeys(_LIVE_VISITS, StandingVisits())
        | {state: StandingVisits(number, max(seconds, 0.0)) for state, number, seconds in standing},
    )
