"""Whoever asks a provider for what was decided, and looks at what it told of.

    due requests -> marked asked, committed -> asked, in no transaction -> what came of them, with
                                                                           what follows in the books
    due objects  -> claimed, committed      -> looked up                -> the same

The calls run in a few threads, all of the database in the caller's own: what has been answered is
taken in one transaction, each within a savepoint of its own, so that one that cannot be taken stops
no other. One subject has one request on its way at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

from psycopg import Connection

from ledger.database import connect
from ledger.declared.store import NewestDeclarations
from ledger.leases import Lease, LeaseLostError, hold_lease, leave, take_lease
from ledger.payments.asking.answers import (
    AnswerTaker,
    AskedFlight,
    LookedFlight,
    SeenObject,
    is_over,
)
from ledger.payments.due_objects import (
    OBJECT_OF,
    DueObject,
    claim_objects,
    objects_over,
    wake_claimed,
    wake_waiting,
)
from ledger.payments.provider import (
    IntentState,
    IntentStatus,
    PaymentObjectKind,
    PaymentProvider,
    ProviderObject,
    RefusedRequestError,
)
from ledger.payments.recording import under_the_books
from ledger.payments.requests import (
    ProviderRequest,
    RequestKind,
    due_requests,
    mark_asked,
    requests_of_objects,
    wake_asked,
)
from ledger.payments.taking import ObjectTaker, RequestTaker, Taking
from ledger.shapes import build_shapes

LEASE: Final = "payments:runner"
LEASE_SECONDS: Final = 30.0
"""After how long another process asks in place of one that is gone without a word."""
HOLD_SECONDS: Final = 5.0
THREADS: Final = 16
FLYING_MAX: Final = 32
"""So many are on their way, waiting for a thread among them, and more once half are back."""
ROUND_SECONDS: Final = 1.0
"""After how long a round ends, whatever is still on its way: the next one takes it."""
CALL_SECONDS: Final = 300
"""For how long nobody else takes up what is on its way: longer than any call's time-out."""
KEY_REUSED: Final = "key_reused"
"""The reason of a refusal: something else was asked under that key."""
CHANGES_WHAT_THERE_IS: Final = frozenset(
    {RequestKind.RAISE, RequestKind.CAPTURE, RequestKind.RELEASE}
)
"""Requests about a payment that there is already, `intent`."""
_LOGGER: Final = logging.getLogger(__name__)


