"""A session's update as the relay sends it. Source: OCPI 2.2.1, mod_sessions, Receiver PUT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec
from psycopg import Connection

from roaming_ocpi.registration.link import Link
from roaming_ocpi.relay.messages import MessageMaker, Prepared
from roaming_ocpi.relay.outcomes import Arrival, AttemptOutcome
from roaming_ocpi.relay.outgoing import Outgoing
from roaming_ocpi.sessions.rows import bearers_of, kept_sessions
from roaming_ocpi.sessions.told import session_json
from roaming_ocpi.wire.ids import wire_session_id

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_NOT_KEPT: Final = AttemptOutcome(Arrival.WITHHELD, reason="not_kept")


class SessionMessages(MessageMaker):
    """Writes sessions as they are when they are sent."""

    def make(
        self, connection: Connection[Any], messages: Sequence[Outgoing], link: Link
    ) -> Mapping[int, Prepared | AttemptOutcome]:
        """Return what is sent of each session, all of it: what is sent twice does no harm."""
        party = link.partner
        kept = kept_sessions(connection, party, [each.subject for each in messages])
        bearers = bearers_of(connection, list(kept.values()))
        made: dict[int, Prepared | AttemptOutcome] = {}
        for message in messages:
            found = kept.get(message.subject)
            if found is None:
                made[message.id] = _NOT_KEPT
                continue
            told = found.told
            value, notes = session_json(
                told,
                link.version,
                party=party,
                bearer=bearers[message.subject],
                last_updated=found.last_updated,
            )
            place = (*told.our_party.split("-"), wire_session_id(told.session_id))
            made[message.id] = Prepared(
                method="PUT",
                path="".join(f"/{quote(part, safe='')}" for part in place),
                body=_ENCODER.encode(value),
                notes=tuple(dict.fromkeys(each.code for each in notes)),
            )
        return made
