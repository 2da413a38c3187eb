"""A priced session as plain data: what a decision stores and `price --json` prints."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from tariffs.explain import interpolated_ends
from tariffs.kernel.priced import KERNEL_VERSION, Note, PricedLine, PricedSession
from tariffs.model.periods import INTERPOLATION
from tariffs.quantities import decimal_of_ratio
from tariffs.zones import TZDATA_VERSION


class LineRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line; `element` counts from 0, `amount` and `tax` are exact, `_minor` is owed."""

    dimension: str
    tariff: str
    element: int | None
    why: str
    reason: str
    starts_at: datetime
    ends_at: datetime
    volume: Decimal
    billed_volume: Decimal
    unit_price: Decimal
    amount: Decimal
    tax_percent: Decimal | None
    tax: Decimal
    amount_minor: int
    tax_minor: int
    interpolated: list[str]


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One priced session, with everything needed to price it again and get the same."""

    tariff: str
    tariff_hash: str
    currency: str
    time_zone: str
    before_taxes: Decimal
    taxes: Decimal
    after_taxes: Decimal
    tax_known: bool
    before_taxes_unrounded: Decimal
    taxes_unrounded: Decimal
    energy_wh: Decimal
    free_wh: Decimal
    lines: list[LineRecord]
    policy: str
    policy_version: str
    kernel_version: str
    tzdata_version: str
    interpolation: str
    notes: list[Note]


def record_of(session: PricedSession) -> SessionRecord:
    """Return *session* as plain data."""
    before, taxes = session.before_exact, session.taxes_exact
    return SessionRecord(
        tariff=session.tariff_id,
        tariff_hash=session.tariff_hash,
        currency=session.currency,
        time_zone=session.usage.time_zone,
        before_taxes=session.total_before_taxes.amount,
        taxes=session.taxes.amount,
        after_taxes=session.total_after_taxes.amount,
        tax_known=session.tax_known,
        before_taxes_unrounded=decimal_of_ratio(before.numerator, before.denominator),
        taxes_unrounded=decimal_of_ratio(taxes.numerator, taxes.denominator),
        energy_wh=session.energy_wh,
        free_wh=session.free_wh,
        lines=[_line_record(session, line) for line in session.lines],
        policy=session.policy.name,
        policy_version=session.policy.version,
        kernel_version=KERNEL_VERSION,
        tzdata_version=TZDATA_VERSION,
        interpolation=INTERPOLATION,
        notes=list(session.notes),
    )


def _line_record(session: PricedSession, line: PricedLine) -> LineRecord:
    return LineRecord(
        dimension=line.dimension,
        tariff=line.tariff_id,
        element=line.element_index,
        why=line.why,
        reason=line.reason,
        starts_at=line.starts_at,
        ends_at=line.ends_at,
        volume=line.volume,
        billed_volume=line.billed_volume,
        unit_price=line.unit_price,
        amount=line.amount.amount,
        tax_percent=line.tax_percent,
        tax=line.tax_amount.amount,
        amount_minor=line.before_minor,
        tax_minor=line.tax_minor,
        interpolated=interpolated_ends(session, line),
    )
