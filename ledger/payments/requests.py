"""What we ask a provider for: decided and committed first, asked then, and noted what came of it.

    decide     a row with its key, made from the decision: who decides it again finds the row
    mark asked committed before the call leaves: from here on it may have arrived
    note       what came of it, in one transaction with what follows in the books

A kill between two of these leaves a row that the next one takes up: with the same key as long as
the provider remembers keys (KEYS_REMEMBERED), after that by looking for what bears the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, LiteralString, NamedTuple
from zlib import crc32

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from tariffs.model.canonical import canonical_json

KEYS_REMEMBERED: Final = timedelta(hours=20)
"""A provider forgets keys after a day; before that we stop to rely on it."""
FIRST_SECONDS: Final = 2
LONGEST_SECONDS: Final = 3600
_DOUBLINGS_MAX: Final = 11
_PARTS: Final = 1000
NEVER: Final = datetime(9999, 1, 1, tzinfo=UTC)
_DECIDE: LiteralString = """
INSERT INTO provider_request (key, provider, kind, subject, legal_entity, currency, amount_minor,
    body, decided_at, decided_by)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (key) DO NOTHING
"""
_BEGIN: LiteralString = "INSERT INTO provider_request_state (key, next_at) VALUES (%s, %s)"
_COLUMNS: LiteralString = """
SELECT request.key, provider, kind, subject, legal_entity, currency, amount_minor, body, decided_at,
    decided_by, state, attempts, asked_at, next_at, object_id, reason, noted
FROM provider_request AS request JOIN provider_request_state USING (key)
"""
_FIND: LiteralString = _COLUMNS + "WHERE key = %s"
_OF_OBJECT: LiteralString = (
    _COLUMNS + "WHERE provider = %s AND object_id = %s ORDER BY decided_at, key"
)
_OF_OBJECTS: LiteralString = (
    _COLUMNS + "WHERE object_id = ANY (%s) AND provider = %s ORDER BY decided_at, key"
)
_OF_SUBJECT: LiteralString = (
    _COLUMNS + "WHERE subject = %s AND kind = ANY (%s) ORDER BY decided_at, key"
)
_OF_SUBJECTS: LiteralString = (
    _COLUMNS + "WHERE subject = ANY (%s) AND kind = %s ORDER BY subject, decided_at, key"
)
_DUE: LiteralString = (
    _COLUMNS
    + """
WHERE state IN ('new', 'asked') AND next_at <= %s AND provider = %s AND kind = ANY (%s)
AND NOT EXISTS (
    SELECT FROM provider_request AS earlier JOIN provider_request_state AS its USING (key)
    WHERE earlier.subject = request.subject AND its.state IN ('new', 'asked')
        AND (earlier.decided_at, earlier.key) < (request.decided_at, request.key))
ORDER BY next_at, key LIMIT %s
"""
)
_MARK: LiteralString = """
UPDATE provider_request_state AS reached
SET state = 'asked', attempts = reached.attempts + 1, next_at = %(next_at)s, reason = '',
    asked_at = coalesce(asked_at, %(now)s)
FROM unnest(%(keys)s::text[], %(attempts)s::integer[]) AS wanted (key, attempts)
WHERE reached.key = wanted.key AND reached.attempts = wanted.attempts
    AND state IN ('new', 'asked')
RETURNING reached.key
"""
_WAKE: LiteralString = """
UPDATE provider_request_state AS reached SET next_at = %(now)s FROM provider_request AS request
WHERE request.key = reached.key AND request.provider = %(provider)s AND reached.state = 'asked'
    AND reached.next_at > %(now)s AND reached.reason = ''
"""
_WAITING: LiteralString = """
SELECT count(*) FROM (
    SELECT FROM provider_request_state
    WHERE state IN ('new', 'asked', 'open') AND next_at <= %s LIMIT %s
) AS due
"""
_NOTE: LiteralString = """
UPDATE provider_request_state SET state = %s, object_id = coalesce(%s, object_id), reason = %s,
    next_at = %s, noted = noted + 1 WHERE key = %s
