"""Tokens of partners as stations show them: by the list that was told, or by asking the partner.

Who shows tokens without end makes nobody wait: all that are shown at the same moment are looked up
with one statement. When a partner is asked, and what its answer comes to: `ledger.partners.asking`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from ingest.directory import AuthorizationStatus, Purpose, Showing, TokenAccess
from ingest.gathering import Connect, Gatherer
from ledger.declared.declarations import Declarations, Kind
from ledger.master_data.partners import Partner, SilentPartner
from ledger.partners.asking import (
    REMEMBERED,
    AskingTerms,
    FoundToken,
    ShownToken,
    TokenAsker,
    Word,
    found_by_asking,
    found_in_list,
    needs_asking,
)
from ledger.partners.tokens import LOOK_UP, ToldToken, asked_about, told_token

_STATUSES: Final[Mapping[Word, AuthorizationStatus]] = {
    "accepted": AuthorizationStatus.ACCEPTED,
    "blocked": AuthorizationStatus.BLOCKED,
    # Its `expires_at` says so, where the partner told one; else its answer does.
    "expired": AuthorizationStatus.EXPIRED,
    "invalid": AuthorizationStatus.INVALID,
    "unasked": AuthorizationStatus.INVALID,
    "elsewhere": AuthorizationStatus.NOT_HERE,
    "untimely": AuthorizationStatus.NOT_NOW,
}


class PartnerTokens:
    """What is known of tokens that no operator declared; without an *asker* the lists alone."""

    def __init__(self, connect: Connect, asker: TokenAsker | None = None) -> None:
        self._told: Gatherer[str, Sequence[Sequence[Any]]] = Gatherer(connect, _look_up)
        self._asker = asker

    async def find(
        self, subject_id: str, showing: Showing | None, known: Declarations, at: datetime
    ) -> TokenAccess | None:
        """Return what its partner says of a token, None where it is nobody's.

        With *showing* the partner may be asked, unless the token is shown to stop a session.
        """
        may_ask = showing is not None and showing.purpose is not Purpose.STOP
        asker = self._asker if may_ask else None
        rows = await self._told.ask(subject_id)
        told = told_token(rows, at, is_asked=self._asker is not None)
        if asker is None or showing is None:
            return None if told is None else _access(told.party, found_in_list(told, at), told, at)
        shown = ShownToken(subject_id, showing.station.station_id, showing.station.site)
        if told is None:
            return await self._nobody_s(asker, shown, known, at)
        terms = _terms(known.partner(told.party, at))
        if not needs_asking(told, terms, at):
            return _access(told.party, found_in_list(told, at), told, at)
        asked = await asker.ask(told.party, terms, shown)
        return _access(told.party, found_by_asking(asked, told, terms, at), told, at)

    async def close(self) -> None:
        """Close the connection."""
        await self._told.close()

    async def _nobody_s(
        self, asker: TokenAsker, shown: ShownToken, known: Declarations, at: datetime
    ) -> TokenAccess | None:
        """Return what is found of a token that nobody told of, by who is asked about such."""
        partners = {
            party: _terms(partner)
            for party in known.keys(Kind.PARTNER)
            if (partner := known.partner(party, at)) is not None
            and partner.real_time.unknown_tokens
        }
        asked = await asker.ask_each(partners, shown) if partners else None
        if asked is None:
            return None
        found = found_by_asking(asked, None, partners[asked.party], at)
        return _access(asked.party, found, None, at)


def _terms(partner: Partner | None) -> AskingTerms:
    """Return how a partner is asked; one that is declared no more is asked as by default."""
    declared = partner or _UNDECLARED
    real_time = declared.real_time
    return AskingTerms(
        seconds=real_time.timeout_ms / 1000,
        accepts_silence=real_time.when_silent is SilentPartner.ACCEPT,
        list_max_age=timedelta(hours=real_time.list_max_age_h),
        hub=declared.hub,
    )


_UNDECLARED: Final = Partner(name="", legal_entity="", roles=())


def _access(party: str, found: FoundToken, told: ToldToken | None, at: datetime) -> TokenAccess:
    status = _STATUSES[found.status]
    if found.status == "expired" and found.asked in (None, "silent"):
        status = AuthorizationStatus.ACCEPTED  # until `expires_at`, which is over
    return TokenAccess(
        status=status,
        # What the partner answered now goes before what its list said.
        expires_at=told.expires_at if told and found.asked in (None, "silent") else None,
        by="partner",
        party=party,
        contract=found.contract or (told.contract if told else None),
        is_unasked=found.status == "unasked",
        asked=found.asked,
        reference=found.reference,
        remembered_until=at + REMEMBERED if found.asked else None,
    )


async def _look_up(
    connection: psycopg.AsyncConnection, subject_ids: Sequence[str]
) -> Sequence[Sequence[Sequence[Any]]]:
    """Return the rows of LOOK_UP of each of *subject_ids*."""
    cursor = await connection.execute(LOOK_UP, asked_about(*subject_ids))
    found: defaultdict[str, list[Sequence[Any]]] = defaultdict(list)
    for row in await cursor.fetchall():
        found[row[-1]].append(row)
    return [found[subject_id] for subject_id in subject_ids]
