"""Importing a statement: all of its lines are booked in one transaction, or none is.

What takes time (names, sealing, finding numbers in texts) is done before; what hangs on how
documents stand is done under the lock under which documents are booked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.prepayments import Prepayment, record_prepayment
from ledger.declared.declarations import Declarations
from ledger.errors import LedgerError
from ledger.payments.bank.accounts import BankOwner, owner_of
from ledger.payments.bank.details import LineDetails, details_of, encoded
from ledger.payments.bank.document_names import DocumentNames
from ledger.payments.bank.files.statement import BankStatement, UnreadableStatementError
from ledger.payments.bank.identity import NamedEntry, named_entries, statement_digest
from ledger.payments.bank.lines import KeptLine, keep_lines, keep_waiting
from ledger.payments.bank.matching import (
    LineFacts,
    Matching,
    PrepaidRest,
    match,
    named_documents,
)
from ledger.payments.bank.overlap import new_entries
from ledger.payments.bank.standing import standing_of
from ledger.payments.batches import record_movements
from ledger.payments.movement import MoneyKind, MoneyMovement, bank_source
from ledger.payments.recording import under_the_books
from ledger.persons.holders import Holder, account_holder, payer_holder
from ledger.persons.sealing import seal
from ledger.persons.store import find_or_make

AHEAD_MAX: Final = timedelta(days=31)
_EARLIEST_YEAR: Final = 1990
_STORE: LiteralString = """
INSERT INTO bank_statement (form, account, currency, legal_entity, statement_id, page, digest,
    opening_minor, closing_minor, lines, new_lines, imported_at, imported_by)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING number
