"""OCPP-J frames: limits first, then the RPC envelope, then typed payloads; numbers stay exact.

The envelope is `[2, id, action, payload]` (CALL), `[3, id, payload]` (CALLRESULT) or
`[4, id, code, description, details]` (CALLERROR); since 2.1 also `[5, id, code, ...]`
(CALLRESULTERROR: our answer could not be read) and `[6, id, action, payload]` (SEND), which nobody
answers. Payloads are handed on undecoded; `decode` makes
them typed. JSON numbers become Decimal where the type says so: a float turns 3.456 into something
near it, and money must leave with all its digits.

A frame that is refused comes back, so everything is read that can be; what is refused is refused
early, for one frame of deep brackets or a number of a million digits can stop a process:

    [2,7,"Heartbeat",{}]                    -> a call with id 7, answered [3,7,...]
    ["2","a"," Heartbeat ",{}] and a NUL    -> a call with id "a": an id stays as it came
    [2,"a","MeterValues",{"v":NaN}]         -> a call; a bare NaN counts as null
    [2,"a","MeterValues"                    -> FrameError NOT_JSON that still names id "a"

A schema validator and a library's float are the obvious way. They answer CALLERROR to an extra
field and round (measured: a total of 3.456 left as 3.5). Limits are cheap: counts and translations
of bytes, which only a suspicious frame goes beyond. Nothing here is tried twice from the same spot:
a pattern that gives back what it took costs the square of a broken frame's length, and all stations
wait meanwhile. Tests: tests/ingest/rpc/test_codec.py, tests/ingest/edge/test_frame_costs.py.

Source: OCPP 1.6-J section 4; OCPP 2.0.1 and 2.1 part 4, section 4.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, Final, TypeVar

import msgspec

from ingest.errors import IngestError

UNREGISTERED_FRAME_MAX: Final = 64 * 1024
"""Bytes of a frame from a station that never booted here."""
FRAME_MAX: Final = 1024 * 1024
"""Bytes of any frame."""
DEPTH_MAX: Final = 24
"""Nested arrays and objects; the deepest OCPP 2.1 message needs 12."""
NUMBER_MAX: Final = 400
"""Characters of one JSON number; C's "%f" writes up to 317 for a double."""

NO_ID: Final = b'"-1"'
"""The id of an error whose call could not be identified (OCPP 2.0.1 part 4, 4.2.3)."""

T = TypeVar("T")


class Fault(Enum):
    """Why a frame is no OCPP message."""

    NOT_JSON = "the frame is not JSON"
    NOT_RPC = "the frame is not an RPC message"
    UNKNOWN_TYPE = "the message type is not supported"
    TOO_LARGE = "the frame is too large"
    TOO_DEEP = "the frame is nested too deeply"
    NUMBER_TOO_LONG = "the frame holds a number with too many digits"


class FrameError(IngestError):
    """A frame that cannot be read; `message_id` is the JSON text of its id where one was found."""

    def __init__(self, fault: Fault, message_id: bytes = NO_ID) -> None:
        super().__init__(fault.value)
        self.fault, self.message_id = fault, message_id


