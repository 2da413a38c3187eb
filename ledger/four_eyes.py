"""Whether two names are one person's, where something takes two persons."""

from __future__ import annotations

import unicodedata


def is_same_person(one: str, other: str) -> bool:
    """Say whether two names are, but for how they are written, the same.

    Case, blanks, dots, accents, signs that nobody sees and letters of another width tell nobody
    apart: who is refused for that has a colleague who is not.
    """
    return letters_of(one) == letters_of(other)


def letters_of(name: str) -> str:
    """Return of a name what tells two people apart."""
    taken_apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    return "".join(sign for sign in taken_apart if sign.isalnum())


def reads_as_two(name: str) -> bool:
    """Say whether a name has a comma, which stands between two who did something together."""
    return "," in unicodedata.normalize("NFKC", name)
