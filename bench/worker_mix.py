"""`worker_full_mix`, `bytes_a_line`, `worker_hard_cases`: every session ends; and where it hurts.

Full mix: 400 stations, sessions of a start, 20 MeterValues of 1.3 kB and a stop, every one rated;
lines a CPU second of worker and PostgreSQL together over 100,000 lines and over ten times as many:
the cost of a line must not grow with what lies behind it. Hard cases: what an event costs beside a
session that waits for a lost event, under a transaction id that is started again and again, after
its session's deadline, beside 1,200 sessions of two hours, and where a week's sessions come within
hours, from a station that was offline; each against the same events in an easy station, one a
record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from bench.peers.frames import meter_values
from bench.peers.worked_log import declare, empty_log, fill, size_of, worked_off
from bench.run import Row
from ledger.log.envelope import Frame, LogLine, Tick
from tests.at_the_edge import sealed

STATIONS: Final = 400
_READINGS: Final = 20
_STEP_S: Final = 30
_STEPS_A_DAY: Final = 2_880
_LINES_A_RECORD: Final = 100
_SHORT: Final = 100_000
_LONG: Final = 1_000_000
_HARD_EVENTS: Final = 2_000
_ROUNDS: Final = 3
_BYTES_MAX: Final = 150.0
_MORNING: Final = datetime(2026, 3, 2, 7, tzinfo=UTC)
_METER_VALUES: Final = meter_values("%s")


def rows(_seconds: float) -> list[Row]:
    """Measure all rows; each log is worked off once or a few times, however long that takes."""
    return [*_full_mix(), _hard_cases()]


def _full_mix() -> list[Row]:
    (short, _), (long, bytes_a_line) = _mix(_SHORT), _mix(_LONG)
    rate: Row = {
        "name": "worker_full_mix",
        "value": long,
        "unit": "lines per CPU second, every session ends and is rated; a million lines",
        "peer": "the same over a tenth of the lines: 1.0 is flat",
        "peer_value": short,
        "ratio": long / short,
    }
    size: Row = {
        "name": "bytes_a_line",
        "value": bytes_a_line,
        "unit": "bytes of PostgreSQL a line: log, facts, sessions, decisions, books, indexes",
        "peer": "at most",
        "peer_value": _BYTES_MAX,
        "ratio": _BYTES_MAX / bytes_a_line,
    }
    return [rate, size]


def _mix(lines: int) -> tuple[float, float]:
    """Return lines a CPU second, and the bytes that a line takes in the end."""
    with empty_log() as postgres:
        declare(postgres, map(station_name, range(STATIONS)))
        fill(postgres, mixed(lines), lines_a_record=_LINES_A_RECORD)
        done, spent = worked_off(postgres, "mix")
        return done / spent, size_of(postgres, "inputs", "mix") / lines


def mixed(
    lines: int, *, readings: int = _READINGS, step_s: int = _STEP_S, day: int = 0
) -> Iterator[LogLine]:
    """Yield sessions of 400 stations, one step of each after the other, *step_s* apart.

    On a later *day* others.
    """
    steps = readings + 2
    for count in range(lines):
        number, step = count % STATIONS, count // STATIONS
        session, at = divmod(step, steps)
        reference = 1 + number + STATIONS * session + lines * day
        register = 1000 + 80 * (step + (lines // STATIONS) * day)
        moment = step * step_s // _STEP_S + _STEPS_A_DAY * day
        if at == 0:
            yield _start16(number, moment, reference, register)
        elif at == steps - 1:
            payload = {
                "transactionId": reference, "meterStop": register, "timestamp": _text(moment)
            }  # fmt: skip
            yield _frame(station_name(number), moment, _call("StopTransaction", payload), "{}")
        else:
            text = (
                _METER_VALUES.replace("1234567", str(reference))
                .replace("2026-03-02T12:00:00Z", _text(moment))
                .replace("163630.5", f"{register}.0")
            )
            yield _frame(station_name(number), moment, text, "{}")


def _hard_cases() -> Row:
    dearest = 0.0
    for easy, hard in (
        (_events("B"), [*_waiting(), *_events("B")]),
        (_restarts("T{}"), _restarts("T")),
        (_queue(is_late=False), _queue(is_late=True)),
        (_restarts("T{}"), _restarts("T{}", apart=0.2)),
        (_restarts("T{}"), _restarts("T{}", is_kept=True)),
    ):
        dearest = max(dearest, _cost(hard) / _cost(easy))
    return {
        "name": "worker_hard_cases",
        "value": dearest,
        "unit": "times the CPU time of the easy case, the worst of five hard ones",
        "peer": "at most",
        "peer_value": 2.0,
        "ratio": 2.0 / dearest,
    }


def _cost(lines: Iterable[LogLine]) -> float:
    """Return the processor time of *lines*, one a record: the least of some rounds."""
    with empty_log() as postgres:
        declare(postgres, ["CS"])
        fill(postgres, lines, lines_a_record=1)
        return min(worked_off(postgres, f"round_{n}")[1] for n in range(_ROUNDS))


def _waiting() -> Iterator[LogLine]:
    """Yield a session whose event number 1 is lost: it ended and waits for it."""
    yield _event("Started", "A", 0, step=0, register=1000)
    yield _event("Ended", "A", 2, step=1, register=1500)


def _events(transaction: str) -> list[LogLine]:
    """Return a session of many events that is under way, within the hour that others wait."""
    return [
        _event("Updated" if n else "Started", transaction, n, step=2 + n / 40, register=1500 + n)
        for n in range(_HARD_EVENTS)
    ]


def _restarts(name: str, apart: float = 10, *, is_kept: bool = False) -> list[LogLine]:
    """Return many short sessions; with a *name* that takes no number they share their id.

    So many steps *apart*: 300 s, so that 24 of them are of the last two hours, or 6 s. *is_kept*:
    they are dated so, and come 6 s apart behind the last of them.
    """
    lines: list[LogLine] = []
    for n in range(_HARD_EVENTS):
        step, register, transaction = apart * n, 1000 + 10 * n, name.format(n)
        ends = step + 0.4 * apart
        came = apart * _HARD_EVENTS + 0.2 * n if is_kept else None
        for kind, number, at, value in (
            ("Started", 0, step, register), ("Ended", 1, ends, register + 10),
        ):  # fmt: skip
            lines.append(_event(kind, transaction, number, step=at, register=value, received=came))
    return lines


def _queue(*, is_late: bool) -> list[LogLine]:
    """Return a session's events; *is_late*: they come two days later, after its deadline."""
    late = 2 * 24 * 120 if is_late else 0
    lines: list[LogLine] = [_event("Started", "Q", 0, step=0, register=1000)]
    if is_late:
        lines.append(Tick(received_at=_MORNING + timedelta(days=1, hours=23)))
    lines += [
        _event("Updated", "Q", n, step=n, register=1000 + 10 * n, received=n + late)
        for n in range(1, _HARD_EVENTS)
    ]
    return lines


