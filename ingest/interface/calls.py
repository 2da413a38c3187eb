"""Calls to stations over HTTP: the very use case of `wattledger station command`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Protocol, runtime_checkable
from uuid import UUID

import msgspec
from litestar import Controller, Request, get, post
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody, PathParameter

from ingest.commands.asking import (
    ANSWER_SECONDS,
    Patience,
    StationCommands,
)
from ingest.commands.outcome import CommandOutcome
from ingest.interface.exact import exact_body, exact_text
from ingest.rpc import codec

WAIT_SECONDS_MAX: Final = 300.0
DAYS_MAX: Final = 7
Commands = NamedDependency[StationCommands]
COMMAND: Final = {"scope": "command", "is_cut": True}
"""Of a route with a station in its path: who lets it through looks how far somebody reaches."""
StationId = Annotated[str, PathParameter(description="The station's id", max_length=255)]


class CallRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call to a station.

    `payload` is in the station's version, and sent as given. `wait_s`: how long to wait for the
    answer, 0 not at all. `within_s`: after how long it is not sent any more. `queue`: it may wait
    for a station that is not connected.
    """

    action: Annotated[str, msgspec.Meta(min_length=1, max_length=64, examples=["Reset"])]
    payload: Annotated[dict[str, Any], msgspec.Meta(examples=[{"type": "Soft"}])] = {}
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=WAIT_SECONDS_MAX)] = ANSWER_SECONDS
    within_s: Annotated[float, msgspec.Meta(gt=0, le=DAYS_MAX * 86_400)] = ANSWER_SECONDS
    queue: bool = False


@runtime_checkable
class StationSight(Protocol):
    """Says how far somebody reaches among stations: `deploy` knows whose token came."""

    async def sees(
        self, connection: ASGIConnection[Any, Any, Any, Any], scope: str, station_id: str
    ) -> bool:
        """Say whether who asks reaches a station with *scope*."""
        ...


class _Exact(msgspec.Struct):
    """The payload as it was written."""

    payload: msgspec.Raw = msgspec.Raw(b"{}")


class CallsController(Controller):
    """Calls to stations."""

    tags = ("calls",)

    @post("/stations/{station_id:str}/calls", status_code=200, opt=COMMAND)
    async def call(
        self,
        station_id: StationId,
        data: JSONBody[CallRequest],
        request: Request[Any, Any, Any],
        commands: Commands,
    ) -> CommandOutcome:
        """Send a call to a station and return how far it is after `wait_s`.

        Rejected is an answer like any other: `state` is `answered`.
        """
        exact = codec.decode(await exact_body(request, CallRequest), _Exact).payload
        payload = exact_text(exact)
        patience = Patience(wait=data.wait_s, answer=data.within_s, may_queue=data.queue)
        by = request.user.name
        return await commands.ask(station_id, data.action, payload, by=by, patience=patience)

    @get("/calls/{call_id:uuid}", opt={"scope": "read", "is_cut": True})
    async def read(
        self,
        call_id: FromPath[UUID],
        request: Request[Any, Any, Any],
        commands: Commands,
        sight: NamedDependency[StationSight],
    ) -> CommandOutcome:
        """Return how far a call is."""
        found = await commands.read(call_id)
        if found is None or not await sight.sees(request, "read", found.station):
            message = f"no call {call_id} was asked for"
            raise NotFoundException(message)
        return found
