"""What the demo collected, what went wrong, and whether provider, bank and books agree."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, LiteralString

import msgspec

_KINDS: LiteralString = """
SELECT kind, count(*), coalesce(sum(amount_minor), 0)::bigint
FROM movement WHERE source = %s AND currency = %s GROUP BY kind
"""
_DECLINED: LiteralString = """
SELECT count(*) FROM provider_request JOIN provider_request_state USING (key)
WHERE kind = 'collect' AND state = 'failed'
"""
_ACCOUNTS: LiteralString = """
SELECT coalesce(sum(abs(balance)), 0)::bigint FROM (
    SELECT sum(amounts[place]) AS balance
    FROM journal_entry, generate_subscripts(accounts, 1) AS place
    WHERE accounts[place] = %s GROUP BY currencies[place]
) AS of_currencies
"""
CURRENCY: Final = "EUR"


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, and what the books say of money that is nowhere yet, in minor units.

    `payout_difference_minor`: what the provider's account holds in our books after all was paid
    out, and what is on its way to no bank; `unmatched`: lines of bank statements that nobody knows.
    """

    collected: int
    collected_total: Decimal
    declined: int
    refunded: int
    disputed: int
    payouts: int
    fees: Decimal
    payout_difference_minor: int
    unmatched: int
