"""Which time of a session is billed, and as what: what the meter and the policy make of its states.

The fold says what was told and what was measured, and decides nothing that costs money: a plug
that was free before the stop, a vehicle that drew power while its station said that it asked for
none. What follows from that is the operator's policy, and a decision names it where it mattered.

From 08:00, the plug free at 09:01, stop at 19:00 with all energy before 09:00:

    time_ends: last_sign -> 61 minutes, the energy of the stop
    time_ends: stop      -> 11 hours

SuspendedEV from 08:20 to 09:00 with 9,000 W by the meter:

    idle_power_w: 500    -> charging until 09:00
    idle_power_w: 11000  -> parking from 08:20
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from ledger.master_data.policies import Policy, TimeEnds
from ledger.sessions.session import ChargingSession, SessionPoint, SessionSpan
from tariffs.model.usage import Activity, UsagePoint, UsageSpan
from tariffs.phrases.phrase import Phrase, phrase


class BilledTime(NamedTuple):
    """What is priced of a session: until when, where its energy lies, and what it did.

    `by_policy` says which policies decided, where the station said otherwise.
    """

    ends_at: datetime
    points: tuple[UsagePoint, ...]
    spans: tuple[UsageSpan, ...]
    by_policy: tuple[Phrase, ...]


def billed_time(session: ChargingSession, ends_at: datetime, policy: Policy) -> BilledTime:
    """Return what of *session*, which ends at *ends_at*, is billed by *policy*."""
    by_policy: list[Phrase] = []
    last = session.last_sign_at
    if last is not None and last < ends_at:
        by_policy.append(phrase("time_ends_by_policy", time_ends=policy.time_ends.value))
        if policy.time_ends is TimeEnds.LAST_SIGN:
            ends_at = last
    points = _until(session.points, ends_at)
    spans = [span for span in session.spans if span.starts_at < ends_at] or session.spans[:1]
    active = tuple(_active(spans, policy))
    if any(span.power_w > policy.idle_power_w for span in spans):
        by_policy.append(phrase("charging_by_policy", idle_power_w=policy.idle_power_w))
    return BilledTime(
        ends_at,
        tuple(UsagePoint(p.at, p.energy_wh, p.power_w) for p in points),
        active,
        tuple(by_policy),
    )


def _until(points: Sequence[SessionPoint], ends_at: datetime) -> Sequence[SessionPoint]:
    """Return *points* with all of the energy by *ends_at*."""
    if not points or points[-1].at <= ends_at:
        return points
    kept = [point for point in points if point.at < ends_at] or [points[0]]
    return (*kept, msgspec.structs.replace(points[-1], at=max(ends_at, kept[0].at)))


def _active(spans: Iterable[SessionSpan], policy: Policy) -> Iterable[UsageSpan]:
    last: Activity | None = None
    for span in spans:
        draws = span.power_w > policy.idle_power_w
        activity = Activity.CHARGING if draws else span.activity
        if activity is not last:
            yield UsageSpan(span.starts_at, activity)
        last = activity
