"""Makes CDRs as decisions come: a follower of the feed, each page and its CDRs in one transaction.

A partner that is not declared yet, or a price that no version can say, leaves a row on the list of
refused ones, and is tried again whenever something new is declared. Nothing that one session or one
partner brings stops the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple

import msgspec
from msgspec.structs import replace
from psycopg import Connection

from ledger.books.feed import FeedEntry
from ledger.declared.declarations import Declarations
from ledger.declared.store import NewestDeclarations
from ledger.rating.decisions import (
    DecisionKind,
    PayerKind,
    SessionRated,
    SessionRevision,
    decode_decision,
)
from ledger.rating.stored import PACKING
from roaming_ocpi.cdrs.drafting import CdrDrafter, RefusedDraft, is_for_partner
from roaming_ocpi.cdrs.made import CdrKind, MadeCdr
from roaming_ocpi.cdrs.sequel import sequel
from roaming_ocpi.cdrs.store import (
    RefusedCdr,
    add_cdrs,
    cdrs_of,
    last_of,
    lock_cdrs,
    refuse,
    refused_cdrs,
    revision_of,
    settle_refused,
)

_KINDS: Final = frozenset({DecisionKind.RATED, DecisionKind.RELEASED, DecisionKind.CORRECTED})
_AGAIN_MAX: Final = 500
_BODIES: LiteralString = """
SELECT decision.session_id, decision.revision, decision.body
FROM unnest(%b::text[], %b::integer[]) WITH ORDINALITY AS wanted (session_id, revision, place)
JOIN session_decision AS decision USING (session_id, revision)
WHERE decision.kind IN ('rated', 'released', 'corrected') ORDER BY wanted.place
"""


class _GlancedPayer(msgspec.Struct):
    kind: PayerKind


class _Glance(msgspec.Struct):
    """As much of a rating as says whether it is about a partner at all."""

    payer: _GlancedPayer
    revision: int


_GLANCE: Final = msgspec.json.Decoder(_Glance)

Told = Callable[[Connection[Any], Sequence[MadeCdr]], None]


def _tell_nobody(connection: Connection[Any], made: Sequence[MadeCdr]) -> None:
    del connection, made


class _Plan(NamedTuple):
    """What one transaction adds, in order; refused sessions by id, None: refused no more."""

    added: list[MadeCdr]
    refused: dict[str, RefusedDraft | None]


class CdrMaker:
    """A follower of the feed. *tell* hears of new CDRs in the transaction that adds them."""

    name = "cdrs"

    def __init__(self, now: Callable[[], datetime], tell: Told = _tell_nobody) -> None:
        self._now, self._tell = now, tell
        self._newest, self._drafter = NewestDeclarations(), CdrDrafter()
        self._tried_with = 0

    def follow(self, connection: Connection[Any], page: Sequence[FeedEntry]) -> None:
        """Make the CDRs of a page of decisions, within the caller's transaction."""
        declared = self._newest.of(connection)
        revisions = [
            SessionRevision(each.subject, each.revision) for each in page if each.kind in _KINDS
        ]
        if revisions:
            self._make(connection, declared, revisions)
        if declared.version != self._tried_with:
            self.try_again(connection)

    def try_again(self, connection: Connection[Any]) -> int:
        """Make the CDRs of refused sessions that can be made by now; return how many were.

        Within the caller's transaction, or one by one.
        """
        declared = self._newest.of(connection)
        made, after = 0, ""
        while refused := refused_cdrs(connection, after=after, limit=_AGAIN_MAX):
            after = refused[-1].session_id
            with connection.transaction():
                made += self._make(
                    connection, declared, [revision_of(each) for each in refused], is_again=True
                )
        self._tried_with = declared.version
        return made

    def _make(
        self,
        connection: Connection[Any],
        declared: Declarations,
        revisions: Sequence[SessionRevision],
        *,
        is_again: bool = False,
    ) -> int:
        """Make the CDRs of decisions, in their order; return how many rows that added."""
        ratings = ratings_of(connection, revisions)
        if not ratings:
            return 0
        # Before anything is read that another maker may be about to add.
        lock_cdrs(connection)
        at = self._now()
        history = cdrs_of(connection, {each.session_id for each in ratings})
        plan = _Plan([], {})
        for rated in ratings:
            of_session = history.setdefault(rated.session_id, [])
            if not _is_done(of_session, rated.revision, is_again=is_again):
                self._plan(declared, rated, of_session, at, plan)
        numbered = _numbered(connection, plan.added)
        add_cdrs(connection, numbered)
        _keep_refused(connection, plan, {each.session_id: each for each in ratings}, at)
        if numbered:
            self._tell(connection, numbered)
        return len(numbered)

    def _plan(
        self,
        declared: Declarations,
        rated: SessionRated,
        history: list[MadeCdr],
        at: datetime,
        plan: _Plan,
    ) -> None:
        draft = None
        plan.refused[rated.session_id] = None
        if is_for_partner(rated) and not rated.is_given_back:
            drafted = self._drafter.draft(declared, rated)
            if isinstance(drafted, RefusedDraft):
                plan.refused[rated.session_id] = drafted
            else:
                draft = drafted
        added = sequel(history, rated, draft, at)
        history.extend(added)
        plan.added.extend(added)


def ratings_of(
    connection: Connection[Any], revisions: Sequence[SessionRevision]
) -> list[SessionRated]:
    """Return those decisions that a partner owes, or that may take a CDR back."""
    columns = [each.session_id for each in revisions], [each.revision for each in revisions]
    found = []
    for _, _, packed in connection.execute(_BODIES, columns):
        body = PACKING.unpack(packed)
        glance = _GLANCE.decode(body)
        # Of a first rating that is no partner's, most of them, nothing more is read.
        if glance.payer.kind is PayerKind.PARTNER or glance.revision > 1:
            decision = decode_decision(body)
            assert isinstance(decision, SessionRated)
            found.append(decision)
    return found


def _is_done(history: Iterable[MadeCdr], revision: int, *, is_again: bool) -> bool:
    """Whether a decision had its effect already: a page may come twice, or a partition late."""
    return any(
        each.revision >= revision and (each.kind is CdrKind.CDR or not is_again) for each in history
    )


def _numbered(connection: Connection[Any], added: Sequence[MadeCdr]) -> list[MadeCdr]:
    """Return *added* with the next numbers of their partners, and times that never go back."""
    known = last_of(connection, {each.party for each in added}) if added else {}
    numbers = {party: last.number for party, last in known.items()}
    numbered = []
    for each in added:
        number = numbers[each.party] = numbers.get(each.party, 0) + 1
        last = known.get(each.party)
        at = max(each.made_at, last.made_at) if last else each.made_at
        numbered.append(replace(each, number=number, made_at=at))
    return numbered


def _keep_refused(
    connection: Connection[Any], plan: _Plan, ratings: dict[str, SessionRated], at: datetime
) -> None:
    done = [session for session, refused in plan.refused.items() if refused is None]
    if done:
        settle_refused(connection, done)
    refuse(
        connection,
        [
            RefusedCdr(session, ratings[session].revision, *refused, at)
            for session, refused in plan.refused.items()
            if refused is not None
        ],
    )
