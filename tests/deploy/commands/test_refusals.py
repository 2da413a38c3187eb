"""`wattledger up` where it cannot serve says why in a sentence and ends with 1."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.deploy.running_wattledger import Wattledger


@pytest.fixture
def taken_port() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def refused(wattledger: Wattledger, **settings: object) -> str:
    for name, value in settings.items():
        wattledger.environment[f"WATTLEDGER_{name.upper()}"] = str(value)
    finished = wattledger.run("up")
    assert finished.returncode == 1, finished.stdout + finished.stderr
    assert "Traceback" not in finished.stderr
    return finished.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path, taken_port: int) -> None:
    said = refused(Wattledger(tmp_path / "data"), listen_port=taken_port)

    assert f"cannot listen on 127.0.0.1, port {taken_port} (listen_port)" in said
    assert "WATTLEDGER_LISTEN_PORT" in said


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = refused(
        Wattledger(tmp_path / "data"),
        listen_port=0,
        tls_port=0,
        tls_certificate=tmp_path / "none.pem",
        tls_key=tmp_path / "none.key",
    )

    assert f"cannot use tls_certificate {tmp_path / 'none.pem'}" in said


def test_two_certificates_with_one_key_are_refused(tmp_path: Path) -> None:
    said = refused(
        Wattledger(tmp_path / "data"),
        listen_port=0,
        tls_port=0,
        tls_certificate="ecdsa.pem,rsa.pem",
        tls_key="ecdsa.key",
    )

    assert "cannot use tls_certificate ecdsa.pem,rsa.pem with tls_key ecdsa.key" in said


def test_a_data_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_text("")

    assert "cannot be the data folder: it is a file" in refused(Wattledger(data))
