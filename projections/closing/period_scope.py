"""Which month of which legal entity: when it begins and ends, and which stations are its."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo
from functools import cached_property
from typing import Any, Final

from psycopg import Connection

from ledger.books.periods import month_after, month_begins
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.desk.closing.legal_entity import calendar_of, the_legal_entity
from ledger.partners.elsewhere import STATIONS

_NOON: Final = time(12)


class PeriodScope:
    """A month of a legal entity's books, by the master data of now.

    Args:
        connection: To the books.
        legal_entity: Which one; None: the only one.
        month: "2026-03".

    Raises:
        UndeclaredEntityError: If it was never declared, or there are several.
    """

    def __init__(self, connection: Connection[Any], legal_entity: str | None, month: str) -> None:
        self.declarations: Declarations = load_declarations(connection)
        self.legal_entity = the_legal_entity(self.declarations, legal_entity)
        self.month = month
        self.calendar: tzinfo = calendar_of(self.declarations, self.legal_entity)
        self._owners: dict[tuple[str, date], str | None] = {}

    @cached_property
    def begins(self) -> datetime:
        """Return the first moment of the month."""
        return month_begins(self.month, self.calendar)

    @cached_property
    def ends(self) -> datetime:
        """Return the first moment after the month."""
        return month_begins(month_after(self.month), self.calendar)

    @property
    def last_day(self) -> date:
        """Return the last day of the month."""
        return (self.ends - timedelta(days=1)).date()

    def has_station(self, station_id: str, day: date) -> bool:
        """Say whether what a station did on *day* is this legal entity's matter.

        A partner's stations are a matter of who is settled with it. That of one that stood nowhere
        then is everybody's: somebody has to look at it.
        """
        key = station_id, day
        if key not in self._owners:
            at = datetime.combine(day, _NOON, self.calendar)
            self._owners[key] = self._owner(station_id, at)
        owner = self._owners[key]
        return owner is None or owner == self.legal_entity

    def _owner(self, station_id: str, at: datetime) -> str | None:
        if station_id.startswith(STATIONS):
            partner = self.declarations.partner(station_id.removeprefix(STATIONS), at)
            return partner.legal_entity if partner else None
        station = self.declarations.station(station_id, at)
        site = self.declarations.site(station.site, at) if station else None
        return site.legal_entity if site else None
