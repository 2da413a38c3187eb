"""Calls about firmware, logs, certificates and displays, in the words of each version."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ingest.commands import servicing
from ingest.commands.schemas import check_command
from ingest.commands.servicing import CERTIFICATE_USES, CertificateId, Signed
from ingest.commands.typed import CallWordError, TypedCall

OLD, NEW, NEWEST = "ocpp1.6", "ocpp2.0.1", "ocpp2.1"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
URL = "https://files.example/1"
ID = CertificateId("SHA256", "aa", "bb", "7")
SIGNED = Signed("PEM", "c2lnbmVk")
CALLS: dict[str, Callable[[str], TypedCall]] = {
    "logs": lambda p: servicing.logs(p, location=URL),
    "logs since": lambda p: servicing.logs(p, location=URL, since=NOON, until=NOON),
    "security": lambda p: servicing.logs(p, location=URL, is_security=True, since=NOON),
    "firmware": lambda p: servicing.firmware(p, location=URL, at=NOON),
    "signed": lambda p: servicing.firmware(p, location=URL, at=NOON, signed=SIGNED),
    "install": lambda p: servicing.install_certificate(p, use="csms", certificate="PEM"),
    "installed": servicing.installed_certificates,
    "installed csms": lambda p: servicing.installed_certificates(p, use="manufacturer"),
    "delete": lambda p: servicing.delete_certificate(p, of=ID),
    "transfer": lambda p: servicing.data_transfer(p, vendor="org.x"),
    "transfer more": lambda p: servicing.data_transfer(p, vendor="org.x", message="m", data="d"),
}
DISPLAYS: dict[str, Callable[[str], TypedCall]] = {
    "display": lambda p: servicing.display(p, number=1, text="Hello"),
    "display more": lambda p: servicing.display(
        p, number=1, text="Hallo", priority="InFront", transaction="T", language="de"
    ),
    "clear": lambda p: servicing.clear_display(p, number=1),
    "displayed": servicing.displayed,
}


@pytest.mark.parametrize(
    ("protocol", "name"),
    [
        *((protocol, name) for protocol in (OLD, NEW, NEWEST) for name in CALLS),
        *((protocol, name) for protocol in (NEW, NEWEST) for name in DISPLAYS),
    ],
)
def test_each_call_fits_the_schema_of_each_version(protocol: str, name: str) -> None:
    call = (CALLS | DISPLAYS)[name](protocol)

    check_command(protocol, call.action, json.dumps(call.payload))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("logs", "GetDiagnostics", "GetLog"),
        ("security", "GetLog", "GetLog"),
        ("firmware", "UpdateFirmware", "UpdateFirmware"),
        ("signed", "SignedUpdateFirmware", "UpdateFirmware"),
        ("install", "InstallCertificate", "InstallCertificate"),
        ("installed", "GetInstalledCertificateIds", "GetInstalledCertificateIds"),
    ],
)
def test_a_call_has_each_version_s_name(name: str, old: str, new: str) -> None:
    assert [CALLS[name](OLD).action, CALLS[name](NEW).action] == [old, new]


@pytest.mark.parametrize(
    ("name", "protocol", "says"),
    [
        ("logs since", OLD, {"startTime": "2026-03-02T12:00:00.000Z", "location": URL}),
        ("firmware", OLD, {"retrieveDate": "2026-03-02T12:00:00.000Z", "location": URL}),
        ("install", OLD, {"certificateType": "CentralSystemRootCertificate"}),
        ("install", NEW, {"certificateType": "CSMSRootCertificate"}),
        ("installed", NEW, {}),
        ("installed", OLD, {"certificateType": "CentralSystemRootCertificate"}),
        ("transfer more", NEW, {"vendorId": "org.x", "messageId": "m", "data": "d"}),
    ],
)
def test_a_call_says_what_was_meant(name: str, protocol: str, says: dict[str, Any]) -> None:
    assert says.items() <= CALLS[name](protocol).payload.items()


@pytest.mark.parametrize("name", DISPLAYS)
def test_an_old_station_has_no_display(name: str) -> None:
    with pytest.raises(CallWordError, match=r"1\.6 knows no display"):
        DISPLAYS[name](OLD)


def test_a_use_that_the_version_has_not_is_named_with_those_it_has() -> None:
    for use in CERTIFICATE_USES:
        assert servicing.install_certificate(NEW, use=use, certificate="PEM")
    with pytest.raises(CallWordError, match="'v2g': csms, manufacturer"):
        servicing.install_certificate(OLD, use="v2g", certificate="PEM")
