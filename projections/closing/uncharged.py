"""Partners' CDRs of a month that our customers were not charged for, and somebody should look at.

We pay them: what is charged to nobody by the close is money that we give away.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.partners.elsewhere import SESSION_OF_CDR
from projections.closing.period_scope import PeriodScope
from tariffs.quantities import EXACT

# What was never said to be charged, though it counts, was flagged, or read before CDRs were charged
# on; of those only the flagged ones are news.
_UNCHARGED: LiteralString = f"""
SELECT session_id, station_id, ended_at, coalesce(last.revision, 1),
    CASE WHEN last.kind IS NOT NULL THEN 'held' ELSE coalesce(charge_act, 'flagged') END,
    currency, coalesce(energy_kwh, 0) * 1000, coalesce(net, 0)
FROM (
    SELECT {SESSION_OF_CDR} AS session_id, concat('partner/', party) AS station_id, ended_at,
        charge_act, coalesce(currency, '') AS currency, energy_kwh, net
    FROM partner_cdr WHERE kind = 'cdr' AND credited_by IS NULL AND ended_at < %(ends)s
    AND (charge_act = 'charge'
        OR charge_act IS NULL AND verdict = 'flagged' AND subject IS NOT NULL)
) AS cdr LEFT JOIN LATERAL (
    SELECT kind, revision FROM session_decision AS decision
    WHERE decision.session_id = cdr.session_id ORDER BY position DESC LIMIT 1
) AS last ON true
WHERE last.kind IS NULL OR last.kind = 'held' ORDER BY session_id
"""  # noqa: S608 - constants


class UnchargedSum(msgspec.Struct, frozen=True, kw_only=True):
    """CDRs that waited for a person, their energy, and what the partner bills us before taxes."""

    currency: str
    cdrs: int
    energy_wh: Decimal
    net: Decimal


def uncharged_sums(connection: Connection[Any], scope: PeriodScope) -> tuple[UnchargedSum, ...]:
    """Return by currency what waits for a person: held, or flagged and not accepted."""
    found: defaultdict[str, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    rows = connection.execute(_UNCHARGED, {"ends": scope.ends})
    for _, station_id, at, _, state, currency, energy_wh, net in rows:
        if state != "charge" and scope.has_station(
            station_id, at.astimezone(scope.calendar).date()
        ):
            found[currency].append((energy_wh, net))
    return tuple(
        UnchargedSum(
            currency=currency,
            cdrs=len(some),
            energy_wh=_sum([energy_wh for energy_wh, _ in some]),
            net=_sum([net for _, net in some]),
        )
        for currency, some in sorted(found.items())
    )


def uncharged(connection: Connection[Any], scope: PeriodScope, *, is_on_its_way: bool) -> list[str]:
    """Return such CDRs that ended in the month or before, each as its session, state and revision.

    *is_on_its_way*: those that the books have still to come to; else those that wait for a person.
    """
    return [
        f"{session_id} {state} {revision}"
        for session_id, station_id, at, revision, state, *_ in connection.execute(
            _UNCHARGED, {"ends": scope.ends}
        )
        if (state == "charge") is is_on_its_way
        and scope.has_station(station_id, at.astimezone(scope.calendar).date())
    ]


def _sum(amounts: list[Decimal]) -> Decimal:
    total = Decimal(0)
    for each in amounts:
        total = EXACT.add(total, each)
    return total
