"""Who takes payouts: each is booked once, with all of its lines, and once more where it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from ledger.database import connect
from ledger.errors import LedgerError
from ledger.payments.batches import record_movements
from ledger.payments.due_objects import AT_ONCE
from ledger.payments.movement import MoneyMovement
from ledger.payments.payouts.awaiting import awaited_lines
from ledger.payments.payouts.booking import Booker, PayoutSums
from ledger.payments.payouts.matching import LineMatching, MatchedLine, sources_of
from ledger.payments.payouts.store import held_movements, is_taken, keep_lines, keep_payout
from ledger.payments.provider import (
    BalanceLine,
    PaymentProvider,
    PayoutState,
    PayoutStatus,
    ProviderError,
    ProviderObject,
)
from ledger.payments.recording import record_movement, under_the_books
from ledger.payments.taking import Taking

LINES_AT_ONCE: Final = 1_000
LINES_COMPLETE: Final = timedelta(days=3)
"""A provider may say what a payout consists of some time after the payout itself: so long after it,
what it said is what there is."""


class PayoutWait(StrEnum):
    """Why a payout is not booked yet."""

    PAYMENTS = "waits_for_payments"
    """A payment, refund or dispute that it consists of is not taken yet."""
    LINES = "waits_for_lines"
    """Its lines do not come to it; the provider may say more of them."""
    OTHER_MONEY = "line_in_other_money"
    """A line is not in its currency."""


class GatheredPayout(NamedTuple):
    """A payout's lines, its own left out, and the ids of those whose movement is still to come."""

    lines: Sequence[BalanceLine]
    awaited: frozenset[str]


class PayoutTaker:
    """Takes the payouts of a provider, whose money is a legal entity's.

    Args:
        dsn: The database; what is gathered is held against it on a connection of its own.
        legal_entity: Whose account with the provider it is.
    """

    def __init__(self, dsn: str, legal_entity: str) -> None:
        self._dsn, self._legal_entity = dsn, legal_entity

    def gather(self, provider: PaymentProvider, found: ProviderObject) -> GatheredPayout:
        """Return the lines of a payout that is not booked; have looked up what it comes before.

        Raises:
            PayoutWaitsError: If a line is not in the payout's currency.
        """
        payout = _payout(found)
        booker = Booker(provider.name, self._legal_entity)
        with connect(self._dsn) as connection:
            if is_taken(connection, provider.name, payout.id):
                return GatheredPayout((), frozenset())
            # A page that moved on while it was read says a line twice.
            told = {each.id: each for each in provider.balance_lines(payout.id)}
            lines = [each for each in told.values() if each.source_id != payout.id]
            if any(each.currency != payout.currency for each in lines):
                said = f"{payout.id} is in {payout.currency}, a line of it is in other money"
                raise PayoutWaitsError(PayoutWait.OTHER_MONEY, said)
            matching = LineMatching(booker.provider, lines)
            awaited: set[str] = set()
            for some in _some(lines):
                matching.hold(held_movements(connection, booker, sources_of(some)))
                matched = [matching.match(each) for each in some]
                awaited |= awaited_lines(connection, provider, matched, AT_ONCE)
        return GatheredPayout(lines, frozenset(awaited))

    def take(self, taking: Taking, found: ProviderObject, gathered: object) -> None:
        """Book a payout that is not booked, and that it failed.

        Raises:
            PayoutWaitsError: If a payment that it consists of is not taken yet, or the provider
                has not said all of it.
        """
        payout, booker = _payout(found), Booker(taking.provider, self._legal_entity)
        payout = payout._replace(created_at=taking.happened(payout.created_at))
        assert isinstance(gathered, GatheredPayout)
        with under_the_books(taking.connection):
            if not is_taken(taking.connection, taking.provider, payout.id):
                _book(taking, booker, payout, gathered)
            if payout.status is PayoutStatus.FAILED and payout.amount_minor:
                _record(taking, booker.failed(payout)._replace(happened_at=taking.now))


def _book(taking: Taking, booker: Booker, payout: PayoutState, gathered: GatheredPayout) -> None:
    difference = payout.amount_minor - sum(each.net_minor for each in gathered.lines)
    if difference and taking.now - payout.created_at < LINES_COMPLETE:
        said = f"the lines of {payout.id} come to {-difference} minor units more than it"
        raise PayoutWaitsError(PayoutWait.LINES, said)
    keep_payout(
        taking.connection,
        booker,
        payout,
        lines=len(gathered.lines),
        difference_minor=difference,
        now=taking.now,
    )
    sums, calendar = PayoutSums(), taking.calendar(booker.legal_entity)
    for some in _matched(taking, booker, gathered):
        for each in some:
            sums.add(each)
        beyond = [each for each in some if each.unexplained_minor]
        for each in beyond:
            if each.line.id in gathered.awaited:
                said = f"{each.line.source_id} is to be taken before {payout.id}"
                raise PayoutWaitsError(PayoutWait.PAYMENTS, said)
        unexplained = [booker.unexplained(payout, each) for each in beyond]
        made = record_movements(taking.connection, unexplained, calendar)
        numbers = {x.line.id: movement.number for x, movement in zip(beyond, made, strict=True)}
        keep_lines(
            taking.connection,
            taking.provider,
            payout.id,
            [(each, numbers.get(each.line.id)) for each in some],
        )
    if difference:
        _record(taking, booker.difference(payout, difference))
        sums.booked_minor[payout.currency] += difference
    for movement in sums.paid_out(payout, booker):
        _record(taking, movement)


def _matched(
    taking: Taking, booker: Booker, gathered: GatheredPayout
) -> Iterator[list[MatchedLine]]:
    matching = LineMatching(booker.provider, gathered.lines)
    for some in _some(gathered.lines):
        matching.hold(held_movements(taking.connection, booker, sources_of(some)))
        yield [matching.match(each) for each in some]


def _some(lines: Sequence[BalanceLine]) -> Iterator[Sequence[BalanceLine]]:
    for first in range(0, len(lines), LINES_AT_ONCE):
        yield lines[first : first + LINES_AT_ONCE]


def _record(taking: Taking, movement: MoneyMovement) -> MoneyMovement:
    calendar = taking.calendar(movement.legal_entity)
    recorded, _ = record_movement(taking.connection, movement, calendar)
    return recorded


def _payout(found: ProviderObject) -> PayoutState:
    if not isinstance(found, PayoutState):
        raise NoPayoutError(found)
    return found


class PayoutWaitsError(ProviderError):
    """A payout cannot be booked yet: it is taken again later; `reason` is a code."""


class NoPayoutError(LedgerError):
    """What was to be taken as a payout is none."""

    def __init__(self, found: ProviderObject) -> None:
        super().__init__(f"{found.id} is no payout")
        self.found = found
