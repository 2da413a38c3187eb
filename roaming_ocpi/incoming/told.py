"""What a partner's message says of a CDR or a session, read from the line as the log keeps it.

Pure. Who stands in the line is cut out already: a token's uid is its subject id here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, TypedDict

import msgspec

from ledger.log.envelope import PartnerMessage, Sealed
from ledger.log.event_log import Position
from roaming_ocpi.errors import RoamingError
from tariffs.cdr.cdr import Cdr
from tariffs.errors import TariffError
from tariffs.kernel.priced import Note
from tariffs.ocpi.cdr_fast import CdrDecoder
from tariffs.ocpi.cdr_reader import ocpi_cdr_of
from tariffs.ocpi.costs_reader import stated_of
from tariffs.ocpi.documents import OcpiError, decode_json
from tariffs.ocpi.fields import JsonFields
from tariffs.ocpi.versions import OcpiVersion, version_of_cdr
from tariffs.phrases.phrase import bounded
from tariffs.quantities import EXACT, is_sane, plain

CDRS: Final = "cdrs"
SESSIONS: Final = "sessions"
SESSION_PARTS: Final = "sessions PATCH"
ACCEPT: Final = "cdrs accept"
DISPUTE: Final = "cdrs dispute"
"""What our own lines say of a CDR (direction "out"): a person's choice."""

ID_MAX: Final = 255
"""OCPI's ids have 36 or 39 characters; what is a little longer is no reason to lose money."""
_SUBJECT: Final = re.compile(r"p-[0-9a-f]{32}")
_CONTRACT_NAMES: Final = re.compile(r'"(?:contract_id|auth_id)"\s*:\s*\Z')
_NAME_CHARACTERS: Final = 40
_NUMBER_CHARACTERS: Final = 40
_ROOT: Final = ""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class UnfitObjectError(RoamingError):
    """A partner's object of which nobody can say which one it is."""


class UnreadCdr(msgspec.Struct, frozen=True, kw_only=True):
    """Why a CDR cannot be priced: where in it, and what is wrong there."""

    spot: str
    why: str


class _Head(TypedDict, total=False):
    """What of a CDR is looked at beside its price; whatever a partner wrote there."""

    id: Any
    session_id: Any
    cdr_token: Any
    auth_id: Any
    cdr_location: Any
    location: Any


_HEAD: Final = msgspec.json.Decoder(_Head)


