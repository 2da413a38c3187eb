"""`wattledger partner audit|reconcile`: a partner's list, or invoice, held against our CDRs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final

from cyclopts import Parameter

from deploy.commands.closing.gathering import month_of
from deploy.commands.data_folder import PLAIN, READ_FOLDER, Limit, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from psycopg import Connection

    from deploy.settings import Settings
    from roaming_ocpi.settlement.completeness.comparing import CompletenessReport
    from roaming_ocpi.settlement.completeness.listed_cdr import ListedCdr
    from roaming_ocpi.settlement.completeness.our_list import ComparedPeriod
    from roaming_ocpi.settlement.invoices.reconciling import InvoicedCdr, InvoiceReconciliation

_SUMS: Final = {
    "issuer": "left",
    "currency": "left",
    "our CDRs": "right",
    "their CDRs": "right",
    "our kWh": "right",
    "their kWh": "right",
    "our net": "right",
    "their net": "right",
}
_DIFFERENCES: Final = {
    "issuer": "left",
    "CDR": "left",
    "what": "left",
    "our kWh": "right",
    "their kWh": "right",
    "our net": "right",
    "their net": "right",
}
_FINDINGS: Final = {
    "line": "right",
    "CDR": "left",
    "what": "left",
    "invoiced": "right",
    "our net": "right",
    "invoiced kWh": "right",
    "our kWh": "right",
    "invoiced tax": "right",
    "our tax": "right",
    "invoiced gross": "right",
}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ListFiles:
    """The lists that are written and read."""

    theirs: Path | None = None
    """The partner's list: CSV, or lines of JSON."""

    pull: Annotated[bool, Parameter(negative=())] = False
    """Ask the partner for its list (OCPI): its own CDRs alone are compared then."""

    write: Path | None = None
    """A file for our list, for the partner: .csv, else lines of JSON."""


NO_LISTS: Final = ListFiles()


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class InvoiceTotals:
    """What the invoice is about as a whole."""

    currency: str = "EUR"
    """Its currency, in ISO 4217's three letters."""

    total: Annotated[Decimal | None, PLAIN] = None
    """What it asks for before taxes."""


NO_TOTALS: Final = InvoiceTotals()


