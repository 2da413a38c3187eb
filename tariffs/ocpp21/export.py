"""Our tariff as OCPP 2.1 says it. What would bill something else is refused, never bent.

Both sides choose, fee by fee, the first price whose conditions hold, so the order is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, time
from decimal import Decimal
from fractions import Fraction
from typing import Final

from tariffs.adjustments.adjustment import IdleGrace
from tariffs.calendar.week import Fee, fee_of
from tariffs.calendar.words import adjustment_text
from tariffs.model.tariff import (
    PriceComponent,
    PriceLimit,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TaxIncluded,
)
from tariffs.ocpp21.messages import (
    LANGUAGE_LENGTH_MAX,
    MINUTES_PER_HOUR,
    TARIFF_ID_LENGTH_MAX,
    TEXT_LENGTH_MAX,
    TEXTS_MAX,
    UNITS_PER_KILO,
    OcppConditions,
    OcppCost,
    OcppExport,
    OcppFee,
    OcppPrice,
    OcppTariff,
    OcppTaxRate,
    OcppText,
    TranslationNotes,
)
from tariffs.quantities import EXACT, RoundingMode, decimal_of_ratio, plain, round_ratio

_UNSAID: Final = ("name", "type", "country_code", "party_id", "last_updated")
_VAT: Final = "VAT"


def export_tariff(tariff: Tariff, *, decimals: int | None = None) -> OcppExport:
    """Return *tariff* in OCPP 2.1's structure.

    A price whose exact value per minute (or before taxes) has no end in decimals is refused; with
    *decimals* it is rounded to so many decimals, half up, and a note says from what.
    """
    exporter = _Exporter(tariff, decimals)
    exported = exporter.exported()
    notes = exporter.notes
    return OcppExport(tariff=None if notes.refused else exported, notes=tuple(notes.all))


class _Exporter:
    """One export: the tariff, and the notes as they come."""

    def __init__(self, tariff: Tariff, decimals: int | None) -> None:
        self.tariff, self.decimals, self.notes = tariff, decimals, TranslationNotes()
        graces = [a.seconds for a in tariff.adjustments if isinstance(a, IdleGrace)]
        self.grace_s = max(graces, default=0)

    def exported(self) -> OcppTariff:
        """Translate everything; call once."""
        tariff = self.tariff
        if len(tariff.id) > TARIFF_ID_LENGTH_MAX:
            message = f"a tariffId has at most {TARIFF_ID_LENGTH_MAX} characters"
            self.notes.refuse("id_too_long", "id", message)
        self._note_what_is_lost()
        fees = {fee: self._fee(fee) for fee in Fee}
        starts_at = tariff.start_date_time
        return OcppTariff(
            tariff_id=tariff.id,
            currency=tariff.currency,
            description=tuple(self._texts()),
            energy=fees[Fee.ENERGY],
            valid_from=None
            if starts_at is None
            else starts_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            charging_time=fees[Fee.TIME],
            idle_time=fees[Fee.PARKING_TIME],
            fixed_fee=fees[Fee.FLAT],
            reservation_time=fees[Fee.RESERVATION_TIME],
            reservation_fixed=fees[Fee.RESERVATION_FLAT],
            min_cost=_cost(tariff.min_price),
            max_cost=_cost(tariff.max_price),
        )

    def _note_prices_lost(self) -> None:
        if self.tariff.price_series is not None:
            self.notes.refuse("price_series", "price_series", "OCPP has no price series")
        for tax in self.tariff.quantity_taxes:
            message = f"the station will show the cost without {tax.name}"
            self.notes.lose("quantity_tax", "quantity_taxes", message)

    def _note_what_is_lost(self) -> None:
        tariff, notes = self.tariff, self.notes
        if tariff.end_date_time is not None:
            message = "OCPP has no end of validity: send the next tariff, or ClearTariffs, in time"
            notes.lose("no_end_of_validity", "end_date_time", message)
        for index, adjustment in enumerate(tariff.adjustments):
            if not isinstance(adjustment, IdleGrace):
                said = adjustment_text(adjustment, tariff.currency)
                message = f"the station will show the cost without: {said}"
                notes.lose("adjustment", f"adjustments[{index}]", message)
            elif adjustment.reason is not None:
                message = f"the reason {adjustment.reason!r} is not said"
                notes.lose("reason", f"adjustments[{index}].reason", message)
        if self.grace_s and not self._components(Fee.PARKING_TIME):
            notes.lose("grace_without_price", "adjustments", "no parking price to be free of")
        self._note_prices_lost()
        for field in _UNSAID:
            if getattr(tariff, field) is not None:
                notes.lose("field", field, f"OCPP has no spot for {field}")
        for index, element in enumerate(tariff.elements):
            if element.name is not None:
                spot = f"elements[{index}].name"
                notes.lose("element_name", spot, f"the name {element.name!r} is not said")

    def _texts(self) -> Iterator[OcppText]:
        tariff, notes = self.tariff, self.notes
        texts = [("UTF8", language, text) for language, text in tariff.alt_text]
        if tariff.alt_url is not None:
            texts.append(("URI", "", tariff.alt_url))
        for index, (form, language, content) in enumerate(texts):
            spot = "alt_url" if form == "URI" else f"alt_text[{index}]"
            if index >= TEXTS_MAX:
                notes.lose("too_many_texts", spot, f"a tariff has at most {TEXTS_MAX} texts")
            elif len(content) > TEXT_LENGTH_MAX or len(language) > LANGUAGE_LENGTH_MAX:
                message = f"a text has at most {TEXT_LENGTH_MAX} characters"
                notes.lose("text_too_long", spot, message)
            else:
                yield OcppText(format=form, content=content, language=language or None)

    def _components(self, fee: Fee) -> list[tuple[str, PriceComponent, Restrictions]]:
        """Return (spot, component, restrictions) of each component of *fee* in order."""
        return [
            (f"elements[{index}].{component.dimension}", component, element.restrictions)
            for index, element in enumerate(self.tariff.elements)
            for component in element.price_components
            if fee_of(component.dimension, reserved=element.restrictions.reservation is not None)
            is fee
        ]

    def _fee(self, fee: Fee) -> OcppFee | None:
        components = []
        for spot, component, restrictions in self._components(fee):
            if restrictions.reservation is ReservationRestriction.RESERVATION_EXPIRES:
                message = "OCPP has no price of its own for a reservation that expired"
                self.notes.lose("expired_reservation", spot, message)
            elif restrictions.reservation is not None and restrictions.reservation.is_booking:
                self.notes.lose("booking", spot, "OCPP has no bookings")
            else:
                components.append((spot, component, restrictions))
        if not components:
            return None
        if fee is Fee.FLAT and len(components) > 1:
            message = (
                "OCPP decides at the start which one fixed fee holds; here each that becomes "
                "active is billed"
            )
            self.notes.lose("several_flats", components[1][0], message)
        prices = tuple(self._price(fee, *component) for component in components)
        return OcppFee(prices=prices, tax_rates=self._tax_rates(components))

    def _tax_rates(
        self, components: list[tuple[str, PriceComponent, Restrictions]]
    ) -> tuple[OcppTaxRate, ...]:
        """Return the one VAT of a fee; OCPP has taxes per fee, not per price."""
        vats = {component.vat for _, component, _ in components}
        if len(vats) > 1:
            spot = next(p for p, c, _ in components if c.vat != components[0][1].vat)
            message = "OCPP taxes all prices of a fee alike; these have several VAT rates"
            self.notes.refuse("several_vats", spot, message)
        vat = components[0][1].vat
        if vat is None or self.tariff.tax_included is TaxIncluded.NOT_APPLICABLE:
            return ()
        return (OcppTaxRate(type=_VAT, tax=plain(vat)),)

    def _price(
        self, fee: Fee, spot: str, component: PriceComponent, restrictions: Restrictions
    ) -> OcppPrice:
        if component.step_size > 1 and fee not in {Fee.FLAT, Fee.RESERVATION_FLAT}:
            message = f"the station bills the exact volume, not steps of {component.step_size}"
            self.notes.lose("step_size", f"{spot}.step_size", message)
        net = Fraction(component.price)
        if self.tariff.tax_included is TaxIncluded.YES:
            if component.vat is None:
                message = "the price includes taxes that the tariff does not name"
                self.notes.refuse("unknown_tax", spot, message)
            net = net * 100 / (100 + Fraction(component.vat or 0))
        conditions = self._conditions(fee, spot, restrictions)
        match fee:
            case Fee.ENERGY:
                return OcppPrice(
                    price_kwh=self._exact(net, f"{spot}.price", "kWh"), conditions=conditions
                )
            case Fee.TIME | Fee.PARKING_TIME | Fee.RESERVATION_TIME:
                # OCPP prices time per minute, OCPI per hour.
                net /= MINUTES_PER_HOUR
                return OcppPrice(
                    price_minute=self._exact(net, f"{spot}.price", "minute"),
                    conditions=conditions,
                )
            case Fee.FLAT | Fee.RESERVATION_FLAT:
                return OcppPrice(
                    price_fixed=self._exact(net, f"{spot}.price", "session"),
                    conditions=conditions,
                )

    def _exact(self, value: Fraction, spot: str, unit: str) -> Decimal:
        """Return *value* if decimals can say it, else refuse it or round it with a note."""
        exact = decimal_of_ratio(value.numerator, value.denominator)
        if Fraction(exact) == value:
            return plain(exact)
        shown = f"{value.numerator}/{value.denominator} per {unit} before taxes"
        if self.decimals is None:
            message = f"{shown} has no end in decimals; choose a price that divides"
            self.notes.refuse("not_exact", spot, message)
            return plain(exact)
        scaled = round_ratio(
            value.numerator * 10**self.decimals, value.denominator, RoundingMode.HALF_UP
        )
        rounded = plain(Decimal(scaled).scaleb(-self.decimals, EXACT))
        message = f"{shown} is rounded to {rounded:f}: the station's cost will differ from ours"
        self.notes.lose("rounded", spot, message)
        return rounded

    def _conditions(self, fee: Fee, spot: str, r: Restrictions) -> OcppConditions | None:
        if fee in {Fee.FLAT, Fee.RESERVATION_FLAT}:
            self._check_fixed(spot, r)
        if r.holidays or r.season_start is not None:
            message = "OCPP has neither holidays nor seasons: write dates instead"
            self.notes.refuse("recurring_days", spot, message)
        start, end = r.start_time, r.end_time
        if start is not None and start == end:
            message = "a window that ends where it starts is the whole day, and is left out"
            self.notes.inform("whole_day", f"{spot}.start_time", message)
            start = end = None
        conditions = OcppConditions(
            start_time_of_day=self._time(start, f"{spot}.start_time"),
            end_time_of_day=self._time(end, f"{spot}.end_time"),
            day_of_week=tuple(day.capitalize() for day in r.day_of_week),
            valid_from_date=None if r.start_date is None else r.start_date.isoformat(),
            valid_to_date=None if r.end_date is None else r.end_date.isoformat(),
            min_energy=_thousandfold(r.min_kwh),
            max_energy=_thousandfold(r.max_kwh),
            min_current=None if r.min_current is None else plain(r.min_current),
            max_current=None if r.max_current is None else plain(r.max_current),
            min_power=_thousandfold(r.min_power),
            max_power=_thousandfold(r.max_power),
            min_time=r.min_duration,
            max_time=r.max_duration,
            # The one way to say a grace: OCPI has no words for it, OCPP 2.1 has minIdleTime.
            min_idle_time=self.grace_s if self.grace_s and fee is Fee.PARKING_TIME else None,
        )
        return None if conditions == OcppConditions() else conditions

    def _check_fixed(self, spot: str, r: Restrictions) -> None:
        """Refuse what a fixed fee cannot be conditioned on."""
        bounds = (r.min_kwh, r.max_kwh, r.min_current, r.max_current, r.min_power, r.max_power)
        if any(bound is not None for bound in (*bounds, r.min_duration, r.max_duration)):
            message = "a fixed fee of OCPP cannot depend on kWh, power, current or duration"
            self.notes.refuse("fixed_fee_condition", spot, message)
        elif (r.start_time, r.end_time, r.start_date, r.end_date, r.day_of_week) != (
            *(None,) * 4,
            (),
        ):
            message = "OCPP looks at the start of the transaction only; ours holds whenever active"
            self.notes.lose("fixed_fee_at_start", spot, message)

    def _time(self, moment: time | None, spot: str) -> str | None:
        if moment is None:
            return None
        if moment.second or moment.microsecond:
            message = f"OCPP has times of whole minutes, not {moment.isoformat()}"
            self.notes.refuse("time_with_seconds", spot, message)
        return f"{moment:%H:%M}"


def _thousandfold(value: Decimal | None) -> Decimal | None:
    return None if value is None else plain(EXACT.multiply(value, Decimal(UNITS_PER_KILO)))


def _cost(limit: PriceLimit | None) -> OcppCost | None:
    if limit is None:
        return None
    return OcppCost(
        excl_tax=plain(limit.before_taxes),
        incl_tax=None if limit.after_taxes is None else plain(limit.after_taxes),
    )
