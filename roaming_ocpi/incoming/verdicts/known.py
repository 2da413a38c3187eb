"""What is known when a CDR is judged: CDRs and sessions that came before it, and our own side."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from tariffs.kernel.compiled import CompiledTariff


class CdrBefore(NamedTuple):
    """A CDR of the same party that came before. `credited_by`: it was taken back by that one."""

    id: str
    key: str
    is_credit: bool
    credited_by: str | None
    currency: str | None
    net: Decimal | None
    tax: Decimal | None
    energy: Decimal | None
    started_at: datetime | None
    ended_at: datetime | None
    subject: str | None
    session_key: str | None

    @property
    def counts(self) -> bool:
        """Whether it bills something still."""
        return not self.is_credit and self.credited_by is None


class SessionBefore(NamedTuple):
    """What was told last of a session before the CDR came."""

    status: str | None
    currency: str | None
    net: Decimal | None
    energy: Decimal | None
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether nothing more of it is to come. Source: OCPI 2.2.1, SessionStatus."""
        return self.status is not None and self.status.upper() == "COMPLETED"


class CdrSurroundings(NamedTuple):
    """All that a verdict hangs on beside the CDR itself.

    `original` is the CDR that a credit names; `of_session` one that bills the same session, and
    `at_once` those of the same token that touch its time, in one order. `published` are the
    partner's tariffs that it may be priced by. `zone` is the place's, where it is known.
    `is_ours`: the token was declared when it started. `takes_negative`: with this partner of OCPI
    2.1.1 a negative CDR takes one back (`OldCorrections`).
    """

    original: CdrBefore | None = None
    of_session: CdrBefore | None = None
    at_once: Sequence[CdrBefore] = ()
    session: SessionBefore | None = None
    published: Sequence[CompiledTariff] = ()
    zone: str | None = None
    is_ours: bool = True
    takes_negative: bool = False
