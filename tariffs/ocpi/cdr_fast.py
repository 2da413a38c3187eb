"""The quick way into the model for CDRs of a clean shape; whatever is odd is left to the reader.

Typed decoding does in one pass what `tariffs.ocpi.cdr_reader` does field by field. It answers only
where the reader would find nothing to note; a test holds both to the same result.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from tariffs.cdr import Cdr, ChargingPeriod, StatedCost, StatedTax, StatedTotals
from tariffs.currencies import CURRENCY_EXPONENTS
from tariffs.ocpi.cdr_limits import is_beyond, odd_volume
from tariffs.ocpi.cdr_reader import PRICED
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.ocpi.tariff_reader import ocpi_tariff_of
from tariffs.ocpi.versions import OcpiVersion
from tariffs.quantities import is_sane, plain
from tariffs.tariff import Tariff

_DIGITS_MAX: Final = 18
_TARIFFS_MAX: Final = 1000
_WHOLE_MAX: Final = 10**12
_Unread = msgspec.Raw | msgspec.UnsetType


class _Dimension(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: str
    volume: Any


class _Period(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    start_date_time: datetime
    dimensions: list[_Dimension]
    tariff_id: str | None = None


class _Tax(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str
    amount: Any
    percentage: Any = None
    account_number: str | None = None


class _Cost(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    excl_vat: Any = None
    incl_vat: Any = None
    before_taxes: Any = None
    taxes: list[_Tax] = []


class _Location(msgspec.Struct, gc=False):
    time_zone: str | None = None


class _Cdr(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    id: str
    start_date_time: datetime
    end_date_time: datetime
    currency: str
    charging_periods: list[_Period]
    total_cost: _Cost | None = None
    total_fixed_cost: _Cost | None = None
    total_energy: Any = None
    total_energy_cost: _Cost | None = None
    total_time: Any = None
    total_time_cost: _Cost | None = None
    total_parking_time: Any = None
    total_parking_cost: _Cost | None = None
    total_reservation_cost: _Cost | None = None
    cdr_location: _Location | None = None
    tariffs: list[msgspec.Raw] | None = None
    credit: bool | None = None
    credit_reference_id: str | None = None
    booking_id: _Unread = msgspec.UNSET
    country_code: _Unread = msgspec.UNSET
    party_id: _Unread = msgspec.UNSET
    session_id: _Unread = msgspec.UNSET
    cdr_token: _Unread = msgspec.UNSET
    auth_method: _Unread = msgspec.UNSET
    authorization_reference: _Unread = msgspec.UNSET
    meter_id: _Unread = msgspec.UNSET
    signed_data: _Unread = msgspec.UNSET
    remark: _Unread = msgspec.UNSET
    invoice_reference_id: _Unread = msgspec.UNSET
    home_charging_compensation: _Unread = msgspec.UNSET
    last_updated: _Unread = msgspec.UNSET


class FastCdr(msgspec.Struct, frozen=True, gc=False):
    """A CDR that needed no repair, and the version of its shape."""

    cdr: Cdr
    version: OcpiVersion


class CdrDecoder:
    """Decodes clean CDRs; keeps the tariffs that they carry, which repeat from CDR to CDR."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(_Cdr, float_hook=_number)
        self._tariffs: dict[bytes, tuple[Tariff, OcpiVersion] | None] = {}

    def decode(self, data: bytes) -> FastCdr | None:
        """Return the CDR; None if it is not of a clean shape, for whatever reason."""
        try:
            if b"\\u" in data:
                return None
            if not data.isascii():
                data.decode("utf-8")
            wire = self._decoder.decode(data)
            return self._read(wire, data)
        except (msgspec.DecodeError, ValueError, ArithmeticError, KeyError, OcpiError):
            return None

    def _read(self, wire: _Cdr, data: bytes) -> FastCdr:
        starts_at, ends_at = wire.start_date_time, wire.end_date_time
        if starts_at.tzinfo is not UTC or ends_at.tzinfo is not UTC:
            raise _OddError
        if not wire.id or wire.currency not in CURRENCY_EXPONENTS or is_beyond(starts_at, ends_at):
            raise _OddError
        tariffs, version = self._own_tariffs(wire.tariffs, wire.currency)
        periods = _periods(wire, starts_at, ends_at)
        _check_repeats(wire, data)
        costs = [
            _cost(wire.total_cost),
            _cost(wire.total_fixed_cost),
            _cost(wire.total_energy_cost),
            _cost(wire.total_time_cost),
            _cost(wire.total_parking_cost),
            _cost(wire.total_reservation_cost),
        ]
        if wire.booking_id is not msgspec.UNSET or _is_newest(wire):
            version = OcpiVersion.V2_3_0
        cdr = Cdr(
            id=wire.id,
            starts_at=starts_at,
            ends_at=ends_at,
            currency=wire.currency,
            periods=periods,
            time_zone=None if wire.cdr_location is None else wire.cdr_location.time_zone,
            tariffs=tariffs,
            stated=StatedTotals(
                total_cost=costs[0],
                total_fixed_cost=costs[1],
                total_energy=_amount(wire.total_energy),
                total_energy_cost=costs[2],
                total_time=_amount(wire.total_time),
                total_time_cost=costs[3],
                total_parking_time=_amount(wire.total_parking_time),
                total_parking_cost=costs[4],
                total_reservation_cost=costs[5],
            ),
            is_credit=bool(wire.credit),
            credit_reference_id=wire.credit_reference_id,
        )
        return FastCdr(cdr, version)

    def _own_tariffs(
        self, raws: list[msgspec.Raw] | None, currency: str
    ) -> tuple[tuple[Tariff, ...], OcpiVersion]:
        version = OcpiVersion.V2_2_1
        if not raws:
            return (), version
        tariffs = []
        for raw in raws:
            known = self._tariff(bytes(raw))
            if known is None or known[0].currency != currency:
                raise _OddError
            tariffs.append(known[0])
            if known[1] is OcpiVersion.V2_3_0:
                version = OcpiVersion.V2_3_0
        return tuple(tariffs), version

    def _tariff(self, raw: bytes) -> tuple[Tariff, OcpiVersion] | None:
        if raw not in self._tariffs:
            if len(self._tariffs) >= _TARIFFS_MAX:
                self._tariffs.clear()
            read = ocpi_tariff_of(decode_json(raw))
            self._tariffs[raw] = None if read.notes else (read.tariff, read.version)
        return self._tariffs[raw]


