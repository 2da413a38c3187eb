"""The trial balance from what was summed as it was booked, whatever lies behind.

Each entry adds its hour in its own transaction (`booked_sum`), as further rows: two who book at
once never wait for each other. `put_together` adds those to the sums of their hour, day and month,
in one transaction: a reader sees them before or after, and the same sum. Sums need no order, so an
entry of an earlier month (of a partition of the log that is behind) is added where it belongs.

A reader takes each time from the longest spans that lie within it: months, then days and hours up
to its ends. Spans are of UTC, days that are asked for are their legal entity's: where one begins
within an hour (in Nepal), the entries of that hour themselves are asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from projections.balances.trial import ALL_DAYS, AccountBalance, TrialBalance
from projections.journal.days import BookDays

ADDED_MAX: Final = 1_000
"""So many added rows may lie apart before they are put together."""
_LOCK: Final = 0x626F6F6B_686F7572
_FIRST: Final = date(2, 1, 1)
_LAST: Final = date(9999, 1, 1)
"""Nothing is booked before and after; moments next to them can be told in any zone."""
_SPANS: Final = ("month", "day", "hour")
# Of one statement, so that nobody puts together between two of its parts.
_SUMS: LiteralString = """
WITH part AS (
    SELECT which, span, begins, ends
    FROM unnest(%(which)s::integer[], %(spans)s::text[], %(begins)s::timestamptz[],
        %(ends)s::timestamptz[]) AS part (which, span, begins, ends)
), found AS (
    SELECT which, legal_entity, period, currency, account, debit_minor, credit_minor
    FROM part JOIN booked_sum AS kept
        ON kept.span IN (part.span, 'added')
        AND kept.begins >= part.begins AND kept.begins < part.ends
    WHERE part.span <> 'entry'
    UNION ALL
    SELECT which, legal_entity, period, currency, account, greatest(amount_minor, 0),
           greatest(-amount_minor, 0)
    FROM part JOIN journal_entry
        ON booked_at >= part.begins AND booked_at < part.ends
    CROSS JOIN unnest(accounts, currencies, amounts) AS leg (account, currency, amount_minor)
    WHERE part.span = 'entry'
)
SELECT which, currency, account, sum(debit_minor), sum(credit_minor) FROM found
WHERE (%(entities)s::text[] IS NULL OR legal_entity = ANY (%(entities)s))
  AND legal_entity <> ALL (%(others)s::text[])
  AND (%(period)s::text IS NULL OR period = %(period)s)
GROUP BY which, currency, account
"""
_MONTHS: LiteralString = """
SELECT currency, account, sum(debit_minor), sum(credit_minor) FROM booked_sum
WHERE (%(legal_entity)s::text IS NULL OR legal_entity = %(legal_entity)s) AND period <= %(month)s
  AND span IN ('month', 'added')
GROUP BY currency, account
"""
_ADDED: LiteralString = """
SELECT count(*) FROM (SELECT FROM booked_sum WHERE span = 'added' LIMIT %s)
"""
_PUT_TOGETHER: LiteralString = """
WITH gone AS (DELETE FROM booked_sum WHERE span = 'added' RETURNING *)
INSERT INTO booked_sum AS kept
SELECT whole.span, date_trunc(whole.span, begins, 'UTC'), legal_entity, period, currency, account,
       sum(debit_minor), sum(credit_minor)
FROM gone CROSS JOIN unnest(%s::text[]) AS whole (span)
GROUP BY 1, 2, 3, 4, 5, 6
ON CONFLICT (span, begins, legal_entity, period, currency, account) WHERE span <> 'added'
DO UPDATE SET debit_minor = kept.debit_minor + excluded.debit_minor,
    credit_minor = kept.credit_minor + excluded.credit_minor
