"""Documents in CII and UBL: the official rules accept them, and both say what was meant."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.invoices.shown import ShownInvoice
from projections.documents.electronic.cii_writer import cii
from projections.documents.electronic.electronic_invoice import ElectronicInvoice
from projections.documents.electronic.making import electronic_invoice
from projections.documents.electronic.official.validator import Validator
from projections.documents.electronic.tax_categories import is_electronic
from projections.documents.electronic.ubl_writer import ubl
from projections.documents.languages.language import LANGUAGES
from tests.projections.documents.electronic.electronic_samples import (
    Sample,
    cases,
    costs_minor,
    credit_note,
    invoiced,
    public,
    samples,
)
from tests.projections.documents.electronic.reading_cii import read_cii
from tests.projections.documents.electronic.reading_ubl import read_ubl
from tests.told import told

SAMPLES = samples()
CASES = cases()
VALIDATOR = Validator()


def adds_up(made: ElectronicInvoice, exponent: int = 2) -> bool:
    """Return whether lines, allowances, categories and totals agree to the minor unit."""
    totals, lines, taxes = made.totals, made.lines, made.taxes
    taxed = all(
        tax.taxable
        == sum(each.net for each in lines if each.category == tax.category)
        + sum(
            each.amount if each.is_charge else -each.amount
            for each in made.allowances
            if each.category == tax.category
        )
        for tax in taxes
    )
    return (
        taxed
        and all(costs_minor(e.priced, exponent) == e.net.scaleb(exponent) for e in lines)
        and all(e.priced.price >= 0 for e in lines)
        and all(e.amount > 0 for e in made.allowances)
        and totals.lines == sum(e.net for e in lines)
        and totals.net == totals.lines - totals.allowances + totals.charges
        and totals.net == sum(tax.taxable for tax in taxes)
        and totals.tax == sum(tax.tax for tax in taxes)
        and totals.gross == totals.net + totals.tax
        and totals.due == totals.gross + totals.rounding - totals.paid
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_the_official_rules_accept_each_kind_in_both_syntaxes(name: str) -> None:
    shown, paid_minor = SAMPLES[name]

    assert VALIDATOR.problems(cii(shown, paid_minor=paid_minor)) == ()
    assert VALIDATOR.problems(ubl(shown, paid_minor=paid_minor)) == ()


@pytest.mark.parametrize("name", SAMPLES)
def test_each_kind_adds_up_and_is_read_back_as_it_was_meant(name: str) -> None:
    shown, paid_minor = SAMPLES[name]

    made = electronic_invoice(shown, paid_minor=paid_minor)

    assert adds_up(made)
    assert read_cii(cii(shown, paid_minor=paid_minor)) == made
    assert read_ubl(ubl(shown, paid_minor=paid_minor)) == made
    assert made.totals.due.scaleb(2) == shown.due_minor - paid_minor


@pytest.mark.parametrize("name", [name for name, shown in CASES.items() if is_electronic(shown)])
def test_every_priced_case_makes_a_valid_document_of_what_it_costs(name: str) -> None:
    shown = CASES[name]

    made = electronic_invoice(shown)

    assert adds_up(made)
    assert made.totals.due.scaleb(2) == shown.due_minor
    assert read_cii(cii(shown)) == made == read_ubl(ubl(shown))
    assert VALIDATOR.problems(cii(shown)) == ()


def test_only_what_bears_another_tax_than_vat_or_three_decimals_has_no_electronic_form() -> None:
    unsaid = {name for name, shown in CASES.items() if not is_electronic(shown)}

    assert len(CASES) - len(unsaid) > 80
    assert unsaid == {
        name
        for name, shown in CASES.items()
        if shown.currency in {"AUD", "CAD", "INR", "JPY", "KWD", "USD"}
        or len(shown.taxes) != len(shown.vat)
    }


@pytest.mark.parametrize("tag", LANGUAGES)
def test_every_language_makes_a_valid_document(tag: str) -> None:
    shown = replace(SAMPLES["four categories"].shown, language=tag)

    assert VALIDATOR.problems(cii(shown)) == ()


told_lines = st.lists(
    st.tuples(
        st.tuples(st.integers(-999, 99_999), st.integers(-19, 19)),
        st.sampled_from(["19", "7", "20", "0", None]),
    ),
    min_size=1,
    max_size=5,
)
told_sessions = st.lists(
    st.tuples(told_lines, st.booleans(), st.sampled_from(["DE", "FR", "CY"]), st.booleans()),
    min_size=1,
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(told_sessions, st.integers(0, 5000), st.booleans())
def test_whatever_sessions_cost_is_said_exactly_and_accepted(
    sessions: list[tuple[list[tuple[tuple[int, int], str | None]], bool, str, bool]],
    paid_minor: int,
    is_credit: bool,  # noqa: FBT001 - hypothesis passes it
) -> None:
    ratings = [
        told(
            *(
                (((net, 0), "0") if reversed_ else ((net, tax if rate else 0), rate))
                for (net, tax), rate in lines
            ),
            tax_included=inside,
            country=country,
            reverse_charge_vat_id="ATU13585627" if reversed_ else None,
        )
        for lines, inside, country, reversed_ in sessions
    ]
    shown = invoiced(*ratings)
    shown = replace(shown, buyer=replace(shown.buyer, vat_id="ATU13585627"))
    shown = credit_note(shown) if is_credit else shown

    made = electronic_invoice(shown, paid_minor=paid_minor)

    assert adds_up(made)
    assert read_cii(cii(shown, paid_minor=paid_minor)) == made
    assert read_ubl(ubl(shown, paid_minor=paid_minor)) == made
    assert VALIDATOR.problems(cii(shown, paid_minor=paid_minor)) == ()


def test_the_same_document_is_the_same_bytes() -> None:
    first = {name: (cii(*each), ubl(*each)) for name, each in _given(SAMPLES)}
    again = {name: (cii(*each), ubl(*each)) for name, each in _given(samples())}

    assert first == again


def _given(found: dict[str, Sample]) -> list[tuple[str, tuple[ShownInvoice]]]:
    return [(name, (each.shown,)) for name, each in found.items()]


def test_a_month_of_five_hundred_sessions_is_one_valid_document() -> None:
    shown = invoiced(*[told(((421, 80), "19"))] * 500)

    made = electronic_invoice(shown)

    assert len(made.lines) == 500
    assert made.totals.net == Decimal("2105.00")
    assert VALIDATOR.problems(cii(public(shown))) == ()
