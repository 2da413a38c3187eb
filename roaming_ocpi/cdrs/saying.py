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

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple, NoReturn

from msgspec.structs import replace

from ledger.rating.decisions import RatedLine
from roaming_ocpi.cdrs.made import (
    CdrForm,
    CdrNote,
    PricePart,
    PriceParts,
    SaidBy,
    SaidIn,
    joined,
)
from roaming_ocpi.cdrs.periods import Fineness, charging_periods
from roaming_ocpi.cdrs.tariff_copies import (
    TOLERATED,
    PricedTariffs,
    SaidTariffs,
    TariffKey,
    TariffRead,
    flat_tariff,
    tariffs_of_periods,
)
from roaming_ocpi.cdrs.totals import stated_totals
from roaming_ocpi.errors import RoamingError
from tariffs.cdr.cdr import Cdr, ChargingPeriod, StatedTotals
from tariffs.cdr.cut import CutPeriod
from tariffs.cdr.differences import differences_of
from tariffs.cdr.pricing import price_cdr
from tariffs.errors import TariffError
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.priced import Note, PricedSession
from tariffs.model.policy import PricingPolicy
from tariffs.model.tariff import Tariff
from tariffs.model.usage import Activity, microseconds
from tariffs.ocpi.cdr_fast import BareOldCdrDecoder, CdrDecoder, CdrNumbers
from tariffs.ocpi.cdr_reader import ocpi_cdr_of
from tariffs.ocpi.documents import decode_json
from tariffs.ocpi.versions import OcpiVersion

VERSIONS: Final = (OcpiVersion.V2_3_0, OcpiVersion.V2_2_1, OcpiVersion.V2_1_1)
"""The newest first: what it can say, older ones may have to say otherwise."""
_OLDEST: Final = OcpiVersion.V2_1_1


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
    tariff_key: TariffKey
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


class _Checked(NamedTuple):
    """A form that does in a version: what is written of it, and what is to be known of that."""

    form: CdrForm
    written: PricePart
    notes: tuple[CdrNote, ...]


@dataclass(slots=True)
class _Priced:
    """The form of a number priced from what a version says of it, and what it states of that.

    `is_compared`: what is stated is what `priced` comes to.
    """

    index: int
    priced: PricedSession
    form: CdrForm
    parts: PriceParts
    is_compared: bool = False


class _Tried(NamedTuple):
    """A form of one case; `key` of tariffs that are worth keeping."""

    said_by: SaidBy
    tariffs: tuple[Tariff, ...]
    periods: tuple[ChargingPeriod, ...]
    key: TariffKey | None = None


class _NotSaidError(Exception):
    """This form does not do in this version, for a reason in words."""


def _refuse(why: str) -> NoReturn:
    raise _NotSaidError(why)


class Speaker:
    """Finds how to say CDRs; keeps what depends on tariff versions alone."""

    def __init__(self) -> None:
        # Versions say the same numbers.
        numbers = CdrNumbers()
        self._decoder, self._old = CdrDecoder(numbers), BareOldCdrDecoder(numbers)
        # Tariffs of one session would push out those that return.
        self._rare = CdrDecoder(numbers)
        self._tariffs = SaidTariffs()

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
        self._tariffs.make_room()
        priced: dict[tuple[int, ...], _Priced] = {}
        for version in VERSIONS:
            try:
                form, written, told = self._in_version(case, version, tries, priced)
            except _NotSaidError as error:
                failed[version] = str(error)
                continue
            versions[version.value] = SaidIn(
                form=_index(form, forms, version), written=written.json, lost=written.lost
            )
            notes.extend(told)
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
        reads = [self._tariffs.read(each, tried.key, version) for each in tried.tariffs]
        unclean = [note for read in reads for note in read.unclean]
        if unclean:
            _refuse(f"the tariff reads with a note: {unclean[0].message}")
        compiled = [read.compiled for read in reads]
        key = (index, *map(id, compiled))
        found = known.get(key)
        if found is None:
            found = known[key] = _priced(case, tried, compiled, index, version, known.values())
        _agree(case, found.priced, version)
        written = found.parts.written(version)
        self._read_again(written, found, reads, version, case.time_zone)
        return _Checked(found.form, written, _notes(found.form, version, reads))

    def _read_again(
        self,
        written: PricePart,
        found: _Priced,
        reads: Sequence[TariffRead],
        version: OcpiVersion,
        time_zone: str,
    ) -> None:
        """Read what is *written* as a partner does, and compare it with the price.

        What reads as the very CDR that was compared already, in a version that states more, is not
        reckoned anew.
        """
        cdr = found.parts.cdr
        tariffs = () if version is _OLDEST else tuple(read.tariff for read in reads)
        # Those of 2.1.1 were read alone: by its shape no tariff tells that version.
        shown = {"tariffs": [read.written for read in reads]} if tariffs else {}
        data = joined({"id": cdr.id, **shown}, written.json)
        again, notes = self._decoded(data, version, is_rare=len(reads) > 1)
        left = [note for note in notes if note.code not in TOLERATED]
        if left:
            _refuse(f"it reads with a note: {left[0].message}")
        if found.is_compared and again == found.parts.read(version, tariffs):
            return
        if again.periods != cdr.periods or again.tariffs != tariffs:
            _refuse("it reads as another CDR")
        compiled = [read.compiled for read in reads]

        def reprice(policy: PricingPolicy) -> PricedSession:
            return price_cdr(again, compiled, time_zone=time_zone, policy=policy)

        differing = differences_of(again, found.priced, reprice)
        if differing:
            first = differing[0]
            _refuse(f"{first.field} is {first.stated}, not {first.ours}")
        found.is_compared = True

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
        replace(period, tariff_id=by_period.tariffs[part].id)
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


def _priced(
    case: CdrCase,
    tried: _Tried,
    compiled: Sequence[CompiledTariff],
    index: int,
    version: OcpiVersion,
    known: Iterable[_Priced],
) -> _Priced:
    """Price a form from what it says in a version, and state what that comes to."""
    bare = _cdr(case, tried.periods, StatedTotals())
    priced = price_cdr(bare, compiled, time_zone=case.time_zone)
    if version is _OLDEST:
        # It states the total before taxes and no parts: where that is the same, all of it is.
        for each in known:
            is_same = each.index == index and each.priced.before_minor == priced.before_minor
            if is_same and each.is_compared:
                return _Priced(index, priced, each.form, each.parts, is_compared=True)
    lasts_us = microseconds(case.ends_at) - microseconds(case.starts_at)
    stated = stated_totals(priced, tried.periods, lasts_us)
    form = CdrForm(
        said_by=tried.said_by, tariffs=tried.tariffs, periods=tried.periods, stated=stated
    )
    return _Priced(index, priced, form, PriceParts(replace(bare, stated=stated)))


def _notes(form: CdrForm, version: OcpiVersion, reads: Sequence[TariffRead]) -> tuple[CdrNote, ...]:
    """Return what a partner manager should know of how *version* says it."""
    if form.said_by is not SaidBy.TARIFF:
        message = _SAID_BY[form.said_by]
        return (CdrNote(code=f"said_by_{form.said_by}", message=message, version=version.value),)
    if len(reads) == 1:
        return reads[0].lost
    return tuple(note for read in reads for note in read.lost)


_SAID_BY: Final[Mapping[SaidBy, str]] = {
    SaidBy.PERIOD_PRICES: "its tariffs are made for this session: one for each price that held",
    SaidBy.FLAT: "its tariff is made for this session: one amount, whose lines its remark has",
}
