"""What the official rules let pass: why documents have exact checks of their own before these.

Each defect is put into a valid document as whoever made the mistake would have: what follows from
it is changed along. `ledger.invoices.checks` refuses every one of them on the canonical content.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from projections.documents.electronic.cii_writer import cii
from projections.documents.electronic.official.validator import Validator
from tests.projections.documents.electronic.electronic_samples import SELLER, invoiced
from tests.told import told

VALID = cii(invoiced(told(((400, 76), "19"), ((100, 7), "7")))).decode()
assert SELLER.bank


class Defect(NamedTuple):
    """What is wrong, and the texts that stand for others then."""

    name: str
    changes: dict[str, str]


def amount(name: str, text: str) -> str:
    return f"<ram:{name}>{text}</ram:{name}>"


TERMS = "</ram:SpecifiedTradePaymentTerms>"
DUE, DUE_END = "<ram:DueDateDateTime>", f"</ram:DueDateDateTime>{TERMS}"
DEFECTS = [
    Defect(
        "the tax of a rate is wrong by less than 1.00",
        {
            amount("CalculatedAmount", "0.76"): amount("CalculatedAmount", "1.70"),
            'currencyID="EUR">0.83<': 'currencyID="EUR">1.77<',
            amount("GrandTotalAmount", "5.83"): amount("GrandTotalAmount", "6.77"),
            amount("DuePayableAmount", "5.83"): amount("DuePayableAmount", "6.77"),
        },
    ),
    Defect(
        "the tax of a rate is too little",
        {
            amount("CalculatedAmount", "0.76"): amount("CalculatedAmount", "0.00"),
            'currencyID="EUR">0.83<': 'currencyID="EUR">0.07<',
            amount("GrandTotalAmount", "5.83"): amount("GrandTotalAmount", "5.07"),
            amount("DuePayableAmount", "5.83"): amount("DuePayableAmount", "5.07"),
        },
    ),
    Defect(
        "quantity x price is not the line",
        {amount("ChargeAmount", "0.40"): amount("ChargeAmount", "0.80")},
    ),
    Defect("the quantity is another one", {'unitCode="KWH">10<': 'unitCode="KWH">1000<'}),
    Defect("a line counts in another unit", {'unitCode="KWH">10<': 'unitCode="KGM">10<'}),
    Defect("a line counts in no unit at all", {'unitCode="KWH"': 'unitCode="XYZ"'}),
    Defect("the seller's VAT id has wrong check digits", {"DE136695976": "DE136695970"}),
    Defect("the seller's VAT id is no number", {"DE136695976": "DE"}),
    Defect("the IBAN has wrong check digits", {"DE02120300000000202051": "DE99120300000000202051"}),
    Defect("the IBAN is no IBAN", {"DE02120300000000202051": "to be told"}),
    Defect("the BIC is no BIC", {"BYLADEM1001": "?"}),
    Defect(
        "a rate that no country has",
        {
            amount("RateApplicablePercent", "19"): amount("RateApplicablePercent", "18.9"),
        },
    ),
    Defect(
        "it is due before it is issued",
        {TERMS: f'{DUE}<udt:DateTimeString format="102">20010101</udt:DateTimeString>{DUE_END}'},
    ),
    Defect(
        "any amount is rounded off",
        {
            "<ram:GrandTotalAmount>": amount("RoundingAmount", "-5.00") + "<ram:GrandTotalAmount>",
            amount("DuePayableAmount", "5.83"): amount("DuePayableAmount", "0.83"),
        },
    ),
]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_the_official_rules_accept_a_document_in_which(defect: Defect) -> None:
    wrong = VALID
    for right, changed in defect.changes.items():
        assert right in wrong, right
        wrong = wrong.replace(right, changed)

    assert wrong != VALID
    assert Validator().problems(wrong.encode()) == ()


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        (amount("GrandTotalAmount", "5.83"), amount("GrandTotalAmount", "5.84"), "BR-CO-15"),
        (amount("LineTotalAmount", "5.00"), amount("LineTotalAmount", "5.01"), "BR-CO-10"),
        (amount("CalculatedAmount", "0.76"), amount("CalculatedAmount", "1.77"), "BR-CO-17"),
        (amount("ChargeAmount", "0.40"), amount("ChargeAmount", "-0.40"), "BR-27"),
        (amount("CategoryCode", "S"), amount("CategoryCode", "Z"), "BR-Z-05"),
    ],
)
def test_and_refuse_what_they_know(right: str, wrong: str, rule: str) -> None:
    assert right in VALID

    found = Validator().problems(VALID.replace(right, wrong).encode())

    assert rule in {each.rule for each in found}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (amount("InvoiceCurrencyCode", "EUR"), amount("InvoiceCurrencyCode", "EUX")),
        (amount("CountryID", "DE"), amount("CountryID", "ZZ")),
        ('<ram:URIID schemeID="EM">', '<ram:URIID schemeID="XX">'),
        (amount("TypeCode", "58"), amount("TypeCode", "99")),
    ],
)
def test_and_a_code_that_is_in_no_list(right: str, wrong: str) -> None:
    assert right in VALID

    assert Validator().problems(VALID.replace(right, wrong).encode()) != ()