"""


class _Part(NamedTuple):
    """A time that is summed from spans of one length: "month", "day", "hour"; or by "entry"."""

    span: str
    begins: datetime | None
    ends: datetime | None


def kept_trial_balance(connection: Connection[Any], days: BookDays = ALL_DAYS) -> TrialBalance:
    """Return what `trial_balance` returns, from the sums that were kept up."""
    return _balance(
        row[1:]
        for (begin, end), entities, others in _calendars(days)
        for row in connection.execute(
            _SUMS,
            {
                **_columns([(0, part) for part in _parts(begin, end)]),
                "entities": entities,
                "others": others,
                "period": days.period,
            },
        )
    )


def kept_day_balances(
    connection: Connection[Any], legal_entity: str, calendar: tzinfo, days: Sequence[date]
) -> list[TrialBalance]:
    """Return the trial balance of each of *days* of a legal entity by its own: in one question."""
    parts = []
    for which, day in enumerate(days):
        of_day = BookDays(day, day + timedelta(days=1), legal_entity, {})
        parts += [(which, part) for part in _parts(*_time(of_day, calendar))]
    asked = {**_columns(parts), "entities": [legal_entity], "others": [], "period": None}
    rows: defaultdict[int, list[tuple[str, str, int, int]]] = defaultdict(list)
    for which, *row in connection.execute(_SUMS, asked):
        rows[which].append((*row,))
    return [_balance(rows[which]) for which in range(len(days))]


def kept_month_balance(
    connection: Connection[Any], month: str, *, legal_entity: str | None = None
) -> TrialBalance:
    """Return the trial balance at the end of *month*: of all that stands in books up to its own."""
    asked = {"legal_entity": legal_entity, "month": month}
    return _balance(connection.execute(_MONTHS, asked))


def put_together(connection: Connection[Any], *, added_max: int = ADDED_MAX) -> bool:
    """Put added rows together where there are *added_max*; say whether that was done.

    In a transaction of its own. Where somebody else is at it, it is left to him.
    """
    with connection.transaction():
        [(count,)] = connection.execute(_ADDED, (added_max,)).fetchall()
        if count < added_max:
            return False
        [(is_ours,)] = connection.execute(
            "SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,)
        ).fetchall()
        if is_ours:
            connection.execute(_PUT_TOGETHER, ([*_SPANS],))
        return bool(is_ours)


def _balance(rows: Iterable[tuple[str, str, int, int]]) -> TrialBalance:
    sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for currency, account, debit, credit in rows:
        sums[currency, account][0] += int(debit)
        sums[currency, account][1] += int(credit)
    return TrialBalance(
        accounts=tuple(
            AccountBalance(
                account=account, currency=currency, debit_minor=debit, credit_minor=credit
            )
            for (currency, account), (debit, credit) in sorted(sums.items())
        )
    )


_Time = tuple[datetime | None, datetime | None]


def _calendars(days: BookDays) -> Iterator[tuple[_Time, list[str] | None, list[str]]]:
    """Yield when *days* are, for which legal entities (None: all) but for which others."""
    if days.legal_entity is not None:
        zone = days.zones.get(days.legal_entity, UTC)
        yield _time(days, zone), [days.legal_entity], []
        return
    times: defaultdict[_Time, list[str]] = defaultdict(list)
    for entity, zone in days.zones.items():
        times[_time(days, zone)].append(entity)
    rest = _time(days, UTC)
    times.pop(rest, None)
    for when, entities in times.items():
        yield when, entities, []
    yield rest, None, [each for entities in times.values() for each in entities]


def _time(days: BookDays, zone: tzinfo) -> _Time:
    begin, end = (
        None
        if day is None
        else datetime.combine(min(max(day, _FIRST), _LAST), time(), zone).astimezone(UTC)
        for day in (days.first, days.after)
    )
    return begin, end


def _parts(
    begin: datetime | None, end: datetime | None, spans: tuple[str, ...] = _SPANS
) -> Iterator[_Part]:
    """Yield the parts of a time, each of the longest spans that fit."""
    if begin is not None and end is not None and begin >= end:
        return
    if not spans:
        yield _Part("entry", begin, end)
        return
    span, *shorter = spans
    first = None if begin is None else _whole_from(span, begin)
    last = None if end is None else _began(span, end)
    if first is not None and last is not None and first > last:
        yield from _parts(begin, end, (*shorter,))
        return
    if first is None or last is None or first < last:
        yield _Part(span, first, last)
    if begin is not None:
        yield from _parts(begin, first, (*shorter,))
    if end is not None:
        yield from _parts(last, end, (*shorter,))


def _began(span: str, moment: datetime) -> datetime:
    """Return when the span in which *moment* lies began."""
    match span:
        case "month":
            return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        case "day":
            return moment.replace(hour=0, minute=0, second=0, microsecond=0)
        case _:
            return moment.replace(minute=0, second=0, microsecond=0)


def _whole_from(span: str, moment: datetime) -> datetime:
    """Return when the first span that does not begin before *moment* begins."""
    began = _began(span, moment)
    if began == moment:
        return moment
    # No month has more than 31 days, nor an hour or a day more than one.
    longest = {"month": timedelta(31), "day": timedelta(1)}.get(span, timedelta(hours=1))
    return _began(span, began + longest)


def _columns(parts: Sequence[tuple[int, _Part]]) -> dict[str, Sequence[object]]:
    """Return parts, each with the number of what it is a part of, as columns."""
    return {
        "which": [which for which, _ in parts],
        "spans": [each.span for _, each in parts],
        "begins": ["-infinity" if e.begins is None else e.begins.isoformat() for _, e in parts],
        "ends": ["infinity" if e.ends is None else e.ends.isoformat() for _, e in parts],
    }
