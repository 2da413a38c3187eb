"""A sheet: all that stands on a document, in its reader's words, before it is set anywhere.

The page (typst) and the screen (HTML) set the same sheet, so that both say the same. Every text is
legible (`projections.documents.content.legible`); pictures are SVG.
"""

from __future__ import annotations

import msgspec


class Item(msgspec.Struct, frozen=True):
    """A value and what it is called."""

    label: str
    value: str


class Head(msgspec.Struct, frozen=True):
    """The head of a column; figures stand at its right side."""

    text: str
    is_figure: bool = False


class Grid(msgspec.Struct, frozen=True):
    """A table: heads, rows, and a title that may be empty. `foot` sums up, or is empty."""

    title: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[str, ...], ...]
    foot: tuple[str, ...] = ()


class Heads(msgspec.Struct, frozen=True, kw_only=True):
    """The heads of the columns of lines."""

    position: str
    description: str
    quantity: str
    price: str
    tax: str
    net: str
    gross: str


class SheetLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `remarks` stand small beneath its description, `price_remark` beneath its price."""

    position: str
    description: str
    remarks: tuple[str, ...]
    quantity: str
    price: str
    price_remark: str
    tax: str
    net: str
    gross: str


class SheetSession(msgspec.Struct, frozen=True, kw_only=True):
    """One charging session: what and where, its lines, its load curve as SVG (empty: none)."""

    title: str
    amount: str
    items: tuple[Item, ...]
    lines: tuple[SheetLine, ...]
    curve: str
    curve_caption: str


class SessionAppendix(msgspec.Struct, frozen=True, kw_only=True):
    """How the lines of one session came about: its inputs, each line, the readings."""

    title: str
    items: tuple[Item, ...]
    lines: tuple[Item, ...]
    readings: Grid | None
    remarks: tuple[str, ...]


class Appendix(msgspec.Struct, frozen=True, kw_only=True):
    """The appendix of a document."""

    title: str
    opening: str
    sessions: tuple[SessionAppendix, ...]


class Total(msgspec.Struct, frozen=True):
    """A sum at the end; the one to be paid is strong."""

    label: str
    amount: str
    is_strong: bool = False


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """How to pay: a sentence, the account, and the EPC code as SVG with its caption, or empty."""

    sentence: str
    items: tuple[Item, ...]
    code: str
    code_caption: str


class PrintedSheet(msgspec.Struct, frozen=True, kw_only=True):
    """What is set of any document.

    `language` and `region` as typst takes them ("en", "US"). `page_label` has "{page}" and
    "{pages}" in it. `logo` is a data URI or empty.
    """

    language: str
    region: str
    title: str
    number: str
    seller: str
    logo: str
    sender: str
    recipient: tuple[str, ...]
    items: tuple[Item, ...]
    outcome: Item
    opening: tuple[str, ...]
    tables: tuple[Grid, ...]
    foot: tuple[tuple[str, ...], ...]
    legal_text: tuple[str, ...]
    page_label: str


class DocumentSheet(PrintedSheet, frozen=True, kw_only=True):
    """A whole invoice, credit note or receipt."""

    heads: Heads
    sessions: tuple[SheetSession, ...]
    rest: tuple[SheetLine, ...]
    totals: tuple[Total, ...]
    notes: tuple[str, ...]
    transfer: Transfer | None
    appendix: Appendix
