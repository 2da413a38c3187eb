"""VAT ids of the European Union, its neighbours CH, GB and NO: how they are written, check digits.

Right digits say that a number was copied right, not that anybody has it: only the register (VIES)
says that, and it is not asked here. Some countries' check digits are not computed; of their ids the
form alone is checked, and the answer says so.

    DE136695976      right
    DE 136 695 976   right: blanks, dots and hyphens are how people write it
    DE136695978      its check digit is wrong
    CZ699001237      its form is right
    US980780684      not of a country that is known here

Source: the forms of the VIES FAQ of the European Commission, question 11; check digits as
python-stdnum 2.2 has them, against which those of the Union were compared. CH (CHE-123.456.788
MWST) and NO (NO 123 456 785 MVA): the number's own check digit, modulus 11; GB: modulus 97.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

LENGTH_MAX: Final = 20
_FRENCH: Final = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_ITALIAN_OFFICES: Final = {f"{each:03}" for each in (*range(1, 101), 120, 121, 888, 999)}
_WRITTEN: Final = str.maketrans("", "", " .-/")
_ID: Final = re.compile(r"([A-Z]{2})([0-9A-Z+*]{2,18})", re.ASCII)
_ELEVEN: Final = 11
_NEWER_BRITISH: Final = 100
"""Numbers from 100 000 000 on may have check digits of a newer kind."""
_TERRITORIES: Final = {"EL": "GR", "XI": "GB"}
"""Prefixes that are not their country's two letters in ISO 3166-1."""


