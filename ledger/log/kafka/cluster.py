"""Where the Kafka cluster is and who we are to it; how its client's complaints reach our log."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException

from ledger.log.event_log import LogUnavailableError

MESSAGE_BYTES_MAX: Final = 4 << 20
"""What topic, brokers and clients must take: a full record and a long line, with room."""
COMPLAINT_SECONDS: Final = 30.0
"""A client whose brokers are away says so hundreds of times a second; we repeat it that often."""
REQUEST_SECONDS: Final = 10.0
"""How long a question to the brokers may take. One that was killed is replaced after 4 to 12 s."""
FAILED_FOR_GOOD: Final = (KafkaException, SystemError)
"""What a client raises that cannot go on; the last: it raises, and then calls back all the same."""
_PASSING: Final = frozenset(
    {
        KafkaError._TRANSPORT,  # noqa: SLF001 - the library's own names, as the next
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        # So it says of a partition whose leader just went.
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError._DESTROY_BROKER,  # noqa: SLF001
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,  # of a topic that was just made
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaCluster:
    """A cluster, our topic in it, and how to connect; empty means not used.

    Attributes:
        bootstrap: `host:port,host:port`, where a client begins.
        topic: The event log's.
        ca_file: PEM with the certificates that the brokers' are checked against; makes it TLS.
        certificate_file: PEM with our own certificate, where brokers want one.
        key_file: PEM with its private key.
        sasl_mechanism: `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
        sasl_user: Our name.
        sasl_password: And the password; never shown.
    """

    bootstrap: str
    topic: str = "wattledger.log"
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    sasl_mechanism: str = ""
    sasl_user: str = ""
    sasl_password: str = ""

    def __repr__(self) -> str:
        """Show where, and no secret."""
        return f"KafkaCluster({self.bootstrap}, {self.topic})"

    @property
    def security_protocol(self) -> str:
        """How the client talks to the brokers, by Kafka's names."""
        transport = "SSL" if self.ca_file else "PLAINTEXT"
        return f"SASL_{transport}" if self.sasl_mechanism else transport

    def client(self, more: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Return the settings of one of librdkafka's clients, with *more*."""
        settings: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security_protocol,
            "socket.keepalive.enable": True,
            "reconnect.backoff.max.ms": 1000,
            "logger": _COMPLAINTS,
        }
        given = {
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.certificate_file,
            "ssl.key.location": self.key_file,
            "sasl.mechanism": self.sasl_mechanism,
            "sasl.username": self.sasl_user,
            "sasl.password": self.sasl_password,
        }
        return settings | {key: value for key, value in given.items() if value} | dict(more or {})


class FewComplaints(logging.Filter):
    """Lets a complaint pass that was not heard for a while, with how many were held back."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._last: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether *record* is to be written; kinds are told apart by their format's text."""
        # librdkafka's own lines begin with a kind in brackets and name addresses after it.
        kind = str(record.msg)[:40] + str(record.args)[:40]
        now = time.monotonic()
        with self._lock:
            since, held = self._last.get(kind, (-COMPLAINT_SECONDS, 0))
            if now - since < COMPLAINT_SECONDS:
                self._last[kind] = (since, held + 1)
                return False
            if len(self._last) > 100:  # noqa: PLR2004 - kinds are few; what is not must not grow
                self._last.clear()
            self._last[kind] = (now, 0)
        if held:
            record.msg = f"{record.msg} ({held} more like it)"
        return True


_COMPLAINTS: Final = logging.getLogger("wattledger.kafka")
_COMPLAINTS.addFilter(FewComplaints())
# A command that keeps no log shows none of it: what matters comes as an error of its own.
_COMPLAINTS.addHandler(logging.NullHandler())


def is_passing(error: KafkaError) -> bool:
    """Say whether *error* is one of brokers that fail or change their parts: trying again helps."""
    return error.code() in _PASSING


def unavailable(error: Exception | KafkaError | str) -> LogUnavailableError:
    """Return *error* as the log's own."""
    cause = error.args[0] if isinstance(error, KafkaException) else error
    words = cause.str() if isinstance(cause, KafkaError) else str(cause)
    message = f"the event log cannot be read, or may not have stored the lines: Kafka: {words}"
    return LogUnavailableError(message)
