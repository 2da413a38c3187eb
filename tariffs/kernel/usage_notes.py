"""What a reader should know about a result because of who charged, and when."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.priced import Note
from tariffs.model.usage import SessionUsage
from tariffs.zones import zone

REVERSE_CHARGE: Final = "reverse_charge"
UNKNOWN_HOLIDAYS: Final = "unknown_holidays"


def usage_notes(usage: SessionUsage, compiled: CompiledTariff) -> Iterator[Note]:
    """Yield the notes that *usage* brings with it."""
    vat_id = usage.reverse_charge_vat_id
    if vat_id is not None:
        message = f"reverse charge: the customer, VAT id {vat_id}, owes the VAT"
        yield Note(REVERSE_CHARGE, message)
    calendar = compiled.tariff.holidays
    if calendar is not None:
        local = zone(usage.time_zone)
        # By the site's own calendar: a session of New Year's Eve may have two years, or another
        # one than UTC; a car that stands for long may have more.
        first, last = (at.astimezone(local).year for at in (usage.starts_at, usage.ends_at))
        for year in sorted(set(range(first, last + 1)) - set(calendar.years)):
            message = f"the tariff does not know the holidays of {year}: none was assumed"
            yield Note(UNKNOWN_HOLIDAYS, message)
