"""The search: what is named whole is opened, what may be meant is listed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from litestar import Controller, Response, get
from litestar.exceptions import ValidationException

from ledger.declared.declarations import Declarations
from ledger.users.roles import Permission
from projections.console.addresses import AFTER
from projections.console.entry import ANY_USER
from projections.console.links import (
    bank_line_link,
    customer_link,
    frame_link,
    invoice_link,
    payment_link,
    payout_link,
    session_link,
    station_link,
)
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage, ThisPage
from projections.finding.anything import HITS_MAX, NAMES_LOOKED_AT, Hit, Sight, find_anything
from projections.finding.frames import LINES_LOOKED_AT, find_frames, may_name_frames
from projections.finding.stays import stays_within
from projections.log_reading import LoggedLine, parse_position, read_position
from projections.stations.within import stations_within

SHOWN_MAX: Final = 200
"""Characters of what is searched for."""
_BETWEEN: Final = "."
_ENDS: Final = re.compile(r"\d{1,18}(\.\d{1,18}){0,999}", re.ASCII)
_POSITION: Final = re.compile(r"\d{1,9}/\d{1,18}(/\d{1,9})?")
KIND_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "invoice": "Invoice",
        "credit_note": "Credit note",
        "session": "Session",
        "station": "Station",
        "customer": "Customer",
        "token": "Customer of this token",
        "frame": "Frame",
        "payment": "Payment",
        "payout": "Payout",
        "bank_line": "Bank line",
    }
)
_ADDRESSES: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "invoice": invoice_link,
        "credit_note": invoice_link,
        "session": session_link,
        "station": station_link,
        "customer": customer_link,
        "token": customer_link,
        "frame": frame_link,
        "payment": payment_link,
        "payout": payout_link,
        "bank_line": bank_line_link,
    }
)
_COLUMNS: Final[Sequence[Column]] = (
    Column("kind", "What it is"),
    Column("found", "Found"),
    Column("note", "Where, or whose"),
)


class SearchController(Controller):
    """Where the field on top of every page leads."""

    path = "/search"
    include_in_schema = False

    @get("/", opt=ANY_USER, sync_to_thread=True)
    def search(self, page: ThisPage) -> Response[Any]:
        """Open what is named, or list what may be meant; only what this person may see."""
        text = page.address.of("q")[:SHOWN_MAX]
        with page.console.reading() as connection:
            sight = _sight(page, page.console.newest.of(connection))
            before = page.address.of(AFTER)
            found = [] if before else find_anything(connection, text, sight)
        found += [] if before else _frames(page, text, sight)
        older = ""
        if not found:
            found, older = _bearing(page, text, sight)
        whole = [each for each in found if each.is_exact]
        if len(whole) == 1:
            return page.go(_ADDRESSES[whole[0].kind](whole[0].key))
        return page.show(
            "searching/found.html.j2",
            text=text,
            listing=_listing(page, text, found)._replace(next_after=older),
            lines=page.words.language.number(Decimal(LINES_LOOKED_AT)),
            looked_for=_looked_for(page, sight) if text and not found else (),
            names=NAMES_LOOKED_AT,
        )


ROUTES: Final[Sequence[type[Controller]]] = (SearchController,)


def _sight(page: ConsolePage, declared: Declarations) -> Sight:
    books, fleet = (page.user.reach(each) for each in (Permission.SEE_BOOKS, Permission.SEE_FLEET))
    return Sight(
        declared=declared,
        now=page.now,
        sees_books=bool(books),
        stays=stays_within(declared, books),
        entities=None if books.is_everywhere else sorted(books.legal_entities),
        stations=stations_within(declared, fleet, page.now) if fleet else {},
    )


def _frames(page: ConsolePage, text: str, sight: Sight) -> list[Hit]:
    """Return the line of the log at a position, or the first of a record."""
    if not sight.sees_books or not _POSITION.fullmatch(text):
        return []
    partition, position, line = parse_position(text)
    with page.console.desk.reading_log() as log:
        if partition >= log.partitions:
            return []
        found = read_position(log, partition, position, line)
    return _hits(found, sight)[:1]


def _bearing(page: ConsolePage, text: str, sight: Sight) -> tuple[list[Hit], str]:
    """Return lines of the log by a hash that pages show of them, or by a message's id.

    And where the next page goes on with older ones; "": nowhere, or it need not.
    """
    if not sight.sees_books or not may_name_frames(text):
        return [], ""
    with page.console.reading() as connection, page.console.desk.reading_log() as log:
        before = _ends_in(page, log.partitions)
        found = find_frames(connection, log, text, before=before)
    hits = _hits(found.lines, sight)[:HITS_MAX]
    goes_on = found.ends is not None and not hits
    return hits, _BETWEEN.join(map(str, found.ends or ())) if goes_on else ""


def _ends_in(page: ConsolePage, partitions: int) -> Sequence[int] | None:
    """Return before which position of each partition is looked; None: from the newest on.

    Raises:
        ValidationException: If the address says it otherwise than such a page does.
    """
    said = page.address.of(AFTER)
    if not said:
        return None
    if not _ENDS.fullmatch(said) or said.count(_BETWEEN) + 1 != partitions:
        message = page.text("{value} is no place in this list: begin at its first page", value=said)
        raise ValidationException(message)
    return [int(each) for each in said.split(_BETWEEN)]


def _hits(lines: Iterable[LoggedLine], sight: Sight) -> list[Hit]:
    found = []
    for logged in lines:
        at = getattr(logged.line, "received_at", None)
        station = getattr(logged.line, "station", "")
        if sight.stays is None or (station and at and sight.stays.has(station, at)):
            spot = str(logged.at)
            found.append(Hit("frame", spot, spot, station, is_exact=True))
    return found


def _looked_for(page: ConsolePage, sight: Sight) -> list[str]:
    """Return what was looked for, of what this person may see."""
    said = []
    if sight.sees_books:
        lines = page.words.language.number(Decimal(LINES_LOOKED_AT))
        said = [
            page.text("an invoice or credit note by its number or hash"),
            page.text("a session by its id"),
            page.text("a customer by its key or name"),
            page.text("a driver's token"),
            page.text(
                "a frame by its position, and by its hash or message id among the newest {lines}",
                lines=lines,
            ),
        ]
    return [page.text("a station by its id"), *said] if sight.stations else said


def _listing(page: ConsolePage, text: str, found: Sequence[Hit]) -> Listing:
    empty = page.text(
        "Nothing is named so. Write a number, an id or a token as it stands elsewhere; of numbers, "
        "sessions and customers the beginning is enough."
    )
    if not text:
        empty = page.text("Write what you look for into the field above; the key / leads there.")
    return Listing(
        caption=page.text("What may be meant"),
        columns=_COLUMNS,
        rows=[
            (
                Cell(page.text(KIND_WORDS[each.kind])),
                Cell(each.text, _ADDRESSES[each.kind](each.key)),
                Cell(each.note),
            )
            for each in found
        ],
        address=page.address,
        empty=empty,
    )
