"""Whoever tells webhooks: one process at a time, each event at least once.

    what is due of a webhook -> posted, outside any transaction -> the attempt is put down
    2xx: delivered; else it waits, longer each time; after the last wait it has failed

One webhook that takes nothing keeps no other from its news: each has some of every turn. Those that
did not take the last event are tried in turn, one event of one of them a turn, and for a fifth of
the time at most: each may take long to say nothing. What raises for one of them is logged, and the
others are told all the same.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from psycopg import Connection

from ledger.approvals.approvals import TariffApprovals
from ledger.database import connect, is_of_content
from ledger.leases import Lease, LeaseLostError, hold_lease, leave, take_lease
from ledger.network import Network
from projections.posting.guarded import NotPostedError, post_guarded
from projections.webhooks.following import follow_feed
from projections.webhooks.signing import headers_of
from projections.webhooks.subscriptions import (
    NoWebhookError,
    WebhookSubscription,
    secret_of,
    webhooks_in_force,
)

LEASE: Final = "webhooks"
LEASE_SECONDS: Final = 60.0
"""Longer than a post may take, all its steps together: it is held on before each of them."""
LOOK_SECONDS: Final = 1.0
AT_ONCE: Final = 50
WAITS: Final = tuple(
    timedelta(seconds=each) for each in (5, 30, 120, 600, 3_600, 4 * 3_600, 12 * 3_600, 24 * 3_600)
)
"""How long an event waits after each attempt; after the last one it has failed."""
KEPT: Final = timedelta(days=30)
_GONE: Final = 410
_REST: Final = 4
"""So many times as long as it took, nobody is tried again who did not take the last event."""
_LONG_SECONDS: Final = 1.0
"""What takes less holds nobody up."""
_FAULT_SECONDS: Final = 60.0
"""So long one is left alone whose turn raised."""
_LOGGER: Final = logging.getLogger(__name__)
_DUE: LiteralString = """
SELECT number, event, body, attempts, tries FROM webhook_delivery
WHERE webhook = %s AND state = 'waiting' AND next_at <= %s ORDER BY next_at, number LIMIT %s
"""
_TRIED: LiteralString = """
INSERT INTO webhook_attempt (delivery, attempt, at, status, why) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
_NOTED: LiteralString = """
UPDATE webhook_delivery SET state = %(state)s, attempts = %(attempt)s, tries = %(tries)s,
    next_at = %(next_at)s, ended_at = %(ended_at)s
WHERE number = %(number)s AND attempts = %(attempt)s - 1 AND state = 'waiting'
"""
_FORGET: LiteralString = """
DELETE FROM webhook_delivery WHERE number IN (
    SELECT number FROM webhook_delivery WHERE state = 'delivered' AND ended_at < %s LIMIT 1000)
"""


class _Due(NamedTuple):
    """An event that is to be posted now."""

    number: int
    event: str
    body: bytes
    attempts: int
    tries: int


class _Came(NamedTuple):
    """What came of posting it."""

    status: int | None
    why: str = ""

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own


