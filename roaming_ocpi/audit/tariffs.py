"""The tariffs that `wattledger price` was given, compiled, with their notes where they belong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from roaming_ocpi.audit.documents import PartnerDocument, UnusableFileError, documents_in
from tariffs.errors import TariffError
from tariffs.files.tariff_file import read_tariff_file
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.priced import Note
from tariffs.ocpi.documents import OcpiError, decode_json, objects_in
from tariffs.ocpi.tariff_reader import ocpi_tariff_of
from tariffs.ocpi.versions import OcpiVersion


class GivenTariff(msgspec.Struct, frozen=True, kw_only=True):
    """One tariff, ready; its notes say the file too."""

    compiled: CompiledTariff
    notes: tuple[Note, ...]
    source: str


class Refusal(msgspec.Struct, frozen=True, kw_only=True, rename={"spot": "place"}):
    """Something that could not be used: where it is, the spot inside, and why."""

    source: str
    spot: str
    why: str
    id: str | None = None

    def __str__(self) -> str:
        spot = f" {self.spot}:" if self.spot else ""
        return f"{self.source}:{spot} {self.why}"


def refusal_of(source: str, error: Exception, identity: str | None = None) -> Refusal:
    """Return *error* as a refusal; its own spot, if it has one, is kept."""
    if isinstance(error, OcpiError):
        return Refusal(source=source, spot=error.spot, why=error.why, id=identity)
    spot = getattr(error, "spot", "")
    return Refusal(source=source, spot=str(spot), why=str(error), id=identity)


def load_tariffs(
    paths: Sequence[Path], *, currency: str | None, version: OcpiVersion | None
) -> tuple[list[GivenTariff], list[Refusal]]:
    """Read every tariff of *paths* (files, folders, JSON Lines); bad ones are refusals."""
    given: list[GivenTariff] = []
    refused: list[Refusal] = []
    for path in paths:
        try:
            for document in documents_in(path):
                for found in _tariffs(document, currency, version):
                    (refused if isinstance(found, Refusal) else given).append(found)  # type: ignore[arg-type]  # one list each
        except UnusableFileError as error:
            refused.append(Refusal(source=str(path), spot="", why=error.why))
    return given, refused


def _tariffs(
    document: PartnerDocument, currency: str | None, version: OcpiVersion | None
) -> Iterator[GivenTariff | Refusal]:
    if document.is_yaml:
        yield from _of_yaml(document)
        return
    notes: list[Note] = []
    try:
        objects = list(objects_in(decode_json(document.data), notes))
    except OcpiError as error:
        yield refusal_of(document.source, error)
        return
    for value, path in objects:
        if document.in_folder and isinstance(value, dict) and "elements" not in value:
            continue
        try:
            read = ocpi_tariff_of(value, path, version=version, currency=currency)
            compiled = CompiledTariff(read.tariff)
        except TariffError as error:
            yield refusal_of(document.source, error)
            continue
        shape = "given" if version else "told by its shape"
        said = Note("ocpi_version", f"read as OCPI {read.version} ({shape})", path or None)
        spotted = tuple(_spotted(note, document.source) for note in (*notes, said, *read.notes))
        yield GivenTariff(compiled=compiled, notes=spotted, source=document.source)


def _of_yaml(document: PartnerDocument) -> Iterator[GivenTariff | Refusal]:
    try:
        text = document.data.decode("utf-8")
    except UnicodeDecodeError as error:
        yield Refusal(source=document.source, spot="", why=f"not UTF-8: {error.reason}")
        return
    tariff, problems = read_tariff_file(text, document.source)
    if tariff is not None:
        yield GivenTariff(compiled=CompiledTariff(tariff), notes=(), source=document.source)
    elif not document.in_folder or "elements:" in text:
        for problem in problems:
            spot = f"{problem.line}:{problem.column}"
            yield Refusal(source=document.source, spot=spot, why=problem.message)


def _spotted(note: Note, source: str) -> Note:
    return Note(note.code, note.message, f"{source}:{note.spot}" if note.spot else source)
