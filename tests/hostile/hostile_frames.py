"""Hostile frames by chance: valid messages of the official schemas, then broken at random places.

Seeded: the same seed gives the same frames. A tenth are raw bytes, or JSON torn apart.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "ocpp1.6": (
        "Authorize", "BootNotification", "DataTransfer", "MeterValues", "StartTransaction",
        "StatusNotification", "StopTransaction",
    ),
    "ocpp2.0.1": (
        "Authorize", "BootNotification", "DataTransfer", "MeterValues", "NotifyEvent",
        "StatusNotification", "TransactionEvent",
    ),
    "ocpp2.1": (
        "Authorize", "BootNotification", "MeterValues", "NotifyEVChargingNeeds",
        "NotifySettlement", "StatusNotification", "TransactionEvent", "VatNumberValidation",
    ),
}  # fmt: skip
WEIGHTS: Final = {
    "StartTransaction": 4, "StopTransaction": 4, "MeterValues": 3, "TransactionEvent": 3,
}  # fmt: skip
FOLDERS: Final = {
    "ocpp1.6": ("v16", "{}.json"),
    "ocpp2.0.1": ("v201", "{}Request.json"),
    "ocpp2.1": ("v21", "{}Request.json"),
}
TIMES: Final = (
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59", "2026-03-02",
    "2199-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "2026-03-02T25:00:00Z", "",
)  # fmt: skip
NUMBERS: Final = (
    0, -1, 2**31 - 1, 2**31, -(2**31) - 1, 2**63, 2**64, 10**30, -(10**18), 1e308, 0.1,
)  # fmt: skip
TEXTS: Final = (
    "", "\0", "a\0b", "\ud800", "\udfff\ud800", "\U0001f600", "x" * 4096, "\u202e", "'; DROP",
    "-1", "1e400", "NaN", "null", "\t\n", "0" * 300, "\u00e9" * 2000,
    "0.3333333333333333333", "1234567890123.5",
)  # fmt: skip
# What Python's JSON cannot say: put into the text afterwards.
WRITTEN: Final = {
    '"@huge@"': "1e400", '"@nan@"': "NaN", '"@long@"': "9" * 399, '"@longer@"': "9" * 5000,
    '"@deep@"': "[" * 20 + "]" * 20, '"@deeper@"': "[" * 3000 + "]" * 3000, '"@minus@"': "-0",
    '"@fine@"': "0.1234567890123456789", '"@far@"': "9999999999999.5", '"@farther@"': "1e15",
    '"@small@"': "1e-400", '"@exact@"': "3.4560000000000000000000000000000001",
}  # fmt: skip


@cache
def _schema(protocol: str, action: str) -> Any:  # noqa: ANN401 - JSON
    version, name = FOLDERS[protocol]
    path = files("ocpp").joinpath(version, "schemas", name.format(action))
    return json.loads(path.read_text("utf-8-sig"))


class HostileFrames:
    """Frames of one station, of one protocol."""

    def __init__(self, seed: int, protocol: str, *, now: Callable[[], str]) -> None:
        self._chance, self._protocol, self._now = random.Random(seed), protocol, now
        self._actions = ACTIONS[protocol]
        self._weights = [WEIGHTS.get(action, 1) for action in self._actions]
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield self.frame()

    def frame(self) -> bytes:
        """Return the next frame."""
        chance, self._sent = self._chance, self._sent + 1
        if chance.random() < 0.03:
            return chance.randbytes(chance.choice([1, 7, 100, 5000]))
        [action] = chance.choices(self._actions, self._weights)
        schema = _schema(self._protocol, action)
        payload = self._value(schema, schema, "")
        for _ in range(chance.choice([0, 0, 1, 1, 2, 5])):
            payload = self._broken(payload)
        message: list[Any] = [2, f"{self._sent}", action, payload]
        if chance.random() < 0.05:
            message = self._broken(message)
        frame = json.dumps(message)
        for stands, written in WRITTEN.items():
            frame = frame.replace(stands, written)
        found = frame.encode()
        if chance.random() < 0.05:
            at = chance.randrange(len(found))
            found = found[:at] + chance.randbytes(chance.randrange(3)) + found[at + 1 :]
        return found

    def _value(self, schema: Any, root: Any, name: str) -> Any:  # noqa: ANN401 - JSON
        """Return a value that *schema* allows, as a station would say it."""
        chance = self._chance
        if "$ref" in schema:
            return self._value(root["definitions"][schema["$ref"].rpartition("/")[2]], root, name)
        if "enum" in schema:
            return chance.choice(schema["enum"])
        kind = schema.get("type")
        if kind == "object":
            required = schema.get("required", ())
            return {
                key: self._value(inner, root, key)
                for key, inner in schema.get("properties", {}).items()
                if key in required or chance.random() < 0.3
            }
        if kind == "array":
            count = chance.choice([1, 1, 2, 3])
            return [self._value(schema["items"], root, name) for _ in range(count)]
        return self._plain(schema, name)

    def _plain(self, schema: Any, name: str) -> Any:  # noqa: ANN401 - JSON
        """Return a number, a truth or a text."""
        chance, digits = self._chance, self._chance.randrange(10**5)
        if schema.get("format") == "date-time":
            return self._now()
        if schema.get("type") in {"integer", "number"}:
            return chance.choice([0, 1, 1, 2, 5, digits])
        if schema.get("type") == "boolean":
            return chance.random() < 0.5
        longest = min(schema.get("maxLength", 20), 20)
        return str(digits) if name in {"value", "transactionId"} else f"T{digits}"[:longest]

    def _broken(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        """Return *value* with one part of it replaced, left out or added."""
        chance = self._chance
        if isinstance(value, dict) and value and chance.random() < 0.9:
            key = chance.choice(list(value))
            if chance.random() < 0.1:
                return {name: each for name, each in value.items() if name != key}
            return value | {key: self._broken(value[key])}
        if isinstance(value, list) and value and chance.random() < 0.9:
            at = chance.randrange(len(value))
            return [*value[:at], self._broken(value[at]), *value[at + 1 :]]
        kinds: tuple[tuple[Any, ...], ...] = (
            TIMES, NUMBERS, TEXTS, tuple(text.strip('"') for text in WRITTEN),
            (None, True, [], {}, [[]], {"\0": "\0"}, [1, "2", None]),
        )  # fmt: skip
        return chance.choice(chance.choice(kinds))
