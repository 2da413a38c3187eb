"""A statement of account as PDF/A-3b with its lines as CSV attached, and as HTML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from projections.documents.content.legible import legible_content
from projections.documents.pages.logo import logo_inputs
from projections.documents.pages.typesetting import typeset
from projections.documents.screen.html import screen
from projections.documents.statements.sheet import statement_content
from projections.documents.statements.statement import ShownStatement, StatementSession

LINES_FILE: Final = "lines.csv"
Sessions = Iterable[StatementSession]


def statement_pdf(
    statement: ShownStatement, sessions: Sessions, *, logo: str | None = None
) -> bytes:
    """Return the pages of *statement*, dated its last day; the same inputs, the same bytes.

    Args:
        statement: From `statement_of`.
        sessions: From `statement_sessions`.
        logo: The seller's, a data URI.

    Raises:
        UnsettableError: If the typesetter refuses it.
    """
    sheet, lines_csv = statement_content(statement, sessions, logo=logo)
    inputs = {
        "sheet": msgspec.json.encode(legible_content(sheet)).decode(),
        "csv": lines_csv,
        **logo_inputs(logo),
    }
    return typeset("statement.typ", inputs, statement.wanted.last_day)


def statement_html(
    statement: ShownStatement, sessions: Sessions, *, logo: str | None = None
) -> str:
    """Return *statement* for the screen; arguments as for `statement_pdf`."""
    sheet, _ = statement_content(statement, sessions, logo=logo)
    return screen("statement.html.j2", sheet)
