"""The sheet of a statement of account: what moved, the balances, the sessions behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from projections.documents.content.letterhead import addressee, letterhead
from projections.documents.content.place import station_named
from projections.documents.content.sheet import Grid, Head, Item, PrintedSheet
from projections.documents.content.teller import DASH, Teller
from projections.documents.evidence import NO_EVIDENCE
from projections.documents.languages.language import language_of
from projections.documents.statements.lines import LineTable
from projections.documents.statements.statement import (
    Movement,
    MovementKind,
    ShownStatement,
    StatementSession,
)

_SECOND = timedelta(seconds=1)


class StatementSheet(PrintedSheet, frozen=True, kw_only=True):
    """A whole statement; `number` is the period."""


class StatementContent(NamedTuple):
    """A statement's sheet, and its lines as CSV."""

    sheet: StatementSheet
    lines_csv: str


def statement_content(
    statement: ShownStatement,
    sessions: Iterable[StatementSession],
    *,
    logo: str | None = None,
) -> StatementContent:
    """Return what *statement* says with those *sessions*, each beside its document's number.

    Of each session no more is kept than its row: they may be as many as they like. The rows come
    to what the documents do: what one rounds as a whole is a row of its own.
    """
    teller = Teller(language_of(statement.language), NO_EVIDENCE, statement.wanted.currency)
    text, table = teller.language.text, LineTable()
    rows, told = [], Counter[str]()
    for session in sessions:
        table.add(session)
        rows.append(_session_row(teller, session))
        told[session.number] += session.gross_minor
    for each in statement.movements:
        rest = each.amount_minor - told[each.reference]
        if each.kind.is_document and rest:
            table.add_rounding(each.reference, rest, statement.wanted.currency)
            rows.append((text("Rounding"), "", each.reference, "", "", teller.money(rest)))
    sheet = StatementSheet(
        **letterhead(teller, statement.seller, statement.seller_details, logo),
        title=text("Statement of account"),
        number=_period(teller, statement),
        recipient=addressee(teller, statement.buyer, statement.seller.address.country),
        items=tuple(_items(teller, statement)),
        outcome=Item(text("Closing balance"), teller.money(statement.closing_minor)),
        opening=(_outcome(teller, statement.closing_minor),),
        tables=(_movements(teller, statement), *_sessions(teller, rows)),
    )
    return StatementContent(sheet, table.text)


def _period(teller: Teller, statement: ShownStatement) -> str:
    wanted, day = statement.wanted, teller.language.day
    if wanted.first_day == wanted.last_day:
        return day(wanted.first_day)
    return f"{day(wanted.first_day)} {DASH} {day(wanted.last_day)}"


def _items(teller: Teller, statement: ShownStatement) -> list[Item]:
    text = teller.language.text
    items = [
        Item(text("Period"), _period(teller, statement)),
        Item(text("Customer number"), statement.wanted.customer),
    ]
    if statement.buyer.vat_id:
        items.append(Item(text("Your VAT ID"), statement.buyer.vat_id))
    return items


def _outcome(teller: Teller, closing_minor: int) -> str:
    text = teller.language.text
    if closing_minor > 0:
        return text("You owe us {amount}.", amount=teller.money(closing_minor))
    if closing_minor < 0:
        return text("You have {amount} in credit with us.", amount=teller.money(-closing_minor))
    return text("Nothing is due.")


def _movements(teller: Teller, statement: ShownStatement) -> Grid:
    text, day, money = teller.language.text, teller.language.day, teller.money
    wanted = statement.wanted
    first, last = day(wanted.first_day), day(wanted.last_day)
    return Grid(
        title="",
        heads=(
            Head(text("Date")),
            Head(text("Document")),
            Head(text("Amount"), is_figure=True),
            Head(text("Balance"), is_figure=True),
        ),
        rows=(
            (first, text("Opening balance"), "", money(statement.opening_minor)),
            *(
                (
                    day(each.day),
                    _movement(teller, each),
                    money(each.amount_minor),
                    money(each.balance_minor),
                )
                for each in statement.movements
            ),
        ),
        foot=(last, text("Closing balance"), "", money(statement.closing_minor)),
    )


def _movement(teller: Teller, movement: Movement) -> str:
    text = teller.language.text
    match movement.kind:
        case MovementKind.INVOICE:
            return f"{text('Invoice')} {movement.reference}"
        case MovementKind.CREDIT_NOTE:
            return f"{text('Credit note')} {movement.reference}"
        case MovementKind.PAYMENT:
            return f"{text('Payment')} {_paid_for(movement)}"
        case MovementKind.REFUND:
            return f"{text('Refund')} {_paid_for(movement)}"
        case MovementKind.REFUND_FAILED:
            return f"{text('Refund that came back')} {_paid_for(movement)}"
        case MovementKind.TAKEN_BACK:
            return f"{text('Payment taken back by the bank')} {_paid_for(movement)}"


def _paid_for(movement: Movement) -> str:
    # The legal entity's key and the source are ours; what the payer knows follows them.
    return movement.reference.partition("/")[2] or movement.reference


def _sessions(teller: Teller, rows: list[tuple[str, ...]]) -> list[Grid]:
    if not rows:
        return []
    text = teller.language.text
    heads = (
        Head(text("Time")),
        Head(text("Charging station")),
        Head(text("Document")),
        Head(text("Duration"), is_figure=True),
        Head(text("Energy"), is_figure=True),
        Head(text("Gross"), is_figure=True),
    )
    return [Grid(title=text("Charging sessions"), heads=heads, rows=tuple(rows))]


def _session_row(teller: Teller, session: StatementSession) -> tuple[str, ...]:
    number, decision, is_credited = session
    local = decision.local_zone
    start, end = decision.started_at.astimezone(local), decision.ended_at.astimezone(local)
    lasted = teller.language.duration((decision.ended_at - decision.started_at) // _SECOND)
    return (
        teller.span(start, end),
        station_named(decision),
        number,
        # It was charged once: what is taken back are amounts.
        "" if is_credited else lasted,
        "" if is_credited else teller.energy(decision.energy_wh),
        teller.money(session.gross_minor),
    )
