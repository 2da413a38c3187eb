"""Cross Industry Invoice (UN/CEFACT D16B) in Factur-X's profile EN 16931, order of its schema.

Source: EN 16931-3-3, the binding of each business term to CII; Factur-X 1.09.
"""

from __future__ import annotations

from datetime import date
from typing import Final

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
    PaymentInstructions,
    TaxCategory,
)
from projections.documents.electronic.making import electronic_invoice
from projections.documents.electronic.markup import DECLARATION, compact_day, leaf, node

_UNECE: Final = "urn:un:unece:uncefact:data:standard"
NAMESPACES: Final = {
    "xmlns:rsm": f"{_UNECE}:CrossIndustryInvoice:100",
    "xmlns:qdt": f"{_UNECE}:QualifiedDataType:100",
    "xmlns:ram": f"{_UNECE}:ReusableAggregateBusinessInformationEntity:100",
    "xmlns:udt": f"{_UNECE}:UnqualifiedDataType:100",
}


def cii(shown: ShownInvoice, *, paid_minor: int = 0) -> bytes:
    """Return *shown* as a Cross Industry Invoice; *paid_minor* was paid before it was issued.

    Raises:
        NotElectronicError: If EN 16931 cannot say it, or its buyer asks for more than is declared.
    """
    return written(electronic_invoice(shown, paid_minor=paid_minor))


def written(invoice: ElectronicInvoice) -> bytes:
    """Return *invoice* as XML in UTF-8."""
    root = node(
        "rsm:CrossIndustryInvoice",
        _context(invoice),
        _head(invoice),
        node(
            "rsm:SupplyChainTradeTransaction",
            *map(_line, invoice.lines),
            _agreement(invoice),
            _delivery(invoice),
            _settlement(invoice),
        ),
        **NAMESPACES,
    )
    return f"{DECLARATION}{root}\n".encode()


def _context(invoice: ElectronicInvoice) -> str:
    return node(
        "rsm:ExchangedDocumentContext",
        node(
            "ram:BusinessProcessSpecifiedDocumentContextParameter",
            leaf("ram:ID", invoice.process),
        ),
        node(
            "ram:GuidelineSpecifiedDocumentContextParameter",
            leaf("ram:ID", invoice.specification),
        ),
    )


def _head(invoice: ElectronicInvoice) -> str:
    return node(
        "rsm:ExchangedDocument",
        leaf("ram:ID", invoice.number),
        leaf("ram:TypeCode", invoice.type_code),
        _moment("ram:IssueDateTime", invoice.issued_on),
        *(node("ram:IncludedNote", leaf("ram:Content", each)) for each in invoice.notes),
    )


def _agreement(invoice: ElectronicInvoice) -> str:
    return node(
        "ram:ApplicableHeaderTradeAgreement",
        leaf("ram:BuyerReference", invoice.buyer_reference),
        _seller(invoice.seller),
        _buyer(invoice.buyer),
        node(
            "ram:BuyerOrderReferencedDocument",
            leaf("ram:IssuerAssignedID", invoice.order_reference),
        ),
    )


def _seller(seller: ElectronicSeller) -> str:
    return node(
        "ram:SellerTradeParty",
        leaf("ram:ID", seller.identifier),
        leaf("ram:Name", seller.name),
        leaf("ram:Description", seller.legal_text),
        node("ram:SpecifiedLegalOrganization", leaf("ram:ID", seller.registration)),
        _contact(seller.contact),
        _address(seller.address),
        _electronic_address(seller.electronic_address),
        node("ram:SpecifiedTaxRegistration", leaf("ram:ID", seller.vat_id, schemeID="VA")),
        node("ram:SpecifiedTaxRegistration", leaf("ram:ID", seller.tax_number, schemeID="FC")),
    )


def _buyer(buyer: ElectronicBuyer) -> str:
    return node(
        "ram:BuyerTradeParty",
        leaf("ram:Name", buyer.name),
        _address(buyer.address),
        _electronic_address(buyer.electronic_address),
        node("ram:SpecifiedTaxRegistration", leaf("ram:ID", buyer.vat_id, schemeID="VA")),
    )


def _contact(contact: Contact | None) -> str:
    if contact is None:
        return ""
    return node(
        "ram:DefinedTradeContact",
        leaf("ram:PersonName", contact.name),
        node(
            "ram:TelephoneUniversalCommunication",
            leaf("ram:CompleteNumber", contact.phone),
        ),
        node("ram:EmailURIUniversalCommunication", leaf("ram:URIID", contact.email)),
    )


def _address(address: Address) -> str:
    return node(
        "ram:PostalTradeAddress",
        leaf("ram:PostcodeCode", address.postal_code),
        leaf("ram:LineOne", address.street),
        leaf("ram:CityName", address.city),
        leaf("ram:CountryID", address.country),
    )


def _electronic_address(address: ElectronicAddress | None) -> str:
    if address is None:
        return ""
    return node(
        "ram:URIUniversalCommunication", leaf("ram:URIID", address.id, schemeID=address.scheme)
    )


def _delivery(invoice: ElectronicInvoice) -> str:
    # The schema wants the element, and has nothing that must stand in it.
    shipped_to = node(
        "ram:ShipToTradeParty",
        node("ram:PostalTradeAddress", leaf("ram:CountryID", invoice.deliver_to)),
    )
    return f"<ram:ApplicableHeaderTradeDelivery>{shipped_to}</ram:ApplicableHeaderTradeDelivery>"