class ToldCdr(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A CDR as it was told. `cdr` is None where it cannot be read, `unread` then says why.

    `notes`: what was read otherwise than it was sent.

    `net` and `tax` are as stated, exact, in `currency`; None where they are not stated.
    """

    party: str
    id: str
    key: str
    at: Position
    received_at: datetime
    digest: bytes
    version: OcpiVersion
    cdr: Cdr | None
    unread: UnreadCdr | None = None
    notes: tuple[Note, ...] = ()
    subject: str | None = None
    contract: str | None = None
    session_id: str | None = None
    location_id: str | None = None

    @property
    def session_key(self) -> str | None:
        """The session's id, folded."""
        return None if self.session_id is None else self.session_id.casefold()

    @property
    def credits_key(self) -> str | None:
        """The id of the CDR that it names as the one it takes back, folded."""
        named = None if self.cdr is None else self.cdr.credit_reference_id
        return named.casefold() if named is not None and is_an_id(named) else None

    @property
    def charge_key(self) -> str | None:
        """What a CDR shares with the negative one of 2.1.1 that takes it back; no id is like it."""
        if self.cdr is None or self.subject is None or not self.net:
            return None
        times = [(each - _EPOCH) // _MICROSECOND for each in (self.cdr.starts_at, self.cdr.ends_at)]
        return "\n".join((self.subject, *map(str, times), f"{plain(abs(self.net)):f}"))

    @property
    def takes_back(self) -> bool:
        """Whether it may take another CDR back."""
        return self.cdr is not None and (self.cdr.is_credit or (self.net or 0) < 0)

    @property
    def net(self) -> Decimal | None:
        """The total before taxes, None where it is not stated."""
        total = self.cdr.stated.total_cost if self.cdr else None
        return None if total is None else total.before_taxes

    @property
    def tax(self) -> Decimal | None:
        """The taxes of the total, None where they are not stated."""
        total = self.cdr.stated.total_cost if self.cdr else None
        if total is None or total.before_taxes is None or total.after_taxes is None:
            return None
        return EXACT.subtract(total.after_taxes, total.before_taxes)

    @property
    def energy(self) -> Decimal | None:
        """The energy in kWh: the total as stated, else what the periods add up to."""
        if self.cdr is None:
            return None
        if self.cdr.stated.total_energy is not None:
            return self.cdr.stated.total_energy
        total = Decimal(0)
        for period in self.cdr.periods:
            total = EXACT.add(total, period.energy or Decimal(0))
        return total


class ToldSession(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A session, or parts of one: `said` has what the message says, by the column that keeps it."""

    party: str
    id: str
    key: str
    at: Position
    received_at: datetime
    last_updated: datetime | None
    said: Mapping[str, Any]


class ChosenCdr(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a line that says what a person decided about the CDR `id`."""

    id: str
    by: str
    reason: str


class CdrChoice(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A person decided about a CDR of a partner."""

    party: str
    key: str
    at: Position
    received_at: datetime
    is_accepted: bool
    by: str
    reason: str


def digest_of(body: str, sealed: Sequence[Sealed]) -> bytes:
    """Return what tells one body from another, whatever its spaces, escapes and order. Total.

    Over what was cut out too, as it is sealed: the same text of the same person is the same there.
    """
    try:
        text = _CANONICAL.encode(_NUMBERED.decode(body))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        text = body.encode("utf-8", "surrogatepass")
    hashed = hashlib.sha256(text)
    for cut in sorted(part.cut for part in sealed):
        hashed.update(b"\n")
        hashed.update(cut.encode())
    return hashed.digest()


def _number_text(text: str) -> str:
    # A long one would take much room in mind, and does not come again.
    return _known_text(text) if len(text) <= _NUMBER_CHARACTERS else _read_text(text)


def _read_text(text: str) -> str:
    number = Decimal(text)
    return f"{plain(number):f}" if is_sane(number) else text


# Numbers repeat from body to body.
_known_text: Final = lru_cache(maxsize=1 << 14)(_read_text)
_NUMBERED: Final = msgspec.json.Decoder(float_hook=_number_text)
_CANONICAL: Final = msgspec.json.Encoder(order="deterministic")


def identity_of(value: Mapping[str, Any], what: str) -> str:
    """Return the id of an object.

    Raises:
        UnfitObjectError: If it has none that can be kept.
    """
    identity = value.get("id")
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)
    if not isinstance(identity, str) or not identity.strip():
        message = f"a {what} needs an id: a text that is not empty"
        raise UnfitObjectError(message)
    if not is_an_id(identity):
        message = f"the id of a {what} has at most {ID_MAX} printable characters"
        raise UnfitObjectError(message)
    return identity


def is_an_id(text: str) -> bool:
    """Whether *text* can be looked for as an id: no table holds all that JSON can say."""
    return len(text) <= ID_MAX and text.isprintable()


class MessageReader:
    """Reads partners' messages; keeps what CDRs carry and repeat (tariffs, locations)."""

    def __init__(self) -> None:
        self._decoder = CdrDecoder()

    def cdr(self, line: PartnerMessage, at: Position) -> ToldCdr:
        """Read a CDR. What is wrong inside is for the verdict to say.

        Raises:
            OcpiError: If the text is no JSON object.
            UnfitObjectError: If it has no id.
        """
        data = line.body.encode()
        unread, notes = None, tuple[Note, ...]()
        quick = self._quick(data)
        if quick is not None:
            head, cdr, version = quick
        else:
            head = _object(decode_json(data))
            version = version_of_cdr(head)
            try:
                read = ocpi_cdr_of(head, version=version)
                cdr, notes = read.cdr, read.notes
            except OcpiError as error:
                cdr, unread = None, UnreadCdr(spot=bounded(error.spot), why=bounded(error.why))
            except TariffError as error:
                cdr, unread = None, UnreadCdr(spot="", why=bounded(str(error)))
        identity = identity_of(head, "CDR")
        subject, contract = _bearer(head, line)
        return ToldCdr(
            party=line.party,
            id=identity,
            key=identity.casefold(),
            at=at,
            received_at=line.received_at,
            digest=digest_of(line.body, line.sealed),
            version=version,
            cdr=cdr,
            unread=unread,
            notes=notes,
            subject=subject,
            contract=contract,
            session_id=_reference(head, "session_id"),
            location_id=_location(head),
        )

    def _quick(self, data: bytes) -> tuple[Mapping[str, Any], Cdr | None, OcpiVersion] | None:
        """Return a CDR of a clean shape; None leaves it to the reader that takes more time."""
        fast = self._decoder.decode(data)
        if fast is None:
            return None
        try:
            return _HEAD.decode(data), fast.cdr, fast.version
        except (msgspec.MsgspecError, RecursionError):
            return None

    def choice(self, line: PartnerMessage, at: Position) -> CdrChoice:
        """Read what a person of ours decided.

        Raises:
            msgspec.DecodeError: If the line was not written by us.
        """
        said = msgspec.json.decode(line.body, type=ChosenCdr)
        return CdrChoice(
            party=line.party,
            key=said.id.casefold(),
            at=at,
            received_at=line.received_at,
            is_accepted=line.what == ACCEPT,
            by=said.by,
            reason=said.reason,
        )

    def session(self, line: PartnerMessage, at: Position) -> ToldSession:
        """Read a session, or parts of one.

        Raises:
            OcpiError: If the text is no JSON object, or something in it cannot be read.
            UnfitObjectError: If it has no id.
        """
        value = _object(decode_json(line.body.encode()))
        identity = identity_of(value, "session")
        said = said_of(value)
        subject, _ = _bearer(value, line)
        if subject is not None:
            said["subject"] = subject
        return ToldSession(
            party=line.party,
            id=identity,
            key=identity.casefold(),
            at=at,
            received_at=line.received_at,
            last_updated=said.pop("last_updated", None),
            said=said,
        )


def said_of(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a session's JSON says, by the name of its column; absent is left out.

    Null says that there is no such thing (any more), which an absent field does not.

    Raises:
        OcpiError: If something in it cannot be read.
    """
    notes: list[Note] = []
    fields = JsonFields(value, "", notes)
    said: dict[str, Any] = {}
    for key, column in (("status", "status"), ("currency", "currency")):
        if key in value:
            text = fields.text(key)
            said[column] = None if text is None else bounded(text)
    for key, column in _MOMENTS:
        if key in value:
            said[column] = fields.moment(key)
    if "kwh" in value:
        said["energy_kwh"] = fields.number("kwh")
    if "total_cost" in value:
        cost = stated_of(fields).total_cost
        said["net"] = None if cost is None else cost.before_taxes
    return said


# 2.1.1 writes these two without the second underscore.
_MOMENTS: Final = (
    ("start_date_time", "started_at"),
    ("start_datetime", "started_at"),
    ("end_date_time", "ended_at"),
    ("end_datetime", "ended_at"),
    ("last_updated", "last_updated"),
)


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise OcpiError(_ROOT, "must be an object")
    return value


def _bearer(head: Mapping[str, Any], line: PartnerMessage) -> tuple[str | None, str | None]:
    """Return the subject of who charged, and the contract as it is sealed."""
    token = head.get("cdr_token")
    uid = token.get("uid") if isinstance(token, dict) else head.get("auth_id")
    if not isinstance(uid, str) or not _SUBJECT.fullmatch(uid):
        return None, None
    for part in line.sealed:
        before = line.body[max(0, part.at - _NAME_CHARACTERS) : part.at]
        if part.subject == uid and _CONTRACT_NAMES.search(before):
            return uid, part.cut
    return uid, None


def _reference(head: Mapping[str, Any], name: str) -> str | None:
    said = head.get(name)
    return said if isinstance(said, str) and is_an_id(said) else None


def _location(head: Mapping[str, Any]) -> str | None:
    for name in ("cdr_location", "location"):
        found = head.get(name)
        if isinstance(found, dict):
            return _reference(found, "id")
    return None
