"""A phrase: a code and its parameters, as decisions keep it; a wording makes words of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec


class Phrase(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is to be said, in no language: `code` never changes its meaning.

    Exact decimals are their text, as everywhere in canonical JSON; times and units are texts, too.
    What its context says anyway (a line its element, a decision its currency) is left out, and
    given to the wording beside the phrase.
    """

    code: str
    parameters: Mapping[str, str | int | Phrase | tuple[str | int | Phrase, ...]] = {}


_TEXT_MAX: Final = 500

# What a builder is given: None and nothing at all mean that there is nothing to say.
Given = str | int | Decimal | Phrase | tuple[str | Phrase, ...] | None


def phrase(code: str, /, **parameters: Given) -> Phrase:
    """Return the phrase of *code*; what is None or empty is left out."""
    return Phrase(
        code,
        {
            name: f"{value:f}" if isinstance(value, Decimal) else value
            for name, value in parameters.items()
            if value is not None and value != ()
        },
    )


def bounded(text: str) -> str:
    """Return a stranger's *text* (an error's message) as a parameter may hold it.

    At most 500 characters, nothing that a database or UTF-8 refuses.
    """
    return text[:_TEXT_MAX].replace("\0", "").encode("utf-8", "replace").decode("utf-8")
