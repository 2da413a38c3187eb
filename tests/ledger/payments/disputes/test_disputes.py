"""What is booked of a dispute: by what is new of it, in whatever order it is told of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest

from ledger.books.accounts import RECEIVABLE
from ledger.payments.disputes.booking import DisputeFacts, dispute_movements
from ledger.payments.movement import (
    CLEARING,
    STRIPE,
    UNMATCHED,
    Allotment,
    MoneyKind,
    MoneyMovement,
    check_movement,
)
from ledger.payments.provider import DisputeState, DisputeStatus
from tests.depot import NOON

DISPUTES, FEES = "disputes:stripe", "fees:stripe"
INVOICE = Allotment(RECEIVABLE, 476, "anna", "WL-1")
OTHER = Allotment(RECEIVABLE, 300, "anna", "WL-2")
STATE = DisputeState("dp_1", "pi_1", DisputeStatus.OPEN, 476, "EUR", NOON)
OPEN, WON, LOST = DisputeStatus.OPEN, DisputeStatus.WON, DisputeStatus.LOST


def received(*allotments: Allotment) -> MoneyMovement:
    return MoneyMovement(
        MoneyKind.RECEIVED,
        STRIPE,
        "ch_1",
        "depot",
        "EUR",
        sum(each.minor for each in allotments),
        allotments,
        NOON,
        "a test",
    )


def book(
    states: Sequence[DisputeState],
    came: MoneyMovement | None,
    siblings: Sequence[MoneyMovement] = (),
) -> list[MoneyMovement]:
    """Book one look after the other."""
    booked: list[MoneyMovement] = []
    for state in states:
        facts = DisputeFacts(state, STRIPE, "depot", booked, siblings, came, NOON)
        made = dispute_movements(facts, lambda minor: [Allotment("payable:returned", -minor)])
        for each in made:
            check_movement(each)
        booked += made
    assert len({(each.kind, each.reference) for each in booked}) == len(booked)
    return booked


def standing(booked: Sequence[MoneyMovement]) -> dict[str, int]:
    """Return what stands on each account, or document, after all of it."""
    sums: dict[str, int] = {"cash": sum(each.amount_minor for each in booked)}
    for movement in booked:
        for each in movement.allotments:
            name = each.document or each.account
            sums[name] = sums.get(name, 0) - each.minor
    return {name: minor for name, minor in sums.items() if minor}


def state(status: DisputeStatus, taken: int = 0, fee: int = 0, back: int = 0) -> DisputeState:
    return STATE._replace(status=status, taken_minor=taken, fee_minor=fee, given_back_minor=back)


STORIES = {
    "an inquiry moves nothing": ([state(DisputeStatus.INQUIRY)], {}),
    "opened": ([state(OPEN, 476, 1500)], {"cash": -1976, DISPUTES: 476, FEES: 1500}),
    "won, with its money": (
        [state(OPEN, 476, 1500), state(WON, 476, 1500, 476)],
        {"cash": -1500, FEES: 1500},
    ),
    "won, and the fee too": (
        [state(OPEN, 476, 1500), state(WON, 476, 1500, 1976)],
        {},
    ),
    "won, its money later": (
        [state(OPEN, 476, 1500), state(WON, 476, 1500), state(WON, 476, 1500, 476)],
        {"cash": -1500, FEES: 1500},
    ),
    "won in part": (
        [state(OPEN, 476), state(WON, 476, 0, 200)],
        {"cash": -276, DISPUTES: 276},
    ),
    "lost: it is owed again": (
        [state(OPEN, 476, 1500), state(LOST, 476, 1500)],
        {"cash": -1976, FEES: 1500, "WL-1": 476},
    ),
    "lost at once": ([state(LOST, 476, 1500)], {"cash": -1976, FEES: 1500, "WL-1": 476}),
    "lost in part": ([state(LOST, 400, 0, 100)], {"cash": -300, "WL-1": 300}),
    "withdrawn twice": (
        [state(OPEN, 200, 1500), state(OPEN, 476, 1500), state(LOST, 476, 1500)],
        {"cash": -1976, FEES: 1500, "WL-1": 476},
    ),
    "lost before all of it was withdrawn": (
        [state(LOST, 200), state(LOST, 476)],
        {"cash": -476, "WL-1": 476},
    ),
    "given back after it was lost": (
        [state(LOST, 476, 1500), state(WON, 476, 1500, 476)],
        {"cash": -1500, FEES: 1500},
    ),
    "an older view comes last": (
        [state(LOST, 476, 1500), state(OPEN, 476, 1500), state(OPEN)],
        {"cash": -1976, FEES: 1500, "WL-1": 476},
    ),
    "more comes back than went": ([state(WON, 100, 0, 130)], {"cash": 30, UNMATCHED: -30}),
}


@pytest.mark.parametrize("story", sorted(STORIES), ids=str)
def test_a_dispute_comes_to_what_was_taken_and_given_back(story: str) -> None:
    states, wanted = STORIES[story]

    assert standing(book(states, received(INVOICE))) == wanted
    told_twice = [each for each in states for _ in range(2)]
    assert book(told_twice, received(INVOICE)) == book(states, received(INVOICE))


def test_whatever_the_order_of_looks_it_comes_to_the_last_one() -> None:
    states = [state(OPEN, 200, 1500), state(OPEN, 476, 1500), state(LOST, 476, 1500)]
    for order in permutations(states):
        looked = [*order, states[-1]]
        wanted = {"cash": -1976, FEES: 1500, "WL-1": 476}
        assert standing(book(looked, received(INVOICE))) == wanted


def test_what_is_lost_is_owed_again_by_the_documents_that_it_paid() -> None:
    came = received(INVOICE, OTHER, Allotment(CLEARING, 24))
    lost = book([state(LOST, 800)], came)
    assert standing(lost) == {"cash": -800, "WL-1": 476, "WL-2": 300, "payable:returned": 24}

    first = book([state(LOST, 500)], received(INVOICE, OTHER))
    assert standing(first) == {"cash": -500, "WL-1": 476, "WL-2": 24}
    second = book([state(LOST, 300)._replace(id="dp_2")], received(INVOICE, OTHER), first)
    # 276 are left of the second document, and 24 were never paid by this.
    assert standing(second) == {"cash": -300, "WL-2": 276, UNMATCHED: 24}


def test_what_went_on_to_another_document_is_owed_again_by_that() -> None:
    """4.76 were paid; the session was corrected to 3.00, and 1.76 given back."""
    moved = received()._replace(
        kind=MoneyKind.MATCHED,
        allotments=(INVOICE._replace(minor=-300), OTHER),
    )
    facts = DisputeFacts(state(LOST, 476), STRIPE, "depot", [], [], received(INVOICE), NOON)
    made = dispute_movements(facts._replace(moved_on=[moved]), lambda _: [])

    # The 1.76 came back to the payer twice.
    assert standing(made) == {"cash": -476, "WL-1": 176, "WL-2": 300}


@pytest.mark.parametrize("came", [None, received(INVOICE)._replace(currency="SEK")])
def test_what_was_lost_of_money_that_is_not_ours_a_person_decides(
    came: MoneyMovement | None,
) -> None:
    lost = book([state(LOST, 476, 1500)], came)
    assert standing(lost) == {"cash": -1976, FEES: 1500, UNMATCHED: 476}

    back = book([state(LOST, 476, 1500), state(WON, 476, 1500, 476)], came)
    assert standing(back) == {"cash": -1500, FEES: 1500}
