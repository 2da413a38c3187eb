"""The fonts' characters: read from the package's files, the same in every style that pages use."""

from __future__ import annotations

import pytest

from projections.documents.pages.fonts import characters, unprintable


@pytest.mark.parametrize(
    "text",
    [
        "Straße 1 €",
        "Ελλάδα Ωώ",
        "България ѣ",
        "Łódź",
        "İstanbul",
        "e\u0301te\u0301",
        "",
        "a\u202fb\xa0c",
    ],
)
def test_what_pages_can_set_is_printable(text: str) -> None:
    assert unprintable(text) is None


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Café 漢字", "漢"),
        ("مقهى", "م"),
        ("Laden 🔌 ok 🚗", "🔌"),
        ("שלום", "ש"),
        ("ไทย", "ไ"),
        ("a\tb", "\t"),
        ("a\u202eb", "\u202e"),
        ("a\x00", "\x00"),
    ],
)
def test_the_first_character_that_no_font_has_is_named(text: str, first: str) -> None:
    assert unprintable(text) == first


def test_the_languages_of_documents_have_all_their_letters() -> None:
    letters = "äöüßÄÖÜẞéèêëàâçîïôûùœæñÑ¿¡áíóúÁÉÍÓÚìòàèéùÈĳëïąćęłńóśźżĄĆĘŁŃÓŚŹŻåäöÅÄÖ€£„“”«»…–−·"

    assert {letter for letter in letters if ord(letter) not in characters()} == set()
