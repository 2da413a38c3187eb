"""What a person says a line of a bank statement is for, as it would be booked: nothing is yet.

wish (documents, a balance, an account, back)  -> plan: allotments, and who has to agree
plan -> its digest: who agrees to what was read sends it back, and nothing else is booked
a plan that waits for a second person -> the wish that comes to it again
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.books.journal import JournalEntry
from ledger.books.prepayments import amount_text
from ledger.declared.declarations import Declarations
from ledger.desk.customers.prepaying import customer_subject, minor_of
from ledger.desk.paying.agreed import digest_of
from ledger.errors import LedgerError
from ledger.master_data.policies import is_above
from ledger.payments.awaited import AwaitedPayout
from ledger.payments.bank.lines import BankLine, find_line
from ledger.payments.bank.matched import Match, match_entries, next_turn, undoing
from ledger.payments.bank.matching import PrepaidRest
from ledger.payments.bank.standing import RETURNS, MatchStanding, standing_of
from ledger.payments.movement import CLEARING, Allotment
from ledger.persons.store import names_of
from tariffs.model.canonical import canonical_json
from tariffs.quantities import money_of_minor

_ACCOUNT: Final = re.compile(r"[a-z][a-z_]{0,30}(?::[A-Za-z0-9_.-]{1,40}){0,4}", re.ASCII)
_NOT_BY_HAND: Final = ("cash", "receivable", "prepayments", "payable", "disputes", "expected_tax",
                       "vat", "tax", "input_tax", "rounding")  # fmt: skip
"""What stands there is somebody's: a document, a balance or a return says whose."""
_PROPOSED: LiteralString = """
SELECT body, proposed_by, proposed_at FROM match_proposal WHERE line = %s
"""


class MatchWish(NamedTuple):
    """What a line is for. `documents`: each with its amount in major units, None: what is open.

    The rest of the line goes to the prepaid balance of the customer of that key, or to an
    `account`; or it `is_returned`: is to be sent back. `is_undone` alone: all that it was matched
    with is taken back.
    """

    line: str
    documents: tuple[tuple[str, Decimal | None], ...] = ()
    balance: str | None = None
    account: str | None = None
    is_returned: bool = False
    is_undone: bool = False


class ProposedMatch(NamedTuple):
    """What one person wants booked of a line, until another says the same."""

    match: Match
    proposed_by: str
    proposed_at: datetime


class DocumentThen(NamedTuple):
    """What is open of a document before and after, in minor units; below 0: to be given back."""

    document: str
    open_minor: int
    then_minor: int


class PlannedMatch(NamedTuple):
    """What a wish about a line comes to.

    `takes_two`: nothing is booked before another person says the same. `proposed_by` did so
    already, about the very same; None: nobody.
    """

    line: BankLine
    match: Match
    takes_two: bool
    proposed_by: str | None
    turn: int
    documents: tuple[DocumentThen, ...]

    @property
    def left_minor(self) -> int:
        """How much of the line waits afterwards."""
        return self.line.left_minor - self.match.minor

    @property
    def body(self) -> bytes:
        """Return what would be booked, as a proposal keeps it."""
        return body_of(self.match)

    @property
    def digest(self) -> str:
        """Return what names all that somebody reads of this before it is booked."""
        line, read = self.line, (self.takes_two, self.proposed_by or "", self.turn)
        standing = [list(each) for each in self.documents]
        return digest_of(line.line, line.left_minor, self.body.decode(), *read, standing)

    def entries(self, at: datetime) -> tuple[JournalEntry, ...]:
        """Return what would be posted at a moment."""
        return match_entries(self.line, self.match, self.turn, at=at)


