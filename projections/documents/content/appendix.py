"""The appendix: how each line came about, down to the readings and the record of the decision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from ledger.invoices.shown import InvoicedSession, InvoiceLine
from projections.documents.content.place import session_place
from projections.documents.content.sheet import Appendix, Grid, Head, Item, SessionAppendix
from projections.documents.content.teller import DASH, Teller
from projections.documents.evidence import SessionEvidence, ShownReading

_ROWS_IN_ALL, _ROWS_MIN, _ROWS_MAX = 1200, 4, 24
_TABLES_MAX: Final = 50
"""Of more sessions than that the readings are a line each: tables would be half the document."""
_TIMES: Final = "\N{MULTIPLICATION SIGN}"
_MICROSECOND: Final = timedelta(microseconds=1)
_MILLI_WH: Final = Decimal("0.001")

Row = tuple[datetime, Decimal, ShownReading | None]
"""A moment, the energy since the start (Wh), the reading that said so; None: interpolated."""


def appendix(
    teller: Teller,
    sessions: Sequence[InvoicedSession],
    lines: dict[str, list[InvoiceLine]],
) -> Appendix:
    """Return the appendix of a document with those *sessions* and their *lines*, by session id."""
    text = teller.language.text
    most = max(_ROWS_MIN, min(_ROWS_MAX, _ROWS_IN_ALL // max(1, len(sessions))))
    return Appendix(
        title=text("How each line came about"),
        opening=_opening(teller, sessions),
        sessions=tuple(
            _of_session(
                teller,
                number,
                session,
                lines[session.session_id],
                most,
                is_brief=len(sessions) > _TABLES_MAX,
            )
            for number, session in enumerate(sessions, 1)
        ),
    )


def _opening(teller: Teller, sessions: Sequence[InvoicedSession]) -> str:
    text = teller.language.text
    said = []
    if not sessions or any(each.elsewhere is None for each in sessions):
        said.append(
            text(
                "Quantities follow from the readings of the meter that the station sent. What lies "
                "between two readings is shared by time."
            )
        )
    if any(each.elsewhere for each in sessions):
        said.append(
            text(
                "Quantities at charging stations of other operators are those of the charge "
                "detail records that these sent us."
            )
        )
    return " ".join(said)


def _of_session(
    teller: Teller,
    number: int,
    session: InvoicedSession,
    lines: Sequence[InvoiceLine],
    most: int,
    *,
    is_brief: bool,
) -> SessionAppendix:
    text = teller.language.text
    evidence = teller.evidence.sessions.get(session.session_id)
    remarks, readings = [], None
    told_as = [_line(teller, line) for line in lines]
    if session.elsewhere is not None:
        pass  # nobody but its operator has readings of it
    elif evidence is None:
        remarks.append(text("The readings are not at hand, so neither they nor a curve are shown."))
    elif not evidence.readings:
        remarks.append(text("There are no readings of this session."))
    else:
        rows = _chosen(_rows(evidence.readings, lines), lines, most)
        cells = _cells(teller, rows, session.starts_at)
        if is_brief:
            told_as.append(Item(text("Readings"), "; ".join(map(_in_a_line, cells))))
        else:
            readings = _grid(teller, cells)
        told = sum(reading is not None for _, _, reading in rows)
        if told < evidence.readings_count:
            remarks.append(
                text(
                    "{shown} of {count} readings are shown.",
                    shown=str(told),
                    count=str(evidence.readings_count),
                )
            )
    return SessionAppendix(
        title=f"{number} · {session_place(teller, session)}",
        items=tuple(_inputs(teller, session, evidence)),
        lines=tuple(told_as),
        readings=readings,
        remarks=tuple(remarks),
    )


def _inputs(
    teller: Teller, session: InvoicedSession, evidence: SessionEvidence | None
) -> Iterator[Item]:
    text = teller.language.text
    yield Item(text("Session"), session.session_id)
    elsewhere = session.elsewhere
    if elsewhere is None or elsewhere.mark_up_percent is None:
        yield Item(text("Tariff"), f"{session.tariff_id} ({session.tariff_hash})")
    revision = text("revision {number}", number=str(session.revision))
    yield Item(text("Rating"), f"{session.rating_sha256} ({revision})")
    if evidence is None:
        return
    yield Item(text("Record of the log"), evidence.record)
    if elsewhere is not None:
        stands = f"{evidence.record.partition('/')[0]}/{elsewhere.position}/{elsewhere.line}"
        yield Item(text("Charge detail record"), f"{elsewhere.cdr_id} ({stands})")
    for each in evidence.signed:
        yield Item(text("Signed meter data"), f"{each.record} ({each.sha256})")


def _line(teller: Teller, line: InvoiceLine) -> Item:
    """Return how a line was reckoned: its time, quantity, price, and every reason in full."""
    language = teller.language
    label = language.text("Line {line}", line=str(line.line))
    parts = [
        language.words(line.said),
        teller.span(line.starts_at, line.ends_at, seconds=True),
        f"{teller.quantity(line)} {_TIMES} {teller.price(line)}",
        *map(language.words, line.codes),
    ]
    return Item(label, "; ".join(parts))


def _rows(readings: Sequence[ShownReading], lines: Sequence[InvoiceLine]) -> list[Row]:
    """Return readings and, between them, what energy the borders of lines were given."""
    rows: dict[datetime, Row] = {each.at: (each.at, each.energy_wh, each) for each in readings}
    first, last = readings[0].at, readings[-1].at
    for border in {at for line in lines for at in (line.starts_at, line.ends_at)}:
        if border not in rows and first < border < last:
            rows[border] = (border, energy_at(readings, border), None)
    return [rows[at] for at in sorted(rows)]


def _chosen(rows: list[Row], lines: Sequence[InvoiceLine], most: int) -> list[Row]:
    """Return at most about *most* rows: the ends, the lines' borders, and others evenly.

    What was interpolated stands between the readings that it was taken from.
    """
    if len(rows) <= most:
        return rows
    between = {index for index, (_, _, reading) in enumerate(rows) if reading is None}
    kept = {0, len(rows) - 1} | {index + side for index in between for side in (-1, 0, 1)}
    borders = {at for line in lines for at in (line.starts_at, line.ends_at)}
    step = -(-len(rows) // most)
    return [
        row
        for index, row in enumerate(rows)
        if index in kept or row[0] in borders or index % step == 0
    ]


def _cells(teller: Teller, rows: Sequence[Row], starts_at: datetime) -> list[tuple[str, ...]]:
    """Return of each row the moment, the register, the energy, and the record that says so."""
    language, local = teller.language, starts_at.tzinfo
    return [
        (
            language.moment(at.astimezone(local), seconds=True),
            _register(teller, reading),
            teller.energy(energy_wh),
            reading.record if reading else language.text("interpolated"),
        )
        for at, energy_wh, reading in rows
    ]


def _in_a_line(cells: tuple[str, ...]) -> str:
    moment, register, energy, record = cells
    return f"{moment}: {register}, {energy} ({record})"


def _grid(teller: Teller, cells: Sequence[tuple[str, ...]]) -> Grid:
    text = teller.language.text
    return Grid(
        title=text("Readings"),
        heads=(
            Head(text("Time")),
            Head(text("Register"), is_figure=True),
            Head(text("Energy since the start"), is_figure=True),
            Head(text("Record of the log")),
        ),
        rows=tuple(cells),
    )


def _register(teller: Teller, reading: ShownReading | None) -> str:
    if reading is None or reading.register_wh is None:
        return DASH
    return teller.energy(reading.register_wh)


def energy_at(readings: Sequence[ShownReading], at: datetime) -> Decimal:
    """Return the energy (Wh) since the start at a moment between two readings, shared by time."""
    for earlier, later in pairwise(readings):
        if earlier.at <= at <= later.at and later.at > earlier.at:
            share = Decimal((at - earlier.at) // _MICROSECOND) / Decimal(
                (later.at - earlier.at) // _MICROSECOND
            )
            return earlier.energy_wh + ((later.energy_wh - earlier.energy_wh) * share).quantize(
                _MILLI_WH
            )
    return readings[-1].energy_wh
