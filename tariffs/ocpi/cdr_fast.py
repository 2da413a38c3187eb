"""The quick way into the model for CDRs of a clean shape; whatever is odd is left to the reader.

Typed decoding does in one pass what `tariffs.ocpi.cdr_reader` does field by field. It answers only
where the reader would find nothing to note; a test holds both to the same result.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from tariffs.cdr.cdr import Cdr, ChargingPeriod, StatedCost, StatedTax, StatedTotals
from tariffs.currencies import CURRENCY_EXPONENTS
from tariffs.model.tariff import Tariff
from tariffs.ocpi.cdr_limits import is_beyond, odd_volume
from tariffs.ocpi.cdr_reader import PRICED
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.ocpi.tariff_reader import ocpi_tariff_of
from tariffs.ocpi.versions import OcpiVersion
from tariffs.quantities import is_sane, plain

# Caches are emptied when they are full: what partners send has no bound.
_NUMBERS_MAX: Final = 1 << 16
_TARIFFS_MAX: Final = 1000
_WHOLE_MAX: Final = 10**12
_ENCODER: Final = msgspec.json.Encoder()


# Unknown fields are forbidden everywhere here: the reader notes them, so it must get such a CDR.
class _Dimension(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    type: str
    volume: Any


class _Period(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    start_date_time: datetime
    dimensions: list[_Dimension]
    tariff_id: str | None = None


class _Tax(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    name: str
    amount: Any
    percentage: Any = None
    account_number: str | None = None


class _Cost(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    excl_vat: Any = None
    incl_vat: Any = None
    before_taxes: Any = None
    taxes: list[_Tax] = []


class _Token(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    country_code: Any = msgspec.UNSET
    party_id: Any = msgspec.UNSET
    uid: Any = msgspec.UNSET
    type: Any = msgspec.UNSET
    contract_id: Any = msgspec.UNSET


class _Location(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    id: Any = msgspec.UNSET
    name: Any = msgspec.UNSET
    address: Any = msgspec.UNSET
    city: Any = msgspec.UNSET
    postal_code: Any = msgspec.UNSET
    state: Any = msgspec.UNSET
    country: Any = msgspec.UNSET
    coordinates: Any = msgspec.UNSET
    evse_uid: Any = msgspec.UNSET
    evse_id: Any = msgspec.UNSET
    connector_id: Any = msgspec.UNSET
    connector_standard: Any = msgspec.UNSET
    connector_format: Any = msgspec.UNSET
    connector_power_type: Any = msgspec.UNSET
    time_zone: str | None = None


class _Cdr(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
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
    booking_id: Any = msgspec.UNSET
    country_code: Any = msgspec.UNSET
    party_id: Any = msgspec.UNSET
    session_id: Any = msgspec.UNSET
    cdr_token: _Token | msgspec.UnsetType = msgspec.UNSET
    auth_method: Any = msgspec.UNSET
    authorization_reference: Any = msgspec.UNSET
    meter_id: Any = msgspec.UNSET
    signed_data: Any = msgspec.UNSET
    remark: Any = msgspec.UNSET
    invoice_reference_id: Any = msgspec.UNSET
    home_charging_compensation: Any = msgspec.UNSET
    last_updated: Any = msgspec.UNSET


class FastCdr(msgspec.Struct, frozen=True, gc=False):
    """A CDR that needed no repair, and the version of its shape."""

    cdr: Cdr
    version: OcpiVersion


class CdrDecoder:
    """Decodes clean CDRs; keeps the tariffs that they carry, which repeat from CDR to CDR."""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(_Cdr, float_hook=_Numbers().__getitem__)
        self._tariffs: dict[bytes, tuple[Tariff, OcpiVersion] | None] = {}

    def decode(self, data: bytes) -> FastCdr | None:
        """Return the CDR; None if it is not of a clean shape, for whatever reason."""
        try:
            if b"\\u" in data:
                return None
            if not data.isascii():
                data.decode("utf-8")
            wire = self._decoder.decode(data)
            return None if _says_less(wire, data) else self._read(wire)
        except (msgspec.DecodeError, ValueError, ArithmeticError, KeyError, OcpiError):
            return None

    def _read(self, wire: _Cdr) -> FastCdr:
        starts_at, ends_at = wire.start_date_time, wire.end_date_time
        if starts_at.tzinfo is not UTC or ends_at.tzinfo is not UTC:
            raise _OddError
        if not wire.id or wire.currency not in CURRENCY_EXPONENTS or is_beyond(starts_at, ends_at):
            raise _OddError
        tariffs, version = self._own_tariffs(wire.tariffs, wire.currency)
        periods = _periods(wire, starts_at, ends_at)
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
                total_cost=_cost(wire.total_cost),
                total_fixed_cost=_cost(wire.total_fixed_cost),
                total_energy=_amount(wire.total_energy),
                total_energy_cost=_cost(wire.total_energy_cost),
                total_time=_amount(wire.total_time),
                total_time_cost=_cost(wire.total_time_cost),
                total_parking_time=_amount(wire.total_parking_time),
                total_parking_cost=_cost(wire.total_parking_cost),
                total_reservation_cost=_cost(wire.total_reservation_cost),
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
            volume = dimension.volume
            volumes[PRICED[dimension.type]] = volume if type(volume) is Decimal else _whole(volume)
        if len(volumes) != len(period.dimensions):
            raise _OddError
        periods.append(ChargingPeriod(starts_at=at, tariff_id=period.tariff_id, **volumes))
    if not periods or periods[0].starts_at != starts_at or odd_volume(periods, ends_at):
        raise _OddError
    return tuple(periods)


def _says_less(wire: _Cdr, data: bytes) -> bool:
    """Whether *data* has more than *wire*, such as a key that stands twice.

    Written anew it has fewer colons then. Texts keep theirs, for one with escaped characters never
    comes here; embedded tariffs look after themselves.
    """
    return _ENCODER.encode(wire).count(b":") != data.count(b":")


def _is_newest(wire: _Cdr) -> bool:
    for cost in (
        wire.total_cost,
        wire.total_fixed_cost,
        wire.total_energy_cost,
        wire.total_time_cost,
        wire.total_parking_cost,
        wire.total_reservation_cost,
    ):
        if cost is not None and cost.before_taxes is not None:
            return True
    return False


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


class _Numbers(dict[str, Decimal]):
    """The numbers of CDRs by their text, read once: they repeat from CDR to CDR."""

    def __missing__(self, text: str) -> Decimal:
        """Read a number of reasonable size that is not negative, as the reader does."""
        number = Decimal(text)
        if text[0] == "-" or not is_sane(number):
            raise _OddError
        if len(self) >= _NUMBERS_MAX:
            self.clear()
        found = self[text] = plain(number)
        return found


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
