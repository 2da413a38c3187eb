"""What the console says, in de, en and fr: its own catalogues, then those of the documents.

Each room of screens has `words/LANGUAGE.po`; English is the source and needs none. What errors say
is read back (`refusals/`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from projections.console.refusals.read_back import ReadBack
from projections.documents.languages.catalogue import messages
from projections.documents.languages.language import Language, language_of

SPOKEN: Final = ("en", "de", "fr")
ROOT: Final = Path(__file__).parent


class ConsoleWords:
    """A language of the console; immutable, to be had from `words_of`.

    `language` writes numbers, money and times as documents do.
    """

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.language: Language = language_of(tag)
        self._rooms = [messages(file.read_text("utf-8")) for file in word_files(tag)]
        self._refusals = ReadBack(refusals_of(tag))

    def text(self, message: str, /, **parameters: object) -> str:
        """Return *message*, an English text with {name} fields, in this language."""
        if not message:
            # The head of a catalogue stands under the empty message.
            return ""
        said = self._found(message)
        said = self.language.text(message) if said is None else said
        return said.format(**parameters) if parameters else said

    def told(self, text: str) -> str:
        """Return an English *text* of a use case, or of who read a file, in this language."""
        return self._refusals.words(text)

    def has(self, message: str) -> bool:
        """Say whether a catalogue of this language has *message*."""
        return self._found(message) is not None or self.language.has(message)

    def _found(self, message: str) -> str | None:
        return next((each[message] for each in self._rooms if message in each), None)


def refusals_of(tag: str) -> dict[str, str]:
    """Return the translations of what errors say, by their English messages."""
    file = ROOT / "refusals" / "words" / f"{tag}.po"
    return messages(file.read_text("utf-8")) if file.exists() else {}


def word_files(tag: str) -> Iterator[Path]:
    """Yield the catalogues of a language, one a room, the shell's first."""
    yield from sorted(ROOT.glob(f"words/{tag}.po"))
    yield from sorted(ROOT.glob(f"*/words/{tag}.po"))


@cache
def _words(tag: str) -> ConsoleWords:
    return ConsoleWords(tag)


def words_of(chosen: str, asked: str = "") -> ConsoleWords:
    """Return the words for who chose a language, or whose browser asks for some.

    Args:
        chosen: A tag, "" where none was chosen.
        asked: `Accept-Language` as it came.
    """
    tags = [chosen, *(part.partition(";")[0].strip() for part in asked.split(",", 20))]
    spoken = (tag.lower().replace("_", "-").partition("-")[0] for tag in tags)
    return _words(next((each for each in spoken if each in SPOKEN), SPOKEN[0]))
