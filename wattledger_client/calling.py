"""How an operation is asked: over httpx, as JSON, and again where nothing came back."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec

T = TypeVar("T")
KEY_HEADER: Final = "Idempotency-Key"
TRIES: Final = 3
PAUSE_SECONDS: Final = 0.2
_CHANGES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_DATA: Final = "data: "
_STEPS: Final = frozenset({".", ".."})
"""What is gone along in a path, and never sent."""


class ApiProblemError(Exception):
    """The interface did not do it (RFC 9457): `code` is for machines, `detail` for people."""

    def __init__(self, status: int, code: str, detail: str, spot: str | None = None) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status, self.code, self.detail, self.spot = status, code, detail, spot


class Calling:
    """Asks one interface with one token. *http* is the client's own, if it is given."""

    def __init__(
        self, address: str, token: str, *, http: httpx.Client | None = None, seconds: float = 30
    ) -> None:
        self._http = http or httpx.Client(timeout=seconds, trust_env=False)
        self._address = address.rstrip("/")
        self._token = {"Authorization": f"Bearer {token}"}

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        query: Mapping[str, object] | None = None,
        headers: Mapping[str, str | None] | None = None,
        body: object = None,
    ) -> T:
        """Return what an operation answers, as *answer*: a shape, or bytes, or text.

        What is to be changed is asked under a key, so that asking again does nothing twice.

        Raises:
            ApiProblemError: If it is not done.
            httpx.TransportError: If nothing came back, however often it was asked.
        """
        given = {name: value for name, value in (headers or {}).items() if value is not None}
        if method in _CHANGES:
            given.setdefault(KEY_HEADER, str(uuid.uuid4()))
        if body is not None:
            given["Content-Type"] = "application/json"
        request = self._http.build_request(
            method,
            self._address + path,
            params=_query(query or {}),
            headers=self._token | given,
            content=None if body is None else msgspec.json.encode(body),
        )
        response = self._sent(request)
        if response.is_error:
            raise _problem(response)
        if answer is bytes:
            return response.content  # type: ignore[return-value]
        if answer is str:
            return response.text  # type: ignore[return-value]
        return msgspec.json.decode(response.content, type=answer)

    def follow(self, path: str, event: type[T]) -> Iterator[T]:
        """Yield server-sent events until the interface ends them.

        Raises:
            ApiProblemError: If there are none.
        """
        headers = self._token | {"Accept": "text/event-stream"}
        address = self._address + path
        with self._http.stream("GET", address, headers=headers) as response:
            if response.is_error:
                response.read()
                raise _problem(response)
            for line in response.iter_lines():
                if line.startswith(_DATA):
                    yield msgspec.json.decode(line.removeprefix(_DATA), type=event)

    def _sent(self, request: httpx.Request) -> httpx.Response:
        for tried in range(1, TRIES):
            try:
                return self._http.send(request)
            except httpx.TransportError:
                time.sleep(PAUSE_SECONDS * tried)
        return self._http.send(request)


def place(value: object) -> str:
    """Return *value* as it stands in a path: whatever it is, it leads to no other one."""
    text = quote(str(value), safe="")
    return text.replace(".", "%2E") if text in _STEPS else text


def _query(given: Mapping[str, object]) -> dict[str, str]:
    """Return what a query says; None says nothing."""
    return {
        name: value if isinstance(value, str) else _text(value)
        for name, value in given.items()
        if value is not None
    }


def _text(value: object) -> str:
    said: Any = msgspec.to_builtins(value)
    return str(said).lower() if isinstance(said, bool) else str(said)


def _problem(response: httpx.Response) -> ApiProblemError:
    try:
        said = msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.DecodeError:
        said = {}
    code, detail = said.get("code", "unknown"), said.get("detail", response.reason_phrase)
    return ApiProblemError(response.status_code, code, detail, said.get("spot"))
