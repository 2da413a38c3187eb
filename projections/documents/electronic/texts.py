"""Texts as XML carries them: one line, nothing that it forbids or that would not be seen."""

from __future__ import annotations

import re
from typing import Final

from tariffs.phrases.printable import printable

# What XML 1.0 forbids besides the controls, which are no printable text.
_NO_CHARACTERS: Final = re.compile("[\ufffe\uffff]")


def one_line(text: str | None) -> str | None:
    r"""Return *text* in one line, with `\x1b` for what would not be seen; None of an empty one."""
    words = " ".join((text or "").split())
    return _NO_CHARACTERS.sub("\ufffd", printable(words)) or None


def compact(text: str | None) -> str | None:
    """Return an id without the blanks that people write in it."""
    return one_line("".join((text or "").split()))
