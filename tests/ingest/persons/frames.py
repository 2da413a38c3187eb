"""A frame with a token in it, as it came."""

from __future__ import annotations

from typing import Final

from ledger.log.envelope import Frame
from tests.fakes import NOON

AUTHORIZE: Final = Frame(
    received_at=NOON,
    station="CS-1",
    protocol="ocpp1.6",
    epoch=1,
    frame='[2,"1","Authorize",{"idTag":"04A1B2C3"}]',
    reply='[3,"1",{"idTagInfo":{"status":"Accepted","parentIdTag":"04FAMILY"}}]',
)
