"""Step size: which volume is rounded up, once a session, by which component's step.

`step_size` stands on a price component, so one would round what each component counted. OCPI does
not: a change of price within a session would then cost a step each time. It rounds once for energy
and once for time, by the step of the last component that counted, and bills the addition at that
component's price. What "time" is, its editions say differently, and partners run all of them. So
the edition is a named policy (`tariffs.model.policy.StepPolicy`) that every result records.

Example 1, energy: 6 kWh at 0.50 (step 1 Wh), then 4.4 kWh at 0.30 (step 1000 Wh). The sum, 10.4
kWh, becomes 11; the 0.6 are added to the last run: 6 x 0.50 + 5 x 0.30 = 4.50.

Example 2, time: 12 min of charging at 1.20 per hour (step 600 s), then 7 min of parking at 2.40
(step 300 s):

    today's editions    parking is priced, so only parking is rounded: 12 and 10 min, 0.24 + 0.40
    the edition of 2021 19 min as one sum become 20, by the last one's step: 12 and 8 min, 0.56
    OCPI 3.0            no steps: 12 and 7 min, 0.52

Without parking the 12 min become 20, by the step of charging: 0.40. Where parking is free because
no element prices it at that hour, it counts nowhere: only what a component prices is in the sum
(ocpi #546; the same example of the texts has had the totals 0.78, 0.80 and 0.73).

Step 0 rounds nothing, a fee has no step, and an exact multiple stays: 60 min of a step of 10 min
are billed as 60. A reservation is rounded by itself, as in the worked examples of the texts. Also
a step of 1 Wh rounds: 115.2 Wh are billed as 116 (a NOTE of the text). Only `billed` is raised;
`volume` stays as metered, and taxes per kWh, the energy balance and `energy_wh` go by that.

How finely the kernel cuts must never show in a total, so nothing here may depend on the number of
runs (test_cutting_more_finely_changes_no_total). The editions are held to their own digits by
tests/tariffs/kernel/test_worked_examples.py; "never between two tariffs" by
tests/tariffs/cdr/test_tariff_change.py. Source: OCPI 2.3.0, mod_cdrs, "step_size".
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


def apply_steps(
    runs: Sequence[Run], policy: StepPolicy, free: Sequence[tuple[int, int]] = ()
) -> bool:
    """Raise the billed volume of the last run of each dimension that steps apply to.

    Only what a component prices counts; a gap without a component is not part of the sum. *free*
    are (step group, units) that the tariff gives away before its steps count.

    Returns:
        Whether the session parked first and charged then, and a step decides: the sentence of the
        text rounds its parking, the reasoning of its example what came last.
    """
    if policy is StepPolicy.NONE_3_0:
        return False
    is_turned = False
    lasts, totals = list(_NOBODY), list(_NOTHING)
    # In order of time, so the last run of a group is the one whose step decides.
    for run in runs:
        group = run.component.step_group
        if group:
            lasts[group] = run
            totals[group] += run.volume
    for group, units in free:
        totals[group] = max(0, totals[group] - units)
    charging, parking = lasts[_TIME], lasts[_PARKING_TIME]
    if charging is not None and parking is not None:
        lasts[_TIME] = None
        steps = charging.component.step_units or parking.component.step_units
        is_turned = bool(steps) and charging.starts_us > parking.starts_us
        if policy is StepPolicy.COMBINED_DURATION_2021:
            totals[_PARKING_TIME] += totals[_TIME]
            lasts[_PARKING_TIME] = max(charging, parking, key=lambda run: run.starts_us)
    for last, total in zip(lasts, totals, strict=True):
        if last is not None and last.component.step_units:
            last.billed += -total % last.component.step_units
    return is_turned