class WebhookDeliverer:
    """Tells webhooks, while it holds the lease. After a database error, make a new one."""

    def __init__(
        self,
        dsn: str,
        now: Callable[[], datetime],
        *,
        holder: str,
        networks: Sequence[Network] = (),
    ) -> None:
        self._connection: Connection[Any] = connect(dsn)
        self._approvals = TariffApprovals(dsn)
        self._now, self._holder, self._networks = now, holder, networks
        self._lease: Lease | None = None
        self._untaken: dict[str, None] = {}
        self._rest_until = -1.0
        self._left_alone: dict[str, float] = {}

    def run_once(self) -> int:
        """Take a turn; return how many events were put down or posted."""
        self._lease = take_lease(
            self._connection, LEASE, holder=self._holder, seconds=LEASE_SECONDS
        )
        if self._lease is None:
            return 0
        in_force = {each.id: each for each in webhooks_in_force(self._connection)}
        tried = self._tried(in_force)
        done = sum(self._turn_of(each, is_tried=key in tried) for key, each in in_force.items())
        self._connection.execute(_FORGET, (self._now() - KEPT,))
        return done

    def close(self) -> None:
        """Let another process tell them at once."""
        self._approvals.close()
        leave(self._connection, self._lease)

    def _tried(self, in_force: Collection[str]) -> set[str]:
        """Return who is posted to in this turn: whoever took the last one, and one of the others.

        That is who was tried longest ago.
        """
        self._untaken = {key: None for key in self._untaken if key in in_force}
        now, resting = time.monotonic(), set(self._untaken)
        if now >= self._rest_until and self._untaken:
            next_one = next(iter(self._untaken))
            resting.remove(next_one)
            self._untaken[next_one] = self._untaken.pop(next_one)
        return set(in_force) - resting

    def _turn_of(self, webhook: WebhookSubscription, *, is_tried: bool) -> int:
        if time.monotonic() < self._left_alone.get(webhook.id, 0.0):
            return 0
        try:
            done = follow_feed(self._connection, self._approvals, webhook, self._now())
            return done + (self._deliver(webhook) if is_tried else 0)
        except LeaseLostError:
            raise
        except Exception as error:
            if not is_of_content(error):
                raise
            _LOGGER.exception("webhook %s is left alone for a while", webhook.id)
            self._left_alone[webhook.id] = time.monotonic() + _FAULT_SECONDS
            return 0

    def _deliver(self, webhook: WebhookSubscription) -> int:
        """Post what is due of a webhook, until it does not take one."""
        try:
            secret = secret_of(self._connection, webhook.id)
        except NoWebhookError:
            return 0
        rows = self._connection.execute(_DUE, (webhook.id, self._now(), AT_ONCE)).fetchall()
        done = 0
        for due in map(_Due._make, rows):
            at, began = self._now(), time.monotonic()
            self._hold()
            came = self._posted(webhook, secret, due, at)
            self._rest(webhook.id, came, time.monotonic() - began)
            self._note(due, came, at)
            done += 1
            if not came.is_taken:
                break
        return done

    def _hold(self) -> None:
        """See that nobody else tells them, and will not before a post from now on is over."""
        assert self._lease is not None
        with self._connection.transaction():
            hold_lease(self._connection, self._lease, seconds=LEASE_SECONDS)

    def _rest(self, webhook: str, came: _Came, seconds: float) -> None:
        if came.is_taken:
            self._untaken.pop(webhook, None)
            return
        self._untaken[webhook] = None
        if seconds >= _LONG_SECONDS:
            self._rest_until = time.monotonic() + _REST * seconds

    def _posted(self, webhook: WebhookSubscription, secret: str, due: _Due, at: datetime) -> _Came:
        headers = headers_of(secret, due.event, int(at.timestamp()), due.body)
        try:
            return _Came(post_guarded(webhook.url, due.body, headers, self._networks))
        except NotPostedError as error:
            return _Came(None, error.why)

    def _note(self, due: _Due, came: _Came, at: datetime) -> None:
        tries, now = due.tries + 1, self._now()
        is_over = came.is_taken or tries > len(WAITS) or came.status == _GONE
        state = "delivered" if came.is_taken else "failed" if is_over else "waiting"
        noted = {
            "number": due.number,
            "state": state,
            "attempt": due.attempts + 1,
            "tries": tries,
            "next_at": now if is_over else now + WAITS[tries - 1],
            "ended_at": now if is_over else None,
        }
        with self._connection.transaction():
            self._hold()
            row = (due.number, due.attempts + 1, at, came.status, came.why)
            self._connection.execute(_TRIED, row)
            self._connection.execute(_NOTED, noted)


def deliver_webhooks(
    dsn: str,
    now: Callable[[], datetime],
    stop: threading.Event,
    *,
    holder: str,
    networks: Sequence[Network] = (),
) -> None:
    """Tell webhooks until *stop* is set, whatever happens to the database meanwhile."""
    deliverer: WebhookDeliverer | None = None
    while not stop.is_set():
        try:
            if deliverer is None:
                deliverer = WebhookDeliverer(dsn, now, holder=holder, networks=networks)
            done = deliverer.run_once()
        except (psycopg.Error, LeaseLostError) as error:
            _LOGGER.warning("webhooks wait: %s", type(error).__name__)
            if deliverer is not None:
                deliverer.close()
            deliverer, done = None, 0
        except Exception:
            # Whatever it was: nobody else would tell them in this process.
            _LOGGER.exception("a turn over the webhooks failed")
            if deliverer is not None:
                deliverer.close()
            deliverer, done = None, 0
        if not done:
            stop.wait(LOOK_SECONDS)
    if deliverer is not None:
        deliverer.close()
