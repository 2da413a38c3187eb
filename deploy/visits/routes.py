"""Visits over HTTP: open to anybody, where the policy offers them; told to who has the secret."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, NotFoundException, TooManyRequestsException
from litestar.params import FromPath, HeaderParameter, JSONBody
from psycopg_pool import ConnectionPool

from deploy.interface.app import FOR_ANYBODY
from deploy.visits.desk import ASKED_SECONDS, SeenVisit, StartedVisit, VisitDesk
from deploy.visits.rates import AddressRates, network_of
from ingest.commands.asking import StationCommands
from ingest.partner_calls import PartnerCalls
from ledger.payments.visits.kept import find_visit
from ledger.payments.visits.opening import OpenedVisit, VisitRefusal, VisitRefusedError
from ledger.payments.visits.visit import CardVisit, VisitState
from projections.visit_view import VisitView

Pool = NamedDependency[ConnectionPool[Any]]
Desk = NamedDependency[VisitDesk]
Commands = NamedDependency[StationCommands]
Secret = Annotated[
    str,
    HeaderParameter(
        name="Visit-Secret",
        description="As it was told when the visit was opened",
        schema_extra={"maxLength": 100},
    ),
]
NUMBER_MAX: Final = 2**63 - 1
_STATION_MAX: Final = 255
_STATUSES: Final[Mapping[VisitRefusal, HTTPStatus]] = {
    VisitRefusal.NOT_OFFERED: HTTPStatus.NOT_FOUND,
    VisitRefusal.UNKNOWN_STATION: HTTPStatus.NOT_FOUND,
    VisitRefusal.UNKNOWN_EVSE: HTTPStatus.NOT_FOUND,
    VisitRefusal.OCCUPIED: HTTPStatus.CONFLICT,
    VisitRefusal.NOT_CONNECTED: HTTPStatus.CONFLICT,
    VisitRefusal.NO_PRICE: HTTPStatus.CONFLICT,
}
NO_TOKEN: Final[Sequence[dict[str, list[str]]]] = ({},)
"""As OpenAPI says that nobody need show a token."""
ANYBODY: Final = "a driver"
_LOOK_SECONDS: Final = 0.1


class VisitWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where somebody wants to charge."""

    station: Annotated[str, msgspec.Meta(min_length=1, max_length=_STATION_MAX)]
    evse: Annotated[int, msgspec.Meta(ge=1, le=10_000)]


class VisitsController(Controller):
    """Charging without a contract, paid by card."""

    tags = ("visits",)

    @post("/visits", opt=FOR_ANYBODY, security=NO_TOKEN)
    async def open(
        self,
        data: JSONBody[VisitWish],
        request: Request[Any, Any, Any],
        pool: Pool,
        visit_desk: Desk,
        commands: Commands,
    ) -> StartedVisit:
        """Open a visit: what is put aside, and what lets the driver's device agree to it.

        The station is told to start once the money is put aside.
        """
        _check_rate(visit_desk.opened, request)

        def check() -> None:
            with pool.connection() as connection:
                visit_desk.check_offered(connection)

        def opened() -> tuple[OpenedVisit, str]:
            with pool.connection() as connection:
                made = visit_desk.open(connection, data.station, data.evse, by=ANYBODY)
                return made, visit_desk.price_text(connection, made.visit)

        def now(number: int) -> CardVisit | None:
            with pool.connection() as connection:
                return find_visit(connection, number)

        try:
            await asyncio.to_thread(check)
            await _check_reached(commands, data.station)
            made, price = await asyncio.to_thread(opened)
        except VisitRefusedError as error:
            raise _refused(error) from error
        visit, limit = made.visit, time.monotonic() + ASKED_SECONDS
        while visit.state is VisitState.WANTED and time.monotonic() < limit:
            await asyncio.sleep(_LOOK_SECONDS)
            found = await asyncio.to_thread(now, visit.number)
            visit = found or visit
        asked = await visit_desk.look(visit)
        return visit_desk.told(made, visit, price, asked.client_secret)

    @get("/visits/{number:int}", opt=FOR_ANYBODY, security=NO_TOKEN)
    async def one(
        self,
        number: FromPath[int],
        secret: Secret,
        request: Request[Any, Any, Any],
        pool: Pool,
        visit_desk: Desk,
    ) -> SeenVisit:
        """Return how far a visit is: energy and cost so far, in the end its receipt."""
        _check_rate(visit_desk.looked, request)

        def seen() -> tuple[CardVisit, VisitView, list[str]]:
            with pool.connection() as connection:
                visit = None
                if 0 < number <= NUMBER_MAX:
                    visit = visit_desk.find(connection, number, secret)
                if visit is None:
                    # The same whether there is none or the secret is another's.
                    message = f"there is no visit {number} with this secret"
                    raise NotFoundException(message)
                return visit, *visit_desk.view(connection, visit, secret)

        def hasten() -> None:
            with pool.connection() as connection:
                visit_desk.hasten(connection, visit)

        visit, shown, receipts = await asyncio.to_thread(seen)
        told = await visit_desk.look(visit)
        if told.has_moved:
            # The driver looks: nobody waits for the provider's word of it.
            await asyncio.to_thread(hasten)
        return SeenVisit(visit=shown, client_secret=told.client_secret, receipts=receipts)


ROUTES: Final[Sequence[type[Controller]]] = (VisitsController,)


def _check_rate(rates: AddressRates, request: Request[Any, Any, Any]) -> None:
    address = request.client.host if request.client else ""
    if not rates.allows(network_of(address), time.monotonic()):
        message = "too many questions from this address: wait some minutes"
        raise TooManyRequestsException(message)


async def _check_reached(commands: StationCommands, station: str) -> None:
    """Refuse a station that cannot be called: the same whether there is none or it is away."""
    if not await PartnerCalls(commands).is_connected(station):
        said = f"{station} cannot be reached: try later"
        raise VisitRefusedError(VisitRefusal.NOT_CONNECTED, said)


def _refused(error: VisitRefusedError) -> HTTPException:
    return HTTPException(str(error), status_code=_STATUSES[error.why], extra={"code": error.why})
