"""What whoever declares master data knows of documents: the port to what makes and reads them."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class DocumentMeans(Protocol):
    """In which languages documents are made, which characters they can set, and pictures' files."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Return the tags (BCP 47) of the languages that documents are in."""

    def unprintable(self, text: str, /) -> str | None:
        """Return the first character of *text* that no font has, None where all can be set."""

    def picture(self, source: str, name: str, /) -> bytes:
        """Return the file that a declaration in the file *source* calls *name*.

        Raises:
            OSError: If it cannot be read.
        """


Spot = tuple[str, ...]
"""Where in what is declared of one thing: names, from the outer one on."""


class DocumentFinding(NamedTuple):
    """What is wrong for documents with what is declared; a warning is no reason to refuse it."""

    spot: Spot
    message: str
    is_warning: bool = False
