"""Subjects as the edge asks for them: from memory, or found or made in the deletable table."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import psycopg

from ingest.errors import IngestError
from ingest.gathering import PATIENCE_SECONDS, Connect, Gatherer
from ledger.persons.holders import Holder
from ledger.persons.sealing import Subject
from ledger.persons.store import KNOWN, MAKE, Key, asked, fresh

REMEMBERED_MAX: Final = 50_000
"""Subjects in memory, some 400 bytes each."""
FRESH_SECONDS: Final = 30.0
"""How long one is used without another look: so long an erased person may still be written."""
AWAY_SECONDS: Final = 1.0
"""After how long without an answer the database is away: nobody is erased then, and a subject that
is remembered is used."""
AWAY_ON_SECONDS: Final = 5.0
"""How long it is not asked again about those."""


class SubjectGoneError(IngestError):
    """A subject was erased while it was looked up; the station brings the frame again."""

    def __init__(self) -> None:
        super().__init__("a subject was erased while it was looked up")


class Subjects(Protocol):
    """Gives the subject of a token, or of a station's unread texts; makes it at first sight."""

    async def of(self, holders: Sequence[Holder]) -> Mapping[Holder, Subject]:
        """Return the subject of each of *holders*; a new one is durable then."""


class PostgresSubjects:
    """Subjects from the table that all processes share.

    One that was used lately comes from memory; else one statement reads those of all frames that
    wait. Only a token that nobody ever showed costs a commit.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        fresh_seconds: float = FRESH_SECONDS,
        remembered_max: int = REMEMBERED_MAX,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._gatherer: Gatherer[tuple[Holder, ...], tuple[Subject, ...]] = Gatherer(
            connect, _answer, patience_seconds=patience_seconds
        )
        self._fresh_seconds, self._remembered_max = fresh_seconds, remembered_max
        self._remembered: OrderedDict[Key, tuple[Subject, float]] = OrderedDict()
        self._away_until = 0.0

    async def of(self, holders: Sequence[Holder]) -> Mapping[Holder, Subject]:
        """Return the subject of each of *holders*; a new one is durable then."""
        now = time.monotonic()
        found: dict[Holder, Subject] = {}
        known: dict[Holder, Subject] = {}
        for holder in holders:
            kept = self._remembered.get((holder.kind, holder.name))
            if kept is not None:
                known[holder] = kept[0]
                if now - kept[1] < self._fresh_seconds:
                    found[holder] = kept[0]
        missing = tuple(holder for holder in holders if holder not in found)
        if not missing or (len(known) == len(holders) and now < self._away_until):
            return known
        try:
            async with asyncio.timeout(AWAY_SECONDS if len(known) == len(holders) else None):
                answers = await asyncio.shield(self._asking(missing))
        except (TimeoutError, psycopg.OperationalError):
            if len(known) < len(holders):
                raise
            self._away_until = now + AWAY_ON_SECONDS
            return known
        for holder, subject in zip(missing, answers, strict=True):
            found[holder] = subject
            self._remember((holder.kind, holder.name), subject, now)
        return found

    def _asking(self, holders: tuple[Holder, ...]) -> asyncio.Future[tuple[Subject, ...]]:
        asking = asyncio.ensure_future(self._gatherer.ask(holders))
        # An error that nobody waits for any more is heard, or asyncio complains at the end.
        asking.add_done_callback(lambda asked: asked.cancelled() or asked.exception())
        return asking

    async def close(self) -> None:
        """Close the connection."""
        await self._gatherer.close()

    def _remember(self, key: Key, subject: Subject, now: float) -> None:
        self._remembered[key] = (subject, now)
        self._remembered.move_to_end(key)
        if len(self._remembered) > self._remembered_max:
            self._remembered.popitem(last=False)


async def _answer(
    connection: psycopg.AsyncConnection, questions: Sequence[tuple[Holder, ...]]
) -> Sequence[tuple[Subject, ...]]:
    wanted = {(each.kind, each.name): each for holders in questions for each in holders}
    known = await _known(connection, list(wanted.values()))
    missing = [holder for key, holder in wanted.items() if key not in known]
    if missing:
        await connection.execute(MAKE, fresh(missing))
        known |= await _known(connection, missing)
    try:
        return [tuple(known[each.kind, each.name] for each in holders) for holders in questions]
    except KeyError as error:
        raise SubjectGoneError from error


async def _known(
    connection: psycopg.AsyncConnection, holders: Sequence[Holder]
) -> dict[Key, Subject]:
    rows = await (await connection.execute(KNOWN, asked(holders))).fetchall()
    return {(kind, name): Subject(subject, key) for kind, name, subject, key in rows}
