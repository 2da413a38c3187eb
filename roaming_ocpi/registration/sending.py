"""The handshake as we begin it, renew it, and end it.

What we offer is written before the partner hears of it, and lets it in from then on; what it had
holds until it used the new one. So a kill anywhere leaves each side a token that the other takes:
to begin again is all that is to be done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from msgspec.json import encode

from roaming_ocpi.client.answers import PartnerAnswer
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.registration.credentials import our_credentials, their_credentials
from roaming_ocpi.registration.handshake import Handshaker, TheirSide, get, their_side, unlinked
from roaming_ocpi.registration.link import Link
from roaming_ocpi.registration.links import link_of
from roaming_ocpi.registration.spelling import checked_token, spelt_token
from roaming_ocpi.registration.store import (
    Agreed,
    NotLinkedError,
    conclude,
    ends_of,
    forget,
    new_token,
    promise,
    revoke,
)
from roaming_ocpi.registration.terms import PartnerTerms, terms_of
from roaming_ocpi.registration.turns import alone_with
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId
from tariffs.ocpi.versions import OcpiVersion
from tariffs.phrases.phrase import bounded

SECONDS_MAX: Final = 30.0
"""Of the request that carries our credentials: the partner looks at our versions meanwhile."""
_CREDENTIALS: Final = (ModuleId.CREDENTIALS, InterfaceRole.SENDER)
Progress = Callable[[str], None]


class HandshakeFailedError(RoamingError):
    """A handshake that came to nothing, and what may be done about it."""


class Registered(NamedTuple):
    """What a handshake came to. `is_checked`: our new token was used once, and was taken."""

    partner: str
    version: OcpiVersion
    modules: tuple[str, ...]
    is_checked: bool


class Ended(NamedTuple):
    """A link that is no more; `untold` says why the partner could not be told, None: it was."""

    partner: str
    untold: str | None


async def register(
    ours: Handshaker, party: str, token: str, url: str | None, *, by: str, told: Progress
) -> Registered:
    """Register with *party* by the *token* of its invitation (TOKEN_A).

    Args:
        ours: What the handshake is done with.
        party: The partner, as declared.
        token: That it gave us.
        url: Where its versions are, None: where it is declared to have them.
        by: Who does it.
        told: Is told of each step.

    Raises:
        HandshakeFailedError: If it comes to nothing; what held before still does.
        HandshakeUnderWayError: If another one is not at its end.
        RoamingError: If the partner is not declared, or the token none.
    """
    terms = terms_of(await ours.declared(), party, ours.now())
    versions_url = url or terms.partner.versions_url
    if versions_url is None:
        message = f"{party} is declared without versions_url: say where it is, --url https://..."
        raise HandshakeFailedError(message)
    token = checked_token(token)
    async with alone_with(ours.database, party):
        steps = _Steps(terms, token, told, ends=await _ends(ours, party))
        return await _exchange(ours, steps, "POST", versions_url, by=by)


async def renew(ours: Handshaker, party: str, *, by: str, told: Progress) -> Registered:
    """Give *party* a new token and get a new one, in the best version that both speak by now.

    Raises:
        NotLinkedError: If it is not registered.
        HandshakeUnderWayError: If another one is not at its end.
        HandshakeFailedError: If it comes to nothing; what held before still does.
    """
    terms = terms_of(await ours.declared(), party, ours.now())
    async with alone_with(ours.database, party):
        ends = await _ends(ours, party)
        link, url = await link_of(ours.database, party), await _versions_url(ours, party)
        if link is None or url is None:
            raise NotLinkedError(party)
        steps = _Steps(terms, link.token, told, ends=ends, spoken=link.version)
        return await _exchange(ours, steps, "PUT", url, by=by)


async def end(ours: Handshaker, party: str, *, by: str, why: str) -> Ended:
    """Let no token of either side hold any more, and tell *party* so.

    Raises:
        NotLinkedError: If nothing was begun with it.
    """
    link = await link_of(ours.database, party)
    async with ours.database.connection() as database:
        await revoke(database, party, at=ours.now(), by=by, why=why)
    untold = None if link is None else await _farewell(ours, link)
    async with ours.database.connection() as database:
        await forget(database, party)
    return Ended(party, untold)


async def _farewell(ours: Handshaker, link: Link) -> str | None:
    url = link.endpoints.get(_CREDENTIALS)
    if url is None:
        return "it has no module for that"
    try:
        await ours.client.ask(link, "DELETE", url, timeout_s=SECONDS_MAX)
    except RoamingError as error:
        return str(error)
    return None


class _Steps:
    """The calls of one handshake, each with what is said of it before and when it fails."""

    def __init__(
        self,
        terms: PartnerTerms,
        token: str,
        told: Progress,
        *,
        ends: int,
        spoken: OcpiVersion | None = None,
    ) -> None:
        self.terms, self.token, self.told, self.spoken = terms, token, told, spoken
        self.ends = ends
        self.new_token = new_token()

    def failed(self, what: str, error: RoamingError) -> HandshakeFailedError:
        """Return what is said of a call that failed: the partner's words too, without a token."""
        answer = getattr(error, "answer", None)
        said = answer.message if isinstance(answer, PartnerAnswer) else None
        message = f"{what}: {error}"
        if said:
            for secret in (self.token, self.new_token):
                for spelt in (secret, spelt_token(secret, is_plain=False)):
                    said = said.replace(spelt, "(a token)")
            message += f"; it says {bounded(said)[:200]!a}"
        return HandshakeFailedError(message + self._advice(answer))

    def _advice(self, answer: PartnerAnswer | None) -> str:
        if answer is None or answer.http != 401:  # noqa: PLR2004 - HTTP's number
            return ""
        return (
            ". It does not know this token: perhaps it takes tokens as they are (plain_token: "
            'true, or versions: ["2.1.1"], of the partner), or the invitation is used or too old'
        )


