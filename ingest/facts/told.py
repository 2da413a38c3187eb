"""What a call tells, in no version: a fact and its parts, and how each is read from the payload.

A version is a table from action to `Telling`; here is all that turns one and a call into a fact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from itertools import chain, repeat
from typing import Any, Final, NamedTuple

import msgspec
from msgspec.structs import fields, replace

from ingest.facts.lenient import Oddities, has_odd_text, read_text, storable
from ingest.facts.parts import At, Part
from ingest.facts.readings import read_meter_values
from ingest.facts.rpc_call import RpcCall, SetAside
from ingest.facts.samples import Sample, lenient_meter_values
from ledger.facts.flags import Flag
from ledger.facts.station_facts import (
    OF_NO_FOLD,
    FrameSetAside,
    PriceTold,
    QueueReported,
    SessionStarted,
    SessionUpdated,
    SignedReading,
    StationBooted,
    StationFact,
)
from ledger.log.envelope import Frame, SignedRecord

REFERENCE_MAX: Final = 128
"""Characters of a transaction's reference, of which OCPP allows 36: rows and indexes hold them.

A longer one is known by its hash; its own text stands in the frame."""
_HEAD: Final = frozenset({"station_id", "position", "line", "received_at", "oddities"})
_AUTHORIZED: Final = (SessionStarted, SessionUpdated)
_OF_NO_SESSION: Final = (StationBooted, QueueReported, PriceTold, *OF_NO_FOLD)
_NOWHERE: Final = At("", None, lambda _raw, _oddities: None)


class Told(msgspec.Struct, frozen=True, gc=False):
    """What a call told: which fact, its parts by the names of its fields, and what was odd."""

    fact: type[StationFact]
    parts: dict[str, Any]
    oddities: Oddities


class MeterValuesAt(NamedTuple):
    """Where a call has its sampled values, and in which shape.

    `is_dating`: where nothing else says when, the last of them does.
    """

    name: str
    shape: type[Sample]
    is_dating: bool = True


class Strict(NamedTuple):
    """A faster way for an action that most frames are, where its payload fits a type.

    `tell` says what the parts of the table say of it, in less time; a test holds the two equal.
    `may_repeat` says whether something may stand twice in the text of the frame, and is worth the
    time to be looked for.
    """

    decoder: msgspec.json.Decoder[tuple[int, str, str, Any]]
    tell: Callable[[Any, Oddities], Told]
    may_repeat: Callable[[Any, str], bool]


def strictly(
    payload: Any,  # noqa: ANN401 - any type
    tell: Callable[[Any, Oddities], Told],
    may_repeat: Callable[[Any, str], bool],
) -> Strict:
    """Return the faster way for calls whose payload fits the type *payload*."""
    return Strict(msgspec.json.Decoder(tuple[int, str, str, payload]), tell, may_repeat)


class Telling:
    """What one action tells: which fact, and how its parts are read from a call.

    Where a protocol knows no EVSEs, *parts* name the connector alone: it stands for one. *look*
    sees the call first; it may note what is odd, or say why the call tells nothing.
    """

    def __init__(
        self,
        fact: type[StationFact],
        parts: Mapping[str, Part],
        *,
        meter_values: MeterValuesAt | None = None,
        look: Callable[[RpcCall], SetAside | None] | None = None,
        strict: Strict | None = None,
    ) -> None:
        """Check *parts*, which are named as the fields of *fact*."""
        self.strict = strict
        self._fact, self._parts, self._meter_values, self._look = fact, parts, meter_values, look
        self._is_without_evse = "connector_id" in parts and "evse_id" not in parts
        self._steps = [(n, *(p or _NOWHERE)) for n, p in parts.items() if not callable(p)]
        self._others = [(name, part) for name, part in parts.items() if callable(part)]
        given = {*parts, *(("evse_id",) if self._is_without_evse else ())}
        if meter_values is not None:
            given |= {"readings", "signed", *(("occurred_at",) if meter_values.is_dating else ())}
        wanted = {each.name: each.required for each in fields(fact) if each.name not in _HEAD}
        wrong = given - wanted.keys() | {n for n, required in wanted.items() if required} - given
        assert not wrong, f"{fact.__name__}: {wrong}"

    def having(self, fact: type[StationFact] | None = None, **parts: Part) -> Telling:
        """Return the same with *parts* replaced or added, and perhaps as another *fact*."""
        values, look = self._meter_values, self._look
        return Telling(fact or self._fact, {**self._parts, **parts}, meter_values=values, look=look)

    def tell(self, call: RpcCall) -> Told | SetAside:
        """Return what *call* tells. Never raises."""
        payload, oddities = call.payload, call.oddities
        if self._look is not None and (nothing := self._look(call)) is not None:
            return nothing
        parts: dict[str, Any] = {}
        for part, name, inner, read in self._steps:
            raw = payload.get(name)
            if inner is not None:
                raw = raw.get(inner) if isinstance(raw, dict) else None
            parts[part] = read(raw, oddities)
        for part, read_call in self._others:
            parts[part] = read_call(call)
        if self._is_without_evse:
            parts["evse_id"] = parts["connector_id"]
        if self._meter_values is not None:
            name, shape, is_dating = self._meter_values
            values = lenient_meter_values(payload.get(name), shape, oddities)
            parts["readings"], parts["signed"], last_at = read_meter_values(values, oddities)
            if is_dating:
                parts["occurred_at"] = parts.get("occurred_at") or last_at
        return Told(self._fact, parts, oddities)


class Kinds(NamedTuple):
    """An action that tells one thing or another, as the word under `name` says."""

    name: str
    tellings: Mapping[str, Telling]
    otherwise: Telling
    strict: Strict | None = None

    def tell(self, call: RpcCall) -> Told | SetAside:
        """Return what *call* tells. Never raises: an unknown word is odd and tells `otherwise`."""
        telling = self.tellings.get((read_text(call.payload.get(self.name)) or "").casefold())
        if telling is None:
            call.oddities.add(Flag.ENUM_UNKNOWN)
            telling = self.otherwise
        return telling.tell(call)


Table = Mapping[str, Telling | Kinds]
"""What each action tells."""


def fact_of(told: Told | SetAside, frame: Frame, *, position: int, line: int) -> list[StationFact]:
    """Return the fact that *told* is, or nothing. The one place that makes facts of frames."""
    if isinstance(told, SetAside):
        if told.reason is None:
            return []
        told = Told(FrameSetAside, {"reason": told.reason}, set())
    parts = told.parts
    if has_odd_text(frame.frame):
        told.oddities.add(Flag.TEXT_ODD)
        _make_storable(parts)
    reference = parts.get("transaction_ref")
    if reference is not None:
        parts["transaction_ref"] = reference = reference.strip()  # no id has a blank in it
        if len(reference) > REFERENCE_MAX:
            parts["transaction_ref"] = f"sha256:{sha256(reference.encode()).hexdigest()}"
    if parts.get("token_uid") is not None:
        token = parts["token_uid"] = _subject(parts["token_uid"], frame, told.oddities)
        found = frame.authorization
        if found is not None and found.subject == token and told.fact in _AUTHORIZED:
            parts["authorization"] = found
    if "signed" in parts:
        parts["signed"] = _with_records(parts["signed"], frame.signed)
    parts["station_id"], parts["received_at"] = frame.station, frame.received_at
    parts["position"], parts["line"] = position, line
    if told.oddities and told.fact not in _OF_NO_SESSION:
        parts["oddities"] = tuple(sorted(told.oddities))
    return [told.fact(**parts)]


def _make_storable(parts: dict[str, Any]) -> None:
    for name, said in parts.items():
        if type(said) is str:  # and no name of a state
            parts[name] = storable(said)


def _with_records(
    signed: Sequence[SignedReading], records: Sequence[SignedRecord]
) -> tuple[SignedReading, ...]:
    """Return *signed* readings with what was read of them before somebody was cut out."""
    read = chain(records, repeat(None))
    return tuple([replace(each, record=record) for each, record in zip(signed, read)])  # noqa: B905 - one goes on


def _subject(token: str, frame: Frame, oddities: Oddities) -> str | None:
    """Return the subject that stands in a token's place; what nobody cut out there is no token."""
    found = [each for each in frame.sealed if each.subject == token]
    if any(each.is_odd for each in found):
        oddities.add(Flag.TOKEN_ODD)
    return token if found else None
