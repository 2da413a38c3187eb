"""Fields out of a partner's JSON: exact numbers, repairs that are noted, refusals with a spot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, TypeVar

from tariffs.files.yaml.fields import date_of, time_of
from tariffs.kernel.priced import Note
from tariffs.ocpi.documents import OcpiError, RepeatedKeys
from tariffs.quantities import BadNumberError, is_sane, plain, read_number

_T = TypeVar("_T")
_SHOWN_MAX: Final = 60
_SHORT_HOUR: Final = re.compile(r"\d:[0-5]\d(:[0-5]\d)?", re.ASCII)
_GAP_SECOND: Final = 59
_LEAP_SECOND: Final = re.compile(r"([T ][0-9]{2}:?[0-9]{2}:?)60", re.ASCII)


class JsonFields:
    """The keys of one JSON object at `path`; repairs go to `notes`, refusals are raised."""

    def __init__(self, value: object, path: str, notes: list[Note]) -> None:
        if not isinstance(value, dict):
            raise OcpiError(path, f"must be an object, not {shown(value)}")
        self.value: Mapping[str, object] = value
        self.path, self.notes = path, notes
        self._taken: set[str] = set()
        if isinstance(value, RepeatedKeys):
            for key in value.repeated:
                self.note(key, "key_repeated", "the key stands twice; the last one holds")

    def spot(self, key: str) -> str:
        """Return the path of *key*."""
        return f"{self.path}.{key}" if self.path else key

    def note(self, key: str, code: str, message: str) -> None:
        """Note a repair at *key*."""
        self.notes.append(Note(code, message, self.spot(key) if key else self.path))

    def has(self, key: str) -> bool:
        """Tell whether *key* is there and not null."""
        return self.value.get(key) is not None

    def get(self, key: str) -> object:
        """Return the value at *key* as it is."""
        self._taken.add(key)
        return self.value.get(key)

    def read(
        self, key: str, reader: Callable[[object], _T], *, required: bool = False
    ) -> _T | None:
        """Return *reader* of the value at *key*; its ValueError becomes a refusal."""
        value = self.get(key)
        if value is None:
            if required:
                raise OcpiError(self.spot(key), "is missing")
            return None
        try:
            return reader(value)
        except ValueError as error:
            raise OcpiError(self.spot(key), str(error)) from None

    def text(self, key: str, *, required: bool = False) -> str | None:
        """Return a text."""
        return self.read(key, _text, required=required)

    def identity(self, key: str) -> str:
        """Return an id; a number is repaired to its text, a missing one is noted and empty."""
        value = self.get(key)
        if value is None or value == "":
            self.note(key, "id_missing", "is missing; OCPI requires it")
            return ""
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            self.note(key, "number_instead_of_text", f"the text {value} was sent as a number")
            return str(value)
        return self.text(key) or ""

    def number(self, key: str, *, required: bool = False, signed: bool = False) -> Decimal | None:
        """Return an exact number, not negative unless *signed*; one sent as text is repaired."""
        # OCPI's own example of a CDR in 2.1.1 has a price as text, "2.00".
        if isinstance(self.get(key), str):
            message = f"the number {shown(self.value[key])} was sent as text"
            self.note(key, "number_as_text", message)
        return self.read(key, _signed if signed else _amount, required=required)

    def whole(self, key: str) -> int | None:
        """Return a whole number that is not negative."""
        number = self.number(key)
        if number is None:
            return None
        if number != number.to_integral_value():
            raise OcpiError(self.spot(key), f"{number} is not a whole number")
        return int(number)

    def moment(self, key: str, *, required: bool = False) -> datetime | None:
        """Return a moment; OCPI's times without an offset are UTC."""
        return self.read(key, _moment, required=required)

    def required_moment(self, key: str) -> datetime:
        """Return a moment that must be there."""
        moment = self.moment(key, required=True)
        if moment is None:
            raise OcpiError(self.spot(key), "is missing")
        return moment

    def time(self, key: str, *, is_end: bool = False) -> time | None:
        """Return a local time; what is not HH:MM is repaired.

        An end at second 59 means the next minute: else a second at the end of the window would
        have another price.
        """
        value = self.get(key)
        if isinstance(value, str) and _SHORT_HOUR.fullmatch(value):
            value = f"0{value}"
        moment = None if value is None else self.read(key, lambda _: time_of(_text(value)))
        if moment is None:
            return None
        written = f"{moment:%H:%M}"
        if is_end and moment.second == _GAP_SECOND:
            moment = (datetime.combine(date.min, moment) + timedelta(seconds=1)).time()
            message = f"{self.value[key]!r} leaves a gap of a second; read as {moment:%H:%M}"
            self.note(key, "one_second_gap", message)
        elif moment.second or self.value[key] != written:
            read = f"{moment:%H:%M:%S}" if moment.second else written
            message = f"{self.value[key]!r} should be HH:MM; read as {read}"
            self.note(key, "time_not_hh_mm", message)
        return moment

    def date(self, key: str) -> date | None:
        """Return a local date."""
        return self.read(key, lambda text: date_of(_text(text)))

    def items(self, key: str, *, required: bool = False) -> list[object]:
        """Return a list; a single value is repaired to a list of one."""
        value = self.read(key, lambda value: value, required=required)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        self.note(key, "value_instead_of_list", "should be a list; read as a list of one")
        return [value]

    def objects(self, key: str, *, required: bool = False) -> Iterator[JsonFields]:
        """Yield the objects of a list."""
        value = self.get(key)
        if value is not None and not isinstance(value, list | dict):
            raise OcpiError(self.spot(key), f"is not a list but {shown(value)}")
        is_list = isinstance(value, list)
        for index, item in enumerate(self.items(key, required=required)):
            spot = f"{self.spot(key)}[{index}]" if is_list else self.spot(key)
            yield JsonFields(item, spot, self.notes)

    def object(self, key: str) -> JsonFields | None:
        """Return an object."""
        value = self.get(key)
        return None if value is None else JsonFields(value, self.spot(key), self.notes)

    def finish(self, *others: str) -> None:
        """Note every key that nobody took and that is not among the known *others*."""
        for key, value in self.value.items():
            if key not in self._taken and key not in others and value is not None:
                self.note(key, "unknown_field", "OCPI has no such field here; ignored")


