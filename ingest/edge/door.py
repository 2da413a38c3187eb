"""The way in: who asks for an upgrade is checked before it, and refusals look alike."""

from __future__ import annotations

import asyncio
import http
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import unquote

import psycopg
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import NegotiationError
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from ingest.directory import StationAccess, StationDirectory
from ingest.edge.admissions import SAID, Admissions, Reason
from ingest.edge.gate import Gate
from ingest.edge.security import Credentials, basic_credentials
from ingest.edge.station_socket import StationSocket
from ingest.station_records import StationRecords
from ledger.declared.identities import canonical

_IDENTITY_MAX: Final = 255
_LOGGER = logging.getLogger(__name__)


class Door:
    """Lets stations in."""

    def __init__(
        self,
        directory: StationDirectory,
        gate: Gate,
        admissions: Admissions,
        records: StationRecords,
    ) -> None:
        self._directory, self._gate, self._admissions = directory, gate, admissions
        self._records = records

    async def admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Check who asks, before the upgrade; None lets the handshake go on."""
        assert isinstance(socket, StationSocket)
        came_at = socket.loop.time()
        address, path = socket.address, request.path
        headers = request.headers.get_all("Authorization")
        credentials = basic_credentials(headers[0]) if len(headers) == 1 else None
        if credentials is None:
            self._admissions.refuse(Reason.MISSING_HEADER, _end_of(path), address)
            return _unauthorized(socket)
        identity, reason = identity_of(path), _mismatch(path, credentials.identity)
        said = credentials.identity
        if reason is not None:
            said = f"{credentials.identity} at {_end_of(path)}"
        station = known = None
        try:
            if reason is None:
                station = await self._directory.station(identity)
            if station is not None:
                known = await self._records.known(station)
                station = known.access
        except psycopg.Error as error:
            _LOGGER.warning("nobody can be let in: %s", error)
            self._admissions.refuse(Reason.UNAVAILABLE, said, address)
            return _response(socket, http.HTTPStatus.SERVICE_UNAVAILABLE)
        if reason is None:
            reason = Reason.UNKNOWN_IDENTITY if station is None else Reason.WRONG_PASSWORD
        try:
            hold = await self._gate.hold_of(station, credentials, address=address)
        except asyncio.CancelledError:
            self._admissions.refuse(Reason.LOCK_OUT, said, address)
            raise
        if hold is None:
            assert known is not None
            socket.station, socket.registration = known
            await self._prove(known.access, credentials)
            return None
        self._admissions.refuse(reason, said, address)
        # Who goes meanwhile need not be held.
        with suppress(TimeoutError):
            async with asyncio.timeout_at(came_at + hold):
                await socket.wait_closed()
        return _unauthorized(socket)

    async def _prove(self, station: StationAccess, credentials: Credentials) -> None:
        """Note which of a station's passwords was right; unnoted, all are tried again."""
        if len(station.password_hashes) == 1:
            return
        right = self._gate.right_at_once(station, credentials)
        if right is None:
            return
        try:
            await self._records.prove(station.station_id, right)
        except psycopg.Error as error:
            _LOGGER.warning("the password of %s counts as new: %s", station.station_id, error)

    def agree(self, socket: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol:
        """Return the first that is *offered* by who was let in and spoken here, as it is spelt.

        A station offers first what it likes best (RFC 6455, 11.3.4). Without one there is no
        upgrade, but 400 (OCA's test cases TC_088 and TC_B_58; by the letter of 1.6-J 3.2 the
        handshake ends without one, and then the connection).

        Raises:
            NegotiationError: If there is none.
        """
        assert isinstance(socket, StationSocket)
        assert socket.station is not None
        spoken = socket.protocol.available_subprotocols or ()
        for each in offered:
            if each.lower() in spoken:
                return each
        self._admissions.refuse(Reason.SUBPROTOCOL, socket.station.station_id, socket.address)
        raise NegotiationError(SAID[Reason.SUBPROTOCOL])


def identity_of(path: str) -> str:
    """Return the station's identity in a request's path: the last segment, canonical."""
    identity = canonical(_end_of(path))
    return identity if len(identity) <= _IDENTITY_MAX else ""


def _end_of(path: str) -> str:
    """Return the last segment of a request's path as the station spells it."""
    return unquote(path.partition("?")[0].rstrip("/").rpartition("/")[2])


def _mismatch(path: str, user: str) -> Reason | None:
    """Say why *user* is not whom *path* names, None where it is."""
    identity, name = identity_of(path), canonical(user)
    if not identity:
        return Reason.NO_IDENTITY
    if name == identity:
        return None
    segments = {canonical(unquote(each)) for each in path.partition("?")[0].split("/")}
    return Reason.PATH_PREFIX if name in segments else Reason.USER_NAME


def _unauthorized(socket: ServerConnection) -> Response:
    response = _response(socket, http.HTTPStatus.UNAUTHORIZED)
    response.headers["WWW-Authenticate"] = 'Basic realm="OCPP", charset="UTF-8"'
    return response


def _response(socket: ServerConnection, status: http.HTTPStatus) -> Response:
    return socket.respond(status, f"{status.phrase}\n")
