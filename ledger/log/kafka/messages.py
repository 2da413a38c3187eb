"""A record of the log as a message of Kafka: the store's payload, the rest in headers.

Headers are `codec` (`json` or `json+zstd`, as in docs/event-log.md) and, where the record has a
stamp, `producer` and `sequence`, in digits. There is no key: the partition is chosen by us.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from confluent_kafka import Message

from ledger.log.event_log import LogError, Record, Stamp, UnfitLineError
from ledger.log.format import Codec, pack_payload, unpack_payload
from ledger.log.kafka.cluster import MESSAGE_BYTES_MAX

OVERHEAD_BYTES_MAX = 1 << 10  # what headers and framing take


class StrangeMessageError(LogError):
    """A message of the topic that no Wattledger wrote."""


class NewMessage(NamedTuple):
    """What is handed to a producer."""

    value: bytes
    headers: list[tuple[str, str | bytes | None]]


def message_of(lines: Sequence[bytes], stamp: Stamp | None) -> NewMessage:
    """Return *lines* as one message.

    Raises:
        UnfitLineError: If it is larger than the topic takes.
    """
    codec, payload = pack_payload(lines)
    if len(payload) > MESSAGE_BYTES_MAX - OVERHEAD_BYTES_MAX:
        message = f"{len(payload)} bytes are no record of the event log: {MESSAGE_BYTES_MAX} are"
        raise UnfitLineError(message)
    headers: list[tuple[str, str | bytes | None]] = [("codec", codec.encode())]
    if stamp is not None:
        headers += [("producer", stamp.producer.encode()), ("sequence", b"%d" % stamp.sequence)]
    return NewMessage(payload, headers)


def record_of(message: Message) -> Record:
    """Return what a consumer of librdkafka got as a record (see `record_from`)."""
    headers = cast("Sequence[tuple[str, bytes]] | None", message.headers())
    partition, offset = cast("int", message.partition()), cast("int", message.offset())
    return record_from(partition, offset, cast("bytes", message.value()), headers)


def record_from(
    partition: int, offset: int, value: bytes | None, headers: Sequence[tuple[str, Any]] | None
) -> Record:
    """Return a message of the topic as a record.

    Raises:
        StrangeMessageError: If it is none of ours: the topic holds something else.
    """
    named = dict(headers or ())
    codec = named.get("codec", b"").decode("ascii", "replace")
    if codec not in ("json", "json+zstd") or value is None:
        where = f"partition {partition}, offset {offset}"
        message = f"a message of the event log's topic is none of Wattledger's: {where}"
        raise StrangeMessageError(message)
    stamp = None
    if "producer" in named:
        stamp = Stamp(named["producer"].decode(), int(named["sequence"]))
    return Record(partition, offset, unpack_payload(cast("Codec", codec), value), stamp)