def _periods(wire: _Cdr, starts_at: datetime, ends_at: datetime) -> tuple[ChargingPeriod, ...]:
    periods = []
    last = starts_at
    for period in wire.charging_periods:
        at = period.start_date_time
        if at.tzinfo is not UTC or at < last or at > ends_at:
            raise _OddError
        last = at
        volumes: dict[str, Any] = {}
        for dimension in period.dimensions:
            name = PRICED[dimension.type]
            volume = dimension.volume
            if name in volumes:
                raise _OddError
            volumes[name] = volume if type(volume) is Decimal else _whole(volume)
        periods.append(ChargingPeriod(starts_at=at, tariff_id=period.tariff_id, **volumes))
    if not periods or periods[0].starts_at != starts_at or odd_volume(periods, ends_at):
        raise _OddError
    return tuple(periods)


def _check_repeats(wire: _Cdr, data: bytes) -> None:
    """Refuse a CDR in which a key that the price depends on may stand twice."""
    inside = wire.tariffs or ()
    periods = len(wire.charging_periods)
    dimensions = sum(len(period.dimensions) for period in wire.charging_periods)
    for key, times in (
        (b'"volume"', dimensions),
        (b'"dimensions"', periods),
        (b'"charging_periods"', 1),
        (b'"currency"', 1),
        (b'"end_date_time"', 1),
        (b'"start_date_time"', 1 + periods),
    ):
        found = data.count(key)
        if found != times and found - sum(bytes(raw).count(key) for raw in inside) != times:
            raise _OddError


def _is_newest(wire: _Cdr) -> bool:
    return any(
        cost is not None and cost.before_taxes is not None
        for cost in (
            wire.total_cost,
            wire.total_fixed_cost,
            wire.total_energy_cost,
            wire.total_time_cost,
            wire.total_parking_cost,
            wire.total_reservation_cost,
        )
    )


def _cost(cost: _Cost | None) -> StatedCost | None:
    if cost is None:
        return None
    if cost.before_taxes is not None:
        if cost.excl_vat is not None or cost.incl_vat is not None:
            raise _OddError
        return StatedCost(
            before_taxes=_amount(cost.before_taxes),
            taxes=tuple(
                StatedTax(
                    name=tax.name or _odd(),
                    amount=_required(tax.amount),
                    percentage=_amount(tax.percentage),
                    account_number=tax.account_number,
                )
                for tax in cost.taxes
            ),
        )
    if cost.excl_vat is None or cost.taxes:
        raise _OddError
    return StatedCost(before_taxes=_amount(cost.excl_vat), gross=_amount(cost.incl_vat))


def _number(text: str) -> Decimal:
    """Read a number of ordinary size that is not negative, as the reader does."""
    if text[0] == "-":
        raise _OddError
    if len(text) <= _DIGITS_MAX and text[-1] != "0" and "e" not in text and "E" not in text:
        return Decimal(text)
    number = Decimal(text)
    if not is_sane(number):
        raise _OddError
    return plain(number)


def _whole(value: object) -> Decimal:
    if type(value) is not int or not 0 <= value < _WHOLE_MAX:
        raise _OddError
    return Decimal(value)


def _amount(value: object) -> Decimal | None:
    if value is None or type(value) is Decimal:
        return value
    return _whole(value)


def _required(value: object) -> Decimal:
    return value if type(value) is Decimal else _whole(value)


def _odd() -> str:
    raise _OddError


class _OddError(ValueError):
    """Not of a clean shape."""
