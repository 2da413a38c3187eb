"""Keeping the local lists of stations in step with the declared tokens, by policy.

What a station was sent last is a row; what it has, it is asked. A list is sent when its station
connects with another version than the row's, and when what it should hold has changed.

    differential, the station has the row's version     what has changed since, in parts
    it has another one, or full, or a part was refused  all of it: a full one, then the rest
    that is refused too                                 the row says why; again an hour later
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
import psycopg

from ingest.clock import Clock
from ingest.commands.asking import Patience, StationCommands
from ingest.commands.command import CommandState
from ingest.declared_directory import DeclaredDirectory
from ingest.errors import IngestError
from ingest.facts.lenient import read_json
from ingest.gathering import Connect
from ingest.upkeep.list_limits import ListLimits, limits_in, limits_wanted
from ingest.upkeep.local_lists import (
    OLD,
    ListContents,
    ListEntry,
    ListUpdate,
    ToldVersion,
    changed_entries,
    differential_updates,
    full_updates,
    list_mode,
)
from ledger.declared.declarations import Declarations
from ledger.master_data.policies import LocalList

AT_ONCE: Final = 20
"""Stations that are sent their lists at the same time."""
FRESH: Final = timedelta(minutes=10)
"""How long contents hold while nothing is declared: a token that expires says so in its entry."""
VERSION_MAX: Final = 2**31 - 100_000
"""Versions are int32, and a list of many parts takes as many."""
PATIENCE: Final = Patience(wait=60.0, answer=60.0)
BY: Final = "wattledger"
_CONNECTED: LiteralString = """
SELECT station_id, link.epoch, protocol, version, declared_version, as_of, digest, list.epoch,
       coalesce(problem IS NOT NULL AND tried_at > now() - interval '1 hour', false)
FROM connected_station AS link LEFT JOIN local_list AS list USING (station_id)
WHERE %(only)s::text IS NULL OR station_id = %(only)s ORDER BY station_id
"""
_KEEP: LiteralString = """
INSERT INTO local_list (station_id, version, declared_version, as_of, digest, entries, epoch)
VALUES (%(station_id)s, %(version)s, %(declared_version)s, %(as_of)s, %(digest)s, %(entries)s,
    %(epoch)s)
ON CONFLICT (station_id) DO UPDATE SET
    version = excluded.version, declared_version = excluded.declared_version,
    as_of = excluded.as_of, digest = excluded.digest, entries = excluded.entries,
    epoch = excluded.epoch, problem = NULL, tried_at = now()
