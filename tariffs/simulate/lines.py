"""Past sessions as text: JSON Lines with everything, CSV with a row a session, YAML with one."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, TypeVar

import msgspec

from tariffs.errors import TariffError
from tariffs.files.session_file import NO_ENERGY, read_session_file
from tariffs.files.yaml.fields import amount_of, moment_of_text
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tariffs.quantities import BadNumberError, read_number
from tariffs.simulate.history import PastSession, Unread

_T = TypeVar("_T")
Moment = Annotated[datetime, msgspec.Meta(tz=True)]

CSV_COLUMNS: Final = (
    *("id", "customer", "site", "time_zone", "starts_at", "ends_at", "energy_wh", "parked_from"),
    *("group", "billed_before_taxes", "billed_after_taxes"),
)
_NEEDED: Final = ("id", "time_zone", "starts_at", "ends_at", "energy_wh")


# As it stands in the file: what decodes decimals reads 1_000 and digits of other scripts, too.
Number = msgspec.Raw
_NONE: Final = msgspec.Raw(b"null")


class _Reading(msgspec.Struct, forbid_unknown_fields=True):
    at: Moment
    wh: Number
    power_w: Number = _NONE
    current_a: Number = _NONE


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
    energy_wh: Number = _NONE
    readings: tuple[_Reading, ...] = ()
    activities: tuple[_Stretch, ...] = ()
    groups: tuple[str, ...] = ()
    validations: tuple[str, ...] = ()
    payment_method: str | None = None
    reverse_charge_vat_id: str | None = None
    reservation_expired: bool = False
    customer: str = ""
    site: str = ""
    billed_before_taxes: Number = _NONE
    billed_after_taxes: Number = _NONE

    def past(self) -> PastSession:
        """Return the session that the line describes.

        Raises:
            ValueError: With a sentence that names the key.
        """
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
            billed_before_taxes=_number("billed_before_taxes", self.billed_before_taxes),
            billed_after_taxes=_number("billed_after_taxes", self.billed_after_taxes),
        )

    def _points(self) -> Iterator[UsagePoint]:
        energy = _amount("energy_wh", self.energy_wh)
        if energy is None and not self.readings and not self.reservation_expired:
            raise ValueError(NO_ENERGY)
        if energy is not None and self.readings:
            message = "say either energy_wh or readings"
            raise ValueError(message)
        if energy is not None:
            yield UsagePoint(self.starts_at, Decimal(0))
            yield UsagePoint(self.ends_at, energy)
        for index, reading in enumerate(self.readings):
            key = f"readings[{index}]"
            wh = _amount(f"{key}.wh", reading.wh)
            if wh is None:
                message = f"{key}.wh has no value"
                raise ValueError(message)
            power = _amount(f"{key}.power_w", reading.power_w)
            yield UsagePoint(reading.at, wh, power, _amount(f"{key}.current_a", reading.current_a))


def _number(key: str, raw: Number) -> Decimal | None:
    """Return the number of a key of JSON, a number or a text; None where it is null."""
    value = bytes(raw)
    if value == b"null":
        return None
    try:
        text = msgspec.json.decode(value, type=str) if value[:1] == b'"' else value.decode()
        return read_number(text)
    except (BadNumberError, msgspec.DecodeError) as error:
        message = f"{key}: {error}"
        raise ValueError(message) from None


def _amount(key: str, raw: Number) -> Decimal | None:
    """Return the number of a key that cannot be negative."""
    number = _number(key, raw)
    if number is not None and number < 0:
        message = f"{key}: {number:f} is negative"
        raise ValueError(message)
    return number


_DECODER: Final = msgspec.json.Decoder(SessionLine)


class _Ids:
    """The ids that were read, each with where it first stood."""

    def __init__(self) -> None:
        self._lines: dict[str, int] = {}

    def check(self, identity: str, line: int) -> None:
        """Refuse an id that is empty, or that an earlier session has.

        Raises:
            ValueError: With the sentence.
        """
        if not identity.strip():
            message = "id has no value"
            raise ValueError(message)
        first = self._lines.setdefault(identity, line)
        if first != line:
            message = f"id: {identity!r} stands here again; it is already on line {first}"
            raise ValueError(message)


def read_json_lines(
    lines: Iterable[bytes], source: str
) -> Iterator[tuple[str, PastSession | Unread]]:
    """Yield every session of *lines* with its spot; what cannot be read comes as Unread."""
    ids = _Ids()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        spot = f"{source}:{number}"
        try:
            past = _DECODER.decode(line).past()
            ids.check(past.id, number)
            yield spot, past
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            yield spot, Unread(spot, str(error))


def read_csv_lines(lines: Iterable[str], source: str) -> Iterator[tuple[str, PastSession | Unread]]:
    """Yield every session of a CSV file with a heading; readings only at its ends.

    Raises:
        CsvHeadingError: If a column that is needed is missing, or one is unknown.
    """
    rows = csv.reader(lines)
    try:
        heading = next(rows, [])
    except csv.Error as error:
        raise CsvHeadingError(source, [str(error)], []) from None
    unknown = sorted(set(heading) - set(CSV_COLUMNS))
    missing = [name for name in _NEEDED if name not in heading]
    if unknown or missing or len(set(heading)) != len(heading):
        raise CsvHeadingError(source, unknown, missing)
    ids = _Ids()
    try:
        for row in rows:
            spot = f"{source}:{rows.line_num}"
            if not row:
                continue
            if len(row) != len(heading):
                yield spot, Unread(spot, f"{len(row)} cells under {len(heading)} headings")
                continue
            try:
                past = _Cells(dict(zip(heading, row, strict=True))).past()
                ids.check(past.id, rows.line_num)
                yield spot, past
            except ValueError as error:
                yield spot, Unread(spot, str(error))
    except csv.Error as error:
        spot = f"{source}:{rows.line_num}"
        yield spot, Unread(spot, str(error))


class _Cells:
    """One row of a CSV file by heading; each refusal is a ValueError that names the column."""

    def __init__(self, cells: dict[str, str]) -> None:
        self._cells = cells

    def past(self) -> PastSession:
        """Return the session of the row."""
        starts_at, ends_at = self._moment("starts_at"), self._moment("ends_at")
        energy = self._read("energy_wh", amount_of)
        spans = [UsageSpan(starts_at, Activity.CHARGING)]
        if self._cells.get("parked_from"):
            spans.append(UsageSpan(self._moment("parked_from"), Activity.PARKING))
        group = self._cells.get("group")
        return PastSession(
            id=self._cells["id"],
            usage=SessionUsage(
                starts_at=starts_at,
                ends_at=ends_at,
                time_zone=self._cells["time_zone"],
                points=(UsagePoint(starts_at, Decimal(0)), UsagePoint(ends_at, energy)),
                spans=tuple(spans),
                groups=(group,) if group else (),
            ),
            customer=self._cells.get("customer", ""),
            site=self._cells.get("site", ""),
            billed_before_taxes=self._billed("billed_before_taxes"),
            billed_after_taxes=self._billed("billed_after_taxes"),
        )

    def _moment(self, column: str) -> datetime:
        return self._read(column, moment_of_text)

    def _billed(self, column: str) -> Decimal | None:
        # A session may have been credited: what was billed may be negative.
        return self._read(column, read_number) if self._cells.get(column) else None

    def _read(self, column: str, reader: Callable[[str], _T]) -> _T:
        text = self._cells[column].strip()
        if not text:
            message = f"{column} has no value"
            raise ValueError(message)
        try:
            return reader(text)
        except (ValueError, BadNumberError) as error:
            message = f"{column}: {error}"
            raise ValueError(message) from None


def read_yaml_session(
    text: str, source: str, identity: str
) -> Iterator[tuple[str, PastSession | Unread]]:
    """Yield the one session of a session file, or each of its problems as Unread."""
    usage, problems = read_session_file(text, source)
    for problem in problems:
        spot = f"{source}:{problem.line}:{problem.column}"
        yield spot, Unread(spot, problem.message)
    if usage is not None:
        yield source, PastSession(id=identity, usage=usage)


class CsvHeadingError(TariffError):
    """A CSV file whose heading is not that of sessions."""

    def __init__(self, source: str, unknown: list[str], missing: list[str]) -> None:
        parts = [f"unknown columns {', '.join(unknown)}"] if unknown else []
        parts += [f"missing columns {', '.join(missing)}"] if missing else []
        why = "; ".join(parts) or "a column stands there twice"
        super().__init__(f"{source}:1: {why} (known: {', '.join(CSV_COLUMNS)})")
        self.source, self.unknown, self.missing = source, unknown, missing
