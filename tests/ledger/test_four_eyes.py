"""Whether what takes two persons can be done by one who writes the own name in another way."""

from __future__ import annotations

import pytest

from ledger.four_eyes import is_same_person


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        pytest.param("anna", "ANNA", True, id="case"),
        pytest.param("anna", " anna\t", True, id="outer blanks"),
        pytest.param("anna berg", "anna  berg", True, id="blanks within"),
        pytest.param("anna berg", "anna.berg", True, id="dots"),
        pytest.param("anna", "an\u200bna", True, id="a sign of no width"),
        pytest.param("anna", "anna\u00ad", True, id="a soft hyphen"),
        pytest.param("anna", "\uff41\uff4e\uff4e\uff41", True, id="letters of full width"),
        pytest.param("ren\u00e9", "rene\u0301", True, id="an accent apart"),
        pytest.param("ren\u00e9", "rene", True, id="no accent"),
        pytest.param("stra\u00dfe", "STRASSE", True, id="a sharp s"),
        pytest.param("anna", "bob", False, id="another one"),
        pytest.param("anna.b", "anna.c", False, id="another letter"),
        pytest.param("till-1", "till-2", False, id="another number"),
        pytest.param("\u6797", "\u738b", False, id="no letters of ours"),
    ],
)
def test_nobody_is_two_persons(first: str, second: str, *, is_same: bool) -> None:
    assert is_same_person(first, second) is is_same
    assert is_same_person(second, first) is is_same
