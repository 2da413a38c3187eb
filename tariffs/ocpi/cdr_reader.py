"""OCPI CDRs (2.2.1 and 2.3.0) into the model.

Source: OCPI 2.2.1 and 2.3.0, mod_cdrs, CDR object, ChargingPeriod and CdrDimension classes.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from tariffs.cdr import Cdr, ChargingPeriod
from tariffs.ocpi.fields import JsonFields, OcpiError, decode_json
from tariffs.ocpi.tariff_reader import tariff_of
from tariffs.priced import Note
from tariffs.quantities import EXACT, plain

# Dimensions that the price does not depend on are left out.
_FIELDS: Final = {
    "ENERGY": "energy",
    "TIME": "time",
    "PARKING_TIME": "parking_time",
    "RESERVATION_TIME": "reservation_time",
    "MIN_POWER": "min_power",
    "MAX_POWER": "max_power",
    "MIN_CURRENT": "min_current",
    "MAX_CURRENT": "max_current",
}


def read_ocpi_cdr(data: bytes) -> tuple[Cdr, tuple[Note, ...]]:
    """Read an OCPI CDR from JSON, with a note for everything that was repaired.

    Raises:
        OcpiError: If it cannot be priced; the error names the place.
    """
    return cdr_of(decode_json(data))


def cdr_of(value: object, path: str = "") -> tuple[Cdr, tuple[Note, ...]]:
    """Read an OCPI CDR from decoded JSON, which stands at *path*."""
    notes: list[Note] = []
    fields = JsonFields(value, path, notes)
    starts_at = _moment(fields, "start_date_time")
    ends_at = _moment(fields, "end_date_time")
    periods = tuple(_period(period) for period in fields.objects("charging_periods", required=True))
    _check_order(fields, starts_at, ends_at, periods)
    tariffs = []
    for index, tariff in enumerate(fields.objects("tariffs")):
        read, repaired = tariff_of(tariff.value, fields.place(f"tariffs[{index}]"))
        tariffs.append(read)
        notes.extend(repaired)
    location = fields.object("cdr_location")
    before, after = _stated(fields)
    cdr = Cdr(
        id=fields.text("id", required=True) or "",
        starts_at=starts_at,
        ends_at=ends_at,
        currency=fields.text("currency", required=True) or "",
        periods=periods,
        time_zone=None if location is None else location.text("time_zone"),
        tariffs=tuple(tariffs),
        stated_before_taxes=before,
        stated_after_taxes=after,
    )
    return cdr, tuple(notes)


def _moment(fields: JsonFields, key: str) -> datetime:
    moment = fields.moment(key, required=True)
    if moment is None:
        raise OcpiError(fields.place(key), "is missing")
    return moment


def _period(fields: JsonFields) -> ChargingPeriod:
    volumes: dict[str, Decimal] = {}
    for dimension in fields.objects("dimensions", required=True):
        name = _FIELDS.get(dimension.text("type", required=True) or "")
        volume = dimension.number("volume", required=True)
        if name is None or volume is None:
            continue
        if name in volumes:
            dimension.note("type", "dimension_twice", "the dimension stands twice; added up")
            volume = plain(EXACT.add(volumes[name], volume))
        volumes[name] = volume
    return ChargingPeriod(
        starts_at=_moment(fields, "start_date_time"),
        tariff_id=fields.text("tariff_id"),
        **volumes,
    )


def _check_order(
    fields: JsonFields, starts_at: datetime, ends_at: datetime, periods: tuple[ChargingPeriod, ...]
) -> None:
    """Refuse periods out of order, and a CDR that ends before it starts."""
    if ends_at < starts_at:
        raise OcpiError(fields.place("end_date_time"), "lies before start_date_time")
    if not periods:
        raise OcpiError(fields.place("charging_periods"), "is empty")
    last = starts_at
    for index, period in enumerate(periods):
        if not last <= period.starts_at <= ends_at:
            place = fields.place(f"charging_periods[{index}].start_date_time")
            raise OcpiError(place, "is out of order, or outside the CDR")
        last = period.starts_at


def _stated(fields: JsonFields) -> tuple[Decimal | None, Decimal | None]:
    """Return the totals that the CDR states: 2.3.0's and 2.2.1's Price, or 2.1.1's number."""
    value = fields.value.get("total_cost")
    if value is None:
        return None, None
    if not isinstance(value, dict):
        return fields.number("total_cost"), None
    price = JsonFields(value, fields.place("total_cost"), fields.notes)
    if "before_taxes" not in value:
        return price.number("excl_vat"), price.number("incl_vat")
    before = price.number("before_taxes")
    taxes = [tax.number("amount") or Decimal(0) for tax in price.objects("taxes")]
    if before is None or not taxes:
        return before, None
    after = before
    for tax in taxes:
        after = EXACT.add(after, tax)
    return before, plain(after)