def _settlement(invoice: ElectronicInvoice) -> str:
    payment = invoice.payment
    return node(
        "ram:ApplicableHeaderTradeSettlement",
        leaf("ram:PaymentReference", payment and payment.remittance),
        leaf("ram:InvoiceCurrencyCode", invoice.currency),
        _payment(payment),
        *map(_tax, invoice.taxes),
        _period(invoice.starts_on, invoice.ends_on),
        *map(_allowance, invoice.allowances),
        node(
            "ram:SpecifiedTradePaymentTerms",
            leaf("ram:Description", invoice.terms),
            _moment("ram:DueDateDateTime", invoice.due_on),
        ),
        _totals(invoice),
        _credited(invoice),
    )


def _payment(payment: PaymentInstructions | None) -> str:
    if payment is None:
        return ""
    return node(
        "ram:SpecifiedTradeSettlementPaymentMeans",
        leaf("ram:TypeCode", payment.means),
        node(
            "ram:PayeePartyCreditorFinancialAccount",
            leaf("ram:IBANID", payment.iban),
            leaf("ram:AccountName", payment.holder),
        ),
        node("ram:PayeeSpecifiedCreditorFinancialInstitution", leaf("ram:BICID", payment.bic)),
    )


def _tax(total: CategoryTotal) -> str:
    category = total.category
    return node(
        "ram:ApplicableTradeTax",
        leaf("ram:CalculatedAmount", total.tax),
        leaf("ram:TypeCode", "VAT"),
        leaf("ram:ExemptionReason", total.exemption),
        leaf("ram:BasisAmount", total.taxable),
        leaf("ram:CategoryCode", category.code),
        leaf("ram:ExemptionReasonCode", total.exemption_code),
        leaf("ram:RateApplicablePercent", category.percent),
    )


def _category(name: str, category: TaxCategory) -> str:
    return node(
        name,
        leaf("ram:TypeCode", "VAT"),
        leaf("ram:CategoryCode", category.code),
        leaf("ram:RateApplicablePercent", category.percent),
    )


def _allowance(allowance: DocumentAllowance) -> str:
    return node(
        "ram:SpecifiedTradeAllowanceCharge",
        node("ram:ChargeIndicator", leaf("udt:Indicator", str(allowance.is_charge).lower())),
        leaf("ram:ActualAmount", allowance.amount),
        leaf("ram:Reason", allowance.reason),
        _category("ram:CategoryTradeTax", allowance.category),
    )


def _totals(invoice: ElectronicInvoice) -> str:
    totals = invoice.totals
    return node(
        "ram:SpecifiedTradeSettlementHeaderMonetarySummation",
        leaf("ram:LineTotalAmount", totals.lines),
        leaf("ram:ChargeTotalAmount", totals.charges),
        leaf("ram:AllowanceTotalAmount", totals.allowances),
        leaf("ram:TaxBasisTotalAmount", totals.net),
        leaf("ram:TaxTotalAmount", totals.tax, currencyID=invoice.currency),
        leaf("ram:RoundingAmount", totals.rounding or None),
        leaf("ram:GrandTotalAmount", totals.gross),
        leaf("ram:TotalPrepaidAmount", totals.paid),
        leaf("ram:DuePayableAmount", totals.due),
    )


def _credited(invoice: ElectronicInvoice) -> str:
    if invoice.credits is None:
        return ""
    number, issued_on = invoice.credits
    return node(
        "ram:InvoiceReferencedDocument",
        leaf("ram:IssuerAssignedID", number),
        node(
            "ram:FormattedIssueDateTime",
            leaf("qdt:DateTimeString", compact_day(issued_on), format="102"),
        ),
    )


def _line(line: ElectronicLine) -> str:
    priced = line.priced
    of_so_many = priced.base if priced.base != 1 else None
    return node(
        "ram:IncludedSupplyChainTradeLineItem",
        node("ram:AssociatedDocumentLineDocument", leaf("ram:LineID", line.id)),
        node(
            "ram:SpecifiedTradeProduct",
            leaf("ram:Name", line.name),
            leaf("ram:Description", line.description),
            *map(_attribute, line.attributes),
        ),
        node(
            "ram:SpecifiedLineTradeAgreement",
            node(
                "ram:NetPriceProductTradePrice",
                leaf("ram:ChargeAmount", priced.price),
                leaf("ram:BasisQuantity", of_so_many, unitCode=priced.unit),
            ),
        ),
        node(
            "ram:SpecifiedLineTradeDelivery",
            leaf("ram:BilledQuantity", priced.quantity, unitCode=priced.unit),
        ),
        _line_settlement(line),
    )


def _line_settlement(line: ElectronicLine) -> str:
    return node(
        "ram:SpecifiedLineTradeSettlement",
        _category("ram:ApplicableTradeTax", line.category),
        _period(line.starts_on, line.ends_on),
        node(
            "ram:SpecifiedTradeSettlementLineMonetarySummation",
            leaf("ram:LineTotalAmount", line.net),
        ),
        node(
            "ram:AdditionalReferencedDocument",
            leaf("ram:IssuerAssignedID", line.object_id),
            leaf("ram:TypeCode", line.object_id and LINE_OBJECT),
        ),
        node("ram:ReceivableSpecifiedTradeAccountingAccount", leaf("ram:ID", line.account)),
    )


def _attribute(attribute: tuple[str, str]) -> str:
    name, value = attribute
    return node(
        "ram:ApplicableProductCharacteristic",
        leaf("ram:Description", name),
        leaf("ram:Value", value),
    )


def _period(starts_on: date, ends_on: date) -> str:
    return node(
        "ram:BillingSpecifiedPeriod",
        _moment("ram:StartDateTime", starts_on),
        _moment("ram:EndDateTime", ends_on),
    )


def _moment(name: str, day: date | None) -> str:
    if day is None:
        return ""
    return node(name, leaf("udt:DateTimeString", compact_day(day), format="102"))
