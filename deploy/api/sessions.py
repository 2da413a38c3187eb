"""Charging sessions over HTTP: as they are billed, with what explains it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter, QueryParameter
from psycopg import Connection

from deploy.api.conventions.amounts import TaxedAmount, amounts_of
from deploy.api.conventions.moments import Moment, moment_in
from deploy.api.conventions.within import READS_BOOKS, Asked, reach_in
from deploy.interface.books import Newest, Pool, Text, subject_of
from deploy.interface.paging import LIMIT, Cursor, Limit, cut, key_of
from ledger.books.decisions_store import rated_sessions
from ledger.facts.flags import meaning_of
from ledger.rating.decisions import SessionRated, SessionRevision
from ledger.rating.english import line_words
from ledger.sessions.states import PRICED, SessionState
from projections.finding.documents import DocumentWish, find_documents
from projections.finding.heard import HeardFact, heard_facts
from projections.finding.sessions import SessionWish, find_sessions
from projections.finding.stays import stays_within
from projections.session_costs import with_costs
from projections.sessions import SessionCost, SessionSummary, Since, list_sessions
from projections.stations.registered import declared_id

FACTS_MAX: Final = 1_000
DOCUMENTS_MAX: Final = 100
SessionRef = Annotated[
    str, PathParameter(description="Its `ref`, with its slashes", schema_extra={"maxLength": 1000})
]


class SessionAmounts(TaxedAmount, frozen=True, kw_only=True):
    """What a session costs; of one that is not rated yet, so far."""

    is_final: bool


class ListedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A charging session. Energies in Wh; times in UTC.

    `cost` is null for what is held or written off, and where there is no price (yet): `reasons`
    say why. `revision` is that of its decision. `token` is a subject id once its bearer was erased.
    """

    ref: str
    revision: int
    station: str
    evse: int | None
    connector: int | None
    token: str | None
    state: SessionState
    flags: list[str]
    reasons: list[str]
    started_at: datetime | None
    ended_at: datetime | None
    stop_reason: str | None
    energy_wh: Decimal | None
    cost: SessionAmounts | None


class SessionPage(msgspec.Struct, frozen=True):
    """Some sessions, and where the next ones begin; null: there are none."""

    items: list[ListedSession]
    next: str | None


class PriceLine(TaxedAmount, frozen=True, kw_only=True):
    """A line of a session's price: volumes in kWh, hours or counts, prices per one of these.

    `unit_price` is before taxes, or with them where the session's tariff includes them. `reason`
    says why it stands here, `element` which of the tariff's elements priced it, counted from 0.
    """

    line: int
    dimension: str
    element: int | None
    element_name: str | None
    starts_at: datetime
    ends_at: datetime
    volume: Decimal
    billed_volume: Decimal
    unit_price: Decimal
    tax_percent: Decimal | None
    reason: str


class SessionRating(msgspec.Struct, frozen=True, kw_only=True):
    """What a session was priced by, and comes to, line by line."""

    decided_at: datetime
    tariff: str
    tariff_sha256: str
    assignment: str
    legal_entity: str
    site: str
    billed_wh: Decimal
    free_wh: Decimal
    tax_included: bool
    total: TaxedAmount
    lines: list[PriceLine]


class Session(ListedSession, frozen=True, kw_only=True):
    """One session with its flags in words, its rating, the documents it stands on, and its facts.

    `facts` are what its station told, in the order in which it came: the first thousand.
    """

    flags_in_words: dict[str, str]
    rating: SessionRating | None
    documents: list[str]
    facts: list[HeardFact]


class SessionFilter(NamedTuple):
    """Which sessions are asked for; the token and the site are still to be looked up."""

    wish: SessionWish
    token: str | None
    site: str | None


def session_filter(
    is_in: Annotated[SessionState | None, QueryParameter(name="state")] = None,
    station: Text = None,
    site: Text = None,
    token: Text = None,
    begun_from: Moment = None,
    begun_until: Moment = None,
) -> SessionFilter:
    """Return which sessions a query asks for."""
    wish = SessionWish(
        state=is_in,
        station_id=station,
        begun_from=moment_in(begun_from),
        begun_until=moment_in(begun_until),
    )
    return SessionFilter(wish, token, site)


Wanted = NamedDependency[SessionFilter]
FILTERED: Final = {"wanted": Provide(session_filter, sync_to_thread=False)}


