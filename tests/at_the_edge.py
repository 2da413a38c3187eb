"""What the edge does to a frame before the log gets it, for tests that write the log themselves.

A token's subject is its own name here, so that a test reads as what it says; the frame is cut and
sealed by the product's own code. Random subjects are in the tests with a real edge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha512
from typing import Any

import msgspec
import psycopg

from ingest.persons.sealer import cut_out, frame_cuts
from ledger.facts.token_uid import NO_HABITS, TokenHabits
from ledger.log.envelope import Frame
from ledger.master_data.customers import Customer, PersonDetails
from ledger.persons.holders import Holder, HolderKind, customer_holder, token_holder
from ledger.persons.sealing import Subject, opened
from ledger.persons.store import MAKE, keep_blob, read_blobs
from tariffs.model.canonical import canonical_json


class NamedSubjects:
    """Subjects that are called what they stand for."""

    async def of(self, holders: Sequence[Holder]) -> Mapping[Holder, Subject]:
        await asyncio.sleep(0)
        return {holder: named_subject(holder) for holder in holders}


def named_subject(holder: Holder) -> Subject:
    """Return the subject of *holder*: its own name; a station's is marked as such."""
    is_station = holder.kind is HolderKind.STATION
    name = f"station:{holder.name}" if is_station else holder.name
    return Subject(name, named_key(name))


def sealed(frame: Frame, habits: TokenHabits = NO_HABITS) -> Frame:
    """Return *frame* as the edge would log it."""
    cuts = frame_cuts(frame, habits, is_unread=True)
    if cuts is None:
        return frame
    return cut_out(frame, cuts, {each: named_subject(each) for each in cuts.holders()})


def original(frame: Frame) -> Frame:
    """Return a logged *frame* as it came."""
    shut = (*frame.sealed, *frame.reply_sealed)
    return opened(frame, {each.subject: named_key(each.subject) for each in shut})


def keep_named_subjects(connection: psycopg.Connection[Any], *tokens: str) -> None:
    """Give *tokens* their named subjects in a database, as if they had been drawn by chance."""
    for token in tokens:
        holder = token_holder(token)
        assert holder is not None
        _keep(connection, holder)


def keep_customer(connection: psycopg.Connection[Any], customer_id: str, name: str) -> str:
    """Give a customer its named subject; keep who it is, and return the reference to that."""
    subject = _keep(connection, customer_holder(customer_id))
    return keep_blob(connection, subject, canonical_json(PersonDetails(name=name)))


def details_of(connection: psycopg.Connection[Any], customer: Customer) -> PersonDetails:
    """Return who a declared customer is."""
    (content,) = read_blobs(connection, [customer.details]).values()
    return msgspec.json.decode(content, type=PersonDetails)


def _keep(connection: psycopg.Connection[Any], holder: Holder) -> Subject:
    subject = named_subject(holder)
    columns = [str(holder.kind), holder.name, holder.spelt, *subject]
    connection.execute(MAKE, [[column] for column in columns])
    return subject


def named_key(name: str) -> bytes:
    """Return the key of the subject of that name."""
    return sha512(name.encode()).digest()
