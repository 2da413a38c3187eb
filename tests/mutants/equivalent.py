"""Mutants that change nothing that anybody could see, each with the reason."""

from __future__ import annotations

from typing import Final

_PASSWORDS: Final = {
    "is_random_key: 16 -> 17": "One hex digit is worth the same to the base of 17.",
    "is_random_key: 1 -> 2": "What is itself one digit on has one digit only: it is weak already.",
    "is_random_key: 1 -> 2 (2)": "What is itself one digit back has one digit only.",
}

_BREAKDOWN: Final = {
    "tax_breakdown: True -> False": "The sum is shared out among the taxes: one share for each.",
}
_TAXES: Final = {
    "factors_of: 0 -> 1": "A spare decimal widens the denominator and changes no amount.",
    "factors_of: 0 -> 1 (2)": "A spare decimal widens the denominator and changes no amount.",
}
_QUANTITY_TAXES: Final = {
    "add_quantity_tax: 0 -> 1 (2)": "Steps are over when this line is added.",
    "add_quantity_tax: 0 -> 1 (3)": "Its amount is given: no factor is asked for.",
    "add_quantity_tax: 0 -> 1 (4)": "Its amount is given: no factor is asked for.",
    "reverse_charge: 0 -> 1 (2)": "The amounts are made by then: no factor is asked for.",
}
_TAXED_SUM: Final = {
    "taxed_sum: _after(net, taxes) > due -> _after(net, taxes) >= due": (
        "The next loop comes up again."
    ),
    "taxed_sum: 1 -> 2": "The next loop comes up again.",
    "taxed_sum: _after(net + 1, taxes) <= due -> _after(net + 1, taxes) < due": (
        "Of both nets that are compared, the upper one is exact then."
    ),
}

EQUIVALENT: Final[dict[str, str]] = {
    f"{module}:{change}": reason
    for module, changes in {
        "ledger.declared.passwords": _PASSWORDS,
        "tariffs.taxes.breakdown": _BREAKDOWN,
        "tariffs.taxes.quantity_taxes": _QUANTITY_TAXES,
        "tariffs.taxes.taxed_sum": _TAXED_SUM,
        "tariffs.taxes.taxes": _TAXES,
    }.items()
    for change, reason in changes.items()
}
"""By `Mutant.key`."""
