"""A line of the log as it came: the raw frame behind a fact, with its hash and where it stands."""

from __future__ import annotations

from hashlib import sha256
from typing import Annotated

from litestar import Controller, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import PathParameter

from ledger.log.envelope import Frame
from ledger.users.roles import Permission
from projections.console.entry import needs
from projections.console.links import frame_link, station_link
from projections.console.listing import Cell
from projections.console.page import ThisPage
from projections.console.parts.within import WithinReach, within
from projections.log_reading import LoggedLine, as_they_came, describe, read_position

Number = Annotated[int, PathParameter(ge=0, le=2**31 - 1)]
Record = Annotated[int, PathParameter(ge=0, le=2**63 - 1)]


class FramePages(Controller):
    """Lines of the log, one a page."""

    path = "/frames"

    @get(
        "/{partition:int}/{record:int}/{line:int}",
        opt=needs(Permission.SEE_BOOKS),
        sync_to_thread=True,
    )
    def one(self, page: ThisPage, partition: Number, record: Record, line: Number) -> Response[str]:
        """Show a line of a record."""
        spot = f"{partition}/{record}/{line}"
        with page.console.reading() as connection, page.console.desk.reading_log() as log:
            inside = within(page, connection)
            lines = []
            if partition < log.partitions:
                lines = read_position(log, partition, record, None)
            found = [each for each in lines if each.at.line == line and _is_seen(inside, each)]
            if not found:
                message = f"the log has no line {spot}"
                raise NotFoundException(message)
            [opened] = as_they_came(connection, found)
        return page.show(
            "sessions/frame.html.j2",
            spot=spot,
            described=describe(opened.line),
            kind=type(opened.line).__name__,
            facts=_facts(inside, opened),
            text=opened.line.frame if isinstance(opened.line, Frame) else opened.text,
            reply=opened.line.reply if isinstance(opened.line, Frame) else None,
            sha256=_hash_of(opened),
            stored=found[0].text,
            stored_sha256=sha256(found[0].text.encode()).hexdigest(),
            is_erased=isinstance(opened.line, Frame) and bool(opened.line.sealed),
            earlier=frame_link(f"{partition}/{record}/{line - 1}") if line else "",
            later=frame_link(f"{partition}/{record}/{line + 1}") if line + 1 < len(lines) else "",
        )


def _is_seen(inside: WithinReach, logged: LoggedLine) -> bool:
    """Say whether a line is within: a station's by where it stood, any other of who sees all."""
    station = getattr(logged.line, "station", "")
    if inside.stays is None or not station:
        return inside.stays is None
    return inside.has_session(station, logged.line.received_at)


def _hash_of(opened: LoggedLine) -> str:
    text = opened.line.frame if isinstance(opened.line, Frame) else opened.text
    return sha256(text.encode()).hexdigest()


def _facts(inside: WithinReach, opened: LoggedLine) -> list[tuple[str, Cell]]:
    line = opened.line
    station = getattr(line, "station", "")
    zone = inside.zone_at(station, line.received_at)
    pairs = [("Received", Cell(at=line.received_at, zone=zone))]
    if station:
        pairs.append(("Station", Cell(station, station_link(station))))
    if isinstance(line, Frame):
        pairs.append(("Protocol", Cell(line.protocol)))
        pairs.append(
            ("Direction", Cell("→" if line.direction == "in" else "←", note=line.direction))
        )
    return pairs
