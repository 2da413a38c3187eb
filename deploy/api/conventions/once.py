"""Requests that are done once: who sends one again under its key is told what came of it then.

    first time        a row under the key -> it is done -> its answer is kept, sealed
    again             the same answer; while the first is being done, it is waited for
    another request   422: a key is of one request
    no answer kept    409: it failed on our side, or was cut off: nobody knows what came of it

Keys are kept for ever. A refusal for who asks (401, 403), for being too long or too often is not
kept: the same request may be right another time.
Source: draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from psycopg_pool import ConnectionPool

from deploy.interface.access import Bearer
from deploy.interface.description import CHANGES, KEY_HEADER, KEY_PATTERN
from deploy.interface.problems import MEDIA_TYPE, HttpProblem
from ledger.persons.sealing import Subject, seal_bytes, unseal_bytes

WAIT_SECONDS: Final = 10.0
BEING_DONE: Final = timedelta(minutes=2)
"""Who began longer ago than that, and has no answer, was cut off."""
_NOT_KEPT: Final = frozenset({401, 403, 408, 413, 429})
_LOOK_SECONDS: Final = 0.1
_FAILED: Final = 500
_CLAIM: LiteralString = """
INSERT INTO idempotency_key (digest, request, asked_by, begun_at) VALUES (%s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
_FIND: LiteralString = """
SELECT request, begun_at, is_unclear, status, media_type, answer FROM idempotency_key
WHERE digest = %s
"""
_KEEP: LiteralString = """
UPDATE idempotency_key SET status = %s, media_type = %s, answer = %s WHERE digest = %s
"""
_UNCLEAR: LiteralString = "UPDATE idempotency_key SET is_unclear = true WHERE digest = %s"
_LEAVE: LiteralString = "DELETE FROM idempotency_key WHERE digest = %s"


class KeptAnswer(NamedTuple):
    """What a request was answered; `is_kept`: some time before."""

    status: int
    media_type: str
    content: bytes
    is_kept: bool = False


class _Asked(NamedTuple):
    """A request under a key: both as digests, and what its answer is sealed with."""

    digest: bytes
    request: bytes
    by: str
    seal: Subject


class OnceMiddleware:
    """Does each request that brings a key once."""

    def __init__(
        self, app: ASGIApp, pool: ConnectionPool[Any], now: Callable[[], datetime], body_max: int
    ) -> None:
        self._app, self._pool, self._now, self._body_max = app, pool, now, body_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        key = None if scope["type"] != ScopeType.HTTP else _key_in(scope)
        if key is None or scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        if not re.match(KEY_PATTERN, key):
            why = f"{KEY_HEADER} has 1 to 200 visible ASCII characters"
            await _send(send, _problem(HTTPStatus.BAD_REQUEST, "bad_idempotency_key", why))
            return
        body = await _whole(receive, self._body_max)
        if body is None:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            await _send(send, _problem(status, "request_entity_too_large", status.description))
            return
        asked = _asked(scope, key, body)
        answer = await self._before(asked)
        if answer is None:
            await self._done(scope, receive, send, body, asked)
        else:
            await _send(send, answer)

    async def _before(self, asked: _Asked) -> KeptAnswer | None:
        """Return what was answered before; None: it is to be done now, and nobody else does it."""
        waited = 0.0
        while True:
            found = await asyncio.to_thread(self._claimed, asked)
            if not isinstance(found, float):
                return found
            if waited >= WAIT_SECONDS:
                why = "the first request with this key is still being done: send it again later"
                return _problem(HTTPStatus.CONFLICT, "being_done", why)
            await asyncio.sleep(found)
            waited += found

    def _claimed(self, asked: _Asked) -> KeptAnswer | float | None:
        """Return the answer, after how many seconds to look again, or None: it is ours to do."""
        with self._pool.connection() as connection:
            row = (asked.digest, asked.request, asked.by, self._now())
            if connection.execute(_CLAIM, row).rowcount:
                return None
            kept = connection.execute(_FIND, (asked.digest,)).fetchone()
        if kept is None:
            return _LOOK_SECONDS
        request, begun_at, is_unclear, status, media_type, sealed = kept
        if not hmac.compare_digest(request, asked.request):
            why = "this key was another request's: a new request has a new key"
            return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused", why)
        if status is not None:
            content = unseal_bytes(asked.seal, sealed)[1:]
            return KeptAnswer(status, media_type, content, is_kept=True)
        if is_unclear or self._now() - begun_at > BEING_DONE:
            why = (
                "the first request with this key failed on our side or was cut off, and what came "
                "of it is not known: look, and send it with a new key if it was not done"
            )
            return _problem(HTTPStatus.CONFLICT, "outcome_unknown", why)
        return _LOOK_SECONDS

    async def _done(
        self, scope: HTTPScope, receive: Receive, send: Send, body: bytes, asked: _Asked
    ) -> None:
        """Have it done, and keep what is answered before it is told."""
        told: list[Any] = []

        async def hear(message: Message) -> None:
            told.append(message)

        try:
            await self._app(scope, _again(body, receive), hear)
        except BaseException:
            await asyncio.shield(asyncio.to_thread(self._end, asked, None))
            raise
        answer = _answer_of(told)
        await asyncio.shield(asyncio.to_thread(self._end, asked, answer))
        for message in told:
            await send(message)

    def _end(self, asked: _Asked, answer: KeptAnswer | None) -> None:
        with self._pool.connection() as connection:
            if answer is None or answer.status >= _FAILED:
                connection.execute(_UNCLEAR, (asked.digest,))
            elif answer.status in _NOT_KEPT:
                connection.execute(_LEAVE, (asked.digest,))
            else:
                # Nothing cannot be sealed: one byte goes before it.
                sealed = seal_bytes(asked.seal, b"+" + answer.content)
                row = (answer.status, answer.media_type, sealed, asked.digest)
                connection.execute(_KEEP, row)


def _key_in(scope: HTTPScope) -> str | None:
    """Return the key that a request to change something brings."""
    if scope["method"] not in CHANGES or not isinstance(scope.get("user"), Bearer):
        return None
    wanted = KEY_HEADER.lower().encode()
    found = [value for name, value in scope["headers"] if name.lower() == wanted]
    return b",".join(found).decode("latin-1") if found else None


def _asked(scope: HTTPScope, key: str, body: bytes) -> _Asked:
    token = dict(scope["headers"])[b"authorization"].partition(b" ")[2].strip()
    digest = _keyed(token, b"key", key.encode())
    said = [scope["method"].encode(), scope["raw_path"], scope["query_string"], body]
    seal = Subject(digest.hex(), hmac.digest(token, b"answer\0" + key.encode(), hashlib.sha512))
    return _Asked(digest, _keyed(token, *said), scope["user"].name, seal)


def _keyed(token: bytes, *parts: bytes) -> bytes:
    """Return a digest of *parts*, each with its length, that only who has the token can make."""
    text = b"".join(b"%d:%s," % (len(part), part) for part in parts)
    return hmac.digest(token, text, hashlib.sha256)


async def _whole(receive: Receive, limit: int) -> bytes | None:
    """Return the body of a request; None: it is longer than *limit*, or never ended."""
    body = bytearray()
    while True:
        message: Any = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what receives a body that was read already, and then what comes."""
    left = [body]

    async def receive_again() -> Any:  # noqa: ANN401 - a message of ASGI
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return receive_again


def _answer_of(told: list[Any]) -> KeptAnswer:
    start, *rest = told
    headers = {name.lower(): value for name, value in start["headers"]}
    media_type = headers.get(b"content-type", b"").decode("latin-1")
    return KeptAnswer(start["status"], media_type, b"".join(each.get("body", b"") for each in rest))


def _problem(status: HTTPStatus, code: str, detail: str) -> KeptAnswer:
    problem = HttpProblem(title=status.phrase, status=status, code=code, detail=detail)
    return KeptAnswer(status, MEDIA_TYPE, msgspec.json.encode(problem))


async def _send(send: Send, answer: KeptAnswer) -> None:
    headers = [
        (b"content-type", answer.media_type.encode("latin-1")),
        (b"content-length", str(len(answer.content)).encode()),
    ]
    if answer.is_kept:
        headers.append((b"idempotency-replayed", b"true"))
    start: Any = {"type": "http.response.start", "status": int(answer.status), "headers": headers}
    await send(start)
    body: Any = {"type": "http.response.body", "body": answer.content, "more_body": False}
    await send(body)
