"""Tokens: who may charge, and who pays for it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from ledger.master_data.hours import WeeklyHours

_NAME_MAX: Final = 100
_ID_MAX: Final = 255
A_NAME: Final = f"a text of 1 to {_NAME_MAX} characters on one line"


def is_a_name(text: str) -> bool:
    """Whether *text* can stand on an invoice as a cost centre or a driver: it is `A_NAME`."""
    return bool(text.strip()) and len(text) <= _NAME_MAX and text.isprintable()


AN_ID: Final = "a text of 1 to 255 characters on one line, without blanks around it"


def is_an_id(text: str) -> bool:
    """Whether things may be called *text*, in files and addresses, too: it is `AN_ID`."""
    return 0 < len(text) <= _ID_MAX and text.isprintable() and text == text.strip()


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
    stations know as that of master passes. `cost_centre` is what its customer books its sessions
    on, `driver` who drives with it (a subject id, as in the key): they stand on the invoice.
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
    cost_centre: str | None = None
    driver: str | None = None

    def has_expired(self, at: datetime) -> bool:
        """Whether the token's validity is over at the moment *at*."""
        return self.expires_at is not None and self.expires_at <= at
