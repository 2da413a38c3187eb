"""From one revision of a session to the next: what a correction replaced, and what brought it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, LiteralString

import msgspec
from psycopg import Connection

from ledger.log.event_log import EventLog, Position
from ledger.rating.decisions import SessionRated, SessionRevision
from projections.audit.raw_frames import RawFrame, read_frames

_CORRECTED_BY: LiteralString = """
SELECT revision FROM final_decision WHERE session_id = %s AND revision > %s
"""


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """What a correction replaced, and the frames that brought it about; amounts in minor units."""

    revision: int
    cause: str
    net_minor: int
    tax_minor: int
    energy_wh: Decimal
    frames: tuple[RawFrame, ...]


def correction_by(
    connection: Connection[Any], log: EventLog, decision: SessionRated
) -> Correction | None:
    """Return what *decision* corrects, None where it corrects nothing."""
    corrects, partition = decision.corrects, decision.moment.partition
    if corrects is None:
        return None
    wanted = [Position(partition, position, line) for position, line in corrects.frames]
    frames = read_frames(connection, log, wanted)
    return Correction(
        revision=corrects.revision,
        cause=corrects.cause.value,
        net_minor=corrects.net_minor,
        tax_minor=corrects.tax_minor,
        energy_wh=corrects.energy_wh,
        frames=tuple(frames[at] for at in wanted if at in frames),
    )


def later_revision(connection: Connection[Any], session: SessionRevision) -> int | None:
    """Return the revision that holds in the place of this one, None where this one holds."""
    row = connection.execute(_CORRECTED_BY, session).fetchone()
    return row[0] if row else None
