"""The list "Unmatched money": what nobody knows what it is for, filtered, with what it may be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from litestar import Controller, Response, get
from psycopg import Connection

from ledger.payments.bank.proposals import MatchProposal, with_proposals
from ledger.payments.movement import BANK
from ledger.users.roles import Permission
from projections.console.addresses import FORMAT
from projections.console.entry import needs
from projections.console.exports.exporting import Cells
from projections.console.links import bank_line_link, payment_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.console.parts.money_words import MOVEMENT_WORDS, WAIT_WORDS
from projections.console.payments.cells import day_cell, money_cell
from projections.console.payments.reading import (
    AddressReading,
    UnreadableListError,
    exported,
    place_of,
)
from projections.payments.unmatched_list import (
    SUMMED_MAX,
    UnmatchedKey,
    UnmatchedMoney,
    UnmatchedPlace,
    UnmatchedRows,
    UnmatchedSum,
    UnmatchedWish,
    all_unmatched,
    unmatched_page,
    unmatched_places,
    unmatched_sums,
)
from tariffs.quantities import money_of_minor

ROWS: Final = 50
_CANDIDATES_SHOWN: Final = 2
_DAY: Final = timedelta(days=1)
COLUMNS: Final = (
    Column("what", "Line or movement"),
    Column("day", "Day"),
    Column("amount", "Unmatched", is_figure=True),
    Column("says", "What it says"),
    Column("why", "Why it waits"),
    Column("may", "May be for"),
)
SUM_COLUMNS: Final = (
    Column("currency", "Currency"),
    Column("count", "How many", is_figure=True),
    Column("came", "Came", is_figure=True),
    Column("went", "Went, or is missing", is_figure=True),
)
WAYS: Final[Mapping[str, bool]] = {"in": True, "out": False}
PROPOSED_WORDS: Final[Mapping[str, str]] = {
    "named": "its number is named",
    "alike": "something alike is named",
    "amount": "a payout of this amount",
    "open": "just so much is open",
}
"""By its reason why something may be meant, in English."""
EXPORTED: Final = (
    "what",
    "kind",
    "day",
    "source",
    "legal_entity",
    "currency",
    "amount",
    "unmatched",
    "reason",
    "why",
    "other_side",
    "says",
)


class UnmatchedFilter(NamedTuple):
    """What is to be listed; `troubles`: what of the address cannot be read, in words."""

    wish: UnmatchedWish
    behind: UnmatchedKey | None
    troubles: Sequence[str]


class UnmatchedPage(Controller):
    """What nobody knows what it is for."""

    path = "/payments/unmatched"

    @get("/", opt=needs(Permission.SEE_BOOKS), sync_to_thread=True)
    def listed(self, page: ThisPage) -> Response[Any]:
        """Show what a filter leaves, or hand it out as a file."""
        if kind := page.address.of(FORMAT):
            return exported(page, kind, "unmatched", EXPORTED, _all_rows(page))
        with page.console.reading() as connection:
            places = unmatched_places(connection, seen_entities(page))
            wanted = filter_of(page, places)
            found, sums = UnmatchedRows((), None), None
            may: Mapping[str, Sequence[MatchProposal]] = {}
            if not wanted.troubles:
                found = unmatched_page(connection, wanted.wish, limit=ROWS, after=wanted.behind)
                sums = unmatched_sums(
                    connection, wanted.wish, is_whole=page.address.of("sums") == "all"
                )
                may = _candidates(page, connection, found.rows)
        return page.show(
            "payments/unmatched.html.j2",
            status=400 if wanted.troubles else 200,
            listing=_listing(page, found, may),
            is_cut=found.is_cut,
            sums=None if sums is None else _sums(page, sums),
            summed_max=SUMMED_MAX,
            is_text=bool(wanted.wish.text),
            troubles=wanted.troubles,
            **_choices(page, places),
        )


def seen_entities(page: ConsolePage) -> Sequence[str] | None:
    """Return whose money this person sees; None: of all legal entities."""
    reach = page.user.reach(Permission.SEE_BOOKS)
    return None if reach.is_everywhere else sorted(reach.legal_entities)


def filter_of(page: ConsolePage, places: Sequence[UnmatchedPlace]) -> UnmatchedFilter:
    """Return what *page* asks for, cut to who asks; *places*: where anything lies."""
    read = AddressReading(page)
    currency = read.said("currency")
    least, most = read.amounts(currency, sorted({each.currency for each in places}))
    way, behind = read.one_of("way", WAYS), read.behind()
    wish = UnmatchedWish(
        legal_entities=seen_entities(page),
        legal_entity=read.said("entity"),
        source=read.said("source"),
        currency=currency,
        until=read.waited("days"),
        is_in=None if way is None else WAYS[way],
        least_minor=least,
        most_minor=most,
        text=page.address.of("text"),
    )
    return UnmatchedFilter(wish, UnmatchedKey(*behind) if behind else None, read.troubles)


def _choices(page: ConsolePage, places: Sequence[UnmatchedPlace]) -> dict[str, Any]:
    everything = [("", page.text("All"))]
    return {
        "sources": [
            *everything,
            ("bank", page.text("Banks")),
            ("provider", page.text("Payment providers")),
            *((each, each) for each in sorted({each.source for each in places})),
        ],
        "entities": [
            *everything,
            *((each, each) for each in sorted({each.legal_entity for each in places})),
        ],
        "currencies": [
            *everything,
            *((each, each) for each in sorted({each.currency for each in places})),
        ],
        "ways": [*everything, ("in", page.text("Came")), ("out", page.text("Went, or is missing"))],
    }


def _candidates(
    page: ConsolePage, connection: Connection[Any], rows: Sequence[UnmatchedMoney]
) -> Mapping[str, Sequence[MatchProposal]]:
    declared = page.console.newest.of(connection)
    lines = [each.line for each in rows if each.line is not None]
    found = with_proposals(connection, declared, lines) if lines else []
    return {each.line.line: each.proposals for each in found}


def _listing(
    page: ConsolePage, found: UnmatchedRows, may: Mapping[str, Sequence[MatchProposal]]
) -> Listing:
    return Listing(
        caption=page.text("Unmatched money, the oldest first"),
        columns=COLUMNS,
        rows=[_row(page, each, may.get(each.key, ())) for each in found.rows],
        address=page.address,
        empty=page.text(
            "Nothing of this waits: of all money it is known what it is for. Take a part of the "
            "filter away, or import the bank's next statement."
        ),
        next_after=place_of(*found.behind) if found.behind else "",
        exports=bool(found.rows),
    )


def _row(page: ConsolePage, each: UnmatchedMoney, may: Sequence[MatchProposal]) -> Sequence[Cell]:
    amount = money_cell(page, each.left_minor, each.currency)
    if each.left_minor != each.amount_minor and each.number is None:
        whole = page.words.language.money(each.amount_minor, each.currency)
        amount = amount._replace(note=page.text("of {amount}", amount=whole))
    days = (page.now - each.at) // _DAY
    age = page.text("{days} days", days=days) if days != 1 else page.text("1 day")
    return (
        Cell(each.key, _where(each), note=f"{each.source}, {each.legal_entity}"),
        day_cell(page, each.at)._replace(note=age),
        amount._replace(tone="warn"),
        _says(page, each),
        Cell(why_words(page, each.why)),
        _may(page, each, may),
    )


def _where(each: UnmatchedMoney) -> str:
    return bank_line_link(each.key) if each.number is None else payment_link(each.number)


def _says(page: ConsolePage, each: UnmatchedMoney) -> Cell:
    if each.number is not None:
        return Cell(each.about)
    if each.details is None:
        return Cell(page.text("The payer was erased."))
    return Cell(each.details.payer, note=" / ".join(each.details.written()))


def why_words(page: ConsolePage, why: str) -> str:
    """Return why a line waits, or what a movement is."""
    if why in WAIT_WORDS:
        return page.text(WAIT_WORDS[why])
    return page.text(MOVEMENT_WORDS[why]) if why in MOVEMENT_WORDS else why.replace("_", " ")


def _may(page: ConsolePage, each: UnmatchedMoney, may: Sequence[MatchProposal]) -> Cell:
    shown = [
        f"{one.document} ({page.text(PROPOSED_WORDS[one.why])})" for one in may[:_CANDIDATES_SHOWN]
    ]
    more = len(may) - len(shown)
    note = page.text("and {count} more", count=more) if more > 0 else ""
    return Cell(", ".join(shown), _where(each) if shown else "", note=note)


def _sums(page: ConsolePage, sums: Sequence[UnmatchedSum]) -> Listing:
    number = page.words.language.number
    return Listing(
        caption=page.text("Total of this filter"),
        columns=SUM_COLUMNS,
        rows=[
            (
                Cell(each.currency, page.address.with_(currency=each.currency)),
                Cell(number(Decimal(each.rows)), page.address.with_(currency=each.currency)),
                money_cell(page, each.in_minor, each.currency),
                money_cell(page, each.out_minor, each.currency),
            )
            for each in sums
        ],
        address=page.address,
        empty="",
    )


def _all_rows(page: ConsolePage) -> Iterator[Cells]:
    """Yield all of the filter, as it stands at one moment."""
    with page.console.exporting() as connection:
        wanted = filter_of(page, unmatched_places(connection, seen_entities(page)))
        if wanted.troubles:
            raise UnreadableListError("; ".join(wanted.troubles))
        for each in all_unmatched(connection, wanted.wish):
            yield _exported_row(page, each)


def _exported_row(page: ConsolePage, each: UnmatchedMoney) -> Cells:
    said = (each.about,) if each.details is None else each.details.written()
    at: datetime = each.at.astimezone(UTC)
    return (
        each.key,
        "provider" if each.number is not None else BANK.rstrip(":"),
        at.date().isoformat(),
        each.source,
        each.legal_entity,
        each.currency,
        money_of_minor(each.amount_minor, each.currency).amount,
        money_of_minor(each.left_minor, each.currency).amount,
        each.why,
        why_words(page, each.why),
        "" if each.details is None else each.details.payer,
        " / ".join(said),
    )
