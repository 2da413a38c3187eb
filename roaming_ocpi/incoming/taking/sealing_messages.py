"""Messages of partners sealed for who stands in them; their subjects are durable by then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from ledger.log.envelope import PartnerMessage
from ledger.partners.messages import CutMessage
from ledger.persons.holders import Holder
from ledger.persons.sealing import Subject
from ledger.persons.store import KNOWN, MAKE, ContendedSubjectError, Key, asked, fresh


async def sealed_messages(
    connection: AsyncConnection[Any], cut: Sequence[CutMessage]
) -> list[PartnerMessage]:
    """Return the line of each message, with who stands in it cut out.

    Raises:
        ContendedSubjectError: If somebody is erased at the same moment.
    """
    holders = list(dict.fromkeys(holder for each in cut for holder in each.holders))
    known = await _known(connection, holders)
    missing = [each for each in holders if (each.kind, each.name) not in known]
    if missing:
        await connection.execute(MAKE, fresh(missing))
        known |= await _known(connection, missing)
    try:
        subjects = {each: known[each.kind, each.name] for each in holders}
    except KeyError:
        raise ContendedSubjectError from None
    return [each.sealed(subjects) for each in cut]


async def _known(connection: AsyncConnection[Any], holders: Sequence[Holder]) -> dict[Key, Subject]:
    if not holders:
        return {}
    rows = await (await connection.execute(KNOWN, asked(holders))).fetchall()
    return {(kind, name): Subject(subject, key) for kind, name, subject, key in rows}
