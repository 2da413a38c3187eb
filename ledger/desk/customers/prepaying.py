"""Money that a customer paid in advance: checked, then recorded and posted in one transaction."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from psycopg import Connection

from ledger.books.prepayments import Prepayment, record_prepayment, standings
from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import load_declarations
from ledger.errors import LedgerError
from ledger.master_data.tokens import A_NAME, is_a_name
from ledger.persons.card_numbers import NO_CARD_NUMBERS, has_card_number
from ledger.persons.holders import customer_holder
from ledger.persons.store import find
from tariffs.currencies import currency_exponent
from tariffs.quantities import EXACT
from tariffs.zones import zone

_AMOUNT_MAX: Final = Decimal(10) ** 12


class PrepaymentWish(NamedTuple):
    """What is to be recorded; `amount` is above 0, in major units.

    `is_back`: it was paid back to the customer. `legal_entity` None: the only one that is declared.
    """

    customer: str
    amount: Decimal
    currency: str
    reference: str
    legal_entity: str | None = None
    is_back: bool = False


class Prepaid(NamedTuple):
    """A prepayment as it stands recorded, whether that was news, and the balance then."""

    prepayment: Prepayment
    is_new: bool
    balance_minor: int


def prepay(connection: Connection[Any], wish: PrepaymentWish, *, by: str, at: datetime) -> Prepaid:
    """Record what *wish* says: *by* whom and *at* which moment; the same reference once.

    Raises:
        UnknownCustomerError: If nobody of that key is declared.
        UnclearSellerError: If the legal entity is not declared, or none is named of several.
        UnfitPrepaymentError: If amount or reference cannot be booked.
        UnknownCurrencyError: If ISO 4217 has no such currency.
        OtherPrepaymentError: If the reference names another prepayment.
        BalanceTooSmallError: If more is to be paid back than there is.
    """
    known = load_declarations(connection)
    prepayment = prepayment_of(connection, known, wish, by=by, at=at)
    seller = known.legal_entity(prepayment.legal_entity, at)
    calendar = zone(seller.time_zone) if seller else UTC
    is_new = record_prepayment(connection, prepayment, calendar)
    [standing] = standings(connection, [prepayment.account])
    return Prepaid(prepayment, is_new, standing.balance_minor)


def prepayment_of(
    connection: Connection[Any],
    known: Declarations,
    wish: PrepaymentWish,
    *,
    by: str,
    at: datetime,
) -> Prepayment:
    """Return what *wish* says, checked: nothing is recorded.

    Raises:
        UnknownCustomerError: If nobody of that key is declared.
        UnclearSellerError: If the legal entity is not declared, or none is named of several.
        UnfitPrepaymentError: If amount or reference cannot be booked.
        UnknownCurrencyError: If ISO 4217 has no such currency.
    """
    subject = customer_subject(connection, known, wish.customer, at, is_back=wish.is_back)
    minor = minor_of(wish.amount, wish.currency)
    return Prepayment(
        legal_entity=named_seller(known, wish.legal_entity, at),
        reference=_reference(wish.reference),
        customer=subject,
        currency=wish.currency,
        amount_minor=-minor if wish.is_back else minor,
        received_at=at,
        recorded_by=by,
    )


def customer_subject(
    connection: Connection[Any],
    known: Declarations,
    customer: str,
    at: datetime,
    *,
    is_back: bool = False,
) -> str:
    """Return the subject id of the customer that is declared under a key.

    *is_back*: who gets money back may have been withdrawn since it paid.

    Raises:
        UnknownCustomerError: If nobody of that key is declared.
    """
    holder = customer_holder(customer)
    subject = find(connection, [holder]).get((holder.kind, holder.name))
    declared = known.last_customer if is_back else known.customer
    if subject is None or declared(subject.id, at) is None:
        raise UnknownCustomerError(customer)
    return subject.id


def named_seller(known: Declarations, wanted: str | None, at: datetime) -> str:
    """Return the legal entity that is *wanted*; None: the only one that is declared.

    Raises:
        UnclearSellerError: If it is not declared, or none is named of several.
    """
    declared = [
        key for key in known.keys(Kind.LEGAL_ENTITY) if known.legal_entity(key, at) is not None
    ]
    if wanted in declared:
        return wanted
    if wanted is None and len(declared) == 1:
        return declared[0]
    raise UnclearSellerError(wanted, declared)


def _reference(text: str) -> str:
    if not is_a_name(text):
        message = f"a reference is {A_NAME}, as the bank statement or receipt has it"
        raise UnfitPrepaymentError(message)
    if has_card_number(text):
        raise UnfitPrepaymentError(NO_CARD_NUMBERS)
    return text.strip()


def minor_of(amount: Decimal, currency: str) -> int:
    """Return an amount above 0 in minor units.

    Raises:
        UnfitPrepaymentError: If it has no such amount.
    """
    exponent = currency_exponent(currency)
    if not (amount.is_finite() and 0 < amount <= _AMOUNT_MAX):
        message = f"an amount is above 0 and at most {_AMOUNT_MAX:f}"
        raise UnfitPrepaymentError(message)
    # As written: who writes 1.000 may mean a thousand.
    if -int(amount.as_tuple().exponent) > exponent:
        message = f"{amount} {currency}: this currency has {exponent} decimals"
        raise UnfitPrepaymentError(message)
    return int(amount.scaleb(exponent, EXACT))


class UnknownCustomerError(LedgerError):
    """No customer of that key is declared."""

    def __init__(self, customer: str) -> None:
        super().__init__(f"there is no customer {customer}: `wattledger apply` declares customers")
        self.customer = customer


class UnclearSellerError(LedgerError):
    """It is not clear to which legal entity the money was paid."""

    def __init__(self, wanted: str | None, declared: list[str]) -> None:
        why = "say which legal entity got it" if wanted is None else f"{wanted} is not declared"
        super().__init__(f"{why}: {', '.join(declared) or 'none is declared'}")
        self.wanted, self.declared = wanted, declared


class UnfitPrepaymentError(LedgerError):
    """An amount or a reference that cannot be booked."""
