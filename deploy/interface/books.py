"""Stations and transactions over HTTP, read from the books."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, PathParameter, QueryParameter
from psycopg import Connection
from psycopg_pool import ConnectionPool

from deploy.api.conventions.station_reach import StationReach
from deploy.api.conventions.within import Asked, reach_in, wants
from deploy.interface.access import Scope
from deploy.interface.paging import LIMIT, Cursor, Limit, cut, key_of
from ledger.declared.store import NewestDeclarations
from ledger.persons.holders import token_holder
from ledger.persons.store import find
from projections.finding.sessions import SessionWish, find_sessions
from projections.finding.stays import stays_within
from projections.session_costs import with_costs
from projections.sessions import SessionCost, SessionSummary, Since, list_sessions
from projections.stations.detail import StationDetail, read_station_detail
from projections.stations.registered import RegisteredStation, declared_id, read_stations
from tariffs.currencies import currency_exponent
from tariffs.quantities import minor_text

Text = Annotated[str | None, QueryParameter(max_length=255)]
TransactionRef = Annotated[
    str, PathParameter(description="Its `ref`, with its slashes", schema_extra={"maxLength": 1000})
]
READ: Final = wants(Scope.READ)
Sight = NamedDependency[StationReach]
Pool = NamedDependency[ConnectionPool[Any]]
Newest = NamedDependency[NewestDeclarations]


class TransactionCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a transaction costs, exactly; of an open one, so far. Stations are told the gross."""

    net: str
    tax: str
    gross: str
    currency: str
    is_final: bool


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """A charging session as stations know it. `stopped_at` is "" while it is open.

    `token` is a subject id once its bearer was erased; `cost` is null where there is none (yet):
    `state` and `flags` say why.
    """

    ref: str
    station: str
    transaction_id: str | None
    token: str | None
    evse: int | None
    connector: int | None
    state: str
    flags: list[str]
    started_at: datetime | None
    stopped_at: str
    stop_reason: str | None
    energy_wh: Decimal | None
    cost: TransactionCost | None


class TransactionPage(msgspec.Struct, frozen=True):
    """Some transactions, and where the next ones begin; null: there are none."""

    items: list[Transaction]
    next: str | None


class StationPage(msgspec.Struct, frozen=True):
    """Some stations, and where the next ones begin; null: there are none."""

    items: list[RegisteredStation]
    next: str | None


class StationsController(Controller):
    """Charging stations."""

    tags = ("stations",)

    @get("/stations", opt=READ, sync_to_thread=True)
    def listed(
        self,
        request: Asked,
        pool: Pool,
        sight: Sight,
        site: Text = None,
        is_connected: Annotated[bool | None, QueryParameter(name="connected")] = None,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> StationPage:
        """Return the declared stations by their ids, with their connections."""
        after = None if cursor is None else key_of(cursor, str)
        with pool.connection() as connection:
            found = read_stations(
                connection,
                at=datetime.now(UTC),
                site=site,
                is_connected=is_connected,
                among=sight.among(connection, reach_in(request, Scope.READ)),
                after=after,
                limit=limit + 1,
            )
        shown, more = cut(found, limit, lambda each: each.id)
        return StationPage([*shown], more)

    @get("/stations/{station_id:str}", opt=READ, sync_to_thread=True)
    def one(self, pool: Pool, newest: Newest, station_id: FromPath[str]) -> StationDetail:
        """Return one station, with its open sessions and its last security events."""
        with pool.connection() as connection:
            found = read_station_detail(connection, station_id, at=datetime.now(UTC), newest=newest)
        if found is None:
            message = f"no station {station_id} is declared"
            raise NotFoundException(message)
        return found


class TransactionsController(Controller):
    """Charging sessions, as stations know them."""

    tags = ("transactions",)

    @get("/transactions", opt=READ, sync_to_thread=True)
    def listed(
        self,
        request: Asked,
        pool: Pool,
        newest: Newest,
        station: Text = None,
        token: Text = None,
        is_open: Annotated[bool | None, QueryParameter(name="open")] = None,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> TransactionPage:
        """Return transactions, the newest first."""
        since = None if cursor is None else Since(*key_of(cursor, tuple[datetime, str]))
        with pool.connection() as connection:
            subject = None
            if token is not None:
                subject = subject_of(connection, token)
                if subject is None:
                    return TransactionPage([], None)
            wish = SessionWish(
                station_id=None if station is None else declared_id(connection, station),
                subject=subject,
                is_open=is_open,
                stays=stays_within(newest.of(connection), reach_in(request, Scope.READ)),
            )
            found = find_sessions(connection, wish, since=since, limit=limit + 1)
            page, more = cut(found, limit, lambda each: (each.begun_at, each.session_id))
            shown = with_costs(connection, page, newest)
        return TransactionPage([_transaction(each) for each in shown], more)

    @get("/transactions/{ref:path}", opt=READ, sync_to_thread=True)
    def one(self, request: Asked, pool: Pool, newest: Newest, ref: TransactionRef) -> Transaction:
        """Return one transaction."""
        with pool.connection() as connection:
            found = list_sessions(connection, session_id=ref.removeprefix("/"), limit=1)
            stays = stays_within(newest.of(connection), reach_in(request, Scope.READ))
            if not found or not (
                stays is None or stays.has(found[0].station_id, found[0].begun_at)
            ):
                message = f"there is no transaction {ref.removeprefix('/')}"
                raise NotFoundException(message)
            (shown,) = with_costs(connection, found, newest)
        return _transaction(shown)


_LOCAL: Final = "Local"
ROUTES: Final[Sequence[type[Controller]]] = (StationsController, TransactionsController)


def _transaction(each: SessionSummary) -> Transaction:
    return Transaction(
        ref=each.session_id,
        station=each.station_id,
        transaction_id=each.transaction_id,
        token=each.token_uid,
        evse=each.evse_id,
        connector=each.connector_id,
        state=each.state,
        flags=each.flags,
        started_at=each.started_at,
        stopped_at="" if each.ended_at is None else _utc(each.ended_at),
        # The standards let a station leave out the one reason that this is.
        stop_reason=each.stop_reason or (None if each.ended_at is None else _LOCAL),
        energy_wh=each.energy_wh,
        cost=_cost(each.cost),
    )


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _cost(cost: SessionCost | None) -> TransactionCost | None:
    if cost is None or cost.currency is None or cost.gross_minor is None:
        return None
    exponent = currency_exponent(cost.currency)
    amounts = (cost.net_minor or 0, cost.tax_minor or 0, cost.gross_minor)
    net, tax, gross = (minor_text(minor, exponent) for minor in amounts)
    return TransactionCost(
        net=net, tax=tax, gross=gross, currency=cost.currency, is_final=cost.is_final
    )


def subject_of(connection: Connection[Any], token: str) -> str | None:
    """Return the subject id of a token as stations write it; None: nobody knows it."""
    holder = token_holder(token)
    if holder is None:
        return None
    found = find(connection, [holder]).get((holder.kind, holder.name))
    return None if found is None else found.id
