"""A partner's JSON as a tree: exact numbers, repeated keys remembered, envelopes unwrapped."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from tariffs.errors import TariffError
from tariffs.kernel.priced import Note

SIZE_MAX: Final = 16_000_000
# As many digits as `tariffs.quantities` takes for a number: int() of a huge text is slow.
_INTEGER_DIGITS_MAX: Final = 40
_ROOT: Final = ""


class RepeatedKeys(dict[str, Any]):
    """An object in which a key stands twice: the last value holds, `repeated` names the keys."""

    repeated: tuple[str, ...] = ()


class OcpiError(TariffError):
    """A partner's object that cannot be used, with the spot as a JSON path ("" is the root)."""

    def __init__(self, spot: str, why: str) -> None:
        super().__init__(f"{spot}: {why}" if spot else why)
        self.spot, self.why = spot, why


def decode_json(data: bytes) -> Any:  # noqa: ANN401 - JSON is any shape until it is read
    """Decode JSON with exact numbers: Decimal (NaN and Infinity, too, refused where they stand).

    Raises:
        OcpiError: If it is no JSON, too large or too deep.
    """
    if len(data) > SIZE_MAX:
        raise OcpiError(_ROOT, f"larger than {SIZE_MAX:,} bytes")
    try:
        # With a byte order mark, too, which RFC 8259 (8.1) lets a reader ignore.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OcpiError(_ROOT, f"not JSON: {error}") from None
    if not text.strip():
        raise OcpiError(_ROOT, "is empty")
    try:
        value = _DECODER.decode(text)
        # json takes half a surrogate pair; writing it would fail, far from here.
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except RecursionError:
        raise OcpiError(_ROOT, "not JSON that can be read: nested too deep") from None
    except UnicodeEncodeError:
        raise OcpiError(_ROOT, "not JSON: half a surrogate pair") from None
    except ValueError as error:
        raise OcpiError(_ROOT, f"not JSON: {error}") from None
    return value


def _integer(text: str) -> int | Decimal:
    """Read an integer; one that is absurdly long stays a Decimal, refused where it stands."""
    return int(text) if len(text) <= _INTEGER_DIGITS_MAX else Decimal(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    counts = Counter(key for key, _ in pairs)
    repeated = RepeatedKeys(value)
    repeated.repeated = tuple(key for key, count in counts.items() if count > 1)
    return repeated


_DECODER: Final = json.JSONDecoder(
    parse_float=Decimal, parse_int=_integer, parse_constant=Decimal, object_pairs_hook=_object
)


def objects_in(value: object, notes: list[Note]) -> Iterator[tuple[object, str]]:
    """Yield each object and its path: one alone, those of a list, or of OCPI's response envelope.

    An envelope that reports a failure and brings nothing yields nothing but a note.
    Source: OCPI 2.2.1, transport_and_format, "Response format".
    """
    path = ""
    if isinstance(value, dict) and "data" in value and "status_code" in value:
        code = value["status_code"]
        message = f"unwrapped from a response with status_code {code}"
        notes.append(Note("response_envelope", message, "data"))
        value, path = value["data"], "data"
        if value is None:
            raise OcpiError(path, f"the response (status_code {code}) brings no data")
    if isinstance(value, list):
        if not path:
            notes.append(Note("list_of_objects", f"a list of {len(value)}"))
        if not value:
            raise OcpiError(path, "is an empty list")
        for index, item in enumerate(value):
            yield item, f"{path}[{index}]"
    else:
        yield value, path
