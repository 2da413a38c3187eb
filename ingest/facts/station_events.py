"""What stations tell of themselves: security events, file transfers, problems of components.

Source: OCPP 1.6 edition 2, 4.4 and 4.5, and security whitepaper edition 2, 6.9; OCPP 2.0.1 part 2,
A04, L, N01 and N07; appendix 3.1 (the variable Problem, which every component may have).
"""

from __future__ import annotations

from typing import Final

from ingest.facts.lenient import (
    Oddities,
    read_int,
    read_list,
    read_object,
    read_text,
    read_time,
)
from ingest.facts.parts import PLACES, WORD_MAX, at, at_most, read_number_of_place
from ingest.facts.rpc_call import RpcCall, SetAside
from ingest.facts.told import Telling
from ledger.facts.station_facts import (
    ComponentProblem,
    ProblemsTold,
    SecurityEventTold,
    TransferKind,
    TransferTold,
)

PROBLEMS_MAX: Final = 100
"""Of one message; a station that reports more has others to come."""
SECURITY_EVENT: Final = Telling(
    SecurityEventTold,
    {
        "event_type": at("type", at_most(WORD_MAX)),
        "occurred_at": at("timestamp", read_time),
    },
)


def _problems(call: RpcCall) -> tuple[ComponentProblem, ...]:
    """Return the problems among the events of a NotifyEvent, begun or over."""
    events = (read_object(each) for each in read_list(call.payload.get("eventData")))
    found = []
    for event in events:
        variable = read_text(read_object(event.get("variable")).get("name")) or ""
        component = read_object(event.get("component"))
        name, evse = read_text(component.get("name")), read_object(component.get("evse"))
        if variable.casefold() != "problem" or not name:
            continue
        value = (read_text(event.get("actualValue")) or "").strip().casefold()
        code = read_text(event.get("techCode"))
        found.append(
            ComponentProblem(
                component=name[:WORD_MAX].replace("\0", ""),
                evse_id=read_number_of_place(evse.get("id"), call.oddities) or 0,
                connector_id=read_number_of_place(evse.get("connectorId"), call.oddities) or 0,
                is_over=value != "true" or event.get("cleared") is True,
                code=None if code is None else code[:WORD_MAX].replace("\0", ""),
                occurred_at=read_time(event.get("timestamp"), call.oddities),
            )
        )
    return tuple(found[:PROBLEMS_MAX])


def _look(call: RpcCall) -> SetAside | None:
    return None if _problems(call) else SetAside(None)  # most events are none


PROBLEMS: Final = Telling(ProblemsTold, {"problems": _problems}, look=_look)


def _look_at_transfer(call: RpcCall) -> SetAside | None:
    """Leave out Idle: it says that nothing is under way, not what came of what was."""
    status = read_text(call.payload.get("status"))
    return SetAside(None) if status is None or status == "Idle" else None


def _read_request(raw: object, _oddities: Oddities) -> int | None:
    number = read_int(raw)
    return number if number is not None and -PLACES <= number < PLACES else None


def _transfer(kind: TransferKind) -> Telling:
    return Telling(
        TransferTold,
        {
            "kind": lambda _: kind,
            "status": at("status", at_most(WORD_MAX)),
            "request_id": at("requestId", _read_request),
        },
        look=_look_at_transfer,
    )


FIRMWARE_STATUS: Final = _transfer(TransferKind.FIRMWARE)
LOG_STATUS: Final = _transfer(TransferKind.LOGS)
