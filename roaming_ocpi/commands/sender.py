"""Commands that we give partners for our drivers, and the results that they post to us.

A command of ours has an id of its own at the end of the address for its result; a result counts
from the partner that was asked alone, or its hub, and the first one is kept.

Source: OCPI 2.1.1, mod_commands, 13.2.2; OCPI 2.2.1 and 2.3.0, mod_commands, 13.2.2, and
mod_charging_profiles, 14.2.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID, uuid4

from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.commands.kept import Pool
from roaming_ocpi.commands.requests import CommandKind
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.registration.link import Link
from roaming_ocpi.server.calls import (
    SINCE_2_2,
    Module,
    OcpiRefusedError,
    PartnerCall,
    Reply,
    Route,
)
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId, OurSide
from roaming_ocpi.wire.walls import encoded

_COMMANDS: Final = (ModuleId.COMMANDS, InterfaceRole.RECEIVER)
_WORD_MAX: Final = 40
_LOOK_SECONDS: Final = 0.2
_ADD: LiteralString = "INSERT INTO asked_command (id, party, kind) VALUES (%s, %s, %s)"
_ANSWER: LiteralString = "UPDATE asked_command SET answer = %s WHERE id = %s"
_RESULT: LiteralString = """
UPDATE asked_command SET result = coalesce(result, %s),
    result_at = coalesce(result_at, clock_timestamp())
WHERE id = %s AND party = ANY (%s) RETURNING true
"""
_READ: LiteralString = "SELECT party, kind, answer, result FROM asked_command WHERE id = %s"


class AskedCommand(NamedTuple):
    """A command of ours to a partner: what it answered at once, and what it told later."""

    party: str
    kind: str
    answer: str | None
    result: str | None

    @property
    def is_taken(self) -> bool:
        """Whether the partner does it, and a result is to come."""
        return self.answer == "ACCEPTED"


class NoCommandsError(RoamingError):
    """A partner that takes no commands."""

    def __init__(self, party: str) -> None:
        self.party = party
        super().__init__(f"{party} offers no module for commands: ask it to, or let it be")


class CommandsSender:
    """Gives commands over *client*; partners post results to *address* ("https://.../ocpi")."""

    def __init__(self, database: Pool, client: PartnerClient, address: str) -> None:
        self._database, self._client, self._address = database, client, address

    async def ask(self, link: Link, kind: CommandKind, body: Mapping[str, Any]) -> UUID:
        """Give a partner a command and return its id, under which `read` tells of it.

        Args:
            link: The partner.
            kind: A command, none of charging profiles.
            body: The command's object in the link's version, without `response_url`.

        Raises:
            NoCommandsError: If the partner takes none.
            RoamingError: As `PartnerClient.ask`.
        """
        endpoint = link.endpoints.get(_COMMANDS)
        if endpoint is None:
            raise NoCommandsError(link.partner)
        id_ = uuid4()
        await self._write(_ADD, (id_, link.partner, str(kind)))
        url = f"{self._address}/{OurSide.EMSP}/{link.version}/commands/{kind}/{id_}"
        text = encoded({**body, "response_url": url})
        answer = await self._client.ask(link, "POST", f"{endpoint.rstrip('/')}/{kind}", body=text)
        await self._write(_ANSWER, (_result_in(answer.data) or "UNREADABLE", id_))
        return id_

    async def read(self, id_: UUID) -> AskedCommand | None:
        """Return how far a command of ours is."""
        async with self._database.connection() as connection:
            row = await (await connection.execute(_READ, (id_,))).fetchone()
        return None if row is None else AskedCommand(*row)

    async def ended(self, id_: UUID, seconds: float) -> AskedCommand:
        """Return a command of ours once it has its result or gets none, at most *seconds* later."""
        limit = monotonic() + seconds
        while True:
            found = await self.read(id_)
            assert found is not None, "it was asked"
            if found.result is not None or not found.is_taken or monotonic() >= limit:
                return found
            await asyncio.sleep(_LOOK_SECONDS)

    def commands(self) -> Module:
        """Return where partners' CPOs post results."""
        return Module(
            identifier=ModuleId.COMMANDS,
            role=InterfaceRole.SENDER,
            side=OurSide.EMSP,
            routes=(Route("POST", "/{command}/{id}", self.post, "Tell a result.", has_body=True),),
        )

    def profiles(self) -> Module:
        """Return where partners' CPOs tell of charging profiles."""
        return Module(
            identifier=ModuleId.CHARGING_PROFILES,
            role=InterfaceRole.SENDER,
            side=OurSide.EMSP,
            routes=(
                Route("POST", "/{command}/{id}", self.post, "Tell a result.", has_body=True),
                Route("PUT", "/{session_id}", self.told, "Tell a profile.", has_body=True),
            ),
            versions=SINCE_2_2,
        )

    async def post(self, call: PartnerCall) -> Reply:
        """Keep a result."""
        word = _result_in(call.body)
        if word is None:
            message = f"result must be a word of at most {_WORD_MAX} letters"
            raise OcpiRefusedError.invalid(message)
        try:
            id_ = UUID(call.path["id"])
        except ValueError:
            id_ = None
        asked = (word, id_, sorted(call.caller.parties))
        if id_ is None or not await self._write(_RESULT, asked):
            message = "no command was asked of you under that address"
            raise OcpiRefusedError.not_found(message)
        return Reply()

    async def told(self, call: PartnerCall) -> Reply:
        """Take note of a profile: we set none, so there is nobody to tell it to."""
        if not isinstance(call.body, dict) or "charging_profile" not in call.body:
            message = "charging_profile is missing"
            raise OcpiRefusedError.invalid(message)
        return Reply()

    async def _write(self, statement: LiteralString, values: tuple[object, ...]) -> int:
        async with self._database.connection() as connection:
            return (await connection.execute(statement, values)).rowcount


def _result_in(body: object) -> str | None:
    """Return the word for a result; one that we do not know survives."""
    word = body.get("result") if isinstance(body, dict) else None
    if not isinstance(word, str) or not 0 < len(word) <= _WORD_MAX:
        return None
    return word if word.isascii() and word.replace("_", "").isalnum() else None
