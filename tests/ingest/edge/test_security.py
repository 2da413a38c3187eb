from __future__ import annotations

import asyncio
import base64
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect

from ingest.directory import StationAccess
from ingest.edge import security
from ingest.edge.security import (
    Credentials,
    Gate,
    TooManyFailuresError,
    TooManyWaitingError,
    basic_credentials,
)
from ingest.edge.server import Listener
from ledger.declared.passwords import BadHashError, hash_password, password_matches
from tests.edge import PASSWORD, open_edge

HEX = "00112233445566778899aabbccddeeff00112233"


@dataclass
class _Watch:
    """A monotonic clock that moves when told."""

    seconds: float = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_password_matches_its_own_hash_only() -> None:
    hashed = hash_password("right")

    assert password_matches("right", hashed)
    assert not password_matches("wrong", hashed)
    assert hashed != hash_password("right")
    assert "right" not in hashed


@pytest.mark.parametrize("sent", [HEX, HEX.upper(), bytes.fromhex(HEX), HEX.encode()])
def test_a_key_matches_as_hex_text_in_any_case_and_as_bytes(sent: str | bytes) -> None:
    assert password_matches(sent, hash_password(HEX))
    assert password_matches(sent, hash_password(bytes.fromhex(HEX)))


@pytest.mark.parametrize("broken", ["", "plain", "md5$1$2$3$4$5", "scrypt$x$8$1$AA==$AA=="])
def test_a_hash_that_is_not_ours_is_refused(broken: str) -> None:
    with pytest.raises(BadHashError):
        password_matches("x", broken)


@pytest.mark.parametrize(
    ("header", "credentials"),
    [
        (_basic := "Basic " + base64.b64encode(b"CP1:a:b").decode(), Credentials("CP1", b"a:b")),
        (_basic.replace("Basic", "basic"), Credentials("CP1", b"a:b")),
        ("Basic " + base64.b64encode(b"CP1:\xff\x00").decode(), Credentials("CP1", b"\xff\x00")),
        ("Basic " + base64.b64encode(b"CP1").decode(), None),
        ("Basic %%%", None),
        ("Bearer abc", None),
        ("", None),
    ],
)
def test_the_header_is_read_as_bytes(header: str, credentials: Credentials | None) -> None:
    assert basic_credentials(header) == credentials


async def test_ten_thousand_reconnects_cost_one_hash() -> None:
    checked: list[str] = []

    def matches(key: bytes, password_hash: str) -> bool:
        checked.append(password_hash)
        return password_matches(key, password_hash)

    gate = Gate(_Watch(), matches=matches)
    station = StationAccess(station_id="CP1", password_hashes=(hash_password(PASSWORD),))

    for _ in range(10_000):
        assert await gate.admits(station, Credentials("cp1", PASSWORD.encode()), address="a")

    assert len(checked) == 1


async def test_a_changed_password_ends_what_was_remembered() -> None:
    gate = Gate(_Watch())
    right = Credentials("CP1", PASSWORD.encode())
    before = StationAccess(station_id="CP1", password_hashes=(hash_password(PASSWORD),))
    after = StationAccess(station_id="CP1", password_hashes=(hash_password("another"),))

    assert await gate.admits(before, right, address="a")
    assert not await gate.admits(after, right, address="a")


async def test_while_a_password_changes_both_are_taken() -> None:
    gate = Gate(_Watch())
    station = StationAccess(
        station_id="CP1", password_hashes=(hash_password("new"), hash_password("old"))
    )

    assert await gate.admits(station, Credentials("CP1", b"old"), address="a")
    assert await gate.admits(station, Credentials("CP1", b"new"), address="a")


async def test_each_further_failure_doubles_the_wait_and_quiet_ends_it() -> None:
    watch = _Watch()
    gate = Gate(watch)
    waits = []
    for _ in range(12):
        try:
            await gate.admits(None, Credentials("CP9", b"x"), address="a")
        except TooManyFailuresError as error:
            waits.append(error.seconds)
            watch.seconds += error.seconds
    watch.seconds += security.WAIT_MAX_SECONDS * 2

    assert waits == [2.0, 4.0, 8.0]
    assert not await gate.admits(None, Credentials("CP9", b"x"), address="a")


async def test_guesses_made_at_the_same_time_count_one_after_the_other() -> None:
    gate = Gate(_Watch())

    outcomes = await asyncio.gather(*(_outcome(gate, "CP9", "a") for _ in range(100)))

    assert outcomes.count("refused") < 15
    assert outcomes.count("has to wait") > 85


async def test_a_flood_is_turned_away_before_it_costs_a_hash() -> None:
    gate = Gate(_Watch(), matches=lambda _key, _hash: False)

    outcomes = await asyncio.gather(
        *(_outcome(gate, f"CP{n}", f"a{n}") for n in range(600)), return_exceptions=True
    )

    turned_away = [each for each in outcomes if isinstance(each, TooManyWaitingError)]
    assert len(turned_away) == 600 - 512


async def test_an_address_that_tries_many_identities_has_to_wait() -> None:
    gate = Gate(_Watch())

    outcomes = [await _outcome(gate, f"CP{number}", "a") for number in range(53)]

    assert outcomes == ["refused"] * 51 + ["has to wait"] * 2
    assert await _outcome(gate, "CP100", "b") == "refused"


async def _outcome(gate: Gate, identity: str, address: str) -> str:
    try:
        is_in = await gate.admits(None, Credentials(identity, b"x"), address=address)
    except TooManyFailuresError:
        return "has to wait"
    return "admitted" if is_in else "refused"


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
