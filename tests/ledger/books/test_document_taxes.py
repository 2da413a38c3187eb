"""The taxes of a document: each rounded once on its sum, with its lines and its postings."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.books.accounts import entry_for, invoice_entry
from ledger.invoices.document import InvoiceDocument, TaxTotal, document_of
from ledger.invoices.order import cause_of_month, order_of
from ledger.invoices.shown import ShownInvoice, shown_invoice
from ledger.rating.decisions import Payer, PayerKind, RatedLine, SessionRated
from tariffs.phrases.phrase import phrase
from tariffs.taxes.sales_taxes import SalesTax
from tests.depot import NOON, declared
from tests.told import PLAIN, told

GST_AND_QST = (
    SalesTax(name="GST", percent=Decimal(5)),
    SalesTax(name="QST", percent=Decimal("9.975")),
)


def document(*sessions: SessionRated) -> InvoiceDocument:
    cause = cause_of_month(legal_entity="depot", customer="fleet", currency="EUR", month="2026-11")
    order = order_of(cause, numbered(sessions), declared(), at=NOON)
    return document_of(order, number="WL-2026-000001", issued_on=date(2026, 12, 1))


def shown(*sessions: SessionRated) -> ShownInvoice:
    return shown_invoice(document(*sessions), numbered(sessions))


def balances(*sessions: SessionRated) -> Counter[str]:
    """Return what stands on each account after the sessions and their invoice."""
    found: Counter[str] = Counter()
    ordered = numbered(sessions)
    entries = [*map(entry_for, ordered), invoice_entry("WL-2026-000001", NOON, "2026-11", ordered)]
    for entry in filter(None, entries):
        for posting in entry.postings:
            found[posting.account] += posting.amount_minor
    return Counter({account: amount for account, amount in found.items() if amount})


def numbered(sessions: tuple[SessionRated, ...]) -> list[SessionRated]:
    return [replace(each, session_id=f"ST-1/{n:04}") for n, each in enumerate(sessions)]


def owed(invoice: InvoiceDocument) -> tuple[int, int, int, int, int]:
    return (
        invoice.net_minor,
        invoice.vat_minor,
        invoice.gross_minor,
        invoice.rounding_minor,
        invoice.due_minor,
    )


def test_ten_small_sessions_are_taxed_once_on_their_sum() -> None:
    """0.10 on 0.30 would be 33 % (getlago/lago-api #821)."""
    month = [told(((3, 1), "20"))] * 10

    assert owed(document(*month)) == (30, 6, 36, 0, 36)
    assert balances(*month) == {"receivable:invoiced": 36, "revenue:energy": -30, "vat:DE:20": -6}


def test_the_gross_of_prices_with_taxes_stays_and_the_net_follows() -> None:
    month = [told(((3, 0), "20"), tax_included=True)] * 10

    assert owed(document(*month)) == (25, 5, 30, 0, 30)
    assert balances(*month) == {
        "receivable:invoiced": 30,
        "revenue:energy": -30,
        "vat:DE:20": -5,
        "rounding": 5,
    }


def test_where_no_net_gives_the_gross_the_amount_due_is_rounded_to_it() -> None:
    invoice = shown(told(((3, 0), "19"), tax_included=True))

    assert (invoice.net_minor, invoice.vat_minor, invoice.gross_minor) == (3, 1, 4)
    assert (invoice.rounding_minor, invoice.due_minor) == (-1, 3)
    [line, rounding] = invoice.lines
    assert (line.net_minor, line.vat_minor, line.gross_minor) == (3, 0, 3)
    assert rounding.is_rounding
    assert not line.is_rounding
    assert (rounding.line, rounding.description, rounding.rated_line) == (2, "Rounding", 0)
    assert (rounding.net_minor, rounding.vat_minor, rounding.gross_minor) == (0, 1, 0)
    assert rounding.codes == (phrase("rounded_once"),)
    assert (rounding.quantity, rounding.unit, rounding.unit_price) == (
        Decimal(1),
        "invoice",
        Decimal(0),
    )
    assert (rounding.session_id, rounding.revision, rounding.vat_percent) == ("", 0, None)


def test_prices_of_both_kinds_at_one_rate_are_one_sum() -> None:
    sessions = told(((30, 6), "20")), told(((25, 5), "20"), tax_included=True)

    assert owed(document(*sessions)) == (55, 11, 66, 0, 66)
    assert balances(*sessions)["vat:DE:20"] == -11


def test_what_a_driver_is_paid_is_taxed_on_its_sum_and_posted_the_other_way() -> None:
    month = [told(((-3, -1), "20")), told(((-4, -1), "20")), told(((5, 0), "7"))]

    assert owed(document(*month)) == (-2, -1, -3, 0, -3)
    assert balances(*month) == {
        "receivable:invoiced": -3,
        "revenue:energy": 2,
        "vat:DE:20": 1,
    }


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-30, 30), st.booleans()), min_size=1, max_size=8),
    st.sampled_from(["7", "19", "20"]),
)
def test_no_sum_below_zero_loses_a_cent(nets: list[tuple[int, bool]], rate: str) -> None:
    sessions = [told(((net, 0), rate), tax_included=inside) for net, inside in nets]
    invoice = document(*sessions)

    assert invoice.due_minor == invoice.gross_minor + invoice.rounding_minor
    assert sum(balances(*sessions).values()) == 0
    assert balances(*sessions)["receivable:invoiced"] == invoice.due_minor


