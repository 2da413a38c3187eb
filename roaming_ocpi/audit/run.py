"""Prices documents of CDRs and sessions; what cannot be priced is refused, alone.

Some dozens of CDRs are read, then all of them priced, then all compared. One after the other the
same work takes half as long again: decoder, kernel and comparison push each other's code out of
the processor's caches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from roaming_ocpi.audit.documents import PartnerDocument, UnusableFileError, documents_in
from roaming_ocpi.audit.tariffs import GivenTariff, Refusal, refusal_of
from tariffs.cdr.cdr import Cdr
from tariffs.cdr.differences import Difference, differences_of
from tariffs.cdr.pricing import CurrencyDiffersError, price_cdr
from tariffs.cdr.tariffs import TariffMissingError, holds
from tariffs.errors import TariffError
from tariffs.explain import notes_of
from tariffs.files.session_file import read_session_file
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.priced import Note, PricedSession
from tariffs.kernel.pricing import price_session
from tariffs.model.policy import PricingPolicy
from tariffs.ocpi.cdr_fast import CdrDecoder
from tariffs.ocpi.cdr_reader import ocpi_cdr_of
from tariffs.ocpi.documents import OcpiError, decode_json, objects_in
from tariffs.ocpi.versions import OcpiVersion
from tariffs.zones import UnknownZoneError

UTC: Final = "UTC"


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One CDR or session, priced."""

    id: str | None
    source: str
    priced: PricedSession
    notes: tuple[Note, ...]
    differences: tuple[Difference, ...] = ()
    is_credit: bool = False


class _Case(msgspec.Struct, kw_only=True, gc=False):
    """One CDR on its way: read, then `priced` with the tariffs and in the zone that hold for it."""

    cdr: Cdr
    source: str
    notes: list[Note]
    tariffs: Sequence[CompiledTariff] = ()
    zone: str = UTC
    priced: PricedSession | None = None


