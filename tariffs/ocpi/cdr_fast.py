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
from tariffs.ocpi.costs_reader import COST_KEYS
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.ocpi.tariff_reader import ocpi_tariff_of
from tariffs.ocpi.versions import OcpiVersion
from tariffs.quantities import is_sane, plain

# Caches are emptied when they are full: what partners send has no bound.
_NUMBERS_MAX: Final = 1 << 16
_TARIFFS_MAX: Final = 1000
_CARRIED_MAX: Final = 4096
_CARRIED_BYTES_MAX: Final = 4096
_WHOLE_MAX: Final = 10**12
_ABSENT: Final = msgspec.Raw()
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


# Of a token and a location, which repeat from CDR to CDR, each text is read once.
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
    cdr_location: msgspec.Raw = _ABSENT
    tariffs: list[msgspec.Raw] | None = None
    credit: bool | None = None
    credit_reference_id: str | None = None
    booking_id: Any = msgspec.UNSET
    country_code: Any = msgspec.UNSET
    party_id: Any = msgspec.UNSET
    session_id: Any = msgspec.UNSET
    cdr_token: msgspec.Raw = _ABSENT
    auth_method: Any = msgspec.UNSET
    authorization_reference: Any = msgspec.UNSET
    meter_id: Any = msgspec.UNSET
    signed_data: Any = msgspec.UNSET
    remark: Any = msgspec.UNSET
    invoice_reference_id: Any = msgspec.UNSET
    home_charging_compensation: Any = msgspec.UNSET
    last_updated: Any = msgspec.UNSET


