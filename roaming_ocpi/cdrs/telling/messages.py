"""CDRs on their way: put into the partner's outbox as they are made, written when they are sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

from psycopg import Connection

from roaming_ocpi.cdrs.made import CdrKind, MadeCdr
from roaming_ocpi.cdrs.telling.disclosure import Disclosure, disclosed
from roaming_ocpi.cdrs.telling.excerpt import EXCERPT, CdrExcerpt, excerpt_in
from roaming_ocpi.cdrs.telling.wire import is_said, wire_cdr
from roaming_ocpi.registration.link import Link
from roaming_ocpi.relay.messages import Prepared
from roaming_ocpi.relay.outcomes import Arrival, AttemptOutcome
from roaming_ocpi.relay.outgoing import MessageKind, Outgoing, WantedMessage, enqueue_all

_NAMED: LiteralString = f"{EXCERPT} WHERE cdr_id = ANY (%b::text[])"
_KINDS = {CdrKind.CDR: MessageKind.CDR, CdrKind.CREDIT: MessageKind.CREDIT}


def queue_cdrs(connection: Connection[Any], made: Sequence[MadeCdr]) -> None:
    """Put *made* into the outboxes of their partners, in the caller's transaction."""
    enqueue_all(
        connection,
        [WantedMessage(e.party, _KINDS[e.kind], e.cdr_id, e.session_id) for e in made],
    )


class CdrMessages:
    """Makes what is sent of CDRs and credits: a POST of the CDR as it was frozen."""

    def make(
        self, connection: Connection[Any], messages: Sequence[Outgoing], link: Link
    ) -> Mapping[int, Prepared | AttemptOutcome]:
        """Return by its id what is sent of each message, or what came of it without that."""
        names = [each.subject for each in messages]
        made = {e.cdr_id: e for e in map(excerpt_in, connection.execute(_NAMED, (names,)))}
        said = [each for each in made.values() if is_said(each, link.version)]
        keys = disclosed(connection, said) if said else {}
        return {
            each.id: self._prepared(made.get(each.subject), link, keys.get(each.subject))
            for each in messages
        }

    @staticmethod
    def _prepared(
        made: CdrExcerpt | None, link: Link, keys: Disclosure | None
    ) -> Prepared | AttemptOutcome:
        if made is None or link.version not in made.said.versions:
            # Nobody has found a way to say it: a person looks at it.
            return AttemptOutcome(Arrival.REFUSED, reason="unsayable")
        if keys is None:
            return AttemptOutcome(Arrival.WITHHELD, reason="on_statement")
        written, lost = wire_cdr(made, link.version, keys)
        return Prepared("POST", "", written, lost, seeks=("id", "total_cost"))
