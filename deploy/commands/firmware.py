"""`wattledger firmware`: what stations may fetch and run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, print_rows, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.files.firmware import Firmware

Version = Annotated[str, Parameter(name="--as")]
COLUMNS = {
    "version": "left",
    "vendor": "left",
    "model": "left",
    "file": "left",
    "bytes": "right",
    "signed": "left",
    "sha256": "left",
    "added": "left",
}
FIRMWARE_MAX = 1 << 30
PORTION = 1 << 20


def add(
    file: Path,
    *,
    version: Version,
    vendor: str = "",
    model: str = "",
    certificate: Path | None = None,
    signature: str | None = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Keep a firmware for stations: all, or those of a vendor or a model.

    Args:
        file: The file that stations fetch, of a GiB at most.
        version: Its version, as stations tell it once they run it.
        vendor: Only for stations of this vendor, as they write it at their boot.
        model: Only for this model, as they write it.
        certificate: PEM file of who signed it.
        signature: The signature in base64, or @FILE.
        by: Who adds it (default: your login).
        folder: Where.
    """
    from deploy.commands.stations.servicing import signed_by
    from ingest.files.firmware import FirmwareFor, add_firmware

    given = FirmwareFor(version, vendor, model, signed_by(certificate, signature))
    with opened(folder.settings()) as connection:
        found = add_firmware(
            connection, given, name=file.name, portions=_portions(file), by=acting(by)
        )
    _show([found], as_json=folder.json)
    return 0


def listed(*, folder: ReadingFolder = READ_FOLDER) -> int:
    """List the kept firmware, the newest first.

    Args:
        folder: Where.
    """
    from ingest.files.firmware import list_firmware

    with opened(folder.settings()) as connection:
        found = list_firmware(connection)
    _show(found, as_json=folder.json)
    return 0


def remove(
    version: str,
    *,
    vendor: str | None = None,
    model: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Forget a firmware; the addresses where stations fetch it hold no more.

    Args:
        version: Its version.
        vendor: The one for this vendor, "" for any; wanted where there are several.
        model: The one for this model.
        folder: Where.
    """
    from ingest.files.firmware import find_firmware, remove_firmware

    with opened(folder.settings()) as connection:
        found = find_firmware(connection, version, vendor=vendor, model=model)
        remove_firmware(connection, found)
    if folder.json:
        print_json({"version": version, "removed": True})
    else:
        say(f"firmware {version} is gone")
    return 0


def _show(found: list[Firmware], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    rows = [
        (
            each.version,
            each.vendor or "any",
            each.model or "any",
            each.name,
            each.size,
            "yes" if each.is_signed else "no",
            each.sha256,
            each.added_at,
        )
        for each in found
    ]
    print_rows("Firmware", COLUMNS, rows)


def _portions(file: Path) -> Iterator[bytes]:
    size = 0
    try:
        with file.open("rb") as opened_file:
            while portion := opened_file.read(PORTION):
                size += len(portion)
                if size > FIRMWARE_MAX:
                    message = f"{file} is larger than {FIRMWARE_MAX} bytes"
                    raise DeployError(message)
                yield portion
    except OSError as error:
        message = f"cannot read {file}: {error.strerror or error}"
        raise DeployError(message) from error