def station_name(number: int) -> str:
    """Return the name of a station."""
    return f"B{number:04d}"


def _start16(number: int, step: int, reference: int, register: int) -> Frame:
    payload = {
        "connectorId": 1, "idTag": "A", "meterStart": register, "timestamp": _text(step)
    }  # fmt: skip
    reply = {"transactionId": reference, "idTagInfo": {"status": "Accepted"}}
    return _frame(station_name(number), step, _call("StartTransaction", payload), json.dumps(reply))


def _event(
    kind: str,
    transaction: str,
    seq_no: int,
    *,
    step: float,
    register: int,
    received: float | None = None,
) -> Frame:
    sampled = {"value": register, "context": "Sample.Periodic"}
    payload: dict[str, object] = {
        "eventType": kind,
        "timestamp": _text(step),
        "triggerReason": "MeterValuePeriodic",
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": transaction, "chargingState": "Charging"},
        "meterValue": [{"timestamp": _text(step), "sampledValue": [sampled]}],
        "evse": {"id": 1, "connectorId": 1},
    }
    if kind == "Started":
        payload["idToken"] = {"idToken": "A", "type": "ISO14443"}
    at = step if received is None else received
    return _frame("CS", at, _call("TransactionEvent", payload), "{}", protocol="ocpp2.0.1")


def _frame(
    station: str, step: float, text: str, answer: str, *, protocol: str = "ocpp1.6"
) -> Frame:
    frame = Frame(
        received_at=_MORNING + timedelta(seconds=_STEP_S * step + 1),
        station=station,
        protocol=protocol,
        epoch=1,
        frame=text,
        reply=f'[3,"1",{answer}]',
    )
    return sealed(frame)


def _text(step: float) -> str:
    return f"{_MORNING + timedelta(seconds=_STEP_S * step):%Y-%m-%dT%H:%M:%SZ}"


def _call(action: str, payload: dict[str, object]) -> str:
    return json.dumps([2, "1", action, payload])
