"""OCPI tariffs into the model: 2.2.1 and 2.3.0 (and 2.1.1, which is a subset of 2.2.1).

Sources: OCPI 2.1.1, 2.2.1 and 2.3.0, mod_tariffs, Tariff object.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tariffs.checking import UnpriceableTariffError, check_tariff
from tariffs.currencies import currency_exponent
from tariffs.ocpi.fields import JsonFields, OcpiError, decode_json
from tariffs.priced import Note
from tariffs.tariff import (
    COMPONENT_DIMENSIONS,
    WEEKDAYS,
    PriceComponent,
    PriceLimit,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
    Weekday,
)

_DIMENSIONS: Final = {dimension.value: dimension for dimension in COMPONENT_DIMENSIONS}


def read_ocpi_tariff(data: bytes) -> tuple[Tariff, tuple[Note, ...]]:
    """Read an OCPI tariff (2.1.1, 2.2.1 or 2.3.0) from JSON.

    Returns:
        The tariff, and a note for everything that was repaired.

    Raises:
        OcpiError: If it cannot be priced; the error names the place.
    """
    return tariff_of(decode_json(data))


def tariff_of(value: object, path: str = "") -> tuple[Tariff, tuple[Note, ...]]:
    """Read an OCPI tariff from decoded JSON (see `decode_json`), which stands at *path*."""
    notes: list[Note] = []
    fields = JsonFields(value, path, notes)
    currency = fields.text("currency", required=True) or ""
    included = fields.text("tax_included")
    tariff = Tariff(
        id=fields.text("id", required=True) or "",
        currency=currency,
        elements=tuple(_element(element) for element in fields.objects("elements", required=True)),
        tax_included=_tax_included(fields, included),
        min_price=_limit(fields, "min_price"),
        max_price=_limit(fields, "max_price"),
        start_date_time=fields.moment("start_date_time"),
        end_date_time=fields.moment("end_date_time"),
        type=fields.text("type"),
        country_code=fields.text("country_code"),
        party_id=fields.text("party_id"),
        alt_text=tuple(
            (text.text("language", required=True) or "", text.text("text", required=True) or "")
            for text in fields.objects("tariff_alt_text")
        ),
        alt_url=fields.text("tariff_alt_url"),
        last_updated=fields.moment("last_updated"),
    )
    try:
        currency_exponent(currency)
        check_tariff(tariff)
    except UnpriceableTariffError as error:
        raise OcpiError(path, error.why) from None
    return tariff, tuple(notes)


def _tax_included(fields: JsonFields, text: str | None) -> TaxIncluded:
    """Read 2.3.0's tax_included; older versions always state prices before taxes."""
    if text is None:
        return TaxIncluded.NO
    try:
        return TaxIncluded(text)
    except ValueError:
        raise OcpiError(fields.place("tax_included"), f"{text!r} is not YES, NO or N/A") from None


def _limit(fields: JsonFields, key: str) -> PriceLimit | None:
    """Read a PriceLimit (2.3.0), a Price (2.2.1) or a number."""
    value = fields.value.get(key)
    if value is None:
        return None
    if not isinstance(value, dict):
        before = fields.number(key, required=True)
        fields.note(key, "limit_as_number", "a price limit should be an object; read as before tax")
        return PriceLimit(before_taxes=before or Decimal(0))
    limit = JsonFields(value, fields.place(key), fields.notes)
    new = "before_taxes" in value
    before = limit.number("before_taxes" if new else "excl_vat", required=True)
    after = limit.number("after_taxes" if new else "incl_vat")
    return PriceLimit(before_taxes=before or Decimal(0), after_taxes=after)


def _element(fields: JsonFields) -> TariffElement:
    components = tuple(_component(c) for c in fields.objects("price_components", required=True))
    return TariffElement(price_components=components, restrictions=_restrictions(fields))


def _component(fields: JsonFields) -> PriceComponent:
    kind = fields.text("type", required=True) or ""
    dimension = _DIMENSIONS.get(kind)
    if dimension is None:
        raise OcpiError(fields.place("type"), f"{kind!r} is not a tariff dimension")
    price = fields.number("price", required=True)
    step = fields.whole("step_size")
    if step is None:
        fields.note("step_size", "step_size_missing", "step_size is missing; read as 1")
    return PriceComponent(
        dimension=dimension,
        price=price or Decimal(0),
        vat=fields.number("vat"),
        step_size=1 if step is None else step,
    )


def _restrictions(parent: JsonFields) -> Restrictions:
    value = parent.value.get("restrictions")
    if value is None or value == []:
        return Restrictions()
    if isinstance(value, list):
        if len(value) != 1:
            raise OcpiError(parent.place("restrictions"), "is a list; OCPI has one object")
        parent.note("restrictions", "restrictions_as_list", "restrictions were sent as a list")
        value = value[0]
    fields = JsonFields(value, parent.place("restrictions"), parent.notes)
    return Restrictions(
        start_time=fields.time("start_time"),
        end_time=fields.time("end_time"),
        start_date=fields.date("start_date"),
        end_date=fields.date("end_date"),
        min_kwh=fields.number("min_kwh"),
        max_kwh=fields.number("max_kwh"),
        min_current=fields.number("min_current"),
        max_current=fields.number("max_current"),
        min_power=fields.number("min_power"),
        max_power=fields.number("max_power"),
        min_duration=fields.whole("min_duration"),
        max_duration=fields.whole("max_duration"),
        day_of_week=fields.read("day_of_week", _weekdays) or (),
        reservation=fields.read("reservation", _reservation),
    )


def _weekdays(value: object) -> tuple[Weekday, ...]:
    if not isinstance(value, list):
        message = "is not a list of weekdays"
        raise ValueError(message)  # noqa: TRY004 - JsonFields.read turns it into a refusal
    days = {Weekday(day) for day in value}
    return tuple(day for day in WEEKDAYS if day in days)


def _reservation(value: object) -> ReservationRestriction:
    return ReservationRestriction(str(value))
