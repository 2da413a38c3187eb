"""What Stripe tells us, over HTTP: verified, kept, and answered once that is durable.

Anybody may come here, so that as little as possible is done before the signature holds: no body is
read whose header is old or none, none for long, and not too many at once. Nobody is kept out for
what others sent: all may come through one proxy. What is refused is not told why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import psycopg
from litestar import Controller, Request, Response, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException
from psycopg_pool import ConnectionPool, PoolTimeout

from deploy.interface.app import FOR_ANYBODY
from deploy.payments.side import PaymentSide
from ledger.payments.hearing.events import RefusedEventError, note_events
from ledger.payments.movement import STRIPE
from ledger.payments.provider import EventNotice

BODY_BYTES_MAX: Final = 256 << 10
BODY_SECONDS: Final = 10.0
_SIGNATURE: Final = "stripe-signature"
_LOGGER: Final = logging.getLogger(__name__)

Pool = NamedDependency[ConnectionPool[Any]]
Side = NamedDependency[PaymentSide]


class StripeController(Controller):
    """Where Stripe posts its events."""

    tags = ("payments",)

    @post(
        "/payments/stripe",
        opt=FOR_ANYBODY,
        status_code=HTTPStatus.OK,
        request_max_body_size=BODY_BYTES_MAX,
        include_in_schema=False,
    )
    async def told(
        self, request: Request[Any, Any, Any], pool: Pool, payments: Side
    ) -> Response[bytes]:
        """Take an event; 200 once it is kept, whether or not it says something to us."""
        if payments.webhooks is None:
            return _answer(HTTPStatus.NOT_FOUND)
        if not payments.room.may_enter():
            return _answer(HTTPStatus.SERVICE_UNAVAILABLE)
        with payments.room:
            signature = request.headers.get(_SIGNATURE, "")
            try:
                payments.webhooks.check_age(signature, payments.clock.now())
                async with asyncio.timeout(BODY_SECONDS):
                    body = await request.body()
                notice = payments.webhooks.read(body, signature, payments.clock.now())
            except RefusedEventError as error:
                payments.quiet_log.say(str(error))
                return _answer(HTTPStatus.BAD_REQUEST)
            except TimeoutError:
                return _answer(HTTPStatus.REQUEST_TIMEOUT)
            except HTTPException as error:
                return _answer(HTTPStatus(error.status_code))
            return await sync_to_thread(_keep, payments, pool, notice)


ROUTES: Final[Sequence[type[Controller]]] = (StripeController,)


def _keep(payments: PaymentSide, pool: ConnectionPool[Any], notice: EventNotice) -> Response[bytes]:
    """Keep an event, and say so; what cannot be kept now, Stripe tells again."""
    try:
        with pool.connection() as connection:
            note_events(connection, STRIPE, [notice], payments.clock.now())
    except (psycopg.OperationalError, PoolTimeout) as error:
        _LOGGER.warning("an event is not kept yet: %s", type(error).__name__)
        return _answer(HTTPStatus.SERVICE_UNAVAILABLE)
    return _answer(HTTPStatus.OK)


def _answer(status: HTTPStatus) -> Response[bytes]:
    return Response(b"", status_code=status, headers={"Cache-Control": "no-store"})
