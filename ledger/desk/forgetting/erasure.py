"""Erasing a person: the rows that name them go, and everything that was sealed for them stays shut.

Nothing else changes: log, declarations, books and documents know the person by subject ids alone,
so that a replay gives the same bytes before and after.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any, Literal, LiteralString

import msgspec
from psycopg import Connection

from ledger.declared.declarations import Declarations, Kind
from ledger.declared.store import load_declarations
from ledger.errors import LedgerError
from ledger.master_data.customers import Customer, PersonDetails
from ledger.master_data.tokens import Token
from ledger.partners.elsewhere import SESSION_OF_CDR
from ledger.payments.collecting.methods import withdraw_methods
from ledger.persons.holders import (
    customer_holder,
    driver_holder,
    payer_holder,
    station_holder,
    token_holder,
)
from ledger.persons.sealing import Subject
from ledger.persons.store import erase, find, names_of, read_blobs

PersonKind = Literal["token", "customer", "driver", "payer"]

_STATIONS: LiteralString = """
SELECT station_id FROM session WHERE token_uid = ANY (%(tokens)s)
UNION SELECT station_id FROM unknown_token WHERE token_uid = ANY (%(tokens)s) ORDER BY station_id
"""
_TEXTS: LiteralString = "SELECT subject FROM subject WHERE kind IN ('station', 'partner')"
# Theirs at partners' stations are CDRs: there is no session of ours.
_ELSEWHERE: LiteralString = f"""
SELECT {SESSION_OF_CDR} FROM partner_cdr WHERE kind = 'cdr' AND subject = ANY (%(tokens)s)
"""  # noqa: S608 - constants
# Who paid for nobody else by transfer: what a bank said of them is said of the customer.
_PAYERS: LiteralString = """
WITH of_customer AS (
    SELECT DISTINCT coalesce(nullif(about, ''), reference) AS line
    FROM allotment JOIN movement USING (number)
    WHERE party = %(subject)s AND party <> '' AND kind IN ('banked', 'matched')
), paying AS (
    SELECT DISTINCT subject FROM bank_line JOIN of_customer USING (line)
)
SELECT subject FROM paying WHERE NOT EXISTS (
    SELECT FROM bank_line WHERE bank_line.subject = paying.subject
    AND line NOT IN (SELECT line FROM of_customer)
)
"""
_SESSIONS: LiteralString = f"""
SELECT (SELECT count(*) FROM listed_session WHERE token_uid = ANY (%(tokens)s))
    + (SELECT count(*) FROM ({_ELSEWHERE}) AS there)
"""  # noqa: S608 - constants
_INVOICES: LiteralString = f"""
SELECT count(DISTINCT number) FROM issued_invoice LEFT JOIN invoiced_session USING (number)
LEFT JOIN session USING (session_id)
WHERE customer = %(subject)s OR token_uid = ANY (%(tokens)s) OR session_id IN ({_ELSEWHERE})
"""  # noqa: S608 - constants


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody as the tables of persons know them, and what refers to them.

    A payer is who paid by transfer: by account (IBAN), or by name where the bank told none.

    `tokens` are a customer's or driver's by declaration, with their subjects, `drivers` those who
    drove with a customer's tokens and with nobody else's. `stations` are where one of the tokens
    was shown: texts there that no rule understands may name the person too. A driver's tokens are
    the customer's, and stay.
    """

    kind: PersonKind
    name: str
    subject: str
    details: PersonDetails | None
    tokens: dict[str, str]
    drivers: dict[str, str]
    stations: tuple[str, ...]
    sessions: int
    invoices: int


