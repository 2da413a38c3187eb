"""One movement of money: what it was for, where it is booked, and what explains it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from litestar import Controller, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from psycopg import Connection

from ledger.desk.paying.explaining import (
    MoneyWish,
    explain_money,
    money_wish_of,
    plan_money,
    proposed_money,
    withdraw_proposed_money,
)
from ledger.desk.paying.match_plans import DocumentThen
from ledger.desk.withdrawing.withdrawn import About, withdrawn_of
from ledger.errors import LedgerError
from ledger.payments.payouts.unmatched import unmatched_money
from ledger.users.roles import Permission
from projections.console.entry import needs
from projections.console.links import (
    bank_line_link,
    payment_link,
    payments_link,
    payout_link,
)
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.money_words import (
    MOVEMENT_WORDS,
    REQUEST_STATES,
    REQUEST_WORDS,
)
from projections.console.parts.typed_form import ThisForm, TypedForm
from projections.console.parts.within import WithinReach, within
from projections.console.payments.cells import (
    customers_among,
    document_cell,
    invoices_among,
    money_cell,
    party_cell,
    postings,
    written_facts,
)
from projections.console.payments.disputed import STATUS_WORDS
from projections.console.payments.previews import MoneyPreview, WouldBook, money_preview
from projections.console.payments.withdrawal import withdrawal_of, withdrawn_matches
from projections.errors import ProjectionError
from projections.payments.movement_detail import MovementDetail, movement_detail

NUMBER_MAX: Final = 2**63 - 1
PARTS_MAX: Final = 500
_AMOUNT: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})?", re.ASCII)
_PARTS: Final = (
    Column("document", "Document"),
    Column("account", "Account"),
    Column("party", "Party"),
    Column("amount", "Amount", is_figure=True),
)
_ASKED: Final = (
    Column("key", "Request"),
    Column("kind", "Kind"),
    Column("state", "State"),
    Column("amount", "Amount", is_figure=True),
    Column("by", "By"),
    Column("object", "At the provider"),
)
_WHERE: Final = (
    Column("what", "What"),
    Column("name", "Name"),
    Column("state", "State"),
    Column("amount", "Amount", is_figure=True),
)


class UnfitAmountError(ProjectionError):
    """What was typed is no amount."""


class TypedMoney(NamedTuple):
    """What stands in the fields of what money was for, as it was typed."""

    document: str = ""
    account: str = ""
    amount: str = ""

    @property
    def is_made(self) -> bool:
        """Whether anything is said at all."""
        return self != TypedMoney()

    @property
    def fields(self) -> Sequence[tuple[str, str]]:
        """Return the fields by which a form says the same again."""
        return [(name, value) for name, value in self._asdict().items() if value]

    def wish(self, page: ConsolePage, number: int) -> MoneyWish:
        """Return what is meant.

        Raises:
            UnfitAmountError: If the amount is none.
        """
        said = self.amount.replace(",", ".")
        if said and not _AMOUNT.fullmatch(said):
            message = page.text("{value} is no amount: write it as 12.34", value=self.amount[:40])
            raise UnfitAmountError(message)
        amount = Decimal(said) if said else None
        return MoneyWish(number, self.document or None, self.account or None, amount)


class OneMovementPage(Controller):
    """A movement by its number."""

    path = "/payments/{number:int}"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def shown(self, page: ThisPage, number: FromPath[int]) -> Response[str]:
        """Show a movement, and what would be booked where somebody says what it was for."""
        with page.console.reading() as connection:
            detail = _within(connection, page, number, Permission.SEE_BOOKS)
            unmatched = unmatched_money(connection, number=number, at_providers=True)
            proposal = proposed_money(connection, number)
            typed, trouble, preview = _typed(page), "", None
            try:
                if proposal is not None and page.address.of("proposal"):
                    currency = detail.movement.currency
                    typed = _typed_as(money_wish_of(number, currency, proposal.allotment))
                if typed.is_made:
                    preview = _preview(page, connection, typed.wish(page, number))
            except (LedgerError, ProjectionError) as error:
                trouble = page.told(error)
            entity = detail.movement.legal_entity
            return page.show(
                "payments/movement.html.j2",
                detail=detail,
                kind=page.text(MOVEMENT_WORDS[detail.movement.kind]),
                here=payment_link(number),
                facts=_facts(page, connection, detail),
                may_move=page.user.reach(Permission.MOVE_MONEY).covers(entity),
                left_minor=unmatched[0].left_minor if unmatched else 0,
                typed=typed,
                preview=preview,
                trouble=trouble,
                proposal=proposal,
                withdrawn=withdrawn_matches(
                    page,
                    withdrawn_of(connection, About.MOVEMENT, number),
                    within(page, connection).calendar(entity),
                ),
                **_lists(page, connection, detail),
            )

    @post("/", opt=needs(Permission.MOVE_MONEY), sync_to_thread=True)
    def decided(self, page: ThisPage, number: FromPath[int], form: ThisForm) -> Response[Any]:
        """Book what money at a provider was for, or propose it."""
        with page.console.pool.connection() as connection:
            _within(connection, page, number, Permission.MOVE_MONEY)
            wish, agreed = _typed(form).wish(page, number), form.of("agreed")
            done = explain_money(connection, wish, by=page.user.name, at=page.now, agreed=agreed)
        here = payment_link(number)
        if done.waits:
            said = page.text("Proposed: a second person says the same, then it is booked.")
            return page.go(here, said)
        if done.left_minor:
            left = page.words.language.money(done.left_minor, done.currency)
            return page.go(here, page.text("It is booked; {amount} still wait.", amount=left))
        return page.go(here, page.text("It is booked: nothing of it waits."))

    @post("/withdraw", opt=needs(Permission.MOVE_MONEY), sync_to_thread=True)
    def withdrawn(self, page: ThisPage, number: FromPath[int], form: ThisForm) -> Response[Any]:
        """Take back what waits for a second person; who did, and why, is kept."""
        how = withdrawal_of(page, form)
        with page.console.pool.connection() as connection:
            moved = _within(connection, page, number, Permission.MOVE_MONEY).movement
            withdraw_proposed_money(connection, number, moved.currency, how)
        return page.go(payment_link(number), page.text("The proposal is withdrawn."))


def _within(
    connection: Connection[Any], page: ConsolePage, number: int, permission: Permission
) -> MovementDetail:
    found = movement_detail(connection, number) if 0 < number <= NUMBER_MAX else None
    if found is None or not page.user.reach(permission).covers(found.movement.legal_entity):
        raise NotFoundException(page.text("There is no payment {number}.", number=number))
    return found


def _typed(given: ConsolePage | TypedForm) -> TypedMoney:
    of = given.of if isinstance(given, TypedForm) else given.address.of
    return TypedMoney(of("document"), of("account"), of("amount"))


def _typed_as(wish: MoneyWish) -> TypedMoney:
    amount = "" if wish.amount is None else f"{wish.amount:f}"
    return TypedMoney(wish.document or "", wish.account or "", amount)


def _facts(
    page: ConsolePage, connection: Connection[Any], detail: MovementDetail
) -> list[tuple[str, Cell]]:
    moved = detail.movement
    clock = within(page, connection).calendar(moved.legal_entity)
    facts = [
        ("Amount", money_cell(page, moved.amount_minor, moved.currency)),
        ("When", Cell(at=moved.happened_at, zone=clock)),
        ("Source", Cell(moved.source, payments_link(source=moved.source))),
        ("Reference", Cell(moved.reference)),
        ("Legal entity", Cell(moved.legal_entity, payments_link(entity=moved.legal_entity))),
        ("Month of the books", Cell(page.words.language.month(moved.period))),
        ("By", Cell(moved.recorded_by)),
    ]
    if moved.about:
        facts.append(("It follows from", Cell(moved.about)))
    if detail.bank_line is not None:
        line = detail.bank_line
        facts.append(("Bank line", Cell(line.line, bank_line_link(line.line))))
        facts += written_facts(page, line.written)
    return facts


def _lists(
    page: ConsolePage, connection: Connection[Any], detail: MovementDetail
) -> dict[str, Any]:
    moved = detail.movement
    documents = {each.document or "" for each in moved.allotments}
    parties = {each.subject or "" for each in moved.allotments}
    invoices = invoices_among(connection, documents)
    names = customers_among(connection, parties | {each.party for each in detail.postings})
    caption = page.text("Entry {entry} in the journal", entry=detail.entry)
    return {
        "parts": _parts(page, detail, invoices, names),
        "entry": postings(page, detail.postings[:PARTS_MAX], names, caption),
        "requests": _requests(page, detail),
        "where": _where(page, detail),
        "related": _related(page, detail, within(page, connection)),
    }


def _parts(
    page: ConsolePage, detail: MovementDetail, invoices: Collection[str], names: Mapping[str, str]
) -> Listing:
    moved = detail.movement
    return Listing(
        caption=page.text("What it was for"),
        columns=_PARTS,
        rows=[
            (
                document_cell(each.document or "", each.account, invoices),
                Cell(each.account),
                party_cell(each.subject or "", names),
                money_cell(page, each.minor, moved.currency),
            )
            for each in moved.allotments[:PARTS_MAX]
        ],
        address=page.address,
        empty=page.text("Nobody has said what it was for."),
        total=page.text("{count} in all", count=len(moved.allotments)),
    )


def _requests(page: ConsolePage, detail: MovementDetail) -> Listing | None:
    if not detail.requests:
        return None
    return Listing(
        caption=page.text("What was asked of the provider"),
        columns=_ASKED,
        rows=[
            (
                Cell(each.key),
                Cell(page.text(REQUEST_WORDS[each.kind])),
                Cell(
                    page.text(REQUEST_STATES[each.state]),
                    note=page.text(each.reason.replace("_", " ")),
                ),
                money_cell(page, each.amount_minor, each.currency) if each.currency else Cell(),
                Cell(each.decided_by),
                Cell(each.object_id or ""),
            )
            for each in detail.requests
        ],
        address=page.address,
        empty="",
    )


def _where(page: ConsolePage, detail: MovementDetail) -> Listing | None:
    rows = [
        (
            Cell(page.text("Payout")),
            Cell(each.payout_id, payout_link(each.payout_id), note=each.line_id),
            Cell(each.arrives_on or ""),
            money_cell(page, each.net_minor, each.currency),
        )
        for each in detail.payouts
    ]
    rows += [
        (
            Cell(page.text("Dispute")),
            Cell(each.dispute_id, "/console/payments/disputes"),
            Cell(page.text(STATUS_WORDS[each.status])),
            money_cell(page, each.amount_minor, each.currency),
        )
        for each in detail.disputes
    ]
    if not rows:
        return None
    return Listing(page.text("At the provider"), _WHERE, rows, page.address, "")


def _related(page: ConsolePage, detail: MovementDetail, inside: WithinReach) -> Listing | None:
    if not detail.related:
        return None
    return Listing(
        caption=page.text("What belongs to it"),
        columns=(
            Column("movement", "Movement", is_figure=True),
            Column("kind", "Kind"),
            Column("at", "When"),
            Column("amount", "Amount", is_figure=True),
            Column("by", "By"),
        ),
        rows=[
            (
                Cell(str(each.number), payment_link(each.number)),
                Cell(page.text(MOVEMENT_WORDS[each.kind])),
                Cell(at=each.happened_at, zone=inside.calendar(each.legal_entity)),
                money_cell(page, each.amount_minor, each.currency),
                Cell(each.recorded_by),
            )
            for each in detail.related
        ],
        address=page.address,
        empty="",
    )


def _preview(page: ConsolePage, connection: Connection[Any], wish: MoneyWish) -> MoneyPreview:
    plan = plan_money(connection, page.console.newest.of(connection), wish, page.now)
    then = []
    if plan.open_minor is not None:
        left = plan.open_minor - plan.allotment.minor
        then.append(DocumentThen(plan.allotment.document, plan.open_minor, left))
    legs, currency = plan.movement("", page.now).entry().postings, plan.money.currency
    would = WouldBook(currency, plan.allotment.minor, legs, then)
    return money_preview(page, connection, plan, would)
