"""The lines of the event log: one JSON object a line, the frame inside exactly as it came."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

import msgspec

from ledger.log.authorization import Authorization

SCHEMA_VERSION = 1
MONTH: Final = r"^2[0-9]{3}-(0[1-9]|1[0-2])\Z"
"""How a month is written: 2026-03."""


class Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """What every line carries. `received_at` is our clock, UTC."""

    received_at: datetime
    v: int = SCHEMA_VERSION


class Sealed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A JSON value that was cut out of a text, for it tells who somebody is.

    At character `at` of the text as it is kept stands the JSON text of `subject` in its place;
    `cut` is the value's own JSON text, sealed with the subject's key (`ledger.persons.sealing`).
    `is_odd`: a token with blanks around it, or longer than its standard allows.
    """

    subject: str
    at: int
    cut: str
    is_odd: bool = False


SignedStage = Literal["begin", "between", "end"]


class SignedRegister(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A register that a meter signed, in Wh, told in steps of `step_wh`.

    `at`: when, where the meter's clock was set. `register`: which one, as the meter calls it.
    `is_in_error`: the meter itself says that it does not hold.
    """

    value_wh: Decimal
    step_wh: Decimal = Decimal(1)
    stage: SignedStage = "between"
    at: datetime | None = None
    register: str = ""
    is_in_error: bool = False


class SignedRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What could be read of one signed record; `is_broken`: not all that it should say."""

    registers: tuple[SignedRegister, ...] = ()
    meter: str = ""
    is_broken: bool = False


class Frame(Line, frozen=True, kw_only=True, tag="frame"):
    """A frame to or from a station, verbatim but for what tells who somebody is.

    `frame` is the text of the WebSocket message; `reply` the text we answered with (it holds the
    transaction id we gave); `epoch` numbers the station's connections, ascending. With `direction`
    "out" the frame is a call of ours and `reply` what the station answered, None if it did not.

    Tokens are cut out of both: `sealed` and `reply_sealed` have them, and give the exact text back
    while their keys exist. `hmac` is the hash of the frame as it came, under the first one's key.
    `authorization`: what the token was found to be that the frame asks for, or starts with.
    `is_priced`: the frame stands in the log already, with the answer that it was to get; before
    it got that its price was known, and this line has the answer that it got, which names it.
    `signed`: what the signed records in it say, in their order; they name a token too, and are cut
    out.
    """

    station: str
    protocol: str
    epoch: int
    frame: str
    reply: str | None = None
    direction: Literal["in", "out"] = "in"
    sealed: tuple[Sealed, ...] = ()
    reply_sealed: tuple[Sealed, ...] = ()
    hmac: str | None = None
    authorization: Authorization | None = None
    is_priced: bool = False
    signed: tuple[SignedRecord, ...] = ()


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


ChoiceKind = Literal[
    "release",
    "write_off",
    "correct",
    "attest",
    "credit",
    "dispute",
    "uphold",
    "reject",
    "take_back",
]


class Attested(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person says of a session's end: when it was, and what its register showed then, in Wh.

    `meter_stop_wh` None: by the readings that there are. `of_held`: the session was held, and had
    no price, when that was looked at.
    """

    ended_at: datetime
    meter_stop_wh: Decimal | None = None
    of_held: bool = False


class Choice(Line, frozen=True, kw_only=True, tag="choice"):
    """A person decided about a held session, or has a priced one priced again (`correct`).

    `credit` gives back the `lines` (numbers in the rating that is `revision`) of a priced session,
    all of it if none is named. `dispute` says that its payer contests them; `uphold` gives them
    back, `reject` does not. `take_back` takes back a release or a write-off. `attest` says when
    the session ended and what its register showed (`attested`), and has it priced by that.
    `facts_until`: when the last fact of the session had come that whoever chose has seen.
    """

    station: str
    session_id: str
    choice: ChoiceKind
    by: str
    reason: str
    revision: int | None = None
    lines: tuple[int, ...] = ()
    attested: Attested | None = None
    facts_until: datetime | None = None


class Validation(Line, frozen=True, kw_only=True, tag="validation"):
    """Somebody showed `code` for a session that is not rated yet: a voucher, a hotel stay.

    `session_id` names it, or else `token` (a subject id) the unfinished session of that token at
    the station.
    """

    station: str
    code: str
    by: str
    session_id: str | None = None
    token: str | None = None


class TakeAgain(Line, frozen=True, kw_only=True, tag="take_again"):
    """A person lets a line that was set aside be taken again, from here on in the log.

    It stands at `line` of the record at `position` of this partition, and was set aside for
    `station` ("": for none).
    """

    station: str
    position: int
    line: int
    by: str


class PeriodMark(Line, frozen=True, kw_only=True, tag="period"):
    """A legal entity's books close up to and with `month`, from here on in this partition.

    With `act` "open" they are open again from that month on. What is decided from here on belongs
    into the first month that is open. `number` counts the marks of a legal entity, from 1.
    `ends_at`: when the month ends in its calendar; at a close, what ran over that is accrued.
    """

    legal_entity: str
    month: Annotated[str, msgspec.Meta(pattern=MONTH)]
    act: Literal["close", "open"]
    number: int
    by: str
    reason: str = ""
    ends_at: datetime | None = None


class PartnerMessage(Line, frozen=True, kw_only=True, tag="partner"):
    """What a roaming partner said to us, or with `direction` "out" we to it, as a frame is kept.

    `party` is the partner ("NL-TNM"), `what` the kind of message in words without any id ("cdrs",
    "commands START_SESSION"), `body` its text and `reply` what the other side answered, None if it
    did not. Who stands in either is cut out, and `hmac` the hash of the body as it came: see
    `Frame`. It stands in the partition of `party`, and changes no session.
    """

    party: str
    what: str
    body: str
    reply: str | None = None
    direction: Literal["in", "out"] = "in"
    sealed: tuple[Sealed, ...] = ()
    reply_sealed: tuple[Sealed, ...] = ()
    hmac: str | None = None


class ChargeOn(Line, frozen=True, kw_only=True, tag="charge_on"):
    """What a partner bills us for a driver of ours is charged to that driver, or is no more.

    The CDR `cdr_id` of `party` stands at `line` of the record at `position` of this partition.
    `act` "charge": it is to be paid, and nobody doubts what it says; "take_back": it is not, or it
    was taken back itself. `subject`: whose token charged. `zone`: the time zone of the place, where
    that was known. `by` and `reason`: the person who
    decided so; "": the rules did.
    """

    party: str
    cdr_id: str
    position: int
    line: int
    act: Literal["charge", "take_back"]
    subject: str
    zone: str | None = None
    by: str = ""
    reason: str = ""


LogLine = (
    Frame
    | Connection
    | Tick
    | Declared
    | Choice
    | Validation
    | TakeAgain
    | PeriodMark
    | PartnerMessage
    | ChargeOn
)

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[LogLine] = msgspec.json.Decoder(LogLine)


def encode_line(line: LogLine) -> bytes:
    """Return *line* as one line of JSON, without the line feed."""
    return _ENCODER.encode(line)


def decode_lines(payload: bytes) -> list[LogLine]:
    """Return the lines of a record's (uncompressed) payload, in order."""
    return _DECODER.decode_lines(payload)
