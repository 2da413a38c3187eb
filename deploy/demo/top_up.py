"""The customer of the demo's story who pays in advance: her first sessions come as receipts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from psycopg import Connection

from ledger.desk.customers.prepaying import PrepaymentWish, prepay

CUSTOMER: Final = "esra-falk"
LEGAL_ENTITY: Final = "harbour-charging"
AMOUNT: Final = Decimal(30)
CURRENCY: Final = "EUR"


def top_up(connection: Connection[Any], *, at: datetime) -> None:
    """Record what she pays in advance, as `wattledger prepaid top-up` does."""
    wish = PrepaymentWish(CUSTOMER, AMOUNT, CURRENCY, f"{at:%Y-%m-%d}/4711", LEGAL_ENTITY)
    prepay(connection, wish, by="demo", at=at)
