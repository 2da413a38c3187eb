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

from psycopg import Connection

from ledger.books.prepayments import amount_text
from ledger.declared.store import load_declarations
from ledger.desk.customers.prepaying import minor_of
from ledger.errors import LedgerError
from ledger.four_eyes import is_same_person
from ledger.payments.movement import CLEARING, UNMATCHED, Allotment, MoneyKind, MoneyMovement
from ledger.payments.open_items import open_item
from ledger.payments.payouts.unmatched import ABOUT_MOVEMENT, UnmatchedMovement, unmatched_money
from ledger.payments.recording import movements_about, record_movement, under_the_books
from tariffs.currencies import currency_exponent
from tariffs.model.canonical import canonical_json
from tariffs.zones import zone

_ACCOUNT: Final = re.compile(
    r"(fees|costs|losses|income|exchange|reserves)(:[A-Za-z0-9_.-]{1,40}){0,4}"
)
_PROPOSED: LiteralString = """
SELECT body, proposed_by FROM money_proposal WHERE number = %s FOR UPDATE
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


def explain_money(
    connection: Connection[Any], wish: MoneyWish, *, by: str, at: datetime
) -> ExplainedMoney:
    """Book what a movement was for, or propose it.

    Raises:
        UnexplainableError: If nothing of it is unmatched, or it cannot have been for that.
        UnfitPrepaymentError: If there is no such amount.
        SameExplainerError: If who proposed it says so again.
    """
    declared = load_declarations(connection)
    with under_the_books(connection):
        found = unmatched_money(connection, number=wish.number, at_providers=True)
        if not found:
            why = "nothing of it is unmatched: `wattledger payouts unmatched` lists what is"
            raise UnexplainableError(wish.number, why)
        money = found[0]
        allotment = _allotment(connection, money, wish)
        limit = declared.policy(at).payment_approval_above
        # Of a part as of the whole: who takes it part by part is no other person.
        if abs(money.left_minor) > limit.scaleb(currency_exponent(money.currency)):
            first = _first_person(connection, money, allotment, by=by)
            if first is None:
                body = canonical_json(list(allotment))
                connection.execute(_PROPOSE, (money.number, body, by, at))
                told = money.currency, allotment, money.left_minor
                return ExplainedMoney(money.number, *told, waits=True)
            by = f"{first}, {by}"
        entity = declared.legal_entity(money.legal_entity, at)
        made = _movement(connection, money, allotment, by=by, at=at)
        record_movement(connection, made, *([zone(entity.time_zone)] if entity else []))
        connection.execute(_SETTLE, (money.number,))
    left = money.left_minor - allotment.minor
    return ExplainedMoney(money.number, money.currency, allotment, left, waits=False)


def _movement(
    connection: Connection[Any],
    money: UnmatchedMovement,
    allotment: Allotment,
    *,
    by: str,
    at: datetime,
) -> MoneyMovement:
    about = f"{ABOUT_MOVEMENT}{money.number}"
    return MoneyMovement(
        kind=MoneyKind.MATCHED,
        source=money.source,
        reference=f"{about}/{1 + len(movements_about(connection, about))}",
        legal_entity=money.legal_entity,
        currency=money.currency,
        amount_minor=0,
        allotments=(Allotment(UNMATCHED, -allotment.minor), allotment),
        happened_at=at,
        recorded_by=by,
        about=about,
    )


def _allotment(connection: Connection[Any], money: UnmatchedMovement, wish: MoneyWish) -> Allotment:
    if (wish.document is None) == (wish.account is None):
        raise UnexplainableError(money.number, "it was for a document, or for an account: say one")
    most = abs(money.left_minor)
    if wish.document is not None:
        item = open_item(connection, wish.document)
        if item is None or item.account is None or item.party is None:
            raise UnexplainableError(money.number, f"there is no invoice {wish.document}")
        if (item.currency, item.legal_entity) != (money.currency, money.legal_entity):
            whose = f"{wish.document} is of {item.legal_entity}, in {item.currency}"
            raise UnexplainableError(money.number, whose)
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


def _first_person(
    connection: Connection[Any], money: UnmatchedMovement, allotment: Allotment, *, by: str
) -> str | None:
    """Return who proposed the same; None where nobody did."""
    proposed = connection.execute(_PROPOSED, (money.number,)).fetchone()
    if proposed is None or bytes(proposed[0]) != canonical_json(list(allotment)):
        return None
    first = str(proposed[1])
    if is_same_person(first, by):
        raise SameExplainerError(money.number, first)
    return first


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