def plan_match(
    connection: Connection[Any], declared: Declarations, wish: MatchWish, at: datetime
) -> PlannedMatch:
    """Return what *wish* comes to by now; who books it is under the books.

    Raises:
        UnknownBankLineError: If there is no such line.
        UnfitMatchError: If nothing of it waits, or it cannot be for that.
        UnknownCustomerError: If nobody has the key `balance`.
    """
    line = _line(connection, wish.line)
    if wish.is_undone:
        if wish != MatchWish(line.line, is_undone=True):
            raise UnfitMatchError(line, "it is taken back, or matched anew: not both at once")
        match = undoing(connection, line)
        if not match.allotments:
            raise UnfitMatchError(line, "it is matched with nothing")
        standing = _standing(connection, line, match)
    elif not line.left_minor:
        raise UnfitMatchError(line, "nothing of it waits: `payments unmatch` takes a match back")
    else:
        numbers = [number for number, _ in wish.documents]
        standing = standing_of(connection, numbers, line.legal_entity)
        match = _planned(connection, declared, line, wish, standing, at)
    # Of a part as of the whole: who takes it part by part is no other person.
    most = max(match.moved_minor, abs(line.left_minor))
    first = proposed_match(connection, line.line)
    is_same = first is not None and body_of(first.match) == body_of(match)
    return PlannedMatch(
        line=line,
        match=match,
        takes_two=is_above(declared.policy(at).payment_approval_above, most, line.currency),
        proposed_by=first.proposed_by if first is not None and is_same else None,
        turn=next_turn(connection, line),
        documents=_then(standing, match),
    )


def proposed_match(connection: Connection[Any], line: str) -> ProposedMatch | None:
    """Return what of a line waits for a second person."""
    row = connection.execute(_PROPOSED, (line,)).fetchone()
    if row is None:
        return None
    allotments, prepaid = msgspec.json.decode(bytes(row[0]))
    match = Match(
        tuple(Allotment(*each) for each in allotments),
        tuple(PrepaidRest(*each) for each in prepaid),
    )
    return ProposedMatch(match, row[1], row[2])


def wish_of(connection: Connection[Any], line_name: str, match: Match) -> MatchWish:
    """Return the wish that comes to *match* again, where it still can be.

    Raises:
        UnknownBankLineError: If there is no such line.
    """
    line = _line(connection, line_name)
    if body_of(undoing(connection, line)) == body_of(match):
        return MatchWish(line.line, is_undone=True)
    keys = names_of(connection, [each.customer for each in match.prepaid])
    balance = [keys.get(each.customer, each.customer) for each in match.prepaid]
    rest = [each for each in match.allotments if not each.document]
    returned = [each for each in match.allotments if each.account == RETURNS]
    is_returned = any(each.document == line.line for each in returned) and line.amount_minor > 0
    return MatchWish(
        line.line,
        tuple(
            (each.document, money_of_minor(abs(each.minor), line.currency).amount)
            for each in match.allotments
            if each.document and not (is_returned and each.document == line.line)
        ),
        balance=balance[0] if balance else None,
        account=rest[0].account if rest and not balance else None,
        is_returned=is_returned,
    )


def body_of(match: Match) -> bytes:
    """Return a match as a proposal keeps it: canonical JSON."""
    return canonical_json([list(map(list, each)) for each in match])


def _line(connection: Connection[Any], name: str) -> BankLine:
    line = find_line(connection, name)
    if line is None:
        raise UnknownBankLineError(name)
    return line


def _standing(connection: Connection[Any], line: BankLine, match: Match) -> MatchStanding:
    named = [each.document for each in match.allotments if each.document]
    return standing_of(connection, named, line.legal_entity)


def _then(standing: MatchStanding, match: Match) -> tuple[DocumentThen, ...]:
    found = []
    for each in match.allotments:
        document = standing.owed.get(each.document)
        if document is not None and document.account == each.account:
            before = document.open_minor
            found.append(DocumentThen(each.document, before, before - each.minor))
    return tuple(found)


