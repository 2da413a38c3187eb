"""Whether what comes under a known id is the CDR that is known, said in other words.

    10.0 or 10, 8.00 or 8           the same number
    "remark": null, or none of it   the same
    last_updated                    when it was said, which moves nothing
    told in 2.1.1, then in 2.2.1    the same charge, where times, energy and amounts are

A partner that pushes from one program and lists from another writes one CDR in two ways, and one
that moves to another version of OCPI lists all of its CDRs anew.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import Any, Final, NamedTuple

import msgspec

from ledger.errors import LedgerError
from ledger.log.envelope import PartnerMessage
from ledger.log.event_log import Position
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.incoming.told import MessageReader, ToldCdr
from tariffs.errors import TariffError
from tariffs.ocpi.versions import OcpiVersion
from tariffs.quantities import is_sane, plain

LOOKED_AT_MAX: Final = 64 << 10
"""Characters of a text that is read once more: whoever tells an id again and again may not have
long ones read each time."""
_UPDATED: Final = "last_updated"
_NOWHERE: Final = Position(0, 0, 0)


class Retelling(Enum):
    """What a message under a known id is to the first one under it, which holds."""

    REWORDED = auto()
    """The same, in other words."""
    IN_OTHER_VERSION = auto()
    """The same charge, as another version of OCPI says it."""
    OTHER = auto()
    """Something else."""


class AskedSum(NamedTuple):
    """What a CDR asks for, whatever version says it; None: it does not say."""

    currency: str | None
    net: Decimal | None
    energy: Decimal | None
    started_at: datetime | None
    ended_at: datetime | None
    tax: Decimal | None

    def is_same(self, other: AskedSum) -> bool:
        """Whether both ask for the same. OCPI 2.1.1 says no taxes."""
        is_taxed_alike = None in (self.tax, other.tax) or self.tax == other.tax
        return self[:-1] == other[:-1] and is_taxed_alike


def asked_by(told: ToldCdr) -> AskedSum | None:
    """Return what a CDR asks for, None where it cannot be read."""
    cdr = told.cdr
    if cdr is None:
        return None
    return AskedSum(cdr.currency, told.net, told.energy, cdr.starts_at, cdr.ends_at, told.tax)


def is_in_other_version(told: ToldCdr, version: OcpiVersion, asked: AskedSum | None) -> bool:
    """Whether *told* is what *asked* for the same in *version*, in its own version's form."""
    mine = asked_by(told)
    if told.version is version or mine is None or asked is None:
        return False
    return mine.is_same(asked)


def retelling(line: PartnerMessage, first: PartnerMessage, reader: MessageReader) -> Retelling:
    """Return what *line* is to the *first* one under its id, both as the log keeps them. Total."""
    if max(len(line.body), len(first.body)) > LOOKED_AT_MAX:
        return Retelling.OTHER
    try:
        if _cuts(line) == _cuts(first) and _words(line.body) == _words(first.body):
            return Retelling.REWORDED
        told, known = (reader.cdr(each, _NOWHERE) for each in (line, first))
    except _UNREAD:
        return Retelling.OTHER
    if is_in_other_version(told, known.version, asked_by(known)):
        return Retelling.IN_OTHER_VERSION
    return Retelling.OTHER


_UNREAD: Final = (
    msgspec.MsgspecError,
    ValueError,
    RecursionError,
    TariffError,
    RoamingError,
    LedgerError,
)


def _cuts(line: PartnerMessage) -> list[str]:
    return sorted(part.cut for part in line.sealed)


def _words(body: str) -> bytes:
    """Return what tells one body from another that says something else."""
    value = _NUMBERED.decode(body)
    if isinstance(value, dict):
        value.pop(_UPDATED, None)
    return _CANONICAL.encode(_said(value))


def _said(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a tree without what is null in it, and each number as one text."""
    if isinstance(value, dict):
        return {key: _said(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_said(each) for each in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return _number(str(value))
    return value


def _number(text: str) -> str:
    number = Decimal(text)
    return f"{plain(number):f}" if is_sane(number) else text


_NUMBERED: Final = msgspec.json.Decoder(float_hook=_number)
_CANONICAL: Final = msgspec.json.Encoder(order="deterministic")
