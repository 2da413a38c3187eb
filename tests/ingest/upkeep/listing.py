"""A station that keeps the local list that it is sent."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import msgspec
from websockets.exceptions import ConnectionClosed

from tests.edge import Station


class Listing:
    """A station with a local list, as the standard has it; what it is told by `refuses` fails."""

    def __init__(self, version: Any = 0, items_max: int = 2) -> None:  # noqa: ANN401 - any JSON
        self.version, self.items_max = version, items_max
        self.held: dict[str, Any] = {}
        self.updates: list[dict[str, Any]] = []
        self.refuses: list[str] = []
        self.length_max = 1000

    def answer(self, action: str, payload: dict[str, Any]) -> dict[str, Any]:
        is_old = "GetConfiguration" in action or "listVersion" in payload
        if action == "GetLocalListVersion":
            # Both names: each version reads its own.
            return {"listVersion": self.version} if self.is_old else {"versionNumber": self.version}
        if action == "GetConfiguration":
            limits = {
                "LocalAuthListMaxLength": self.length_max, "SendLocalListMaxLength": self.items_max
            }  # fmt: skip
            rows = [{"key": k, "readonly": True, "value": str(v)} for k, v in limits.items()]
            return {"configurationKey": rows}
        if action == "GetVariables":
            told = payload["getVariableData"][0]
            row = {**told, "attributeStatus": "Accepted", "attributeValue": str(self.items_max)}
            return {"getVariableResult": [row]}
        assert action == "SendLocalList", action
        self.updates.append(payload)
        if self.refuses:
            return {"status": self.refuses.pop(0)}
        rows = payload.get("localAuthorizationList", [])
        assert len(rows) <= self.items_max
        version = payload["listVersion" if is_old else "versionNumber"]
        if payload["updateType"] == "Full":
            self.held.clear()
        elif version <= self.version:
            return {"status": "VersionMismatch"}
        for row in rows:
            name = row["idTag"] if is_old else row["idToken"]["idToken"]
            info = row.get("idTagInfo" if is_old else "idTokenInfo")
            if info is None:
                self.held.pop(name, None)
            else:
                self.held[name] = info
        self.version = version
        return {"status": "Accepted"}

    is_old = True
    is_secretive = False

    async def serve(self, station: Station) -> None:
        with suppress(ConnectionClosed):
            while True:
                _, message_id, action, payload = await station.receive()
                if self.is_secretive and action.startswith("Get") and "Version" not in action:
                    error = json.dumps([4, message_id, "NotSupported", "", {}])
                    await station.socket.send(error, text=True)
                    continue
                answer = self.answer(action, payload)
                result = msgspec.json.encode([3, message_id, answer])
                await station.socket.send(result, text=True)
