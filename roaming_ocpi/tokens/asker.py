"""Asks partners in real time whether a token may charge: the port of `ledger.partners.asking`.

    station shows 04AA     somebody asks for it already     the same answer
                           asked a moment ago, here         that answer (see below)
                           its partner had it started here  allowed, with the reference it gave
                           the partner is left alone        silent, at once
                           else                             POST .../tokens/04AA/authorize

An answer holds for one use: Authorize and the start that follows are one, so a permission is
remembered for two minutes for that station, and a refusal for twenty seconds for all of them: a
flood of one bad card is one question. What is remembered is bounded. Nothing here raises, and
nothing takes longer than the partner's time-out.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple, Protocol
from urllib.parse import quote

import msgspec
import psycopg

from ledger.errors import LedgerError
from ledger.partners.asking import AskedAnswer, AskedToken, AskingTerms, ShownToken
from ledger.partners.told_objects import ToldObject
from ledger.persons.sealing import seal
from roaming_ocpi.client.answers import PartnerRefusedError
from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.registration.link import Link, LinkState
from roaming_ocpi.tokens.pacing import PartnerGate
from roaming_ocpi.tokens.permissions import (
    TokenPermission,
    WhereShown,
    permission_in,
    refusal_in,
)
from roaming_ocpi.tokens.reading import RFID, kept_object
from roaming_ocpi.wire.ids import location_id
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId

ALLOWED_SECONDS: Final = 120.0
REFUSED_SECONDS: Final = 20.0
REMEMBERED_MAX: Final = 20_000
SECONDS_MAX: Final = 20.0
_ENDPOINT: Final = (ModuleId.TOKENS, InterfaceRole.SENDER)
_LOGGER: Final = logging.getLogger(__name__)

LinkOf = Callable[[str], Awaitable[Link | None]]


class ToldTokens(Protocol):
    """What is kept of tokens and their bearers."""

    async def told(self, party: str, subject_id: str) -> ToldObject | None:
        """Return a token's bearer and what *party* told of it, None if the bearer is erased."""

    async def commanded(self, party: str, shown: ShownToken) -> str | None:
        """Return the reference ("" if none) of a start here that *party* just had us make."""


class _Remembered(NamedTuple):
    asked: AskedToken
    until: float


_Key = tuple[str, str, str]