"""


class Imported(NamedTuple):
    """What became of a statement; `is_new`: it was not imported before.

    `lines` were new, `known` entries were there; of the lines `waiting` are on the work list,
    wholly or in part. `left_out`: see `BankStatement`.
    """

    account: str
    currency: str
    statement_id: str
    is_new: bool
    lines: int = 0
    known: int = 0
    waiting: int = 0
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Importing:
    """Who imports, when, and what is declared then; *connection* is outside a transaction."""

    connection: Connection[Any]
    declared: Declarations
    by: str
    now: datetime


def import_statement(importing: Importing, statement: BankStatement) -> Imported:
    """Book the lines of *statement* that are new, and match what is sure.

    Raises:
        UndeclaredAccountError: If it is of no declared bank account.
        SharedAccountError: If it is of several legal entities'.
        UnreadableStatementError: If a day in it cannot be, or nobody can tell what in it is new.
        ImportedMeanwhileError: If somebody else imported what it repeats at the same moment.
    """
    connection = importing.connection
    owner = owner_of(importing.declared, statement.account, importing.now)
    _check_days(statement, importing.now)
    holder = account_holder(bank_source(statement.account))
    key = find_or_make(connection, [holder])[holder.kind, holder.name].key
    entries = named_entries(statement, key)
    digest = statement_digest(statement, entries)
    fresh = new_entries(connection, statement, entries, digest)
    named = (statement.account, statement.currency, statement.statement_id)
    if fresh is None:
        return Imported(*named, is_new=False)
    kept = _prepared(importing, statement, owner, fresh)
    with under_the_books(connection):
        if new_entries(connection, statement, entries, digest) != fresh:
            raise ImportedMeanwhileError(statement)
        counts = (len(entries), len(fresh))
        number = _stored(importing, statement, owner, digest, counts)
        waiting = _book(importing, owner, kept, number)
    return Imported(
        *named,
        is_new=True,
        lines=len(kept),
        known=len(entries) - len(fresh),
        waiting=waiting,
        left_out=statement.left_out,
    )


def rest_prepayments(movement: MoneyMovement, rests: Sequence[PrepaidRest]) -> Sequence[Prepayment]:
    """Return the prepayments of what *movement* leaves over to balances, one a customer."""
    names = rest_references(movement, len(rests))
    return [
        Prepayment(
            legal_entity=movement.legal_entity,
            reference=name,
            customer=rest.customer,
            currency=movement.currency,
            amount_minor=rest.minor,
            received_at=movement.happened_at,
            recorded_by=movement.recorded_by,
        )
        for name, rest in zip(names, rests, strict=True)
    ]


def rest_references(movement: MoneyMovement, count: int) -> list[str]:
    """Return what the prepayments of so many customers are called that *movement* makes."""
    name = f"bank/{movement.reference}"
    return [f"{name}+{turn}" if turn else name for turn in range(count)]


def _check_days(statement: BankStatement, now: datetime) -> None:
    latest = (now + AHEAD_MAX).date()
    for entry in statement.entries:
        for day in (entry.booked_on, entry.value_on):
            if day.year < _EARLIEST_YEAR or (day > latest and day == entry.booked_on):
                why = f"an entry is of {day}, which is no day of a booking"
                raise UnreadableStatementError(statement.title, why)


def _prepared(
    importing: Importing,
    statement: BankStatement,
    owner: BankOwner,
    fresh: Sequence[NamedEntry],
) -> list[KeptLine]:
    """Return the lines of *fresh*, sealed for their payers, with the documents that they name."""
    source = bank_source(statement.account)
    names = DocumentNames(importing.declared, owner.legal_entity)
    lines = [
        (each, line, part, details_of(part, each.entry.bank_reference))
        for each in fresh
        for line, part in each.lines()
    ]
    holders = [_payer(source, details) for *_, details in lines]
    subjects = find_or_make(importing.connection, list(dict.fromkeys(holders)))
    kept = []
    for (named, line, part, details), holder in zip(lines, holders, strict=True):
        subject = subjects[holder.kind, holder.name]
        facts = LineFacts(
            amount_minor=part.amount_minor,
            currency=statement.currency,
            legal_entity=owner.legal_entity,
            booked_on=named.entry.booked_on,
            is_reversal=named.entry.is_reversal,
            payer=part.payer,
            written=part.references + part.texts,
        )
        kept.append(
            KeptLine(
                line=line,
                entry=named.name,
                source=source,
                facts=facts,
                value_on=named.entry.value_on,
                subject=subject.id,
                sealed=seal(subject, encoded(details)),
                documents=tuple(named_documents(facts.written, names)),
            )
        )
    return kept


def _payer(source: str, details: LineDetails) -> Holder:
    # What the bank itself books has no other side: its texts are all sealed for one holder.
    return payer_holder(details.payer_account, details.payer or f"nobody of {source}")


def _stored(
    importing: Importing,
    statement: BankStatement,
    owner: BankOwner,
    digest: str,
    counts: tuple[int, int],
) -> int:
    row = (
        statement.form.value,
        statement.account,
        statement.currency,
        owner.legal_entity,
        statement.statement_id,
        statement.page,
        digest,
        statement.opening_minor,
        statement.closing_minor,
        *counts,
        importing.now,
        importing.by,
    )
    [(number,)] = importing.connection.execute(_STORE, row).fetchall()
    return int(number)


def _book(importing: Importing, owner: BankOwner, kept: Sequence[KeptLine], statement: int) -> int:
    connection = importing.connection
    named = {document for line in kept for document in line.documents}
    standing = standing_of(connection, named, owner.legal_entity)
    found = [(line, match(line.facts, line.documents, standing)) for line in kept]
    booked = record_movements(
        connection,
        [_movement(importing, owner, line, matching) for line, matching in found],
        owner.calendar,
    )
    for movement, (_, matching) in zip(booked, found, strict=True):
        rests = [] if matching.prepaid is None else [matching.prepaid]
        for prepayment in rest_prepayments(movement, rests):
            record_prepayment(connection, prepayment, owner.calendar)
    keep_lines(connection, statement, kept)
    return keep_waiting(
        connection,
        (
            (line.line, matching.left_minor, matching.reason, line.facts.booked_on)
            for line, matching in found
            if matching.reason is not None
        ),
    )


def _movement(
    importing: Importing, owner: BankOwner, line: KeptLine, matching: Matching
) -> MoneyMovement:
    return MoneyMovement(
        kind=MoneyKind.BANKED,
        source=line.source,
        reference=line.line,
        legal_entity=owner.legal_entity,
        currency=line.facts.currency,
        amount_minor=line.facts.amount_minor,
        allotments=matching.allotments,
        happened_at=datetime.combine(line.facts.booked_on, time(), owner.calendar).astimezone(UTC),
        recorded_by=importing.by,
    )


class ImportedMeanwhileError(LedgerError):
    """Two people import what overlaps, at the same moment."""

    def __init__(self, statement: BankStatement) -> None:
        super().__init__(
            f"{statement.title}: somebody else imported some of it meanwhile; import it again"
        )
