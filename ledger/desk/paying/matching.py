"""What a person decides about lines of bank statements; above an amount two persons do.

    matched with documents, a balance, an account    out of cash:unmatched, into those
    to be returned                                   owed to the payer until a statement shows it
    undone                                           back into cash:unmatched, and on the work list
    above the policy's `payment_approval_above`      proposed; another person says the same

The rest of a line stays on the work list. What a document is paid is at most what is open of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.books.prepayments import amount_text
from ledger.declared.declarations import Declarations
from ledger.declared.store import load_declarations
from ledger.desk.customers.prepaying import customer_subject, minor_of
from ledger.errors import LedgerError
from ledger.four_eyes import is_same_person
from ledger.payments.awaited import AwaitedPayout
from ledger.payments.bank.lines import BankLine, find_line
from ledger.payments.bank.matched import Match, record_match, undoing
from ledger.payments.bank.matching import PrepaidRest, WaitReason
from ledger.payments.bank.standing import RETURNS, MatchStanding, standing_of
from ledger.payments.movement import CLEARING, Allotment
from ledger.payments.recording import under_the_books
from tariffs.currencies import currency_exponent
from tariffs.model.canonical import canonical_json
from tariffs.zones import zone

_ACCOUNT: Final = re.compile(r"[a-z][a-z_]{0,30}(?::[A-Za-z0-9_.-]{1,40}){0,4}", re.ASCII)
_NOT_BY_HAND: Final = ("cash", "receivable", "prepayments", "payable", "disputes", "expected_tax",
                       "vat", "tax", "input_tax", "rounding")  # fmt: skip
"""What stands there is somebody's: a document, a balance or a return says whose."""
_PROPOSED: LiteralString = """
SELECT body, proposed_by FROM match_proposal WHERE line = %s FOR UPDATE
"""
_PROPOSE: LiteralString = """
INSERT INTO match_proposal (line, body, proposed_by, proposed_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (line) DO UPDATE SET body = excluded.body, proposed_by = excluded.proposed_by,
    proposed_at = excluded.proposed_at
"""
_SETTLE: LiteralString = "DELETE FROM match_proposal WHERE line = %s"


class MatchWish(NamedTuple):
    """What a line is for. `documents`: each with its amount in major units, None: what is open.

    The rest of the line goes to the prepaid balance of the customer of that key, or to an
    `account`; or it `is_returned`: is to be sent back.
    """

    line: str
    documents: tuple[tuple[str, Decimal | None], ...] = ()
    balance: str | None = None
    account: str | None = None
    is_returned: bool = False


class DecidedMatch(NamedTuple):
    """What was decided of a line, in minor units; `waits`: another person is to say the same."""

    line: str
    currency: str
    match: Match
    left_minor: int
    waits: bool


def match_line(
    connection: Connection[Any], wish: MatchWish, *, by: str, at: datetime
) -> DecidedMatch:
    """Book what *wish* says of a line, or propose it.

    Raises:
        UnknownBankLineError: If there is no such line.
        UnfitMatchError: If nothing of it waits, or it cannot be for that.
        SecondMatcherError: If who proposed it says so again.
        UnknownCustomerError: If nobody has the key `balance`.
        BalanceTooSmallError: If a balance has not what is to be taken from it.
    """
    declared = load_declarations(connection)
    with under_the_books(connection):
        line = _line(connection, wish.line)
        if not line.left_minor:
            raise UnfitMatchError(
                line, "nothing of it waits: `payments unmatch` takes a match back"
            )
        wanted = _planned(connection, declared, line, wish, at)
        return _decide(connection, declared, line, wanted, WaitReason.PART_LEFT, by=by, at=at)


def undo_match(
    connection: Connection[Any], line_name: str, *, by: str, at: datetime
) -> DecidedMatch:
    """Take back all that a line was matched with, or propose to; it is on the work list then.

    Raises:
        UnknownBankLineError: If there is no such line.
        UnfitMatchError: If it is matched with nothing.
        SecondMatcherError: If who proposed it says so again.
        BalanceTooSmallError: If a balance was used meanwhile that it had gone to.
    """
    declared = load_declarations(connection)
    with under_the_books(connection):
        line = _line(connection, line_name)
        wanted = undoing(connection, line)
        if not wanted.allotments:
            raise UnfitMatchError(line, "it is matched with nothing")
        return _decide(connection, declared, line, wanted, WaitReason.UNDONE, by=by, at=at)


def _line(connection: Connection[Any], name: str) -> BankLine:
    line = find_line(connection, name)
    if line is None:
        raise UnknownBankLineError(name)
    return line


def _decide(
    connection: Connection[Any],
    declared: Declarations,
    line: BankLine,
    wanted: Match,
    reason: WaitReason,
    *,
    by: str,
    at: datetime,
) -> DecidedMatch:
    limit = declared.policy(at).payment_approval_above.scaleb(currency_exponent(line.currency))
    # Of a part as of the whole: who takes it part by part is no other person.
    if max(wanted.moved_minor, abs(line.left_minor)) > limit:
        body = canonical_json([list(map(list, each)) for each in wanted])
        first = _first_person(connection, line, body, by=by)
        if first is None:
            connection.execute(_PROPOSE, (line.line, body, by, at))
            return DecidedMatch(line.line, line.currency, wanted, line.left_minor, waits=True)
        by = f"{first}, {by}"
    entity = declared.legal_entity(line.legal_entity, at)
    calendar = zone(entity.time_zone) if entity else UTC
    record_match(connection, line, wanted, reason, by=by, at=at, calendar=calendar)
    connection.execute(_SETTLE, (line.line,))
    left = line.left_minor - wanted.minor
    return DecidedMatch(line.line, line.currency, wanted, left, waits=False)


def _first_person(
    connection: Connection[Any], line: BankLine, body: bytes, *, by: str
) -> str | None:
    """Return who proposed the same; None where nobody did."""
    proposed = connection.execute(_PROPOSED, (line.line,)).fetchone()
    if proposed is None or bytes(proposed[0]) != body:
        return None
    first = str(proposed[1])
    if is_same_person(first, by):
        raise SecondMatcherError(line, first)
    return first


def _planned(
    connection: Connection[Any],
    declared: Declarations,
    line: BankLine,
    wish: MatchWish,
    at: datetime,
) -> Match:
    numbers = [number for number, _ in wish.documents]
    if len(set(numbers)) < len(numbers):
        raise UnfitMatchError(line, "a document is named twice")
    standing = standing_of(connection, numbers, line.legal_entity)
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
        if unknown or found[0].currency != line.currency:
            raise UnfitMatchError(line, f"there is no document {number} in {line.currency}")
        document = found[0]
        if document.legal_entity != line.legal_entity:
            raise UnfitMatchError(line, f"{number} is not of {line.legal_entity}")
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


class SecondMatcherError(LedgerError):
    """Who proposed a match said so again: it takes somebody else."""

    def __init__(self, line: BankLine, proposed_by: str) -> None:
        super().__init__(
            f"{proposed_by} proposed this for {line.line}: it is above payment_approval_above, so "
            "another person says the same"
        )
        self.line, self.proposed_by = line.line, proposed_by
