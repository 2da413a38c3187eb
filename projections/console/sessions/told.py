"""What a station told of a session: fact by fact with its frame, and as a curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final, TypeVar

from litestar.exceptions import ValidationException
from psycopg import Connection

from ledger.log.event_log import Position
from ledger.rating.decisions import SessionRated
from ledger.sessions.session import ChargingSession
from projections.audit.raw_frames import RawFrame, read_frames
from projections.console.links import frame_link
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.console.parts.curve import Curve, CurvePoint, CurveWindow, curve_of
from projections.console.sentences import code_words
from projections.console.sessions.words_of_sessions import kwh
from projections.finding.heard import HeardFact, HeardPage
from tariffs.model.tariff import Dimension

T = TypeVar("T")

FACTS_PAGE: Final = 40
READINGS_SHOWN: Final = 60
_FACTS_AFTER: Final = "facts"
_FACT_COLUMNS: Final = (
    Column("received", "Received"),
    Column("occurred", "By the station's clock"),
    Column("kind", "What it tells"),
    Column("register", "Register", is_figure=True),
    Column("oddities", "Odd"),
    Column("frame", "Raw frame"),
)
_FACT_KINDS: Final[Mapping[str, str]] = {
    "started": "start",
    "updated": "readings",
    "ended": "stop",
    "attested": "stop, as a person says",
    "queue": "what it still holds",
    "price_told": "price told to it",
    "payment": "payment",
    "set_aside": "set aside",
}


def facts_after(page: ConsolePage) -> int:
    """Return behind which position of the log the facts of a page are.

    Raises:
        ValidationException: If the address was not made here.
    """
    text = page.address.of(_FACTS_AFTER)
    if not text:
        return -1
    if not (text.isascii() and text.isdigit() and len(text) < len(str(2**63))):
        message = f"{_FACTS_AFTER}: {text!r} is no place in the log"
        raise ValidationException(message)
    return int(text)


def _frames(
    page: ConsolePage, connection: Connection[Any], facts: Sequence[HeardFact]
) -> Mapping[str, RawFrame]:
    wanted = [Position(*map(int, each.spot.split("/"))) for each in facts]
    with page.console.desk.reading_log() as log:
        found = read_frames(connection, log, wanted)
    return {str(at): frame for at, frame in found.items()}


def told_listing(
    page: ConsolePage,
    connection: Connection[Any],
    heard: HeardPage,
    folded: ChargingSession | None,
    zone: tzinfo,
) -> Listing:
    """Return the facts of a page, each with its raw frame and that one's hash."""
    frames = _frames(page, connection, heard.facts)
    used = {f"{position}/{line}" for position, line in folded.frames} if folded else set()
    rows = []
    for each in heard.facts:
        frame = frames.get(each.spot)
        is_used = each.spot.partition("/")[2] in used
        register = "" if each.register_wh is None else kwh(page, each.register_wh)
        rows.append(
            [
                Cell(at=each.received_at, zone=zone),
                Cell("" if each.occurred_at is None else _local(page, each, zone)),
                Cell(
                    page.text(_FACT_KINDS.get(each.kind, each.kind)),
                    note="" if is_used else page.text("not a part of it"),
                ),
                Cell(register),
                Cell(" ".join(code_words(page.words, odd) for odd in each.oddities)),
                Cell(each.spot, frame_link(each.spot), frame.sha256[:16] if frame else ""),
            ]
        )
    return Listing(
        caption=page.text("What its station told, in the order in which it came"),
        columns=_FACT_COLUMNS,
        rows=rows,
        address=page.address,
        empty=page.text("Nothing is known of what its station told."),
    )


def _local(page: ConsolePage, fact: HeardFact, zone: tzinfo) -> str:
    at = fact.occurred_at
    assert at is not None
    # A time without a zone is the station's clock as it came.
    return page.moment(at, zone, seconds=True) if at.tzinfo else at.isoformat(" ")


def session_curve(folded: ChargingSession | None, rated: SessionRated | None) -> Curve | None:
    """Return the power of a session between its readings, in the windows of its prices."""
    if folded is None:
        return None
    points = [CurvePoint(each.at, each.energy_wh) for each in folded.points]
    windows = [
        CurveWindow(each.starts_at, each.ends_at, each.element_name or "")
        for each in (rated.lines if rated else ())
        if each.dimension is Dimension.ENERGY and not each.is_tax
    ]
    return curve_of(_thinned(points), windows)


def next_facts(page: ConsolePage, heard: HeardPage) -> str:
    """Return where later facts are, "" where there are none."""
    return "" if heard.next_after is None else page.address.with_(facts=str(heard.next_after))


def readings_listing(
    page: ConsolePage, folded: ChargingSession | None, heard: HeardPage, zone: tzinfo
) -> Listing | None:
    """Return the readings behind the curve; None where there are none."""
    if folded is None or not folded.points:
        return None
    columns = (
        Column("at", "At"),
        Column("register", "Register", is_figure=True),
        Column("energy", "Since the start", is_figure=True),
        Column("frame", "Raw frame"),
    )
    partition = heard.facts[0].spot.partition("/")[0] if heard.facts else ""
    rows = [
        [
            Cell(at=each.at, zone=zone),
            Cell(page.text("derived") if each.register_wh is None else kwh(page, each.register_wh)),
            Cell(kwh(page, each.energy_wh)),
            _frame_cell(partition, each.position, each.line),
        ]
        for each in _thinned(folded.points)
    ]
    total = page.text(
        "{shown} of {count} readings that count", shown=len(rows), count=len(folded.points)
    )
    return Listing(page.text("Readings"), columns, rows, page.address, "", total=total)


def _frame_cell(partition: str, position: int, line: int) -> Cell:
    spot = f"{partition}/{position}/{line}"
    return Cell(spot, frame_link(spot)) if partition else Cell("")


def _thinned(items: Sequence[T]) -> Sequence[T]:
    """Return some of many, spread evenly, the first and the last always among them."""
    count = len(items)
    if count <= READINGS_SHOWN:
        return items
    last = READINGS_SHOWN - 1
    return [items[place * (count - 1) // last] for place in range(READINGS_SHOWN)]
