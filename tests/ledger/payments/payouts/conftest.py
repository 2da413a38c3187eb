"""The desk at which tests of payouts and disputes work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ledger.database import connect
from ledger.declared.store import declare
from tests.depot import NOON, changes
from tests.ledger.payments.payouts.payout_desk import PayoutDesk


@pytest.fixture
def desk(database: str) -> Iterator[PayoutDesk]:
    """A desk whose books know the depot."""
    with connect(database) as connection:
        with connection.transaction():
            declare(connection, changes(), by="a test", at=NOON)
        yield PayoutDesk(database, connection)