class UnknownPersonError(LedgerError):
    """No token, customer, driver or payer of that name is known; perhaps it was erased."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is no token, customer, driver or payer {name}, or it was erased")


class AmbiguousPersonError(LedgerError):
    """A token, a customer and a driver, or two of them, have the same name."""

    def __init__(self, name: str, kinds: Sequence[str]) -> None:
        self.name = name
        both = " and a ".join(kinds)
        super().__init__(f"{name} is a {both}: say which (--kind {kinds[0]})")


def find_person(connection: Connection[Any], name: str, kind: PersonKind | None = None) -> Person:
    """Return the token, customer, driver or payer *name*.

    Raises:
        UnknownPersonError: If there is none.
        AmbiguousPersonError: If there are several, and *kind* does not say which.
    """
    holders = (token_holder(name), customer_holder(name), driver_holder(name))
    payers = (payer_holder(name, ""), payer_holder("", name))
    found: dict[str, Subject] = {}
    for those in (holders, payers):
        # Whoever pays may be called as a customer's key is: that one is meant.
        known = find(connection, [each for each in those if each is not None])
        found = found or {
            each_kind: subject
            for (each_kind, _), subject in known.items()
            if kind in {None, each_kind}
        }
    if not found:
        raise UnknownPersonError(name)
    if len(found) > 1:
        raise AmbiguousPersonError(name, sorted(map(str, found), reverse=True))
    ((found_kind, subject),) = found.items()
    if found_kind == "customer":
        return _customer(connection, name, subject)
    if found_kind == "payer":
        return _person(connection, "payer", subject, None, set(), name)
    if found_kind == "driver":
        declared = _declared_tokens(load_declarations(connection))
        tokens = {key for key, token in declared if token.driver == subject.id}
        return _person(connection, "driver", subject, None, tokens, name)
    return _person(connection, "token", subject, None, {subject.id})


def erase_person(
    connection: Connection[Any], person: Person, *, is_everywhere: bool = False
) -> None:
    """Delete every row that names *person*: subject, tokens, drivers, details, unread texts.

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
        gone = [person.subject, *person.drivers.values(), *texts]
        if person.kind == "customer":
            asked = {"subject": person.subject}
            gone += [subject for (subject,) in connection.execute(_PAYERS, asked)]
            # Nobody is left who agrees: what is open waits for a person, no balance raises itself.
            withdraw_methods(connection, person.subject, "erased")
        erase(connection, gone if person.kind == "driver" else [*gone, *person.tokens.values()])


def _customer(connection: Connection[Any], name: str, subject: Subject) -> Person:
    known = load_declarations(connection)
    references = [
        row.entity.details
        for row in known.history(Kind.CUSTOMER, subject.id)
        if isinstance(row.entity, Customer)
    ]
    blobs = read_blobs(connection, references)
    details = next((blobs[each] for each in reversed(references) if each in blobs), None)
    declared = _declared_tokens(known)
    tokens = {key for key, token in declared if token.customer == subject.id}
    drivers: dict[bool, set[str]] = {True: set(), False: set()}
    for _, token in declared:
        if token.driver is not None:
            is_theirs = subject.id == token.customer or token.parent in tokens
            drivers[is_theirs].add(token.driver)
    read = None if details is None else msgspec.json.decode(details, type=PersonDetails)
    alone = drivers[True] - drivers[False]
    return _person(connection, "customer", subject, read, tokens, name, alone)


def _declared_tokens(known: Declarations) -> list[tuple[str, Token]]:
    """Return every token with all that was ever declared of it."""
    return [
        (key, row.entity)
        for key in known.keys(Kind.TOKEN)
        for row in known.history(Kind.TOKEN, key)
        if isinstance(row.entity, Token)
    ]


def _person(
    connection: Connection[Any],
    kind: PersonKind,
    subject: Subject,
    details: PersonDetails | None,
    tokens: set[str],
    name: str | None = None,
    drivers: Collection[str] = (),
) -> Person:
    names = names_of(connection, {subject.id, *tokens, *drivers})
    given = {"tokens": sorted(tokens), "subject": subject.id}
    stations = connection.execute(_STATIONS, given).fetchall()
    (sessions,) = connection.execute(_SESSIONS, given).fetchone() or (0,)
    (invoices,) = connection.execute(_INVOICES, given).fetchone() or (0,)
    return Person(
        kind=kind,
        name=name or names[subject.id],
        subject=subject.id,
        details=details,
        tokens=_named(names, tokens),
        drivers=_named(names, drivers),
        stations=tuple(station for (station,) in stations),
        sessions=sessions,
        invoices=invoices,
    )


def _named(names: Mapping[str, str], subjects: Collection[str]) -> dict[str, str]:
    """Return those of *subjects* that have a name, by name."""
    by_name = sorted(names.items(), key=itemgetter(1))
    return {name: each for each, name in by_name if each in subjects}
