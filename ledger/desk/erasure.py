"""Erasing a person: the rows that name them go, and everything that was sealed for them stays shut.

Nothing else changes: log, declarations, books and documents know the person by subject ids alone,
so that a replay gives the same bytes before and after.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Any, Literal, LiteralString

import msgspec
from psycopg import Connection

from ledger.declared.declarations import Kind
from ledger.declared.store import load_declarations
from ledger.errors import LedgerError
from ledger.master_data.customers import Customer, PersonDetails
from ledger.master_data.tokens import Token
from ledger.persons.holders import customer_holder, station_holder, token_holder
from ledger.persons.sealing import Subject
from ledger.persons.store import erase, find, names_of, read_blobs

PersonKind = Literal["token", "customer"]

_STATIONS: LiteralString = """
SELECT station_id FROM session WHERE token_uid = ANY (%(tokens)s)
UNION SELECT station_id FROM unknown_token WHERE token_uid = ANY (%(tokens)s) ORDER BY station_id
"""
_TEXTS: LiteralString = "SELECT subject FROM subject WHERE kind IN ('station', 'partner')"
_SESSIONS: LiteralString = "SELECT count(*) FROM listed_session WHERE token_uid = ANY (%s)"
_INVOICES: LiteralString = """
SELECT count(DISTINCT number) FROM issued_invoice LEFT JOIN invoiced_session USING (number)
LEFT JOIN session USING (session_id)
WHERE customer = %(subject)s OR token_uid = ANY (%(tokens)s)
"""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody as the tables of persons know them, and what refers to them.

    `tokens` are a customer's by declaration, with their subjects. `stations` are where one of them
    was shown: texts there that no rule understands may name the person too.
    """

    kind: PersonKind
    name: str
    subject: str
    details: PersonDetails | None
    tokens: dict[str, str]
    stations: tuple[str, ...]
    sessions: int
    invoices: int


class UnknownPersonError(LedgerError):
    """No token and no customer of that name is known; perhaps it was erased."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is no token and no customer {name}, or it was erased")


class AmbiguousPersonError(LedgerError):
    """A token and a customer have the same name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"{name} is a token and a customer: say which (--kind token)")


def find_person(connection: Connection[Any], name: str, kind: PersonKind | None = None) -> Person:
    """Return the token or customer *name*.

    Raises:
        UnknownPersonError: If there is none.
        AmbiguousPersonError: If there are both, and *kind* does not say which.
    """
    holders = {"token": token_holder(name), "customer": customer_holder(name)}
    wanted = [each for each in holders.values() if each is not None]
    found = {
        each_kind: subject
        for (each_kind, _), subject in find(connection, wanted).items()
        if kind in {None, each_kind}
    }
    if not found:
        raise UnknownPersonError(name)
    if len(found) > 1:
        raise AmbiguousPersonError(name)
    ((found_kind, subject),) = found.items()
    if found_kind == "customer":
        return _customer(connection, name, subject)
    return _person(connection, "token", subject, None, {subject.id})


def erase_person(
    connection: Connection[Any], person: Person, *, is_everywhere: bool = False
) -> None:
    """Delete every row that names *person*: subject, tokens, details, texts nobody understands.

    A running server may still use what it remembers for half a minute.

    Args:
        connection: To the tables of persons.
        person: From `find_person`.
        is_everywhere: Take the texts of every station and partner along, not only of the stations
            where the person charged.
    """
    with connection.transaction():
        if is_everywhere:
            texts = {subject for (subject,) in connection.execute(_TEXTS)}
        else:
            stations = [station_holder(station) for station in person.stations]
            texts = {subject.id for subject in find(connection, stations).values()}
        erase(connection, [person.subject, *person.tokens.values(), *texts])


def _customer(connection: Connection[Any], name: str, subject: Subject) -> Person:
    known = load_declarations(connection)
    references = [
        row.entity.details
        for row in known.history(Kind.CUSTOMER, subject.id)
        if isinstance(row.entity, Customer)
    ]
    blobs = read_blobs(connection, references)
    details = next((blobs[each] for each in reversed(references) if each in blobs), None)
    tokens = {
        key
        for key in known.keys(Kind.TOKEN)
        for row in known.history(Kind.TOKEN, key)
        if isinstance(row.entity, Token) and row.entity.customer == subject.id
    }
    read = None if details is None else msgspec.json.decode(details, type=PersonDetails)
    return _person(connection, "customer", subject, read, tokens, name)


def _person(
    connection: Connection[Any],
    kind: PersonKind,
    subject: Subject,
    details: PersonDetails | None,
    tokens: set[str],
    name: str | None = None,
) -> Person:
    names = names_of(connection, {subject.id, *tokens})
    given = {"tokens": sorted(tokens), "subject": subject.id}
    stations = connection.execute(_STATIONS, given).fetchall()
    (sessions,) = connection.execute(_SESSIONS, (sorted(tokens),)).fetchone() or (0,)
    (invoices,) = connection.execute(_INVOICES, given).fetchone() or (0,)
    return Person(
        kind=kind,
        name=name or names[subject.id],
        subject=subject.id,
        details=details,
        tokens={
            name: each for each, name in sorted(names.items(), key=itemgetter(1)) if each in tokens
        },
        stations=tuple(station for (station,) in stations),
        sessions=sessions,
        invoices=invoices,
    )