class SessionsController(Controller):
    """Charging sessions, as they are billed."""

    tags = ("sessions",)

    @get("/sessions", opt=READS_BOOKS, dependencies=FILTERED, sync_to_thread=True)
    def listed(
        self,
        request: Asked,
        pool: Pool,
        newest: Newest,
        wanted: Wanted,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> SessionPage:
        """Return sessions, the newest first, that began from a moment on and before another."""
        since = None if cursor is None else Since(*key_of(cursor, tuple[datetime, str]))
        with pool.connection() as connection:
            declared = newest.of(connection)
            wish, token = wanted.wish, wanted.token
            subject = None if token is None else subject_of(connection, token)
            if token is not None and subject is None:
                return SessionPage([], None)
            stays = stays_within(declared, reach_in(request), site=wanted.site)
            if wish.station_id is not None:
                wish = wish._replace(station_id=declared_id(connection, wish.station_id))
            wish = wish._replace(subject=subject, stays=stays)
            found = find_sessions(connection, wish, limit=limit + 1, since=since)
            page, more = cut(found, limit, lambda each: (each.begun_at, each.session_id))
            shown = with_costs(connection, page, newest)
        return SessionPage([ListedSession(**_columns(each)) for each in shown], more)

    @get("/sessions/{ref:path}", opt=READS_BOOKS, sync_to_thread=True)
    def one(self, request: Asked, pool: Pool, newest: Newest, ref: SessionRef) -> Session:
        """Return one session, with its price line by line and what its station told."""
        session_id = ref.removeprefix("/")
        with pool.connection() as connection:
            found = list_sessions(connection, session_id=session_id, limit=1)
            stays = stays_within(newest.of(connection), reach_in(request))
            if not found or not (
                stays is None or stays.has(found[0].station_id, found[0].begun_at)
            ):
                message = f"there is no session {session_id}"
                raise NotFoundException(message)
            [session] = with_costs(connection, found, newest)
            rated = _rated(connection, session)
            wish = DocumentWish(session_id=session_id)
            documents = find_documents(connection, wish, limit=DOCUMENTS_MAX)
            facts = heard_facts(connection, session_id, limit=FACTS_MAX)
        return Session(
            **_columns(session),
            flags_in_words={flag: meaning_of(flag) for flag in session.flags},
            rating=None if rated is None else _rating(rated),
            documents=[each.number for each in documents],
            facts=facts,
        )


ROUTES: Final[Sequence[type[Controller]]] = (SessionsController,)


def _columns(session: SessionSummary) -> dict[str, Any]:
    cost = session.cost
    return {
        "ref": session.session_id,
        "revision": session.revision,
        "station": session.station_id,
        "evse": session.evse_id,
        "connector": session.connector_id,
        "token": session.token_uid,
        "state": SessionState(session.state),
        "flags": session.flags,
        "reasons": session.reasons or ([] if cost is None else [*cost.codes]),
        "started_at": session.started_at,
        "ended_at": session.ended_at,
        "stop_reason": session.stop_reason,
        "energy_wh": session.energy_wh,
        "cost": session_amounts(cost),
    }


def session_amounts(cost: SessionCost | None) -> SessionAmounts | None:
    """Return what a session costs as texts; None where it has no price."""
    if cost is None or cost.currency is None:
        return None
    amounts = amounts_of(cost.net_minor or 0, cost.tax_minor or 0, cost.currency)
    return SessionAmounts(**msgspec.structs.asdict(amounts), is_final=cost.is_final)


def _rated(connection: Connection[Any], session: SessionSummary) -> SessionRated | None:
    if session.state not in PRICED:
        return None
    [rated] = rated_sessions(connection, [SessionRevision(session.session_id, session.revision)])
    return rated


def _rating(rated: SessionRated) -> SessionRating:
    return SessionRating(
        decided_at=rated.moment.at,
        tariff=rated.tariff_id,
        tariff_sha256=rated.tariff_hash,
        assignment=rated.assignment,
        legal_entity=rated.legal_entity,
        site=rated.site_id,
        billed_wh=rated.billed_wh,
        free_wh=rated.free_wh,
        tax_included=rated.tax_included,
        total=amounts_of(rated.net_minor, rated.tax_minor, rated.currency),
        lines=[
            PriceLine(
                **msgspec.structs.asdict(
                    amounts_of(each.net_minor, each.tax_minor, rated.currency)
                ),
                line=each.line,
                dimension=each.dimension.value,
                element=each.element,
                element_name=each.element_name,
                starts_at=each.starts_at,
                ends_at=each.ends_at,
                volume=each.volume,
                billed_volume=each.billed_volume,
                unit_price=each.unit_price,
                tax_percent=each.tax_percent,
                reason=line_words(each, rated.currency),
            )
            for each in rated.lines
        ],
    )
