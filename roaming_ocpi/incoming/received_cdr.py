"""A CDR of a partner as people see it, and how it stands with charging it on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec


class Charging(StrEnum):
    """How it stands with charging a CDR on."""

    CHARGED = "charged"
    TAKEN_BACK = "taken_back"
    HELD = "held"
    ASKED = "asked"
    CREDIT = "credit"
    CREDITED = "credited"
    DISPUTED = "disputed"
    FLAGGED = "flagged"
    NOBODY = "nobody"
    UNREADABLE = "unreadable"
    UNSAID = "unsaid"


MEANINGS: Final = {
    Charging.CHARGED: "our customer pays it",
    Charging.TAKEN_BACK: "it was charged, and is owed no more",
    Charging.HELD: "it waits for what is named: mend that, then cdr accept it (again)",
    Charging.ASKED: "it is to be charged, and the books come to it in their turn",
    Charging.CREDIT: "it takes another one back, and is charged to nobody itself",
    Charging.CREDITED: "its partner took it back",
    Charging.DISPUTED: "it is disputed: cdr accept charges it on",
    Charging.FLAGGED: "it is flagged: cdr accept charges it on, or charges_flagged of the partner",
    Charging.NOBODY: "no token of ours is known to have charged",
    Charging.UNREADABLE: "nobody can read when it was",
    Charging.UNSAID: "it was read before CDRs were charged on: cdr accept charges it on",
}


class ChargedOn(msgspec.Struct, frozen=True, kw_only=True):
    """What our customer owes for a CDR: amounts in minor units of `currency`, if it was rated.

    `revision` is that of the rating that holds, even where a later decision is `held` for `reasons`
    (in words). None: nothing is rated.
    """

    status: Charging
    session_id: str
    revision: int | None = None
    currency: str | None = None
    net_minor: int | None = None
    gross_minor: int | None = None
    reasons: tuple[str, ...] = ()


class ReceivedCdr(msgspec.Struct, frozen=True, kw_only=True):
    """A CDR that a partner told us of. `subject` is whose token it was, `position` in the log.

    `charge_act`: what a line of the log last said of charging it on; `charged`: what came of that.
    """

    party: str
    cdr_id: str
    kind: str
    credits: str | None
    credited_by: str | None
    version: str
    currency: str | None
    net: Decimal | None
    tax: Decimal | None
    energy_kwh: Decimal | None
    started_at: datetime | None
    ended_at: datetime | None
    received_at: datetime
    subject: str | None
    session_ref: str | None
    verdict: str
    judged: str
    codes: list[dict[str, Any]]
    repriced_net: Decimal | None
    tariff_id: str | None
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None
    charge_act: str | None
    position: str
    charged: ChargedOn | None = None
