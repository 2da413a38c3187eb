"""Statements by ISO 20022: camt.053 (BankToCustomerStatement) and camt.052 (...AccountReport).

Versions 02 to 13 differ in where a few things stand: each is looked for where any has it.

| what | 02 to 07 | 08 to 13 |
|---|---|---|
| status | Sts | Sts/Cd, Sts/Prtry |
| the other side's name | RltdPties/Dbtr/Nm | RltdPties/Dbtr/Pty/Nm |
| amount of a part | AmtDtls/TxAmt/Amt | Amt |

`CdtDbtInd` says which way an entry itself goes, also of one that takes another back: RvslInd true
with CRDT is money that comes, the reversal of a debit. So does one whose every detail says why it
was returned (RtrInf): a transfer that could not be credited, a direct debit that was. Source: ISO
20022, message definition report "Bank-to-Customer Cash Management", ReportEntry, EntryTransaction,
ReversalIndicator, PaymentReturnReason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import BinaryIO, Final

from ledger.payments.bank.files.amounts import minor_of
from ledger.payments.bank.files.statement import (
    LINES_MAX,
    TEXT_MAX,
    TEXTS_MAX,
    BankStatement,
    EntryPart,
    StatementEntry,
    StatementForm,
    UnreadableStatementError,
    check_balances,
)
from ledger.payments.bank.files.xml_elements import XmlElement, read_elements
from ledger.persons.card_numbers import mask_card_numbers
from tariffs.currencies import CURRENCY_EXPONENTS

_NAMESPACE: Final = re.compile(r"(?:urn:iso:std:iso:20022:tech:xsd:camt\.05[23]\.001\.\d\d)?")
_MESSAGES: Final = (
    ("BkToCstmrStmt", "Stmt", StatementForm.STATEMENT),
    ("BkToCstmrAcctRpt", "Rpt", StatementForm.REPORT),
)
_ENTRIES: Final = ("Document", "message", "statement", "Ntry")
_DAY: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T.*|Z|[+-][0-9]{2}:[0-9]{2})?", re.ASCII)
_PAGE: Final = re.compile(r"[0-9]{1,5}", re.ASCII)
_BOOKED: Final = "BOOK"
_SIGNS: Final = {"CRDT": 1, "DBIT": -1}
_NAMELESS: Final = frozenset({"", "NOTPROVIDED", "NONREF", "NOREF", "NULL", "NONE", "N/A"})
_OPENING: Final = ("OPBD", "PRCD")
_CLOSING: Final = ("CLBD",)
_INTERIM: Final = ("ITBD",)
_REFERENCES: Final = (
    ("RmtInf", "Strd", "CdtrRefInf", "Ref"),
    ("RmtInf", "Strd", "RfrdDocInf", "Nb"),
    ("Refs", "EndToEndId"),
)
_TEXTS: Final = (("RmtInf", "Ustrd"), ("RmtInf", "Strd", "AddtlRmtInf"), ("AddtlTxInf",))


def read_camt(file: BinaryIO, source: str) -> list[BankStatement]:
    """Return the statements in *file*, each of which adds up.

    Raises:
        UnreadableStatementError: If it is none of them, or anything in it cannot be relied on.
    """
    entries: dict[int, list[StatementEntry | None]] = {}
    count = 0

    def take(parent: XmlElement, element: XmlElement) -> None:
        nonlocal count
        entry = _entry(element, _currency(parent, source), source)
        entries.setdefault(id(parent), []).append(entry)
        count += 1 if entry is None else len(entry.parts)
        if count > LINES_MAX:
            why = f"it has more than {LINES_MAX} lines: split it"
            raise UnreadableStatementError(source, why)

    root, namespace = read_elements(file, source, _ENTRIES, take)
    if root.name == "Document" and _NAMESPACE.fullmatch(namespace):
        for message_name, statement_name, form in _MESSAGES:
            page = root.said(message_name, "GrpHdr", "MsgPgntn", "PgNb")
            found = [
                _statement(each, form, entries.get(id(each), []), page, source)
                for each in root.all(message_name, statement_name)
            ]
            if found:
                return found
    why = "no camt.053 (nor camt.052): ask the bank for the statement in that form"
    raise UnreadableStatementError(source, why)


def _statement(
    element: XmlElement,
    form: StatementForm,
    entries: list[StatementEntry | None],
    page: str,
    source: str,
) -> BankStatement:
    name, account = element.said("Id"), _account(element)
    if not name or not account:
        why = "a statement without its Id or its account (Acct/Id)"
        raise UnreadableStatementError(source, why)
    currency = _currency(element, source)
    kept = tuple(each for each in entries if each is not None)
    if form is StatementForm.REPORT:
        # What has no name of the bank's would be booked again with the statement.
        kept = tuple(each for each in kept if each.bank_reference)
    opening, closing = _balances(element, currency, source)
    is_report = form is StatementForm.REPORT
    pages = element.said("StmtPgntn", "PgNb") or page
    statement = BankStatement(
        form=form,
        account=account,
        currency=currency,
        statement_id=mask_card_numbers(name[:100]),
        entries=kept,
        opening_minor=None if is_report else opening,
        closing_minor=None if is_report else closing,
        page=int(pages) if _PAGE.fullmatch(pages) else 1,
        left_out=len(entries) - len(kept),
    )
    check_balances(statement)
    return statement


def _account(element: XmlElement) -> str:
    iban = "".join(element.said("Acct", "Id", "IBAN").split()).upper()
    return iban or element.said("Acct", "Id", "Othr", "Id")


def _currency(element: XmlElement, source: str) -> str:
    named = element.said("Acct", "Ccy")
    if not named:
        amount = element.first("Bal", "Amt")
        named = "" if amount is None else amount.attributes.get("Ccy", "")
    if named not in CURRENCY_EXPONENTS:
        spot = f"{source}: statement {element.said('Id')[:100]!r}"
        why = "it names no currency of ISO 4217 before its entries (Acct/Ccy, Bal/Amt)"
        raise UnreadableStatementError(spot, why)
    return named


def _balances(element: XmlElement, currency: str, source: str) -> tuple[int | None, int | None]:
    """Return the opening and the closing balance; on pages in between both are interim ones."""
    found: dict[str, list[int]] = {}
    for each in element.all("Bal"):
        code = each.said("Tp", "CdOrPrtry", "Cd")
        if code in {*_OPENING, *_CLOSING, *_INTERIM}:
            found.setdefault(code, []).append(_amount(each, currency, f"{source}: balance {code}"))
    for code in (*_OPENING, *_CLOSING):
        if len(found.get(code, [])) > 1:
            why = f"statement {element.said('Id')[:100]!r} has two balances {code}"
            raise UnreadableStatementError(source, why)
    opens = [minor for code in _OPENING for minor in found.get(code, [])]
    closes = [minor for code in _CLOSING for minor in found.get(code, [])]
    between = [minor for code in _INTERIM for minor in found.get(code, [])]
    opening = opens[0] if opens else (between.pop(0) if between else None)
    closing = closes[0] if closes else (between.pop() if between else None)
    return opening, closing


def _amount(element: XmlElement, currency: str, spot: str) -> int:
    """Return an amount with its sign; the direction is the element's own."""
    amount, sign = element.first("Amt"), _SIGNS.get(element.said("CdtDbtInd"))
    if amount is None or sign is None:
        why = "no amount (Amt), or not whether it came or went (CdtDbtInd)"
        raise UnreadableStatementError(spot, why)
    return sign * _plain_amount(amount, currency, spot)


