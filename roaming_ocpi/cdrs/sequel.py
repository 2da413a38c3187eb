"""What becomes of a session's CDRs when it is decided again. Pure.

    rated                                    a CDR
    corrected                                a credit for the CDR, and a CDR in its place
    corrected, and the CDR would say the same   nothing
    nothing of it is owed any more           a credit alone
    another partner owes it                  a credit to the one, a CDR to the other
    the new CDR cannot be said               a credit alone, and the session is on the list

Source: OCPI 2.2.1, mod_cdrs, Credit CDRs ("the original CDR is never changed").
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from ledger.rating.decisions import SessionRated
from roaming_ocpi.cdrs.made import CdrKind, CdrNote, MadeCdr, decode_body, freeze
from roaming_ocpi.cdrs.making import MadeBody
from roaming_ocpi.wire.ids import wire_cdr_id


class CdrDraft(NamedTuple):
    """A CDR of a decision, for a partner, before it has its number and time."""

    party: str
    made: MadeBody


def standing_of(history: Sequence[MadeCdr]) -> MadeCdr | None:
    """Return the CDR that holds of a session's: the one that nothing took back."""
    taken_back = {each.credits for each in history if each.kind is CdrKind.CREDIT}
    held = [e for e in history if e.kind is CdrKind.CDR and e.cdr_id not in taken_back]
    return held[-1] if held else None


def sequel(
    history: Sequence[MadeCdr], rated: SessionRated, draft: CdrDraft | None, made_at: datetime
) -> list[MadeCdr]:
    """Return what is to be added: a credit, a CDR, both or nothing; numbers are still 0.

    *draft* None: no CDR is to stand, because nobody owes it or none could be made.
    """
    standing = standing_of(history)
    added: list[MadeCdr] = []
    if standing is not None:
        if draft is not None and _says_the_same(standing, draft):
            return []
        added.append(_credit(standing, rated, made_at))
    if draft is not None:
        added.append(_cdr(history, rated, draft, made_at))
    return added


def _says_the_same(standing: MadeCdr, draft: CdrDraft) -> bool:
    # By which master data it was made, the partner does not see.
    was, now = (
        replace(body, replaces=None, declared_version=0)
        for body in (decode_body(standing.body), draft.made.body)
    )
    return standing.party == draft.party and was == now


def _cdr(
    history: Sequence[MadeCdr], rated: SessionRated, draft: CdrDraft, made_at: datetime
) -> MadeCdr:
    earlier = [e for e in history if e.kind is CdrKind.CDR and e.party == draft.party]
    replaces = earlier[-1].cdr_id if earlier else None
    body, owed, notes = draft.made
    frozen = freeze(replace(body, replaces=replaces))
    return MadeCdr(
        party=draft.party,
        cdr_id=wire_cdr_id(rated.session_id, rated.revision, CdrKind.CDR),
        session_id=rated.session_id,
        revision=rated.revision,
        kind=CdrKind.CDR,
        credits=None,
        legal_entity=rated.legal_entity,
        currency=rated.currency,
        net_minor=owed.net_minor,
        tax_minor=owed.tax_minor,
        energy_wh=Decimal(rated.energy_wh),
        started_at=rated.started_at,
        ended_at=rated.ended_at,
        billing_month=rated.billing_month,
        made_at=made_at,
        number=0,
        notes=notes,
        body=frozen.body,
        sha256=frozen.sha256,
    )


def _credit(standing: MadeCdr, rated: SessionRated, made_at: datetime) -> MadeCdr:
    """Return a copy of the CDR that stands, which takes it back by the decision *rated*."""
    cause = rated.corrects.cause.value if rated.corrects else "decided_again"
    said = CdrNote(code="credited", message=f"it takes back {standing.cdr_id}: {cause}")
    return replace(
        standing,
        cdr_id=wire_cdr_id(rated.session_id, rated.revision, CdrKind.CREDIT),
        revision=rated.revision,
        kind=CdrKind.CREDIT,
        credits=standing.cdr_id,
        net_minor=-standing.net_minor,
        tax_minor=-standing.tax_minor,
        energy_wh=-standing.energy_wh,
        made_at=made_at,
        number=0,
        notes=(said,),
    )
