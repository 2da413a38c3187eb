"""The deletable table of subjects: found or made, looked up by id, erased.

The statements are shared with the edge, which asks them over a connection of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, LiteralString

import msgspec
from psycopg import Connection

from ledger.errors import LedgerError
from ledger.log.envelope import Frame, PartnerMessage
from ledger.persons.holders import Holder
from ledger.persons.sealing import (
    Subject,
    blob_reference,
    new_subject,
    opened,
    opened_message,
    seal,
    unseal,
)

Key = tuple[str, str]
"""Kind and name of a holder."""

KNOWN: LiteralString = """
SELECT kind, name, subject, key FROM subject
JOIN unnest(%b::text[], %b::text[]) AS asked (kind, name) USING (kind, name)
"""
MAKE: LiteralString = """
INSERT INTO subject (kind, name, spelt, subject, key)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::bytea[])
ON CONFLICT (kind, name) DO NOTHING
"""
SPELT: LiteralString = "SELECT spelt FROM subject WHERE subject = %s"
_SPELL: LiteralString = """
UPDATE subject SET spelt = asked.spelt
FROM unnest(%s::text[], %s::text[], %s::text[]) AS asked (kind, name, spelt)
WHERE (subject.kind, subject.name) = (asked.kind, asked.name) AND subject.spelt <> asked.spelt
"""
_SPELT: LiteralString = "SELECT subject, spelt FROM subject WHERE subject = ANY (%s)"
_NAMES: LiteralString = "SELECT subject, name FROM subject WHERE subject = ANY (%s)"
# A secret is opened for the station that it is sent to, and never shown.
KEYS: LiteralString = """
SELECT subject, key FROM subject WHERE subject = ANY (%s) AND kind <> 'secret'
"""
KEYS_TO_SEND: LiteralString = "SELECT subject, key FROM subject WHERE subject = ANY (%s)"
_ERASE: LiteralString = "DELETE FROM subject WHERE subject = ANY (%s) RETURNING subject"
_KEEP_BLOBS: LiteralString = """
INSERT INTO blob (blob, subject, sealed)
SELECT * FROM unnest(%s::text[], %s::text[], %s::text[]) ON CONFLICT (blob) DO NOTHING
"""
_BLOBS_AT_ONCE: Final = 10_000
_BLOB: LiteralString = """
SELECT blob, subject, key, sealed FROM blob JOIN subject USING (subject) WHERE blob = ANY (%s)
"""
_ID: Final = re.compile(r"[pb]-[0-9a-f]{32}")


class ContendedSubjectError(LedgerError):
    """Somebody erases a subject as fast as it is made."""

    def __init__(self) -> None:
        super().__init__("a subject went while it was looked up: try again")


def asked(holders: Iterable[Holder]) -> list[list[str]]:
    """Return *holders* as the parameters of `KNOWN`."""
    given = list(holders)
    return [[str(each.kind) for each in given], [each.name for each in given]]


def fresh(holders: Iterable[Holder]) -> list[list[Any]]:
    """Return *holders* with new subjects as the parameters of `MAKE`, in one order everywhere.

    Two servers that make the same ones then wait for each other, and do not lock each other out.
    """
    rows = [
        (str(each.kind), each.name, each.spelt, *new_subject())
        for each in sorted({(each.kind, each.name): each for each in holders}.values())
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def find(connection: Connection[Any], holders: Sequence[Holder]) -> dict[Key, Subject]:
    """Return the subjects of those *holders* that have one."""
    rows = connection.execute(KNOWN, asked(holders))
    return {(kind, name): Subject(subject, key) for kind, name, subject, key in rows}


def find_or_make(
    connection: Connection[Any], holders: Sequence[Holder], *, is_declared: bool = False
) -> dict[Key, Subject]:
    """Return the subject of every one of *holders*; durable, unless within a transaction.

    Args:
        connection: To the tables of persons.
        holders: Whose.
        is_declared: What is declared is spelt as declared, however a station wrote it first.
    """
    known = find(connection, holders)
    missing = [each for each in holders if (each.kind, each.name) not in known]
    if missing:
        connection.execute(MAKE, fresh(missing))
        known |= find(connection, missing)
        if any((each.kind, each.name) not in known for each in missing):
            raise ContendedSubjectError
    if is_declared and holders:
        connection.execute(_SPELL, [*asked(holders), [each.spelt for each in holders]])
    return known


def names_of(connection: Connection[Any], subjects: Iterable[str]) -> dict[str, str]:
    """Return the name behind each of *subjects* that was not erased."""
    return dict(connection.execute(_NAMES, (sorted(set(subjects)),)).fetchall())


def spelt_names(connection: Connection[Any], subjects: Iterable[str]) -> dict[str, str]:
    """Return how each of *subjects* that was not erased was first written, or declared."""
    return dict(connection.execute(_SPELT, (sorted(set(subjects)),)).fetchall())


def keys_of(connection: Connection[Any], subjects: Iterable[str]) -> dict[str, bytes]:
    """Return the key of each of *subjects* that was not erased."""
    return dict(connection.execute(KEYS, (sorted(set(subjects)),)).fetchall())


def readable(
    text: str, names: Mapping[str, str], written: Callable[[str], str] = lambda name: name
) -> str:
    """Return *text* with every subject id in it that has a name replaced by that, as *written*."""
    return _ID.sub(lambda found: written(names.get(found[0], found[0])), text)


def names_in(connection: Connection[Any], content: object) -> dict[str, str]:
    """Return the name behind each subject id that stands anywhere in *content*."""
    return names_of(connection, _ID.findall(msgspec.json.encode(content).decode()))


def spelt_in(connection: Connection[Any], content: object) -> dict[str, str]:
    """Return how each subject id that stands anywhere in *content* was first written."""
    return spelt_names(connection, _ID.findall(msgspec.json.encode(content).decode()))


def opened_frames(connection: Connection[Any], frames: Sequence[Frame]) -> list[Frame]:
    """Return *frames* as they came, as far as their keys exist.

    Raises:
        BrokenSealError: If one does not come back as it was.
    """
    keys = _keys_for(connection, frames)
    return [opened(frame, keys) for frame in frames]


def opened_messages(
    connection: Connection[Any], messages: Sequence[PartnerMessage]
) -> list[PartnerMessage]:
    """Return *messages* of partners as they came, as far as their keys exist.

    Raises:
        BrokenSealError: If one does not come back as it was.
    """
    keys = _keys_for(connection, messages)
    return [opened_message(message, keys) for message in messages]


def _keys_for(
    connection: Connection[Any], lines: Sequence[Frame | PartnerMessage]
) -> dict[str, bytes]:
    sealed = {part.subject for line in lines for part in (*line.sealed, *line.reply_sealed)}
    return keys_of(connection, sealed) if sealed else {}


def erase(connection: Connection[Any], subjects: Iterable[str]) -> int:
    """Delete the rows of *subjects*, and their blobs with them; return how many there were."""
    return connection.execute(_ERASE, (sorted(set(subjects)),)).rowcount


def keep_blob(connection: Connection[Any], subject: Subject, content: bytes) -> str:
    """Keep *content* sealed for *subject*; return the reference to it."""
    return keep_blobs(connection, [(subject, content)])[0]


def keep_blobs(connection: Connection[Any], contents: Sequence[tuple[Subject, bytes]]) -> list[str]:
    """Keep what is each subject's, sealed for it; return the references, in order.

    Thousands with one statement, and so with one commit where nobody began a transaction.
    """
    references = [blob_reference(subject, content) for subject, content in contents]
    # In one order everywhere: two who keep the same ones then wait for each other.
    rows = sorted(zip(references, contents, strict=True), key=itemgetter(0))
    for begin in range(0, len(rows), _BLOBS_AT_ONCE):
        some = rows[begin : begin + _BLOBS_AT_ONCE]
        columns = [
            [reference for reference, _ in some],
            [subject.id for _, (subject, _) in some],
            [seal(subject, content.decode()) for _, (subject, content) in some],
        ]
        connection.execute(_KEEP_BLOBS, columns)
    return references


def read_blobs(connection: Connection[Any], references: Iterable[str]) -> dict[str, bytes]:
    """Return the content of those blobs that were not erased."""
    wanted = sorted(set(references))
    rows = connection.execute(_BLOB, (wanted,))
    return {
        reference: unseal(Subject(subject, key), sealed).encode()
        for reference, subject, key, sealed in rows
    }