"""
# What it was sent last stands: it may have that still.
_FAILED: LiteralString = """
INSERT INTO local_list (station_id, version, declared_version, as_of, entries, epoch, problem)
VALUES (%(station_id)s, 0, 0, %(as_of)s, 0, 0, %(problem)s)
ON CONFLICT (station_id) DO UPDATE SET epoch = 0, problem = excluded.problem, tried_at = now()
"""
_SPELT: LiteralString = "SELECT subject, spelt FROM subject WHERE subject = ANY (%s)"
_LOGGER = logging.getLogger(__name__)


class ListRefusedError(IngestError):
    """A station does not take a list; `why` in words."""

    def __init__(self, station_id: str, why: str) -> None:
        self.station_id, self.why = station_id, why
        super().__init__(f"{station_id} takes no local list: {why}")


class KeptList(NamedTuple):
    """A connected station, and what it was sent last, if it was: a row of _CONNECTED."""

    station_id: str
    epoch: int
    protocol: str
    version: int | None
    declared_version: int | None
    as_of: datetime | None
    digest: bytes | None
    checked_epoch: int | None
    has_failed: bool


class ListKeeper:
    """Keeps the lists; `directory` knows the declarations, `commands` asks the stations."""

    def __init__(
        self,
        connect: Connect,
        *,
        directory: DeclaredDirectory,
        commands: StationCommands,
        clock: Clock,
    ) -> None:
        self._connect, self._directory = connect, directory
        self._commands, self._clock = commands, clock
        self._newest: dict[bool, ListContents] = {}
        self._before: dict[tuple[bool, int, datetime], tuple[Declarations, ListContents]] = {}

    async def round(self) -> int:
        """Bring every connected station's list up to date where it must be; return how many."""
        known = await self._directory.declarations()
        self._before.clear()
        due = []
        for each in await self._lists():
            if await self._is_due(each, known):
                due.append(each)
            await asyncio.sleep(0)  # frames get their turn between thousands of stations
        places = asyncio.Semaphore(AT_ONCE)

        async def keep(kept: KeptList) -> None:
            async with places:
                try:
                    await self.send(kept)
                except (IngestError, psycopg.Error) as error:
                    _LOGGER.warning("the list of %s: %s", kept.station_id, error)

        await asyncio.gather(*(keep(each) for each in due))
        return len(due)

    async def list_of(self, station_id: str) -> KeptList | None:
        """Return a station's connection and what it was sent; None if it is not connected."""
        return next(iter(await self._lists(only=station_id)), None)

    async def version_of(self, kept: KeptList) -> int:
        """Ask a station which version of its list it has.

        Raises:
            ListRefusedError: If it has none and can have none, or says what is no version.
        """
        said = await self._ask(kept, "GetLocalListVersion", {})
        try:
            number = msgspec.convert(said, ToldVersion).number
        except msgspec.ValidationError as error:
            raise ListRefusedError(kept.station_id, f"its version: {error}") from error
        if number is None or number < 0:
            raise ListRefusedError(kept.station_id, "it has no local lists")
        if number > VERSION_MAX:
            raise ListRefusedError(kept.station_id, f"its version {number} can be raised no more")
        return number

    async def send(self, kept: KeptList, *, is_full: bool = False) -> int:
        """Bring one station's list up to date; return the version that it has then.

        Raises:
            ListRefusedError: If the station does not take it; its row says why.
        """
        known = await self._directory.declarations()
        contents, site = await self._contents(kept, known), self._site(kept, known)
        content, digest = contents.at(site), contents.digest(site)
        try:
            has = await self.version_of(kept)
            is_known = has == kept.version and kept.version is not None
            if is_known and not is_full and kept.digest == digest:
                version = has
            else:
                is_full = is_full or not is_known
                version = await self._update(kept, known, content, has, is_full=is_full)
        except ListRefusedError as refused:
            row = {"station_id": kept.station_id, "as_of": contents.as_of, "problem": refused.why}
            async with await self._connect() as connection:
                await connection.execute(_FAILED, row)
            raise
        row = {
            "station_id": kept.station_id,
            "version": version,
            "declared_version": contents.version,
            "as_of": contents.as_of,
            "digest": digest,
            "entries": len(content),
            "epoch": kept.epoch,
        }
        async with await self._connect() as connection:
            await connection.execute(_KEEP, row)
        return version

    async def _update(
        self,
        kept: KeptList,
        known: Declarations,
        content: Mapping[str, ListEntry],
        has: int,
        *,
        is_full: bool,
    ) -> int:
        limits = await self._limits(kept)
        version = max(has, kept.version or 0) + 1
        mode = list_mode(known, kept.station_id, self._clock.now())
        is_short = limits.length_max is None or len(content) <= limits.length_max
        if is_short and not is_full and mode is LocalList.DIFFERENTIAL:
            before = await self._content_before(kept)
            sent = await self._send_changes(kept, before, content, version, limits)
            if sent is not None:
                return sent
            version = max(await self.version_of(kept), version) + 1
        uids = await self._uids(content.values())
        entries = [content[subject] for subject in sorted(content)]
        updates = full_updates(
            entries, uids, kept.protocol, version=version, items_max=limits.items_max
        )
        length = sum(len(each.payload.get("localAuthorizationList", ())) for each in updates)
        if limits.length_max is not None and length > limits.length_max:
            why = f"it holds {limits.length_max} tokens, and {length} may charge there"
            raise ListRefusedError(kept.station_id, why)
        status = await self._send_all(kept, updates)
        if status is not None:
            raise ListRefusedError(kept.station_id, f"it answered {status}")
        return updates[-1].version

    async def _send_changes(
        self,
        kept: KeptList,
        before: Mapping[str, ListEntry],
        content: Mapping[str, ListEntry],
        version: int,
        limits: ListLimits,
    ) -> int | None:
        """Send what has changed; None where that cannot be said, or the station refuses it."""
        changes = changed_entries(before, content)
        named = [entry or ListEntry(subject, None, None) for subject, entry in changes]
        updates = differential_updates(
            changes,
            await self._uids(named),
            kept.protocol,
            version=version,
            items_max=limits.items_max,
        )
        if not updates or await self._send_all(kept, updates) is not None:
            return None
        return updates[-1].version

    async def _send_all(self, kept: KeptList, updates: Sequence[ListUpdate]) -> str | None:
        """Send *updates* one after the other; return what the station said against one."""
        for update in updates:
            said = await self._ask(kept, "SendLocalList", update.payload)
            status = said.get("status") if isinstance(said, dict) else None
            if status != "Accepted":
                return str(status)
        return None

    async def _limits(self, kept: KeptList) -> ListLimits:
        call = limits_wanted(kept.protocol)
        try:
            said = await self._ask(kept, call.action, call.payload)
        except ListRefusedError:
            return ListLimits()  # it may take a list, and not say how long a one
        return limits_in(kept.protocol, said)

    async def _ask(self, kept: KeptList, action: str, payload: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Return what a station answers.

        Raises:
            ListRefusedError: If it does not answer, or with an error.
        """
        text = msgspec.json.encode(payload).decode()
        found = await self._commands.ask(kept.station_id, action, text, by=BY, patience=PATIENCE)
        if found.state is not CommandState.ANSWERED or found.response is None:
            why = found.error.code if found.error is not None else str(found.state)
            raise ListRefusedError(kept.station_id, f"{action} was not answered: {why}")
        return read_json(bytes(found.response).decode())

    async def _is_due(self, kept: KeptList, known: Declarations) -> bool:
        mode = list_mode(known, kept.station_id, self._clock.now())
        if kept.has_failed or mode is LocalList.OFF:
            return False
        if kept.checked_epoch != kept.epoch:
            return True
        contents = await self._contents(kept, known)
        return kept.digest != contents.digest(self._site(kept, known))

    def _site(self, kept: KeptList, known: Declarations) -> str:
        station = known.station(kept.station_id, self._clock.now())
        return station.site if station else ""

    async def _contents(self, kept: KeptList, known: Declarations) -> ListContents:
        """Return what all lists hold by now, of stations of this one's kind."""
        is_old, now = kept.protocol == OLD, self._clock.now()
        found = self._newest.get(is_old)
        if found is None or found.version != known.version or now - found.as_of >= FRESH:
            # In a thread: among a hundred thousand tokens the stations must not wait for it.
            found = await asyncio.to_thread(ListContents, known, now, is_old=is_old)
            self._newest[is_old] = found
        return found

    async def _content_before(self, kept: KeptList) -> Mapping[str, ListEntry]:
        """Return what a station was sent last, at the site where it stood then."""
        assert kept.declared_version is not None
        assert kept.as_of is not None
        is_old, version, as_of = kept.protocol == OLD, kept.declared_version, kept.as_of
        if (is_old, version, as_of) not in self._before:
            known = await self._directory.declarations()
            before = await asyncio.to_thread(known.at_version, version)
            contents = await asyncio.to_thread(ListContents, before, as_of, is_old=is_old)
            self._before[is_old, version, as_of] = before, contents
        before, contents = self._before[is_old, version, as_of]
        station = before.station(kept.station_id, as_of)
        return contents.at(station.site) if station else {}

    async def _uids(self, entries: Any) -> dict[str, str]:  # noqa: ANN401 - entries, in any order
        subjects = {each for entry in entries for each in (entry.subject, entry.group) if each}
        async with await self._connect() as connection:
            cursor = await connection.execute(_SPELT, (sorted(subjects),))
            return dict(await cursor.fetchall())

    async def _lists(self, *, only: str | None = None) -> list[KeptList]:
        async with await self._connect() as connection:
            cursor = await connection.execute(_CONNECTED, {"only": only})
            return [KeptList(*row) for row in await cursor.fetchall()]
