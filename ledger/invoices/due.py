"""Which invoices are due: sessions billed by themselves, thresholds reached, months that are over.

A threshold is reached by one session, in the order in which they were decided: what waits up to it
is its invoice. So the invoices are the same however often anybody looks:

    threshold 50.00; 30.00, 15.00, 10.00, 45.00 wait -> one of 55.00, by the third; 45.00 wait on
    another 5.00                                     -> one of 50.00
    the month is over, 12.00 wait                    -> the month's, of 12.00

A document is owed by one: what a partner owes of whose tokens the customer is billed has its own,
and counts to a threshold by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.declared.declarations import Declarations
from ledger.invoices.crediting import DueDocument
from ledger.invoices.order import cause_of_month, cause_of_session, cause_of_threshold
from ledger.rating.decisions import SessionRevision
from tariffs.currencies import currency_exponent
from tariffs.quantities import EXACT
from tariffs.zones import zone

_FURTHEST_AHEAD: Final = timedelta(hours=14)
"""No calendar is further ahead of UTC (Kiritimati)."""
_READ_AT_ONCE: Final = 100
"""Of so many sessions that have an invoice each the ratings are read together."""
_DECEMBER: Final = 12
# What is corrected waits until what it replaces is credited.
_SINGLES: LiteralString = """
SELECT session_id, revision FROM uninvoiced_session AS waiting WHERE invoicing = 'per_session'
AND NOT EXISTS (
    SELECT FROM correction_to_document AS due WHERE due.session_id = waiting.session_id
) ORDER BY session_id, revision
"""
_MONTHS: LiteralString = """
SELECT legal_entity, customer, currency, partner, billing_month, session_id, revision
FROM uninvoiced_session AS waiting
WHERE invoicing IN ('per_month', 'on_threshold') AND billing_month < %s
AND NOT EXISTS (
    SELECT FROM correction_to_document AS due WHERE due.session_id = waiting.session_id
)
ORDER BY legal_entity, customer, currency, partner NULLS FIRST, billing_month, session_id, revision
"""
# Without a look at the corrections, which an index cannot have: few groups are looked at closely.
_SUMS: LiteralString = """
SELECT legal_entity, customer, currency, partner, sum(gross_minor)::bigint
FROM uninvoiced_session WHERE invoicing = 'on_threshold' AND decided_at <= %s
GROUP BY legal_entity, customer, currency, partner
ORDER BY legal_entity, customer, currency, partner NULLS FIRST
"""
_IN_ORDER: LiteralString = """
SELECT session_id, revision, gross_minor
FROM uninvoiced_session AS waiting WHERE invoicing = 'on_threshold' AND decided_at <= %s
AND (legal_entity, customer, currency) = (%s, %s, %s)
AND partner IS NOT DISTINCT FROM %s AND NOT EXISTS (
    SELECT FROM correction_to_document AS due WHERE due.session_id = waiting.session_id
) ORDER BY decided_at, session_id, revision
"""


class _Group(NamedTuple):
    """Whose sessions may share an invoice; `partner` None: the customer owes them."""

    legal_entity: str
    customer: str
    currency: str
    partner: str | None


def due_invoices(
    connection: Connection[Any],
    declarations: Declarations,
    up_to: datetime,
    leaves: Callable[[str], bool] = lambda _cause: False,
) -> Iterator[DueDocument]:
    """Yield each cause that has no invoice yet, with its sessions, in a settled order.

    With what came to a threshold booked by then, and without what *leaves* says to leave: of that
    nothing is read.
    """
    every = (SessionRevision(*single) for single in connection.execute(_SINGLES))
    singles = [each for each in every if not leaves(cause_of_session(each))]
    for first in range(0, len(singles), _READ_AT_ONCE):
        some = singles[first : first + _READ_AT_ONCE]
        for session, rating in zip(some, rated_sessions(connection, some), strict=True):
            yield DueDocument(cause_of_session(session), None, (rating,))
    # A month may be over in Kiritimati and not yet in UTC; `_due_months` looks exactly.
    until = f"{up_to + _FURTHEST_AHEAD:%Y-%m}"
    rows = connection.execute(_MONTHS, (until,)).fetchall()
    waiting: dict[_Group, dict[str, list[SessionRevision]]]
    waiting = defaultdict(lambda: defaultdict(list))
    for legal_entity, customer, currency, partner, month, *session in rows:
        group = _Group(legal_entity, customer, currency, partner)
        waiting[group][month].append(SessionRevision(*session))
    for group, months in waiting.items():
        running = _running_month(declarations, group.legal_entity, up_to)
        for cause, sessions in _due_months(connection, group, months, running):
            if leaves(cause):
                continue
            yield DueDocument(cause, None, rated_sessions(connection, sessions))


def due_by_threshold(
    connection: Connection[Any],
    declarations: Declarations,
    up_to: datetime,
    leaves: Callable[[str], bool] = lambda _cause: False,
) -> Iterator[DueDocument]:
    """Yield each threshold that was reached, with what waited up to it, in a settled order.

    It costs what waits for thresholds. What *leaves* says to leave is left out.
    """
    for *names, sum_minor in connection.execute(_SUMS, (up_to,)).fetchall():
        group = _Group(*names)
        customer = declarations.customer(group.customer, up_to)
        threshold = customer.threshold if customer else None
        if threshold is None or sum_minor < (least := _minor(threshold, group.currency)):
            continue
        waiting, waits_minor = list[SessionRevision](), 0
        for *session, gross_minor in connection.execute(_IN_ORDER, (up_to, *group)).fetchall():
            waiting.append(SessionRevision(*session))
            waits_minor += gross_minor
            if waits_minor >= least:
                cause = cause_of_threshold(waiting[-1])
                if not leaves(cause):
                    yield DueDocument(cause, None, rated_sessions(connection, waiting))
                waiting, waits_minor = [], 0


def _minor(amount: Decimal, currency: str) -> Decimal:
    """Return *amount* in minor units, which it need not be whole of."""
    return amount.scaleb(currency_exponent(currency), EXACT)


def _due_months(
    connection: Connection[Any],
    group: _Group,
    months: Mapping[str, Sequence[SessionRevision]],
    running: str,
) -> Iterator[tuple[str, Sequence[SessionRevision]]]:
    """Yield the closed months without invoice; what missed its own month's goes on the next."""
    pending: list[SessionRevision] = []
    for month in _months(min(months), running):
        pending += months.get(month, ())
        cause = cause_of_month(**group._asdict(), month=month)
        # An issued invoice takes no more: what missed it goes on with the next month.
        if pending and not _is_booked(connection, cause):
            yield cause, pending
            pending = []


def _is_booked(connection: Connection[Any], cause: str) -> bool:
    query = "SELECT FROM issued_invoice WHERE cause = %s"
    return connection.execute(query, (cause,)).rowcount > 0


def _running_month(declarations: Declarations, legal_entity: str, up_to: datetime) -> str:
    """Return the month that is not settled yet, in the legal entity's calendar."""
    settled = up_to - timedelta(seconds=declarations.policy(up_to).wait_s)
    seller = declarations.legal_entity(legal_entity, up_to)
    calendar = zone(seller.time_zone) if seller else UTC
    return f"{settled.astimezone(calendar):%Y-%m}"


def _months(first: str, end: str) -> Iterator[str]:
    """Yield the months from *first* until before *end* ("2026-11")."""
    month = first
    while month < end:
        yield month
        year, number = int(month[:4]), int(month[5:])
        month = f"{year + 1}-01" if number == _DECEMBER else f"{year:04d}-{number + 1:02d}"
