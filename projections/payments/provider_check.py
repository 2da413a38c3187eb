"""Our books held against a provider's own balance, line by line.

    cash:stripe in the books
    - what the next payouts will book: fees of payments, lines that follow from a rule
    = the provider's balance

A line that no payout has taken yet and nothing of ours stands behind, and a movement of ours that
the provider shows nowhere, are what a difference consists of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from ledger.payments.movement import cash_account
from ledger.payments.payouts.booking import Booker
from ledger.payments.payouts.matching import LineMatching, sources_of
from ledger.payments.payouts.rules import LineRule
from ledger.payments.payouts.store import held_movements
from ledger.payments.provider import BalanceLine, PaymentProvider
from projections.balances.booked_sums import kept_trial_balance

OLD_AFTER: Final = timedelta(days=14)
"""What of ours is in no payout so long after it moved, somebody should look at."""
LOOKED_BACK: Final = timedelta(days=60)
"""Lines so old are all in payouts, where those are made by themselves."""
_LINES_AT_ONCE: Final = 1_000
_TAKEN: LiteralString = """
SELECT line_id FROM payout_line WHERE line_id = ANY (%(lines)s)
UNION ALL SELECT payout_id FROM payout WHERE payout_id = ANY (%(sources)s)
"""
_AT_PROVIDER: LiteralString = """
SELECT number, source, reference, kind, legal_entity, currency, left_minor, happened_at
FROM movement_at_provider
WHERE (%(source)s::text IS NULL OR source = %(source)s)
    AND (%(legal_entity)s::text IS NULL OR legal_entity = %(legal_entity)s)
    AND (%(before)s::timestamptz IS NULL OR happened_at < %(before)s)
ORDER BY happened_at, number LIMIT %(limit)s
"""


class MovementAtProvider(msgspec.Struct, frozen=True, kw_only=True):
    """A movement of which `left_minor` is in no payout."""

    number: int
    source: str
    reference: str
    kind: str
    legal_entity: str
    currency: str
    left_minor: int
    happened_at: datetime


class UnbookedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the provider's balance that nothing of ours stands behind, by `net_minor`."""

    line_id: str
    kind: str
    source_id: str | None
    currency: str
    net_minor: int
    created_at: datetime


class ProviderBalance(msgspec.Struct, frozen=True, kw_only=True):
    """What the books and the provider say of our money there, in minor units of one currency.

    `to_be_booked_minor`: what of it goes off the books with the payouts to come.
    """

    currency: str
    books_minor: int
    to_be_booked_minor: int
    provider_minor: int

    @property
    def difference_minor(self) -> int:
        """What the books have more than the provider."""
        return self.books_minor - self.to_be_booked_minor - self.provider_minor


class ProviderCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's balance against the books; `only_ours` is what it shows nowhere."""

    balances: Sequence[ProviderBalance]
    unbooked: Sequence[UnbookedLine]
    only_ours: Sequence[MovementAtProvider]

    @property
    def is_equal(self) -> bool:
        """Whether it comes to the same, line by line."""
        sums = any(each.difference_minor for each in self.balances)
        return not (sums or self.unbooked or self.only_ours)


def movements_at_provider(
    connection: Connection[Any],
    *,
    source: str | None = None,
    legal_entity: str | None = None,
    before: datetime | None = None,
    limit: int | None = None,
) -> Sequence[MovementAtProvider]:
    """Return what of ours is in no payout, of those moved *before*, the oldest first."""
    asked = {"source": source, "legal_entity": legal_entity, "before": before, "limit": limit}
    with connection.cursor(row_factory=class_row(MovementAtProvider)) as cursor:
        return cursor.execute(_AT_PROVIDER, asked).fetchall()


def check_provider(
    connection: Connection[Any], provider: PaymentProvider, legal_entity: str, since: datetime
) -> ProviderCheck:
    """Hold the books against what *provider* says that moved our balance.

    Args:
        connection: To the books; in no transaction, for the provider is asked.
        provider: Whom to ask.
        legal_entity: Whose account it is.
        since: Lines from then on are looked at; older ones are all in payouts.
    """
    booker = Booker(provider.name, legal_entity)
    provided: defaultdict[str, int] = defaultdict(int)
    to_book: defaultdict[str, int] = defaultdict(int)
    taken: defaultdict[int, int] = defaultdict(int)
    unbooked: list[UnbookedLine] = []
    told = _some(provider.balance_lines_since(since))
    waiting = [line for some in told for line in _waiting(connection, some)]
    matching = LineMatching(provider.name, waiting)
    matching.hold(held_movements(connection, booker, sources_of(waiting)))
    for line in waiting:
        matched, net = matching.match(line), line.net_minor
        provided[line.currency] += net
        if matched.number is not None:
            taken[matched.number] += matched.booked_minor
            to_book[matched.booked_currency] += matched.booked_minor
            to_book[line.currency] -= net - matched.unexplained_minor
        elif matched.rule is not LineRule.UNKNOWN:
            to_book[line.currency] -= net
        if matched.unexplained_minor:
            unbooked.append(_unbooked(line))
    left = movements_at_provider(connection, source=provider.name)
    return ProviderCheck(
        balances=[*_balances(connection, provider.name, provided, to_book)],
        unbooked=unbooked,
        only_ours=[each for each in left if each.left_minor != taken[each.number]],
    )


def _waiting(connection: Connection[Any], lines: Sequence[BalanceLine]) -> list[BalanceLine]:
    """Return those of *lines* that no booked payout has; the payouts' own ones are none."""
    asked = {
        "lines": [each.id for each in lines],
        "sources": [each.source_id for each in lines if each.kind == "payout"],
    }
    taken = {found for (found,) in connection.execute(_TAKEN, asked)}
    own = {each.id for each in lines if each.kind == "payout" and each.source_id in taken}
    return [each for each in lines if each.id not in taken | own]


def _balances(
    connection: Connection[Any],
    provider: str,
    provided: Mapping[str, int],
    to_book: Mapping[str, int],
) -> Iterator[ProviderBalance]:
    cash = cash_account(provider)
    accounts = kept_trial_balance(connection).accounts
    books = {each.currency: each.balance_minor for each in accounts if each.account == cash}
    for currency in sorted({*books, *provided, *to_book}):
        yield ProviderBalance(
            currency=currency,
            books_minor=books.get(currency, 0),
            to_be_booked_minor=to_book.get(currency, 0),
            provider_minor=provided.get(currency, 0),
        )


def _unbooked(line: BalanceLine) -> UnbookedLine:
    return UnbookedLine(
        line_id=line.id,
        kind=line.kind,
        source_id=line.source_id,
        currency=line.currency,
        net_minor=line.net_minor,
        created_at=line.created_at,
    )


def _some(lines: Iterable[BalanceLine]) -> Iterator[list[BalanceLine]]:
    """Yield *lines* by the thousand, each once: a page that moved on says one twice."""
    seen: set[str] = set()
    some: list[BalanceLine] = []
    for line in lines:
        if line.id not in seen:
            seen.add(line.id)
            some.append(line)
        if len(some) == _LINES_AT_ONCE:
            yield some
            some = []
    yield some