async def _exchange(
    ours: Handshaker, steps: _Steps, method: str, versions_url: str, *, by: str
) -> Registered:
    terms, party = steps.terms, steps.terms.party
    steps.told(f"asking {party} for its versions")
    try:
        side = await their_side(ours.client, terms, steps.token, versions_url, spoken=steps.spoken)
    except RoamingError as error:
        what = f"the versions of {party} cannot be used"
        raise steps.failed(what, error) from None
    endpoint = side.endpoints.get(_CREDENTIALS)
    if endpoint is None:
        message = f"{party} names no credentials module in OCPI {side.version}: ask it for that"
        raise HandshakeFailedError(message)
    async with ours.database.connection() as database:
        new = steps.new_token
        await promise(database, party, new, ends=steps.ends, at=ours.now(), by=by)
    steps.told(f"OCPI {side.version}: sending our credentials")
    link = unlinked(terms, steps.token, side.version, versions_url)
    answer = await _sent(ours, steps, link, method, endpoint)
    theirs = _agreed(terms, side, answer)
    is_anew = method == "POST"
    async with ours.database.connection() as database:
        await conclude(
            database, party, theirs, ends=steps.ends, at=ours.now(), by=by, is_anew=is_anew
        )
    steps.told("checking that our new token is taken")
    is_checked = await _is_taken(ours, terms, theirs, endpoint)
    modules = sorted({str(module) for module, _ in side.endpoints})
    return Registered(party, side.version, tuple(modules), is_checked)


async def _sent(
    ours: Handshaker, steps: _Steps, link: Link, method: str, endpoint: str
) -> PartnerAnswer:
    body = our_credentials(steps.terms, link.version, steps.new_token, ours.versions_url)
    try:
        return await ours.client.ask(
            link, method, endpoint, body=encode(body), timeout_s=SECONDS_MAX
        )
    except RoamingError as error:
        what = f"{steps.terms.party} does not take our credentials"
        raise steps.failed(what, error) from None


def _agreed(terms: PartnerTerms, side: TheirSide, answer: PartnerAnswer) -> Agreed:
    try:
        theirs = their_credentials(answer.data, side.version, terms.party)
    except RoamingError as error:
        message = f"{terms.party} took our credentials, and its own cannot be used: {error}"
        raise HandshakeFailedError(message) from None
    return Agreed(
        our_party=terms.our_party,
        version=side.version,
        versions_url=theirs.url,
        endpoints=side.endpoints,
        parties=theirs.parties,
        token=theirs.token,
    )


async def _is_taken(ours: Handshaker, terms: PartnerTerms, theirs: Agreed, endpoint: str) -> bool:
    """Say whether the partner takes the token that it just gave; it ends the older one there."""
    try:
        link = unlinked(terms, theirs.token, theirs.version, theirs.versions_url)
        await get(ours.client, link, endpoint)
    except RoamingError:
        return False
    return True


async def _versions_url(ours: Handshaker, party: str) -> str | None:
    async with ours.database.connection() as database:
        found = await database.execute(
            "SELECT versions_url FROM roaming_link WHERE partner = %s", (party,)
        )
        row = await found.fetchone()
    return row[0] if row else None


async def _ends(ours: Handshaker, party: str) -> int:
    async with ours.database.connection() as database:
        return await ends_of(database, party)
