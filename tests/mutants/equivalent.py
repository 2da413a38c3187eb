"""Mutants that change nothing that anybody could see, each with the reason."""

from __future__ import annotations

from typing import Final

_PASSWORDS: Final = {
    "is_random_key: 16 -> 17": "One hex digit is worth the same to the base of 17.",
    "is_random_key: 1 -> 2": "What is itself one digit on has one digit only: it is weak already.",
    "is_random_key: 1 -> 2 (2)": "What is itself one digit back has one digit only.",
}

EQUIVALENT: Final[dict[str, str]] = {
    f"{module}:{change}": reason
    for module, changes in {
        "ledger.declared.passwords": _PASSWORDS,
    }.items()
    for change, reason in changes.items()
}
"""By `Mutant.key`."""
