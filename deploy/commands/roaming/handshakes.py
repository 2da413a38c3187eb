"""`wattledger partner register|pause|resume|revoke`: what becomes of the link with a partner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.text_files import FromStdin, read_secret
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from roaming_ocpi.registration.handshake import Handshaker
    from roaming_ocpi.registration.link import LinkState


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Beginning:
    """How a handshake begins."""

    invite: Annotated[bool, Parameter(negative=())] = False
    """Make a token for the partner to begin with; an earlier one holds no more."""

    hours: Annotated[int, Parameter(validator=Number(gte=1, lte=8_760))] = 168
    """How long the invitation holds."""

    token: str | None = None
    """The token that the partner gave; everybody on this machine sees a command line."""

    token_stdin: FromStdin = False
    """Read that token from standard input."""

    url: str | None = None
    """Where the partner's versions are (default: as declared, versions_url)."""

    renew: Annotated[bool, Parameter(negative=())] = False
    """Give the partner a new token, and get one."""


BEGINNING: Final = Beginning()


def register(
    party: str,
    *,
    beginning: Beginning = BEGINNING,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Do the handshake with a partner: invite it, go to it, or renew the tokens.

    Either side begins it. With --invite the partner does: it is given a token (TOKEN_A), shown this
    once, and our address. With --token-stdin or --token we do, by the token that it gave us. With
    --renew the tokens of a link that there is are replaced, and it moves to the best version that
    both speak by now; until the new ones are used the old ones hold.

    Args:
        party: The partner, as declared.
        beginning: How.
        by: Who does it (default: your login).
        folder: Where.
    """
    has_token = beginning.token is not None or beginning.token_stdin
    if sum((beginning.invite, beginning.renew, has_token)) != 1:
        message = "say one of --invite (it comes to us), --token-stdin or --token, --renew"
        raise DeployError(message)
    who = acting(by)
    if beginning.invite:
        return _invite(party, beginning.hours, who, folder)
    secret = None if beginning.renew else beginning.token or read_secret()
    return _exchange(party, secret, beginning.url, who, folder)


def pause(
    party: str, *, reason: str = "", by: str | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Send a partner nothing for now; what it asks is answered, and what is due waits.

    Args:
        party: The partner.
        reason: Why; it stands in what changed.
        by: Who does it (default: your login).
        folder: Where.
    """
    from roaming_ocpi.registration.link import LinkState

    return _move(party, LinkState.PAUSED, reason or "paused", acting(by), folder)


def resume(
    party: str, *, reason: str = "", by: str | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Go on with a partner that was paused.

    Args:
        party: The partner.
        reason: Why; it stands in what changed.
        by: Who does it (default: your login).
        folder: Where.
    """
    from roaming_ocpi.registration.link import LinkState

    return _move(party, LinkState.REGISTERED, reason or "resumed", acting(by), folder)


def revoke(
    party: str, *, reason: str = "", by: str | None = None, folder: ReadingFolder = READ_FOLDER
) -> int:
    """End the link with a partner: no token of either side holds any more.

    The partner is told, if it can be reached; here it holds in any case, at once.

    Args:
        party: The partner.
        reason: Why; it stands in what changed.
        by: Who does it (default: your login).
        folder: Where.
    """
    from deploy.roaming.partner_way import with_partners
    from roaming_ocpi.registration.sending import end

    who = acting(by)
    ended = with_partners(
        folder.settings(), lambda ours: end(ours, party, by=who, why=reason or "revoked")
    )
    if folder.json:
        print_json({"partner": party, "revoked": True, "untold": ended.untold})
    else:
        told = "it was told" if ended.untold is None else f"it could not be told: {ended.untold}"
        say(f"{party} is revoked; {told}")
    return 0


def _invite(party: str, hours: int, who: str, folder: ReadingFolder) -> int:
    from deploy.roaming.partner_way import with_partners
    from roaming_ocpi.registration.store import invite, new_token
    from roaming_ocpi.registration.terms import PartnerTerms, terms_of

    token = new_token()

    async def invited(ours: Handshaker) -> tuple[PartnerTerms, str]:
        terms = terms_of(await ours.declared(), party, ours.now())
        async with ours.database.connection() as database:
            await invite(database, party, token, hours=hours, at=ours.now(), by=who)
        return terms, ours.versions_url

    terms, address = with_partners(folder.settings(), invited, tells_address=True)
    if folder.json:
        print_json({"partner": party, "token": token, "url": address, "hours": hours})
        return 0
    say(
        f"Give {terms.partner.name}, over a way that is safe:",
        f"  versions  {address}",
        f"  token     {token}",
        f"The token is not shown again; it is for the handshake alone, and holds {hours} hours.",
    )
    return 0


def _exchange(
    party: str, secret: str | None, url: str | None, who: str, folder: ReadingFolder
) -> int:
    from deploy.roaming.partner_way import with_partners
    from roaming_ocpi.registration.sending import Registered, register, renew
    from roaming_ocpi.relay.state import outbox_state

    def told(step: str) -> None:
        if not folder.json:
            say(step)

    async def exchanged(ours: Handshaker) -> Registered:
        if secret is None:
            return await renew(ours, party, by=who, told=told)
        return await register(ours, party, secret, url, by=who, told=told)

    came = with_partners(folder.settings(), exchanged, tells_address=True)
    if folder.json:
        print_json(came._asdict())
        return 0
    say(
        f"{party} is registered, in OCPI {came.version}.",
        f"It offers {', '.join(came.modules)}.",
    )
    with opened(folder.settings()) as connection:
        outbox = outbox_state(connection, party)
    if outbox.waiting:
        say(f"What waited for it goes out now: {outbox.waiting} messages.")
    if outbox.dead:
        say(f"What it refused before does not: {outbox.dead}, `wattledger partner retry {party}`.")
    if not came.is_checked:
        say("It did not take the new token at once: look at `wattledger partner show` later.")
    return 0


def _move(party: str, state: LinkState, why: str, who: str, folder: ReadingFolder) -> int:
    from deploy.roaming.partner_way import with_partners
    from roaming_ocpi.registration.store import move

    async def moved(ours: Handshaker) -> None:
        async with ours.database.connection() as database:
            await move(database, party, state, at=ours.now(), by=who, why=why)

    with_partners(folder.settings(), moved)
    if folder.json:
        print_json({"partner": party, "state": state})
    else:
        say(f"{party} is {state}")
    return 0
