"""Subject ids in place of what tells who somebody is, before anything is declared.

A file names tokens and customers, with their addresses; a declaration stays for ever and names
subjects, and blobs that go with them. A dry run makes none: who has no subject yet keeps the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace
from psycopg import Connection

from ledger.declared.changes import Change
from ledger.declared.declarations import Kind
from ledger.master_data.assignments import Assignment
from ledger.master_data.customers import Customer, PersonDetails
from ledger.master_data.tokens import Token
from ledger.persons.holders import (
    Holder,
    HolderKind,
    customer_holder,
    driver_holder,
    token_holder,
)
from ledger.persons.sealing import Subject, blob_reference
from ledger.persons.store import Key, find, find_or_make, keep_blobs
from tariffs.model.canonical import canonical_json

_NO_DETAILS: Final[Mapping[str, PersonDetails]] = {}


class Exchanged(NamedTuple):
    """Changes that name subjects and blobs, and the name behind each for people's eyes."""

    changes: tuple[Change, ...]
    names: dict[str, str]


def exchange_persons(
    connection: Connection[Any],
    changes: Sequence[Change],
    *,
    spelt: Mapping[str, str] | None = None,
    details: Mapping[str, PersonDetails] = _NO_DETAILS,
    is_dry: bool = False,
) -> Exchanged:
    """Return *changes* with a subject id for each token, customer and driver, new ones at once.

    Args:
        connection: To the tables of persons.
        changes: With tokens and customers as their files name them.
        spelt: How the files write the tokens that they declare, and so stations are told them.
        details: Names and addresses, by customer.
        is_dry: Only look, and make nothing.
    """
    spelling = spelt or {}
    declared = _unique(
        token_holder(spelling.get(each.key, each.key))
        for each in changes
        if each.kind is Kind.TOKEN
    )
    named = _unique(holder for each in changes for holder in _named_in(each))
    if is_dry:
        subjects = find(connection, [*declared, *named])
    else:
        subjects = find_or_make(connection, declared, is_declared=True)
        subjects |= find_or_make(connection, named)
    exchange = _Exchange(subjects, details)
    done = tuple(map(exchange.change, changes))
    if not is_dry:
        keep_blobs(connection, exchange.details)
    return Exchanged(done, exchange.names)


def exchange_assignments(
    connection: Connection[Any], assignments: Sequence[Assignment], *, is_dry: bool = False
) -> tuple[Assignment, ...]:
    """Return *assignments* with a subject id for each token."""
    changes = [Change(kind=Kind.ASSIGNMENT, key=each.key(), entity=each) for each in assignments]
    done = exchange_persons(connection, changes, is_dry=is_dry).changes
    return tuple(each.entity for each in done if isinstance(each.entity, Assignment))


class _Exchange:
    """Subjects at hand, and what they are put in place of; `details` are to be kept for them."""

    def __init__(self, subjects: Mapping[Key, Subject], told: Mapping[str, PersonDetails]) -> None:
        self._subjects, self._told = subjects, told
        self.names = {subject.id: name for (_, name), subject in subjects.items()}
        self.details: list[tuple[Subject, bytes]] = []

    def change(self, change: Change) -> Change:
        """Return *change* with the ids of those whom it names."""
        match change.entity:
            case Assignment() as assignment:
                assigned = replace(assignment, token=self._token(assignment.token))
                return replace(change, key=assigned.key(), entity=assigned)
            case Token() as token:
                entity = replace(
                    token,
                    parent=self._token(token.parent),
                    customer=self._customer(token.customer),
                    driver=self._driver(token.driver),
                )
                return replace(change, key=self._token(change.key), entity=entity)
            case Customer() as buyer:
                known = replace(buyer, details=self._blob(change.key))
                return replace(change, key=self._customer(change.key), entity=known)
            case None if change.kind is Kind.TOKEN:
                return replace(change, key=self._token(change.key))
            case None if change.kind is Kind.CUSTOMER:
                return replace(change, key=self._customer(change.key))
            case _:
                return change

    def _token(self, token: str | None) -> str | None:
        return self._id(token_holder(token), token)

    def _customer(self, customer: str | None) -> str | None:
        return self._id(None if customer is None else customer_holder(customer), customer)

    def _driver(self, driver: str | None) -> str | None:
        return self._id(None if driver is None else driver_holder(driver), driver)

    def _id(self, holder: Holder | None, otherwise: str | None) -> str | None:
        if holder is None:
            return otherwise
        subject = self._subjects.get((holder.kind, holder.name))
        return holder.name if subject is None else subject.id

    def _blob(self, customer: str) -> str:
        """Return the reference of a customer's details; of one without a subject, its name."""
        details = self._told[customer]
        content = canonical_json(details)
        holder = customer_holder(customer)
        subject = self._subjects.get((holder.kind, holder.name))
        if subject is None:
            return details.name
        self.details.append((subject, content))
        reference = blob_reference(subject, content)
        self.names[reference] = details.name
        return reference


def _named_in(change: Change) -> Iterator[Holder | None]:
    match change.entity:
        case Assignment() as assignment:
            yield token_holder(assignment.token)
        case Token() as token:
            yield token_holder(token.parent)
            yield None if token.customer is None else customer_holder(token.customer)
            yield None if token.driver is None else driver_holder(token.driver)
        case _:
            pass
    if change.kind is Kind.CUSTOMER:
        yield customer_holder(change.key)


def _unique(holders: Iterable[Holder | None]) -> list[Holder]:
    found: dict[tuple[HolderKind, str], Holder] = {}
    for each in holders:
        if each is not None:
            found.setdefault((each.kind, each.name), each)
    return list(found.values())
