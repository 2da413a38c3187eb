"""What a token was found to be when a station asked, as the line of its frame keeps it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec


class Authorization(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the token `subject` was allowed when the line was logged, and who said so.

    `by`: its declaration, its partner's row in our table of their tokens, the visit that it was
    drawn for (`reference`: its number), or the policy for tokens that nobody knows. `status` is
    what it was found to be, also where the station was answered otherwise because it had charged
    offline already. "unasked": its partner wants to be asked each time, and was not; "elsewhere",
    "untimely": not at this site, not at this hour; "no_credit": its customer pays in advance, and
    nothing was left. `credit`: what was left could not be looked up in time, and the policy
    decided. `until`: from then on it has expired. `party` is the roaming partner ("NL-TNM");
    `contract` its contract, sealed with the subject's key. `asked`: the partner was asked at that
    moment and answered, did not answer in time, or had commanded the start itself; None, nobody
    asked it. `reference` is its own name for the permission, by which it knows the session and the
    CDR again.
    """

    subject: str
    by: Literal["declared", "partner", "policy", "visit"]
    status: Literal[
        "accepted",
        "blocked",
        "expired",
        "invalid",
        "unasked",
        "elsewhere",
        "untimely",
        "no_credit",
    ]
    until: datetime | None = None
    party: str | None = None
    contract: str | None = None
    asked: Literal["answered", "silent", "commanded"] | None = None
    reference: str | None = None
    credit: Literal["unknown"] | None = None

    @property
    def partner(self) -> str | None:
        """The partner that answered for the token by itself; None where we did."""
        return self.party if self.by == "partner" else None
