"""A worker process among several: Faust owns who has which partitions, we own what was done.

Membership, assignment and rebalancing are Faust's. No offset is committed: that would be before or
after an effect, never with it. The worker's own position, in the transaction of the effects, says
where to begin; at each assignment partitions are sought to it, and a worker that lost a partition
without knowing (a *zombie*) finds the position moved and writes nothing.

    assigned 0, 3 -> open a worker for 0 and 3, seek each to the position that it finds
    records come  -> hand them over, take turns until all are taken
    many wait     -> seek Faust to their end, read them from Kafka in the worker's own lots
    none comes    -> where the log has more all the same for a while, read that from Kafka ourselves
    revoked       -> wait for the turn to end, close the worker

One line's own error sets that line aside, as on one machine. What else raises ends the process with
an exit code, for whoever supervises it to start it again: an exception that leaves a Faust agent
would acknowledge the message instead.

What must stay true: tests/ledger/worker/kafka/, on a real broker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

import faust
from faust.transport.drivers.aiokafka import Consumer as AiokafkaConsumer
from faust.transport.drivers.aiokafka import Transport as AiokafkaTransport

from ledger.database import ended_when_silent
from ledger.log.event_log import LogError
from ledger.log.kafka.access import tls_context
from ledger.log.kafka.cluster import MESSAGE_BYTES_MAX, FewComplaints, KafkaCluster
from ledger.log.kafka.event_log import KafkaEventLog
from ledger.log.kafka.messages import record_from
from ledger.worker.entries import Translate
from ledger.worker.kafka.handed_log import HandedLog
from ledger.worker.worker import Worker

logger = logging.getLogger(__name__)
# Brokers that are away make each of these write fifty lines a second.
for _client in (
    "aiokafka",
    "aiokafka.cluster",
    "aiokafka.conn",
    "aiokafka.consumer.fetcher",
    "aiokafka.consumer.group_coordinator",
):
    logging.getLogger(_client).addFilter(FewComplaints())
# Fifty lines a start about their own insides; which partitions are whose we say ourselves.
for _library in ("faust", "mode", "aiokafka"):
    logging.getLogger(_library).setLevel(logging.WARNING)

SESSION_SECONDS: Final = 10.0
"""After how long a member that is silent is taken for dead."""
TAKEN_AT_ONCE: Final = 64
TAKEN_WITHIN_SECONDS: Final = 0.01
BUFFERED_MESSAGES: Final = 64
SKIPPED_MIN: Final = 256
"""So many messages that wait are read by the worker itself: each costs Faust some 0.1 ms."""
REST_LOOK_SECONDS: Final = 1.0
"""How often partitions that rest after an error of their own are looked at again."""
OVERDUE_SECONDS: Final = 5.0
"""How long what stands in the log may take to be handed over. A client that had brokers taken away
from it may fetch nothing more of a partition, and say nothing of that (seen: of one in four)."""
STOP_SECONDS_MAX: Final = 10.0
TURN_SECONDS_MAX: Final = 30.0
"""How long a turn may hold its partition without a word to the database. A process that stands
still within one would keep it from everybody for as long as its machine is up."""

NewWorker = Callable[[Collection[int]], Worker]


class WorkerGroupError(LogError):
    """Kafka and the books do not fit together, or Faust ended by itself."""


class _Turns:
    """The worker of the partitions that are ours now. All calls run in one thread of their own."""

    def __init__(self, store: KafkaEventLog, new_worker: NewWorker) -> None:
        self._store, self._new_worker = store, new_worker
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="worker")
        self._worker: Worker | None = None
        self.resting: Sequence[int] = ()

    async def open(self, partitions: Collection[int]) -> Mapping[int, int]:
        """Begin with *partitions*, and no other; return where each stands.

        Raises:
            WorkerGroupError: If the books are ahead of the log.
        """
        positions: Mapping[int, int] = await self._call(self._open, partitions)
        return positions

    async def close(self) -> None:
        """End with all partitions, once the turn that is on is over."""
        await self._call(self._close)

    async def idle(self) -> None:
        """Return once the turn that is on is over."""
        await self._call(lambda: None)

    async def take(self) -> None:
        """Take turns until nothing that was handed over is left, but for who rests.

        One at a time: who wants to close, or stop, need not wait until all of it is worked off.
        """
        while await self._call(self._take_turn):
            pass

    def end(self) -> None:
        """Let the thread go, after what it does."""
        self._thread.submit(self._close)
        self._thread.shutdown()

    async def _call(self, work: Callable[..., Any], *given: object) -> Any:  # noqa: ANN401 - passed on
        loop = asyncio.get_running_loop()
        # Whoever is cancelled meanwhile does not end the turn: it is one transaction.
        return await asyncio.shield(loop.run_in_executor(self._thread, work, *given))

    def _open(self, partitions: Collection[int]) -> Mapping[int, int]:
        self._close()
        if not partitions:
            return {}
        self._worker = self._new_worker(partitions)
        positions, ends = self._worker.positions(), self._store.ends()
        for partition, position in positions.items():
            if position > ends[partition]:
                message = (
                    f"the books have taken {position} records of partition {partition}, the topic "
                    f"has {ends[partition]}: it is the log of other books, or lost some"
                )
                raise WorkerGroupError(message)
        return positions

    def _close(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _take_turn(self) -> bool:
        if self._worker is None:
            self.resting = ()
            return False
        done = self._worker.take_turns()
        self.resting = self._worker.resting()
        return bool(done)


class WorkerGroup:
    """This process's part in the group of workers of one log."""

    def __init__(
        self,
        dsn: str,
        *,
        cluster: KafkaCluster,
        translate: Translate,
        folder: Path,
        session_seconds: float = SESSION_SECONDS,
        turn_seconds: float = TURN_SECONDS_MAX,
        beat: Callable[[], None] = lambda: None,
        ending: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; nothing is connected yet.

        Args:
            dsn: The database with the schema `inputs`.
            cluster: Where the log is.
            translate: What a frame says, as facts.
            folder: Where Faust may keep files; it keeps none.
            session_seconds: After how long of silence others take our partitions.
            turn_seconds: After how long of silence within a turn the database ends it.
            beat: Called at each turn, and each second while there is none.
            ending: Called when it begins to end. Faust's threads may then hang for ever, and keep
                its partitions: who has a process to itself ends that in a while.
        """
        dsn = ended_when_silent(dsn, turn_seconds)
        self._cluster, self._session_seconds, self._folder = cluster, session_seconds, folder
        self._store, self._ends = KafkaEventLog(cluster), KafkaEventLog(cluster)
        self._handed = HandedLog(self._store)
        self._turns = _Turns(self._store, self._new_worker)
        self._dsn, self._translate, self._beat, self._ending = dsn, translate, beat, ending
        self.fence: Callable[[Any], str] = lambda _: ""
        """What each transaction asks (see `Worker`)."""
        self._failure: BaseException | None = None
        self._stopping = asyncio.Event()
        self._is_ending = False

    def resting(self) -> Sequence[int]:
        """Return which of our partitions rest after an error that no line of them makes."""
        return self._turns.resting

    async def run(self, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Work until *stop* is set.

        Raises:
            LogError: If Kafka is away at the start, or Faust ends by itself.
            FencedError: If another worker has a partition that we took for ours.
            psycopg.OperationalError: If the connection to the database is lost.
        """
        # Faust would give up by itself, and not say why.
        partitions = await asyncio.to_thread(lambda: self._store.partitions)
        app = self._app(partitions)
        try:
            app.on_partitions_revoked.connect(self._revoked, weak=False)
            await app.start()
            ready()
            looking = [self._look_after_resting(), self._look_after_overdue()]
            lookers = [asyncio.create_task(each) for each in looking]
            waits = [stop.wait(), self._stopping.wait(), app.wait_until_stopped()]
            waiting = [asyncio.ensure_future(each) for each in waits]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in (*waiting, *lookers):
                each.cancel()
            if not stop.is_set() and self._failure is None:
                message = "Faust ended by itself; its log says why"
                raise WorkerGroupError(message)
        finally:
            self._is_ending = True
            self._ending()
            # It may swallow that it is cancelled: it is waited for, and then left behind.
            stopped, _ = await asyncio.wait(
                {asyncio.ensure_future(app.stop())}, timeout=STOP_SECONDS_MAX
            )
            for each in stopped:
                each.result()
            # Faust keeps it for whatever app is made at the same address, in this process, later.
            app.on_partitions_revoked.disconnect(self._revoked)
            self._turns.end()
            self._store.close()
            self._ends.close()
        if self._failure is not None:
            raise self._failure

    def _new_worker(self, partitions: Collection[int]) -> Worker:
        worker = Worker(
            self._dsn, log=self._handed, partitions=partitions, translate=self._translate
        )
        worker.beat, worker.fence = self._beat, self.fence
        return worker

    def _app(self, partitions: int) -> faust.App:
        cluster = self._cluster
        app = faust.App(
            f"{cluster.topic}.workers",
            broker=[f"kafka://{server}" for server in cluster.bootstrap.split(",")],
            broker_credentials=_credentials(cluster),
            broker_session_timeout=self._session_seconds,
            broker_heartbeat_interval=self._session_seconds / 4,
            broker_max_poll_records=BUFFERED_MESSAGES,
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=MESSAGE_BYTES_MAX,
            stream_buffer_maxsize=BUFFERED_MESSAGES,
            stream_wait_empty=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            web_enabled=False,
            autodiscover=False,
            datadir=self._folder,
            loop=asyncio.get_running_loop(),
        )
        app.transport = _SeekingTransport(app.conf.broker, app, loop=app.loop)
        app.transport.positions = self._positions
        topic = app.topic(
            cluster.topic, partitions=partitions, value_type=bytes, value_serializer="raw"
        )
        app.agent(topic, concurrency=1)(self._follow)
        return app

    async def _follow(self, handed: Any) -> None:  # noqa: ANN401 - Faust's
        async for events in handed.take_events(TAKEN_AT_ONCE, within=TAKEN_WITHIN_SECONDS):
            if self._failure is not None:
                continue
            try:
                for event in events:
                    message = event.message
                    where = (message.partition, message.offset)
                    if self._handed.lacks(*where):
                        self._handed.hand(record_from(*where, message.value, message.headers))
                if len(events) == TAKEN_AT_ONCE:
                    await self._skip(events, handed.app.consumer)
                await self._turns.take()
            except BaseException as error:
                # Faust's stop cancels who waits for a turn; the turn itself goes on to its end.
                if self._is_ending and isinstance(error, asyncio.CancelledError):
                    raise
                self._fail(error)

    async def _skip(self, events: Sequence[Any], consumer: Any) -> None:  # noqa: ANN401 - Faust's
        """Where many wait beyond *events*, have Faust hand over none of them.

        The worker reads them in larger lots. A seek that a rebalance takes back, or overtakes,
        leaves nothing out: what was said to reach so far is read from Kafka all the same.
        """
        last = {event.message.tp: event.message.offset for event in events}
        ends = {tp: consumer.highwater(tp) or 0 for tp in last}
        ends = {tp: end for tp, end in ends.items() if end > last[tp] + SKIPPED_MIN}
        if not ends:
            return
        reached = {tp.partition: end for tp, end in ends.items()}
        self._handed.reach(reached)
        with suppress(Exception):
            await consumer.seek_wait(ends)
        # Had a rebalance come between, the seek would hold and the reach be forgotten.
        self._handed.reach(reached)

    async def _look_after_resting(self) -> None:
        """Let partitions that rest after an error go on, when nothing comes that would."""
        while True:
            await asyncio.sleep(REST_LOOK_SECONDS)
            try:
                await (self._turns.take() if self._turns.resting else self._turns.idle())
            except Exception as error:  # noqa: BLE001 - it ends the process
                self._fail(error)
            self._beat()

    async def _look_after_overdue(self) -> None:
        """Take what stood in the log for a while and was not handed over."""
        ends: dict[int, int] = {}
        while True:
            await asyncio.sleep(OVERDUE_SECONDS)
            if stalled := self._handed.stalled(ends):
                logger.warning("nothing was handed over, so Kafka is read: up to %s", stalled)
                self._handed.reach(stalled)
                try:
                    await self._turns.take()
                except Exception as error:  # noqa: BLE001 - it ends the process
                    self._fail(error)
            with suppress(LogError):  # brokers are away: nothing is overdue then
                ends = dict(enumerate(await asyncio.to_thread(self._ends.ends)))

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._stopping.set()

    async def _revoked(self, _app: Any, /, *revoked: Any, **_: Any) -> None:  # noqa: ANN401 - Faust's
        """Finish the turn before another member may begin where we end."""
        logger.info("partitions revoked: %s", sorted(each.partition for each in revoked[0]))
        await self._turns.close()

    async def _positions(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Open the worker of what is ours now; return where each partition goes on."""
        try:
            positions = await self._turns.open(partitions)
        except Exception as error:
            self._fail(error)
            raise
        self._handed.begin(positions)
        logger.info("partitions assigned, by position: %s", dict(positions))
        return positions


class _SeekingConsumer(AiokafkaConsumer):
    """Faust's consumer, which begins where the books say: it commits no offset, and asks for none.

    Its account of what may be committed would also grow for ever after a seek forward.
    """

    async def perform_seek(self) -> None:
        """Seek each partition of ours to its position in the database."""
        ours = {each.partition: each for each in self.assignment()}
        positions = await cast("_SeekingTransport", self.transport).positions(sorted(ours))
        seeking = {ours[partition]: position for partition, position in positions.items()}
        if seeking:
            await self.seek_wait(seeking)

    def ack(self, message: Any) -> bool:  # noqa: ANN401 - Faust's
        """Keep no account of what is done: the books do."""
        message.acked = True
        return False

    async def _add_gap(self, tp: Any, offset_from: int, offset_to: int) -> None:  # noqa: ANN401
        """Keep no account of what was passed over."""


class _SeekingTransport(AiokafkaTransport):
    """Faust's transport, with that consumer."""

    Consumer = _SeekingConsumer
    positions: Callable[[Sequence[int]], Any]


def _credentials(cluster: KafkaCluster) -> Any:  # noqa: ANN401 - Faust has no types
    context = tls_context(cluster)
    if cluster.sasl_mechanism:
        return faust.SASLCredentials(
            username=cluster.sasl_user,
            password=cluster.sasl_password,
            mechanism=cluster.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context=context) if context else None
