"""What a decision keeps of a session that a driver of ours had at a partner's station."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, LiteralString

import msgspec

STATIONS: Final = "partner/"
"""How the id of what stands for a partner's stations begins; none of ours may be called so."""


class ChargedElsewhere(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The partner's CDR behind a session that is charged on.

    It stands at `line` of the record at `position` of the decision's partition. `net`: what the
    partner bills for it before taxes, exact, in `currency`. `mark_up_percent`: it is passed on with
    that on top; None: our retail tariff prices it. `place`: where it was, in the partner's words.
    """

    party: str
    cdr_id: str
    position: int
    line: int
    place: str = ""
    net: Decimal | None = None
    currency: str | None = None
    mark_up_percent: Decimal | None = None


def station_of(party: str) -> str:
    """Return what stands for the stations of *party* where a station is named."""
    return f"{STATIONS}{party}"


def session_of(party: str, cdr_id: str) -> str:
    """Return the id of the session that a CDR of *party* tells of; ids differ in more than case.

    A slash in it would let it be taken for another one's revision (`named`).
    """
    return f"{station_of(party)}/{cdr_id.casefold().replace('%', '%25').replace('/', '%2F')}"


SESSION_OF_CDR: LiteralString = """
concat('partner/', party, '/', replace(replace(cdr_key, '%%', '%%25'), '/', '%%2F'))
"""
"""What `session_of` returns, of a row of `partner_cdr` in a statement with parameters."""
