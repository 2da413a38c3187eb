"""`cdr_pushed`: CDRs made from rated sessions, checked, frozen, and sent to who takes them.

Sessions of a partner's drivers lie decided in real books. `CdrMaker` takes the feed to its end and
puts each CDR into the outbox; then the relay sends them over HTTP, eight at once, to a server in a
process of its own: a line of the log, an attempt and an audited call for each. CDRs a CPU second of
our process, and of it and PostgreSQL together; the partner's is not counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from multiprocessing.connection import Connection as Pipe
from typing import Any, Final, cast

import uvloop
from psycopg import Connection

from bench.peers.servers import Task, answer_until_stopped, server_process
from bench.peers.worked_log import cpu_seconds, empty_log
from bench.roaming.cdr_out import CDRS, LATER, guest_ratings
from bench.run import Row, beside
from deploy.postgres.embedded import EmbeddedPostgres
from ledger.books.following import Runner
from ledger.database import connect
from ledger.log.postgres_lines import PostgresLineWriter
from roaming_ocpi.cdrs.maker import CdrMaker
from roaming_ocpi.cdrs.telling.messages import CdrMessages, queue_cdrs
from roaming_ocpi.client.http import HttpPartnerClient
from roaming_ocpi.registration.link import Link
from roaming_ocpi.relay.outgoing import MessageKind
from roaming_ocpi.relay.relay import Relay
from roaming_ocpi.server.audit import CallAudit
from tests.depot import keep_decisions
from tests.roaming_ocpi.cdrs.roaming_books import declare_depot
from tests.roaming_ocpi.client.odd_partner import link_to

_AT_LEAST: Final = 2_000.0
_LOOK_SECONDS: Final = 0.1
_SECONDS_MAX: Final = 300.0
_TAKEN: Final = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 62\r\n\r\n"
    b'{"status_code":1000,"timestamp":"2027-01-01T00:00:00Z"       }'
)
_BEFORE_BODY: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


def rows(_seconds: float) -> list[Row]:
    """Measure both rows, once."""
    with empty_log() as postgres, server_process(serve_partner, Task()) as partner:
        declare_depot(postgres.dsn)
        with connect(postgres.dsn) as connection:
            keep_decisions(connection, list(guest_ratings()))
        ours, all_of_it = time.process_time(), cpu_seconds(postgres)
        with Runner(postgres.dsn, [CdrMaker(_now, queue_cdrs)]) as runner:
            while runner.run_once():
                pass
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            loop.run(_pushed(postgres, link_to(f"http://127.0.0.1:{partner.port}")))
        ours, all_of_it = time.process_time() - ours, cpu_seconds(postgres) - all_of_it
        with connect(postgres.dsn) as connection:
            [(sent,)] = connection.execute(
                "SELECT count(*) FROM outgoing_attempt WHERE came_of_it = 'delivered'"
            ).fetchall()
    assert sent == CDRS, sent
    unit = "CDRs made, checked in three versions, frozen and taken by a partner, per CPU second"
    return [
        beside("cdr_pushed", sent / ours, unit, "at least", _AT_LEAST),
        beside(
            "cdr_pushed_whole",
            sent / all_of_it,
            "the same, PostgreSQL's processor time counted too",
            "at least",
            _AT_LEAST,
        ),
    ]


async def _pushed(postgres: EmbeddedPostgres, link: Link) -> None:
    """Send until nothing waits."""

    async def routes() -> Mapping[str, Link]:
        return {link.partner: link}

    audit = CallAudit(postgres.dsn, now=_now, kept_days=30)
    client = HttpPartnerClient(allow_private=True, now=_now, heard=audit.hear)
    maker, stop = CdrMessages(), asyncio.Event()
    async with await PostgresLineWriter.open(postgres.dsn, partitions=1) as log:
        relay = Relay(
            postgres.dsn,
            holder="bench",
            client=client,
            log=log,
            routes=routes,
            makers={MessageKind.CDR: maker, MessageKind.CREDIT: maker},
            now=_now,
        )
        running = asyncio.create_task(relay.run(stop))
        async with asyncio.timeout(_SECONDS_MAX):
            with connect(postgres.dsn) as looking:
                while await asyncio.to_thread(_is_waiting, looking):  # noqa: ASYNC110 - a database
                    await asyncio.sleep(_LOOK_SECONDS)
        stop.set()
        await running
    await client.close()
    audit.close()


def _is_waiting(connection: Connection[Any]) -> bool:
    [(found,)] = connection.execute("SELECT EXISTS (SELECT FROM outgoing)").fetchall()
    return bool(found)


def _now() -> datetime:
    return max(LATER, datetime.now(UTC))


class _TakingPartner(asyncio.Protocol):
    """Answers each POST once it is whole; looks into none."""

    def __init__(self) -> None:
        self._came = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        came = self._came
        came += data
        while (head := came.find(_BEFORE_BODY)) >= 0:
            at = bytes(came[:head]).lower().index(_LENGTH) + len(_LENGTH)
            length = int(came[at:head].split(b"\r\n", 1)[0])
            whole = head + len(_BEFORE_BODY) + length
            if len(came) < whole:
                return
            del came[:whole]
            self._transport.write(_TAKEN)


def serve_partner(_task: Task, pipe: Pipe) -> None:
    """Take what comes."""

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_TakingPartner, "127.0.0.1", 0)
        async with server:
            await answer_until_stopped(pipe, server.sockets[0].getsockname()[1])

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


if __name__ == "__main__":
    for row in rows(0):
        print(f"{row['name']}: {row['value']:,.0f} {row['unit']}, {row['ratio']:,.1f} x")
