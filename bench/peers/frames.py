"""The frames that benchmarks send: 1.3 kB of OCPP 1.6 MeterValues with nine samples."""

from __future__ import annotations

import json

_SAMPLES = (
    ("Energy.Active.Import.Register", "Wh", None, "163630.5"),
    ("Power.Active.Import", "W", None, "10950"),
    ("Current.Import", "A", "L1", "15.9"),
    ("Current.Import", "A", "L2", "15.8"),
    ("Current.Import", "A", "L3", "15.9"),
    ("Voltage", "V", "L1-N", "230.1"),
    ("Voltage", "V", "L2-N", "229.8"),
    ("Voltage", "V", "L3-N", "230.4"),
    ("SoC", "Percent", None, "55"),
)


def meter_values(message_id: str) -> str:
    """Return a MeterValues call, with the spaces that stations and `json` write."""
    samples = [
        {
            "value": value,
            "context": "Sample.Periodic",
            "format": "Raw",
            "measurand": measurand,
            "location": "Outlet",
            "unit": unit,
        }
        | ({"phase": phase} if phase else {})
        for measurand, unit, phase, value in _SAMPLES
    ]
    taken = {"timestamp": "2026-03-02T12:00:00Z", "sampledValue": samples}
    payload = {"connectorId": 1, "transactionId": 1234567, "meterValue": [taken]}
    return json.dumps([2, message_id, "MeterValues", payload])
