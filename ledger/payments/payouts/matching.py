"""Which movement of ours stands behind each line of a payout: pure, given what the provider has.

A line takes of a movement what it is worth, so that several lines may be of one movement; what is
more than the movement comes to, nothing of ours explains (`beyond_minor`). What no line takes stays
where it is, and is named once it is old.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from ledger.payments.movement import MoneyKind, exchange_account
from ledger.payments.payouts.rules import (
    LineRule,
    counterpart_of,
    reversed_charge,
    reversed_minor,
    rule_account,
)
from ledger.payments.provider import BalanceLine


class HeldMovement(NamedTuple):
    """A movement of which the provider still has `left_minor`, in its own currency.

    `object_id`: what at the provider it is about.
    """

    number: int
    object_id: str
    kind: MoneyKind
    currency: str
    left_minor: int


class MatchedLine(NamedTuple):
    """A line, and how it is booked.

    `number`: the movement behind it, which loses `booked_minor` in `booked_currency`. `to_account`:
    where `to_account_minor` goes by a rule, or through the exchange. `beyond_minor` is more than is
    behind it, of which `reversed_minor` is taken back by another line. `fee_minor`: what of its fee
    is booked with the payout.
    """

    line: BalanceLine
    rule: LineRule
    number: int | None = None
    booked_minor: int = 0
    booked_currency: str = ""
    to_account: str = ""
    to_account_minor: int = 0
    beyond_minor: int = 0
    fee_minor: int = 0
    reversed_minor: int = 0

    @property
    def unexplained_minor(self) -> int:
        """What nothing of ours, and no other line, explains."""
        return self.beyond_minor - self.reversed_minor


def sources_of(lines: Iterable[BalanceLine]) -> list[str]:
    """Return what movements behind *lines* are about."""
    found = {each.source_id for each in lines if counterpart_of(each) is not None}
    return sorted(filter(None, found))


class LineMatching:
    """Matches the lines of one payout, in any order, to what is held of movements.

    Args:
        provider: The provider, as accounts name it.
        lines: All of them, for what one takes back of another.
    """

    def __init__(self, provider: str, lines: Iterable[BalanceLine]) -> None:
        self._provider = provider
        self._reversed = reversed_minor(lines)
        self._held: defaultdict[str, dict[int, HeldMovement]] = defaultdict(dict)
        self._seen: set[int] = set()

    def hold(self, movements: Iterable[HeldMovement]) -> None:
        """Take in what is held; of a movement that is known, what is left here holds."""
        for each in movements:
            if each.number not in self._seen:
                self._seen.add(each.number)
                self._held[each.object_id][each.number] = each

    def match(self, line: BalanceLine) -> MatchedLine:
        """Return how *line* is booked, and take what it is worth from the movement behind it."""
        by_rule = rule_account(line, self._provider)
        if by_rule is not None:
            rule, account = by_rule
            return MatchedLine(
                line,
                rule,
                to_account=account,
                to_account_minor=line.amount_minor,
                fee_minor=line.fee_minor,
            )
        counterpart, held = counterpart_of(line), self._behind(line)
        if counterpart is None or held is None:
            return self._unknown(line)
        wanted = counterpart.wanted_minor(line)
        fee = 0 if counterpart.is_net else line.fee_minor
        made = MatchedLine(line, counterpart.rule, held.number, fee_minor=fee)
        if held.currency != line.currency:
            self._take(held, held.left_minor)
            # In the other money it was booked without a fee.
            return made._replace(
                booked_minor=held.left_minor,
                booked_currency=held.currency,
                to_account=exchange_account(self._provider),
                to_account_minor=line.amount_minor,
                fee_minor=line.fee_minor,
                reversed_minor=self._taken_back(line),
            )
        booked = held.left_minor if abs(held.left_minor) < abs(wanted) else wanted
        self._take(held, booked)
        return made._replace(
            booked_minor=booked,
            booked_currency=held.currency,
            beyond_minor=wanted - booked,
            reversed_minor=self._taken_back(line),
        )

    def _unknown(self, line: BalanceLine) -> MatchedLine:
        """Return how a line is booked that nothing of ours is behind."""
        charge, taken_back = reversed_charge(line), self._taken_back(line)
        if charge is not None and charge in self._reversed:
            taken_back = line.amount_minor
        is_explained = taken_back == line.amount_minor != 0
        return MatchedLine(
            line,
            LineRule.REVERSED if is_explained else LineRule.UNKNOWN,
            beyond_minor=line.amount_minor,
            fee_minor=line.fee_minor,
            reversed_minor=taken_back,
        )

    def _taken_back(self, line: BalanceLine) -> int:
        """Return what other lines take back of a payment's own line."""
        counterpart = counterpart_of(line)
        is_payment = counterpart is not None and counterpart.rule is LineRule.PAYMENT
        return -self._reversed.get(line.source_id or "", 0) if is_payment else 0

    def _behind(self, line: BalanceLine) -> HeldMovement | None:
        """Return the movement behind *line*: one of the same amount before any other."""
        counterpart = counterpart_of(line)
        if counterpart is None:
            return None
        wanted, kind = counterpart.wanted_minor(line), counterpart.of(line)
        found = [
            each
            for each in self._held[line.source_id or ""].values()
            if each.kind == kind and each.left_minor * wanted > 0
        ]
        return min(
            found,
            key=lambda each: (
                each.currency != line.currency,
                each.left_minor != wanted,
                -abs(each.left_minor),
                each.number,
            ),
            default=None,
        )

    def _take(self, held: HeldMovement, minor: int) -> None:
        left = held._replace(left_minor=held.left_minor - minor)
        if left.left_minor:
            self._held[held.object_id][held.number] = left
        else:
            del self._held[held.object_id][held.number]
