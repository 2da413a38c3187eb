"""An invoice as it is shown, as the business terms of EN 16931."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from ledger.invoices.document import CREDIT_NOTE, INVOICE, WITHOUT_TAX
from ledger.invoices.shown import InvoicedSession, InvoiceLine, ShownInvoice
from projections.documents.content.place import station_named
from projections.documents.electronic.electronic_invoice import (
    EN16931,
    PEPPOL_BILLING,
    XRECHNUNG,
    CategoryTotal,
    DocumentAllowance,
    DocumentTotals,
    ElectronicInvoice,
    ElectronicLine,
    NetPrice,
)
from projections.documents.electronic.german_public_buyers import is_german_public_buyer, missing
from projections.documents.electronic.net_price import PIECE, net_price
from projections.documents.electronic.parties import buyer_of, payment_of, seller_of
from projections.documents.electronic.problems import NotElectronicError, RuleProblem
from projections.documents.electronic.tax_categories import (
    LINES_MAX,
    WITHIN_THE_COMMUNITY,
    TaxCategories,
    categories_of,
    exemption_code,
    is_electronic,
    names_who_charges,
    net_minor_of,
)
from projections.documents.electronic.texts import one_line
from projections.documents.electronic.undeclared import undeclared
from projections.documents.languages.language import Language, language_of
from tariffs.phrases.phrase import phrase
from tariffs.quantities import EXACT


class _Making(NamedTuple):
    """What each part of a document is made with."""

    shown: ShownInvoice
    language: Language
    categories: TaxCategories

    def money(self, minor: int) -> Decimal:
        """Return an amount of the document's currency."""
        return Decimal(minor).scaleb(-self.shown.currency_exponent, EXACT)


def electronic_invoice(shown: ShownInvoice, *, paid_minor: int = 0) -> ElectronicInvoice:
    """Return *shown* as business terms; *paid_minor* of it was paid before it was issued.

    Raises:
        NotElectronicError: If EN 16931 cannot say it, or its buyer asks for more than is declared.
    """
    if not is_electronic(shown):
        raise NotElectronicError(shown.number, [_why_not(shown)])
    language = language_of(shown.language)
    is_public = is_german_public_buyer(shown)
    making = _Making(shown, language, categories_of(shown, language, is_public=is_public))
    lines = _lines(making)
    made = _document(making, lines, paid_minor=paid_minor, is_public=is_public)
    lacking = missing(made) if is_public else ()
    problems = [*_unlike(shown, made), *undeclared(made), *lacking]
    if problems:
        raise NotElectronicError(shown.number, problems)
    return made


def _why_not(shown: ShownInvoice) -> RuleProblem:
    if len(shown.lines) > LINES_MAX:
        return RuleProblem("EN 16931", f"more than {LINES_MAX} lines are not asked of its rules")
    return _NO_VAT if names_who_charges(shown) else _NO_ID


_NO_VAT = RuleProblem(
    "EN 16931", "it knows no tax but VAT, one on a sum, and no currency of three decimals"
)

_NO_ID = RuleProblem("BR-S-02", "its seller has declared neither vat_id nor tax_number")


def _document(
    making: _Making, lines: Sequence[ElectronicLine], *, paid_minor: int, is_public: bool
) -> ElectronicInvoice:
    shown, language = making.shown, making.language
    allowances, taxes = _allowances(making, lines), _taxes(making)
    bears_vat = all(tax.category.code != WITHOUT_TAX for tax in taxes)
    references, credited = shown.buyer_references, shown.credits
    due_minor = shown.due_minor - paid_minor
    buyer = buyer_of(shown, bears_vat=bears_vat)
    within = any(tax.category.code == WITHIN_THE_COMMUNITY for tax in taxes)
    return ElectronicInvoice(
        specification=XRECHNUNG if is_public else EN16931,
        process=PEPPOL_BILLING if is_public else None,
        number=one_line(shown.number) or "",
        issued_on=shown.issued_on,
        type_code=CREDIT_NOTE if credited else INVOICE,
        currency=shown.currency,
        due_on=shown.due_on if due_minor > 0 else None,
        buyer_reference=one_line(references.buyer_reference),
        order_reference=one_line(references.order_reference),
        terms=_terms(making, due_minor),
        notes=tuple(filter(None, (one_line(language.words(each)) for each in shown.codes))),
        credits=(credited.number, credited.issued_on) if credited else None,
        starts_on=min((each.starts_on for each in lines), default=shown.issued_on),
        ends_on=max((each.ends_on for each in lines), default=shown.issued_on),
        deliver_to=buyer.address.country if within else None,
        seller=seller_of(shown, bears_vat=bears_vat),
        buyer=buyer,
        payment=payment_of(shown, due_minor=due_minor),
        allowances=allowances,
        totals=_totals(making, lines, allowances, taxes, paid_minor),
        taxes=taxes,
        lines=tuple(lines),
    )