class PricingRun:
    """One run of `wattledger price`: the tariffs and choices that hold for every document."""

    def __init__(
        self,
        tariffs: Sequence[GivenTariff],
        *,
        policy: PricingPolicy,
        time_zone: str | None,
        version: OcpiVersion | None,
    ) -> None:
        self._tariffs = tuple(tariffs)
        self._policy, self._time_zone, self._version = policy, time_zone, version
        self._notes = {id(given.compiled): given.notes for given in tariffs}
        self._given = [each.compiled for each in self._tariffs]
        self._given_ids = {compiled.tariff.id.casefold() for compiled in self._given}
        self._decoder = CdrDecoder()
        self._embedded: dict[bytes, CompiledTariff] = {}

    def batches(self, paths: Sequence[Path]) -> Iterator[list[Outcome | Refusal]]:
        """Price everything in *paths* (files, folders, JSON Lines), in order, some at a time."""
        for batch in _batches(self._read(paths)):
            priced = [self._price(each) if isinstance(each, _Case) else each for each in batch]
            yield [self._compare(each) if isinstance(each, _Case) else each for each in priced]

    def _read(self, paths: Sequence[Path]) -> Iterator[tuple[_Case | Outcome | Refusal, int]]:
        """Yield what each document holds, and how many bytes it has."""
        for path in paths:
            try:
                for document in documents_in(path):
                    size = len(document.data)
                    # The quick way tells the version by the shape; who named one is read by that.
                    if self._version is None and not document.is_yaml:
                        fast = self._decoder.decode(document.data)
                        if fast is not None:
                            told = [_TOLD[fast.version]]
                            yield _Case(cdr=fast.cdr, source=document.source, notes=told), size
                            continue
                    for found in self._document(document):
                        yield found, size
                        size = 0
            except UnusableFileError as error:
                yield Refusal(source=str(path), spot="", why=error.why), 0

    def _document(self, document: PartnerDocument) -> Iterator[_Case | Outcome | Refusal]:
        if document.is_yaml:
            yield from self._session(document)
            return
        notes: list[Note] = []
        try:
            for value, path in objects_in(decode_json(document.data), notes):
                # A folder may hold CDRs beside their tariffs; a file given by name is meant.
                if document.in_folder and _is_tariff(value):
                    continue
                yield self._object(document, value, path, notes)
        except OcpiError as error:
            yield refusal_of(document.source, error)

    def _object(
        self, document: PartnerDocument, value: object, path: str, notes: list[Note]
    ) -> _Case | Refusal:
        identity = value.get("id") if isinstance(value, dict) else None
        known = identity if isinstance(identity, str) else None
        try:
            read = ocpi_cdr_of(value, path, version=self._version)
        except TariffError as error:
            return refusal_of(document.source, _spotted(error), known)
        shape = "given" if self._version else "told by its shape"
        said = Note("ocpi_version", f"read as OCPI {read.version} ({shape})", path or None)
        return _Case(cdr=read.cdr, source=document.source, notes=[*notes, said, *read.notes])

    def _price(self, case: _Case) -> _Case | Refusal:
        cdr, notes = case.cdr, case.notes
        try:
            case.tariffs = tariffs = self._tariffs_for(cdr)
            zone = cdr.time_zone or self._time_zone
            if zone is None and any(compiled.clock_restricted for compiled in tariffs):
                message = "neither the CDR nor --time-zone says where it was; local times are UTC's"
                notes.append(Note("time_zone_missing", message, "cdr_location.time_zone"))
            case.zone = zone or UTC
            case.priced = price_cdr(cdr, tariffs, time_zone=case.zone, policy=self._policy)
        except TariffError as error:
            return refusal_of(case.source, _spotted(error), cdr.id)
        return case

    def _compare(self, case: _Case) -> Outcome | Refusal:
        cdr, notes, priced = case.cdr, case.notes, case.priced
        assert priced is not None

        def reprice(policy: PricingPolicy) -> PricedSession:
            return price_cdr(cdr, case.tariffs, time_zone=case.zone, policy=policy)

        if cdr.is_credit:
            message = "the lines are those of the CDR that it takes back; the total is negative"
            notes.append(Note("credit_cdr", message, "credit"))
        notes.extend(self._notes_of(case.tariffs, priced))
        notes.extend(notes_of(priced))
        try:
            differences = differences_of(cdr, priced, reprice)
        except TariffError as error:
            return refusal_of(case.source, _spotted(error), cdr.id)
        return Outcome(
            id=cdr.id or None,
            source=case.source,
            priced=priced,
            notes=tuple(notes),
            differences=differences,
            is_credit=cdr.is_credit,
        )

    def _tariffs_for(self, cdr: Cdr) -> list[CompiledTariff]:
        """Return the tariffs given, then those that the CDR carries under other ids."""
        if not cdr.tariffs:
            return self._given
        named = {p.tariff_id.casefold() for p in cdr.periods if p.tariff_id is not None}
        # What was given counts, not the partner's own copy of it: that is what is checked.
        own = [
            t for t in cdr.tariffs if not self._given or t.id.casefold() in named - self._given_ids
        ]
        return [*self._given, *(self._compiled(tariff) for tariff in own)]

    def _compiled(self, tariff: Any) -> CompiledTariff:  # noqa: ANN401 - a struct as a cache key
        key = msgspec.msgpack.encode(tariff)
        compiled = self._embedded.get(key)
        if compiled is None:
            if len(self._embedded) >= _CACHED_MAX:
                self._embedded.clear()
            compiled = self._embedded[key] = CompiledTariff(tariff)
        return compiled

    def _notes_of(self, tariffs: Sequence[CompiledTariff], priced: PricedSession) -> Iterable[Note]:
        """Return the notes of the tariffs that priced it."""
        if priced.compiled is tariffs[0]:
            return self._notes.get(id(tariffs[0]), ())
        parts = getattr(priced.compiled, "parts", (priced.compiled,))
        found: list[Note] = []
        for compiled in tariffs:
            if any(compiled is part for part in parts):
                found.extend(self._notes.get(id(compiled), ()))
        return found

    def _session(self, document: PartnerDocument) -> Iterator[Outcome | Refusal]:
        """Price one of our YAML sessions: its name is the file's."""
        try:
            text = document.data.decode("utf-8")
        except UnicodeDecodeError as error:
            yield Refusal(source=document.source, spot="", why=f"not UTF-8: {error.reason}")
            return
        usage, problems = read_session_file(text, document.source)
        if usage is None:
            if not document.in_folder or "starts_at:" in text:
                for problem in problems:
                    spot = f"{problem.line}:{problem.column}"
                    yield Refusal(source=document.source, spot=spot, why=problem.message)
            return
        notes: list[Note] = []
        try:
            found = [t for t in self._tariffs if holds(t.compiled.tariff, usage.starts_at)]
            found = found or list(self._tariffs)
            if not found:
                raise TariffMissingError(document.path.stem, None, "")
            if len(found) > 1:
                message = f"of {len(found)} tariffs that hold, the first was taken"
                chosen = found[0].compiled.tariff.id
                notes.append(Note("tariff_chosen", f"{message}: {chosen!r}"))
            priced = price_session(usage, found[0].compiled, policy=self._policy)
        except TariffError as error:
            yield refusal_of(document.source, error, document.path.stem)
            return
        yield Outcome(
            id=document.path.stem,
            source=document.source,
            priced=priced,
            notes=(*notes, *found[0].notes, *notes_of(priced)),
        )


_TOLD: Final = {
    version: Note("ocpi_version", f"read as OCPI {version} (told by its shape)")
    for version in OcpiVersion
}
# Emptied when full: each CDR may bring a tariff of its own.
_CACHED_MAX: Final = 1000
_BATCH_MAX: Final = 64
# Of large documents only one is held at a time.
_BATCH_BYTES_MAX: Final = 1_000_000


def _batches(
    found: Iterable[tuple[_Case | Outcome | Refusal, int]],
) -> Iterator[list[_Case | Outcome | Refusal]]:
    """Yield what is *found* some at a time, fewer where documents are large."""
    batch: list[_Case | Outcome | Refusal] = []
    room = _BATCH_BYTES_MAX
    for each, size in found:
        batch.append(each)
        room -= size
        if len(batch) >= _BATCH_MAX or room <= 0:
            yield batch
            batch, room = [], _BATCH_BYTES_MAX
    if batch:
        yield batch


def _is_tariff(value: object) -> bool:
    return isinstance(value, dict) and "elements" in value and "charging_periods" not in value


def _spotted(error: TariffError) -> TariffError:
    """Return *error* with the spot of the CDR that it is about, if it has none."""
    if isinstance(error, CurrencyDiffersError):
        return OcpiError("currency", str(error))
    if isinstance(error, UnknownZoneError):
        return OcpiError("cdr_location.time_zone", str(error))
    return error