class PaymentRunner:
    """Asks and looks for one process, while it holds the lease. After a database error: a new one.

    The provider stays the caller's to close.
    """

    def __init__(
        self,
        dsn: str,
        provider: PaymentProvider,
        takers: Mapping[RequestKind, RequestTaker],
        objects: Mapping[PaymentObjectKind, ObjectTaker],
        now: Callable[[], datetime],
        holder: str,
    ) -> None:
        """Begin without the lease.

        Args:
            dsn: The database.
            provider: Whom to ask, from several threads at once.
            takers: Who knows of each kind of request; others, and what becomes of them, wait.
            objects: Who takes objects that no request of ours made.
            now: The clock.
            holder: What this process is called; no two that run at once have the same name.
        """
        build_shapes()
        self._connection: Connection[Any] = connect(dsn)
        self._provider, self._takers, self._objects = provider, takers, objects
        self._kinds = {*(OBJECT_OF[kind] for kind in takers), *objects}
        self._now, self._holder = now, holder
        self._answers = AnswerTaker(takers, objects)
        self._newest = NewestDeclarations()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="payments")
        self._flying: dict[Future[SeenObject], AskedFlight | LookedFlight] = {}
        self._lease: Lease | None = None
        self._held_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def leads(self) -> bool:
        """Whether this process is the one that asks, as far as it knows."""
        return self._lease is not None

    def close(self) -> None:
        """Let another process ask at once. What is on its way is found by its row."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        leave(self._connection, self._lease)

    def run_once(self) -> int:
        """Ask and look at what is due, and take what was answered; return how much was taken.

        That is 0 for a process that has not got the lease. It returns once nothing is due or on its
        way, or after ROUND_SECONDS.

        Raises:
            psycopg.Error: If the database is away.
        """
        if not self._leads():
            return 0
        ends_at, taken = monotonic() + ROUND_SECONDS, 0
        while True:
            over = self._begin()
            taken += over
            if not over:
                if not self._flying:
                    return taken
                left = max(ends_at - monotonic(), 0)
                finished = wait(self._flying, timeout=left, return_when=FIRST_COMPLETED).done
                taken += self._take(finished)
            if monotonic() >= ends_at:
                return taken

    def _begin(self) -> int:
        """Send of what is due as much on its way as there is room for.

        Returns:
            How many objects need no look any more.
        """
        free, now = FLYING_MAX - len(self._flying), self._now()
        if free < FLYING_MAX // 2:
            return 0
        claim = now + timedelta(seconds=CALL_SECONDS)
        connection, provider = self._connection, self._provider.name
        with connection.transaction():
            wake_waiting(connection, provider, now)
            # Of neither so much that the other waits.
            looked = claim_objects(
                connection,
                provider,
                now=now,
                until=claim,
                limit=free // 2,
                kinds=self._kinds,
                busy=frozenset(self._looked_up()),
            )
            due = due_requests(connection, provider, now, free - len(looked), self._takers)
            asked = mark_asked(connection, due, now=now, next_at=claim)
            about = requests_of_objects(connection, provider, [each.object_id for each in looked])
            over = [each for each in looked if is_over(each, about[each.object_id])]
            objects_over(connection, provider, over)
        for request in asked:
            self._flying[self._threads.submit(self._ask, request, now)] = AskedFlight(request)
        for each in looked:
            if each not in over:
                flight = self._threads.submit(self._look, each)
                self._flying[flight] = LookedFlight(each, tuple(about[each.object_id]))
        return len(over)

    def _looked_up(self) -> Iterable[str]:
        flying = self._flying.values()
        return (each.due.object_id for each in flying if isinstance(each, LookedFlight))

    def _ask(self, request: ProviderRequest, now: datetime) -> SeenObject:
        found = None if request.is_remembered(now) else self._find(request)
        if found is None:
            try:
                found = self._takers[request.kind].ask(self._provider, request)
            except RefusedRequestError as error:
                # It knows the key, from when we asked in other words: what came of that is meant.
                found = self._find(request) if error.reason == KEY_REUSED else None
                if found is None:
                    raise
        return SeenObject(found)

    def _find(self, request: ProviderRequest) -> ProviderObject | None:
        """Return what came of a request whose key may be forgotten; None: ask."""
        if request.kind not in CHANGES_WHAT_THERE_IS:
            return self._provider.find(OBJECT_OF[request.kind], request.key, request.decided_at)
        found = self._provider.look_up(PaymentObjectKind.INTENT, request.body["intent"])
        # What is still held was not taken and not let go; to have as much held twice is harmless.
        is_held = isinstance(found, IntentState) and found.status is IntentStatus.HELD
        return None if is_held else found

    def _look(self, due: DueObject) -> SeenObject:
        kind = PaymentObjectKind(due.kind)
        found = self._provider.look_up(kind, due.object_id)
        taker = self._objects.get(kind)
        if found is None or taker is None:
            return SeenObject(found)
        return SeenObject(found, taker.gather(self._provider, found))

    def _take(self, finished: Iterable[Future[SeenObject]]) -> int:
        """Take what came back, in one transaction; return how much that is."""
        flights = [(flight, self._flying[flight]) for flight in finished]
        if not flights:
            return 0
        with under_the_books(self._connection):
            taking = Taking(
                self._connection,
                self._newest.of(self._connection),
                self._provider.name,
                self._now(),
            )
            for flight, each in flights:
                self._answers.settle(taking, flight, each)
        for flight, _ in flights:
            del self._flying[flight]
        return len(flights)

    def _leads(self) -> bool:
        """Hold the lease on, or try to take it; say whether this process is the one."""
        if self._lease is None:
            self._lease = take_lease(
                self._connection, LEASE, holder=self._holder, seconds=LEASE_SECONDS
            )
            self._held_at = monotonic()
            if self._lease is not None:
                self._take_over()
        elif monotonic() - self._held_at > HOLD_SECONDS:
            try:
                with self._connection.transaction():
                    hold_lease(self._connection, self._lease, seconds=LEASE_SECONDS)
                self._held_at = monotonic()
            except LeaseLostError as error:
                _LOGGER.warning("another process asks the provider: %s", error)
                self._lease = None
        return self._lease is not None

    def _take_over(self) -> None:
        """Take up at once what the process before was at: its calls are repeated by their keys."""
        now, provider = self._now(), self._provider.name
        with self._connection.transaction():
            wake_asked(self._connection, provider, now)
            wake_claimed(self._connection, provider, now)
