"""OCPP 2.1's tariff as ours: per minute becomes per hour, Wh becomes kWh, exactly.

What our model cannot say is refused when leaving it out would bill something else.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final

import msgspec

from tariffs.adjustments.adjustment import IdleGrace
from tariffs.calendar.week import Fee
from tariffs.currencies import CURRENCY_EXPONENTS
from tariffs.files.yaml.fields import in_utc
from tariffs.model.checking import UnpriceableTariffError, check_tariff
from tariffs.model.tariff import (
    WEEKDAYS,
    Dimension,
    PriceComponent,
    PriceLimit,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
    Weekday,
)
from tariffs.ocpp21.messages import (
    MINUTES_PER_HOUR,
    OcppConditions,
    OcppCost,
    OcppFee,
    OcppImport,
    OcppPrice,
    OcppTariff,
    OcppTaxRate,
    SetDefaultTariff,
    TranslationNotes,
)
from tariffs.quantities import EXACT, is_sane, plain

UNDETERMINED_LANGUAGE: Final = "und"
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)
_NO_CONDITIONS: Final = OcppConditions()
_FIELDS: Final[tuple[tuple[Fee, str, Dimension], ...]] = (
    (Fee.ENERGY, "energy", Dimension.ENERGY),
    (Fee.TIME, "charging_time", Dimension.TIME),
    (Fee.PARKING_TIME, "idle_time", Dimension.PARKING_TIME),
    (Fee.FLAT, "fixed_fee", Dimension.FLAT),
    (Fee.RESERVATION_TIME, "reservation_time", Dimension.TIME),
    (Fee.RESERVATION_FLAT, "reservation_fixed", Dimension.FLAT),
)


def read_ocpp_tariff(
    text: str | bytes, *, evse_kind: str | None = None, ignore_payment_fees: bool = False
) -> OcppImport:
    """Read SetDefaultTariff (a frame, its payload, or the tariff alone) as `import_tariff` does."""
    notes = TranslationNotes()
    try:
        tariff = _decode(text)
        for key in _repeated_keys(text):
            notes.refuse("key_repeated", key, "it stands twice in one object")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        notes.refuse("not_ocpp", "$", f"not a tariff of OCPP 2.1: {error}")
    if notes.refused:
        return OcppImport(tariff=None, notes=tuple(notes.all))
    return import_tariff(tariff, evse_kind=evse_kind, ignore_payment_fees=ignore_payment_fees)


def _repeated_keys(text: str | bytes) -> list[str]:
    """Return the keys that stand twice in an object; whoever decodes takes the last of them."""
    repeated: list[str] = []

    def look(pairs: list[tuple[str, object]]) -> None:
        counts = Counter(key for key, _ in pairs)
        repeated.extend(key for key, count in counts.items() if count > 1)

    json.loads(text, object_pairs_hook=look, parse_int=str, parse_float=str)
    return repeated


def _decode(text: str | bytes) -> OcppTariff:
    """Decode a whole frame, its payload, or the tariff alone: by what it looks like."""
    outline = msgspec.json.decode(text)
    if isinstance(outline, list):
        return msgspec.json.decode(text, type=tuple[int, str, str, SetDefaultTariff])[3].tariff
    if isinstance(outline, dict) and "tariffId" in outline:
        return msgspec.json.decode(text, type=OcppTariff)
    return msgspec.json.decode(text, type=SetDefaultTariff).tariff


def import_tariff(
    tariff: OcppTariff, *, evse_kind: str | None = None, ignore_payment_fees: bool = False
) -> OcppImport:
    """Return *tariff* in our model; steps are 0, as OCPP bills exact volumes.

    *evse_kind* ("AC", "DC") picks the prices of one kind; without it such prices are refused.
    With *ignore_payment_fees*, prices for one payment brand or kind are left out with a note.
    """
    importer = _Importer(tariff, evse_kind, ignore_payment_fees=ignore_payment_fees)
    imported, notes = importer.imported(), importer.notes
    if not notes.refused:
        try:
            check_tariff(imported)
        except UnpriceableTariffError as error:
            notes.refuse("unpriceable", "$", error.why)
    return OcppImport(tariff=None if notes.refused else imported, notes=tuple(notes.all))


class _Importer:
    """One import: the tariff, and the notes as they come."""

    def __init__(
        self, tariff: OcppTariff, evse_kind: str | None, *, ignore_payment_fees: bool
    ) -> None:
        self.tariff, self.evse_kind = tariff, evse_kind
        self.ignore_payment_fees = ignore_payment_fees
        self.notes = TranslationNotes()

    def imported(self) -> Tariff:
        """Translate everything; call once."""
        tariff, notes = self.tariff, self.notes
        if tariff.currency not in CURRENCY_EXPONENTS:
            message = f"{tariff.currency!r} is not a currency of ISO 4217"
            notes.refuse("currency", "currency", message)
        for spot in _custom_data(msgspec.to_builtins(tariff)):
            notes.lose("custom_data", spot, "vendor data are not read")
        elements = [e for fee, field, kind in _FIELDS for e in self._elements(fee, field, kind)]
        if not elements:
            notes.refuse("no_price", "$", "the tariff has no price")
        grace = self._grace_s()
        texts, url = self._texts()
        return Tariff(
            id=tariff.tariff_id,
            currency=tariff.currency,
            elements=tuple(elements),
            min_price=self._limit(tariff.min_cost, "minCost"),
            max_price=self._limit(tariff.max_cost, "maxCost"),
            start_date_time=self._moment(tariff.valid_from),
            adjustments=(IdleGrace(seconds=grace),) if grace else (),
            alt_text=texts,
            alt_url=url,
        )

    def _elements(self, fee: Fee, field: str, dimension: Dimension) -> Iterator[TariffElement]:
        ocpp_fee: OcppFee | None = getattr(self.tariff, field)
        if ocpp_fee is None:
            return
        name = msgspec.structs.fields(OcppTariff)
        encoded = next(f.encode_name for f in name if f.name == field)
        vat = self._vat(ocpp_fee.tax_rates, f"{encoded}.taxRates")
        for index, price in self._kept(ocpp_fee.prices, fee, encoded):
            spot = f"{encoded}.prices[{index}]"
            component = PriceComponent(
                # OCPP knows no steps; the model's default of 1 would round each session up to a
                # Wh.
                dimension=dimension,
                price=self._price(fee, price, spot),
                vat=vat,
                step_size=0,
            )
            restrictions = self._restrictions(price.conditions or _NO_CONDITIONS, fee, spot)
            yield TariffElement(price_components=(component,), restrictions=restrictions)

    def _kept(
        self, prices: Sequence[OcppPrice], fee: Fee, field: str
    ) -> Iterator[tuple[int, OcppPrice]]:
        """Yield the prices that hold here; the free minutes of an idle fee become its grace."""
        for index, price in enumerate(prices):
            spot, conditions = f"{field}.prices[{index}]", price.conditions or _NO_CONDITIONS
            kind = conditions.evse_kind
            if kind is not None and self.evse_kind not in {None, kind}:
                message = f"this price for {kind} is left out: the tariff is for {self.evse_kind}"
                self.notes.inform("other_evse_kind", spot, message)
            elif (conditions.payment_brand or conditions.payment_recognition) and (
                self.ignore_payment_fees
            ):
                self.notes.lose("payment_fee", spot, "a price for one way to pay is left out")
            elif fee is Fee.PARKING_TIME and index == 0 and _free_until(price):
                self.notes.inform("free_minutes", spot, "free minutes become a grace period")
            else:
                yield index, price

    def _price(self, fee: Fee, price: OcppPrice, spot: str) -> Decimal:
        given = (price.price_kwh, price.price_minute, price.price_fixed)
        wanted = {Fee.ENERGY: 0, Fee.FLAT: 2, Fee.RESERVATION_FLAT: 2}.get(fee, 1)
        value = given[wanted]
        if value is None or sum(number is not None for number in given) != 1:
            unit = ("priceKwh", "priceMinute", "priceFixed")[wanted]
            self.notes.refuse("price_field", spot, f"it needs {unit}, and no other price")
            return Decimal(0)
        value = self._number(value, spot)
        return plain(EXACT.multiply(value, Decimal(MINUTES_PER_HOUR))) if wanted == 1 else value

    def _number(self, value: Decimal, spot: str) -> Decimal:
        if not is_sane(value) or value < 0:
            message = f"{value} is negative, not finite or absurdly large"
            self.notes.refuse("number", spot, message)
            return Decimal(0)
        return plain(value)

    def _vat(self, rates: Sequence[OcppTaxRate], spot: str) -> Decimal | None:
        """Return the one percentage that stacked taxes amount to, exactly."""
        if not rates:
            return None
        factor = Decimal(1)
        # Taxes of one stack add up; each higher stack is on all below it (OCPP 2.1, TaxRateType).
        for stack in sorted({rate.stack for rate in rates}):
            level = sum((self._number(r.tax, spot) for r in rates if r.stack == stack), Decimal(0))
            share = EXACT.divide(level, Decimal(100))
            factor = EXACT.multiply(factor, EXACT.add(Decimal(1), share))
        vat = plain(EXACT.multiply(EXACT.subtract(factor, Decimal(1)), Decimal(100)))
        if len(rates) > 1:
            shown = ", ".join(f"{r.type} {plain(r.tax):f} % (stack {r.stack})" for r in rates)
            self.notes.lose("taxes_combined", spot, f"{shown} become one rate of {vat:f} %")
        elif rates[0].type.upper() != "VAT":
            message = f"the tax {rates[0].type!r} is read as VAT of {vat:f} %"
            self.notes.inform("tax_name", spot, message)
        return vat

    def _restrictions(self, c: OcppConditions, fee: Fee, spot: str) -> Restrictions:
        self._refuse_conditions(c, fee, spot)
        reserved = fee in {Fee.RESERVATION_TIME, Fee.RESERVATION_FLAT}
        if fee is Fee.FLAT and c != _NO_CONDITIONS:
            message = "OCPP looks at the start of the transaction only; ours holds whenever active"
            self.notes.inform("fixed_fee_at_start", spot, message)
        return Restrictions(
            start_time=self._time(c.start_time_of_day, f"{spot}.startTimeOfDay"),
            end_time=self._time(c.end_time_of_day, f"{spot}.endTimeOfDay"),
            start_date=self._date(c.valid_from_date, f"{spot}.validFromDate"),
            end_date=self._date(c.valid_to_date, f"{spot}.validToDate"),
            min_kwh=self._thousandth(c.min_energy, f"{spot}.minEnergy"),
            max_kwh=self._thousandth(c.max_energy, f"{spot}.maxEnergy"),
            min_current=None if c.min_current is None else self._number(c.min_current, spot),
            max_current=None if c.max_current is None else self._number(c.max_current, spot),
            min_power=self._thousandth(c.min_power, f"{spot}.minPower"),
            max_power=self._thousandth(c.max_power, f"{spot}.maxPower"),
            min_duration=c.min_time,
            max_duration=c.max_time,
            day_of_week=tuple(self._days(c.day_of_week, spot)),
            reservation=ReservationRestriction.RESERVATION if reserved else None,
        )

    def _refuse_conditions(self, c: OcppConditions, fee: Fee, spot: str) -> None:
        if c.min_charging_time is not None or c.max_charging_time is not None:
            message = "our durations count the whole session, not its charging time alone"
            self.notes.refuse("charging_time_condition", spot, message)
        idle = c.min_idle_time is not None or c.max_idle_time is not None
        if idle and (fee is not Fee.PARKING_TIME or c.max_idle_time is not None):
            message = "idle time can only begin a parking price (a grace period), not end one"
            self.notes.refuse("idle_time_condition", spot, message)
        if c.evse_kind is not None and self.evse_kind is None:
            message = f"this price is for {c.evse_kind} only: say for which kind to import"
            self.notes.refuse("evse_kind", spot, message)
        if c.payment_brand is not None or c.payment_recognition is not None:
            message = "our model has no price for one way to pay"
            self.notes.refuse("payment_fee", spot, message)

    def _grace_s(self) -> int:
        """Return the seconds for which every parking price waits; they must agree."""
        if self.tariff.idle_time is None:
            return 0
        prices = [
            p for _, p in self._kept(self.tariff.idle_time.prices, Fee.PARKING_TIME, "idleTime")
        ]
        waits = {(price.conditions or _NO_CONDITIONS).min_idle_time or 0 for price in prices}
        first = self.tariff.idle_time.prices[0] if self.tariff.idle_time.prices else None
        # A grace is said in two ways: minIdleTime on the prices, or a first price of 0 up to
        # maxIdleTime.
        free = _free_until(first) if first is not None else None
        if free:
            waits = {max(wait, free) for wait in waits}
        if len(waits) > 1:
            message = "the idle prices wait for different times; our grace period is one"
            self.notes.refuse("several_idle_times", "idleTime.prices", message)
        return max(waits, default=0)

    def _limit(self, cost: OcppCost | None, spot: str) -> PriceLimit | None:
        if cost is None:
            return None
        if cost.tax_rates:
            self.notes.lose("limit_taxes", f"{spot}.taxRates", "taxes of a limit are not read")
        if cost.excl_tax is None:
            message = "our limits need the amount before taxes (exclTax)"
            self.notes.refuse("limit_without_net", spot, message)
            return None
        after = None if cost.incl_tax is None else self._number(cost.incl_tax, spot)
        return PriceLimit(before_taxes=self._number(cost.excl_tax, spot), after_taxes=after)

    def _texts(self) -> tuple[tuple[tuple[str, str], ...], str | None]:
        texts: list[tuple[str, str]] = []
        url: str | None = None
        for index, text in enumerate(self.tariff.description):
            spot = f"description[{index}]"
            if text.format in {"UTF8", "ASCII"}:
                texts.append((text.language or UNDETERMINED_LANGUAGE, text.content))
            elif text.format == "URI" and url is None:
                url = text.content
            else:
                self.notes.lose("text_format", spot, f"a text as {text.format} is not read")
        return tuple(texts), url

    def _days(self, days: Sequence[str], spot: str) -> Iterator[Weekday]:
        for day in days:
            if day.upper() not in WEEKDAYS:
                self.notes.refuse("weekday", f"{spot}.dayOfWeek", f"{day!r} is not a weekday")
        # In any case: a day that is not read would let the price hold on all of them.
        said = {day.upper() for day in days}
        yield from (day for day in WEEKDAYS if day in said)

    def _thousandth(self, value: Decimal | None, spot: str) -> Decimal | None:
        if value is None:
            return None
        return plain(self._number(value, spot).scaleb(-3, EXACT))

    def _time(self, text: str | None, spot: str) -> time | None:
        if text is None:
            return None
        if _TIME.fullmatch(text) is None:
            self.notes.refuse("time", spot, f"{text!r} is not a time as 21:00")
            return None
        return time.fromisoformat(text)

    def _date(self, text: str | None, spot: str) -> date | None:
        if text is None:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.notes.refuse("date", spot, f"{text!r} is not a date as 2026-03-29")
            return None

    def _moment(self, text: str | None) -> datetime | None:
        if text is None:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.notes.refuse("moment", "validFrom", f"{text!r} is not a date and time")
            return None
        if moment.tzinfo is None:
            self.notes.refuse("moment", "validFrom", f"{text!r} has no offset from UTC")
            return None
        try:
            return in_utc(moment)
        except ValueError as error:
            self.notes.refuse("moment", "validFrom", str(error))
            return None


def _custom_data(value: object, path: str = "") -> Iterator[str]:
    """Yield the paths of all vendor data in a message."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            spot = f"{path}.{key}" if path else str(key)
            if key == "customData":
                yield spot
            else:
                yield from _custom_data(inner, spot)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _custom_data(inner, f"{path}[{index}]")


def _free_until(price: OcppPrice) -> int | None:
    """Return the idle seconds that a leading free price covers, if that is all it says."""
    conditions = price.conditions
    if conditions is None or conditions.max_idle_time is None or price.price_minute != 0:
        return None
    only = OcppConditions(max_idle_time=conditions.max_idle_time)
    return conditions.max_idle_time if conditions == only else None
