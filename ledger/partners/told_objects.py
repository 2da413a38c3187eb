"""The whole object in which a partner last told of a token, opened: for PATCH, GET and asking.

Tests: tests/ledger/partners/test_token_lists.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, LiteralString, NamedTuple

from psycopg import Connection

from ledger.persons.sealing import Subject, unseal

TOLD: LiteralString = """
SELECT subject.spelt, subject.key, last.contract, last.object, last.last_updated
FROM subject LEFT JOIN LATERAL (
    SELECT * FROM partner_token AS one
    WHERE one.subject = subject.subject AND one.party = %s ORDER BY one.number DESC LIMIT 1
) AS last ON true
WHERE subject.subject = %s
"""


class ToldObject(NamedTuple):
    """A token's bearer and what a party told of it; `object` is JSON, None where it told none.

    `spelt` is the uid as it was first written, by whomever. Nobody prints this: see `__repr__`.
    """

    subject: Subject
    spelt: str
    contract_id: str | None
    object: str | None
    last_updated: datetime | None

    def __repr__(self) -> str:
        return f"ToldObject({self.subject.id})"


def told_object(connection: Connection[Any], party: str, subject_id: str) -> ToldObject | None:
    """Return what *party* last told of a token; None if its bearer is erased.

    Raises:
        BrokenSealError: If what is kept was changed.
    """
    row = connection.execute(TOLD, (party, subject_id)).fetchone()
    return None if row is None else opened_object(subject_id, row)


def opened_object(subject_id: str, row: tuple[Any, ...]) -> ToldObject:
    """Return what a row of TOLD says.

    Raises:
        BrokenSealError: If it was changed.
    """
    spelt, key, contract, told, last_updated = row
    subject = Subject(subject_id, key)
    return ToldObject(
        subject,
        spelt,
        None if contract is None else unseal(subject, contract),
        None if told is None else unseal(subject, told),
        last_updated,
    )
