"""Names of a bank's lines: the same line has the same one, in whatever file it comes.

Where the bank names an entry, that name does it, with the day and the amount (some banks give a
reversal the name of what it takes back). Elsewhere what it says is hashed, keyed with a random key
of the account: who sees the hash of a payment cannot try who it was. What is equal in one statement
is told apart by its turn in it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ledger.payments.bank.files.statement import BankStatement, EntryPart, StatementEntry
from tariffs.model.canonical import canonical_json

_CHARACTERS: Final = 16


class NamedEntry(NamedTuple):
    """An entry with its name; `is_sure`: it is the bank's own, or bears the account's balance."""

    name: str
    entry: StatementEntry
    is_sure: bool

    def lines(self) -> Iterator[tuple[str, EntryPart]]:
        """Yield the name of each of its parts, and the part."""
        parts = self.entry.parts
        if len(parts) == 1:
            yield self.name, parts[0]
            return
        for turn, part in enumerate(parts, 1):
            yield f"{self.name}.{turn}", part


def named_entries(statement: BankStatement, key: bytes) -> list[NamedEntry]:
    """Return the entries of *statement* with their names; *key* is the account's."""
    turns = Counter[str]()
    named = []
    for entry in statement.entries:
        digest, is_sure = _digest(statement, entry, key)
        turns[digest] += 1
        named.append(NamedEntry(_name(entry, digest, turns[digest]), entry, is_sure))
    return named


def apart(entries: Sequence[NamedEntry], digest: str) -> list[NamedEntry]:
    """Return *entries* with names that no other statement than that of *digest* gives."""
    return [
        each._replace(name=_name(each.entry, f"{digest}/{each.name}", turn))
        for turn, each in enumerate(entries, 1)
    ]


def statement_digest(statement: BankStatement, entries: Sequence[NamedEntry]) -> str:
    """Return what names a statement: what it says, and not how its file writes that."""
    said = [
        statement.statement_id,
        statement.page,
        statement.opening_minor,
        statement.closing_minor,
        [[each.name, each.entry.amount_minor] for each in entries],
    ]
    return hashlib.sha256(canonical_json(said)).hexdigest()


def _digest(statement: BankStatement, entry: StatementEntry, key: bytes) -> tuple[str, bool]:
    account = [statement.account, statement.currency, entry.amount_minor, f"{entry.booked_on}"]
    if entry.bank_reference:
        said = canonical_json([*account, entry.bank_reference])
        return hashlib.sha256(said).hexdigest(), True
    parts = [list(each) for each in entry.parts]
    said = canonical_json([*account, f"{entry.value_on}", entry.balance_minor, parts])
    return hmac.new(key, said, hashlib.sha256).hexdigest(), entry.balance_minor is not None


def _name(entry: StatementEntry, digest: str, turn: int) -> str:
    named = hashlib.sha256(f"{digest}#{turn}".encode()).hexdigest()
    return f"{entry.booked_on:%Y%m%d}-{named[:_CHARACTERS]}"
