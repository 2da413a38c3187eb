"""Every CDR made again from its decision and the master data of then, and compared byte for byte.

What is found is somebody's hand in the database, or a change of ours that would say a frozen CDR
otherwise: either is told before a partner tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from msgspec.structs import replace
from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.rating.decisions import SessionRated, SessionRevision
from roaming_ocpi.cdrs.drafting import CdrDrafter, RefusedDraft
from roaming_ocpi.cdrs.made import CdrKind, MadeCdr, decode_body, freeze
from roaming_ocpi.cdrs.maker import ratings_of
from roaming_ocpi.cdrs.store import cdr_named, count_cdrs, every_cdr

Told = Callable[[int, int], None]
_KEPT_MAX: Final = 16


class CdrProblem(NamedTuple):
    """A CDR that is not what it was made as, and what is wrong with it."""

    party: str
    number: int
    cdr_id: str
    problem: str


class CdrCheck(NamedTuple):
    """How many CDRs were looked at, and what was found."""

    checked: int
    problems: Sequence[CdrProblem]


def check_cdrs(
    connection: Connection[Any], *, party: str | None = None, told: Told = lambda _done, _all: None
) -> CdrCheck:
    """Make every CDR again, or one party's; *told* hears how many of how many are done."""
    total, done = count_cdrs(connection, party), 0
    problems: list[CdrProblem] = []
    again = _Again(connection)
    expected: dict[str, int] = {}
    for page in every_cdr(connection, party=party):
        ratings = {
            SessionRevision(each.session_id, each.revision): each
            for each in ratings_of(connection, [SessionRevision(*_key(made)) for made in page])
        }
        for made in page:
            number = expected.get(made.party, 0) + 1
            expected[made.party] = made.number
            found = list(again.problems(made, ratings.get(SessionRevision(*_key(made)))))
            if made.number != number:
                found.insert(0, f"number {number} is missing before it")
            problems += [CdrProblem(made.party, made.number, made.cdr_id, each) for each in found]
        done += len(page)
        told(done, total)
    return CdrCheck(done, problems)


def _key(made: MadeCdr) -> tuple[str, int]:
    return made.session_id, made.revision


class _Again:
    """Makes CDRs again, by the master data that each was made by."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._newest = load_declarations(connection)
        self._versions: dict[int, Declarations] = {}
        self._drafter = CdrDrafter()

    def problems(self, made: MadeCdr, rated: SessionRated | None) -> Iterator[str]:
        """Yield what is wrong with a CDR."""
        if sha256(made.body).digest() != made.sha256:
            yield "its bytes are not those that it was made with"
            return
        if rated is None:
            yield "the decision that it is of is gone"
            return
        if made.kind is CdrKind.CREDIT:
            yield from self._of_credit(made)
            return
        body = decode_body(made.body)
        drafted = self._drafter.draft(self._declared(body.declared_version), rated)
        if isinstance(drafted, RefusedDraft):
            yield f"it could not be made any more: {drafted.reason}"
            return
        again = freeze(replace(drafted.made.body, replaces=body.replaces))
        if again.body != made.body:
            yield "made again it says something else"
        owed = drafted.made.owed
        columns = (made.party, made.net_minor, made.tax_minor, made.energy_wh, made.currency)
        if columns != (drafted.party, *owed, rated.energy_wh, rated.currency):
            yield "its row says another party or amount than its decision"

    def _of_credit(self, made: MadeCdr) -> Iterator[str]:
        original = cdr_named(self._connection, made.credits or "")
        if original is None or original.kind is not CdrKind.CDR:
            yield f"there is no CDR {made.credits!r} that it could take back"
            return
        if (original.body, original.party) != (made.body, made.party):
            yield "it is no copy of the CDR that it takes back"
        amounts = (made.net_minor, made.tax_minor, made.energy_wh)
        if amounts != (-original.net_minor, -original.tax_minor, -original.energy_wh):
            yield "it takes back another amount"

    def _declared(self, version: int) -> Declarations:
        if version == self._newest.version:
            return self._newest
        found = self._versions.get(version)
        if found is None:
            if len(self._versions) >= _KEPT_MAX:
                self._versions.clear()
            found = self._versions[version] = self._newest.at_version(version)
        return found