def test_each_rate_of_a_document_is_a_sum_of_its_own() -> None:
    month = [told(((3, 1), "20"), ((4, 0), "10"), ((5, 0), None), ((6, 0), "0"))] * 10

    assert document(*month).taxes == (
        tax(None, 50, 0, category="O"),
        tax("0", 60, 0, category="Z"),
        tax("10", 40, 4),
        tax("20", 30, 6),
    )
    assert owed(document(*month)) == (180, 10, 190, 0, 190)


def test_two_spellings_of_a_rate_are_one_rate() -> None:
    invoice = document(told(((3, 1), "20")), told(((3, 1), "20.0")))

    assert invoice.taxes == (tax("20", 6, 1),)
    assert [each.percent for each in invoice.vat] == [Decimal(20)]


def test_what_the_buyer_owes_is_apart_from_what_is_free_of_tax() -> None:
    invoice = document(
        told(((3, 0), "0"), reverse_charge_vat_id="FR1"), told(((4, 0), "0"), tax_included=True)
    )

    assert invoice.taxes == (tax("0", 4, 0, category="Z"), tax("0", 3, 0, category="AE"))


def test_taxes_with_names_stand_each_by_its_own_and_are_owed_apart() -> None:
    month = [told(((101, 15), "14.975"), country="CA", sales_taxes=GST_AND_QST)] * 10

    assert document(*month).taxes == (
        tax("5", 1010, 51, name="GST", country="CA"),
        tax("9.975", 1010, 101, name="QST", country="CA"),
    )
    [total] = document(*month).vat
    assert (total.percent, total.net_minor, total.vat_minor) == (Decimal("14.975"), 1010, 152)
    assert balances(*month) == {
        "receivable:invoiced": 1162,
        "revenue:energy": -1010,
        "tax:CA:GST:5": -51,
        "tax:CA:QST:9.975": -101,
    }


def test_a_price_with_a_rate_of_its_own_has_none_of_the_named_taxes() -> None:
    invoice = document(told(((100, 20), "20"), country="US", sales_taxes=GST_AND_QST))

    assert invoice.taxes == (tax("20", 100, 20, name="Sales tax", country="US"),)


def test_two_countries_owe_to_each_its_own() -> None:
    sessions = told(((10, 2), "20")), told(((10, 2), "20"), country="AT")

    assert [each.country for each in document(*sessions).taxes] == ["AT", "DE"]
    assert balances(*sessions) == {
        "receivable:invoiced": 24,
        "revenue:energy": -20,
        "vat:AT:20": -2,
        "vat:DE:20": -2,
    }


