"""Past sessions as text: JSON Lines with everything, or CSV with a row a session."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

import msgspec

from tariffs.errors import TariffError
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tariffs.simulate.history import PastSession, Unread

Moment = Annotated[datetime, msgspec.Meta(tz=True)]

CSV_COLUMNS: Final = (
    *("id", "customer", "site", "time_zone", "starts_at", "ends_at", "energy_wh", "parked_from"),
    *("group", "billed_before_taxes", "billed_after_taxes"),
)
_NEEDED: Final = ("id", "time_zone", "starts_at", "ends_at", "energy_wh")


class _Reading(msgspec.Struct, forbid_unknown_fields=True):
    at: Moment
    wh: Decimal
    power_w: Decimal | None = None
    current_a: Decimal | None = None


class _Stretch(msgspec.Struct, forbid_unknown_fields=True, rename={"from_": "from", "is_": "is"}):
    from_: Moment
    is_: Activity


class SessionLine(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One line of JSON: the keys of a session file (YAML), and whose it is and what it cost.

    `energy_wh` alone is a session with readings at its ends only; amounts and energies may be
    texts or numbers, moments need an offset.
    """

    id: str
    starts_at: Moment
    ends_at: Moment
    time_zone: str
    energy_wh: Decimal | None = None
    readings: tuple[_Reading, ...] = ()
    activities: tuple[_Stretch, ...] = ()
    groups: tuple[str, ...] = ()
    validations: tuple[str, ...] = ()
    payment_method: str | None = None
    reverse_charge_vat_id: str | None = None
    reservation_expired: bool = False
    customer: str = ""
    site: str = ""
    billed_before_taxes: Decimal | None = None
    billed_after_taxes: Decimal | None = None

    def past(self) -> PastSession:
        """Return the session that the line describes."""
        return PastSession(
            id=self.id,
            usage=SessionUsage(
                starts_at=self.starts_at,
                ends_at=self.ends_at,
                time_zone=self.time_zone,
                points=tuple(self._points()),
                spans=tuple(UsageSpan(each.from_, each.is_) for each in self.activities),
                groups=self.groups,
                validations=self.validations,
                payment_method=self.payment_method,
                reverse_charge_vat_id=self.reverse_charge_vat_id,
                reservation_expired=self.reservation_expired,
            ),
            customer=self.customer,
            site=self.site,
            billed_before_taxes=self.billed_before_taxes,
            billed_after_taxes=self.billed_after_taxes,
        )

    def _points(self) -> Iterator[UsagePoint]:
        if self.energy_wh is not None and not self.readings:
            yield UsagePoint(self.starts_at, Decimal(0))
            yield UsagePoint(self.ends_at, self.energy_wh)
        for reading in self.readings:
            yield UsagePoint(reading.at, reading.wh, reading.power_w, reading.current_a)


_DECODER: Final = msgspec.json.Decoder(SessionLine)


def read_json_lines(
    lines: Iterable[bytes], source: str
) -> Iterator[tuple[str, PastSession | Unread]]:
    """Yield every session of *lines* with its spot; what cannot be read comes as Unread."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        spot = f"{source}:{number}"
        try:
            yield spot, _DECODER.decode(line).past()
        except (msgspec.DecodeError, InvalidOperation, RecursionError) as error:
            yield spot, Unread(spot, str(error))


def read_csv_lines(lines: Iterable[str], source: str) -> Iterator[tuple[str, PastSession | Unread]]:
    """Yield every session of a CSV file with a heading; readings only at its ends.

    Raises:
        CsvHeadingError: If a column that is needed is missing, or one is unknown.
    """
    rows = csv.reader(lines)
    heading = next(rows, [])
    unknown = sorted(set(heading) - set(CSV_COLUMNS))
    missing = [name for name in _NEEDED if name not in heading]
    if unknown or missing or len(set(heading)) != len(heading):
        raise CsvHeadingError(source, unknown, missing)
    try:
        for row in rows:
            spot = f"{source}:{rows.line_num}"
            if not row:
                continue
            if len(row) != len(heading):
                yield spot, Unread(spot, f"{len(row)} cells under {len(heading)} headings")
                continue
            try:
                yield spot, _of_row(dict(zip(heading, row, strict=True)))
            except (ValueError, InvalidOperation) as error:
                yield spot, Unread(spot, str(error) or "a number cannot be read")
    except csv.Error as error:
        spot = f"{source}:{rows.line_num}"
        yield spot, Unread(spot, str(error))


def _of_row(row: dict[str, str]) -> PastSession:
    starts_at, ends_at = _moment(row["starts_at"]), _moment(row["ends_at"])
    spans = [UsageSpan(starts_at, Activity.CHARGING)]
    if row.get("parked_from"):
        spans.append(UsageSpan(_moment(row["parked_from"]), Activity.PARKING))
    before, after = row.get("billed_before_taxes"), row.get("billed_after_taxes")
    return PastSession(
        id=row["id"],
        usage=SessionUsage(
            starts_at=starts_at,
            ends_at=ends_at,
            time_zone=row["time_zone"],
            points=(
                UsagePoint(starts_at, Decimal(0)),
                UsagePoint(ends_at, Decimal(row["energy_wh"])),
            ),
            spans=tuple(spans),
            groups=(row["group"],) if row.get("group") else (),
        ),
        customer=row.get("customer", ""),
        site=row.get("site", ""),
        billed_before_taxes=Decimal(before) if before else None,
        billed_after_taxes=Decimal(after) if after else None,
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        message = f"{text!r} has no offset from UTC"
        raise ValueError(message)
    return moment


class CsvHeadingError(TariffError):
    """A CSV file whose heading is not that of sessions."""

    def __init__(self, source: str, unknown: list[str], missing: list[str]) -> None:
        parts = [f"unknown columns {', '.join(unknown)}"] if unknown else []
        parts += [f"missing columns {', '.join(missing)}"] if missing else []
        why = "; ".join(parts) or "a column stands there twice"
        super().__init__(f"{source}:1: {why} (known: {', '.join(CSV_COLUMNS)})")
        self.source, self.unknown, self.missing = source, unknown, missing
