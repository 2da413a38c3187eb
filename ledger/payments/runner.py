"""Whoever asks a provider for what was decided, and looks at what it told of.

    due requests -> marked asked, committed -> asked, in no transaction -> what came of them, with
                                                                           what follows in the books
    due objects  -> claimed, committed      -> looked up                -> the same

The calls run in a few threads, all of the database in the caller's own: what has been answered is
taken in one transaction, each within a savepoint of its own, so that one that cannot be taken stops
no other. One subject has one request on its way at a time.

An answer may be overtaken: a look at the object, told by a webhook meanwhile, was taken first, and
the answer on its way says what held before. What was noted of a request since it was read
(`ProviderRequest.noted`) tells: then the object is looked up again, and that is taken.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from time import monotonic
from types import TracebackType
from typing import Any, Final, LiteralString, NamedTuple, Self

from psycopg import Connection

from ledger.database import connect, is_of_content
from ledger.declared.store import NewestDeclarations
from ledger.errors import LedgerError
from ledger.leases import Lease, LeaseLostError, hold_lease, leave, take_lease
from ledger.payments.due_objects import (
    OBJECT_OF,
    DueObject,
    claim_objects,
    look_again,
    object_done,
    tell_of_object,
    wake_waiting,
)
from ledger.payments.provider import (
    DeclinedError,
    IntentState,
    IntentStatus,
    PaymentObjectKind,
    PaymentProvider,
    ProviderError,
    ProviderObject,
    RefusedRequestError,
)
from ledger.payments.recording import under_the_books
from ledger.payments.requests import (
    ProviderRequest,
    RequestKind,
    RequestState,
    due_requests,
    find_request,
    mark_asked,
    note_request,
    requests_of_object,
    try_again_at,
)
from ledger.payments.taking import ObjectTaker, RequestOutcome, RequestTaker, Taking

LEASE: Final = "payments:runner"
LEASE_SECONDS: Final = 30.0
"""After how long another process asks in place of one that is gone without a word."""
HOLD_SECONDS: Final = 5.0
THREADS: Final = 8
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
_LOCK_NOTED: LiteralString = "SELECT noted FROM provider_request_state WHERE key = %s FOR UPDATE"
_NAME_OBJECT: LiteralString = """
UPDATE provider_request_state SET object_id = %s WHERE key = %s AND object_id IS NULL
"""
_LOGGER: Final = logging.getLogger(__name__)


class _Asked(NamedTuple):
    """A request on its way."""

    request: ProviderRequest


class _Looked(NamedTuple):
    """An object that is being looked up, and which requests were known to be about it before."""

    due: DueObject
    known: tuple[ProviderRequest, ...]


class _Seen(NamedTuple):
    """An object as it was found, and what its taker gathered to it."""

    found: ProviderObject | None
    gathered: object = None


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
        self._connection: Connection[Any] = connect(dsn)
        self._provider, self._takers, self._objects = provider, takers, objects
        self._kinds = {*(OBJECT_OF[kind] for kind in takers), *objects}
        self._now, self._holder = now, holder
        self._newest = NewestDeclarations()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="payments")
        self._flying: dict[Future[_Seen], _Asked | _Looked] = {}
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
            self._begin()
            if not self._flying:
                return taken
            left = max(ends_at - monotonic(), 0)
            finished = wait(self._flying, timeout=left, return_when=FIRST_COMPLETED).done
            taken += self._take(finished)
            if monotonic() >= ends_at:
                return taken

    def _begin(self) -> None:
        """Send as much of what is due on its way as there are threads for."""
        free, now = THREADS - len(self._flying), self._now()
        if free <= 0:
            return
        claim = now + timedelta(seconds=CALL_SECONDS)
        connection, provider = self._connection, self._provider.name
        with connection.transaction():
            due = due_requests(connection, provider, now, free, self._takers)
            asked = mark_asked(connection, due, now=now, next_at=claim)
            wake_waiting(connection, provider, now)
            looked = claim_objects(
                connection,
                provider,
                now=now,
                until=claim,
                limit=free - len(asked),
                kinds=self._kinds,
                busy=frozenset(self._looked_up()),
            )
            known = [requests_of_object(connection, provider, each.object_id) for each in looked]
        for request in asked:
            self._flying[self._threads.submit(self._ask, request, now)] = _Asked(request)
        for each, requests in zip(looked, known, strict=True):
            flight = self._threads.submit(self._look, each)
            self._flying[flight] = _Looked(each, tuple(requests))

    def _looked_up(self) -> Iterable[str]:
        flying = self._flying.values()
        return (each.due.object_id for each in flying if isinstance(each, _Looked))

    def _ask(self, request: ProviderRequest, now: datetime) -> _Seen:
        found = None if request.is_remembered(now) else self._find(request)
        if found is None:
            try:
                found = self._takers[request.kind].ask(self._provider, request)
            except RefusedRequestError as error:
                # It knows the key, from when we asked in other words: what came of that is meant.
                found = self._find(request) if error.reason == KEY_REUSED else None
                if found is None:
                    raise
        return _Seen(found)

    def _find(self, request: ProviderRequest) -> ProviderObject | None:
        """Return what came of a request whose key may be forgotten; None: ask."""
        if request.kind not in CHANGES_WHAT_THERE_IS:
            return self._provider.find(OBJECT_OF[request.kind], request.key, request.decided_at)
        found = self._provider.look_up(PaymentObjectKind.INTENT, request.body["intent"])
        # What is still held was not taken and not let go; to have as much held twice is harmless.
        is_held = isinstance(found, IntentState) and found.status is IntentStatus.HELD
        return None if is_held else found

    def _look(self, due: DueObject) -> _Seen:
        kind = PaymentObjectKind(due.kind)
        found = self._provider.look_up(kind, due.object_id)
        taker = self._objects.get(kind)
        if found is None or taker is None or _request_key(found):
            return _Seen(found)
        return _Seen(found, taker.gather(self._provider, found))

    def _take(self, finished: Iterable[Future[_Seen]]) -> int:
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
                self._settle(taking, flight, each)
        for flight, _ in flights:
            del self._flying[flight]
        return len(flights)

    def _settle(self, taking: Taking, flight: Future[_Seen], each: _Asked | _Looked) -> None:
        error = flight.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        try:
            with taking.connection.transaction():
                if isinstance(each, _Asked):
                    self._settle_asked(taking, each.request, flight)
                else:
                    self._settle_looked(taking, each, flight)
        except Exception as untaken:
            if not is_of_content(untaken):
                raise
            self._postpone(taking, each, untaken)

    def _settle_asked(
        self, taking: Taking, request: ProviderRequest, flight: Future[_Seen]
    ) -> None:
        """Take the answer to a request, or decide what follows from its being none."""
        taker = self._takers[request.kind]
        if _noted(taking, request.key) != request.noted:
            self._look_instead(taking, request, flight)
            return
        error = flight.exception()
        if isinstance(error, DeclinedError | RefusedRequestError):
            state = error.state if isinstance(error, DeclinedError) else None
            outcome = taker.fail(taking, request, error)
            _note(taking, request, outcome, None if state is None else state.id)
            return
        found = flight.result().found
        assert found is not None
        _note(taking, request, taker.take(taking, request, found), found.id)

    def _look_instead(
        self, taking: Taking, request: ProviderRequest, flight: Future[_Seen]
    ) -> None:
        """Somebody noted something newer: what was answered is looked up again, not taken."""
        if flight.exception() is None and (found := flight.result().found) is not None:
            kind = OBJECT_OF[request.kind]
            taking.connection.execute(_NAME_OBJECT, (found.id, request.key))
            tell_of_object(taking.connection, taking.provider, kind, found.id, taking.now)

    def _settle_looked(self, taking: Taking, looked: _Looked, flight: Future[_Seen]) -> None:
        """Hand an object to those whose requests it is about, else to who takes its kind."""
        due, (found, gathered) = looked.due, flight.result()
        if found is None:
            _LOGGER.warning("%s %s is not there: it is left out", due.kind, due.object_id)
        else:
            requests = self._requests_about(taking, found)
            known = {request.key: request.noted for request in looked.known}
            for request in requests:
                # What nobody noted anything of has nothing newer either.
                if _noted(taking, request.key) != known.get(request.key, 0):
                    taking.connection.execute(_NAME_OBJECT, (found.id, request.key))
                    look_again(
                        taking.connection, taking.provider, due, at=taking.now, reason="overtaken"
                    )
                    return
            for request in requests:
                outcome = self._takers[request.kind].take(taking, request, found)
                _note(taking, request, outcome, found.id)
            taker = self._objects.get(PaymentObjectKind(due.kind))
            if taker is not None and not _request_key(found):
                taker.take(taking, found, gathered)
        object_done(taking.connection, taking.provider, due, taking.now)

    def _requests_about(self, taking: Taking, found: ProviderObject) -> list[ProviderRequest]:
        about = list(requests_of_object(taking.connection, taking.provider, found.id))
        key = _request_key(found)
        if key and all(request.key != key for request in about):
            made = find_request(taking.connection, key)
            about = [made, *about] if made is not None else about
        if untaken := {request.kind for request in about} - {*self._takers}:
            raise NobodyTakesItError(found.id, untaken)
        return about

    def _postpone(self, taking: Taking, each: _Asked | _Looked, error: Exception) -> None:
        """Have it tried again later, and say why; whoever asks for it finds the reason there."""
        reason = error.reason if isinstance(error, ProviderError) else type(error).__name__
        if isinstance(each, _Asked):
            key, attempts = each.request.key, each.request.attempts
            at = try_again_at(taking.now, key, attempts)
            note_request(taking.connection, key, RequestState.ASKED, next_at=at, reason=reason)
        else:
            key, attempts = each.due.object_id, each.due.attempts
            at = try_again_at(taking.now, key, attempts)
            look_again(taking.connection, taking.provider, each.due, at=at, reason=reason)
        # Others' errors may say what stands in a row or an answer: only ours are made to be read.
        said = f": {error}" if isinstance(error, LedgerError) else ""
        _LOGGER.warning("%s is tried again at %s: %s%s", key, at.isoformat(), reason, said)

    def _leads(self) -> bool:
        """Hold the lease on, or try to take it; say whether this process is the one."""
        if self._lease is None:
            self._lease = take_lease(
                self._connection, LEASE, holder=self._holder, seconds=LEASE_SECONDS
            )
            self._held_at = monotonic()
        elif monotonic() - self._held_at > HOLD_SECONDS:
            try:
                with self._connection.transaction():
                    hold_lease(self._connection, self._lease, seconds=LEASE_SECONDS)
                self._held_at = monotonic()
            except LeaseLostError as error:
                _LOGGER.warning("another process asks the provider: %s", error)
                self._lease = None
        return self._lease is not None


class NobodyTakesItError(LedgerError):
    """An object came of requests of a kind that this process does not know: another one looks."""

    def __init__(self, object_id: str, kinds: Iterable[RequestKind]) -> None:
        super().__init__(f"{object_id} is of {', '.join(sorted(kinds))}, which nobody takes here")
        self.object_id = object_id


def _request_key(found: ProviderObject) -> str:
    return getattr(found, "request_key", "")


def _noted(taking: Taking, key: str) -> int:
    """Return how often something was noted of a request, of which nobody else notes now."""
    [(noted,)] = taking.connection.execute(_LOCK_NOTED, (key,)).fetchall()
    return int(noted)


def _note(
    taking: Taking, request: ProviderRequest, outcome: RequestOutcome, object_id: str | None
) -> None:
    note_request(
        taking.connection,
        request.key,
        outcome.state,
        next_at=outcome.next_at,
        object_id=object_id,
        reason=outcome.reason,
    )
