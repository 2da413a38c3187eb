"""Whether the brokers let us in, and what to set where they do not.

Two clients connect: librdkafka, for the log and its topics, and the one in Python below Faust. They
are told the same (`KafkaCluster`), and neither says clearly what is wrong: librdkafka retries for
ever and ends with "transport failure", while the reason goes by as an event of its own. So who
opens the log asks the brokers here first, listens to those events, and makes words of them.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Sequence
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from ledger.log.event_log import LogUnavailableError
from ledger.log.kafka.cluster import REQUEST_SECONDS, KafkaCluster, unavailable

REFUSED_SECONDS: Final = 3.0
"""So long another broker may still let us in."""
_ASK_SECONDS: Final = 1.0
_SASL: Final = "kafka_sasl_mechanism, kafka_sasl_user and kafka_sasl_password"
_SIGNS: Final = {
    "PLAINTEXT broker": "it speaks no TLS at this port: name its TLS port in kafka_bootstrap",
    "certificate verify failed": (
        "its certificate cannot be believed: kafka_ca_file must hold the authority that signed it, "
        "and kafka_bootstrap the names that stand in it"
    ),
    " alert ": (
        "it does not take our certificate: kafka_certificate_file and kafka_key_file must be there "
        "and of an authority that it knows"
    ),
}
"""What stands in the words of a refused TLS connection, and what it means."""
_SILENT: Final = (
    "it closes the connection without a word, as brokers do that want TLS or SASL and get none; "
    f"what they get is {{}}. Set kafka_ca_file for TLS; {_SASL} for SASL"
)


class KafkaRefusedError(LogUnavailableError):
    """The brokers are there and do not let us in, or we would not believe them."""

    def __init__(self, cluster: KafkaCluster, what: str, words: str = "") -> None:
        said = f" ({words})" if words else ""
        super().__init__(f"Kafka at {cluster.bootstrap} does not let us in: {what}{said}")


class KafkaFileError(LogUnavailableError):
    """A certificate or a key cannot be used."""

    def __init__(self, path: str, setting: str, why: str) -> None:
        self.path, self.setting = path, setting
        super().__init__(f"cannot use {path} as {setting}: {why}")


def tls_context(cluster: KafkaCluster) -> ssl.SSLContext | None:
    """Return how a client in Python speaks TLS with the brokers; None where it does not.

    Raises:
        KafkaFileError: If a file is not there, is none, or does not fit.
    """
    if not cluster.ca_file:
        return None
    try:
        context = ssl.create_default_context(cafile=cluster.ca_file)
    except OSError as error:
        raise KafkaFileError(cluster.ca_file, "kafka_ca_file", _why(error)) from error
    if cluster.certificate_file:
        _present(cluster, context)
    return context


def reached(cluster: KafkaCluster) -> AdminClient:
    """Return a client whom a broker has answered.

    Raises:
        KafkaRefusedError: If they are there and let nobody in like us.
        KafkaFileError: See `tls_context`.
        LogUnavailableError: If none answers.
    """
    tls_context(cluster)
    heard: list[KafkaError] = []
    try:
        client = AdminClient(cluster.client({"error_cb": heard.append}))
    except KafkaException as error:
        raise unavailable(error) from error
    began, wait = time.monotonic(), _ASK_SECONDS
    while True:
        left = max(0.1, began + REQUEST_SECONDS - time.monotonic())
        try:
            client.list_topics(cluster.topic, timeout=min(wait, left))
        except KafkaException as error:
            client.poll(0)  # this is when it says what it heard
            passed = time.monotonic() - began
            refusal = _refusal(cluster, heard)
            if refusal is not None and passed > REFUSED_SECONDS:
                raise refusal from error
            if passed > REQUEST_SECONDS:
                raise _silence(cluster, heard, error) from error
        else:
            return client
        time.sleep(_ASK_SECONDS / 10)
        wait *= 2  # one that is slow to answer must not be asked anew for ever


def _present(cluster: KafkaCluster, context: ssl.SSLContext) -> None:
    """Let *context* show our own certificate."""

    def encrypted() -> str:
        # Without this, OpenSSL would ask a terminal for the password, or wait for one.
        why = "it is encrypted; give one that is not, which only this user can read"
        raise KafkaFileError(cluster.key_file, "kafka_key_file", why)

    try:
        context.load_cert_chain(cluster.certificate_file, cluster.key_file, password=encrypted)
    except OSError as error:
        both = f"{cluster.certificate_file} and {cluster.key_file}"
        settings = "kafka_certificate_file and kafka_key_file"
        raise KafkaFileError(both, settings, _why(error)) from error


def _why(error: OSError) -> str:
    return error.strerror if not isinstance(error, ssl.SSLError) and error.strerror else str(error)


def _refusal(cluster: KafkaCluster, heard: Sequence[KafkaError]) -> KafkaRefusedError | None:
    """Return what no other try will mend, if something of the kind was heard."""
    for error in heard:
        words = _short(error)
        if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001 - the library's own name
            what = f"{_SASL} must be what the brokers have for this user"
            return KafkaRefusedError(cluster, what, words)
        for sign, what in _SIGNS.items():
            if sign in words:
                return KafkaRefusedError(cluster, what, words)
        if error.code() == KafkaError._SSL:  # noqa: SLF001
            what = "TLS fails; look at kafka_ca_file, kafka_certificate_file and kafka_key_file"
            return KafkaRefusedError(cluster, what, words)
    return None


def _silence(
    cluster: KafkaCluster, heard: Sequence[KafkaError], error: KafkaException
) -> LogUnavailableError:
    """Return what is to be said of brokers that never answered."""
    told = [each for each in heard if each.code() != KafkaError._ALL_BROKERS_DOWN]  # noqa: SLF001
    if heard and not told:  # they do not even refuse: that would have been heard
        return KafkaRefusedError(cluster, _SILENT.format(cluster.security_protocol))
    return unavailable(_short(told[-1]) if told else error)


def _short(error: KafkaError) -> str:
    """Return the words of *error* without how long it took, and advice that is not for us."""
    return re.sub(r": broker certificate could not .*| \(after .*", "", error.str())
