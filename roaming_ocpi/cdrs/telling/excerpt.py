"""As much of a kept CDR as it takes to tell it: most of what is frozen goes on as it stands.

A page has a hundred of them. What most have in common, tariffs and a place, is decoded once for all
that have the same bytes; what was checked when the CDR was made is not decoded at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

import msgspec

from ledger.master_data.partners import OldCorrections
from roaming_ocpi.cdrs.made import CdrKind, MadeCdr, SaidIn

EXCERPT: Final[LiteralString] = (
    "SELECT party, cdr_id, session_id, kind, credits, made_at, body FROM roaming_cdr"
)


class ToldForm(msgspec.Struct, frozen=True):
    """A form; its tariffs as they were frozen."""

    tariffs: msgspec.Raw


class ToldBody(msgspec.Struct, frozen=True):
    """What of a `CdrBody` is told, as that has it; place and tariffs as they were frozen."""

    session_id: str
    starts_at: datetime
    ends_at: datetime
    our_party: str
    place: msgspec.Raw
    forms: tuple[ToldForm, ...]
    versions: dict[str, SaidIn]
    token: str | None = None
    contract: str | None = None
    auth_method: str = "WHITELIST"
    authorization_reference: str | None = None
    signed: int = 0
    remark: str | None = None
    replaces: str | None = None
    old_corrections: OldCorrections = OldCorrections.STATEMENT


_DECODER: Final = msgspec.json.Decoder(ToldBody)


class CdrExcerpt(NamedTuple):
    """A CDR that is to be told: `frozen` is its body, `said` what of that is told."""

    party: str
    cdr_id: str
    session_id: str
    kind: CdrKind
    credits: str | None
    made_at: datetime
    frozen: bytes
    said: ToldBody


def excerpt_in(row: Sequence[Any]) -> CdrExcerpt:
    """Return what a row of EXCERPT tells."""
    party, cdr_id, session_id, kind, credits_, made_at, body = row
    frozen = bytes(body)
    said = _DECODER.decode(frozen)
    return CdrExcerpt(party, cdr_id, session_id, CdrKind(kind), credits_, made_at, frozen, said)


def excerpt_of(made: MadeCdr) -> CdrExcerpt:
    """Return what of *made* is told."""
    columns = (made.party, made.cdr_id, made.session_id, made.kind, made.credits, made.made_at)
    return excerpt_in((*columns, made.body))
