"""A station that speaks OCPP 2.0.1: TransactionEvents with sequence numbers, energy in kWh."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from ocpp.routing import on
from ocpp.v201 import ChargePoint, call, call_result
from ocpp.v201.enums import Action

from deploy.fleet.station import Message, StationClient
from deploy.fleet.station_plan import Step, StepKind, Visit

_ENERGY = "Energy.Active.Import.Register"
_NAMESPACE = uuid.UUID("6f6f1c0e-6a39-4ad1-93f1-0d0b1a1f5a10")


class Station201(ChargePoint):  # type: ignore[misc]  # ocpp ships no types
    """The `ocpp` package's station, which also says whether it still holds messages."""

    client: StationClient

    @on(Action.get_transaction_status)  # type: ignore[untyped-decorator]  # ocpp ships no types
    def on_get_transaction_status(self, **_: Any) -> Any:  # noqa: ANN401 - ocpp ships no types
        """Say whether messages wait."""
        self.client.was_asked()
        return call_result.GetTransactionStatus(messages_in_queue=self.client.has_queue)

    @on(Action.trigger_message)  # type: ignore[untyped-decorator]  # ocpp ships no types
    def on_trigger_message(self, **_: Any) -> Any:  # noqa: ANN401 - ocpp ships no types
        """Answer that nothing can be triggered."""
        self.client.was_asked()
        return call_result.TriggerMessage(status="NotImplemented")


class Client201(StationClient):
    """Plays a station in OCPP 2.0.1."""

    subprotocol = "ocpp2.0.1"
    charge_point_class = Station201

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they are
        super().__init__(*args, **kwargs)
        self._seq_nos: Counter[int] = Counter()

    def messages(self, step: Step) -> Iterator[Message]:
        """Yield what a 2.0.1 station says about *step*."""
        visit = step.visit
        if step.kind is StepKind.BOOTED:
            yield Message(build=self._boot)
        elif step.kind is StepKind.BEAT:
            yield Message(build=call.Heartbeat, is_heartbeat=True)
        elif visit is not None:
            yield from self._visit_messages(step, visit)

    def _visit_messages(self, step: Step, visit: Visit) -> Iterator[Message]:
        match step.kind:
            case StepKind.PLUGGED:
                yield self._status(step, visit, "Occupied")
                if not self.is_offline:
                    token = {"id_token": visit.token_uid, "type": "ISO14443"}
                    yield Message(build=lambda: call.Authorize(id_token=token))
            case StepKind.STARTED:
                yield self._event(step, visit, "Started", "Authorized", "Charging")
            case StepKind.METERED:
                state = "Charging" if step.power_w else "SuspendedEV"
                yield self._event(step, visit, "Updated", "MeterValuePeriodic", state)
            case StepKind.SUSPENDED:
                yield self._event(step, visit, "Updated", "ChargingStateChanged", "SuspendedEV")
            case StepKind.STOPPED if not visit.stop_is_lost:
                yield self._event(step, visit, "Ended", "EVDeparted", None)
            case StepKind.STOP_CAME:
                stopped = replace(step, at=visit.leaves_at)
                yield self._event(stopped, visit, "Ended", "EVDeparted", None, was_kept=True)
            case StepKind.UNPLUGGED:
                yield self._status(step, visit, "Available")
            case _:
                pass

    def _boot(self) -> Any:  # noqa: ANN401 - ocpp ships no types
        return call.BootNotification(
            charging_station={
                "vendor_name": "Simulated",
                "model": "Two-Zero-One",
                "serial_number": self.plan.station_id,
                "firmware_version": "2.0.1",
            },
            reason="PowerUp",
        )

    def _event(
        self,
        step: Step,
        visit: Visit,
        event: str,
        trigger: str,
        state: str | None,
        *,
        was_kept: bool = False,
    ) -> Message:
        """Return a TransactionEvent; its sequence number is taken now, when it happens."""
        seq_no = self._seq_nos[visit.number]
        self._seq_nos[visit.number] += 1
        transaction_id = uuid.uuid5(_NAMESPACE, f"{self.plan.station_id}/{visit.number}")
        context = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}
        energy = {
            "value": _kwh(step.register_wh),
            "measurand": _ENERGY,
            "context": context.get(event, "Sample.Periodic"),
            "unit_of_measure": {"unit": "kWh"},
        }
        power = {
            "value": step.power_w,
            "measurand": "Power.Active.Import",
            "unit_of_measure": {"unit": "W"},
        }
        started = event == "Started"
        payload = call.TransactionEvent(
            event_type=event,
            timestamp=self.station_time(step.at),
            trigger_reason=trigger,
            seq_no=seq_no,
            transaction_info={
                "transaction_id": str(transaction_id),
                "charging_state": state,
                "stopped_reason": None if event != "Ended" else "EVDisconnected",
            },
            meter_value=[
                {"timestamp": self.station_time(step.at), "sampled_value": [energy, power]}
            ],
            offline=True if self.is_offline or was_kept else None,
            evse={"id": visit.connector_id, "connector_id": 1} if started else None,
            id_token={"id_token": visit.token_uid, "type": "ISO14443"} if started else None,
        )
        must_arrive = event != "Updated"
        return Message(
            build=lambda: payload,
            then=(lambda _: None) if must_arrive else None,
            is_stop=event == "Ended",
        )

    def _status(self, step: Step, visit: Visit, status: str) -> Message:
        return Message(
            build=lambda: call.StatusNotification(
                timestamp=self.station_time(step.at),
                connector_status=status,
                evse_id=visit.connector_id,
                connector_id=1,
            )
        )


def _kwh(register_wh: int) -> float:
    """Return kWh as a JSON number; up to 15 digits its text is exact (`ocpp` rounds Decimals)."""
    return float(Decimal(register_wh) / 1000)
