"""A database, a provider on paper, and runners between them; who takes what notes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from ledger.database import connect
from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import STRIPE
from ledger.payments.provider import (
    IntentState,
    IntentStatus,
    PaymentObjectKind,
    PaymentProvider,
    PaymentWay,
    ProviderError,
    ProviderObject,
    WantedIntent,
)
from ledger.payments.requests import (
    ProviderRequest,
    RequestKind,
    RequestState,
    decide_request,
    find_request,
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


def fail_with(error: BaseException, *names: str) -> Callable[[str, str], None]:
    """Return what fails the first call of each of *names*."""
    left = list(names)

    def fail(name: str, _key: str) -> None:
        if name in left:
            left.remove(name)
            raise error

    return fail
