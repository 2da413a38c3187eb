"""Reads UBL back into business terms: what was written must be what was meant."""

from __future__ import annotations

from decimal import Decimal

from lxml import etree

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

_ENDS = ("Start", "End")


def read_ubl(xml: bytes) -> ElectronicInvoice:
    """Return the business terms of a UBL Invoice or CreditNote."""
    element = parsed(xml)
    root, kind = Part(element), etree.QName(element).localname
    before = root.part("cac:BillingReference/cac:InvoiceDocumentReference")
    issued_on, starts_on = root.day("cbc:IssueDate"), root.day("cac:InvoicePeriod/cbc:StartDate")
    ends_on = root.day("cac:InvoicePeriod/cbc:EndDate")
    before_on = before and before.day("cbc:IssueDate")
    assert issued_on
    assert starts_on
    assert ends_on
    return ElectronicInvoice(
        specification=root.said("cbc:CustomizationID"),
        process=root.text("cbc:ProfileID"),
        number=root.said("cbc:ID"),
        issued_on=issued_on,
        type_code=int(root.said(f"cbc:{kind}TypeCode")),
        currency=root.said("cbc:DocumentCurrencyCode"),
        due_on=root.day("cbc:DueDate") or root.day("cac:PaymentMeans/cbc:PaymentDueDate"),
        buyer_reference=root.text("cbc:BuyerReference"),
        order_reference=root.text("cac:OrderReference/cbc:ID"),
        terms=root.text("cac:PaymentTerms/cbc:Note"),
        notes=tuple(each.said(".") for each in root.parts("cbc:Note")),
        credits=(before.said("cbc:ID"), before_on) if before and before_on else None,
        starts_on=starts_on,
        ends_on=ends_on,
        deliver_to=root.text(
            "cac:Delivery/cac:DeliveryLocation/cac:Address/cac:Country/cbc:IdentificationCode"
        ),
        seller=_ubl_seller(root.part("cac:AccountingSupplierParty/cac:Party")),
        buyer=_ubl_buyer(root.part("cac:AccountingCustomerParty/cac:Party")),
        payment=_ubl_payment(root.part("cac:PaymentMeans")),
        allowances=tuple(map(_ubl_allowance, root.parts("cac:AllowanceCharge"))),
        totals=_ubl_totals(root),
        taxes=tuple(map(_ubl_tax, root.parts("cac:TaxTotal/cac:TaxSubtotal"))),
        lines=tuple(
            _ubl_line(each, "CreditedQuantity" if kind == "CreditNote" else "InvoicedQuantity")
            for each in root.parts(f"cac:{kind}Line")
        ),
    )


def _ubl_seller(part: Part | None) -> ElectronicSeller:
    assert part
    contact, legal = part.part("cac:Contact"), "cac:PartyLegalEntity"
    ids = _tax_ids(part)
    return ElectronicSeller(
        name=part.said(f"{legal}/cbc:RegistrationName"),
        identifier=part.text("cac:PartyIdentification/cbc:ID"),
        registration=part.text(f"{legal}/cbc:CompanyID"),
        vat_id=ids.get("VAT"),
        tax_number=ids.get("FC"),
        legal_text=part.text(f"{legal}/cbc:CompanyLegalForm"),
        electronic_address=_electronic_address(part),
        address=_address(part),
        contact=contact
        and Contact(
            name=contact.said("cbc:Name"),
            phone=contact.said("cbc:Telephone"),
            email=contact.said("cbc:ElectronicMail"),
        ),
    )


def _ubl_buyer(part: Part | None) -> ElectronicBuyer:
    assert part
    return ElectronicBuyer(
        name=part.said("cac:PartyLegalEntity/cbc:RegistrationName"),
        vat_id=_tax_ids(part).get("VAT"),
        electronic_address=_electronic_address(part),
        address=_address(part),
    )


def _tax_ids(part: Part) -> dict[str, str]:
    return {
        each.said("cac:TaxScheme/cbc:ID"): each.said("cbc:CompanyID")
        for each in part.parts("cac:PartyTaxScheme")
    }


