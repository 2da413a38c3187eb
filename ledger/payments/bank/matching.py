"""What a line is for, by what it says itself: sure, or for a person to decide.

| evidence | amount | becomes |
|---|---|---|
| one invoice, or several | what is open of them | matched |
| one invoice | less | matched, partly paid |
| invoices of one customer | more | matched; the rest goes to the customer's prepaid balance |
| an invoice of nobody's | more | matched; the rest waits |
| several invoices | less | waits: nothing says which |
| invoices, money that goes | what is to be given back of them | matched |
| invoices of one customer, some to be given back | what all come to | matched |
| one invoice, a reversal that goes | an amount that came by bank | matched: it is open again |
| one invoice, a reversal that comes | what went by bank | matched: to be given back again |
| a settlement with a partner | what is open of it | matched |
| a payout's id | what is under way of it | matched |
| the provider's name, three days or less | that of one payout alone | matched |
| a line's own name, money that goes | what was to be returned of it | matched |

Everything else waits in `cash:unmatched`. A name or an amount alone is no evidence. What a bank
takes back of what we had sent pays nothing, whatever it names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from ledger.books.accounts import RECEIVABLE
from ledger.payments.awaited import AwaitedPayout
from ledger.payments.bank.document_names import DocumentNames
from ledger.payments.bank.standing import MatchableDocument, MatchStanding, arrives
from ledger.payments.movement import CLEARING, UNMATCHED, Allotment

ARRIVES_WITHIN: Final = timedelta(days=3)
_LINE: Final = re.compile(r"(?<![0-9A-Za-z])\d{8}-[0-9a-f]{16}(?:\.\d+)?(?![0-9A-Za-z])", re.ASCII)


class WaitReason(StrEnum):
    """Why a line, or some of it, waits for a person."""

    NO_REFERENCE = "no_reference"
    """It names no document of ours."""
    UNKNOWN_DOCUMENT = "unknown_document"
    """It names a number that we never gave."""
    OTHER_CURRENCY = "other_currency"
    OTHER_LEGAL_ENTITY = "other_legal_entity"
    TOO_LITTLE = "too_little"
    """Less than the documents that it names come to."""
    TOO_MUCH = "too_much"
    """More than is open, and there is no balance that the rest could go to."""
    NOTHING_TO_GIVE_BACK = "nothing_to_give_back"
    """Money that went, and not what the documents that it names are to get back."""
    TAKEN_BACK = "taken_back"
    """Money that the bank takes back, and that never went for the document that it names."""
    TWO_CANDIDATES = "two_candidates"
    UNDONE = "undone"
    """A person took back what it was matched with: nothing matches it again by itself."""
    PART_LEFT = "part_left"
    """A person said what some of it is for."""


BY_PERSONS: Final = frozenset({WaitReason.UNDONE, WaitReason.PART_LEFT})


class LineFacts(NamedTuple):
    """A line as matching sees it."""

    amount_minor: int
    currency: str
    legal_entity: str
    booked_on: date
    is_reversal: bool
    payer: str
    written: tuple[str, ...]


class PrepaidRest(NamedTuple):
    """What goes to a customer's prepaid balance."""

    customer: str
    minor: int


class Matching(NamedTuple):
    """What a line is for: `allotments` come to its amount; what waits does so for `reason`."""

    allotments: tuple[Allotment, ...]
    prepaid: PrepaidRest | None = None
    reason: WaitReason | None = None

    @property
    def left_minor(self) -> int:
        """How much of it waits."""
        return sum(each.minor for each in self.allotments if each.account == UNMATCHED)


def named_documents(written: Sequence[str], names: DocumentNames) -> list[str]:
    """Return what surely stands in the texts of a line: numbers of documents, names of lines."""
    lines = [found for text in written for found in _LINE.findall(text.lower())]
    return [*names.sure(written), *dict.fromkeys(lines)]


def match(line: LineFacts, documents: Sequence[str], standing: MatchStanding) -> Matching:
    """Return what *line* is for, and take that from *standing*: the next line finds it gone."""
    payout = _payout(line, standing, has_documents=bool(documents))
    if isinstance(payout, WaitReason):
        return _waits(line, payout)
    if payout is not None:
        standing.taken.add(payout.payout_id)
        return Matching((Allotment(CLEARING, line.amount_minor, "", payout.payout_id),))
    owed, unknown = standing.documents_of(documents)
    if why := _unfit(line, owed, unknown):
        return _waits(line, why)
    found: Matching | WaitReason | None = _set_off(line, owed)
    if found is None:
        found = _comes(line, owed) if line.amount_minor > 0 else _goes(line, owed)
    if isinstance(found, WaitReason):
        return _waits(line, found)
    for document in owed:
        minor = sum(each.minor for each in found.allotments if each.document == document.document)
        # What is set off against money that comes went nowhere.
        document.take(minor, is_reversal=line.is_reversal or minor < 0 < line.amount_minor)
    return found


