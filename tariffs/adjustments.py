"""Adjustments: what operators want and OCPI cannot say, typed, ordered, each with its reason.

The kernel knows two kinds. A *rule of the cut* changes which component holds at an instant (a
grace period). A *grant* lowers lines that are already priced, and is a line of its own.
A new kind is a new struct here and one branch in `tariffs.grants` or `tariffs.periods`.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec


class IdleGrace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="idle_grace"):
    """The first `seconds` of every stretch of parking cost nothing."""

    seconds: int
    reason: str | None = None


class GroupGrant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="group"):
    """Members of a token group get `percent` off the named dimensions.

    `kwh_max` and `minutes_max` bound what one session gets, counted from its start.
    """

    group: str
    dimensions: tuple[str, ...]
    percent: Decimal = Decimal(100)
    kwh_max: Decimal | None = None
    minutes_max: Decimal | None = None
    reason: str | None = None


class ValidationGrant(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="validation"
):
    """A session validated with `code` (a shop's stamp, a hotel stay) gets `percent` off."""

    code: str
    dimensions: tuple[str, ...]
    percent: Decimal = Decimal(100)
    kwh_max: Decimal | None = None
    minutes_max: Decimal | None = None
    reason: str | None = None


Grant = GroupGrant | ValidationGrant
Adjustment = IdleGrace | GroupGrant | ValidationGrant