"""
_LOCK_NOTED: LiteralString = "SELECT noted FROM provider_request_state WHERE key = %s FOR UPDATE"
_NAME_OBJECT: LiteralString = """
UPDATE provider_request_state SET object_id = %s WHERE key = %s AND object_id IS NULL
"""


class RequestKind(StrEnum):
    """What for; the body's fields stand with each."""

    SET_UP = "set_up"
    """Leave to charge a customer: `way`, `method`."""
    COLLECT = "collect"
    """Of an invoice, `subject`: `customer`, `method`, `way`, `attempt`."""
    TOP_UP = "top_up"
    """Of a customer, `subject`, into the prepaid balance: `method`, `way`."""
    HOLD = "hold"
    """Of a visit, `subject`: put aside before it starts."""
    RAISE = "raise"
    """Of a visit: have more put aside; `intent`."""
    CAPTURE = "capture"
    """Of a visit: take the final amount; `intent`, `invoice`."""
    RELEASE = "release"
    """Of a visit, or of what was not taken: let go; `intent`."""
    REFUND = "refund"
    """Of an invoice, `subject`: `intent`, `note` (the credit note)."""
    PAY_BACK = "pay_back"
    """Of a customer's prepaid balance, `subject`: `intent`, a top-up."""


class RequestState(StrEnum):
    """How it goes with a request."""

    NEW = "new"
    ASKED = "asked"
    OPEN = "open"
    DONE = "done"
    FAILED = "failed"
    GIVEN_UP = "given_up"


class ProviderRequest(NamedTuple):
    """A request as decided, and how it goes with it. Amounts in minor units."""

    key: str
    provider: str
    kind: RequestKind
    subject: str
    legal_entity: str
    currency: str
    amount_minor: int
    body: Mapping[str, Any]
    decided_at: datetime
    decided_by: str
    state: RequestState = RequestState.NEW
    attempts: int = 0
    asked_at: datetime | None = None
    next_at: datetime | None = None
    object_id: str | None = None
    reason: str = ""
    noted: int = 0
    """How often something was noted of it: who read it before that has read something older."""

    def is_remembered(self, now: datetime) -> bool:
        """Whether the provider knows for certain that the key was used, where it was."""
        return self.asked_at is None or now - self.asked_at < KEYS_REMEMBERED


class _Row(NamedTuple):
    key: str
    provider: str
    kind: str
    subject: str
    legal_entity: str
    currency: str
    amount_minor: int
    body: bytes
    decided_at: datetime
    decided_by: str
    state: str
    attempts: int
    asked_at: datetime | None
    next_at: datetime
    object_id: str | None
    reason: str
    noted: int

    def request(self) -> ProviderRequest:
        return ProviderRequest(
            **self._asdict()
            | {
                "kind": RequestKind(self.kind),
                "body": msgspec.json.decode(bytes(self.body)),
                "state": RequestState(self.state),
            }
        )


def decide_request(connection: Connection[Any], wanted: ProviderRequest) -> bool:
    """Keep what is to be asked for, within the caller's transaction; say whether it was new."""
    if not connection.execute(_DECIDE, _decided_row(wanted)).rowcount:
        return False
    connection.execute(_BEGIN, (wanted.key, wanted.next_at or wanted.decided_at))
    return True


def _decided_row(wanted: ProviderRequest) -> tuple[object, ...]:
    return (
        *wanted[:2],
        wanted.kind.value,
        *wanted[3:7],
        canonical_json(dict(wanted.body)),
        wanted.decided_at,
        wanted.decided_by,
    )


