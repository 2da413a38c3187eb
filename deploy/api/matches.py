"""What money was for, over HTTP: what nobody knows yet, and saying it, by one person or two."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, get, post
from litestar.exceptions import PermissionDeniedException
from litestar.params import FromPath, JSONBody, PathParameter
from psycopg import Connection

from deploy.api.conventions.amounts import amount_text
from deploy.api.conventions.within import (
    READS_BOOKS,
    Asked,
    check_reach,
    legal_entities_in,
    wants,
)
from deploy.api.documents import Acting
from deploy.interface.access import Scope
from deploy.interface.books import Pool, Text
from deploy.interface.paging import LIMIT, Cursor, Limit, cursor_of, key_of
from ledger.desk.paying.explaining import MoneyWish, PlannedMoney, explain_money, plan_money
from ledger.desk.paying.match_plans import (
    MatchWish,
    PlannedMatch,
    UnfitDocumentError,
    plan_match,
)
from ledger.desk.paying.matching import match_line
from ledger.payments.bank.lines import find_line
from ledger.payments.movement import Allotment
from ledger.payments.payouts.unmatched import unmatched_money
from projections.payments.unmatched_list import (
    UnmatchedKey,
    UnmatchedMoney,
    UnmatchedWish,
    unmatched_page,
)

MATCHES: Final = wants(Scope.MONEY)
_DOCUMENTS_MAX: Final = 200
_NUMBER_MAX: Final = 2**63 - 1
_AMOUNT: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?", re.ASCII)
Amount = Annotated[str, msgspec.Meta(pattern=f"^{_AMOUNT.pattern}$", max_length=22)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Digest = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
LineName = Annotated[
    str, PathParameter(description="A bank line's", schema_extra={"maxLength": 60})
]


class MachineMatcherError(PermissionDeniedException):
    """A machine would be one of the two people: whoever has its token would be both."""

    def __init__(self) -> None:
        super().__init__(
            detail="it moves more than payment_approval_above: two people say the same, each with "
            "a token of their own (/console/me), and no machine",
            extra={"code": "two_people"},
        )


class UnmatchedRow(msgspec.Struct, frozen=True, kw_only=True):
    """Money of which `unmatched` is for nobody knows what; below 0 it went, or is missing.

    Of a bank's statement it has a `line`, else a `payment`, by its number. `why`: the reason why a
    line waits, or the payment's kind.
    """

    line: str | None
    payment: int | None
    moved_at: datetime
    source: str
    legal_entity: str
    currency: str
    amount: str
    unmatched: str
    why: str


class UnmatchedRowPage(msgspec.Struct, frozen=True):
    """Some of it, the oldest first, and where the next rows begin; null: there are none."""

    items: list[UnmatchedRow]
    next: str | None


class LineMatchWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a bank line is for: `documents`, each with how much ("12.50"), null: what is open of it.

    The rest goes to a customer's `balance` or to an `account`, or `is_returned` to its payer.
    `is_undone`, alone, takes all of it back. `preview`: only say what it comes to. `digest`: of the
    preview that was read; where it comes to something else by now, nothing is booked.
    """

    documents: Annotated[dict[str, str | None], msgspec.Meta(max_length=_DOCUMENTS_MAX)] = {}
    balance: Name | None = None
    account: Name | None = None
    is_returned: bool = False
    is_undone: bool = False
    preview: bool = False
    digest: Digest | None = None


class PaymentMatchWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What money at a provider was for: a document, or an account; `amount` null: all of it.

    `preview` and `digest` as of a line.
    """

    document: Name | None = None
    account: Name | None = None
    amount: Amount | None = None
    preview: bool = False
    digest: Digest | None = None


class MatchedPart(msgspec.Struct, frozen=True, kw_only=True):
    """What some of it is for."""

    account: str
    document: str | None
    amount: str


class DocumentAfterwards(msgspec.Struct, frozen=True, kw_only=True):
    """What is open of a document before and afterwards."""

    number: str
    open: str
    open_afterwards: str


class MatchDone(msgspec.Struct, frozen=True, kw_only=True):
    """What was booked, or would be; `is_booked` false without a preview: another person is awaited.

    `proposed_by` proposed just this before. `unmatched`: what nobody knows of it afterwards.
    """

    is_booked: bool
    takes_two: bool
    proposed_by: str | None
    currency: str
    parts: list[MatchedPart]
    documents: list[DocumentAfterwards]
    unmatched: str
    digest: str


class MatchesController(Controller):
    """Money that nobody knows what it is for."""

    tags = ("payments",)

    @get("/unmatched-payments", opt=READS_BOOKS, sync_to_thread=True)
    def unmatched(
        self,
        request: Asked,
        pool: Pool,
        legal_entity: Text = None,
        source: Text = None,
        currency: Text = None,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> UnmatchedRowPage:
        """Return what is unmatched, the oldest first."""
        wish = UnmatchedWish(
            legal_entities=legal_entities_in(request),
            legal_entity=legal_entity,
            source=source,
            currency=currency,
        )
        after = None
        if cursor is not None:
            at, key = key_of(cursor, tuple[datetime, str])
            after = UnmatchedKey(at, key)
        with pool.connection() as connection:
            found = unmatched_page(connection, wish, limit=limit, after=after)
        more = None if found.behind is None else cursor_of(tuple(found.behind))
        return UnmatchedRowPage([_unmatched(each) for each in found.rows], more)

    @post("/bank-lines/{name:str}/matchings", opt=MATCHES, status_code=200, sync_to_thread=True)
    def match(
        self, request: Asked, acting: Acting, name: LineName, data: JSONBody[LineMatchWish]
    ) -> MatchDone:
        """Say what a bank line is for; what takes two people is asked for by two."""
        wish = MatchWish(
            name,
            tuple((each, _part_of(each, amount)) for each, amount in data.documents.items()),
            balance=data.balance,
            account=data.account,
            is_returned=data.is_returned,
            is_undone=data.is_undone,
        )
        with acting.pool.connection() as connection:
            line = find_line(connection, name)
            whose = None if line is None else line.legal_entity
            check_reach(request, whose, f"there is no bank line {name}", Scope.MONEY)
            plan = plan_match(connection, acting.newest.of(connection), wish, acting.now())
            if data.preview:
                return _line_done(plan, is_booked=False)
            _check_person(request, takes_two=plan.takes_two)
            agreed = data.digest or plan.digest
            by, at = request.user.name, acting.now()
            done = match_line(connection, wish, by=by, at=at, agreed=agreed)
        return _line_done(plan, is_booked=not done.waits)

    @post("/payments/{number:int}/matchings", opt=MATCHES, status_code=200, sync_to_thread=True)
    def explain(
        self,
        request: Asked,
        acting: Acting,
        number: FromPath[int],
        data: JSONBody[PaymentMatchWish],
    ) -> MatchDone:
        """Say what money at a payment provider was for, which nothing of ours explains."""
        wish = MoneyWish(number, data.document, data.account, _decimal(data.amount))
        with acting.pool.connection() as connection:
            whose = _whose(connection, number)
            check_reach(request, whose, f"nothing is unmatched of payment {number}", Scope.MONEY)
            plan = plan_money(connection, acting.newest.of(connection), wish, acting.now())
            if data.preview:
                return _money_done(plan, is_booked=False)
            _check_person(request, takes_two=plan.takes_two)
            agreed = data.digest or plan.digest
            by, at = request.user.name, acting.now()
            done = explain_money(connection, wish, by=by, at=at, agreed=agreed)
        return _money_done(plan, is_booked=not done.waits)


ROUTES: Final = (MatchesController,)


def _part_of(number: str, amount: str | None) -> Decimal | None:
    if amount is not None and not _AMOUNT.fullmatch(amount):
        said = f"{number}:{amount}"
        raise UnfitDocumentError(said)
    return _decimal(amount)


def _decimal(amount: str | None) -> Decimal | None:
    return None if amount is None else Decimal(amount)


def _whose(connection: Connection[Any], number: int) -> str | None:
    if not 0 < number <= _NUMBER_MAX:
        return None
    found = unmatched_money(connection, number=number, at_providers=True)
    return found[0].legal_entity if found else None


def _check_person(request: Asked, *, takes_two: bool) -> None:
    if takes_two and request.user.person is None:
        raise MachineMatcherError


def _unmatched(each: UnmatchedMoney) -> UnmatchedRow:
    return UnmatchedRow(
        line=each.key if each.number is None else None,
        payment=each.number,
        moved_at=each.at,
        source=each.source,
        legal_entity=each.legal_entity,
        currency=each.currency,
        amount=amount_text(each.amount_minor, each.currency),
        unmatched=amount_text(each.left_minor, each.currency),
        why=each.why,
    )


def _part(each: Allotment, currency: str) -> MatchedPart:
    amount = amount_text(each.minor, currency)
    return MatchedPart(account=each.account, document=each.document or None, amount=amount)


def _line_done(plan: PlannedMatch, *, is_booked: bool) -> MatchDone:
    currency = plan.line.currency
    return MatchDone(
        is_booked=is_booked,
        takes_two=plan.takes_two,
        proposed_by=plan.proposed_by,
        currency=currency,
        parts=[_part(each, currency) for each in plan.match.allotments],
        documents=[
            DocumentAfterwards(
                number=each.document,
                open=amount_text(each.open_minor, currency),
                open_afterwards=amount_text(each.then_minor, currency),
            )
            for each in plan.documents
        ],
        unmatched=amount_text(plan.left_minor, currency),
        digest=plan.digest,
    )


def _money_done(plan: PlannedMoney, *, is_booked: bool) -> MatchDone:
    currency, to = plan.money.currency, plan.allotment
    documents = []
    if plan.open_minor is not None:
        documents.append(
            DocumentAfterwards(
                number=to.document,
                open=amount_text(plan.open_minor, currency),
                open_afterwards=amount_text(plan.open_minor - to.minor, currency),
            )
        )
    return MatchDone(
        is_booked=is_booked,
        takes_two=plan.takes_two,
        proposed_by=plan.proposed_by,
        currency=currency,
        parts=[_part(to, currency)],
        documents=documents,
        unmatched=amount_text(plan.left_minor, currency),
        digest=plan.digest,
    )
