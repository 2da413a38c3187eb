"""One station's WebSocket: its frames one by one, and our calls to it beside them.

A station deletes a message from its memory once it is answered. An answer that is sooner than the
commit loses energy with the next power failure; an answer that never comes, or an error, makes it
send the same message for ever, and everything behind waits. So: persist, then answer, whatever the
content says. Judging comes later, in the fold.

    StartTransaction, the log is up     -> one line with frame and reply, then the reply goes out
    StartTransaction, the log is away   -> no reply; the connection closes with "try again later",
                                           and the station brings the message again
    a MeterValues with value NaN        -> logged, answered {}; the fold flags the value
    text that is no JSON                -> logged with the CALLERROR that goes out
    a fault of ours while answering     -> logged, InternalError: it must not come back for ever

Frames are taken in order, each answered before the next, so that the log has them in the station's
order. Our own calls wait in tasks of their own: a station that gets GetTransactionStatus while it
waits for an answer of ours must get that answer first, or both wait for each other (quirk 37).

One identity may connect twice: half-open TCP, a balancer, an attacker (quirk 32). The epoch says
which connection is the newest; an older one is fenced: what it still sends is not answered, so
nothing that only it knows is taken as delivered.

What tells who somebody is never reaches the log in clear: `ingest.persons`.
Tests: tests/ingest/edge/test_server.py (no answer before the frame is durable) and its neighbours.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import psycopg
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from ingest.answers.answering import Answer, AnsweringParts, Dialect, UnknownActionError
from ingest.answers.questions import Questions
from ingest.answers.registration import triggered_by
from ingest.answers.repeats import Repeats
from ingest.commands.command import CallEnd, CommandState, OutgoingCall, silent_end
from ingest.commands.dispatching import Readiness
from ingest.edge.closing import hang_up, why_closed
from ingest.edge.frame_counts import FrameCounts
from ingest.edge.session_pace import SessionPace
from ingest.errors import IngestError, StationGoneError
from ingest.persons.sealer import sealed_frame
from ingest.prices.price import PriceQuestion
from ingest.prices.telling import PriceTelling
from ingest.prices.words import TransactionNews
from ingest.rpc import codec
from ingest.rpc.beside import beside_others
from ingest.rpc.codec import Call, CallError, CallResult, Fault, FrameError
from ingest.rpc.waiting_calls import Answered, Silence, WaitingCalls
from ingest.station_records import Registration
from ledger.database import is_of_content
from ledger.log.authorization import Authorization
from ledger.log.envelope import Connection as ConnectionLine
from ledger.log.envelope import Frame, LogLine, encode_line
from ledger.log.event_log import LineWriter, LogError, Position, partition_of

CALL_SECONDS: Final = 30.0
"""How long a station may take to answer a call of ours."""
_LOGGER = logging.getLogger(__name__)


class StationConnection:
    """The newest connection of a station, until a newer one fences it."""

    def __init__(
        self,
        socket: ServerConnection,
        *,
        epoch: int,
        dialect: Dialect,
        parts: AnsweringParts,
        log: LineWriter,
        counts: FrameCounts,
        pace: SessionPace,
        close_seconds: float,
    ) -> None:
        self.epoch, self.is_fenced, self.turn = epoch, False, asyncio.Lock()
        # A station that only lost its connection does not boot again.
        self.has_booted, self.last_sent = epoch > 1, ""
        self.heard_at, self.closing_reason, self.registration = 0.0, "", parts.registration
        self._socket, self._dialect, self._parts, self._log = socket, dialect, parts, log
        self._counts, self._pace, self._close_seconds = counts, pace, close_seconds
        self._loop = asyncio.get_running_loop()
        self._partition = partition_of(parts.station_id, partitions=log.partitions)
        self._calls, self._repeats, self.readiness = WaitingCalls(), Repeats(), Readiness()
        self._questions = Questions(self.call)
        self._telling = PriceTelling(self, parts, counts.told)
        self._pinging: asyncio.Task[None] | None = None

    @property
    def station_id(self) -> str:
        """The station as declared."""
        return self._parts.station_id

    @property
    def protocol(self) -> str:
        """The subprotocol that both sides agreed on."""
        return self._dialect.subprotocol

    @property
    def has_hung_up(self) -> bool:
        """Whether the station said goodbye, also where what it said before is not taken yet."""
        return self._socket.protocol.close_rcvd_then_sent is True

    async def run(self, first: bytes | None = None) -> None:
        """Take frames until the connection closes; the log gets its beginning and its end.

        *first* is the one that was read already, if any.
        """
        self.heard_at = self._loop.time()
        self._telling.resume(await self._append(self._line(is_open=True)))
        why = "error"
        try:
            while not self.is_fenced:
                frame = await self._socket.recv(decode=False) if first is None else first
                first = None
                if not self.is_fenced:  # else it stays unanswered, and the station brings it again
                    await self._take(frame)
                    self.readiness.begin()
            why = "replaced"
        except ConnectionClosed as closed:
            why = self.closing_reason or why_closed(closed)
        finally:
            await self._end(why)

    async def call(
        self, action: str, payload: Mapping[str, Any], *, seconds: float = CALL_SECONDS
    ) -> CallResult | CallError:
        """Send a call and return the station's answer; the log gets both in one line.

        A station gets one call at a time (OCPP 1.6-J 4.1.1); further ones wait for their turn.

        Raises:
            StationGoneError: If no answer came within *seconds*.
        """
        message_id = str(uuid.uuid4())
        frame = codec.encode_call(message_id, action, payload).decode()
        # The time runs from our turn on: other calls' waiting is no silence of the station.
        async with self.turn:
            found = await self._ask_station(OutgoingCall(message_id, frame), seconds)
        reply = found[1] if isinstance(found, tuple) else None
        await self._append_frame(frame, reply, is_ours=True)
        if not isinstance(found, tuple):
            why = found.value if isinstance(found, Silence) else str(found)
            raise StationGoneError(self.station_id, action, why)
        return found[0]

    async def exchange(self, call: OutgoingCall, *, seconds: float) -> CallEnd:
        """Send a call whose turn it is, and wait for its answer.

        The log has it before it leaves, and once more with its answer: a kill in between leaves
        what the station was told. An answer that cannot be read stands there as it came.
        """
        self._parts.triggered.update(triggered_by(call.text))
        sent, _ = await self._append_frame(call.text, None, is_ours=True)
        found = await self._ask_station(call, seconds)
        if not isinstance(found, tuple):
            return silent_end(call, sent, found)
        message, reply = found
        logged, _ = await self._append_frame(call.text, reply, is_ours=True)
        is_error = isinstance(message, CallError)
        return CallEnd(CommandState.ERROR if is_error else CommandState.ANSWERED, logged)

    async def _ask_station(
        self, call: OutgoingCall, seconds: float
    ) -> Answered | FrameError | Silence:
        async def send() -> None:
            self.last_sent = call.message_id
            await self._socket.send(call.text.encode(), text=True)
            self._counts.sent[self.protocol] += 1

        found = await self._calls.ask(call.message_id, send, seconds=seconds)
        self._parts.vehicles.note(call.text, found[0] if isinstance(found, tuple) else None)
        return found

    def ping(self) -> None:
        """Begin to send a ping unless one is still unanswered; an answered one shows life.

        Nobody waits for it: to a station that does not read it never goes out.
        """
        if self._pinging is None or self._pinging.done():
            self._pinging = asyncio.create_task(self._ping())

    def silent_for(self) -> float:
        """Return the seconds since the station last sent a frame or was seen to answer a ping."""
        return self._loop.time() - self.heard_at

    async def close(self, why: str, *, code: int = 1000) -> None:
        """Close, for a reason that the log keeps; who does not take part is hung up on."""
        self.closing_reason = why
        await hang_up(self._socket, code, why, seconds=self._close_seconds)

    async def _ping(self) -> None:
        with suppress(ConnectionClosed):
            await (await self._socket.ping())
            self.heard_at = self._loop.time()

    async def _take(self, raw: bytes) -> None:
        """Log one frame and answer it."""
        self.heard_at = self._loop.time()
        self._counts.taken[self.protocol] += 1
        text = codec.text_of(raw)
        size_max = codec.FRAME_MAX if self.has_booted else codec.UNREGISTERED_FRAME_MAX
        try:
            # Read what the log keeps: bytes that were Latin-1 are UTF-8 by now.
            written = raw if text.isascii() else text.encode()
            message = await beside_others(len(raw), codec.parse, written, size_max=size_max)
        except FrameError as error:
            if self._is_unanswered(raw):
                await self._append_frame(text, None, is_unread=True)
                self._calls.settle(error.message_id, error)
            else:
                await self._refuse(error, text)
            return
        if isinstance(message, Call):
            await self._answer(message, raw, text)
        elif isinstance(message, CallResult | CallError):
            await self._settle(message, text)
        elif self._dialect.has_unanswered:
            await self._append_frame(text, None)
        else:
            await self._refuse(FrameError(Fault.UNKNOWN_TYPE, message.message_id), text)

    def _is_unanswered(self, raw: bytes) -> bool:
        """Say whether a frame, however broken, is of those that nobody answers."""
        return codec.is_answer(raw) or (self._dialect.has_unanswered and codec.is_unanswered(raw))

    async def _refuse(self, error: FrameError, text: str) -> None:
        """Answer a frame that could not be read; what it tells counts all the same."""
        code = self._dialect.error_code(error.fault, has_id=error.message_id != codec.NO_ID)
        reply = codec.encode_error(error.message_id, code, str(error))
        await self._reply(text, reply, is_unread=True)
        await self._pace.hold_back_refused(self._socket, text)

    async def _reject(self, call: Call, text: str, code: str, problem: str) -> None:
        """Answer a call with an error; what it tells counts all the same."""
        await self._reply(text, codec.encode_error(call.message_id, code, problem))
        await self._pace.hold_back(self._socket, call, b"")

    async def _answer(self, call: Call, raw: bytes, text: str) -> None:
        if not self._may_say(call.action):
            await self._reject(call, text, "SecurityError", "this station is not accepted yet")
            return
        # By the whole text: a message id alone is reused (quirk 33).
        repeat = self._repeats.find(raw, self._parts.clock.now())
        if repeat is not None:
            await self._reply(text, repeat.reply, authorization=repeat.authorization)
            return
        try:
            answer = await self._dialect.answer(call, self._parts)
        except UnknownActionError:
            await self._reject(call, text, "NotImplemented", "this action is not known here")
            return
        except Exception as error:
            is_away = isinstance(error, psycopg.OperationalError) and not is_of_content(error)
            if is_away or isinstance(error, IngestError | LogError):
                raise  # the station is sent away and brings the frame again
            # A fault of ours: the frame is kept, and must not come back for ever.
            _LOGGER.exception("no answer to %s of %s", call.action, self.station_id)
            await self._reject(call, text, "InternalError", "this server failed")
            return
        if call.action == "BootNotification":
            self.has_booted = True
            self.registration = answer.registration or self.registration
        news = self._telling.news(call, answer.payload)
        if news is None:
            reply = codec.encode_result(call.message_id, answer.payload)
            await self._reply(
                text, reply, is_logged=answer.is_logged, authorization=answer.authorization
            )
        else:
            reply = await self._reply_priced(text, call.message_id, answer, news)
        self._repeats.keep(answer, raw, reply, self._parts.clock.now())
        if answer.question is not None:
            self._questions.add(answer.question)
        await self._pace.hold_back(self._socket, call, answer.payload)

    def _may_say(self, action: str) -> bool:
        if self.registration is Registration.ACCEPTED or self._dialect.asked_for is None:
            return True
        return action in self._dialect.asked_for | self._parts.triggered

    async def _reply_priced(
        self, text: str, message_id: bytes, answer: Answer, news: TransactionNews
    ) -> bytes:
        """Answer a call that tells of a transaction, with its price if that is known in time.

        It must be in the log to be priced; what it was answered then is a second line of it.
        """
        payload = self._telling.with_known(news, answer.payload)
        reply = codec.encode_result(message_id, payload)
        told, at = await self._append_frame(
            text, reply.decode(), authorization=answer.authorization
        )
        line = PriceQuestion(self.station_id, news.reference, at, told.received_at)
        priced = await self._telling.at_end(news, line, payload)
        if priced is not None:
            reply = codec.encode_result(message_id, priced)
            await self._append_frame(text, reply.decode(), is_priced=True)
        await self._send_reply(reply)
        self._telling.follow(news, line, priced, answer.authorization)
        return reply

    async def _reply(
        self,
        text: str,
        reply: bytes,
        *,
        is_logged: bool = True,
        is_unread: bool = False,
        authorization: Authorization | None = None,
    ) -> None:
        """Make the frame and its reply durable, then send the reply, if still the newest."""
        if is_logged:
            await self._append_frame(
                text, reply.decode(), is_unread=is_unread, authorization=authorization
            )
        await self._send_reply(reply)

    async def _send_reply(self, reply: bytes) -> None:
        if not self.is_fenced:
            await self._socket.send(reply, text=True)
            self._counts.sent[self.protocol] += 1

    async def _settle(self, message: CallResult | CallError, text: str) -> None:
        """Hand an answer to the call that waits for it; keep one that nobody waits for."""
        if not self._calls.settle(message.message_id, (message, text)):
            await self._append_frame(text, None)

    async def _end(self, why: str) -> None:
        """Release who waits for the station and log the end; a failing log must not hide *why*."""
        self._calls.end()
        self.readiness.end()
        # The end is the last line of a connection: answers that came stand before it.
        await self._questions.end()
        await self._telling.close()
        try:
            await self._append(self._line(is_open=False, why=why))
        except Exception:
            _LOGGER.exception("the end of a connection of %s is not in the log", self.station_id)

    async def _append(self, line: LogLine) -> Position:
        return await self._log.append(self._partition, encode_line(line))

    async def _append_frame(
        self,
        text: str,
        reply: str | None,
        *,
        is_ours: bool = False,
        is_unread: bool = False,
        is_priced: bool = False,
        authorization: Authorization | None = None,
    ) -> tuple[Frame, Position]:
        """Log a frame without who somebody is; return it as the log has it, and where."""
        frame = Frame(
            received_at=self._parts.clock.now(),
            station=self.station_id,
            protocol=self.protocol,
            epoch=self.epoch,
            frame=text,
            reply=reply,
            direction="out" if is_ours else "in",
            authorization=authorization,
            is_priced=is_priced,
        )
        habits = self._parts.station.token_habits
        line = await sealed_frame(frame, self._parts.subjects, habits, is_unread=is_unread)
        return line, await self._append(line)

    def _line(self, *, is_open: bool, why: str = "") -> ConnectionLine:
        return ConnectionLine(
            received_at=self._parts.clock.now(),
            station=self.station_id,
            protocol=self.protocol,
            epoch=self.epoch,
            is_open=is_open,
            why=why,
        )
