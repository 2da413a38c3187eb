"""Some messages of one party, read and judged in their order with few questions to the tables.

How many are taken at once changes no verdict: what a message does to those after it in the same
batch stands in mind as it would in the tables. What takes something back is a batch of its own.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec.structs import replace
from psycopg import Connection

from ledger.declared.declarations import Declarations
from ledger.log.event_log import Position
from ledger.master_data.partners import OldCorrections
from ledger.master_data.tokens import TokenKind
from roaming_ocpi.incoming.charging import ChargeLines, note_acts
from roaming_ocpi.incoming.published import PublishedByPartners, TariffAsked
from roaming_ocpi.incoming.store import AT_ONCE_MAX, CdrRow, PartnerBooks, PartnerSessionRow
from roaming_ocpi.incoming.told import CdrChoice, ToldCdr, ToldSession, is_an_id
from roaming_ocpi.incoming.verdicts.judging import judge_beside, judge_cdr, judge_waiting
from roaming_ocpi.incoming.verdicts.known import CdrBefore, CdrSurroundings
from roaming_ocpi.incoming.verdicts.repricing import Repricer
from roaming_ocpi.incoming.verdicts.retelling import AskedSum, is_in_other_version
from roaming_ocpi.incoming.verdicts.verdict import CdrVerdict, verdict_of
from roaming_ocpi.wire.merging import is_late
from tariffs.kernel.compiled import CompiledTariff
from tariffs.ocpi.versions import OcpiVersion
from tariffs.phrases.phrase import phrase

Told = ToldCdr | ToldSession | CdrChoice


def batches(told: Sequence[Told]) -> Iterator[list[Told]]:
    """Yield *told* in runs; what changes CDRs that came before stands alone."""
    run: list[Told] = []
    for each in told:
        if isinstance(each, CdrChoice) or (isinstance(each, ToldCdr) and each.takes_back):
            if run:
                yield run
            yield [each]
            run = []
        else:
            run.append(each)
    if run:
        yield run


class PartyBatch:
    """One batch: `take` its messages in their order, then `store`."""

    def __init__(
        self,
        connection: Connection[object],
        party: str,
        told: Sequence[Told],
        *,
        declared: Declarations,
        published: PublishedByPartners,
        repricer: Repricer,
    ) -> None:
        self._connection, self._party = connection, party
        self._declared, self._repricer = declared, repricer
        self._books = PartnerBooks(connection, party)
        self._told = self._with_bearers(connection, told, published)
        cdrs = [each for each in self._told if isinstance(each, ToldCdr)]
        keys = {each.key for each in told if not isinstance(each, ToldSession)}
        keys |= {each.credits_key for each in cdrs if each.credits_key is not None}
        self._rows = self._books.by_key(keys)
        for row in [row for row in self._rows.values() if row.credits is not None]:
            assert row.credits is not None
            self._rows |= self._books.by_key({row.credits.casefold()} - self._rows.keys())
        awaited = {key for each in cdrs for key in (each.key, each.charge_key) if key is not None}
        self._waiting = self._books.waiting(awaited) if cdrs else {}
        sessions = {each.session_key for each in cdrs} - {None}
        self._bills = self._books.by_session(key for key in sessions if key)
        at_once = self._books.at_once(cdrs)
        self._at_once = {id(each): at_once.get(n, []) for n, each in enumerate(cdrs)}
        self._new: dict[str, list[CdrBefore]] = {}
        theirs = {each.key for each in told if isinstance(each, ToldSession)}
        self._sessions = self._books.sessions({key for key in sessions if key} | theirs)
        asked = {tariff for each in cdrs for tariff in _asked(each)}
        self._tariffs = published.tariffs(connection, party, asked) if asked else {}
        self._zones = published.zones(connection, party, cdrs) if cdrs else {}
        self._changed: dict[str, CdrRow] = {}
        self._changed_sessions: dict[str, PartnerSessionRow] = {}
        self._again: list[ToldCdr] = []
        self.judged: list[CdrVerdict] = []
        """What our rules said of the CDRs that were new, each once."""

    def take(self) -> None:
        """Take the messages into account."""
        for told in self._told:
            if isinstance(told, ToldCdr):
                self._cdr(told)
            elif isinstance(told, ToldSession):
                self._session(told)
            else:
                self._choose(told)

    def _with_bearers(
        self, connection: Connection[object], told: Sequence[Told], published: PublishedByPartners
    ) -> list[Told]:
        """Return *told* with the token's subject where a CDR of 2.1.1 names its contract alone."""
        named = [
            each
            for each in told
            if isinstance(each, ToldCdr)
            and each.version is OcpiVersion.V2_1_1
            and not self._is_ours(each)
        ]
        if not named:
            return list(told)
        bearers = published.bearers(connection, self._party, named, self._declared)
        found = {
            # The contract was sealed for another subject than the token's.
            id(each): replace(each, subject=bearers[each.key], contract=None)
            for each in named
            if bearers.get(each.key, each.subject) != each.subject
        }
        return [found.get(id(each), each) for each in told]

    def store(self, says: ChargeLines | None = None) -> None:
        """Write what came of the messages, and say what is charged on, in one transaction."""
        acts = list(note_acts(self._changed.values(), charges_flagged=self._charges_flagged))
        if says is not None:
            says.put(self._connection, self._party, acts)
        self._books.store_cdrs(self._changed.values(), self._declared.version)
        self._books.store_again(self._again)
        self._books.store_sessions(self._changed_sessions.items())

    def _charges_flagged(self, at: datetime) -> bool:
        """Whether a flagged CDR of a session that began then is charged on."""
        partner = self._declared.partner(self._party, at)
        return partner is not None and partner.charges_flagged

    def _cdr(self, told: ToldCdr) -> None:
        row = self._rows.get(told.key)
        if row is None:
            self._judge(told)
        elif row.digest != told.digest:
            self._again.append(told)
            if is_in_other_version(told, row.version, _asked_sum(row.known)):
                return
            if all(each.code != "cdr_told_otherwise" for each in row.codes):
                row.codes = (*row.codes, phrase("cdr_told_otherwise"))
                row.judged = verdict_of(row.codes)
                if not row.is_decided:
                    row.verdict = row.judged
                self._changed[told.key] = row

    def _judge(self, told: ToldCdr) -> None:
        found = judge_cdr(told, self._around(told), self._repricer)
        self.judged.append(found.verdict)
        cdr = told.cdr
        known = CdrBefore(
            id=told.id,
            key=told.key,
            is_credit=found.is_credit,
            credited_by=None,
            currency=found.currency,
            net=told.net,
            tax=told.tax,
            energy=told.energy,
            started_at=cdr.starts_at if cdr else None,
            ended_at=cdr.ends_at if cdr else None,
            subject=told.subject,
            session_key=told.session_key,
        )
        row = CdrRow(known, told.digest, found.verdict, found.verdict, found.codes, found.credits)
        row.told, row.found, row.at, row.version = told, found, told.at, told.version
        row.zone = self._zones.get(told.key)
        self._rows[told.key] = self._changed[told.key] = row
        if found.is_credit:
            self._credit(row, is_valid=found.verdict is not CdrVerdict.DISPUTED)
            if told.credits_key is not None and told.credits_key not in self._rows:
                row.waits_for = told.credits_key
            elif found.credits is None and cdr is not None and not cdr.is_credit:
                row.waits_for = told.charge_key
            return
        for credit in self._waiting.pop(told.key, ()):
            self._judge_again(credit, row)
        self._take_back_unnamed(told, row)
        known = row.known
        if known.credited_by is not None:
            return
        if cdr is None:  # nobody can say what it bills
            return
        if known.session_key is not None:
            other = self._bills.get(known.session_key)
            if other is None or known.key < other.key:
                self._bills[known.session_key] = known
        if known.subject is not None:
            self._new.setdefault(known.subject, []).append(known)

    def _take_back_unnamed(self, told: ToldCdr, row: CdrRow) -> None:
        """Let a negative CDR of 2.1.1 that came first take it back: one alone, and the first."""
        key = told.charge_key
        if key is None or (told.net or 0) < 0:
            return
        waiting = self._waiting.get(key, [])
        while waiting and row.known.credited_by is None:
            self._judge_again(waiting.pop(0), row)

    def _judge_again(self, credit: CdrRow, original: CdrRow) -> None:
        """Judge a credit that came before the CDR that it names; a person's word stays."""
        # Another one of them may be in mind already.
        credit = self._rows.setdefault(credit.known.key, credit)
        credit.codes = judge_waiting(credit.known, credit.codes, original.known)
        credit.judged = verdict_of(credit.codes)
        if not credit.is_decided:
            credit.verdict = credit.judged
        credit.credits, credit.waits_for = original.known.id, None
        self._changed[credit.known.key] = credit
        self._credit(credit, is_valid=credit.verdict is not CdrVerdict.DISPUTED)

    def _credit(self, row: CdrRow, *, is_valid: bool) -> None:
        """Note at what *row* takes back that it is taken back, or no more."""
        if row.credits is None:
            return
        key = row.credits.casefold()
        if key not in self._rows:  # what a negative CDR of 2.1.1 takes back, it does not name
            self._rows |= self._books.by_key([key])
        original = self._rows.get(key)
        if original is None:
            return
        by = original.known.credited_by
        if is_valid and by is None:
            original.known = original.known._replace(credited_by=row.known.id)
        elif not is_valid and by == row.known.id:
            original.known = original.known._replace(credited_by=None)
        else:
            return
        self._changed[original.known.key] = original
        self._judge_siblings(original)

    def _judge_siblings(self, original: CdrRow) -> None:
        """Judge again who bills the same as *original*, which counts no more, or again."""
        if original.known.is_credit:
            return
        found = [
            self._rows.setdefault(e.known.key, e) for e in self._books.siblings(original.known)
        ]
        every = sorted([*found, original], key=_by_place)
        behind = next(place for place, row in enumerate(every) if row is original) + 1
        for place, row in enumerate(every[behind:], behind):
            before = [each.known for each in every[:place] if each.known.counts]
            codes = judge_beside(row.known, row.codes, original.known, before)
            if codes is None:
                continue
            row.codes, row.judged = codes, verdict_of(codes)
            if not row.is_decided:
                row.verdict = row.judged
            self._changed[row.known.key] = row

    def _around(self, told: ToldCdr) -> CdrSurroundings:
        cdr = told.cdr
        if cdr is None:
            return CdrSurroundings()
        partner = self._declared.partner(self._party, told.received_at)
        named = told.credits_key
        original = None if named is None else self._rows.get(named)
        session = self._sessions.get(told.session_key) if told.session_key else None
        key = told.session_key
        return CdrSurroundings(
            original=None if original is None else original.known,
            of_session=None if key is None else self._bills.get(key),
            at_once=self._touching(told),
            session=None if session is None else session.known,
            published=self._published(told),
            zone=self._zones.get(told.key),
            is_ours=self._is_ours(told),
            takes_negative=partner is not None
            and partner.old_corrections is OldCorrections.NEGATIVE_CDR,
        )

    def _touching(self, told: ToldCdr) -> list[CdrBefore]:
        """Return the CDRs of the same token that touch its time, as the table would give them."""
        found = self._at_once[id(told)]
        cdr = told.cdr
        if told.subject is None or cdr is None or told.subject not in self._new:
            return found
        found = list(found)
        for other in self._new[told.subject]:
            assert other.started_at is not None
            assert other.ended_at is not None
            if other.ended_at >= cdr.starts_at and other.started_at <= cdr.ends_at:
                insort(found, other, key=lambda each: (each.ended_at, each.key))
        return found[:AT_ONCE_MAX]

    def _published(self, told: ToldCdr) -> list[CompiledTariff]:
        return [self._tariffs[each] for each in _asked(told) if each in self._tariffs]

    def _is_ours(self, told: ToldCdr) -> bool:
        if told.subject is None or told.cdr is None:
            return False
        token = self._declared.token(told.subject, told.cdr.starts_at)
        return token is not None and token.kind is not TokenKind.ROAMING

    def _session(self, told: ToldSession) -> None:
        row = self._sessions.get(told.key)
        if row is None:
            row = self._sessions[told.key] = PartnerSessionRow(told.id)
        before, now = row.last_updated, told.last_updated
        if before is not None and now is not None and is_late(before, now, told.received_at):
            return  # it was overtaken
        for column, value in told.said.items():
            setattr(row, column, value)
        row.last_updated = told.last_updated or row.last_updated
        row.at, row.received_at = told.at, told.received_at
        self._changed_sessions[told.key] = row

    def _choose(self, told: CdrChoice) -> None:
        row = self._rows.get(told.key)
        if row is None:
            return
        row.verdict = CdrVerdict.ACCEPTED if told.is_accepted else CdrVerdict.DISPUTED
        row.is_decided, row.decision = True, (told.received_at, told.by, told.reason)
        self._changed[told.key] = row
        if row.known.is_credit:
            self._credit(row, is_valid=told.is_accepted)


def _by_place(row: CdrRow) -> Position:
    assert row.at is not None, row.known.id
    return row.at


def _asked_sum(known: CdrBefore) -> AskedSum:
    return AskedSum(
        known.currency, known.net, known.energy, known.started_at, known.ended_at, known.tax
    )


def _asked(told: ToldCdr) -> list[TariffAsked]:
    """Return which tariffs a CDR names or brings, each once, as of its start."""
    if told.cdr is None:
        return []
    named = [period.tariff_id for period in told.cdr.periods if period.tariff_id is not None]
    named += [tariff.id for tariff in told.cdr.tariffs]
    unique = dict.fromkeys(each.casefold() for each in named if is_an_id(each))
    return [TariffAsked(each, told.cdr.starts_at, told.received_at) for each in unique]
