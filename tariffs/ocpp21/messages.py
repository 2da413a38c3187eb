"""OCPP 2.1's tariff, as it stands in SetDefaultTariff, and the notes of a translation.

Prices per kWh and per *minute*, thresholds in Wh and W; taxes stand beside the prices, never in
them. `ocpp21_tariff_export` and `ocpp21_tariff_import` translate from and to our model.
Source: OCPP 2.1 edition 1, schema SetDefaultTariffRequest (TariffType and its parts).
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from tariffs.model.tariff import Tariff

MINUTES_PER_HOUR: Final = 60
UNITS_PER_KILO: Final = 1000
TARIFF_ID_LENGTH_MAX: Final = 60
TEXT_LENGTH_MAX: Final = 1024
LANGUAGE_LENGTH_MAX: Final = 8
TEXTS_MAX: Final = 10


class TranslationSeverity(StrEnum):
    """What a note means for the translation.

    REFUSED: it would bill something else, so there is no translation. LOST: it cannot be said and
    was left out. INFO: said in another way.
    """

    REFUSED = "refused"
    LOST = "lost"
    INFO = "info"


class TranslationNote(msgspec.Struct, frozen=True, kw_only=True, rename={"spot": "place"}):
    """Something that one side cannot say as the other does: a stable code, a sentence, a spot."""

    code: str
    severity: TranslationSeverity
    message: str
    spot: str

    def __str__(self) -> str:
        return f"{self.spot}: {self.severity}: {self.message} [{self.code}]"


class _OcppObject(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename="camel",
    forbid_unknown_fields=True,
):
    """An object of OCPP: camelCase names, nothing that the schema does not know."""

    custom_data: dict[str, Any] | None = None


class OcppTaxRate(_OcppObject, frozen=True, kw_only=True):
    """One tax in percent; stack 1 is a tax on the price and the taxes of stack 0, and so on."""

    type: str
    tax: Decimal
    stack: int = 0


class OcppConditions(_OcppObject, frozen=True, kw_only=True):
    """When a price holds (TariffConditionsType); the fixed ones know only the first rows."""

    start_time_of_day: str | None = None
    end_time_of_day: str | None = None
    day_of_week: tuple[str, ...] = ()
    valid_from_date: str | None = None
    valid_to_date: str | None = None
    evse_kind: str | None = None
    payment_brand: str | None = None
    payment_recognition: str | None = None
    min_energy: Decimal | None = None
    max_energy: Decimal | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_time: int | None = None
    max_time: int | None = None
    min_charging_time: int | None = None
    max_charging_time: int | None = None
    min_idle_time: int | None = None
    max_idle_time: int | None = None


class OcppPrice(_OcppObject, frozen=True, kw_only=True):
    """One price before taxes; which of the three is given depends on the fee."""

    price_kwh: Decimal | None = None
    price_minute: Decimal | None = None
    price_fixed: Decimal | None = None
    conditions: OcppConditions | None = None


class OcppFee(_OcppObject, frozen=True, kw_only=True):
    """The prices of one fee in order, and its taxes."""

    prices: tuple[OcppPrice, ...]
    tax_rates: tuple[OcppTaxRate, ...] = ()


class OcppCost(_OcppObject, frozen=True, kw_only=True):
    """A least or greatest cost of a session."""

    excl_tax: Decimal | None = None
    incl_tax: Decimal | None = None
    tax_rates: tuple[OcppTaxRate, ...] = ()


class OcppText(_OcppObject, frozen=True, kw_only=True):
    """A text for drivers."""

    format: str
    content: str
    language: str | None = None


class OcppTariff(_OcppObject, frozen=True, kw_only=True):
    """TariffType."""

    tariff_id: str
    currency: str
    description: tuple[OcppText, ...] = ()
    energy: OcppFee | None = None
    valid_from: str | None = None
    charging_time: OcppFee | None = None
    idle_time: OcppFee | None = None
    fixed_fee: OcppFee | None = None
    reservation_time: OcppFee | None = None
    reservation_fixed: OcppFee | None = None
    min_cost: OcppCost | None = None
    max_cost: OcppCost | None = None


class SetDefaultTariff(_OcppObject, frozen=True, kw_only=True):
    """SetDefaultTariffRequest; EVSE 0 is every EVSE of the station."""

    evse_id: int
    tariff: OcppTariff


class OcppExport(msgspec.Struct, frozen=True, kw_only=True):
    """A tariff as OCPP says it, None if a note refuses it; and all notes."""

    tariff: OcppTariff | None
    notes: tuple[TranslationNote, ...]


class OcppImport(msgspec.Struct, frozen=True, kw_only=True):
    """A tariff of ours, None if a note refuses it; and all notes."""

    tariff: Tariff | None
    notes: tuple[TranslationNote, ...]


class TranslationNotes:
    """Collects the notes of one translation."""

    def __init__(self) -> None:
        self.all: list[TranslationNote] = []

    def refuse(self, code: str, spot: str, message: str) -> None:
        """Note why there is no translation."""
        self._add(TranslationSeverity.REFUSED, code, spot, message)

    def lose(self, code: str, spot: str, message: str) -> None:
        """Note what is left out."""
        self._add(TranslationSeverity.LOST, code, spot, message)

    def inform(self, code: str, spot: str, message: str) -> None:
        """Note what is said in another way."""
        self._add(TranslationSeverity.INFO, code, spot, message)

    def _add(self, severity: TranslationSeverity, code: str, spot: str, message: str) -> None:
        note = TranslationNote(code=code, severity=severity, message=message, spot=spot)
        if note not in self.all:
            self.all.append(note)

    @property
    def refused(self) -> bool:
        """Tell whether any note refuses the translation."""
        return any(note.severity is TranslationSeverity.REFUSED for note in self.all)


_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


def ocpp_json(message: OcppTariff | SetDefaultTariff) -> bytes:
    """Return *message* as OCPP sends it; prices are exact JSON numbers."""
    return _ENCODER.encode(message)
