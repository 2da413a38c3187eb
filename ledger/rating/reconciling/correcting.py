"""What a further decision about a session changes: the rule of when there is one.

A session rated at 4.76 EUR whose late reading shows 1 kWh more (0.40 EUR before 19 %):

    policy as it is                       -> corrected: 5.24 EUR, and what it was
    `correct_from: 0.50`                  -> stands: 0.48 EUR are less
    `corrections_agreed: true`            -> stands until a person agrees
    the late fact makes its clock doubtful -> stands until a person agrees: a doubt moves no money
    the fact changes nothing that is billed -> stands
"""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from ledger.master_data.policies import Policy, limit_in
from ledger.rating.decisions import CorrectionCause, Release, SessionCorrected, SessionRated
from tariffs.quantities import money_of_minor


def corrected(
    now: SessionRated,
    was: SessionRated,
    *,
    frames: tuple[tuple[int, int], ...] = (),
    chosen: Release | None = None,
    cause: CorrectionCause | None = None,
) -> SessionRated:
    """Return *now* as the correction of *was*, the rating that held until then.

    *frames* brought it about, or a person who has *chosen* so; *cause* says it more exactly.
    """
    said = SessionCorrected(
        revision=was.revision,
        cause=cause or (CorrectionCause.PERSON if chosen else CorrectionCause.LATE_FACT),
        net_minor=was.net_minor,
        tax_minor=was.tax_minor,
        energy_wh=was.energy_wh,
        frames=frames,
        by=chosen.by if chosen else None,
        reason=chosen.reason if chosen else None,
    )
    return replace(now, corrects=said)


def after_write_off(now: SessionRated, revision: int, chosen: Release) -> SessionRated:
    """Return *now* as what follows a write-off, the decision *revision*, that was taken back."""
    said = SessionCorrected(
        revision=revision,
        cause=CorrectionCause.WRITE_OFF_TAKEN_BACK,
        net_minor=0,
        tax_minor=0,
        energy_wh=Decimal(0),
        by=chosen.by,
        reason=chosen.reason,
    )
    return replace(now, corrects=said)


def is_billed_otherwise(now: SessionRated, was: SessionRated) -> bool:
    """Whether *now* says anything else than *was* that a bill, a partner or a balance shows."""
    return _billed(now) != _billed(was)


def is_worth_correcting(now: SessionRated, was: SessionRated, policy: Policy) -> bool:
    """Whether *now* is so far from *was* that the policy wants it corrected."""
    if now.currency != was.currency:
        return True
    off = money_of_minor(abs(now.gross_minor - was.gross_minor), now.currency).amount
    return off >= limit_in(policy.correct_from, now.currency)


def _billed(rated: SessionRated) -> tuple[object, ...]:
    lines = tuple(
        (
            line.component,
            line.starts_at,
            line.ends_at,
            _plain(line.volume),
            _plain(line.billed_volume),
            line.unit_price,
            line.tax_percent,
            line.net_minor,
            line.tax_minor,
        )
        for line in rated.lines
    )
    return (
        lines,
        rated.payer,
        rated.token_uid,
        rated.site_id,
        rated.legal_entity,
        rated.country,
        rated.reverse_charge_vat_id,
        rated.currency,
        rated.started_at,
        rated.ended_at,
        rated.billing_month,
        rated.energy_wh,
        rated.billed_wh,
        rated.free_wh,
        rated.exported_wh,
        rated.meter_start_wh,
        rated.meter_stop_wh,
        rated.tariff_hash,
        rated.net_minor,
        rated.tax_minor,
    )


def _plain(volume: Decimal) -> Decimal:
    return volume.normalize()
