"""Fields out of a partner's JSON: exact numbers, repairs that are noted, refusals with a place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Final, TypeVar

import msgspec

from tariffs.errors import TariffError
from tariffs.priced import Note
from tariffs.quantities import BadNumberError, is_sane, plain, read_number
from tariffs.yaml_fields import date_of, time_of

SIZE_MAX: Final = 16_000_000
_ROOT: Final = ""
_T = TypeVar("_T")

# Untyped floats would lose digits: the text of each becomes a Decimal.
_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)


def decode_json(data: bytes) -> Any:  # noqa: ANN401 - JSON is any shape until it is read
    """Decode JSON with exact numbers.

    Raises:
        OcpiError: If it is no JSON, too large or too deep.
    """
    if len(data) > SIZE_MAX:
        raise OcpiError(_ROOT, f"larger than {SIZE_MAX:,} bytes")
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise OcpiError(_ROOT, f"not JSON: {error}") from None


class JsonFields:
    """The keys of one JSON object at `path`; repairs go to `notes`, refusals are raised."""

    def __init__(self, value: object, path: str, notes: list[Note]) -> None:
        if not isinstance(value, dict):
            raise OcpiError(path, "must be an object")
        self.value: Mapping[str, object] = value
        self.path, self.notes = path, notes

    def place(self, key: str) -> str:
        """Return the path of *key*."""
        return f"{self.path}.{key}" if self.path else key

    def note(self, key: str, code: str, message: str) -> None:
        """Note a repair at *key*."""
        self.notes.append(Note(code, message, self.place(key)))

    def read(
        self, key: str, reader: Callable[[object], _T], *, required: bool = False
    ) -> _T | None:
        """Return *reader* of the value at *key*; its ValueError becomes a refusal."""
        value = self.value.get(key)
        if value is None:
            if required:
                raise OcpiError(self.place(key), "is missing")
            return None
        try:
            return reader(value)
        except ValueError as error:
            raise OcpiError(self.place(key), str(error)) from None

    def text(self, key: str, *, required: bool = False) -> str | None:
        """Return a text."""
        return self.read(key, _text, required=required)

    def number(self, key: str, *, required: bool = False) -> Decimal | None:
        """Return an exact number that is not negative; a number sent as text is repaired."""
        value = self.value.get(key)
        if isinstance(value, str):
            self.note(key, "number_as_text", f"the number {value!r} was sent as text")
        return self.read(key, _amount, required=required)

    def whole(self, key: str) -> int | None:
        """Return a whole number that is not negative."""
        number = self.number(key)
        if number is None:
            return None
        if number != number.to_integral_value():
            raise OcpiError(self.place(key), f"{number} is not a whole number")
        return int(number)

    def moment(self, key: str, *, required: bool = False) -> datetime | None:
        """Return a moment; OCPI's times without an offset are UTC."""
        return self.read(key, _moment, required=required)

    def time(self, key: str) -> time | None:
        """Return a local time; seconds, which OCPI has none of, are noted."""
        value = self.read(key, lambda text: time_of(_text(text)))
        if value is not None and len(str(self.value[key])) > len("hh:mm"):
            self.note(key, "time_with_seconds", f"{self.value[key]!r} should be HH:MM")
        return value

    def date(self, key: str) -> date | None:
        """Return a local date."""
        return self.read(key, lambda text: date_of(_text(text)))

    def objects(self, key: str, *, required: bool = False) -> Iterator[JsonFields]:
        """Yield the objects of a list."""
        items = self.read(key, _items, required=required)
        for index, item in enumerate(items or ()):
            yield JsonFields(item, f"{self.place(key)}[{index}]", self.notes)

    def object(self, key: str) -> JsonFields | None:
        """Return an object."""
        value = self.value.get(key)
        return None if value is None else JsonFields(value, self.place(key), self.notes)


def _text(value: object) -> str:
    if not isinstance(value, str):
        message = f"{value!r} is not a text"
        raise ValueError(message)  # noqa: TRY004 - read() turns ValueError into a refusal
    return value


def _items(value: object) -> list[object]:
    if not isinstance(value, list):
        message = "is not a list"
        raise ValueError(message)  # noqa: TRY004 - read() turns ValueError into a refusal
    return value


def _amount(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        message = f"{value!r} is not a number"
        raise ValueError(message)  # noqa: TRY004 - read() turns ValueError into a refusal
    try:
        number = read_number(value) if isinstance(value, str) else Decimal(value)
    except BadNumberError as error:
        raise ValueError(str(error)) from None
    if not is_sane(number):
        message = "is not a finite number of reasonable size"
        raise ValueError(message)
    if number < 0:
        message = f"{number} is negative"
        raise ValueError(message)
    return plain(number)


def _moment(value: object) -> datetime:
    text = _text(value)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a date and time"
        raise ValueError(message) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class OcpiError(TariffError):
    """A partner's object that cannot be used, with the place."""

    def __init__(self, place: str, why: str) -> None:
        super().__init__(f"{place}: {why}" if place else why)
        self.place, self.why = place, why
