from __future__ import annotations

import base64
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect

from ingest.edge import security
from ingest.edge.security import Credentials, basic_credentials
from ingest.edge.server import Listener
from tests.edge import PASSWORD, open_edge


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        (_basic := "Basic " + base64.b64encode(b"CP1:a:b").decode(), Credentials("CP1", b"a:b")),
        (_basic.replace("Basic", "basic"), Credentials("CP1", b"a:b")),
        ("Basic " + base64.b64encode(b"CP1:\xff\x00").decode(), Credentials("CP1", b"\xff\x00")),
        ("Basic " + base64.b64encode(b"CP1").decode(), None),
        ("Basic %%%", None),
        (_basic + "*", None),
        (_basic + "  ", Credentials("CP1", b"a:b")),
        ("Bearer abc", None),
        ("", None),
    ],
)
def test_the_header_is_read_as_bytes(header: str, credentials: Credentials | None) -> None:
    assert basic_credentials(header) == credentials


async def test_stations_connect_over_tls_of_at_least_1_2(tmp_path: Path) -> None:
    certificate, key = _self_signed(tmp_path)
    tls = security.tls_context(certificate, key)
    token = base64.b64encode(f"CP1:{PASSWORD}".encode()).decode()
    async with (
        open_edge(listeners=[Listener(), Listener(tls=tls)]) as edge,
        connect(
            f"wss://localhost:{edge.server.ports[1]}/CP1",
            subprotocols=["ocpp1.6"],  # type: ignore[list-item]  # a NewType of str
            additional_headers={"Authorization": f"Basic {token}"},
            ssl=ssl.create_default_context(cafile=certificate),
            proxy=None,
        ) as socket,
    ):
        await socket.send('[2,"1","StatusNotification",{}]')
        answer = await socket.recv()

    assert answer == '[3,"1",{}]'
    assert tls.minimum_version is ssl.TLSVersion.TLSv1_2


def _self_signed(folder: Path) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")