def _waits(line: LineFacts, reason: WaitReason) -> Matching:
    return Matching((Allotment(UNMATCHED, line.amount_minor),), reason=reason)


def _payout(
    line: LineFacts, standing: MatchStanding, *, has_documents: bool
) -> AwaitedPayout | WaitReason | None:
    fitting = standing.awaited(line.currency, line.amount_minor)
    if not fitting:
        return None
    said = " ".join((line.payer, *line.written))
    if named := [each for each in fitting if _names(said, each.payout_id)]:
        return named[0]
    if has_documents:
        return None
    near = [
        each
        for each in fitting
        if abs(arrives(each) - line.booked_on) <= ARRIVES_WITHIN
        and each.provider.casefold() in said.casefold()
    ]
    if len(near) > 1:
        return WaitReason.TWO_CANDIDATES
    return near[0] if near else None


def _names(said: str, payout_id: str) -> bool:
    whole = rf"(?<![0-9A-Za-z_]){re.escape(payout_id)}(?![0-9A-Za-z])"
    return re.search(whole, said, re.ASCII | re.IGNORECASE) is not None


def _unfit(
    line: LineFacts, owed: Sequence[MatchableDocument], unknown: Sequence[str]
) -> WaitReason | None:
    if unknown:
        return WaitReason.UNKNOWN_DOCUMENT
    if not owed:
        return WaitReason.NO_REFERENCE
    if any(document.currency != line.currency for document in owed):
        return WaitReason.OTHER_CURRENCY
    if any(document.legal_entity != line.legal_entity for document in owed):
        return WaitReason.OTHER_LEGAL_ENTITY
    return None


def _set_off(line: LineFacts, owed: Sequence[MatchableDocument]) -> Matching | None:
    """Return *line* as what a customer owes less what it is to get back, if it is just that."""
    open_minor = [document.open_minor for document in owed]
    is_mixed = min(open_minor) < 0 < max(open_minor)
    if line.is_reversal or not is_mixed or sum(open_minor) != line.amount_minor:
        return None
    if None in (customers := {document.customer for document in owed}) or len(customers) > 1:
        return None
    return Matching(tuple(_of(each, each.open_minor) for each in owed if each.open_minor))


def _comes(line: LineFacts, owed: Sequence[MatchableDocument]) -> Matching | WaitReason:
    if line.is_reversal:
        if len(owed) == 1 and line.amount_minor in owed[0].returned_by_bank:
            return Matching((_of(owed[0], line.amount_minor),))
        return WaitReason.TAKEN_BACK
    amount, due = line.amount_minor, [max(document.open_minor, 0) for document in owed]
    if amount < sum(due) and (len(owed) > 1 or not owed[0].is_invoice):
        return WaitReason.TOO_LITTLE
    paid = [min(each, amount) for each in due]
    allotments = [_of(document, minor) for document, minor in zip(owed, paid, strict=True) if minor]
    rest = amount - sum(paid)
    if not rest:
        return Matching(tuple(allotments))
    customers = {document.customer for document in owed}
    if len(customers) == 1 and (customer := owed[0].customer) is not None:
        allotments.append(Allotment(CLEARING, rest))
        return Matching(tuple(allotments), PrepaidRest(customer, rest))
    allotments.append(Allotment(UNMATCHED, rest))
    return Matching(tuple(allotments), reason=WaitReason.TOO_MUCH)


def _goes(line: LineFacts, owed: Sequence[MatchableDocument]) -> Matching | WaitReason:
    back = [min(document.open_minor, 0) for document in owed]
    if sum(back) == line.amount_minor:
        pairs = zip(owed, back, strict=True)
        return Matching(tuple(_of(document, minor) for document, minor in pairs if minor))
    if line.is_reversal and len(owed) == 1 and -line.amount_minor in owed[0].paid_by_bank:
        return Matching((_of(owed[0], line.amount_minor),))
    return WaitReason.NOTHING_TO_GIVE_BACK


def _of(document: MatchableDocument, minor: int) -> Allotment:
    return Allotment(document.account or RECEIVABLE, minor, document.party, document.document)
