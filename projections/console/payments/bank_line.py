"""One line of a bank's statement: what it says, what it is for; matched, returned, taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from litestar import Controller, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from psycopg import Connection

from ledger.books.prepayments import PrepaidAccount, standings
from ledger.desk.paying.match_plans import (
    PlannedMatch,
    plan_match,
    proposed_match,
    wish_of,
)
from ledger.desk.paying.matching import match_line, withdraw_proposed_match
from ledger.desk.withdrawing.withdrawn import About, withdrawn_of
from ledger.errors import LedgerError
from ledger.payments.bank.lines import BankLine, find_line
from ledger.payments.bank.matched import undoing
from ledger.payments.bank.proposals import WaitingLine, with_proposals
from ledger.payments.movement import MoneyKind, MoneyMovement
from ledger.payments.recording import find_movement, movements_about
from ledger.users.roles import Permission
from projections.console.entry import needs
from projections.console.links import bank_line_link, payment_link, unmatched_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.typed_form import ThisForm
from projections.console.parts.within import within
from projections.console.payments.cells import (
    customers_among,
    day_cell,
    document_cell,
    invoices_among,
    money_cell,
    party_cell,
    written_facts,
)
from projections.console.payments.match_forms import TypedMatch, typed_as, typed_in
from projections.console.payments.previews import MoneyPreview, WouldBook, money_preview
from projections.console.payments.unmatched import PROPOSED_WORDS, why_words
from projections.console.payments.withdrawal import withdrawal_of, withdrawn_matches
from projections.errors import ProjectionError

_FOR: Final = (
    Column("at", "When"),
    Column("movement", "Movement", is_figure=True),
    Column("document", "Document"),
    Column("account", "Account"),
    Column("party", "Party"),
    Column("amount", "Amount", is_figure=True),
    Column("by", "By"),
)
_MAY: Final = (
    Column("document", "Document"),
    Column("why", "Why"),
    Column("open", "Open", is_figure=True),
    Column("take", "Choose"),
)
MATCHED_MAX: Final = 200


class BankLinePage(Controller):
    """A line, and what becomes of it."""

    path = "/payments/lines/{line_name:str}"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def shown(self, page: ThisPage, line_name: FromPath[str]) -> Response[str]:
        """Show a line; where it is said what it is for, also what would be booked."""
        with page.console.reading() as connection:
            line = _line_within(connection, page, line_name, Permission.SEE_BOOKS)
            declared = page.console.newest.of(connection)
            [waiting] = with_proposals(connection, declared, [line])
            proposal = proposed_match(connection, line.line)
            typed, trouble, preview = typed_in(page), "", None
            try:
                if proposal is not None and page.address.of("proposal"):
                    typed = typed_as(wish_of(connection, line.line, proposal.match))
                if typed.is_made:
                    preview = _preview(page, connection, line, typed)
            except (LedgerError, ProjectionError) as error:
                trouble = page.told(error)
            told = _told(connection, line)
            may_move = page.user.reach(Permission.MOVE_MONEY).covers(line.legal_entity)
            return page.show(
                "payments/line.html.j2",
                line=line,
                here=bank_line_link(line.line),
                back=unmatched_link(source="bank"),
                facts=_facts(page, line, waiting),
                booked=_booked(page, connection, line, told),
                may=_may(page, line, waiting) if line.left_minor else None,
                left=page.words.language.money(line.left_minor, line.currency),
                is_matched=bool(undoing(connection, line).allotments),
                may_move=may_move,
                typed=typed,
                preview=preview,
                trouble=trouble,
                proposal=proposal,
                withdrawn=withdrawn_matches(
                    page,
                    withdrawn_of(connection, About.LINE, line.line),
                    within(page, connection).calendar(line.legal_entity),
                ),
            )

    @post("/", opt=needs(Permission.MOVE_MONEY), sync_to_thread=True)
    def decided(self, page: ThisPage, line_name: FromPath[str], form: ThisForm) -> Response[Any]:
        """Book what was read, or propose it where that takes a second person."""
        with page.console.pool.connection() as connection:
            line = _line_within(connection, page, line_name, Permission.MOVE_MONEY)
            wish, agreed = typed_in(form).wish(line.line), form.of("agreed")
            done = match_line(connection, wish, by=page.user.name, at=page.now, agreed=agreed)
        here = bank_line_link(line.line)
        if done.waits:
            said = page.text("Proposed: a second person says the same, then it is booked.")
            return page.go(here, said)
        if done.left_minor:
            left = page.words.language.money(done.left_minor, done.currency)
            return page.go(here, page.text("It is booked; {amount} still wait.", amount=left))
        return page.go(here, page.text("It is booked: nothing of this line waits."))

    @post("/withdraw", opt=needs(Permission.MOVE_MONEY), sync_to_thread=True)
    def withdrawn(self, page: ThisPage, line_name: FromPath[str], form: ThisForm) -> Response[Any]:
        """Take back what waits for a second person; who did, and why, is kept."""
        how = withdrawal_of(page, form)
        with page.console.pool.connection() as connection:
            line = _line_within(connection, page, line_name, Permission.MOVE_MONEY)
            withdraw_proposed_match(connection, line, how)
        return page.go(bank_line_link(line.line), page.text("The proposal is withdrawn."))


def _line_within(
    connection: Connection[Any], page: ConsolePage, name: str, permission: Permission
) -> BankLine:
    found = find_line(connection, name)
    if found is None or not page.user.reach(permission).covers(found.legal_entity):
        raise NotFoundException(page.text("There is no line {name}.", name=name[:60]))
    return found


def _facts(page: ConsolePage, line: BankLine, waiting: WaitingLine) -> list[tuple[str, Cell]]:
    reason = why_words(page, line.reason) if line.reason else ""
    facts = [
        ("Amount", money_cell(page, line.amount_minor, line.currency)),
        (
            "Unmatched",
            money_cell(page, line.left_minor, line.currency)._replace(
                tone="warn" if line.left_minor else "good", note=reason
            ),
        ),
        ("Day", day_cell(page, line.booked_on)),
        ("Value day", day_cell(page, line.value_on)),
        ("Where it came to", Cell(line.source, unmatched_link(source=line.source))),
        ("Legal entity", Cell(line.legal_entity, unmatched_link(entity=line.legal_entity))),
        *written_facts(page, waiting.details),
    ]
    if line.is_reversal:
        facts.append(("Reversal", Cell(page.text("The bank took an earlier line back."))))
    return facts


def _told(connection: Connection[Any], line: BankLine) -> Sequence[MoneyMovement]:
    """Return what was said of a line, from when it was read on."""
    first = find_movement(connection, line.source, MoneyKind.BANKED, line.line)
    return [*([first] if first else []), *movements_about(connection, line.line)][-MATCHED_MAX:]


def _booked(
    page: ConsolePage,
    connection: Connection[Any],
    line: BankLine,
    told: Sequence[MoneyMovement],
) -> Listing:
    parts = [(movement, each) for movement in told for each in movement.allotments]
    invoices = invoices_among(connection, {each.document for _, each in parts})
    names = customers_among(connection, {each.party for _, each in parts})
    clock = within(page, connection).calendar(line.legal_entity)
    return Listing(
        caption=page.text("What was booked of it"),
        columns=_FOR,
        rows=[
            (
                Cell(at=movement.happened_at, zone=clock),
                Cell(str(movement.number), payment_link(movement.number)),
                document_cell(each.document, each.account, invoices),
                Cell(each.account),
                party_cell(each.party, names),
                money_cell(page, each.minor, movement.currency),
                Cell(movement.recorded_by),
            )
            for movement, each in parts[-MATCHED_MAX:]
        ],
        address=page.address,
        empty=page.text("Nothing was booked of it."),
    )


def _may(page: ConsolePage, line: BankLine, waiting: WaitingLine) -> Listing:
    here = page.address
    return Listing(
        caption=page.text("What it may be for: hints, nothing is decided by them"),
        columns=_MAY,
        rows=[
            (
                Cell(each.document),
                Cell(page.text(PROPOSED_WORDS[each.why])),
                money_cell(page, each.open_minor, line.currency),
                Cell(
                    page.text("Choose {document}", document=each.document),
                    here.with_(documents=each.document, proposal="", undo=""),
                ),
            )
            for each in waiting.proposals
        ],
        address=page.address,
        empty=page.text("Nothing that is open is named by it, or of just this amount."),
    )


def _preview(
    page: ConsolePage, connection: Connection[Any], line: BankLine, typed: TypedMatch
) -> MoneyPreview:
    declared = page.console.newest.of(connection)
    plan = plan_match(connection, declared, typed.wish(line.line), page.now)
    legs = [leg for entry in plan.entries(page.now) for leg in entry.postings]
    would = WouldBook(line.currency, plan.match.minor, legs, plan.documents)
    return money_preview(
        page, connection, plan, would, lambda names: _balances(page, connection, plan, names)
    )


def _balances(
    page: ConsolePage,
    connection: Connection[Any],
    plan: PlannedMatch,
    names: Mapping[str, str],
) -> list[tuple[str, Cell]]:
    line = plan.line
    accounts = [
        PrepaidAccount(each.customer, line.legal_entity, line.currency)
        for each in plan.match.prepaid
    ]
    money = page.words.language.money
    return [
        (
            "Prepaid balance",
            party_cell(rest.customer, names)._replace(
                note=page.text(
                    "from {before} to {after}",
                    before=money(each.balance_minor, line.currency),
                    after=money(each.balance_minor + rest.minor, line.currency),
                )
            ),
        )
        for rest, each in zip(plan.match.prepaid, standings(connection, accounts), strict=True)
    ]
