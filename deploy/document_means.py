"""What documents are made with here: languages, fonts, and the files of pictures."""

from __future__ import annotations

from pathlib import Path

from ledger.master_data.documents.logos import PICTURE_BYTES_MAX


class InstalledMeans:
    """The languages and fonts that are installed; pictures lie beside what names them."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Return the tags of the languages that documents are in."""
        from projections.documents.languages.language import LANGUAGES  # noqa: PLC0415 - slow

        return LANGUAGES

    def unprintable(self, text: str, /) -> str | None:
        """Return the first character of *text* that no font has, None where all can be set."""
        from projections.documents.pages.fonts import unprintable  # noqa: PLC0415 - slow

        return unprintable(text)

    def picture(self, source: str, name: str, /) -> bytes:
        """Return the file *name*, looked up from the folder of *source*; of a long one a part.

        Raises:
            OSError: If it cannot be read.
        """
        with (Path(source).parent / name).open("rb") as file:
            return file.read(PICTURE_BYTES_MAX + 1)
