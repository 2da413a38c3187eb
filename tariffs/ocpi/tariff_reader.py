"""OCPI tariffs into the model: 2.3.0 is the model, older versions lack what it has.

Sources: OCPI 2.1.1, 2.2.1 and 2.3.0, mod_tariffs, Tariff object.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from tariffs.currencies import UnknownCurrencyError, currency_exponent
from tariffs.kernel.priced import Note
from tariffs.model.checking import UnpriceableTariffError, check_tariff
from tariffs.model.tariff import PriceLimit, Tariff, TaxIncluded
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.ocpi.element_reader import element_of
from tariffs.ocpi.fields import JsonFields, shown
from tariffs.ocpi.versions import OcpiVersion, version_of_tariff

# What OCPI says and no price depends on: kept as it is, for writing.
CARRIED: Final = ("energy_mix",)
BOOKINGS: Final = "booking_elements"
BOOKING_KINDS: Final = (
    "BOOKING",
    "BOOKING_EXPIRES",
    "BOOKING_CANCELLATION_FEES",
    "BOOKING_OVERTIME",
)
_SPELLINGS: Final = {True: TaxIncluded.YES, False: TaxIncluded.NO}


class OcpiTariff(msgspec.Struct, frozen=True, kw_only=True):
    """A tariff as it was read: the model, what only OCPI carries, the version, the notes."""

    tariff: Tariff
    version: OcpiVersion
    carried: dict[str, Any] = {}
    notes: tuple[Note, ...] = ()


def read_ocpi_tariff(
    data: bytes, *, version: OcpiVersion | None = None, currency: str | None = None
) -> tuple[Tariff, tuple[Note, ...]]:
    """Read an OCPI tariff (2.1.1, 2.2.1 or 2.3.0) from JSON.

    Args:
        data: The JSON text.
        version: The version it is written in; None tells by its shape.
        currency: The currency of a tariff that names none.

    Returns:
        The tariff, and a note for everything that was repaired.

    Raises:
        OcpiError: If it cannot be priced; the error names the spot.
    """
    return tariff_of(decode_json(data), version=version, currency=currency)


def tariff_of(
    value: object,
    path: str = "",
    *,
    version: OcpiVersion | None = None,
    currency: str | None = None,
) -> tuple[Tariff, tuple[Note, ...]]:
    """Read an OCPI tariff from decoded JSON (see `decode_json`), which stands at *path*."""
    read = ocpi_tariff_of(value, path, version=version, currency=currency)
    return read.tariff, read.notes


def ocpi_tariff_of(
    value: object,
    path: str = "",
    *,
    version: OcpiVersion | None = None,
    currency: str | None = None,
) -> OcpiTariff:
    """Read an OCPI tariff with all that it carries.

    Raises:
        OcpiError: If it cannot be priced; the error names the spot.
    """
    notes: list[Note] = []
    fields = JsonFields(value, path, notes)
    written_in = version or version_of_tariff(fields.value)
    priced, bookings = _told_apart(fields)
    elements = tuple(element_of(each) for each in priced)
    tariff = Tariff(
        id=fields.identity("id"),
        currency=_currency(fields, currency),
        elements=elements,
        tax_included=_tax_included(fields, written_in),
        min_price=_limit(fields, "min_price"),
        max_price=_limit(fields, "max_price"),
        start_date_time=fields.moment("start_date_time"),
        end_date_time=fields.moment("end_date_time"),
        type=fields.text("type"),
        country_code=fields.text("country_code"),
        party_id=fields.text("party_id"),
        alt_text=_alt_text(fields),
        alt_url=fields.text("tariff_alt_url"),
        last_updated=fields.moment("last_updated"),
        preauthorize_amount=fields.number("preauthorize_amount"),
        below_zero=any(c.price < 0 for each in elements for c in each.price_components),
    )
    fields.finish(*CARRIED)
    if not tariff.elements:
        raise OcpiError(fields.spot("elements"), "is empty")
    try:
        check_tariff(tariff)
    except UnpriceableTariffError as error:
        raise OcpiError(path, error.why) from None
    carried = {key: fields.value[key] for key in CARRIED if fields.has(key)}
    if bookings:
        carried[BOOKINGS] = bookings
    return OcpiTariff(tariff=tariff, version=written_in, carried=carried, notes=tuple(notes))


def _told_apart(fields: JsonFields) -> tuple[list[JsonFields], dict[int, Any]]:
    """Return the elements that price sessions, and those of bookings by their index.

    A CDR does not tell a booking's time, so bookings are not priced; they are kept for writing.
    Source: OCPI 2.3.0, release/bookings, mod_tariffs, BookingRestrictionType.
    """
    priced: list[JsonFields] = []
    bookings: dict[int, Any] = {}
    for index, element in enumerate(fields.objects("elements", required=True)):
        restrictions = element.value.get("restrictions")
        kind = restrictions.get("booking") if isinstance(restrictions, dict) else None
        if kind is None:
            priced.append(element)
            continue
        spot = f"elements[{index}].restrictions.booking"
        if kind not in BOOKING_KINDS:
            message = f"{shown(kind)} is not {' or '.join(BOOKING_KINDS)}"
            raise OcpiError(fields.spot(spot), message)
        fields.note(spot, "booking_not_priced", f"{kind} is kept; no CDR tells what it prices")
        bookings[index] = element.value
    return priced, bookings


def _currency(fields: JsonFields, fallback: str | None) -> str:
    text = fields.text("currency")
    if not text:
        if fallback is None:
            raise OcpiError(fields.spot("currency"), "is missing")
        fields.note("currency", "currency_missing", f"is missing; {fallback} was taken")
        text = fallback
    elif text != text.upper():
        fields.note("currency", "spelling", f"{text!r} should be {text.upper()!r}")
        text = text.upper()
    try:
        currency_exponent(text)
    except UnknownCurrencyError as error:
        raise OcpiError(fields.spot("currency"), str(error)) from None
    return text


def _tax_included(fields: JsonFields, version: OcpiVersion) -> TaxIncluded:
    """Read 2.3.0's tax_included; older versions always state prices before taxes."""
    value = fields.get("tax_included")
    if value is None:
        # Missing in the tariff that the text's own cdr_example of 2.3.0 embeds.
        if version is OcpiVersion.V2_3_0:
            message = "is missing, which OCPI 2.3.0 requires; prices are read as before taxes"
            fields.note("tax_included", "tax_included_missing", message)
        return TaxIncluded.NO
    spelled = _SPELLINGS.get(value) if isinstance(value, bool) else None
    if spelled is None and isinstance(value, str) and value.upper() in set(TaxIncluded):
        spelled = TaxIncluded(value.upper())
    if spelled is None:
        raise OcpiError(fields.spot("tax_included"), f"{shown(value)} is not YES, NO or N/A")
    if value != spelled:
        fields.note("tax_included", "spelling", f"{shown(value)} should be {spelled.value!r}")
    return spelled


def _limit(fields: JsonFields, key: str) -> PriceLimit | None:
    """Read a PriceLimit (2.3.0), a Price (2.2.1) or a number."""
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, dict):
        before = fields.number(key, required=True)
        fields.note(key, "limit_as_number", "a price limit should be an object; read as before tax")
        return PriceLimit(before_taxes=before or Decimal(0))
    limit = JsonFields(value, fields.spot(key), fields.notes)
    new = "before_taxes" in value
    before = limit.number("before_taxes" if new else "excl_vat", required=True)
    after = limit.number("after_taxes" if new else "incl_vat")
    limit.finish()
    return PriceLimit(before_taxes=before or Decimal(0), after_taxes=after)


def _alt_text(fields: JsonFields) -> tuple[tuple[str, str], ...]:
    texts = []
    for text in fields.objects("tariff_alt_text"):
        language = text.text("language", required=True)
        texts.append((language or "", text.text("text", required=True) or ""))
        text.finish()
    return tuple(texts)
