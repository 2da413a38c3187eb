"""What came back of a provider, taken: by whoever knows the request, or the kind of object.

An answer may be overtaken: a look at the object, told by a webhook meanwhile, was taken first, and
the answer on its way says what held before. What was noted of a request since it was read
(`ProviderRequest.noted`) tells: then the object is looked up again, and that is taken.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final, NamedTuple

from ledger.database import is_of_content
from ledger.errors import LedgerError
from ledger.payments.due_objects import (
    OBJECT_OF,
    DueObject,
    look_again,
    object_done,
    tell_of_object,
)
from ledger.payments.provider import (
    DeclinedError,
    PaymentObjectKind,
    ProviderError,
    ProviderObject,
    RefusedRequestError,
)
from ledger.payments.requests import (
    ProviderRequest,
    RequestKind,
    RequestState,
    find_request,
    lock_noted,
    name_object,
    note_request,
    requests_of_object,
    try_again_at,
)
from ledger.payments.taking import ObjectTaker, RequestOutcome, RequestTaker, Taking, is_of

OTHER_DECISION: Final = "other_decision"
"""The reason of a failure: the provider knows the key from something else that was decided."""
_LOGGER: Final = logging.getLogger(__name__)


class AskedFlight(NamedTuple):
    """A request on its way."""

    request: ProviderRequest


class LookedFlight(NamedTuple):
    """An object that is being looked up, and which requests were known to be about it before."""

    due: DueObject
    known: tuple[ProviderRequest, ...]


class SeenObject(NamedTuple):
    """An object as it was found, and what its taker gathered to it."""

    found: ProviderObject | None
    gathered: object = None


class AnswerTaker:
    """Hands what came back to whoever knows it, within the caller's transaction."""

    def __init__(
        self,
        takers: Mapping[RequestKind, RequestTaker],
        objects: Mapping[PaymentObjectKind, ObjectTaker],
    ) -> None:
        self._takers, self._objects = takers, objects

    def settle(
        self, taking: Taking, flight: Future[SeenObject], each: AskedFlight | LookedFlight
    ) -> None:
        """Take one, or note why it cannot be taken and when it is tried again.

        Raises:
            psycopg.Error: If the database is away.
        """
        error = flight.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        try:
            with taking.connection.transaction():
                if isinstance(each, AskedFlight):
                    self._settle_asked(taking, each.request, flight)
                else:
                    self._settle_looked(taking, each, flight)
        except Exception as untaken:
            if not is_of_content(untaken):
                raise
            self._postpone(taking, each, untaken)

    def _settle_asked(
        self, taking: Taking, request: ProviderRequest, flight: Future[SeenObject]
    ) -> None:
        """Take the answer to a request, or decide what follows from its being none."""
        taker, error = self._takers[request.kind], flight.exception()
        if error is None and (found := flight.result().found) and not is_of(request, found):
            error = OtherDecisionError(request, found)
        if lock_noted(taking.connection, request.key) != request.noted:
            if error is None:
                self._look_instead(taking, request, flight)
            return
        if isinstance(error, DeclinedError | RefusedRequestError):
            state = error.state if isinstance(error, DeclinedError) else None
            outcome = taker.fail(taking, request, error)
            _note(taking, request, outcome, None if state is None else state.id)
            return
        found = flight.result().found
        assert found is not None
        _note(taking, request, taker.take(taking, request, found), found.id)

    def _look_instead(
        self, taking: Taking, request: ProviderRequest, flight: Future[SeenObject]
    ) -> None:
        """Somebody noted something newer: what was answered is looked up again, not taken."""
        if (found := flight.result().found) is not None:
            kind = OBJECT_OF[request.kind]
            name_object(taking.connection, request.key, found.id)
            tell_of_object(taking.connection, taking.provider, kind, found.id, taking.now)

    def _settle_looked(
        self, taking: Taking, looked: LookedFlight, flight: Future[SeenObject]
    ) -> None:
        """Hand an object to those whose requests it is about, else to who takes its kind."""
        due, (found, gathered) = looked.due, flight.result()
        if found is None:
            _LOGGER.warning("%s %s is not there: it is left out", due.kind, due.object_id)
        else:
            requests = self._requests_about(taking, found)
            if (key := request_key(found)) and not requests:
                _LOGGER.warning("%s came of %s, which these books did not decide", found.id, key)
            known = {request.key: request.noted for request in looked.known}
            # A key that was forgotten made a second object: what was noted is of the first.
            second = {each.key for each in requests if each.object_id not in {None, found.id}}
            for request in requests:
                # What nobody noted anything of has nothing newer either.
                noted = lock_noted(taking.connection, request.key)
                if request.key not in second and noted != known.get(request.key, 0):
                    name_object(taking.connection, request.key, found.id)
                    look_again(
                        taking.connection, taking.provider, due, at=taking.now, reason="overtaken"
                    )
                    return
            for request in requests:
                outcome = self._takers[request.kind].take(taking, request, found)
                if request.key not in second:
                    _note(taking, request, outcome, found.id)
            taker = self._objects.get(PaymentObjectKind(due.kind))
            if taker is not None and not requests:
                taker.take(taking, found, gathered)
        object_done(taking.connection, taking.provider, due, taking.now)

    def _requests_about(self, taking: Taking, found: ProviderObject) -> list[ProviderRequest]:
        about = list(requests_of_object(taking.connection, taking.provider, found.id))
        key = request_key(found)
        if key and all(request.key != key for request in about):
            made = find_request(taking.connection, key)
            about = [made, *about] if made is not None and is_of(made, found) else about
        if untaken := {request.kind for request in about} - {*self._takers}:
            raise NobodyTakesItError(found.id, untaken)
        return about

    def _postpone(self, taking: Taking, each: AskedFlight | LookedFlight, error: Exception) -> None:
        """Have it tried again later, and say why; whoever asks for it finds the reason there."""
        reason = error.reason if isinstance(error, ProviderError) else type(error).__name__
        if isinstance(each, AskedFlight):
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


class OtherDecisionError(RefusedRequestError):
    """Under the key of a request the provider has what came of something else."""

    def __init__(self, request: ProviderRequest, found: ProviderObject) -> None:
        said = f"{found.id} bears the key {request.key}, and is not what that asks for"
        super().__init__(OTHER_DECISION, said)
        self.found = found


class NobodyTakesItError(LedgerError):
    """An object came of requests of a kind that this process does not know: another one looks."""

    def __init__(self, object_id: str, kinds: Iterable[RequestKind]) -> None:
        super().__init__(f"{object_id} is of {', '.join(sorted(kinds))}, which nobody takes here")
        self.object_id = object_id


def is_over(due: DueObject, about: Sequence[ProviderRequest]) -> bool:
    """Say whether nothing more becomes of an object, so that nobody need look.

    A payment that was taken or let go and a leave that was given stay so; what is given back of
    one, or disputed, is told of as an object of its own. A refund that is done may still fail.

    Source: Stripe's API reference, status of PaymentIntents and SetupIntents.
    """
    is_refund = due.kind == PaymentObjectKind.REFUND
    return bool(about) and not is_refund and all(each.state is RequestState.DONE for each in about)


def request_key(found: ProviderObject) -> str:
    """Return the key of the request of ours that an object came of; "": of none."""
    return getattr(found, "request_key", "")


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
