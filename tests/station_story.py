"""What one station sends, told frame by frame in either version, and the sessions it makes."""

# ruff: noqa: ANN401 - a story passes on whatever a station may send

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from ingest.facts.translate import translate
from ledger.facts.station_facts import StationFact
from ledger.facts.station_traits import StationTraits
from ledger.facts.token_uid import NO_HABITS, TokenHabits
from ledger.log.envelope import Frame
from ledger.sessions.session import ChargingSession
from ledger.sessions.station_fold import StationFold, fold_station
from ledger.sessions.told import told
from tests.at_the_edge import sealed
from tests.tree import VECTORS

MORNING = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SHARED = VECTORS / "ocpp-frames"
AC = StationTraits(time_zone="Europe/Berlin", max_power_w=Decimal(22_000))


def at(minutes: float) -> datetime:
    """Return the moment *minutes* after MORNING."""
    return MORNING + timedelta(minutes=minutes)


def minutes_to(moment: datetime) -> float:
    """Return how many minutes after MORNING *moment* lies."""
    return (moment - MORNING) / timedelta(minutes=1)


def stamp(minutes: float) -> str:
    """Return that moment as a station writes it."""
    return at(minutes).strftime("%Y-%m-%dT%H:%M:%SZ")


def wh(value: object, **more: Any) -> dict[str, Any]:
    """Return a register sample as 1.6 writes it."""
    return {"value": str(value), "measurand": "Energy.Active.Import.Register", "unit": "Wh"} | more


def watts(value: object) -> dict[str, Any]:
    """Return a power sample as 1.6 writes it."""
    return {"value": str(value), "measurand": "Power.Active.Import", "unit": "W"}


_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Story:
    """Frames of one station in the order in which they come; a frame's position is its index."""

    protocol = ""

    def __init__(self, traits: StationTraits = AC, habits: TokenHabits = NO_HABITS) -> None:
        self.traits, self.habits = traits, habits
        self.frames: list[Frame] = []

    def send(
        self,
        action: str,
        payload: object,
        received: float,
        *,
        reply: object = None,
        direction: Any = "in",
    ) -> None:
        """Log a call and what answered it."""
        number = str(len(self.frames) + 1)
        answer = None if reply is None else json.dumps([3, number, reply])
        text = _ENCODER.encode([2, number, action, payload]).decode()
        self.log(text, received, reply=answer, direction=direction)

    def log(
        self, text: str, received: float, *, reply: str | None = None, direction: Any = "in"
    ) -> None:
        """Log a frame as it is."""
        frame = Frame(
            received_at=at(received),
            station="CS-1",
            protocol=self.protocol,
            epoch=1,
            frame=text,
            reply=reply,
            direction=direction,
        )
        self.frames.append(sealed(frame, self.habits))

    def facts(self) -> list[StationFact]:
        """Return the facts of all frames."""
        return [
            fact
            for position, frame in enumerate(self.frames)
            for fact in translate(frame, position=position, line=0)
        ]

    def fold(self, facts: Iterable[StationFact] | None = None) -> StationFold:
        """Return a fold of *facts* (default: all of the story)."""
        return fold_station("CS-1", told(self.facts() if facts is None else facts), self.traits)

    def sessions(self) -> list[ChargingSession]:
        """Return every session, by start."""
        return sessions_of(self.fold())

    def session(self) -> ChargingSession:
        """Return the only session."""
        (session,) = self.sessions()
        return session


def sessions_of(fold: StationFold) -> list[ChargingSession]:
    """Return every session of *fold*, by start."""
    found = [
        session for transaction in fold.transactions() for session in fold.sessions(transaction)
    ]
    return sorted(found, key=lambda session: session.session_id.rsplit("/", 1)[-1])


def in_any_order(story: Story) -> list[ChargingSession]:
    """Return the sessions of *story*, the same in whatever order its frames came."""
    facts, expected = story.facts(), story.sessions()
    orders = itertools.islice(itertools.permutations(facts), 200)
    for order in [*orders, facts[::-1]]:
        fold = story.fold([])
        for fact in order:
            fold = fold_station("CS-1", told([fact], fold.told), story.traits, fold)
            for transaction in fold.transactions():
                fold.sessions(transaction)
        assert sessions_of(fold) == expected
    return expected


def brief(session: ChargingSession) -> tuple[Any, ...]:
    """Return who pays, for how much, and what forbids it."""
    return session.token_uid, session.energy_wh, session.blockers


