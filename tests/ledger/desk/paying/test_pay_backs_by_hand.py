"""What of a prepaid balance goes back to its card: by two persons, of one balance, once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from msgspec.structs import replace

from ledger.database import connect
from ledger.declared.changes import Change
from ledger.declared.declarations import BEGINNING, Kind
from ledger.declared.store import declare
from ledger.desk.customers.prepaying import PrepaymentWish
from ledger.desk.paying.giving_back import SameProposerError
from ledger.desk.paying.raising_balances import DecidedByCard, pay_back_to_card
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.policies import Policy
from ledger.payments.movement import STRIPE
from ledger.payments.requests import RequestKind
from ledger.persons.holders import customer_holder
from ledger.persons.store import find_or_make
from tests.depot import THINGS
from tests.ledger.held_up import BOOKS, held_up
from tests.ledger.payments.paper_provider import PaperProvider
from tests.ledger.payments.topping_up.raising import Raising


@pytest.fixture
def raising(database: str) -> Iterator[Raising]:
    """10.00 on a balance of anna's, of which one person gives at most 4.00 back."""
    made = Raising(database, PaperProvider())
    made.method()
    made.run()
    made.top_up(1_000, "web/1")
    made.run()
    made.set_policy(Policy(payment_approval_above=Decimal(4)))
    find_or_make(made.connection, [customer_holder("anna")])
    made.connection.execute("UPDATE subject SET subject = 'anna' WHERE kind = 'customer'")
    yield made
    made.close()


def give(
    raising: Raising, amount: str, reference: str, by: str, legal_entity: str = "depot"
) -> DecidedByCard:
    wish = PrepaymentWish("anna", Decimal(amount), "EUR", reference, legal_entity)
    with connect(raising.dsn) as connection:
        return pay_back_to_card(connection, STRIPE, wish, by=by, at=raising.now)


def test_part_by_part_one_person_gives_no_more_of_a_balance(raising: Raising) -> None:
    for part in range(3):
        assert give(raising, "4.00", f"r-{part}", "eve").requests == ()
        with pytest.raises(SameProposerError):
            give(raising, "4.00", f"r-{part}", "Eve")

    assert raising.balance() == 1_000
    assert len(give(raising, "6.00", "r-3", "eve").requests) == 0
    assert len(give(raising, "6.00", "r-3", "mallory").requests) == 1
    # What is left then is no more than one person gives back.
    assert len(give(raising, "4.00", "r-4", "eve").requests) == 1
    assert raising.balance() == 0


def test_who_agrees_agrees_to_whose_balance_it_is_of(raising: Raising) -> None:
    """The same customer has one at another legal entity, and the same reference names it."""
    depot = THINGS[Kind.LEGAL_ENTITY, "depot"]
    assert isinstance(depot, LegalEntity)
    another = replace(depot, invoice_prefix="QY")
    quay = Change(kind=Kind.LEGAL_ENTITY, key="quay", entity=another, valid_from=BEGINNING)
    with raising.connection.transaction():
        declare(raising.connection, [quay], by="a test", at=raising.now)
    assert give(raising, "6.00", "r-1", "eve", "quay").requests == ()

    assert give(raising, "6.00", "r-1", "mallory").requests == ()
    assert raising.balance() == 1_000
    assert len(give(raising, "6.00", "r-1", "eve").requests) == 1
    assert raising.balance() == 400


def test_two_who_agree_at_once_give_back_once(raising: Raising) -> None:
    give(raising, "6.00", "r-1", "eve")
    with ThreadPoolExecutor(2) as pool:
        with held_up(raising.dsn, BOOKS) as (_, held):
            agreeing = [
                pool.submit(give, raising, "6.00", "r-1", name) for name in ("mallory", "trent")
            ]
            held(2)
        keys = [[each.key for each in one.result().requests] for one in agreeing]

    assert keys == [["payback:anna:r-1"]] * 2
    assert len(raising.requests("anna", RequestKind.PAY_BACK)) == 1
    assert raising.balance() == 400
