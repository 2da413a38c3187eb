"""The newest records of tariff versions, kept for the next one who asks."""

from __future__ import annotations

from threading import Lock
from typing import Any, Final
from uuid import UUID

from psycopg import Connection

from ledger.aggregates.store import last_event
from ledger.approvals.approvals import TariffApprovals
from ledger.approvals.record import TariffRecord

_PAGE: Final = 500


class NewestRecords:
    """Every recorded version as it is by now, in any thread; only what changed is read again."""

    def __init__(self) -> None:
        self._known: dict[UUID, TariffRecord] = {}
        self._after = 0
        self._turn = Lock()

    def of(self, dsn: str, connection: Connection[Any] | None = None) -> tuple[TariffRecord, ...]:
        """Return the records of a database, by tariff and number.

        Who has a *connection* to it spares opening another one where there is nothing new.
        """
        with self._turn:
            if connection is None or last_event(connection, TariffApprovals.name) != self._after:
                with TariffApprovals(dsn) as approvals:
                    while self._read(approvals):
                        pass
            return tuple(
                sorted(self._known.values(), key=lambda each: (each.tariff_id, each.number))
            )

    def _read(self, approvals: TariffApprovals) -> bool:
        """Read the next of what changed; say whether there may be more."""
        page = approvals.recorder.select_notifications(self._after, _PAGE, inclusive_of_start=False)
        for identity in sorted({str(each.originator_id) for each in page}):
            self._known[UUID(identity)] = approvals.repository.get(UUID(identity))
        if page:
            self._after = page[-1].id
        return len(page) == _PAGE
