"""The model as OCPI tariffs: 2.3.0 says nearly all of it, older versions less; losses are noted.

Sources: OCPI 2.1.1, 2.2.1 and 2.3.0, mod_tariffs, Tariff object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import msgspec

from tariffs.calendar.words import adjustment_text
from tariffs.kernel.priced import Note
from tariffs.model.tariff import (
    Dimension,
    PriceComponent,
    PriceLimit,
    ReservationRestriction,
    Restrictions,
    Tariff,
    TariffElement,
    TaxIncluded,
)
from tariffs.ocpi.tariff_reader import BOOKINGS
from tariffs.ocpi.versions import OcpiVersion
from tariffs.quantities import RoundingMode, decimal_of_ratio, plain, round_ratio

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
# OCPI, types: a number has four decimals unless mentioned; ids are CiString(36), a DisplayText has
# 512 characters.
# Once: it evaluates every annotation anew.
_RESTRICTIONS: Final = msgspec.structs.fields(Restrictions)
_PLACES_MAX: Final = 4
_ID_LENGTH_MAX: Final = 36
_TEXT_LENGTH_MAX: Final = 512
_CUT: Final = "..."
_NOT_SAID: Final = "Not all of the price is shown here; this is left out:"
_ONLY_NEWER: Final = (
    "country_code",
    "party_id",
    "type",
    "min_price",
    "max_price",
    "start_date_time",
    "end_date_time",
)
_DROPPED: Final[dict[str, Any]] = {}


def encode_ocpi(value: Mapping[str, Any]) -> bytes:
    """Encode a written object as JSON; decimals are numbers with their exact digits."""
    return msgspec.json.format(_ENCODER.encode(value), indent=2)


def write_tariff(
    tariff: Tariff, version: OcpiVersion, *, carried: Mapping[str, Any] = _DROPPED
) -> tuple[dict[str, Any], tuple[Note, ...]]:
    """Return *tariff* as OCPI's object, and a note for everything that it cannot say.

    Args:
        tariff: The tariff.
        version: The version to write.
        carried: What only OCPI carries (energy_mix ...), written as it is.
    """
    writer = _TariffWriter(tariff, version)
    return writer.written(carried), tuple(writer.notes)


class _TariffWriter:
    """One tariff on its way out; notes as they come."""

    def __init__(self, tariff: Tariff, version: OcpiVersion) -> None:
        self.tariff, self.version = tariff, version
        self.notes: list[Note] = []

    def written(self, carried: Mapping[str, Any]) -> dict[str, Any]:
        """Write everything; call once."""
        tariff, is_oldest = self.tariff, self.version is OcpiVersion.V2_1_1
        self._note_what_is_missing()
        fields: dict[str, Any] = {
            "country_code": tariff.country_code,
            "party_id": tariff.party_id,
            "id": tariff.id,
            "currency": tariff.currency,
            "type": tariff.type,
            "tariff_alt_text": self._alt_text() or None,
            "tariff_alt_url": tariff.alt_url,
            "min_price": self._limit("min_price", tariff.min_price),
            "max_price": self._limit("max_price", tariff.max_price),
            "preauthorize_amount": self._preauthorized(),
            "elements": self._elements(carried.get(BOOKINGS, {})),
            "tax_included": tariff.tax_included.value
            if self.version is OcpiVersion.V2_3_0
            else None,
            "start_date_time": moment_text(tariff.start_date_time),
            "end_date_time": moment_text(tariff.end_date_time),
            **self._carried(carried),
            "last_updated": moment_text(tariff.last_updated),
        }
        if is_oldest:
            for key in _ONLY_NEWER:
                # Nothing is lost of a party: in 2.1.1 it stands in the address of the object.
                if fields.pop(key) is not None and key not in {"country_code", "party_id"}:
                    self._lose(key, f"OCPI 2.1.1 has no {key}")
        return {key: value for key, value in fields.items() if value is not None}

    def _lose(self, spot: str, message: str, code: str = "not_said") -> None:
        self.notes.append(Note(code, message, spot))

    def _note_what_is_missing(self) -> None:
        tariff = self.tariff
        required = ["last_updated"]
        if self.version is not OcpiVersion.V2_1_1:
            required += ["country_code", "party_id"]
        for key in required:
            if getattr(tariff, key) is None:
                self._lose(key, f"OCPI requires {key}, which the tariff does not have", "required")
        if tariff.name is not None:
            self._lose("name", f"the name {tariff.name!r} is not said")
        if not 0 < len(tariff.id) <= _ID_LENGTH_MAX:
            self._lose("id", f"an id of OCPI has 1 to {_ID_LENGTH_MAX} characters", "required")
        for spot, words in _unsayable(tariff):
            self._lose(spot, f"OCPI cannot say: {words}; the total will differ", "adjustment")

    def _carried(self, carried: Mapping[str, Any]) -> dict[str, Any]:
        known = {"energy_mix", BOOKINGS}
        for key in sorted(carried.keys() - known):
            self._lose(key, f"OCPI {self.version} has no {key}")
        return {key: value for key, value in carried.items() if key in known - {BOOKINGS}}

    def _alt_text(self) -> list[dict[str, str]]:
        """Return the texts; where part of the price is left out, the English one says so."""
        texts = list(self.tariff.alt_text)
        left_out = "; ".join(words for _, words in _unsayable(self.tariff))
        if left_out:
            said = " ".join([*(text for language, text in texts if language == "en"), _NOT_SAID])
            said += f" {left_out}."
            if len(said) > _TEXT_LENGTH_MAX:
                said = said[: _TEXT_LENGTH_MAX - len(_CUT)] + _CUT
            texts = [*((language, text) for language, text in texts if language != "en")]
            texts.insert(0, ("en", said))
        return [{"language": language, "text": text} for language, text in texts]

    def _limit(self, key: str, limit: PriceLimit | None) -> dict[str, Decimal] | None:
        if limit is None:
            return None
        new = self.version is OcpiVersion.V2_3_0
        self._check_places(key, limit.before_taxes)
        written = {"before_taxes" if new else "excl_vat": plain(limit.before_taxes)}
        if limit.after_taxes is not None:
            self._check_places(key, limit.after_taxes)
            written["after_taxes" if new else "incl_vat"] = plain(limit.after_taxes)
        return written

    def _preauthorized(self) -> Decimal | None:
        """Return what is put aside before a driver without contract starts: 2.3.0 says it."""
        amount = self.tariff.preauthorize_amount
        if amount is None or self.version is OcpiVersion.V2_3_0:
            return None if amount is None else plain(amount)
        self._lose("preauthorize_amount", f"OCPI {self.version} has no preauthorize_amount")
        return None

    def _elements(self, bookings: Mapping[int, Any]) -> list[dict[str, Any]]:
        written = [
            element
            for index, each in enumerate(self.tariff.elements)
            for one in self._without_holidays(f"elements[{index}]", each)
            if (element := self._element(f"elements[{index}]", one)) is not None
        ]
        for index, element in sorted(bookings.items()):
            if self.version is OcpiVersion.V2_3_0:
                written.insert(index, element)
            else:
                message = f"OCPI {self.version} has no bookings; the element is left out"
                self._lose(f"elements[{index}].restrictions.booking", message, "element_left_out")
        return written

    def _without_holidays(self, spot: str, element: TariffElement) -> Iterator[TariffElement]:
        """Yield *element*, and one more for each of its holidays: OCPI knows single days.

        Weekdays or holidays, as ours has it, is the first of both that holds.
        """
        r = element.restrictions
        if r.season_start is not None:
            message = f"OCPI has no season that returns each year ({r.season_start} to "
            message += f"{r.season_end}); the element is left out"
            self._lose(f"{spot}.restrictions.season_start", message, "element_left_out")
            return
        if not r.holidays:
            yield element
            return
        if r.day_of_week:
            plain_days = msgspec.structs.replace(r, holidays=())
            yield msgspec.structs.replace(element, restrictions=plain_days)
        for day in r.holidays:
            if (r.start_date is None or day >= r.start_date) and (
                r.end_date is None or day < r.end_date
            ):
                one = msgspec.structs.replace(
                    r,
                    holidays=(),
                    day_of_week=(),
                    start_date=day,
                    end_date=day + timedelta(days=1),
                )
                yield msgspec.structs.replace(element, restrictions=one)

    def _element(self, spot: str, element: TariffElement) -> dict[str, Any] | None:
        restrictions = element.restrictions
        if self.version is OcpiVersion.V2_1_1:
            for key in ("reservation", "min_current", "max_current"):
                if getattr(restrictions, key) is not None:
                    message = f"OCPI 2.1.1 has no {key}; the element is left out"
                    self._lose(f"{spot}.restrictions.{key}", message, "element_left_out")
                    return None
        kind = restrictions.reservation
        if kind is not None and kind.is_booking and self.version is not OcpiVersion.V2_3_0:
            message = f"OCPI {self.version.value} has no bookings; the element is left out"
            self._lose(f"{spot}.restrictions.reservation", message, "element_left_out")
            return None
        if element.name is not None:
            self._lose(f"{spot}.name", f"the name {element.name!r} is not said")
        written: dict[str, Any] = {
            "price_components": [
                self._component(f"{spot}.price_components[{index}]", component)
                for index, component in enumerate(element.price_components)
            ]
        }
        said = self._restrictions(f"{spot}.restrictions", element)
        if said:
            written["restrictions"] = said
        return written

    def _component(self, spot: str, component: PriceComponent) -> dict[str, Any]:
        price = self._price(spot, component)
        self._check_places(f"{spot}.price", price)
        if price < 0:
            message = f"{price:f} is below zero: OCPI does not say what that means"
            self._lose(f"{spot}.price", message, "below_zero")
        written: dict[str, Any] = {"type": component.dimension.value, "price": plain(price)}
        if component.vat is not None and self._says_vat(f"{spot}.vat", component.vat):
            written["vat"] = plain(component.vat)
        return {**written, "step_size": self._step(spot, component)}

    def _says_vat(self, spot: str, percent: Decimal) -> bool:
        """Tell whether the version says a rate as it is meant, and note where it does not."""
        if self.version is OcpiVersion.V2_3_0:
            return True
        if self.tariff.tax_included is TaxIncluded.NOT_APPLICABLE:
            # Without the N/A of 2.3.0 a partner would charge it.
            self._lose(spot, f"no taxes apply, so the vat of {percent:f} % is left out")
            return False
        if self.version is OcpiVersion.V2_1_1:
            self._lose(spot, f"OCPI 2.1.1 has no vat ({percent:f} %)")
            return False
        return True

    def _step(self, spot: str, component: PriceComponent) -> int:
        """Return the step; 0, the exact volume, stands in the texts since 2.2.1 alone."""
        if component.step_size or self.version is not OcpiVersion.V2_1_1:
            return component.step_size
        if component.dimension is not Dimension.FLAT:
            unit = "Wh" if component.dimension is Dimension.ENERGY else "second"
            message = f"OCPI 2.1.1 has no step of 0; written as 1, so a started {unit} is billed"
            self._lose(f"{spot}.step_size", f"{message} whole", "step_size")
        return 1

    def _price(self, spot: str, component: PriceComponent) -> Decimal:
        """Return the price as the version states it: before 2.3.0 always before taxes."""
        is_newest = self.version is OcpiVersion.V2_3_0
        if is_newest or self.tariff.tax_included is not TaxIncluded.YES:
            return component.price
        if component.vat is None:
            message = "the price includes taxes that are not named; older versions cannot say so"
            self._lose(f"{spot}.price", message, "tax_included")
            return component.price
        net = Fraction(component.price) * 100 / (100 + Fraction(component.vat))
        exact = decimal_of_ratio(net.numerator, net.denominator)
        if Fraction(exact) == net:
            return exact
        scale = 10**_PLACES_MAX
        minor = round_ratio(net.numerator * scale, net.denominator, RoundingMode.HALF_UP)
        rounded = Decimal(minor).scaleb(-_PLACES_MAX)
        message = f"{component.price:f} with {component.vat:f} % inside has no exact price before"
        self._lose(f"{spot}.price", f"{message} taxes; rounded to {rounded}", "rounded")
        return rounded

    def _check_places(self, spot: str, number: Decimal) -> None:
        exponent = plain(number).as_tuple().exponent
        if isinstance(exponent, int) and -exponent > _PLACES_MAX:
            message = f"OCPI's numbers have {_PLACES_MAX} decimals; {number:f} has more"
            self._lose(spot, message, "many_decimals")

    def _restrictions(self, spot: str, element: TariffElement) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for field in _RESTRICTIONS:
            value = getattr(element.restrictions, field.name)
            if value is None or value == ():
                continue
            key = field.encode_name
            match value:
                case time():
                    if value.second or value.microsecond:
                        message = f"OCPI has times of whole minutes, not {value.isoformat()}"
                        self._lose(f"{spot}.{key}", message, "time_cut")
                    written[key] = f"{value:%H:%M}"
                case Decimal():
                    written[key] = plain(value)
                case tuple():
                    written[key] = [day.value for day in value]
                case int():
                    written[key] = value
                case ReservationRestriction():
                    written["booking" if value.is_booking else key] = value.value
                case str():
                    written[key] = str(value)
                case _:
                    written[key] = value.isoformat()
        return written


def _unsayable(tariff: Tariff) -> Iterator[tuple[str, str]]:
    """Yield (spot, words) of every part of the price that no OCPI version can say."""
    if tariff.price_series is not None:
        yield "price_series", f"energy follows the prices of {tariff.price_series.name}"
    for index, adjustment in enumerate(tariff.adjustments):
        yield f"adjustments[{index}]", adjustment_text(adjustment, tariff.currency)
    for name, choice in tariff.choices.items():
        yield name, f"the tariff chooses {name} {choice.value}"
    if tariff.tax_included is not TaxIncluded.NOT_APPLICABLE:
        for index, _ in enumerate(tariff.quantity_taxes):
            yield f"quantity_taxes[{index}]", "a tax on the quantity comes on top"


def moment_text(moment: datetime | None) -> str | None:
    """Return *moment* as OCPI writes it: UTC with a Z, and no more digits than it needs.

    OCPI has room for milliseconds; what has more digits is written with them all the same.
    """
    return None if moment is None else said_moment(moment)


def said_moment(moment: datetime) -> str:
    """Return what `moment_text` does of a moment that there is."""
    # msgspec writes UTC with a Z, and microseconds where there are any, in a sixth of the time of
    # isoformat.
    text = _ENCODER.encode(moment.astimezone(UTC))[1:-1].decode()
    is_tidy = moment.microsecond and not moment.microsecond % 1000
    return f"{text[:-4]}Z" if is_tidy else text
