"""OCPI CDRs and ended sessions (2.1.1, 2.2.1, 2.3.0) into the model.

Sources: OCPI mod_cdrs (CDR object, ChargingPeriod and CdrDimension classes) and mod_sessions.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from tariffs.cdr.cdr import Cdr, ChargingPeriod
from tariffs.kernel.priced import Note
from tariffs.ocpi.cdr_limits import is_beyond, odd_volume
from tariffs.ocpi.costs_reader import COST_KEYS, stated_of, volume_of
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.ocpi.fields import JsonFields, shown
from tariffs.ocpi.tariff_reader import tariff_of
from tariffs.ocpi.versions import OcpiVersion, version_of_cdr
from tariffs.quantities import EXACT, plain

PRICED: Final = {
    "ENERGY": "energy",
    "TIME": "time",
    "PARKING_TIME": "parking_time",
    "RESERVATION_TIME": "reservation_time",
    "MIN_POWER": "min_power",
    "MAX_POWER": "max_power",
    "MIN_CURRENT": "min_current",
    "MAX_CURRENT": "max_current",
}
# Dimensions that no price depends on: kept for writing.
OTHERS: Final = (
    "CURRENT",
    "ENERGY_EXPORT",
    "ENERGY_IMPORT",
    "FLAT",
    "POWER",
    "STATE_OF_CHARGE",
)
# A CDR of 2.1.1 says stop_date_time; its Session says start_datetime and end_datetime.
_STARTS: Final = ("start_date_time", "start_datetime")
_ENDS: Final = ("end_date_time", "stop_date_time", "end_datetime")
_VOLUMES: Final = ("ENERGY", "TIME", "PARKING_TIME", "RESERVATION_TIME")
CARRIED: Final = (
    "auth_id",
    "auth_method",
    "authorization_reference",
    "booking_id",
    "cdr_location",
    "cdr_token",
    "connector_id",
    "country_code",
    "evse_uid",
    "home_charging_compensation",
    "invoice_reference_id",
    "kwh",
    "last_updated",
    "location",
    "location_id",
    "meter_id",
    "party_id",
    "remark",
    "session_id",
    "signed_data",
    "status",
)


class OcpiCdr(msgspec.Struct, frozen=True, kw_only=True):
    """A CDR as it was read: the model, what only OCPI carries, the version, the notes."""

    cdr: Cdr
    version: OcpiVersion
    carried: dict[str, Any] = {}
    notes: tuple[Note, ...] = ()


def read_ocpi_cdr(
    data: bytes, *, version: OcpiVersion | None = None
) -> tuple[Cdr, tuple[Note, ...]]:
    """Read an OCPI CDR from JSON, with a note for everything that was repaired.

    Raises:
        OcpiError: If it cannot be priced; the error names the spot.
    """
    return cdr_of(decode_json(data), version=version)


def cdr_of(
    value: object, path: str = "", *, version: OcpiVersion | None = None
) -> tuple[Cdr, tuple[Note, ...]]:
    """Read an OCPI CDR, or an ended session, from decoded JSON, which stands at *path*."""
    read = ocpi_cdr_of(value, path, version=version)
    return read.cdr, read.notes


def ocpi_cdr_of(value: object, path: str = "", *, version: OcpiVersion | None = None) -> OcpiCdr:
    """Read an OCPI CDR, or an ended session, with all that it carries.

    Raises:
        OcpiError: If it cannot be priced; the error names the spot.
    """
    notes: list[Note] = []
    fields = JsonFields(value, path, notes)
    identity = fields.identity("id")
    currency = fields.text("currency")
    if currency is None:
        fields.note("currency", "currency_missing", "is missing; its tariff's is taken")
    elif currency != currency.upper():
        fields.note("currency", "spelling", f"{currency!r} should be {currency.upper()!r}")
        currency = currency.upper()
    starts_at, ends_at = _moment(fields, _STARTS), _moment(fields, _ENDS)
    if ends_at < starts_at:
        raise OcpiError(fields.spot(_first(fields, _ENDS)), "lies before the start")
    if is_beyond(starts_at, ends_at):
        raise OcpiError(fields.spot(_first(fields, _ENDS)), "lies years after the start")
    version = version or version_of_cdr(fields.value)
    is_credit = _is_credit(fields)
    takes_back = is_credit or (version is OcpiVersion.V2_1_1 and _is_negative(fields))
    stated = stated_of(fields, takes_back=takes_back)
    periods = _periods(fields, starts_at, ends_at, takes_back=takes_back)
    tariffs = _tariffs(fields, currency)
    cdr = Cdr(
        id=identity,
        starts_at=starts_at,
        ends_at=ends_at,
        currency=currency,
        periods=periods,
        time_zone=_time_zone(fields),
        tariffs=tariffs,
        stated=stated,
        is_credit=is_credit,
        credit_reference_id=fields.text("credit_reference_id"),
    )
    fields.finish(*CARRIED, *COST_KEYS)
    return OcpiCdr(
        cdr=cdr,
        version=version,
        carried={key: fields.value[key] for key in CARRIED if fields.has(key)},
        notes=tuple(notes),
    )


def _first(fields: JsonFields, keys: tuple[str, ...]) -> str:
    return next((key for key in keys if fields.has(key)), keys[0])


def _moment(fields: JsonFields, keys: tuple[str, ...]) -> datetime:
    key = _first(fields, keys)
    if not fields.has(key) and key == _ENDS[0] and fields.has("status"):
        raise OcpiError(fields.spot(key), "is missing: the session has not ended")
    return fields.required_moment(key)


def _is_credit(fields: JsonFields) -> bool:
    value = fields.get("credit")
    if value is not None and not isinstance(value, bool):
        raise OcpiError(fields.spot("credit"), f"{shown(value)} is not true or false")
    return bool(value)


def _is_negative(fields: JsonFields) -> bool:
    """Whether its total is below 0: in 2.1.1, which has no credits, it may take one back."""
    total = fields.value.get("total_cost")
    if isinstance(total, str):
        return total.strip().startswith("-")
    return isinstance(total, int | Decimal) and total < 0


def _time_zone(fields: JsonFields) -> str | None:
    """Return the location's zone: a field of 2.1.1's Location; later CDRs may carry it, too."""
    for key in ("cdr_location", "location"):
        value = fields.get(key)
        if isinstance(value, dict):
            zone = JsonFields(value, fields.spot(key), fields.notes).text("time_zone")
            if zone is not None:
                return zone
    return fields.text("time_zone")


def _tariffs(fields: JsonFields, currency: str | None) -> tuple[Any, ...]:
    tariffs = []
    for tariff in fields.objects("tariffs"):
        read, repaired = tariff_of(tariff.value, tariff.path, currency=currency)
        tariffs.append(read)
        fields.notes.extend(repaired)
    return tuple(tariffs)


def _periods(
    fields: JsonFields, starts_at: datetime, ends_at: datetime, *, takes_back: bool
) -> tuple[ChargingPeriod, ...]:
    """Read the periods in their order; a CDR without any becomes one period of its totals."""
    told = fields.objects("charging_periods")
    periods = tuple(_period(period, takes_back=takes_back) for period in told)
    if not periods:
        return (_whole(fields, starts_at, ends_at, takes_back=takes_back),)
    first = periods[0].starts_at
    if first < starts_at:
        spot, message = (
            "charging_periods[0].start_date_time",
            "the first period starts before the CDR",
        )
        if is_beyond(first, ends_at):
            raise OcpiError(fields.spot(spot), "lies years before the end of the CDR")
        fields.note(spot, "starts_before_cdr", f"{message}; priced as sent, from its own start on")
    last = first
    for index, period in enumerate(periods):
        spot = fields.spot(f"charging_periods[{index}].start_date_time")
        if period.starts_at < last:
            message = "is out of order: it lies before the start of the period before it"
            raise OcpiError(spot, message)
        if period.starts_at > ends_at:
            raise OcpiError(spot, "lies after the end of the CDR")
        last = period.starts_at
    if periods[0].starts_at > starts_at:
        message = "the first period starts after the CDR; the time before it is not priced"
        fields.note("charging_periods[0].start_date_time", "gap_at_start", message)
    _check_volumes(fields, periods, ends_at)
    return periods


def _check_volumes(
    fields: JsonFields, periods: tuple[ChargingPeriod, ...], ends_at: datetime
) -> None:
    odd = odd_volume(periods, ends_at)
    if odd is None:
        return
    spot = f"charging_periods[{odd.index}].dimensions"
    if odd.is_impossible:
        raise OcpiError(fields.spot(spot), odd.why)
    fields.note(spot, "longer_than_period", f"{odd.why}; priced as sent")


def _whole(
    fields: JsonFields, starts_at: datetime, ends_at: datetime, *, takes_back: bool
) -> ChargingPeriod:
    """Return one period with the CDR's own totals, where it states its energy."""
    energy, parking, hours = (
        volume_of(fields, key, takes_back=takes_back)
        for key in (_first(fields, ("total_energy", "kwh")), "total_parking_time", "total_time")
    )
    if energy is None:
        raise OcpiError(fields.spot("charging_periods"), "is missing or empty")
    if hours is not None and parking is not None:
        if parking > hours:
            raise OcpiError(fields.spot("total_parking_time"), "is more than total_time")
        # total_time is charging and parking together (a NOTE of mod_cdrs).
        hours = plain(EXACT.subtract(hours, parking))
    message = f"is missing or empty; priced as one period of the CDR's totals ({energy} kWh)"
    fields.note("charging_periods", "periods_missing", message)
    if hours is None:
        since = ends_at - starts_at
        micros = (since.days * 86_400 + since.seconds) * 10**6 + since.microseconds
        hours = plain((Decimal(micros) / Decimal(3_600_000_000)).quantize(Decimal("1E-9")))
    whole = ChargingPeriod(starts_at=starts_at, energy=energy, time=hours, parking_time=parking)
    _check_volumes(fields, (whole,), ends_at)
    return whole


