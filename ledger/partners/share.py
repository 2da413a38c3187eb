"""What a roaming partner is told of a session beside its price: the periods as they were priced."""

from __future__ import annotations

import msgspec

from ledger.log.authorization import Authorization
from tariffs.cdr.cut import CutPeriod


class PartnerShare(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The parts of a CDR that no priced line says, as they were when the session was rated.

    `periods`: where its price or what it did changed, with the energy of each. `authorization`:
    what its token was found to be, and by whom. `signed`: how many signed readings it has, which
    stay with its facts.
    """

    periods: tuple[CutPeriod, ...]
    authorization: Authorization | None = None
    signed: int = 0
