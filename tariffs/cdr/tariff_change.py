"""A session during which the tariff changes: each tariff prices its own stretch, by our cut.

OCPI allows it (mod_cdrs, ChargingPeriod.tariff_id); consumer law often does not, so it is for the
caller to say which tariff holds from when. Steps apply once a session, never between two tariffs;
limits hold if all tariffs share them; a session fee is billed once for each tariff that has one,
unless the policy bills the first only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise

from tariffs.cdr.tariffs import JoinedTariff
from tariffs.kernel.compiled import CompiledComponent, CompiledTariff, Selection
from tariffs.kernel.priced import PricedSession
from tariffs.kernel.pricing import price_session, stretches_of
from tariffs.kernel.settling import settle
from tariffs.kernel.tally import Stretch, runs_of
from tariffs.kernel.timeline import Timeline, UnusableUsageError, timeline_of
from tariffs.model.policy import DEFAULT, PricingPolicy
from tariffs.model.usage import SessionUsage, microseconds
from tariffs.phrases.phrase import Phrase, phrase


def price_with_changes(
    usage: SessionUsage,
    spans: Sequence[tuple[datetime, CompiledTariff]],
    *,
    policy: PricingPolicy = DEFAULT,
) -> PricedSession:
    """Price one session under several tariffs, each from its moment until the next one's.

    Every line names its tariff and that tariff's element.

    Raises:
        UnusableUsageError: If the usage contradicts itself, or no tariff holds at its start.
        MixedTariffsError: If two tariffs differ in currency or taxes, or one has rules beyond OCPI.
    """
    if not spans or spans[0][0] > usage.starts_at:
        raise UnusableUsageError(usage, phrase("no_tariff_at_start"))
    if any(later < earlier for (earlier, _), (later, _) in pairwise(spans)):
        raise UnusableUsageError(usage, phrase("tariffs_out_of_order"))
    parts = list({id(compiled): compiled for _, compiled in spans}.values())
    if len(parts) == 1:
        return price_session(usage, parts[0], policy=policy)
    joined = JoinedTariff(parts)
    timeline = timeline_of(usage, 0)
    notes: list[Phrase] = []
    stretches: list[Stretch] = []
    # A tariff that begins at the end of the session, or later, prices nothing of it.
    # (At least a microsecond, so that a session of no length has its first tariff.)
    last = max(timeline.end_us, timeline.start_us + 1)
    bounds = [min(microseconds(starts_at), last) for starts_at, _ in spans]
    bounds.append(last)
    for (_, compiled), window in zip(spans, pairwise(bounds), strict=True):
        part = parts.index(compiled)
        stretches.extend(_within(window, _stretches(timeline, joined, part, policy, notes)))
    runs = runs_of(stretches, timeline, policy)
    return settle(
        runs,
        joined,
        policy,
        usage=usage,
        ends_us=timeline.end_us,
        notes=notes,
        remarks=joined.notes,
    )


def _stretches(
    timeline: Timeline,
    joined: JoinedTariff,
    part: int,
    policy: PricingPolicy,
    notes: list[Phrase],
) -> list[Stretch]:
    """Return what would hold if one part priced the whole session."""
    mask = joined.masks[part]

    def named(component: CompiledComponent | None) -> CompiledComponent | None:
        return None if component is None else joined.named(component, part)

    def select(allowed: int, state: int) -> Selection:
        flat, energy, timed = joined.select(allowed & mask, state)
        return named(flat), joined.named(energy, part), named(timed)

    said: list[Phrase] = []
    stretches = stretches_of(timeline, joined, policy, said, select=select)
    notes.extend(note for note in said if note not in notes)
    return stretches


def _within(window: tuple[int, int], stretches: Sequence[Stretch]) -> list[Stretch]:
    """Return the stretches that a window of time has, the first cut where it begins."""
    low, high = window
    if low == high:
        return []
    before = [(max(low, at), selection) for at, selection in stretches if at <= low]
    return before[-1:] + [(at, selection) for at, selection in stretches if low < at < high]
