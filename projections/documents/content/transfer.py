"""How a document is paid: the sentence, the account, and the code that banks' apps scan.

Source: EPC069-12 v2.1, Quick Response Code: Guidelines to Enable the Data Capture for the
Initiation of a SEPA Credit Transfer (version 002, character set UTF-8, error level M, at most
331 bytes, amounts of 0.01 to 999999999.99).
"""

from __future__ import annotations

from datetime import date
from itertools import groupby
from typing import Final

import segno

from ledger.invoices.document import SellerDetails
from ledger.master_data.addresses import BankAccount
from projections.documents.content.sheet import Item, Transfer
from projections.documents.content.teller import Teller
from tariffs.phrases.printable import printable

_EURO: Final = "EUR"
_NAME_MAX, _BYTES_MAX, _MINOR_MAX = 70, 331, 99_999_999_999
_QUIET: Final = 4
"""Modules that a code keeps free around itself (ISO/IEC 18004)."""
_GROUP: Final = 4


def transfer(
    teller: Teller,
    seller: str,
    details: SellerDetails,
    number: str,
    owed: tuple[int, date | None],
) -> Transfer | None:
    """Return how *owed* (minor units, until when) is paid; None where there is no account."""
    bank, (due_minor, due_on) = details.bank, owed
    if bank is None or due_minor <= 0:
        return None
    text = teller.language.text
    amount, iban = teller.money(due_minor), iban_groups(bank.iban)
    if due_on is None:
        sentence = text("Please transfer {amount} to {iban}, quoting {number}.",
                        amount=amount, iban=iban, number=number)  # fmt: skip
    else:
        sentence = text("Please transfer {amount} to {iban} by {day}, quoting {number}.",
                        amount=amount, iban=iban, day=teller.language.day(due_on),
                        number=number)  # fmt: skip
    holder = bank.holder or seller
    payload = epc_text(holder, bank, number, due_minor) if teller.currency == _EURO else None
    return Transfer(
        sentence=sentence,
        items=tuple(_account(teller, holder, bank)),
        code=code_svg(payload) if payload else "",
        code_caption=text("Pay by scanning this with your bank's app") if payload else "",
    )


def iban_groups(iban: str) -> str:
    """Return an IBAN in groups of four, as it is printed (ISO 13616)."""
    plain = "".join(iban.split())
    return " ".join(plain[at : at + _GROUP] for at in range(0, len(plain), _GROUP))


def epc_text(holder: str, bank: BankAccount, number: str, due_minor: int) -> str | None:
    """Return what the code says; None where it would not be one by the guidelines."""
    lines = (
        "BCD",
        "002",
        "1",
        "SCT",
        "".join((bank.bic or "").split()),
        printable(holder)[:_NAME_MAX],
        "".join(bank.iban.split()),
        f"{_EURO}{due_minor // 100}.{due_minor % 100:02}",
        "",
        "",
        printable(number),
    )
    payload = "\n".join(lines)
    fits = 0 < due_minor <= _MINOR_MAX and len(payload.encode()) <= _BYTES_MAX
    return payload if fits else None


def code_svg(payload: str) -> str:
    """Return *payload* as a QR code in SVG: one path, a unit a module."""
    code = segno.make_qr(payload, error="m", boost_error=False, encoding="utf-8")
    rows = [list(row) for row in code.matrix]
    path = "".join(
        f"M{left} {_QUIET + y}h{length}v1h-{length}z"
        for y, row in enumerate(rows)
        for left, length in _runs(row)
    )
    size = len(rows) + 2 * _QUIET
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" role="img" '
        f'shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{size}v{size}h-{size}z"/>'
        f'<path d="{path}"/></svg>'
    )


def _runs(row: list[int]) -> list[tuple[int, int]]:
    """Return where dark modules of a row begin, and how many follow each other."""
    found, x = [], _QUIET
    for is_dark, run in groupby(row, key=bool):
        length = len(list(run))
        if is_dark:
            found.append((x, length))
        x += length
    return found


def _account(teller: Teller, holder: str, bank: BankAccount) -> list[Item]:
    text = teller.language.text
    items = [Item(text("Account holder"), holder), Item("IBAN", iban_groups(bank.iban))]
    if bank.bic:
        items.append(Item("BIC", bank.bic))
    return items
