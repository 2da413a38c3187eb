"""The business terms of EN 16931 that our documents have, in no syntax.

What a writer finds here it writes, and adds nothing: each syntax holds only its differences. Texts
are one line, without what XML cannot carry; None is left out. Amounts are of the document's
currency and have as many decimals as its minor unit.

Source: EN 16931-1:2017, the semantic model; the numbers of its terms (BT) and groups (BG).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final

import msgspec

from ledger.master_data.addresses import Address, Contact

EN16931: Final = "urn:cen.eu:en16931:2017"
XRECHNUNG: Final = f"{EN16931}#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0"
PEPPOL_BILLING: Final = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
"""The process of billing alone (BT-23); German public buyers ask for one."""

LINE_OBJECT: Final = "130"
"""Of a reference (UNTDID 1001): it is to the object that a line is about (BT-128)."""


class ElectronicAddress(msgspec.Struct, frozen=True):
    """Where invoices are received: an id and its scheme, by the EAS code list (BT-34, BT-49)."""

    scheme: str
    id: str


class ElectronicSeller(msgspec.Struct, frozen=True, kw_only=True):
    """Who sells (BG-4): `address` is BG-5, `contact` BG-6."""

    name: str
    """BT-27"""
    identifier: str | None
    """BT-29; only where none of the next two may or can stand."""
    registration: str | None
    """BT-30"""
    vat_id: str | None
    """BT-31"""
    tax_number: str | None
    """BT-32"""
    legal_text: str | None
    """BT-33"""
    electronic_address: ElectronicAddress | None
    """BT-34"""
    address: Address
    contact: Contact | None


class ElectronicBuyer(msgspec.Struct, frozen=True, kw_only=True):
    """Who buys (BG-7): `address` is BG-8."""

    name: str
    """BT-44"""
    vat_id: str | None
    """BT-48"""
    electronic_address: ElectronicAddress | None
    """BT-49"""
    address: Address


class PaymentInstructions(msgspec.Struct, frozen=True, kw_only=True):
    """How to pay (BG-16, BG-17)."""

    means: str
    """BT-81, by UNTDID 4461"""
    remittance: str
    """BT-83"""
    iban: str | None = None
    """BT-84"""
    holder: str | None = None
    """BT-85"""
    bic: str | None = None
    """BT-86"""


class TaxCategory(msgspec.Struct, frozen=True):
    """A category of VAT by UNTDID 5305 and its rate; None: not subject to VAT, so without one."""

    code: str
    """BT-118, and of a line BT-151, of an allowance BT-95, of a charge BT-102"""
    percent: Decimal | None
    """BT-119, BT-152, BT-96, BT-103"""


class CategoryTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What is owed in one category (BG-23)."""

    category: TaxCategory
    taxable: Decimal
    """BT-116"""
    tax: Decimal
    """BT-117"""
    exemption: str | None = None
    """BT-120"""
    exemption_code: str | None = None
    """BT-121, by the code list VATEX"""


class DocumentAllowance(msgspec.Struct, frozen=True, kw_only=True):
    """An allowance (BG-20) or a charge (BG-21) on the document's sum; `amount` is positive."""

    is_charge: bool
    amount: Decimal
    """BT-92 or BT-99"""
    reason: str
    """BT-97 or BT-104"""
    category: TaxCategory


class DocumentTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The totals (BG-22)."""

    lines: Decimal
    """BT-106"""
    allowances: Decimal
    """BT-107"""
    charges: Decimal
    """BT-108"""
    net: Decimal
    """BT-109"""
    tax: Decimal
    """BT-110"""
    gross: Decimal
    """BT-112"""
    paid: Decimal
    """BT-113"""
    rounding: Decimal
    """BT-114"""
    due: Decimal
    """BT-115"""


class NetPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity and its price before taxes; the amount is quantity x price / base, rounded."""

    quantity: Decimal
    """BT-129, negative where something is taken off"""
    unit: str
    """BT-130, by UN/ECE recommendation 20"""
    price: Decimal
    """BT-146, never negative"""
    base: int = 1
    """BT-149: of so many units"""


class ElectronicLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line (BG-25)."""

    id: str
    """BT-126"""
    object_id: str | None
    """BT-128: the charging session"""
    account: str | None
    """BT-133: the buyer's cost centre"""
    priced: NetPrice
    net: Decimal
    """BT-131"""
    starts_on: date
    """BT-134"""
    ends_on: date
    """BT-135"""
    category: TaxCategory
    name: str
    """BT-153"""
    description: str | None
    """BT-154"""
    attributes: tuple[tuple[str, str], ...]
    """BG-32: names (BT-160) and values (BT-161)"""


class ElectronicInvoice(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice or credit note."""

    specification: str
    """BT-24"""
    process: str | None
    """BT-23"""
    number: str
    """BT-1"""
    issued_on: date
    """BT-2"""
    type_code: int
    """BT-3, by UNTDID 1001"""
    currency: str
    """BT-5"""
    due_on: date | None
    """BT-9"""
    buyer_reference: str | None
    """BT-10"""
    order_reference: str | None
    """BT-13"""
    terms: str | None
    """BT-20"""
    notes: tuple[str, ...]
    """BT-22"""
    credits: tuple[str, date] | None
    """BT-25 and BT-26: number and date of the invoice before"""
    starts_on: date
    """BT-73"""
    ends_on: date
    """BT-74"""
    deliver_to: str | None
    """BT-80: the country, of what is sold within the Community"""
    seller: ElectronicSeller
    buyer: ElectronicBuyer
    payment: PaymentInstructions | None
    allowances: tuple[DocumentAllowance, ...]
    totals: DocumentTotals
    taxes: tuple[CategoryTotal, ...]
    lines: tuple[ElectronicLine, ...]

    @property
    def is_credit_note(self) -> bool:
        """Whether it takes back what an invoice said."""
        return self.credits is not None
