"""`wattledger station logs`, `firmware`, `certificate`, `display` and `data-transfer`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.text_files import read_text
from deploy.errors import DeployError

if TYPE_CHECKING:
    from psycopg import Connection

    from ingest.commands.servicing import Signed
    from ingest.commands.typed import TypedCall
    from ingest.files.calls import Called

Security = Annotated[bool, Parameter(negative=(), help="The security log instead.")]
Plain = Annotated[bool, Parameter(negative=(), help="Without the signature, if there is one.")]
Use = Literal["csms", "manufacturer", "v2g", "mo"]
Priority = Literal["AlwaysFront", "InFront", "NormalCycle"]


def logs(
    station: str,
    *,
    to: str | None = None,
    security: Security = False,
    since: datetime | None = None,
    until: datetime | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Have a station send its diagnostics, or its security log: here, or to a URL.

    Args:
        station: The station's id.
        to: Where it sends them (default: an address made for it; `station files` shows what came).
        security: The security log instead.
        since: From when on; without a zone in UTC.
        until: Until when.
        folder: Where.
    """
    from deploy.commands.stations.calling import send, send_with_address
    from ingest.commands import servicing
    from ingest.files.calls import logs_call

    first, last = _utc(since), _utc(until)
    if to is None:
        return send_with_address(
            folder,
            station,
            lambda connection, base, called: logs_call(
                connection, base, called, is_security=security, since=first, until=last
            ),
        )
    return send(
        folder,
        station,
        lambda protocol: servicing.logs(
            protocol, location=to, is_security=security, since=first, until=last
        ),
    )


def firmware(
    station: str,
    version: str | None = None,
    *,
    at: str | None = None,
    when: datetime | None = None,
    certificate: Path | None = None,
    signature: str | None = None,
    plain: Plain = False,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Have a station fetch a firmware and run it; a signed one with certificate and signature.

    Args:
        station: The station's id.
        version: The version of a firmware that `firmware add` keeps, the one that fits the station.
        at: The firmware's URL, where it is kept elsewhere.
        when: Not before then (default: now); without a zone in UTC.
        certificate: PEM file of who signed the one at a URL.
        signature: Its signature, in base64, or @FILE.
        plain: Without the signature: a station of 1.6 may know none.
        folder: Where.
    """
    from deploy.commands.stations.calling import send, send_with_address
    from ingest.commands import servicing
    from ingest.files.calls import firmware_call
    from ingest.files.firmware import fitting_firmware

    signed, moment = signed_by(certificate, signature), _utc(when) or datetime.now(UTC)
    if (version is None) == (at is None) or (version is not None and signed is not None):
        message = "name the version of a kept firmware, or --at with the URL of another one"
        raise DeployError(message)
    if at is not None:
        return send(
            folder,
            station,
            lambda protocol: servicing.firmware(protocol, location=at, at=moment, signed=signed),
        )

    def say(connection: Connection[Any], base: str, called: Called) -> TypedCall:
        kept = fitting_firmware(connection, version or "", called.station_id)
        return firmware_call(connection, base, called, kept, at=moment, is_plain=plain)

    return send_with_address(folder, station, say)


def signed_by(certificate: Path | None, signature: str | None) -> Signed | None:
    """Return who signed a firmware, None where nobody did.

    Raises:
        DeployError: If only half of it is said, or a file cannot be read.
    """
    from ingest.commands.servicing import Signed

    if (certificate is None) != (signature is None):
        message = "a signed firmware has both --certificate and --signature"
        raise DeployError(message)
    if certificate is None or signature is None:
        return None
    given = read_text(Path(signature[1:])) if signature.startswith("@") else signature
    return Signed(read_text(certificate), given.strip())


def install_certificate(
    station: str, file: Path, *, use: Use = "csms", folder: ReadingFolder = READ_FOLDER
) -> int:
    """Add a root certificate to a station.

    Args:
        station: The station's id.
        file: The certificate, a PEM file.
        use: What it is for.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import servicing

    content = read_text(file)
    return send(
        folder,
        station,
        lambda protocol: servicing.install_certificate(protocol, use=use, certificate=content),
    )


def list_certificates(
    station: str, *, use: Use | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Ask a station which root certificates it has.

    Args:
        station: The station's id.
        use: Only those for this; of OCPP 1.6 csms, if nothing is said.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import servicing

    return send(
        folder, station, lambda protocol: servicing.installed_certificates(protocol, use=use)
    )


def delete_certificate(
    station: str,
    *,
    algorithm: Literal["SHA256", "SHA384", "SHA512"] = "SHA256",
    issuer_name_hash: str,
    issuer_key_hash: str,
    serial_number: str,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Take a certificate off a station, by what `certificate list` shows of it.

    Args:
        station: The station's id.
        algorithm: Of the hashes.
        issuer_name_hash: The hash of the issuer's name.
        issuer_key_hash: The hash of the issuer's key.
        serial_number: The certificate's serial number.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import servicing

    of = servicing.CertificateId(algorithm, issuer_name_hash, issuer_key_hash, serial_number)
    return send(folder, station, lambda protocol: servicing.delete_certificate(protocol, of=of))


def show_message(
    station: str,
    number: int,
    text: str,
    *,
    priority: Priority = "NormalCycle",
    transaction: str | None = None,
    language: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Show a message on a station's display, or change the one of that number (OCPP 2.x).

    Args:
        station: The station's id.
        number: The message's number.
        text: What it says.
        priority: Before or among the others.
        transaction: Only while this transaction runs.
        language: Its language, as "de".
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import servicing

    return send(
        folder,
        station,
        lambda protocol: servicing.display(
            protocol,
            number=number,
            text=text,
            priority=priority,
            transaction=transaction,
            language=language,
        ),
    )


def clear_message(station: str, number: int, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Take a message off a station's display (OCPP 2.x).

    Args:
        station: The station's id.
        number: The message's number.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import servicing

    return send(folder, station, lambda protocol: servicing.clear_display(protocol, number=number))


def list_messages(station: str, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Ask a station which messages it shows; it tells them in messages of its own (OCPP 2.x).

    Args:
        station: The station's id.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import servicing

    return send(folder, station, servicing.displayed)


def data_transfer(
    station: str,
    vendor: str,
    *,
    message: str | None = None,
    content: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Send a station what its vendor has made up.

    Args:
        station: The station's id.
        vendor: The vendor's id.
        message: The message's id.
        content: What it carries.
        folder: Where.
    """
    from deploy.commands.stations.calling import send
    from ingest.commands import servicing

    return send(
        folder,
        station,
        lambda protocol: servicing.data_transfer(
            protocol, vendor=vendor, message=message, data=content
        ),
    )


def _utc(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)
