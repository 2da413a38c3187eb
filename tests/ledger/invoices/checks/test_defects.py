"""Each defect that the official rules of EN 16931 accept, and ours refuse: exact, no tolerance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from ledger.declared.declarations import BEGINNING, Declarations, Kind
from ledger.invoices.checks.document_checks import problems_of
from ledger.invoices.checks.refusal import DocumentRefusedError
from ledger.invoices.document import InvoiceDocument, Party, document_of
from ledger.invoices.order import Credited, CreditedPart, InvoiceOrder, cause_of_month, order_of
from ledger.invoices.shown import UNITS
from ledger.master_data.addresses import Address, BankAccount
from ledger.master_data.customers import Customer, Invoicing
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.tariff_versions import published
from ledger.rating.decisions import CorrectionCause, RatedLine, SessionRated
from tariffs.model.tariff import Dimension
from tests.depot import NOON, THINGS, component, declared, rated, session, tariff

DAY = date(2026, 12, 1)
MONTH = cause_of_month(legal_entity="depot", customer="fleet", currency="EUR", month="2026-11")
Change = Callable[[InvoiceDocument], InvoiceDocument]


def known(**customer: object) -> Declarations:
    """Return the depot with prices at 19 %, 7 % and 0 %, and a seller who says all of itself."""
    seller = THINGS[(Kind.LEGAL_ENTITY, "depot")]
    assert isinstance(seller, LegalEntity)
    bank = BankAccount(iban="DE89 3704 0044 0532 0130 00", bic="COBADEFFXXX")
    prices = tariff(
        "energy",
        component(Dimension.FLAT, "1.005", Decimal(7)),
        component(Dimension.ENERGY, "0.391"),
        component(Dimension.PARKING_TIME, "1.10", Decimal(0)),
    )
    fleet = Customer(
        details="Fleet AG", invoicing=Invoicing.PER_MONTH, vat_id="FR61954506077", payment_days=14
    )
    return declared(
        (Kind.LEGAL_ENTITY, "depot", replace(seller, bank=bank), BEGINNING),
        (Kind.CUSTOMER, "fleet", replace(fleet, **customer), BEGINNING),
        (Kind.TARIFF, "energy", published(prices), BEGINNING),
    )


def month(declarations: Declarations) -> list[SessionRated]:
    return [
        rated(
            session(number, token_uid="fleet-1", energy_wh="7293", parked_minutes=20), declarations
        )
        for number in (1, 2, 3)
    ]


DECLARED = known()
RATINGS = month(DECLARED)


def order(*ratings: SessionRated, credited: Credited | None = None) -> InvoiceOrder:
    return order_of(MONTH, ratings or RATINGS, DECLARED, at=NOON, credited=credited)


def document(made: InvoiceOrder) -> InvoiceDocument:
    return document_of(made, number="WL-2026-000007", issued_on=DAY)


def codes(wrong: InvoiceDocument, *ratings: SessionRated) -> set[str]:
    found = problems_of(wrong, ratings or RATINGS)
    # Each has its words.
    assert all(str(DocumentRefusedError([each])) != each.code for each in found)
    return {each.code for each in found}


def taxed(cents: int, *, at: int = 2) -> Change:
    """Return a change of one tax, with every total that follows from it."""

    def change(right: InvoiceDocument) -> InvoiceDocument:
        vat, taxes = list(right.vat), list(right.taxes)
        vat[at] = replace(vat[at], vat_minor=vat[at].vat_minor + cents)
        taxes[at] = replace(taxes[at], tax_minor=taxes[at].tax_minor + cents)
        return replace(
            right,
            vat=tuple(vat),
            taxes=tuple(taxes),
            vat_minor=right.vat_minor + cents,
            gross_minor=right.gross_minor + cents,
            due_minor=right.due_minor + cents,
        )

    return change


def of_tax(at: int, **changed: object) -> Change:
    def change(right: InvoiceDocument) -> InvoiceDocument:
        taxes = list(right.taxes)
        taxes[at] = replace(taxes[at], **changed)
        return replace(right, taxes=tuple(taxes))

    return change


def net_of_rate(cents: int) -> Change:
    """Return a change of what a rate is on, where its tax stays as it was rounded."""

    def change(right: InvoiceDocument) -> InvoiceDocument:
        vat, taxes = list(right.vat), list(right.taxes)
        vat[0] = replace(vat[0], net_minor=vat[0].net_minor + cents)
        taxes[0] = replace(taxes[0], taxable_minor=taxes[0].taxable_minor + cents)
        return replace(
            right,
            vat=tuple(vat),
            taxes=tuple(taxes),
            net_minor=right.net_minor + cents,
            gross_minor=right.gross_minor + cents,
            due_minor=right.due_minor + cents,
        )

    return change


def saying(**changed: object) -> Change:
    return lambda right: replace(right, **changed)


def seller(**changed: object) -> Change:
    return lambda right: replace(right, seller=replace(right.seller, **changed))


def bank(**changed: object) -> Change:
    def change(right: InvoiceDocument) -> InvoiceDocument:
        details = right.seller_details
        assert details is not None
        assert details.bank is not None
        return replace(
            right, seller_details=replace(details, bank=replace(details.bank, **changed))
        )

    return change


def total(name: str, cents: int, *more: str) -> Change:
    return lambda right: replace(
        right, **{each: getattr(right, each) + cents for each in (name, *more)}
    )


def test_the_document_that_is_broken_below_is_right() -> None:
    right = document(order())

    assert codes(right) == set()
    assert [each.category for each in right.taxes] == ["Z", "S", "S"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(taxed(1), "tax_wrong", id="a tax is a cent too high"),
        pytest.param(taxed(-1, at=1), "tax_wrong", id="a tax is a cent too low"),
        pytest.param(taxed(100), "tax_wrong", id="a tax is wrong by 1.00"),
        pytest.param(net_of_rate(1), "net_of_rate_wrong", id="a line sum is not its rate's net"),
        pytest.param(of_tax(2, taxable_minor=1), "taxable_sum_wrong", id="taxed on another sum"),
        pytest.param(of_tax(2, category="Z"), "category_wrong", id="19 % is not zero rated"),
        pytest.param(of_tax(0, category="S"), "category_wrong", id="0 % is not the standard rate"),
        pytest.param(of_tax(0, category="E"), "category_wrong", id="0 % is exempt of nothing"),
        pytest.param(of_tax(2, category="X"), "category_unknown", id="no category at all"),
        pytest.param(of_tax(1, percent=Decimal(8)), "taxes_not_of_lines", id="another rate"),
        pytest.param(
            total("net_minor", 1, "gross_minor", "due_minor"), "net_total_wrong", id="net"
        ),
        pytest.param(
            total("vat_minor", 1, "gross_minor", "due_minor"), "tax_total_wrong", id="tax"
        ),
        pytest.param(total("gross_minor", 1, "due_minor"), "gross_total_wrong", id="net and tax"),
        pytest.param(total("due_minor", 1), "due_wrong", id="what is due is not the total"),
        pytest.param(
            total("rounding_minor", 1, "due_minor"),
            "rounding_without_reason",
            id="unnamed rounding",
        ),
        pytest.param(seller(vat_id="DE136695978"), "vat_id_digits_wrong", id="seller's VAT id"),
        pytest.param(seller(vat_id="DE13669597"), "vat_id_form_wrong", id="a digit short"),
        pytest.param(seller(address=Address()), "seller_without_country", id="seller of nowhere"),
        pytest.param(seller(name=" "), "seller_without_name", id="seller without name"),
        pytest.param(
            saying(buyer=Party(name="fleet", vat_id="FR61954506078")),
            "vat_id_digits_wrong",
            id="buyer's VAT id",
        ),
        pytest.param(bank(iban="DE89370400440532013001"), "iban_wrong", id="a digit of the IBAN"),
        pytest.param(bank(iban="GB82WEST1234569876543"), "iban_wrong", id="a digit short"),
        pytest.param(bank(bic="COBADEFF1"), "bic_wrong", id="a BIC of nine letters"),
        pytest.param(saying(due_on=DAY - timedelta(days=1)), "due_before_issue", id="due before"),
        pytest.param(saying(number=""), "number_missing", id="without a number"),
        pytest.param(saying(type_code=381), "type_wrong", id="a credit note of nothing"),
        pytest.param(
            saying(currency_exponent=0), "currency_digits_wrong", id="euros without cents"
        ),
        pytest.param(saying(currency="XBT"), "currency_unknown", id="no currency"),
        pytest.param(saying(currency="JPY"), "currency_digits_wrong", id="yen with two decimals"),
        pytest.param(saying(currency="BHD"), "currency_digits_wrong", id="dinars with two"),
        pytest.param(saying(currency="USD"), "currency_of_session_other", id="another currency"),
        pytest.param(saying(sessions=()), "sessions_missing", id="about nothing"),
    ],
)
def test_a_defect_of_the_document_is_found_alone(change: Change, code: str) -> None:
    assert code in codes(change(document(order())))


def changed(**fields: object) -> SessionRated:
    """Return the first rating with another energy line, and sums that follow."""
    one = RATINGS[0]
    lines = tuple(
        replace(line, **fields) if line.dimension is Dimension.ENERGY else line
        for line in one.lines
    )
    return with_lines(one, *lines)


def with_lines(one: SessionRated, *lines: RatedLine) -> SessionRated:
    return replace(
        one,
        lines=lines,
        net_minor=sum(line.net_minor for line in lines),
        tax_minor=sum(line.tax_minor for line in lines),
    )


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        pytest.param(changed(net_minor=287), "line_wrongly_rounded", id="a line a cent too dear"),
        pytest.param(
            changed(billed_volume=Decimal("7.294")), "line_not_quantity_times_price", id="kWh"
        ),
        pytest.param(
            changed(unit_price=Decimal("0.39")), "line_not_quantity_times_price", id="price"
        ),
        pytest.param(changed(net=Decimal("2.86")), "line_not_quantity_times_price", id="amount"),
        pytest.param(changed(tax=Decimal("0.54")), "line_not_quantity_times_price", id="tax"),
        pytest.param(changed(dimension="WEEK"), "unit_unknown", id="a unit that is none"),
        pytest.param(
            replace(RATINGS[0], net_minor=RATINGS[0].net_minor + 1),
            "session_not_of_lines",
            id="sum",
        ),
        pytest.param(
            with_lines(RATINGS[0], *RATINGS[0].lines, RATINGS[0].lines[0]), "line_twice", id="twice"
        ),
        pytest.param(changed(tax_minor=99), "session_wrongly_rounded", id="a tax that is not its"),
    ],
)
def test_a_defect_of_a_rating_is_found(broken: SessionRated, code: str) -> None:
    ratings = (broken, *RATINGS[1:])

    assert code in codes(document(order(*ratings)), *ratings)


def test_a_sales_tax_without_vat_needs_no_id_of_the_seller() -> None:
    abroad = [replace(each, country="US") for each in RATINGS]
    right = document(order(*abroad))

    assert codes(seller(vat_id=None)(right), *abroad) == set()


def test_another_rating_than_the_one_that_it_names_is_found() -> None:
    others = (replace(RATINGS[0], flags=("other",)), *RATINGS[1:])

    assert codes(document(order()), *others) == {"rating_other"}


def test_a_session_that_stands_there_twice_is_found() -> None:
    twice = (RATINGS[0], RATINGS[0], RATINGS[1])

    assert "session_twice" in codes(document(order(*twice)), *twice)


def test_what_a_session_comes_to_is_held_against_its_lines() -> None:
    right = document(order())
    one = replace(right.sessions[0], gross_minor=right.sessions[0].gross_minor + 1)

    assert codes(replace(right, sessions=(one, *right.sessions[1:]))) == {"session_sum_wrong"}


def test_a_unit_without_a_code_of_its_own_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UNITS, Dimension.ENERGY, "MWh")

    assert codes(document(order())) == {"unit_unknown"}


def test_who_owes_the_tax_is_named_by_a_vat_id_and_told_so() -> None:
    owing = known(reverse_charge=True)
    ratings = month(owing)
    right = document_of(
        order_of(MONTH, ratings, owing, at=NOON), number="WL-2026-000007", issued_on=DAY
    )
    assert right.buyer is not None

    assert {each.category for each in right.taxes} == {"AE"}
    assert codes(right, *ratings) == set()
    for wrong, code in (
        (
            replace(right, buyer=replace(right.buyer, vat_id=None)),
            "reverse_charge_without_buyer_vat_id",
        ),
        (replace(right, buyer=None), "reverse_charge_without_buyer_vat_id"),
        (seller(vat_id=None)(right), "reverse_charge_without_seller_vat_id"),
        (replace(right, notes=()), "reverse_charge_not_said"),
        (of_tax(0, category="S")(right), "category_wrong"),
        (taxed(1, at=0)(right), "tax_in_category_without"),
    ):
        assert code in codes(wrong, *ratings), code


def part(*lines: int, on_invoice: tuple[int, ...] | None = None) -> CreditedPart:
    return CreditedPart(
        invoice_lines=on_invoice or lines,
        rated_lines=lines,
        replaced_by=2,
        cause=CorrectionCause.CREDIT,
    )


def crediting(*lines: int, before: tuple[SessionRated, ...] = ()) -> InvoiceOrder:
    one = RATINGS[0]
    return order(
        one,
        credited=Credited(
            number="WL-2026-000001",
            issued_on=DAY,
            parts={one.session_id: part(*lines)},
            before=before,
        ),
    )


def test_the_tax_of_a_credit_note_is_that_of_all_credited_so_far_less_what_was() -> None:
    """Fees of 1.01 at 7 %, each note for one: 0.07, 0.07, 0.07 ... of which the whole is 0.21."""
    fee = 1
    earlier = tuple(
        with_lines(each, *(line for line in each.lines if line.line == fee)) for each in RATINGS[1:]
    )
    made = crediting(fee, before=earlier)
    right = document(made)

    def found(note: InvoiceDocument) -> set[str]:
        return {each.code for each in problems_of(note, made.sessions, earlier)}

    assert found(right) == set()
    for cents in (1, -1):
        assert found(taxed(cents, at=0)(right)) == {"tax_wrong"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(saying(credits=None), "type_wrong", id="of no invoice"),
        pytest.param(saying(type_code=380), "type_wrong", id="called an invoice"),
        pytest.param(
            saying(issued_on=DAY - timedelta(days=1)), "credit_before_invoice", id="early"
        ),
    ],
)
def test_a_credit_note_is_of_an_invoice_before_it(change: Change, code: str) -> None:
    made = crediting(1, 2, 3)

    assert codes(document(made), *made.sessions) == set()
    assert code in codes(change(document(made)), *made.sessions)


def test_no_line_is_credited_twice_nor_one_that_there_is_not() -> None:
    one = RATINGS[0]
    before = (with_lines(one, one.lines[0]),)
    made = crediting(1, before=before)
    again = {each.code for each in problems_of(document(made), made.sessions, before)}

    def with_part(credited: CreditedPart) -> set[str]:
        right = document(crediting(1))
        [session_] = right.sessions
        return codes(replace(right, sessions=(replace(session_, credited=credited),)), one)

    assert "credited_twice" in again
    assert with_part(part(9)) == {"credited_line_unknown"}
    assert with_part(part(1, 1)) == {"credited_line_unknown"}
    assert with_part(part(1, on_invoice=(1, 2))) == {"session_sum_wrong"}