class PayloadError(IngestError):
    """A payload that does not have the asked type; `problem` says where."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Call(msgspec.Struct, frozen=True):
    """A request. `message_id` is the JSON text of the id as it came: stations also send numbers."""

    message_id: bytes
    action: str
    payload: msgspec.Raw


class CallResult(msgspec.Struct, frozen=True):
    """The answer to a request."""

    message_id: bytes
    payload: msgspec.Raw


class CallError(msgspec.Struct, frozen=True):
    """The refusal of a request."""

    message_id: bytes
    code: str
    description: str = ""


class Unanswered(msgspec.Struct, frozen=True):
    """A message that gets no answer (2.1): a SEND, or that an answer of ours could not be read."""

    message_id: bytes


Message = Call | CallResult | CallError | Unanswered

_CALL, _RESULT, _ERROR = 2, 3, 4
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_ALL_BUT_BRACKETS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_SQUARE: Final = bytes.maketrans(b"{}", b"[]")
_DIGITS_AS_ZERO: Final = bytes(0x30 if byte in b"0123456789.eE+-" else byte for byte in range(256))
_NUMBER_TOO_LONG: Final = b"0" * (NUMBER_MAX + 1)
# Possessive (`*+`) throughout: what was taken is never given back. A string that does not end goes
# on to the end of the frame, or each of its quotes would be tried as another beginning.
_HEAD = re.compile(
    rb'\s*+\[\s*+\d++\s*+,\s*+("(?:[^"\\]|\\.){0,255}"|-?\d{1,64}+)\s*+[,\]]', re.DOTALL
)
_UNANSWERED = re.compile(rb'\s*+\[\s*+"?[56]"?\s*+,')
_ANSWER = re.compile(rb'\s*+\[\s*+"?[34]"?\s*+,')
_NOT_A_NUMBER = re.compile(
    rb'("[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z))|-?\b(?:NaN|Infinity)\b', re.DOTALL
)
_CALL_DECODER = msgspec.json.Decoder(tuple[int, str, str, msgspec.Raw])
_ITEMS_DECODER = msgspec.json.Decoder(list[msgspec.Raw])
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def parse(frame: bytes, *, size_max: int = FRAME_MAX) -> Message:
    """Return the RPC message in *frame* (UTF-8), its payload still raw.

    Lenient where strictness would lose a reading: bare NaN and Infinity count as null, a byte order
    mark before and a NUL behind are dropped, ids may be numbers or long, elements after the payload
    are ignored, and the type may be text.

    Raises:
        FrameError: If *frame* breaks a limit or is no RPC message.
    """
    check_limits(frame, size_max=size_max)
    try:
        kind, message_id, action, payload = _CALL_DECODER.decode(frame)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _parse_slowly(frame)
    if kind != _CALL:
        return _parse_slowly(frame)
    return Call(_ENCODER.encode(message_id), action, payload)


def check_limits(frame: bytes, *, size_max: int = FRAME_MAX) -> None:
    """Refuse a frame that would be costly to decode; cheap for the frames that stations send.

    Raises:
        FrameError: If *frame* is too large, too deep or holds a number with too many digits.
    """
    if len(frame) > size_max:
        raise FrameError(Fault.TOO_LARGE, find_id(frame[:1024]))
    # First what is cheap and lets nearly every frame pass: it counts what stands in texts too.
    if frame.count(b"[") + frame.count(b"{") > DEPTH_MAX and _is_too_deep(frame):
        raise FrameError(Fault.TOO_DEEP, find_id(frame))
    if _NUMBER_TOO_LONG in frame.translate(_DIGITS_AS_ZERO) and _has_long_number(frame):
        raise FrameError(Fault.NUMBER_TOO_LONG, find_id(frame))


def is_unanswered(frame: bytes) -> bool:
    """Say whether a *frame*, whole or broken, begins as one that nobody answers."""
    return _UNANSWERED.match(frame) is not None


def is_answer(frame: bytes) -> bool:
    """Say whether a *frame*, whole or broken, begins as the answer to a call."""
    return _ANSWER.match(frame) is not None


def find_id(frame: bytes) -> bytes:
    """Return the JSON text of the message id of a broken *frame*, or of "-1"."""
    head = _HEAD.match(frame)
    return head[1] if head else NO_ID


def decode(payload: msgspec.Raw | bytes, kind: type[T]) -> T:
    """Return *payload* as a *kind*; numbers in strings are taken, decimals stay exact.

    Raises:
        PayloadError: If it is something else.
    """
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind, strict=False)
    try:
        value: T = decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(str(error)) from error
    return value


def encode(value: object) -> bytes:
    """Return *value* as JSON; Decimals become numbers with all their digits."""
    return _ENCODER.encode(value)


def encode_call(message_id: str, action: str, payload: object) -> bytes:
    """Return a CALL frame."""
    return _ENCODER.encode((_CALL, message_id, action, payload))


def encode_result(message_id: bytes, payload: bytes) -> bytes:
    """Return a CALLRESULT frame with *payload*, which is JSON already."""
    return b"[3,%b,%b]" % (message_id, payload)


def encode_error(message_id: bytes, code: str, description: str) -> bytes:
    """Return a CALLERROR frame. It never repeats what the station sent, but for the id."""
    return b"[4,%b,%b,%b,{}]" % (message_id, _ENCODER.encode(code), _ENCODER.encode(description))


def text_of(frame: bytes) -> str:
    """Return *frame* as text; bytes that are not UTF-8 are read as Latin-1, so none is lost."""
    try:
        return frame.decode()
    except UnicodeDecodeError:
        return frame.decode("latin-1")


def _parse_slowly(frame: bytes) -> Message:
    """Read what the fast path did not take: answers, odd calls, broken frames."""
    items = _items(frame)
    if len(items) < 2:  # noqa: PLR2004 - a type and an id
        raise FrameError(Fault.NOT_RPC)
    message_id = bytes(items[1])
    if message_id[:1] not in b'"-0123456789':
        raise FrameError(Fault.NOT_RPC)
    match bytes(items[0]).strip(b'"'), items[2:]:
        case b"2", [action, payload, *_] if bytes(action).startswith(b'"'):
            return Call(message_id, decode(action, str).strip(), payload)
        case b"3", [payload, *_]:
            return CallResult(message_id, payload)
        case b"4", [code, *rest]:
            return CallError(message_id, _text(code), _text(rest[0]) if rest else "")
        case b"5" | b"6", _:
            return Unanswered(message_id)
        case b"2" | b"3" | b"4", _:
            raise FrameError(Fault.NOT_RPC, message_id)
        case _:
            raise FrameError(Fault.UNKNOWN_TYPE, message_id)


def _items(frame: bytes) -> list[msgspec.Raw]:
    """Return the elements of the array in *frame*, mended where stations are known to err."""
    frame = frame.removeprefix(_BYTE_ORDER_MARK)
    for mended in (frame, _NOT_A_NUMBER.sub(_null, frame.strip(b"\0 \t\r\n"))):
        try:
            return _ITEMS_DECODER.decode(mended)
        except msgspec.ValidationError as error:
            raise FrameError(Fault.NOT_RPC) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    raise FrameError(Fault.NOT_JSON, find_id(frame))


def _null(found: re.Match[bytes]) -> bytes:
    return found[1] or b"null"


def _text(raw: msgspec.Raw) -> str:
    try:
        value: Any = decode(raw, object)
    except PayloadError:  # a number that no float holds
        return ""
    return value if isinstance(value, str) else ""


def _is_too_deep(frame: bytes) -> bool:
    """Fold matching brackets DEPTH_MAX times; what is left then was deeper (or is not balanced)."""
    brackets = _outside_strings(frame).translate(_SQUARE, _ALL_BUT_BRACKETS)
    if b"[" * (DEPTH_MAX + 1) in brackets:
        return True  # the folding below takes longest where nothing matches
    for _ in range(DEPTH_MAX):
        brackets = brackets.replace(b"[]", b"")
    return b"[" in brackets


def _has_long_number(frame: bytes) -> bool:
    return _NUMBER_TOO_LONG in _outside_strings(frame).translate(_DIGITS_AS_ZERO)


def _outside_strings(frame: bytes) -> bytes:
    """Return *frame* without its strings: each is a quote for what stands around it."""
    # A backslash stands in strings alone: without the escaped quotes each second part is one.
    return b'"'.join(frame.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
