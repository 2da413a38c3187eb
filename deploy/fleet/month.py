"""When the fleet's story takes place: some days, the last one of them, and two days after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

LAST_DAY = timedelta(hours=26)
"""So long the last day is told: the sessions of its evening end in the next month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """The days by their midnights, in the calendar of the first site; the last one is the last."""

    midnights: tuple[datetime, ...]

    @classmethod
    def ending_on(cls, day: date, *, history_days: int, time_zone: str) -> Month:
        """Return *history_days* days and, after them, *day*."""
        dates = [day - timedelta(days=back) for back in range(history_days, -1, -1)]
        zone = ZoneInfo(time_zone)
        # By the calendar, not by 24 hours: in March the clocks change.
        midnights = (datetime(each.year, each.month, each.day, tzinfo=zone) for each in dates)
        return cls(midnights=tuple(midnight.astimezone(UTC) for midnight in midnights))

    @property
    def starts_at(self) -> datetime:
        """When the first day begins."""
        return self.midnights[0]

    @property
    def last_day_at(self) -> datetime:
        """When the last day begins."""
        return self.midnights[-1]

    @property
    def ends_at(self) -> datetime:
        """When the fleet has gone, but for the stop that is late."""
        return self.last_day_at + LAST_DAY

    @property
    def stop_lost_on(self) -> datetime:
        """The midnight of the day on which a stop is lost: the 12th of 30."""
        return self.midnights[(len(self.midnights) - 1) * 11 // 30]

    @property
    def closes_at(self) -> datetime:
        """When the month's books are closed: two hours before that stop comes."""
        return self.stop_comes_at - timedelta(hours=2)

    @property
    def stop_comes_at(self) -> datetime:
        """When that stop comes: in the morning of the next month's second day."""
        return self.last_day_at + timedelta(days=2, hours=10)
