"""What a reader should know about a result because of who charged, and when."""

from __future__ import annotations

from collections.abc import Iterator

from tariffs.kernel.compiled import CompiledTariff
from tariffs.model.usage import SessionUsage
from tariffs.phrases.phrase import Phrase, phrase


def usage_notes(usage: SessionUsage, compiled: CompiledTariff) -> Iterator[Phrase]:
    """Yield the notes that *usage* brings with it."""
    vat_id = usage.reverse_charge_vat_id
    if vat_id is not None:
        yield phrase("reverse_charge", vat_id=vat_id)
    if compiled.ignores_taxes:
        yield phrase("no_taxes_apply")
    calendar = compiled.tariff.holidays
    if calendar is not None:
        local = usage.zone
        # By the site's own calendar: a session of New Year's Eve may have two years, or another
        # one than UTC; a car that stands for long may have more.
        first, last = (at.astimezone(local).year for at in (usage.starts_at, usage.ends_at))
        for year in sorted(set(range(first, last + 1)) - set(calendar.years)):
            yield phrase("unknown_holidays", year=year)
