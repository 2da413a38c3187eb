"""Whatever our own code makes of ratings passes our own checks: they know its every rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from random import Random

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ledger.declared.declarations import Declarations
from ledger.invoices.checks.document_checks import problems_of
from ledger.invoices.document import document_of
from ledger.invoices.order import Credited, CreditedPart, InvoiceOrder, cause_of_month, order_of
from ledger.rating.decisions import CorrectionCause, SessionRated
from tariffs.model.policy import POLICIES
from tests.depot import NOON
from tests.ledger.invoices.checks.chance_month import chance_declared, chance_month

LATER = NOON + timedelta(days=60)
_WITHOUT_RATE = "tax_in_category_without"
"""Coins, and limits that leave the taxes as they are, may leave a tax that follows from no rate."""


def of_month(month: Sequence[SessionRated], known: Declarations) -> InvoiceOrder:
    cause = cause_of_month(
        legal_entity="depot", customer="fleet", currency=month[0].currency, month="2026-12"
    )
    return order_of(cause, month, known, at=LATER)


def codes(order: InvoiceOrder) -> set[str]:
    issued_on = order.date_wished()
    document = document_of(order, number="WL-2027-000001", issued_on=issued_on)
    before = order.credits.before if order.credits else ()
    return {each.code for each in problems_of(document, order.sessions, before)}


def credit_of(
    sessions: Sequence[SessionRated],
    lines: Mapping[str, Sequence[int]],
    before: Sequence[SessionRated],
    known: Declarations,
) -> InvoiceOrder | None:
    """Return the order of a note that credits these *lines* of *sessions*; None if there are no."""
    about = [each for each in sessions if lines[each.session_id]]
    if not about:
        return None
    parts = {
        each.session_id: CreditedPart(
            invoice_lines=tuple(lines[each.session_id]),
            rated_lines=tuple(lines[each.session_id]),
            replaced_by=2,
            cause=CorrectionCause.CREDIT,
        )
        for each in about
    }
    credited = Credited(
        number="WL-2027-000001", issued_on=LATER.date(), parts=parts, before=tuple(before)
    )
    return order_of("credit:1:WL-2027-000001", about, known, at=LATER, credited=credited)


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0), st.sampled_from(sorted(POLICIES)))
def test_every_invoice_and_the_notes_that_credit_it_bit_by_bit_pass(seed: int, policy: str) -> None:
    random = Random(seed)
    known = chance_declared(random, policy)
    month = chance_month(random, known)
    assume(month)
    first, second = {}, {}
    for each in month:
        lines = [line.line for line in each.lines]
        first[each.session_id] = sorted(random.sample(lines, random.randint(1, len(lines))))
        second[each.session_id] = [line for line in lines if line not in first[each.session_id]]
    invoice = of_month(month, known)
    note = credit_of(month, first, (), known)
    assert note is not None
    rest = credit_of(month, second, note.charged, known)

    found = codes(invoice) | codes(note) | (codes(rest) if rest else set())

    assert found <= (set() if policy == "wattledger" else {_WITHOUT_RATE})


@settings(max_examples=40, deadline=None)
@given(st.integers(min_value=0), st.integers(-150, 150).filter(bool))
def test_no_line_is_off_by_a_minor_unit_unseen(seed: int, minor: int) -> None:
    random = Random(seed)
    known = chance_declared(random, "wattledger")
    month = chance_month(random, known)
    assume(month)
    one = month[0]
    changed = random.randrange(len(one.lines))
    line = replace(one.lines[changed], net_minor=one.lines[changed].net_minor + minor)
    lines = (*one.lines[:changed], line, *one.lines[changed + 1 :])
    month[0] = replace(one, lines=lines, net_minor=one.net_minor + minor)

    assert codes(of_month(month, known)) & {"session_wrongly_rounded", "line_wrongly_rounded"}


@settings(max_examples=40, deadline=None)
@given(
    st.integers(min_value=0), st.integers(-150, 150).filter(bool), st.sampled_from(sorted(POLICIES))
)
def test_no_tax_is_off_by_a_minor_unit_unseen(seed: int, minor: int, policy: str) -> None:
    """All totals follow the wrong tax: nothing else of the document contradicts it."""
    random = Random(seed)
    known = chance_declared(random, policy)
    month = chance_month(random, known)
    assume(month)
    right = document_of(of_month(month, known), number="WL-1", issued_on=LATER.date())
    vat, tax = right.vat[0], right.taxes[0]
    wrong = replace(
        right,
        vat=(replace(vat, vat_minor=vat.vat_minor + minor), *right.vat[1:]),
        taxes=(replace(tax, tax_minor=tax.tax_minor + minor), *right.taxes[1:]),
        vat_minor=right.vat_minor + minor,
        gross_minor=right.gross_minor + minor,
        due_minor=right.due_minor + minor,
    )

    assert "tax_wrong" in {each.code for each in problems_of(wrong, month)}
