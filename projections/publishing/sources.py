"""What is published: pages of events with where they end, from the feed and the tariffs' record.

A source says what is new since a position and has no memory of its own. Of a tariff's versions it
is the record that is followed, not the feed: who proposed and turned down stands only there, and
all that is said of one tariff must come in one order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final, LiteralString, NamedTuple, Protocol, assert_never

from psycopg import Connection

from ledger.approvals.approvals import TariffApprovals
from ledger.approvals.history import recorded_moves
from ledger.books.feed import DESK_PARTITION, FIRST_NUMBER, DeskDecision, FeedEntry, read_feed
from ledger.rating.stored import unpack_decision
from projections.publishing.desk_events import (
    invoice_events,
    prepayment_events,
    settlement_events,
    tariff_event,
)
from projections.publishing.event_types import (
    DecisionEvent,
)
from projections.publishing.making import Numbered
from projections.publishing.money_events import money_events
from projections.publishing.session_events import session_event

PAGE: Final = 200
TARIFF_PAGE: Final = 50
"""Each comes with the whole text of its tariff."""
FEED_FOLLOWER: Final = "events"
TARIFF_FOLLOWER: Final = "events/tariffs"
"""Under these names the positions are kept (table follower_position)."""

_BEHIND: LiteralString = """
SELECT head.partition, coalesce(follower.next_number, %(first)s)
FROM (
    SELECT partition, next_number FROM worker_position
    UNION ALL SELECT partition, next_number FROM feed_head
) AS head
LEFT JOIN follower_position AS follower
    ON follower.follower = %(follower)s AND follower.partition = head.partition
WHERE head.next_number > coalesce(follower.next_number, %(first)s)
ORDER BY head.partition
"""
_WAITING: LiteralString = """
SELECT coalesce(sum(head.next_number - coalesce(follower.next_number, %(first)s)), 0)::bigint
FROM (
    SELECT partition, next_number FROM worker_position
    UNION ALL SELECT partition, next_number FROM feed_head
) AS head
LEFT JOIN follower_position AS follower
    ON follower.follower = %(follower)s AND follower.partition = head.partition
"""
_POSITION: LiteralString = """
SELECT next_number FROM follower_position WHERE follower = %s AND partition = %s
"""
_BODIES: LiteralString = """
SELECT number, body FROM session_decision WHERE partition = %s AND number BETWEEN %s AND %s
ORDER BY number
"""
_ADVANCE: LiteralString = """
INSERT INTO follower_position AS follower (follower, partition, next_number) VALUES (%s, %s, %s)
ON CONFLICT (follower, partition) DO UPDATE SET next_number = excluded.next_number
WHERE follower.next_number = %s
"""


class EventPage(NamedTuple):
    """Events of one partition of a source: from the number `start` to before `end`.

    There may be fewer events than numbers: not everything is published.
    """

    follower: str
    partition: int
    start: int
    end: int
    events: Sequence[DecisionEvent]


class EventSource(Protocol):
    """Somewhere that decisions are numbered."""

    def pages(self, connection: Connection[Any]) -> Iterator[EventPage]:
        """Yield a page of each partition where there is something new."""


def advance(connection: Connection[Any], page: EventPage) -> bool:
    """Note that *page* is published; say whether the position was where the page starts."""
    row = (page.follower, page.partition, page.end, page.start)
    return connection.execute(_ADVANCE, row).rowcount > 0


def decisions_waiting(connection: Connection[Any]) -> int:
    """Return how many decisions of the feed are not published yet."""
    asked = {"first": FIRST_NUMBER, "follower": FEED_FOLLOWER}
    [(count,)] = connection.execute(_WAITING, asked).fetchall()
    return int(count)


class FeedSource:
    """The feed: decisions about sessions, invoices and money, for one who follows them."""

    def __init__(self, follower: str = FEED_FOLLOWER) -> None:
        self._follower = follower

    def pages(self, connection: Connection[Any]) -> Iterator[EventPage]:
        """Yield a page of each partition where something new was decided."""
        asked = {"first": FIRST_NUMBER, "follower": self._follower}
        for partition, start in connection.execute(_BEHIND, asked).fetchall():
            entries = read_feed(connection, partition, start=start, limit=PAGE)
            if entries:
                end = start + len(entries)
                told = _desk if partition == DESK_PARTITION else _sessions
                events = told(connection, partition, entries)
                yield EventPage(self._follower, partition, start, end, events)


class TariffSource:
    """The record of tariff versions: proposals, approvals, retirements, for one who follows it."""

    def __init__(self, approvals: TariffApprovals, follower: str = TARIFF_FOLLOWER) -> None:
        self._approvals, self._follower = approvals, follower

    def pages(self, connection: Connection[Any]) -> Iterator[EventPage]:
        """Yield a page if something new became of a tariff."""
        row = connection.execute(_POSITION, (self._follower, DESK_PARTITION)).fetchone()
        start = row[0] if row else FIRST_NUMBER
        found = list(recorded_moves(self._approvals, after=start - 1, limit=TARIFF_PAGE))
        if found:
            told = (tariff_event(each, source="tariffs") for each in found)
            events = [event for event in told if event is not None]
            end = found[-1].number + 1
            yield EventPage(self._follower, DESK_PARTITION, start, end, events)


def _source(partition: int) -> str:
    return f"feed/{partition}"


def _sessions(
    connection: Connection[Any], partition: int, entries: Sequence[FeedEntry]
) -> list[DecisionEvent]:
    by_number = {entry.number: entry for entry in entries}
    asked = (partition, entries[0].number, entries[-1].number)
    # Unpacked one by one: a decision may have any number of lines, its event has none.
    return [
        session_event(
            unpack_decision(body),
            numbered=Numbered(_source(partition), number),
            sha256=by_number[number].sha256,
        )
        for number, body in connection.execute(_BODIES, asked)
    ]


def _desk(
    connection: Connection[Any], partition: int, entries: Sequence[FeedEntry]
) -> list[DecisionEvent]:
    events: list[DecisionEvent] = []
    for kind, some in groupby(entries, key=lambda entry: DeskDecision(entry.kind)):
        match kind:
            case DeskDecision.ISSUED:
                events += invoice_events(connection, list(some), source=_source(partition))
            case DeskDecision.PREPAID:
                events += prepayment_events(connection, list(some), source=_source(partition))
            case DeskDecision.SETTLED:
                events += settlement_events(connection, list(some), source=_source(partition))
            case DeskDecision.MOVED:
                events += money_events(connection, list(some), source=_source(partition))
            case DeskDecision.APPROVED | DeskDecision.RETIRED:
                pass  # the tariffs' record tells of them
            case _:
                assert_never(kind)
    return events
