"""The pages of this room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from litestar import Controller

from projections.console.invoices.crediting import CreditPage
from projections.console.invoices.finding import InvoicesPage
from projections.console.invoices.journal_page import JournalEntriesPage
from projections.console.invoices.making_again import AgainPage
from projections.console.invoices.one_document import OneDocumentPage
from projections.console.invoices.one_line import LinePage

ROUTES: Final[Sequence[type[Controller]]] = (
    InvoicesPage,
    OneDocumentPage,
    LinePage,
    AgainPage,
    CreditPage,
    JournalEntriesPage,
)
