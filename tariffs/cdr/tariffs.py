"""Which tariff holds for each period of a CDR, and several tariffs joined to price one session.

Source: OCPI 2.2.1, mod_cdrs, ChargingPeriod.tariff_id; step_size is applied once a session, "never
between two Tariffs", so they share one budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from tariffs.cdr.cdr import Cdr
from tariffs.errors import TariffError
from tariffs.kernel.compiled import CompiledComponent, CompiledTariff
from tariffs.kernel.priced import Note
from tariffs.model.tariff import PriceLimit, Tariff


class JoinedTariff(CompiledTariff):
    """Several tariffs as one: their elements in a row, each part with its mask."""

    __slots__ = ("_names", "_offsets", "masks", "notes", "parts")

    def __init__(self, parts: Sequence[CompiledTariff]) -> None:
        tariffs = [part.tariff for part in parts]
        first = tariffs[0]
        for other in tariffs:
            # One sum needs one reading of its prices; the joined tariff has one denominator.
            if other.tax_included is not first.tax_included:
                raise MixedTariffsError(first, other, "one states prices with taxes, one without")
            if other.currency != first.currency:
                raise MixedTariffsError(first, other, "they are in different currencies")
            if other.choices != first.choices:
                why = "they round, or count steps and fees, in different ways"
                raise MixedTariffsError(first, other, why)
            if _is_beyond_ocpi(other):
                # It would be left out without a word.
                why = f"{other.id!r} has what OCPI cannot say, which needs a session of its own"
                raise MixedTariffsError(first, other, why)
        self.notes: list[Note] = []
        joined = Tariff(
            id=" + ".join(tariff.id for tariff in tariffs),
            currency=first.currency,
            elements=tuple(element for tariff in tariffs for element in tariff.elements),
            tax_included=first.tax_included,
            min_price=self._limit("min_price", [tariff.min_price for tariff in tariffs]),
            max_price=self._limit("max_price", [tariff.max_price for tariff in tariffs]),
            step_policy=first.step_policy,
            rounding=first.rounding,
            rounding_mode=first.rounding_mode,
            flat_policy=first.flat_policy,
            below_zero=any(tariff.below_zero for tariff in tariffs),
        )
        super().__init__(joined)
        self.ignores_taxes = any(part.ignores_taxes for part in parts)
        self.parts = tuple(parts)
        self._offsets: list[int] = []
        self.masks: list[int] = []
        self._names: dict[tuple[int, int], CompiledComponent] = {}
        begun = 0
        for tariff in tariffs:
            self._offsets.append(begun)
            self.masks.append(((1 << len(tariff.elements)) - 1) << begun)
            begun += len(tariff.elements)

    def named(self, component: CompiledComponent, part: int) -> CompiledComponent:
        """Return *component* with the tariff and the element that the reader knows it by."""
        key = (id(component), part)
        known = self._names.get(key)
        if known is None:
            known = self._names[key] = self._renamed(component, part)
        return known

    def _renamed(self, component: CompiledComponent, part: int) -> CompiledComponent:
        tariff_id, index = self.parts[part].tariff.id, component.element_index
        if index is None:
            return msgspec.structs.replace(component, tariff_id=tariff_id)
        index -= self._offsets[part]
        return msgspec.structs.replace(component, tariff_id=tariff_id, element_index=index)

    def _limit(self, name: str, limits: list[PriceLimit | None]) -> PriceLimit | None:
        """Return the limit that all tariffs share; OCPI does not say what others would do."""
        if all(limit == limits[0] for limit in limits):
            return limits[0]
        message = f"the tariffs of the session have different {name}s; none was applied"
        self.notes.append(Note("limits_of_several_tariffs", message))
        return None


def _is_beyond_ocpi(tariff: Tariff) -> bool:
    beyond = (tariff.adjustments, tariff.quantity_taxes, tariff.sales_taxes)
    return any(beyond) or tariff.price_series is not None or tariff.holidays is not None


def choose_tariffs(
    cdr: Cdr, compiled: Sequence[CompiledTariff], notes: list[Note]
) -> tuple[CompiledTariff, list[int] | None]:
    """Return what prices *cdr*; of several tariffs also which part holds in each period.

    Raises:
        TariffMissingError: If a period's tariff is not among them, or there is none.
        MixedTariffsError: If tariffs of the session cannot be priced together.
    """
    if not compiled:
        raise TariffMissingError(cdr.id, None, "")
    if len(compiled) == 1 and _is_meant(compiled[0].tariff, cdr):
        return compiled[0], None
    used: list[CompiledTariff] = []
    parts: list[int] = []
    for index, period in enumerate(cdr.periods):
        found = _of_period(cdr, index, period.tariff_id, compiled, notes)
        if found not in used:
            used.append(found)
            _check_validity(found.tariff, cdr, notes)
        parts.append(used.index(found))
    if len(used) == 1:
        return used[0], None
    joined = JoinedTariff(used)
    notes.extend(joined.notes)
    return joined, parts


def _is_meant(tariff: Tariff, cdr: Cdr) -> bool:
    """Tell whether *tariff* is valid and no period names another one."""
    for period in cdr.periods:
        if period.tariff_id is not None and period.tariff_id != tariff.id:
            return False
    return holds(tariff, cdr.starts_at)


def _of_period(
    cdr: Cdr,
    index: int,
    tariff_id: str | None,
    compiled: Sequence[CompiledTariff],
    notes: list[Note],
) -> CompiledTariff:
    spot = f"charging_periods[{index}].tariff_id"
    if tariff_id is None:
        found = [c for c in compiled if holds(c.tariff, cdr.starts_at)] or list(compiled)
        if len(found) > 1:
            message = f"no tariff is named; of {len(found)} that hold, the first was taken"
            _add(notes, Note("tariff_chosen", f"{message}: {found[0].tariff.id!r}", spot))
        return found[0]
    # OCPI's ids are CiStrings: they compare without case.
    named = [c for c in compiled if c.tariff.id.casefold() == tariff_id.casefold()]
    if not named:
        if len(compiled) > 1:
            raise TariffMissingError(cdr.id, tariff_id, spot)
        message = f"names the tariff {tariff_id!r}; the only one given is"
        _add(notes, Note("other_tariff_id", f"{message} {compiled[0].tariff.id!r}", spot))
        return compiled[0]
    at_start = [c for c in named if holds(c.tariff, cdr.starts_at)]
    at_period = [c for c in named if holds(c.tariff, cdr.periods[index].starts_at)]
    # The version at the start first: what was shown to the driver when he began (ocpi #326).
    found = at_start or at_period or named
    if len(found) > 1 and any(c.tariff != found[0].tariff for c in found):
        message = f"{len(found)} versions of the tariff {tariff_id!r} hold; the first was taken"
        _add(notes, Note("tariff_chosen", message, spot))
    return found[0]


def holds(tariff: Tariff, at: datetime) -> bool:
    """Tell whether *tariff* is valid at a moment; its end is exclusive."""
    starts, ends = tariff.start_date_time, tariff.end_date_time
    return (starts is None or starts <= at) and (ends is None or at < ends)


def _check_validity(tariff: Tariff, cdr: Cdr, notes: list[Note]) -> None:
    if not holds(tariff, cdr.starts_at):
        message = f"the tariff {tariff.id!r} is not valid at the start of the session"
        notes.append(Note("tariff_not_valid", message, "start_date_time"))


def _add(notes: list[Note], note: Note) -> None:
    """Add *note*, unless another spot already says the same."""
    if all(known.message != note.message for known in notes):
        notes.append(note)


class TariffMissingError(TariffError):
    """A CDR, or a period of it, for which no tariff was given."""

    def __init__(self, cdr_id: str, tariff_id: str | None, spot: str) -> None:
        if tariff_id is None:
            super().__init__(f"no tariff was given for {cdr_id!r}, and it carries none")
        else:
            super().__init__(f"the tariff {tariff_id!r} was not given")
        self.cdr_id, self.tariff_id, self.spot = cdr_id, tariff_id, spot


class MixedTariffsError(TariffError):
    """Two tariffs of one session that cannot be priced together."""

    def __init__(self, first: Tariff, second: Tariff, why: str) -> None:
        super().__init__(f"tariffs {first.id!r} and {second.id!r} of one session: {why}")
        self.first, self.second = first, second
