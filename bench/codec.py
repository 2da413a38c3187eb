"""`codec_frames`: limits, envelope, typed payload and answer, against `ocpp`'s route_message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from bench.peers.frames import meter_values
from bench.peers.station import PeerStation
from bench.run import Row
from ingest.answers import ocpp16
from ingest.answers.answering import AnsweringParts
from ingest.answers.sequences import Sequences
from ingest.directory import StationAccess
from ingest.facts.ocpp16 import MeterValuesRequest
from ingest.rpc import codec
from ingest.rpc.codec import Call
from tests.at_the_edge import NamedSubjects
from tests.fakes import FixedClock, FixedDirectory, MemoryIds

# Between two looks at the clock, so that looking costs nothing.
_ROUND: Final = 200


def rows(seconds: float) -> list[Row]:
    """Measure both sides for *seconds* of processor time each."""
    return asyncio.run(_rows(seconds))


async def _rows(seconds: float) -> list[Row]:
    frame = meter_values("5d5c2e9a-6f0e-4a33-9f3a-0c5b8b1f7a10")
    peer = PeerStation("CP1", _Wire())
    theirs = await _rate(lambda: peer.route_message(frame), seconds)
    raw, parts = frame.encode(), _desk()
    ours = await _rate(lambda: _ours(raw, parts), seconds)
    return [
        {
            "name": "codec_frames",
            "value": ours,
            "unit": f"frames of {len(raw)} B per CPU second",
            "peer": "ocpp route_message",
            "peer_value": theirs,
            "ratio": ours / theirs,
        }
    ]


async def _rate(handle: Callable[[], Awaitable[object]], seconds: float) -> float:
    """Return how often *handle* runs per second of processor time (the peer uses threads)."""
    count, started = 0, time.process_time()
    while (spent := time.process_time() - started) < seconds:
        for _ in range(_ROUND):
            await handle()
        count += _ROUND
    return count / spent


async def _ours(raw: bytes, parts: AnsweringParts) -> bytes:
    """Do to one frame what the server and the worker do with it, short of log and fold."""
    message = codec.parse(raw)
    assert isinstance(message, Call)
    codec.decode(message.payload, MeterValuesRequest)
    answer = await ocpp16.DIALECT.answer(message, parts)
    return codec.encode_result(message.message_id, answer.payload)


def _desk() -> AnsweringParts:
    return AnsweringParts(
        station=StationAccess(station_id="CP1", password_hashes=()),
        directory=FixedDirectory(),
        subjects=NamedSubjects(),
        ids=MemoryIds(),
        clock=FixedClock(),
        sequences=Sequences(),
        heartbeat_seconds=300,
    )


class _Wire:
    """A connection that swallows what is sent."""

    async def send(self, message: str) -> None:
        assert message
