"""The edition v2.2.1-d2 as it prints its own example, for who must reproduce a partner's total.

Its rule for steps is today's (0.55 and 1.30 in tariff_14 come out of both). Where free time ends
the session, its table reaches 0.80 only with two prices exchanged: 12 minutes of charging at the
parking price, 15 minutes of parking at the charging price. Later editions print 0.73 (ocpi #546).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from tariffs.kernel.compiled import CompiledComponent, CompiledTariff, State, Why
from tariffs.kernel.tally import Run
from tariffs.model.tariff import Dimension
from tariffs.phrases.phrase import Phrase, phrase

EXCHANGED: Final = phrase("prices_exchanged")
_OTHER: Final = {Dimension.TIME: State.PARKING, Dimension.PARKING_TIME: State.CHARGING}


def exchange_prices(runs: Sequence[Run], compiled: CompiledTariff) -> Phrase | None:
    """Exchange the prices of charging and parking where free time ends the session."""
    timed = [run for run in runs if run.component.dimension in _OTHER]
    if not timed or timed[-1].component.why is not Why.UNPRICED:
        return None
    note = None
    for run in timed:
        other = _other(run.component, compiled)
        if other is not None:
            run.component = msgspec.structs.replace(
                run.component,
                price=other.price,
                vat=other.vat,
                before_factor=other.before_factor,
                tax_factor=other.tax_factor,
            )
            note = EXCHANGED
    return note


def _other(component: CompiledComponent, compiled: CompiledTariff) -> CompiledComponent | None:
    """Return the other price for time of the same element, if it has one."""
    if component.element_index is None or component.tariff_id != compiled.tariff.id:
        return None
    # The same element's other price, whether or not its restrictions hold there: as printed.
    only = 1 << component.element_index
    other = compiled.select(only, _OTHER[component.dimension])[2]
    return None if other is None or other.why is not Why.PRICED else other
