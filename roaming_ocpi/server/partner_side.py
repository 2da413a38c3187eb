"""The side that partners see: from a request to its answer, through every wall.

Head, path, who asks, how often, whose turn, body, the module; whatever happens there is an answer
in OCPI's envelope, and a row in the audit. Nothing that is logged has a token, a body or a path's
values: of an error of ours its kind and where it arose.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import psycopg
from litestar.types import Receive, Scope, Send

from ledger.partners.bounds import TooMuchToldError
from ledger.partners.told_counts import note_one_refused
from roaming_ocpi.client.audit import CallDirection, CallRecord, Heard
from roaming_ocpi.server.calls import Caller, Module, OcpiRefusedError, PartnerCall, Reply
from roaming_ocpi.server.front.callers import Callers, FindCaller, ProveUse
from roaming_ocpi.server.front.envelope import WireAnswer, enveloped, refused, send_answer
from roaming_ocpi.server.front.hub_routing import routed, speaking
from roaming_ocpi.server.front.walls import Buckets, Lanes, TooBusyError, Walls, body_cost
from roaming_ocpi.server.front.wire_request import GoneError, WireRequest, body_of, no_such_path
from roaming_ocpi.server.ownership import check_owner
from roaming_ocpi.server.paging import page_asked, page_headers
from roaming_ocpi.server.resources import Resources
from roaming_ocpi.server.routing import OfferedRoute, RouteTable, offered_routes
from roaming_ocpi.server.versions import OurVersions
from roaming_ocpi.wire.modules import ModuleId
from roaming_ocpi.wire.status import Status

WALLS: Final = Walls()
PREFIX: Final = "/ocpi"
"""Where all of it is mounted."""
_UNKNOWN: Final = "(nothing there)"
_BROKEN: Final = "this cannot be done: the fault is ours, and noted"
_AWAY: Final = "our database does not answer: come again"
_UNSTORABLE: Final = "a text or number in this cannot be kept: U+0000, or out of all bounds"
_SLOW: Final = "this took too long: come again"
_AGAIN: Final = {"Retry-After": "5"}
_FRAMES_SHOWN: Final = 3
_LOGGER: Final = logging.getLogger("wattledger.roaming")


@dataclass(slots=True)
class _Trace:
    """What the audit keeps of a request, as far as it is known."""

    template: str = _UNKNOWN
    caller: Caller | None = None
    found: OfferedRoute | None = None


class PartnerSide:
    """An ASGI application over *modules*.

    `find` says whose a token is, `prove` is told of a new one's first use, `heard` keeps each call.
    """

    def __init__(
        self,
        modules: Sequence[Module],
        resources: Resources,
        *,
        find: FindCaller,
        prove: ProveUse,
        heard: Heard,
        walls: Walls = WALLS,
    ) -> None:
        self._resources, self._walls, self._heard = resources, walls, heard
        self._prove = prove
        versions = OurVersions(modules, resources)
        self.routes = (*versions.routes(), *offered_routes(modules))
        self._table = RouteTable(self.routes)
        self._callers = Callers(find, walls)
        self._rates = Buckets(walls.partner_rate, walls.partner_burst)
        self._lanes = Lanes(walls.lane_width, walls.lane_length)
        self._reading = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request, trace = WireRequest(scope, receive, self._walls), _Trace()
        began, at = time.monotonic(), self._resources.now()
        answer: WireAnswer | None = None
        try:
            answer = await self._answer_or_refuse(request, trace)
            await send_answer(answer, send, is_head=request.method == "HEAD")
        except GoneError:
            pass
        finally:
            self._heard(
                CallRecord(
                    direction=CallDirection.IN,
                    partner=None if trace.caller is None else trace.caller.partner,
                    method=request.method,
                    template=trace.template,
                    target=request.target,
                    version=None if trace.found is None else str(trace.found.version),
                    module=_module_of(trace.found),
                    http=None if answer is None else answer.http,
                    status_code=None if answer is None else int(answer.status),
                    ms=round((time.monotonic() - began) * 1000),
                    request_id=request.request_id,
                    at=at,
                    trouble="gone" if answer is None else None,
                )
            )

    async def _answer_or_refuse(self, request: WireRequest, trace: _Trace) -> WireAnswer:
        headers = {
            "X-Request-ID": request.request_id,
            "X-Correlation-ID": request.correlation_id,
        }
        try:
            async with asyncio.timeout(self._walls.answer_seconds):
                return await self._answer(request, trace, headers)
        except OcpiRefusedError as error:
            refusal = error
        except TooMuchToldError as error:
            refusal = await self._too_much(error)
        except TimeoutError:
            refusal = _server_error(_SLOW, HTTPStatus.SERVICE_UNAVAILABLE, _AGAIN)
        except psycopg.DataError:
            refusal = OcpiRefusedError.invalid(_UNSTORABLE)
        except psycopg.OperationalError as error:
            _note(trace, error)
            refusal = _server_error(_AWAY, HTTPStatus.SERVICE_UNAVAILABLE, _AGAIN)
        except GoneError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the partner gets an envelope
            _note(trace, error)
            refusal = _server_error(_BROKEN, HTTPStatus.INTERNAL_SERVER_ERROR)
        return refused(refusal, self._resources.now(), headers)

    async def _too_much(self, error: TooMuchToldError) -> OcpiRefusedError:
        """Note that a partner told too much, for whoever looks after it, and say so."""
        try:
            async with self._resources.database.connection() as connection:
                now = self._resources.now()
                await note_one_refused(connection, error.party, error.bound, now)
        except psycopg.OperationalError:
            _LOGGER.warning("not noted that %s told too much: %s", error.party, error.reason)
        if error.wait_s is not None:
            return TooBusyError(str(error), error.wait_s)
        http = HTTPStatus.UNPROCESSABLE_ENTITY
        return OcpiRefusedError(str(error), status=Status.CLIENT_ERROR, http=http)

    async def _answer(
        self, request: WireRequest, trace: _Trace, headers: dict[str, str]
    ) -> WireAnswer:
        request.check_head()
        caller, token = await self._callers.caller(
            request.headers.get("authorization", ""), request.address
        )
        trace.caller = caller
        _check_rate(self._rates.take(caller.partner))
        there = self._table.find(request.segments(PREFIX))
        if there is None:
            raise no_such_path()
        trace.template = next(iter(there.by_method.values())).template
        found = _by_method(there.by_method, request.method)
        trace.found = found
        _check_invited(caller, found)
        _check_faced(caller, found)
        routes = routed(found, caller, request.headers)
        headers.update(routes.headers)
        caller = speaking(caller, routes.from_party)
        if request.method == "OPTIONS":
            return enveloped(Reply(), self._resources.now(), {**headers, **_allow(there.by_method)})
        async with self._lanes.enter(caller.partner):
            # What came before it may have cost so much that this one has to wait after all.
            _check_rate(self._rates.debt_of(caller.partner))
            call = await self._call(request, there.path, found, caller, token)
            call = call._replace(from_party=routes.from_party)
            reply = await self._served(found, call)
            if reply.page is not None:
                url = self._resources.address + request.target[len(PREFIX) :]
                headers.update(page_headers(reply.page, call.query, url))
            return enveloped(reply, call.now, headers)

    async def _call(
        self,
        request: WireRequest,
        path: Mapping[str, str],
        found: OfferedRoute,
        caller: Caller,
        token: str,
    ) -> PartnerCall:
        """Return the request as its module gets it.

        Raises:
            OcpiRefusedError: If its query or body cannot be taken, or is another party's.
        """
        query = request.query()
        page = page_asked(query) if found.route.is_list else None
        content = await request.content()
        self._rates.spend(caller.partner, body_cost(self._walls, len(content)))
        body, text = await self._read(content)
        if body is None and found.route.has_body:
            message = "a JSON body is wanted"
            raise OcpiRefusedError.invalid(message)
        _check_writes(caller, found, path, body)
        return PartnerCall(
            caller=caller,
            version=found.version,
            path=path,
            query=query,
            body=body,
            text=text,
            now=self._resources.now(),
            page=page,
            token=token,
        )

    async def _read(self, content: bytes) -> tuple[Any, str]:
        """Return a body that is read; a large one beside what others ask, one after the other."""
        if len(content) <= self._walls.body_bytes_free:
            return body_of(content)
        async with self._reading:
            return await asyncio.to_thread(body_of, content)

    async def _served(self, found: OfferedRoute, call: PartnerCall) -> Reply:
        if call.caller.is_fresh and not _is_handshake(found):
            # A partner that uses its token has kept it: the one before holds no more.
            await self._prove(call.token)
            self._callers.forget()
        reply = await found.route.handle(call)
        if _module_of(found) == ModuleId.CREDENTIALS:
            self._callers.forget()
        return reply


def _check_rate(wait_s: float) -> None:
    """Refuse who has to wait."""
    if wait_s > 0:
        message = "too many requests, or too much in them: wait"
        raise TooBusyError(message, wait_s)


def _module_of(found: OfferedRoute | None) -> str | None:
    if found is None:
        return None
    return "versions" if found.module is None else str(found.module.identifier)


def _is_handshake(found: OfferedRoute) -> bool:
    return found.module is None or found.module.identifier is ModuleId.CREDENTIALS


def _by_method(by_method: Mapping[str, OfferedRoute], method: str) -> OfferedRoute:
    """Return the route that *method* has at a path; HEAD asks what GET does.

    Raises:
        OcpiRefusedError: If it has none.
    """
    if method == "OPTIONS":
        return next(iter(by_method.values()))
    found = by_method.get("GET" if method == "HEAD" else method)
    if found is None:
        allow = _allow(by_method)
        message = f"this method is not offered here, but {allow['Allow']}"
        raise OcpiRefusedError(
            message,
            status=Status.CLIENT_ERROR,
            http=HTTPStatus.METHOD_NOT_ALLOWED,
            headers=allow,
        )
    return found


def _allow(by_method: Mapping[str, OfferedRoute]) -> dict[str, str]:
    also = ["HEAD"] if "GET" in by_method else []
    return {"Allow": ", ".join([*sorted([*by_method, *also]), "OPTIONS"])}


def _check_invited(caller: Caller, found: OfferedRoute) -> None:
    """Let a token of an invitation do the handshake alone."""
    if caller.is_invited and not _is_handshake(found):
        message = "this token is for the handshake alone: register first (credentials)"
        raise OcpiRefusedError(message, status=Status.CLIENT_ERROR, http=HTTPStatus.UNAUTHORIZED)


def _check_faced(caller: Caller, found: OfferedRoute) -> None:
    """Let a partner use what its versions list: who has no stations tells us of no CDR."""
    if found.module is None or _is_handshake(found):
        return
    if found.module.side not in caller.sides:
        message = f"this is for partners of another role than yours: ask /{found.version} for yours"
        raise OcpiRefusedError.not_found(message)


def _check_writes(
    caller: Caller, found: OfferedRoute, path: Mapping[str, str], body: object
) -> None:
    """Refuse what is another party's, whatever the module would do with it."""
    # A hub tells of others; credentials name whoever registers, which the handshake checks.
    exempt = (ModuleId.HUB_CLIENT_INFO, ModuleId.CREDENTIALS)
    if found.module is not None and found.module.identifier not in exempt:
        check_owner(caller, path, body)


def _server_error(
    message: str, http: HTTPStatus, headers: Mapping[str, str] | None = None
) -> OcpiRefusedError:
    return OcpiRefusedError(message, status=Status.SERVER_ERROR, http=http, headers=headers or {})


def _note(trace: _Trace, error: Exception) -> None:
    """Log an error by its kind and where it arose: its words may quote a body, or a token."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_SHOWN:]
    where = ", ".join(f"{each.filename}:{each.lineno} ({each.name})" for each in frames)
    partner = "nobody" if trace.caller is None else trace.caller.partner
    kind = type(error).__name__
    _LOGGER.error("no answer to %s at %s: %s in %s", partner, trace.template, kind, where)
