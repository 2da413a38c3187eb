"""Payouts of a provider: each held against its lines and the bank, and line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from typing import Any, Final

from litestar import Controller, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from psycopg import Connection

from ledger.users.roles import Permission
from projections.console.addresses import FORMAT
from projections.console.entry import needs
from projections.console.exports.exporting import Cells
from projections.console.links import payment_link, payments_link, payout_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.money_words import RULE_WORDS
from projections.console.parts.within import WithinReach, within
from projections.console.payments.cells import document_cell, invoices_among, money_cell
from projections.console.payments.reading import (
    AddressReading,
    UnreadableListError,
    exported,
    place_of,
)
from projections.console.payments.unmatched import seen_entities
from projections.payments.payout_list import (
    ARRIVED,
    DIFFERS,
    FAILED,
    LATE,
    UNDER_WAY,
    UNKNOWN,
    ListedPayout,
    ListedPayoutLine,
    PayoutKey,
    find_payout,
    list_payouts,
    payout_lines,
)
from tariffs.quantities import money_of_minor

ROWS: Final = 50
_AT_ONCE: Final = 500
STATE_WORDS: Final[Mapping[str, str]] = {
    ARRIVED: "A statement of the bank shows it, to the cent.",
    UNDER_WAY: "On its way to the bank.",
    FAILED: "It came back to the provider: the next one has it.",
    LATE: "No statement shows it: import the bank's, then look at the unmatched money.",
    DIFFERS: "Its lines, or the bank's, do not come to it: look at it line by line.",
    UNKNOWN: "Nothing of ours explains some of it: say what that was for.",
}
"""How it stands with a payout, in English."""
_TONES: Final = {ARRIVED: "good", LATE: "bad", DIFFERS: "bad", UNKNOWN: "warn"}
COLUMNS: Final = (
    Column("payout", "Payout"),
    Column("made", "Made"),
    Column("arrives", "Arrives"),
    Column("state", "State"),
    Column("charges", "Charges", is_figure=True),
    Column("fees", "Fees", is_figure=True),
    Column("refunds", "Refunds", is_figure=True),
    Column("disputes", "Disputes", is_figure=True),
    Column("other", "Other", is_figure=True),
    Column("amount", "Paid out", is_figure=True),
    Column("bank", "At the bank", is_figure=True),
    Column("difference", "Difference", is_figure=True),
)
LINE_COLUMNS: Final = (
    Column("line", "Line"),
    Column("kind", "Kind"),
    Column("amount", "Amount", is_figure=True),
    Column("fee", "Fee", is_figure=True),
    Column("net", "Net", is_figure=True),
    Column("rule", "Booked as"),
    Column("movement", "Movement", is_figure=True),
    Column("for", "For"),
)
EXPORTED: Final = (
    "payout",
    "legal_entity",
    "made",
    "arrives",
    "state",
    "currency",
    "charges",
    "fees",
    "refunds",
    "disputes",
    "other",
    "amount",
    "at_the_bank",
    "difference",
    "unmatched",
)
LINES_EXPORTED: Final = (
    "payout",
    "line",
    "made",
    "kind",
    "source",
    "currency",
    "amount",
    "fee",
    "net",
    "booked_as",
    "movement",
    "booked",
    "documents",
)


class PayoutsPage(Controller):
    """What a provider paid out."""

    path = "/payments/payouts"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def listed(self, page: ThisPage) -> Response[Any]:
        """Show payouts, or hand them out as a file."""
        if kind := page.address.of(FORMAT):
            return exported(page, kind, "payouts", EXPORTED, _all_rows(page))
        read = AddressReading(page)
        with page.console.reading() as connection:
            behind = read.behind()
            found: Sequence[ListedPayout] = ()
            if not read.troubles:
                after = PayoutKey(*behind) if behind else None
                found = _some(page, read, connection, ROWS + 1, after)
            inside = within(page, connection)
        shown = found[:ROWS]
        last = shown[-1] if len(found) > ROWS else None
        listing = Listing(
            caption=page.text("Payouts, the newest first"),
            columns=COLUMNS,
            rows=[_row(page, each, inside) for each in shown],
            address=page.address,
            empty=page.text(
                "No payout was taken: a payment provider pays out by its own calendar, and each is "
                "taken once it is made."
            ),
            next_after=place_of(last.created_at, last.payout_id) if last else "",
            exports=bool(shown),
        )
        status = 400 if read.troubles else 200
        return page.show(
            "payments/payouts.html.j2", status=status, listing=listing, troubles=read.troubles
        )

    @get("/{payout_id:str}", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def shown(self, page: ThisPage, payout_id: FromPath[str]) -> Response[Any]:
        """Show a payout line by line, each with what of ours is behind it; or as a file."""
        if kind := page.address.of(FORMAT):
            rows = _all_lines(page, payout_id)
            return exported(page, kind, "payout-lines", LINES_EXPORTED, rows)
        read = AddressReading(page)
        with page.console.reading() as connection:
            found = _payout_within(page, connection, payout_id)
            behind = read.behind()
            after = PayoutKey(*behind) if behind else None
            lines = payout_lines(connection, payout_id, limit=ROWS + 1, after=after)
            listing = _lines(page, connection, found, lines)
            facts = _facts(page, connection, found)
        return page.show(
            "payments/payout.html.j2",
            status=400 if read.troubles else 200,
            payout=found,
            facts=facts,
            listing=listing,
            troubles=read.troubles,
            movements=payments_link(document=payout_id),
        )


def _payout_within(page: ConsolePage, connection: Connection[Any], payout_id: str) -> ListedPayout:
    found = find_payout(connection, payout_id, page.now)
    if found is None or not page.user.reach(Permission.SEE_BOOKS).covers(found.legal_entity):
        raise NotFoundException(page.text("There is no payout {name}.", name=payout_id[:60]))
    return found


def _some(
    page: ConsolePage,
    read: AddressReading,
    connection: Connection[Any],
    limit: int,
    after: PayoutKey | None,
) -> Sequence[ListedPayout]:
    since, until = read.midnight("from"), read.midnight("to", days=1)
    if read.troubles:
        return ()
    return list_payouts(
        connection,
        page.now,
        since=since,
        until=until,
        limit=limit,
        legal_entities=seen_entities(page),
        after=after,
    )


def _state_cell(page: ConsolePage, each: ListedPayout) -> Cell:
    tone = _TONES.get(each.state, "")
    return Cell(page.text(STATE_WORDS[each.state]), tone=tone)


def _row(page: ConsolePage, each: ListedPayout, inside: WithinReach) -> Sequence[Cell]:
    sums = (each.charges_minor, each.fees_minor, each.refunds_minor, each.disputes_minor)
    more = (each.other_minor, each.amount_minor, each.bank_minor)
    return (
        Cell(each.payout_id, payout_link(each.payout_id), note=each.legal_entity),
        Cell(at=each.created_at, zone=inside.calendar(each.legal_entity)),
        Cell("" if each.arrives_on is None else page.words.language.day(each.arrives_on)),
        _state_cell(page, each),
        *(money_cell(page, minor, each.currency) for minor in (*sums, *more)),
        _difference(page, each),
    )


def _difference(page: ConsolePage, each: ListedPayout) -> Cell:
    tone = "bad" if each.difference_minor else "good"
    return money_cell(page, each.difference_minor, each.currency)._replace(tone=tone)


def _facts(
    page: ConsolePage, connection: Connection[Any], each: ListedPayout
) -> list[tuple[str, Cell]]:
    clock = within(page, connection).calendar(each.legal_entity)
    unmatched = money_cell(page, each.unmatched_minor, each.currency)
    return [
        ("State", _state_cell(page, each)),
        ("Legal entity", Cell(each.legal_entity)),
        ("Made", Cell(at=each.created_at, zone=clock)),
        (
            "Arrives",
            Cell("" if each.arrives_on is None else page.words.language.day(each.arrives_on)),
        ),
        *(
            (title, money_cell(page, minor, each.currency))
            for title, minor in (
                ("Charges", each.charges_minor),
                ("Fees", each.fees_minor),
                ("Refunds", each.refunds_minor),
                ("Disputes", each.disputes_minor),
                ("Other", each.other_minor),
                ("Paid out", each.amount_minor),
                ("At the bank", each.bank_minor),
            )
        ),
        ("Difference", _difference(page, each)),
        ("Unmatched", unmatched._replace(tone="warn" if each.unmatched_minor else "")),
    ]


def _lines(
    page: ConsolePage,
    connection: Connection[Any],
    payout: ListedPayout,
    lines: Sequence[ListedPayoutLine],
) -> Listing:
    shown = lines[:ROWS]
    last = shown[-1] if len(lines) > ROWS else None
    invoices = invoices_among(connection, {name for each in shown for name in each.documents})
    return Listing(
        caption=page.text("Its lines, each with what of ours is behind it"),
        columns=LINE_COLUMNS,
        rows=[_line_row(page, payout, each, invoices) for each in shown],
        address=page.address,
        empty=page.text("There are no further lines."),
        next_after=place_of(last.created_at, last.line_id) if last else "",
        total=page.text("{count} in all", count=payout.lines),
        exports=bool(shown),
    )


def _line_row(
    page: ConsolePage, payout: ListedPayout, each: ListedPayoutLine, invoices: frozenset[str]
) -> Sequence[Cell]:
    document = each.documents[0] if each.documents else ""
    number = "" if each.movement is None else str(each.movement)
    return (
        Cell(each.line_id, note=each.source_id or ""),
        Cell(page.text(each.kind.replace("_", " "))),
        money_cell(page, each.amount_minor, payout.currency),
        money_cell(page, each.fee_minor, payout.currency),
        money_cell(page, each.net_minor, payout.currency),
        Cell(page.text(RULE_WORDS[each.rule]), tone="warn" if each.rule == "unknown" else ""),
        Cell(number, payment_link(number) if number else ""),
        document_cell(document, "", invoices)._replace(note=", ".join(each.documents[1:3])),
    )


def _all_rows(page: ConsolePage) -> Iterator[Cells]:
    """Yield every payout of the filter, as it stands at one moment."""
    with page.console.exporting() as connection:
        read, after = AddressReading(page), None
        while some := _some(page, read, connection, _AT_ONCE, after):
            after = PayoutKey(some[-1].created_at, some[-1].payout_id)
            yield from map(_exported_row, some)
        if read.troubles:
            raise UnreadableListError("; ".join(read.troubles))


def _all_lines(page: ConsolePage, payout_id: str) -> Iterator[Cells]:
    """Yield every line of a payout, as it stands at one moment."""
    with page.console.exporting() as connection:
        payout, after = _payout_within(page, connection, payout_id), None
        while some := payout_lines(connection, payout_id, limit=_AT_ONCE, after=after):
            after = PayoutKey(some[-1].created_at, some[-1].line_id)
            yield from (_exported_line(payout, each) for each in some)


def _exported_line(payout: ListedPayout, each: ListedPayoutLine) -> Cells:
    def amount(minor: int) -> Decimal:
        return money_of_minor(minor, payout.currency).amount

    return (
        payout.payout_id,
        each.line_id,
        each.created_at.astimezone(UTC).isoformat(),
        each.kind,
        each.source_id or "",
        payout.currency,
        *map(amount, (each.amount_minor, each.fee_minor, each.net_minor)),
        each.rule,
        "" if each.movement is None else str(each.movement),
        amount(each.booked_minor),
        " ".join(each.documents),
    )


def _exported_row(each: ListedPayout) -> Cells:
    sums = (each.charges_minor, each.fees_minor, each.refunds_minor, each.disputes_minor)
    more = (each.other_minor, each.amount_minor, each.bank_minor, each.difference_minor)
    return (
        each.payout_id,
        each.legal_entity,
        each.created_at.astimezone(UTC).isoformat(),
        "" if each.arrives_on is None else each.arrives_on.isoformat(),
        each.state,
        each.currency,
        *(
            money_of_minor(minor, each.currency).amount
            for minor in (*sums, *more, each.unmatched_minor)
        ),
    )
