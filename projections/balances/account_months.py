"""An account month by month, from the sums that were kept up: which books make its balance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

_MONTHS: LiteralString = """
SELECT period, legal_entity, currency, sum(debit_minor)::bigint, sum(credit_minor)::bigint
FROM booked_sum
WHERE span IN ('month', 'added') AND account = %(account)s
  AND (%(entities)s::text[] IS NULL OR legal_entity = ANY (%(entities)s))
  AND (%(until)s::text IS NULL OR period <= %(until)s)
GROUP BY period, legal_entity, currency
ORDER BY period DESC, legal_entity COLLATE "C", currency COLLATE "C"
"""


class AccountMonth(NamedTuple):
    """What stands on an account in a month's books, in minor units."""

    period: str
    legal_entity: str
    currency: str
    debit_minor: int
    credit_minor: int

    @property
    def balance_minor(self) -> int:
        """Debits less credits."""
        return self.debit_minor - self.credit_minor


def account_months(
    connection: Connection[Any],
    account: str,
    *,
    entities: Sequence[str] | None,
    until: str | None = None,
) -> Sequence[AccountMonth]:
    """Return an account's months, the last first; of *entities*, None: of all.

    *until*: only books up to and with this month ("2026-03").
    """
    asked = {
        "account": account,
        "entities": None if entities is None else [*entities],
        "until": until,
    }
    return [AccountMonth(*row) for row in connection.execute(_MONTHS, asked)]
