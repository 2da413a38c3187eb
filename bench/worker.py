"""`worker_frames`: frames from the event log to facts, sessions and decisions.

400 stations charge: a start, then MeterValues of 1.3 kB. One session in ten ends (30 readings
before its stop, and the next one begins): it is folded and then held, as no master data are
declared. The rest is still open at the end. (The fold at a session's end costs about 9 us for each
of its frames.) The peer is `eventsourcing`'s own ProjectionRunner with the same frames as events,
the same translation and the same kind of row written, one event a transaction. Both are counted in
processor time of the worker and of all of PostgreSQL together, so that it is what one core does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from bench.peers.frames import meter_values
from bench.peers.worked_log import cpu_seconds, empty_log, fill, worked_off
from bench.peers.worker import measure_peer
from bench.run import Row
from deploy.postgres.embedded import EmbeddedPostgres
from ledger.log.envelope import Frame
from tests.at_the_edge import sealed

_STATIONS: Final = 400
_FRAMES_EACH: Final = 300
_ENDS_ONE_IN: Final = 10
_READINGS: Final = 30
# About what one flush of the server holds under load.
_LINES_A_RECORD: Final = 100
_PEER_FRAMES: Final = 3_000
_MORNING: Final = datetime(2026, 3, 2, 7, tzinfo=UTC)


def rows(seconds: float) -> list[Row]:
    """Measure both sides; ours for at least *seconds* of processor time."""
    with empty_log() as postgres:
        fill(postgres, (*starts(), *charging()), lines_a_record=_LINES_A_RECORD)
        ours = _measure(postgres, seconds)
        frames = [frame for frame, _ in zip(charging(), range(_PEER_FRAMES), strict=False)]
        theirs = measure_peer(postgres.dsn, frames, lambda: cpu_seconds(postgres))
    return [
        {
            "name": "worker_frames",
            "value": ours,
            "unit": "frames per CPU second, worker and PostgreSQL; a tenth in sessions that end",
            "peer": "eventsourcing ProjectionRunner",
            "peer_value": theirs,
            "ratio": ours / theirs,
        }
    ]


def _measure(postgres: EmbeddedPostgres, seconds: float) -> float:
    """Work through the log, each time into new tables, until *seconds* are spent."""
    frames, spent, number = 0, 0.0, 0
    while spent < seconds:
        done, took = worked_off(postgres, f"bench_{number}")
        frames, spent, number = frames + done, spent + took, number + 1
    return frames / spent


def starts() -> Iterator[Frame]:
    """Yield the start of each station's first session."""
    for number in range(_STATIONS):
        yield _start(number, 0)


def _start(number: int, step: int) -> Frame:
    register = 1000 + 80 * step
    payload = {
        "connectorId": 1, "idTag": "A", "meterStart": register, "timestamp": _text(step)
    }  # fmt: skip
    reply = {"transactionId": _reference(number, step), "idTagInfo": {"status": "Accepted"}}
    return _frame(number, step, _call("StartTransaction", payload), json.dumps([3, "1", reply]))


def _reference(number: int, step: int) -> int:
    """Return the transaction of a station at a step: one in ten has a new one now and then."""
    return 1_000_000 + number + _STATIONS * (step // _READINGS if number % _ENDS_ONE_IN == 0 else 0)


def charging() -> Iterator[Frame]:
    """Yield MeterValues, station after station, with registers that rise by 80 Wh."""
    template = meter_values("%s")
    for step in range(1, _FRAMES_EACH + 1):
        for number in range(_STATIONS):
            if _reference(number, step) != _reference(number, step - 1):
                ended = _reference(number, step - 1)
                register = 1000 + 80 * step
                payload = {"transactionId": ended, "meterStop": register, "timestamp": _text(step)}
                yield _frame(number, step, _call("StopTransaction", payload), '[3,"1",{}]')
                yield _start(number, step)
            text = (
                template.replace("1234567", str(_reference(number, step)))
                .replace("2026-03-02T12:00:00Z", _text(step))
                .replace("163630.5", f"{1000 + 80 * step}.0")
            )
            yield _frame(number, step, text, '[3,"%s",{}]')


def _frame(number: int, step: int, text: str, reply: str) -> Frame:
    frame = Frame(
        received_at=_MORNING + timedelta(seconds=30 * step + 1),
        station=f"B{number:04d}",
        protocol="ocpp1.6",
        epoch=1,
        frame=text,
        reply=reply,
    )
    return sealed(frame)


def _text(step: int) -> str:
    return f"{_MORNING + timedelta(seconds=30 * step):%Y-%m-%dT%H:%M:%SZ}"


def _call(action: str, payload: dict[str, object]) -> str:
    return json.dumps([2, "1", action, payload])
