"""What stands in the books of an account with a provider, asked of the tables."""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from projections.balances.trial import trial_balance


def balances(connection: Connection[Any], currency: str = "EUR") -> dict[str, int]:
    """Return what stands on each account, where that is not 0."""
    found = trial_balance(connection)
    assert found.is_balanced
    return {
        each.account: each.balance_minor
        for each in found.accounts
        if each.currency == currency and each.balance_minor
    }


def left_minor(connection: Connection[Any], currency: str = "EUR") -> int:
    """Return what the provider still has of our movements, as the books say."""
    query = "SELECT coalesce(sum(left_minor), 0)::bigint FROM movement_at_provider"
    [(found,)] = connection.execute(query + " WHERE currency = %s", (currency,)).fetchall()
    return int(found)


def line_rules(connection: Connection[Any]) -> dict[str, int]:
    """Return how many lines of payouts were booked by each rule."""
    query = "SELECT rule, count(*)::integer FROM payout_line GROUP BY rule ORDER BY rule"
    return dict(connection.execute(query).fetchall())
