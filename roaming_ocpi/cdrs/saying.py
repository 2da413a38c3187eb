"""How each version of OCPI says what a session cost, tried until what is said gives it again.

A CDR that does not come to its own total is a dispute. So before it is frozen it is written in each
version, read as a partner reads it, and priced from nothing but its own tariffs and periods, by the
policy that holds where nobody named another. Only what gives the net to the cent, and the taxes
where the version has some, and leaves nothing to note, is taken:

    the tariff as published          with its prices, restrictions, limits
    a tariff for each price          since 2.2, where no OCPI has words for when it holds
    one flat amount                  what is left: discounts, caps, allowances, taxes per kWh

each with tidy numbers first, then with every digit. What none gives is refused by ourselves.

What depends on a tariff version alone (its JSON in a version, how that reads, compiled) is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, NoReturn

import msgspec

from ledger.rating.decisions import RatedLine
from roaming_ocpi.cdrs.made import CdrForm, CdrNote, PricePart, SaidBy, SaidIn, joined, price_part
from roaming_ocpi.cdrs.periods import Fineness, charging_periods
from roaming_ocpi.cdrs.tariff_copies import PricedTariffs, flat_tariff, tariffs_of_periods
from roaming_ocpi.cdrs.totals import stated_totals
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.wire.walls import encoded
from tariffs.cdr.cdr import Cdr, ChargingPeriod, StatedTotals
from tariffs.cdr.cut import CutPeriod
from tariffs.cdr.differences import differences_of
from tariffs.cdr.pricing import price_cdr
from tariffs.errors import TariffError
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.priced import Note, PricedSession
from tariffs.model.canonical import tariff_hash
from tariffs.model.policy import PricingPolicy
from tariffs.model.tariff import Tariff
from tariffs.model.usage import Activity, microseconds
from tariffs.ocpi.cdr_fast import BareOldCdrDecoder, CdrDecoder
from tariffs.ocpi.cdr_reader import ocpi_cdr_of
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.tariff_reader import ocpi_tariff_of
from tariffs.ocpi.tariff_writer import write_tariff
from tariffs.ocpi.versions import OcpiVersion

VERSIONS: Final = (OcpiVersion.V2_3_0, OcpiVersion.V2_2_1, OcpiVersion.V2_1_1)
"""The newest first: what it can say, older ones may have to say otherwise."""
TOLERATED: Final = frozenset({"below_zero"})
"""Notes of a reader that make no total another one."""
_OLDEST: Final = OcpiVersion.V2_1_1
_KEPT_MAX: Final = 512


class CdrCase(NamedTuple):
    """A session that is to be said: what is owed, and all that its price hangs on.

    `tariff` is what `own_tariff` made of the version `tariff_hash`, with `mark_up`.
    """

    starts_at: datetime
    ends_at: datetime
    time_zone: str
    currency: str
    cuts: Sequence[CutPeriod]
    lines: Sequence[RatedLine]
    tariff: Tariff
    tariff_key: tuple[str, str, Decimal]
    mark_up: Decimal
    net_minor: int
    tax_minor: int


class Said(NamedTuple):
    """The forms that are needed, how each version says them, and what is to be known of it."""

    forms: tuple[CdrForm, ...]
    versions: dict[str, SaidIn]
    notes: tuple[CdrNote, ...]


class UnsayableCdrError(RoamingError):
    """A CDR that no version can say so that it comes to its total; `why` for each of them."""

    def __init__(self, why: Mapping[OcpiVersion, str]) -> None:
        told = "; ".join(f"OCPI {version}: {reason}" for version, reason in why.items())
        super().__init__(f"no version of OCPI can say it so that it comes to its total: {told}")
        self.why = dict(why)


class _Read(NamedTuple):
    """A tariff as one version says it, and as that reads."""

    written: msgspec.Raw
    tariff: Tariff
    compiled: CompiledTariff
    lost: tuple[Note, ...]
    unclean: tuple[Note, ...]


class _Checked(NamedTuple):
    """A form that does in a version: what is written of it, and what its tariffs leave out."""

    form: CdrForm
    written: PricePart
    lost: tuple[Note, ...]


class _Priced(NamedTuple):
    """A form priced from what it says, and the totals that it states of that."""

    priced: PricedSession
    stated: StatedTotals


class _Tried(NamedTuple):
    """A form of one case; `key` of tariffs that are worth keeping."""

    said_by: SaidBy
    tariffs: tuple[Tariff, ...]
    periods: tuple[ChargingPeriod, ...]
    key: tuple[str, str, Decimal] | None = None


class _NotSaidError(Exception):
    """This form does not do in this version, for a reason in words."""


def _refuse(why: str) -> NoReturn:
    raise _NotSaidError(why)


class Speaker:
    """Finds how to say CDRs; keeps what depends on tariff versions alone."""

    def __init__(self) -> None:
        self._decoder, self._old = CdrDecoder(), BareOldCdrDecoder()
        # Tariffs of one session would push out those that return.
        self._rare = CdrDecoder()
        self._reads: dict[tuple[tuple[str, str, Decimal], OcpiVersion], _Read] = {}
        self._compiled: dict[str, CompiledTariff] = {}

    def say(self, case: CdrCase) -> Said:
        """Return how each version says *case*.

        Raises:
            UnsayableCdrError: If none can that states taxes.
        """
        forms: list[CdrForm] = []
        versions: dict[str, SaidIn] = {}
        notes: list[CdrNote] = []
        failed: dict[OcpiVersion, str] = {}
        tries = _Tries(case)
        priced: dict[tuple[int, ...], _Priced] = {}
        for version in VERSIONS:
            try:
                form, written, lost = self._in_version(case, version, tries, priced)
            except _NotSaidError as error:
                failed[version] = str(error)
                continue
            versions[version.value] = SaidIn(
                form=_index(form, forms, version), written=written.json, lost=written.lost
            )
            notes.extend(_notes(form, version, lost))
        # 2.1.1 alone would be no proof: it states no taxes.
        if not versions.keys() - {_OLDEST.value}:
            raise UnsayableCdrError(failed)
        notes.extend(
            CdrNote(code="version_unsayable", message=why, version=version.value)
            for version, why in failed.items()
        )
        return Said(tuple(forms), versions, tuple(dict.fromkeys(notes)))

    def _in_version(
        self,
        case: CdrCase,
        version: OcpiVersion,
        tries: _Tries,
        priced: dict[tuple[int, ...], _Priced],
    ) -> _Checked:
        why = ""
        for index, tried in tries.each():
            if tried.said_by is SaidBy.PERIOD_PRICES and version is _OLDEST:
                continue
            try:
                return self._checked(case, tried, version, index, priced)
            except (_NotSaidError, TariffError) as error:
                # The first is the most telling.
                why = why or f"{tried.said_by}: {error}"
        _refuse(why)

    def _checked(
        self,
        case: CdrCase,
        tried: _Tried,
        version: OcpiVersion,
        index: int,
        known: dict[tuple[int, ...], _Priced],
    ) -> _Checked:
        """Return the form as *version* says it; what it says gives the total again."""
        reads = [self._tariff(each, tried.key, version) for each in tried.tariffs]
        unclean = [note for read in reads for note in read.unclean]
        if unclean:
            _refuse(f"the tariff reads with a note: {unclean[0].message}")
        compiled = [read.compiled for read in reads]
        key = (index, *map(id, compiled))
        found = known.get(key)
        if found is None:
            bare = _cdr(case, tried.periods, StatedTotals())
            priced = price_cdr(bare, compiled, time_zone=case.time_zone)
            lasts_us = microseconds(case.ends_at) - microseconds(case.starts_at)
            found = _Priced(priced, stated_totals(priced, tried.periods, lasts_us))
            known[key] = found
        priced, stated = found
        _agree(case, priced, version)
        cdr = _cdr(case, tried.periods, stated)
        written = price_part(cdr, version)
        self._read_again(written, cdr, reads, version, priced, case.time_zone)
        form = CdrForm(
            said_by=tried.said_by, tariffs=tried.tariffs, periods=tried.periods, stated=stated
        )
        return _Checked(form, written, tuple(note for read in reads for note in read.lost))

    def _read_again(
        self,
        written: PricePart,
        cdr: Cdr,
        reads: Sequence[_Read],
        version: OcpiVersion,
        priced: PricedSession,
        time_zone: str,
    ) -> None:
        """Read what is *written* of *cdr* as a partner does, and compare it with its price."""
        tariffs = () if version is _OLDEST else tuple(read.tariff for read in reads)
        # Those of 2.1.1 were read alone: by its shape no tariff tells that version.
        shown = {"tariffs": [read.written for read in reads]} if tariffs else {}
        data = joined({"id": cdr.id, **shown}, written.json)
        again, notes = self._decoded(data, version, is_rare=len(reads) > 1)
        left = [note for note in notes if note.code not in TOLERATED]
        if left:
            _refuse(f"it reads with a note: {left[0].message}")
        if again.periods != cdr.periods or again.tariffs != tariffs:
            _refuse("it reads as another CDR")
        compiled = [read.compiled for read in reads]

        def reprice(policy: PricingPolicy) -> PricedSession:
            return price_cdr(again, compiled, time_zone=time_zone, policy=policy)

        found = differences_of(again, priced, reprice)
        if found:
            _refuse(f"{found[0].field} is {found[0].stated}, not {found[0].ours}")

    def _decoded(
        self, data: bytes, version: OcpiVersion, *, is_rare: bool
    ) -> tuple[Cdr, tuple[Note, ...]]:
        if version is _OLDEST:
            if (old := self._old.decode(data)) is not None:
                return old, ()
        else:
            decoder = self._rare if is_rare else self._decoder
            if (fast := decoder.decode(data)) is not None:
                return fast.cdr, ()
        read = ocpi_cdr_of(decode_json(data), version=version)
        return read.cdr, read.notes

    def _tariff(
        self, tariff: Tariff, key: tuple[str, str, Decimal] | None, version: OcpiVersion
    ) -> _Read:
        if key is None:
            return self._as_read(tariff, version)
        found = self._reads.get((key, version))
        if found is None:
            if len(self._reads) >= _KEPT_MAX:
                self._reads.clear()
                self._compiled.clear()
            found = self._reads[key, version] = self._as_read(tariff, version)
        return found

    def _as_read(self, tariff: Tariff, version: OcpiVersion) -> _Read:
        written, lost = write_tariff(tariff, version)
        if version is _OLDEST:
            # Of 2.1.1 a tariff names no version of itself by its shape.
            written.setdefault("currency", tariff.currency)
        data = encoded(written)
        read = ocpi_tariff_of(decode_json(data), version=None)
        digest = tariff_hash(read.tariff)
        compiled = self._compiled.get(digest)
        if compiled is None:
            compiled = self._compiled[digest] = CompiledTariff(read.tariff)
        unclean = tuple(note for note in read.notes if note.code not in TOLERATED)
        return _Read(msgspec.Raw(data), read.tariff, compiled, lost, unclean)


class _Tries:
    """The forms of one case, made when they are asked for, each once."""

    def __init__(self, case: CdrCase) -> None:
        self._made: list[_Tried] = []
        self._next = self._forms(case)

    def each(self) -> Iterator[tuple[int, _Tried]]:
        """Yield every form with its number, the most telling first."""
        index = 0
        while True:
            if index == len(self._made):
                tried = next(self._next, None)
                if tried is None:
                    return
                self._made.append(tried)
            yield index, self._made[index]
            index += 1

    @staticmethod
    def _forms(case: CdrCase) -> Iterator[_Tried]:
        tidy = charging_periods(case.cuts, case.ends_at, Fineness.TIDY)
        yield _Tried(SaidBy.TARIFF, (case.tariff,), tidy, case.tariff_key)
        exact = charging_periods(case.cuts, case.ends_at, Fineness.EXACT)
        if exact != tidy:
            yield _Tried(SaidBy.TARIFF, (case.tariff,), exact, case.tariff_key)
        by_period = tariffs_of_periods(
            case.tariff, case.lines, case.cuts, case.ends_at, mark_up=case.mark_up
        )
        if by_period is not None:
            for periods in dict.fromkeys((tidy, exact)):
                yield _Tried(SaidBy.PERIOD_PRICES, by_period.tariffs, _named(periods, by_period))
        only_reserved = all(cut.activity is Activity.RESERVATION for cut in case.cuts)
        owed = case.net_minor, case.tax_minor
        for flat in flat_tariff(case.tariff, case.lines, owed, only_reserved=only_reserved):
            yield _Tried(SaidBy.FLAT, flat.tariffs, tidy)


def _named(
    periods: Sequence[ChargingPeriod], by_period: PricedTariffs
) -> tuple[ChargingPeriod, ...]:
    """Return *periods* with the tariff that each has."""
    parts = by_period.parts or (0,) * len(periods)
    return tuple(
        msgspec.structs.replace(period, tariff_id=by_period.tariffs[part].id)
        for period, part in zip(periods, parts, strict=True)
    )


def _cdr(case: CdrCase, periods: tuple[ChargingPeriod, ...], stated: StatedTotals) -> Cdr:
    return Cdr(
        id="checked",
        starts_at=case.starts_at,
        ends_at=case.ends_at,
        currency=case.currency,
        periods=periods,
        stated=stated,
    )


def _agree(case: CdrCase, priced: PricedSession, version: OcpiVersion) -> None:
    remarks = [note for note in priced.remarks if note.code not in TOLERATED]
    if remarks:
        _refuse(remarks[0].message)
    if priced.before_minor != case.net_minor:
        _refuse(f"it gives {priced.before_minor}, not {case.net_minor} minor units")
    if version is not _OLDEST and priced.tax_minor != case.tax_minor:
        _refuse(f"its taxes are {priced.tax_minor}, not {case.tax_minor} minor units")


def _index(form: CdrForm, forms: list[CdrForm], version: OcpiVersion) -> int:
    """Return where *form* stands among *forms*, added if it is new."""
    for index, known in enumerate(forms):
        # The oldest states the net alone, which is the same in all.
        is_same = known == form or (
            version is _OLDEST and (known.tariffs, known.periods) == (form.tariffs, form.periods)
        )
        if is_same:
            return index
    forms.append(form)
    return len(forms) - 1


def _notes(form: CdrForm, version: OcpiVersion, lost: Sequence[Note]) -> Iterator[CdrNote]:
    """Yield what a partner manager should know of how *version* says it."""
    if form.said_by is not SaidBy.TARIFF:
        message = _SAID_BY[form.said_by]
        yield CdrNote(code=f"said_by_{form.said_by}", message=message, version=version.value)
        return
    for note in lost:
        yield CdrNote(code=note.code, message=f"{note.spot}: {note.message}", version=version.value)


_SAID_BY: Final[Mapping[SaidBy, str]] = {
    SaidBy.PERIOD_PRICES: "its tariffs are made for this session: one for each price that held",
    SaidBy.FLAT: "its tariff is made for this session: one amount, whose lines its remark has",
}
