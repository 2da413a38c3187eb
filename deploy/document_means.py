"""What documents are made with here: languages, fonts, and the files of pictures."""

from __future__ import annotations

from pathlib import Path

from ledger.master_data.documents.logos import PICTURE_BYTES_MAX


class InstalledMeans:
    """The languages and fonts that are installed; pictures lie beside what names them.

    `has_files`: what is declared came in a file of this machine. What came from elsewhere names
    none: whoever sent it would have ours read, or a pipe that nobody writes to.
    """

    def __init__(self, *, has_files: bool = True) -> None:
        self._has_files = has_files

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
            OSError: If it cannot be read, or nothing came in a file.
        """
        if not self._has_files:
            message = "no file comes with this: send the picture itself, as a data URI"
            raise OSError(message)
        with (Path(source).parent / name).open("rb") as file:
            return file.read(PICTURE_BYTES_MAX + 1)
