"""What is to be dealt with, or signed off, before a month of a legal entity is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, Final, LiteralString

from psycopg import Connection

from ledger.asides.stored import listed_asides
from ledger.periods.record import ChecklistItem
from projections.balances.document_numbers import SeriesSaid, number_report
from projections.balances.energy import EnergyDay
from projections.closing.money import unsettled_money
from projections.closing.period_scope import PeriodScope
from projections.closing.uncharged import uncharged
from projections.replay.replay import ReplayReport
from tariffs.model.canonical import canonical_json

SHOWN_MAX: Final = 20
"""So many of what is left are shown; all of it is hashed."""
MEANINGS: Final[Mapping[str, str]] = {
    "held": "sessions of the month that wait for a person",
    "waiting": "sessions that ended in the month and wait for what is missing of them",
    "unbilled": "rated sessions without invoice, and corrections without credit note",
    "set_aside": "lines that raised and are in no balance",
    "numbers": "number series of documents with gaps or days that go back",
    "energy": "days of stations whose energy does not add up",
    "money": "money nobody can explain, payouts that differ, disputes that are open",
    "replay": "consequences that come out of the log otherwise",
}
"""The items of a checklist, in its order."""
_HELD: LiteralString = """
SELECT session_id, station_id, coalesce(ended_at, started_at, first_fact_at), state, revision
FROM session WHERE state = 'held' AND coalesce(ended_at, started_at, first_fact_at) < %(ends)s
UNION ALL
SELECT session_id, station_id, coalesce(ended_at, started_at, first_fact_at), state, revision
FROM session WHERE 'correction_waits' = ANY (flags) AND state <> 'held'
AND coalesce(ended_at, started_at, first_fact_at) < %(ends)s
ORDER BY 1
"""
_WAITING: LiteralString = """
SELECT session_id, station_id, ended_at, state, revision
FROM unfinished_session WHERE state = 'waiting' AND ended_at < %(ends)s ORDER BY 1
"""
_UNBILLED: LiteralString = """
SELECT session_id, revision FROM uninvoiced_session
WHERE legal_entity = %(legal_entity)s AND billing_month <= %(month)s
UNION
SELECT due.session_id, due.revision FROM correction_to_document AS due
JOIN journal_entry AS entry ON entry.entry_id = concat(
    'reversed:', due.session_id, CASE WHEN corrects > 1 THEN '/' || corrects END
) WHERE NOT is_settled_with_partner
AND legal_entity = %(legal_entity)s AND original_period <= %(month)s
ORDER BY 1, 2
"""
Told = Callable[[int, int, str], None]


def checklist(
    connection: Connection[Any],
    scope: PeriodScope,
    *,
    energy: Callable[[], Iterable[EnergyDay]],
    replay: Callable[[], ReplayReport] | None,
    given: SeriesSaid,
    only: str | None = None,
    told: Told = lambda _done, _total, _item: None,
) -> tuple[ChecklistItem, ...]:
    """Return what is left to do of a month, item by item.

    Args:
        connection: To the books.
        scope: Which month of which legal entity.
        energy: Returns the energy balance of its days, by station (`energy_days`).
        replay: Replays the log; None leaves that item unchecked.
        given: Says of each series of numbers what was given.
        only: Look at this item alone.
        told: Told how many items of how many are done, and which comes next.
    """
    made: dict[str, Callable[[], ChecklistItem]] = {
        "held": lambda: _item(
            "held",
            [
                *_sessions(connection, scope, _HELD),
                *uncharged(connection, scope, is_on_its_way=False),
            ],
        ),
        "waiting": lambda: _item(
            "waiting",
            [
                *_sessions(connection, scope, _WAITING),
                *uncharged(connection, scope, is_on_its_way=True),
            ],
        ),
        "unbilled": lambda: _item("unbilled", _unbilled(connection, scope)),
        "set_aside": lambda: _item("set_aside", _asides(connection, scope)),
        "numbers": lambda: _item("numbers", _numbers(connection, scope, given)),
        "energy": lambda: _item("energy", _unbalanced(energy())),
        "money": lambda: _item("money", unsettled_money(connection, scope)),
        "replay": lambda: _replayed(replay),
    }
    items = []
    asked = [item for item in MEANINGS if only in {None, item}]
    for done, item in enumerate(asked):
        told(done, len(asked), item)
        items.append(made[item]())
    return tuple(items)


def _item(item: str, found: list[str]) -> ChecklistItem:
    return ChecklistItem(
        item=item,
        count=len(found),
        digest=sha256(canonical_json(found)).hexdigest(),
        shown=tuple(found[:SHOWN_MAX]),
    )


def _sessions(connection: Connection[Any], scope: PeriodScope, query: LiteralString) -> list[str]:
    rows = connection.execute(query, {"ends": scope.ends}).fetchall()
    return [
        f"{session_id} {state} {revision}"
        for session_id, station_id, at, state, revision in rows
        if scope.has_station(station_id, at.astimezone(scope.calendar).date())
    ]


def _unbilled(connection: Connection[Any], scope: PeriodScope) -> list[str]:
    asked = {"legal_entity": scope.legal_entity, "month": scope.month}
    rows = connection.execute(_UNBILLED, asked)
    return [f"{session_id} {revision}" for session_id, revision in rows]


def _asides(connection: Connection[Any], scope: PeriodScope) -> list[str]:
    return [
        f"{each.partition}/{each.position}/{each.line} {each.station_id} {each.reason}"
        for each in listed_asides(connection)
        if not each.station_id or scope.has_station(each.station_id, scope.last_day)
    ]


def _numbers(
    connection: Connection[Any],
    scope: PeriodScope,
    given: SeriesSaid,
) -> list[str]:
    return [
        f"{each.kind} {each.year}: {each.documents} documents, last {each.last}, "
        f"given {each.given}, {each.gaps} gaps, {each.days_back} days back"
        for each in number_report(connection, given).series
        if each.legal_entity == scope.legal_entity and not each.is_whole
    ]


def _unbalanced(energy: Iterable[EnergyDay]) -> list[str]:
    return [
        f"{each.station_id} {each.day} {each.difference_wh} Wh"
        for each in energy
        if each.difference_wh
    ]


def _replayed(replay: Callable[[], ReplayReport] | None) -> ChecklistItem:
    if replay is None:
        return ChecklistItem(item="replay", count=0, digest="", is_checked=False)
    report = replay()
    found = [f"{each.what} {each.key}" for each in report.shown]
    return ChecklistItem(
        item="replay",
        count=report.differences,
        digest=sha256(canonical_json([report.differences, *found])).hexdigest(),
        shown=tuple(found[:SHOWN_MAX]),
    )
