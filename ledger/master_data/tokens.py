"""Tokens: who may charge, and who pays for it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from ledger.master_data.hours import WeeklyHours


class TokenKind(StrEnum):
    """Whose token it is."""

    OWN = "own"
    ROAMING = "roaming"
    AD_HOC = "ad_hoc"


class TokenStatus(StrEnum):
    """Whether it may charge."""

    ACCEPTED = "accepted"
    BLOCKED = "blocked"


class Token(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver's token; its key is its subject id, which the file's uid is exchanged for.

    `group` names the tariff group and compares without case; `parent` is the subject of the parent
    token by which one card ends another's session. `customer` pays; without one the bearer gets an
    invoice per session. `partner` is the roaming partner (its OCPI party, "NL-TNM") of a ROAMING
    token. `payment_method` is how its sessions are paid, in the tariffs' words ("credit_card").
    It charges at `sites` alone (none named: at all), within `hours` of these (none: always). A
    master pass stops the sessions of others and starts none; its `parent` is the group that its
    stations know as that of master passes.
    """

    status: TokenStatus = TokenStatus.ACCEPTED
    kind: TokenKind = TokenKind.OWN
    expires_at: datetime | None = None
    group: str | None = None
    parent: str | None = None
    customer: str | None = None
    partner: str | None = None
    payment_method: str | None = None
    sites: tuple[str, ...] = ()
    hours: tuple[WeeklyHours, ...] = ()
    is_master_pass: bool = False

    def has_expired(self, at: datetime) -> bool:
        """Whether the token's validity is over at the moment *at*."""
        return self.expires_at is not None and self.expires_at <= at
