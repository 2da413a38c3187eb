"""What a rating needs that is neither in the session's facts nor declared.

What others used of shared grants, and what time zones are said to be: each is asked once, recorded
on the decision, and taken from there by a replay.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from ledger.rating.decisions import AllowanceUse, SessionRated, SessionRevision
from ledger.rating.time_zones import PINNED_ZONES, Zones
from tariffs.adjustments.consumption import NOTHING, Consumption


class AllowanceKey(NamedTuple):
    """What is counted: whose shared grant of which tariff, in which period."""

    key: str
    period: str


class Standing(NamedTuple):
    """How many sessions have counted under a key, and what they used together."""

    number: int = 0
    used: Consumption = NOTHING


class Allowances(Protocol):
    """Knows what other sessions used of shared grants (`ledger.rating.allowances`)."""

    def standings(
        self, session: SessionRevision, keys: Sequence[AllowanceKey]
    ) -> tuple[Standing, ...]:
        """Return how *keys* stand for a session that is rated now."""


class _NothingUsed:
    """Where nobody has used anything."""

    def standings(
        self,
        session: SessionRevision,  # noqa: ARG002 - for all the same
        keys: Sequence[AllowanceKey],
    ) -> tuple[Standing, ...]:
        """Return that nothing was used of any of *keys*."""
        return (Standing(),) * len(keys)


NOTHING_USED: Allowances = _NothingUsed()


class Entitlements(msgspec.Struct, frozen=True, kw_only=True):
    """`validations` are the codes shown for the session, `allowances` what others used before.

    `zones` say what the clocks at its site show. `corrects`: the rating that held until now, of a
    session that is decided again; what it found used of shared grants stands.
    """

    validations: tuple[str, ...] = ()
    allowances: Allowances = NOTHING_USED
    zones: Zones = PINNED_ZONES
    corrects: SessionRated | None = None

    @property
    def used_already(self) -> Mapping[AllowanceKey, AllowanceUse]:
        """Return what the session found and used by the rating that held until now."""
        uses = self.corrects.allowances if self.corrects else ()
        return {AllowanceKey(use.key, use.period): use for use in uses}


NO_ENTITLEMENTS = Entitlements()