def _planned(
    connection: Connection[Any],
    declared: Declarations,
    line: BankLine,
    wish: MatchWish,
    standing: MatchStanding,
    at: datetime,
) -> Match:
    numbers = [number for number, _ in wish.documents]
    if len(set(numbers)) < len(numbers):
        raise UnfitMatchError(line, "a document is named twice")
    allotments, rest = list[Allotment](), line.left_minor
    for number, amount in wish.documents:
        minor = None if amount is None else minor_of(amount, line.currency)
        allotments.append(_for_document(line, standing, number, minor, rest))
        rest -= allotments[-1].minor
    prepaid = list[PrepaidRest]()
    if [wish.balance, wish.account, wish.is_returned or None].count(None) < 2:  # noqa: PLR2004
        raise UnfitMatchError(line, "the rest goes to a balance or an account, or back, not to two")
    if wish.balance is not None:
        prepaid.append(PrepaidRest(customer_subject(connection, declared, wish.balance, at), rest))
        allotments.append(Allotment(CLEARING, rest))
    elif wish.account is not None:
        allotments.append(Allotment(_account(line, wish.account), rest))
    elif wish.is_returned:
        if line.amount_minor < 0:
            raise UnfitMatchError(line, "what went is not returned")
        allotments.append(Allotment(RETURNS, rest, line.subject, line.line))
    if not allotments:
        raise UnfitMatchError(line, "say what it is for: documents, --balance or --account")
    if any(not each.minor for each in allotments):
        raise UnfitMatchError(line, "nothing of it is left for the rest")
    return Match(tuple(allotments), tuple(prepaid))


def _for_document(
    line: BankLine, standing: MatchStanding, number: str, minor: int | None, rest: int
) -> Allotment:
    """Return what of *rest* is for a document; *minor* without a sign, None: as much as can be."""
    if awaited := _payout(standing, line.currency, number):
        allotted = Allotment(CLEARING, 0, "", number)
        most = awaited.under_way_minor
    else:
        found, unknown = standing.documents_of([number])
        whose = {(each.legal_entity, each.currency) for each in found}
        if unknown or whose != {(line.legal_entity, line.currency)}:
            # Whether another legal entity has such a one is none of everybody's business.
            why = f"there is no document {number} of {line.legal_entity} in {line.currency}"
            raise UnfitMatchError(line, why)
        document = found[0]
        allotted = Allotment(document.account, 0, document.party, document.document)
        most = document.open_minor
        if rest < 0:  # what went may be what came for it before, and is open again then
            most = min(most, 0) - sum(document.paid_by_bank)
    fits = abs(most) if (most > 0) == (rest > 0) else 0
    wanted = min(fits, abs(rest)) if minor is None else minor
    if not 0 < wanted <= min(fits, abs(rest)):
        most_text = amount_text(min(fits, abs(rest)), line.currency)
        raise UnfitMatchError(line, f"at most {most_text} of it is for {number}")
    return allotted._replace(minor=wanted if rest > 0 else -wanted)


def _payout(standing: MatchStanding, currency: str, payout_id: str) -> AwaitedPayout | None:
    awaited = (each for found in standing.payouts.values() for each in found)
    fits = (each for each in awaited if (each.currency, each.payout_id) == (currency, payout_id))
    return next(fits, None)


def _account(line: BankLine, account: str) -> str:
    # Money that a person had recorded before the statement came is on its way there.
    if account == CLEARING:
        return account
    if not _ACCOUNT.fullmatch(account) or account.partition(":")[0] in _NOT_BY_HAND:
        why = (
            f"{account!r} is no account for that: one of costs or income, as fees:bank, or "
            f"{CLEARING} for what was recorded as paid before; what is somebody's is said by a "
            "document, --balance or `payments return`"
        )
        raise UnfitMatchError(line, why)
    return account


def parse_documents(texts: Sequence[str]) -> tuple[tuple[str, Decimal | None], ...]:
    """Return documents with amounts, as people write them: "WL-2026-000001:12.50"."""
    found = []
    for text in texts:
        number, colon, amount = text.partition(":")
        if not number or (colon and not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,6})?", amount)):
            raise UnfitDocumentError(text)
        found.append((number, Decimal(amount) if colon else None))
    return tuple(found)


class UnknownBankLineError(LedgerError):
    """No line of a statement has that name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no line {name[:60]!r}: `wattledger payments unmatched` has them"
        )
        self.name = name


class UnfitMatchError(LedgerError):
    """A line cannot be for that."""

    def __init__(self, line: BankLine, why: str) -> None:
        super().__init__(f"line {line.line}: {why}")
        self.line = line.line


class UnfitDocumentError(LedgerError):
    """What should be a document, perhaps with an amount, is neither."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:60]!r}: expected a document's number, or NUMBER:AMOUNT as :12.50")