class VatIdCheck(StrEnum):
    """What came of the check."""

    RIGHT = "right"
    FORM_RIGHT = "form_right"
    WRONG_FORM = "wrong_form"
    WRONG_DIGITS = "wrong_digits"
    UNKNOWN_COUNTRY = "unknown_country"

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong with it as far as it was checked."""
        return self in (VatIdCheck.RIGHT, VatIdCheck.FORM_RIGHT)


def check_vat_id(text: str) -> VatIdCheck:
    """Return whether *text* is a VAT id as its country writes them. Never raises."""
    if len(text) > 2 * LENGTH_MAX:
        return VatIdCheck.WRONG_FORM
    found = _ID.fullmatch(text.translate(_WRITTEN).upper())
    if found is None:
        return VatIdCheck.WRONG_FORM
    country, number = found.groups()
    form = _FORMS.get(country)
    if form is None:
        return VatIdCheck.UNKNOWN_COUNTRY
    if not re.fullmatch(form, number, re.ASCII):
        return VatIdCheck.WRONG_FORM
    has_right_digits = _CHECKS.get(country)
    if has_right_digits is None:
        return VatIdCheck.FORM_RIGHT
    return VatIdCheck.RIGHT if has_right_digits(number) else VatIdCheck.WRONG_DIGITS


def country_of_vat_id(text: str) -> str | None:
    """Return whose VAT id *text* is, by its prefix, in ISO 3166-1 alpha-2; None: it has none."""
    found = _ID.fullmatch(text.translate(_WRITTEN).upper())
    return None if found is None else _TERRITORIES.get(found[1], found[1])


_FORMS: Final[Mapping[str, str]] = {
    "AT": "U[0-9]{8}",
    "BE": "[01]?[0-9]{9}",
    "BG": "[0-9]{9,10}",
    "CH": "E[0-9]{9}(MWST|TVA|IVA|TPV)",
    "CY": "[0-9]{8}[A-Z]",
    "CZ": "[0-9]{8,10}",
    "DE": "[1-9][0-9]{8}",
    "DK": "[1-9][0-9]{7}",
    "EE": "[0-9]{9}",
    "EL": "[0-9]{8,9}",
    "ES": "[0-9A-Z][0-9]{7}[0-9A-Z]",
    "FI": "[0-9]{8}",
    "FR": "[0-9A-HJ-NP-Z]{2}[0-9]{9}",
    "GB": "([0-9]{9}|[0-9]{12}|(GD|HA)[0-9]{3})",
    "HR": "[0-9]{11}",
    "HU": "[0-9]{8}",
    "IE": "[0-9][0-9A-Z+*][0-9]{5}[A-W][A-I]?",
    "IT": "[0-9]{11}",
    "LT": "([0-9]{9}|[0-9]{12})",
    "LU": "[0-9]{8}",
    "LV": "[0-9]{11}",
    "MT": "[1-9][0-9]{7}",
    "NL": "[0-9]{9}B(0[1-9]|[1-9][0-9])",
    "NO": "[0-9]{9}MVA",
    "PL": "[0-9]{10}",
    "PT": "[1-9][0-9]{8}",
    "RO": "[1-9]([0-9]{1,9}|[0-9]{12})",
    "SE": "[0-9]{10}01",
    "SI": "[1-9][0-9]{7}",
    "SK": "[1-9][0-9]{9}",
    "XI": "([0-9]{9}|[0-9]{12}|(GD|HA)[0-9]{3})",
}


def _weighed(number: str, weights: Sequence[int]) -> int:
    return sum(weight * int(digit) for weight, digit in zip(weights, number, strict=False))


def _is_mod_11_10(number: str) -> bool:
    """ISO 7064, MOD 11,10."""
    check = 5
    for digit in number:
        check = ((check or 10) * 2 % 11 + int(digit)) % 10
    return check == 1


def _is_luhn(number: str) -> bool:
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(number))]
    return sum(each // 10 + each % 10 for each in doubled) % 10 == 0


def _austria(number: str) -> bool:
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(number[1:8])]
    check = 6 - sum(each // 10 + each % 10 for each in doubled)
    return check % 10 == int(number[8])


def _britain(number: str) -> bool:
    # Departments of government (GD) and health authorities (HA) have no check digits.
    if not number[:2].isdigit():
        return True
    check = _weighed(number, (8, 7, 6, 5, 4, 3, 2, 10, 1)) % 97
    return check in ({0, 42, 55} if int(number[:3]) >= _NEWER_BRITISH else {0})


def _is_mod_11(number: str, weights: Sequence[int]) -> bool:
    """Whether the digit behind those that *weights* weigh is their check digit, modulus 11."""
    check = (_ELEVEN - _weighed(number, weights) % _ELEVEN) % _ELEVEN
    return str(check) == number[len(weights)]


def _greece(number: str) -> bool:
    number = number.zfill(9)
    check = _weighed(number, (256, 128, 64, 32, 16, 8, 4, 2)) % 11 % 10
    return check == int(number[8])


def _france(number: str) -> bool:
    head, siren = number[:2], number[2:]
    # Monaco's have no SIREN.
    if siren[:3] != "000" and not _is_luhn(siren):
        return False
    if head.isdigit():
        return int(siren + "12") % 97 == int(head)
    first, second = map(_FRENCH.index, head)
    check = first * 24 + second - 10 if head[0].isdigit() else first * 34 + second - 100
    return (int(siren) + 1 + check // 11) % 11 == check % 11


def _italy(number: str) -> bool:
    is_office = number[7:10] in _ITALIAN_OFFICES
    return number[:7] != "0000000" and is_office and _is_luhn(number)


def _netherlands(number: str) -> bool:
    # The older ones hold a citizen's number, the newer ones are checked as a whole.
    is_older = (_weighed(number, (9, 8, 7, 6, 5, 4, 3, 2)) - int(number[8])) % 11 == 0
    letters = "".join(str(int(each, 36)) for each in "NL" + number)
    return is_older or int(letters) % 97 == 1


def _portugal(number: str) -> bool:
    check = (11 - _weighed(number, (9, 8, 7, 6, 5, 4, 3, 2)) % 11) % 11 % 10
    return check == int(number[8])


def _slovenia(number: str) -> bool:
    check = 11 - _weighed(number, (8, 7, 6, 5, 4, 3, 2)) % 11
    return check != 11 and check % 10 == int(number[7])  # noqa: PLR2004 - a remainder of none


_CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    "AT": _austria,
    "BE": lambda number: (int(number[:-2]) + int(number[-2:])) % 97 == 0,
    "CH": lambda number: _is_mod_11(number[1:], (5, 4, 3, 2, 7, 6, 5, 4)),
    "DE": _is_mod_11_10,
    "DK": lambda number: _weighed(number, (2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0,
    "EE": lambda number: _weighed(number, (3, 7, 1) * 3) % 10 == 0,
    "EL": _greece,
    "FI": lambda number: _weighed(number, (7, 9, 10, 5, 8, 4, 2, 1)) % 11 == 0,
    "FR": _france,
    "GB": _britain,
    "HR": _is_mod_11_10,
    "HU": lambda number: _weighed(number, (9, 7, 3, 1) * 2) % 10 == 0,
    "IT": _italy,
    "LU": lambda number: int(number[:6]) % 89 == int(number[6:]),
    "MT": lambda number: _weighed(number, (3, 4, 6, 7, 8, 9, 10, 1)) % 37 == 0,
    "NL": _netherlands,
    "NO": lambda number: _is_mod_11(number, (3, 2, 7, 6, 5, 4, 3, 2)),
    "PL": lambda number: _weighed(number, (6, 5, 7, 2, 3, 4, 5, 6, 7, -1)) % 11 == 0,
    "PT": _portugal,
    "SE": lambda number: _is_luhn(number[:10]),
    "SI": _slovenia,
}
