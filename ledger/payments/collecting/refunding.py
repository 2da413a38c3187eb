"""Giving back what was paid for an invoice and is not owed any more: decided once.

| why | key |
|---|---|
| a credit note over what was paid | refund:NOTE |
| more was taken than was open by then | refund:moved:NUMBER of that movement |
| a person says so | refund:hand:INVOICE:HOW OFTEN BEFORE |

Of several charges each gives back its part, ":2" and so on behind the key. What a refund did not
reach, for it failed, came back to us: it is open on the work list, and sent again by a person only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.payments.open_items import open_item
from ledger.payments.requests import (
    ProviderRequest,
    RequestKind,
    RequestState,
    decide_request,
    requests_for,
)

BY: Final = "refunding"
BY_HAND: Final = "refund:hand:"
"""How the keys begin of what a person has given back: what failed before, sent again."""
# What of an invoice was paid by a provider's payments, and which of its objects each came of.
_CHARGES: LiteralString = """
SELECT reached.object_id, allotted.currency, sum(allotted.minor)::bigint
FROM (
    SELECT movement.about, movement.currency, allotment.minor
    FROM allotment JOIN movement USING (number)
    WHERE document = %s AND document <> '' AND kind IN ('received', 'matched')
        AND source = %s
) AS allotted
JOIN provider_request_state AS reached ON reached.key = allotted.about
WHERE reached.object_id IS NOT NULL
GROUP BY reached.object_id, allotted.currency ORDER BY reached.object_id
"""
# What was given back by hand at the provider bears the payment in place of a request.
_BY_OTHERS: LiteralString = """
SELECT about, sum(minor)::bigint FROM allotment JOIN movement USING (number)
WHERE document = %s AND document <> '' AND kind IN ('refunded', 'refund_failed') AND source = %s
    AND about = ANY (%s)
GROUP BY about
"""
# What a bank took back for good goes back no second time: the provider would refuse to.
_LOST: LiteralString = """
SELECT intent_id, sum(greatest(taken_minor - given_back_minor, 0))::bigint FROM dispute
WHERE provider = %s AND intent_id = ANY (%s) AND status = 'lost' GROUP BY intent_id
"""
_BOOKED: LiteralString = """
SELECT EXISTS (SELECT FROM movement WHERE about = %s AND about <> '' AND kind = 'refunded')
"""


class Refundable(NamedTuple):
    """What may be given back of an invoice, in minor units.

    `over`: more than it asks for, and on no refund's way. `failed`: of that, what a refund did not
    reach. `of_charges`: what is left of each payment.
    """

    legal_entity: str
    currency: str
    over_minor: int
    failed_minor: int
    of_charges: dict[str, int]

    @property
    def by_itself_minor(self) -> int:
        """What is given back without a person."""
        return max(min(self.over_minor - self.failed_minor, sum(self.of_charges.values())), 0)

    @property
    def by_hand_minor(self) -> int:
        """What a person may have given back."""
        return max(min(self.over_minor, sum(self.of_charges.values())), 0)


def refundable(connection: Connection[Any], provider: str, number: str) -> Refundable | None:
    """Return what may be given back of an invoice; None where there is none of that number.

    Under the books' lock it still holds when it is decided.
    """
    item = open_item(connection, number)
    if item is None:
        return None
    rows = connection.execute(_CHARGES, (number, provider)).fetchall()
    left = Counter({intent: minor for intent, currency, minor in rows if currency == item.currency})
    for intent, minor in connection.execute(_BY_OTHERS, (number, provider, [*left])):
        left[intent] += minor
    for intent, minor in lost_of_payments(connection, provider, [*left]).items():
        left[intent] -= minor
    unbooked = failed = 0
    for each in requests_for(connection, number, RequestKind.REFUND):
        if each.state in (RequestState.FAILED, RequestState.GIVEN_UP):
            failed += each.amount_minor
            continue
        if each.key.startswith(BY_HAND):
            failed -= each.amount_minor
        left[each.body["intent"]] -= each.amount_minor
        [(is_booked,)] = connection.execute(_BOOKED, (each.key,)).fetchall()
        unbooked += 0 if is_booked else each.amount_minor
    return Refundable(
        item.legal_entity,
        item.currency,
        over_minor=max(-item.open_minor - unbooked, 0),
        failed_minor=max(failed, 0),
        of_charges={intent: minor for intent, minor in sorted(left.items()) if minor > 0},
    )


def lost_of_payments(
    connection: Connection[Any], provider: str, intents: Sequence[str]
) -> dict[str, int]:
    """Return what was lost for good of payments by disputes, in minor units."""
    return dict(connection.execute(_LOST, (provider, list(intents))).fetchall())


class RefundCause(NamedTuple):
    """Why something is given back: the first of the keys, the credit note, and who says so."""

    key: str
    note: str
    by: str


def decide_refunds(
    connection: Connection[Any],
    provider: str,
    number: str,
    cause: RefundCause,
    *,
    now: datetime,
    amount_minor: int | None = None,
) -> list[str]:
    """Decide that what was paid too much for an invoice is given back; return the requests' keys.

    Within the caller's transaction, under the books' lock.

    Args:
        connection: To the books.
        provider: By whom it was paid.
        number: The invoice's.
        cause: Why.
        now: When it is decided.
        amount_minor: How much; None: what is given back without a person.
    """
    found = refundable(connection, provider, number)
    if found is None:
        return []
    most = found.by_itself_minor if amount_minor is None else found.by_hand_minor
    wanted = most if amount_minor is None else min(amount_minor, most)
    keys = []
    for place, (intent, minor) in enumerate(_parts(found.of_charges, wanted), 1):
        key = cause.key if place == 1 else f"{cause.key}:{place}"
        request = ProviderRequest(
            key=key,
            provider=provider,
            kind=RequestKind.REFUND,
            subject=number,
            legal_entity=found.legal_entity,
            currency=found.currency,
            amount_minor=minor,
            body={"intent": intent, "note": cause.note},
            decided_at=now,
            decided_by=cause.by,
        )
        if decide_request(connection, request):
            keys.append(key)
    return keys


def _parts(charges: dict[str, int], wanted: int) -> Iterator[tuple[str, int]]:
    """Yield what each charge gives back of *wanted*: one that covers it alone, else in turn."""
    for intent, minor in charges.items():
        if minor >= wanted > 0:
            yield intent, wanted
            return
    for intent, minor in charges.items():
        part = min(minor, wanted)
        if part > 0:
            yield intent, part
        wanted -= part