def excise(net_tax: str, minor: int, *, name: str = "EV excise") -> RatedLine:
    return replace(
        PLAIN.lines[0],
        component=f"ENERGY/-/tax/{name}",
        element_name=name,
        reasons=(phrase("tax", name=name, per_kwh=Decimal("0.03"), vat=None),),
        tax=Decimal(net_tax),
        net_minor=0,
        tax_minor=minor,
        tax_percent=None,
    )


def with_line(told_session: SessionRated, line: RatedLine) -> SessionRated:
    lines = (*told_session.lines, line)
    return replace(told_session, lines=lines, tax_minor=told_session.tax_minor + line.tax_minor)


@pytest.mark.parametrize(
    ("exact", "tax_included", "minor"),
    [
        ("0.0018", False, 2),  # ten of them: 1.8 cents
        ("0.0004", False, 0),  # 0.4
        ("0.0005", False, 1),  # 0.5
        ("0.0018", True, 0),  # the gross stays what the sessions were told
    ],
)
def test_a_tax_per_kwh_is_rounded_once_as_well(
    exact: str, minor: int, *, tax_included: bool
) -> None:
    one = with_line(told(((3, 1), "20"), tax_included=tax_included), excise(exact, 0))
    month = [one] * 10

    invoice = document(*month)

    assert invoice.taxes[0] == tax(None, 0, minor, name="EV excise")
    assert -balances(*month)["tax:DE:EV excise"] == minor
    if tax_included:
        assert invoice.due_minor == 10 * one.gross_minor


@pytest.mark.parametrize(("tax_included", "minor"), [(False, 18), (True, 20)])
def test_a_tax_per_kwh_within_the_price_is_what_the_sessions_were_told(
    minor: int, *, tax_included: bool
) -> None:
    month = [with_line(told(((3, 1), "20"), tax_included=tax_included), excise("0.018", 2))] * 10

    assert document(*month).taxes[0].tax_minor == minor
    assert -balances(*month)["tax:DE:EV excise"] == minor


def test_a_tax_that_no_rate_gives_is_what_the_sessions_were_told() -> None:
    """Where a price limit or coins changed a tax and no line has its rate."""
    month = [told(((0, 3), None))] * 10

    assert document(*month).taxes == (tax(None, 0, 30, category="O"),)
    assert balances(*month) == {"receivable:invoiced": 30, "vat:DE:none": -30}


def test_taxes_of_no_rate_come_first_and_each_by_its_name() -> None:
    one = told(((5, 1), "20"), ((4, 0), "0"), ((3, 0), None))
    for name in ("road", "EV excise"):
        one = with_line(one, excise("0.01", 1, name=name))

    named = [(each.name, str(each.percent)) for each in document(one).taxes]

    assert named == [
        ("VAT", "None"), ("EV excise", "None"), ("road", "None"), ("VAT", "0"), ("VAT", "20")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("currency", "exact"), [("JPY", "0.05"), ("EUR", "0.0005"), ("KWD", "0.00005")]
)
def test_a_tax_per_kwh_is_rounded_to_the_minor_units_of_its_currency(
    currency: str, exact: str
) -> None:
    month = [replace(with_line(told(((3, 1), "20")), excise(exact, 0)), currency=currency)] * 10

    assert -balances(*month)["tax:DE:EV excise"] == 1


def test_coins_bound_what_a_document_asks_for_where_they_bound_its_sessions() -> None:
    in_coins = told(((3, 1), "20"), ((1, 0), None), policy="cash-0.05")

    assert owed(document(*[in_coins] * 10)) == (40, 6, 46, -1, 45)
    assert owed(document(*[in_coins] * 10, told(((3, 1), "20")))) == (43, 7, 50, 0, 50)
    assert owed(document(*[in_coins] * 10, told(((4, 1), "20")))) == (44, 7, 51, 0, 51)