class Story16(Story):
    """A 1.6 station; `tx` is the id that we gave, or any that the station makes up."""

    protocol = "ocpp1.6"

    def start(
        self, minute: float = 0, register: object = 1000, *, tx: object = 1,
        token: object = "TAG-1", place: int = 1, device: str | None = None,
        received: float | None = None, **more: Any,
    ) -> None:  # fmt: skip
        payload = {
            "connectorId": place, "idTag": token, "meterStart": register,
            "timestamp": device or stamp(minute),
        } | more  # fmt: skip
        reply = {"transactionId": tx, "idTagInfo": {"status": "Accepted"}}
        self.send("StartTransaction", payload, _or(received, minute), reply=reply)

    def sample(
        self, minute: float, *samples: dict[str, Any], tx: object = 1, place: int = 1,
        device: str | None = None, received: float | None = None,
    ) -> None:  # fmt: skip
        payload: dict[str, Any] = {
            "connectorId": place,
            "meterValue": [{"timestamp": device or stamp(minute), "sampledValue": list(samples)}],
        }
        if tx is not None:
            payload["transactionId"] = tx
        self.send("MeterValues", payload, _or(received, minute))

    def state(
        self, minute: float, name: str, *, place: int = 1, received: float | None = None
    ) -> None:
        payload = {
            "connectorId": place, "errorCode": "NoError", "status": name,
            "timestamp": stamp(minute),
        }  # fmt: skip
        self.send("StatusNotification", payload, _or(received, minute))

    def stop(
        self, minute: float = 60, register: object = 6000, *, tx: object = 1,
        device: str | None = None, received: float | None = None,
        samples: Sequence[dict[str, Any]] = (), **more: Any,
    ) -> None:  # fmt: skip
        payload = {
            "transactionId": tx, "meterStop": register, "timestamp": device or stamp(minute),
        } | more  # fmt: skip
        if samples:
            values = {"timestamp": device or stamp(minute), "sampledValue": list(samples)}
            payload["transactionData"] = [values]
        self.send("StopTransaction", payload, _or(received, minute), reply={})

    def boot(self, minute: float) -> None:
        self.send("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}, minute)


class Story201(Story):
    """A 2.0.1 station; sequence numbers count by themselves per transaction."""

    protocol = "ocpp2.0.1"

    def __init__(self, traits: StationTraits = AC, habits: TokenHabits = NO_HABITS) -> None:
        super().__init__(traits, habits)
        self._next: dict[object, int] = {}

    def event(  # noqa: PLR0913
        self, kind: str, minute: float, *samples: dict[str, Any], tx: object = 1,
        place: int | None = 1, token: object = None, state: str | None = None,
        seq: int | None = None, device: str | None = None, received: float | None = None,
        **more: Any,
    ) -> None:  # fmt: skip
        number = self._next.get(tx, 0) if seq is None else seq
        self._next[tx] = number + 1
        info: dict[str, Any] = {"transactionId": f"T-{tx}"} | more.pop("info", {})
        if state is not None:
            info["chargingState"] = state
        payload: dict[str, Any] = {
            "eventType": kind, "timestamp": device or stamp(minute), "seqNo": number,
            "triggerReason": "Trigger", "transactionInfo": info,
        } | more  # fmt: skip
        if place is not None:
            payload["evse"] = {"id": place, "connectorId": 1}
        if token is not None:
            payload["idToken"] = {"idToken": token, "type": "ISO14443"}
        if samples:
            values = [_sample201(sample) for sample in samples]
            payload["meterValue"] = [{"timestamp": device or stamp(minute), "sampledValue": values}]
        self.send("TransactionEvent", payload, _or(received, minute), reply={})

    def start(
        self, minute: float = 0, register: object = 1000, *, token: object = "TAG-1", **more: Any
    ) -> None:
        begin = wh(register, context="Transaction.Begin")
        self.event("Started", minute, begin, token=token, **more)

    def sample(
        self, minute: float, *samples: dict[str, Any], tx: object = 1, place: int | None = None,
        **more: Any,
    ) -> None:  # fmt: skip
        self.event("Updated", minute, *samples, tx=tx, place=place, **more)

    def state(self, minute: float, name: str, **more: Any) -> None:
        self.event("Updated", minute, place=None, state=name, **more)

    def stop(
        self, minute: float = 60, register: object = 6000, *,
        samples: Sequence[dict[str, Any]] = (), **more: Any,
    ) -> None:  # fmt: skip
        end = wh(register, context="Transaction.End")
        self.event("Ended", minute, *samples, end, **({"place": None} | more))

    def boot(self, minute: float) -> None:
        station = {"vendorName": "V", "model": "M"}
        self.send("BootNotification", {"reason": "PowerUp", "chargingStation": station}, minute)


class Story21(Story201):
    """A 2.1 station."""

    protocol = "ocpp2.1"


def _sample201(sample: dict[str, Any]) -> dict[str, Any]:
    """Return a 1.6 sample as 2.0.1 writes it: a number, and the unit in its own object."""
    told = {key: value for key, value in sample.items() if key != "unit"}
    text = told["value"]
    if isinstance(text, str):
        told["value"] = Decimal(text) if _is_number(text) else text
    if "unit" in sample:
        told["unitOfMeasure"] = {"unit": sample["unit"]}
    return told


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).replace("-", "", 1).isdigit() and text == text.strip()


def _or(received: float | None, minute: float) -> float:
    return minute if received is None else received


def issue_frames(thread: str) -> list[str]:
    """Return the frames that the public *thread* quotes; skips where the vectors are absent."""
    path = SHARED / "issue_frames.jsonl"
    if not path.exists():
        pytest.skip("the quoted frames lie in ../shared/vectors, which is not here")
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["source"].endswith(thread):
            return list(row["frames"])
    pytest.skip(f"no frames of {thread} in ../shared/vectors")
