"""What of the waiting work somebody sees: at which stations, of which legal entities, and when."""

from __future__ import annotations

from datetime import datetime

from ledger.declared.declarations import Declarations
from ledger.users.roles import Reach
from projections.finding.stays import stays_within
from projections.journal.days import book_days

_NO_STAYS = {"stations": None, "begins": None, "ends": None}


def asked_within(declarations: Declarations, reach: Reach, now: datetime) -> dict[str, object]:
    """Return what every kind's query is asked with, for who has this *reach*.

    What is a legal entity's is seen by who reaches all of it; what is a station's also by who
    reaches its site. What became due is so by the calendar of its legal entity.
    """
    stays = stays_within(declarations, reach)
    days = book_days(declarations)
    todays = {entity: days.day_of(entity, now) for entity in days.zones}
    return {
        **(_NO_STAYS if stays is None else stays.asked()),
        "entities": None if reach.is_everywhere else sorted(reach.legal_entities),
        "sellers": [*todays],
        "todays": [*todays.values()],
        "latest": max(todays.values(), default=now.date()),
    }
