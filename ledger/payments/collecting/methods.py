"""By what a customer may be charged while away: what the provider said of it last."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.payments.provider import PaymentWay

EURO: Final = "EUR"
# Of each method what was said last; of those that are ready, the newest.
_READY: LiteralString = """
SELECT DISTINCT ON (customer, legal_entity) customer, legal_entity, method_id, way, provider_id
FROM (
    SELECT DISTINCT ON (method.customer, method.legal_entity, method_id) method.*
    FROM payment_method AS method
    JOIN unnest(%(customers)s::text[], %(legal_entities)s::text[])
        AS wanted (customer, legal_entity) USING (customer, legal_entity)
    WHERE provider = %(provider)s
    ORDER BY method.customer, method.legal_entity, method_id, number DESC
) AS said JOIN provider_customer USING (provider, legal_entity, customer)
WHERE is_ready AND way = ANY (%(ways)s)
ORDER BY customer, legal_entity, number DESC
"""
_SAID_LAST: LiteralString = """
SELECT is_ready FROM payment_method
WHERE customer = %(customer)s AND legal_entity = %(legal_entity)s AND provider = %(provider)s
    AND method_id = %(method_id)s
ORDER BY number DESC LIMIT 1
"""
_SAY: LiteralString = """
INSERT INTO payment_method (provider, legal_entity, customer, method_id, way, is_ready, said_at,
    reason)
VALUES (%(provider)s, %(legal_entity)s, %(customer)s, %(method_id)s, %(way)s, %(is_ready)s, %(at)s,
    %(reason)s)
"""
_WITHDRAW: LiteralString = """
INSERT INTO payment_method (provider, legal_entity, customer, method_id, way, is_ready, said_at,
    reason)
SELECT provider, legal_entity, customer, method_id, way, false, now(), %(reason)s
FROM (
    SELECT DISTINCT ON (provider, legal_entity, method_id) * FROM payment_method
    WHERE customer = %(customer)s ORDER BY provider, legal_entity, method_id, number DESC
) AS said WHERE is_ready
"""
_CUSTOMER: LiteralString = """
SELECT provider_id FROM provider_customer
WHERE provider = %s AND legal_entity = %s AND customer = %s
"""
_KEEP_CUSTOMER: LiteralString = """
INSERT INTO provider_customer (provider, legal_entity, customer, provider_id)
VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


class PayingCustomer(NamedTuple):
    """Who pays at which of our legal entities, at which provider; `customer`: a subject id."""

    provider: str
    legal_entity: str
    customer: str


class ReadyMethod(NamedTuple):
    """A method that may be charged; both ids are the provider's."""

    method_id: str
    way: PaymentWay
    provider_customer: str


def ready_methods(
    connection: Connection[Any], wanted: Collection[PayingCustomer], currency: str = EURO
) -> dict[PayingCustomer, ReadyMethod]:
    """Return by what each of *wanted* may be charged in a currency, where anything may.

    Source: SEPA Direct Debit Core rulebook (EPC016-06): debits are in euros.
    """
    found = dict[PayingCustomer, ReadyMethod]()
    for provider in sorted({each.provider for each in wanted}):
        of_it = [each for each in wanted if each.provider == provider]
        asked = {
            "provider": provider,
            "customers": [each.customer for each in of_it],
            "legal_entities": [each.legal_entity for each in of_it],
            "ways": [
                way.value
                for way in PaymentWay
                if way is not PaymentWay.SEPA_DEBIT or currency == EURO
            ],
        }
        for customer, legal_entity, method_id, way, provider_id in connection.execute(
            _READY, asked
        ):
            who = PayingCustomer(provider, legal_entity, customer)
            found[who] = ReadyMethod(method_id, PaymentWay(way), provider_id)
    return found


def say_method(
    connection: Connection[Any],
    who: PayingCustomer,
    method_id: str,
    way: PaymentWay,
    *,
    is_ready: bool,
    at: datetime,
    reason: str = "",
) -> bool:
    """Keep what holds of a method from now on; say whether that is news."""
    said = who._asdict() | {
        "method_id": method_id,
        "way": way.value,
        "is_ready": is_ready,
        "at": at,
        "reason": reason,
    }
    last = connection.execute(_SAID_LAST, said).fetchone()
    if last == (is_ready,) or (last is None and not is_ready):
        return False
    connection.execute(_SAY, said)
    return True


def withdraw_methods(connection: Connection[Any], customer: str, reason: str) -> int:
    """Have *customer* charged by none of its methods any more, at anybody; return how many."""
    asked = {"customer": customer, "reason": reason}
    return connection.execute(_WITHDRAW, asked).rowcount


def customer_at_provider(connection: Connection[Any], who: PayingCustomer) -> str | None:
    """Return what the provider calls a customer of ours; None: it knows none."""
    found = connection.execute(_CUSTOMER, who).fetchone()
    return None if found is None else str(found[0])


def keep_customer(connection: Connection[Any], who: PayingCustomer, provider_id: str) -> None:
    """Keep what the provider calls a customer of ours, the first time that it says so."""
    connection.execute(_KEEP_CUSTOMER, (*who, provider_id))
