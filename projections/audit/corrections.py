"""From one revision of a session to the next: what a correction replaced, and what brought it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.books.decisions_store import rated_sessions
from ledger.invoices.shown import ShownInvoice
from ledger.log.event_log import EventLog, Position
from ledger.rating.decisions import CorrectionCause, SessionRated, SessionRevision
from projections.audit.partner_cdrs import PartnerLine, partner_lines
from projections.audit.raw_frames import RawFrame, read_frames

_CORRECTED_BY: LiteralString = """
SELECT revision FROM final_decision WHERE session_id = %s AND revision > %s
"""


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """What a correction replaced, and the frames that brought it about; amounts in minor units.

    `partner_lines`: what brought it about where it follows a partner's CDR. `by` and `reason`: who
    had it corrected, and why.
    """

    revision: int
    cause: str
    net_minor: int
    tax_minor: int
    energy_wh: Decimal
    frames: tuple[RawFrame, ...]
    by: str | None = None
    reason: str | None = None
    partner_lines: tuple[PartnerLine, ...] = ()


class CreditedBecause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a credit note takes a line back: it is line `invoice_line` of invoice `invoice`.

    Revision `replaced_by` holds in its place, which was decided for `cause`; `by` and `reason`: who
    wanted it so, and why.
    """

    invoice: str
    invoice_line: int
    replaced_by: int
    cause: str
    by: str | None
    reason: str | None


def correction_by(
    connection: Connection[Any], log: EventLog, decision: SessionRated
) -> Correction | None:
    """Return what *decision* corrects, None where it corrects nothing."""
    corrects, partition = decision.corrects, decision.moment.partition
    if corrects is None:
        return None
    wanted = [Position(partition, position, line) for position, line in corrects.frames]
    is_partners = corrects.cause is CorrectionCause.PARTNER
    frames = {} if is_partners else read_frames(connection, log, wanted)
    lines = partner_lines(log, wanted) if is_partners else {}
    return Correction(
        revision=corrects.revision,
        cause=corrects.cause.value,
        net_minor=corrects.net_minor,
        tax_minor=corrects.tax_minor,
        energy_wh=corrects.energy_wh,
        frames=tuple(frames[at] for at in wanted if at in frames),
        by=corrects.by,
        reason=corrects.reason,
        partner_lines=tuple(lines[at] for at in wanted if at in lines),
    )


def credited_because(
    connection: Connection[Any], document: ShownInvoice
) -> dict[int, CreditedBecause]:
    """Return why each line of a credit note is taken back; nothing of an invoice."""
    if document.credits is None:
        return {}
    parts = {each.session_id: each.credited for each in document.sessions if each.credited}
    wanted = [SessionRevision(key, part.replaced_by) for key, part in parts.items()]
    ratings = rated_sessions(connection, wanted)
    said = {each.session_id: each.corrects for each in ratings}
    found = {}
    for line in document.lines:
        corrects = said.get(line.session_id)
        if line.credits_line is not None and corrects is not None:
            found[line.line] = CreditedBecause(
                invoice=document.credits.number,
                invoice_line=line.credits_line,
                replaced_by=parts[line.session_id].replaced_by,
                cause=corrects.cause.value,
                by=corrects.by,
                reason=corrects.reason,
            )
    return found


def later_revision(connection: Connection[Any], session: SessionRevision) -> int | None:
    """Return the revision that holds in the place of this one, None where this one holds."""
    row = connection.execute(_CORRECTED_BY, session).fetchone()
    return row[0] if row else None
