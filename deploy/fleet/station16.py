"""A station that speaks OCPP 1.6J: whole Wh at start and stop, sampled values as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import (
    Action,
    ChargePointErrorCode,
    ChargePointStatus,
    Reason,
    TriggerMessageStatus,
)

from deploy.fleet.station import Message, StationClient
from deploy.fleet.station_plan import Step, StepKind, Visit

NO_TRANSACTION = -1


class Station16(ChargePoint):  # type: ignore[misc]  # ocpp ships no types
    """The `ocpp` package's station, which also refuses politely what it cannot do."""

    client: StationClient

    @on(Action.trigger_message)  # type: ignore[untyped-decorator]  # ocpp ships no types
    def on_trigger_message(self, **_: Any) -> Any:  # noqa: ANN401 - ocpp ships no types
        """Answer that nothing can be triggered."""
        self.client.was_asked()
        return call_result.TriggerMessage(status=TriggerMessageStatus.not_implemented)


class Client16(StationClient):
    """Plays a station in OCPP 1.6."""

    subprotocol = "ocpp1.6"
    charge_point_class = Station16

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on as they are
        super().__init__(*args, **kwargs)
        self._transactions: dict[int, int] = {}

    def messages(self, step: Step) -> Iterator[Message]:
        """Yield what a 1.6 station says about *step*."""
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
                yield self._status(step, visit, ChargePointStatus.preparing)
                if not self.is_offline:
                    yield Message(build=lambda: call.Authorize(id_tag=visit.token_uid))
            case StepKind.STARTED:
                yield self._start(step, visit)
                yield self._status(step, visit, ChargePointStatus.charging)
            case StepKind.METERED:
                yield Message(build=lambda: self._meter_values(step, visit))
            case StepKind.SUSPENDED:
                yield self._status(step, visit, ChargePointStatus.suspended_ev)
            case StepKind.STOPPED if visit.stop_is_lost:
                pass
            case StepKind.STOPPED:
                yield self._stop(step, visit)
                yield self._status(step, visit, ChargePointStatus.finishing)
            case StepKind.STOP_CAME:
                yield self._stop(step, visit)
            case StepKind.UNPLUGGED:
                yield self._status(step, visit, ChargePointStatus.available)
            case _:
                pass

    def _boot(self) -> Any:  # noqa: ANN401 - ocpp ships no types
        return call.BootNotification(
            charge_point_vendor="Simulated",
            charge_point_model="One-Six",
            charge_point_serial_number=self.plan.station_id,
            firmware_version="1.6.0",
        )

    def _start(self, step: Step, visit: Visit) -> Message:
        def started(answer: Any) -> None:  # noqa: ANN401 - ocpp ships no types
            self._transactions[visit.number] = answer.transaction_id

        return Message(
            build=lambda: call.StartTransaction(
                connector_id=visit.connector_id,
                id_tag=visit.token_uid,
                meter_start=step.register_wh,
                timestamp=self.station_time(step.at),
            ),
            then=started,
        )

    def _meter_values(self, step: Step, visit: Visit) -> Any:  # noqa: ANN401 - ocpp ships no types
        energy = {
            "value": str(step.register_wh),
            "measurand": "Energy.Active.Import.Register",
            "unit": "Wh",
            "context": "Sample.Periodic",
        }
        power = {"value": str(step.power_w), "measurand": "Power.Active.Import", "unit": "W"}
        return call.MeterValues(
            connector_id=visit.connector_id,
            transaction_id=self._transactions.get(visit.number, NO_TRANSACTION),
            meter_value=[
                {"timestamp": self.station_time(step.at), "sampled_value": [energy, power]}
            ],
        )

    def _stop(self, step: Step, visit: Visit) -> Message:
        def build() -> Any:  # noqa: ANN401 - ocpp ships no types
            return call.StopTransaction(
                meter_stop=step.register_wh,
                timestamp=self.station_time(visit.leaves_at),
                transaction_id=self._transactions.get(visit.number, NO_TRANSACTION),
                reason=Reason.ev_disconnected,
                id_tag=visit.token_uid,
            )

        return Message(build=build, then=lambda _: None, is_stop=True)

    def _status(self, step: Step, visit: Visit, status: ChargePointStatus) -> Message:
        return Message(
            build=lambda: call.StatusNotification(
                connector_id=visit.connector_id,
                error_code=ChargePointErrorCode.no_error,
                status=status,
                timestamp=self.station_time(step.at),
            )
        )
