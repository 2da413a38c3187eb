from __future__ import annotations

import asyncio
import base64
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
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


SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
)
"""OCPP 2.0.1 part 2, A00.FR.318; the last two keep no secret once the key is known."""


@pytest.mark.parametrize(
    ("kinds", "spoken"),
    [(("ecdsa", "rsa"), SUITES), (("ecdsa",), SUITES[:2]), (("rsa",), ())],
)
async def test_a_server_with_both_kinds_of_certificates_speaks_all_suites_of_the_standard(
    tmp_path: Path, kinds: tuple[str, ...], spoken: tuple[str, ...]
) -> None:
    files = [_self_signed(tmp_path, kind) for kind in kinds]
    context = security.tls_context(*(", ".join(each) for each in zip(*files, strict=True)))

    async with open_edge(listeners=[Listener(tls=context)]) as edge:
        agreed = [await _agreed(edge.server.ports[0], suite) for suite in SUITES]

    assert [suite for suite in agreed if suite is not None] == list(spoken)


async def test_a_station_that_knows_better_is_offered_no_suite_without_forward_secrecy(
    tmp_path: Path,
) -> None:
    files = [_self_signed(tmp_path, kind) for kind in ("ecdsa", "rsa")]
    context = security.tls_context(*(",".join(each) for each in zip(*files, strict=True)))

    async with open_edge(listeners=[Listener(tls=context)]) as edge:
        agreed = await _agreed(
            edge.server.ports[0], "AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256"
        )

    assert agreed == "ECDHE-RSA-AES128-GCM-SHA256"


async def _agreed(port: int, suites: str) -> str | None:
    """Return the suite of TLS 1.2 that a client of *suites* gets, None where it gets none."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(suites)
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client)
    except (ssl.SSLError, ConnectionResetError):
        return None
    agreed: str = writer.get_extra_info("cipher")[0]
    writer.close()
    return agreed


def _self_signed(folder: Path, kind: str = "ecdsa") -> tuple[str, str]:
    key = (
        ec.generate_private_key(ec.SECP256R1())
        if kind == "ecdsa"
        else rsa.generate_private_key(65537, 2048)
    )
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
    (folder / f"{kind}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{kind}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(folder / f"{kind}.pem"), str(folder / f"{kind}.key")