def _terms(making: _Making, due_minor: int) -> str | None:
    """Return until when to pay, in words, where no day says it (BR-CO-25)."""
    if due_minor <= 0 or making.shown.due_on:
        return None
    language = making.language
    if making.shown.credits:
        return language.text("This amount is credited to you.")
    return language.text("Payable on receipt.")


def _lines(making: _Making) -> list[ElectronicLine]:
    sessions = {each.session_id: each for each in making.shown.sessions}
    return [
        _line(making, line, sessions[line.session_id])
        for line in making.shown.lines
        if not line.is_rounding
    ] or [_free(making, number, each) for number, each in enumerate(sessions.values(), 1)]


def _line(making: _Making, line: InvoiceLine, session: InvoicedSession) -> ElectronicLine:
    language, net_minor = making.language, net_minor_of(line)
    category = making.categories.of(line)
    if category is None:
        raise NotElectronicError(
            making.shown.number,
            [RuleProblem("BR-CO-04", f"the tax of line {line.line} is none of the document's")],
        )
    why = "; ".join(language.words(each) for each in line.codes)
    return ElectronicLine(
        id=str(line.line),
        object_id=one_line(line.session_id),
        account=one_line(session.cost_centre),
        priced=net_price(line, net_minor, making.shown.currency_exponent),
        net=making.money(net_minor),
        starts_on=line.starts_at.date(),
        ends_on=line.ends_at.date(),
        category=category,
        name=one_line(language.words(line.said)) or line.component,
        description=one_line(why),
        attributes=_attributes(language, session),
    )


def _free(making: _Making, number: int, session: InvoicedSession) -> ElectronicLine:
    """Return a line for a session that has none: a document has at least one (BR-16)."""
    return ElectronicLine(
        id=str(number),
        object_id=one_line(session.session_id),
        account=one_line(session.cost_centre),
        priced=NetPrice(quantity=Decimal(1), unit=PIECE, price=making.money(0)),
        net=making.money(0),
        starts_on=session.starts_at.date(),
        ends_on=session.ends_at.date(),
        category=next(iter(making.categories.sums)),
        name=making.language.text("Charging session"),
        description=None,
        attributes=_attributes(making.language, session),
    )


def _attributes(language: Language, session: InvoicedSession) -> tuple[tuple[str, str], ...]:
    told = {
        language.text("Charging station"): station_named(session),
        language.text("Time"): language.span(session.starts_at, session.ends_at),
        language.text("Charge detail record"): (
            session.elsewhere.cdr_id if session.elsewhere else None
        ),
    }
    return tuple((name, text) for name, said in told.items() if (text := one_line(said)))


def _taxes(making: _Making) -> tuple[CategoryTotal, ...]:
    return tuple(
        CategoryTotal(
            category=category,
            taxable=making.money(owed.taxable_minor),
            tax=making.money(owed.tax_minor),
            exemption=one_line("; ".join(owed.exemptions)),
            exemption_code=exemption_code(category),
        )
        for category, owed in making.categories.sums.items()
    )


def _allowances(making: _Making, lines: Sequence[ElectronicLine]) -> tuple[DocumentAllowance, ...]:
    """Return what lies between the lines, each rounded for itself, and the sum of a category."""
    reason = making.language.words(phrase("rounding"))
    rests = {
        category: making.money(owed.taxable_minor)
        - sum((each.net for each in lines if each.category == category), Decimal(0))
        for category, owed in making.categories.sums.items()
    }
    return tuple(
        DocumentAllowance(is_charge=rest > 0, amount=abs(rest), reason=reason, category=category)
        for category, rest in rests.items()
        if rest
    )


def _totals(
    making: _Making,
    lines: Sequence[ElectronicLine],
    allowances: Sequence[DocumentAllowance],
    taxes: Sequence[CategoryTotal],
    paid_minor: int,
) -> DocumentTotals:
    shown, nothing = making.shown, making.money(0)
    net = sum((tax.taxable for tax in taxes), nothing)
    tax = sum((tax.tax for tax in taxes), nothing)
    return DocumentTotals(
        lines=sum((line.net for line in lines), nothing),
        allowances=sum((each.amount for each in allowances if not each.is_charge), nothing),
        charges=sum((each.amount for each in allowances if each.is_charge), nothing),
        net=net,
        tax=tax,
        gross=net + tax,
        paid=making.money(paid_minor),
        rounding=making.money(shown.rounding_minor),
        due=making.money(shown.due_minor - paid_minor),
    )


def _unlike(shown: ShownInvoice, made: ElectronicInvoice) -> list[RuleProblem]:
    """Return what the document says otherwise than it was shown: nothing, of one that adds up."""
    totals = made.totals
    said = {
        "BR-CO-15": ("the total with taxes", totals.gross, shown.gross_minor),
        "BR-CO-16": ("what is due", totals.gross + totals.rounding, shown.due_minor),
    }
    return [
        RuleProblem(rule, f"{what} is {amount} by its taxes, {minor} minor units as issued")
        for rule, (what, amount, minor) in said.items()
        if amount.scaleb(shown.currency_exponent, EXACT) != minor
    ]
