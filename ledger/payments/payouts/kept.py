"""Booked payouts as they were kept: what is booked of them follows from their rows, once more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.payments.movement import MoneyMovement, exchange_account
from ledger.payments.payouts.booking import Booker, PayoutSums
from ledger.payments.payouts.matching import MatchedLine
from ledger.payments.payouts.rules import LineRule, counterpart_of, rule_account
from ledger.payments.provider import BalanceLine, PayoutState, PayoutStatus

_PAYOUTS: LiteralString = """
SELECT provider, payout_id, legal_entity, currency, amount_minor, created_at, arrives_on,
    lines, difference_minor
FROM payout ORDER BY provider, payout_id
"""
_LINES: LiteralString = """
SELECT line_id, line.kind, line.amount_minor, fee_minor, net_minor, created_at, source_id, rule,
    line.movement, booked_minor, behind.currency
FROM payout_line AS line LEFT JOIN movement AS behind ON behind.number = line.movement
WHERE line.provider = %s AND line.payout_id = %s
"""


class KeptPayout(NamedTuple):
    """A payout and for whom it was booked; `lines` were counted, and lack `difference_minor`."""

    payout: PayoutState
    booker: Booker
    lines: int
    difference_minor: int


def kept_payouts(connection: Connection[Any]) -> Iterator[KeptPayout]:
    """Yield all payouts that were booked."""
    for provider, *row in connection.execute(_PAYOUTS).fetchall():
        payout_id, legal_entity, currency, minor, created_at, arrives_on, *sums = row
        payout = PayoutState(
            payout_id, PayoutStatus.ON_ITS_WAY, minor, currency, _utc(created_at), arrives_on
        )
        yield KeptPayout(payout, Booker(provider, legal_entity), *sums)


def booked_again(
    connection: Connection[Any], kept: KeptPayout
) -> tuple[PayoutSums, list[MoneyMovement]]:
    """Return what the lines of a payout come to, and what is booked of it by that."""
    sums = PayoutSums()
    asked = (kept.booker.provider, kept.payout.id)
    for row in connection.execute(_LINES, asked):
        sums.add(_matched(kept, row))
    sums.booked_minor[kept.payout.currency] += sums.difference_minor(kept.payout)
    return sums, sums.paid_out(kept.payout, kept.booker)


def _matched(kept: KeptPayout, row: tuple[Any, ...]) -> MatchedLine:
    line_id, kind, amount, fee, net, created_at, source_id, said, number, booked, behind = row
    currency, provider = kept.payout.currency, kept.booker.provider
    line = BalanceLine(line_id, kind, amount, fee, net, currency, _utc(created_at), source_id)
    rule, by_rule, counterpart = LineRule(said), rule_account(line, provider), counterpart_of(line)
    if by_rule is not None:
        to = by_rule[1]
        return MatchedLine(line, rule, to_account=to, to_account_minor=amount, fee_minor=fee)
    if rule in {LineRule.UNKNOWN, LineRule.REVERSED} or counterpart is None:
        return MatchedLine(line, rule, beyond_minor=amount, fee_minor=fee)
    made = MatchedLine(line, rule, number, booked, behind, fee_minor=fee)
    if behind != currency:
        to = exchange_account(provider)
        return made._replace(to_account=to, to_account_minor=amount)
    beyond = counterpart.wanted_minor(line) - booked
    return made._replace(beyond_minor=beyond, fee_minor=0 if counterpart.is_net else fee)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
