"""Money of a month that somebody should look at before it is closed.

Each line says what: money that nobody knows what it is for, payouts that differ from their lines or
the bank's, payments that no payout had, and disputes that are open.
"""

from __future__ import annotations

from typing import Any

from psycopg import Connection

from ledger.payments.payouts.unmatched import unmatched_money
from projections.closing.period_scope import PeriodScope
from projections.invoice_list import amount
from projections.payments.dispute_list import list_disputes
from projections.payments.payout_list import list_payouts
from projections.payments.provider_check import OLD_AFTER, movements_at_provider


def unsettled_money(connection: Connection[Any], scope: PeriodScope) -> list[str]:
    """Return what of the money that moved in the month or before is not settled, line by line.

    What is late is so at the month's end. What was said since, of whatever day, counts.
    """
    whose, ends = scope.legal_entity, scope.ends
    unmatched = unmatched_money(connection, legal_entity=whose, before=ends)
    payouts = list_payouts(connection, ends, legal_entity=whose, until=ends)
    waiting = movements_at_provider(connection, legal_entity=whose, before=ends - OLD_AFTER)
    disputes = list_disputes(connection, legal_entity=whose, is_open=True, until=ends)
    return [
        *(
            f"unmatched {each.source}/{each.reference} {amount(each.left_minor, each.currency)}"
            for each in unmatched
        ),
        *(f"payout {each.payout_id} {each.state}" for each in payouts if not each.is_settled),
        *(
            f"in no payout: {each.kind} {each.source}/{each.reference} "
            f"{amount(each.left_minor, each.currency)}"
            for each in waiting
        ),
        *(
            f"dispute {each.dispute_id} {each.status} {amount(each.amount_minor, each.currency)}"
            for each in disputes
        ),
    ]
