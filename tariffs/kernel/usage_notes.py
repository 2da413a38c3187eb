"""What a reader should know about a result because of who charged, and when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.tally import Run
from tariffs.model.tariff import Dimension
from tariffs.model.usage import SessionUsage
from tariffs.phrases.phrase import Phrase, phrase


def usage_notes(
    usage: SessionUsage, compiled: CompiledTariff, runs: Sequence[Run]
) -> Iterator[Phrase]:
    """Yield the notes that *usage* brings with it."""
    vat_id = usage.reverse_charge_vat_id
    if vat_id is not None:
        yield phrase("reverse_charge", vat_id=vat_id)
    if choices := compiled.tariff.choices:
        said = tuple(f"{name} {choice.value}" for name, choice in choices.items())
        yield phrase("tariff_chooses", choices=said)
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
    flats = [run.component for run in runs if run.component.dimension is Dimension.FLAT]
    count = sum(not flat.for_reservation for flat in flats)
    if count > 1:
        # OCPI leaves open whether they all do.
        yield phrase("several_flats", count=count)
