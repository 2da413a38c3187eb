"""`wattledger prepaid`: what customers paid in advance."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, Limit, ReadingFolder
from deploy.commands.login import login
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

COLUMNS = {
    "legal entity": "left",
    "day": "left",
    "entry": "left",
    "amount": "right",
}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PaymentOptions:
    """What is known of a payment beside its amount."""

    currency: str
    """Its currency, in ISO 4217's three letters. Nothing is converted."""

    reference: str
    """What names the payment, as the bank statement has it; no names of persons."""

    legal_entity: str | None = None
    """Whose money it is by now; needed where several are declared."""

    by: str | None = None
    """Who records it (default: your login)."""


def top_up(
    customer: str,
    amount: Decimal,
    /,
    *,
    payment: PaymentOptions,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Record that a customer paid in advance; invoices are settled from it as they are booked.

    The same reference is recorded once, however often this is said. An invoice that is booked
    already is not settled any more.

    Args:
        customer: The customer's key.
        amount: How much, as 50 or 49.90.
        payment: The rest.
        folder: Where.
    """
    return _record(customer, amount, payment, folder, is_back=False)


def pay_back(
    customer: str,
    amount: Decimal,
    /,
    *,
    payment: PaymentOptions,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Record that a customer was paid back, or never paid, what was recorded as paid in advance.

    No more is paid back than there is. The same reference is recorded once.

    Args:
        customer: The customer's key.
        amount: How much, as 50 or 49.90.
        payment: The rest.
        folder: Where.
    """
    return _record(customer, amount, payment, folder, is_back=True)


def show(customer: str, /, *, limit: Limit = 50, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show what a customer has left of what was paid in advance, and what moved it.

    Args:
        customer: The customer's key, or subject id.
        limit: At most so many entries, the newest.
        folder: Where.
    """
    from ledger.persons.holders import customer_holder
    from ledger.persons.store import find
    from projections.balances.prepaid import prepaid_balances, prepaid_movements
    from projections.invoice_list import amount as words

    with opened(folder.settings()) as connection:
        holder = customer_holder(customer)
        subject = find(connection, [holder]).get((holder.kind, holder.name))
        whose = customer if subject is None else subject.id
        balances = prepaid_balances(connection, whose)
        movements = prepaid_movements(connection, whose, limit=limit)
    if folder.json:
        print_json({"customer": customer, "balances": balances, "entries": movements})
        return 0
    rows = [
        (
            each.legal_entity,
            f"{each.booked_at:%Y-%m-%d}",
            each.entry,
            words(each.amount_minor, each.currency),
        )
        for each in movements
    ]
    print_rows(f"Paid in advance by {customer}", COLUMNS, rows)
    for each in balances:
        say(f"balance at {each.legal_entity}: {words(each.balance_minor, each.currency)}")
    if not balances:
        say("nothing: `wattledger prepaid top-up` records what a customer pays in advance")
    return 0


def _record(
    customer: str, amount: Decimal, payment: PaymentOptions, folder: ReadingFolder, *, is_back: bool
) -> int:
    from deploy.clock import SystemClock
    from ledger.desk.customers.prepaying import PrepaymentWish, prepay
    from projections.invoice_list import amount as words

    wish = PrepaymentWish(
        customer=customer,
        amount=amount,
        currency=payment.currency.upper(),
        reference=payment.reference,
        legal_entity=payment.legal_entity,
        is_back=is_back,
    )
    with opened(folder.settings()) as connection:
        done = prepay(connection, wish, by=payment.by or login(), at=SystemClock().now())
    paid = done.prepayment
    if folder.json:
        print_json(
            {
                "customer": customer,
                "legal_entity": paid.legal_entity,
                "reference": paid.reference,
                "currency": paid.currency,
                "amount_minor": paid.amount_minor,
                "is_new": done.is_new,
                "balance_minor": done.balance_minor,
            }
        )
        return 0
    said = "was paid back" if is_back else "paid in advance"
    if done.is_new:
        say(f"{customer} {said}: {words(abs(paid.amount_minor), paid.currency)}")
    else:
        say(f"{paid.reference} was recorded before: nothing is booked again")
    say(f"balance at {paid.legal_entity}: {words(done.balance_minor, paid.currency)}")
    return 0
