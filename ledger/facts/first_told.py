"""When each thing was told first: a message that is told again shows nothing of a clock or a way.

start 10:00 received 10:00, and again at 11:00 and 20:00 by a station that reconnects
    -> one pair, 10:00 received 10:00; an hour's or ten hours' delay is no evidence
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.facts.station_clock import Pair
from ledger.facts.station_facts import ConnectorStatusChanged, SessionFact


def first_told(facts: Iterable[SessionFact | ConnectorStatusChanged]) -> list[Pair]:
    """Return the device times of *facts* with the first receipt of each content, in no order.

    Facts that name no time say nothing of a clock.
    """
    pairs: dict[object, Pair] = {}
    for fact in facts:
        if fact.occurred_at is None:
            continue
        content, pair = _content_of(fact), (fact.occurred_at, fact.received_at)
        known = pairs.setdefault(content, pair)
        if pair[1] < known[1]:
            pairs[content] = pair
    return [*pairs.values()]


def _content_of(fact: SessionFact | ConnectorStatusChanged) -> tuple[object, ...]:
    """Return what a message that is sent again repeats; that it was queued it may say anew."""
    place = fact.evse_id, fact.connector_id
    if isinstance(fact, ConnectorStatusChanged):
        said: tuple[object, ...] = (fact.error_code,)
    else:
        said = fact.transaction_ref, fact.token_uid, fact.seq_no, fact.readings
    # A naive time and one in UTC are unequal, as they are two tellings.
    return type(fact), fact.occurred_at, fact.charging_state, place, said
