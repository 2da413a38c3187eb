"""A real broker that lets in only who it knows, by SASL over TLS or by a certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from confluent_kafka.admin import (  # type: ignore[attr-defined] # its stubs name them not
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from deploy.kafka.brokers import KafkaBrokers
from tests.certificates import Authority
from tests.deploy.observing.free_ports import free_base

USER: Final = "wattledger"
PASSWORD: Final = 'no,body="knöws'
"""With what a mechanism, a broker's configuration or a program may stumble over."""
RIGHTS: Final = {
    ResourceType.TOPIC: ("CREATE", "READ", "WRITE", "DESCRIBE_CONFIGS"),
    ResourceType.GROUP: ("READ",),
}
"""On what begins with the log's prefix, as docs/operations.md has them."""
PLAIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"


class GuardedBrokers(KafkaBrokers):
    """One broker with two listeners more: `sasl` (SASL over TLS) and `mutual` (TLS both ways).

    It believes *authority*, by which it has its own certificate. Whoever it knows may do what
    `let_in` allows and nothing else.
    """

    def __init__(self, home: Path, authority: Authority) -> None:
        super().__init__(home)
        base = free_base()
        self.sasl, self.mutual = f"127.0.0.1:{base}", f"127.0.0.1:{base + 1}"
        own = authority.issue("broker")
        self._authority, self._store = authority, authority.ca.with_name("broker-store.pem")
        self._store.write_bytes(own.key.read_bytes() + own.certificate.read_bytes())

    def properties(self, number: int, port: int, controller_port: int) -> dict[str, object]:
        rows = super().properties(number, port, controller_port)
        more = f",SASL_SSL://{self.sasl},SSL://{self.mutual}"
        password = PASSWORD.replace("\\", "\\\\").replace('"', '\\\\"')
        plain = f'{PLAIN} required user_{USER}="{_ascii(password)}";'
        return rows | {
            "listeners": f"{rows['listeners']}{more}",
            "advertised.listeners": f"{rows['advertised.listeners']}{more}",
            "listener.security.protocol.map": f"{rows['listener.security.protocol.map']}"
            ",SASL_SSL:SASL_SSL,SSL:SSL",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self._store,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self._authority.ca,
            "listener.name.ssl.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": plain,
            "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": f"{SCRAM} required;",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{SCRAM} required;",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }

    def let_in(self, prefix: str) -> None:
        """Give the user and the certificate `me` what docs/operations.md says they need."""
        client = AdminClient({"bootstrap.servers": self.bootstrap})
        for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
            new = ScramCredentialInfo(mechanism, 4096)
            known = UserScramCredentialUpsertion(USER, new, PASSWORD.encode())
            for done in client.alter_user_scram_credentials([known]).values():
                done.result(60)
        rights = [
            AclBinding(
                kind,
                prefix,
                ResourcePatternType.PREFIXED,
                who,
                "*",
                AclOperation[operation],
                AclPermissionType.ALLOW,
            )
            for kind, operations in RIGHTS.items()
            for operation in operations
            for who in (f"User:{USER}", "User:CN=me")
        ]
        for done in client.create_acls(rights).values():
            done.result(60)


def _ascii(text: str) -> str:
    """Return *text* as a properties file of Java spells it."""
    return "".join(each if each.isascii() else f"\\u{ord(each):04x}" for each in text)
