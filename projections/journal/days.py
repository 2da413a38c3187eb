"""Days of the books: one begins when it does where the legal entity is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import LiteralString, NamedTuple
from zoneinfo import ZoneInfo

from ledger.declared.declarations import Declarations, Kind
from projections.errors import ProjectionError

IN_DAYS: LiteralString = """
FROM journal_entry LEFT JOIN unnest(
    %(entities)s::text[], %(begins)s::text[], %(ends)s::text[]
) AS calendar (legal_entity, begins, ends) USING (legal_entity)
WHERE (%(legal_entity)s::text IS NULL OR legal_entity = %(legal_entity)s)
  AND booked_at >= coalesce(begins, %(begin)s)::timestamptz
  AND booked_at < coalesce(ends, %(end)s)::timestamptz
  AND (%(period)s::text IS NULL OR period = %(period)s)
"""
"""Which entries are of some `BookDays`, asked with `BookDays.asked`."""


class BookDays(NamedTuple):
    """From which day on, and before which; None: without an end. Of a legal entity, None: of all.

    One that was never declared has its days in UTC. *period*: only what stands in that month's
    books, whenever it was booked.
    """

    first: date | None
    after: date | None
    legal_entity: str | None
    zones: Mapping[str, tzinfo]
    period: str | None = None

    def day_of(self, legal_entity: str, moment: datetime) -> date:
        """Return the day on which something was booked."""
        return moment.astimezone(self.zones.get(legal_entity, UTC)).date()

    def asked(self) -> dict[str, object]:
        """Return what `IN_DAYS` is asked with."""
        bounds = [self._bounds(zone) for zone in self.zones.values()]
        begin, end = self._bounds(UTC)
        return {
            "legal_entity": self.legal_entity,
            "entities": list(self.zones),
            "begins": [each for each, _ in bounds],
            "ends": [each for _, each in bounds],
            "begin": begin,
            "end": end,
            "period": self.period,
        }

    def _bounds(self, zone: tzinfo) -> tuple[str, str]:
        begin, end = (
            None if day is None else datetime.combine(day, time(), zone).isoformat()
            for day in (self.first, self.after)
        )
        return begin or "-infinity", end or "infinity"


def book_days(
    declarations: Declarations,
    *,
    first: date | None = None,
    after: date | None = None,
    up_to: date | None = None,
    legal_entity: str | None = None,
    period: str | None = None,
) -> BookDays:
    """Return days in the calendars that legal entities were last declared with.

    Before *after*, or *up_to* a day and with it.

    Raises:
        UnknownLegalEntityError: If *legal_entity* was never declared.
    """
    zones: dict[str, tzinfo] = {}
    for key in declarations.keys(Kind.LEGAL_ENTITY):
        for row in declarations.history(Kind.LEGAL_ENTITY, key):
            zone = getattr(row.entity, "time_zone", None)
            if zone is not None:
                zones[key] = ZoneInfo(zone)
    if legal_entity is not None and legal_entity not in zones:
        raise UnknownLegalEntityError(legal_entity, sorted(zones))
    if up_to is not None:
        after = None if up_to == date.max else up_to + timedelta(days=1)
    return BookDays(first, after, legal_entity, zones, period)


class UnknownLegalEntityError(ProjectionError):
    """No such legal entity was declared."""

    def __init__(self, legal_entity: str, known: list[str]) -> None:
        self.legal_entity, self.known = legal_entity, known
        among = f"; there are {', '.join(known)}" if known else ""
        super().__init__(f"there is no legal entity {legal_entity}{among}")
