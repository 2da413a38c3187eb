"""What is booked of a dispute: pure, from how it stands and what was booked of it before.

A provider says totals: what it took, its fee, what it gave back. What is more of each than was
booked is booked now, so that any order and any repetition of what it tells comes to the same.

    opened: 4.76 taken, fee 15.00      DISPUTED -19.76: disputes 4.76, fees 15.00
    won: 4.76 given back               DISPUTE_WON 4.76: out of disputes
    lost                               DISPUTE_LOST 0: out of disputes; the receivable again
    given back after it was lost       DISPUTE_WON 4.76: off the receivable
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from ledger.payments.movement import (
    CLEARING,
    UNMATCHED,
    Allotment,
    MoneyKind,
    MoneyMovement,
    disputes_account,
    fees_account,
)
from ledger.payments.provider import DisputeState, DisputeStatus

RECORDED_BY: Final = "disputes"
"""Who records what is booked of disputes."""
Place = tuple[str, str, str]
"""Account, party and document of an allotment."""
LostBalance = Callable[[int], Sequence[Allotment]]
"""What money that went to a prepaid balance is taken from, in minor units, now that it is lost."""


class DisputeFacts(NamedTuple):
    """What is known of a dispute when it is booked.

    `before`: what was booked of it; `siblings`: of other disputes of the same payment. `received`:
    how the money came, None where that is nothing of ours; `moved_on`: what else it went on to.
    """

    state: DisputeState
    provider: str
    legal_entity: str
    before: Sequence[MoneyMovement]
    siblings: Sequence[MoneyMovement]
    received: MoneyMovement | None
    now: datetime
    moved_on: Sequence[MoneyMovement] = ()


def dispute_movements(facts: DisputeFacts, lost_balance: LostBalance) -> list[MoneyMovement]:
    """Return what is to be booked, in its order; nothing where all of it was."""
    made: list[MoneyMovement] = []
    for step in (_taken, _given_back, lambda each: _lost(each, lost_balance)):
        allotments = step(facts._replace(before=(*facts.before, *made)))
        if allotments is not None:
            made.append(_movement(facts, made, *allotments))
    return made


def _taken(facts: DisputeFacts) -> tuple[MoneyKind, list[Allotment]] | None:
    """Return what was withdrawn and is not booked."""
    state, booked = facts.state, _sums(facts.before, MoneyKind.DISPUTED)
    wanted = {
        disputes_account(facts.provider): state.taken_minor,
        fees_account(facts.provider): state.fee_minor,
    }
    more = {
        account: minor + booked[account, "", ""]
        for account, minor in wanted.items()
        # Less than was booked is an older view of it.
        if minor > -booked[account, "", ""]
    }
    if not more:
        return None
    return MoneyKind.DISPUTED, [Allotment(account, -minor) for account, minor in more.items()]


def _given_back(facts: DisputeFacts) -> tuple[MoneyKind, list[Allotment]] | None:
    """Return what came back and is not booked: of what is in dispute first, its fee last."""
    before = sum(each.amount_minor for each in facts.before if each.kind is MoneyKind.DISPUTE_WON)
    left = facts.state.given_back_minor - before
    if left <= 0:
        return None
    disputes, fees = (account(facts.provider) for account in (disputes_account, fees_account))
    standing = _sums(facts.before)
    lost = [place for place in standing if place[0] not in {disputes, fees}]
    allotments = []
    for place in ((disputes, "", ""), *lost, (fees, "", "")):
        minor = min(left, max(-standing[place], 0))
        account, party, document = place
        if account == CLEARING:
            # It was taken from a balance: what is put back there, a person says.
            account, party, document = UNMATCHED, "", ""
        allotments.append(Allotment(account, minor, party, document))
        left -= minor
    allotments.append(Allotment(UNMATCHED, left))
    return MoneyKind.DISPUTE_WON, allotments


def _lost(
    facts: DisputeFacts, lost_balance: LostBalance
) -> tuple[MoneyKind, list[Allotment]] | None:
    """Return what is lost for good: it is owed again by whom it came from."""
    disputes = disputes_account(facts.provider)
    left = -_sums(facts.before)[disputes, "", ""]
    if facts.state.status is not DisputeStatus.LOST or left <= 0:
        return None
    allotments = [Allotment(disputes, left)]
    lost, from_balance = _sums([*facts.before, *facts.siblings]), 0
    for each in _of_receipt(facts):
        place = (each.account, each.party, each.document)
        minor = min(left, max(each.minor + min(lost[place], 0), 0))
        left -= minor
        if each.account == CLEARING:
            from_balance += minor
        else:
            allotments.append(each._replace(minor=-minor))
    if from_balance:
        allotments += lost_balance(from_balance)
    # More than came, or of money that was never ours: a person says what it is.
    allotments.append(Allotment(UNMATCHED, -left))
    return MoneyKind.DISPUTE_LOST, allotments


def _of_receipt(facts: DisputeFacts) -> Sequence[Allotment]:
    """Return what the money counts for by now, in the order in which it came to."""
    received = facts.received
    if received is None or received.currency != facts.state.currency:
        return ()
    counts = _sums([received, *facts.moved_on])
    return [
        Allotment(account, minor, party, document)
        for (account, party, document), minor in counts.items()
        if minor > 0
    ]


def _sums(movements: Iterable[MoneyMovement], *kinds: MoneyKind) -> defaultdict[Place, int]:
    """Return what *movements* (of these kinds; none named: all) come to, by place."""
    sums: defaultdict[Place, int] = defaultdict(int)
    for movement in movements:
        if not kinds or movement.kind in kinds:
            for account, minor, party, document in movement.allotments:
                sums[account, party, document] += minor
    return sums


def _movement(
    facts: DisputeFacts,
    made: Sequence[MoneyMovement],
    kind: MoneyKind,
    allotments: Sequence[Allotment],
) -> MoneyMovement:
    state = facts.state
    told = [each for each in (*facts.before, *made) if each.kind is kind]
    fit = tuple(each for each in allotments if each.minor)
    return MoneyMovement(
        kind=kind,
        source=facts.provider,
        reference=f"{state.id}/{len(told) + 1}" if told else state.id,
        legal_entity=facts.legal_entity,
        currency=state.currency,
        amount_minor=sum(each.minor for each in fit),
        allotments=fit,
        happened_at=facts.now if facts.before or made else min(state.created_at, facts.now),
        recorded_by=RECORDED_BY,
        about=state.id,
    )
