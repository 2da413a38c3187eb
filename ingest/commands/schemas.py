"""What may be sent to a station, and what it may answer, by the official schemas of `ocpp`.

A call that its schema does not allow never leaves: a station that gets one may refuse it, may take
half of it, or may never answer. Numbers are read exactly, as they will be sent.

    1.6  RemoteStartTransaction {"idTag": "04A1"}      -> None
    1.6  RemoteStartTransaction {"idTag": 7}           -> "idTag: 7 is not of type 'string'"
    1.6  BootNotification {...}                        -> UnknownCommandError: stations send that

Source: OCPP 1.6 edition 2 and security whitepaper; OCPP 2.0.1 and 2.1 part 3 (JSON schemas).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec
import ocpp
from jsonschema import Draft4Validator, ValidationError
from jsonschema.validators import extend

from ingest.answers import ocpp16, ocpp21, ocpp201
from ingest.errors import IngestError
from ingest.facts.lenient import exact_number

PAYLOAD_MAX: Final = 256 * 1024
"""Characters of a payload: a local list of a thousand tokens has a tenth of that."""
_OF_BOTH: Final = frozenset({"DataTransfer"})
"""What a station may send and be sent."""
_PROBLEM_MAX: Final = 300
ANSWER_MAX: Final = 16 * 1024
"""Characters of an answer that is held against its schema: it takes 40 ms at worst."""


class _Files(NamedTuple):
    """Where the schemas of a version are; those of answers are called alike in all of them."""

    folder: str
    request: str
    from_stations: frozenset[str]


# The package has the schemas of 1.6 as one file an action, later ones with their direction; of
# 2.0.1 it has two that are no messages of that version.
_VERSIONS: Final[Mapping[str, _Files]] = MappingProxyType(
    {
        "ocpp1.6": _Files("v16", "{}.json", frozenset(ocpp16.ANSWERS)),
        "ocpp2.0.1": _Files(
            "v201",
            "{}Request.json",
            frozenset(ocpp201.ANSWERS) | {"StartTransaction", "StopTransaction"},
        ),
        "ocpp2.1": _Files("v21", "{}Request.json", frozenset(ocpp21.ANSWERS)),
    }
)
_SCHEMAS: Final = Path(ocpp.__file__).parent


class UnknownCommandError(IngestError):
    """No station of this version may be sent such a call."""

    def __init__(self, protocol: str, action: str) -> None:
        self.protocol, self.action = protocol, action
        known = ", ".join(commands_of(protocol)) or "nothing"
        super().__init__(f"{action} is no call to a station of {protocol}; there are: {known}")


class RefusedPayloadError(IngestError):
    """The payload does not fit the official schema; `spot` is where, "" for the whole."""

    def __init__(self, protocol: str, action: str, spot: str, problem: str) -> None:
        self.protocol, self.action, self.spot, self.problem = protocol, action, spot, problem
        at = f" at {spot}" if spot else ""
        super().__init__(f"{action} of {protocol}{at}: {problem}")


@lru_cache
def commands_of(protocol: str) -> tuple[str, ...]:
    """Return the actions that a station of *protocol* may be sent, in alphabetical order."""
    files = _VERSIONS.get(protocol)
    if files is None:
        return ()
    end = files.request.removeprefix("{}")
    names = (path.name for path in (_SCHEMAS / files.folder / "schemas").iterdir())
    found = {name.removesuffix(end) for name in names if name.endswith(end)}
    answers = {name for name in found if name.endswith("Response")}
    return tuple(sorted(found - answers - (files.from_stations - _OF_BOTH)))


def check_command(protocol: str, action: str, payload: str) -> None:
    """Make sure that a call may be sent to a station.

    Args:
        protocol: The subprotocol that the station agreed on.
        action: The call.
        payload: Its payload as JSON.

    Raises:
        UnknownCommandError: If no station of this version may be sent such a call.
        RefusedPayloadError: If the payload does not fit its schema.
    """
    if action not in commands_of(protocol):
        raise UnknownCommandError(protocol, action)
    misfit = _misfit(protocol, _VERSIONS[protocol].request.format(action), payload)
    if misfit is not None:
        raise RefusedPayloadError(protocol, action, *misfit)


def problem_of_answer(protocol: str, action: str, payload: str) -> str | None:
    """Return what in a station's answer its official schema does not allow.

    None too where it is longer than `ANSWER_MAX`.
    """
    if len(payload) > ANSWER_MAX or action not in commands_of(protocol):
        return None
    misfit = _misfit(protocol, f"{action}Response.json", payload)
    return None if misfit is None else ": ".join(filter(None, misfit))


def _misfit(protocol: str, file: str, payload: str) -> tuple[str, str] | None:
    """Return the spot in *payload* that does not fit a schema, and why."""
    content = json.loads(payload, parse_float=_exact)
    error = min(_validator(protocol, file).iter_errors(content), key=_depth, default=None)
    return None if error is None else (_spot(error.absolute_path), error.message[:_PROBLEM_MAX])


def _exact(number: str) -> Decimal | None:
    """Return a number of JSON; None for one beyond every exponent, which no schema allows."""
    found = exact_number(number)
    return found if isinstance(found, Decimal) else None


@lru_cache(maxsize=512)
def _validator(protocol: str, file: str) -> Draft4Validator:
    path = _SCHEMAS / _VERSIONS[protocol].folder / "schemas" / file
    schema = json.loads(path.read_text("utf-8-sig"), parse_float=Decimal)
    return _EXACT(schema)


def _is_multiple(
    _validator: object, of: Decimal, number: object, _schema: object
) -> Iterable[ValidationError]:
    if not isinstance(number, int | Decimal) or isinstance(number, bool):
        return
    try:
        is_multiple = not number % of
    except InvalidOperation:  # more digits than decimals are reckoned with
        is_multiple = _exponent(Decimal(number)) >= _exponent(of)
    if not is_multiple:
        yield ValidationError(f"{number} is not a multiple of {of}")


def _exponent(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)  # JSON has no NaN
    return exponent


_EXACT: Final[type[Draft4Validator]] = extend(  # type: ignore[no-untyped-call]  # its stub has no types
    Draft4Validator, {"multipleOf": _is_multiple}
)


def _depth(error: ValidationError) -> tuple[int, str]:
    return len(error.absolute_path), error.message


def _spot(path: Iterable[str | int]) -> str:
    """Return "chargingProfile.chargingSchedule[0].limit"."""
    spot = ""
    for each in path:
        spot += f"[{each}]" if isinstance(each, int) else f".{each}"
    return spot.removeprefix(".")


def compact_json(payload: str) -> str:
    """Return a JSON object without blanks, its members in their order, its numbers as written.

    Raises:
        BadPayloadError: If it is none.
    """
    if len(payload) > PAYLOAD_MAX:
        message = f"the payload has more than {PAYLOAD_MAX} characters"
        raise BadPayloadError(message)
    try:
        compact = msgspec.json.format(payload.encode(), indent=-1).decode()
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        message = f"the payload is no JSON: {error}"
        raise BadPayloadError(message) from error
    if not compact.startswith("{"):
        message = "the payload is no JSON object"
        raise BadPayloadError(message)
    return compact


class BadPayloadError(IngestError):
    """A payload is no JSON object, or too large."""
