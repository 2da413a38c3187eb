"""What nobody proposed is not taken back, whatever it is about."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ledger.database import connect
from ledger.desk.withdrawing.withdrawn import (
    About,
    MoneyMeant,
    NotProposedError,
    Withdrawal,
    withdraw,
    withdrawn_of,
)

HOW = Withdrawal("anna", "a slip", datetime(2026, 4, 1, tzinfo=UTC))
MEANT = MoneyMeant("EUR", 100)


@pytest.mark.parametrize("about", About)
def test_what_nobody_proposed_is_not_withdrawn(about: About, database: str) -> None:
    key = 7 if about is About.MOVEMENT else "nothing"
    with connect(database) as connection:
        with pytest.raises(NotProposedError, match=f"nothing about {key} waits"):
            withdraw(connection, about, key, HOW, MEANT)

        assert withdrawn_of(connection, about, key) == []
