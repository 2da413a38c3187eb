"""Importing bank statements from files: all of a file is read and checked before any is booked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple

import msgspec
from psycopg import Connection

from ledger.declared.store import load_declarations
from ledger.desk.yaml_spots import read_document
from ledger.errors import LedgerError
from ledger.payments.bank.files.camt import read_camt
from ledger.payments.bank.files.csv_layout import CsvLayout
from ledger.payments.bank.files.csv_lines import read_csv
from ledger.payments.bank.files.statement import BankStatement
from ledger.payments.bank.importing import Imported, Importing, import_statement
from ledger.payments.bank.matched import match_waiting


class StatementFile(NamedTuple):
    """A file to import; `layout` is that of a CSV, as YAML, and `layout_name` where it stands."""

    name: str
    content: BinaryIO
    layout: str | None = None
    layout_name: str = ""


class ImportedFiles(NamedTuple):
    """What became of each statement, and how many lines that had waited are matched by now."""

    statements: list[Imported]
    matched_later: int


def import_files(
    connection: Connection[Any], files: Sequence[StatementFile], *, by: str, at: datetime
) -> ImportedFiles:
    """Import the statements of *files*, each all or nothing, and look again at what waited.

    Raises:
        UnreadableStatementError: If one cannot be relied on; of a file that cannot be read
            nothing is booked, and of no other.
        UnfitLayoutError: If the layout of a CSV is none.
        UndeclaredAccountError: If one is of no declared bank account.
    """
    read = [statement for each in files for statement in _read(each)]
    declared = load_declarations(connection)
    importing = Importing(connection=connection, declared=declared, by=by, now=at)
    done = [import_statement(importing, each) for each in read]
    return ImportedFiles(done, match_waiting(importing))


def _read(file: StatementFile) -> list[BankStatement]:
    if file.layout is None:
        return read_camt(file.content, file.name)
    layout = parse_layout(file.layout, file.layout_name)
    return [read_csv(file.content, layout, file.name)]


def parse_layout(text: str, source: str) -> CsvLayout:
    """Return the layout that a file of YAML declares.

    Raises:
        UnfitLayoutError: If it is none.
    """
    document = read_document(text, source)
    if document.problems:
        raise UnfitLayoutError(source, str(document.problems[0]))
    try:
        layout = msgspec.convert(document.value, CsvLayout, strict=False)
    except msgspec.ValidationError as error:
        raise UnfitLayoutError(source, f"{source}: {error}") from error
    if problems := layout.problems():
        raise UnfitLayoutError(source, f"{source}: {'; '.join(problems)}")
    return layout


class UnfitLayoutError(LedgerError):
    """A file does not say how a CSV is to be read."""

    def __init__(self, source: str, why: str) -> None:
        super().__init__(why)
        self.source = source
