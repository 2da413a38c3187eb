"""`wattledger numbers`: the number series of documents, and whether each is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from projections.balances.document_numbers import NumberReport, SeriesBreak

COLUMNS: Final = {
    "legal entity": "left",
    "kind": "left",
    "year": "right",
    "format": "left",
    "start": "right",
    "first": "left",
    "documents": "right",
    "last number": "right",
    "last given": "right",
    "gaps": "right",
    "days back": "right",
}


def numbers(*, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show the number series of documents, and every gap in them.

    How numbers are written and where a series starts is declared with the legal entity: a new
    format holds from the next document on, a new start from the next series that has given none.

    Exits 1 if a number is missing, was given to a document that is not booked, or lies on an
    earlier day than the one before it.

    Args:
        folder: Where.
    """
    from ledger.database import dsn_of
    from ledger.invoices.issuer import InvoiceIssuer
    from projections.balances.document_numbers import given_by, number_report

    with (
        opened(folder.settings()) as connection,
        InvoiceIssuer(dsn_of(connection)) as issuer,
    ):
        report = number_report(connection, given_by(issuer))
    if folder.json:
        print_json({"series": report.series, "breaks": report.breaks, "is_whole": report.is_whole})
    else:
        _print(report)
    return 0 if report.is_whole else 1


def _print(report: NumberReport) -> None:
    rows = [
        (
            each.legal_entity,
            each.kind.replace("_", " "),
            str(each.year),
            each.format,
            each.start,
            each.first,
            each.documents,
            each.last,
            each.given,
            each.gaps,
            each.days_back,
        )
        for each in report.series
    ]
    print_rows("Number series", COLUMNS, rows)
    say(*map(_said, report.breaks))
    for each in report.series:
        if each.format_since > each.start:
            kind = each.kind.replace("_", " ")
            say(
                f"{each.legal_entity}, {kind} of {each.year}: written as {each.format} from "
                f"{each.format_since} on, otherwise before"
            )
        if each.given != each.last:
            say(
                f"{each.legal_entity}, {each.year}: documents {each.last + 1} to {each.given} are "
                "issued and not booked; whoever issues next books them first"
            )
    if report.series:
        say("every number has its document" if report.is_whole else "the series are not whole")


def _said(each: SeriesBreak) -> str:
    if each.is_twice:
        return f"{each.number} has a number that another document has"
    if each.missing is None:
        return f"{each.number} is dated earlier than the document before it"
    first, last = each.missing
    if first == last:
        return f"number {first} is missing before {each.number}"
    return f"numbers {first} to {last} are missing before {each.number}"
