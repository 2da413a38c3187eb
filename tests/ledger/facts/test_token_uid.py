"""One spelling for a token."""

from __future__ import annotations

import pytest

from ledger.facts.token_uid import NO_HABITS, TokenHabits, canonical_token
from ledger.persons.holders import token_holder


@pytest.mark.parametrize(
    ("raw", "habits", "token"),
    [
        pytest.param(" F6CA0CC5 ", NO_HABITS, "f6ca0cc5", id="case and blanks around do not count"),
        pytest.param("F6 CA", NO_HABITS, "f6 ca", id="blanks inside count unless declared"),
        pytest.param("20:69-C0", TokenHabits(":-"), "2069c0", id="declared signs are left out"),
        pytest.param("UNDEFINED", NO_HABITS, None, id="a placeholder is no token"),
        pytest.param("  ", NO_HABITS, None, id="nothing is no token"),
        pytest.param(None, NO_HABITS, None, id="no token is no token"),
        pytest.param(
            "1234_SERIAL-1", TokenHabits("", "_serial"), "1234", id="nor is a declared suffix"
        ),
        pytest.param(
            "_serial", TokenHabits("", "_serial"), "_serial", id="a suffix alone is a token"
        ),
        pytest.param("12 _S", TokenHabits(" ", "_s"), "12", id="both habits"),
    ],
)
def test_canonical_token(raw: str | None, habits: TokenHabits, token: str | None) -> None:
    assert canonical_token(raw, habits) == token


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SS1234", "ß1234"),
        ("fi1234", "ﬁ1234"),
        ("K1234", "\u212a1234"),  # the sign for Kelvin
        ("\u00b51234", "\u03bc1234"),  # micro and mu
        ("S1234", "\u017f1234"),
        ("é1234", "e\u03011234"),
        ("É1234", "é1234"),
        ("A1234", "\uff211234"),
        ("1234", "01234"),
        ("a\u200b1234", "a1234"),
        ("\ud8001234", "\ud8011234"),
        ("\ud8001234", "?1234"),
    ],
    ids=ascii,
)
def test_two_tokens_are_never_one_by_what_unicode_says_of_their_letters(
    one: str, other: str
) -> None:
    first, second = token_holder(one), token_holder(other)

    assert first is not None
    assert second is not None
    assert first.name != second.name
    assert token_holder(one) == first
    assert (first.name + first.spelt).encode()


def test_letters_from_a_to_z_alone_are_one_in_either_case() -> None:
    assert canonical_token("AZaz[`{@ÄÖ") == "azaz[`{@ÄÖ"
