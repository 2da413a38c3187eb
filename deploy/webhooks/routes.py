"""Webhooks over HTTP: who is told of our decisions, what came of it, and telling it again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Final, Literal

import msgspec
from litestar import Controller, delete, get, post
from litestar.exceptions import NotFoundException, ValidationException
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter

from deploy.api.conventions.within import Asked
from deploy.interface.access import Scope
from deploy.interface.books import Pool
from deploy.interface.paging import LIMIT, Cursor, Limit, cut, key_of
from projections.webhooks.deliveries import (
    WebhookAttempt,
    WebhookDelivery,
    deliveries,
    delivery_of,
    tell_again,
    tell_from,
)
from projections.webhooks.subscriptions import (
    URL_MAX,
    NoWebhookError,
    WebhookSubscription,
    add_webhook,
    end_webhook,
    list_webhooks,
    webhook_of,
)

OPTIONS: Final = {"scope": Scope.WEBHOOKS.value}
MAKES: Final = OPTIONS | {
    "example": {
        "url": "https://hooks.invalid/wattledger",
        "kinds": ["session.rated", "invoice.issued"],
    }
}
_NUMBER_MAX: Final = 2**63 - 1
_PARTITIONS: Final = 2**31 - 1
Id = Annotated[str, PathParameter(description="Its id", schema_extra={"maxLength": 40})]


class WebhookWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook to make: of which kinds of events (none named: of all), and from which on."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=URL_MAX)]
    kinds: Annotated[list[str], msgspec.Meta(max_length=50)] = []
    since: Literal["now", "start"] = "now"


class MadeWebhook(WebhookSubscription, frozen=True, kw_only=True):
    """A webhook as it was made, with the secret that signs what it is told: shown this once."""

    secret: str


class WebhookList(msgspec.Struct, frozen=True):
    """Some webhooks, the newest first, and where the next ones begin; null: there are none."""

    items: list[WebhookSubscription]
    next: str | None


class DeliveryPage(msgspec.Struct, frozen=True):
    """Some deliveries, and where the next ones begin; null: there are none."""

    items: list[WebhookDelivery]
    next: str | None


class DeliveryDetail(WebhookDelivery, frozen=True, kw_only=True):
    """A delivery with its last attempts, the last one first."""

    log: list[WebhookAttempt]


class ReplayWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told again: an `event`, or all of a `partition` of the feed from a `number` on.

    An event's id says both: feed/PARTITION/NUMBER.
    """

    event: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    partition: Annotated[int, msgspec.Meta(ge=-1, le=_PARTITIONS)] | None = None
    number: Annotated[int, msgspec.Meta(ge=1, le=_NUMBER_MAX)] = 1


class WebhooksController(Controller):
    """Who is told of our decisions."""

    tags = ("webhooks",)

    @get("/webhooks", opt=OPTIONS, sync_to_thread=True)
    def listed(self, pool: Pool, limit: Limit = LIMIT, cursor: Cursor = None) -> WebhookList:
        """Return webhooks, also those that have ended."""
        behind = None if cursor is None else key_of(cursor, tuple[datetime, str])
        with pool.connection() as connection:
            found = list_webhooks(connection, limit=limit + 1, behind=behind)
        shown, more = cut(found, limit, lambda each: (each.made_at, each.id))
        return WebhookList([*shown], more)

    @post("/webhooks", opt=MAKES, sync_to_thread=True)
    def make(self, request: Asked, pool: Pool, data: JSONBody[WebhookWish]) -> MadeWebhook:
        """Make a webhook; the answer has its secret, which is not shown again."""
        with pool.connection() as connection:
            made, secret = add_webhook(
                connection,
                data.url,
                data.kinds,
                by=request.user.name,
                at=datetime.now(UTC),
                is_from_start=data.since == "start",
            )
        return MadeWebhook(**msgspec.structs.asdict(made), secret=secret)

    @get("/webhooks/{webhook:str}", opt=OPTIONS, sync_to_thread=True)
    def one(self, pool: Pool, webhook: Id) -> WebhookSubscription:
        """Return a webhook."""
        with pool.connection() as connection:
            return webhook_of(connection, webhook)

    @delete("/webhooks/{webhook:str}", opt=OPTIONS, sync_to_thread=True)
    def end(self, request: Asked, pool: Pool, webhook: Id) -> None:
        """End a webhook: it is told nothing any more, also nothing that waits."""
        with pool.connection() as connection:
            end_webhook(connection, webhook, by=request.user.name, at=datetime.now(UTC))

    @get("/webhooks/{webhook:str}/deliveries", opt=OPTIONS, sync_to_thread=True)
    def log(
        self,
        pool: Pool,
        webhook: Id,
        is_in: Annotated[
            Literal["waiting", "delivered", "failed"] | None, QueryParameter(name="state")
        ] = None,
        limit: Limit = LIMIT,
        cursor: Cursor = None,
    ) -> DeliveryPage:
        """Return what a webhook was told, the last one first; what was taken is kept a month."""
        before = None if cursor is None else key_of(cursor, int)
        with pool.connection() as connection:
            webhook_of(connection, webhook)
            found = deliveries(connection, webhook, limit=limit + 1, state=is_in, before=before)
        shown, more = cut(found, limit, lambda each: each.number)
        return DeliveryPage([*shown], more)

    @get("/webhooks/{webhook:str}/deliveries/{number:int}", opt=OPTIONS, sync_to_thread=True)
    def delivery(self, pool: Pool, webhook: Id, number: FromPath[int]) -> DeliveryDetail:
        """Return one delivery with what came of each attempt."""
        with pool.connection() as connection:
            is_number = 0 < number <= _NUMBER_MAX
            found = delivery_of(connection, webhook, number) if is_number else None
        if found is None:
            message = f"{webhook} has no delivery {number}"
            raise NotFoundException(message)
        one, attempts = found
        return DeliveryDetail(**msgspec.structs.asdict(one), log=[*attempts])

    @post("/webhooks/{webhook:str}/replays", opt=OPTIONS, status_code=HTTPStatus.ACCEPTED,
          sync_to_thread=True)  # fmt: skip
    def replay(self, pool: Pool, webhook: Id, data: JSONBody[ReplayWish]) -> WebhookSubscription:
        """Tell an event again, or everything from a number of the feed on."""
        if (data.event is None) == (data.partition is None):
            message = "name an event, or a partition of the feed: one of them"
            raise ValidationException(message)
        with pool.connection() as connection:
            found = webhook_of(connection, webhook)
            if found.ended_at is not None:
                raise NoWebhookError(webhook)
            if data.event is not None:
                tell_again(connection, found, data.event, datetime.now(UTC))
            elif data.partition is not None:
                tell_from(connection, found, data.partition, data.number)
        return found


ROUTES: Final[Sequence[type[Controller]]] = (WebhooksController,)