def audit(
    party: str,
    /,
    *,
    from_: Annotated[date, Parameter(name="--from")],
    to: date,
    files: ListFiles = NO_LISTS,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Compare our CDRs of a period with a partner's list: what is missing, what differs.

    Exits 1 where the two are not equal. Without the partner's list ours alone is shown, or written.

    Args:
        party: The partner, NL-TNM.
        from_: The first day, in UTC, on which sessions ended.
        to: The day after the last one.
        files: The lists.
        limit: Show at most so many differences.
        folder: Where.
    """
    from roaming_ocpi.settlement.completeness.our_list import our_list

    if to <= from_:
        message = f"a period goes from a day to a later one, not from {from_} to {to}"
        raise DeployError(message)
    if files.pull and files.theirs:
        message = "the partner's list is a file (--theirs) or asked for (--pull): one of them"
        raise DeployError(message)
    settings = folder.settings()
    with opened(settings) as connection:
        period = _period(connection, party, from_, to)
        if files.write:
            _write_list(files.write, our_list(connection, period))
        report = _compared(connection, settings, period, files, limit)
    is_compared = files.pull or files.theirs is not None
    if folder.json:
        print_json(_for_machines(report) if is_compared else {"sums": report.sums})
    else:
        _print_report(report, is_compared=is_compared)
    return 0 if report.is_equal or not is_compared else 1


def reconcile(
    party: str,
    invoice: Path | None = None,
    /,
    *,
    month: str,
    record: str | None = None,
    totals: InvoiceTotals = NO_TOTALS,
    limit: Limit = 50,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Hold a partner's invoice against the CDRs that we have of it, line by line.

    Exits 1 unless each line is as our CDRs are, none is missing, and the total is right.

    Args:
        party: The partner, NL-TNM.
        invoice: Its lines: CSV or lines of JSON with cdr_id, net, energy_kwh, currency, tax, gross.
        month: Which month it is of ("2026-03").
        record: In place of lines, the partner's reconciliation records of this invoice.
        totals: What it is about as a whole.
        limit: Show at most so many findings.
        folder: Where.
    """
    from roaming_ocpi.settlement.completeness.list_files import LineProblems, read_lines
    from roaming_ocpi.settlement.invoices.reconciling import invoice_line
    from roaming_ocpi.settlement.invoices.reconciling import reconcile as held_against

    month = month_of(month)
    if (invoice is None) == (record is None):
        message = "name the invoice's lines, as a FILE, or its --record: one of them"
        raise DeployError(message)
    problems = LineProblems()
    with opened(folder.settings()) as connection:
        invoiced = _invoiced(connection, party, month, totals)
        if invoice is not None:
            with _file(invoice) as file:
                lines = read_lines(file, invoice_line, problems)
                found = held_against(connection, invoiced, lines, problems, limit=limit)
        else:
            # Read before: the connection is busy while lines are taken in.
            named = list(enumerate(_record_lines(connection, party, record or ""), 1))
            found = held_against(connection, invoiced, named, problems, limit=limit)
    if folder.json:
        print_json({"is_right": found.is_right, **_fields(found)})
    else:
        _print_findings(found, invoiced.currency)
    return 0 if found.is_right else 1


def _compared(
    connection: Connection[Any],
    settings: Settings,
    period: ComparedPeriod,
    files: ListFiles,
    limit: int,
) -> CompletenessReport:
    import asyncio

    from deploy.commands.roaming.pulled import pull_list
    from ledger.database import dsn_of
    from roaming_ocpi.settlement.completeness.comparing import their_list
    from roaming_ocpi.settlement.completeness.list_files import LineProblems, read_lines
    from roaming_ocpi.settlement.completeness.listed_cdr import listed_cdr

    problems = LineProblems()
    if files.pull:
        period = period._replace(only=period.party)
    with their_list(connection, period) as table:
        if files.theirs:
            with _file(files.theirs) as file:
                table.take(read_lines(file, listed_cdr, problems), problems)
        if files.pull:
            since = dsn_of(connection), period.party, period.starts_at
            asyncio.run(pull_list(settings, *since, table.take, problems))
        return table.compared(problems, limit=limit)


def _period(connection: Connection[Any], party: str, from_: date, to: date) -> ComparedPeriod:
    from ledger.declared.declarations import Kind
    from ledger.declared.store import load_declarations
    from ledger.desk.settling.desk import partner_of_month
    from ledger.master_data.legal_entities import LegalEntity
    from roaming_ocpi.settlement.completeness.our_list import ComparedPeriod

    declared = load_declarations(connection)
    contract = partner_of_month(declared, party, f"{from_:%Y-%m}").legal_entity
    ours = [row.entity for row in declared.history(Kind.LEGAL_ENTITY, contract)]
    parties = [each.party for each in ours if isinstance(each, LegalEntity) and each.party]
    # Whichever of ours sold it: who has the contract is who tells it.
    issuers = dict.fromkeys(declared.keys(Kind.LEGAL_ENTITY), parties[-1]) if parties else {}
    starts, ends = (datetime.combine(day, time(), UTC) for day in (from_, to))
    return ComparedPeriod(party, starts, ends, issuers)


def _invoiced(connection: Connection[Any], party: str, month: str, totals: InvoiceTotals) -> Any:  # noqa: ANN401
    from ledger.declared.store import load_declarations
    from ledger.desk.settling.desk import month_end_with, partner_of_month
    from roaming_ocpi.settlement.invoices.reconciling import InvoicedMonth
    from tariffs.currencies import currency_exponent

    currency = totals.currency.upper()
    currency_exponent(currency)
    declared = load_declarations(connection)
    ends_at = month_end_with(declared, party, month)
    contract = partner_of_month(declared, party, month).legal_entity
    return InvoicedMonth(party, month, ends_at, currency, contract, totals.total)


def _record_lines(connection: Connection[Any], party: str, record: str) -> Iterator[InvoicedCdr]:
    from roaming_ocpi.settlement.invoices.reconciling import InvoicedCdr
    from roaming_ocpi.settlement.invoices.records import records_named

    found = records_named(connection, party, record)
    if not found:
        message = f"{party} sent no reconciliation record {record[:60]!a}, nor one of that invoice"
        raise DeployError(message)
    for each in found:
        for cdr_id in each.cdrs:
            yield InvoicedCdr(cdr_id)


def _write_list(path: Path, cdrs: Iterable[ListedCdr]) -> None:
    from roaming_ocpi.settlement.completeness.list_files import csv_list, json_list

    lines = csv_list(cdrs) if path.suffix.lower() == ".csv" else json_list(cdrs)
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
    except OSError as error:
        message = f"cannot write {path}: {error.strerror or error}"
        raise DeployError(message) from error


@contextmanager
def _file(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        message = f"cannot read {path}: {error.strerror or error}"
        raise DeployError(message) from error


def _for_machines(report: CompletenessReport) -> dict[str, Any]:
    return {"is_equal": report.is_equal, **_fields(report)}


def _fields(report: CompletenessReport | InvoiceReconciliation) -> dict[str, Any]:
    return {name: getattr(report, name) for name in report.__struct_fields__}


def _print_report(report: CompletenessReport, *, is_compared: bool) -> None:
    rows = [
        (
            each.issuer,
            each.currency,
            each.our_count,
            each.their_count if is_compared else "",
            each.our_energy_kwh,
            each.their_energy_kwh if is_compared else "",
            each.our_net,
            each.their_net if is_compared else "",
        )
        for each in report.sums
    ]
    print_rows("CDRs of the period", _SUMS, rows)
    if not is_compared:
        return
    differences = [
        (
            each.issuer,
            each.cdr_id,
            each.codes,
            *(each.our_energy_kwh, each.their_energy_kwh, each.our_net, each.their_net),
        )
        for each in report.differences
    ]
    if differences:
        print_rows("What is missing or differs", _DIFFERENCES, differences)
    for code, count in report.counts.items():
        say(f"{code.replace('_', ' ')}: {count}")
    _say_count(report.repeated, "lines of theirs repeat an id: the first of each is compared")
    _say_count(report.outside, "lines of theirs are of another period")
    _say_count(report.taxed_otherwise, "CDRs are taxed otherwise: the settlement's tax holds")
    _say_problems(report.unread, report.problems)
    say("Both sides have the same." if report.is_equal else "The two sides DIFFER.")


def _print_findings(found: InvoiceReconciliation, currency: str) -> None:
    rows = [
        (
            each.line,
            each.cdr_id,
            each.codes,
            *(each.invoiced_net, each.our_net),
            *(each.invoiced_energy_kwh, each.our_energy_kwh),
            *(each.invoiced_tax, each.our_tax, each.invoiced_gross),
        )
        for each in found.findings
    ]
    if rows:
        print_rows("What is not as our CDRs are", _FINDINGS, rows)
    for code, count in found.counts.items():
        say(f"{code.replace('_', ' ')}: {count}")
    _say_problems(found.unread, found.problems)
    say(
        f"{found.lines} lines, {found.invoiced_net:f} {currency} before taxes; "
        f"to be paid of them: {found.payable_net:f}; missing: {found.missing_net:f}"
    )
    if found.invoiced_tax is not None or found.invoiced_gross is not None:
        said = ((found.invoiced_tax, "taxes"), (found.invoiced_gross, "with them"))
        told = ", ".join(f"{name} {value:f}" for value, name in said if value is not None)
        say(f"its lines say {told}; the CDRs to be paid say taxes {found.payable_tax or 0:f}")
        _say_count(
            found.untaxed, "lines have a tax that is compared with none: their CDRs say none"
        )
    if found.is_total_right is False:
        say("The invoice's total is not what is to be paid.")
    say("The invoice is right." if found.is_right else "The invoice is NOT right.")


def _say_count(count: int, what: str) -> None:
    if count:
        say(f"{count} {what}")


def _say_problems(count: int, shown: Iterable[str]) -> None:
    for each in shown:
        say(each)
    _say_count(count, "lines cannot be read")