def _plain_amount(amount: XmlElement, currency: str, spot: str) -> int:
    named = amount.attributes.get("Ccy", "")
    if named != currency:
        why = f"an amount in another currency (Ccy) than the account's, {currency}"
        raise UnreadableStatementError(spot, why)
    minor = minor_of(amount.text.strip(), currency, spot)
    if minor < 0:
        why = "an amount below 0: CdtDbtInd says which way it goes"
        raise UnreadableStatementError(spot, why)
    return minor


def _entry(element: XmlElement, currency: str, source: str) -> StatementEntry | None:
    """Return an entry; None where it moves nothing yet: pending, for information, or of 0."""
    status = element.said("Sts", "Cd") or element.said("Sts", "Prtry") or element.said("Sts")
    reference = _bank_reference(element.said("AcctSvcrRef"))
    spot = f"{source}: entry {reference or element.said('NtryRef')[:40]!r}"
    if status != _BOOKED:
        return None
    amount_minor = _amount(element, currency, spot)
    if not amount_minor:
        return None
    details = list(element.all("NtryDtls", "TxDtls"))
    if not reference and len(details) == 1:
        reference = _bank_reference(details[0].said("Refs", "AcctSvcrRef"))
    booked = element.first("BookgDt") or element.first("ValDt")
    valued = element.first("ValDt") or booked
    return StatementEntry(
        amount_minor=amount_minor,
        booked_on=_day(booked, spot),
        value_on=_day(valued, spot),
        parts=_parts(element, details, amount_minor, currency, spot),
        bank_reference=reference,
        is_reversal=element.said("RvslInd") in {"true", "1"}
        or (bool(details) and all(each.first("RtrInf") for each in details)),
    )