def decide_requests(connection: Connection[Any], wanted: Sequence[ProviderRequest]) -> None:
    """Keep what is to be asked for, all of it new, within the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.executemany(_DECIDE, [_decided_row(each) for each in wanted])
        cursor.executemany(_BEGIN, [(each.key, each.next_at or each.decided_at) for each in wanted])


def find_request(connection: Connection[Any], key: str) -> ProviderRequest | None:
    """Return the request of that key, None where there is none."""
    found = _requests(connection, _FIND, (key,))
    return found[0] if found else None


def requests_of_object(
    connection: Connection[Any], provider: str, object_id: str
) -> Sequence[ProviderRequest]:
    """Return the requests that were about an object of a provider, in their order."""
    return _requests(connection, _OF_OBJECT, (provider, object_id))


def requests_of_objects(
    connection: Connection[Any], provider: str, object_ids: Sequence[str]
) -> dict[str, list[ProviderRequest]]:
    """Return for each of *object_ids* the requests that were about it, in their order."""
    found: dict[str, list[ProviderRequest]] = {each: [] for each in object_ids}
    for request in _requests(connection, _OF_OBJECTS, (list(object_ids), provider)):
        assert request.object_id is not None
        found[request.object_id].append(request)
    return found


def requests_for(
    connection: Connection[Any], subject: str, *kinds: RequestKind
) -> Sequence[ProviderRequest]:
    """Return the requests for *subject* of these *kinds* (none named: of all), in their order."""
    wanted = [kind.value for kind in kinds or RequestKind]
    return _requests(connection, _OF_SUBJECT, (subject, wanted))


def requests_of_kind(
    connection: Connection[Any], subjects: Sequence[str], kind: RequestKind
) -> dict[str, list[ProviderRequest]]:
    """Return for each of *subjects* its requests of a kind, in their order."""
    found: dict[str, list[ProviderRequest]] = {each: [] for each in subjects}
    for request in _requests(connection, _OF_SUBJECTS, (list(subjects), kind.value)):
        found[request.subject].append(request)
    return found


def due_requests(
    connection: Connection[Any],
    provider: str,
    now: datetime,
    limit: int,
    kinds: Iterable[RequestKind] = RequestKind,
) -> Sequence[ProviderRequest]:
    """Return what of these *kinds* is to be asked by *now*, the longest due first.

    Of a subject only the first: what follows is asked once it is known what came of that.
    """
    return _requests(connection, _DUE, (now, provider, [kind.value for kind in kinds], limit))


def mark_asked(
    connection: Connection[Any],
    requests: Sequence[ProviderRequest],
    *,
    now: datetime,
    next_at: datetime,
) -> list[ProviderRequest]:
    """Commit that *requests* are asked now; whoever finds one after *next_at* asks again.

    Returns:
        Those to be asked, as they stand now: not what somebody else took up meanwhile.
    """
    asked = {
        "keys": [request.key for request in requests],
        "attempts": [request.attempts for request in requests],
        "now": now,
        "next_at": next_at,
    }
    marked = {key for (key,) in connection.execute(_MARK, asked)}
    return [
        request._replace(
            state=RequestState.ASKED,
            attempts=request.attempts + 1,
            reason="",
            asked_at=request.asked_at or now,
            next_at=next_at,
        )
        for request in requests
        if request.key in marked
    ]


def count_waiting(connection: Connection[Any], now: datetime, at_most: int) -> int:
    """Return how many requests wait for their turn, counted up to *at_most*."""
    [(count,)] = connection.execute(_WAITING, (now, at_most)).fetchall()
    return int(count)


def wake_asked(connection: Connection[Any], provider: str, now: datetime) -> None:
    """Have asked again now what is on its way: whoever was at it is gone.

    What was answered, and is tried again later, says why: that keeps its time.
    """
    connection.execute(_WAKE, {"provider": provider, "now": now})


def note_request(
    connection: Connection[Any],
    key: str,
    state: RequestState,
    *,
    next_at: datetime | None = None,
    object_id: str | None = None,
    reason: str = "",
) -> None:
    """Note what came of a request, within the caller's transaction; *next_at* None: NEVER."""
    connection.execute(_NOTE, (state.value, object_id, reason, next_at or NEVER, key))


def lock_noted(connection: Connection[Any], key: str) -> int:
    """Return how often something was noted of a request, of which nobody else notes now."""
    [(noted,)] = connection.execute(_LOCK_NOTED, (key,)).fetchall()
    return int(noted)


def name_object(connection: Connection[Any], key: str, object_id: str) -> None:
    """Keep which object came of a request where nobody knew, and note nothing else of it."""
    connection.execute(_NAME_OBJECT, (object_id, key))


def _requests(
    connection: Connection[Any], query: LiteralString, asked: Sequence[object]
) -> list[ProviderRequest]:
    with connection.cursor(row_factory=class_row(_Row)) as cursor:
        return [row.request() for row in cursor.execute(query, asked)]


def try_again_at(now: datetime, key: str, attempts: int) -> datetime:
    """Return when the try after *attempts* (1 or more) is due.

    It doubles from FIRST_SECONDS to LONGEST_SECONDS, less up to a quarter that hangs on *key*: what
    failed at one moment does not come back at one moment.
    """
    doubled = FIRST_SECONDS * 2 ** min(max(attempts, 1) - 1, _DOUBLINGS_MAX)
    seconds = min(doubled, LONGEST_SECONDS)
    share = crc32(f"{key}/{attempts}".encode()) % _PARTS
    return now + timedelta(seconds=seconds) * (4 * _PARTS - share) / (4 * _PARTS)
