"""Files that were cut, mixed up or changed anywhere: read, or refused by one error, never more."""

from __future__ import annotations

from io import BytesIO

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.payments.bank.files.csv_layout import CsvColumns, CsvLayout
from ledger.payments.bank.files.csv_lines import read_csv
from ledger.payments.bank.files.statement import BankStatement, UnreadableStatementError
from tests.ledger.payments.bank.bank_files import IBAN, Booked, camt_text, read

CAMT = camt_text(
    [
        Booked(12345, "one & two", "R-1"),
        Booked(-345, reference="R-2", parts=((-300, "a"), (-45, ""))),
    ]
).encode()
CSV = """Tag;Betrag;Name;Zweck;Saldo
13.11.2026;4,76;Zoë;"x;""y";4,76
14.11.2026;-1.234,50;;;-1.229,74
"""
LAYOUT = CsvLayout(
    account=IBAN,
    columns=CsvColumns(
        booked_on="Tag", amount="Betrag", payer="Name", texts=("Zweck",), balance="Saldo"
    ),
)
CHANGES = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.integers(0, 12),
        st.binary(max_size=6) | st.sampled_from([b"<", b"&#0;", b"&x;", b"\xff\xfe", b"1e9", b"-"]),
    ),
    min_size=1,
    max_size=4,
)


def changed(content: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    """Return *content* with bytes taken out and put in at some spots."""
    for where, length, put in changes:
        at = int(where * len(content))
        content = content[:at] + put + content[at + length :]
    return content


def adds_up(statement: BankStatement) -> bool:
    """Whether a statement that was read can be relied on."""
    opening, closing = statement.opening_minor or 0, statement.closing_minor or 0
    parts = all(sum(part.amount_minor for part in each.parts) == each.amount_minor
                for each in statement.entries)  # fmt: skip
    return parts and opening + statement.moved_minor == closing


@settings(max_examples=300, deadline=None)
@given(changes=CHANGES)
def test_a_camt_file_is_read_or_refused(changes: list[tuple[float, int, bytes]]) -> None:
    try:
        found = read(changed(CAMT, changes))
    except UnreadableStatementError:
        return
    assert all(adds_up(each) for each in found)


@settings(max_examples=300, deadline=None)
@given(changes=CHANGES)
def test_a_csv_file_is_read_or_refused(changes: list[tuple[float, int, bytes]]) -> None:
    try:
        found = read_csv(BytesIO(changed(CSV.encode(), changes)), LAYOUT, "march.csv")
    except UnreadableStatementError:
        return
    assert adds_up(found)
