"""Asking a customer, by its key, for leave to be charged while away."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from psycopg import Connection

from ledger.declared.store import load_declarations
from ledger.desk.customers.prepaying import customer_subject
from ledger.payments.collecting.methods import PayingCustomer
from ledger.payments.collecting.setting_up import decide_set_up
from ledger.payments.provider import PaymentWay


class LeaveWish(NamedTuple):
    """Who is to be charged, by whom and how; `legal_entity`: whose account at the provider it is.

    `method`: the provider's id of one; None: the customer says, on a device of its own.
    """

    customer: str
    legal_entity: str
    way: PaymentWay
    method: str | None = None


def ask_leave(
    connection: Connection[Any], provider: str, wish: LeaveWish, *, by: str, at: datetime
) -> str:
    """Decide that a customer is asked; return the key of the request.

    Raises:
        UnknownCustomerError: If nobody of that key is declared.
    """
    known = load_declarations(connection)
    subject = customer_subject(connection, known, wish.customer, at)
    who = PayingCustomer(provider, wish.legal_entity, subject)
    with connection.transaction():
        return decide_set_up(connection, who, wish.way, wish.method, by=by, at=at)
