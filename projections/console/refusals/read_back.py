"""English texts of refusals and of problems in files, read back into what they were made of.

Use cases, and readers of files, say at once and in English what is wrong: for the command line, the
log and the interface. A page says it in its reader's language. Each text is held against the
messages of a catalogue, "there is no session {session}", and what stands in its fields, read back
itself, goes into the translation. A text that is none of them stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import Final, NamedTuple

TEXT_MAX: Final = 4_000
"""Characters of what is read back; longer is shown as it is."""
DEPTH_MAX: Final = 3
"""A refusal that says why, which says why."""
_SEVERAL: Final = "; "


class _Message(NamedTuple):
    """A message: what stands before, between and behind its fields, and its translation."""

    literals: tuple[str, ...]
    names: tuple[str, ...]
    translation: str


class ReadBack:
    """The messages of one language; immutable."""

    def __init__(self, messages: Mapping[str, str]) -> None:
        made = [_message(text, translation) for text, translation in messages.items()]
        # What says most by itself first: "{what}: {why}" would fit nearly everything.
        self._messages = sorted(made, key=lambda each: -sum(map(len, each.literals)))

    def words(self, text: str, depth: int = DEPTH_MAX) -> str:
        """Return *text* in this language, as far as its messages are known."""
        if len(text) > TEXT_MAX:
            return text
        for each in self._messages:
            values = _values(each.literals, text)
            if values is not None:
                said = values if depth == 0 else [self._value(v, depth - 1) for v in values]
                return each.translation.format(**dict(zip(each.names, said, strict=True)))
        return text

    def _value(self, text: str, depth: int) -> str:
        said = self.words(text, depth)
        if said == text and _SEVERAL in text:
            return _SEVERAL.join(self.words(part, depth) for part in text.split(_SEVERAL))
        return said


def _message(text: str, translation: str) -> _Message:
    parsed = list(Formatter().parse(text))
    literals = [before for before, _, _, _ in parsed]
    names = [name for _, name, _, _ in parsed if name is not None]
    if len(literals) == len(names):
        literals.append("")
    return _Message(tuple(literals), tuple(names), translation)


def _values(literals: tuple[str, ...], text: str) -> list[str] | None:
    """Return what stands in the fields between *literals*, None where *text* is none of it.

    Each literal is taken where it comes first: that finds a way wherever there is one, in one pass.
    """
    if len(literals) == 1:
        return [] if text == literals[0] else None
    first, *between, last = literals
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return None
    end = len(text) - len(last)
    return _fields(text, between, len(first), end)


def _fields(text: str, between: list[str], start: int, end: int) -> list[str] | None:
    values = []
    for literal in between:
        at = text.find(literal, start, end)
        if at < 0:
            return None
        values.append(text[start:at])
        start = at + len(literal)
    return [*values, text[start:end]]
