"""`wattledger prepaid`: what customers paid in advance."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deploy.commands.data_folder import PLAIN, READ_FOLDER, Limit, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from ledger.desk.customers.prepaying import PrepaymentWish

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
    amount: Annotated[Decimal, PLAIN],
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
    amount: Annotated[Decimal, PLAIN],
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


def charge(
    customer: str,
    amount: Annotated[Decimal, PLAIN],
    /,
    *,
    payment: PaymentOptions,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Have an amount taken from a customer's card or account on file, into the balance.

    It is decided here, and asked for by the part `payments`; the balance rises once the money was
    taken. The same reference is asked for once, and says how it goes when it is given again.

    Args:
        customer: The customer's key.
        amount: How much, as 50 or 49.90.
        payment: The rest; the reference is of your choice.
        folder: Where.
    """
    return _by_card(customer, amount, payment, folder, is_back=False)


def refund(
    customer: str,
    amount: Annotated[Decimal, PLAIN],
    /,
    *,
    payment: PaymentOptions,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Have some of what is left given back to the card or account that it came from.

    It is off the balance at once, and on it again where the bank does not take it. Where more than
    the policy's payment_approval_above is on it, another person says the same of any part.

    Args:
        customer: The customer's key.
        amount: How much, as 50 or 49.90.
        payment: The rest; the reference is of your choice.
        folder: Where.
    """
    return _by_card(customer, amount, payment, folder, is_back=True)


def show(customer: str, /, *, limit: Limit = 50, folder: ReadingFolder = READ_FOLDER) -> int:
    """Show what a customer has left of what was paid in advance, and what moved it.

    Less is left than the balance where something is not invoiced yet, or charging.

    Args:
        customer: The customer's key, or subject id.
        limit: At most so many entries, the newest.
        folder: Where.
    """
    from msgspec.structs import asdict

    from ledger.books.prepayments import PrepaidAccount
    from ledger.payments.topping_up.credit import AskedCredit, left_minor
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
        accounts = [PrepaidAccount(whose, each.legal_entity, each.currency) for each in balances]
        left = left_minor(connection, [AskedCredit(each) for each in accounts])
    if folder.json:
        rows_left = [
            asdict(each) | {"left_minor": minor} for each, minor in zip(balances, left, strict=True)
        ]
        print_json({"customer": customer, "balances": rows_left, "entries": movements})
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
    for each, minor in zip(balances, left, strict=True):
        is_all = minor == each.balance_minor
        rest = "" if is_all else f", of which {words(minor, each.currency)} are left"
        say(f"balance at {each.legal_entity}: {words(each.balance_minor, each.currency)}{rest}")
    if not balances:
        say("nothing: `wattledger prepaid top-up` records what a customer pays in advance")
    return 0


def _wish(
    customer: str, amount: Decimal, payment: PaymentOptions, *, is_back: bool = False
) -> PrepaymentWish:
    from ledger.desk.customers.prepaying import PrepaymentWish

    return PrepaymentWish(
        customer=customer,
        amount=amount,
        currency=payment.currency.upper(),
        reference=payment.reference,
        legal_entity=payment.legal_entity,
        is_back=is_back,
    )


def _by_card(
    customer: str, amount: Decimal, payment: PaymentOptions, folder: ReadingFolder, *, is_back: bool
) -> int:
    from deploy.clock import SystemClock
    from ledger.desk.paying.raising_balances import pay_back_to_card, top_up_by_card
    from ledger.payments.movement import STRIPE
    from projections.invoice_list import amount as words

    decide = pay_back_to_card if is_back else top_up_by_card
    wish = _wish(customer, amount, payment)
    with opened(folder.settings()) as connection:
        done = decide(connection, STRIPE, wish, by=acting(payment.by), at=SystemClock().now())
    wanted = done.wanted
    if folder.json:
        print_json(
            {
                "customer": customer,
                "legal_entity": wanted.who.legal_entity,
                "reference": wanted.reference,
                "currency": wanted.currency,
                "amount_minor": wanted.amount_minor,
                "requests": [
                    {
                        "key": each.key,
                        "amount_minor": each.amount_minor,
                        "state": each.state.value,
                        "reason": each.reason,
                    }
                    for each in done.requests
                ],
                "balance_minor": done.balance_minor,
            }
        )
        return 0
    what = words(wanted.amount_minor, wanted.currency)
    if not done.requests:
        say(f"{what} wait for another person, who says the same")
    for each in done.requests:
        of = words(each.amount_minor, each.currency)
        reason = f" ({each.reason})" if each.reason else ""
        said = "back to the card" if is_back else "from the card"
        say(f"{of} {said}: {each.state.value}{reason}")
    say(f"balance at {wanted.who.legal_entity}: {words(done.balance_minor, wanted.currency)}")
    return 0


def _record(
    customer: str, amount: Decimal, payment: PaymentOptions, folder: ReadingFolder, *, is_back: bool
) -> int:
    from deploy.clock import SystemClock
    from ledger.desk.customers.prepaying import prepay
    from projections.invoice_list import amount as words

    wish = _wish(customer, amount, payment, is_back=is_back)
    with opened(folder.settings()) as connection:
        done = prepay(connection, wish, by=acting(payment.by), at=SystemClock().now())
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
