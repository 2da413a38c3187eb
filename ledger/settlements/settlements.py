"""The settlements on record, and saving them together with what follows in the books."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from eventsourcing.application import AggregateNotFoundError
from eventsourcing.persistence import IntegrityError
from psycopg import Connection

from ledger.aggregates.store import DecisionApplication
from ledger.errors import LedgerError
from ledger.settlements.record import PartnerSettlement, SettlementKey


class PartnerSettlements(DecisionApplication):
    """Keeps the record of every settlement that anybody proposed. Close it after use."""

    name = "settlements"

    def find(self, key: SettlementKey) -> PartnerSettlement:
        """Return the record of a settlement; of one that nobody touched, a new one."""
        named: dict[str, str] = msgspec.structs.asdict(key)
        try:
            return self.repository.get(PartnerSettlement.create_id(**named))
        except AggregateNotFoundError:
            return PartnerSettlement(**named)

    def keep(
        self,
        record: PartnerSettlement,
        *,
        within: Callable[[Connection[Any]], None] | None = None,
    ) -> None:
        """Save what changed, in one transaction with what *within* writes.

        Raises:
            ContendedSettlementError: If somebody else changed it meanwhile.
        """
        try:
            self.save(record, within=within)
        except IntegrityError:
            raise ContendedSettlementError(record.key) from None


class ContendedSettlementError(LedgerError):
    """Two people changed a settlement at the same moment."""

    def __init__(self, key: SettlementKey) -> None:
        super().__init__(f"somebody else has just changed the settlement of {key}: look again")
        self.key = key
