"""What documents ask their languages for: found in the sources, and what is offered to them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.test_tidy import ROOT

ROOM: Final = ROOT / "projections" / "documents"
SAID_BY_NAME: Final = {
    "delivery/letter.py": "SUBJECTS",
    "electronic/tax_categories.py": "_EXEMPTIONS",
}
"""Files that look a message up in a table of their own, and what the table is called."""

OFFERED: Final = frozenset(
    {
        "Account holder",
        "Address",
        "Amount",
        "Amount already paid",
        "Appendix",
        "Balance",
        "Bank details",
        "Bearer of card {token}",
        "Buyer",
        "Buyer reference",
        "By cost centre",
        "By what the station told us later, this session did not take place",
        "Card",
        "Charging point",
        "Charging session",
        "Charging sessions",
        "Charging station",
        "Closing balance",
        "Company register",
        "Connector",
        "Contact",
        "Cost centre",
        "Credit",
        "Credit note",
        "Credit note for invoice {number} of {day}",
        "Credit note for invoice {number} of {day}: what follows is owed no more.",
        "Customer",
        "Customer number",
        "Date",
        "Description",
        "Document",
        "Documents",
        "Driver",
        "Due date",
        "Duration",
        "E-mail",
        "End",
        "Energy",
        "Energy since the start",
        "Exempt from VAT",
        "Export outside the EU",
        "For invoice",
        "Good day,",
        "Gross",
        "How each line came about",
        "Intra-Community supply",
        "Invoice",
        "Kind regards",
        "Line {line}",
        "Line {line} of the invoice",
        "Load curve",
        "Load curve: at most {power}",
        "Meter start",
        "Meter start and stop",
        "Meter stop",
        "Month",
        "Net",
        "No cost centre",
        "No {tax} on {amount}",
        "No.",
        "Not subject to VAT",
        "Nothing is due.",
        "Number",
        "Opening balance",
        "Order number",
        "Page {page} of {pages}",
        "Paid",
        "Paid from your prepaid balance",
        "Paid from your prepaid balance on {day}: {amount}.",
        "Pay by scanning this with your bank's app",
        "Payable by {day} without deduction.",
        "Payable on receipt.",
        "Payment",
        "Payment reference",
        "Payment terms",
        "Payments",
        "Period",
        "Phone",
        "Place",
        "Please transfer {amount} to {iban} by {day}, quoting {number}.",
        "Please transfer {amount} to {iban}, quoting {number}.",
        "Power",
        "Power over time, and the prices that applied",
        "Prepaid balance",
        "Prepayment",
        "Price",
        (
            "Quantities follow from the readings of the meter that the st"
            "ation sent. What lies between two readings is shared by time."
        ),
        "Quantity",
        "Rating",
        "Reading",
        "Readings",
        "Reason",
        "Receipt",
        "Record of the log",
        "Register",
        "Reverse charge",
        "Rounding",
        "Seller",
        "Session",
        "Sessions",
        "Signed meter data",
        "Start",
        "Statement of account",
        "Station {station}",
        "Subtotal",
        "Tariff",
        "Tax",
        "Tax amount",
        "Tax number",
        "Tax rate",
        "Taxable amount",
        "The readings are not at hand, so neither they nor a curve are shown.",
        "The station told us more about this session later",
        "There are no readings of this session.",
        "This amount is credited to you.",
        "This price applies: {when}",
        "This session should not have been billed",
        "This session was reviewed and priced again",
        "Time",
        "Total",
        "Total due",
        "Total gross",
        "Total net",
        "Unit",
        "Unit price",
        "VAT ID",
        "We give this charge back to you",
        "Why",
        "You objected to this charge",
        "Your VAT ID",
        "Your credit note {number}",
        "Your document is attached.",
        "Your document is here: {link}",
        "Your invoice {number}",
        "Your receipt {number}",
        "Your reference",
        "Your statement of account {number}",
        "before taxes",
        "charging point {evse}",
        "interpolated",
        "revision {number}",
        "taxes included",
        "{amount} are paid to you: you owe nothing.",
        "{amount} were given back to your prepaid balance.",
        "{count} values, from record {record}",
        "{shown} of {count} readings are shown.",
        "{tax} on {amount}",
        "{tax} on {amount}, owed by the buyer",
    }
)
"""What is translated and not asked for yet: for those who write further documents."""


def named(path: Path) -> str:
    return str(path.relative_to(ROOM))


def literals(path: Path) -> Iterator[str | None]:
    """Yield each message that a file asks for by `text(...)`; None where it is no literal."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if name == "text":
                said = node.args[0]
                yield str(said.value) if isinstance(said, ast.Constant) else None


def of_table(path: Path, name: str) -> Iterator[str]:
    """Yield the values of a file's table from anything to messages."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == name:
            assert isinstance(node.value, ast.Dict)
            for value in node.value.values:
                assert isinstance(value, ast.Constant)
                yield str(value.value)


FILES: Final = sorted(ROOM.rglob("*.py"))
TABLES: Final = [(ROOM / file, table) for file, table in SAID_BY_NAME.items()]
ASKED: Final = {said for path in FILES for said in literals(path) if said is not None} | {
    said for path, table in TABLES if path.exists() for said in of_table(path, table)
}
