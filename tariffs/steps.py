"""Step size: which volume is rounded up, once a session, by which component's step.

Source: OCPI 2.3.0, mod_cdrs, "step_size"; notes of the editions in `tariffs.policy.StepPolicy`.
"""

from __future__ import annotations

from collections.abc import Sequence

from tariffs.compiled import Why
from tariffs.policy import StepPolicy
from tariffs.tally import Run
from tariffs.tariff import Dimension


def apply_steps(runs: Sequence[Run], policy: StepPolicy) -> None:
    """Raise the billed volume of the last run of each dimension that steps apply to.

    Only what a component prices counts; a gap without a component is not part of the sum.
    """
    if policy is StepPolicy.NONE_3_0:
        return
    lasts: dict[Dimension, Run] = {}
    totals: dict[Dimension, int] = {}
    for run in runs:
        component = run.component
        if component.why is Why.PRICED:
            dimension = component.dimension
            lasts[dimension] = run
            totals[dimension] = totals.get(dimension, 0) + run.volume
    charging, parking = lasts.get(Dimension.TIME), lasts.get(Dimension.PARKING_TIME)
    if charging is not None and parking is not None:
        if policy is StepPolicy.COMBINED_DURATION_2021:
            last = max(charging, parking, key=lambda run: run.starts_us)
            total = totals[Dimension.TIME] + totals[Dimension.PARKING_TIME]
            totals[last.component.dimension] = total
            del lasts[(parking if last is charging else charging).component.dimension]
        else:
            del lasts[Dimension.TIME]
    for dimension, last in lasts.items():
        step = last.component.step_units
        if step:
            last.billed += -totals[dimension] % step
