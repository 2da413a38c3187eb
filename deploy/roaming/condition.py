"""What the part for partners finds out about itself, and what there is to tell of partners.

Nothing of it reads all of a table that grows: messages and refused sessions are counted up to a
bound, CDRs by their numbers, calls in a small table. A partner that is away makes nobody unready.
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nlargest
from itertools import product
from typing import TYPE_CHECKING, Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from deploy.observing import metrics
from deploy.observing.books import BooksReader
from deploy.observing.metrics import BOOKS_READABLE, Reported, report
from deploy.observing.sample import Sample
from deploy.observing.watch import Condition, Unready
from ledger.partners.bounds import Bound
from ledger.partners.told_counts import ALL_REFUSED
from roaming_ocpi.client.audit import CallDirection
from roaming_ocpi.incoming.verdicts.verdict import CdrVerdict
from roaming_ocpi.registration.link import LinkState
from roaming_ocpi.server.call_counts import CallOutcome
from roaming_ocpi.wire.modules import ModuleId

if TYPE_CHECKING:
    from roaming_ocpi.incoming.reading import PartnerReader

COUNTED_MAX: Final = 10_000
PARTNERS_TOLD_MAX: Final = 50
OTHERS: Final = "others"
"""All partners beyond those for whom most waits, as one; told also where there are none."""
CALL_KEYS: Final = tuple(product(CallDirection, ("", *ModuleId), CallOutcome))

# Each party is found behind the one before: what is read hangs on how many there are.
_OUTBOX: LiteralString = """
WITH RECURSIVE known AS (
    SELECT min(party) AS party FROM outgoing
    UNION ALL
    SELECT (SELECT min(party) FROM outgoing WHERE party > known.party) FROM known
    WHERE known.party IS NOT NULL
)
SELECT known.party, open.number, dead.number,
    coalesce(greatest(extract(epoch FROM clock_timestamp() - open.since), 0), 0)::float8
FROM known, LATERAL (
    SELECT count(*) AS number, min(put_at) AS since FROM (
        SELECT put_at FROM outgoing WHERE party = known.party AND state <> 'dead'
        ORDER BY put_at LIMIT %(most)s
    ) AS counted
) AS open, LATERAL (
    SELECT count(*) AS number FROM (
        SELECT FROM outgoing WHERE party = known.party AND state = 'dead' LIMIT %(most)s
    ) AS counted
) AS dead
WHERE known.party IS NOT NULL
"""
# Their numbers begin at 1 and have no gaps.
_MADE: LiteralString = """
WITH RECURSIVE known AS (
    SELECT min(party) AS party FROM roaming_cdr
    UNION ALL
    SELECT (SELECT min(party) FROM roaming_cdr WHERE party > known.party) FROM known
    WHERE known.party IS NOT NULL
)
SELECT coalesce(sum(last.number), 0)::bigint FROM known, LATERAL (
    SELECT number FROM roaming_cdr AS one WHERE one.party = known.party
    ORDER BY number DESC LIMIT 1
) AS last
"""
_REFUSED: LiteralString = """
SELECT count(*) FROM (SELECT FROM refused_cdr LIMIT %(most)s) AS counted
"""
_LINKS: LiteralString = "SELECT state, count(*) FROM roaming_link GROUP BY state"
_CALLS: LiteralString = "SELECT direction, module, outcome, calls FROM roaming_call_count"
QUESTIONS: Final[tuple[LiteralString, ...]] = (
    *(_OUTBOX, _MADE, _REFUSED, _LINKS, _CALLS),
    ALL_REFUSED,
)


class PartnerOutbox(NamedTuple):
    """What waits for a partner, what it refused, and for how many seconds the oldest waits."""

    waiting: int
    dead: int
    oldest_seconds: float


class RoamingState(NamedTuple):
    """What stands in the tables now; `calls` by direction, module and outcome.

    `too_much`: what partners told beyond a bound, by that.
    """

    outboxes: Mapping[str, PartnerOutbox]
    made: int
    refused: int
    links: Mapping[str, int]
    calls: Mapping[tuple[str, str, str], int]
    too_much: Mapping[str, int]


class RoamingCondition:
    """Who serves and asks partners: nothing but the database is wanted for it."""

    def __init__(self, dsn: str) -> None:
        books = BooksReader(dsn)
        self._state = Sample(lambda: books.ask(roaming_state))
        self._reader: PartnerReader | None = None

    def follow(self, reader: PartnerReader) -> None:
        """Count what *reader* reads."""
        self._reader = reader

    def __call__(self) -> Condition:
        """Find out."""
        state, trouble = self._state.look()
        unready = [Unready("database_away", trouble)] if trouble else []
        judged: Mapping[Any, int] = {} if self._reader is None else self._reader.judged
        told: list[Reported] = [
            report(BOOKS_READABLE, int(not trouble)),
            report(metrics.CDRS_RECEIVED, {each: judged.get(each, 0) for each in CdrVerdict}),
        ]
        return Condition(unready, told if state is None else [*told, *_told(state)])


def roaming_state(connection: Connection[Any]) -> RoamingState:
    """Return what stands in the tables now."""
    most = {"most": COUNTED_MAX}
    [(made,)] = connection.execute(_MADE).fetchall()
    [(refused,)] = connection.execute(_REFUSED, most).fetchall()
    return RoamingState(
        outboxes=_bounded(
            {party: PartnerOutbox(*row) for party, *row in connection.execute(_OUTBOX, most)}
        ),
        made=made,
        refused=refused,
        links=dict(connection.execute(_LINKS).fetchall()),
        calls={(way, module, came): n for way, module, came, n in connection.execute(_CALLS)},
        too_much=dict(connection.execute(ALL_REFUSED).fetchall()),
    )


def _bounded(found: Mapping[str, PartnerOutbox]) -> dict[str, PartnerOutbox]:
    """Return the partners for whom most waits, and the rest as one."""
    told = nlargest(PARTNERS_TOLD_MAX, found, key=lambda party: (sum(found[party][:2]), party))
    bounded = {party: found[party] for party in told}
    rest = [each for party, each in found.items() if party not in bounded]
    waiting, dead, oldest = zip(*rest, strict=True) if rest else ((), (), ())
    return {**bounded, OTHERS: PartnerOutbox(sum(waiting), sum(dead), max(oldest, default=0))}


def _told(state: RoamingState) -> list[Reported]:
    outboxes = state.outboxes.items()
    return [
        report(metrics.PARTNER_WAITING, {party: each.waiting for party, each in outboxes}),
        report(metrics.PARTNER_OLDEST, {party: each.oldest_seconds for party, each in outboxes}),
        report(metrics.PARTNER_DEAD, {party: each.dead for party, each in outboxes}),
        report(metrics.PARTNER_LINKS, {each: state.links.get(each, 0) for each in LinkState}),
        report(metrics.PARTNER_CALLS, {key: state.calls.get(key, 0) for key in CALL_KEYS}),
        report(metrics.PARTNER_TOO_MUCH, {each: state.too_much.get(each, 0) for each in Bound}),
        report(metrics.CDRS_MADE, state.made),
        report(metrics.CDRS_REFUSED, state.refused),
    ]
