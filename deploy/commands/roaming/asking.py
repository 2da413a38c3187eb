"""`wattledger partner start|stop|unlock|reserve|cancel`: commands to a partner's stations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from roaming_ocpi.commands.requests import CommandKind
    from roaming_ocpi.commands.sender import AskedCommand
    from roaming_ocpi.registration.handshake import Handshaker
    from roaming_ocpi.registration.link import Link

    SayIn = Callable[[Link], Mapping[str, Any]]

WAIT_SECONDS: Final = 60.0
Wait = Annotated[float, Parameter(validator=Number(gte=0, lte=900))]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AtPlace:
    """Where, by the partner's ids."""

    evse: str | None = None
    """The EVSE's uid in the partner's location."""

    connector: str | None = None
    """The connector's id; from OCPI 2.2.1 on."""


ANYWHERE: Final = AtPlace()


def start(
    party: str,
    location: str,
    *,
    token: str,
    place: AtPlace = ANYWHERE,
    wait: Wait = WAIT_SECONDS,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Start a session of a driver of ours at a partner's station, and wait for it.

    Exits 1 where the partner or the station did not do it, or nothing was told in time. The running
    system hears the result.

    Args:
        party: The partner with the station, NL-TNM.
        location: The location's id, as the partner told it.
        token: The uid of the driver's token, one of ours.
        place: Where.
        wait: Seconds to wait for the station; 0 does not wait.
        folder: Where.
    """
    from roaming_ocpi.commands.bodies import PartnerPlace, start_body
    from roaming_ocpi.commands.requests import CommandKind

    at = PartnerPlace(location, place.evse, place.connector)
    write = _token_writer(party, token, folder)
    return _ask(
        party,
        CommandKind.START_SESSION,
        lambda link: start_body(at, write(link), link.version),
        wait,
        folder,
    )


def stop(
    party: str, session: str, *, wait: Wait = WAIT_SECONDS, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Stop a session of a driver of ours at a partner's station.

    Args:
        party: The partner with the station.
        session: The session's id, as the partner tells it.
        wait: Seconds to wait for the station; 0 does not wait.
        folder: Where.
    """
    from roaming_ocpi.commands.requests import CommandKind

    return _ask(party, CommandKind.STOP_SESSION, lambda _: {"session_id": session}, wait, folder)


def unlock(
    party: str,
    location: str,
    evse: str,
    connector: str,
    *,
    wait: Wait = WAIT_SECONDS,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Have a partner let go of a plug that its station holds fast.

    Args:
        party: The partner with the station.
        location: The location's id.
        evse: The EVSE's uid.
        connector: The connector's id.
        wait: Seconds to wait for the station; 0 does not wait.
        folder: Where.
    """
    from roaming_ocpi.commands.bodies import PartnerPlace
    from roaming_ocpi.commands.requests import CommandKind

    at = PartnerPlace(location, evse, connector)
    return _ask(party, CommandKind.UNLOCK_CONNECTOR, lambda _: at.said(), wait, folder)


def reserve(
    party: str,
    location: str,
    *,
    token: str,
    evse: str | None = None,
    minutes: Annotated[int, Parameter(validator=Number(gte=1, lte=1_440))] = 15,
    reservation: str | None = None,
    wait: Wait = WAIT_SECONDS,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Reserve a partner's station for a driver of ours.

    The same reservation again changes it.

    Args:
        party: The partner with the station.
        location: The location's id.
        token: The uid of the driver's token, one of ours.
        evse: The EVSE's uid.
        minutes: For how long.
        reservation: Its id, a number in OCPI 2.1.1 (default: a new one, which is shown).
        wait: Seconds to wait for the station; 0 does not wait.
        folder: Where.
    """
    from datetime import timedelta

    from deploy.clock import SystemClock
    from roaming_ocpi.commands.bodies import PartnerPlace, new_reservation, reserve_body
    from roaming_ocpi.commands.requests import CommandKind

    write, at = _token_writer(party, token, folder), PartnerPlace(location, evse)
    until = SystemClock().now() + timedelta(minutes=minutes)

    def said(link: Link) -> Mapping[str, Any]:
        named = reservation or new_reservation(link.version)
        return reserve_body(at, write(link), named, until, link.version)

    return _ask(party, CommandKind.RESERVE_NOW, said, wait, folder)


def cancel(
    party: str, reservation: str, *, wait: Wait = WAIT_SECONDS, folder: ReadingFolder = READ_FOLDER
) -> int:
    """Take a reservation at a partner's station back.

    OCPI 2.1.1 has no such command.

    Args:
        party: The partner with the station.
        reservation: Its id, as `partner reserve` showed it.
        wait: Seconds to wait for the station; 0 does not wait.
        folder: Where.
    """
    from roaming_ocpi.commands.bodies import cancel_body
    from roaming_ocpi.commands.requests import CommandKind

    return _ask(
        party,
        CommandKind.CANCEL_RESERVATION,
        lambda link: cancel_body(reservation, link.version),
        wait,
        folder,
    )


def _token_writer(
    party: str, uid: str, folder: ReadingFolder
) -> Callable[[Link], Mapping[str, Any]]:
    """Return how a token of ours is written over a link.

    Raises:
        DeployError: If it is none that may charge at the partner. The uid is not repeated.
    """
    from deploy.clock import SystemClock
    from ledger.declared.store import load_declarations
    from roaming_ocpi.registration.terms import terms_of
    from roaming_ocpi.tokens.own_tokens import ALLOWED, Issuer, find_own_token, token_object

    now = SystemClock().now()
    with opened(folder.settings()) as connection:
        declared = load_declarations(connection)
        terms = terms_of(declared, party, now)
        found = find_own_token(uid, terms.partner.legal_entity, declared, now, connection)
    if found is None or found.allowed != ALLOWED:
        why = "is none that partners know" if found is None else f"may not: {found.allowed}"
        message = f"the token {why} (docs/roaming.md, Our drivers' tokens)"
        raise DeployError(message)

    def write(link: Link) -> Mapping[str, Any]:
        issuer = Issuer(link.our_party, terms.us.name)
        written = token_object(found.own, found.uid, issuer, link.version)
        if written is None:
            message = "the token's uid is none that OCPI can say"
            raise DeployError(message)
        return written

    return write


def _ask(party: str, kind: CommandKind, said: SayIn, wait: float, folder: ReadingFolder) -> int:
    """Give a partner a command, show what came of it, and return the code."""
    from deploy.roaming.partner_way import with_partners

    told: dict[str, Any] = {}

    async def asked(ours: Handshaker) -> AskedCommand:
        from roaming_ocpi.commands.sender import CommandsSender
        from roaming_ocpi.registration.link import LinkState
        from roaming_ocpi.registration.links import link_of
        from roaming_ocpi.registration.terms import terms_of

        terms = terms_of(await ours.declared(), party, ours.now())
        link = await link_of(ours.database, party, hub=terms.partner.hub)
        if link is None or link.state is not LinkState.REGISTERED:
            message = f"{party} is not registered, or paused: `wattledger partner show {party}`"
            raise DeployError(message)
        body = said(link)
        told["reservation"] = body.get("reservation_id")
        sender = CommandsSender(ours.database, ours.client, ours.address)
        return await sender.ended(await sender.ask(link, kind, body), wait)

    came = with_partners(folder.settings(), asked, tells_address=True)
    if folder.json:
        print_json({"partner": party, "command": kind, **came._asdict(), **told})
    else:
        say(*_lines(came, told["reservation"], wait))
    is_awaited = came.is_taken and came.result is None and not wait
    return 0 if is_awaited or came.result == "ACCEPTED" else 1


def _lines(came: AskedCommand, reservation: object, wait: float) -> list[str]:
    lines = [f"{came.party}: {came.kind} was answered {came.answer}"]
    if reservation is not None:
        lines.append(f"  reservation  {reservation}")
    if came.result is not None:
        lines.append(f"  the station  {came.result}")
    elif came.is_taken and wait:
        lines.append(
            f"  the station  nothing was told within {wait:g} s: the partner posts it to the "
            "running system (`wattledger up`); is that where it was told?"
        )
    return lines