def _period(fields: JsonFields, *, takes_back: bool) -> ChargingPeriod:
    volumes: dict[str, Decimal] = {}
    others: list[tuple[str, Decimal]] = []
    for dimension in fields.objects("dimensions", required=True):
        kind = _kind(dimension)
        if kind in _VOLUMES:
            volume = volume_of(dimension, "volume", takes_back=takes_back, required=True)
        else:
            volume = dimension.number("volume", required=True, signed=True)
        dimension.finish()
        name = PRICED.get(kind)
        if volume is None:
            continue
        if name is None:
            others.append((kind, volume))
            continue
        if name in volumes:
            if name.startswith(("min_", "max_")):
                dimension.note("type", "dimension_repeated", f"{kind} stands twice; the last holds")
            else:
                dimension.note("type", "dimension_repeated", f"{kind} stands twice; added up")
                volume = plain(EXACT.add(volumes[name], volume))
        volumes[name] = volume
    period = ChargingPeriod(
        starts_at=fields.required_moment("start_date_time"),
        tariff_id=fields.text("tariff_id"),
        others=tuple(others),
        **volumes,
    )
    fields.finish("encoding_method")
    return period


def _kind(dimension: JsonFields) -> str:
    text = dimension.text("type", required=True) or ""
    kind = text.strip().upper()
    if kind not in PRICED and kind not in OTHERS:
        message = f"{shown(text)} is not a dimension of a CDR; no price depends on it"
        dimension.note("type", "unknown_dimension", message)
    elif kind != text:
        dimension.note("type", "spelling", f"{text!r} should be {kind!r}")
    return kind