def _electronic_address(part: Part) -> ElectronicAddress | None:
    known = part.text("cbc:EndpointID")
    return ElectronicAddress(part.attribute("cbc:EndpointID", "schemeID"), known) if known else None


def _address(part: Part) -> Address:
    address = part.part("cac:PostalAddress")
    assert address
    return Address(
        street=address.text("cbc:StreetName") or "",
        postal_code=address.text("cbc:PostalZone") or "",
        city=address.text("cbc:CityName") or "",
        country=address.text("cac:Country/cbc:IdentificationCode") or "",
    )


def _ubl_payment(part: Part | None) -> PaymentInstructions | None:
    account = "cac:PayeeFinancialAccount"
    return part and PaymentInstructions(
        means=part.said("cbc:PaymentMeansCode"),
        remittance=part.said("cbc:PaymentID"),
        iban=part.text(f"{account}/cbc:ID"),
        holder=part.text(f"{account}/cbc:Name"),
        bic=part.text(f"{account}/cac:FinancialInstitutionBranch/cbc:ID"),
    )


def _ubl_allowance(part: Part) -> DocumentAllowance:
    return DocumentAllowance(
        is_charge=part.said("cbc:ChargeIndicator") == "true",
        amount=part.amount("cbc:Amount"),
        reason=part.said("cbc:AllowanceChargeReason"),
        category=category_of(part, "cac:TaxCategory/cbc:ID", "cac:TaxCategory/cbc:Percent"),
    )


def _ubl_totals(root: Part) -> DocumentTotals:
    part = root.part("cac:LegalMonetaryTotal")
    assert part
    return DocumentTotals(
        lines=part.amount("cbc:LineExtensionAmount"),
        allowances=part.amount("cbc:AllowanceTotalAmount"),
        charges=part.amount("cbc:ChargeTotalAmount"),
        net=part.amount("cbc:TaxExclusiveAmount"),
        tax=root.amount("cac:TaxTotal/cbc:TaxAmount"),
        gross=part.amount("cbc:TaxInclusiveAmount"),
        paid=part.amount("cbc:PrepaidAmount"),
        rounding=Decimal(part.text("cbc:PayableRoundingAmount") or 0),
        due=part.amount("cbc:PayableAmount"),
    )


def _ubl_tax(part: Part) -> CategoryTotal:
    return CategoryTotal(
        category=category_of(part, "cac:TaxCategory/cbc:ID", "cac:TaxCategory/cbc:Percent"),
        taxable=part.amount("cbc:TaxableAmount"),
        tax=part.amount("cbc:TaxAmount"),
        exemption=part.text("cac:TaxCategory/cbc:TaxExemptionReason"),
        exemption_code=part.text("cac:TaxCategory/cbc:TaxExemptionReasonCode"),
    )


def _ubl_line(part: Part, quantity: str) -> ElectronicLine:
    starts_on, ends_on = (part.day(f"cac:InvoicePeriod/cbc:{each}Date") for each in _ENDS)
    category = "cac:Item/cac:ClassifiedTaxCategory/cbc:"
    assert starts_on
    assert ends_on
    return ElectronicLine(
        id=part.said("cbc:ID"),
        object_id=part.text("cac:DocumentReference/cbc:ID"),
        account=part.text("cbc:AccountingCost"),
        priced=NetPrice(
            quantity=part.amount(f"cbc:{quantity}"),
            unit=part.attribute(f"cbc:{quantity}", "unitCode"),
            price=part.amount("cac:Price/cbc:PriceAmount"),
            base=int(part.text("cac:Price/cbc:BaseQuantity") or 1),
        ),
        net=part.amount("cbc:LineExtensionAmount"),
        starts_on=starts_on,
        ends_on=ends_on,
        category=category_of(part, f"{category}ID", f"{category}Percent"),
        name=part.said("cac:Item/cbc:Name"),
        description=part.text("cac:Item/cbc:Description"),
        attributes=tuple(
            (each.said("cbc:Name"), each.said("cbc:Value"))
            for each in part.parts("cac:Item/cac:AdditionalItemProperty")
        ),
    )
