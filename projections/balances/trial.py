"""The trial balance: debits and credits by account and currency; their sums must be equal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import Connection
from psycopg.rows import class_row

from projections.journal.days import IN_DAYS, BookDays

_SUMS: LiteralString = (
    """
SELECT account, currency,
       sum(amount_minor) FILTER (WHERE amount_minor > 0) AS debit_minor,
       -sum(amount_minor) FILTER (WHERE amount_minor < 0) AS credit_minor
FROM (SELECT accounts, currencies, amounts """
    + IN_DAYS
    + """) AS entry, unnest(accounts, currencies, amounts) AS leg (account, currency, amount_minor)
GROUP BY account, currency ORDER BY currency, account
"""
)
ALL_DAYS: Final = BookDays(None, None, None, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalance:
    """One account in one currency, in minor units; a debit balance is positive."""

    account: str
    currency: str
    debit_minor: int
    credit_minor: int

    def __post_init__(self) -> None:
        for name in ("debit_minor", "credit_minor"):
            object.__setattr__(self, name, int(getattr(self, name) or 0))

    @property
    def balance_minor(self) -> int:
        """Debits less credits."""
        return self.debit_minor - self.credit_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialBalance:
    """All accounts."""

    accounts: tuple[AccountBalance, ...]

    @property
    def difference_minor(self) -> dict[str, int]:
        """Debits less credits by currency; anything but 0 means that the books are wrong."""
        totals: defaultdict[str, int] = defaultdict(int)
        for account in self.accounts:
            totals[account.currency] += account.balance_minor
        return dict(totals)

    @property
    def is_balanced(self) -> bool:
        """Whether debits equal credits in every currency."""
        return not any(self.difference_minor.values())


def trial_balance(connection: Connection[Any], days: BookDays = ALL_DAYS) -> TrialBalance:
    """Return the trial balance of what was booked in *days*: if not said otherwise, of all."""
    with connection.cursor(row_factory=class_row(AccountBalance)) as cursor:
        accounts: Sequence[AccountBalance] = cursor.execute(_SUMS, days.asked()).fetchall()
    return TrialBalance(accounts=tuple(accounts))
