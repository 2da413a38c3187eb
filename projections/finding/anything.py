"""What a person means by a few characters: a document, a session, a station, a customer, a token.

Each kind is looked up by an index, at most `HITS_MAX` of it, and only within what who asks may see.
Names of customers lie sealed, so no index has them: so many are opened and looked through.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.declared.declarations import Declarations, Kind
from ledger.declared.identities import canonical
from ledger.master_data.customers import Customer, PersonDetails
from ledger.persons.holders import token_holder
from ledger.persons.store import find, names_of, read_blobs
from projections.finding.sessions import SessionWish, find_sessions
from projections.finding.stays import Stays
from projections.payments.named_money import find_money

HITS_MAX: Final = 10
NAMES_LOOKED_AT: Final = 2_000
"""Of so many customers the names are looked through, those declared last."""
_LETTERS_MIN: Final = 3
_LAST: Final = "\U0010ffff"
"""Behind whatever begins as something does."""
_HASH: Final = re.compile(r"[0-9a-f]{8,64}")
_OF_ENTITY: LiteralString = "(%(entities)s::text[] IS NULL OR legal_entity = ANY (%(entities)s))"
# What is named whole is asked for by itself: not every database sorts what follows behind it.
_DOCUMENTS: LiteralString = f"""
SELECT number, legal_entity, credits IS NOT NULL FROM issued_invoice
WHERE number = %(first)s AND {_OF_ENTITY}
UNION (
    SELECT number, legal_entity, credits IS NOT NULL FROM issued_invoice
    WHERE number >= %(first)s AND number < %(last)s AND {_OF_ENTITY} ORDER BY number LIMIT %(limit)s
) ORDER BY number LIMIT %(limit)s
"""  # noqa: S608 - our own
_BY_HASH: LiteralString = f"""
SELECT number, legal_entity, credits IS NOT NULL FROM issued_invoice
WHERE sha256 COLLATE "C" >= %(first)s AND sha256 COLLATE "C" < %(last)s AND {_OF_ENTITY}
ORDER BY sha256 COLLATE "C" LIMIT %(limit)s
"""  # noqa: S608 - our own
_SESSIONS: LiteralString = """
SELECT session_id, station_id, coalesce(started_at, first_fact_at) FROM session
WHERE session_id = %(first)s AND state <> 'replaced'
UNION (
    SELECT session_id, station_id, coalesce(started_at, first_fact_at) FROM session
    WHERE session_id >= %(first)s AND session_id < %(last)s AND state <> 'replaced'
    ORDER BY session_id LIMIT %(limit)s
) ORDER BY 1 LIMIT %(limit)s
"""
_CUSTOMERS: LiteralString = """
SELECT subject, name FROM subject
WHERE kind = 'customer' AND (subject = %(first)s OR name = %(first)s)
UNION (
    SELECT subject, name FROM subject
    WHERE kind = 'customer' AND name >= %(first)s AND name < %(last)s
      AND (%(entities)s::text[] IS NULL OR EXISTS (
          SELECT FROM issued_invoice
          WHERE customer = subject AND legal_entity = ANY (%(entities)s)))
    ORDER BY name LIMIT %(limit)s
) ORDER BY name LIMIT %(limit)s
"""
_SEEN_CUSTOMERS: LiteralString = """
SELECT DISTINCT customer FROM issued_invoice
WHERE customer = ANY (%(customers)s) AND legal_entity = ANY (%(entities)s)
"""


class Hit(NamedTuple):
    """Something that is meant: of which kind, its key, what is shown of it, and whether it is all.

    `is_exact`: the characters are its whole name, not its beginning or a part.
    """

    kind: str
    key: str
    text: str
    note: str
    is_exact: bool


class Sight(NamedTuple):
    """What who searches may see. `stays` and `entities` None: all of the books; `stations`: now."""

    declared: Declarations
    now: datetime
    sees_books: bool
    stays: Stays | None
    entities: Sequence[str] | None
    stations: Mapping[str, str]


def find_anything(connection: Connection[Any], text: str, sight: Sight) -> list[Hit]:
    """Return what *text* may mean, what it names whole first."""
    if not text or "\0" in text:
        return []
    found = list(_stations(text, sight))
    if sight.sees_books:
        found += [
            *_documents(connection, text, sight),
            *_sessions(connection, text, sight),
            *_customers(connection, text, sight),
            *_tokens(connection, text, sight),
            *_money(connection, text, sight),
        ]
    if not found and sight.sees_books:
        found = list(_named_customers(connection, text, sight))
    once = {(each.kind, each.key): each for each in sorted(found, key=lambda hit: hit.is_exact)}
    return sorted(once.values(), key=lambda hit: not hit.is_exact)


def _stations(text: str, sight: Sight) -> Iterator[Hit]:
    wanted = canonical(text)
    fitting = (
        Hit("station", key, key, site, canonical(key) == wanted)
        for key, site in sight.stations.items()
        if wanted in canonical(key)
    )
    return iter(sorted(fitting, key=lambda hit: (not hit.is_exact, hit.key))[:HITS_MAX])


def _asked(text: str, sight: Sight) -> dict[str, object]:
    entities = None if sight.entities is None else list(sight.entities)
    return {"first": text, "last": text + _LAST, "entities": entities, "limit": HITS_MAX}


def _money(connection: Connection[Any], text: str, sight: Sight) -> Iterator[Hit]:
    for found in find_money(connection, text, sight.entities, limit=HITS_MAX):
        yield Hit(found.kind, found.key, found.text, found.source, is_exact=True)


def _documents(connection: Connection[Any], text: str, sight: Sight) -> Iterator[Hit]:
    spellings = dict.fromkeys((text, text.upper()))
    rows = [
        row
        for spelt in spellings
        for row in connection.execute(_DOCUMENTS, _asked(spelt, sight)).fetchall()
    ]
    for number, entity, is_note in rows:
        kind = "credit_note" if is_note else "invoice"
        yield Hit(kind, number, number, entity, number in spellings)
    if _HASH.fullmatch(text.casefold()):
        asked = _asked(text.casefold(), sight)
        for number, entity, is_note in connection.execute(_BY_HASH, asked):
            kind = "credit_note" if is_note else "invoice"
            yield Hit(kind, number, number, entity, is_exact=True)


def _sessions(connection: Connection[Any], text: str, sight: Sight) -> Iterator[Hit]:
    if "/" not in text:
        # It is a station's beginning, or nothing: its sessions are listed on their own page.
        return
    for session_id, station, begun_at in connection.execute(_SESSIONS, _asked(text, sight)):
        if sight.stays is None or sight.stays.has(station, begun_at):
            yield Hit("session", session_id, session_id, station, session_id == text)


def _seen_customers(
    connection: Connection[Any], customers: Collection[str], sight: Sight
) -> set[str]:
    """Return who of *customers* ever got a document within sight."""
    if sight.entities is None or not customers:
        return set(customers)
    asked = {"customers": [*customers], "entities": list(sight.entities)}
    return {customer for (customer,) in connection.execute(_SEEN_CUSTOMERS, asked)}


def _customers(connection: Connection[Any], text: str, sight: Sight) -> Iterator[Hit]:
    rows = connection.execute(_CUSTOMERS, _asked(text, sight)).fetchall()
    seen = _seen_customers(connection, [subject for subject, _ in rows], sight)
    for subject, name in rows:
        if subject in seen:
            yield Hit("customer", name, name, subject, text in {name, subject})


def _tokens(connection: Connection[Any], text: str, sight: Sight) -> Iterator[Hit]:
    """Yield what a token leads to; the token itself is shown nowhere."""
    holder = token_holder(text)
    found = None if holder is None else find(connection, [holder]).get((holder.kind, holder.name))
    subject = text if found is None else found.id
    token = sight.declared.token(subject, sight.now)
    payer = (token.customer or "") if token is not None else ""
    is_seen = bool(payer) and bool(_seen_customers(connection, [payer], sight))
    if is_seen:
        name = names_of(connection, [payer]).get(payer, payer)
        yield Hit("token", name, name, subject, is_exact=True)
    wish = SessionWish(subject=subject, stays=sight.stays)
    sessions = find_sessions(connection, wish, limit=HITS_MAX)
    for each in sessions:
        is_all = len(sessions) == 1 and not is_seen
        yield Hit("session", each.session_id, each.session_id, each.station_id, is_all)


def _named_customers(connection: Connection[Any], text: str, sight: Sight) -> Iterator[Hit]:
    wanted = text.casefold()
    if len(wanted) < _LETTERS_MIN:
        return
    declared = {
        row.entity.details: key
        for key in sight.declared.keys(Kind.CUSTOMER)[-NAMES_LOOKED_AT:]
        if (row := sight.declared.in_force(Kind.CUSTOMER, key, sight.now)) is not None
        and isinstance(row.entity, Customer)
    }
    fitting: dict[str, str] = {}
    for reference, content in read_blobs(connection, declared).items():
        name = msgspec.json.decode(content, type=PersonDetails).name
        if wanted in name.casefold():
            fitting[declared[reference]] = name
    seen = _seen_customers(connection, fitting, sight)
    keys = names_of(connection, seen)
    for subject in islice(sorted(seen), HITS_MAX):
        key = keys.get(subject, subject)
        yield Hit("customer", key, fitting[subject], key, fitting[subject].casefold() == wanted)
