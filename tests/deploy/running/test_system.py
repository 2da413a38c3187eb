"""A system over other things than its defaults: TLS, and somebody else's PostgreSQL."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from deploy.clock import SystemClock
from deploy.running.wiring import System
from deploy.settings import Settings
from ledger.database import connect as psycopg_connect
from ledger.desk.apply import apply_files
from ledger.log.postgres import PostgresEventLog

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATION = """
legal_entities:
  me: {name: Me, country: DE, time_zone: Europe/Berlin, invoice_prefix: ME, vat_id: DE136695976}
sites:
  yard: {time_zone: Europe/Berlin, country: DE, legal_entity: me, currency: EUR}
stations:
  CS-1: {site: yard, password: a-long-password-16, connectors: 1, max_power_w: 22000}
"""


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "wattledger test")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = folder / "certificate.pem", folder / "key.pem"
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_path, key_path


def knock(address: str, tls: ssl.SSLContext | None) -> int:
    async def status() -> int:
        try:
            await connect(f"{address}/nobody", ssl=tls)
        except InvalidStatus as refused:
            return refused.response.status_code
        return 101

    return asyncio.run(status())


def test_a_station_charges_over_tls_alone_with_its_password(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    settings = Settings(
        data=tmp_path / "data",
        listen_port=-1,
        metrics_port=0,
        tls_port=0,
        tls_certificate=str(certificate),
        tls_key=str(key),
    )
    trusted = ssl.create_default_context(cafile=str(certificate))

    with (
        System(settings, SystemClock()) as system,
        psycopg_connect(system.dsn) as books,
        PostgresEventLog(system.dsn) as log,
    ):
        apply_files(books, [(STATION, "station.yaml")], log=log, by="test", at=NOW)
        [address] = system.addresses
        stranger = knock(address, trusted)
        answer = boot(address, trusted)

    assert address.startswith("wss://")
    assert stranger == 401
    assert answer[2]["status"] == "Accepted"


def boot(address: str, tls: ssl.SSLContext) -> Any:  # noqa: ANN401 - JSON
    async def talk() -> Any:  # noqa: ANN401 - JSON
        key = base64.b64encode(b"CS-1:a-long-password-16").decode()
        async with connect(
            f"{address}/CS-1",
            ssl=tls,
            subprotocols=[Subprotocol("ocpp1.6")],
            additional_headers={"Authorization": f"Basic {key}"},
        ) as socket:
            model = {"chargePointVendor": "V", "chargePointModel": "M"}
            await socket.send(json.dumps([2, "1", "BootNotification", model]))
            return json.loads(await socket.recv())

    return asyncio.run(talk())


def test_the_books_may_be_in_somebody_else_s_postgresql(tmp_path: Path, database: str) -> None:
    settings = Settings(
        data=tmp_path / "data", database_url=database, listen_port=0, metrics_port=0
    )

    with System(settings, SystemClock()) as system:
        status = knock(system.addresses[0], None)

    assert status == 401
    assert not (tmp_path / "data" / "postgresql").exists()