def test_who_pays_for_another_owes_what_is_due_together() -> None:
    partner = Payer(
        kind=PayerKind.PARTNER, party="NL-TNM", customer="fleet", invoicing=PLAIN.payer.invoicing
    )
    month = [told(((3, 1), "20"))] * 5 + [told(((3, 1), "20"), payer=partner)] * 5

    assert balances(*month) == {
        "receivable:invoiced": 16,
        "receivable:partner:invoiced": 20,
        "revenue:energy": -30,
        "vat:DE:20": -6,
    }


def test_lines_that_add_up_already_need_no_rounding() -> None:
    assert not any(line.is_rounding for line in shown(told(((100, 20), "20"))).lines)


RATES = ["0", "7", "10", "19", "20", "100", None]


@st.composite
def sessions_of_a_month(draw: st.DrawFn) -> list[SessionRated]:
    """Return sessions that were told their prices as the kernel tells them: each rounded."""
    month = []
    for _ in range(draw(st.integers(1, 12))):
        lines = []
        for percent in draw(st.lists(st.sampled_from(RATES), min_size=1, max_size=3, unique=True)):
            exact = draw(st.decimals(-50, 5000, places=3))
            net = rounded(exact)
            after = rounded(exact * (100 + Decimal(percent or 0)) / 100)
            lines.append(((net, after - net), percent))
        month.append(told(*lines, tax_included=draw(st.booleans())))
    return month


@given(sessions_of_a_month())
@settings(max_examples=300, deadline=None)
def test_any_month_is_taxed_once_adds_up_and_clears_what_it_bills(
    month: list[SessionRated],
) -> None:
    invoice, books = shown(*month), balances(*month)

    for total in invoice.taxes:
        percent = total.percent or Decimal(0)
        assert total.tax_minor == rounded(total.taxable_minor * percent / 100)
    assert invoice.net_minor == sum(each.net_minor for each in invoice.vat)
    assert invoice.vat_minor == sum(each.vat_minor for each in invoice.vat)
    assert invoice.vat_minor == sum(each.tax_minor for each in invoice.taxes)
    # What is due is exact.
    gross = sum(each.gross_minor for each in month if each.tax_included)
    nets: Counter[str | None] = Counter()
    for each in month:
        for line in () if each.tax_included else each.lines:
            nets[None if line.tax_percent is None else str(line.tax_percent)] += line.net_minor
    taxes = sum(rounded(net * Decimal(percent or 0) / 100) for percent, net in nets.items())
    assert invoice.due_minor == gross + nets.total() + taxes
    # The invoice is its lines, its lines are those of its sessions, and both are its postings.
    assert invoice.gross_minor + invoice.rounding_minor == invoice.due_minor
    assert sum(line.net_minor for line in invoice.lines) == invoice.net_minor
    assert sum(line.vat_minor for line in invoice.lines) == invoice.vat_minor
    assert sum(line.gross_minor for line in invoice.lines) == invoice.due_minor
    of_sessions = [line.gross_minor for line in invoice.lines if not line.is_rounding]
    assert sum(of_sessions) == sum(each.gross_minor for each in month)
    assert books["receivable:invoiced"] == invoice.due_minor
    assert books["receivable:unbilled"] == books["expected_tax"] == 0
    assert -sum(m for name, m in books.items() if name.startswith("vat:")) == invoice.vat_minor
    # At most a unit for each session and rate.
    assert abs(books["rounding"]) <= len(of_sessions)
    if not any(each.tax_included for each in month):
        assert books["rounding"] == invoice.rounding_minor == 0


def tax(
    percent: str | None,
    taxable: int,
    minor: int,
    *,
    name: str = "VAT",
    country: str = "DE",
    category: str = "S",
) -> TaxTotal:
    return TaxTotal(
        name=name,
        country=country,
        category=category,
        percent=None if percent is None else Decimal(percent),
        taxable_minor=taxable,
        tax_minor=minor,
    )


def rounded(amount: Decimal) -> int:
    return int(amount.quantize(Decimal(1), ROUND_HALF_UP))
