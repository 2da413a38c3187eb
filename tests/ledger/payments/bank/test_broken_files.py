"""Files that were cut, mixed up or changed anywhere: read, or refused by one error, never more."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.payments.bank.files.csv_layout import CsvColumns, CsvLayout
from ledger.payments.bank.files.csv_lines import read_csv
from ledger.payments.bank.files.statement import BankStatement, UnreadableStatementError
from ledger.payments.bank.files.xml_elements import NAMES_MAX, TAG_MAX
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


@pytest.mark.parametrize(
    ("piece", "why"),
    [
        pytest.param(b"<Document><a x='", "a tag or comment", id="an attribute"),
        pytest.param(b"<Document><!--", "a tag or comment", id="a comment"),
        pytest.param(b"<Document><?a ", "a tag or comment", id="an instruction"),
        pytest.param(b"<", "a tag or comment", id="a name"),
        pytest.param(b"<Document><a>", "a text has more", id="a text"),
        pytest.param(b"<Document><a><![CDATA[", "a text has more", id="a quoted text"),
    ],
)
def test_what_does_not_end_is_read_no_further(piece: bytes, why: str) -> None:
    with pytest.raises(UnreadableStatementError, match=why):
        read(piece + b"x" * (3 * TAG_MAX))


def test_a_long_comment_and_blanks_of_any_length_are_nothing() -> None:
    comment = b"<!--" + b"-x" * (TAG_MAX // 2 - 4) + b"-->"
    filled = CAMT.replace(b"</GrpHdr>", b"</GrpHdr>" + b" " * (3 * TAG_MAX) + comment)

    assert read(filled) == read(CAMT)


@pytest.mark.parametrize("name", ["<e{0}/>", "<e x{0}=''/>"], ids=["elements", "attributes"])
def test_of_names_there_are_only_so_many(name: str) -> None:
    def filled(count: int) -> bytes:
        return CAMT.replace(b"</GrpHdr>", "".join(map(name.format, range(count))).encode()
                            + b"</GrpHdr>")  # fmt: skip

    own = len({*re.findall(rb"<([A-Za-z]+)", CAMT), b"its attribute"}) + ("x" in name)
    assert read(filled(NAMES_MAX - own)) == read(CAMT)
    with pytest.raises(UnreadableStatementError, match="more than 2000 names"):
        read(filled(NAMES_MAX - own + 1))