class RealTimeAsker:
    """Asks over *client*; *links* says how each partner is reached."""

    def __init__(self, *, client: PartnerClient, links: LinkOf, tokens: ToldTokens) -> None:
        self._client, self._links, self._tokens = client, links, tokens
        self._gates: dict[str, PartnerGate] = {}
        self._remembered: OrderedDict[_Key, _Remembered] = OrderedDict()
        self._asking: dict[_Key, asyncio.Task[AskedToken]] = {}

    async def ask(self, party: str, terms: AskingTerms, shown: ShownToken) -> AskedToken:
        """Ask a partner about a token that it told us of."""
        key = (party, shown.subject, shown.station_id)
        known = self._known(key)
        if known is not None:
            return known
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._answered(party, terms, shown))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        # A station that hangs up takes the question from nobody else.
        asked = await asyncio.shield(task)
        self._remember(key, asked)
        return asked

    async def ask_each(
        self, partners: Mapping[str, AskingTerms], shown: ShownToken
    ) -> AskedToken | None:
        """Ask some partners at once whose a token is that nobody told us of; None: nobody's.

        Of those that allow it the first by its name has it; else the first that knows it.
        """
        questions = [self.ask(party, terms, shown) for party, terms in sorted(partners.items())]
        known = [
            asked
            for asked in await asyncio.gather(*questions)
            if asked.answer not in (AskedAnswer.UNKNOWN, AskedAnswer.SILENT, AskedAnswer.NO_WAY)
        ]
        allowed = [asked for asked in known if asked.answer is AskedAnswer.ALLOWED]
        return next(iter([*allowed, *known]), None)

    async def _answered(self, party: str, terms: AskingTerms, shown: ShownToken) -> AskedToken:
        """Return the partner's answer, or that there is none, within the time-out."""
        try:
            async with asyncio.timeout(min(terms.seconds, SECONDS_MAX)):
                return await self._asked(party, terms, shown)
        except TimeoutError:
            return AskedToken(party, AskedAnswer.SILENT)
        except (psycopg.Error, RoamingError, LedgerError, ValueError) as error:
            _LOGGER.warning("%s was not asked about a token: %s", party, type(error).__name__)
            return AskedToken(party, AskedAnswer.SILENT)

    async def _asked(self, party: str, terms: AskingTerms, shown: ShownToken) -> AskedToken:
        reference = await self._tokens.commanded(party, shown)
        if reference is not None:
            return AskedToken(
                party, AskedAnswer.ALLOWED, reference=reference or None, is_commanded=True
            )
        link = await self._link(party, terms)
        if link is None:
            return AskedToken(party, AskedAnswer.NO_WAY)
        gate = self._gates.get(link.partner)
        if gate is None:
            gate = self._gates[link.partner] = PartnerGate(asyncio.get_running_loop().time)
        if not gate.enter(shown.station_id):
            return AskedToken(party, AskedAnswer.SILENT)
        answered = False
        try:
            # Through a hub the message is for the party itself (OCPI 2.2.1, 4.2.5).
            asked = await self._posted(party, link._replace(partner=party), shown)
            answered = asked.answer is not AskedAnswer.SILENT
        finally:
            gate.leave(shown.station_id, answered=answered)
        return asked

    async def _link(self, party: str, terms: AskingTerms) -> Link | None:
        """Return how a party is reached: by itself, or through its hub as that party."""
        link = await self._links(party)
        if link is None and terms.hub is not None:
            link = await self._links(terms.hub)
        if link is None or link.state is not LinkState.REGISTERED:
            return None
        return link if _ENDPOINT in link.endpoints else None

    async def _posted(self, party: str, link: Link, shown: ShownToken) -> AskedToken:
        told = await self._tokens.told(party, shown.subject)
        if told is None:
            return AskedToken(party, AskedAnswer.UNKNOWN)
        uid, kind = _spelling(told, link, party)
        # LocationReferences; which EVSE it is, a station does not say when it asks.
        body = msgspec.json.encode({"location_id": location_id(shown.site)})
        url = f"{link.endpoints[_ENDPOINT].rstrip('/')}/{quote(uid, safe='')}/authorize"
        try:
            answer = await self._client.ask(link, "POST", url, body=body, query={"type": kind})
        except PartnerRefusedError as error:
            return AskedToken(party, refusal_in(error))
        permission = permission_in(answer, uid, WhereShown(link.our_party, shown))
        return AskedToken(
            party, permission.answer, permission.reference, _sealed_contract(permission, told)
        )

    def _known(self, key: _Key) -> AskedToken | None:
        now = asyncio.get_running_loop().time()
        for each in (key, (*key[:2], "")):
            found = self._remembered.get(each)
            if found is not None and found.until > now:
                return found.asked
        return None

    def _remember(self, key: _Key, asked: AskedToken) -> None:
        if asked.answer in (AskedAnswer.SILENT, AskedAnswer.NO_WAY) or asked.is_commanded:
            return
        is_allowed = asked.answer is AskedAnswer.ALLOWED
        # What is refused at one place may be allowed at another.
        is_here = is_allowed or asked.answer is AskedAnswer.NOT_ALLOWED
        seconds = ALLOWED_SECONDS if is_allowed else REFUSED_SECONDS
        until = asyncio.get_running_loop().time() + seconds
        kept = key if is_here else (*key[:2], "")
        self._remembered[kept] = _Remembered(asked, until)
        self._remembered.move_to_end(kept)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)


def _spelling(told: ToldObject, link: Link, party: str) -> tuple[str, str]:
    """Return a token's uid and type as its partner spells them, where it told them."""
    if told.object is None:
        return told.spelt, RFID
    kept = kept_object(told.object, link.version, party)
    return str(kept.get("uid") or told.spelt), str(kept.get("type") or RFID)


def _sealed_contract(permission: TokenPermission, told: ToldObject) -> str | None:
    if permission.contract_id is None:
        return None
    return seal(told.subject, permission.contract_id)
