"""`wattledger tariff import|export`: OCPI's and OCPP's tariffs into our files, and back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from cyclopts import Parameter

from deploy.commands.tariffs.reading import compiled_tariff
from deploy.errors import DeployError
from deploy.output import complain, print_file, print_json, print_json_text, say
from roaming_ocpi.audit.documents import documents_in
from tariffs.files.writing.tariff import write_tariff_file
from tariffs.kernel.priced import Note
from tariffs.model.tariff import Tariff
from tariffs.ocpi.documents import decode_json, objects_in
from tariffs.ocpi.tariff_reader import ocpi_tariff_of
from tariffs.ocpi.tariff_writer import encode_ocpi, write_tariff
from tariffs.ocpi.versions import OcpiVersion, version_named
from tariffs.ocpp21.export import export_tariff as export_to_ocpp
from tariffs.ocpp21.importing import read_ocpp_tariff
from tariffs.ocpp21.messages import TranslationNote, ocpp_json

Json = Annotated[bool, Parameter(name="--json", negative=())]
Target = Literal["ocpi-2.1.1", "ocpi-2.2.1", "ocpi-2.3.0", "ocpp-2.1"]
_OCPP: Final = "ocpp-2.1"


def import_tariff(
    file: Path,
    *,
    source: Annotated[Literal["ocpi", "ocpp-2.1"], Parameter(name="--from")] = "ocpi",
    ocpi: str | None = None,
    currency: str | None = None,
    output: Path | None = None,
    as_json: Json = False,
) -> int:
    """Turn a tariff of OCPI (any version) or OCPP 2.1 into our tariff file.

    The file goes to the screen, or to --output; whatever was repaired or cannot be said is noted
    on the other channel.

    Args:
        file: The tariff as JSON; of OCPI also a list or a response.
        source: What it is written in.
        ocpi: OCPI version of the file: 2.1.1, 2.2.1 or 2.3.0 (default: told by its shape).
        currency: Currency of a tariff that names none.
        output: Where to write; a folder if the file has several tariffs.
        as_json: Print JSON (the file's text and the notes) instead of the file.
    """
    version = None if ocpi is None else version_named(ocpi)
    found = [
        each
        for document in documents_in(file)
        for each in (
            _of_ocpp(document.data)
            if source == _OCPP
            else _of_ocpi(document.data, version=version, currency=currency)
        )
    ]
    if len(found) > 1 and output is None and not as_json:
        message = f"{file} has {len(found)} tariffs; name a folder with --output"
        raise DeployError(message)
    for tariff, notes in found:
        text, lost = write_tariff_file(tariff)
        noted = [*notes, *lost]
        if as_json:
            print_json({"tariff": tariff.id, "file": text, "notes": noted})
            continue
        for note in noted:
            complain(f"{file}: {note.spot or '$'}: {note.message}")
        if output is None:
            print_file(text)
        else:
            path = output / f"{_file_name(tariff.id)}.yaml" if len(found) > 1 else output
            _write(path, text)
            say(f"{path} has the tariff {tariff.id!r}.")
    return 0


def export_tariff(
    file: Path,
    *,
    to: Target = "ocpi-2.3.0",
    ocpi: Literal["2.1.1", "2.2.1", "2.3.0"] | None = None,
    country_code: str | None = None,
    party_id: str | None = None,
    as_json: Json = False,
) -> int:
    """Say a tariff file in OCPI's or OCPP's words; what they cannot say is noted.

    Args:
        file: Tariff file (YAML, or OCPI as .json).
        to: What to write.
        ocpi: The same for OCPI: its version alone.
        country_code: Country of the CPO (DE), which OCPI requires from 2.2.1 on.
        party_id: Party id of the CPO (ABC), which OCPI requires from 2.2.1 on.
        as_json: Print JSON with the notes inside (key "notes") instead of the tariff alone.
    """
    tariff = compiled_tariff(file).tariff
    if ocpi is None and to == _OCPP:
        exported = export_to_ocpp(tariff)
        written = (
            None if exported.tariff is None else msgspec.json.format(ocpp_json(exported.tariff))
        )
        return _show(file, written, exported.notes, as_json=as_json)
    from deploy.clock import SystemClock

    tariff = msgspec.structs.replace(
        tariff,
        country_code=country_code or tariff.country_code,
        party_id=party_id or tariff.party_id,
        last_updated=tariff.last_updated or SystemClock().now().replace(microsecond=0),
    )
    value, notes = write_tariff(tariff, version_named(ocpi or to.removeprefix("ocpi-")))
    return _show(file, encode_ocpi(value), notes, as_json=as_json)


def _show(
    file: Path,
    written: bytes | None,
    notes: Sequence[Note] | Sequence[TranslationNote],
    *,
    as_json: bool,
) -> int:
    if as_json:
        raw = None if written is None else msgspec.Raw(written)
        encoded = msgspec.json.encode({"tariff": raw, "notes": notes})
        print_json_text(msgspec.json.format(encoded).decode())
    else:
        for note in notes:
            complain(f"{file}: {note.spot or '$'}: {note.message}")
        if written is not None:
            print_json_text(written.decode())
    return int(written is None)


def _of_ocpi(
    data: bytes, *, version: OcpiVersion | None, currency: str | None
) -> Iterable[tuple[Tariff, list[Note]]]:
    notes: list[Note] = []
    for value, path in objects_in(decode_json(data), notes):
        read = ocpi_tariff_of(value, path, version=version, currency=currency)
        lost = [
            Note("not_said", f"a tariff file has no {key}", key) for key in sorted(read.carried)
        ]
        yield read.tariff, [*notes, *read.notes, *lost]


def _of_ocpp(data: bytes) -> Iterable[tuple[Tariff, list[Note]]]:
    imported = read_ocpp_tariff(data)
    notes = [Note(note.code, note.message, note.spot) for note in imported.notes]
    if imported.tariff is None:
        raise DeployError("\n".join(f"{note.spot}: {note.message}" for note in notes))
    yield imported.tariff, notes


def _file_name(identity: str) -> str:
    kept = "".join(c if c.isalnum() or c in "-_" else "-" for c in identity)
    return kept.strip("-") or "tariff"


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        message = f"cannot write {path}: {error.strerror or error}"
        raise DeployError(message) from error
