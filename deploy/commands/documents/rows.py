"""The commands of this room as data."""

from __future__ import annotations

from typing import Final

from deploy.commands.command import Command

_MODULE: Final = "deploy.commands.documents"

DOCUMENT_COMMANDS: Final = (
    Command(
        words="invoice pdf",
        function=f"{_MODULE}.files:pdf",
        summary="Write an invoice or credit note as its reader gets it: PDF/A-3, Factur-X inside.",
        examples=(
            "invoice pdf HC-2026-000001 --output invoice.pdf",
            "invoice pdf HC-2026-000001 > invoice.pdf",
        ),
    ),
    Command(
        words="invoice xml",
        function=f"{_MODULE}.files:xml",
        summary="Write the electronic invoice that is embedded in the PDF: EN 16931 as CII.",
        examples=("invoice xml HC-2026-000001 --output factur-x.xml",),
    ),
    Command(
        words="invoice ubl",
        function=f"{_MODULE}.files:ubl",
        summary="Write an invoice or credit note as UBL, EN 16931's other form.",
        examples=("invoice ubl HC-2026-000001 > invoice.xml",),
    ),
    Command(
        words="invoice html",
        function=f"{_MODULE}.files:html",
        summary="Write an invoice or credit note as a page for the screen.",
        examples=("invoice html HC-2026-000001 --output invoice.html",),
    ),
    Command(
        words="statement",
        function=f"{_MODULE}.statement:statement",
        summary="Write a customer's statement of account: PDF/A-3, its lines as CSV inside.",
        examples=(
            "statement ada --from 2026-03-01 --to 2026-04-01 --output march.pdf",
            "statement ada --from 2026-01-01 --to 2027-01-01 --html > ada.html",
        ),
    ),
    Command(
        words="documents list",
        function=f"{_MODULE}.looking_after:listed",
        summary="List issued documents: rendered or not, delivered or not, and why not.",
        examples=("documents list --open", "documents list --json"),
    ),
    Command(
        words="documents retry",
        function=f"{_MODULE}.looking_after:retry",
        summary="Have documents rendered or delivered again at once, also where nobody can tell.",
        examples=("documents retry HC-2026-000001", "documents retry --all"),
    ),
    Command(
        words="documents check",
        function=f"{_MODULE}.looking_after:check",
        summary="Render kept documents again and compare: their bytes, or what stands in them.",
        examples=("documents check HC-2026-000001", "documents check --json"),
    ),
)
