"""Firmware as it is kept: a file, its version, and which stations it is for."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from ingest.commands.servicing import Signed
from ingest.errors import IngestError
from ingest.files.contents import DROP, store_content
from ingest.files.names import safe_name

SIGNATURE_MAX: Final = 800
CERTIFICATE_MAX: Final = 5500
"""Characters that a call may carry (SignedUpdateFirmware.req, FirmwareType)."""
VERSION_MAX: Final = 50
_COLUMNS: LiteralString = """
    SELECT firmware.id, version, vendor, model, name, size, encode(sha256, 'hex') AS sha256,
           signature IS NOT NULL AS is_signed, added_by, added_at
    FROM firmware JOIN stored_file ON stored_file.id = file_id
"""
_LIST: LiteralString = _COLUMNS + " ORDER BY added_at DESC, firmware.id DESC"
_OF_VERSION: LiteralString = _COLUMNS + " WHERE version = %s"
_BY_ID: LiteralString = _COLUMNS + " WHERE firmware.id = %s"
_SIGNED: LiteralString = "SELECT certificate, signature FROM firmware WHERE id = %s"
_ADD: LiteralString = """
INSERT INTO firmware (version, vendor, model, name, file_id, certificate, signature, added_by)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (version, vendor, model) DO NOTHING
RETURNING id
"""
_REMOVE: LiteralString = "DELETE FROM firmware WHERE id = %s RETURNING file_id"
_KIND: LiteralString = "SELECT vendor, model FROM station_state WHERE station_id = %s"


class Firmware(msgspec.Struct, frozen=True, kw_only=True):
    """A firmware; `vendor` and `model` are "" where it fits any."""

    id: int
    version: str
    vendor: str
    model: str
    name: str
    size: int
    sha256: str
    is_signed: bool
    added_by: str
    added_at: datetime


class FirmwareFor(NamedTuple):
    """What is said of a firmware that is added."""

    version: str
    vendor: str = ""
    model: str = ""
    signed: Signed | None = None


class UnfitFirmwareError(IngestError):
    """What is said of a firmware cannot be sent to stations."""


class NoFirmwareError(IngestError):
    """There is no such firmware, none that fits, or more than one."""


class FirmwareInUseError(IngestError):
    """A firmware belongs to a campaign."""

    def __init__(self, version: str) -> None:
        super().__init__(f"firmware {version} belongs to a campaign, and stays with it")


def add_firmware(
    connection: Connection[Any],
    given: FirmwareFor,
    *,
    name: str,
    portions: Iterable[bytes],
    by: str,
) -> Firmware:
    """Keep a firmware.

    Args:
        connection: To the inputs.
        given: Its version, whom it is for, who signed it.
        name: Its file's name, as its address ends.
        portions: Its content.
        by: Who adds it.

    Raises:
        UnfitFirmwareError: If stations would not take what is said of it, or it is there already.
    """
    _check(given)
    with connection.transaction():
        content = store_content(connection, portions)
        if not content.size:
            message = f"{name} is empty"
            raise UnfitFirmwareError(message)
        signed = given.signed or (None, None)
        row = connection.execute(
            _ADD,
            (
                given.version,
                given.vendor,
                given.model,
                safe_name(name),
                content.file_id,
                *signed,
                by,
            ),
        ).fetchone()
        if row is None:
            kind = " ".join(filter(None, (given.vendor, given.model))) or "any station"
            message = f"there is a firmware {given.version} for {kind} already: remove it first"
            raise UnfitFirmwareError(message)
    return firmware_of(connection, row[0])


def list_firmware(connection: Connection[Any]) -> list[Firmware]:
    """Return every firmware, the newest first."""
    return _read(connection, _LIST, ())


def firmware_of(connection: Connection[Any], firmware_id: int) -> Firmware:
    """Return a firmware that is there."""
    return _read(connection, _BY_ID, (firmware_id,))[0]


def find_firmware(
    connection: Connection[Any], version: str, *, vendor: str | None, model: str | None
) -> Firmware:
    """Return the one firmware of that version, vendor and model; None: whichever it is for.

    Raises:
        NoFirmwareError: If there is none, or more than one.
    """
    found = [
        each
        for each in _read(connection, _OF_VERSION, (version,))
        if vendor in (None, each.vendor) and model in (None, each.model)
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        message = f"there is no such firmware {version}: `wattledger firmware list` shows them"
    else:
        kinds = ", ".join(f"{e.vendor or 'any'} {e.model or 'any'}" for e in found)
        message = f"there are several firmwares {version}, for {kinds}: name --vendor and --model"
    raise NoFirmwareError(message)


def fitting_firmware(connection: Connection[Any], version: str, station_id: str) -> Firmware:
    """Return the firmware of that version that fits a station best, by what it said at its boot.

    Raises:
        NoFirmwareError: If none fits.
    """
    row = connection.execute(_KIND, (station_id,)).fetchone()
    vendor, model = row or (None, None)
    found = [e for e in _read(connection, _OF_VERSION, (version,)) if fits(e, vendor, model)]
    if not found:
        kind = f"{vendor} {model}" if row else "not known: it has not booted yet"
        message = f"no firmware {version} fits {station_id}, which is {kind}"
        raise NoFirmwareError(message)
    return max(found, key=lambda each: (each.model != "", each.vendor != ""))


def fits(firmware: Firmware, vendor: str | None, model: str | None) -> bool:
    """Say whether *firmware* is for a station that says it is of *vendor* and *model*."""
    return firmware.vendor in ("", vendor) and firmware.model in ("", model)


def signed_of(connection: Connection[Any], firmware: Firmware) -> Signed | None:
    """Return who signed a firmware, None where nobody did."""
    row = connection.execute(_SIGNED, (firmware.id,)).fetchone()
    return Signed(*row) if row is not None and row[0] is not None else None


def remove_firmware(connection: Connection[Any], firmware: Firmware) -> None:
    """Forget a firmware; its addresses hold no more.

    Raises:
        FirmwareInUseError: If it belongs to a campaign.
    """
    try:
        with connection.transaction():
            row = connection.execute(_REMOVE, (firmware.id,)).fetchone()
            if row is not None:
                connection.execute(DROP, row)
    except psycopg.errors.ForeignKeyViolation as error:
        raise FirmwareInUseError(firmware.version) from error


def _read(
    connection: Connection[Any], statement: LiteralString, asked: Sequence[object]
) -> list[Firmware]:
    with connection.cursor(row_factory=class_row(Firmware)) as cursor:
        return cursor.execute(statement, asked).fetchall()


def _check(given: FirmwareFor) -> None:
    message = ""
    if not 0 < len(given.version) <= VERSION_MAX:
        message = f"a version has 1 to {VERSION_MAX} characters, as stations tell it"
    elif given.signed is not None:
        certificate, signature = given.signed
        try:
            base64.b64decode(signature, validate=True)
        except binascii.Error:
            message = "the signature is not in base64"
        if not certificate.lstrip().startswith("-----BEGIN CERTIFICATE-----"):
            message = "the certificate is no PEM file"
        if len(certificate) > CERTIFICATE_MAX or not 0 < len(signature) <= SIGNATURE_MAX:
            message = (
                f"a call carries a certificate of {CERTIFICATE_MAX} characters, and a signature of "
                f"{SIGNATURE_MAX}, at most"
            )
    if message:
        raise UnfitFirmwareError(message)
