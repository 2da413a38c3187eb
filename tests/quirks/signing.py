"""Signed meter values as stations send them; the signatures are none, for nobody here verifies."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from tests.station_story import at

OTHER_FORMATS: Final = [
    "AP;0;3;ALCV3ABBBISHMA2RYEGAZE3HV5YQBQRAEHAR7MNMOM;BIHEIWSHAAA2W2V7OYYDC;",
    "GxsbGwEBAQF2BTE3MDByAGIBYwEB",
    '<?xml version="1.0"?><values><value>x</value></values>',
    '{"signedMeterData":7}',
    "{" * 100_000,
    "é",
    "",
]


def reading(
    kind: str, value: str, unit: str = "kWh", *, minute: float = 0, status: str = "S"
) -> dict[str, Any]:
    """Return a reading of an OCMF record, *minute* minutes after the morning's begin."""
    told = at(minute).strftime("%Y-%m-%dT%H:%M:%S,000+0000")
    return {
        "TM": f"{told} {status}", "TX": kind, "RV": value, "RI": "1-0:1.8.0", "RU": unit, "ST": "G"
    }  # fmt: skip


def ocmf(*readings: dict[str, Any], **more: str) -> str:
    """Return an OCMF record."""
    payload = {"FV": "1.0", "MS": "M-1", "RD": list(readings)} | more
    return f'OCMF|{json.dumps(payload)}|{{"SD":"3045"}}'


def base64_of(text: str) -> str:
    """Return *text* in base64."""
    return base64.b64encode(text.encode()).decode()


def signed16(text: str) -> dict[str, Any]:
    """Return a sample of 1.6 whose value is signed data."""
    return {"value": text, "format": "SignedData", "context": "Transaction.End"}


def signed201(sample: dict[str, Any], text: str) -> dict[str, Any]:
    """Return a sample of 2.0.1 with its signed form beside it."""
    signed = {"signedMeterData": base64_of(text), "encodingMethod": "OCMF", "publicKey": "",
              "signingMethod": ""}  # fmt: skip
    return sample | {"signedMeterValue": signed}
