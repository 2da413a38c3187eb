"""Reads CII back into business terms: what was written must be what was meant."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from ledger.master_data.addresses import Address, Contact
from projections.documents.electronic.electronic_invoice import (
    CategoryTotal,
    DocumentAllowance,
    DocumentTotals,
    ElectronicAddress,
    ElectronicBuyer,
    ElectronicInvoice,
    ElectronicLine,
    ElectronicSeller,
    NetPrice,
    PaymentInstructions,
)
from tests.projections.documents.electronic.xml_part import Part, category_of, parsed


def read_cii(xml: bytes) -> ElectronicInvoice:
    """Return the business terms of a Cross Industry Invoice."""
    root = Part(parsed(xml))
    context, head = root.part("rsm:ExchangedDocumentContext"), root.part("rsm:ExchangedDocument")
    trade = root.part("rsm:SupplyChainTradeTransaction")
    assert context
    assert head
    assert trade
    agreement = trade.part("ram:ApplicableHeaderTradeAgreement")
    settlement = trade.part("ram:ApplicableHeaderTradeSettlement")
    assert agreement
    assert settlement
    before = settlement.part("ram:InvoiceReferencedDocument")
    period = "ram:BillingSpecifiedPeriod/ram:{}DateTime/udt:DateTimeString"
    starts_on, ends_on = (settlement.day(period.format(each)) for each in ("Start", "End"))
    issued_on = head.day("ram:IssueDateTime/udt:DateTimeString")
    assert starts_on
    assert ends_on
    assert issued_on
    terms = "ram:SpecifiedTradePaymentTerms"
    return ElectronicInvoice(
        specification=context.said("ram:GuidelineSpecifiedDocumentContextParameter/ram:ID"),
        process=context.text("ram:BusinessProcessSpecifiedDocumentContextParameter/ram:ID"),
        number=head.said("ram:ID"),
        issued_on=issued_on,
        type_code=int(head.said("ram:TypeCode")),
        currency=settlement.said("ram:InvoiceCurrencyCode"),
        due_on=settlement.day(f"{terms}/ram:DueDateDateTime/udt:DateTimeString"),
        buyer_reference=agreement.text("ram:BuyerReference"),
        order_reference=agreement.text("ram:BuyerOrderReferencedDocument/ram:IssuerAssignedID"),
        terms=settlement.text(f"{terms}/ram:Description"),
        notes=tuple(each.said("ram:Content") for each in head.parts("ram:IncludedNote")),
        credits=None if before is None else _before(before),
        starts_on=starts_on,
        ends_on=ends_on,
        deliver_to=trade.text(
            "ram:ApplicableHeaderTradeDelivery/ram:ShipToTradeParty/ram:PostalTradeAddress/"
            "ram:CountryID"
        ),
        seller=_cii_seller(agreement.part("ram:SellerTradeParty")),
        buyer=_cii_buyer(agreement.part("ram:BuyerTradeParty")),
        payment=_cii_payment(settlement),
        allowances=tuple(_cii_allowances(settlement)),
        totals=_cii_totals(settlement),
        taxes=tuple(map(_cii_tax, settlement.parts("ram:ApplicableTradeTax"))),
        lines=tuple(map(_cii_line, trade.parts("ram:IncludedSupplyChainTradeLineItem"))),
    )


def _before(part: Part) -> tuple[str, date]:
    issued_on = part.day("ram:FormattedIssueDateTime/qdt:DateTimeString")
    assert issued_on
    return part.said("ram:IssuerAssignedID"), issued_on


def _cii_seller(part: Part | None) -> ElectronicSeller:
    assert part
    ids = {
        each.attribute("ram:ID", "schemeID"): each.said("ram:ID")
        for each in part.parts("ram:SpecifiedTaxRegistration")
    }
    contact = part.part("ram:DefinedTradeContact")
    return ElectronicSeller(
        name=part.said("ram:Name"),
        identifier=part.text("ram:ID"),
        registration=part.text("ram:SpecifiedLegalOrganization/ram:ID"),
        vat_id=ids.get("VA"),
        tax_number=ids.get("FC"),
        legal_text=part.text("ram:Description"),
        electronic_address=_cii_electronic_address(part),
        address=_cii_address(part),
        contact=contact
        and Contact(
            name=contact.said("ram:PersonName"),
            phone=contact.said("ram:TelephoneUniversalCommunication/ram:CompleteNumber"),
            email=contact.said("ram:EmailURIUniversalCommunication/ram:URIID"),
        ),
    )


def _cii_buyer(part: Part | None) -> ElectronicBuyer:
    assert part
    return ElectronicBuyer(
        name=part.said("ram:Name"),
        vat_id=part.text("ram:SpecifiedTaxRegistration/ram:ID"),
        electronic_address=_cii_electronic_address(part),
        address=_cii_address(part),
    )


def _cii_electronic_address(part: Part) -> ElectronicAddress | None:
    path = "ram:URIUniversalCommunication/ram:URIID"
    known = part.text(path)
    return ElectronicAddress(part.attribute(path, "schemeID"), known) if known else None


def _cii_address(part: Part) -> Address:
    address = part.part("ram:PostalTradeAddress")
    assert address
    return Address(
        street=address.text("ram:LineOne") or "",
        postal_code=address.text("ram:PostcodeCode") or "",
        city=address.text("ram:CityName") or "",
        country=address.text("ram:CountryID") or "",
    )


def _cii_payment(settlement: Part) -> PaymentInstructions | None:
    part = settlement.part("ram:SpecifiedTradeSettlementPaymentMeans")
    account = "ram:PayeePartyCreditorFinancialAccount"
    return part and PaymentInstructions(
        means=part.said("ram:TypeCode"),
        remittance=settlement.said("ram:PaymentReference"),
        iban=part.text(f"{account}/ram:IBANID"),
        holder=part.text(f"{account}/ram:AccountName"),
        bic=part.text("ram:PayeeSpecifiedCreditorFinancialInstitution/ram:BICID"),
    )


def _cii_allowances(settlement: Part) -> Iterator[DocumentAllowance]:
    for part in settlement.parts("ram:SpecifiedTradeAllowanceCharge"):
        yield DocumentAllowance(
            is_charge=part.said("ram:ChargeIndicator/udt:Indicator") == "true",
            amount=part.amount("ram:ActualAmount"),
            reason=part.said("ram:Reason"),
            category=category_of(
                part,
                "ram:CategoryTradeTax/ram:CategoryCode",
                "ram:CategoryTradeTax/ram:RateApplicablePercent",
            ),
        )


def _cii_totals(settlement: Part) -> DocumentTotals:
    part = settlement.part("ram:SpecifiedTradeSettlementHeaderMonetarySummation")
    assert part
    return DocumentTotals(
        lines=part.amount("ram:LineTotalAmount"),
        allowances=part.amount("ram:AllowanceTotalAmount"),
        charges=part.amount("ram:ChargeTotalAmount"),
        net=part.amount("ram:TaxBasisTotalAmount"),
        tax=part.amount("ram:TaxTotalAmount"),
        gross=part.amount("ram:GrandTotalAmount"),
        paid=part.amount("ram:TotalPrepaidAmount"),
        rounding=Decimal(part.text("ram:RoundingAmount") or 0),
        due=part.amount("ram:DuePayableAmount"),
    )


def _cii_tax(part: Part) -> CategoryTotal:
    return CategoryTotal(
        category=category_of(part, "ram:CategoryCode", "ram:RateApplicablePercent"),
        taxable=part.amount("ram:BasisAmount"),
        tax=part.amount("ram:CalculatedAmount"),
        exemption=part.text("ram:ExemptionReason"),
        exemption_code=part.text("ram:ExemptionReasonCode"),
    )


def _cii_line(part: Part) -> ElectronicLine:
    settled, product = "ram:SpecifiedLineTradeSettlement", "ram:SpecifiedTradeProduct"
    quantity = "ram:SpecifiedLineTradeDelivery/ram:BilledQuantity"
    price = "ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice"
    period = f"{settled}/ram:BillingSpecifiedPeriod/ram:{{}}DateTime/udt:DateTimeString"
    starts_on, ends_on = part.day(period.format("Start")), part.day(period.format("End"))
    assert starts_on
    assert ends_on
    return ElectronicLine(
        id=part.said("ram:AssociatedDocumentLineDocument/ram:LineID"),
        object_id=part.text(f"{settled}/ram:AdditionalReferencedDocument/ram:IssuerAssignedID"),
        account=part.text(f"{settled}/ram:ReceivableSpecifiedTradeAccountingAccount/ram:ID"),
        priced=NetPrice(
            quantity=part.amount(quantity),
            unit=part.attribute(quantity, "unitCode"),
            price=part.amount(f"{price}/ram:ChargeAmount"),
            base=int(part.text(f"{price}/ram:BasisQuantity") or 1),
        ),
        net=part.amount(
            f"{settled}/ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount"
        ),
        starts_on=starts_on,
        ends_on=ends_on,
        category=category_of(
            part,
            f"{settled}/ram:ApplicableTradeTax/ram:CategoryCode",
            f"{settled}/ram:ApplicableTradeTax/ram:RateApplicablePercent",
        ),
        name=part.said(f"{product}/ram:Name"),
        description=part.text(f"{product}/ram:Description"),
        attributes=tuple(
            (each.said("ram:Description"), each.said("ram:Value"))
            for each in part.parts(f"{product}/ram:ApplicableProductCharacteristic")
        ),
    )