def shown(value: object) -> str:
    """Return *value* as JSON-like text that fits a message."""
    match value:
        case None:
            return "null"
        case dict():
            return "an object"
        case list():
            return "a list"
        case bool():
            return str(value).lower()
        case Decimal():
            text = str(value)
        case _:
            text = repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def _text(value: object) -> str:
    if not isinstance(value, str):
        message = f"{shown(value)} is not a text"
        raise ValueError(message)  # noqa: TRY004 - read() turns ValueError into a refusal
    return value


def _signed(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        message = f"{shown(value)} is not a number"
        raise ValueError(message)  # noqa: TRY004 - read() turns ValueError into a refusal
    try:
        number = read_number(value) if isinstance(value, str) else Decimal(value)
    except BadNumberError as error:
        raise ValueError(str(error)) from None
    if not is_sane(number):
        message = f"{shown(number)} is not a finite number of reasonable size"
        raise ValueError(message)
    return plain(number)


def _amount(value: object) -> Decimal:
    number = _signed(value)
    if number < 0:
        message = f"{number} is negative"
        raise ValueError(message)
    return number


def read_moment(text: str) -> datetime:
    """Return the moment in *text*, in UTC; of UTC where it names no offset.

    Source: OCPI 2.2.1, types, DateTime; RFC 3339, 5.6 and 5.7: letters in either case, and a leap
    second, which is the first moment of the next minute.

    Raises:
        ValueError: If it is none.
    """
    try:
        moment = _moment_as_written(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{shown(text)} is not a date and time"
        raise ValueError(message) from None


def _moment_as_written(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        shouted = text.upper()
        whole = _LEAP_SECOND.sub(r"\g<1>59", shouted, count=1)
        return datetime.fromisoformat(whole) + timedelta(seconds=whole != shouted)


def _moment(value: object) -> datetime:
    return read_moment(_text(value))
