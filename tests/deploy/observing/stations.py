"""Declared stations, and what they say to a running system."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from deploy.running.wiring import System

PASSWORD: Final = "a-long-password-16"
NAMES: Final = ("CS-ODD", *(f"CS-{number}" for number in range(9)))
_STATIONS = "".join(
    f"  {name}: {{site: yard, password: {PASSWORD}, connectors: 1, max_power_w: 22000}}\n"
    for name in NAMES
)
MASTER_DATA: Final = f"""
legal_entities:
  me: {{name: Me, country: DE, time_zone: Europe/Berlin, invoice_prefix: ME, vat_id: DE136695976}}
sites:
  yard: {{time_zone: Europe/Berlin, country: DE, legal_entity: me, currency: EUR}}
tokens:
  04AABBCCDD: {{}}
stations:
{_STATIONS}"""


def station(system: System, name: str = NAMES[0], password: str = PASSWORD) -> connect:
    """Connect as a station that speaks OCPP 1.6."""
    key = base64.b64encode(f"{name}:{password}".encode()).decode()
    return connect(
        f"{system.addresses[0]}/{name}",
        subprotocols=[Subprotocol("ocpp1.6")],
        additional_headers={"Authorization": f"Basic {key}"},
    )


async def call(socket: ClientConnection, action: str, payload: object) -> Any:  # noqa: ANN401 - JSON
    """Send a call and return what comes next."""
    await socket.send(json.dumps([2, f"id of {action}", action, payload]))
    return json.loads(await socket.recv())
