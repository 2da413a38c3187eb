"""Step size: which volume is rounded up, once a session, by which component's step.

Source: OCPI 2.3.0, mod_cdrs, "step_size"; notes of the editions in
`tariffs.model.policy.StepPolicy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tariffs.kernel.compiled import STEP_GROUPS
from tariffs.kernel.tally import Run
from tariffs.model.policy import StepPolicy
from tariffs.model.tariff import Dimension

_TIME: Final = STEP_GROUPS.index(Dimension.TIME)
_PARKING_TIME: Final = STEP_GROUPS.index(Dimension.PARKING_TIME)
_NOTHING: Final = (0,) * len(STEP_GROUPS)
_NOBODY: Final[tuple[Run | None, ...]] = (None,) * len(STEP_GROUPS)


def apply_steps(runs: Sequence[Run], policy: StepPolicy) -> None:
    """Raise the billed volume of the last run of each dimension that steps apply to.

    Only what a component prices counts; a gap without a component is not part of the sum.
    """
    if policy is StepPolicy.NONE_3_0:
        return
    lasts, totals = list(_NOBODY), list(_NOTHING)
    for run in runs:
        group = run.component.step_group
        if group:
            lasts[group] = run
            totals[group] += run.volume
    charging, parking = lasts[_TIME], lasts[_PARKING_TIME]
    if charging is not None and parking is not None:
        lasts[_TIME] = None
        if policy is StepPolicy.COMBINED_DURATION_2021:
            totals[_PARKING_TIME] += totals[_TIME]
            lasts[_PARKING_TIME] = max(charging, parking, key=lambda run: run.starts_us)
    for last, total in zip(lasts, totals, strict=True):
        if last is not None and last.component.step_units:
            last.billed += -total % last.component.step_units
