"""The lines of the event log: one JSON object a line, the frame inside exactly as it came."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

SCHEMA_VERSION = 1


class Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """What every line carries. `received_at` is our clock, UTC."""

    received_at: datetime
    v: int = SCHEMA_VERSION


class Frame(Line, frozen=True, kw_only=True, tag="frame"):
    """A frame to or from a station, verbatim.

    `frame` is the text of the WebSocket message; `reply` the text we answered with (it holds the
    transaction id we gave); `epoch` numbers the station's connections, ascending. With `direction`
    "out" the frame is a call of ours and `reply` what the station answered, None if it did not.
    """

    station: str
    protocol: str
    epoch: int
    frame: str
    reply: str | None = None
    direction: Literal["in", "out"] = "in"


class Connection(Line, frozen=True, kw_only=True, tag="connection"):
    """A station connected or went."""

    station: str
    protocol: str
    epoch: int
    is_open: bool
    why: str = ""


class Tick(Line, frozen=True, kw_only=True, tag="tick"):
    """Time passed. Time-outs are what the fold says at a tick, so replay needs no clock."""


class Declared(Line, frozen=True, kw_only=True, tag="declared"):
    """Master data and tariffs up to `version` hold from here on in this partition."""

    version: int


class Choice(Line, frozen=True, kw_only=True, tag="choice"):
    """A person decided about a held session."""

    station: str
    session_id: str
    choice: Literal["release", "write_off"]
    by: str
    reason: str


class Validation(Line, frozen=True, kw_only=True, tag="validation"):
    """Somebody showed `code` for a session that is not rated yet: a voucher, a hotel stay.

    `session_id` names it, or else `token` the unfinished session of that token at the station.
    """

    station: str
    code: str
    by: str
    session_id: str | None = None
    token: str | None = None


LogLine = Frame | Connection | Tick | Declared | Choice | Validation

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[LogLine] = msgspec.json.Decoder(LogLine)


def encode_line(line: LogLine) -> bytes:
    """Return *line* as one line of JSON, without the line feed."""
    return _ENCODER.encode(line)


def decode_lines(payload: bytes) -> list[LogLine]:
    """Return the lines of a record's (uncompressed) payload, in order."""
    return _DECODER.decode_lines(payload)
