"""Asking a partner whether its token may charge: the port, and what its answer comes to.

    whitelist          list fresh                 list old or unknown        partner silent
    ALWAYS             the list, nobody is asked  the list                   -
    ALLOWED            the list                   the partner                the list
    ALLOWED_OFFLINE    the partner                the partner                the list
    NEVER              the partner                the partner                `when_silent`

A token that a fresh list says is not valid is blocked without asking. Where there is no way to ask
(no registration, no such endpoint), the list decides, and one of NEVER is refused as unasked. A
token that nobody told of is asked about only with partners of which that is declared
(`RealTime.unknown_tokens`), for a uid does not say whose it is.

`ingest` asks through `TokenAsker`; `roaming_ocpi.tokens` implements it.
Source: OCPI 2.2.1, mod_tokens, 12.1.3 and WhitelistType.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Literal, NamedTuple, Protocol

from ledger.partners.tokens import ToldToken, Whitelist

REMEMBERED: Final = timedelta(minutes=10)
"""So long a station may remember what a partner answered: the next use asks again."""

Word = Literal["accepted", "blocked", "expired", "invalid", "unasked", "elsewhere", "untimely"]
"""What a token was found to be, in the words of `ledger.log.authorization`."""
Asking = Literal["answered", "silent", "commanded"]
"""How a partner was asked, in the same words."""


class AskedAnswer(StrEnum):
    """What came of asking a partner. Source: OCPI 2.2.1, mod_tokens, AllowedType; the last four."""

    ALLOWED = "allowed"
    BLOCKED = "blocked"
    EXPIRED = "expired"
    NO_CREDIT = "no_credit"
    NOT_ALLOWED = "not_allowed"
    """Not at this location."""
    UNKNOWN = "unknown"
    """The partner has no such token."""
    SILENT = "silent"
    """It did not answer in time, or not so that it can be used."""
    NO_WAY = "no_way"
    """It cannot be asked: not registered, or it offers no such thing."""


class AskingTerms(NamedTuple):
    """How a partner is asked, as it is declared: see `RealTime` of its master data.

    `hub`: the party through which it is reached. `list_max_age`: older than that, what its list
    says of a token counts only while it is silent.
    """

    seconds: float
    accepts_silence: bool
    list_max_age: timedelta
    hub: str | None = None


class ShownToken(NamedTuple):
    """A token that a station asks about: its subject id, and where it is shown."""

    subject: str
    station_id: str
    site: str


class AskedToken(NamedTuple):
    """What a partner answered: `reference` is its name for the permission.

    `contract` is sealed for the token's subject, None where it named none. `is_commanded`: nobody
    asked, for the partner itself had this token's session started here, just now.
    """

    party: str
    answer: AskedAnswer
    reference: str | None = None
    contract: str | None = None
    is_commanded: bool = False


class FoundToken(NamedTuple):
    """What a partner's token is found to be, and whether it was asked: None, it was not."""

    status: Word
    asked: Asking | None = None
    reference: str | None = None
    contract: str | None = None


class TokenAsker(Protocol):
    """Asks partners about tokens. It never raises, and is never slower than the time-out."""

    async def ask(self, party: str, terms: AskingTerms, shown: ShownToken) -> AskedToken:
        """Ask a partner about a token that it told us of."""

    async def ask_each(
        self, partners: Mapping[str, AskingTerms], shown: ShownToken
    ) -> AskedToken | None:
        """Ask some partners at once whose a token is that nobody told us of; None: nobody's."""


_WORDS: Final[dict[AskedAnswer, Word]] = {
    AskedAnswer.ALLOWED: "accepted",
    AskedAnswer.BLOCKED: "blocked",
    AskedAnswer.EXPIRED: "expired",
    AskedAnswer.NO_CREDIT: "blocked",
    AskedAnswer.NOT_ALLOWED: "elsewhere",
    AskedAnswer.UNKNOWN: "invalid",
}


def needs_asking(told: ToldToken, terms: AskingTerms, at: datetime) -> bool:
    """Say whether the partner is to be asked about a token that it *told* us of."""
    if told.whitelist is Whitelist.ALWAYS:
        return False
    is_fresh = told.fresh_at is not None and at - told.fresh_at <= terms.list_max_age
    if not told.may_be_asked(at):
        return not is_fresh
    return not is_fresh or told.whitelist is not Whitelist.ALLOWED


def found_in_list(told: ToldToken, at: datetime) -> FoundToken:
    """Return what a token is found to be by what was *told*, its partner not being asked."""
    if not told.is_valid:
        return FoundToken("blocked")
    if told.whitelist is Whitelist.NEVER:
        return FoundToken("unasked")
    return FoundToken("accepted" if told.may_be_asked(at) else "expired")


def found_by_asking(
    asked: AskedToken, told: ToldToken | None, terms: AskingTerms, at: datetime
) -> FoundToken:
    """Return what a token is found to be after its partner was *asked*."""
    word = _WORDS.get(asked.answer)
    if word is not None:
        how: Asking = "commanded" if asked.is_commanded else "answered"
        return FoundToken(word, how, asked.reference, asked.contract)
    if told is None:
        return FoundToken("invalid")
    found = found_in_list(told, at)
    if asked.answer is AskedAnswer.NO_WAY:
        return found
    if found.status == "unasked":
        accepts = terms.accepts_silence and told.may_be_asked(at)
        return FoundToken("accepted" if accepts else "unasked", "silent")
    return found._replace(asked="silent")