def _bank_reference(text: str) -> str:
    return "" if text.upper() in _NAMELESS or not text.strip("0- ") else text[:100]


def _day(element: XmlElement | None, spot: str) -> date:
    text = "" if element is None else element.said("Dt") or element.said("DtTm")
    found = _DAY.fullmatch(text)
    try:
        return date.fromisoformat(found[1] if found else "")
    except ValueError as error:
        why = "it has no day on which it was booked (BookgDt)"
        raise UnreadableStatementError(spot, why) from error


def _parts(
    entry: XmlElement, details: list[XmlElement], amount_minor: int, currency: str, spot: str
) -> tuple[EntryPart, ...]:
    """Return what an entry consists of: its details where their amounts are the entry's."""
    told = (entry.said("AddtlNtryInf"),)
    if len(details) > 1:
        sign = 1 if amount_minor > 0 else -1
        amounts = [_part_amount(each, sign, currency, spot) for each in details]
        if None not in amounts and sum(each or 0 for each in amounts) == amount_minor:
            return tuple(
                _part(minor, [each], told)
                for minor, each in zip(amounts, details, strict=True)
                if minor
            )
    return (_part(amount_minor, details, told),)


def _part_amount(element: XmlElement, sign: int, currency: str, spot: str) -> int | None:
    """Return what a detail moved; None where it does not say so in the account's currency."""
    amount = element.first("Amt") or element.first("AmtDtls", "TxAmt", "Amt")
    if amount is None or amount.attributes.get("Ccy") != currency:
        return None
    own = _SIGNS.get(element.said("CdtDbtInd"), sign)
    return own * _plain_amount(amount, currency, spot)


def _part(amount_minor: int, details: list[XmlElement], told: tuple[str, ...]) -> EntryPart:
    side = "Dbtr" if amount_minor > 0 else "Cdtr"
    return EntryPart(
        amount_minor=amount_minor,
        payer=_first(
            each.said("RltdPties", side, *way, "Nm") for each in details for way in (("Pty",), ())
        ),
        payer_account=_first(
            "".join(each.said("RltdPties", f"{side}Acct", "Id", *way).split())
            for each in details
            for way in (("IBAN",), ("Othr", "Id"))
        ),
        texts=_texts(each for detail in details for each in _said(detail, _TEXTS)) or _texts(told),
        references=_texts(
            each
            for detail in details
            for each in _said(detail, _REFERENCES)
            if each.upper() not in _NAMELESS
        ),
    )


def _said(element: XmlElement, paths: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    for path in paths:
        for each in element.all(*path):
            yield each.text.strip()


def _first(texts: Iterator[str]) -> str:
    return next((text[:TEXT_MAX] for text in texts if text), "")


def _texts(texts: Iterator[str] | tuple[str, ...]) -> tuple[str, ...]:
    kept = dict.fromkeys(text[:TEXT_MAX] for text in texts if text)
    return tuple(kept)[:TEXTS_MAX]
