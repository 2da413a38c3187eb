"""Text of strangers made safe to show: on a terminal, in a log, on a page, in a spreadsheet.

Stations, partners and their tariffs name things as they like: with escape sequences that recolour
or retitle a terminal, with line feeds that make a second, invented line of a log, with controls
that turn the direction of writing round. All of these are shown as what they are. On a page it is
no markup either, and in a spreadsheet no formula.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Final

# C0 and C1 controls, soft hyphen, marks and controls of direction (UAX #9), invisible operators,
# separators of lines, byte order mark, annotations, halves of pairs, tags. The joiners U+200C and
# U+200D stay: Persian is not to be written without.
_UNSAFE: Final = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
)
_IN_TEXT: Final = re.compile(f"[{_UNSAFE}]")
# What JSON's own rules leave as it is; its line feeds are between values.
_IN_JSON: Final = re.compile(f"[{_UNSAFE}]".replace(r"\x00-\x1f", ""))
# Blanks of HTML are between what a page says.
_ON_A_PAGE: Final = re.compile(f"[{_UNSAFE}]".replace(r"\x00-\x1f", r"\x00-\x08\x0b\x0c\x0e-\x1f"))
# Tags, whose attributes are sent back as they are, and so is what somebody edits.
_MARKUP: Final = re.compile(r"(<textarea\b[^<>]*>[^<]*</textarea>|<[^<>]*>)")

_DELETE: Final = "\x7f"
# With what a spreadsheet begins a formula; some take the wide forms, too.
_FORMULAS: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_SEEN: Final = bytes(range(0x20, 0x7F))


def printable(text: str) -> str:
    r"""Return *text* in one line, with `\n`, `\x1b` or `\u202e` for what would not be seen.

    Printable text is returned as it is; a backslash that stands in it is not doubled.
    """
    return text if text.isascii() and text.isprintable() else _IN_TEXT.sub(_escaped, text)


def printable_lines(lines: Sequence[str]) -> str:
    r"""Return *lines* as one text, each of them `printable`, so that none is two of them."""
    text = "\n".join(lines)
    # Of a text that is nothing but ASCII to be seen, the line feeds between its lines are left.
    if text.isascii() and text.encode().translate(None, _SEEN) == b"\n" * (len(lines) - 1):
        return text
    return "\n".join(map(printable, lines))


def html_text(text: str) -> str:
    """Return *text* as HTML that shows it `printable`, within an element or a quoted attribute."""
    return escape(printable(text))


def printable_page(page: str) -> str:
    r"""Return the HTML of a *page* with `\u202e` for what would not be seen of what it says.

    What stands in its tags, or in a field to be edited, stays: it comes back as it went.
    """
    if not _ON_A_PAGE.search(page):
        return page
    parts = _MARKUP.split(page)
    parts[::2] = [_ON_A_PAGE.sub(_escaped, each) for each in parts[::2]]
    return "".join(parts)


def csv_text(text: str) -> str:
    """Return *text* `printable` in a cell, after an apostrophe where it would be a formula."""
    shown = printable(text)
    # Spreadsheets trim a cell before they look at it.
    return f"'{shown}" if shown.lstrip().startswith(_FORMULAS) else shown


def printable_json(text: str) -> str:
    r"""Return a JSON *text* with `\u009b` for what a terminal would obey, and the same values."""
    if text.isascii() and _DELETE not in text:
        # JSON escapes the other controls itself.
        return text
    return _IN_JSON.sub(_escaped_in_json, text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def _escaped_in_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
