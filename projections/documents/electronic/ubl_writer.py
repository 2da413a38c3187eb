"""UBL 2.1, as an Invoice or a CreditNote, in the order of its schemas.

Source: EN 16931-3-2, the binding of each business term to UBL.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple

from ledger.invoices.shown import ShownInvoice
from ledger.master_data.addresses import Address, Contact
from projections.documents.electronic.electronic_invoice import (
    LINE_OBJECT,
    CategoryTotal,
    DocumentAllowance,
    ElectronicAddress,
    ElectronicBuyer,
    ElectronicInvoice,
    ElectronicLine,
    ElectronicSeller,
    TaxCategory,
)
from projections.documents.electronic.making import electronic_invoice
from projections.documents.electronic.markup import DECLARATION, leaf, node

_UBL: Final = "urn:oasis:names:specification:ubl:schema:xsd"


class _Form(NamedTuple):
    """What an invoice and a credit note call their parts."""

    root: str
    type_code: str
    line: str
    quantity: str


_INVOICE: Final = _Form("Invoice", "InvoiceTypeCode", "InvoiceLine", "InvoicedQuantity")
_CREDIT_NOTE: Final = _Form(
    "CreditNote", "CreditNoteTypeCode", "CreditNoteLine", "CreditedQuantity"
)


def ubl(shown: ShownInvoice, *, paid_minor: int = 0) -> bytes:
    """Return *shown* as UBL; *paid_minor* of it was paid before it was issued.

    Raises:
        NotElectronicError: If EN 16931 cannot say it, or its buyer asks for more than is declared.
    """
    return written(electronic_invoice(shown, paid_minor=paid_minor))


def written(invoice: ElectronicInvoice) -> bytes:
    """Return *invoice* as XML in UTF-8."""
    form = _CREDIT_NOTE if invoice.is_credit_note else _INVOICE
    namespaces = {
        "xmlns": f"{_UBL}:{form.root}-2",
        "xmlns:cac": f"{_UBL}:CommonAggregateComponents-2",
        "xmlns:cbc": f"{_UBL}:CommonBasicComponents-2",
    }
    root = node(form.root, *_parts(invoice, form), **namespaces)
    return f"{DECLARATION}{root}\n".encode()


def _parts(invoice: ElectronicInvoice, form: _Form) -> Iterator[str]:
    yield leaf("cbc:CustomizationID", invoice.specification)
    yield leaf("cbc:ProfileID", invoice.process)
    yield leaf("cbc:ID", invoice.number)
    yield leaf("cbc:IssueDate", invoice.issued_on)
    if not invoice.is_credit_note:
        yield leaf("cbc:DueDate", invoice.due_on)
    yield leaf(f"cbc:{form.type_code}", invoice.type_code)
    yield from (leaf("cbc:Note", each) for each in invoice.notes)
    yield leaf("cbc:DocumentCurrencyCode", invoice.currency)
    yield leaf("cbc:BuyerReference", invoice.buyer_reference)
    yield _period(invoice.starts_on, invoice.ends_on)
    yield node("cac:OrderReference", leaf("cbc:ID", invoice.order_reference))
    yield _credited(invoice)
    yield node("cac:AccountingSupplierParty", _seller(invoice.seller))
    yield node("cac:AccountingCustomerParty", _buyer(invoice.buyer))
    yield node(
        "cac:Delivery",
        node("cac:DeliveryLocation", node("cac:Address", _country(invoice.deliver_to))),
    )
    yield _payment(invoice)
    yield node("cac:PaymentTerms", leaf("cbc:Note", invoice.terms))
    yield from (_allowance(each, invoice.currency) for each in invoice.allowances)
    yield _taxes(invoice)
    yield _totals(invoice)
    yield from (_line(each, form, invoice.currency) for each in invoice.lines)


def _credited(invoice: ElectronicInvoice) -> str:
    if invoice.credits is None:
        return ""
    number, issued_on = invoice.credits
    return node(
        "cac:BillingReference",
        node(
            "cac:InvoiceDocumentReference",
            leaf("cbc:ID", number),
            leaf("cbc:IssueDate", issued_on),
        ),
    )


def _seller(seller: ElectronicSeller) -> str:
    return node(
        "cac:Party",
        _electronic_address(seller.electronic_address),
        node("cac:PartyIdentification", leaf("cbc:ID", seller.identifier)),
        _address(seller.address),
        _tax_scheme("VAT", seller.vat_id),
        _tax_scheme("FC", seller.tax_number),
        node(
            "cac:PartyLegalEntity",
            leaf("cbc:RegistrationName", seller.name),
            leaf("cbc:CompanyID", seller.registration),
            leaf("cbc:CompanyLegalForm", seller.legal_text),
        ),
        _contact(seller.contact),
    )


def _buyer(buyer: ElectronicBuyer) -> str:
    return node(
        "cac:Party",
        _electronic_address(buyer.electronic_address),
        _address(buyer.address),
        _tax_scheme("VAT", buyer.vat_id),
        node("cac:PartyLegalEntity", leaf("cbc:RegistrationName", buyer.name)),
    )


def _electronic_address(address: ElectronicAddress | None) -> str:
    if address is None:
        return ""
    return leaf("cbc:EndpointID", address.id, schemeID=address.scheme)


def _address(address: Address) -> str:
    return node(
        "cac:PostalAddress",
        leaf("cbc:StreetName", address.street),
        leaf("cbc:CityName", address.city),
        leaf("cbc:PostalZone", address.postal_code),
        _country(address.country),
    )


def _country(code: str | None) -> str:
    return node("cac:Country", leaf("cbc:IdentificationCode", code))


def _tax_scheme(scheme: str, company_id: str | None) -> str:
    if company_id is None:
        return ""
    return node(
        "cac:PartyTaxScheme",
        leaf("cbc:CompanyID", company_id),
        node("cac:TaxScheme", leaf("cbc:ID", scheme)),
    )


def _contact(contact: Contact | None) -> str:
    if contact is None:
        return ""
    return node(
        "cac:Contact",
        leaf("cbc:Name", contact.name),
        leaf("cbc:Telephone", contact.phone),
        leaf("cbc:ElectronicMail", contact.email),
    )


def _payment(invoice: ElectronicInvoice) -> str:
    payment = invoice.payment
    if payment is None:
        return ""
    return node(
        "cac:PaymentMeans",
        leaf("cbc:PaymentMeansCode", payment.means),
        # A credit note has nowhere else to say it.
        leaf("cbc:PaymentDueDate", invoice.due_on) if invoice.is_credit_note else "",
        leaf("cbc:PaymentID", payment.remittance),
        node(
            "cac:PayeeFinancialAccount",
            leaf("cbc:ID", payment.iban),
            leaf("cbc:Name", payment.holder),
            node("cac:FinancialInstitutionBranch", leaf("cbc:ID", payment.bic)),
        ),
    )


def _allowance(allowance: DocumentAllowance, currency: str) -> str:
    return node(
        "cac:AllowanceCharge",
        leaf("cbc:ChargeIndicator", str(allowance.is_charge).lower()),
        leaf("cbc:AllowanceChargeReason", allowance.reason),
        leaf("cbc:Amount", allowance.amount, currencyID=currency),
        _category("cac:TaxCategory", allowance.category),
    )


def _taxes(invoice: ElectronicInvoice) -> str:
    return node(
        "cac:TaxTotal",
        leaf("cbc:TaxAmount", invoice.totals.tax, currencyID=invoice.currency),
        *(_tax(each, invoice.currency) for each in invoice.taxes),
    )


def _tax(total: CategoryTotal, currency: str) -> str:
    exemption = (
        leaf("cbc:TaxExemptionReasonCode", total.exemption_code),
        leaf("cbc:TaxExemptionReason", total.exemption),
    )
    return node(
        "cac:TaxSubtotal",
        leaf("cbc:TaxableAmount", total.taxable, currencyID=currency),
        leaf("cbc:TaxAmount", total.tax, currencyID=currency),
        _category("cac:TaxCategory", total.category, *exemption),
    )


def _category(name: str, category: TaxCategory, *exemption: str) -> str:
    return node(
        name,
        leaf("cbc:ID", category.code),
        leaf("cbc:Percent", category.percent),
        *exemption,
        node("cac:TaxScheme", leaf("cbc:ID", "VAT")),
    )


def _totals(invoice: ElectronicInvoice) -> str:
    totals = invoice.totals
    said = {
        "cbc:LineExtensionAmount": totals.lines,
        "cbc:TaxExclusiveAmount": totals.net,
        "cbc:TaxInclusiveAmount": totals.gross,
        "cbc:AllowanceTotalAmount": totals.allowances,
        "cbc:ChargeTotalAmount": totals.charges,
        "cbc:PrepaidAmount": totals.paid,
        "cbc:PayableRoundingAmount": totals.rounding or None,
        "cbc:PayableAmount": totals.due,
    }
    return node(
        "cac:LegalMonetaryTotal",
        *(leaf(name, amount, currencyID=invoice.currency) for name, amount in said.items()),
    )


def _line(line: ElectronicLine, form: _Form, currency: str) -> str:
    priced = line.priced
    of_so_many = priced.base if priced.base != 1 else None
    return node(
        f"cac:{form.line}",
        leaf("cbc:ID", line.id),
        leaf(f"cbc:{form.quantity}", priced.quantity, unitCode=priced.unit),
        leaf("cbc:LineExtensionAmount", line.net, currencyID=currency),
        leaf("cbc:AccountingCost", line.account),
        _period(line.starts_on, line.ends_on),
        node(
            "cac:DocumentReference",
            leaf("cbc:ID", line.object_id),
            leaf("cbc:DocumentTypeCode", line.object_id and LINE_OBJECT),
        ),
        node(
            "cac:Item",
            leaf("cbc:Description", line.description),
            leaf("cbc:Name", line.name),
            _category("cac:ClassifiedTaxCategory", line.category),
            *map(_attribute, line.attributes),
        ),
        node(
            "cac:Price",
            leaf("cbc:PriceAmount", priced.price, currencyID=currency),
            leaf("cbc:BaseQuantity", of_so_many, unitCode=priced.unit),
        ),
    )


def _attribute(attribute: tuple[str, str]) -> str:
    name, value = attribute
    return node("cac:AdditionalItemProperty", leaf("cbc:Name", name), leaf("cbc:Value", value))


def _period(starts_on: date, ends_on: date) -> str:
    return node("cac:InvoicePeriod", leaf("cbc:StartDate", starts_on), leaf("cbc:EndDate", ends_on))
