"""What goes over the wire for a message of the outbox, as the rooms that make it see it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from psycopg import Connection

from ledger.database import is_of_content
from roaming_ocpi.registration.link import Link
from roaming_ocpi.relay.outcomes import Arrival, AttemptOutcome
from roaming_ocpi.relay.outgoing import MessageKind, Outgoing
from roaming_ocpi.wire.modules import InterfaceRole, ModuleId

_LOGGER: Final = logging.getLogger(__name__)

MODULES: Final[Mapping[MessageKind, ModuleId]] = {
    MessageKind.SESSION: ModuleId.SESSIONS,
    MessageKind.CDR: ModuleId.CDRS,
    MessageKind.CREDIT: ModuleId.CDRS,
    MessageKind.INVOICE: ModuleId.INVOICE_RECONCILIATION,
}
"""The partner's module that takes messages of a kind, as its receiver."""


class Prepared(NamedTuple):
    """A request. `path` goes on behind the endpoint's own.

    `notes` are codes of what the version cannot say. `seeks`: where the answer says where the
    object is, it is read back, and must have what the body has at these names.
    """

    method: str
    path: str
    body: bytes
    notes: tuple[str, ...] = ()
    seeks: tuple[str, ...] = ()


class MessageMaker(Protocol):
    """Makes what is sent of messages of one kind; the same message, the same bytes."""

    def make(
        self, connection: Connection[Any], messages: Sequence[Outgoing], link: Link
    ) -> Mapping[int, Prepared | AttemptOutcome]:
        """Return by its id what is sent of each message, or what came of it without that."""


def made_messages(
    connection: Connection[Any],
    makers: Mapping[MessageKind, MessageMaker],
    messages: Sequence[Outgoing],
    link: Link,
) -> dict[int, Prepared | AttemptOutcome]:
    """Return by its id what is sent to the partner of *link* of each of *messages*."""
    made: dict[int, Prepared | AttemptOutcome] = {}
    for kind, maker in makers.items():
        some = [each for each in messages if each.kind is kind]
        if some and endpoint_of(link, kind) is None:
            made.update((each.id, _NOWHERE) for each in some)
        elif some:
            made.update(_made(connection, maker, some, link))
    return made


def _made(
    connection: Connection[Any], maker: MessageMaker, some: Sequence[Outgoing], link: Link
) -> Mapping[int, Prepared | AttemptOutcome]:
    """Return what is sent of *some*; one that cannot be made is refused alone, and holds none up.

    That is a fault of ours, which a person sees, and puts it back once it is mended.
    """
    try:
        return maker.make(connection, some, link)
    except Exception as error:
        if not is_of_content(error):
            raise
        if len(some) == 1:
            # No error's words in the log file: they may tell who somebody is.
            _LOGGER.error(  # noqa: TRY400 - without them
                "%s %s cannot be made: %s", some[0].kind, some[0].subject, type(error).__name__
            )
            return {some[0].id: _UNMADE}
    made: dict[int, Prepared | AttemptOutcome] = {}
    for each in some:
        made.update(_made(connection, maker, [each], link))
    return made


def endpoint_of(link: Link, kind: MessageKind) -> str | None:
    """Return where the partner takes messages of *kind*; None: nowhere."""
    return link.endpoints.get((MODULES[kind], InterfaceRole.RECEIVER))


_UNMADE: Final = AttemptOutcome(Arrival.REFUSED, reason="unmade")
_NOWHERE: Final = AttemptOutcome(Arrival.NOWHERE, reason="no_endpoint")
