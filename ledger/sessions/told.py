"""What one station told, sorted by what it can say: the input of the fold.

It is never changed. Adding makes a new one that shares everything it does not name with the old
one, so that the fold sees at a glance (by `is`) where nothing new was told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from ledger.facts.station_facts import (
    ConnectorStatusChanged,
    QueueReported,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationFact,
    StopAttested,
)
from ledger.layered import Layered
from ledger.sessions.loose_frames import Window


class TransactionTold(msgspec.Struct, frozen=True):
    """The facts that name one transaction, rightly or not."""

    starts: tuple[SessionStarted, ...] = ()
    updates: tuple[SessionUpdated, ...] = ()
    ends: tuple[SessionEnded, ...] = ()
    reports: tuple[QueueReported, ...] = ()


class Settled(msgspec.Struct, frozen=True):
    """The sessions of a transaction that are decided for good: windows stand for their facts.

    Nothing that is still to come changes them, but they bound others, and take the loose frames
    that fit. Theirs is what is dated before `until` (None: all that the transaction told), but for
    frames from another place; of the sessions before them not even the windows are kept.
    """

    windows: tuple[Window, ...] = ()
    until: datetime | None = None


class StationTold(msgspec.Struct, frozen=True):
    """Transactions by reference ("": none), connector states by place, boots, queue reports.

    Of a transaction in `settled` the facts of those sessions may be left out.
    """

    transactions: Mapping[str, TransactionTold] = MappingProxyType({})
    statuses: Mapping[int | None, tuple[ConnectorStatusChanged, ...]] = MappingProxyType({})
    boots: tuple[StationBooted, ...] = ()
    reports: tuple[QueueReported, ...] = ()
    settled: Layered[str, Settled] = Layered()


_F = TypeVar("_F", bound=StationFact)
NOTHING: Final = StationTold()
SILENT: Final = TransactionTold()
_FIELDS: Final[Mapping[type, str]] = MappingProxyType(
    {
        SessionStarted: "starts",
        SessionUpdated: "updates",
        SessionEnded: "ends",
        StopAttested: "ends",
        QueueReported: "reports",
    }
)


def told(facts: Iterable[StationFact], before: StationTold = NOTHING) -> StationTold:
    """Return *before* with *facts*; a frame that was set aside tells nothing."""
    transactions: dict[str, dict[str, list[StationFact]]] = {}
    statuses: dict[int | None, list[ConnectorStatusChanged]] = {}
    boots: list[StationBooted] = []
    reports: list[QueueReported] = []
    for fact in facts:
        field, reference = _FIELDS.get(type(fact)), getattr(fact, "transaction_ref", None) or ""
        if field is not None and (reference or field != "reports"):
            transactions.setdefault(reference, {}).setdefault(field, []).append(fact)
        elif isinstance(fact, QueueReported):
            reports.append(fact)
        elif isinstance(fact, ConnectorStatusChanged):
            statuses.setdefault(place_of_status(fact), []).append(fact)
        elif isinstance(fact, StationBooted):
            boots.append(fact)
    if not (transactions or statuses or boots or reports):
        return before
    return StationTold(
        {
            **before.transactions,
            **{
                reference: _extended(before.transactions.get(reference, SILENT), news)
                for reference, news in transactions.items()
            },
        },
        {
            **before.statuses,
            **{place: (*before.statuses.get(place, ()), *news) for place, news in statuses.items()},
        }
        if statuses
        else before.statuses,
        (*before.boots, *boots) if boots else before.boots,
        (*before.reports, *reports) if reports else before.reports,
        before.settled,
    )


def settled(known: StationTold, parts: Mapping[str, Settled | None]) -> StationTold:
    """Return *known* with these *parts* of transactions settled; None: nothing of it is."""
    if not parts:
        return known
    now = {reference: part for reference, part in parts.items() if part is not None}
    gone = [reference for reference, part in parts.items() if part is None]
    return replace(known, settled=known.settled.but(now, gone))


def without(known: StationTold, gone: Collection[StationFact]) -> StationTold:
    """Return *known* without the very facts in *gone*."""
    if not gone:
        return known
    ids = {id(fact) for fact in gone}
    references = {getattr(fact, "transaction_ref", None) or "" for fact in gone}
    places = {place_of_status(f) for f in gone if isinstance(f, ConnectorStatusChanged)}
    transactions = dict(known.transactions)
    for reference in references & transactions.keys():
        said = transactions[reference]
        left = TransactionTold(
            _left(said.starts, ids),
            _left(said.updates, ids),
            _left(said.ends, ids),
            _left(said.reports, ids),
        )
        if left != SILENT:
            transactions[reference] = left
        else:
            del transactions[reference]
    statuses = known.statuses
    if places:
        statuses = {
            place: some if place not in places else _left(some, ids)
            for place, some in statuses.items()
        }
    kinds = set(map(type, gone))
    boots = _left(known.boots, ids) if StationBooted in kinds else known.boots
    reports = _left(known.reports, ids) if QueueReported in kinds else known.reports
    return StationTold(transactions, statuses, boots, reports, known.settled)


def _left(facts: tuple[_F, ...], gone: Collection[int]) -> tuple[_F, ...]:
    """Return *facts* but for those whose `id` is in *gone*: the very same if none is."""
    left = tuple([fact for fact in facts if id(fact) not in gone])
    return left if len(left) < len(facts) else facts


def place_of_status(fact: ConnectorStatusChanged) -> int | None:
    """Return the place whose state *fact* tells."""
    return fact.evse_id if fact.evse_id is not None else fact.connector_id


def _extended(before: TransactionTold, news: Mapping[str, list[StationFact]]) -> TransactionTold:
    return replace(
        before, **{name: (*getattr(before, name), *facts) for name, facts in news.items()}
    )
