"""A central system as the documentation of the package `ocpp` builds it: the peer."""

from __future__ import annotations

from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result


class PeerStation(ChargePoint):  # type: ignore[misc]  # `ocpp` is untyped
    """Answers MeterValues and Heartbeat, keeps nothing."""

    @on("MeterValues")  # type: ignore[untyped-decorator]  # the same
    async def on_meter_values(self, **_payload: Any) -> call_result.MeterValues:  # noqa: ANN401 - any payload
        """Accept readings."""
        return call_result.MeterValues()

    @on("Heartbeat")  # type: ignore[untyped-decorator]  # the same
    async def on_heartbeat(self) -> call_result.Heartbeat:
        """Tell some time."""
        return call_result.Heartbeat("2026-03-02T12:00:00Z")