class _OldCdr(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    id: str
    start_date_time: datetime
    stop_date_time: datetime
    currency: str
    charging_periods: list[_Period]
    total_cost: Any = None
    total_energy: Any = None
    total_time: Any = None
    total_parking_time: Any = None


class FastCdr(msgspec.Struct, frozen=True, gc=False):
    """A CDR that needed no repair, and the version of its shape."""

    cdr: Cdr
    version: OcpiVersion


class CdrDecoder:
    """Decodes clean CDRs; keeps what they carry and repeat: tariffs, tokens and locations."""

    def __init__(self, numbers: CdrNumbers | None = None) -> None:
        known = CdrNumbers() if numbers is None else numbers
        self._decoder = msgspec.json.Decoder(_Cdr, float_hook=known.__getitem__)
        self._tariffs: dict[bytes, tuple[Tariff, OcpiVersion] | None] = {}
        self._tokens, self._locations = _Carried(_Token), _Carried(_Location)

    def decode(self, data: bytes) -> FastCdr | None:
        """Return the CDR; None if it is not of a clean shape, for whatever reason."""
        try:
            # One character first: it is found many times as fast as two.
            if b"\\" in data and b"\\u" in data:
                return None
            if not data.isascii():
                data.decode("utf-8")
            wire = self._decoder.decode(data)
            colons, token, location = 0, wire.cdr_token, wire.cdr_location
            wire.cdr_token = wire.cdr_location = _ABSENT
            time_zone = None
            if token is not _ABSENT:
                colons += 1 + self._tokens[bytes(token)][0]
            if location is not _ABSENT:
                found, time_zone = self._locations[bytes(location)]
                colons += 1 + found
            # Written anew it has fewer colons where it says more than we read, such as a key that
            # stands twice. Texts keep theirs, for one with escaped characters never comes here;
            # embedded tariffs look after themselves.
            if _ENCODER.encode(wire).count(b":") + colons != data.count(b":"):
                return None
            return self._read(wire, time_zone)
        except (msgspec.DecodeError, ValueError, ArithmeticError, KeyError, OcpiError):
            return None

    def _read(self, wire: _Cdr, time_zone: str | None) -> FastCdr:
        starts_at, ends_at = wire.start_date_time, wire.end_date_time
        if starts_at.tzinfo is not UTC or ends_at.tzinfo is not UTC:
            raise _OddError
        if not wire.id or wire.currency not in CURRENCY_EXPONENTS or is_beyond(starts_at, ends_at):
            raise _OddError
        tariffs, version = self._own_tariffs(wire.tariffs, wire.currency)
        stated, is_newest = _stated(wire)
        if is_newest or wire.booking_id is not msgspec.UNSET:
            version = OcpiVersion.V2_3_0
        cdr = Cdr(
            id=wire.id,
            starts_at=starts_at,
            ends_at=ends_at,
            currency=wire.currency,
            periods=_periods(wire.charging_periods, starts_at, ends_at),
            time_zone=time_zone,
            tariffs=tariffs,
            stated=stated,
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


class BareOldCdrDecoder:
    """Decodes clean CDRs of OCPI 2.1.1 that say what bears on the price, and nothing else."""

    def __init__(self, numbers: CdrNumbers | None = None) -> None:
        known = CdrNumbers() if numbers is None else numbers
        self._decoder = msgspec.json.Decoder(_OldCdr, float_hook=known.__getitem__)

    def decode(self, data: bytes) -> Cdr | None:
        """Return the CDR; None if it is not of a clean shape, for whatever reason."""
        try:
            wire = self._decoder.decode(data)
            starts_at, ends_at = wire.start_date_time, wire.stop_date_time
            # As above; and a tariff that a period names is none of this version's.
            is_whole = _ENCODER.encode(wire).count(b":") == data.count(b":") and b"\\" not in data
            is_odd = b'"tariff_id"' in data or not data.isascii() or not wire.id
            if not is_whole or is_odd or wire.currency not in CURRENCY_EXPONENTS:
                return None
            if {starts_at.tzinfo, ends_at.tzinfo} != {UTC} or is_beyond(starts_at, ends_at):
                return None
            cost, energy = _amount(wire.total_cost), _amount(wire.total_energy)
            time, parked = _amount(wire.total_time), _amount(wire.total_parking_time)
            return Cdr(
                id=wire.id,
                starts_at=starts_at,
                ends_at=ends_at,
                currency=wire.currency,
                periods=_periods(wire.charging_periods, starts_at, ends_at),
                stated=StatedTotals(
                    total_cost=None if cost is None else StatedCost(before_taxes=cost),
                    total_energy=energy,
                    total_time=time,
                    total_parking_time=parked,
                ),
            )
        except (msgspec.DecodeError, ValueError, ArithmeticError, KeyError):
            return None


class _Carried(dict[bytes, tuple[int, str | None]]):
    """Objects beside the price, by their text: how many colons stand there, and the time zone."""

    def __init__(self, shape: Any) -> None:  # noqa: ANN401 - a type to decode into
        super().__init__()
        self._decoder = msgspec.json.Decoder(shape)

    def __missing__(self, text: bytes) -> tuple[int, str | None]:
        """Read one that is clean, as the reader does."""
        wire, colons = self._decoder.decode(text), text.count(b":")
        if _ENCODER.encode(wire).count(b":") != colons:
            raise _OddError
        found = colons, getattr(wire, "time_zone", None)
        # A long one is read again each time, so that what is kept has a bound.
        if len(text) <= _CARRIED_BYTES_MAX:
            if len(self) >= _CARRIED_MAX:
                self.clear()
            self[text] = found
        return found


def _periods(
    found: list[_Period], starts_at: datetime, ends_at: datetime
) -> tuple[ChargingPeriod, ...]:
    periods = []
    last = starts_at
    for period in found:
        at = period.start_date_time
        if at.tzinfo is not UTC or at < last or at > ends_at:
            raise _OddError
        last = at
        fields: dict[str, Any] = {"starts_at": at, "tariff_id": period.tariff_id}
        for dimension in period.dimensions:
            volume = dimension.volume
            fields[PRICED[dimension.type]] = volume if type(volume) is Decimal else _whole(volume)
        if len(fields) != len(period.dimensions) + 2:
            raise _OddError
        periods.append(ChargingPeriod(**fields))
    if not periods or periods[0].starts_at != starts_at or odd_volume(periods, ends_at):
        raise _OddError
    return tuple(periods)


def _stated(wire: _Cdr) -> tuple[StatedTotals, bool]:
    """Return what is stated, and whether a cost is as only OCPI 2.3.0 states it."""
    stated: dict[str, Any] = {}
    is_newest = False
    for name in COST_KEYS:
        cost: _Cost | None = getattr(wire, name)
        if cost is not None:
            stated[name] = _cost(cost)
            is_newest = is_newest or cost.before_taxes is not None
    return StatedTotals(
        total_energy=_amount(wire.total_energy),
        total_time=_amount(wire.total_time),
        total_parking_time=_amount(wire.total_parking_time),
        **stated,
    ), is_newest


def _cost(cost: _Cost) -> StatedCost:
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


class CdrNumbers(dict[str, Decimal]):
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
