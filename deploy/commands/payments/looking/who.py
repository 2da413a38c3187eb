"""Whose payments: customers as they are typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection


def subject_of(connection: Connection[Any], customer: str | None) -> str | None:
    """Return the subject id of a *customer*, given by key or already by subject id."""
    from ledger.persons.holders import customer_holder
    from ledger.persons.store import find

    if customer is None:
        return None
    holder = customer_holder(customer)
    subject = find(connection, [holder]).get((holder.kind, holder.name))
    return customer if subject is None else subject.id
