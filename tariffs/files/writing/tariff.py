"""The model as a tariff file (YAML) that reads back to the same tariff; losses are noted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Final

from tariffs.files.elements import HOLIDAY
from tariffs.files.writing.adjustments import adjustment_lines
from tariffs.files.writing.heading import heading_lines
from tariffs.files.yaml.text import clock, duration, quoted
from tariffs.kernel.priced import Note
from tariffs.model.tariff import (
    COMPONENT_DIMENSIONS,
    Dimension,
    PriceComponent,
    PriceLimit,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
)
from tariffs.quantities import plain

_PER: Final = {
    Dimension.ENERGY: "per kWh",
    Dimension.TIME: "per h",
    Dimension.PARKING_TIME: "per h",
    Dimension.FLAT: "once",
}
_UNSAID: Final = ("country_code", "party_id", "alt_text", "last_updated")
_RANGES: Final = (
    ("min_kwh", "max_kwh"),
    ("min_current", "max_current"),
    ("min_power", "max_power"),
    ("min_duration", "max_duration"),
)
_PERCENT_MAX: Final = 100


def write_tariff_file(tariff: Tariff) -> tuple[str, tuple[Note, ...]]:
    """Return *tariff* as YAML for `tariff_file`, and a note for everything a file cannot say.

    Elements that can never hold are left out; of two components of one dimension in an element
    the second, which never holds either.
    """
    writer = _FileWriter(tariff)
    text = "\n".join(writer.lines()) + "\n"
    return text, tuple(writer.notes)


class _FileWriter:
    """One tariff on its way into a file."""

    def __init__(self, tariff: Tariff) -> None:
        self.tariff = tariff
        self.notes: list[Note] = []

    def lines(self) -> Iterator[str]:
        """Yield the lines of the file; call once."""
        tariff = self.tariff
        for key in _UNSAID:
            if getattr(tariff, key):
                self._lose(key, f"a tariff file has no {key}")
        if not tariff.id.strip():
            self._lose("id", "the id is empty; the file says 'unnamed'")
        yield f"tariff: {quoted(tariff.id if tariff.id.strip() else 'unnamed')}"
        yield from _text("name", tariff.name)
        yield from _text("type", tariff.type)
        yield from _text("alt_url", tariff.alt_url)
        yield f"currency: {tariff.currency}"
        if tariff.tax_included is not TaxIncluded.NO:
            yield f"tax_included: {tariff.tax_included.value}"
        yield from heading_lines(tariff)
        yield from _limit("min_price", tariff.min_price)
        yield from _limit("max_price", tariff.max_price)
        if tariff.preauthorize_amount is not None:
            yield f"preauthorize_amount: {plain(tariff.preauthorize_amount):f}"
        yield from _moment("start_date_time", tariff.start_date_time)
        yield from _moment("end_date_time", tariff.end_date_time)
        yield ""
        yield "elements:"
        for index, element in enumerate(tariff.elements):
            yield from self._element(f"elements[{index}]", element)
        yield from self._adjustments()

    def _adjustments(self) -> Iterator[str]:
        if self.tariff.adjustments:
            yield ""
            yield "adjustments:"
        for index, adjustment in enumerate(self.tariff.adjustments):
            written = list(adjustment_lines(adjustment))
            if not written:
                self._lose(f"adjustments[{index}]", "this adjustment is not written to files")
            yield from written

    def _lose(self, spot: str, message: str) -> None:
        self.notes.append(Note("not_said", message, spot))

    def _element(self, spot: str, element: TariffElement) -> Iterator[str]:
        restrictions = element.restrictions
        if _never_holds(restrictions):
            self._lose(spot, "the element never holds and is left out")
            return
        lines = []
        if element.name is not None and element.name.strip():
            lines.append(f"name: {quoted(element.name)}")
        for dimension in COMPONENT_DIMENSIONS:
            found = [c for c in element.price_components if c.dimension is dimension]
            if restrictions.reservation is not None and dimension in {
                Dimension.ENERGY,
                Dimension.PARKING_TIME,
            }:
                if found:
                    self._lose(spot, f"a reservation has no {dimension} price; left out")
                continue
            if len(found) > 1:
                self._lose(spot, f"{dimension} stands twice; only the first holds")
            lines.extend(self._component(spot, component) for component in found[:1])
        if not any(not line.startswith("name:") for line in lines):
            self._lose(spot, "the element prices nothing and is left out")
            return
        said = list(_restrictions(restrictions))
        if said:
            lines.append("restrictions:")
            lines.extend(f"  {line}" for line in said)
        yield f"  - {lines[0]}"
        yield from (f"    {line}" for line in lines[1:])

    def _component(self, spot: str, component: PriceComponent) -> str:
        key, price = component.dimension.lower(), f"{plain(component.price):f}"
        said = [f"price: {price} {_PER[component.dimension]}"]
        if component.series:
            said.append("series: yes")
        if component.step_size:
            unit = "Wh" if component.dimension is Dimension.ENERGY else "s"
            said.append(f"step_size: {component.step_size} {unit}")
        if component.vat is not None:
            if component.vat > _PERCENT_MAX:
                self._lose(spot, f"a VAT of {component.vat:f} % is not written to files")
            else:
                said.append(f"vat: {plain(component.vat):f} %")
        elif self.tariff.sales_taxes:
            self._lose(spot, f"{key} is without taxes; the file gives it those of the tariff")
        if len(said) == 1:
            return f"{key}: {price} {_PER[component.dimension]}"
        return f"{key}: {{{', '.join(said)}}}"


def _text(key: str, text: str | None) -> Iterator[str]:
    if text is not None and text.strip():
        yield f"{key}: {quoted(text)}"


def _limit(key: str, limit: PriceLimit | None) -> Iterator[str]:
    if limit is None:
        return
    before = f"{plain(limit.before_taxes):f}"
    if limit.after_taxes is None:
        yield f"{key}: {before}"
    else:
        yield f"{key}: {{before_taxes: {before}, after_taxes: {plain(limit.after_taxes):f}}}"


def _moment(key: str, moment: datetime | None) -> Iterator[str]:
    if moment is not None:
        yield f"{key}: {moment.astimezone(UTC).isoformat().replace('+00:00', 'Z')}"


def _restrictions(r: Restrictions) -> Iterator[str]:
    is_whole_day = r.start_time is not None and r.start_time == r.end_time
    values: dict[str, object] = {
        "start_time": None if is_whole_day else r.start_time,
        "end_time": None if is_whole_day else r.end_time,
        "start_date": r.start_date,
        "end_date": r.end_date,
        "min_kwh": r.min_kwh,
        "max_kwh": r.max_kwh,
        "min_current": r.min_current,
        "max_current": r.max_current,
        "min_power": r.min_power,
        "max_power": r.max_power,
        "min_duration": r.min_duration,
        "max_duration": r.max_duration,
    }
    for key, value in values.items():
        match value:
            case None:
                pass
            case time():
                yield f"{key}: {clock(value)}"
            case Decimal():
                yield f"{key}: {plain(value):f}"
            case int():
                yield f"{key}: {duration(value)}"
            case _:
                yield f"{key}: {value}"
    days = [*(day.value for day in r.day_of_week), *([HOLIDAY] if r.holidays else [])]
    if days:
        yield f"day_of_week: [{', '.join(days)}]"
    if r.season_start is not None and r.season_end is not None:
        yield f"season_start: {r.season_start}"
        yield f"season_end: {r.season_end}"
    if r.reservation is not None:
        yield f"reservation: {r.reservation.value}"


def _never_holds(r: Restrictions) -> bool:
    """Tell whether a range is empty, which a file refuses."""
    for low_key, high_key in _RANGES:
        low, high = getattr(r, low_key), getattr(r, high_key)
        if low is not None and high is not None and high <= low:
            return True
    return r.start_date is not None and r.end_date is not None and r.end_date <= r.start_date
