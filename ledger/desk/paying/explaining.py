"""What a person says that money at a provider was for, which nothing of ours explains.

a charge made by hand, for an invoice      out of cash:unmatched, into its receivable
a refund made by hand, of an invoice       the same: it is open again
anything else                              an account of costs or income
above `payment_approval_above`             proposed; another person says the same
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.books.prepayments import amount_text
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.desk.customers.prepaying import minor_of
from ledger.desk.paying.agreed import check_agreed, digest_of
from ledger.desk.withdrawing.withdrawn import (
    About,
    MoneyMeant,
    NotProposedError,
    Withdrawal,
    replace_proposed,
    withdraw,
)
from ledger.errors import LedgerError
from ledger.four_eyes import is_same_person
from ledger.master_data.policies import is_above
from ledger.payments.movement import CLEARING, UNMATCHED, Allotment, MoneyKind, MoneyMovement
from ledger.payments.open_items import OpenItem, open_item
from ledger.payments.payouts.unmatched import ABOUT_MOVEMENT, UnmatchedMovement, unmatched_money
from ledger.payments.recording import movements_about, record_movement, under_the_books
from ledger.users.pairs import check_pair
from ledger.users.roles import Permission
from tariffs.model.canonical import canonical_json
from tariffs.quantities import money_of_minor
from tariffs.zones import zone

_ACCOUNT: Final = re.compile(
    r"(fees|costs|losses|income|exchange|reserves)(:[A-Za-z0-9_.-]{1,40}){0,4}"
)
_PROPOSED: LiteralString = """
SELECT body, proposed_by, proposed_at FROM money_proposal WHERE number = %s
"""
_PROPOSE: LiteralString = """
INSERT INTO money_proposal (number, body, proposed_by, proposed_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (number) DO UPDATE SET body = excluded.body, proposed_by = excluded.proposed_by,
    proposed_at = excluded.proposed_at
"""
_SETTLE: LiteralString = "DELETE FROM money_proposal WHERE number = %s"


class MoneyWish(NamedTuple):
    """What the movement of a number was for: a document, or an account.

    `amount` in major units, without a sign; None: as much as can be.
    """

    number: int
    document: str | None = None
    account: str | None = None
    amount: Decimal | None = None


class ExplainedMoney(NamedTuple):
    """What was said of a movement, in minor units; `waits`: another person is to say the same."""

    number: int
    currency: str
    allotment: Allotment
    left_minor: int
    waits: bool


class ProposedMoney(NamedTuple):
    """What one person says a movement was for, until another says the same."""

    allotment: Allotment
    proposed_by: str
    proposed_at: datetime


class PlannedMoney(NamedTuple):
    """What a wish about money at a provider comes to.

    `takes_two` and `proposed_by` as in `PlannedMatch`; `open_minor`: what is open of the document
    before, None: it is for an account.
    """

    money: UnmatchedMovement
    allotment: Allotment
    takes_two: bool
    proposed_by: str | None
    turn: int
    open_minor: int | None

    @property
    def left_minor(self) -> int:
        """How much of the movement is unmatched afterwards."""
        return self.money.left_minor - self.allotment.minor

    @property
    def digest(self) -> str:
        """Return what names all that somebody reads of this before it is booked."""
        read = self.takes_two, self.proposed_by or "", self.turn, self.open_minor
        return digest_of(self.money.number, self.money.left_minor, list(self.allotment), *read)

    def movement(self, by: str, at: datetime) -> MoneyMovement:
        """Return the movement by which it is booked."""
        money, about = self.money, f"{ABOUT_MOVEMENT}{self.money.number}"
        return MoneyMovement(
            kind=MoneyKind.MATCHED,
            source=money.source,
            reference=f"{about}/{self.turn}",
            legal_entity=money.legal_entity,
            currency=money.currency,
            amount_minor=0,
            allotments=(Allotment(UNMATCHED, -self.allotment.minor), self.allotment),
            happened_at=at,
            recorded_by=by,
            about=about,
        )


def explain_money(
    connection: Connection[Any],
    wish: MoneyWish,
    *,
    by: str,
    at: datetime,
    agreed: str | None = None,
) -> ExplainedMoney:
    """Book what a movement was for, or propose it.

    Args:
        connection: To the books, in no transaction.
        wish: What it was for.
        by: Who says so.
        at: Now.
        agreed: The digest of the plan that this person read; None: it was not looked at before.

    Raises:
        UnexplainableError: If nothing of it is unmatched, or it cannot have been for that.
        UnfitPrepaymentError: If there is no such amount.
        ReadOtherwiseError: If it comes to something else than was read.
        SameExplainerError: If who proposed it says so again.
    """
    declared = load_declarations(connection)
    with under_the_books(connection):
        planned = plan_money(connection, declared, wish, at)
        check_agreed(agreed, planned.digest)
        money, allotment = planned.money, planned.allotment
        if planned.takes_two:
            first = planned.proposed_by
            if first is None:
                earlier = proposed_money(connection, money.number)
                if earlier is not None:
                    meant = MoneyMeant(money.currency, earlier.allotment.minor)
                    how = Withdrawal(by, "", at)
                    replace_proposed(connection, About.MOVEMENT, money.number, how, meant)
                body = canonical_json(list(allotment))
                connection.execute(_PROPOSE, (money.number, body, by, at))
                told = money.currency, allotment, money.left_minor
                return ExplainedMoney(money.number, *told, waits=True)
            if is_same_person(first, by):
                raise SameExplainerError(money.number, first)
            check_pair(connection, first, by, Permission.MOVE_MONEY)
            by = f"{first}, {by}"
        entity = declared.legal_entity(money.legal_entity, at)
        made = planned.movement(by, at)
        record_movement(connection, made, *([zone(entity.time_zone)] if entity else []))
        connection.execute(_SETTLE, (money.number,))
    return ExplainedMoney(money.number, money.currency, allotment, planned.left_minor, waits=False)


def withdraw_proposed_money(
    connection: Connection[Any], number: int, currency: str, how: Withdrawal
) -> None:
    """Take back what was proposed of a movement; whoever may move money may withdraw it.

    Raises:
        NotProposedError: If nothing was.
        NoReasonError: If *how* does not say why.
    """
    with under_the_books(connection):
        proposed = proposed_money(connection, number)
        if proposed is None:
            raise NotProposedError(str(number))
        meant = MoneyMeant(currency, proposed.allotment.minor)
        withdraw(connection, About.MOVEMENT, number, how, meant)


def plan_money(
    connection: Connection[Any], declared: Declarations, wish: MoneyWish, at: datetime
) -> PlannedMoney:
    """Return what *wish* comes to by now; who books it is under the books.

    Raises:
        UnexplainableError: If nothing of it is unmatched, or it cannot have been for that.
        UnfitPrepaymentError: If there is no such amount.
    """
    found = unmatched_money(connection, number=wish.number, at_providers=True)
    if not found:
        why = "nothing of it is unmatched: `wattledger payouts unmatched` lists what is"
        raise UnexplainableError(wish.number, why)
    money = found[0]
    item = None if wish.document is None else open_item(connection, wish.document)
    allotment = _allotment(money, wish, item)
    limit = declared.policy(at).payment_approval_above
    first = proposed_money(connection, money.number)
    is_same = first is not None and first.allotment == allotment
    about = f"{ABOUT_MOVEMENT}{money.number}"
    return PlannedMoney(
        money=money,
        allotment=allotment,
        # Of a part as of the whole: who takes it part by part is no other person.
        takes_two=is_above(limit, money.left_minor, money.currency),
        proposed_by=first.proposed_by if first is not None and is_same else None,
        turn=1 + len(movements_about(connection, about)),
        open_minor=None if item is None else item.open_minor,
    )


def proposed_money(connection: Connection[Any], number: int) -> ProposedMoney | None:
    """Return what of a movement waits for a second person."""
    row = connection.execute(_PROPOSED, (number,)).fetchone()
    if row is None:
        return None
    return ProposedMoney(Allotment(*msgspec.json.decode(bytes(row[0]))), row[1], row[2])


def money_wish_of(number: int, currency: str, allotment: Allotment) -> MoneyWish:
    """Return the wish that comes to *allotment* again, where it still can be."""
    amount = money_of_minor(abs(allotment.minor), currency).amount
    account = None if allotment.document else allotment.account
    return MoneyWish(number, allotment.document or None, account, amount)


def _allotment(money: UnmatchedMovement, wish: MoneyWish, item: OpenItem | None) -> Allotment:
    if (wish.document is None) == (wish.account is None):
        raise UnexplainableError(money.number, "it was for a document, or for an account: say one")
    most = abs(money.left_minor)
    if wish.document is not None:
        fits = item is not None and item.legal_entity == money.legal_entity
        if item is None or not fits or item.currency != money.currency:
            # Whether another legal entity has such a one is none of everybody's business.
            of_whom = f"of {money.legal_entity} in {money.currency}"
            why = f"there is no invoice {wish.document} {of_whom}"
            raise UnexplainableError(money.number, why)
        if item.account is None or item.party is None:
            raise UnexplainableError(money.number, f"{wish.document} asks for nothing")
        # What went may be what came for it before: it is open again then.
        of_it = item.open_minor if money.left_minor > 0 else item.paid_minor
        most = min(most, max(of_it, 0))
        made = Allotment(item.account, 0, item.party, item.number)
    else:
        made = Allotment(_account(money, wish.account or ""), 0)
    minor = most if wish.amount is None else minor_of(wish.amount, money.currency)
    if not 0 < minor <= most:
        of_what = wish.document or wish.account
        most_text = amount_text(most, money.currency)
        raise UnexplainableError(money.number, f"at most {most_text} of it is for {of_what}")
    return made._replace(minor=minor if money.left_minor > 0 else -minor)


def _account(money: UnmatchedMovement, account: str) -> str:
    if account != CLEARING and not _ACCOUNT.fullmatch(account):
        why = (
            f"{account[:60]!r} is no account for that: one of fees, costs, losses, income, "
            f"exchange or reserves, as costs:disputes; or {CLEARING}, and `prepaid` says the rest"
        )
        raise UnexplainableError(money.number, why)
    return account


class UnexplainableError(LedgerError):
    """A movement cannot have been for that."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"movement {number}: {why}")
        self.number = number


class SameExplainerError(LedgerError):
    """Who proposed what money was for said so again: it takes somebody else."""

    def __init__(self, number: int, proposed_by: str) -> None:
        super().__init__(
            f"{proposed_by} proposed this for movement {number}: it is above "
            "payment_approval_above, so another person says the same"
        )
        self.number, self.proposed_by = number, proposed_by
