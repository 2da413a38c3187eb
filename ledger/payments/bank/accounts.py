"""Whose bank account a statement is of: by the declared account of a legal entity."""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import NamedTuple

from ledger.declared.declarations import Declarations, Kind
from ledger.errors import LedgerError
from ledger.master_data.legal_entities import LegalEntity
from tariffs.zones import zone


class BankOwner(NamedTuple):
    """A legal entity, and the calendar by which it books."""

    legal_entity: str
    calendar: tzinfo


def owner_of(declared: Declarations, account: str, at: datetime) -> BankOwner:
    """Return who declares, or once declared, the bank *account*.

    Raises:
        UndeclaredAccountError: If nobody does.
        SharedAccountError: If several do.
    """
    found = [
        key
        for key in declared.keys(Kind.LEGAL_ENTITY)
        if any(
            isinstance(row.entity, LegalEntity)
            and row.entity.bank is not None
            and "".join(row.entity.bank.iban.split()).upper() == account
            for row in declared.history(Kind.LEGAL_ENTITY, key)
        )
    ]
    if not found:
        raise UndeclaredAccountError(account)
    if len(found) > 1:
        raise SharedAccountError(account, found)
    entity = declared.legal_entity(found[0], at)
    if entity is None:
        raise UndeclaredAccountError(account)
    return BankOwner(found[0], zone(entity.time_zone))


class UndeclaredAccountError(LedgerError):
    """No legal entity declares this bank account."""

    def __init__(self, account: str) -> None:
        super().__init__(
            f"no legal entity has the bank account {account}: declare it as `bank: {{iban: ...}}` "
            "of the legal entity whose it is, with `wattledger apply`"
        )
        self.account = account


class SharedAccountError(LedgerError):
    """Several legal entities declare one bank account."""

    def __init__(self, account: str, legal_entities: list[str]) -> None:
        super().__init__(
            f"{' and '.join(legal_entities)} all have the bank account {account}: nothing says "
            "whose money it is"
        )
        self.account, self.legal_entities = account, legal_entities
