"""What came of it: totals, spread, who pays less and more; exact, as it is kept with the job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from ledger.desk.drafting.variance import Variance
from tariffs.simulate.history import Unread
from tariffs.simulate.simulation import (
    BilledChange,
    SessionChange,
    Sign,
    SimulationResult,
    extremes,
)
from tariffs.simulate.spread import NAMES

TOP: Final = 50
"""How many of each list are kept."""


class RankedChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Those whom it costs less, the most first, those whom it costs more; `count` of all."""

    count: int
    winners: tuple[BilledChange, ...]
    losers: tuple[BilledChange, ...]


class WhatIfAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer; amounts in minor units of `currency`, taxes included, energy in 1/1000 Wh.

    `version`: what the draft says. `spread`: by the steps of `tariffs.simulate.spread.STEPS`, all
    of them. `left_out` counts sessions in neither side, of which `unread` names some. With
    `is_shared` the tariff has grants that sessions share, each priced as if it were the first.
    Customers stand as subject ids.
    """

    tariff_id: str
    version: str
    currency: str
    total: BilledChange
    before_taxes: tuple[int, int]
    dearer: int
    cheaper: int
    months: tuple[BilledChange, ...]
    spread: tuple[BilledChange, ...]
    free_to_paid: BilledChange
    paid_to_free: BilledChange
    customers: RankedChanges
    sites: RankedChanges
    stations: RankedChanges
    dearer_sessions: tuple[SessionChange, ...]
    cheaper_sessions: tuple[SessionChange, ...]
    by_kernel: int
    left_out: int
    unread: tuple[Unread, ...]
    is_shared: bool
    variance: Variance

    @property
    def same(self) -> int:
        """Return how many sessions cost what they did."""
        return self.total.sessions - self.dearer - self.cheaper


def answer_of(
    result: SimulationResult, tariff_id: str, version: str, *, is_whole: bool
) -> WhatIfAnswer:
    """Return *result* as it is kept; `is_whole`: of all sessions that the tariff prices."""
    total = result.total
    return WhatIfAnswer(
        tariff_id=tariff_id,
        version=version,
        currency=result.currency,
        total=total,
        before_taxes=result.before_minor,
        dearer=result.dearer,
        cheaper=result.cheaper,
        months=tuple(sorted(result.months.values(), key=lambda each: each.name)),
        spread=tuple(result.spread.get(name) or BilledChange(name) for name in NAMES),
        free_to_paid=result.signs[Sign.FREE_TO_PAID],
        paid_to_free=result.signs[Sign.PAID_TO_FREE],
        customers=_ranked(result.customers),
        sites=_ranked(result.sites),
        stations=_ranked(result.stations),
        dearer_sessions=tuple(result.losers),
        cheaper_sessions=tuple(result.winners),
        by_kernel=result.by_kernel,
        left_out=result.left_out,
        unread=tuple(result.unread),
        is_shared=bool(result.notes),
        variance=Variance(
            is_whole=is_whole,
            sessions=total.sessions,
            currency=result.currency,
            old_minor=total.old_minor,
            new_minor=total.new_minor,
            dearest_minor=result.losers[0].difference_minor if result.losers else 0,
        ),
    )


def _ranked(changes: Mapping[str, BilledChange]) -> RankedChanges:
    winners, losers = extremes(changes, TOP)
    return RankedChanges(count=len(changes), winners=tuple(winners), losers=tuple(losers))
