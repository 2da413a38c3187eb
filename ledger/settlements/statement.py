"""A settlement with a roaming partner, as values: what each side delivered, and what is due.

Amounts of CDRs and of lines are exact, in major units of the currency and before taxes; what is
owed is in minor units. What takes back (a credit) is below 0, its energy too.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import msgspec

from tariffs.currencies import currency_exponent
from tariffs.quantities import EXACT


class CdrSide(StrEnum):
    """Who delivered: our CDRs to the partner, which owes them, or its CDRs to us."""

    SENT = "sent"
    RECEIVED = "received"


class SettledKind(StrEnum):
    """A CDR, or one that takes another back."""

    CDR = "cdr"
    CREDIT = "credit"


class SettledCdr(NamedTuple):
    """A CDR as it is settled.

    `cdr_key` is its id without case (OCPI: CiString), `credits` the id that a credit takes back.
    `tax`: as the CDR says, None: it says none. `is_earlier`: of a month before the one that is
    settled. `is_correction`: the partner's OCPI 2.1.1 has no credits, so the settlement says it.
    `is_disputed`: excluded until that is decided. `country`: where it charged, by two letters, as
    far as that is asked and known.
    """

    side: CdrSide
    cdr_key: str
    cdr_id: str
    kind: SettledKind
    credits: str | None
    session_ref: str | None
    ended_at: datetime
    net: Decimal
    tax: Decimal | None
    energy_wh: Decimal
    is_earlier: bool = False
    is_correction: bool = False
    is_disputed: bool = False
    country: str | None = None

    @property
    def takes_back(self) -> bool:
        """Whether it takes a CDR back: a credit, or a negative CDR in place of one (2.1.1).

        Not what was sold at a price that pays the driver: its energy is above 0.
        """
        return self.kind is SettledKind.CREDIT or (self.net < 0 and self.energy_wh <= 0)


class VatRate(msgspec.Struct, frozen=True, kw_only=True):
    """A rate of VAT: what ended from then on (None: ever), in that country ("": of all CDRs)."""

    country: str
    percent: Decimal
    since: datetime | None = None


class SettlementTerms(msgspec.Struct, frozen=True, kw_only=True):
    """On what a settlement is reckoned, as declared with the partner (`Partner`).

    `session_fee`: per CDR, owed by who receives it. `vat_percent`: None: the buyer owes the tax, we
    at `reverse_charge_percent` of what the partner delivered. `vat_rates` take the place of
    `vat_percent` where there are several: by the country of each CDR, or of different times.
    """

    legal_entity: str
    party: str
    month: str
    currency: str
    session_fee: Decimal = Decimal(0)
    vat_percent: Decimal | None = None
    reverse_charge_percent: Decimal | None = None
    vat_rates: tuple[VatRate, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def is_by_country(self) -> bool:
        """Whether a CDR's country says its rate."""
        return any(each.country for each in self.vat_rates or ())


class LineCode(StrEnum):
    """What a line of a settlement is about; `english.py` has the words."""

    CDRS = "cdrs"
    CREDITS = "credits"
    CORRECTIONS = "corrections"
    """Credits and replacements that the partner's version of OCPI cannot carry as CDRs."""
    FEES = "fees"
    ROUNDING = "rounding"
    """Of the sum of exact CDRs to a whole minor unit."""
    TAX_DIFFERENCE = "tax_difference"
    """The tax is the settlement's, of its sum: what it differs by from the CDRs' taxes."""


class SettlementLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line: so many CDRs (fees: sessions), their energy, and amounts."""

    code: LineCode
    count: int
    energy_wh: Decimal
    net: Decimal
    tax: Decimal


class SettlementTax(msgspec.Struct, frozen=True, kw_only=True):
    """The VAT of one rate: of so many CDRs, on their net with their fees, each rounded once.

    `country` is empty where it is our legal entity's; `percent` None: nobody declared a rate.
    `cdr_tax` is what the CDRs say of it.
    """

    country: str
    percent: Decimal | None
    count: int
    net_minor: int
    tax_minor: int
    cdr_tax: Decimal


class SettlementSide(msgspec.Struct, frozen=True, kw_only=True):
    """What one side delivered. The lines sum to the totals, to the last digit.

    `count`: CDRs of any kind; `earlier`: those of them that are of an earlier month; `untaxed`:
    those that say no tax. `digest` is of their ids, kinds, energies and nets: both sides reckon
    the same one from the same CDRs, in whatever order they have them. `taxes`: by rate, where the
    terms have several; they sum to the totals.
    """

    lines: tuple[SettlementLine, ...]
    count: int
    earlier: int
    untaxed: int
    energy_wh: Decimal
    net_minor: int
    tax_minor: int
    gross_minor: int
    digest: str
    taxes: tuple[SettlementTax, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def untaxable(self) -> dict[str, int]:
        """How many CDRs are from a country of which no rate is declared; "?": nobody knows it."""
        return {each.country: each.count for each in self.taxes or () if each.percent is None}

    def is_otherwise_taxed(self, currency: str) -> bool:
        """Whether the CDRs' taxes differ by more than rounding: of other rates, it may be."""
        unit = Decimal(1).scaleb(-currency_exponent(currency), EXACT)
        differences = [each.tax for each in self.lines if each.code is LineCode.TAX_DIFFERENCE]
        taxed = self.count - self.untaxed
        return any(taxed and abs(each) > (taxed + 1) * unit for each in differences)


class ExcludedCdr(msgspec.Struct, frozen=True, kw_only=True):
    """A CDR that is not settled yet: disputed, or the credit of one that is."""

    side: CdrSide
    cdr_id: str
    kind: SettledKind
    net: Decimal
    energy_wh: Decimal


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What is between a partner and us for a month, in one currency.

    `due_minor`: above 0 the partner owes it to us, below 0 we owe it.
    """

    terms: SettlementTerms
    sent: SettlementSide
    received: SettlementSide
    due_minor: int
    excluded: tuple[ExcludedCdr, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is to be settled."""
        return not (self.sent.count or self.received.count)
