"""Lines of a payout whose movement is still to come: a payout may be told of before its payments.

Nobody knows in which order a provider tells. What of a payout we would have booked, had we been
told, is looked up now, and until that is taken the payout waits. What is none of ours is not waited
for.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.payments.due_objects import tell_of_object
from ledger.payments.movement import MoneyKind
from ledger.payments.payouts.matching import MatchedLine
from ledger.payments.payouts.rules import LineRule, counterpart_of
from ledger.payments.provider import (
    BalanceLine,
    IntentState,
    IntentStatus,
    PaymentObjectKind,
    PaymentProvider,
    RefundState,
)
from ledger.payments.requests import find_request, requests_of_object
from ledger.payments.taking import is_of

_IS_BOOKED: LiteralString = """
SELECT EXISTS (SELECT FROM movement WHERE source = %s AND kind = %s AND reference = %s)
"""
_WAS_SEEN: LiteralString = """
SELECT EXISTS (SELECT FROM dispute WHERE provider = %s AND dispute_id = %s AND seen_at > %s)
"""


class AwaitedObject(NamedTuple):
    """What at the provider has to be taken before the payout that it stands in."""

    kind: PaymentObjectKind
    object_id: str


def awaited_lines(
    connection: Connection[Any],
    provider: PaymentProvider,
    matched: Iterable[MatchedLine],
    now: datetime,
) -> frozenset[str]:
    """Return the ids of lines whose movement comes, and have each of those looked at *now*.

    Asks the provider, so in no transaction; *connection* commits by itself.
    """
    found = set()
    for each in matched:
        awaited = _awaited(connection, provider, each.line) if each.unexplained_minor else None
        if awaited is not None:
            tell_of_object(connection, provider.name, *awaited, now)
            found.add(each.line.id)
    return frozenset(found)


def _awaited(
    connection: Connection[Any], provider: PaymentProvider, line: BalanceLine
) -> AwaitedObject | None:
    """Return what has to be taken first; None where nothing of ours will stand behind *line*."""
    counterpart = counterpart_of(line)
    if counterpart is None or line.source_id is None:
        return None
    kind, source = counterpart.of(line), line.source_id
    if counterpart.rule is LineRule.DISPUTE:
        asked = (provider.name, source, line.created_at)
        [(was_seen,)] = connection.execute(_WAS_SEEN, asked).fetchall()
        return None if was_seen else AwaitedObject(PaymentObjectKind.DISPUTE, source)
    if kind is None or _is_booked(connection, provider.name, kind, source):
        return None
    match counterpart.rule:
        case LineRule.PAYOUT_FAILED:
            return AwaitedObject(PaymentObjectKind.PAYOUT, source)
        case LineRule.PAYMENT:
            intent = provider.intent_of_charge(source)
            if intent is None or _is_booked(connection, provider.name, kind, intent):
                return None
            wanted = AwaitedObject(PaymentObjectKind.INTENT, intent)
        case _:
            wanted = AwaitedObject(PaymentObjectKind.REFUND, source)
    return wanted if _is_ours(connection, provider, wanted) else None


def _is_booked(connection: Connection[Any], provider: str, kind: MoneyKind, reference: str) -> bool:
    asked = (provider, kind.value, reference)
    [(found,)] = connection.execute(_IS_BOOKED, asked).fetchall()
    return bool(found)


def _is_ours(connection: Connection[Any], provider: PaymentProvider, wanted: AwaitedObject) -> bool:
    """Say whether a payment or a refund came of a request of ours, or gives back one that did."""
    found = provider.look_up(wanted.kind, wanted.object_id)
    match found:
        case IntentState(status=IntentStatus.TAKEN | IntentStatus.PROCESSING):
            pass
        case RefundState(moves_money=True):
            pass
        case _:  # A debit that bounced, what was let go of a hold: nothing of it is booked.
            return False
    if requests_of_object(connection, provider.name, wanted.object_id):
        return True
    asked = find_request(connection, found.request_key) if found.request_key else None
    if asked is not None and is_of(asked, found):
        return True
    # Made by hand, of a payment of ours: who takes refunds books it.
    return isinstance(found, RefundState) and bool(
        requests_of_object(connection, provider.name, found.intent_id)
    )
